"""Reads series out of the history: raw where they are few, else the least, mean and greatest of each column of a plot.

A range is read through the clustered key, one statement a bucket: no sorting, no row made in Python, so that a day at
1 Hz costs some 50 ms. A span that is long is answered from the roll-ups, and what they lack from finer levels.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from statistics import median, median_low
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from core.records import SeriesPoints
from core.store import profiles
from core.store.columns import FIGURES
from core.store.kinds import METER, REGISTER, SENSOR, Kind, Level, check_field, no_series
from core.store.levels import Levels, Piece
from core.store.stale import Span

GAP_PERIODS = 3
"""A distance of more than so many usual periods is a gap."""


_AROUND = 5
_STRETCH_POINTS = 8
"""A stretch of a level that cannot answer is told apart where a plot has so many points for each."""


class Sample(NamedTuple):
    """One row of one series; a raw value is all three."""

    time_s: float
    minimum: float
    mean: float
    maximum: float


def owners(connection: Connection, kind: Kind) -> dict[int, str]:
    """Number and name of all meters, or of all machines, by name."""
    table = kind.owners
    return {row.id: row.name for row in connection.execute(select(table.c.id, table.c.name).order_by(table.c.name))}


def owner_id(connection: Connection, kind: Kind, name: str) -> int | None:
    """Number of a meter or a machine; None where the history has none of that name."""
    table = kind.owners
    number: int | None = connection.execute(select(table.c.id).where(table.c.name == name)).scalar()
    return number


def unit_of(connection: Connection, kind: Kind, owner: str, name: str) -> str | None:
    """Unit of one series: a sensor's own, else that of the field."""
    if kind not in (SENSOR, REGISTER):
        return kind.fields[name]
    table = kind.owners
    unit: str | None = connection.execute(select(table.c.unit).where(table.c.name == owner)).scalar()
    return unit


def _figure_columns(kind: Kind, level: Level, name: str) -> tuple[str, str, str]:
    """Columns of the least, mean and greatest; a raw value is all three."""
    if kind.is_raw and level is kind.ladder[0]:
        return name, name, name
    low, mean, high = (f"{name}_{figure}" for figure in FIGURES)
    return low, mean, high


def _weighted(kind: Kind, level: Level, mean: str) -> tuple[str, str]:
    """Sum of a column of means, and how much each row weighs."""
    if kind.is_raw and level is kind.ladder[0]:
        return f"sum({mean})", f"count({mean})"
    return f"sum({mean} * samples)", f"sum(CASE WHEN {mean} IS NOT NULL THEN samples END)"


@dataclass(slots=True)
class _Line:
    """Points of one series while they are gathered, and where each begins and ends.

    Each level has a period of its own: each part says after how long there is a gap, 0 where it does not know.
    """

    samples: list[Sample] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)
    gaps_s: list[float] = field(default_factory=list)
    periods: list[float] = field(default_factory=list)
    own_periods: list[float] = field(default_factory=list)

    def add(self, first_s: float, last_s: float, count: int, figures: tuple[float, float, float]) -> None:
        period_s = math.inf
        if count > 1 and last_s > first_s:
            period_s = (last_s - first_s) / (count - 1)
            self.periods.append(period_s)
        elif len(self.spans) > len(self.gaps_s):  # not the first one of its part
            period_s = first_s - self.spans[-1][1]
            self.periods.append(period_s)
        self.own_periods.append(period_s)
        self.samples.append(Sample((first_s + last_s) / 2, *figures))
        self.spans.append((first_s, last_s))

    def end_part(self, period_s: float) -> None:
        gap_s = GAP_PERIODS * max(period_s, median(self.periods) if self.periods else 0.0)
        self.gaps_s += [gap_s] * (len(self.samples) - len(self.gaps_s))
        self.periods.clear()

    def points(self, name: str, unit: str | None, filled: Sequence[Span] = ()) -> SeriesPoints:
        """The points with a NaN in each gap; what the load profile filled is none."""
        time_s, low, mean, high = array("d"), array("d"), array("d"), array("d")
        previous_s, previous_gap_s = math.inf, 0.0
        for place, (sample, (first_s, last_s), gap_s) in enumerate(
            zip(self.samples, self.spans, self.gaps_s, strict=True)
        ):
            allowed_s = max(gap_s, previous_gap_s) or math.inf
            silent_s = first_s - previous_s
            if silent_s > allowed_s:
                allowed_s = max(allowed_s, GAP_PERIODS * self._usual_around(place))
            if silent_s > allowed_s and silent_s - _covered(filled, previous_s, first_s) > allowed_s:
                time_s.append((previous_s + first_s) / 2)
                for values in (low, mean, high):
                    values.append(math.nan)
            time_s.append(sample.time_s)
            low.append(sample.minimum)
            mean.append(sample.mean)
            high.append(sample.maximum)
            previous_s, previous_gap_s = last_s, gap_s
        return SeriesPoints(name, unit, time_s, low, mean, high, tuple(filled))

    def _usual_around(self, place: int) -> float:
        """The period of the points around one: what was read each 5 s now may have been read each minute before."""
        before = self.own_periods[max(0, place - _AROUND) : place]
        after = self.own_periods[place + 1 : place + 1 + _AROUND]
        sides = [[period_s for period_s in side if period_s < math.inf] for side in (before, after)]
        return max((median_low(side) for side in sides if len(side) > _AROUND // 2), default=0.0)


def _covered(spans: Sequence[Span], start_s: float, end_s: float) -> float:
    """Seconds of a span that `spans`, sorted, lie over."""
    place = max(0, bisect_right(spans, (start_s, math.inf)) - 1)
    covered_s = 0.0
    for from_s, until_s in islice(spans, place, None):
        if from_s >= end_s:
            break
        covered_s += max(0.0, min(until_s, end_s) - max(from_s, start_s))
    return covered_s


def points(
    connection: Connection,
    kind: Kind,
    owner: str,
    fields: Sequence[str],
    start_s: float,
    end_s: float,
    max_points: int,
) -> list[SeriesPoints]:
    """Points of several series of one owner from `start_s` to before `end_s`, at most `max_points` and the gaps each.

    Raises StoreError for a field that there is not, and for a register that there is not.
    """
    for name in fields:
        check_field(kind, owner, name)
    lines = [_Line() for _name in fields]
    filled: list[Span] = []
    number = owner_id(connection, kind, owner)
    if number is None and kind is REGISTER:
        raise no_series(kind.series_name(owner, "value"))
    if number is not None and fields and end_s > start_s:
        cursor = connection.connection.cursor()
        try:
            levels = Levels(cursor, kind, number)
            parts = _pieces(levels, start_s, end_s, max_points)
            for piece, share in zip(parts, _shares(parts, max_points), strict=True):
                _gather(cursor, levels, piece, fields, share, lines)
            if kind is METER:
                filled = profiles.filled_spans(cursor, number, start_s, end_s)
        finally:
            cursor.close()
    return [
        line.points(kind.series_name(owner, name), unit_of(connection, kind, owner, name), filled)
        for name, line in zip(fields, lines, strict=True)
    ]


def _pieces(levels: Levels, start_s: float, end_s: float, max_points: int) -> list[Piece]:
    """The parts of a plot: the coarsest level that still has a bucket for each point; rows where they are few."""
    ends = levels.ends()
    if ends is None:
        return []
    start_s, end_s = max(start_s, ends[0]), min(end_s, math.nextafter(ends[1], math.inf))
    if end_s <= start_s:
        return []
    ladder = levels.kind.ladder
    width_s = (end_s - start_s) / max_points
    wanted = max(place for place, level in enumerate(ladder) if place == 0 or level.period_s <= width_s)
    for place in range(wanted):
        if levels.kept_from(place) <= start_s and levels.rows_at_most(place, start_s, end_s, max_points):
            wanted = place
            break
    return levels.pieces(start_s, end_s, wanted, most=max(1, max_points // _STRETCH_POINTS))


def _shares(parts: Sequence[Piece], max_points: int) -> list[int]:
    """How many points each part gets: one, and more by its length; the longest one what is left."""
    if not parts:
        return []
    lengths = [piece.end_s - piece.start_s for piece in parts]
    whole_s, free = sum(lengths), max(0, max_points - len(parts))
    shares = [1 + int(free * length / whole_s) for length in lengths]
    longest = lengths.index(max(lengths))
    shares[longest] = max(1, max_points - sum(shares) + shares[longest])
    return shares


def _gather(
    cursor: Any, levels: Levels, piece: Piece, fields: Sequence[str], max_points: int, lines: Sequence[_Line]
) -> None:
    kind, level = levels.kind, piece.level
    time, middle_s = level.time, level.period_s / 2
    triples = [_figure_columns(kind, level, name) for name in fields]
    where = f"FROM {level.table.name} WHERE {kind.owner_id} = ? AND {time} >= ? AND {time} < ?"
    columns = ", ".join(", ".join(triple) for triple in triples)
    span = (levels.owner, piece.start_s, piece.end_s)
    # SQL of our own names alone; owner and times are bound
    cursor.execute(f"SELECT {time}, {columns} {where} ORDER BY {time} LIMIT ?", (*span, max_points + 1))
    rows = cursor.fetchall()
    if len(rows) <= max_points:
        for row in rows:
            for index, line in enumerate(lines):
                low, mean, high = row[1 + 3 * index : 4 + 3 * index]
                if mean is not None:
                    line.add(row[0] + middle_s, row[0] + middle_s, 1, (low, mean, high))
    else:
        del rows
        figures = ", ".join(
            f"count({mean}), min({low}), {' / '.join(_weighted(kind, level, mean))}, max({high})"
            for low, mean, high in triples
        )
        statement = f"SELECT min({time}), max({time}), {figures} {where}"
        start_s, end_s = _span_of_rows(cursor, time, where, span)
        width_s = (end_s - start_s) / max_points
        for bucket in range(max_points):
            from_s = start_s + bucket * width_s
            until_s = start_s + (bucket + 1) * width_s if bucket + 1 < max_points else math.nextafter(end_s, math.inf)
            row = cursor.execute(statement, (levels.owner, from_s, until_s)).fetchone()
            for index, line in enumerate(lines):
                count, low, mean, high = row[2 + 4 * index : 6 + 4 * index]
                if count:
                    line.add(row[0] + middle_s, row[1] + middle_s, count, (low, mean, high))
    for line in lines:
        line.end_part(level.period_s)


def _span_of_rows(cursor: Any, time: str, where: str, span: tuple[int, float, float]) -> Span:
    """First and last time of the rows in `span`: no bucket is spent where there is nothing."""
    first_s = cursor.execute(f"SELECT {time} {where} ORDER BY {time} LIMIT 1", span).fetchone()
    last_s = cursor.execute(f"SELECT {time} {where} ORDER BY {time} DESC LIMIT 1", span).fetchone()
    return float(first_s[0]), float(last_s[0])


def sample_statements(
    connection: Connection, kind: Kind, owner: str, name: str, start_s: float, end_s: float, step_s: float | None
) -> list[tuple[str, tuple[float, ...]]]:
    """What to ask, one after the other, for the rows of one series, oldest first; `step_s` as in `History.samples`.

    Each row is time, least, sum, greatest and the weight of the sum: two of one time, one after the other, are parts
    of one step.
    """
    number = owner_id(connection, kind, owner)
    if number is None:
        if kind is REGISTER:
            raise no_series(kind.series_name(owner, name))
        return []
    cursor = connection.connection.cursor()
    try:
        levels = Levels(cursor, kind, number)
        fits = [place for place, level in enumerate(kind.ladder) if place and step_s and not step_s % level.period_s]
        pieces = levels.pieces(start_s, end_s, max(fits, default=0)) if end_s > start_s else []
    finally:
        cursor.close()
    statements: list[tuple[str, tuple[float, ...]]] = []
    for level, from_s, until_s in pieces:
        # names are those of our own schema; owner and times are bound
        low, mean, high = _figure_columns(kind, level, name)
        where = (
            f"FROM {level.table.name} WHERE {kind.owner_id} = ? AND {level.time} >= ? AND {level.time} < ?"
            f" AND {mean} IS NOT NULL"
        )
        if step_s is None:
            statement = f"SELECT {level.time}, {low}, {mean}, {high}, 1 {where} ORDER BY {level.time}"
            statements.append((statement, (number, from_s, until_s)))
        else:
            total, weight = _weighted(kind, level, mean)
            statement = (
                f"SELECT CAST({level.time} / ? AS INTEGER) * ? AS step, min({low}), {total}, max({high}), {weight}"
                f" {where} GROUP BY step ORDER BY step"
            )
            statements.append((statement, (step_s, step_s, number, from_s, until_s)))
    return statements


def samples_of(rows: Iterable[tuple[float, float, float, float, float]]) -> Iterator[Sample]:
    """Samples of the rows that `sample_statements` asks for; parts of one step are made one."""
    held: tuple[float, float, float, float, float] | None = None
    for row in rows:
        if held is not None and row[0] == held[0]:
            held = (row[0], min(held[1], row[1]), held[2] + row[2], max(held[3], row[3]), held[4] + row[4])
            continue
        if held is not None:
            yield Sample(float(held[0]), float(held[1]), held[2] / held[4], float(held[3]))
        held = row
    if held is not None:
        yield Sample(float(held[0]), float(held[1]), held[2] / held[4], float(held[3]))


def is_simulated(connection: Connection, meter: str, start_s: float, end_s: float) -> bool:
    """True where a row of `meter` in the range was made by a simulator."""
    number = owner_id(connection, METER, meter)
    if number is None or end_s <= start_s:
        return False
    cursor = connection.connection.cursor()
    try:
        for level, from_s, until_s in Levels(cursor, METER, number).pieces(start_s, end_s, len(METER.ladder) - 1):
            cursor.execute(
                f"SELECT 1 FROM {level.table.name} WHERE meter_id = ? AND {level.time} >= ? AND {level.time} < ?"  # noqa: S608 -- names of our own schema
                " AND is_simulated LIMIT 1",
                (number, from_s, until_s),
            )
            if cursor.fetchone() is not None:
                return True
    finally:
        cursor.close()
    return False
