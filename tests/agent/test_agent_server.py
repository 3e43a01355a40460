"""What a paired console gets, and what everybody else does not."""

from __future__ import annotations

import asyncio
import datetime
import os
import ssl
import time

import pytest
from agent_site import Agent, Console

from core.agent import gate
from core.agent import server as server_module
from core.agent.consoles import AuthorizedConsole, Consoles
from core.errors import HostUnknownError, PortInUseError
from core.protocol import messages
from core.protocol.messages import Hello, NotTrusted, ProcessPage, StatusMessage, Subscribe
from core.records import Level
from core.transport.identity import fingerprint_of
from core.transport.tls import console_context, pairing_context


def test_a_paired_console_is_greeted_with_its_level(agent, who):
    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            await console.close()
            return console.hello

    hello = asyncio.run(talk())
    assert hello.level is Level.RUN
    assert hello.major == messages.PROTOCOL_MAJOR
    assert hello.name == "lab"
    assert hello.run_id


def test_statuses_come_at_the_interval_and_are_numbered(agent, who):
    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            await console.ask("subscribe", Subscribe(interval_s=0.25))
            found = [await console.notification("status") for _ in range(3)]
            await console.close()
            return [messages.decode_as(StatusMessage, item.params) for item in found]

    statuses = asyncio.run(talk())
    numbers = [item.status.number for item in statuses]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    assert all(item.status.memory.total_bytes > 0 and not item.is_missed for item in statuses)
    gap_s = statuses[2].status.time_s - statuses[1].status.time_s
    assert 0.1 < gap_s < 2.0


def test_only_the_sections_asked_for_are_sent(agent, who):
    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            await console.ask("subscribe", Subscribe(interval_s=1, sections=("cpu", "unheard-of")))
            found = await console.notification("status")
            await console.close()
            return messages.decode_as(StatusMessage, found.params).status

    status = asyncio.run(talk())
    assert status.cpu is not None
    assert status.memory is None
    assert status.disks is None


def test_statuses_missed_while_the_link_was_down_come_first_and_marked(agent, who, monkeypatch):
    monkeypatch.setattr(server_module, "IDLE_INTERVAL_S", 0.25)

    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            await console.ask("subscribe", Subscribe(interval_s=0.25))
            last = messages.decode_as(StatusMessage, (await console.notification("status")).params).status.number
            await console.close()
            await asyncio.sleep(0.8)
            console = await Console.connect(agent, who.console1)
            await console.ask("subscribe", Subscribe(interval_s=0.25, run_id=console.hello.run_id, after=last))
            found = [messages.decode_as(StatusMessage, m.params) for m in console.others if m.method == "status"]
            while not found or found[-1].is_missed:
                found.append(messages.decode_as(StatusMessage, (await console.notification("status")).params))
            await console.close()
            return last, found

    last, found = asyncio.run(talk())
    numbers = [item.status.number for item in found]
    assert numbers == list(range(last + 1, last + 1 + len(numbers)))
    assert sum(item.is_missed for item in found) >= 2


def test_another_run_of_the_agent_sends_nothing_of_the_last_one(agent, who):
    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            await console.ask("subscribe", Subscribe(interval_s=1, run_id="another", after=0))
            found = await console.notification("status")
            await console.close()
            return messages.decode_as(StatusMessage, found.params)

    assert asyncio.run(talk()).is_missed is False


def test_the_process_table_holds_this_very_process(agent, who):
    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            console.send_request("processes", {})
            processes = []
            while True:
                page = messages.decode_as(ProcessPage, (await console.message()).result)
                processes += page.processes
                if page.is_last:
                    break
            await console.close()
            return processes

    processes = asyncio.run(talk())
    own = next(item for item in processes if item.pid == os.getpid())
    assert own.parent_pid == os.getppid()
    assert own.memory_bytes > 1_000_000
    assert "py" in own.command_line


def test_an_unknown_request_is_answered_and_an_unknown_notification_ignored(agent, who):
    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            console.notify("from.the.future", {"x": 1})
            answer = await console.ask("also.from.the.future", {})
            await console.close()
            return answer

    assert asyncio.run(talk()).error.code == messages.NOT_FOUND


def test_another_major_version_is_refused_in_words(agent, who):
    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1, greet=False)
            answer = await console.ask("hello", Hello(major=99))
            await console.ends()
            return answer

    assert "update the older one" in asyncio.run(talk()).error.message


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff\0",
        b"\0\0\0\x02\x07x",
        b"\0\0\0\x03\0{}",
        b"\0\0\0\x05\0\xff\xfe{}",
        b"\0\0\x0f\xa1\0" + b"[" * 4000,
        b"\0\0\0\x06\x01\0\0\0\1\1",
    ],
)
def test_garbage_closes_the_link_and_the_agent_goes_on(agent, who, garbage):
    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1, greet=False)
            console.writer.write(garbage)
            await console.ends()
            console = await Console.connect(agent, who.console1)
            console.writer.write(garbage)
            await console.ends()
            await (await Console.connect(agent, who.console1)).close()

    asyncio.run(talk())


def test_before_hello_a_frame_of_5_kib_is_refused_before_it_is_read(agent, who):
    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1, greet=False)
            console.writer.write((5000).to_bytes(4, "big"))
            await console.ends()

    asyncio.run(talk())


def test_half_a_frame_waits_and_the_other_half_completes_it(agent, who):
    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1, greet=False)
            payload = messages.encode_request(1, "hello", Hello())
            frame = (len(payload) + 1).to_bytes(4, "big") + b"\0" + payload
            for octet in frame:
                console.writer.write(bytes([octet]))
                await console.writer.drain()
            answer = await console.message()
            await console.close()
            return messages.decode_as(Hello, answer.result)

    assert asyncio.run(talk()).level is Level.RUN


def test_work_before_hello_closes_the_link(agent, who):
    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1, greet=False)
            console.send_request("processes", {})
            await console.ends()

    asyncio.run(talk())


def test_a_certificate_that_is_not_pinned_gets_nothing(agent, who):
    async def talk():
        async with agent.running():
            try:
                stranger = await Console.connect(agent, who.console2, greet=False)
                stranger.send_request("hello", Hello())
                await stranger.ends()
            except (ssl.SSLError, ConnectionError):
                pass

    asyncio.run(talk())


def test_without_a_certificate_pairing_closed_is_all_there_is(agent, who):
    async def talk():
        async with agent.running():
            context = pairing_context()
            stranger = Console(*await asyncio.open_connection("127.0.0.1", agent.port, ssl=context, server_hostname=""))
            stranger.send_request("exec.start", {"exec_id": "x", "words": ["os"], "timeout_s": 5})
            told = await stranger.notification("pairing_closed")
            await stranger.ends()
            return told, stranger.others

    told, others = asyncio.run(talk())
    assert messages.decode_as(messages.PairingClosed, told.params).reason == "closed"
    assert others == []


def test_while_pairing_is_open_a_stranger_still_reaches_nothing_else(agent):
    async def talk():
        agent.open_pairing()
        async with agent.running():
            for method in ("hello", "subscribe", "processes", "exec.start", "pair.prove"):
                stranger = Console(
                    *await asyncio.open_connection("127.0.0.1", agent.port, ssl=pairing_context(), server_hostname="")
                )
                stranger.send_request(method, {})
                await stranger.ends()
                assert stranger.others == []

    asyncio.run(talk())


def test_a_removed_line_drops_the_live_link_within_a_second(agent, who):
    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            begin_s = time.monotonic()
            assert Consoles(agent.folder).revoke(who.console1.fingerprint.lower().replace("-", " "))
            told = await console.notification("not_trusted")
            await console.ends()
            duration_s = time.monotonic() - begin_s
            # The context still holds the certificate; the list decides.
            again = await Console.connect(agent, who.console1, greet=False)
            told_again = await again.notification("not_trusted")
            await again.ends()
            return duration_s, told, told_again

    duration_s, told, told_again = asyncio.run(talk())
    assert duration_s < 1.5
    assert messages.decode_as(NotTrusted, told.params).reason == "removed"
    assert messages.decode_as(NotTrusted, told_again.params).reason == "removed"


def test_a_changed_line_drops_the_live_link_and_the_new_level_counts(agent, who):
    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            agent.trust(who.console1, level=Level.VIEW)
            await console.ends(3.0)
            console = await Console.connect(agent, who.console1)
            denied = await console.run("os")
            await console.close()
            return console.hello.level, denied

    level, denied = asyncio.run(talk())
    assert level is Level.VIEW
    assert denied.reason == "level"
    assert "view" in denied.rule


def test_an_expired_line_or_another_address_is_not_trusted(agent, who):
    async def reason_of(**line):
        agent.trust(who.console1, **line)
        async with agent.running():
            console = await Console.connect(agent, who.console1, greet=False)
            told = await console.notification("not_trusted")
            await console.ends()
            return messages.decode_as(NotTrusted, told.params).reason

    yesterday = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=1)
    assert asyncio.run(reason_of(expires=yesterday)) == "expired"
    assert asyncio.run(reason_of(networks=("192.0.2.0/24",))) == "address"


def test_a_line_added_by_hand_is_trusted_within_a_second(agent, who):
    async def talk():
        async with agent.running():
            agent.trust(who.console3)
            await asyncio.sleep(0.9)
            console = await Console.connect(agent, who.console3)
            await console.close()
            return console.hello.level

    assert asyncio.run(talk()) is Level.RUN


def test_max_level_caps_what_a_line_says(agent, who):
    async def talk():
        agent.trust(who.console1, level=Level.RAW)
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            await console.close()
            return console.hello.level

    assert asyncio.run(talk()) is Level.RUN


def test_a_certificate_that_cannot_be_loaded_is_nobodys_and_stops_nobody_else(agent, who):
    octets = b"\x30\x03\x02\x01\x01"
    entry = AuthorizedConsole(fingerprint=fingerprint_of(octets), level=Level.RUN)
    agent.consoles.add(entry, ssl.DER_cert_to_PEM_cert(octets))

    async def talk():
        async with agent.running():
            levels = []
            for number in range(2):  # loaded at the start, and with a list that has changed
                console = await Console.connect(agent, who.console1)
                levels.append(console.hello.level)
                await console.close()
                agent.consoles.add(AuthorizedConsole(fingerprint=fingerprint_of(bytes([number]))), "")
            return levels

    assert asyncio.run(talk()) == [Level.RUN, Level.RUN]


def test_three_consoles_and_three_agents_of_one_name_are_told_apart(tmp_path, who):
    async def talk():
        agents = []
        for number, identity in enumerate((who.agent1, who.agent2, who.agent3), 1):
            made = Agent(tmp_path / f"agent{number}", identity)
            for console in (who.console1, who.console2, who.console3):
                made.trust(console)
            agents.append(made)
        pins = [made.identity.certificate_pem for made in agents]
        async with agents[0].running(), agents[1].running(), agents[2].running():
            for made in agents:
                for identity in (who.console1, who.console2, who.console3):
                    context = console_context(identity, pins)
                    streams = await asyncio.open_connection("127.0.0.1", made.port, ssl=context, server_hostname="")
                    console = Console(*streams)
                    hello = await console.ask("hello", Hello(), Hello)
                    assert hello.run_id == made.server.run_id
                    await console.close()

    asyncio.run(talk())


def test_a_thousand_idle_links_are_bounded_and_the_paired_console_is_served(agent, who):
    async def talk():
        async with agent.running():
            idle = []
            for _ in range(1000):
                idle.append(await asyncio.open_connection("127.0.0.1", agent.port))
            console = await Console.connect(agent, who.console1)
            await console.ask("subscribe", Subscribe(interval_s=0.2))
            await console.notification("status")
            held = len(agent.server._gate.handshakes) + len(agent.server._links)
            await console.close()
            for _reader, writer in idle:
                writer.transport.abort()
            await asyncio.sleep(0.05)
            return held

    assert asyncio.run(talk()) <= gate.STRANGERS_OF_AN_ADDRESS + 1


def test_a_console_has_sixteen_links_and_no_more(agent, who):
    async def talk():
        async with agent.running():
            consoles = [await Console.connect(agent, who.console1) for _ in range(server_module.LINKS_OF_A_CONSOLE)]
            one_more = await Console.connect(agent, who.console1, greet=False)
            answer = await one_more.ask("hello", Hello())
            for console in (*consoles, one_more):
                await console.close()
            return answer.error.code

    assert asyncio.run(talk()) == messages.BUSY


def test_a_port_in_use_and_an_address_of_others_are_told(agent, who, tmp_path):
    async def talk():
        async with agent.running():
            other = Agent(tmp_path / "other", who.agent2)
            with pytest.raises(PortInUseError, match="--listen"):
                await _listen(other, agent.port)
        with pytest.raises(HostUnknownError):
            await _listen(Agent(tmp_path / "third", who.agent3), 0, "no.such.host.invalid")

    async def _listen(made, port, host="127.0.0.1"):
        made_server = server_module.AgentServer(
            made.folder, made.identity, made.desk, made.consoles, _NoCollector(), None
        )
        await made_server.listen(host, port)

    asyncio.run(talk())


class _NoCollector:
    """Nothing is measured in this test."""


def test_a_clock_wrong_by_a_year_changes_nothing(agent, who, monkeypatch):
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 366 * 86400)

    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            await console.ask("subscribe", Subscribe(interval_s=0.2))
            found = messages.decode_as(StatusMessage, (await console.notification("status")).params)
            await console.close()
            return found.status

    status = asyncio.run(talk())
    assert abs(status.time_s - (real() - 366 * 86400)) < 60
    assert status.system.uptime_s > 0


def test_a_line_that_another_link_noticed_first_is_trusted_all_the_same(agent, who, monkeypatch):
    monkeypatch.setattr(server_module, "WATCH_PERIOD_S", 0.3)

    async def talk():
        agent.trust(who.console1)
        async with agent.running():
            first = await Console.connect(agent, who.console1)
            agent.trust(who.console2)
            agent.server.admit(who.console1.fingerprint, "127.0.0.1")  # as a link of the first console does
            second = await Console.connect(agent, who.console2)
            await first.close()
            await second.close()

    asyncio.run(talk())
