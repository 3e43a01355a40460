"""Checks of reachability: ping, TCP, HTTP(S); one by one, or hundreds in one loop by `CheckRunner`.

Latency is the round trip of a ping, the time to a connection, or that of a whole answer with its name, handshake and
redirects. One time-out holds over all of it.
"""

from __future__ import annotations

import asyncio
import codecs
import logging
import re
import ssl
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import msgspec

from core.config.settings import CheckConfig
from core.errors import BeffroiError, UsageError
from core.language import N_, _
from core.protocol.messages import plain_text
from core.services.check_http import CertificateRefusedError, Page, Progress, connect, fetch
from core.services.check_names import Names
from core.services.check_target import CheckKind, CheckTarget, parse_target, shown_target
from core.services.ping import Pinger
from core.site_records import CheckResult, CheckState, Record

AT_ONCE = 256
"""Checks of a runner that are under way at a time."""

START_APART_S = 0.05
"""Between the first starts of two checks, or less where many have to fit into their interval."""

_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)
_NO_CHARSETS = frozenset({"idna", "punycode"})
"""Codecs of Python for names of hosts, no character sets: a page of 1 MiB in one of them would take half a minute."""

log = logging.getLogger("beffroi.checks")


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found, and of HTTP the page itself."""

    result: CheckResult
    page: Page | None = None


class Prober:
    """What checks share: sockets for pings and threads for names. Belongs to one loop; a context manager."""

    def __init__(
        self,
        *,
        names: Names | None = None,
        pinger: Pinger | None = None,
        trust: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._names = names or Names()
        self._pinger = pinger or Pinger()
        self._trust = trust
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pinger.close()

    async def check(
        self, target: str, *, name: str | None = None, timeout_s: float, text: str | None = None
    ) -> Outcome:
        """Check `target` once; every failure is in the result, in words, none is raised."""
        started_s, progress = self._clock(), Progress()
        latency_ms: float | None = None
        page: Page | None = None
        state, error = CheckState.OK, None
        try:
            parsed = parse_target(target)
            async with asyncio.timeout(timeout_s):
                if parsed.kind is CheckKind.HTTP:
                    began_s = time.perf_counter()
                    page = await fetch(parsed, names=self._names, trust=self._trust, progress=progress)
                    latency_ms = (time.perf_counter() - began_s) * 1000
                    error = _complaint(page, text)
                elif parsed.kind is CheckKind.TCP:
                    latency_ms = await self._connect(parsed, progress)
                else:
                    latency_ms = await self._ping(parsed, progress, timeout_s)
            state = CheckState.OK if error is None else CheckState.FAILED
        except TimeoutError:
            state = CheckState.TIMEOUT
            error = _("no answer within {seconds} s: {reason}").format(
                seconds=f"{timeout_s:g}", reason=progress.words()
            )
        except CertificateRefusedError as refusal:
            state, error = CheckState.FAILED, str(refusal)
        except BeffroiError as failure:
            state, error = CheckState.FAILED, str(failure)
        shown = shown_target(target)
        result = CheckResult(
            check=name or shown,
            target=shown,
            state=state,
            time_s=started_s,
            status=progress.status if page is None else page.status,
            latency_ms=None if latency_ms is None else round(latency_ms, 3),
            certificate_days=progress.days,
            error=error,
        )
        return Outcome(result=result, page=page)

    async def _connect(self, target: CheckTarget, progress: Progress) -> float:
        (await connect(target, self._names, progress)).close()
        return (time.perf_counter() - progress.connecting_s) * 1000

    async def _ping(self, target: CheckTarget, progress: Progress, timeout_s: float) -> float:
        progress.at(progress.waits_for, target.host)
        place = (await self._names.addresses(target.host))[0]
        progress.at(N_("{host} does not answer a ping: switched off, no route to it, or a firewall"), target.host)
        return await self._pinger.ping(place, timeout_s)


async def run_check(target: str, *, name: str | None = None, timeout_s: float, text: str | None = None) -> CheckResult:
    """Check `target` once, with sockets of its own; raises nothing."""
    with Prober() as prober:
        return (await prober.check(target, name=name, timeout_s=timeout_s, text=text)).result


def validated(check: CheckConfig) -> CheckConfig:
    """`check` where it can be run; raises UsageError for a target that is none, or a text to find where no page is."""
    target = parse_target(check.target)
    if check.text is not None and target.kind is not CheckKind.HTTP:
        raise UsageError(_("a text can be looked for in a page alone: the target is not http:// or https://"))
    return check


class CheckRunner:
    """Runs checks at their intervals and publishes a CheckResult for each.

    First starts are spread, and each check keeps its own beat: nothing drifts, a round that was missed is left out,
    and none runs twice at a time. All methods belong to the thread of the loop.
    """

    def __init__(
        self,
        publish: Callable[[Record], None],
        *,
        clock: Callable[[], float] = time.time,
        prober: Callable[[], Prober] | None = None,
        at_once: int = AT_ONCE,
    ) -> None:
        self._publish = publish
        self._prober_made = prober or (lambda: Prober(clock=clock))
        self._prober: Prober | None = None
        self._slots = asyncio.Semaphore(at_once)
        self._checks: dict[str, _Watched] = {}

    def set_checks(self, checks: Sequence[CheckConfig]) -> None:
        """These checks from now on; one that is the same as before keeps its beat."""
        wanted = {check.name: check for check in checks}
        for name, watched in list(self._checks.items()):
            if wanted.get(name) != watched.check:
                watched.stop()
                del self._checks[name]
        fresh = [check for name, check in wanted.items() if name not in self._checks]
        shortest_s = min((check.interval_s for check in fresh), default=0.0)
        apart_s = min(START_APART_S, shortest_s / max(1, len(fresh)))
        for number, check in enumerate(fresh):
            self._checks[check.name] = _Watched(check, number * apart_s)
        if self._prober is not None:
            self._start()

    async def run(self) -> None:
        """Check until cancelled."""
        with self._prober_made() as self._prober:
            try:
                self._start()
                await asyncio.Event().wait()
            finally:
                tasks = [watched.stop() for watched in self._checks.values()]
                await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)
                self._prober = None

    async def check_now(self, names: Sequence[str] = ()) -> None:
        """Run these checks now, all of them where none is named; results are published as they come.

        One that is under way is not run twice. Their beat stays as it was.
        """
        for name in names or list(self._checks):
            watched = self._checks.get(name)
            if watched is not None:
                watched.wanted.set()

    def _start(self) -> None:
        for watched in self._checks.values():
            if watched.task is None:
                watched.task = asyncio.create_task(self._watch(watched))

    async def _watch(self, watched: _Watched) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time() + watched.delay_s
        while True:
            is_early = loop.time() < due_s
            if is_early:
                try:
                    async with asyncio.timeout_at(due_s):
                        await watched.wanted.wait()
                except TimeoutError:
                    is_early = False
            async with self._slots:
                await self._run(watched.check)
            watched.wanted.clear()  # asked for while it ran: this was the run
            interval_s = watched.check.interval_s
            next_s = loop.time() + (interval_s / 2 if is_early else 0.0)  # a beat right after an early run is left out
            if due_s <= next_s:
                due_s += interval_s * (1 + (next_s - due_s) // interval_s)

    async def _run(self, check: CheckConfig) -> None:
        assert self._prober is not None, "checks are watched while run() runs"
        try:
            found = await self._prober.check(check.target, name=check.name, timeout_s=check.timeout_s, text=check.text)
        except Exception:
            log.exception("the check %s failed by our own fault", check.name)
            return
        self._publish(found.result)


class _Watched:
    """A check and its task."""

    def __init__(self, check: CheckConfig, delay_s: float) -> None:
        self.check = check
        self.delay_s = delay_s
        self.wanted = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def stop(self) -> asyncio.Task[None] | None:
        """Ask the task to end."""
        task, self.task = self.task, None
        if task is not None:
            task.cancel()
        return task


def _complaint(page: Page, text: str | None) -> str | None:
    """What is wrong with an answer; None where nothing is."""
    if page.status >= 400:
        return (
            _("the server answers {status} {reason}")
            .format(status=page.status, reason=plain_text(page.reason, 80))
            .strip()
        )
    if text is None or _contains(page, text):
        return None
    if page.is_cut:
        return _("the text is not in the first {count} KiB of the page").format(count=len(page.body) // 1024)
    return _("the text is not in the page")


def _contains(page: Page, text: str) -> bool:
    """Is the text there, in the character set that the page names, or in UTF-8."""
    if text.encode() in page.body:
        return True
    found = _CHARSET.search(page.content_type) or _CHARSET.search(page.body[:2048].decode("latin-1"))
    try:
        name = codecs.lookup(found[1] if found else "latin-1").name
        return name not in _NO_CHARSETS and text in page.body.decode(name, "replace")
    except (LookupError, UnicodeError):
        return False
