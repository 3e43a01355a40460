"""Curves: one time, one cursor, one set of gaps; history and memory as one line; nothing drawn for nothing."""

from __future__ import annotations

import itertools
import math
import time
from array import array
from itertools import pairwise

import numpy as np
import pytest
from PyQt5.QtCore import QPoint, QPointF, Qt
from PyQt5.QtGui import QColor, QImage, QPainter, QWheelEvent
from PyQt5.QtWidgets import QApplication, QLabel, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from core.records import SeriesPoints
from core.series import SeriesBook
from gui.numbers import number
from gui.theme import theme, use_theme
from gui.widgets.time_axis import nice_range, time_ticks, value_ticks
from gui.widgets.time_plot import Curve, Scale, TimePlot
from gui.widgets.time_plot_area import Area
from gui.widgets.time_plot_export import csv_text, picture, unit_of
from gui.widgets.time_plot_group import PlotGroup
from gui.widgets.time_plot_past import Past
from gui.widgets.time_range import RangeBar, TimeRange

NOW_S = 1_763_715_600.0


class Page:
    """Two plots over one book, at a clock that stands still until the test moves it."""

    def __init__(self, qtbot: QtBot) -> None:
        self.now_s = NOW_S
        self.asked: list[tuple[int, str, list[str], float, float]] = []
        self.book = SeriesBook()
        self.range = TimeRange(mode="hour", now=lambda: self.now_s)
        self.power = TimePlot(
            "Power", (Scale("W"), Scale("kW", 1, 1e3, 20_000)), (Curve("p_w", "total", "power", True),), self.range
        )
        self.voltage = TimePlot(
            "Voltage",
            (Scale("V", 1),),
            (Curve("u1_v", "L1", "l1"), Curve("u2_v", "L2", "l2")),
            self.range,
            at_least=(200.0, 260.0),
            limits=(207.0, 253.0),
        )
        self.widget = QWidget()
        layout = QVBoxLayout(self.widget)
        layout.addWidget(self.power)
        layout.addWidget(self.voltage)
        self.group = PlotGroup("meter", self.range, self.widget)
        self.group.add(self.power)
        self.group.add(self.voltage)
        self.group.history_wanted.connect(self._on_history_wanted)
        self.group.set_book(self.book)
        self.group.show_owner("E450")
        qtbot.addWidget(self.widget)
        self.widget.resize(900, 500)
        self.widget.show()
        qtbot.waitExposed(self.widget)
        self.group.redraw()

    def _on_history_wanted(self, request_id: int, owner: str, fields: list[str], start_s: float, end_s: float) -> None:
        self.asked.append((request_id, owner, fields, start_s, end_s))

    def feed(self, start_s: float, end_s: float, step_s: float = 5.0) -> None:
        for at_s in np.arange(start_s, end_s + 0.1, step_s):
            self.book._add("meter/E450", float(at_s), {"p_w": 1000.0, "u1_v": 231.0, "u2_v": 229.0}, None)


@pytest.fixture
def page(qtbot: QtBot) -> Page:
    return Page(qtbot)


def _frame(plot: TimePlot):
    return plot.canvas._frame


def _pixels(image: QImage) -> np.ndarray:
    """Colours as 0xAARRGGBB, shape (height, width)."""
    image = image.convertToFormat(QImage.Format_ARGB32)
    octets = image.constBits().asstring(image.sizeInBytes())
    return np.frombuffer(octets, np.uint32).reshape(image.height(), image.width())


def _history(name: str, points: list[tuple[float, float]]) -> SeriesPoints:
    values = array("d", [value for _, value in points])
    return SeriesPoints(name, None, array("d", [at_s for at_s, _ in points]), values, values, values)


def test_the_curve_is_painted_in_its_colour_over_its_time(page: Page):
    page.feed(NOW_S - 1800, NOW_S)
    page.group.redraw()
    image = page.power.canvas.grab().toImage()
    wanted = QColor(theme().power).rgb()
    columns = np.flatnonzero((_pixels(image) == wanted).any(axis=0))
    assert abs(min(columns) - page.power.canvas.pixel_of(NOW_S - 1800)) < 5
    assert abs(max(columns) - page.power.canvas.pixel_of(NOW_S)) < 5


def test_all_plots_of_a_page_show_the_same_time(page: Page):
    page.feed(NOW_S - 600, NOW_S)
    page.range.show_span(NOW_S - 500, NOW_S - 100)
    page.group.redraw()
    assert (_frame(page.power).start_s, _frame(page.power).end_s) == (NOW_S - 500, NOW_S - 100)
    assert (_frame(page.voltage).start_s, _frame(page.voltage).end_s) == (NOW_S - 500, NOW_S - 100)


def test_a_gap_is_a_band_over_all_plots_and_its_reason_is_said_once(page: Page):
    page.feed(NOW_S - 1800, NOW_S - 900)
    page.feed(NOW_S - 780, NOW_S)
    page.group.redraw()
    bands = [[(gap.start_s, gap.end_s) for gap in _frame(plot).gaps] for plot in (page.power, page.voltage)]
    assert bands[0] == bands[1] == [(NOW_S - 900, NOW_S - 780)]
    start, end = (time.strftime("%H:%M", time.localtime(NOW_S - ago)) for ago in (900, 780))
    assert start in _frame(page.power).gaps[0].text
    assert end in _frame(page.power).gaps[0].text
    assert _frame(page.voltage).gaps[0].text == ""


def test_a_reason_without_room_on_the_first_plot_is_said_on_the_next(page: Page):
    for at_s in np.arange(NOW_S - 3600, NOW_S + 1, 5.0):
        if not NOW_S - 900 < at_s < NOW_S - 780:
            page.book._add("meter/E450", float(at_s), {"p_w": 4e3 * (int(at_s) % 2), "u1_v": 231.0}, None)
    page.widget.resize(900, 240)
    page.group.redraw()
    said = [[text for _place, text in plot.canvas._drawing._reasons] for plot in (page.power, page.voltage)]
    assert sum(map(len, said)) == 1
    assert said[1]


def test_a_silence_that_lasts_is_an_open_band_with_the_reason_that_is_known(page: Page):
    page.feed(NOW_S - 1800, NOW_S - 600)
    page.group.set_silence("disconnected")
    page.group.redraw()
    gap = _frame(page.power).gaps[-1]
    assert (gap.start_s, gap.end_s) == (NOW_S - 600, NOW_S)
    assert gap.text.startswith("disconnected since")


def test_the_cursor_over_one_plot_reads_all_plots(page: Page, qtbot: QtBot):
    page.feed(NOW_S - 1800, NOW_S)
    page.group.redraw()
    QApplication.sendPostedEvents()  # the axis has the width of its numbers before a pixel is asked for
    canvas = page.voltage.canvas
    heights = itertools.cycle((30, 34))

    def is_over_it() -> bool:
        """As a hand moves: more than one move, since a window that has just come up may take none yet."""
        qtbot.mouseMove(canvas.viewport(), QPoint(int(canvas.pixel_of(NOW_S - 900)), next(heights)))
        return page.range.cursor_s == pytest.approx(NOW_S - 900, abs=10)

    qtbot.waitUntil(is_over_it, timeout=2000)
    assert [entry.value for entry in page.power.legend_entries()] == ["1\u2009000"]
    assert [(entry.label, entry.value) for entry in page.voltage.legend_entries()] == [("L1", "231.0"), ("L2", "229.0")]
    assert page.power.canvas._cursor.x_px == pytest.approx(page.voltage.canvas._cursor.x_px, abs=1)
    assert page.power.canvas._cursor.words[1] == "1\u2009000 W"
    assert page.voltage.canvas._cursor.words == []


def test_in_a_gap_the_cursor_reads_no_value(page: Page):
    page.feed(NOW_S - 1800, NOW_S - 900)
    page.feed(NOW_S - 600, NOW_S)
    page.group.redraw()
    page.range.set_cursor(NOW_S - 750)
    assert [entry.value for entry in page.voltage.legend_entries()] == ["–", "–"]
    assert page.power.canvas._cursor.words[1] == "no reading"


def test_a_cursor_that_the_time_has_left_behind_reads_nothing(page: Page):
    page.book.append("meter/E450/p_w", NOW_S - 3000, 5.0)
    page.book.append("meter/E450/p_w", NOW_S, 1000.0)
    page.range.set_cursor(NOW_S - 3000)
    page.group.redraw()
    assert page.power.legend_entries()[0].value == "5"
    page.range.follow("live")
    page.group.redraw()
    assert page.power.legend_entries()[0].value == "1\u2009000"


def wheel_step(x: float, modifiers: Qt.KeyboardModifier) -> QWheelEvent:
    place = QPointF(x, 50)
    return QWheelEvent(place, place, QPoint(), QPoint(0, 120), Qt.NoButton, modifiers, Qt.NoScrollPhase, False)


def test_the_wheel_scrolls_the_page_and_leaves_the_time_alone(page: Page):
    span = page.range.span()
    event = wheel_step(page.power.canvas.pixel_of(NOW_S - 900), Qt.NoModifier)
    page.power.canvas.wheelEvent(event)
    assert not event.isAccepted()
    assert page.range.span() == span
    assert page.power.toolTip() == page.power.canvas.toolTip() == ""  # it would lie over the curves
    assert "Ctrl" in page.power.findChild(QLabel, "card-title").toolTip()


def test_the_wheel_with_ctrl_zooms_about_the_pointer(page: Page):
    page.feed(NOW_S - 1800, NOW_S)
    canvas = page.power.canvas
    at_s = NOW_S - 900
    x = canvas.pixel_of(at_s)
    canvas.wheelEvent(wheel_step(x, Qt.ControlModifier))
    page.group.redraw()
    start_s, end_s = page.range.span()
    assert end_s - start_s == pytest.approx(3600 / 1.25)
    assert canvas.pixel_of(at_s) == pytest.approx(x, abs=2)


def test_a_drag_chooses_a_span_and_backspace_returns(page: Page, qtbot: QtBot):
    canvas = page.power.canvas
    left, right = (QPoint(int(canvas.pixel_of(NOW_S - ago)), 40) for ago in (1800, 600))
    qtbot.mousePress(canvas.viewport(), Qt.LeftButton, Qt.NoModifier, left)
    qtbot.mouseMove(canvas.viewport(), (left + right) / 2)
    qtbot.mouseMove(canvas.viewport(), right)
    qtbot.mouseRelease(canvas.viewport(), Qt.LeftButton, Qt.NoModifier, right)
    assert page.range.mode == "free"
    assert page.range.span() == pytest.approx((NOW_S - 1800, NOW_S - 600), abs=10)
    qtbot.keyClick(canvas, Qt.Key_Backspace)
    assert page.range.mode == "hour"


def test_the_keyboard_moves_cursor_and_time(page: Page, qtbot: QtBot):
    canvas = page.power.canvas
    qtbot.keyClick(canvas, Qt.Key_Left)
    first_s = page.range.cursor_s
    qtbot.keyClick(canvas, Qt.Key_Left)
    assert first_s is not None
    assert page.range.cursor_s < first_s
    qtbot.keyClick(canvas, Qt.Key_Left, Qt.ShiftModifier)
    assert page.range.span() == pytest.approx((NOW_S - 3960, NOW_S - 360))
    qtbot.keyClick(canvas, Qt.Key_Plus)
    start_s, end_s = page.range.span()
    assert end_s - start_s == pytest.approx(2880)


def test_buttons_of_the_range_are_exclusive_and_back_appears_only_when_free(qtbot: QtBot):
    span = TimeRange(mode="live", now=lambda: NOW_S)
    bar = RangeBar(span)
    qtbot.addWidget(bar)
    bar.show()
    qtbot.mouseClick(bar.buttons["day"], Qt.LeftButton)
    assert span.span() == (NOW_S - 86_400, NOW_S)
    assert [mode for mode, button in bar.buttons.items() if button.isChecked()] == ["day"]
    assert not bar.back_button.isVisible()
    span.zoom(0.5, NOW_S)
    assert [mode for mode, button in bar.buttons.items() if button.isChecked()] == []
    qtbot.mouseClick(bar.back_button, Qt.LeftButton)
    assert span.mode == "day"


def test_a_range_that_follows_moves_with_the_clock(page: Page):
    page.now_s += 60
    assert page.range.span() == (NOW_S - 3540, NOW_S + 60)


def test_what_memory_does_not_hold_is_asked_for_and_joined_on_the_screen(page: Page, qtbot: QtBot):
    page.feed(NOW_S - 600, NOW_S)
    page.group.start()
    qtbot.waitUntil(lambda: bool(page.asked), timeout=2000)
    page.group.stop()
    request_id, owner, fields, start_s, end_s = page.asked[-1]
    assert (owner, fields) == ("E450", ["p_w", "u1_v", "u2_v"])
    assert start_s == NOW_S - 3600
    assert end_s >= NOW_S - 600
    older = [(NOW_S - 3600 + 60 * minute, 500.0) for minute in range(50)]
    page.group.apply_points([_history("meter/E450/p_w", older)], request_id)
    page.group.redraw()
    times, low, _ = page.group.points("p_w", NOW_S - 3600, NOW_S, 800)
    assert times[0] == NOW_S - 3600
    assert times[-1] == NOW_S
    assert not np.isnan(low).any()
    assert np.all(np.diff(times) > 0)
    page.range.set_cursor(NOW_S - 1800)
    assert [entry.value for entry in page.power.legend_entries()] == ["500"]


def test_between_the_last_run_and_this_one_there_is_a_gap(page: Page):
    page.feed(NOW_S - 600, NOW_S)
    page.group._ask()
    older = [(NOW_S - 3600 + 60 * minute, 500.0) for minute in range(20)]
    page.group.apply_points([_history("meter/E450/p_w", older)], page.asked[-1][0])
    page.group.redraw()
    assert [(gap.start_s, gap.end_s) for gap in _frame(page.power).gaps] == [(NOW_S - 2460, NOW_S - 600)]


def test_gaps_of_the_history_are_bands_too(page: Page):
    page.group._ask()
    points = [(NOW_S - 300, 1.0), (NOW_S - 240, 1.0), (NOW_S - 150, math.nan), (NOW_S - 60, 1.0), (NOW_S - 1, 1.0)]
    page.group.apply_points([_history("meter/E450/p_w", points)], page.asked[-1][0])
    page.group.redraw()
    assert (NOW_S - 240, NOW_S - 60) in [(gap.start_s, gap.end_s) for gap in _frame(page.power).gaps]


def test_an_answer_to_an_earlier_question_is_dropped(page: Page):
    page.group._ask()
    page.group.show_owner("other")
    page.group.apply_points([_history("meter/E450/p_w", [(NOW_S - 60, 5.0)])], page.asked[-1][0])
    assert len(page.group.points("p_w", NOW_S - 3600, NOW_S, 100)[0]) == 0


def test_without_anything_new_nothing_is_drawn(page: Page):
    page.feed(NOW_S - 600, NOW_S)
    drawn = []
    page.group.drawn.connect(lambda: drawn.append(1))
    page.group.redraw()
    page.group.redraw()
    page.group.redraw()
    assert len(drawn) == 1
    page.book.append("meter/E450/p_w", NOW_S + 1, 5.0)
    page.group.redraw()
    assert len(drawn) == 2


def test_a_voltage_beyond_its_limit_is_marked_with_phase_and_value(page: Page):
    page.feed(NOW_S - 600, NOW_S - 305)
    page.book._add("meter/E450", NOW_S - 300, {"u1_v": 205.3, "u2_v": 229.0}, None)
    page.feed(NOW_S - 295, NOW_S)
    page.group.redraw()
    marks = _frame(page.voltage).marks
    assert [(mark.text, mark.time_s) for mark in marks] == [("L1 205.3 V", NOW_S - 300)]
    page.voltage.grab()


def test_the_voltage_axis_is_fixed_until_a_value_leaves_it(page: Page):
    page.feed(NOW_S - 600, NOW_S)
    page.group.redraw()
    assert (_frame(page.voltage).low, _frame(page.voltage).high) == (200, 260)
    page.book._add("meter/E450", NOW_S + 5, {"u1_v": 12.0}, None)
    page.now_s += 5
    page.group.redraw()
    assert _frame(page.voltage).low <= 12


def test_export_at_noon_is_below_zero_and_filled_from_zero(page: Page):
    for second in range(0, 600, 5):
        page.book._add("meter/E450", NOW_S - 600 + second, {"p_w": -2500.0}, None)
    page.group.redraw()
    assert _frame(page.power).low <= -2500
    assert _frame(page.power).high == 0
    assert page.power.legend_entries()[0].value == "−2\u2009500"


def test_a_big_power_is_shown_in_kilowatts(page: Page):
    page.book._add("meter/E450", NOW_S - 5, {"p_w": 36_000.0}, None)
    page.group.redraw()
    assert page.power.unit == "kW"
    assert page.power.legend_entries()[0].value == "36.0"


def test_the_table_has_utc_times_units_and_dots(page: Page):
    page.feed(NOW_S - 20, NOW_S, 10)
    lines = csv_text(page.group, is_simulated=True).splitlines()
    assert lines[0] == "time_utc,p_w (W),u1_v (V),u2_v (V),source"
    assert lines[1] == "2025-11-21T08:59:40.000Z,1000,231,229,simulated"
    assert len(lines) == 4
    assert "source" not in csv_text(page.group, is_simulated=False)


def test_the_picture_has_twice_the_pixels_and_says_that_it_is_simulated(page: Page):
    page.feed(NOW_S - 600, NOW_S)
    page.group.redraw()
    real = picture(page.widget, "Energy · E450", page.range.span(), is_simulated=False)
    simulated = picture(page.widget, "Energy · E450", page.range.span(), is_simulated=True)
    assert real.width() == 2 * (page.widget.width() + 28)
    warning = QColor(theme().warning).rgb()
    assert (_pixels(simulated)[:60] == warning).any()
    assert not (_pixels(real)[:60] == warning).any()


def test_every_field_of_a_measurement_has_the_unit_it_ends_in():
    names = ["active_power_w", "reactive_power_var", "apparent_power_va", "active_energy_import_t1_wh", "frequency_hz"]
    assert [unit_of(name) for name in names] == ["W", "var", "VA", "Wh", "Hz"]
    assert unit_of("power_factor") == ""
    assert unit_of("network_sent_bytes_per_s") == "B/s"


def test_another_theme_repaints_the_curves(page: Page):
    page.feed(NOW_S - 600, NOW_S)
    use_theme("light")
    page.group.redraw()
    image = page.power.canvas.grab().toImage()
    wanted = QColor(theme().power).rgb()
    assert (_pixels(image) == wanted).any()
    use_theme("dark")


def test_a_hidden_page_draws_nothing(page: Page):
    page.group.start()
    page.group.stop()
    page.widget.hide()
    drawn = []
    page.group.drawn.connect(lambda: drawn.append(1))
    page.feed(NOW_S - 600, NOW_S)
    page.group.redraw()
    assert drawn == []


@pytest.mark.parametrize("length_s", [5, 60, 120, 3_600, 7_200, 86_400, 7 * 86_400, 366 * 86_400])
def test_ticks_stand_at_round_local_times_and_are_not_too_many(length_s: float):
    ticks = time_ticks(NOW_S - length_s, NOW_S, 10)
    assert 1 <= len(ticks) <= 12
    assert all(NOW_S - length_s <= tick.value <= NOW_S for tick in ticks)
    steps = {round(later.value - earlier.value) for earlier, later in pairwise(ticks)}
    assert len(steps) <= 1 or length_s >= 7 * 86_400


def test_midnight_carries_the_date(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    try:
        noon_s = time.mktime((2026, 11, 20, 12, 0, 0, 0, 0, -1))
        labels = [tick.label for tick in time_ticks(noon_s, noon_s + 86_400, 8)]
        assert labels == ["12:00", "15:00", "18:00", "21:00", "21 Nov", "03:00", "06:00", "09:00", "12:00"]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_day_that_is_an_hour_longer_keeps_its_ticks_on_the_hour(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    try:
        start_s = time.mktime((2026, 10, 24, 18, 0, 0, 0, 0, -1))
        labels = [tick.label for tick in time_ticks(start_s, start_s + 86_400, 5)]
        assert labels == ["18:00", "25 Oct", "06:00", "12:00"]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_value_ticks_are_round_and_within_the_axis():
    assert [tick.label for tick in value_ticks(200, 260, 4)] == ["200", "220", "240", "260"]
    assert [tick.label for tick in value_ticks(0, 0.5, 5)] == ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]
    assert [tick.label for tick in value_ticks(-4000, 2000, 3)] == ["−4\u2009000", "−2\u2009000", "0", "2\u2009000"]


def test_an_axis_holds_its_values_with_room_for_words_and_begins_at_zero():
    low, high = nice_range(20.0, 1_900.0)
    assert low == 0
    assert 1_900 < high <= 2_600
    low, high = nice_range(49.98, 50.01, floor=None)
    assert low <= 49.98 < 50.01 <= high < 50.1
    assert nice_range(5.0, 5.0)[1] > 5


def test_rows_of_a_minute_are_a_line_of_means_and_columns_that_are_near_keep_their_extremes(page: Page):
    minutes = [NOW_S - 3600 + 60 * index for index in range(60)]
    low, mean, high = (array("d", [value] * 60) for value in (0.0, 10.0, 90.0))
    page.group._past = {"meter/E450/p_w": Past(SeriesPoints("", None, array("d", minutes), low, mean, high))}
    for span_s, wanted in ((3600, (10.0, 10.0)), (86_400, (0.0, 90.0))):
        _time, bottom, top = page.group.points("p_w", NOW_S - span_s, NOW_S, 800)
        assert (float(np.nanmin(bottom)), float(np.nanmax(top))) == wanted


def test_one_silence_between_history_and_memory_is_one_band(page: Page):
    page.group._ask()
    page.book.append("meter/E450/p_w", NOW_S - 60, 1.0)
    page.book.append("meter/E450/p_w", NOW_S - 55, 1.0)
    points = [(NOW_S - 300 + 5 * index, 1.0) for index in range(20)]
    points += [(NOW_S - 130, math.nan), (NOW_S - 60, 1.0), (NOW_S - 55, 1.0)]
    page.group.apply_points([_history("meter/E450/p_w", points)], page.asked[-1][0])
    gaps = page.group._gaps(NOW_S - 400, NOW_S - 50)
    assert [(gap.start_s, gap.end_s) for gap in gaps if gap.end_s <= NOW_S - 60] == [(NOW_S - 205, NOW_S - 60)]


@pytest.mark.parametrize("count", [2, 48, 49, 50, 700])
def test_an_area_in_parts_is_the_same_picture_as_the_whole(qtbot, count: int):
    random = np.random.default_rng(count)
    x = np.linspace(1.5, 298.2, count)
    area = Area(x, 10 + 60 * random.random(count), 90 + 60 * random.random(count))
    pictures = []
    for in_parts in (False, True):
        picture = QImage(300, 160, QImage.Format_RGB32)
        picture.fill(Qt.black)
        painter = QPainter(picture)
        painter.setPen(Qt.NoPen)
        painter.setBrush(QColor(255, 255, 255, 52))
        area.paint(painter, in_parts=in_parts)
        painter.end()
        pictures.append(np.frombuffer(picture.constBits().asstring(picture.byteCount()), np.uint8))
    assert pictures[0].any()
    assert np.count_nonzero(pictures[0] != pictures[1]) <= 0.001 * len(pictures[0])


def test_a_pointer_that_moves_paints_what_is_kept_until_the_curves_or_colours_change(qtbot, page: Page):
    canvas = page.power.canvas
    painted = []
    whole = canvas._drawing._paint_all
    canvas._drawing._paint_all = lambda painter, *, in_parts: (
        painted.append(in_parts),
        whole(painter, in_parts=in_parts),
    )
    canvas.on_theme_changed()
    first = None
    for _pointer in range(4):
        picture = canvas.grab().toImage()
        first = first or picture
        assert picture == first
    assert painted == [True, True]
    canvas.on_theme_changed()
    canvas.grab()
    assert len(painted) == 3
    picture = QImage(300, 160, QImage.Format_RGB32)
    painter = QPainter(picture)
    canvas.render(painter)
    painter.end()
    assert painted[-1] is False


def test_ticks_of_values_beyond_all_measure_leave_room_for_the_curves():
    assert {len(tick.label) for tick in value_ticks(-8e20, 1e20, 10)} <= {len("0"), len("-8.00e+20"), len("1.00e+20")}
    assert number(9_007_199_254_740_992.0) == "9 007 199 254 740 992".replace(" ", "\u2009")
