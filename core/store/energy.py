"""What a counter of a meter counted between moments, out of whatever level of the roll-ups is left.

The counter is followed from value to value: a step upwards is what was counted, a fall (another meter, a roll-over)
counts nothing. Nor does a rise that is faster than any meter counts (`core.counters`); what was counted in a span with
such a rise is known in part only. At a moment between two values not more than 65 minutes apart the counter is taken
to have grown evenly; a last value stands for so long after it. A moment in a longer gap, or before the first value, is
unknown, but within a minute of a value that one stands for it. What was counted over a whole gap is known all the same.

The count at a moment does not depend on which other moments are asked for: what the parts of a span counted is what
the span counted, as long as all are known.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import Connection

from core.counters import greater
from core.store.buckets import GREATEST_POWER, POWER, step_into
from core.store.kinds import HOUR_S, METER, QUARTER_S, no_series
from core.store.levels import Levels, Piece
from core.store.reading import owner_id

HELD_S = 3900.0
"""An hour and a little: a meter that is read once an hour has no gaps."""

NEAR_S = 60.0

_LONG_S = 4 * HOUR_S
"""A longer stretch of rows is looked at by its hours first."""

_LITTLE_WH = 100e3
"""Where less was counted in an hour of rows they are not looked at one by one."""

_ROUNDING_WH = 0.5


class Counted(NamedTuple):
    """What was counted in a span: `wh` None where nothing is known, not `is_whole` where only a part of it is."""

    wh: float | None
    is_whole: bool


class _Counter:
    """The count at each value that is known: `times` and `counts` go up together."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.counts: list[float] = []
        self._last: float | None = None
        self._last_w: float | None = None
        self._within: set[int] = set()
        self._doubts: list[tuple[float, float]] = []

    def add(self, time_s: float, value: float, power_w: float | None) -> None:
        if value or not self._last:
            self._step_to(time_s, value, value, power_w)

    def add_bucket(
        self, first_s: float, first: float, last_s: float, last: float, used: float, power_w: float | None
    ) -> None:
        if not last and self._last:
            return
        self._step_to(first_s, first, last, power_w)
        if used < last - first - _ROUNDING_WH:
            self._doubts.append((first_s, last_s))
        if last_s > first_s:
            self._within.add(len(self.times))
            self._append(last_s, self.counts[-1] + used)
        else:
            self.counts[-1] += used
        self._last = last

    def _step_to(self, time_s: float, value: float, last: float, power_w: float | None) -> None:
        """Go to the first value of a bucket, or to one that is first and last."""
        count = 0.0
        if self._last is not None:
            count, before_s = self.counts[-1], self.times[-1]
            step = step_into(self._last, value, last, time_s - before_s, greater(self._last_w, power_w))
            if step is None:
                self._doubts.append((before_s, time_s))
            else:
                count += step
        self._append(time_s, count)
        self._last, self._last_w = value, power_w

    def _append(self, time_s: float, count: float) -> None:
        self.times.append(max(time_s, self.times[-1]) if self.times else time_s)
        self.counts.append(count)

    def at(self, time_s: float) -> float | None:
        """The count at a moment; None where it is not known."""
        after = bisect_right(self.times, time_s)
        before_s = self.times[after - 1] if after else -math.inf
        next_s = self.times[after] if after < len(self.times) else math.inf
        if before_s == time_s:
            return self.counts[after - 1]
        if next_s - before_s <= HELD_S or after in self._within:
            share = (time_s - before_s) / (next_s - before_s)
            return self.counts[after - 1] + share * (self.counts[after] - self.counts[after - 1])
        if time_s - before_s <= (HELD_S if next_s == math.inf else NEAR_S):
            return self.counts[after - 1]
        if next_s - time_s <= NEAR_S:
            return self.counts[after]
        return None

    def is_doubtful(self, start_s: float, end_s: float) -> bool:
        """True where a rise in the span was too fast to be counted."""
        return any(from_s < end_s and until_s > start_s for from_s, until_s in self._doubts)

    def known_between(self, start_s: float, end_s: float) -> float | None:
        """What was counted between the first and the last value in a span whose ends are not both known."""
        start, end = self.at(start_s), self.at(end_s)
        if start is None:
            place = bisect_right(self.times, start_s)
            if place == len(self.times) or self.times[place] > end_s:
                return None
            start = self.counts[place]
        if end is None:
            place = bisect_right(self.times, end_s)
            if place == 0 or self.times[place - 1] < start_s:
                return None
            end = self.counts[place - 1]
        return max(0.0, end - start)


def counted(connection: Connection, meter: str, edges_s: Sequence[float], field: str) -> list[Counted]:
    """What `field` of `meter` counted between each edge and the next one; edges go up.

    Raises StoreError where the field is no counter.
    """
    if field not in METER.counters:
        raise no_series(METER.series_name(meter, field))
    number = owner_id(connection, METER, meter)
    if number is None or len(edges_s) < 2:
        return [Counted(None, is_whole=False)] * max(0, len(edges_s) - 1)
    counter = _Counter()
    cursor = connection.connection.cursor()
    try:
        levels = Levels(cursor, METER, number)
        start_s, end_s = edges_s[0] - HELD_S, math.nextafter(edges_s[-1] + HELD_S, math.inf)
        for piece in levels.pieces(start_s, end_s, len(METER.ladder) - 1, edges_s):
            if piece.level is METER.ladder[0] and piece.end_s - piece.start_s > _LONG_S:
                _follow_by_hours(cursor, number, piece, field, counter, edges_s)
            else:
                _follow(cursor, number, piece, field, counter)
    finally:
        cursor.close()
    spans = []
    for start_s, end_s in pairwise(edges_s):
        start, end = counter.at(start_s), counter.at(end_s)
        if start is None or end is None:
            spans.append(Counted(counter.known_between(start_s, end_s), is_whole=False))
        else:
            is_whole = not counter.is_doubtful(start_s, end_s)
            spans.append(Counted(max(0.0, end - start), is_whole))
    return spans


def _follow(cursor: Any, number: int, piece: Piece, field: str, counter: _Counter) -> None:
    level = piece.level
    where = f"FROM {level.table.name} WHERE meter_id = ? AND {level.time} >= ? AND {level.time} < ?"
    span = (number, piece.start_s, piece.end_s)
    if level is METER.ladder[0]:
        statement = f"SELECT {level.time}, {field}, {POWER} {where} AND {field} IS NOT NULL ORDER BY {level.time}"
        for time_s, value, power_w in cursor.execute(statement, span):
            counter.add(time_s, value, power_w)
        return
    # an earlier form kept no first and last of a quarter: its least and greatest stand for them
    statement = (
        f"SELECT coalesce(first_s, {level.time}), coalesce({field}_first, {field}_min),"
        f" coalesce(last_s, {level.time} + {level.period_s}), coalesce({field}_last, {field}_max),"
        f" coalesce({field}_used, {field}_max - {field}_min), {GREATEST_POWER}"
        f" {where} AND {field}_mean IS NOT NULL ORDER BY {level.time}"
    )
    for row in cursor.execute(statement, span):
        counter.add_bucket(*row)


def _follow_by_hours(
    cursor: Any, number: int, piece: Piece, field: str, counter: _Counter, edges_s: Sequence[float]
) -> None:
    """A long stretch of rows by the ends of each hour, or quarter; row by row where an edge or a leap needs it."""
    at_s = max(piece.start_s, _first_s(cursor, number, piece))
    while at_s < piece.end_s:
        for period_s in (HOUR_S, QUARTER_S):
            until_s = min(piece.end_s, (at_s // period_s + 1) * period_s)
            place = bisect_right(edges_s, at_s)
            if place == len(edges_s) or edges_s[place] >= until_s:
                break
        part = Piece(piece.level, at_s, until_s)
        if place < len(edges_s) and edges_s[place] < until_s:
            _follow(cursor, number, part, field, counter)
        elif (ends := _ends(cursor, number, part, field)) is not None:
            (first_s, first, first_w), (last_s, last, last_w) = ends
            if 0 <= last - first <= _LITTLE_WH:
                counter.add_bucket(first_s, first, last_s, last, last - first, greater(first_w, last_w))
            else:
                _follow(cursor, number, part, field, counter)
        at_s = until_s


_End = tuple[float, float, float | None]

_BETWEEN = "FROM measurements WHERE meter_id = ? AND time_s >= ? AND time_s < ?"


def _first_s(cursor: Any, number: int, piece: Piece) -> float:
    """When the first row of a stretch came; its end where there is none."""
    row = cursor.execute(f"SELECT min(time_s) {_BETWEEN}", (number, piece.start_s, piece.end_s)).fetchone()
    return piece.end_s if row[0] is None else float(row[0])


def _ends(cursor: Any, number: int, piece: Piece, field: str) -> tuple[_End, _End] | None:
    """Time, value and power of the first and the last row that have `field`; None where none has."""
    span = (number, piece.start_s, piece.end_s)
    known = f"SELECT time_s, {field}, {POWER} {_BETWEEN} AND {field} IS NOT NULL ORDER BY time_s"
    first = cursor.execute(f"{known} LIMIT 1", span).fetchone()
    return None if first is None else (first, cursor.execute(f"{known} DESC LIMIT 1", span).fetchone())
