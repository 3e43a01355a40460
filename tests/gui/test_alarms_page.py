"""The Alarms page by clicks and keys."""

import time

import pytest
from alarm_shown import alarm, points
from msgspec.structs import replace
from PyQt5.QtCore import QByteArray, Qt
from PyQt5.QtTest import QTest

from core.site_records import AlarmSeverity, AlarmState
from gui.pages.alarms import AlarmsPage


@pytest.fixture
def page(qtbot):
    page = AlarmsPage()
    qtbot.addWidget(page)
    page.resize(1100, 760)
    page.show()
    return page


def caught(signal):
    found = []
    signal.connect(lambda *args: found.append(args))
    return found


def click(button):
    QTest.qWait(0)  # what has just become visible is laid out
    QTest.mouseClick(button, Qt.LeftButton)


def test_an_empty_list_says_what_is_watched_and_leads_to_what_rang_before(page):
    page.set_watched("24 machines")
    assert page._empty._sentence.text() == "Nothing rings: 24 machines."
    page.apply([alarm(1, state=AlarmState.RESOLVED, until_s=time.time())])
    click(page._empty.button)
    assert page.filter.state == "all"
    assert page.model.rowCount() == 1


def test_a_filter_that_hides_all_says_so_and_gives_way(page, qtbot):
    page.apply([alarm(1)])
    page.filter.field.setText("nowhere")
    qtbot.waitUntil(lambda: page.model.rowCount() == 0)
    assert page._empty._sentence.text() == "No alarm matches the filter."
    click(page._empty.button)
    assert page.model.rowCount() == 1
    assert page.filter.field.text() == ""


def test_chips_choose_state_severity_and_kind(page):
    page.apply(
        [
            alarm(1),
            alarm(2, source="check/www", severity=AlarmSeverity.CRITICAL),
            alarm(3, state=AlarmState.ACKNOWLEDGED),
            alarm(4, state=AlarmState.RESOLVED),
        ]
    )
    assert page.model.rowCount() == 3
    click(page.filter.states["acknowledged"])
    assert [one.id for one in page.model.shown()] == [3]
    click(page.filter.states["all"])
    assert page.model.rowCount() == 4
    click(page.filter.severities["critical"])
    assert [one.id for one in page.model.shown()] == [2]
    click(page.filter.severities["critical"])
    click(page.filter.kinds["machine"])
    assert [one.id for one in page.model.shown()] == [1, 3, 4]


def test_acknowledging_asks_for_the_active_ones_among_all_that_are_chosen(page):
    wanted = caught(page.acknowledge_wanted)
    page.apply([alarm(1), alarm(2, state=AlarmState.ACKNOWLEDGED), alarm(3)])
    page.table.selectAll()
    click(page.detail.acknowledge)
    assert [[one.id for one in args[0]] for args in wanted] == [[1, 3]]


def test_the_keyboard_reaches_all_that_one_can_do(page, qtbot):
    page.apply([alarm(1), alarm(2)])
    acknowledged, ignored, gone = caught(page.acknowledge_wanted), caught(page.ignore_wanted), caught(page.go_wanted)
    page.activateWindow()
    page.table.setFocus()
    page.table.choose([1])
    qtbot.waitUntil(page.table.hasFocus)
    QTest.keyClick(page.table, Qt.Key_K, Qt.ControlModifier)
    QTest.keyClick(page.table, Qt.Key_I, Qt.ControlModifier)
    QTest.keyClick(page.table, Qt.Key_Return)
    assert [args[0][0].id for args in (*acknowledged, *ignored)] == [1, 1]
    assert gone[0][0].id == 1
    page.focus_filter()
    assert page.filter.field.hasFocus()


def test_mute_is_for_each_source_once(page):
    wanted = caught(page.mute_wanted)
    page.apply([alarm(1), alarm(2), alarm(3, source="meter/main")])
    page.table.selectAll()
    click(page.detail.mute)
    assert wanted == [(["machine/web-01", "meter/main"],)]


def test_the_chosen_alarm_shows_its_curve_with_limit_mark_and_band(page):
    asked = caught(page.curve_wanted)
    page.apply([alarm(5)])
    page.table.choose([5])
    request_id, shown, start_s, end_s = asked[-1]
    assert shown.id == 5
    assert start_s < shown.since_s < end_s
    page.apply_points(request_id, points("machine/web-01/cpu_percent", start_s, [50.0] * 15 + [96.0] * 4))
    frame = page.detail.plot.plot.canvas._frame
    assert frame.limits == [90.0]
    assert frame.marks[0].text == "CPU high 96 %"
    assert frame.bands[0].start_s == shown.since_s
    assert frame.low < 50 < 96 < frame.high


def test_an_answer_for_an_alarm_that_is_no_longer_chosen_is_dropped(page):
    asked = caught(page.curve_wanted)
    page.apply([alarm(1), alarm(2)])
    page.table.choose([1])
    old_id = asked[-1][0]
    page.table.choose([2])
    page.apply_points(old_id, points("machine/web-01/cpu_percent", time.time() - 900, [1.0] * 10))
    assert page.detail.plot is None


def test_where_no_curve_is_kept_it_is_said(page):
    asked = caught(page.curve_wanted)
    page.apply([alarm(1, quantity="disk_percent:/home")])
    page.table.choose([1])
    page.apply_points(asked[-1][0], None)
    assert page.detail._waiting._sentence.text() == "No curve of this time is kept."


def test_when_the_rule_rang_before_is_listed_without_the_one_that_is_chosen(page):
    asked = caught(page.rings_wanted)
    page.apply([alarm(9)])
    page.table.choose([9])
    earlier = alarm(2, state=AlarmState.RESOLVED, since_s=time.time() - 7200, until_s=time.time() - 6600)
    page.apply_rings(asked[-1][0], [alarm(9), earlier])
    assert page.detail._rings_title.text() == "Rang 1 time before"
    assert page.detail._rings.items()[0].detail == "10 min   96 %"


def test_what_changes_is_shown_at_once_in_the_pane(page):
    page.apply([alarm(1)])
    page.table.choose([1])
    page.apply(
        [
            replace(
                alarm(1),
                state=AlarmState.ACKNOWLEDGED,
                operator="ana",
                comment="new disk ordered",
                changed_s=time.time() + 1,
            )
        ]
    )
    assert not page.detail.acknowledge.isEnabled()
    assert page.detail.ignore.isEnabled()
    texts = [page.detail._facts.itemAt(at).widget().accessibleName() for at in range(page.detail._facts.count())]
    assert "ana" in texts
    assert "new disk ordered" in texts


def test_an_alarm_that_the_filter_hides_is_shown_when_it_is_asked_for(page):
    page.apply([alarm(1), alarm(2, state=AlarmState.RESOLVED)])
    page.show_alarm(2)
    assert [one.id for one in page.table.chosen_alarms()] == [2]


def test_the_layout_is_kept(page, qtbot):
    page.table.horizontalHeader().resizeSection(1, 171)
    state = page.layout_state()
    other = AlarmsPage()
    qtbot.addWidget(other)
    other.restore_layout(state)
    assert other.table.horizontalHeader().sectionSize(1) == 171
    other.restore_layout(QByteArray(b"nonsense"))


def test_names_for_who_cannot_see_it(page):
    assert page.table.accessibleName() == "Alarms"
    assert page.filter.field.accessibleName() == "Filter alarms"
    assert page.filter.severities["critical"].accessibleName() == "Severity: Critical"
    page.apply([alarm(1, severity=AlarmSeverity.HIGH)])
    assert page.model.index(0, 0).data(Qt.AccessibleTextRole) == "high, active"


def test_the_first_alarm_is_chosen_by_itself_and_stays_below_when_it_is_over(page, qtbot):
    page.apply([alarm(1), alarm(2)])
    qtbot.waitUntil(lambda: [one.id for one in page.detail.alarms()] == [1])
    now_s = time.time()
    page.apply([replace(page.model.alarm(1), state=AlarmState.RESOLVED, until_s=now_s, changed_s=now_s + 1)])
    qtbot.wait(1)
    assert page.model.row_of(1) is None
    assert [(one.id, one.state) for one in page.detail.alarms()] == [(1, AlarmState.RESOLVED)]
    assert not page.detail.acknowledge.isEnabled()
    page.apply([replace(page.model.alarm(2), state=AlarmState.RESOLVED, until_s=now_s, changed_s=now_s + 1)])
    qtbot.waitUntil(lambda: page.detail.alarms() == [])
    page.apply([alarm(3)])
    qtbot.waitUntil(lambda: [one.id for one in page.detail.alarms()] == [3])


def test_the_curve_of_an_alarm_that_lasts_follows_and_that_of_an_old_one_is_asked_for_once(page, qtbot):
    asked = caught(page.curve_wanted)
    now_s = time.time()
    page.apply([alarm(1), alarm(9, state=AlarmState.RESOLVED, since_s=now_s - 9000, until_s=now_s - 8000)])
    page.show_alarm(1)
    page.apply_points(asked[-1][0], points("machine/web-01/cpu_percent", now_s - 900, [50.0] * 16))
    before = len(asked)
    qtbot.wait(2)
    page.tick()
    assert len(asked) == before + 1
    assert asked[-1][3] > asked[before - 1][3]
    assert page.detail._curves.currentWidget() is page.detail.plot  # no blink while the answer is on its way
    page.show_alarm(9)
    before = len(asked)
    page.tick()
    assert len(asked) == before


def test_the_curve_of_a_disk_is_that_of_the_fullest_one_with_the_limit(page):
    asked = caught(page.curve_wanted)
    page.apply([alarm(1, quantity="disk_percent:/home")])
    page.show_alarm(1)
    page.apply_points(asked[-1][0], points("machine/web-01/disk_percent", time.time() - 900, [91.0] * 16))
    assert page.detail.plot.plot.title == "Fullest disk of web-01"
    assert page.detail.plot.plot.canvas._frame.limits == [90.0]


def test_the_button_says_that_the_bell_is_silenced(page):
    page.set_silent(True)
    assert (page.silence_button.isChecked(), page.silence_button.text()) == (True, "Silenced")
    page.set_silent(False)
    assert (page.silence_button.isChecked(), page.silence_button.text()) == (False, "Silence")


def test_enter_in_the_filter_goes_to_what_it_found(page, qtbot):
    page.apply([alarm(1), alarm(2, source="check/www")])
    page.activateWindow()
    qtbot.waitUntil(page.isActiveWindow)
    page.focus_filter()
    QTest.keyClicks(page.filter.field, "www")
    QTest.keyClick(page.filter.field, Qt.Key_Return)
    assert page.table.hasFocus()
    assert [one.id for one in page.table.chosen_alarms()] == [2]
