"""What the roll-ups promise: at every moment a curve tells what the rows tell, whatever was made, late or removed."""

from __future__ import annotations

import contextlib
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine

import core.store
from core.config import Retention
from core.errors import StoreLockedError
from core.records import Measurement, MeterIdentity, MeterReadings, Reading
from core.site_records import CheckResult, CheckState, SensorMeasure
from core.store.history import History
from core.store.minutes import MachineMinute
from core.store.schema import MACHINE_FIELDS

T0 = 1_700_006_400.0
"""A midnight of UTC."""

HOUR = 3600.0
DAY = 86400.0
V = "meter/main/voltage_l1_v"
KEPT = Retention(raw_days=1, minute_days=2, quarter_days=4, hour_days=40, day_days=400)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(tmp_path / "beffroi.db") as opened:
        yield opened


def telegram(time_s: float, value: float | None = None, name: str = "main", **values: float) -> MeterReadings:
    if value is not None:
        values["voltage_l1_v"] = value
    return MeterReadings(
        name=name,
        protocol="push",
        meter=MeterIdentity(),
        time_s=time_s,
        readings=(),
        measurement=Measurement(**values),
    )


def asked(history: History, statement: str) -> list[tuple[Any, ...]]:
    """The rows as another program sees them."""
    with contextlib.closing(sqlite3.connect(history.path)) as raw:
        return raw.execute(statement).fetchall()


def whole(history: History, name: str = V) -> tuple[float, ...]:
    """Least, mean and greatest of all there is of a series: one step of a thousand days."""
    (step,) = history.samples(name, T0 // (1000 * DAY) * 1000 * DAY, T0 + 300 * DAY, 1000 * DAY)
    return step[1:]


def test_every_level_is_made_of_the_one_below(history: History) -> None:
    history.write([telegram(T0 + 120 * number, 200 + number % 60) for number in range(1440)])
    history.fold(T0 + 3 * DAY)
    rows = {
        level: asked(
            history, f"SELECT sum(samples), min(voltage_l1_v_min), max(voltage_l1_v_max), count(*) FROM {level}"
        )
        for level in ("measurement_minutes", "measurement_quarters", "measurement_hours", "measurement_days")
    }
    assert [found[0][3] for found in rows.values()] == [1440, 192, 48, 2]
    assert {found[0][:3] for found in rows.values()} == {(1440, 200, 259)}
    assert whole(history) == pytest.approx((200, 229.5, 259))
    assert asked(history, "SELECT * FROM stale_buckets") == []


def test_a_bucket_is_made_when_it_is_over_and_not_before(history: History) -> None:
    history.write([telegram(T0 + second, 230) for second in range(90)])
    assert history.fold_step(T0 + 62) is False
    history.fold(T0 + 66)
    assert history.count("measurement_minutes") == 1
    assert history.count("measurement_quarters") == 0
    assert history.points(V, T0, T0 + DAY, max_points=3).mean == pytest.approx([230] * 3)


@pytest.mark.parametrize("seed", range(4))
def test_however_much_is_made_the_curve_is_that_of_the_rows(history: History, seed: int) -> None:
    """Rows in any order, roll-ups made in between up to any moment: what is read is always all of them once."""
    dice = random.Random(seed)
    rows = {T0 + dice.randrange(int(3 * DAY)): float(dice.randrange(100, 300)) for _turn in range(600)}
    waiting = list(rows.items())
    dice.shuffle(waiting)
    known: dict[float, float] = {}
    while waiting:
        part, waiting = waiting[:120], waiting[120:]
        history.write([telegram(time_s, value) for time_s, value in part])
        known.update(part)
        now_s = T0 + dice.random() * 4 * DAY
        for _step in range(dice.randrange(4)):
            history.fold_step(now_s)
        start_s, end_s = sorted(T0 + dice.randrange(int(3 * DAY)) for _edge in range(2))
        for max_points in (3, 50, 10_000):
            points = history.points(V, start_s, end_s, max_points=max_points)
            shown = [value for value in points.minimum if not math.isnan(value)]
            wanted = {time_s: value for time_s, value in known.items() if start_s <= time_s < end_s}
            if wanted:
                assert min(shown) == min(wanted.values())
                assert max(value for value in points.maximum if not math.isnan(value)) == max(wanted.values())
            assert list(points.time_s) == sorted(points.time_s)
        (step,) = history.samples(V, T0 // (8 * DAY) * 8 * DAY, T0 + 4 * DAY, 8 * DAY)
        assert step.mean == pytest.approx(sum(known.values()) / len(known))
    history.fold(T0 + 10 * DAY)
    assert whole(history)[1] == pytest.approx(sum(rows.values()) / len(rows))
    assert {one.name: one.count for one in history.series()} == {V: len(rows)}


def test_a_late_row_makes_its_buckets_anew(history: History) -> None:
    history.write([telegram(T0 + second, 230) for second in range(0, 7200, 10)])
    history.fold(T0 + 2 * DAY)
    history.write([telegram(T0 + 1801, 290)])
    for max_points in (2, 20, 5000):  # before it is folded, and after
        assert max(history.points(V, T0, T0 + 7200, max_points=max_points).maximum) == 290
    history.fold(T0 + 2 * DAY)
    for table in ("minutes", "quarters", "hours", "days"):
        assert asked(history, f"SELECT max(voltage_l1_v_max), sum(samples) FROM measurement_{table}") == [(290, 721)]
    assert history.series()[0].count == 721


def test_a_late_row_whose_rows_are_gone_is_added_and_destroys_nothing(history: History) -> None:
    history.write([telegram(T0 + 60 * number, 230) for number in range(1440)])
    end_s = T0 + 3.5 * DAY
    history.apply_retention(KEPT, end_s)
    assert [history.count(f"measurement{table}") for table in ("s", "_minutes", "_quarters")] == [0, 0, 96]
    history.write([telegram(T0 + 5000, 330), telegram(T0 + 5001, 130)])
    assert whole(history) == pytest.approx((230, 230, 230))
    history.fold(end_s)
    assert [history.count(f"measurement{table}") for table in ("s", "_minutes", "_quarters")] == [0, 0, 96]
    assert whole(history) == pytest.approx((130, 230, 330))
    for table in ("quarters", "hours", "days"):
        assert asked(history, f"SELECT sum(samples) FROM measurement_{table}") == [(1442,)]
    history.fold(end_s)
    assert history.series()[0].count == 1442


def test_what_is_not_made_yet_is_not_removed(history: History) -> None:
    """Retention alone makes what it removes, also in a database where nobody made roll-ups before."""
    history.write([telegram(T0 + 400 * number, 200 + number % 7) for number in range(10 * 216)])
    before = whole(history)
    history.apply_retention(KEPT, T0 + 30 * DAY)
    assert [history.count(f"measurement_{table}") for table in ("minutes", "quarters", "hours")] == [0, 0, 240]
    assert whole(history) == pytest.approx(before)
    history.apply_retention(KEPT, T0 + 300 * DAY)
    assert history.count("measurement_hours") == 0
    assert history.count("measurement_days") == 10
    assert whole(history) == pytest.approx(before)
    history.apply_retention(KEPT, T0 + 500 * DAY)
    assert history.count("measurement_days") == 0
    assert history.series() == []


def test_no_level_ends_before_the_one_below(history: History) -> None:
    history.write([telegram(T0 + 300 * number, 230) for number in range(576)])
    history.apply_retention(
        Retention(raw_days=30, minute_days=1, quarter_days=1, hour_days=1, day_days=1), T0 + 9 * DAY
    )
    assert history.count("measurements") == 576
    assert history.count("measurement_days") == 2


@pytest.mark.parametrize("seed", range(3))
def test_every_row_is_counted_once_whenever_it_comes_and_retention_runs(history: History, seed: int) -> None:
    dice = random.Random(seed)
    rows: dict[float, float] = {}
    now_s = T0 + DAY
    for _turn in range(12):
        now_s += dice.random() * DAY
        batch = {}
        for _row in range(40):
            time_s = now_s - dice.choice([60, HOUR, DAY, 3 * DAY, 8 * DAY]) * dice.random()
            if time_s not in rows:
                batch[time_s] = float(dice.randrange(100, 300))
        rows.update(batch)
        with History.open(history.path) as other:  # two programs share the work
            other.write([telegram(time_s, value) for time_s, value in batch.items()])
            other.fold_step(now_s)
        if dice.random() < 0.5:
            history.apply_retention(KEPT, now_s)
        elif dice.random() < 0.5:
            history.fold_step(now_s)
    history.apply_retention(KEPT, now_s + 20 * DAY)
    found = asked(
        history,
        "SELECT sum(samples), min(voltage_l1_v_min), sum(voltage_l1_v_mean * samples), max(voltage_l1_v_max)"
        " FROM measurement_days",
    )
    values = list(rows.values())
    assert found == [(len(values), min(values), pytest.approx(sum(values)), max(values))]
    assert whole(history) == pytest.approx((min(values), sum(values) / len(values), max(values)))
    assert history.series()[0].count == len(values)


def test_a_span_without_ends_is_all_there_is(history: History) -> None:
    history.write([telegram(T0 + second, 230) for second in range(10)])
    assert len(list(history.samples(V, -math.inf, math.inf))) == 10
    assert len(history.points(V, -math.inf, math.inf).time_s) == 10


def test_a_meter_that_is_read_more_often_than_before_has_no_gaps_before(history: History) -> None:
    times = [T0 + 60 * number for number in range(60)]
    times += [T0 + 2 * HOUR + 60 * number for number in range(60)]
    times += [T0 + 3 * HOUR + number for number in range(1500)]
    history.write([telegram(time_s, 230.0) for time_s in times])
    points = history.points(V, T0, T0 + DAY, max_points=4000)
    gaps = [at_s for at_s, value in zip(points.time_s, points.mean, strict=True) if math.isnan(value)]
    assert gaps == [pytest.approx(T0 + 1.5 * HOUR, abs=60)]


@pytest.mark.parametrize("most", [40, 500, 2000])
def test_a_curve_is_bounded_however_much_is_not_made_yet(history: History, most: int) -> None:
    values = [200 + (number * 37) % 60 for number in range(9000)]
    history.write([telegram(T0 + 600 * number, value) for number, value in enumerate(values)])
    for _step in range(2):
        points = history.points(V, T0, T0 + 70 * DAY, max_points=most)
        known = [value for value in points.mean if not math.isnan(value)]
        assert most * 0.9 <= len(known) <= most
        assert (min(points.minimum), max(points.maximum)) == (min(values), max(values))
        assert points.time_s[0] < T0 + 2 * DAY
        assert points.time_s[-1] > T0 + 60 * DAY
        history.fold_step(T0 + 400 * DAY)
    assert whole(history) == pytest.approx((min(values), sum(values) / len(values), max(values)))


def test_machines_sensors_checks_and_registers_have_roll_ups_too(history: History) -> None:
    figures = (1.0, 2.0, 3.0) * len(MACHINE_FIELDS)
    history.write(
        [MachineMinute(machine="m1", minute_s=int(T0) + 60 * n, samples=60, figures=figures) for n in range(120)]
    )
    history.write_measures(
        [SensorMeasure(sensor="cellar", quantity="temperature_c", value=n, time_s=T0 + 60 * n) for n in range(120)]
    )
    history.write(
        [
            CheckResult(check="web", target="x", state=CheckState.OK, time_s=T0 + 60 * n, latency_ms=float(n))
            for n in range(120)
        ]
    )
    reading = Reading(obis=None, quantity=None, value=5.5, unit="m3", label="volume_m3")
    for n in range(120):
        record = telegram(T0 + 60 * n, 230)
        history.write(
            [MeterReadings(**{**{f: getattr(record, f) for f in record.__struct_fields__}, "readings": (reading,)})]
        )
    history.fold(T0 + 2 * DAY)
    for table in ("machine", "sensor", "check", "register", "measurement"):
        assert [history.count(f"{table}_{level}") for level in ("quarters", "hours", "days")] == [8, 2, 1], table
    names = ["machine/m1/cpu_percent", "sensor/cellar/temperature_c", "check/web/latency_ms", "meter/main/volume_m3"]
    assert [list(one.mean) for one in history.points_of(names, T0, T0 + DAY, max_points=2)] == [
        [2, 2],
        [29.5, 89.5],
        [29.5, 89.5],
        [5.5, 5.5],
    ]
    counts = {one.name: (one.unit, one.count, one.first_s) for one in history.series()}
    assert counts["meter/main/volume_m3"] == ("m3", 120, T0)
    assert counts["machine/m1/cpu_percent"] == ("%", 7200, T0)


def test_a_folding_that_is_refused_loses_nothing(history: History) -> None:
    history.write([telegram(T0 + second, 230) for second in range(0, 7200, 10)])
    history.wait_for_others(0.05)
    with contextlib.closing(sqlite3.connect(history.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreLockedError):
            history.fold_step(T0 + DAY)
        other.execute("ROLLBACK")
    history.fold(T0 + 2 * DAY)
    assert asked(history, "SELECT samples FROM measurement_days") == [(720,)]


def test_a_clock_that_jumps_makes_nothing_wrong(history: History) -> None:
    history.write([telegram(T0 + second, 230) for second in range(100)])
    history.write([telegram(T0 + 400 * DAY + second, 231) for second in range(30)])  # the clock was a year ahead
    history.fold(T0 + 402 * DAY)
    history.write([telegram(T0 + 100 + second, 232) for second in range(100)])  # and set back
    for now_s in (T0 - 1000 * DAY, T0 + 150, T0 + 2 * DAY):
        history.fold(now_s)
        points = history.points(V, T0, T0 + 200, max_points=4)
        assert (min(points.minimum), max(points.maximum)) == (230, 232)
    assert asked(history, "SELECT sum(samples) FROM measurement_days") == [(230,)]


def test_a_year_removed_while_it_is_read_ends_the_reading_well(history: History) -> None:
    history.write([telegram(T0 + 60 * number, 230) for number in range(2000)])
    history.fold(T0 + 10 * DAY)
    reading = history.samples(V, T0, T0 + 10 * DAY)
    assert next(reading).mean == 230
    with History.open(history.path) as other:
        other.apply_retention(
            Retention(raw_days=1, minute_days=1, quarter_days=1, hour_days=1, day_days=1), T0 + 99 * DAY
        )
    assert all(sample.mean == 230 for sample in reading)
    assert len(history.points(V, T0, T0 + 10 * DAY).time_s) == 0


def test_the_file_removed_while_it_is_read_ends_the_reading_well(history: History) -> None:
    history.write([telegram(T0 + 60 * number, 230) for number in range(2000)])
    reading = history.samples(V, T0, T0 + 10 * DAY)
    assert next(reading).mean == 230
    for path in history.path.parent.glob("beffroi.db*"):
        path.unlink()
    assert sum(1 for _sample in reading) == 1999
    assert not history.is_in_place


def form_of(path: Path, revision: str, statements: list[tuple[str, list[tuple[Any, ...]]]]) -> None:
    """A database of an earlier form, with rows."""
    config = Config()
    config.set_main_option("script_location", str(Path(core.store.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for statement, rows in statements:
            connection.exec_driver_sql(statement, rows)


def test_a_history_of_the_form_before_is_right_at_once_and_rolled_up_by_and_by(tmp_path: Path) -> None:
    path = tmp_path / "beffroi.db"
    old_s = int(T0 - 3 * DAY)
    form_of(
        path,
        "0003",
        [
            ("INSERT INTO meters (id, name, protocol) VALUES (?, ?, ?)", [(1, "main", "push")]),
            (
                "INSERT INTO measurement_quarters (meter_id, quarter_s, samples, quality, is_simulated,"
                " voltage_l1_v_min, voltage_l1_v_mean, voltage_l1_v_max, active_energy_import_wh_min,"
                " active_energy_import_wh_mean, active_energy_import_wh_max)"
                " VALUES (1, ?, 90, 0, 0, 220, 230, 240, ?, ?, ?)",
                [(old_s + 900 * n, 100 * n, 100 * n + 50, 100 * n + 100) for n in range(3 * 96)],
            ),
            (
                "INSERT INTO measurements (meter_id, time_s, quality, is_simulated, voltage_l1_v,"
                " active_energy_import_wh) VALUES (1, ?, 0, 0, 250, ?)",
                [(T0 + 60 * n, 28_800 + 6 * n) for n in range(1440)],
            ),
            (
                "INSERT INTO machines (id, name, is_configured, host, port, groups, notes, is_local)"
                " VALUES (?, ?, 1, '', 1, '[]', '', 0)",
                [(1, "m1")],
            ),
            (
                "INSERT INTO machine_minutes (machine_id, minute_s, samples, cpu_percent_min, cpu_percent_mean,"
                " cpu_percent_max) VALUES (1, ?, 12, 1, 2, 3)",
                [(int(T0) + 60 * n,) for n in range(60)],
            ),
        ],
    )

    def told(history: History) -> Any:
        points = history.points_of([V, "machine/m1/cpu_percent"], old_s, T0 + DAY, max_points=48)
        return (
            [(min(one.minimum), max(one.maximum)) for one in points],
            history.energy("main", [old_s + 6 * HOUR, T0 - 12 * HOUR, T0 + 12 * HOUR]),
            {one.name: (one.first_s, one.last_s, one.count) for one in history.series()}[V],
        )

    with History.open(path) as history:
        before = told(history)
        assert before[0] == [(220, 250), (1, 3)]
        assert before[1] == pytest.approx([100 * 4 * (66 - 12) + 0, 100 * 4 * 12 + 4320], abs=1)
        assert before[2] == (old_s, T0 + 86340, 288 * 90 + 1440)
        longest_s = 0.0
        begun_s = time.thread_time()
        while history.fold_step(T0 + 2 * DAY):
            longest_s = max(longest_s, time.thread_time() - begun_s)
            begun_s = time.thread_time()
        assert longest_s < 0.2, "a step holds the database for a moment only"
        assert told(history)[0] == before[0]
        assert told(history)[1:] == (pytest.approx(before[1]), before[2])
        assert asked(history, "SELECT count(*), sum(samples) FROM measurement_hours") == [(96, 288 * 90 + 1440)]
        assert asked(history, "SELECT count(*) FROM machine_days") == [(1,)]


CHILD = """
import sys
from core.store.history import History
with History.open(sys.argv[1]) as history:
    while True:
        history.fold_step(float(sys.argv[2]))
        print("step", flush=True)
"""


def test_kill_9_between_two_steps_loses_nothing_and_doubles_nothing(history: History) -> None:
    history.write([telegram(T0 + 60 * number, 230 + number % 5) for number in range(1440)])
    history.apply_retention(Retention(raw_days=1, minute_days=2), T0 + 1.5 * DAY)
    history.write([telegram(T0 + 7 + 600 * number, 500) for number in range(144)])  # late, before and after retention
    for _turn in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, str(history.path), str(T0 + 9 * DAY)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(core.store.__file__).parents[2])},
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(random.random() * 0.03)
            child.send_signal(signal.SIGKILL)
    history.fold(T0 + 9 * DAY)
    assert asked(history, "SELECT sum(samples), max(voltage_l1_v_max) FROM measurement_days") == [(1584, 500)]
