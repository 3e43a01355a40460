"""Measures of sensors: written fast and durably, since a sensor is answered only once they are on the disk."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from core.language import _
from core.site_records import SensorMeasure, SensorSummary
from core.store import stale
from core.store.connection import UnwritableError
from core.store.kinds import SENSOR
from core.store.schema import sensor_series

STEP_S = 1e-6
"""Of two measures of one series in the same moment the second is kept so much later: none is lost."""

KNOWN_LIMIT = 100_000
"""Series whose numbers are remembered at most."""

_NEAR_S = 1e-3

_INSERT = "INSERT INTO sensor_measures (series_id, time_s, value) VALUES (?, ?, ?)"
_COUNT = (
    "UPDATE sensor_series SET samples = samples + ?1, last_value = CASE WHEN ?2 >= last_s THEN ?3 ELSE last_value END,"
    " last_s = max(last_s, ?2) WHERE id = ?4"
)
_SIMULATED = "UPDATE sensor_series SET simulated_s = max(coalesce(simulated_s, ?1), ?1) WHERE id = ?2"
_ADD_SERIES = (
    "INSERT INTO sensor_series (name, sensor, quantity, unit, samples, last_s, last_value)"
    " VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6)"
    " ON CONFLICT (name) DO UPDATE SET unit = coalesce(excluded.unit, unit) RETURNING id"
)

Row = tuple[int, float, float]
"""Number of the series, time, value."""


def owner_of(sensor: str, quantity: str) -> str:
    """Name of a series within the sensors: `SENSOR/QUANTITY`, a slash in the quantity replaced."""
    return f"{sensor}/{quantity.replace('/', '_')}"


class MeasureWriter:
    """Writes measures on one connection; remembers the numbers of the series it has met."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, str], tuple[int, str | None]] = {}
        self._simulated: dict[int, float] = {}

    def forget(self) -> None:
        """Look all numbers up again: a transaction was undone, or another process removed a series."""
        self._known.clear()

    def write(self, measures: Sequence[SensorMeasure]) -> int:
        """Write all of them, inside the caller's transaction; their number. Raises UnwritableError for one that is NaN.

        Two of one series in the same moment are both kept, the second a microsecond later.
        """
        cursor = self._connection.connection.cursor()
        self._simulated.clear()
        try:
            rows = self._rows(cursor, measures)
            cursor.execute("SAVEPOINT measures")
            try:
                cursor.executemany(_INSERT, rows)
            except sqlite3.IntegrityError:  # a moment that is there already, or a series that another process removed
                cursor.execute("ROLLBACK TO measures")
                self.forget()
                rows = self._inserted_one_by_one(cursor, self._rows(cursor, measures))
            cursor.execute("RELEASE measures")
            cursor.executemany(_COUNT, _counts(rows))
            stale.note_times(cursor, SENSOR, ((series, time_s) for series, time_s, _value in rows))
            if self._simulated:
                cursor.executemany(_SIMULATED, [(time_s, series) for series, time_s in self._simulated.items()])
        finally:
            cursor.close()
        return len(rows)

    def _rows(self, cursor: Any, measures: Sequence[SensorMeasure]) -> list[Row]:
        """A row for each measure, in the order of the table, no two of one series at one time."""
        values: dict[tuple[int, float], float] = {}
        given: dict[tuple[int, float], float] = {}
        for measure in measures:
            if not (math.isfinite(measure.value) and math.isfinite(measure.time_s)):
                raise UnwritableError(
                    _("{value} of sensor {sensor} is no number that can be kept").format(
                        value=measure.value, sensor=measure.sensor
                    )
                )
            known = self._known.get((measure.sensor, measure.quantity))
            if known is None or (measure.unit is not None and measure.unit != known[1]):
                known = self._series(cursor, measure)
            key = (known[0], measure.time_s)
            if key in values:
                later_s = given.get(key, measure.time_s) + STEP_S
                while (known[0], later_s) in values:
                    later_s += STEP_S
                given[key] = later_s
                key = (known[0], later_s)
            values[key] = measure.value
            if measure.is_simulated:
                self._simulated[known[0]] = max(measure.time_s, self._simulated.get(known[0], measure.time_s))
        return sorted((series, time_s, value) for (series, time_s), value in values.items())

    def _series(self, cursor: Any, measure: SensorMeasure) -> tuple[int, str | None]:
        if len(self._known) >= KNOWN_LIMIT:
            self._known.clear()
        name = owner_of(measure.sensor, measure.quantity)
        quantity = name[len(measure.sensor) + 1 :]
        cursor.execute(_ADD_SERIES, (name, measure.sensor, quantity, measure.unit, measure.time_s, measure.value))
        known = (int(cursor.fetchone()[0]), measure.unit)
        self._known[measure.sensor, measure.quantity] = known
        return known

    def _inserted_one_by_one(self, cursor: Any, rows: Sequence[Row]) -> list[Row]:
        """The rows as they could be inserted: one whose moment is taken goes to the next one that is free."""
        inserted = []
        for series, wanted_s, value in rows:
            time_s = wanted_s
            while not cursor.execute(f"{_INSERT} ON CONFLICT DO NOTHING", (series, time_s, value)).rowcount:
                near = "SELECT max(time_s) FROM sensor_measures WHERE series_id = ? AND time_s >= ? AND time_s < ?"
                (last_s,) = cursor.execute(near, (series, time_s, time_s + _NEAR_S)).fetchone()
                time_s = last_s + STEP_S
            inserted.append((series, time_s, value))
        return inserted


def _counts(rows: Sequence[Row]) -> list[tuple[int, float, float, int]]:
    """For each series: how many came, time and value of the last one, its number. `rows` are sorted."""
    counts: dict[int, list[Any]] = {}
    for series, time_s, value in rows:
        found = counts.get(series)
        if found is None:
            counts[series] = [1, time_s, value]
        else:
            found[0] += 1
            found[1] = time_s
            found[2] = value
    return [(count, time_s, value, series) for series, (count, time_s, value) in counts.items()]


def is_simulated(connection: Connection, owner: str, start_s: float) -> bool:
    """True where a measure of the series `owner` was simulated at `start_s` or later."""
    last_s = select(sensor_series.c.simulated_s).where(sensor_series.c.name == owner)
    simulated_s: float | None = connection.execute(last_s).scalar()
    return simulated_s is not None and simulated_s >= start_s


def summaries(connection: Connection) -> list[SensorSummary]:
    """The last value of each series of each sensor, by name."""
    return [
        SensorSummary(
            sensor=row.sensor,
            quantity=row.quantity,
            value=row.last_value,
            unit=row.unit,
            time_s=row.last_s,
            count=row.samples,
            is_simulated=row.simulated_s is not None and row.last_s - row.simulated_s < _NEAR_S,
        )
        for row in connection.execute(select(sensor_series).order_by(sensor_series.c.name))
    ]
