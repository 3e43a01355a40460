"""Which machines did something at a moment: the series that changed most against what was usual just before."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from core.records import Mover
from core.store.kinds import MACHINE, Level

_FLOORS = {"%": 2.0, "B/s": 100_000.0, "B": 50e6, None: 3.0}
"""A change of less than this is none, whatever is usual: in the unit of the series."""

_SHARE = 0.05
"""Nor is one of less than a twentieth of the value."""

_FIELDS = tuple(MACHINE.fields)


def moved(connection: Connection, at_s: float, before_s: float, after_s: float, limit: int) -> list[Mover]:
    """The series of machines that changed most from the time before `at_s` to the time after it, most first.

    Out of the minutes, where they are gone out of the quarters of an hour. `score` is the change in units of how much
    the series spread before.
    """
    cursor = connection.connection.cursor()
    try:
        for level in MACHINE.ladder[:2]:
            begin_s = level.floor(at_s)
            first_s = min(level.floor(at_s - before_s), begin_s - level.period_s)
            rows = _rows(cursor, level, begin_s, first_s, level.ceil(at_s + after_s))
            if rows:
                break
    finally:
        cursor.close()
    found = []
    for machine, *figures in rows:
        for place, field in enumerate(_FIELDS):
            mover = _mover(machine, field, *figures[5 * place : 5 * place + 5])
            if mover is not None:
                found.append(mover)
    found.sort(key=lambda mover: (-mover.score, mover.series))
    return found[:limit]


def _rows(cursor: Any, level: Level, begin_s: int, first_s: int, end_s: int) -> list[Any]:
    is_before = f"x.{level.time} < {begin_s}"
    figures = ", ".join(
        f"avg(CASE WHEN {is_before} THEN {field}_mean END), min(CASE WHEN {is_before} THEN {field}_mean END),"
        f" max(CASE WHEN {is_before} THEN {field}_mean END),"
        f" min(CASE WHEN NOT {is_before} THEN {field}_mean END), max(CASE WHEN NOT {is_before} THEN {field}_mean END)"
        for field in _FIELDS
    )
    cursor.execute(  # names of our own schema, and whole numbers
        f"SELECT m.name, {figures} FROM machines m CROSS JOIN {level.table.name} x ON x.machine_id = m.id"  # noqa: S608 -- as said
        f" AND x.{level.time} >= ? AND x.{level.time} < ? GROUP BY m.id",
        (first_s, end_s),
    )
    rows: list[Any] = cursor.fetchall()
    return rows


def _mover(
    machine: str,
    field: str,
    before: float | None,
    lowest: float | None,
    highest: float | None,
    low: float | None,
    high: float | None,
) -> Mover | None:
    if before is None or lowest is None or highest is None or low is None or high is None:
        return None
    during = high if high - before >= before - low else low
    unit = MACHINE.fields[field]
    floor = max(_FLOORS[unit], _SHARE * max(abs(before), abs(during)))
    change = abs(during - before)
    if change < floor:
        return None
    score = change / max(floor, (highest - lowest) / 2)
    return Mover(series=MACHINE.series_name(machine, field), unit=unit, before=before, during=during, score=score)
