"""Retention: what is too old as it came is folded into quarters of an hour; quarters and all the rest end too.

Each transaction folds and removes at most some hours of one owner, so that nobody waits long for the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, func, select

from core.store import schema
from core.store.alarms import OPEN
from core.store.connection import reading, writing
from core.store.kinds import CHECK, MACHINE, METER, QUARTER_S, SENSOR, Kind
from core.store.schema import FIGURES

DAY_S = 86400

STEP_S = 8 * QUARTER_S
"""A transaction folds so much at most: 7,200 rows of a meter at 1 Hz."""


class Retention(Protocol):
    """Days that rows are kept."""

    @property
    def raw_days(self) -> int:
        """Meter readings, measures of sensors and results of checks as they came."""

    @property
    def minute_days(self) -> int:
        """Minutes of machines."""

    @property
    def quarter_days(self) -> int:
        """Quarters of an hour, commands, events, alarms, lines of the room."""


def retention_steps(connection: Connection, retention: Retention, now_s: float) -> Iterator[int]:
    """Fold and remove what is older than `retention` says, a short transaction a step; rows removed by each."""
    for kind in (METER, SENSOR, CHECK):
        yield from _fold(connection, kind, now_s - retention.raw_days * DAY_S)
    yield from _fold(connection, MACHINE, now_s - retention.minute_days * DAY_S)
    for table, is_over in _ends(now_s - retention.quarter_days * DAY_S):
        with writing(connection):
            removed = connection.execute(delete(table).where(is_over)).rowcount
        yield removed


def _ends(before_s: float) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """What is removed for good, in an order that the keys between the tables allow."""
    for kind in (METER, MACHINE, SENSOR, CHECK):
        yield kind.quarters, kind.quarters.c.quarter_s < before_s
    for table in (schema.commands, schema.events, schema.chat_lines):
        yield table, table.c.time_s < before_s
    alarms, series = schema.alarms, schema.sensor_series
    is_open = alarms.c.state.in_([state.value for state in OPEN])
    yield alarms, (alarms.c.changed_s < before_s) & ~is_open
    yield schema.maintenances, schema.maintenances.c.end_s < before_s
    yield series, (series.c.last_s < before_s) & ~_has_rows(SENSOR.fine) & ~_has_rows(SENSOR.quarters)


def _has_rows(table: Table) -> ColumnElement[bool]:
    return exists().where(table.c.series_id == schema.sensor_series.c.id)


def _fold(connection: Connection, kind: Kind, before_s: float) -> Iterator[int]:
    before_s = before_s // QUARTER_S * QUARTER_S
    when, owner = kind.fine.c[kind.fine_time], kind.fine.c[kind.owner_id]
    is_due = exists().where(owner == kind.owners.c.id, when < before_s)
    with reading(connection):
        numbers = connection.execute(select(kind.owners.c.id).where(is_due)).scalars().all()
    statement = _fold_statement(kind)
    for number in numbers:
        is_owners = owner == number
        while True:
            with writing(connection):
                first_s = connection.execute(select(func.min(when)).where(is_owners)).scalar()
                if first_s is None or first_s >= before_s:
                    break
                until_s = min(before_s, first_s // STEP_S * STEP_S + STEP_S)
                connection.exec_driver_sql(statement, (number, until_s))
                removed = connection.execute(delete(kind.fine).where(is_owners, when < until_s)).rowcount
                if kind is SENSOR:
                    counted = schema.sensor_series.update().where(schema.sensor_series.c.id == number)
                    connection.execute(counted.values(samples=schema.sensor_series.c.samples - removed))
            yield removed


def _fold_statement(kind: Kind) -> str:
    """Quarters of the rows of one owner before a time; all names are those of our own schema."""
    time = kind.fine_time
    parts = {
        kind.owner_id: kind.owner_id,
        "quarter_s": f"CAST({time} / {QUARTER_S} AS INTEGER) * {QUARTER_S} AS quarter",
        "samples": "count(*)" if kind.is_raw else "sum(samples)",
        **kind.folded,
    }
    for field in kind.fields:
        low, mean, high = (f"{field}_{figure}" for figure in FIGURES)
        if kind.is_raw:
            parts |= {low: f"min({field})", mean: f"avg({field})", high: f"max({field})"}
        else:
            weights = f"sum(CASE WHEN {mean} IS NOT NULL THEN samples END)"
            parts |= {low: f"min({low})", mean: f"sum({mean} * samples) / {weights}", high: f"max({high})"}
    return (
        f"INSERT INTO {kind.quarters.name} ({', '.join(parts)}) SELECT {', '.join(parts.values())} "  # noqa: S608 -- names of our own schema
        f"FROM {kind.fine.name} WHERE {kind.owner_id} = ? AND {time} < ? GROUP BY quarter ON CONFLICT DO NOTHING"
    )
