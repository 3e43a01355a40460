import asyncio
import threading

import pytest

from core.records import (
    CommandProgress,
    CommandRequest,
    CommandResult,
    CommandState,
    Machine,
    ProcessTable,
)
from gui.runtime.loop_thread import Answers
from gui.runtime.worker_pool import WorkerPool


class FakePoller:
    """Answers every command at once on the machines it holds, one by one, as a shard does."""

    def __init__(self, publish):
        self.publish = publish
        self.machines = []
        self.visible = frozenset()
        self.polled = []
        self.cancelled = []

    async def run(self):
        await asyncio.Event().wait()

    def set_machines(self, machines):
        self.machines = list(machines)

    def set_visible(self, names):
        self.visible = names

    def poll_now(self, names):
        self.polled.append(names)

    async def processes(self, name):
        return ProcessTable(machine=name, time_s=1.0, processes=())

    async def execute(self, request, share):
        if request.words == ("crash",):
            raise RuntimeError("link lost")
        results = [CommandResult(machine=name, state=CommandState.OK) for name in request.machines]
        for result in results:
            await asyncio.sleep(0)
            self.publish(CommandProgress(id=request.id, result=result, is_last=result is results[-1]))
        return results

    def cancel(self, request_id):
        self.cancelled.append(request_id)

    async def end_commands(self, within_s, *, go_on):
        self.ended = go_on

    def adopt(self, owed):
        self.owed = owed


def machine(name):
    return Machine(name=name, host="127.0.0.1")


def request(*machines, words=("os",)):
    return CommandRequest(id="r1", words=words, machines=machines, timeout_s=5, operator="o", time_s=0)


@pytest.fixture
def pool(qtbot):
    pollers, published = [], []

    def make(publish):
        pollers.append(FakePoller(publish))
        return pollers[-1]

    made = WorkerPool(make, published.append)
    made.pollers, made.published = pollers, published
    made.start()
    yield made
    made.stop()
    assert not any("poller" in thread.name for thread in threading.enumerate())


def test_machines_are_shared_out_and_stay_where_they_are(qtbot, pool):
    pool.set_machines([machine(f"m{n}") for n in range(10)])
    qtbot.waitUntil(lambda: sum(len(p.machines) for p in pool.pollers) == 10, timeout=2000)
    assert [len(p.machines) for p in pool.pollers] == [5, 5]
    where = {m.name: n for n, p in enumerate(pool.pollers) for m in p.machines}
    pool.set_machines([machine(f"m{n}") for n in range(2, 12)])
    qtbot.waitUntil(lambda: any(m.name == "m11" for p in pool.pollers for m in p.machines), timeout=2000)
    now = {m.name: n for n, p in enumerate(pool.pollers) for m in p.machines}
    assert all(now[name] == shard for name, shard in where.items() if name in now)


def test_a_command_over_both_shards_ends_once(qtbot, pool):
    pool.set_machines([machine(f"m{n}") for n in range(4)])
    pool.execute(request("m0", "m1", "m2", "m3"))
    progress = lambda: [r for r in pool.published if isinstance(r, CommandProgress)]  # noqa: E731  # read again at each look
    qtbot.waitUntil(lambda: len(progress()) == 4, timeout=2000)
    assert isinstance(pool.published[0], CommandRequest)
    assert [p.is_last for p in progress()] == [False, False, False, True]


def test_every_target_has_a_result_also_one_that_is_gone_or_whose_shard_fails(qtbot, pool):
    pool.set_machines([machine("m0")])
    pool.execute(request("m0", "nobody", words=("crash",)))
    progress = lambda: [r for r in pool.published if isinstance(r, CommandProgress)]  # noqa: E731  # likewise
    qtbot.waitUntil(lambda: len(progress()) == 2, timeout=2000)
    states = {p.result.machine: p.result.state for p in progress()}
    assert states == {"m0": CommandState.UNKNOWN, "nobody": CommandState.OFFLINE}
    assert [p.is_last for p in progress()] == [False, True]


def test_visible_ones_and_processes_go_to_the_shard_that_holds_them(qtbot, pool):
    pool.set_machines([machine("a"), machine("b")])
    pool.set_visible(frozenset({"a", "b", "gone"}))
    qtbot.waitUntil(lambda: all(len(p.visible) == 1 for p in pool.pollers), timeout=2000)
    answers, got = Answers(), []
    answers.when(pool.processes("b"), got.append)
    qtbot.waitUntil(lambda: got != [], timeout=2000)
    assert got[0].machine == "b"
    assert pool.processes("gone").cancelled()
