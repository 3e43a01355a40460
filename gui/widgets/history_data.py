"""What the History page knows of the series it draws: answers of the history, and the newest points from memory.

Imported after the first paint: it needs numpy.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.records import SeriesPoints
from core.series import SeriesBook
from core.track import GAP_PERIODS, SHORTEST_GAP_S

Floats = NDArray[np.float64]
Span = tuple[float, float]
_BEYOND_MEASURE = 1e100
_USUAL_S = {"meter": 10.0, "machine": 60.0, "sensor": 10.0, "check": 60.0}
"""How far apart values of a kind are where too few are known to tell."""


class Columns(NamedTuple):
    """Points of one series: shapes (n,), a NaN in each gap."""

    time_s: Floats
    low: Floats
    mean: Floats
    high: Floats


_NOTHING = Columns(*(np.empty(0) for _part in range(4)))


class HistoryData:
    """One answer for all series at a time; `columns` and the rest join it with what `book` holds since."""

    def __init__(self) -> None:
        self._past: dict[str, Columns] = {}
        self._filled: dict[str, tuple[Span, ...]] = {}
        self._periods: dict[str, float] = {}
        self._book: SeriesBook | None = None

    def set_book(self, book: SeriesBook) -> None:
        """Take live points from `book`."""
        self._book = book

    def apply(self, found: Iterable[SeriesPoints]) -> None:
        """Take the place of what was known of these series."""
        for points in found:
            columns = Columns(
                np.frombuffer(points.time_s, np.float64) if len(points.time_s) else np.empty(0),
                *(_sound(column) for column in (points.minimum, points.mean, points.maximum)),
            )
            self._past[points.name] = columns
            self._filled[points.name] = points.filled
            distances = np.diff(columns.time_s[np.isfinite(columns.mean)])
            self._periods[points.name] = float(np.median(distances)) if len(distances) else 0.0

    def keep(self, names: Sequence[str]) -> None:
        """Forget all others."""
        for known in (self._past, self._filled, self._periods):
            for name in [name for name in known if name not in names]:
                del known[name]  # type: ignore[attr-defined]  # three dicts of their own types

    def revision(self, names: Iterable[str]) -> int:
        """A number that changes when memory has learned something of these."""
        return sum(map(self._book.revision, names)) if self._book is not None else 0

    def columns(self, name: str, start_s: float, end_s: float, most: int) -> Columns:
        """All that lies in a span, and one point beyond each edge."""
        past = self._past.get(name, _NOTHING)
        first_s = self._book.first_s(name) if self._book is not None else None
        if first_s is not None and first_s <= start_s:
            return self._live(name, start_s, end_s, most)  # memory holds it all, as fine as it came
        begin = max(0, int(np.searchsorted(past.time_s, start_s)) - 1)
        end = int(np.searchsorted(past.time_s, end_s, "right")) + 1
        older = Columns(*(column[begin:end] for column in past))
        last_s = float(past.time_s[-1]) if len(past.time_s) else start_s
        if first_s is None or last_s >= end_s:
            return older
        share = (end_s - max(last_s, start_s)) / ((end_s - start_s) or 1.0)
        live = self._live(name, last_s, end_s, max(2, math.ceil(most * share)))
        fresh = live.time_s > last_s
        live = Columns(*(column[fresh] for column in live))
        if not len(live.time_s) or not len(older.time_s):
            return live if len(live.time_s) else older
        parts = [older, live]
        if live.time_s[0] - last_s > self._allowed_s(name):
            nan = np.array([math.nan])
            parts.insert(1, Columns(np.array([(last_s + live.time_s[0]) / 2]), nan, nan, nan))
        return Columns(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def value_at(self, name: str, time_s: float) -> float | None:
        """The value nearest to a time; None in a gap and beyond the ends."""
        near = self.columns(name, time_s - 1.0, time_s + 1.0, 100)
        times = near.time_s
        if not len(times):
            return None
        after = int(np.searchsorted(times, time_s))
        around = [at for at in (after - 1, after) if 0 <= at < len(times)]
        if any(not math.isfinite(near.mean[at]) for at in around):
            around = [at for at in around if math.isfinite(near.mean[at])]
            limit_s = max(SHORTEST_GAP_S, self._allowed_s(name) / 2)
        else:
            limit_s = math.inf if len(around) == 2 else self._allowed_s(name)
        if not around:
            return None
        best = min(around, key=lambda at: abs(float(times[at]) - time_s))
        return float(near.mean[best]) if abs(float(times[best]) - time_s) <= limit_s else None

    def newest(self, name: str) -> float | None:
        """The last value that is known."""
        live = self._book.last(name) if self._book is not None else None
        past = self._past.get(name, _NOTHING)
        known = np.flatnonzero(np.isfinite(past.mean))
        if not len(known):
            return live[1] if live else None
        at = int(known[-1])
        return live[1] if live and live[0] >= float(past.time_s[at]) else float(past.mean[at])

    def last_in(self, name: str, start_s: float, end_s: float) -> float | None:
        """The last value in a span."""
        found = self.columns(name, start_s, end_s, 4_000)
        known = np.flatnonzero(np.isfinite(found.mean) & (found.time_s >= start_s) & (found.time_s <= end_s))
        return float(found.mean[known[-1]]) if len(known) else None

    def last_s(self, name: str) -> float | None:
        """When it was."""
        past = self._past.get(name, _NOTHING)
        known = past.time_s[np.isfinite(past.mean)]
        times = [float(known[-1])] if len(known) else []
        live = self._book.last(name) if self._book is not None else None
        return max([*times, *([live[0]] if live else [])], default=None)

    def filled(self, name: str) -> tuple[Span, ...]:
        """Spans that came from the meter's own load profile."""
        return self._filled.get(name, ())

    def gaps(self, name: str, start_s: float, end_s: float, now_s: float) -> list[Span]:
        """Silences in a span; the last one goes on until `now_s`."""
        found = self.columns(name, start_s, end_s, 4_000)
        spans: list[Span] = []
        for at in np.flatnonzero(np.isnan(found.mean)).tolist():
            if 0 < at < len(found.time_s) - 1:
                spans.append((float(found.time_s[at - 1]), float(found.time_s[at + 1])))
        last_s = self.last_s(name)
        if last_s is not None and start_s < now_s and last_s < min(now_s, end_s) - self._allowed_s(name):
            past = self._past.get(name, _NOTHING)
            # What was asked for may end before what is shown: only a silence up to now is one.
            if len(past.time_s) and float(past.time_s[-1]) <= last_s and end_s >= now_s:
                spans.append((last_s, now_s))
        return [span for span in spans if span[1] > start_s and span[0] < end_s]

    def area(self, name: str, start_s: float, end_s: float) -> float | None:
        """Unit × hours under the curve, gaps left out; None where nothing is known."""
        found = self._between(name, start_s, end_s)
        if found is None:
            return None
        times, values = found
        both = np.isfinite(values[:-1]) & np.isfinite(values[1:])
        if not both.any():
            return None
        parts = (values[:-1] + values[1:]) / 2 * np.diff(times)
        return float(parts[both].sum()) / 3600.0

    def rise(self, name: str, start_s: float, end_s: float) -> float | None:
        """What a register counted: it begins anew from its lower value where it falls; None where not known."""
        found = self.columns(name, start_s, end_s, 100_000)
        known = np.isfinite(found.mean)
        times, values = found.time_s[known], found.mean[known]
        reach_s = self._allowed_s(name)
        if len(times) < 2 or start_s < times[0] - reach_s or end_s > times[-1] + reach_s:
            return None
        inside = (times > start_s) & (times < end_s)
        ends = np.interp([start_s, end_s], times, values)
        steps = np.diff(np.concatenate(([ends[0]], values[inside], [ends[1]])))
        return float(steps[steps > 0].sum())

    def figures(self, name: str, start_s: float, end_s: float) -> tuple[float, float, float] | None:
        """(least, mean, greatest) in a span."""
        found = self.columns(name, start_s, end_s, 4_000)
        inside = (found.time_s >= start_s) & (found.time_s <= end_s) & np.isfinite(found.mean)
        if not inside.any():
            return None
        return float(found.low[inside].min()), float(found.mean[inside].mean()), float(found.high[inside].max())

    def _between(self, name: str, start_s: float, end_s: float) -> tuple[Floats, Floats] | None:
        """Points of a span with the values at its edges, where they are known."""
        found = self.columns(name, start_s, end_s, 100_000)
        inside = (found.time_s >= start_s) & (found.time_s <= end_s)
        times, values = list(found.time_s[inside]), list(found.mean[inside])
        for is_start, edge_s in ((True, start_s), (False, end_s)):
            after = int(np.searchsorted(found.time_s, edge_s))
            if 0 < after < len(found.time_s) and found.time_s[after] != edge_s:
                left_s, right_s = found.time_s[after - 1], found.time_s[after]
                left, right = found.mean[after - 1], found.mean[after]
                place = 0 if is_start else len(times)
                times.insert(place, edge_s)
                values.insert(place, left + (edge_s - left_s) / (right_s - left_s) * (right - left))
        return (np.asarray(times), np.asarray(values)) if len(times) > 1 else None

    def _live(self, name: str, start_s: float, end_s: float, most: int) -> Columns:
        if self._book is None:
            return _NOTHING
        times, low, high = self._book.view(name, start_s, end_s, most)
        return Columns(times, low, (low + high) / 2, high)

    def _allowed_s(self, name: str) -> float:
        usual_s = self._periods.get(name) or _USUAL_S.get(name.partition("/")[0], 60.0)
        live_s = self._book.period_s(name) if self._book is not None else None
        return GAP_PERIODS * max(usual_s, live_s or 0.0, SHORTEST_GAP_S)


def _sound(column: array[float]) -> Floats:
    """Values that can be drawn and added: what is beyond all measure is none."""
    values = np.frombuffer(column, np.float64) if len(column) else np.empty(0)
    is_sound = np.abs(values) < _BEYOND_MEASURE
    return values if is_sound.all() else np.where(is_sound, values, math.nan)


def silent_together(spans: Sequence[Sequence[Span]]) -> list[Span]:
    """The spans in which all are silent."""
    if not spans:
        return []
    common = list(spans[0])
    for others in spans[1:]:
        common = [
            (max(begin, other[0]), min(end, other[1]))
            for begin, end in common
            for other in others
            if max(begin, other[0]) < min(end, other[1])
        ]
    return common
