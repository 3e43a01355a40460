"""One command on many machines: written down, sent as far as its window lets, followed to its end, written down again.

Each poller has one for the machines it holds; a run over several pollers shares its window. Lives in the poller's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from msgspec.structs import replace

from core.audit import AuditLog
from core.errors import BeffroiError
from core.language import _
from core.records import (
    CommandOutput,
    CommandPlace,
    CommandProgress,
    CommandRequest,
    CommandResult,
    CommandState,
    CommandStep,
    MachineState,
)
from core.services.command_journal import CommandJournal, SentRun
from core.services.commands import Execution, sending_entries
from core.services.poller_run import PollerRun
from core.services.run_share import RunShare
from core.site_records import Record

if TYPE_CHECKING:
    from core.services.machine_watch import MachineWatch

log = logging.getLogger("beffroi.poller")

FLUSH_S = 0.25
"""How soon a result is in the audit log; the last one of a run at once."""

FIRST_REACHED_WITHIN_S = 3.0
"""A machine that this console is just linking for the first time is waited for so long: it is not offline yet."""
LOOK_S = 0.05


class FanOut:
    """The commands of one poller. Without an `audit` log none is written down: tests alone may do so."""

    def __init__(
        self,
        publish: Callable[[Record], None],
        watches: Callable[[], Mapping[str, MachineWatch]],
        fingerprint: str,
        audit: AuditLog | None,
        journal: CommandJournal | None,
    ) -> None:
        self._publish = publish
        self._watches = watches
        self._fingerprint = fingerprint
        self._audit = audit
        self._journal = journal
        self._writing = ThreadPoolExecutor(1, "audit")
        self._flushing = asyncio.Lock()
        self._flush: asyncio.TimerHandle | None = None
        self._flushes: set[asyncio.Task[None]] = set()
        self._is_closed = self._goes_on = False
        self._runs: dict[str, PollerRun] = {}
        self._ended: list[tuple[Execution, CommandResult]] = []
        self._adopted: dict[str, list[Execution]] = {}

    @property
    def running(self) -> int:
        """Commands that have machines without a result."""
        return len(self._runs)

    async def execute(self, request: CommandRequest, share: RunShare | None = None) -> list[CommandResult]:
        """As `AgentPoller.execute`."""
        watches = self._watches()
        names = [name for name in dict.fromkeys(request.machines) if name in watches]
        if not names:
            return []
        run = PollerRun(request, names, self._publish, share or RunShare(request.window), self._pump)
        self._runs[request.id] = run
        try:
            run.executions = {name: self._execution(request, name, run.share) for name in names}
            try:
                await self._first_reached(run)
                decisions = {name: _decision(watches.get(name)) for name in names}
                await self._write_down(request, decisions)
            except BeffroiError as error:
                message = _("not sent, since it must be written down first: {reason}").format(reason=error)
                for name in names:
                    run.take(CommandResult(machine=name, state=CommandState.FAILED, message=message))
                if self._journal is not None:
                    self._journal.settle(request.id, names)
            else:
                self._begin(run, decisions)
            try:
                await asyncio.wait([run.finished])
            except asyncio.CancelledError:
                self._stop(run)
                self._write_now()
                raise
            if self._is_closed:
                self._write_now()
            else:
                await self._write_results()
        finally:
            self._runs.pop(request.id, None)
        return [run.results[name] for name in names if name in run.results]

    def cancel(self, request_id: str, machines: Sequence[str] | None = None) -> None:
        """End a command wherever it still runs, and send it nowhere else; on these machines alone where given."""
        run = self._runs.get(request_id)
        if run is None:
            return
        watches = self._watches()
        if machines is not None:
            for name in machines:
                execution = run.executions.get(name)
                if name in run.placed:
                    if name in watches:
                        watches[name].commands.cancel(request_id)
                elif execution is not None and not execution.is_told:
                    with contextlib.suppress(ValueError):  # it is not written down yet
                        run.waiting.remove(execution)
                    execution.tell(_cancelled_unsent(name))
            return
        run.is_cancelled = True
        for name in run.names:
            if name in watches:
                watches[name].commands.cancel(request_id)
        self._pump(run)

    async def end_all(self, within_s: float, *, go_on: bool) -> None:
        """Cancel all that runs and wait so long for the ends; `go_on`: leave it running, to be fetched by a later one.

        What waits for a place of a window is not sent any more.
        """
        runs = list(self._runs.values())
        self._goes_on = go_on
        for run in runs:
            if go_on:
                run.is_cancelled = True
                self._pump(run)
            else:
                self.cancel(run.request.id)
        if runs and not go_on:
            await asyncio.wait([run.finished for run in runs], timeout=within_s)
        for run in runs:
            run.abandon(_left_text() if go_on else _("cancelled with the console; no answer came before it closed"))
        await self._write_results()

    def adopt(self, owed: Sequence[SentRun]) -> None:
        """Fetch results that an earlier console is owed, from those of the machines that are, or come, here."""
        for sent in owed:
            for name, run_id in sent.machines.items():
                execution = self._execution(sent.request, name, RunShare())
                execution.run_id = run_id
                self._adopted.setdefault(name, []).append(execution)
        for watch in self._watches().values():
            self.on_watch(watch)

    def on_watch(self, watch: MachineWatch) -> None:
        """This machine is held here from now on."""
        for execution in self._adopted.pop(watch.machine.name, ()):
            watch.commands.adopt(execution)

    async def close(self) -> None:
        """The poller ends, its links not yet: what runs is told as unknown, and all results are written down."""
        self._is_closed = True
        for run in list(self._runs.values()):
            run.abandon(_left_text() if self._goes_on else _("the console was closed before the command ended"))
        if self._flush is not None:
            self._flush.cancel()
        await asyncio.gather(*self._flushes, return_exceptions=True)
        self._write_now()
        self._writing.shutdown(wait=False)

    def _execution(self, request: CommandRequest, name: str, share: RunShare) -> Execution:
        return Execution(request, name, self._on_output, self._on_result, self._on_step, self._on_over, share)

    async def _first_reached(self, run: PollerRun) -> None:
        """Wait for machines that were not tried yet; what is killed meanwhile is found by the next console."""
        loop, watches = asyncio.get_running_loop(), self._watches()
        new = [watches[name] for name in run.names if not watches[name].is_settled]
        if not new:
            return
        audit, journal = self._audit, self._journal
        if audit is not None and journal is not None:
            announced = replace(run.request, machines=tuple(run.names))

            def announce() -> None:
                journal.begin(SentRun(request=announced, machines={}, offset=audit.size()))

            await loop.run_in_executor(self._writing, announce)
        for execution in run.executions.values():
            execution.step(CommandPlace.WAITING)
        give_up_s = loop.time() + FIRST_REACHED_WITHIN_S
        while new and not run.is_cancelled and loop.time() < give_up_s:
            await asyncio.sleep(LOOK_S)
            new = [watch for watch in new if not watch.is_settled]

    async def _write_down(self, request: CommandRequest, decisions: Mapping[str, str]) -> None:
        """Have it in the journal and in the audit log, on disk, before the first octet leaves."""
        audit, journal, watches = self._audit, self._journal, self._watches()
        if audit is None:
            return
        links = {name: watches[name].link for name, decision in decisions.items() if decision == "send"}
        runs = {name: link.hello.run_id for name, link in links.items() if link is not None}
        entries = sending_entries(request, self._fingerprint, decisions)

        def write() -> None:
            if journal is not None and runs:
                offset = audit.size()
                mine = replace(request, machines=tuple(decisions))
                journal.begin(SentRun(request=mine, machines=runs, offset=offset))
            audit.append(entries)

        # a thread of its own: the loop's pool may be full of names that are looked up
        await asyncio.get_running_loop().run_in_executor(self._writing, write)

    def _begin(self, run: PollerRun, decisions: Mapping[str, str]) -> None:
        watches = self._watches()
        for name, execution in run.executions.items():
            if execution.is_told:
                continue  # cancelled, or the console was closed, while it was written down
            if decisions[name] == "send":
                run.waiting.append(execution)
            else:
                execution.tell(_not_sent(name, watches.get(name)))
        self._pump(run)
        for execution in run.waiting:
            execution.step(CommandPlace.WAITING)

    def _pump(self, run: PollerRun) -> None:
        """Send it to as many more machines as the window has places."""
        watches = self._watches()
        while run.waiting:
            execution = run.waiting[0]
            watch = watches.get(execution.machine)
            if run.is_cancelled:
                result: CommandResult | None = _cancelled_unsent(execution.machine)
            elif watch is None or watch.link is None:
                result = _not_sent(execution.machine, watch)
            elif not run.share.take_place(run.wake):
                return
            else:
                result = None
            run.waiting.popleft()
            if result is not None:
                execution.tell(result)
            elif watch is not None:
                run.placed.add(execution.machine)
                watch.commands.start(execution)

    def _stop(self, run: PollerRun) -> None:
        """Whoever waited for the run does so no more."""
        if not self._goes_on:
            self.cancel(run.request.id)
        run.abandon(_left_text() if self._goes_on else _("the console was closed before the command ended"))

    def _on_output(self, execution: Execution, fd: int, text: str) -> None:
        self._publish(CommandOutput(id=execution.request.id, machine=execution.machine, fd=fd, text=text))

    def _on_step(self, execution: Execution, place: CommandPlace) -> None:
        self._publish(CommandStep(id=execution.request.id, machine=execution.machine, place=place))

    def _on_result(self, execution: Execution, result: CommandResult) -> None:
        run = self._runs.get(execution.request.id)
        is_first = run is not None and result.machine not in run.results
        if is_first and run is not None:
            run.take(result)
        else:  # fetched later: the run was already told as unknown
            if run is not None:
                run.results[result.machine] = result
            self._publish(CommandProgress(id=execution.request.id, result=result))
        if is_first or result.state is not CommandState.UNKNOWN:
            self._to_write(execution, result)

    def _on_over(self, execution: Execution) -> None:
        if self._journal is not None:
            self._journal.settle(execution.request.id, (execution.machine,))

    def _to_write(self, execution: Execution, result: CommandResult) -> None:
        self._ended.append((execution, result))
        if self._flush is None and not self._is_closed:
            self._flush = asyncio.get_running_loop().call_later(FLUSH_S, self._on_flush_due)

    def _on_flush_due(self) -> None:
        self._flush = None
        task = asyncio.get_running_loop().create_task(self._write_results())
        self._flushes.add(task)
        task.add_done_callback(self._flushes.discard)

    async def _write_results(self) -> None:
        """Have all results that have come in the audit log, then let their agents forget them."""
        async with self._flushing:
            ended, self._ended = self._ended, []
            if not ended:
                return
            is_written = await asyncio.get_running_loop().run_in_executor(self._writing, self._write, ended)
        if is_written:
            self._acknowledge(ended)

    def _write_now(self) -> None:
        ended, self._ended = self._ended, []
        if ended and self._write(ended):
            self._acknowledge(ended)

    def _write(self, ended: Sequence[tuple[Execution, CommandResult]]) -> bool:
        """In the thread of the audit log, or at the end; False where it cannot be written."""
        if self._audit is not None:
            try:
                self._audit.append([execution.audit_entry(result) for execution, result in ended])
            except BeffroiError as error:
                log.error("results of commands are not in the audit log: %s", error)
                return False
        if self._journal is not None:
            for execution, result in ended:
                if result.state is not CommandState.UNKNOWN:
                    self._journal.settle(execution.request.id, (execution.machine,))
        return True

    def _acknowledge(self, ended: Sequence[tuple[Execution, CommandResult]]) -> None:
        watches = self._watches()
        for execution, _result in ended:
            if execution.is_ended and execution.machine in watches:
                watches[execution.machine].commands.acknowledge(execution.request.id)


def _decision(watch: MachineWatch | None) -> str:
    if watch is None:
        return MachineState.OFFLINE.value
    return "send" if watch.link is not None else watch.state.value


def _left_text() -> str:
    return _("the console was closed and left it running; its result is fetched when it is started again")


def _cancelled_unsent(name: str) -> CommandResult:
    return CommandResult(machine=name, state=CommandState.CANCELLED, message=_("cancelled before it was sent"))


def _not_sent(name: str, watch: MachineWatch | None) -> CommandResult:
    reason = (watch.error if watch is not None else None) or _("the machine was removed")
    state = watch.state if watch is not None else MachineState.OFFLINE
    return CommandResult(
        machine=name,
        state=CommandState.NOT_ALLOWED if state is MachineState.NOT_TRUSTED else CommandState.OFFLINE,
        message=_("not sent: {reason}").format(reason=reason),
    )
