"""Points of one series as the history gave them, beside those that memory holds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from core.language import _
from core.records import SeriesPoints
from core.track import SHORTEST_GAP_S, middle
from gui import numbers

_MOST = 0.5


class Past:
    """Points of one series from the history: arrays of shape (n,), NaN between two points in a gap."""

    def __init__(self, points: SeriesPoints) -> None:
        self.time_s, self.low, self.mean, self.high = (
            np.frombuffer(column, np.float64) if len(column) else np.empty(0)
            for column in (points.time_s, points.minimum, points.mean, points.maximum)
        )
        self.filled = points.filled
        distances = np.diff(self.time_s)
        self.period_s = middle(distances)

    def value_at(self, time_s: float) -> float | None:
        """The value nearest to a time; None where none is near."""
        if not len(self.time_s):
            return None
        after = int(np.searchsorted(self.time_s, time_s))
        nearest = min(
            (index for index in (after - 1, after) if 0 <= index < len(self.time_s)),
            key=lambda index: abs(float(self.time_s[index]) - time_s),
        )
        value = float(self.mean[nearest])
        is_near = abs(float(self.time_s[nearest]) - time_s) <= max(SHORTEST_GAP_S, 1.5 * self.period_s)
        return value if is_near and math.isfinite(value) else None

    def means_at(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean of the row of each of these times, shape (n,); NaN where there is no row."""
        if not len(self.time_s):
            return np.full(len(time_s), math.nan)
        rows = np.minimum(np.searchsorted(self.time_s, time_s), len(self.time_s) - 1)
        return np.where(self.time_s[rows] == time_s, self.mean[rows], math.nan)

    def gaps(self) -> list[tuple[float, float]]:
        """From the last value before to the first one after, wherever there is none for a while."""
        known = np.flatnonzero(np.isfinite(self.mean))
        ends = np.flatnonzero(np.diff(known) > 1)
        return [(float(self.time_s[known[end]]), float(self.time_s[known[end + 1]])) for end in ends]

    def filled_between(self, start_s: float, end_s: float) -> list[tuple[float, float]]:
        """The spans within, whose points came from the load profile of the meter; none where it holds no value."""
        return [
            (max(begin_s, start_s), min(until_s, end_s))
            for begin_s, until_s in self.filled
            if begin_s < end_s and until_s > start_s and self._has_value(begin_s, until_s)
        ]

    def _has_value(self, start_s: float, end_s: float) -> bool:
        """True where it has most of the points there: one at an edge may have come by itself."""
        begin, end = np.searchsorted(self.time_s, start_s), np.searchsorted(self.time_s, end_s, side="right")
        known = np.isfinite(self.mean[begin:end])
        return bool(len(known)) and bool(known.mean() >= _MOST)


def gap_words(start_s: float, end_s: float) -> str:
    """Why there is no curve between two times: `no reading 09:12–09:40`."""
    is_short = end_s - start_s < 120
    return _("no reading {start}–{end}").format(
        start=numbers.clock(start_s, with_seconds=is_short), end=numbers.clock(end_s, with_seconds=is_short)
    )
