"""The pollers: a few threads with a loop each, the machines shared out among them."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace
from PyQt5.QtCore import QObject, pyqtSignal

from core.language import _
from core.records import CommandProgress, CommandRequest, CommandResult, CommandState, Machine, ProcessTable
from core.services.run_share import RunShare
from core.site_records import Record
from gui.runtime.loop_thread import LoopThread

SHARDS = 2

T = TypeVar("T")


class Poller(Protocol):
    """One shard's service (`core.services.agent_poller.AgentPoller`)."""

    async def run(self) -> None:
        """Poll until cancelled."""

    def set_machines(self, machines: Sequence[Machine]) -> None:
        """The machines of this shard."""

    def set_visible(self, names: frozenset[str]) -> None:
        """Those on screen."""

    def set_intervals(self, interval_s: float, visible_interval_s: float) -> None:
        """How often machines are asked, and those on screen."""

    def set_sections(self, sections: Sequence[str] | None) -> None:
        """What machines send with each status."""

    def poll_now(self, names: Sequence[str] | None) -> None:
        """Ask these, or all, at once."""

    async def processes(self, name: str) -> ProcessTable:
        """The processes of a machine."""

    async def execute(self, request: CommandRequest, share: RunShare) -> list[CommandResult]:
        """Run a command on those of its machines that are here, in the window that all shards share."""

    def cancel(self, request_id: str, machines: Sequence[str] | None = None) -> None:
        """Cancel a command, on these machines alone where given."""

    async def end_commands(self, within_s: float, *, go_on: bool) -> None:
        """Cancel all that runs, or let it go on."""

    def adopt(self, owed: Sequence[Any]) -> None:
        """Fetch what an earlier console is owed."""


class WorkerPool(QObject):
    """Threads that poll; all methods are called in the GUI thread, none waits."""

    crashed = pyqtSignal(str)

    def __init__(
        self,
        make_poller: Callable[[Callable[[Record], None]], Poller],
        publish: Callable[[Record], None],
        parent: QObject | None = None,
        *,
        shards: int = SHARDS,
    ) -> None:
        super().__init__(parent)
        self._publish_on = publish
        self._lock = threading.Lock()
        self._awaited: dict[str, set[str]] = {}
        self._requests: dict[str, CommandRequest] = {}
        self._threads = [LoopThread(f"poller {number + 1}", self) for number in range(shards)]
        self._pollers = [make_poller(self._publish) for _thread in self._threads]
        self._shard_of: dict[str, int] = {}
        for thread in self._threads:
            thread.crashed.connect(self.crashed)

    def start(self) -> None:
        """Start to poll."""
        for thread, poller in zip(self._threads, self._pollers, strict=True):
            thread.start()
            thread.spawn(poller.run())

    def request_stop(self) -> None:
        """Ask all threads to end."""
        for thread in self._threads:
            thread.request_stop()

    def stop(self) -> None:
        """End all threads and wait for them."""
        self.request_stop()
        for thread in self._threads:
            thread.stop()

    def set_machines(self, machines: Sequence[Machine]) -> None:
        """Poll these; one that stays keeps its thread and its link, a new one goes where fewest are."""
        names = {machine.name for machine in machines}
        kept = {name: shard for name, shard in self._shard_of.items() if name in names}
        loads = [0] * len(self._threads)
        for shard in kept.values():
            loads[shard] += 1
        shares: list[list[Machine]] = [[] for _thread in self._threads]
        for machine in machines:
            if machine.name not in kept:
                kept[machine.name] = loads.index(min(loads))
                loads[kept[machine.name]] += 1
            shares[kept[machine.name]].append(machine)
        self._shard_of = kept
        for thread, poller, share in zip(self._threads, self._pollers, shares, strict=True):
            thread.call(poller.set_machines, share)

    def set_visible(self, names: frozenset[str]) -> None:
        """These are on screen and are asked more often."""
        for shard, (thread, poller) in enumerate(zip(self._threads, self._pollers, strict=True)):
            thread.call(poller.set_visible, frozenset(name for name in names if self._shard_of.get(name) == shard))

    def set_intervals(self, interval_s: float, visible_interval_s: float) -> None:
        """How often machines are asked, and those on screen."""
        for thread, poller in zip(self._threads, self._pollers, strict=True):
            thread.call(poller.set_intervals, interval_s, visible_interval_s)

    def set_sections(self, sections: Sequence[str] | None) -> None:
        """What machines send with each status; none of it where only commands are sent to them."""
        for thread, poller in zip(self._threads, self._pollers, strict=True):
            thread.call(poller.set_sections, sections)

    def poll_now(self, names: Sequence[str] | None = None) -> None:
        """Ask these, or all, at once."""
        for thread, poller in zip(self._threads, self._pollers, strict=True):
            thread.call(poller.poll_now, names)

    def of_machine(self, name: str, work: Callable[[Any], Coroutine[Any, Any, T]]) -> concurrent.futures.Future[T]:
        """What `work` asks of the poller that holds a machine, in a future; cancelled when the machine is not ours."""
        shard = self._shard_of.get(name)
        if shard is None:
            future: concurrent.futures.Future[T] = concurrent.futures.Future()
            future.cancel()
            return future
        return self._threads[shard].submit(work(self._pollers[shard]))

    def processes(self, name: str) -> concurrent.futures.Future[ProcessTable]:
        """The processes of a machine, in a future; cancelled when the machine is not ours."""
        return self.of_machine(name, lambda poller: poller.processes(name))

    def execute(self, request: CommandRequest) -> None:
        """Run a command; the request, its output and its results are published, every machine has one result."""
        with self._lock:
            self._awaited[request.id] = set(request.machines)
            self._requests[request.id] = request
        share = RunShare(request.window)
        self._publish_on(request)
        for shard, (thread, poller) in enumerate(zip(self._threads, self._pollers, strict=True)):
            mine = tuple(name for name in request.machines if self._shard_of.get(name) == shard)
            if mine:
                future = thread.submit(poller.execute(replace(request, machines=mine), share))
                future.add_done_callback(lambda ended, mine=mine: self._on_executed(request.id, mine, ended))
        for name in request.machines:
            if name not in self._shard_of:
                self._tell(request.id, name, CommandState.OFFLINE, _("no such machine"))

    def cancel(self, request_id: str, machines: Sequence[str] | None = None) -> None:
        """Cancel a command wherever it runs, or on these machines alone."""
        more = () if machines is None else (tuple(machines),)
        for thread, poller in zip(self._threads, self._pollers, strict=True):
            thread.call(poller.cancel, request_id, *more)

    def running(self) -> list[CommandRequest]:
        """The commands that run, oldest first; the machines of each are those that have no result yet."""
        with self._lock:
            return [
                replace(request, machines=tuple(name for name in request.machines if name in self._awaited[run_id]))
                for run_id, request in self._requests.items()
            ]

    def end_commands(self, within_s: float, *, go_on: bool) -> list[concurrent.futures.Future[None]]:
        """Cancel all that runs, or let it go on; the futures are done when all results are told and written down."""
        return [
            thread.submit(poller.end_commands(within_s, go_on=go_on))
            for thread, poller in zip(self._threads, self._pollers, strict=True)
        ]

    def adopt(self, owed: Sequence[Any]) -> None:
        """Fetch what an earlier console is owed, each from the shard that holds its machine."""
        for thread, poller in zip(self._threads, self._pollers, strict=True):
            thread.call(poller.adopt, owed)

    def _publish(self, record: Record) -> None:
        """Only the last result of all shards ends a command, and the request was published once already."""
        if isinstance(record, CommandProgress):
            with self._lock:
                awaited = self._awaited.get(record.id)
                if awaited is not None:
                    awaited.discard(record.result.machine)
                    is_last = not awaited
                    if is_last:
                        del self._awaited[record.id]
                        del self._requests[record.id]
                    record = replace(record, is_last=is_last)
        elif isinstance(record, CommandRequest):
            return
        self._publish_on(record)

    def _on_executed(
        self, request_id: str, machines: Sequence[str], future: concurrent.futures.Future[list[CommandResult]]
    ) -> None:
        """A shard has ended: a machine still without a result gets one that says so."""
        error = None if future.cancelled() else future.exception()
        words = str(error) if error is not None else _("the console ended before the answer came")
        with self._lock:
            missing = [name for name in machines if name in self._awaited.get(request_id, ())]
        for name in missing:
            self._tell(request_id, name, CommandState.UNKNOWN, words)

    def _tell(self, request_id: str, machine: str, state: CommandState, message: str) -> None:
        self._publish(
            CommandProgress(id=request_id, result=CommandResult(machine=machine, state=state, message=message))
        )
