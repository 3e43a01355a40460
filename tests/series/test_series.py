"""Live series: no peak is lost, gaps are known, memory is bounded, whatever the number of points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.records import Cpu, Measurement, Memory, Status
from core.series import SeriesBook
from core.track import Track, merged

NAME = "meter/E450/active_power_w"


def _book(count: int, limit: int = 2_000_000) -> tuple[SeriesBook, np.ndarray]:
    values = np.random.default_rng(7).normal(1000, 200, count)
    book = SeriesBook(limit=limit)
    book.extend([NAME], 1e9 + np.arange(count, dtype=float), values[np.newaxis])
    return book, values


@pytest.mark.parametrize("count", [1, 15, 16, 17, 255, 4095, 4096, 4097, 70_000, 300_001])
def test_a_view_of_everything_keeps_the_lowest_and_the_highest_point(count: int):
    book, values = _book(count)
    time_s, low, high = book.view(NAME, 1e9 - 1, 1e9 + count, 500)
    assert np.nanmin(low) == values.min()
    assert np.nanmax(high) == values.max()
    assert len(time_s) <= 1_000
    assert np.all(np.diff(time_s) > 0)


def test_a_single_peak_in_a_million_points_is_seen_in_its_place():
    count = 1_000_000
    values = np.zeros((1, count))
    values[0, 654_321] = 5.0
    book = SeriesBook(limit=count)
    book.extend([NAME], np.arange(count, dtype=float), values)
    time_s, _, high = book.view(NAME, 0, count, 1_400)
    assert abs(time_s[np.argmax(high)] - 654_321) < 2 * count / 1_400


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-1e6, 1e6) | st.none(), min_size=1, max_size=900), st.integers(1, 40))
def test_points_appended_one_by_one_are_seen_like_points_added_at_once(values: list[float | None], columns: int):
    track = Track(["v"], limit=1_000)
    for index, value in enumerate(values):
        track.append(float(index), {"v": value})
        if index % 97 == 0:
            track.view("v", 0, index, columns)
    _, low, high = track.view("v", -1, len(values), columns)
    known = [value for value in values if value is not None]
    if known:
        assert np.nanmin(low) == min(known)
        assert np.nanmax(high) == max(known)
    else:
        assert np.all(np.isnan(low))


def test_few_points_are_shown_as_they_are_with_one_beyond_each_edge():
    book, values = _book(100)
    time_s, low, high = book.view(NAME, 1e9 + 10.5, 1e9 + 19.5, 200)
    assert list(time_s - 1e9) == list(range(10, 21))
    assert np.array_equal(low, values[10:21])
    assert np.array_equal(low, high)


def test_a_silence_of_more_than_three_periods_is_a_gap():
    book = SeriesBook()
    for second in [0, 5, 10, 15, 75, 80, 85]:
        book.append(NAME, second, 1.0)
    assert book.gaps(NAME, 0, 100) == [(15.0, 75.0)]
    time_s, low, _ = book.view(NAME, 0, 100, 50)
    opened = np.flatnonzero(np.isnan(low))
    assert len(opened) == 1
    assert 15 < time_s[opened[0]] < 75


def test_a_source_that_becomes_slower_leaves_no_gap():
    book = SeriesBook()
    for second in [0, 1, 2, 3, 4, 9, 14, 19]:
        book.append(NAME, second, 1.0)
    assert book.gaps(NAME, 0, 100) == []
    assert book.period_s(NAME) == pytest.approx(5.0)


def test_a_period_that_is_said_decides_what_a_gap_is():
    book = SeriesBook()
    for second, period_s in [(0, 1.0), (1, 1.0), (6, 5.0), (11, 5.0), (12, 1.0), (13, 1.0), (20, 1.0)]:
        book.append(NAME, second, 1.0, period_s=period_s)
    assert book.gaps(NAME, 0, 100) == [(13.0, 20.0)]


def test_a_gap_shows_in_a_coarse_view_of_many_points():
    time_s = np.concatenate((np.arange(100_000.0), np.arange(130_000.0, 200_000.0)))
    book = SeriesBook(limit=400_000)
    book.extend([NAME], time_s, np.ones((1, len(time_s))))
    seen, low, _ = book.view(NAME, 0, 200_000, 700)
    opened = np.flatnonzero(np.isnan(low))
    assert len(opened) == 1
    assert 99_000 < seen[opened[0]] < 131_000


def test_a_clock_set_back_forgets_what_lies_in_its_future():
    book = SeriesBook()
    for second in range(100):
        book.append(NAME, 1000 + second, float(second))
    book.append(NAME, 1050, -1.0)
    assert book.last(NAME) == (1050.0, -1.0)
    time_s, _, _ = book.view(NAME, 0, 5000, 500)
    assert list(time_s) == list(range(1000, 1051))


def test_memory_is_bounded_and_the_newest_points_stay():
    track = Track(["v"], limit=1_000)
    for index in range(10_000):
        track.append(float(index), {"v": float(index)})
    assert 1_000 <= len(track) <= 1_600
    assert track.last("v") == (9_999.0, 9_999.0)
    _, low, high = track.view("v", 0, 10_000, 10)
    assert np.nanmax(high) == 9_999
    assert np.nanmin(low) == track.first_s


def test_a_slow_machine_keeps_an_hour_not_thousands_of_points():
    book = SeriesBook()
    for index in range(5_000):
        book.append_status(
            "m1", index * 5.0, Status(number=index, time_s=index * 5.0, process_count=index), period_s=5.0
        )
    name = "machine/m1/process_count"
    assert book.last(name) == (24_995.0, 4_999.0)
    first_s = book.first_s(name)
    assert first_s is not None
    assert 3_600 <= 24_995 - first_s <= 5_500
    _, low, high = book.view(name, 0, 25_000, 20)
    assert (np.nanmin(low), np.nanmax(high)) == (first_s / 5, 4_999)


def test_extending_beyond_the_limit_keeps_the_newest():
    book, values = _book(5_000, limit=1_000)
    assert book.last(NAME) == (1e9 + 4_999, values[-1])
    assert book.first_s(NAME) == 1e9 + 4_000


def test_absent_is_never_zero():
    book = SeriesBook()
    book.append_measurement("E450", 10.0, Measurement(active_power_w=0.0))
    book.append_measurement("E450", 15.0, Measurement(active_power_w=5.0, voltage_l1_v=231.0))
    book.append_measurement("E450", 20.0, Measurement(voltage_l1_v=232.0))
    assert book.names() == ["meter/E450/active_power_w", "meter/E450/voltage_l1_v"]
    _, low, _ = book.view("meter/E450/voltage_l1_v", 0, 30, 50)
    assert math.isnan(low[0])
    assert list(low[1:]) == [231.0, 232.0]
    assert book.last("meter/E450/active_power_w") == (15.0, 5.0)
    assert book.at("meter/E450/active_power_w", 20.0) is None
    assert book.at("meter/E450/active_power_w", 11.0) == (10.0, 0.0)


def test_a_machine_has_a_series_for_each_number_of_its_status():
    book = SeriesBook()
    memory = Memory(total_bytes=100, used_bytes=40, free_bytes=50, available_bytes=60, percent=40.0)
    cpu = Cpu(percent=None, per_core_percent=(), load_average=())
    book.append_status("m1", 1.0, Status(number=1, time_s=1.0, cpu=cpu, memory=memory, process_count=7), period_s=5.0)
    assert book.last("machine/m1/memory_percent") == (1.0, 40.0)
    assert book.last("machine/m1/cpu_percent") is None
    assert book.last("machine/m1/process_count") == (1.0, 7.0)


def test_a_series_is_stale_after_three_periods():
    book = SeriesBook()
    assert book.is_stale(NAME, 0)
    for second in [0, 5, 10]:
        book.append(NAME, second, 1.0)
    assert not book.is_stale(NAME, 24)
    assert book.is_stale(NAME, 26)


def test_the_revision_tells_whether_there_is_something_new_to_draw():
    book = SeriesBook()
    before = book.revision(NAME)
    book.append_measurement("E450", 1.0, Measurement(active_power_w=1.0))
    after = book.revision(NAME)
    assert after != before
    assert book.revision(NAME) == after
    book.forget("meter/E450")
    assert book.revision(NAME) != after
    assert book.names() == []


def test_an_unknown_series_is_empty_not_an_error():
    book = SeriesBook()
    assert [len(part) for part in book.view("meter/none/x", 0, 1, 10)] == [0, 0, 0]
    assert book.at("meter/none/x", 0) is None


def test_overlapping_spans_become_one():
    assert merged([(5, 6), (1, 3), (2, 4)]) == [(1, 4), (5, 6)]
