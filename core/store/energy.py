"""What a counter of a meter counted between moments, out of whatever level of the roll-ups is left.

The counter is followed from value to value: a step upwards is what was counted, a fall (another meter, a roll-over)
counts nothing, as in `energy_since`. At a moment between two values not more than 65 minutes apart the counter is taken
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

from core.store.kinds import METER, no_series
from core.store.levels import Levels, Piece
from core.store.reading import owner_id

HELD_S = 3900.0
"""An hour and a little: a meter that is read once an hour has no gaps."""

NEAR_S = 60.0


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
        self._within: set[int] = set()

    def add(self, time_s: float, value: float) -> None:
        count = 0.0
        if self._last is not None:
            count = self.counts[-1] + max(0.0, value - self._last)
        self._append(time_s, count)
        self._last = value

    def add_bucket(self, first_s: float, first: float, last_s: float, last: float, used: float) -> None:
        self.add(first_s, first)
        if last_s > first_s:
            self._within.add(len(self.times))
            self._append(last_s, self.counts[-1] + used)
        else:
            self.counts[-1] += used
        self._last = last

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
            _follow(cursor, number, piece, field, counter)
    finally:
        cursor.close()
    spans = []
    for start_s, end_s in pairwise(edges_s):
        start, end = counter.at(start_s), counter.at(end_s)
        if start is None or end is None:
            spans.append(Counted(counter.known_between(start_s, end_s), is_whole=False))
        else:
            spans.append(Counted(max(0.0, end - start), is_whole=True))
    return spans


def _follow(cursor: Any, number: int, piece: Piece, field: str, counter: _Counter) -> None:
    level = piece.level
    where = f"FROM {level.table.name} WHERE meter_id = ? AND {level.time} >= ? AND {level.time} < ?"
    span = (number, piece.start_s, piece.end_s)
    if level is METER.ladder[0]:
        statement = f"SELECT {level.time}, {field} {where} AND {field} IS NOT NULL ORDER BY {level.time}"
        for time_s, value in cursor.execute(statement, span):
            counter.add(time_s, value)
        return
    # an earlier form kept no first and last of a quarter: its least and greatest stand for them
    statement = (
        f"SELECT coalesce(first_s, {level.time}), coalesce({field}_first, {field}_min),"
        f" coalesce(last_s, {level.time} + {level.period_s}), coalesce({field}_last, {field}_max),"
        f" coalesce({field}_used, {field}_max - {field}_min) {where} AND {field}_mean IS NOT NULL ORDER BY {level.time}"
    )
    for first_s, first, last_s, last, used in cursor.execute(statement, span):
        counter.add_bucket(first_s, first, last_s, last, used)
