"""The door from any thread into the GUI thread: bounded, never blocking, one wake-up in flight.

What waits behind it is thinned by `core.services.news`. A stalled window thus costs neither memory nor a storm of
slot calls when it comes back.
"""

from __future__ import annotations

import time

from PyQt5.QtCore import QObject, Qt, QTimer, pyqtSignal

from core.services.news import LIMIT, Delivery, News
from core.site_records import Record

PERIOD_S = 0.05
"""Shortest time between two deliveries: faster than an eye, slower than 2,000 machines."""

__all__ = ["Delivery", "Mailbox"]


class Mailbox(QObject):
    """A Sink whose `delivered` is emitted, with a Delivery, in the thread that made it."""

    delivered = pyqtSignal(object)
    _woken = pyqtSignal()

    def __init__(self, parent: QObject | None = None, *, limit: int = LIMIT, period_s: float = PERIOD_S) -> None:
        super().__init__(parent)
        self._news = News(self._woken.emit, limit=limit)
        self._period_s = period_s
        self._is_closed = False
        self._delivered_at_s = -period_s
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._deliver)
        self._woken.connect(self._on_woken, Qt.QueuedConnection)

    @property
    def lost(self) -> int:
        """Records that did not fit since the start."""
        return self._news.lost

    def put(self, record: Record) -> None:
        """Take `record` in; any thread."""
        self._news.put(record)

    def close(self) -> None:
        """Deliver nothing any more; later records are let go."""
        self._is_closed = True
        self._news.close()
        self._timer.stop()

    def _on_woken(self) -> None:
        wait_s = self._delivered_at_s + self._period_s - time.monotonic()
        if wait_s <= 0:
            self._deliver()
        else:
            self._wait(wait_s)

    def _wait(self, seconds: float) -> None:
        if not self._is_closed:
            self._timer.start(max(1, round(seconds * 1000)))

    def _deliver(self) -> None:
        delivery, wait_s = self._news.take()
        self._delivered_at_s = time.monotonic()
        if wait_s is not None:
            self._wait(max(wait_s, self._period_s))
        if not self._is_closed and delivery:
            self.delivered.emit(delivery)
