"""A span of time that a page shows: one that ends now, or one that stands still, and the way back to those before."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

from PyQt5.QtCore import QObject, pyqtSignal

FREE = "free"

_request_ids = itertools.count(1)


def next_request_id() -> int:
    """An id for a question to the history that no other question of the window has."""
    return next(_request_ids)


class ShownSpan(QObject):
    """What every range of time has; which spans it follows and remembers is for those that derive from it."""

    changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None, *, mode: str, now: Callable[[], float] = time.time) -> None:
        super().__init__(parent)
        self._now = now
        self._mode = mode
        self._free = (0.0, 1.0)
        self._past: list[tuple[str, tuple[float, float]]] = []

    @property
    def mode(self) -> str:
        """Name of the range that is followed, or `free`."""
        return self._mode

    @property
    def is_following(self) -> bool:
        """True while the right edge is now."""
        return self._mode != FREE

    @property
    def can_go_back(self) -> bool:
        """True where `back` has somewhere to go."""
        return bool(self._past)

    def now_s(self) -> float:
        """The clock that a followed range ends at."""
        return self._now()

    def back(self) -> None:
        """Return to what was shown before."""
        if self._past:
            self._mode, self._free = self._past.pop()
            self.changed.emit()

    def _within(self, start_s: float, end_s: float, shortest_s: float, longest_s: float) -> tuple[float, float]:
        """The span as long as is allowed, and not wholly in the future."""
        length_s = min(max(end_s - start_s, shortest_s), longest_s)
        end_s = min((start_s + end_s) / 2 + length_s / 2, self._now() + length_s / 2)
        return end_s - length_s, end_s
