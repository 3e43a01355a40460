"""The agent: whom it trusts at this moment, what it answers, and when its statuses are due."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Raw
from msgspec.structs import replace

import core
from core.agent.collector import Collector
from core.agent.consoles import AuthorizedConsole, Consoles
from core.agent.desk import Business, Desk
from core.agent.gate import SHUTDOWN_TIMEOUT_S, Gate
from core.agent.link import AgentLink, Phase
from core.agent.link_host import Request
from core.agent.pairing import Attempt, PairingDesk, PairingRefusedError
from core.agent.patience import RULE, Patience
from core.agent.proc_files import boot_id
from core.agent.statuses import SHORTEST_INTERVAL_S, Statuses
from core.audit import AuditLog
from core.errors import ConfigError
from core.protocol.messages import Hello, PairBegin, PairProof
from core.records import Level, Process, Status
from core.transport.identity import Identity, fingerprint_of_pem, fingerprint_symbols
from core.transport.tls import agent_context, trust

log = logging.getLogger("beffroi.agent")

LINKS_OF_A_CONSOLE = 16
IDLE_INTERVAL_S = 5.0
WATCH_PERIOD_S = 0.4


class AgentServer:
    """An agent; everything of it belongs to the loop that runs `serve`.

    What it answers beyond status and processes are its desks (`core.agent.desks.open_desks`), opened before it listens.
    A view-only agent takes every console for one of level view.
    """

    def __init__(
        self,
        folder: Path,
        identity: Identity,
        desk: PairingDesk,
        consoles: Consoles,
        collector: Collector,
        audit: AuditLog,
        max_level: Level = Level.RUN,
        *,
        is_view_only: bool = False,
    ) -> None:
        self.run_id = os.urandom(8).hex()
        self.requests: dict[str, Request] = {}
        self.notifications: dict[str, Callable[[AgentLink, Raw], None]] = {}
        self.is_view_only = is_view_only
        self.audit = audit
        self.collector = collector
        self.consoles = consoles
        self._desks: list[Desk] = []
        self._folder = folder
        self._identity = identity
        self._desk = desk
        self._max_level = Level.VIEW if is_view_only else max_level
        self._statuses = Statuses(collector)
        self._patience = Patience()
        consoles.refresh()
        desk.refresh()
        self._context = agent_context(identity, ())
        self._pinned: set[str] = set()
        for pem in consoles.certificates():
            self._pin(pem)
        self._links: dict[AgentLink, None] = {}
        self._gate = Gate(self._context, lambda host: AgentLink(self, host), self._strangers)
        self._are_links_gone = asyncio.Event()
        self._tick = asyncio.Event()
        self._idle_due_s = 0.0
        self._processes: tuple[float, float, tuple[Process, ...]] | None = None

    def open_desk(self, desk: Desk) -> None:
        """Answer what `desk` answers; to be called before the agent listens."""
        self._desks.append(desk)
        self.requests.update(desk.requests())
        self.notifications.update(desk.notifications())

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Bind; the address that consoles can reach. Raises PortInUseError, HostUnknownError, TransportError."""
        return self._gate.listen(host, port)

    async def serve(self) -> None:
        """Work until cancelled; then kill the commands that run and close all links."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._gate.accept())
                tasks.create_task(self._send_when_due())
                tasks.create_task(self._watch())
        finally:
            await self._stop()

    async def _stop(self) -> None:
        handshakes = self._gate.close()
        for desk in self._desks:
            await desk.stop()
        for link in list(self._links):
            link.close()
        if self._links:
            self._are_links_gone.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SHUTDOWN_TIMEOUT_S):
                    await self._are_links_gone.wait()
        for link in list(self._links):
            link.abort()
        if handshakes:
            await asyncio.wait(handshakes, timeout=SHUTDOWN_TIMEOUT_S)

    def _strangers(self) -> Iterator[AgentLink]:
        return (link for link in self._links if link.console is None)

    def remember(self, link: AgentLink) -> None:
        """The handshake of a link holds."""
        self._links[link] = None

    def forget(self, link: AgentLink) -> None:
        """A link has ended."""
        self._links.pop(link, None)
        for desk in self._desks:
            desk.detach(link)
        if not self._links:
            self._are_links_gone.set()

    # What a link asks of the agent.

    def now_s(self) -> float:
        """The monotonic clock by which statuses are due."""
        return time.monotonic()

    def admit(self, fingerprint: str, address: str) -> tuple[AuthorizedConsole | None, str]:
        """The console of this certificate as listed now; else None and the reason."""
        self.refresh_consoles()
        console = self.consoles.find(fingerprint)
        if console is None:
            return None, "removed"
        refusal = console.refusal(address, time.time())
        return (None, refusal) if refusal is not None else (console, "")

    def capped(self, console: AuthorizedConsole) -> AuthorizedConsole:
        """The console with the level it has here: never above `max_level`."""
        return replace(console, level=min(console.level, self._max_level, key=lambda level: level.rank))

    def online_consoles(self) -> set[str]:
        """Symbols of the fingerprints of all consoles that have a link after its hello."""
        at_work = [link.console for link in self._links if link.phase is Phase.WORK and link.console is not None]
        return {fingerprint_symbols(console.fingerprint) for console in at_work}

    def still_trusts(self, link: AgentLink) -> bool:
        """False where the line of its console is not what it was when it came; the link has ended then."""
        self.refresh_consoles()
        assert link.console is not None
        self._check_trust(link, link.console, time.time())
        return link.phase is Phase.WORK

    def is_tired_of(self, link: AgentLink) -> bool:
        """True while nothing more of its console is looked at."""
        return link.console is not None and self._patience.is_over(link.console.fingerprint, time.monotonic())

    def count_refusal(self, link: AgentLink) -> None:
        """Something that its console asked for was refused; the last refusal for a while is told as such."""
        if link.console is not None and self._patience.count(link.console.fingerprint, time.monotonic()):
            log.warning("%s of %s: %s", link.console.fingerprint, link.address, RULE)

    def make_room(self, link: AgentLink) -> None:
        """Push the oldest link of this console out that has not said hello yet, where there are too many of them."""
        assert link.console is not None
        silent = [item for item in self._links if item.phase is Phase.HELLO and item.console == link.console]
        if len(silent) > LINKS_OF_A_CONSOLE:
            silent[0].abort()

    def welcome(self, link: AgentLink) -> bool:
        """False where this console has too many links already."""
        assert link.console is not None
        same = [item for item in self._links if item.console is not None and item.phase is Phase.WORK]
        return sum(item.console == link.console for item in same) < LINKS_OF_A_CONSOLE

    def hello(self, console: AuthorizedConsole, minor: int) -> Hello:
        """What the agent says of itself."""
        return Hello(
            minor=minor,
            capabilities=("status", "processes", *(word for desk in self._desks for word in desk.capabilities)),
            name=self._identity.name,
            version=core.__version__,
            os=self.collector.system().os,
            boot_id=boot_id(),
            run_id=self.run_id,
            time_s=time.time(),
            level=console.level,
        )

    def unknown_request(self, method: str) -> str:
        """Why there is no such request here, as the console shows it."""
        is_command = method in ("policy",) or method.startswith("exec.")
        return "the agent there is view-only" if self.is_view_only and is_command else "unknown request"

    def fresh_status(self) -> Status:
        """A status of this moment."""
        return self._statuses.fresh(time.time(), time.monotonic())

    def status_frame(self, status: Status, sections: frozenset[str] | None, told: Status | None) -> bytes:
        """The frame of a status, for a link that was told another one before."""
        return self._statuses.frame(status, sections, told)

    def status_after(self, number: int, sections: frozenset[str] | None) -> tuple[int, bytes] | None:
        """The oldest status kept above `number`, and its frame."""
        return self._statuses.next_after(number, sections)

    def process_table(self) -> tuple[float, tuple[Process, ...]]:
        """When, and all processes; asked again at once, the same pass answers."""
        now_s = time.monotonic()
        if self._processes is None or now_s - self._processes[0] >= SHORTEST_INTERVAL_S:
            self._processes = None  # two tables at a time are never needed
            self._processes = (now_s, time.time(), self.collector.processes(now_s))
        return self._processes[1], self._processes[2]

    def pairing_closed_reason(self) -> str | None:
        """Why nobody can pair now, None while somebody can."""
        self._desk.refresh()
        return self._desk.closed_reason(time.time())

    def begin_pairing(self, begin: PairBegin, address: str) -> Attempt:
        """See PairingDesk.begin."""
        return self._desk.begin(begin, address, time.time())

    def finish_pairing(self, attempt: Attempt, proof: bytes) -> PairProof:
        """Trust the console of a right proof at once; written down in every case."""
        entry = {"event": "pairing", "console": attempt.fingerprint, "console_name": attempt.begin.name}
        entry["address"] = attempt.address
        try:
            # Written down before it is tried: without a log nobody is paired.
            self.audit.append([{**entry, "decision": "tried", "rule": ""}])
        except ConfigError as error:
            log.error("%s", error)
            raise PairingRefusedError("closed") from error
        try:
            console, answer = self._desk.prove(attempt, proof, time.time())
        except PairingRefusedError as refusal:
            self.audit.append([{**entry, "decision": "refused", "rule": str(refusal)}])
            raise
        self.audit.append([{**entry, "decision": "paired", "rule": f"level {console.level.value}"}])
        log.info("paired with %s %s at level %s", console.name, console.fingerprint, console.level.value)
        self.refresh_consoles()
        return answer

    def refresh_consoles(self) -> None:
        """Take a changed list over, whoever notices it first: its new certificates are pinned with it."""
        if self.consoles.refresh():
            for pem in self.consoles.certificates():
                self._pin(pem)
            # What waits to be answered goes first.
            asyncio.get_running_loop().call_soon(self._check_all)

    def _pin(self, pem: str) -> None:
        fingerprint = fingerprint_of_pem(pem)
        if fingerprint not in self._pinned:
            self._pinned.add(fingerprint)
            try:
                trust(self._context, pem)
            except ValueError as error:
                log.error("certificate %s is of no use: %s", fingerprint, error)

    # What the agent does by itself.

    def reschedule(self) -> None:
        """A link has another interval."""
        self._tick.set()

    async def _send_when_due(self) -> None:
        """Measure and send at every link's interval; without any, measure now and then for the hour that is kept."""
        while True:
            now_s = time.monotonic()
            try:
                due_s = self._send_due(now_s)
            except Exception:
                log.exception("a status could not be measured")
                due_s = now_s + IDLE_INTERVAL_S
            self._tick.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due_s - time.monotonic())):
                    await self._tick.wait()

    def _send_due(self, now_s: float) -> float:
        """Send to all links whose time has come; when to come again."""
        subscribed = [link for link in self._links if link.interval_s is not None and link.phase is Phase.WORK]
        for link in subscribed:
            # A millisecond early is on time: links of one interval then share one measurement.
            if link.due_s <= now_s + 0.001:
                link.send_status(now_s)
        if subscribed:
            self._idle_due_s = now_s + IDLE_INTERVAL_S
            return min(link.due_s for link in subscribed)
        if self._idle_due_s <= now_s:
            self._idle_due_s = now_s + IDLE_INTERVAL_S
            if self.consoles.listed():
                self.fresh_status()
        return self._idle_due_s

    async def _watch(self) -> None:
        """Notice within half a second what was changed beside us: trust, pairing, dates."""
        while True:
            await asyncio.sleep(WATCH_PERIOD_S)
            self._desk.refresh()
            self.refresh_consoles()
            self._check_all()
            for desk in self._desks:
                desk.look_around(time.monotonic())

    def _check_all(self) -> None:
        """End what has no right to go on: links, and what consoles have begun, linked or not."""
        now_s = time.time()
        for link in list(self._links):
            if link.console is not None and link.phase is not Phase.CLOSED:
                self._check_trust(link, link.console, now_s)
        for desk in self._desks:
            for fingerprint, business in desk.busy_for().items():
                self._check_right(fingerprint, business, now_s)

    def _check_right(self, fingerprint: str, business: Business, now_s: float) -> None:
        """What a console has begun ends with its right to it, though its link be down."""
        listed = self.consoles.find(fingerprint)
        if (
            listed is None
            or self.capped(listed).level.rank < business.level.rank
            or any(listed.refusal(address, now_s) for address in business.addresses)
        ):
            self._distrust(fingerprint)

    def _check_trust(self, link: AgentLink, known: AuthorizedConsole, now_s: float) -> None:
        listed = self.consoles.find(known.fingerprint)
        refusal = "removed" if listed is None else listed.refusal(link.address, now_s)
        if refusal is not None:
            self._distrust(known.fingerprint)
            link.tell_not_trusted(refusal)
        elif listed is not None and listed != link.listed:
            if link.listed is not None and listed.level.rank < link.listed.level.rank:
                self._distrust(known.fingerprint)
            link.close("the console's line has changed")

    def _distrust(self, fingerprint: str) -> None:
        for desk in self._desks:
            desk.distrust(fingerprint)
