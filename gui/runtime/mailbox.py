"""The door from any thread into the GUI thread: bounded, never blocking, one wake-up in flight.

Of each machine only the latest report waits; all other records wait in order, up to a limit, and what does not fit
is counted. A stalled window thus costs neither memory nor a storm of slot calls when it comes back.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

from msgspec.structs import replace
from PyQt5.QtCore import QObject, Qt, QTimer, pyqtSignal

from core.records import MachineReport
from core.site_records import Record

LIMIT = 20_000
PERIOD_S = 0.05
"""Shortest time between two deliveries: faster than an eye, slower than 2,000 machines."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What has come since the last delivery: one report for each machine that has news, then the rest in order."""

    reports: tuple[MachineReport, ...]
    others: tuple[Record, ...]


class Mailbox(QObject):
    """A Sink whose `delivered` is emitted in the thread that made it."""

    delivered = pyqtSignal(object)
    _woken = pyqtSignal()

    def __init__(self, parent: QObject | None = None, *, limit: int = LIMIT, period_s: float = PERIOD_S) -> None:
        super().__init__(parent)
        self._lock = threading.Lock()
        self._reports: dict[str, MachineReport] = {}
        self._others: deque[Record] = deque()
        self._limit = limit
        self._period_s = period_s
        self._lost = 0
        self._is_woken = False
        self._is_closed = False
        self._delivered_at_s = -period_s
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._deliver)
        self._woken.connect(self._on_woken, Qt.QueuedConnection)

    @property
    def lost(self) -> int:
        """Records that did not fit since the start."""
        return self._lost

    def put(self, record: Record) -> None:
        """Take `record` in; any thread."""
        with self._lock:
            if self._is_closed:
                return
            if isinstance(record, MachineReport):
                waiting = self._reports.get(record.machine)
                if waiting is not None and waiting.is_new and not record.is_new and waiting.status == record.status:
                    record = replace(record, is_new=True)
                self._reports[record.machine] = record
            elif len(self._others) < self._limit:
                self._others.append(record)
            else:
                self._lost += 1
            if self._is_woken:
                return
            self._is_woken = True
        self._woken.emit()

    def close(self) -> None:
        """Deliver nothing any more; later records are let go."""
        with self._lock:
            self._is_closed = True
        self._timer.stop()

    def _on_woken(self) -> None:
        wait_s = self._delivered_at_s + self._period_s - time.monotonic()
        if wait_s <= 0:
            self._deliver()
        elif not self._is_closed:
            self._timer.start(max(1, round(wait_s * 1000)))

    def _deliver(self) -> None:
        with self._lock:
            reports, self._reports = self._reports, {}
            others, self._others = self._others, deque()
            self._is_woken = False
            is_closed = self._is_closed
        self._delivered_at_s = time.monotonic()
        if not is_closed and (reports or others):
            self.delivered.emit(Delivery(tuple(reports.values()), tuple(others)))
