"""Commands that run when the window's services end: cancelled, or left to their agents and fetched by the next ones."""

import asyncio

import pytest
from real_agent import SITE_CODE, Agent

from core.config import load_config
from core.records import CommandPlace, CommandProgress, CommandState, CommandStep, Event, Machine, MachineReport
from core.services.site_pairing import pair_one
from core.store.history import History
from core.transport.identity import ensure_identity
from gui.runtime.services import Services

SLOW_MS = 20_000
POLICY = """
[commands]
soon = { argv = ["sh", "-c", "echo begun; sleep 1; echo done"] }
nap = { argv = ["sleep", "30"] }
"""


@pytest.fixture
def agent(tmp_path):
    started = Agent(tmp_path / "agent-home", policy=POLICY)
    yield started
    started.stop()


@pytest.fixture
def machine(home, agent):
    console = ensure_identity(home.console_path, "Ada")
    paired = asyncio.run(pair_one(Machine(name="m1", host="127.0.0.1", port=agent.port), SITE_CODE, console))
    with History.open(home.database_path) as history:
        history.save_machine(paired)
    return paired


class Watched:
    """Services of a window, and what they have delivered."""

    def __init__(self, qtbot, home, machine):
        self.qtbot = qtbot
        self.records = []
        self.services = Services(home, load_config(home)[0])
        self.services.mailbox.delivered.connect(
            lambda delivery: self.records.extend([*delivery.reports, *delivery.others])
        )
        self.services.start()
        self.services.set_machines([machine])
        self.until(lambda: any(isinstance(record, MachineReport) and record.is_new for record in self.records))

    def until(self, holds):
        self.qtbot.waitUntil(lambda: bool(holds()), timeout=SLOW_MS)

    def send(self, *words):
        """Send it, and return once it runs."""
        request = self.services.execute(words, ["m1"], 60.0)
        running = CommandStep(id=request.id, machine="m1", place=CommandPlace.RUNNING)
        self.until(lambda: running in self.records)
        return request

    def results(self, run_id):
        return [record.result for record in self.records if isinstance(record, CommandProgress) and record.id == run_id]

    def end(self, **more):
        self.services.stop(**more)
        self.services.deleteLater()


def kept(home, run_id):
    with History.open(home.database_path) as history:
        return [(result.state, result.stdout) for result in history.command_results(run_id)]


def test_what_runs_is_cancelled_and_its_end_is_kept(qtbot, home, machine):
    first = Watched(qtbot, home, machine)
    request = first.send("nap")
    assert [(running.id, running.machines) for running in first.services.running_commands()] == [(request.id, ("m1",))]
    first.end()
    assert kept(home, request.id) == [(CommandState.CANCELLED, "")]
    assert list((home.console_path / "running").iterdir()) == []


def test_what_is_to_go_on_is_fetched_by_the_next_window(qtbot, home, machine):
    first = Watched(qtbot, home, machine)
    request = first.send("soon")
    first.end(let_commands_go_on=True)
    assert [state for state, _stdout in kept(home, request.id)] == [CommandState.UNKNOWN]
    second = Watched(qtbot, home, machine)
    second.until(lambda: second.results(request.id))
    assert second.services.running_commands() == []
    second.end()
    assert kept(home, request.id) == [(CommandState.OK, "begun\ndone\n")]
    assert not [record for record in second.records if isinstance(record, Event) and record.kind == "command_unknown"]
    assert list((home.console_path / "running").iterdir()) == []
