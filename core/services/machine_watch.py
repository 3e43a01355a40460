"""One machine as its console sees it: linked or not, since when, why, and what it last said.

Lives in the loop of its `AgentPoller`, which owns what machines share (`Shard`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import structs

from core.errors import BeffroiError, NoRouteError, NotAnAgentError, NotTrustedError, RemoteProtocolError
from core.language import _
from core.protocol.messages import Hello, StatusMessage, Subscribe
from core.records import Event, Level, Machine, MachineReport, MachineState, Severity, Status
from core.services.agent_link import AgentLink
from core.services.link_opening import open_link
from core.services.machine_commands import MachineCommands
from core.services.peer_records import carried_on, plain_status
from core.site_records import Record

LATE_AFTER, OFFLINE_AFTER = 3, 6
"""Intervals of silence after which a machine is late, and offline."""

SWEEP_S = 0.2
"""How often silence is looked for."""

_BACK_OFF_CAP_S = 4.0
_NOT_TRUSTED_CAP_S = 10.0
_NONSENSE_CAP_S = 30.0
"""An agent that sends what nobody asked for costs its console a second or two each time: it is met seldom."""
_STEADY_S = 5.0
"""A link that held as long has earned a quick reconnect."""
_MOST_LATE_STATUSES = 4000
_LATE_AT_MOST_S = 7200.0
"""An agent keeps an hour; what it says to be older, or yet to come, belongs nowhere."""
_MOST_STATUSES_A_SECOND = 100
_HIGHEST_NUMBER = 2**53

log = logging.getLogger("beffroi.poller")


@dataclass
class Shard:
    """What the machines of one poller share."""

    context: ssl.SSLContext
    hello: Hello
    publish: Callable[[Record], None]
    interval_of: Callable[[str], float]
    on_change: Callable[[MachineWatch], None]
    sections: tuple[str, ...] | None = None
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(16))
    unreachable: set[str] = field(default_factory=set)

    def back_off_s(self, attempt: int, reason: BeffroiError | None) -> float:
        """Pause before attempt number `attempt`: exponential, full jitter; longer when many machines are away."""
        cap = _BACK_OFF_CAP_S * max(1.0, len(self.unreachable) / 100)
        if isinstance(reason, NotTrustedError):
            cap = _NOT_TRUSTED_CAP_S
        elif _is_nonsense(reason):
            cap = max(cap, _NONSENSE_CAP_S)
        return random.uniform(0, min(cap, 0.5 * 2 ** min(attempt, 10)))  # noqa: S311 -- spreads load, hides nothing


class MachineWatch:
    """Keeps one machine linked and tells what it learns; `run` until cancelled."""

    def __init__(self, machine: Machine, shard: Shard) -> None:
        self.machine = machine
        self.link: AgentLink | None = None
        self.status: Status | None = None
        self.level: Level | None = machine.level
        self.commands = MachineCommands(machine.name)
        self.is_settled = False
        """True once the first attempt to reach it has ended, in whatever way."""
        self._shard = shard
        self._state = MachineState.OFFLINE if machine.fingerprint else MachineState.UNPAIRED
        self._since_s = time.time()
        self._error: str | None = (
            _("not reached yet") if machine.fingerprint else _("not paired yet: give the code that its agent shows")
        )
        self._time_s: float | None = None
        self._heard_s = 0.0
        self._interval_s = 0.0
        self._run_id = ""
        self._number: int | None = None
        self._late: list[Status] = []
        self._wake = asyncio.Event()
        self._was_seen = self._is_gone = self._has_status = False
        self._second_s = 0.0
        self._in_second = 0

    @property
    def state(self) -> MachineState:
        """Where the machine stands."""
        return self._state

    @property
    def error(self) -> str | None:
        """Why it stands there, for the user."""
        return self._error

    def report(self, is_new: bool = False, late: tuple[Status, ...] = ()) -> MachineReport:
        """All that is known now."""
        return MachineReport(
            machine=self.machine.name,
            address=self.machine.address,
            state=self._state,
            since_s=self._since_s,
            error=self._error,
            level=self.level,
            status=self.status,
            time_s=self._time_s,
            is_new=is_new,
            interval_s=self._interval_s or None,
            late_statuses=late,
        )

    async def run(self) -> None:
        """Keep the machine linked until cancelled."""
        self._shard.publish(self.report())
        if self.machine.fingerprint is None:
            self._settle()
            return
        loop, shard = asyncio.get_running_loop(), self._shard
        attempt = 0
        while True:
            began_s = loop.time()
            reason: BeffroiError | None = None
            try:
                hello = structs.replace(shard.hello, time_s=time.time())
                link = await open_link(self.machine, shard.context, shard.slots, self.on_status, self.commands, hello)
            except BeffroiError as error:
                reason = error
                self._on_down(error)
            except Exception:
                log.exception("linking %s failed", self.machine.name)
                reason = RemoteProtocolError(_("an error that should not happen; the log has its details"))
                self._on_down(reason)
            else:
                try:
                    self._on_up(link)
                    await asyncio.wait([link.lost])
                except Exception:
                    log.exception("the link to %s failed", self.machine.name)
                    link.end(RemoteProtocolError(_("an error that should not happen; the log has its details")))
                finally:
                    self.link = None
                    link.close()
                reason = link.lost.result()
                is_steady = loop.time() - began_s > _STEADY_S and not _is_nonsense(reason)
                attempt = 0 if is_steady else attempt
                began_s = loop.time()
                self._on_down(reason)
            attempt += 1
            await self._pause(began_s + shard.back_off_s(attempt, reason) - loop.time())

    def poll_now(self) -> None:
        """Ask for a status at once, or try to reach the machine at once."""
        if self.link is not None:
            self._subscribe(self.link)
        else:
            self._wake.set()

    def refresh_interval(self) -> None:
        """Take over the interval that is wanted now."""
        if self.link is not None and self._shard.interval_of(self.machine.name) != self._interval_s:
            self._subscribe(self.link)

    def subscribe_anew(self) -> None:
        """Take over the interval and the sections that are wanted now."""
        if self.link is not None:
            self._subscribe(self.link)

    def sweep(self, now_s: float) -> None:
        """Look for silence and for commands that are overdue; `now_s` by the loop's clock."""
        if self.link is not None:
            silent_s = now_s - self._heard_s
            if silent_s >= OFFLINE_AFTER * self._interval_s:
                self.link.end(NoRouteError(_("no word from it for {seconds:.0f} s").format(seconds=silent_s)))
            elif silent_s >= LATE_AFTER * self._interval_s - SWEEP_S and self._state is MachineState.ONLINE:
                self._change(MachineState.LATE, _("no word from it for {seconds:.0f} s").format(seconds=silent_s))
        self.commands.sweep(now_s)

    def on_status(self, message: StatusMessage) -> None:
        """A status has come."""
        if not 0 <= message.status.number <= _HIGHEST_NUMBER:
            raise RemoteProtocolError(_("its agent gives a status a number that none can have"))
        self._number = message.status.number
        if message.is_missed:
            if len(self._late) < _MOST_LATE_STATUSES:
                status = plain_status(message.status, None)
                # Without what no history keeps: a false agent could send an hour of it, 256 KiB each.
                cpu = structs.replace(status.cpu, per_core_percent=(), load_average=()) if status.cpu else None
                less = structs.replace(status, top_processes=None, temperatures=None, top_process=None)
                self._late.append(structs.replace(less, system=None, disks=None, cpu=cpu))
            return
        self._heard_s = asyncio.get_running_loop().time()
        self._count_status(self._heard_s)
        status = plain_status(message.status, self.status)
        if self.status is not None and self._has_status:
            status = carried_on(status, self.status)
        self.status, self._has_status = status, True
        self._time_s = time.time()
        if self._state is not MachineState.ONLINE:
            self._state, self._error, self._since_s = MachineState.ONLINE, None, self._time_s
        late: tuple[Status, ...] = ()
        if self._late:
            now_s = self.status.time_s
            late = tuple(status for status in self._late if 0 <= now_s - status.time_s <= _LATE_AT_MOST_S)
            self._late.clear()
        self._shard.publish(self.report(is_new=True, late=late))
        self._shard.on_change(self)

    def _count_status(self, now_s: float) -> None:
        """Raise RemoteProtocolError where an agent sends far more than anybody asked for."""
        if now_s - self._second_s >= 1:
            self._second_s, self._in_second = now_s, 0
        self._in_second += 1
        if self._in_second > _MOST_STATUSES_A_SECOND:
            raise RemoteProtocolError(f"more than {_MOST_STATUSES_A_SECOND} statuses in a second")

    def _on_up(self, link: AgentLink) -> None:
        hello = link.hello
        self.link = link
        self._has_status = False  # an agent begins a link with all that it tells
        self.level = hello.level or self.level
        self._shard.unreachable.discard(self.machine.name)
        if hello.run_id != self._run_id:
            self._run_id, self._number = hello.run_id, None
        self._subscribe(link)
        self._change(MachineState.ONLINE, None)
        self.commands.on_up(link)
        self._settle()

    def _on_down(self, error: BeffroiError) -> None:
        self._shard.unreachable.add(self.machine.name)
        self._change(
            MachineState.NOT_TRUSTED if isinstance(error, NotTrustedError) else MachineState.OFFLINE, str(error)
        )
        self.commands.on_down(error)
        self._settle()

    def _change(self, state: MachineState, error: str | None) -> None:
        """Publish where the machine stands, when that is new."""
        if state is self._state and error == self._error:
            return
        if state is not self._state:
            self._since_s = time.time()
        self._state, self._error = state, error
        self._shard.publish(self.report())
        self._tell_event()
        self._shard.on_change(self)

    def _tell_event(self) -> None:
        """Publish that a machine that was here is gone, or is back: for the history, once each."""
        name = self.machine.name
        if self._state is MachineState.ONLINE:
            if self._is_gone:
                self._publish_event("machine_back", Severity.INFO, _("{machine} is back").format(machine=name))
            self._was_seen, self._is_gone = True, False
        elif self._state is not MachineState.LATE and self._was_seen and not self._is_gone:
            self._is_gone = True
            severity = Severity.ERROR if self._state is MachineState.NOT_TRUSTED else Severity.WARNING
            self._publish_event(
                "machine_lost", severity, _("{machine} is gone: {reason}").format(machine=name, reason=self._error)
            )

    def _publish_event(self, kind: str, severity: Severity, text: str) -> None:
        self._shard.publish(
            Event(time_s=time.time(), source=f"machine/{self.machine.name}", kind=kind, severity=severity, text=text)
        )

    def _settle(self) -> None:
        if not self.is_settled:
            self.is_settled = True
            self._shard.on_change(self)

    async def _pause(self, seconds: float) -> None:
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), max(0.0, seconds))

    def _subscribe(self, link: AgentLink) -> None:
        self._interval_s = self._shard.interval_of(self.machine.name)
        self._heard_s = asyncio.get_running_loop().time()
        subscription = Subscribe(
            interval_s=self._interval_s, sections=self._shard.sections, run_id=self._run_id, after=self._number
        )
        link.request("subscribe", subscription, lambda envelope: True)


def _is_nonsense(reason: BeffroiError | None) -> bool:
    """True where an agent itself sent what it should not."""
    return isinstance(reason, RemoteProtocolError) and not isinstance(reason, NotAnAgentError)
