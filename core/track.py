"""A track: columns of one owner that share their times, append-only, under a pyramid of minima and maxima.

A view costs the same whatever the number of points: it reads the level of the pyramid that has a few entries a
pixel column, so no peak is ever lost. Memory is bounded: the oldest points go first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Span = tuple[float, float]

FACTOR = 16
DAY_POINTS = 100_000
"""A little more than a day at one point a second."""
GAP_PERIODS = 3.0
"""A series is late, and its curve open, when this many of its periods have passed without a point."""
SHORTEST_GAP_S = 2.5

_FIRST_CAPACITY = 64
_MOST_GAPS = 4_096


def middle(distances: NDArray[np.floating]) -> float:
    """The median; 0.0 of none. `np.median` loads masked arrays when first called: a pause that is felt, and 1 MiB."""
    count = len(distances)
    if not count:
        return 0.0
    ordered = np.sort(distances)
    return float(ordered[(count - 1) // 2] + ordered[count // 2]) / 2


class Track:
    """Columns that share their times, for example all values of one meter: shape (columns, n), NaN where absent."""

    def __init__(
        self,
        columns: Sequence[str],
        *,
        limit: int = DAY_POINTS,
        span_s: float = math.inf,
        dtype: type = np.float64,
    ) -> None:
        self._columns = {name: row for row, name in enumerate(columns)}
        self._known: set[str] = set()
        self._limit = limit
        self._span_s = span_s
        self._levels = max(1, int(math.log(max(limit, FACTOR), FACTOR) + 1e-9) - 2)
        self._time = np.empty(_FIRST_CAPACITY, np.float64)
        self._values: NDArray[np.floating] = np.full((len(columns), _FIRST_CAPACITY), np.nan, dtype)
        self._pyramid: list[tuple[NDArray[np.floating], NDArray[np.floating]]] = []
        self._built: list[int] = []
        self._forget_pyramid()
        self._count = 0
        self._period_s: float | None = None
        self._gaps: list[Span] = []

    def __len__(self) -> int:
        return self._count

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in their order."""
        return tuple(self._columns)

    @property
    def first_s(self) -> float | None:
        """Time of the oldest point held."""
        return float(self._time[0]) if self._count else None

    @property
    def last_s(self) -> float | None:
        """Time of the newest point."""
        return float(self._time[self._count - 1]) if self._count else None

    @property
    def period_s(self) -> float | None:
        """Usual distance of two points; None before the second one."""
        return self._period_s

    def has_value(self, column: str) -> bool:
        """True where the column has had any value."""
        return column in self._known

    def append(self, time_s: float, values: Mapping[str, float | None], period_s: float | None = None) -> None:
        """Add one row; a clock set back forgets what then lies in its future.

        `period_s` is the distance at which the source means to send, where it says so; else it is measured.
        """
        if self._count and time_s <= self._time[self._count - 1]:
            self._truncate(time_s)
        if self._count == len(self._time):
            self._make_room(self._count + 1)
        for name in values:
            if name not in self._columns:
                self._add_column(name)
        place = self._count
        if place:
            self._note_distance(float(self._time[place - 1]), time_s, period_s)
        elif period_s:
            self._period_s = period_s
        self._time[place] = time_s
        self._values[:, place] = np.nan
        for name, value in values.items():
            if value is not None:
                self._values[self._columns[name], place] = value
                self._known.add(name)
        self._count += 1

    def extend(self, time_s: Floats, values: NDArray[np.floating]) -> None:
        """Add many rows at once, oldest first, newer than all held: shapes (n,) and (columns, n)."""
        if not len(time_s):
            return
        kept = min(len(time_s), self._limit)
        time_s, values = time_s[-kept:], values[:, -kept:]
        distances = np.diff(time_s)
        if len(distances):
            self._period_s = middle(distances)
            allowed_s = max(SHORTEST_GAP_S, GAP_PERIODS * self._period_s)
            self._gaps += [
                (float(time_s[i]), float(time_s[i + 1])) for i in np.flatnonzero(distances > allowed_s)[-_MOST_GAPS:]
            ]
        if self._count + kept > len(self._time):
            self._make_room(self._count + kept)
        end = self._count + kept
        self._time[self._count : end] = time_s
        self._values[:, self._count : end] = values
        self._count = end
        self._known |= {name for name, row in self._columns.items() if np.isfinite(values[row]).any()}

    def insert(self, time_s: Floats, values: NDArray[np.floating], period_s: float) -> None:
        """Put late points, oldest first, between those held, shapes (n,) and (columns, n); held times keep their own.

        `period_s` is their usual distance: a gap that they fill is none any more. What lies before the oldest point
        held, or beyond the newest, is left out: it is in the history.
        """
        if not self._count:
            return
        held = self._time[: self._count]
        places = np.searchsorted(held, time_s)
        is_kept = (places > 0) & (places < self._count)
        is_kept[is_kept] = held[places[is_kept]] != time_s[is_kept]
        time_s, values, places = time_s[is_kept], values[:, is_kept], places[is_kept]
        if not len(time_s):
            return
        self._time = np.insert(held, places, time_s)
        self._values = np.insert(self._values[:, : self._count], places, values, axis=1)
        self._count = len(self._time)
        self._known |= {name for name, row in self._columns.items() if np.isfinite(values[row]).any()}
        built = self._built
        pyramid = self._pyramid
        self._forget_pyramid()
        for step, (low, high) in enumerate(pyramid):  # what is older than the first of them stays
            kept = min(built[step], int(places[0]) // FACTOR ** (step + 1))
            self._pyramid[step][0][:, :kept] = low[:, :kept]
            self._pyramid[step][1][:, :kept] = high[:, :kept]
            self._built[step] = kept
        allowed_s = max(SHORTEST_GAP_S, GAP_PERIODS * period_s)
        gaps: list[Span] = []
        for before_s, after_s in self._gaps:
            inside = time_s[(time_s > before_s) & (time_s < after_s)]
            edges = [before_s, *map(float, inside), after_s]
            gaps += [gap for gap in pairwise(edges) if not len(inside) or gap[1] - gap[0] > allowed_s]
        self._gaps = gaps[-_MOST_GAPS:]

    def view(self, column: str, start_s: float, end_s: float, columns: int) -> tuple[Floats, Floats, Floats]:
        """(time, minimum, maximum) of at most about `columns` + gaps entries, and one entry beyond each edge.

        Raw points where they are few (minimum and maximum are then equal); a NaN stands in every gap.
        """
        row = self._columns.get(column)
        if row is None or not self._count or end_s <= start_s or columns < 1:
            return nothing()
        time = self._time[: self._count]
        first = max(0, int(np.searchsorted(time, start_s)) - 1)
        last = min(self._count, int(np.searchsorted(time, end_s, "right")) + 1)
        if last - first <= 2 * columns:
            times = time[first:last]
            values = np.asarray(self._values[row, first:last], np.float64)
            return self._opened(times, values, values)
        times, low, high = self._entries(row, first, last, columns)
        edges = start_s + (end_s - start_s) / columns * np.arange(1, columns)
        begins = np.unique(np.concatenate(([0], np.searchsorted(times, edges))))
        begins = begins[begins < len(times)]
        return self._opened(
            times[begins],
            np.asarray(np.fmin.reduceat(low, begins), np.float64),
            np.asarray(np.fmax.reduceat(high, begins), np.float64),
        )

    def is_free(self, start_s: float, end_s: float) -> bool:
        """True where no point lies after `start_s` up to `end_s`."""
        held = self._time[: self._count]
        return bool(np.searchsorted(held, start_s, "right") == np.searchsorted(held, end_s, "right"))

    def gaps(self, start_s: float, end_s: float) -> list[Span]:
        """(last point before, first point after) of each silence that touches the span, oldest first."""
        return [gap for gap in self._gaps if gap[1] > start_s and gap[0] < end_s]

    def at(self, column: str, time_s: float) -> tuple[float, float] | None:
        """(time_s, value) of the point nearest to `time_s`; None in a gap, beyond the ends, or where absent."""
        row = self._columns.get(column)
        if row is None or not self._count:
            return None
        after = int(np.searchsorted(self._time[: self._count], time_s))
        candidates = [i for i in (after - 1, after) if 0 <= i < self._count]
        nearest = min(candidates, key=lambda i: abs(float(self._time[i]) - time_s))
        found_s, value = float(self._time[nearest]), float(self._values[row, nearest])
        if abs(found_s - time_s) > max(SHORTEST_GAP_S, (self._period_s or 0.0)) or not math.isfinite(value):
            return None
        return found_s, value

    def last(self, column: str) -> tuple[float, float] | None:
        """(time_s, value) of the newest point of the column that has a value."""
        row = self._columns.get(column)
        if row is None:
            return None
        known = np.flatnonzero(np.isfinite(self._values[row, max(0, self._count - FACTOR) : self._count]))
        if not len(known):
            return None
        place = max(0, self._count - FACTOR) + int(known[-1])
        return float(self._time[place]), float(self._values[row, place])

    def _entries(self, row: int, first: int, last: int, columns: int) -> tuple[Floats, Floats, Floats]:
        """Times, minima and maxima of the points [first, last), from the coarsest level that is fine enough."""
        level = 0
        while level < self._levels and (last - first) // FACTOR ** (level + 1) >= 2 * columns:
            level += 1
        if level == 0:
            values = np.asarray(self._values[row, first:last], np.float64)
            return self._time[first:last], values, values
        self._build(level)
        size = FACTOR**level
        begin, end = first // size, min(-(-last // size), self._built[level - 1])
        low, high = (array[row, begin:end] for array in self._pyramid[level - 1])
        times = self._time[begin * size : end * size : size]
        rest = self._values[row, end * size : last]
        if len(rest):
            times = np.append(times, self._time[end * size])
            low, high = np.append(low, np.fmin.reduce(rest)), np.append(high, np.fmax.reduce(rest))
        return times, np.asarray(low, np.float64), np.asarray(high, np.float64)

    def _build(self, level: int) -> None:
        """Bring the pyramid up to `level` up to date with all complete blocks."""
        for step in range(level):
            below_count = self._count if step == 0 else self._built[step - 1]
            done, ready = self._built[step], below_count // FACTOR
            if ready <= done:
                continue
            low, high = self._pyramid[step]
            for target, source, reduce in (
                (low, self._values if step == 0 else self._pyramid[step - 1][0], np.fmin.reduce),
                (high, self._values if step == 0 else self._pyramid[step - 1][1], np.fmax.reduce),
            ):
                blocks = source[:, done * FACTOR : ready * FACTOR].reshape(len(source), -1, FACTOR)
                target[:, done:ready] = reduce(blocks, axis=2)
            self._built[step] = ready

    def _opened(self, times: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats, Floats]:
        """The arrays with a NaN put into every gap."""
        if not len(times):
            return nothing()
        gaps = self.gaps(float(times[0]), float(times[-1]))
        if not gaps:
            return times.copy(), low, high
        places = np.searchsorted(times, [after for _, after in gaps])
        # A whole column may start before a short gap and end after it: that one stays closed.
        inside = [
            (int(place), (before + after) / 2)
            for place, (before, after) in zip(places, gaps, strict=True)
            if 0 < place < len(times)
        ]
        at = [place for place, _ in inside]
        middle = [max(time_s, float(times[place - 1])) for place, time_s in inside]
        return np.insert(times, at, middle), np.insert(low, at, np.nan), np.insert(high, at, np.nan)

    def _note_distance(self, before_s: float, time_s: float, period_s: float | None) -> None:
        distance = time_s - before_s
        usual = max(self._period_s or 0.0, period_s or 0.0)
        if period_s:
            self._period_s = period_s
        if not usual:
            self._period_s = distance
            return
        if distance > max(SHORTEST_GAP_S, GAP_PERIODS * usual):
            begin, end = self._gaps[-1] if self._gaps else (0.0, 0.0)
            if not period_s and end == before_s and 0.5 <= distance / (end - begin) <= 2:
                # The same long distance twice: the source has become slower, it was not silent.
                self._gaps.pop()
                self._period_s = distance
                return
            self._gaps = [*self._gaps[-_MOST_GAPS:], (before_s, time_s)]
        elif not period_s:
            self._period_s = 0.8 * usual + 0.2 * distance

    def _make_room(self, wanted: int) -> None:
        unit: int = FACTOR**self._levels
        if self._count and math.isfinite(self._span_s):
            old = int(np.searchsorted(self._time[: self._count], self._time[self._count - 1] - self._span_s))
            if old >= max(unit, self._count // 8):
                self._drop(old // unit * unit, len(self._time))
                if wanted - old // unit * unit <= len(self._time):
                    return
                wanted -= old // unit * unit
        capacity = len(self._time)
        most = self._limit + self._limit // 4 + FACTOR**self._levels
        if wanted <= most:
            while capacity < wanted:
                capacity = min(2 * capacity, most)
            self._resize(0, capacity)
            return
        drop = min(self._count, -(-(wanted - self._limit) // unit) * unit)
        self._drop(drop, max(capacity, wanted - drop))

    def _drop(self, count: int, capacity: int) -> None:
        """Forget the oldest points, and the gaps before the ones that stay."""
        self._resize(count, capacity)
        first_s = float(self._time[0]) if self._count else math.inf
        self._gaps = [gap for gap in self._gaps if gap[1] > first_s]

    def _resize(self, drop: int, capacity: int) -> None:
        kept = self._count - drop
        time, values = self._time, self._values
        self._time = np.empty(capacity, np.float64)
        self._values = np.full((len(values), capacity), np.nan, values.dtype)
        self._time[:kept] = time[drop : self._count]
        self._values[:, :kept] = values[:, drop : self._count]
        self._count = kept
        pyramid, built = self._pyramid, self._built
        self._forget_pyramid()
        for step, (low, high) in enumerate(pyramid):
            begin = drop // FACTOR ** (step + 1)
            count = max(0, built[step] - begin)
            self._pyramid[step][0][:, :count] = low[:, begin : begin + count]
            self._pyramid[step][1][:, :count] = high[:, begin : begin + count]
            self._built[step] = count

    def _forget_pyramid(self) -> None:
        rows, capacity = self._values.shape
        self._pyramid = [
            (
                np.empty((rows, capacity // FACTOR ** (step + 1) + 1), self._values.dtype),
                np.empty((rows, capacity // FACTOR ** (step + 1) + 1), self._values.dtype),
            )
            for step in range(self._levels)
        ]
        self._built = [0] * self._levels

    def _add_column(self, name: str) -> None:
        self._columns[name] = len(self._columns)
        missing = np.full((1, self._values.shape[1]), np.nan, self._values.dtype)
        self._values = np.concatenate((self._values, missing))
        self._forget_pyramid()

    def _truncate(self, time_s: float) -> None:
        self._count = int(np.searchsorted(self._time[: self._count], time_s))
        self._built = [min(built, self._count // FACTOR ** (step + 1)) for step, built in enumerate(self._built)]
        self._gaps = [gap for gap in self._gaps if gap[1] < time_s]


def merged(spans: Iterable[Span]) -> list[Span]:
    """The spans as few as possible, oldest first, overlapping ones made one."""
    result: list[Span] = []
    for begin, end in sorted(spans):
        if result and begin <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((begin, end))
    return result


def nothing() -> tuple[Floats, Floats, Floats]:
    """Times, minima and maxima of no points, shape (0,) each."""
    empty = np.empty(0)
    return empty, empty, empty
