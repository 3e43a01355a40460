"""A poller over simulated agents that speak the real wire: states, faults, commands."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest
from simulated_site import Site

from bench.simulated_agents import SimulatedAgents, half_a_frame, made_up_status
from core.audit import AuditLog, read, verify
from core.errors import NotTrustedError, TransportError, UsageError
from core.protocol.frames import encode_frame
from core.protocol.messages import StatusMessage, encode_notification
from core.records import (
    CommandOutput,
    CommandPlace,
    CommandProgress,
    CommandRequest,
    CommandResult,
    CommandState,
    CommandStep,
    Event,
    Machine,
    MachineState,
    ProcessTable,
)
from core.services.commands import new_request
from core.store.minutes import minutes_of
from core.transport.tls import agent_context

ONLINE, LATE, OFFLINE = MachineState.ONLINE, MachineState.LATE, MachineState.OFFLINE


class _SlowAudit(AuditLog):
    """A log on a slow disk."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))

    def append(self, entries: object) -> None:
        time.sleep(0.05)


def request(*words: str, machines: tuple[str, ...] = ("m1",), timeout_s: float = 5.0) -> CommandRequest:
    return new_request(words, machines, timeout_s, "Ada", time.time())


def in_a_site(test: Callable[[Site, SimulatedAgents], Coroutine[Any, Any, None]]) -> Callable[[Site], None]:
    """A test with one simulated agent listening."""

    def run(site: Site) -> None:
        async def main() -> None:
            async with SimulatedAgents(site.agents[0], site.console.certificate_pem) as agents:
                await test(site, agents)

        asyncio.run(main())

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


@contextlib.asynccontextmanager
async def listener(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> AsyncIterator[int]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@in_a_site
async def test_a_machine_is_online_with_its_status(site: Site, agents: SimulatedAgents) -> None:
    async with site.polling(site.machine("m1", agents.port)) as poller:
        await poller.settled(5, with_status=True)
        report = poller.reports()[0]
    assert site.states("m1") == [OFFLINE, ONLINE]
    assert report.status is not None
    assert report.status.memory is not None
    assert report.error is None
    assert report.level is not None
    assert report.interval_s == 0.2
    assert [record.is_new for record in site.reports("m1")][:3] == [False, False, True]


@in_a_site
async def test_a_silent_machine_is_late_then_offline_then_back(site: Site, agents: SimulatedAgents) -> None:
    async with site.polling(site.machine("m1", agents.port), interval_s=0.25) as poller:
        await poller.settled(5, with_status=True)
        agents.is_mute = True
        last = poller.reports()[0].time_s
        await site.until(lambda: poller.reports()[0].state is LATE)
        late = poller.reports()[0]
        await site.until(lambda: poller.reports()[0].state is OFFLINE)
        offline = poller.reports()[0]
        agents.is_mute = False
        await site.until(lambda: poller.reports()[0].state is ONLINE and poller.reports()[0].time_s != last)
    assert last is not None
    assert late.since_s - last >= 2 * 0.25
    assert "no word" in (late.error or "")
    assert offline.since_s - last >= 6 * 0.25
    assert offline.status is not None, "the last status known stays"
    assert site.states("m1")[-2:] == [OFFLINE, ONLINE]


@in_a_site
async def test_a_broken_link_is_offline_at_once_and_a_return_online_within_5_s(
    site: Site, agents: SimulatedAgents
) -> None:
    port = agents.port
    async with site.polling(site.machine("m1", port), interval_s=5.0) as poller:
        await poller.settled(5, with_status=True)
        await agents.stop()
        await site.until(lambda: poller.reports()[0].state is OFFLINE, 1.0)
        await site.until(lambda: "nothing listens" in (poller.reports()[0].error or ""))
        await agents.start(port)
        await site.until(lambda: poller.reports()[0].state is ONLINE, 5.0)
    events = [record for record in site.records if isinstance(record, Event)]
    assert [(event.kind, event.source) for event in events] == [
        ("machine_lost", "machine/m1"), ("machine_back", "machine/m1"),
    ]  # fmt: skip


@in_a_site
async def test_what_was_missed_is_kept_at_its_time_though_the_clock_there_is_a_year_off(
    site: Site, agents: SimulatedAgents
) -> None:
    agents.time_offset_s = -365 * 86400.0
    async with site.polling(site.machine("m1", agents.port), interval_s=5.0) as poller:
        await poller.settled(5, with_status=True)
        seen = agents.number
        now_s = time.time()
        agents.missed = [made_up_status(seen + step, now_s - 10 + step - 365 * 86400.0) for step in (1, 2, 3)]
        agents.number += 3
        agents.drop()
        await site.until(lambda: any(report.late_statuses for report in site.reports("m1")))
    late = next(report.late_statuses for report in site.reports("m1") if report.late_statuses)
    assert [status.number for status in late] == [seen + 1, seen + 2, seen + 3]
    fresh = [report for report in site.reports("m1") if report.late_statuses]
    minutes = {row.minute_s for row in minutes_of(fresh)}
    assert minutes <= {int((now_s + ago_s) // 60) * 60 for ago_s in (-9, -8, -7, 0, 10)}


@in_a_site
async def test_what_an_agent_says_to_have_missed_ages_ago_or_in_the_future_is_dropped(
    site: Site, agents: SimulatedAgents
) -> None:
    async with site.polling(site.machine("m1", agents.port), interval_s=5.0) as poller:
        await poller.settled(5, with_status=True)
        seen, now_s = agents.number, time.time()
        agents.missed = [
            made_up_status(seen + step, time_s) for step, time_s in enumerate((-1e300, now_s - 9, now_s + 9e9), 1)
        ]
        agents.number += 3
        agents.drop()
        await site.until(lambda: any(report.late_statuses for report in site.reports("m1")))
    late = next(report.late_statuses for report in site.reports("m1") if report.late_statuses)
    assert [status.number for status in late] == [seen + 2]
    assert late[0].system is None
    assert late[0].disks is None


@in_a_site
async def test_an_agent_started_anew_is_not_asked_for_what_it_never_measured(
    site: Site, agents: SimulatedAgents
) -> None:
    async with site.polling(site.machine("m1", agents.port), interval_s=5.0) as poller:
        await poller.settled(5, with_status=True)
        agents.run_id, agents.missed = "run-2", [made_up_status(99, time.time())]
        agents.drop()
        await site.until(lambda: len([report for report in site.reports("m1") if report.is_new]) == 2)
    assert not any(report.late_statuses for report in site.reports("m1"))


@in_a_site
async def test_an_agent_replaced_by_another_is_refused_and_told(site: Site, agents: SimulatedAgents) -> None:
    # one is not pinned at all, the other is the pin of another machine of this console
    strange = Machine(
        name="m1", host="127.0.0.1", port=agents.port, fingerprint=site.agents[1].fingerprint,
        certificate_pem=site.agents[1].certificate_pem,
    )  # fmt: skip
    async with site.polling(strange) as poller:
        await poller.settled(5)
        report = poller.reports()[0]
        assert report.state is MachineState.NOT_TRUSTED
        assert "not the one that was paired" in (report.error or "")
        with pytest.raises(NotTrustedError):
            await poller.processes("m1")
    async with site.polling(site.machine("m2", agents.port), site.machine("m1", agents.port, agent=1)) as poller:
        await poller.settled(5)
        states = {report.machine: report.state for report in poller.reports()}
        results = await poller.execute(request("echo", "hi", machines=("m1", "m2")))
    assert states == {"m2": ONLINE, "m1": MachineState.NOT_TRUSTED}
    assert [result.state for result in results] == [CommandState.NOT_ALLOWED, CommandState.OK]
    assert len(agents.starts) == 1


def test_a_console_that_the_agent_does_not_know_is_told_not_trusted(site: Site) -> None:
    async def main() -> None:
        async with (
            SimulatedAgents(site.agents[0], site.agents[2].certificate_pem) as agents,
            site.polling(site.machine("m1", agents.port)) as poller,
        ):
            await poller.settled(5)
            assert poller.reports()[0].state is MachineState.NOT_TRUSTED
            assert "does not trust this console" in (poller.reports()[0].error or "")

    asyncio.run(main())


def test_an_agent_that_merely_stops_before_its_hello_is_not_called_untrusted(site: Site) -> None:
    async def main() -> None:
        handshakes = 0

        async def stop_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal handshakes
            handshakes += 1
            server.close()
            writer.transport.abort()

        context = agent_context(site.agents[0], [site.console.certificate_pem])
        server = await asyncio.start_server(stop_at_once, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        async with site.polling(site.machine("m1", port)) as poller:
            await poller.settled(5)
            report = poller.reports()[0]
        assert handshakes == 1
        assert report.state is MachineState.OFFLINE
        assert "nothing listens" in (report.error or "")
        assert MachineState.NOT_TRUSTED not in site.states("m1")

    asyncio.run(main())


def test_three_agents_of_one_name_are_told_apart(site: Site) -> None:
    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            agents = [
                await stack.enter_async_context(SimulatedAgents(identity, site.console.certificate_pem))
                for identity in site.agents
            ]
            machines = [site.machine(f"m{number}", agent.port, number) for number, agent in enumerate(agents)]
            poller = await stack.enter_async_context(site.polling(*machines))
            await poller.settled(5)
            assert [report.state for report in poller.reports()] == [ONLINE] * 3

    asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is not a Beffroi agent"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is not a Beffroi agent"),
        (b"", "is not a Beffroi agent"),
    ],
)
def test_what_is_no_agent_is_named_so(site: Site, answer: bytes, words: str) -> None:
    async def main() -> None:
        async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(answer)
            writer.close()

        async with listener(talk) as port, site.polling(site.machine("m1", port)) as poller:
            await poller.settled(8)
            assert poller.reports()[0].state is OFFLINE
            assert words in (poller.reports()[0].error or "")

    asyncio.run(main())


def test_what_takes_links_and_says_nothing_is_named_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.services.link_opening.HANDSHAKE_TIMEOUT_S", 0.2)

    async def main() -> None:
        ended = asyncio.Event()

        async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await ended.wait()
            writer.close()

        async with listener(say_nothing) as port, site.polling(site.machine("m1", port)) as poller:
            await poller.settled(5)
            assert "says nothing" in (poller.reports()[0].error or "")
            ended.set()

    asyncio.run(main())


def test_an_agent_that_says_no_hello_is_named_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.services.agent_link.HELLO_TIMEOUT_S", 0.2)

    async def main() -> None:
        async with SimulatedAgents(site.agents[0], site.console.certificate_pem) as agents:
            agents.answers_hello = False
            async with site.polling(site.machine("m1", agents.port)) as poller:
                await poller.settled(5)
                assert "says no hello" in (poller.reports()[0].error or "")

    asyncio.run(main())


def test_nobody_there_and_no_such_name_are_told_apart(site: Site) -> None:
    async def main() -> None:
        nobody = site.machine("nobody", free_port())
        nameless = site.machine("nameless", 1, host="no..such..host")
        async with site.polling(nobody, nameless) as poller:
            await poller.settled(8)
            errors = {report.machine: report.error or "" for report in poller.reports()}
        assert "nothing listens" in errors["nobody"]
        assert "has no address" in errors["nameless"]

    asyncio.run(main())


@pytest.mark.parametrize(
    "octets",
    [
        b"\x00\x00\x00\x00\x00",
        struct.pack("!IB", 1 << 30, 0),
        struct.pack("!IB", 10, 7) + bytes(20),
        encode_frame(0, b"not json"),
        encode_frame(0, b'{"jsonrpc":"2.0","method":"status","params":{"status":{"number":"x"}}}'),
        encode_frame(1, b"\0"),
        encode_frame(0, b'{"jsonrpc":"1.0"}'),
    ],
)
def test_nonsense_ends_the_link_and_the_machine_returns(site: Site, octets: bytes) -> None:
    async def main() -> None:
        async with (
            SimulatedAgents(site.agents[0], site.console.certificate_pem) as agents,
            site.polling(site.machine("m1", agents.port)) as poller,
        ):
            await poller.settled(5, with_status=True)
            next(iter(agents.links)).send_raw(octets)
            await site.until(lambda: OFFLINE in site.states("m1")[1:])  # it may be back before anybody looks
            poller.poll_now(["m1"])
            await site.until(lambda: poller.reports()[0].state is ONLINE)

    asyncio.run(main())


@in_a_site
async def test_an_agent_that_floods_statuses_is_left(site: Site, agents: SimulatedAgents) -> None:
    async with site.polling(site.machine("m1", agents.port)) as poller:
        await poller.settled(5, with_status=True)
        status = encode_frame(0, encode_notification("status", StatusMessage(status=made_up_status(1, 1.0))))
        next(iter(agents.links)).send_raw(status * 500)
        await site.until(lambda: OFFLINE in site.states("m1")[1:])
        assert len(site.reports("m1")) < 200


@in_a_site
async def test_half_a_frame_is_a_silent_machine(site: Site, agents: SimulatedAgents) -> None:
    async with site.polling(site.machine("m1", agents.port)) as poller:
        await poller.settled(5, with_status=True)
        agents.is_mute = True
        next(iter(agents.links)).send_raw(half_a_frame())
        await site.until(lambda: poller.reports()[0].state is OFFLINE)


@in_a_site
async def test_unknown_notifications_are_ignored(site: Site, agents: SimulatedAgents) -> None:
    async with site.polling(site.machine("m1", agents.port)) as poller:
        await poller.settled(5, with_status=True)
        next(iter(agents.links)).send_raw(encode_frame(0, b'{"jsonrpc":"2.0","method":"later","params":{"a":1}}'))
        seen = agents.number
        await site.until(lambda: agents.number > seen + 1)
        assert poller.reports()[0].state is ONLINE


@in_a_site
async def test_another_major_version_is_refused_in_words(site: Site, agents: SimulatedAgents) -> None:
    agents.major = 2
    async with site.polling(site.machine("m1", agents.port)) as poller:
        await poller.settled(5)
        assert "version 2 of the protocol" in (poller.reports()[0].error or "")


@in_a_site
async def test_a_machine_not_paired_is_left_alone(site: Site, agents: SimulatedAgents) -> None:
    async with site.polling(Machine(name="m1", host="127.0.0.1", port=agents.port)) as poller:
        await poller.settled(5)
        assert poller.reports()[0].state is MachineState.UNPAIRED
        assert (await poller.execute(request("echo", "hi")))[0].state is CommandState.OFFLINE
    assert not agents.links


@in_a_site
async def test_machines_come_and_go_while_it_runs(site: Site, agents: SimulatedAgents) -> None:
    first, second = site.machine("m1", agents.port), site.machine("m2", agents.port)
    async with site.polling(first) as poller:
        await poller.settled(5)
        link = next(iter(agents.links))
        poller.set_machines([second, msgspec.structs.replace(first, groups=("lab",))])
        await poller.settled(5)
        assert [report.machine for report in poller.reports()] == ["m2", "m1"]
        assert link in agents.links, "a machine that only changed its groups keeps its link"
        poller.set_machines([])
        await site.until(lambda: not agents.links)
        assert poller.reports() == []


@in_a_site
async def test_a_visible_machine_is_polled_more_often(site: Site, agents: SimulatedAgents) -> None:
    async with site.polling(site.machine("m1", agents.port), interval_s=60.0) as poller:
        await poller.settled(5, with_status=True)
        poller.set_intervals(60.0, 0.2)
        poller.set_visible(frozenset({"m1", "unknown"}))
        seen = agents.number
        await site.until(lambda: agents.number >= seen + 3)
        assert poller.reports()[0].interval_s == 0.2


@in_a_site
async def test_poll_now_asks_at_once(site: Site, agents: SimulatedAgents) -> None:
    async with site.polling(site.machine("m1", agents.port), interval_s=60.0) as poller:
        await poller.settled(5, with_status=True)
        seen = agents.number
        poller.poll_now()
        await site.until(lambda: agents.number > seen)


@in_a_site
async def test_processes_come_in_pages_and_in_plain_text(site: Site, agents: SimulatedAgents) -> None:
    async with site.polling(site.machine("m1", agents.port)) as poller:
        await poller.settled(5)
        table = await poller.processes("m1")
        assert [process.pid for process in table.processes] == [1, 2]
        assert table.processes[0].name == "init [2J"
        assert table.processes[0].command_line == "/sbin/init splash"
        with pytest.raises(UsageError):
            await poller.processes("m9")
        await agents.stop()
        await site.until(lambda: poller.reports()[0].state is OFFLINE)
        with pytest.raises(TransportError):
            await poller.processes("m1")
    assert [record for record in site.records if isinstance(record, ProcessTable)] == [table]


@in_a_site
async def test_every_target_has_a_result_and_offline_ones_are_not_sent(site: Site, agents: SimulatedAgents) -> None:
    machines = [site.machine(f"m{number}", agents.port) for number in range(5)]
    gone = site.machine("gone", free_port())
    async with site.polling(*machines, gone) as poller:
        await poller.settled(5)
        sent = request("echo", "hello", machines=("m3", "gone", "m0", "elsewhere"))
        results = await poller.execute(sent)
    assert [(result.machine, result.state) for result in results] == [
        ("m3", CommandState.OK), ("gone", CommandState.OFFLINE), ("m0", CommandState.OK),
    ]  # fmt: skip
    assert results[0].stdout == "hello\n"
    assert "not sent" in (results[1].message or "")
    progress = [record for record in site.records if isinstance(record, CommandProgress)]
    assert [record.is_last for record in progress] == [False, False, True]
    assert len(agents.starts) == 2
    assert agents.acknowledged == [sent.id, sent.id]


@in_a_site
async def test_a_refusal_names_the_rule_and_the_line_to_add(site: Site, agents: SimulatedAgents) -> None:
    async with site.polling(site.machine("m1", agents.port)) as poller:
        await poller.settled(5)
        result = (await poller.execute(request("reboot")))[0]
    assert result.state is CommandState.NOT_ALLOWED
    assert "no command of its policy is reboot" in (result.message or "")
    assert '[[command]] id = "reboot"' in (result.message or "")


@in_a_site
async def test_output_is_decoded_across_pieces_and_loses_its_control_characters(
    site: Site, agents: SimulatedAgents
) -> None:
    octets = "été\t日本語\r\n\x1b[31mred\u202e\x00\n".encode() + b"\xff\xfe end \xc3"
    async with site.polling(site.machine("m1", agents.port)) as poller:
        await poller.settled(5)
        result = (await poller.execute(request("raw", octets.hex())))[0]
    expected = "été\t日本語\n[31mred\n\ufffd\ufffd end \ufffd"
    assert result.stdout == expected
    live = "".join(record.text for record in site.records if isinstance(record, CommandOutput))
    assert live == expected


@in_a_site
async def test_a_result_is_fetched_when_the_link_breaks_meanwhile(site: Site, agents: SimulatedAgents) -> None:
    async with site.polling(site.machine("m1", agents.port)) as poller:
        await poller.settled(5)
        result = (await poller.execute(request("break", "kept")))[0]
    assert (result.state, result.stdout) == (CommandState.OK, "kept\n")
    assert [start.exec_id for start in agents.starts] == [agents.starts[0].exec_id] * 2
    live = "".join(record.text for record in site.records if isinstance(record, CommandOutput))
    assert live == "kept\n", "nothing is shown twice"
    places = [record.place for record in site.records if isinstance(record, CommandStep)]
    lost = places.index(CommandPlace.LINK_LOST)
    assert CommandPlace.RUNNING in places[:lost]
    assert CommandPlace.RUNNING in places[lost:]


@in_a_site
async def test_a_result_lost_with_its_agent_is_unknown_and_never_run_again(site: Site, agents: SimulatedAgents) -> None:
    async with site.polling(site.machine("m1", agents.port)) as poller:
        await poller.settled(5)
        running = asyncio.create_task(poller.execute(request("hang")))
        await site.until(lambda: agents.starts)
        agents.run_id = "run-2"
        agents.drop()
        result = (await running)[0]
    assert result.state is CommandState.UNKNOWN
    assert "started anew" in (result.message or "")
    assert len(agents.starts) == 1


@in_a_site
async def test_a_command_that_breaks_each_link_is_unknown_in_the_end(site: Site, agents: SimulatedAgents) -> None:
    async with site.polling(site.machine("m1", agents.port)) as poller:
        await poller.settled(5)
        async with asyncio.timeout(60):
            result = (await poller.execute(request("crash")))[0]
    assert result.state is CommandState.UNKNOWN
    assert "each time" in (result.message or "")
    assert 1 < len(agents.starts) <= 4


@in_a_site
async def test_an_unknown_result_is_told_again_once_it_is_fetched(site: Site, agents: SimulatedAgents) -> None:
    port = agents.port
    async with site.polling(site.machine("m1", port)) as poller:
        await poller.settled(5)
        running = asyncio.create_task(poller.execute(request("hang", "late")))
        await site.until(lambda: any(isinstance(record, CommandOutput) for record in site.records))
        await agents.stop()
        await site.until(lambda: poller.reports()[0].state is OFFLINE)
        poller.cancel(agents.starts[0].exec_id)
        unknown = (await running)[0]
        await agents.start(port)
        await site.until(lambda: any(_ended(record) is CommandState.CANCELLED for record in site.records))
    assert (unknown.state, unknown.stdout) == (CommandState.UNKNOWN, "late\n")


def _ended(record: object) -> CommandState | None:
    return record.result.state if isinstance(record, CommandProgress) else None


@in_a_site
async def test_a_command_is_cancelled(site: Site, agents: SimulatedAgents) -> None:
    async with site.polling(site.machine("m1", agents.port), site.machine("m2", agents.port)) as poller:
        await poller.settled(5)
        wanted = request("hang", "x", machines=("m1", "m2"))
        running = asyncio.create_task(poller.execute(wanted))
        await site.until(lambda: len(agents.starts) == 2)
        poller.cancel(wanted.id)
        results = await running
    assert [result.state for result in results] == [CommandState.CANCELLED] * 2
    assert results[0].stdout == "x\n"


@in_a_site
async def test_a_command_cancelled_before_it_is_sent_is_never_sent(site: Site, agents: SimulatedAgents) -> None:
    async with site.polling(site.machine("m1", agents.port), audit=_SlowAudit()) as poller:
        await poller.settled(5)
        wanted = request("echo", "hi")
        running = asyncio.create_task(poller.execute(wanted))
        await asyncio.sleep(0)
        poller.cancel(wanted.id)
        assert (await running)[0].state is CommandState.CANCELLED
    assert agents.starts == []


@in_a_site
async def test_a_console_that_closes_meanwhile_tells_unknown(site: Site, agents: SimulatedAgents) -> None:
    results: list[CommandResult] = []
    async with site.polling(site.machine("m1", agents.port), audit=_SlowAudit()) as poller:
        await poller.settled(5)
        running = asyncio.create_task(poller.execute(request("hang")))
        await site.until(lambda: agents.starts)
    results = await running
    assert results[0].state is CommandState.UNKNOWN


def test_commands_are_written_down_before_they_are_sent(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "audit.log"

    async def main() -> None:
        async with SimulatedAgents(site.agents[0], site.console.certificate_pem) as agents:
            machines = [site.machine("m1", agents.port), site.machine("gone", free_port())]
            async with site.polling(*machines, audit=AuditLog(path)) as poller:
                await poller.settled(5)
                await poller.execute(request("echo", "$(id)", machines=("m1", "gone")))

    asyncio.run(main())
    entries = list(read(path))
    assert verify(path).is_whole
    assert [(entry["event"], entry["machine"]) for entry in entries[:2]] == [("command", "m1"), ("command", "gone")]
    assert [entry.get("decision") for entry in entries[:2]] == ["send", "offline"]
    assert entries[0]["argv"] == ["echo", "$(id)"]
    assert entries[0]["operator"] == "Ada"
    ended = {entry["machine"]: entry for entry in entries[2:]}
    assert {name: entry["state"] for name, entry in ended.items()} == {"m1": "ok", "gone": "offline"}
    assert (ended["gone"].get("note"), ended["m1"].get("note")) == ("not sent", None)


@in_a_site
async def test_what_cannot_be_written_down_is_not_sent(site: Site, agents: SimulatedAgents) -> None:
    async with site.polling(site.machine("m1", agents.port), audit=AuditLog(Path("/proc/none/audit.log"))) as poller:
        await poller.settled(5)
        result = (await poller.execute(request("echo", "hi")))[0]
    assert result.state is CommandState.FAILED
    assert "audit log" in (result.message or "")
    assert agents.starts == []
