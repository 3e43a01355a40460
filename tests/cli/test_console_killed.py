"""A console killed at any step of a command: the next one says unknown, never nothing, and fetches what there is."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import killed_console
import msgspec
import pytest
from killed_console import STEPS
from real_agent import ROOT, SITE_CODE, Agent

from core.audit import AuditLog, read, verify
from core.cli.app import main
from core.home import Home
from core.records import CommandProgress, CommandResult, CommandState, Event, Machine
from core.services import command_journal
from core.services.agent_poller import AgentPoller
from core.services.command_journal import CommandJournal, SentRun
from core.services.command_recovery import Recovered, recover
from core.services.commands import new_request
from core.services.site_pairing import pair_one
from core.site_records import Record
from core.store.history import History
from core.transport.identity import Identity, ensure_identity

POLICY = """
[commands]
brief = { argv = ["sh", "-c", "echo begun; sleep 0.3; echo done"] }
nap = { argv = ["sleep", "30"] }
"""


class Killed:
    """What the consoles have left, each in a folder called by the step at which it was killed."""

    def __init__(self, folder: Path, console: Identity, machine: Machine) -> None:
        self.folder = folder
        self.console = console
        self.machine = machine

    def taken_over(self, step: str, known: tuple[CommandResult, ...] = ()) -> tuple[Recovered, CommandJournal]:
        """What the next console of the home finds."""
        journal = CommandJournal(self.folder / step / "running")
        return recover(journal, self.audit(step), lambda run_id: known, time.time()), journal

    def audit(self, step: str) -> AuditLog:
        return AuditLog(self.folder / step / "audit.log")

    def lines(self, step: str) -> list[tuple[object, object]]:
        return [(line["event"], line.get("decision") or line.get("state")) for line in read(self.audit(step).path)]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    folder = tmp_path_factory.mktemp("killed")
    agent = Agent(folder / "agent-home", policy=POLICY)
    console = ensure_identity(folder / "identity", "Ada")
    machine = asyncio.run(pair_one(Machine(name="m1", host="127.0.0.1", port=agent.port), SITE_CODE, console))
    text = msgspec.json.encode(machine).decode()
    children = []
    for step in STEPS:
        (folder / step).mkdir(mode=0o700)
        words = [sys.executable, killed_console.__file__, step, str(folder / step), text, "brief"]
        children.append(subprocess.Popen(words, cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}))
    try:
        assert [child.wait(30) for child in children] == [-signal.SIGKILL] * len(STEPS)
        yield Killed(folder, console, machine)
    finally:
        for child in children:
            child.kill()
            child.wait()
        agent.stop()


async def fetched(killed: Killed, step: str, owed: tuple[SentRun, ...], journal: CommandJournal) -> CommandResult:
    """What the agent still has of it."""
    records: list[Record] = []
    poller = AgentPoller(killed.console, records.append, 5.0, 5.0, killed.audit(step), journal=journal)
    poller.set_machines([killed.machine])
    poller.adopt(owed)
    task = asyncio.create_task(poller.run())
    try:
        async with asyncio.timeout(10):
            while not (found := [record for record in records if isinstance(record, CommandProgress)]):  # noqa: ASYNC110 -- what is seen from outside has no event
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    return found[0].result


@pytest.mark.parametrize("step", ["written", "sent", "accepted", "output", "ended"])
def test_what_was_written_down_and_has_no_end_is_unknown_then_fetched(killed: Killed, step: str) -> None:
    assert killed.lines(step) == [("command", "send")]
    found, journal = killed.taken_over(step)
    (told,) = found.progress
    assert (told.result.machine, told.result.state, told.is_last) == ("m1", CommandState.UNKNOWN, True)
    assert [request.words for request in found.requests] == [("brief",)]
    assert ["not known yet" in event.text for event in found.events if isinstance(event, Event)] == [True]
    assert killed.lines(step) == [("command", "send"), ("result", "unknown")]
    result = asyncio.run(fetched(killed, step, found.owed, journal))
    if step == "written" or result.state is CommandState.UNKNOWN:
        assert step in ("written", "sent"), "whatever the agent has taken is fetched"
        assert result.state is CommandState.UNKNOWN
        assert "never run there" in (result.message or "")
    else:
        assert (result.state, result.stdout) == (CommandState.OK, "begun\ndone\n")
        assert killed.lines(step)[2:] == [("result", "ok")]
    assert verify(killed.audit(step).path).is_whole
    journal.close()
    assert killed.taken_over(step)[0] == Recovered(), "it is told once"
    assert list((killed.folder / step / "running").iterdir()) == []


def test_what_never_was_written_down_was_never_sent(killed: Killed) -> None:
    found, _journal = killed.taken_over("begun")
    (told,) = found.progress
    assert told.result.state is CommandState.CANCELLED
    assert "never sent" in (told.result.message or "")
    assert found.owed == ()
    assert killed.lines("begun") == []


@pytest.mark.parametrize("step", ["audited", "acknowledged"])
def test_an_end_that_only_the_audit_log_has_is_told_from_there(killed: Killed, step: str) -> None:
    found, _journal = killed.taken_over(step)
    (told,) = found.progress
    assert (told.result.state, told.result.exit_status) == (CommandState.OK, 0)
    assert "audit log" in (told.result.message or "")
    assert (found.owed, found.events) == ((), ())
    assert killed.lines(step) == [("command", "send"), ("result", "ok")]


def test_commands_of_a_process_that_lives_are_left_alone(killed: Killed, tmp_path: Path) -> None:
    living = CommandJournal(tmp_path / "running")
    request = new_request(["brief"], ["m1"], 20, "Ada", time.time())
    living.begin(SentRun(request=request, machines={"m1": "run"}))
    mine = CommandJournal(tmp_path / "running")
    audit = AuditLog(tmp_path / "audit.log")
    assert recover(mine, audit, lambda run_id: (), time.time()) == Recovered()
    living.close()
    found = recover(mine, audit, lambda run_id: (), time.time())
    assert [told.result.state for told in found.progress] == [CommandState.CANCELLED], "it was never written down"


def test_what_is_not_fetched_is_handed_on_until_its_agent_keeps_it_no_more(tmp_path: Path) -> None:
    audit = AuditLog(tmp_path / "audit.log")
    request = new_request(["brief"], ["m1", "m2"], 20, "Ada", time.time())
    first = CommandJournal(tmp_path / "running")
    first.begin(SentRun(request=request, machines={"m1": "run", "m2": "run"}))
    audit.append([{"event": "command", "exec_id": request.id, "machine": name} for name in ("m1", "m2")])
    first.close()
    second = CommandJournal(tmp_path / "running")
    found = recover(second, audit, lambda run_id: (), time.time() + 4000)  # a clock that was set meanwhile
    assert len(found.progress) == 2
    assert [run.machines for run in found.owed] == [{"m1": "run", "m2": "run"}]
    second.settle(request.id, ["m1"])
    second.close()
    third = CommandJournal(tmp_path / "running")
    known = tuple(told.result for told in found.progress)
    again = recover(third, audit, lambda run_id: known, time.time())
    assert again.progress == ()
    assert again.events == ()
    assert [run.machines for run in again.owed] == [{"m2": "run"}]
    third.close()
    late = recover(CommandJournal(tmp_path / "running"), audit, lambda run_id: known, time.time() + 4000)
    assert late.owed == ()
    assert late.progress == ()
    assert list((tmp_path / "running").iterdir()) == []


def test_an_end_that_the_history_has_and_the_log_has_not_is_no_longer_unknown(tmp_path: Path) -> None:
    audit = AuditLog(tmp_path / "audit.log")
    request = new_request(["brief"], ["m1", "m2"], 20, "Ada", time.time())
    first = CommandJournal(tmp_path / "running")
    first.begin(SentRun(request=request, machines={"m1": "run", "m2": "run"}))
    audit.append([{"event": "command", "exec_id": request.id, "machine": name} for name in ("m1", "m2")])
    first.close()
    known = (CommandResult(machine="m1", state=CommandState.FAILED, exit_status=4, stdout="kept"),)
    found = recover(CommandJournal(tmp_path / "running"), audit, lambda run_id: known, time.time())
    assert [told.result.machine for told in found.progress] == ["m2"]
    assert [run.machines for run in found.owed] == [{"m2": "run"}]
    written = {line["machine"]: (line["state"], line["exit_status"]) for line in list(read(audit.path))[2:]}
    assert written == {"m1": ("failed", 4), "m2": ("unknown", None)}


def test_a_log_that_was_put_away_makes_nothing_never_sent(tmp_path: Path) -> None:
    request = new_request(["brief"], ["m1"], 20, "Ada", time.time())
    first = CommandJournal(tmp_path / "running")
    first.begin(SentRun(request=request, machines={"m1": "run"}, offset=5000))
    first.close()
    found = recover(
        CommandJournal(tmp_path / "running"), AuditLog(tmp_path / "audit.log"), lambda run_id: (), time.time()
    )
    assert [told.result.state for told in found.progress] == [CommandState.UNKNOWN]


def test_a_journal_that_is_damaged_or_torn_keeps_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "running"
    requests = [new_request([word], ["m1"], 20, "Ada", time.time()) for word in ("first", "second")]
    first = CommandJournal(folder)
    for request in requests:
        first.begin(SentRun(request=request, machines={"m1": "run"}))
    first.close()
    (path,) = folder.glob("*.jsonl")
    path.write_bytes(b"\xff\x00 nonsense\n[]\n" + path.read_bytes()[:-20])
    audit = AuditLog(tmp_path / "audit.log")
    found = recover(CommandJournal(folder), audit, lambda run_id: (), time.time())
    assert [told.id for told in found.progress] == [requests[0].id]


def test_a_long_life_does_not_grow_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_journal, "SETTLED_AFTER_S", 0.0)
    monkeypatch.setattr(command_journal, "_MOST_OCTETS", 2000)
    journal = CommandJournal(tmp_path / "running")
    kept = new_request(["stays"], ["m1", "m2"], 20, "Ada", time.time())
    journal.begin(SentRun(request=kept, machines={"m1": "run", "m2": "run"}))
    journal.settle(kept.id, ["m1"])
    for number in range(100):
        request = new_request([f"word{number}"], ["m1"], 20, "Ada", time.time())
        journal.begin(SentRun(request=request, machines={"m1": "run"}))
        journal.settle(request.id, ["m1"])
    (path,) = (tmp_path / "running").glob("*.jsonl")
    assert path.stat().st_size < 3000
    assert path.stat().st_mode & 0o777 == 0o600
    journal.close()
    found = recover(
        CommandJournal(tmp_path / "running"), AuditLog(tmp_path / "audit.log"), lambda run_id: (), time.time()
    )
    assert [request.words for request in found.requests] == [("stays",)]


def test_a_run_that_was_killed_is_fetched_by_a_later_one(
    killed: Killed, home: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    home.console_path.mkdir(mode=0o700)
    for name in ("key.pem", "certificate.pem"):
        (home.console_path / name).write_bytes((killed.folder / "identity" / name).read_bytes())
        (home.console_path / name).chmod(0o600)
    with History.open(home.database_path) as history:
        history.save_machine(killed.machine)
    words = [sys.executable, "main.py", "--home", str(home.path), "run", "m1", "--", "brief"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        child.kill()
    told = ""
    deadline_s = time.monotonic() + 20
    while "is known now" not in told:
        assert time.monotonic() < deadline_s
        assert main(["--home", str(home.path), "run", "m1", "--", "uptime"]) == 0
        told += capfd.readouterr().err
    assert told.count("is not known yet") == 1
    with History.open(home.database_path) as history:
        (run_id,) = [summary.id for summary in history.command_runs() if summary.line == "brief"]
        assert [(end.state, end.stdout) for end in history.command_results(run_id)] == [
            (CommandState.OK, "begun\ndone\n")
        ]
    assert verify(home.console_path / "audit.log").is_whole
