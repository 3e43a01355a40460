"""Retention: what is too old as it came is folded into quarters of an hour, and quarters, commands, events end too.

Each transaction folds and removes at most some hours of one owner, so that nobody waits long for the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from sqlalchemy import Connection, delete, func, select

from core.store import schema
from core.store.connection import reading, writing
from core.store.reading import MACHINE, METER, QUARTER_S, Kind, owners
from core.store.schema import FIGURES

DAY_S = 86400

STEP_S = 8 * QUARTER_S
"""A transaction folds so much at most: 7,200 rows of a meter at 1 Hz."""


class Retention(Protocol):
    """Days that rows are kept."""

    @property
    def raw_days(self) -> int:
        """Meter readings as they came."""

    @property
    def minute_days(self) -> int:
        """Minutes of machines."""

    @property
    def quarter_days(self) -> int:
        """Quarters of an hour, commands and events."""


def retention_steps(connection: Connection, retention: Retention, now_s: float) -> Iterator[int]:
    """Fold and remove what is older than `retention` says, a short transaction a step; rows removed by each."""
    yield from _fold(connection, METER, now_s - retention.raw_days * DAY_S)
    yield from _fold(connection, MACHINE, now_s - retention.minute_days * DAY_S)
    before_s = now_s - retention.quarter_days * DAY_S
    for table, time in (
        (schema.measurement_quarters, "quarter_s"),
        (schema.machine_quarters, "quarter_s"),
        (schema.commands, "time_s"),
        (schema.events, "time_s"),
    ):
        with writing(connection):
            removed = connection.execute(delete(table).where(table.c[time] < before_s)).rowcount
        yield removed


def _fold(connection: Connection, kind: Kind, before_s: float) -> Iterator[int]:
    before_s = before_s // QUARTER_S * QUARTER_S
    with reading(connection):
        numbers = list(owners(connection, kind))
    when = kind.fine.c[kind.fine_time]
    statement = _fold_statement(kind)
    for number in numbers:
        is_owners = kind.fine.c[kind.owner_id] == number
        while True:
            with writing(connection):
                first_s = connection.execute(select(func.min(when)).where(is_owners)).scalar()
                if first_s is None or first_s >= before_s:
                    break
                until_s = min(before_s, first_s // STEP_S * STEP_S + STEP_S)
                connection.exec_driver_sql(statement, (number, until_s))
                removed = connection.execute(delete(kind.fine).where(is_owners, when < until_s)).rowcount
            yield removed


def _fold_statement(kind: Kind) -> str:
    """Quarters of the rows of one owner before a time; all names are those of our own schema."""
    time, is_meter = kind.fine_time, kind is METER
    parts = {
        kind.owner_id: kind.owner_id,
        "quarter_s": f"CAST({time} / {QUARTER_S} AS INTEGER) * {QUARTER_S} AS quarter",
        "samples": "count(*)" if is_meter else "sum(samples)",
    }
    if is_meter:
        parts |= {"quality": "max(quality)", "is_simulated": "max(is_simulated)"}
    for field in kind.fields:
        low, mean, high = (f"{field}_{figure}" for figure in FIGURES)
        if is_meter:
            parts |= {low: f"min({field})", mean: f"avg({field})", high: f"max({field})"}
        else:
            weights = f"sum(CASE WHEN {mean} IS NOT NULL THEN samples END)"
            parts |= {low: f"min({low})", mean: f"sum({mean} * samples) / {weights}", high: f"max({high})"}
    return (
        f"INSERT INTO {kind.quarters.name} ({', '.join(parts)}) SELECT {', '.join(parts.values())} "  # noqa: S608 -- names of our own schema
        f"FROM {kind.fine.name} WHERE {kind.owner_id} = ? AND {time} < ? GROUP BY quarter ON CONFLICT DO NOTHING"
    )
