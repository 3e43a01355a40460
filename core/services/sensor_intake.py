"""The sensor intake: thousands of links in one loop, measures saved in batches, each message answered once it is safe.

A message is answered with `{"ok":true}` after `save` has returned, so what was answered is on the disk. While few links
send, each message is saved at once; under load messages wait for their batch, 50 ms at most. While `save` fails (a
database that is locked or full) it is tried again; what came meanwhile waits, up to a limit, then nothing more is read;
after some seconds the messages are answered as not saved.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

from core.config.settings import SensorsSettings
from core.errors import BeffroiError, StoreError
from core.language import N_
from core.protocol.sensor_messages import Refusal
from core.services.sensor_door import Guests
from core.services.sensor_file import SensorFile
from core.services.sensor_link import ReadBuffer, SensorLink
from core.services.sensor_stream import OK, Outcome, Tally, not_allowed, refusal_line, too_many_links
from core.site_records import ListenerState, Record, SensorBatch, SensorMeasure
from core.transport.listener import BACKLOG, address_of, allow_open_files, open_listener

BATCH_S = 0.03
"""Between the first message of a batch and its saving; with the saving itself it stays under 50 ms."""

FEW_LINKS = 8
"""While no more links than these send, nothing waits for a batch: a sensor that waits for each answer is not slowed."""

BATCH_MEASURES = 5_000
"""A batch of so many is saved at once."""

WAITING_LIMIT = 20_000
"""Measures (and refusals) that wait for the database before no more is read from any link."""

RETRY_S = 0.25
GIVE_UP_S = 10.0
"""A database that fails for so long: messages are answered as not saved, until it takes one again."""

REPORT_S = 1.0
STRANGER_S = 10.0
"""Where all links are taken, one that has brought no value for so long makes room."""

DRAIN_S = 1.0
LAST_TRIES_S = 3.0
"""What has come when the intake stops is tried for so long, then answered as not saved."""

_QUIET_S = 0.05
_SPARE_FILES = 256

Save = Callable[[Sequence[SensorMeasure]], Awaitable[object]]

log = logging.getLogger("beffroi.sensors")


class _Batch:
    """Measures that are saved together, and the answers of each link that wait for it, in order."""

    def __init__(self) -> None:
        self.measures: list[SensorMeasure] = []
        self.size = 0
        self.answers: dict[SensorLink, list[bytes]] = {}


class _Crowd:
    """How many links have sent lately: within the last one or two lengths of a batch."""

    def __init__(self) -> None:
        self._links: set[int] = set()
        self._before = 0
        self._until_s = 0.0

    def is_few(self, link: SensorLink, now_s: float) -> bool:
        """Count `link`, which sends now; True while only few do."""
        if now_s >= self._until_s:
            self._before = len(self._links) if now_s < self._until_s + BATCH_S else 0
            self._links.clear()
            self._until_s = now_s + BATCH_S
        self._links.add(id(link))
        return max(len(self._links), self._before) <= FEW_LINKS


class SensorIntake:
    """Listens for sensors; everything of it belongs to the loop that runs `run`.

    `save` keeps measures: when its awaitable is done, they are durable; it raises StoreError and its family where they
    are not. `publish` gets each SensorBatch after it was saved, and an IntakeReport every second in which something
    changed. `settings.file` is an absolute path here. Raises ConfigError for an `allow` that is none.
    """

    def __init__(
        self,
        settings: SensorsSettings,
        save: Save,
        publish: Callable[[Record], None],
        *,
        clock: Callable[[], float] = time.time,
        give_up_s: float = GIVE_UP_S,
    ) -> None:
        self.address: str | None = None
        self.buffer = ReadBuffer()
        self.series: set[tuple[str, str]] = set()
        self._settings = settings
        self._guests = Guests(settings.allow)
        self._save = save
        self._publish = publish
        self._clock = clock
        self._give_up_s = give_up_s
        self._file = None if settings.file is None else SensorFile(Path(settings.file))
        self._tally = Tally()
        self._links: dict[SensorLink, None] = {}
        self._strangers: dict[SensorLink, float] = {}
        self._batch = _Batch()
        self._crowd = _Crowd()
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._is_paused = False
        self._settled = asyncio.Event()
        self._settled.set()
        self._failing_since_s: float | None = None
        self._last_try_s = math.inf
        self._started = asyncio.Event()
        self._failure: BeffroiError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ready(self) -> None:
        """Return once it listens; raises what `run` raises where it cannot."""
        await self._started.wait()
        if self._failure is not None:
            raise self._failure

    async def run(self) -> None:
        """Take measures until cancelled, then save and answer those that have come.

        Raises UsageError, PortInUseError, HostUnknownError or TransportError where it cannot listen, after a report
        that says so.
        """
        self._loop = asyncio.get_running_loop()
        try:
            listener = open_listener(self._settings.listen)
        except BeffroiError as error:
            self._failure = error
            self._tally.error = str(error)
            self._tell(ListenerState.FAILED)
            self._started.set()
            raise
        allow_open_files(self._settings.links + _SPARE_FILES)
        server = await self._loop.create_server(lambda: SensorLink(self), sock=listener, backlog=BACKLOG)
        self.address = address_of(listener)
        self._tell(ListenerState.LISTENING)
        self._started.set()
        tasks = [asyncio.ensure_future(self._save_batches()), asyncio.ensure_future(self._report())]
        try:
            ended, _others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            await self._stop(server, tasks)

    async def _stop(self, server: asyncio.Server, tasks: Iterable[asyncio.Future[None]]) -> None:
        saving, reporting = tasks
        server.close()
        if not saving.done():
            await self._drain()
        for task in (saving, reporting):
            task.cancel()
        await asyncio.gather(saving, reporting, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        for link in list(self._links):
            link.close()
        await asyncio.sleep(0)
        for link in list(self._links):
            link.abort()
        if self._file is not None:
            self._file.close()
        self._tally.links = 0
        self._tell(ListenerState.STOPPED)
        self.address = None

    async def _drain(self) -> None:
        """Read what is on its way, until nothing came for a moment; then wait until all of it is saved and answered."""
        give_up_s = time.monotonic() + DRAIN_S
        before = -1
        while before != self._tally.messages and time.monotonic() < give_up_s:
            before = self._tally.messages
            await asyncio.sleep(_QUIET_S)
        for link in self._links:
            link.pause()
        self._due.set()
        self._last_try_s = time.monotonic() + LAST_TRIES_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * LAST_TRIES_S):
                await self._settled.wait()
        if self._batch.measures:
            log.error("%d measures could not be saved and were not acknowledged", len(self._batch.measures))

    # Links

    def now_s(self) -> tuple[float, float]:
        """Epoch time, and the loop's clock."""
        assert self._loop is not None
        return self._clock(), self._loop.time()

    @property
    def rate_per_s(self) -> float | None:
        """Messages a second that one link may send."""
        return self._settings.rate_per_s

    def welcome(self, link: SensorLink, host: str, peer: str) -> bool:
        """Take a link in; False, and told why, where it may not come or there is no room."""
        refusal = None
        if not self._guests.is_allowed(host):
            refusal = not_allowed(host)
        elif len(self._links) >= self._settings.links and not self._make_room():
            refusal = too_many_links(self._settings.links)
        if refusal is not None:
            self._tally.refuse(refusal, peer)
            link.answer([refusal_line(refusal.english)])
            return False
        self._links[link] = None
        self._strangers[link] = self.now_s()[1]
        self._tally.links = len(self._links)
        if self._is_paused:
            link.pause()
        return True

    def _make_room(self) -> bool:
        """Close the link that has been there longest without a value; False where each has brought one."""
        oldest = next(iter(self._strangers), None)
        if oldest is None or self.now_s()[1] - self._strangers[oldest] < STRANGER_S:
            return False
        self.forget(oldest)
        oldest.abort()
        return True

    def forget(self, link: SensorLink) -> None:
        """A link has ended."""
        self._links.pop(link, None)
        self._strangers.pop(link, None)
        self._tally.links = len(self._links)

    def take(self, link: SensorLink, outcomes: Sequence[Outcome]) -> None:
        """Take in what a link brought; it is answered when all of it is saved."""
        assert self._loop is not None
        batch, tally = self._batch, self._tally
        measures = batch.measures
        answers = batch.answers.get(link)
        if answers is None:
            answers = batch.answers[link] = []
            link.waiting += 1
        for outcome in outcomes:
            if isinstance(outcome, Refusal):
                tally.refuse(outcome, link.peer)
                answers.append(refusal_line(outcome.english))
            else:
                tally.messages += 1
                measures += outcome
                answers.append(OK)
        if link in self._strangers and measures and link.is_sensor:
            del self._strangers[link]
        self._settled.clear()
        batch.size += len(outcomes)
        size = max(batch.size, len(measures))
        if not measures or size >= BATCH_MEASURES:
            self._due.set()
            if size >= WAITING_LIMIT:
                self._pause()
        elif self._crowd.is_few(link, self._loop.time()):
            self._due.set()
        elif self._timer is None:
            self._timer = self._loop.call_later(BATCH_S, self._due.set)

    def _pause(self) -> None:
        """Read no more from anybody until there is room again: senders wait, by TCP's own means."""
        if not self._is_paused:
            self._is_paused = True
            for link in self._links:
                link.pause()

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            for link in self._links:
                link.resume()

    # Saving

    async def _save_batches(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            batch, self._batch = self._batch, _Batch()
            self._resume()
            await self._save_and_answer(batch)
            if not self._batch.answers:
                self._settled.set()

    async def _save_and_answer(self, batch: _Batch) -> None:
        error = await self._saved(batch.measures) if batch.measures else None
        if error is None and batch.measures:
            self._write_file(batch.measures)
            self._publish(SensorBatch(measures=tuple(batch.measures)))
        if error is not None:
            self._not_saved(batch, error)
        for link, answers in batch.answers.items():
            link.waiting -= 1
            link.answer(answers)

    async def _saved(self, measures: Sequence[SensorMeasure]) -> BeffroiError | None:
        """None once the measures are durable; else why they are not, after some tries."""
        while True:
            try:
                await self._save(measures)
            except StoreError as error:
                now_s = time.monotonic()
                if self._failing_since_s is None:
                    self._failing_since_s = now_s
                    log.warning("measures wait: %s", error)
                self._tally.error = str(error)
                if now_s + RETRY_S > min(self._failing_since_s + self._give_up_s, self._last_try_s):
                    return error
                await asyncio.sleep(RETRY_S)
            else:
                if self._failing_since_s is not None:
                    self._failing_since_s = self._tally.error = None
                return None

    def _not_saved(self, batch: _Batch, error: BeffroiError) -> None:
        """Tell all who sent what is not saved; it is forgotten, and nobody was told that it is safe."""
        refusal = Refusal(N_("not saved: {reason}"), reason=error)
        line = refusal_line(refusal.english)
        for link, answers in batch.answers.items():
            for place, answer in enumerate(answers):
                if answer is OK:
                    answers[place] = line
                    self._tally.messages -= 1
                    self._tally.refuse(refusal, link.peer)

    def _write_file(self, measures: Sequence[SensorMeasure]) -> None:
        if self._file is None:
            return
        try:
            self._file.append(measures)
        except StoreError as error:
            if self._tally.error != str(error):
                log.warning("%s", error)
            self._tally.error = str(error)
        else:
            self._tally.error = None

    # Reports

    async def _report(self) -> None:
        told = self._tally.report(0.0, ListenerState.LISTENING, self.address)
        while True:
            await asyncio.sleep(REPORT_S)
            now = self._tally.report(0.0, ListenerState.LISTENING, self.address)
            if now != told:
                told = now
                self._tell(ListenerState.LISTENING)

    def _tell(self, state: ListenerState) -> None:
        self._publish(self._tally.report(self._clock(), state, self.address))
