"""A year of a meter at 1 Hz as 2,000 points, its energy by hours, and the list of the series of 2,000 machines.

The last week is written row by row and rolled up by the product's own code. The 358 days before are put into the
quarters of an hour as retention would have left them, and the product makes their hours and days. The floor is what
most programs do, a GROUP BY over the rows; a year of those would take this bench ten minutes, so it is measured over
the week and taken 52 times.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from pathlib import Path

from bench import Row
from bench.turns import timed
from core.records import Measurement, MeterIdentity, MeterReadings
from core.store import stale
from core.store.connection import writing
from core.store.history import History
from core.store.kinds import MACHINE, METER

DAYS = 365
RAW_DAYS = 7
DAY_S = 86_400
END_S = 1_700_006_400
START_S = END_S - DAYS * DAY_S
RAW_S = END_S - RAW_DAYS * DAY_S
BATCH = 5_000
POINTS = 2_000
READ = ("voltage_l1_v", "voltage_l2_v", "voltage_l3_v", "active_power_w")
MACHINES = 2_000


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as name, History.open(Path(name) / "history.db") as history:
        begun_s = time.perf_counter()
        write_week(history)
        put_quarters(history)
        written_s = time.perf_counter() - begun_s
        steps = []
        while True:
            begun_s = time.perf_counter()
            if not history.fold_step(END_S + 2 * DAY_S):
                break
            steps.append((time.perf_counter() - begun_s) * 1e3)
        year = timed(lambda: read(history, START_S))
        week = timed(lambda: read(history, RAW_S))
        energy = timed(lambda: read_energy(history))
        floor_ms = group_by(history) * DAYS / RAW_DAYS
        put_machines(history)
        listed = timed(lambda: list_series(history))
    made = (
        f"{RAW_DAYS} days of rows, {DAYS - RAW_DAYS} of quarters in {written_s:.0f} s; rolled up in {len(steps)} steps"
    )
    return [
        row("history: 1 year at 1 Hz × 4 to points, peer: GROUP BY", year, floor_ms, 100, made),
        row("history: 7 days at 1 Hz × 4 to points", week, None, 100, "out of minutes"),
        row("history: energy of a year by hours", energy, None, 50, f"{DAYS * 24} differences of the register"),
        row("history: list of the 20,000 series of 2,000 machines", listed, None, 200, "and those of a meter"),
        row(
            "history: the database is held by a step of roll-ups",
            sorted(steps),
            None,
            50,
            f"slowest of 99 in 100 {sorted(steps)[int(len(steps) * 0.99)]:.0f} ms, of all {max(steps):.0f} ms; "
            f"{sum(steps) / 1e3:.1f} s in all",
        ),
    ]


def row(work: str, turns_ms: list[float], peer_ms: float | None, goal_ms: float, note: str) -> Row:
    ours = statistics.median(turns_ms)
    return Row(
        work,
        ours,
        peer_ms,
        None if peer_ms is None else peer_ms / ours,
        "ms",
        f"≤ {goal_ms:.0f} ms",
        ours <= goal_ms,
        f"median of {len(turns_ms)}, slowest {max(turns_ms):.0f} ms; {note}",
    )


def at(time_s: float) -> tuple[float, float, float, float, float]:
    """Voltages, power and register of a moment."""
    swing = math.sin(time_s / 13_000)
    return 230 + swing, 231 - swing, 229 + 2 * swing, 2_000 + 1_500 * swing, (time_s - START_S) * 0.5


def write_week(history: History) -> None:
    who = MeterIdentity(manufacturer="LGZ")
    for begin in range(RAW_S, END_S, BATCH):
        records = []
        for time_s in range(begin, min(begin + BATCH, END_S)):
            one, two, three, power, wh = at(time_s)
            measured = Measurement(
                voltage_l1_v=one,
                voltage_l2_v=two,
                voltage_l3_v=three,
                active_power_w=power,
                active_energy_import_wh=wh,
            )
            records.append(
                MeterReadings(
                    name="main", protocol="push", meter=who, time_s=float(time_s), readings=(), measurement=measured
                )
            )
        history.write(records)


def put_quarters(history: History) -> None:
    """What retention leaves of the days before the rows."""
    quarters, hours = METER.ladder[2], METER.ladder[3]
    columns = ["meter_id", "quarter_s", "samples", "first_s", "last_s", "quality", "is_simulated"]
    columns += [f"{field}_{figure}" for field in READ for figure in ("min", "mean", "max")]
    columns += [f"active_energy_import_wh_{part}" for part in ("min", "mean", "max", "first", "last", "used")]
    rows = []
    for time_s in range(START_S, RAW_S, 900):
        values = at(time_s)
        figures = [value + more for value in values[:4] for more in (-1.0, 0.0, 1.0)]
        wh = values[4]
        counted = (wh, wh + 225, wh + 449.5, wh, wh + 449.5, 449.5)
        rows.append((1, time_s, 900, time_s, time_s + 899, 0, 0, *figures, *counted))
    with writing(history._connection) as connection:
        connection.exec_driver_sql(
            f"INSERT INTO {quarters.table.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", rows
        )
        cursor = connection.connection.cursor()
        stale.note(cursor, METER, hours, [(1, START_S, RAW_S)])
        for level in METER.ladder[:2]:
            stale.removed_before(cursor, METER, level, 1, RAW_S)
        cursor.close()


def put_machines(history: History) -> None:
    """A quarter of an hour of minutes of each machine, and what is noted of its years."""
    minutes = [(number, END_S + 60 * minute) for number in range(1, MACHINES + 1) for minute in range(15)]
    fields = list(MACHINE.fields)
    figures = [f"{field}_{figure}" for field in fields for figure in ("min", "mean", "max")]
    with writing(history._connection) as connection:
        connection.exec_driver_sql(
            "INSERT INTO machines (id, name, is_configured, host, port, groups, notes, is_local)"
            " VALUES (?, ?, 1, 'h', 1, '[]', '', 0)",
            [(number, f"machine-{number:04}") for number in range(1, MACHINES + 1)],
        )
        connection.exec_driver_sql(
            f"INSERT INTO machine_minutes (machine_id, minute_s, samples, {', '.join(figures)})"
            f" VALUES (?, ?, 12{', 1.5' * len(figures)})",
            minutes,
        )
        connection.exec_driver_sql(
            "INSERT INTO series_spans (kind, owner_id, field, first_s, last_s, samples)"
            " VALUES ('machine', ?, ?, ?, ?, ?)",
            [(number, field, START_S, END_S, 6_307_200) for number in range(1, MACHINES + 1) for field in fields],
        )
        cursor = connection.connection.cursor()
        stale.note_times(cursor, MACHINE, [(number, float(minute_s)) for number, minute_s in minutes])
        cursor.close()


def read(history: History, start_s: float) -> None:
    points = history.meter_points("main", READ, start_s, END_S, POINTS)
    if any(not POINTS * 0.9 <= len(series.time_s) <= POINTS + 10 for series in points):
        raise AssertionError([len(series.time_s) for series in points])


def read_energy(history: History) -> None:
    parts = history.energy("main", [START_S + 3600.0 * hour for hour in range(DAYS * 24 + 1)])
    total = sum(part or 0.0 for part in parts)
    if None in parts or abs(total - DAYS * DAY_S * 0.5) > 1:
        raise AssertionError(total)


def list_series(history: History) -> None:
    if len(history.series()) != MACHINES * len(MACHINE.fields) + 5:
        raise AssertionError(len(history.series()))


def group_by(history: History) -> float:
    """Milliseconds for the rows of the week as points by the plain way."""
    figures = ", ".join(f"min({field}), avg({field}), max({field})" for field in READ)
    width_s = RAW_DAYS * DAY_S / POINTS
    begun_s = time.perf_counter()
    cursor = history._connection.connection.cursor()
    cursor.execute(
        f"SELECT CAST((time_s - ?) / ? AS INTEGER) AS bucket, {figures} FROM measurements"
        " WHERE meter_id = 1 AND time_s >= ? AND time_s < ? GROUP BY bucket",
        (RAW_S, width_s, RAW_S, END_S),
    )
    cursor.fetchall()
    cursor.close()
    return (time.perf_counter() - begun_s) * 1e3
