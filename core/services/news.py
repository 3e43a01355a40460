"""What waits for a reader that may be slow: a window that is busy, one at the other end of a feed.

Bounded and never blocking. Of what is a state only the latest waits: one report of each machine, one of each listener,
each alarm and each check; of a series of a sensor the last value. All else waits in order, up to a limit. What does
not fit is counted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from core.records import MachineReport, StoreReport
from core.site_records import (
    Alarm,
    CheckResult,
    FeedReport,
    IntakeReport,
    Maintenance,
    Record,
    RoomReport,
    SensorBatch,
    SensorMeasure,
)

LIMIT = 20_000
"""Records that wait at most, and states of one kind, and series of sensors."""

FEW_MEASURES = 200
"""So many are handed over at once; more of them twice a second at most."""
SENSORS_S = 0.5

_KEYS: dict[type, Callable[[Record], Hashable]] = {
    Alarm: lambda record: record.id,  # type: ignore[union-attr]  # the type that the key stands for
    Maintenance: lambda record: record.id,  # type: ignore[union-attr]  # the same
    CheckResult: lambda record: record.check,  # type: ignore[union-attr]  # the same
    IntakeReport: lambda record: None,
    RoomReport: lambda record: None,
    StoreReport: lambda record: None,
    FeedReport: lambda record: None,
}
"""Records that are states, and what makes two of them states of one thing."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What has come since the last delivery: one report for each machine that has news, then the rest in order.

    At the end of the rest come the states that changed, and one SensorBatch with the last value of each series.
    """

    reports: tuple[MachineReport, ...]
    others: tuple[Record, ...]

    def __bool__(self) -> bool:
        return bool(self.reports or self.others)


class News:
    """Takes records in from any thread and hands them over when asked; `woken` is called once in between, anywhere."""

    def __init__(
        self,
        woken: Callable[[], None],
        *,
        limit: int = LIMIT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._woken = woken
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._reports: dict[str, MachineReport] = {}
        self._states: dict[tuple[type, Hashable], Record] = {}
        self._others: deque[Record] = deque()
        self._measures: dict[tuple[str, str], SensorMeasure] = {}
        self._sensors_due_s = clock()
        self._lost = 0
        self._is_woken = False
        self._is_closed = False

    @property
    def lost(self) -> int:
        """Records that did not fit since the start."""
        return self._lost

    def put(self, record: Record) -> None:
        """Take `record` in; any thread."""
        with self._lock:
            if self._is_closed:
                return
            self._take_in(record)
            if self._is_woken:
                return
            self._is_woken = True
        self._woken()

    def take(self) -> tuple[Delivery, float | None]:
        """All that may be handed over now; the seconds after which to ask again for the rest, None where none is.

        Whoever is told seconds asks again by itself; `woken` is called again only where None was told.
        """
        with self._lock:
            now_s = self._clock()
            reports, self._reports = self._reports, {}
            states, self._states = self._states, {}
            others, self._others = self._others, deque()
            rest: list[Record] = [*others, *states.values()]
            wait_s = self._sensors_due_s - now_s
            if self._measures and (wait_s <= 0 or len(self._measures) <= FEW_MEASURES):
                rest.append(SensorBatch(measures=tuple(self._measures.values())))
                if len(self._measures) > FEW_MEASURES:
                    self._sensors_due_s = now_s + SENSORS_S
                self._measures = {}
            self._is_woken = bool(self._measures)
        return Delivery(tuple(reports.values()), tuple(rest)), wait_s if self._is_woken else None

    def close(self) -> None:
        """Let go of all that waits, and take nothing more."""
        with self._lock:
            self._is_closed = True
            self._reports, self._states, self._others, self._measures = {}, {}, deque(), {}

    def _take_in(self, record: Record) -> None:
        if isinstance(record, MachineReport):
            waiting = self._reports.get(record.machine)
            if waiting is not None and waiting.is_new and not record.is_new and waiting.status == record.status:
                record = replace(record, is_new=True)
            self._reports[record.machine] = record
        elif isinstance(record, SensorBatch):
            self._take_measures(record.measures)
        elif (key := _KEYS.get(type(record))) is not None:
            name = (type(record), key(record))
            if name in self._states or len(self._states) < self._limit:
                self._states[name] = record
            else:
                self._lost += 1
        elif len(self._others) < self._limit:
            self._others.append(record)
        else:
            self._lost += 1

    def _take_measures(self, measures: Sequence[SensorMeasure]) -> None:
        latest = self._measures
        for measure in measures:
            latest[measure.sensor, measure.quantity] = measure
        while len(latest) > self._limit:
            latest.popitem()
            self._lost += 1
