"""A share of the machines, polled in one asyncio loop; the window runs two, the command line one.

All methods but the constructor belong to the loop's thread. What is learned goes to `publish` as frozen records.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence

import core
from core.audit import AuditLog
from core.errors import NotTrustedError, TransportError, UsageError
from core.language import _
from core.protocol.messages import Hello
from core.records import (
    CommandRequest,
    CommandResult,
    Machine,
    MachineReport,
    MachineState,
    ProcessTable,
)
from core.services.agent_link import AgentLink
from core.services.command_journal import CommandJournal, SentRun
from core.services.fan_out import FanOut
from core.services.machine_watch import SWEEP_S, MachineWatch, Shard
from core.services.peer_records import plain_process, system_word
from core.services.run_share import RunShare
from core.site_records import Record
from core.transport.identity import Identity
from core.transport.tls import console_context, trust

log = logging.getLogger("beffroi.poller")

SPARE_FILES = 256
"""Open files that a console needs beside its links."""


class AgentPoller:
    """Keeps the links of its machines, polls them, and runs commands on them; `run` until cancelled.

    `sections` names what agents send with each status; None is all of it. Without an `audit` log no command is
    written down: tests alone may do so. The `journal` is what a later process finds commands by where this one is
    killed; pollers of one process share it.
    """

    def __init__(
        self,
        identity: Identity,
        publish: Callable[[Record], None],
        interval_s: float = 5.0,
        visible_interval_s: float = 1.0,
        audit: AuditLog | None = None,
        *,
        sections: Sequence[str] | None = None,
        journal: CommandJournal | None = None,
    ) -> None:
        self._identity = identity
        self._publish = publish
        self._interval_s = interval_s
        self._visible_interval_s = visible_interval_s
        self._fan_out = FanOut(publish, lambda: self._watches, identity.fingerprint, audit, journal)
        self._sections = None if sections is None else tuple(sections)
        self._visible: frozenset[str] = frozenset()
        self._wanted: dict[str, Machine] = {}
        self._watches: dict[str, MachineWatch] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._shard: Shard | None = None
        self._unsettled: set[str] = set()
        self._unheard: set[str] = set()
        self._waiting: list[tuple[set[str], asyncio.Future[None]]] = []

    async def run(self) -> None:
        """Poll until cancelled; the links are closed when this returns."""
        self._shard = Shard(
            context=console_context(self._identity, []),
            hello=Hello(name=self._identity.name[:256], version=core.__version__, time_s=time.time()),
            publish=self._publish,
            interval_of=self._interval_of,
            on_change=self._on_change,
            sections=self._sections,
        )
        try:
            self._apply()
            await self._sweep_forever()
        finally:
            await self._fan_out.close()
            tasks = [*self._tasks.values(), *self._leaving]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._tasks.clear()
            self._watches.clear()
            for _names, waiting in self._waiting:
                waiting.cancel()
            for _turn in range(3):
                await asyncio.sleep(0)  # aborted transports close their sockets in the loop's next turns

    def set_machines(self, machines: Sequence[Machine]) -> None:
        """Poll these machines from now on; links of those that stay as they were are kept."""
        self._wanted = {machine.name: machine for machine in machines}
        if self._shard is not None:
            self._apply()

    def set_visible(self, names: frozenset[str]) -> None:
        """Poll these machines at the shorter interval."""
        changed = self._visible ^ names
        self._visible = names
        for name in changed & self._watches.keys():
            self._watches[name].refresh_interval()

    def set_intervals(self, interval_s: float, visible_interval_s: float) -> None:
        """Take new intervals from the preferences."""
        self._interval_s, self._visible_interval_s = interval_s, visible_interval_s
        for watch in self._watches.values():
            watch.refresh_interval()

    def set_sections(self, sections: Sequence[str] | None) -> None:
        """What agents send with each status from now on; links and running commands stay."""
        wanted = None if sections is None else tuple(sections)
        if wanted == self._sections:
            return
        self._sections = wanted
        if self._shard is not None:
            self._shard.sections = wanted
        for watch in self._watches.values():
            watch.subscribe_anew()

    def poll_now(self, names: Iterable[str] | None = None) -> None:
        """Have these machines (None: all) polled at once, and tried again at once where they are offline."""
        for name in self._watches if names is None else names:
            if name in self._watches:
                self._watches[name].poll_now()

    def reports(self) -> list[MachineReport]:
        """What is known of each machine now, in the order of `set_machines`."""
        return [watch.report() for watch in self._watches.values()]

    def systems(self) -> dict[str, str]:
        """What runs on the machines that are linked now, as they said in their hello; in the words of `Machine.os`."""
        links = {name: watch.link for name, watch in self._watches.items()}
        told = {name: system_word(link.hello.os) for name, link in links.items() if link is not None}
        return {name: word for name, word in told.items() if word}

    async def settled(self, timeout_s: float, *, with_status: bool = False) -> None:
        """Return once each machine was reached or not (`with_status`: has sent one or cannot), or the time is over."""
        await asyncio.sleep(0)  # lets `run`, started just before, take its machines
        pending = self._unheard if with_status else self._unsettled
        if not pending:
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((pending, waiting))
        await asyncio.wait([waiting], timeout=timeout_s)
        self._waiting.remove((pending, waiting))

    def link_of(self, name: str) -> AgentLink:
        """The link to a machine; raises BeffroiError with the reason why there is none."""
        watch = self._watches.get(name)
        if watch is None:
            raise UsageError(_("there is no machine called {machine}").format(machine=name))
        if watch.link is None:
            kind = NotTrustedError if watch.state is MachineState.NOT_TRUSTED else TransportError
            raise kind(
                _("{machine} is not reached: {reason}").format(machine=name, reason=watch.error or watch.state.value)
            )
        return watch.link

    async def processes(self, name: str) -> ProcessTable:
        """The process table of a machine now; raises BeffroiError where it cannot be had."""
        _agents_time_s, processes = await self.link_of(name).processes()
        table = ProcessTable(machine=name, time_s=time.time(), processes=tuple(map(plain_process, processes)))
        self._publish(table)
        return table

    async def execute(self, request: CommandRequest, share: RunShare | None = None) -> list[CommandResult]:
        """Run a command on those of its machines that are held here; a result for each, in the request's order.

        `share` is that of all pollers where a run goes over several. Output, steps and results are published as they
        come; `is_last` is the last result of this poller. Every line of the audit log is on disk before the first
        octet leaves. Raises UsageError for words that mean nothing.
        """
        return await self._fan_out.execute(request, share)

    def cancel(self, request_id: str, machines: Sequence[str] | None = None) -> None:
        """End a command wherever it still runs, or on these machines alone."""
        self._fan_out.cancel(request_id, machines)

    async def end_commands(self, within_s: float, *, go_on: bool) -> None:
        """The console is closed: cancel what runs and wait so long for the ends, or let it go on."""
        await self._fan_out.end_all(within_s, go_on=go_on)

    def adopt(self, owed: Sequence[SentRun]) -> None:
        """Fetch what an earlier console is owed, when its machines are linked."""
        self._fan_out.adopt(owed)

    def _interval_of(self, name: str) -> float:
        return self._visible_interval_s if name in self._visible else self._interval_s

    def _apply(self) -> None:
        """Start, stop and replace watches until they are those of the machines wanted."""
        shard = self._shard
        assert shard is not None
        for name, watch in list(self._watches.items()):
            wanted = self._wanted.get(name)
            if wanted is not None and _is_same_agent(watch.machine, wanted):
                watch.machine = wanted
            else:
                self._leave(name)
        fresh = [machine for name, machine in self._wanted.items() if name not in self._watches]
        _allow_open_files(len(self._wanted) + SPARE_FILES)
        pems = {machine.certificate_pem for machine in fresh if machine.certificate_pem}
        for pem in pems:
            try:
                trust(shard.context, pem)
            except ValueError:
                log.warning("a certificate kept for a machine cannot be read; its agent will not be trusted")
        for machine in fresh:
            watch = self._watches[machine.name] = MachineWatch(machine, shard)
            self._unsettled.add(machine.name)
            self._unheard.add(machine.name)
            self._tasks[machine.name] = asyncio.get_running_loop().create_task(watch.run(), name=machine.name)
            self._fan_out.on_watch(watch)
        self._watches = {name: self._watches[name] for name in self._wanted}

    def _leave(self, name: str) -> None:
        watch, task = self._watches.pop(name), self._tasks.pop(name)
        for execution in list(watch.commands.executions.values()):
            execution.give_up(_("the machine was removed while the command ran"))
        task.cancel()
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        assert self._shard is not None
        self._shard.unreachable.discard(name)
        self._unsettled.discard(name)
        self._unheard.discard(name)
        self._wake_waiting()

    async def _sweep_forever(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time() + SWEEP_S
        while True:
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            now_s = loop.time()
            # A loop that was held up has not read what the machines sent meanwhile: silence would be ours, not theirs.
            if now_s - due_s < 1.0:
                for watch in list(self._watches.values()):
                    watch.sweep(now_s)
            due_s = now_s + SWEEP_S

    def _on_change(self, watch: MachineWatch) -> None:
        name = watch.machine.name
        if name in self._unheard and (
            watch.status is not None
            or (watch.is_settled and watch.state not in (MachineState.ONLINE, MachineState.LATE))
        ):
            self._unheard.discard(name)
            self._wake_waiting()
        if watch.is_settled and name in self._unsettled:
            self._unsettled.discard(name)
            self._wake_waiting()

    def _wake_waiting(self) -> None:
        for pending, waiting in self._waiting:
            if not pending and not waiting.done():
                waiting.set_result(None)


def _is_same_agent(one: Machine, other: Machine) -> bool:
    return (one.host, one.port, one.fingerprint) == (other.host, other.port, other.fingerprint)


def _allow_open_files(count: int) -> None:
    """Raise this process's own limit of open files towards `count`, as far as the system lets it."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
