"""The History page, driven by records, clicks and keys."""

import pytest
from dialog_parts import gather
from history_made_up import (
    CPU,
    DAY_S,
    HEAT,
    HOUR_S,
    NOW_S,
    POWER,
    REGISTER,
    UNITS,
    VOLTAGE,
    MadeUpHistory,
    info,
    marks,
    points,
)
from PyQt5.QtCore import QPoint, QPointF, Qt
from PyQt5.QtGui import QWheelEvent
from PyQt5.QtWidgets import QApplication

from core.config.views import ViewAxis, ViewConfig
from core.series import SeriesBook
from gui.models.history_chosen import BETWEEN, DIFFERENCE, MOST, SERIES, VALUE
from gui.models.whole_file import write_whole
from gui.pages.history import HistoryPage
from gui.widgets.history_lower import LEGEND, MARKS, MOVED


@pytest.fixture
def page(qtbot, monkeypatch):
    made = HistoryPage()
    made.range._now = lambda: NOW_S
    qtbot.addWidget(made)
    made.resize(1200, 840)
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def history(page):
    return MadeUpHistory(page)


def draw(qtbot, page, *names):
    page.draw(names)
    qtbot.waitUntil(lambda: page.plot is not None and page.plot._asked is not None and not page.plot.is_busy)
    page.plot.redraw()
    QApplication.sendPostedEvents()
    page.plot.redraw()


def cell(page, name, column):
    return page.chosen.text(page.chosen.row_of(name), column)


def place_of(page, time_s, y=80):
    return QPoint(round(page.plot.canvas.pixel_of(time_s)), y)


def test_an_empty_page_is_one_sentence_and_its_button_leads_to_the_filter(qtbot, page, history):
    assert page.start.isVisible()
    assert not page.header.export_button.isEnabled()
    qtbot.mouseClick(page.start.choose_button, Qt.LeftButton)
    assert page.chooser.filter.hasFocus()
    assert [button.text() for button in page.start.suggestions] == [
        "Power of the site",
        "CPU of the busiest machine",
        "Temperature",
    ]
    qtbot.mouseClick(page.start.suggestions[0], Qt.LeftButton)
    assert page.chosen.names() == [POWER]
    assert not page.start.isVisible()


def test_a_series_is_found_and_drawn_by_the_keyboard_alone(qtbot, page, history):
    page.focus_filter()
    qtbot.keyClicks(page.chooser.filter, "server temp")
    qtbot.keyClick(page.chooser.filter, Qt.Key_Return)
    assert page.chosen.names() == [HEAT]
    page.chooser.filter.setText("E450 volt")
    page.chooser.apply_filter()
    view = page.chooser.view
    view.setFocus()
    view.setCurrentIndex(page.chooser.model.index(0, 0))
    for _step in range(2):
        qtbot.keyClick(view, Qt.Key_Down)
    qtbot.keyClick(view, Qt.Key_Return)
    assert page.chosen.names() == [HEAT, VOLTAGE]
    assert page.chooser.view.currentIndex().data() == "✓ Voltage L1"


def test_a_double_click_draws_a_series(qtbot, page, history):
    view = page.chooser.view
    model = page.chooser.model
    owner = model.index(0, 0, model.index(0, 0))
    place = view.visualRect(model.index(0, 0, owner)).center()
    qtbot.mouseClick(view.viewport(), Qt.LeftButton, Qt.NoModifier, place)
    qtbot.mouseDClick(view.viewport(), Qt.LeftButton, Qt.NoModifier, place)
    assert page.chosen.names() == [POWER]


def test_what_is_dropped_on_the_page_is_drawn(page, history):
    data = page.chooser.model.mimeData(
        [page.chooser.model.index(0, 0, page.chooser.model.index(0, 0, page.chooser.model.index(0, 0)))]
    )
    assert bytes(data.data("application/x-beffroi-series")).decode() == POWER
    page._area.dropped.emit([POWER, HEAT])
    assert page.chosen.names() == [POWER, HEAT]


def test_units_share_an_axis_and_each_other_one_has_its_own(qtbot, page, history):
    draw(qtbot, page, POWER, VOLTAGE, CPU, HEAT, "machine/nas/cpu_percent")
    frame = page.plot.frame(*page.range.span())
    assert [frame.unit, *(span.unit for span in frame.more)] == ["W", "V", "%", "°C"]
    assert [stroke.axis for stroke in frame.strokes] == [0, 1, 2, 3, 2]
    assert frame.span_of(1)[0] > 200
    assert frame.span_of(2)[1] <= 100


def test_an_axis_begins_at_zero_unless_that_would_press_its_curve_flat(qtbot, page, history):
    draw(qtbot, page, POWER)
    assert page.plot.frame(*page.range.span()).span_of(0)[0] > 1900
    page.plot.data.apply(
        [points(POWER, [(NOW_S - HOUR_S * number, 500.0 * (number % 5)) for number in range(24, 0, -1)])]
    )
    assert page.plot.frame(*page.range.span()).span_of(0)[0] == 0.0


def test_a_fifth_unit_is_drawn_without_an_axis_of_its_own(qtbot, page, history):
    draw(qtbot, page, *[name for name in UNITS if name != REGISTER], REGISTER)
    assert len(page.plot.frame(*page.range.span()).more) == 5
    assert len(page.plot.canvas._more_axes) == 3


def test_what_finds_no_colour_any_more_is_told(page, history):
    told = gather(page.told)
    page.draw([f"machine/m{number}/cpu_percent" for number in range(MOST + 3)])
    assert len(page.chosen.rows()) == MOST
    assert "3 series more" in told[0][0]
    assert len({row.role for row in page.chosen.rows()}) == MOST


def test_long_ranges_show_an_envelope_and_short_ones_each_sample(qtbot, page, history):
    draw(qtbot, page, POWER)
    stroke = page.plot.frame(*page.range.span()).strokes[0]
    assert (stroke.high > stroke.mean).any()
    assert not stroke.has_dots
    page.range.show_span(NOW_S - 30, NOW_S - 10)
    qtbot.waitUntil(lambda: history.asked[-1][3] - history.asked[-1][2] < 100 and not page.plot.is_busy)
    stroke = page.plot.frame(*page.range.span()).strokes[0]
    assert (stroke.high == stroke.mean).all()
    assert stroke.has_dots


def test_a_drag_zooms_a_double_click_goes_back(qtbot, page, history):
    draw(qtbot, page, POWER)
    canvas = page.plot.canvas.viewport()
    before = page.range.span()
    qtbot.mousePress(canvas, Qt.LeftButton, Qt.NoModifier, place_of(page, NOW_S - 12 * HOUR_S))
    qtbot.mouseMove(canvas, place_of(page, NOW_S - 9 * HOUR_S))
    qtbot.mouseMove(canvas, place_of(page, NOW_S - 6 * HOUR_S))
    qtbot.mouseRelease(canvas, Qt.LeftButton, Qt.NoModifier, place_of(page, NOW_S - 6 * HOUR_S))
    start_s, end_s = page.range.span()
    assert start_s == pytest.approx(NOW_S - 12 * HOUR_S, abs=300)
    assert end_s == pytest.approx(NOW_S - 6 * HOUR_S, abs=300)
    assert page.range.cursor("A") is None
    qtbot.mouseDClick(canvas, Qt.LeftButton, Qt.NoModifier, QPoint(300, 80))
    assert page.range.span() == before


def test_the_wheel_zooms_about_the_pointer(qtbot, page, history):
    draw(qtbot, page, POWER)
    canvas = page.plot.canvas
    at = QPointF(place_of(page, NOW_S - 12 * HOUR_S))
    for _step in range(4):
        event = QWheelEvent(at, at, QPoint(), QPoint(0, 120), Qt.NoButton, Qt.NoModifier, Qt.NoScrollPhase, False)
        QApplication.sendEvent(canvas.viewport(), event)
    start_s, end_s = page.range.span()
    assert end_s - start_s == pytest.approx(DAY_S / 1.25**4, rel=0.01)
    assert (start_s + end_s) / 2 == pytest.approx(NOW_S - 12 * HOUR_S, abs=600)
    page.range.back()
    assert page.range.mode == "day"


def test_two_cursors_tell_differences_and_the_energy_under_a_power(qtbot, page, history):
    draw(qtbot, page, POWER, REGISTER, VOLTAGE)
    canvas = page.plot.canvas.viewport()
    qtbot.mouseClick(canvas, Qt.LeftButton, Qt.NoModifier, place_of(page, NOW_S - 4 * HOUR_S))
    qtbot.mouseClick(canvas, Qt.LeftButton, Qt.ShiftModifier, place_of(page, NOW_S - 2 * HOUR_S))
    assert page.range.cursor("A") == pytest.approx(NOW_S - 4 * HOUR_S, abs=120)
    assert page.range.cursor("B") == pytest.approx(NOW_S - 2 * HOUR_S, abs=120)
    page.range.set_cursor("A", NOW_S - 4 * HOUR_S)
    page.range.set_cursor("B", NOW_S - 2 * HOUR_S)
    assert cell(page, POWER, DIFFERENCE) == "0.0"
    assert cell(page, POWER, BETWEEN) == "4.000 kWh"
    assert cell(page, REGISTER, BETWEEN) == "7.200 kWh"
    assert cell(page, VOLTAGE, BETWEEN) == "mean 231.0"
    assert "Δ 2 h 00 min" in page.board.lower._cursor_words.accessibleName()
    page.plot.canvas.setFocus()
    qtbot.keyClick(page.plot.canvas, Qt.Key_Escape)
    assert page.range.between() is None


def test_what_a_register_counted_is_asked_of_the_history_and_told_exactly(qtbot, page, history):
    draw(qtbot, page, REGISTER)
    with qtbot.waitSignal(page.energies_wanted) as asked:
        page.range.set_cursor("B", NOW_S - 2 * HOUR_S)
        page.range.set_cursor("A", NOW_S - 4 * HOUR_S)
    number, names, *span = asked.args
    assert (tuple(names), span) == ((REGISTER,), [NOW_S - 4 * HOUR_S, NOW_S - 2 * HOUR_S])
    page.apply_energies(number - 1, {REGISTER: 1.0})
    assert cell(page, REGISTER, BETWEEN) == "7.200 kWh"
    page.apply_energies(number, {REGISTER: 7_345.0})
    assert cell(page, REGISTER, BETWEEN) == "7.345 kWh"
    page.range.set_cursor("B", NOW_S - 3 * HOUR_S)
    assert cell(page, REGISTER, BETWEEN) == "3.600 kWh"


def test_what_lies_between_the_cursors_is_told_of_all_of_it_even_off_the_screen(qtbot, page, history):
    draw(qtbot, page, POWER, HEAT)
    page.range.show_span(NOW_S - HOUR_S, NOW_S - HOUR_S / 2)
    qtbot.waitUntil(lambda: history.asked[-1][3] - history.asked[-1][2] < 2 * HOUR_S and not page.plot.is_busy)
    with qtbot.waitSignal(page.between_wanted) as asked:
        page.range.set_cursor("A", NOW_S - 10 * HOUR_S)
        page.range.set_cursor("B", NOW_S - 8 * HOUR_S)
    assert cell(page, POWER, BETWEEN) == "–"
    number, names, start_s, end_s, most = asked.args
    assert set(names) == {POWER, HEAT}
    page.apply_between(number, history._made(names, start_s - 600, end_s + 600, most))
    assert cell(page, POWER, BETWEEN) == "4.000 kWh"
    assert cell(page, HEAT, BETWEEN).startswith("mean 22.0")
    assert cell(page, HEAT, DIFFERENCE) != "–"


def test_what_is_drawn_is_never_old(qtbot, page, history):
    draw(qtbot, page, POWER)
    page.range.follow("year")
    qtbot.waitUntil(lambda: len(history.asked) == 2 and not page.plot.is_busy)
    number, names, start_s, end_s, asked_s = page.plot._asked
    page.plot._asked = (number, names, start_s, end_s, asked_s - 61)
    history.is_empty = True
    page.plot.redraw()
    qtbot.waitUntil(lambda: len(history.asked) == 3 and not page.plot.is_busy)
    assert page.plot.frame(*page.range.span()).message == "no values in this time"


def test_a_page_without_any_series_says_so(qtbot, page):
    MadeUpHistory(page, [])
    assert page.start._headline.text() == "Nothing is kept yet"
    assert not page.start.choose_button.isEnabled()


def test_cursors_are_put_moved_and_removed_by_keys_and_by_drag(qtbot, page, history):
    draw(qtbot, page, POWER)
    canvas = page.plot.canvas
    canvas.setFocus()
    qtbot.keyClick(canvas, Qt.Key_Left)
    qtbot.keyClick(canvas, Qt.Key_A)
    for _step in range(3):
        qtbot.keyClick(canvas, Qt.Key_Right)
    qtbot.keyClick(canvas, Qt.Key_B)
    assert page.range.cursor("A") < page.range.cursor("B")
    at_s = page.range.cursor("B")
    qtbot.mousePress(canvas.viewport(), Qt.LeftButton, Qt.NoModifier, place_of(page, at_s))
    qtbot.mouseMove(canvas.viewport(), place_of(page, NOW_S - HOUR_S))
    event_place = place_of(page, NOW_S - HOUR_S)
    page.plot.canvas.cursor_placed.emit("B", canvas.time_at(event_place.x()))
    qtbot.mouseRelease(canvas.viewport(), Qt.LeftButton, Qt.NoModifier, event_place)
    assert page.range.cursor("B") == pytest.approx(NOW_S - HOUR_S, abs=300)
    assert page.range.span() == (NOW_S - DAY_S, NOW_S)
    qtbot.mouseClick(page.board.lower.clear_button, Qt.LeftButton)
    assert page.range.cursor("A") is None


def test_a_late_answer_is_dropped(qtbot, page, history):
    draw(qtbot, page, POWER)
    history.hold = True
    page.range.follow("week")
    qtbot.waitUntil(lambda: page.plot.is_busy)
    late = history.asked[-1]
    page.range.follow("month")
    qtbot.waitUntil(lambda: history.asked[-1] != late)
    before = page.plot.data.columns(POWER, *page.range.span(), 100)
    page.apply_points(late[0], history._made((POWER,), NOW_S - 7 * DAY_S, NOW_S, 10))
    assert page.plot.is_busy
    assert len(page.plot.data.columns(POWER, *page.range.span(), 100).time_s) == len(before.time_s)
    history.hold = False
    history.release()
    assert not page.plot.is_busy


def test_a_history_that_was_deleted_shows_what_is_left_and_one_that_fails_says_why(qtbot, page, history):
    draw(qtbot, page, POWER)
    history.is_empty = True
    page.ask_again()
    qtbot.waitUntil(lambda: len(history.asked) == 2 and not page.plot.is_busy)
    assert page.plot.frame(*page.range.span()).message == "no values in this time"
    history.hold = True
    page.ask_again()
    qtbot.waitUntil(lambda: page.plot.is_busy)
    assert page.plot.frame(*page.range.span()).message == "reading the history…"
    page.apply_error(history.asked[-1][0], "the database is gone")
    assert page.plot.frame(*page.range.span()).message == "the database is gone"


def test_what_is_live_goes_on_after_the_history(qtbot, page, history):
    book = SeriesBook()
    page.set_live(book)
    draw(qtbot, page, CPU)
    book.append(CPU, NOW_S + 1, 77.0)
    book.append(CPU, NOW_S + 2, 78.0)
    page.range._now = lambda: NOW_S + 3
    page.plot.redraw()
    assert cell(page, CPU, VALUE) == "78.0"
    found = page.plot.data.columns(CPU, NOW_S - 60, NOW_S + 3, 500)
    assert found.mean[-1] == 78.0
    assert found.time_s[0] < NOW_S - 1


def test_a_silence_of_all_is_a_gap_with_words_and_of_one_a_band_in_its_colour(qtbot, page, history):
    history.gap = (NOW_S - 6 * HOUR_S, NOW_S - 4 * HOUR_S)
    draw(qtbot, page, POWER)
    gaps = page.plot.frame(*page.range.span()).gaps
    assert len(gaps) == 1
    assert gaps[0].text.startswith("no reading ")
    history.gap = None
    draw(qtbot, page, HEAT)
    found = history._made([HEAT], NOW_S - DAY_S, NOW_S, 300)
    history.gap = (NOW_S - 6 * HOUR_S, NOW_S - 4 * HOUR_S)
    page.plot.data.apply([*found, *history._made([POWER], NOW_S - DAY_S, NOW_S, 300)])
    frame = page.plot.frame(*page.range.span())
    assert frame.gaps == []
    assert [band.role for band in frame.bands] == ["power"]


def test_what_came_from_the_meter_and_what_was_simulated_say_so(qtbot, page):
    history = MadeUpHistory(page, simulated=[POWER])
    history.filled = ((NOW_S - 5 * HOUR_S, NOW_S - 4 * HOUR_S),)
    draw(qtbot, page, POWER)
    bands = page.plot.frame(*page.range.span()).bands
    assert [band.text for band in bands] == ["from the meter"]
    assert page.chosen.row_of(POWER).is_simulated


def test_marks_are_chosen_by_click_key_and_list_and_opened(qtbot, page, history):
    draw(qtbot, page, POWER)
    strip, lower = page.plot.marks_strip, page.board.lower
    assert strip.marks() == marks()
    opened = gather(page.mark_opened)
    x = round(strip.pixel_of(marks()[1].time_s))
    qtbot.mouseClick(strip, Qt.LeftButton, Qt.NoModifier, QPoint(x, 10))
    assert lower.which == MARKS
    assert lower.marks_table.currentIndex().row() == 1
    assert page.range.pointer_s == marks()[1].time_s
    strip.setFocus()
    qtbot.keyClick(strip, Qt.Key_Right)
    assert lower.marks_table.currentIndex().row() == 2
    qtbot.keyClick(strip, Qt.Key_Return)
    qtbot.keyClick(lower.marks_table, Qt.Key_Return)
    assert [mark.kind for (mark,) in opened] == ["chat", "chat"]


def test_kinds_of_marks_can_be_left_out(qtbot, page, history):
    draw(qtbot, page, POWER)
    lower = page.board.lower
    lower.show_list(MARKS)
    qtbot.mouseClick(lower.kind_buttons["chat"], Qt.LeftButton)
    assert [mark.kind for mark in page.plot.marks_strip.marks()] == ["alarm", "command"]
    assert lower.buttons[MARKS].text() == "Marks  2"


def test_a_peak_tells_which_machines_moved_and_enter_draws_one(qtbot, page, history):
    draw(qtbot, page, POWER)
    canvas = page.plot.canvas
    qtbot.mouseClick(canvas.viewport(), Qt.LeftButton, Qt.NoModifier, place_of(page, NOW_S - 3 * HOUR_S))
    qtbot.mouseMove(canvas.viewport(), place_of(page, NOW_S - 3 * HOUR_S))
    page.range.set_pointer(NOW_S - 3 * HOUR_S)
    qtbot.keyClick(canvas, Qt.Key_W)
    lower = page.board.lower
    assert lower.which == MOVED
    at_s, before_s, after_s = history.moments[-1]
    assert at_s < NOW_S - 3 * HOUR_S < at_s + after_s < NOW_S - 2.5 * HOUR_S
    assert before_s >= 300
    assert lower.moved.index(0, 0).data() == "srv-db"
    assert lower.moved.index(0, 4).data() == "+63.0 %"
    assert lower.moved_table.hasFocus()
    qtbot.keyClick(lower.moved_table, Qt.Key_Return)
    assert page.chosen.names() == [POWER, CPU]
    assert lower.moved.index(0, 0).data() == "✓ srv-db"


def test_a_click_looks_for_what_moved_and_tells_it_on_the_button_alone(qtbot, page, history):
    draw(qtbot, page, POWER)
    lower = page.board.lower
    assert lower.buttons[MOVED].text() == "What moved"
    place = place_of(page, NOW_S - 3 * HOUR_S)
    qtbot.mouseClick(page.plot.canvas.viewport(), Qt.LeftButton, Qt.NoModifier, place)
    qtbot.waitUntil(lambda: bool(history.moments))
    assert lower.buttons[MOVED].text() == "What moved  srv-db CPU +63.0 %"
    assert lower.which == LEGEND
    assert page.range.pointer_s is None or not lower.moved_table.hasFocus()
    page.range.clear_cursors()
    assert lower.buttons[MOVED].text() == "What moved"


def test_no_tool_tip_ever_covers_the_curves(qtbot, page, history):
    draw(qtbot, page, POWER)
    widget = page.plot.canvas.viewport()
    while widget is not None:
        assert widget.toolTip() == ""
        widget = widget.parentWidget()
    assert "Shift" in page.board.lower.how_button.toolTip()


@pytest.mark.parametrize(
    ("first_s", "last_s", "mode"),
    [
        (NOW_S - 400 * DAY_S, NOW_S, "day"),
        (NOW_S - 60, NOW_S, "hour"),
        (NOW_S - 400 * DAY_S, NOW_S - 23 * HOUR_S, "free"),
        (NOW_S - 90 * DAY_S, NOW_S - 90 * DAY_S + 60, "free"),
    ],
)
def test_the_first_series_is_shown_where_its_values_are(qtbot, page, first_s, last_s, mode):
    MadeUpHistory(page, [info(POWER, first_s=first_s, last_s=last_s), info(CPU)])
    draw(qtbot, page, POWER)
    start_s, end_s = page.range.span()
    assert page.range.mode == mode
    assert min(last_s, end_s) - max(first_s, start_s) > 0.01 * (end_s - start_s)
    page.draw([CPU])
    assert page.range.mode == mode


def test_the_menu_of_a_moment_asks_and_puts_cursors(page, history, qtbot):
    draw(qtbot, page, POWER)
    menu = page.board.menu_at(NOW_S - HOUR_S)
    actions = {action.text().split("\t")[0]: action for action in menu.actions()}
    actions["Cursor B here"].trigger()
    actions["What moved here?"].trigger()
    assert page.range.cursor("B") == NOW_S - HOUR_S
    assert [at_s for at_s, _before_s, _after_s in history.moments] == [NOW_S - HOUR_S - page.plot.pixel_s()]
    assert not actions["Zoom to A – B"].isEnabled()


def test_a_row_hides_and_goes_by_keys_and_clicks(qtbot, page, history):
    draw(qtbot, page, POWER, HEAT)
    legend = page.board.lower.legend
    legend.selectRow(0)
    qtbot.keyClick(legend, Qt.Key_Space)
    assert [row.name for row in page.chosen.visible()] == [HEAT]
    place = legend.visualRect(page.chosen.index(0, SERIES))
    qtbot.mouseClick(legend.viewport(), Qt.LeftButton, Qt.NoModifier, QPoint(place.left() + 14, place.center().y()))
    assert len(page.chosen.visible()) == 2
    legend.selectRow(0)
    qtbot.keyClick(legend, Qt.Key_Delete)
    assert page.chosen.names() == [HEAT]
    place = legend.visualRect(page.chosen.index(0, SERIES))
    qtbot.mouseClick(legend.viewport(), Qt.LeftButton, Qt.NoModifier, QPoint(place.right() - 8, place.center().y()))
    assert page.chosen.names() == []
    assert page.start.isVisible()


def test_ranges_are_buttons_and_the_overview_moves_the_window(qtbot, page, history):
    draw(qtbot, page, POWER)
    qtbot.mouseClick(page.header.range_buttons["all"], Qt.LeftButton)
    assert page.range.span() == (NOW_S - 400 * DAY_S, NOW_S)
    qtbot.mouseClick(page.header.range_buttons["month"], Qt.LeftButton)
    page.plot.redraw()
    strip = page.plot.overview
    assert strip.whole == (NOW_S - 400 * DAY_S, NOW_S)
    x = round(strip.pixel_of(NOW_S - 200 * DAY_S))
    qtbot.mouseClick(strip, Qt.LeftButton, Qt.NoModifier, QPoint(x, 15))
    start_s, end_s = page.range.span()
    assert end_s - start_s == pytest.approx(30 * DAY_S)
    assert (start_s + end_s) / 2 == pytest.approx(NOW_S - 200 * DAY_S, abs=2 * DAY_S)
    strip.setFocus()
    qtbot.keyClick(strip, Qt.Key_Right)
    assert page.range.span()[0] == pytest.approx(start_s + 7.5 * DAY_S)
    qtbot.mouseClick(page.header.back_button, Qt.LeftButton)
    assert page.range.span() == (start_s, end_s)


def test_a_view_holds_series_time_and_axes(qtbot, page, history):
    view = ViewConfig(
        name="Night",
        series=(POWER, HEAT),
        start="2026-11-01T22:00:00Z",
        end="2026-11-02T06:00:00Z",
        hidden=(HEAT,),
        axes=(ViewAxis(unit="W", low=-1000, high=5000),),
    )
    page.open_view(view)
    qtbot.waitUntil(lambda: page.plot is not None and not page.plot.is_busy)
    assert [row.name for row in page.chosen.visible()] == [POWER]
    assert page.plot.frame(*page.range.span()).span_of(0) == (-1000, 5000)
    again = page.view("Night")
    assert again.span_s() == view.span_s()
    assert (again.series, again.hidden, again.axes) == (view.series, view.hidden, view.axes)
    page.set_axis("W", None, None)
    assert page.view("Night").axes == ()
    page.range.follow("week")
    assert page.view("x").range == "week"
    assert page.view("x").span_s() is None


def test_the_last_view_is_there_after_a_restart(qtbot, page, history):
    draw(qtbot, page, POWER, HEAT)
    page.chosen.set_hidden(HEAT, True)
    page.range.show_span(NOW_S - 2 * DAY_S, NOW_S - DAY_S)
    page.set_axis("W", 0, 9000)
    page.board.lower.set_kinds(["alarm"])
    other = HistoryPage()
    qtbot.addWidget(other)
    other.restore_layout(page.layout_state())
    assert other.chosen.names() == [POWER, HEAT]
    assert [row.name for row in other.chosen.visible()] == [POWER]
    assert other.range.span() == (NOW_S - 2 * DAY_S, NOW_S - DAY_S)
    assert other.fixed_axes() == {"W": (0.0, 9000.0)}
    other.show()
    assert other.board.lower.marks.kinds() == {"alarm"}
    kept = other.layout_state()
    for broken in (b"", b"{}", b'{"series": 3}', bytes(kept)[:-20]):
        other.restore_layout(broken)
    assert other.layout_state() == kept


def test_a_narrow_page_with_curves_leaves_the_list_away_until_it_is_wanted(qtbot, page, history):
    draw(qtbot, page, POWER)
    assert page.chooser.isVisible()
    page.resize(720, 620)
    QApplication.sendPostedEvents()
    assert not page.chooser.isVisible()
    qtbot.mouseClick(page.header.chooser_button, Qt.LeftButton)
    assert page.chooser.isVisible()
    page.resize(730, 620)
    assert page.chooser.isVisible()
    assert page.minimumSizeHint().width() <= 720


def test_a_picture_and_a_drawing_are_written_with_what_they_show(qtbot, page, tmp_path):
    MadeUpHistory(page, simulated=[POWER])
    draw(qtbot, page, POWER, HEAT)
    page.write_picture(tmp_path / "a.png", "png")
    page.write_picture(tmp_path / "a.svg", "svg")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    drawing = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "Active power" in drawing
    assert "simulated" in drawing
    assert "<image" not in drawing
    with pytest.raises(OSError, match="nowhere"):
        page.write_picture(tmp_path / "nowhere" / "a.svg", "svg")
    with pytest.raises(OSError, match="nowhere"):
        page.write_picture(tmp_path / "nowhere" / "a.png", "png")


def test_a_picture_for_which_there_is_no_room_leaves_what_was_there(tmp_path, monkeypatch):
    target = tmp_path / "a.png"
    target.write_bytes(b"before")

    def full(self, content):
        with self.open("wb") as stream:
            stream.write(content[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(target), "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(target, b"after, and much more")
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


def test_twenty_thousand_series_are_listed_and_filtered_at_once(qtbot, page):
    import time

    quantities = ("cpu_percent", "memory_percent", "disk_percent", "process_count", "swap_used_bytes")
    infos = [info(f"machine/pc-{number:04}/{name}", "%") for number in range(4_000) for name in quantities]
    began_s = time.perf_counter()
    MadeUpHistory(page, infos)
    page.chooser.filter.setText("pc-3999 cpu")
    page.chooser.apply_filter()
    assert time.perf_counter() - began_s < 3
    assert page.chooser.model.count_shown() == 1
    qtbot.keyClick(page.chooser.filter, Qt.Key_Return)
    assert page.chosen.names() == ["machine/pc-3999/cpu_percent"]
    assert page.board.lower.which == LEGEND


def test_a_year_is_asked_for_in_whole_days(qtbot, page, history):
    draw(qtbot, page, POWER)
    for mode, least, most in (("year", 364, 365), ("month", 366, 6_000), ("day", 200, 6_000)):
        page.range.follow(mode)
        qtbot.waitUntil(lambda: page.plot._asked is not None and not page.plot._ask_timer.isActive())
        assert least <= history.asked[-1][4] <= most
