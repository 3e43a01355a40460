"""Energy and cost of a meter out of its history: the account and the bars, before and after the roll-ups are made.

Thirty days of a row a minute, then ten of one in two seconds, as a database of an earlier form has them when it was
just migrated. The peer is the plain way: all values of the register of these days, their steps added up. That is one
number; an account has some 130, by hour, day and price. The floor is two values looked up for each of them.
"""

from __future__ import annotations

import statistics
import tempfile
from itertools import pairwise
from pathlib import Path

from bench import Row
from bench.turns import timed
from core.records import Measurement, MeterIdentity, MeterReadings
from core.services.energy_account import energy_account, energy_bars
from core.store.history import History
from core.tariffs import TariffConfig, TariffPeriod

DAY_S = 86_400
END_S = 1_700_006_400
FAST_S = END_S - 10 * DAY_S
START_S = END_S - 40 * DAY_S
NOW_S = END_S - 1_234.0
BATCH = 5_000
EDGES = 130
WATTS = 500.0
HOUSE = TariffConfig(
    name="house",
    time_zone="Europe/Paris",
    periods=(
        TariffPeriod(name="HC", price_per_kwh="0.1635", hours=("22:30-06:30",)),
        TariffPeriod(name="HP", price_per_kwh="0.2081"),
    ),
)


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as name, History.open(Path(name) / "history.db") as history:
        write_rows(history)
        plain_ms = statistics.median(timed(lambda: add_up(history), 3))
        floor_ms = statistics.median(timed(lambda: look_up(history), 3))
        rows = []
        for state, goal_ms in (("no roll-ups yet", 250), ("rolled up", 100)):
            account = timed(lambda: check_account(history))
            rows.append(row(f"energy account of a meter with a tariff, {state}", account, plain_ms, floor_ms, goal_ms))
            for unit in ("hour", "day", "month"):
                bars = timed(lambda unit=unit: energy_bars(history, "main", unit, NOW_S, tariff=HOUSE))
                rows.append(row(f"energy bars of each {unit}, {state}", bars, plain_ms, floor_ms, goal_ms))
            history.fold(END_S + 2.0 * DAY_S)
    return rows


def row(work: str, turns_ms: list[float], plain_ms: float, floor_ms: float, goal_ms: float) -> Row:
    ours = statistics.median(turns_ms)
    return Row(
        work,
        ours,
        plain_ms,
        plain_ms / ours,
        "ms",
        f"≤ {goal_ms:.0f} ms",
        ours <= goal_ms,
        f"median of {len(turns_ms)}, slowest {max(turns_ms):.0f} ms; floor: {EDGES} values looked up {floor_ms:.2g} ms",
    )


def write_rows(history: History) -> None:
    who = MeterIdentity(manufacturer="LGZ")
    times = [*range(START_S, FAST_S, 60), *range(FAST_S, END_S, 2)]
    for begin in range(0, len(times), BATCH):
        records = []
        for time_s in times[begin : begin + BATCH]:
            measured = Measurement(
                voltage_l1_v=230.0,
                voltage_l2_v=231.0,
                voltage_l3_v=229.0,
                active_power_w=WATTS,
                active_energy_import_wh=1e6 + (time_s - START_S) * WATTS / 3600.0,
                active_energy_export_wh=1e5,
            )
            records.append(
                MeterReadings(
                    name="main", protocol="push", meter=who, time_s=float(time_s), readings=(), measurement=measured
                )
            )
        history.write(records)


def check_account(history: History) -> None:
    account = energy_account(history, "main", HOUSE, NOW_S)
    expected_wh = (NOW_S - account.month.start_s) * WATTS / 3600.0
    if abs((account.month.import_wh or 0.0) - expected_wh) > 1 or not account.month.is_whole:
        raise AssertionError(account.month)


def add_up(history: History) -> float:
    """The energy of all days as most programs know it: every value read, the steps upwards added."""
    cursor = history._connection.connection.cursor()
    statement = "SELECT active_energy_import_wh FROM measurements WHERE meter_id = 1 AND time_s >= ? ORDER BY time_s"
    values = [value for (value,) in cursor.execute(statement, (START_S,))]
    cursor.close()
    return sum(max(0.0, later - earlier) for earlier, later in pairwise(values))


def look_up(history: History) -> None:
    """The values beside so many moments."""
    cursor = history._connection.connection.cursor()
    for number in range(EDGES):
        time_s = START_S + (END_S - START_S) * number / EDGES
        for order, sign in (("DESC", "<="), ("ASC", ">")):
            cursor.execute(
                "SELECT time_s, active_energy_import_wh FROM measurements"
                f" WHERE meter_id = 1 AND time_s {sign} ? ORDER BY time_s {order} LIMIT 1",
                (time_s,),
            ).fetchone()
    cursor.close()
