"""Commands on many machines: the window over several pollers, steps, the end of the console, room for output."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from simulated_site import Site

from bench.simulated_agents import SimulatedAgents
from core.audit import AuditLog, read
from core.errors import UsageError
from core.records import (
    CommandPlace,
    CommandProgress,
    CommandRequest,
    CommandResult,
    CommandState,
    CommandStep,
    Machine,
)
from core.services.command_journal import CommandJournal
from core.services.commands import CREDIT_STEP, Execution, new_request, shell_line
from core.services.run_share import SURE_OCTETS, RunShare

NAMES = tuple(f"m{number}" for number in range(12))


def request(*words: str, machines: Sequence[str] = NAMES, window: int = 0) -> CommandRequest:
    return new_request(words, machines, 5.0, "Ada", time.time(), window)


def in_a_site(test: Callable[[Site, SimulatedAgents, list[Machine]], Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test with twelve machines on one simulated agent."""

    def run(site: Site) -> None:
        async def main() -> None:
            async with SimulatedAgents(site.agents[0], site.console.certificate_pem) as agents:
                await test(site, agents, [site.machine(name, agents.port) for name in NAMES])

        asyncio.run(main())

    run.__name__ = test.__name__
    return run


def most_at_once(site: Site) -> int:
    """Machines that had been sent the command and had no end yet, at most."""
    most = at_once = 0
    for record in site.records:
        if isinstance(record, CommandStep) and record.place is CommandPlace.SENT:
            at_once += 1
        elif isinstance(record, CommandProgress) and record.result.state is CommandState.OK:
            at_once -= 1
        most = max(most, at_once)
    return most


@in_a_site
async def test_no_more_machines_run_it_at_once_than_the_window_has(
    site: Site, agents: SimulatedAgents, machines: list[Machine]
) -> None:
    async with site.polling(*machines) as poller:
        await poller.settled(5)
        results = await poller.execute(request("echo", "hi", window=3))
    assert [result.machine for result in results] == list(NAMES)
    assert {result.state for result in results} == {CommandState.OK}
    assert most_at_once(site) == 3


@in_a_site
async def test_two_pollers_share_one_window(site: Site, agents: SimulatedAgents, machines: list[Machine]) -> None:
    async with site.polling(*machines[:3]) as few, site.polling(*machines[3:]) as many:
        await few.settled(5)
        await many.settled(5)
        wanted = request("echo", "hi", window=2)
        share = RunShare(wanted.window)
        halves = await asyncio.gather(few.execute(wanted, share), many.execute(wanted, share))
    assert [len(half) for half in halves] == [3, 9]
    assert {result.state for half in halves for result in half} == {CommandState.OK}
    assert most_at_once(site) == 2


@in_a_site
async def test_machines_that_are_away_take_no_place_and_are_told_at_once(
    site: Site, agents: SimulatedAgents, machines: list[Machine]
) -> None:
    unpaired = replace(machines[0], fingerprint=None)
    async with site.polling(unpaired, *machines[1:]) as poller:
        await poller.settled(5)
        wanted = request("hang", window=1)
        running = asyncio.create_task(poller.execute(wanted))
        await site.until(lambda: agents.starts)
        told = [record.result for record in site.records if isinstance(record, CommandProgress)]
        assert [(result.machine, result.state) for result in told] == [("m0", CommandState.OFFLINE)]
        poller.cancel(wanted.id)
        await running


def test_what_waits_when_it_is_cancelled_is_never_sent_and_the_log_says_so(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "audit.log"

    async def main() -> list[CommandResult]:
        async with SimulatedAgents(site.agents[0], site.console.certificate_pem) as agents:
            machines = [site.machine(name, agents.port) for name in NAMES]
            async with site.polling(*machines, audit=AuditLog(path)) as poller:
                await poller.settled(5)
                wanted = request("hang", window=2)
                running = asyncio.create_task(poller.execute(wanted))
                await site.until(lambda: len(agents.starts) == 2)
                poller.cancel(wanted.id)
                results = await running
                assert len(agents.starts) == 2
                return results

    results = asyncio.run(main())
    assert {result.state for result in results} == {CommandState.CANCELLED}
    unsent = {result.machine for result in results if "before it was sent" in (result.message or "")}
    assert len(unsent) == len(NAMES) - 2
    entries = list(read(path))
    assert [entry["decision"] for entry in entries[: len(NAMES)]] == ["send"] * len(NAMES)
    ended = {entry["machine"]: entry for entry in entries[len(NAMES) :]}
    assert {name for name, entry in ended.items() if entry.get("note") == "not sent"} == unsent
    assert {entry["state"] for entry in ended.values()} == {"cancelled"}


@in_a_site
async def test_each_step_is_told_once_in_its_order(
    site: Site, agents: SimulatedAgents, machines: list[Machine]
) -> None:
    async with site.polling(*machines) as poller:
        await poller.settled(5)
        await poller.execute(request("echo", "hi", window=1))
    steps = [record for record in site.records if isinstance(record, CommandStep)]
    of_machine = {name: [step.place for step in steps if step.machine == name] for name in NAMES}
    sent = [CommandPlace.SENT, CommandPlace.RUNNING]
    assert of_machine["m0"] == sent
    assert all(of_machine[name] == [CommandPlace.WAITING, *sent] for name in NAMES[1:])


@in_a_site
async def test_a_console_that_closes_cancels_what_runs_and_waits_for_the_ends(
    site: Site, agents: SimulatedAgents, machines: list[Machine]
) -> None:
    async with site.polling(*machines) as poller:
        await poller.settled(5)
        running = asyncio.create_task(poller.execute(request("hang", window=4)))
        await site.until(lambda: len(agents.starts) == 4)
        await poller.end_commands(2.0, go_on=False)
        results = await running
    assert {result.state for result in results} == {CommandState.CANCELLED}
    assert len(agents.starts) == 4


def test_what_is_to_go_on_is_left_to_its_agents_and_to_the_next_console(site: Site, tmp_path: Path) -> None:
    journal = CommandJournal(tmp_path / "running")
    audit = AuditLog(tmp_path / "audit.log")

    async def main() -> list[CommandResult]:
        async with SimulatedAgents(site.agents[0], site.console.certificate_pem) as agents:
            machines = [site.machine(name, agents.port) for name in NAMES]
            async with site.polling(*machines, audit=audit, journal=journal) as poller:
                await poller.settled(5)
                running = asyncio.create_task(poller.execute(request("hang", window=4)))
                await site.until(lambda: len(agents.starts) == 4)
                await poller.end_commands(2.0, go_on=True)
                results = await running
            assert len(agents.held) == 1, "nobody has cancelled it"
            assert len(agents.starts) == 4
            return results

    results = asyncio.run(main())
    journal.close()
    states = [result.state for result in results]
    assert states.count(CommandState.UNKNOWN) == 4
    assert states.count(CommandState.CANCELLED) == len(NAMES) - 4
    assert "left it running" in (results[0].message or "")
    assert len(list((tmp_path / "running").glob("*.jsonl"))) == 1


def test_room_for_output_is_shared_and_what_is_beyond_is_counted() -> None:
    results: list[CommandResult] = []
    share = RunShare(most_octets=100_000)
    wanted = request("ls", machines=("m1", "m2"))
    loud, quiet = (
        Execution(wanted, name, lambda *_output: None, lambda _who, result: results.append(result), share=share)
        for name in ("m1", "m2")
    )
    for _piece in range(400):
        loud.take(1, b"x" * 1000)
    for _piece in range(20):
        quiet.take(1, b"y" * 1000)
    loud.give_up("gone")
    quiet.give_up("gone")
    assert len(results[0].stdout) == 100_000 + SURE_OCTETS
    assert results[0].truncated_bytes == 400_000 - 100_000 - SURE_OCTETS
    assert (len(results[1].stdout), results[1].truncated_bytes) == (SURE_OCTETS, 20_000 - SURE_OCTETS)
    loud.restart()
    assert sum(quiet.take(1, b"z" * CREDIT_STEP) for _piece in range(2)) > 0
    assert len(quiet.outputs[1].text) == SURE_OCTETS, "no hole in what is kept"
    assert share.take_room(200_000) == 100_000


def test_a_window_of_no_machine_is_refused() -> None:
    with pytest.raises(UsageError, match="1 or more"):
        request("ls", window=-1)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("ls", "-l"), ""),
        (("Linux: ls | wc -l  ",), "ls | wc -l"),
        (("Linux:", "echo", "a b"), 'echo "a b"'),
        (("DOS:dir", "/b"), "dir /b"),
        (("Powershell:Get-Process | sort 'CPU'",), "Get-Process | sort 'CPU'"),
    ],
)
def test_what_a_shell_gets_is_what_was_typed_after_the_prefix(words: tuple[str, ...], line: str) -> None:
    assert shell_line(words) == line
