"""What retention promises: what is too old as it came lives on as minutes, quarters, hours and days."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.config import Retention
from core.records import (
    CommandProgress,
    CommandRequest,
    CommandResult,
    CommandState,
    Event,
    Measurement,
    MeterIdentity,
    MeterReadings,
    Quality,
    Severity,
)
from core.store.history import History
from core.store.minutes import MachineMinute
from core.store.schema import MACHINE_FIELDS

NOW = 1_700_000_100.0  # the beginning of a quarter of an hour
DAY = 86400.0
KEPT = Retention(raw_days=30, minute_days=90, quarter_days=1100)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(tmp_path / "beffroi.db") as opened:
        yield opened


def telegram(time_s: float, value: float = 230.0, *, simulated: bool = False) -> MeterReadings:
    return MeterReadings(
        name="main",
        protocol="push",
        meter=MeterIdentity(),
        time_s=time_s,
        readings=(),
        measurement=Measurement(voltage_l1_v=value, quality=Quality.WARNING),
        is_simulated=simulated,
    )


def minute(minute_s: float, samples: int, low: float | None, mean: float | None, high: float | None) -> MachineMinute:
    figures = (low, mean, high) * len(MACHINE_FIELDS)
    return MachineMinute(machine="m1", minute_s=int(minute_s), samples=samples, figures=figures)


def test_old_readings_become_quarters(history: History) -> None:
    old = NOW - 31 * DAY
    history.write([telegram(old + 60 * number, 230 + number) for number in range(30)])
    history.write([telegram(NOW - 60 * number) for number in range(10)])
    sparse = Retention(raw_days=30, minute_days=1, quarter_days=1100)
    assert history.apply_retention(sparse, NOW) == 60, "the rows, and the minutes made of them"
    assert history.count("measurements") == 10
    points = history.points("meter/main/voltage_l1_v", old, old + 1800)
    assert list(points.time_s) == [old + 450, old + 1350]
    assert (list(points.minimum), list(points.mean), list(points.maximum)) == ([230, 245], [237, 252], [244, 259])
    (found,) = history.series()
    assert (found.first_s, found.last_s, found.count) == (old, NOW, 40)


def test_a_quarter_is_folded_whole(history: History) -> None:
    """The limit falls into the middle of a quarter: that one waits."""
    quarter = NOW - 30 * DAY
    history.write([telegram(quarter + 60 * number) for number in range(15)])
    assert history.apply_retention(KEPT, NOW + 600) == 0
    assert history.apply_retention(KEPT, NOW + 900) == 15
    assert history.count("measurement_quarters") == 1


def test_old_and_new_are_one_curve_without_a_false_gap(history: History) -> None:
    start = NOW - 33 * DAY
    history.write([telegram(start + 900 * number) for number in range(int(33 * DAY / 900))])
    history.apply_retention(KEPT, NOW)
    for max_points in (200, 100_000):
        points = history.points("meter/main/voltage_l1_v", start, NOW, max_points=max_points)
        assert not any(map(math.isnan, points.mean))
        assert list(points.time_s) == sorted(points.time_s)
        assert points.time_s[0] < start + DAY
        assert points.time_s[-1] > NOW - DAY
        assert len(points.time_s) <= max_points + 1


def test_minutes_are_folded_by_their_samples(history: History) -> None:
    old = NOW - 91 * DAY
    history.write([minute(old, 1, 10, 10, 10), minute(old + 60, 3, 20, 50, 60), minute(old + 120, 5, None, None, None)])
    history.write([minute(NOW - 60, 1, 1, 1, 1)])
    assert history.apply_retention(KEPT, NOW) == 3
    (points,) = history.machine_points("m1", ["cpu_percent"], old, old + 900)
    assert (points.time_s[0], points.minimum[0], points.mean[0], points.maximum[0]) == (old + 450, 10, 40, 60)


def test_quarters_commands_and_events_end_too(history: History) -> None:
    ancient = NOW - 1101 * DAY
    history.write(
        [
            telegram(ancient),
            CommandRequest(id="1", words=("x",), machines=("m1",), timeout_s=1, operator="A", time_s=ancient),
            CommandProgress(id="1", result=CommandResult(machine="m1", state=CommandState.OK)),
            Event(time_s=ancient, source="m1", kind="x", severity=Severity.INFO, text="x"),
            Event(time_s=NOW, source="m1", kind="x", severity=Severity.INFO, text="y"),
        ]
    )
    history.apply_retention(KEPT, NOW)
    assert [
        history.count(table) for table in ("measurements", "measurement_quarters", "commands", "command_results")
    ] == [
        0,
        0,
        0,
        0,
    ]
    assert [event.text for event in history.events()] == ["y"]


def test_simulation_and_quality_outlive_the_readings(history: History) -> None:
    old = NOW - 31 * DAY
    history.write([telegram(old, simulated=True), telegram(old + 5)])
    history.apply_retention(KEPT, NOW)
    assert history.is_simulated("main", old, old + 900)


def test_nothing_young_is_touched(history: History) -> None:
    history.write([telegram(NOW - 29 * DAY), minute(NOW - 89 * DAY, 1, 1, 1, 1)])
    assert history.apply_retention(KEPT, NOW) == 0
    assert history.apply_retention(KEPT, 0.0) == 0, "a clock that stands at 1970 removes nothing"


def test_samples_run_over_old_and_new(history: History) -> None:
    old = NOW - 31 * DAY
    history.write([telegram(old, 1), telegram(old + 1, 3), telegram(NOW, 5)])
    history.apply_retention(KEPT, NOW)
    found = list(history.samples("meter/main/voltage_l1_v", 0, NOW + 1))
    assert [tuple(sample) for sample in found] == [(old, 1, 2, 3), (NOW, 5, 5, 5)]
