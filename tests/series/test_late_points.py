"""What late points promise: they stand between the others, and a view tells what it would had they come in time."""

from __future__ import annotations

import numpy as np
import pytest

from core.records import Measurement
from core.series import SeriesBook
from core.track import Track


def view(track: Track, columns: int, end_s: float = 2e4) -> list[list[float]]:
    return [np.nan_to_num(part, nan=-1.0).tolist() for part in track.view("v", 0, end_s, columns)]


@pytest.mark.parametrize("columns", [10, 100, 5000])
def test_points_that_come_late_are_seen_as_if_they_had_come_in_time(columns: int) -> None:
    times = np.arange(1.0, 20_001.0)
    values = np.sin(times)[np.newaxis]
    late = np.zeros(len(times), bool)
    late[4000:4500] = late[9000:9100] = True
    ordered, mended = Track(["v"]), Track(["v"])
    ordered.extend(times, values)
    mended.extend(times[~late], values[:, ~late])
    view(mended, 100)  # the pyramid is built before
    assert len(mended.gaps(0, 2e4)) == 2
    mended.insert(times[late], values[:, late], 1.0)
    assert mended.gaps(0, 2e4) == []
    assert view(mended, columns) == view(ordered, columns)
    mended.append(20_001.0, {"v": 7.0})
    assert mended.last("v") == (20_001.0, 7.0)


def test_late_points_beyond_the_ends_or_of_known_times_change_nothing() -> None:
    track = Track(["v"])
    track.insert(np.array([1.0]), np.array([[1.0]]), 1.0)
    assert len(track) == 0
    track.extend(np.array([10.0, 20.0]), np.array([[1.0, 2.0]]))
    track.insert(np.array([5.0, 10.0, 20.0, 25.0]), np.full((1, 4), 9.0), 1.0)
    assert (len(track), track.at("v", 10.0)) == (2, (10.0, 1.0))


def test_a_profile_fills_the_gap_of_a_meter_and_no_more() -> None:
    book = SeriesBook()
    for second in [*range(0, 600, 10), *range(6000, 6600, 10)]:
        book.append_measurement("main", float(second), Measurement(active_power_w=100.0, voltage_l1_v=230.0))
    revision = book.revision("meter/main/active_power_w")
    rows = [(900.0 * number, Measurement(active_power_w=50.0)) for number in range(8)]
    book.fill("main", rows, 900.0)
    book.fill("none", rows, 900.0)
    time_s, low, _high = book.view("meter/main/active_power_w", 0, 7000, 10_000)
    assert [moment for moment, value in zip(time_s, low, strict=True) if value == 50] == [
        1800.0,
        2700.0,
        3600.0,
        4500.0,
        5400.0,
    ]
    assert book.revision("meter/main/active_power_w") > revision
    assert book.gaps("meter/main/active_power_w", 0, 7000) == []
    book.fill("main", rows, 900.0)
    assert len(book.view("meter/main/active_power_w", 0, 7000, 10_000)[0]) == 125
