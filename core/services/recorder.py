"""Writes what is published into the history: one thread holds the database, batches of at most a second.

`put` may be called from any thread and never waits. While the database is locked, full or read-only, the records
wait, up to a limit; what is beyond is counted and told. The minute in progress is written at the end. Between two
batches the roll-ups of the years are made, a step of some 20 ms at a time.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TypeVar

import msgspec

from core.errors import BeffroiError, StoreError, StoreFullError, StoreLockedError
from core.language import _
from core.meter_records import ProfilePart
from core.records import CommandProgress, CommandRequest, Event, MachineReport, MeterReadings, StoreReport
from core.site_records import Alarm, ChatLine, CheckResult, Maintenance, Record
from core.store.connection import UnwritableError
from core.store.history import History
from core.store.minutes import MinuteBook
from core.store.rollups import Retention
from core.store.writing import Written, unmapped

T = TypeVar("T")

BATCH_S = 0.5
"""Between two batches: a record is on the disk within a second."""

LIMIT = 50_000
"""Records that wait at most; some 14 h of one meter at 1 Hz."""

BATCH_RECORDS = 5_000
"""Records of one transaction at most, so that the database is held for some 50 ms."""

RETRY_S = 1.0
LOCK_TIMEOUT_S = 0.25
RETENTION_S = 3600.0
FOLD_PAUSE_S = 0.02
"""Between two steps of roll-ups that many more follow: others get the thread and the database for half of the time."""

CLOCK_JUMP_S = 600.0
"""A clock that goes so far from the one that only counts was set: retention waits an hour, it may be set back."""

MINUTE_GRACE_S = 2.0
"""A minute is written so long after its end: a status measured in it may still be on its way."""

LAST_TRIES_S = 4.0
"""What is left at the end is tried for so long."""

_AS_IT_IS = (CommandRequest, CommandProgress, Event, Alarm, ChatLine, CheckResult, Maintenance)
"""Records that are written as they come. A SensorBatch is none: its measures are written before it is published.

Nor is a RegisterList: whoever asked for it sees it, and what the history follows comes as readings.
"""

log = logging.getLogger("beffroi.recorder")


class Recorder:
    """A sink of a hub, and the only one that writes the history of a window.

    `open_history` is called in the recorder's own thread, again and again until it succeeds. `publish` gets a
    StoreReport, in the thread of `run`'s loop, when a batch was written, something was lost, or the error changed.
    """

    def __init__(
        self,
        open_history: Callable[[], History],
        retention: Retention,
        publish: Callable[[StoreReport], None],
        *,
        clock: Callable[[], float] = time.time,
        limit: int = LIMIT,
        batch_s: float = BATCH_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._open_history = open_history
        self._retention = retention
        self._publish = publish
        self._clock = clock
        self._limit = limit
        self._batch_s = batch_s
        self._retry_s = retry_s
        self._door = threading.Lock()
        self._inbox: deque[Record | ProfilePart] = deque()
        self._waiting: deque[Written] = deque()
        self._minutes = MinuteBook()
        self._history: History | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recorder")
        self._rows_written = 0
        self._rows_dropped = 0
        self._failure: BeffroiError | None = None
        self._is_finished = False
        self._retention_due_s = 0.0
        self._cleaning: Iterator[int] | None = None
        self._clock_ahead_s: float | None = None
        self._alone = 0
        self._told: tuple[int, int, int, str | None] = (0, 0, 0, None)

    def put(self, record: Record | ProfilePart) -> None:
        """Take in what the history keeps; counted as dropped where too much waits already. From any thread."""
        if isinstance(record, MachineReport):
            if not record.is_new and not record.late_statuses:
                return
        elif isinstance(record, MeterReadings):
            if record.time_s is None:
                return
        elif isinstance(record, ProfilePart):
            if not record.measurements:
                return
            record = msgspec.structs.replace(record, rows=(), columns=())
        elif not isinstance(record, _AS_IT_IS):
            return
        with self._door:
            if len(self._inbox) + len(self._waiting) >= self._limit:
                self._rows_dropped += 1
            else:
                self._inbox.append(record)

    def query(self, function: Callable[[History], T]) -> asyncio.Future[T]:
        """What `function` returns, called with the history in the recorder's thread; await it in any loop.

        Raises what `function` or the opening raises: StoreError and its family.
        """
        return asyncio.wrap_future(self.submit(function))

    def submit(self, function: Callable[[History], T]) -> Future[T]:
        """The same for a caller without a loop."""
        try:
            return self._thread.submit(lambda: function(self._opened()))
        except RuntimeError as error:  # of the executor, once it is shut down
            raise StoreError(_("the history is closed")) from error

    async def run(self) -> None:
        """Write until cancelled, then all that is left; the recorder cannot be used again."""
        try:
            while True:
                pause_s = await self._in_thread(self._turn)
                self._tell()
                await asyncio.sleep(self._retry_s if self._failure else pause_s)
        finally:
            # a turn that was under way ends before this begins: both are in the one thread
            ending = asyncio.get_running_loop().run_in_executor(self._thread, self._finish)
            self._thread.shutdown(wait=False)
            await asyncio.wait([ending])
            self._tell()
            ending.result()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # From here on all runs in the recorder's thread, but `_tell`

    def _turn(self) -> float:
        """Write one batch, else do a step of what is to be done by and by; after how long the next turn is due.

        A turn is short: queries go between two.
        """
        now_s = self._clock()
        self._take_in(now_s - MINUTE_GRACE_S)
        if not self._try(self._write_batch):
            return self._retry_s
        if self._waiting:
            return 0.0
        if self._fold(now_s):
            return FOLD_PAUSE_S
        if self._is_retention_due(now_s) and self._try(partial(self._clean, now_s)):
            return self._batch_s if self._cleaning is None else 0.0
        return self._batch_s

    def _fold(self, now_s: float) -> bool:
        """One step of the roll-ups; False where nothing is due, or another program writes just now."""
        if self._history is None or self._can_only_read():
            return False
        is_folded = False

        def fold() -> None:
            nonlocal is_folded
            try:
                is_folded = self._opened().fold_step(now_s)
            except StoreLockedError:
                log.debug("roll-ups wait for another program")

        return self._try(fold) and is_folded

    def _is_retention_due(self, now_s: float) -> bool:
        """Every hour; and not before an hour after the clock was set: what seems old by it may not be."""
        ahead_s = now_s - time.monotonic()
        if self._clock_ahead_s is not None and abs(ahead_s - self._clock_ahead_s) > CLOCK_JUMP_S:
            self._retention_due_s = now_s + RETENTION_S
            self._cleaning = None
        self._clock_ahead_s = ahead_s
        return not 0 < self._retention_due_s - now_s <= RETENTION_S

    def _clean(self, now_s: float) -> None:
        """One more step of the retention; after the last one it is due again in an hour."""
        if self._cleaning is None:
            self._cleaning = self._opened().retention_steps(self._retention, now_s)
        if next(self._cleaning, None) is None:
            self._cleaning = None
            self._retention_due_s = now_s + RETENTION_S

    def _finish(self) -> None:
        """Write all that is left, the minute in progress too; give up after a few seconds, and say so."""
        give_up_s = time.monotonic() + LAST_TRIES_S
        while True:
            self._take_in(math.inf)
            if self._try(self._write_batch):
                if not self._waiting:
                    break
            elif not isinstance(self._failure, StoreLockedError) or time.monotonic() > give_up_s:
                if self._waiting:
                    log.error("%d records could not be written: %s", len(self._waiting), self._failure)
                with self._door:
                    self._rows_dropped += len(self._waiting)
                self._waiting.clear()
                break
            else:
                time.sleep(min(self._retry_s, 0.2))
        self._close()
        self._is_finished = True

    def _take_in(self, minutes_before_s: float) -> None:
        """Move the inbox to what waits; a minute that is over becomes a row."""
        with self._door:
            taken, self._inbox = self._inbox, deque()
        for record in taken:
            if isinstance(record, MachineReport):
                self._minutes.add(record)
            elif isinstance(record, MeterReadings):
                self._waiting.append(_slim(record))
            elif isinstance(record, (*_AS_IT_IS, ProfilePart)):
                self._waiting.append(record)
        self._waiting.extend(self._minutes.take(minutes_before_s))
        self._waiting.extend(self._minutes.take_processes(minutes_before_s))
        self._waiting.extend(self._minutes.take_systems())
        with self._door:
            while len(self._waiting) > self._limit:
                self._waiting.pop()
                self._rows_dropped += 1

    def _write_batch(self) -> None:
        """Write what has waited longest.

        Where one record is such that no database can take it, nothing is written and each goes alone from there on:
        the one is given up, the others are not.
        """
        if not self._waiting and self._failure is None:
            return  # with an error an empty batch is written: it says whether the error is still there
        batch = list(islice(self._waiting, 1 if self._alone else BATCH_RECORDS))
        try:
            self._rows_written += self._opened().write(batch)
        except UnwritableError as error:
            if len(batch) > 1:
                self._alone = len(batch)
                return
            with self._door:
                self._rows_dropped += 1
            log.error("a record could not be written and is given up: %s", error)
        self._alone = max(0, self._alone - len(batch))
        for _record in batch:
            self._waiting.popleft()

    def _try(self, work: Callable[[], object]) -> bool:
        """Do `work`; False, and the error kept in words, where the store refuses or cannot be opened."""
        try:
            work()
        except BeffroiError as error:
            if str(error) != str(self._failure):
                log.warning("%s", error)
            self._failure = error
            self._cleaning = None
            if not isinstance(error, StoreLockedError | StoreFullError) or self._can_only_read():
                self._close()  # the next try opens it anew
            return False
        self._failure = None
        return True

    def _opened(self) -> History:
        if self._is_finished:
            raise StoreError(_("the history is closed"))
        if self._history is not None and not self._history.is_in_place:
            log.warning("%s was moved or removed; it is opened anew", self._history.path)
            self._close()
        if self._history is None:
            history = self._open_history()
            history.wait_for_others(LOCK_TIMEOUT_S)
            self._history = history
            if history.refusal is not None:  # said before there is anything to write
                if str(history.refusal) != str(self._failure):
                    log.warning("%s", history.refusal)
                self._failure = history.refusal
        return self._history

    def _can_only_read(self) -> bool:
        return self._history is not None and self._history.refusal is not None

    def _close(self) -> None:
        if self._history is not None:
            history, self._history = self._history, None
            try:
                history.close()
            except StoreError as error:
                log.warning("%s", error)

    def _tell(self) -> None:
        """In the loop's thread: what changed since it was told last."""
        waiting = len(self._waiting) + len(self._inbox)
        error = None if self._failure is None else str(self._failure)
        state = (self._rows_written, self._rows_dropped, waiting, error)
        if state != self._told:
            self._told = state
            self._publish(
                StoreReport(
                    time_s=self._clock(),
                    rows_waiting=waiting,
                    rows_written=state[0],
                    rows_dropped=state[1],
                    error=error,
                )
            )


def _slim(record: MeterReadings) -> MeterReadings:
    """What the history keeps of a telegram: readings that have a column go, but one that tells the meter's time."""
    kept = unmapped(record.readings)
    if all(reading.time is None for reading in kept):
        kept += tuple(islice((reading for reading in record.readings if reading.time is not None), 1))
    return msgspec.structs.replace(record, readings=kept)
