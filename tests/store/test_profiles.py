"""What the load profile promises in the history: it fills gaps, is known as such, and nothing is counted twice."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import msgspec
import openpyxl
import pytest

from core.config import Retention
from core.meter_records import ProfilePart
from core.records import Measurement, MeterIdentity, MeterReadings, Reading
from core.services.export import write_series
from core.store.history import History
from core.store.registers import MOST

T0 = 1_700_006_400.0
"""A midnight of UTC."""

HOUR = 3600.0
DAY = 86400.0
P = "meter/main/active_power_w"
KEPT = Retention(raw_days=1, minute_days=2, quarter_days=400)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(tmp_path / "beffroi.db") as opened:
        yield opened


def telegram(time_s: float, power_w: float, *readings: Reading) -> MeterReadings:
    return MeterReadings(
        name="main",
        protocol="push",
        meter=MeterIdentity(),
        time_s=time_s,
        readings=readings,
        measurement=Measurement(active_power_w=power_w),
    )


def profile(first_s: float, count: int, power_w: float = 50.0, period_s: float = 900.0) -> ProfilePart:
    return ProfilePart(
        name="main",
        meter=MeterIdentity(serial_number="1"),
        obis="1-0:99.1.0*255",
        period_s=period_s,
        columns=(),
        rows=(),
        measurements=tuple(
            (first_s + number * (period_s or 900), Measurement(active_power_w=power_w)) for number in range(count)
        ),
    )


def test_rows_fill_a_gap_and_only_that(history: History) -> None:
    history.write([telegram(T0 + 10 * number, 100) for number in range(360)])  # the first hour
    history.write([telegram(T0 + 3 * HOUR + 10 * number, 100) for number in range(1, 360)])  # the fourth
    assert history.write([profile(T0, 17)]) == 8
    points = history.points(P, T0, T0 + 4 * HOUR, max_points=100_000)
    filled = [time_s for time_s, value in zip(points.time_s, points.mean, strict=True) if value == 50]
    assert filled == [T0 + HOUR + 900 * number for number in range(1, 9)]
    assert points.filled == ((T0 + HOUR, T0 + 3 * HOUR),)
    assert not any(map(math.isnan, points.mean)), "what was filled is no gap"
    assert history.write([profile(T0, 17)]) == 8, "the same again changes nothing"
    assert history.count("measurements") == 727


def test_a_gap_that_was_filled_in_part_is_open_in_the_rest(history: History) -> None:
    history.write([telegram(T0 + 10 * number, 100) for number in range(60)])
    history.write([telegram(T0 + 6 * HOUR + 10 * number, 100) for number in range(60)])
    history.write([profile(T0 + 2 * HOUR, 4)])
    points = history.points(P, T0, T0 + 7 * HOUR, max_points=100_000)
    assert sum(map(math.isnan, points.mean)) == 2
    assert points.filled == ((T0 + 2 * HOUR - 900, T0 + 2 * HOUR + 2700),)


@pytest.mark.parametrize("late_s", [T0 + 1800, T0 + 1000])
def test_a_reading_that_comes_later_takes_the_place_of_the_row(history: History, late_s: float) -> None:
    history.write([profile(T0 + 900, 4)])
    history.fold(T0 + DAY)
    history.write([telegram(late_s, 77)])
    for _turn in range(2):
        points = history.points(P, T0, T0 + 2 * HOUR, max_points=100)
        assert 77 in points.mean
        assert [value for value in points.mean if value == 50] == [50] * 3
        history.fold(T0 + DAY)
    assert history.write([profile(T0 + 1800, 1, power_w=60)]) == 0
    assert history.count("profile_rows") == 3


def test_a_row_that_is_read_again_is_brought_up_to_date(history: History) -> None:
    history.write([profile(T0 + 900, 2)])
    history.write([profile(T0 + 900, 1, power_w=51)])
    assert list(history.points(P, T0, T0 + HOUR).mean) == [51, 50]


def test_rows_older_than_the_readings_go_into_the_roll_ups_once(history: History) -> None:
    history.write([telegram(T0 + 60 * number, 100) for number in range(60)])
    history.apply_retention(KEPT, T0 + 10 * DAY)
    assert history.count("measurements") == history.count("measurement_minutes") == 0
    for _turn in range(2):
        history.write([profile(T0 + 900, 12)])
        history.fold(T0 + 10 * DAY)
        assert [sample.mean for sample in history.samples(P, T0, T0 + 4 * HOUR, HOUR)] == [100, 50, 50, 50]
        (day,) = history.samples(P, T0, T0 + DAY, DAY)
        assert day.mean == pytest.approx((60 * 100 + 8 * 50) / 68)
    assert history.points(P, T0, T0 + DAY).filled == ((T0 + HOUR, T0 + 3 * HOUR),)


def test_a_profile_without_a_period_and_rows_without_values_do_no_harm(history: History) -> None:
    part = profile(T0 + 900, 3, period_s=0)
    empty = msgspec.structs.replace(part, measurements=((T0, Measurement()), (math.nan, Measurement(active_power_w=1))))
    assert history.write([part, empty]) == 3
    assert history.points(P, T0, T0 + HOUR).filled == ((T0, T0 + 2700),)


def test_a_meter_keeps_its_protocol_when_its_profile_is_read(history: History) -> None:
    history.write([telegram(T0, 100)])
    history.write([profile(T0 + 9000, 1)])
    assert history.meters() == ["main"]
    with History.open(history.path) as other:
        other.write([profile(T0 + 90000, 1)])
    assert history.count("meters") == 1


def test_numbers_without_a_column_become_series_once_a_minute(history: History) -> None:
    heat = Reading(obis=None, quantity=None, value=1234.5, unit="kWh", label="heat_energy_kwh")
    coded = Reading(obis="0-0:96.7.21*255", quantity=None, value=4)
    words = Reading(obis="0-0:96.1.1*255", quantity=None, value="LGZ")
    odd = Reading(obis=None, quantity=None, value=1, label="a/b\x00")
    history.write([telegram(T0 + number, 100, heat, coded, words, odd) for number in range(180)])
    found = {one.name: (one.unit, one.count) for one in history.series()}
    assert found == {P: ("W", 180), "meter/main/heat_energy_kwh": ("kWh", 3), "meter/main/0-0:96.7.21*255": (None, 3)}
    assert list(history.points("meter/main/heat_energy_kwh", T0, T0 + 180).mean) == [1234.5] * 3


def test_a_meter_that_names_ever_new_numbers_is_bounded(history: History) -> None:
    readings = [Reading(obis=None, quantity=None, value=number, label=f"n{number}") for number in range(MOST + 20)]
    history.write([telegram(T0 + number, 100, reading) for number, reading in enumerate(readings)])
    assert history.count("registers") == MOST


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_an_export_says_what_came_from_the_profile(history: History, tmp_path: Path, suffix: str) -> None:
    history.write([telegram(T0 + 60 * number, 100) for number in range(60)])
    history.write([profile(T0 + 900, 8)])
    path = tmp_path / f"out{suffix}"
    assert write_series(history, [P], T0, T0 + 3 * HOUR, None, path) == 64
    header, rows = table(path)
    assert header == ["time_utc", "meter/main/active_power_w [W]", "meter/main: from the load profile"]
    assert [row[1:] for row in rows[-5:]] == [["100.0", ""], *[["50.0", "1"]] * 4]
    assert write_series(history, [P, "meter/main/voltage_l1_v"], T0, T0 + 3 * HOUR, HOUR, path) == 3
    header, rows = table(path)
    assert header[1:4] == [f"{P} {figure} [W]" for figure in ("mean", "min", "max")]
    assert [(row[1], row[-1]) for row in rows] == [("100.0", ""), ("50.0", "1"), ("50.0", "1")]


def table(path: Path) -> tuple[list[str], list[list[str]]]:
    if path.suffix == ".csv":
        header, *rows = csv.reader(path.read_text().splitlines())
        return header, rows
    book = openpyxl.load_workbook(path)
    found = [
        ["" if cell is None else str(float(cell) if isinstance(cell, int) and cell > 1 else cell) for cell in row]
        for row in book.active.iter_rows(values_only=True)
    ]
    book.close()
    return found[0], found[1:]
