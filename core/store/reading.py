"""Reads series out of the history: raw where they are few, else the least, mean and greatest of each column of a plot.

A range is read through the clustered key, one statement a bucket: no sorting, no row made in Python, so that a day at
1 Hz costs some 50 ms. What is older than the raw rows is answered from the quarters of an hour.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, func, select

from core.records import SeriesInfo, SeriesPoints
from core.store.kinds import CHECK, MACHINE, METER, QUARTER_S, SENSOR, Kind, check_field
from core.store.schema import FIGURES

GAP_PERIODS = 3
"""A distance of more than so many usual periods is a gap."""

BEFORE_S = 3600.0
"""A register's last value so long before a day began stands for its value at that moment."""


class Sample(NamedTuple):
    """One row of one series; a raw value is all three."""

    time_s: float
    minimum: float
    mean: float
    maximum: float


def series(connection: Connection) -> list[SeriesInfo]:
    """All series that have a value: of meters, machines, sensors and checks, each by name."""
    found: dict[str, SeriesInfo] = {}
    for kind in (METER, MACHINE, SENSOR, CHECK):
        units = _own_units(connection) if kind is SENSOR else {}
        for table, time in ((kind.quarters, "quarter_s"), (kind.fine, kind.fine_time)):
            for owner, spans in _spans(connection, kind, table, time):
                for name, count, first_s, last_s in spans:
                    full = kind.series_name(owner, name)
                    known = found.get(full)
                    if known is not None:
                        first_s, last_s = min(first_s, known.first_s), max(last_s, known.last_s)
                        count += known.count
                    found[full] = SeriesInfo(
                        name=full,
                        unit=units.get(owner, kind.fields[name]),
                        first_s=first_s,
                        last_s=last_s,
                        count=count,
                    )
    return list(found.values())


def _spans(
    connection: Connection, kind: Kind, table: Table, time: str
) -> Iterator[tuple[str, list[tuple[str, int, float, float]]]]:
    """For each owner, by name: field, count, first and last time of the fields that have a value in `table`."""
    when = table.c[time]
    columns = {name: table.c[_figure_columns(kind, table, name)[1]] for name in kind.fields}
    for number, owner in owners(connection, kind).items():
        is_owners = table.c[kind.owner_id] == number
        counts = connection.execute(select(*map(func.count, columns.values())).where(is_owners)).one()
        spans = []
        for (name, column), count in zip(columns.items(), counts, strict=True):
            if count:  # first and last are two seeks from the ends, not two more passes
                rows = select(when).where(is_owners, column.is_not(None)).limit(1)
                first_s = connection.execute(rows.order_by(when)).scalar_one()
                last_s = connection.execute(rows.order_by(when.desc())).scalar_one()
                spans.append((name, count, float(first_s), float(last_s)))
        yield owner, spans


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
    if kind is not SENSOR:
        return kind.fields[name]
    table = kind.owners
    unit: str | None = connection.execute(select(table.c.unit).where(table.c.name == owner)).scalar()
    return unit


def _own_units(connection: Connection) -> dict[str, str | None]:
    table = SENSOR.owners
    return {row.name: row.unit for row in connection.execute(select(table.c.name, table.c.unit))}


def _figure_columns(kind: Kind, table: Table, name: str) -> tuple[str, str, str]:
    """Columns of the least, mean and greatest; a raw value is all three."""
    if kind.is_raw and table is kind.fine:
        return name, name, name
    low, mean, high = (f"{name}_{figure}" for figure in FIGURES)
    return low, mean, high


@dataclass(slots=True)
class _Line:
    """Points of one series while they are gathered, and where each begins and ends.

    Fine rows and quarters have periods of their own: each part says after how long there is a gap.
    """

    samples: list[Sample] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)
    gaps_s: list[float] = field(default_factory=list)
    periods: list[float] = field(default_factory=list)

    def add(self, first_s: float, last_s: float, count: int, figures: tuple[float, float, float]) -> None:
        if count > 1 and last_s > first_s:
            self.periods.append((last_s - first_s) / (count - 1))
        elif len(self.spans) > len(self.gaps_s):  # not the first one of its part
            self.periods.append(first_s - self.spans[-1][1])
        self.samples.append(Sample((first_s + last_s) / 2, *figures))
        self.spans.append((first_s, last_s))

    def end_part(self) -> None:
        gap_s = GAP_PERIODS * median(self.periods) if self.periods else math.inf
        self.gaps_s += [gap_s] * (len(self.samples) - len(self.gaps_s))
        self.periods.clear()

    def points(self, name: str, unit: str | None) -> SeriesPoints:
        """The points with a NaN in each gap."""
        time_s, low, mean, high = array("d"), array("d"), array("d"), array("d")
        previous_s, previous_gap_s = math.inf, 0.0
        for sample, (first_s, last_s), gap_s in zip(self.samples, self.spans, self.gaps_s, strict=True):
            if first_s - previous_s > max(gap_s, previous_gap_s):
                time_s.append((previous_s + first_s) / 2)
                for values in (low, mean, high):
                    values.append(math.nan)
            time_s.append(sample.time_s)
            low.append(sample.minimum)
            mean.append(sample.mean)
            high.append(sample.maximum)
            previous_s, previous_gap_s = last_s, gap_s
        return SeriesPoints(name, unit, time_s, low, mean, high)


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

    Raises StoreError for a field that there is not.
    """
    for name in fields:
        check_field(kind, owner, name)
    lines = [_Line() for _name in fields]
    number = owner_id(connection, kind, owner)
    if number is not None and fields and end_s > start_s:
        fine_from_s = _first_fine(connection, kind, number)
        if start_s < fine_from_s:
            until_s = min(end_s, fine_from_s)
            share = max(1, round(max_points * (until_s - start_s) / (end_s - start_s)))
            _gather(connection, kind, kind.quarters, number, fields, (start_s, until_s), share, lines)
        if end_s > fine_from_s:
            from_s = max(start_s, fine_from_s)
            share = max(1, round(max_points * (end_s - from_s) / (end_s - start_s)))
            _gather(connection, kind, kind.fine, number, fields, (from_s, end_s), share, lines)
    return [
        line.points(kind.series_name(owner, name), unit_of(connection, kind, owner, name))
        for name, line in zip(fields, lines, strict=True)
    ]


def _first_fine(connection: Connection, kind: Kind, number: int) -> float:
    first = connection.execute(
        select(func.min(kind.fine.c[kind.fine_time])).where(kind.fine.c[kind.owner_id] == number)
    ).scalar()
    return math.inf if first is None else float(first)


def _gather(
    connection: Connection,
    kind: Kind,
    table: Table,
    number: int,
    fields: Sequence[str],
    span: tuple[float, float],
    max_points: int,
    lines: Sequence[_Line],
) -> None:
    time = kind.fine_time if table is kind.fine else "quarter_s"
    middle_s = (kind.fine_period_s if table is kind.fine else QUARTER_S) / 2
    triples = [_figure_columns(kind, table, name) for name in fields]
    where = f"FROM {table.name} WHERE {kind.owner_id} = ? AND {time} >= ? AND {time} < ?"
    columns = ", ".join(", ".join(triple) for triple in triples)
    cursor = connection.connection.cursor()
    try:
        # SQL of our own names alone; owner and times are bound
        cursor.execute(f"SELECT {time}, {columns} {where} ORDER BY {time} LIMIT ?", (number, *span, max_points + 1))
        rows = cursor.fetchall()
        if len(rows) <= max_points:
            for row in rows:
                for index, line in enumerate(lines):
                    low, mean, high = row[1 + 3 * index : 4 + 3 * index]
                    if mean is not None:
                        line.add(row[0] + middle_s, row[0] + middle_s, 1, (low, mean, high))
            return
        del rows
        figures = ", ".join(f"count({mean}), min({low}), avg({mean}), max({high})" for low, mean, high in triples)
        statement = f"SELECT min({time}), max({time}), {figures} {where}"
        start_s, end_s = _span_of_rows(cursor, time, where, number, span)
        width_s = (end_s - start_s) / max_points
        for bucket in range(max_points):
            from_s = start_s + bucket * width_s
            until_s = start_s + (bucket + 1) * width_s if bucket + 1 < max_points else math.nextafter(end_s, math.inf)
            row = cursor.execute(statement, (number, from_s, until_s)).fetchone()
            for index, line in enumerate(lines):
                count, low, mean, high = row[2 + 4 * index : 6 + 4 * index]
                if count:
                    line.add(row[0] + middle_s, row[1] + middle_s, count, (low, mean, high))
    finally:
        cursor.close()
        for line in lines:
            line.end_part()


def _span_of_rows(cursor: Any, time: str, where: str, number: int, span: tuple[float, float]) -> tuple[float, float]:
    """First and last time of the rows in `span`: no bucket is spent where there is nothing."""
    first_s = cursor.execute(f"SELECT {time} {where} ORDER BY {time} LIMIT 1", (number, *span)).fetchone()
    last_s = cursor.execute(f"SELECT {time} {where} ORDER BY {time} DESC LIMIT 1", (number, *span)).fetchone()
    return float(first_s[0]), float(last_s[0])


def sample_statements(
    connection: Connection, kind: Kind, owner: str, name: str, start_s: float, end_s: float, step_s: float | None
) -> list[tuple[str, tuple[float, ...]]]:
    """What to ask, one after the other, for the rows of one series, oldest first; `step_s` as in `History.samples`."""
    number = owner_id(connection, kind, owner)
    if number is None:
        return []
    fine_from_s = _first_fine(connection, kind, number)
    statements: list[tuple[str, tuple[float, ...]]] = []
    for table, time, from_s, until_s in (
        (kind.quarters, "quarter_s", start_s, min(end_s, fine_from_s)),
        (kind.fine, kind.fine_time, max(start_s, fine_from_s), end_s),
    ):
        if from_s >= until_s:
            continue
        # names are those of our own schema; owner and times are bound
        low, mean, high = _figure_columns(kind, table, name)
        where = f"FROM {table.name} WHERE {kind.owner_id} = ? AND {time} >= ? AND {time} < ? AND {mean} IS NOT NULL"
        if step_s is None:
            statement = f"SELECT {time}, {low}, {mean}, {high} {where} ORDER BY {time}"
            statements.append((statement, (number, from_s, until_s)))
        else:
            figures = f"min({low}), avg({mean}), max({high})"
            statement = f"SELECT CAST({time} / ? AS INTEGER) * ? AS step, {figures} {where} GROUP BY step ORDER BY step"
            statements.append((statement, (step_s, step_s, number, from_s, until_s)))
    return statements


def is_simulated(connection: Connection, meter: str, start_s: float, end_s: float) -> bool:
    """True where a row of `meter` in the range was made by a simulator."""
    number = owner_id(connection, METER, meter)
    for table, time in ((METER.fine, METER.fine_time), (METER.quarters, "quarter_s")):
        when = table.c[time]
        rows = select(table.c.is_simulated).where(
            table.c.meter_id == number, when >= start_s, when < end_s, table.c.is_simulated
        )
        if connection.execute(rows.limit(1)).first() is not None:
            return True
    return False


def energy_since(connection: Connection, meter: str, start_s: float) -> float | None:
    """Wh counted by the import register since `start_s`; None where it said nothing since."""
    table = METER.fine
    register, when = table.c.active_energy_import_wh, table.c.time_s
    rows = select(register).where(
        table.c.meter_id == owner_id(connection, METER, meter), register.is_not(None), when >= start_s
    )
    last = connection.execute(rows.order_by(when.desc()).limit(1)).scalar()
    if last is None:
        return None
    before = select(register).where(
        table.c.meter_id == owner_id(connection, METER, meter),
        register.is_not(None),
        when >= start_s - BEFORE_S,
        when < start_s,
    )
    first = connection.execute(before.order_by(when.desc()).limit(1)).scalar()
    if first is None:
        first = connection.execute(rows.order_by(when).limit(1)).scalar_one()
    if last >= first:
        return float(last - first)
    values = [first, *connection.execute(rows.order_by(when)).scalars()]
    return float(sum(max(0.0, later - earlier) for earlier, later in pairwise(values)))
