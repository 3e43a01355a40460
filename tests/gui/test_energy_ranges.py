"""Weeks and years on the curves: round ticks, one question to the history, points from the meter told apart once."""

from __future__ import annotations

import math
import time
from array import array

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from core.records import Measurement, SeriesPoints
from core.series import SeriesBook
from gui.pages.energy_plots import energy_plots
from gui.widgets.time_axis import time_ticks
from gui.widgets.time_plot_group import PlotGroup
from gui.widgets.time_plot_past import Past
from gui.widgets.time_range import FOLLOWED_S, RangeBar, TimeRange

DAY_S = 86_400.0


@pytest.fixture
def _paris(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def group(qtbot: QtBot) -> PlotGroup:
    page = QWidget()
    qtbot.addWidget(page)
    page.resize(1000, 700)
    layout = QVBoxLayout(page)
    page.group = group = PlotGroup("meter", TimeRange(page, mode="week"), page)
    plots = energy_plots(group.range)
    for name in ("power", "voltage"):
        group.add(plots[name])
        layout.addWidget(plots[name])
    group.set_book(SeriesBook())
    group.show_owner("E450")
    page.show()
    qtbot.waitExposed(page)
    return group


def _points(field: str, start_s: float, step_s: float, count: int, **more: object) -> SeriesPoints:
    times = array("d", [start_s + step_s * index for index in range(count)])
    low, mean, high = (array("d", [base] * count) for base in (100.0, 200.0, 900.0))
    return SeriesPoints(f"meter/E450/{field}", "W", times, low, mean, high, **more)


@pytest.mark.usefixtures("_paris")
def test_a_week_is_divided_by_days_with_their_names():
    end_s = time.mktime((2026, 11, 21, 15, 0, 0, 0, 0, -1))
    labels = [tick.label for tick in time_ticks(end_s - 7 * DAY_S, end_s, 8)]
    assert labels[0] == "Sun 15 Nov"
    assert len(labels) == 7


@pytest.mark.usefixtures("_paris")
def test_a_month_is_divided_by_mondays():
    end_s = time.mktime((2026, 11, 21, 15, 0, 0, 0, 0, -1))
    ticks = time_ticks(end_s - 30 * DAY_S, end_s, 6)
    assert [time.localtime(tick.value).tm_wday for tick in ticks] == [0] * len(ticks)
    assert ticks[-1].label == "16 Nov"


@pytest.mark.usefixtures("_paris")
def test_a_year_is_divided_by_the_firsts_of_months_and_january_says_its_year():
    end_s = time.mktime((2026, 11, 21, 15, 0, 0, 0, 0, -1))
    ticks = time_ticks(end_s - 365 * DAY_S, end_s, 12)
    assert [time.localtime(tick.value).tm_mday for tick in ticks] == [1] * 12
    assert [tick.label for tick in ticks][:3] == ["Dec", "Jan 2026", "Feb"]
    assert len(time_ticks(end_s - 365 * DAY_S, end_s, 4)) == 4


def test_the_buttons_follow_a_week_and_a_year(qtbot: QtBot):
    time_range = TimeRange(mode="live")
    bar = RangeBar(time_range)
    qtbot.addWidget(bar)
    for mode in ("week", "year"):
        qtbot.mouseClick(bar.buttons[mode], Qt.LeftButton)
        start_s, end_s = time_range.span()
        assert end_s - start_s == pytest.approx(FOLLOWED_S[mode])
        assert end_s == pytest.approx(time.time(), abs=5)


def test_the_history_is_asked_for_a_week_once_while_the_week_goes_on(group: PlotGroup, qtbot: QtBot):
    asked = []
    group.history_wanted.connect(lambda *arguments: asked.append(arguments))
    group.start()
    qtbot.waitUntil(lambda: bool(asked), timeout=3000)
    request_id, _owner, _fields, start_s, end_s = asked[0]
    assert end_s - start_s == pytest.approx(7 * DAY_S, abs=5)
    group.apply_points([_points("active_power_w", start_s, 900, 600)], request_id)
    group._book.append_measurement("E450", time.time(), Measurement(active_power_w=150.0))
    qtbot.wait(400)
    assert len(asked) == 1


def test_points_of_any_level_are_drawn_from_lowest_to_highest(group: PlotGroup, qtbot: QtBot):
    asked = []
    group.history_wanted.connect(lambda *arguments: asked.append(arguments))
    group.start()
    qtbot.waitUntil(lambda: bool(asked), timeout=3000)
    start_s, end_s = asked[0][3:]
    group.apply_points([_points("active_power_w", start_s, 900, 672)], asked[0][0])
    _time, low, high = group.points("active_power_w", start_s, end_s, 600)
    assert (low.min(), high.max()) == (100.0, 900.0)


def test_points_from_the_meter_are_a_band_that_says_so_once(group: PlotGroup, qtbot: QtBot):
    asked = []
    group.history_wanted.connect(lambda *arguments: asked.append(arguments))
    group.start()
    qtbot.waitUntil(lambda: bool(asked), timeout=3000)
    start_s = asked[0][3]
    filled = ((start_s + DAY_S, start_s + 3 * DAY_S), (start_s + 4 * DAY_S, start_s + 4.5 * DAY_S))
    group.apply_points(
        [
            _points("active_power_w", start_s, 900, 672, filled=filled),
            _points("voltage_l1_v", start_s, 900, 672, filled=filled),
        ],
        asked[0][0],
    )
    group.redraw()
    power, voltage = (plot.canvas._frame.bands for plot in group.plots)
    assert [(band.start_s, band.end_s) for band in power] == list(filled)
    assert [band.text for band in power] == ["from the meter", ""]
    assert [band.text for band in voltage] == ["", ""]


def test_a_curve_without_values_there_is_not_said_to_be_from_the_meter(group: PlotGroup, qtbot: QtBot):
    asked = []
    group.history_wanted.connect(lambda *arguments: asked.append(arguments))
    group.start()
    qtbot.waitUntil(lambda: bool(asked), timeout=3000)
    start_s = asked[0][3]
    filled = ((start_s + DAY_S, start_s + 3 * DAY_S),)
    times = array("d", [start_s + 900.0 * index for index in range(672)])
    nothing = array("d", [float("nan")] * 672)
    voltage = SeriesPoints("meter/E450/voltage_l1_v", "V", times, nothing, nothing, nothing, filled)
    group.apply_points([_points("active_power_w", start_s, 900, 672, filled=filled), voltage], asked[0][0])
    group.redraw()
    assert [len(plot.canvas._frame.bands) for plot in group.plots] == [1, 0]


def test_a_history_that_has_learned_something_is_asked_again(group: PlotGroup, qtbot: QtBot):
    asked = []
    group.history_wanted.connect(lambda *arguments: asked.append(arguments))
    group.start()
    qtbot.waitUntil(lambda: len(asked) == 1, timeout=3000)
    group.renew()
    qtbot.waitUntil(lambda: len(asked) == 2, timeout=3000)


def test_days_are_drawn_as_means_before_the_band_of_least_and_greatest(group: PlotGroup, qtbot: QtBot):
    asked = []
    group.history_wanted.connect(lambda *arguments: asked.append(arguments))
    group.start()
    qtbot.waitUntil(lambda: bool(asked), timeout=3000)
    start_s = asked[0][3]
    group.apply_points([_points("active_power_w", start_s, 900, 600)], asked[0][0])
    group._book.append_measurement("E450", time.time() - 5, Measurement(active_power_w=150.0))
    group._book.append_measurement("E450", time.time(), Measurement(active_power_w=150.0))
    group.redraw()
    stroke = group.plots[0].canvas._frame.strokes[0]
    assert stroke.mean is not None
    assert (stroke.low[0], stroke.mean[0], stroke.high[0]) == (100.0, 200.0, 900.0)
    assert stroke.mean[-1] == 150.0
    group.range.follow("hour")
    group.redraw()
    assert all(stroke.mean is None for stroke in group.plots[0].canvas._frame.strokes)


def _past(means: list[float], filled: tuple[tuple[float, float], ...] = ()) -> Past:
    times, values = array("d", range(len(means))), array("d", means)
    return Past(SeriesPoints("meter/E450/voltage_l1_v", "V", times, values, values, values, filled))


def test_a_long_silence_is_one_gap_and_what_was_never_known_is_none():
    nan = math.nan
    assert _past([nan, nan, 1.0, nan, nan, nan, 2.0, 3.0, nan, 4.0, nan]).gaps() == [(2.0, 6.0), (7.0, 9.0)]
    assert _past([nan, nan]).gaps() == []


def test_only_what_the_load_profile_has_given_is_from_the_meter():
    nan = math.nan
    assert _past([230.0] * 6, ((0.0, 5.0),)).filled_between(0.0, 9.0) == [(0.0, 5.0)]
    assert _past([nan, nan, nan, nan, nan, 230.0], ((0.0, 5.0),)).filled_between(0.0, 9.0) == []  # it came by itself
