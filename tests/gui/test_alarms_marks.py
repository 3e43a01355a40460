"""Alarms where one does not look for them: marks on curves, the tile of the Overview, the bell of the status bar."""

import time

import pytest
from alarm_shown import alarm
from msgspec.structs import replace
from PyQt5.QtCore import QPoint, Qt
from PyQt5.QtGui import QFontMetrics
from PyQt5.QtTest import QTest

from core.series import SeriesBook
from core.site_records import AlarmSeverity, AlarmState
from gui.models.alarm_marks import marks_of
from gui.models.machines import MachineModel
from gui.pages.machine import MachinePage
from gui.pages.overview import OverviewPage
from gui.widgets.alarms_tile import AlarmLines, _wrapped
from gui.widgets.status_line import StatusLine


@pytest.fixture
def page(qtbot):
    page = MachinePage()
    qtbot.addWidget(page)
    page.resize(1000, 700)
    book = SeriesBook()
    now_s = time.time()
    for second in range(100):
        book.append("machine/web-01/cpu_percent", now_s - 100 + second, 50.0)
    page.set_live(book)
    page.build_plots()
    page.show_machine("web-01")
    page.show()
    return page


def marks(page, plot):
    page.group.redraw()
    return [(mark.text, mark.role, mark.value) for mark in page.plot(plot).canvas._frame.marks]


def test_an_alarm_is_a_mark_on_the_curve_of_its_value(page):
    rung = alarm(1, since_s=time.time() - 30)
    page.set_alarms({"machine/web-01": [rung], "machine/other": [alarm(2)]})
    assert marks(page, "cpu") == [("CPU high 96 %", "warning", 96.0)]
    assert marks(page, "memory") == []


def test_an_acknowledged_alarm_is_a_dim_mark(page):
    page.set_alarms({"machine/web-01": [alarm(1, since_s=time.time() - 30, state=AlarmState.ACKNOWLEDGED)]})
    assert marks(page, "cpu") == [("CPU high 96 % ✓", "dim", 96.0)]


def test_an_absence_stands_at_the_edge_of_the_first_curve(page):
    away = alarm(
        1, since_s=time.time() - 30, rule="machine offline", quantity=None, value=None, severity=AlarmSeverity.HIGH
    )
    page.set_alarms({"machine/web-01": [away]})
    assert marks(page, "cpu") == [("Machine offline", "critical", None)]
    assert marks(page, "network") == []


def test_what_is_ignored_leaves_no_mark_and_new_ones_have_their_words_first():
    found = marks_of([alarm(1, state=AlarmState.RESOLVED), alarm(2, state=AlarmState.IGNORED), alarm(3)])
    assert [mark.role for mark in found] == ["warning", "dim"]


def test_another_machine_shows_its_own_marks(page):
    page.set_alarms({"machine/web-01": [alarm(1, since_s=time.time() - 30)]})
    page.show_machine("nas")
    assert page.group._marks == ()


def test_the_tile_counts_and_opens(qtbot, qapp):
    overview = OverviewPage(MachineModel(qapp))
    qtbot.addWidget(overview)
    overview.resize(1100, 800)
    overview.show()
    opened = []
    overview.alarm_opened.connect(opened.append)
    assert overview.alarms._stack.currentIndex() == 0
    open_ones = [alarm(number) for number in range(1, 8)]
    overview.apply_alarms(open_ones, {AlarmSeverity.MEDIUM: 6, AlarmSeverity.CRITICAL: 1})
    assert [one.id for one in overview.alarms.lines.alarms()] == [1, 2, 3, 4, 5]
    QTest.qWait(0)
    QTest.mouseClick(overview.alarms.lines, Qt.LeftButton, Qt.NoModifier, QPoint(30, 10))
    overview.alarms.lines.setFocus()
    QTest.keyClick(overview.alarms.lines, Qt.Key_Down)
    QTest.keyClick(overview.alarms.lines, Qt.Key_Return)
    assert opened == [1, 2]
    overview.apply_alarms([], {})
    assert overview.alarms._stack.currentIndex() == 0


def test_the_bell_of_the_status_bar_says_how_many_are_open(qtbot):
    line = StatusLine()
    qtbot.addWidget(line)
    line.show()
    pressed = []
    line.bell_pressed.connect(lambda: pressed.append(1))
    assert line.bell.text() == "nothing rings"
    line.apply_alarms({AlarmSeverity.HIGH: 2}, 1, is_silent=True)
    assert line.bell.text() == "2 open alarms"
    assert line.bell.accessibleName() == "2 open alarms"
    assert "silenced" in line.bell.toolTip()
    QTest.mouseClick(line.bell, Qt.LeftButton)
    assert pressed == [1]


def test_a_mark_moves_when_its_alarm_changes(page):
    rung = alarm(1, since_s=time.time() - 30)
    page.set_alarms({"machine/web-01": [rung]})
    page.set_alarms({"machine/web-01": [replace(rung, value=99.0)]})
    assert marks(page, "cpu")[0][2] == 99.0


def test_a_long_text_takes_more_lines_where_there_is_room(qtbot):
    lines = AlarmLines()
    qtbot.addWidget(lines)
    lines.resize(230, 120)
    text = "Température de capteur_1 au-dessus de 8 °C (19,5 °C)"
    lines.set_alarms([alarm(1, text=text)])
    assert lines._title_lines() > 1
    lines.set_alarms([alarm(number, text=text) for number in range(4)])
    assert lines._title_lines() == 1
    lines.set_alarms([alarm(1, text="short")])
    assert lines._title_lines() == 1
    metrics = QFontMetrics(lines.font())
    assert " ".join(_wrapped(text, metrics, 10_000)) == text
    for most in (1, 2, 3):
        wrapped = _wrapped(text, metrics, 100, most)
        assert len(wrapped) == most
        assert wrapped[-1].endswith("…")
        assert all(metrics.horizontalAdvance(line) <= 100 for line in wrapped)
