"""The list of alarms as a model: what is shown, in which order, and steady whatever comes in."""

import time

import pytest
from alarm_shown import alarm
from msgspec.structs import replace
from PyQt5.QtCore import QItemSelectionModel, Qt

from core.site_records import AlarmSeverity, AlarmState
from gui.models import alarms as alarm_model
from gui.models.alarm_words import severity_role, severity_shape, value_text
from gui.models.alarms import LASTS, LIMIT, SINCE, SOURCE, STATE, TEXT, VALUE, AlarmModel

OPEN = {AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED}


@pytest.fixture
def model(qapp):
    return AlarmModel(qapp)


def shown(model):
    return [model.at(row).id for row in range(model.rowCount())]


def test_the_newest_stands_first_and_only_open_ones_are_shown_at_first(model):
    over = alarm(3, state=AlarmState.RESOLVED, until_s=time.time())
    model.apply([alarm(2), alarm(1), over, alarm(4, state=AlarmState.ACKNOWLEDGED)])
    assert shown(model) == [1, 2, 4]
    assert model.open_count == 3


def test_a_row_says_value_limit_since_and_state_with_units(model):
    model.apply([alarm(5, source="meter/main", value=254.6, threshold=253.0, unit="V", since_s=time.time() - 240)])
    row = [model.index(0, column).data() for column in (SOURCE, VALUE, LIMIT, LASTS, STATE)]
    assert row == ["main", "254.6 V", "253.0 V", "4 min", "active"]


def test_every_severity_has_a_shape_of_its_own():
    shapes = {severity_shape(severity) for severity in AlarmSeverity}
    assert len(shapes) == len(AlarmSeverity)
    assert severity_role(AlarmSeverity.CRITICAL) == "critical"


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (96.4, "%", "96.4 %"),
        (90.0, "%", "90 %"),
        (253.0, "V", "253.0 V"),
        (49.4, "Hz", "49.40 Hz"),
        (3 * 2**30, "B", "3.0 GiB"),
        (12_500.0, "W", "12.5 kW"),
        (180.0, "s", "3 min"),
        (-3.2, "°C", "−3.2 °C"),
        (None, "%", ""),
        (float("nan"), "%", ""),
    ],
)
def test_values_are_said_as_people_read_them(value, unit, words):
    assert value_text(value, unit) == words


def test_what_is_selected_stays_selected_while_others_come_and_go(model, qtbot):
    model.apply([alarm(number) for number in (3, 4, 5)])
    from PyQt5.QtWidgets import QTableView

    view = QTableView()
    qtbot.addWidget(view)
    view.setModel(model)
    view.selectionModel().select(model.index(1, 0), QItemSelectionModel.Select | QItemSelectionModel.Rows)
    model.apply([alarm(1), alarm(2), replace(alarm(3), state=AlarmState.RESOLVED, changed_s=time.time() + 1)])
    assert shown(model) == [1, 2, 4, 5]
    assert [model.at(index.row()).id for index in view.selectionModel().selectedRows()] == [4]


def test_older_news_of_an_alarm_changes_nothing(model):
    newest = replace(alarm(1), state=AlarmState.ACKNOWLEDGED, changed_s=time.time() + 5)
    model.apply([newest])
    assert model.apply([alarm(1)]) == []
    assert model.alarm(1) is newest


def test_words_states_severities_and_kinds_narrow_the_list(model):
    model.apply(
        [
            alarm(1, source="machine/web-01"),
            alarm(2, source="sensor/cellar", severity=AlarmSeverity.LOW, text="Nothing from cellar"),
            alarm(3, source="meter/main", severity=AlarmSeverity.CRITICAL, comment="the fuse"),
            alarm(4, state=AlarmState.IGNORED),
        ]
    )
    model.set_filter("FUSE")
    assert shown(model) == [3]
    model.set_filter("")
    model.set_choice({AlarmSeverity.LOW, AlarmSeverity.CRITICAL}, OPEN, set())
    assert shown(model) == [2, 3]
    model.set_choice(set(), set(), {"machine"})
    assert shown(model) == [1, 4]
    model.set_names({"sensor/cellar": "Wine"})
    model.set_choice(set(), set(), set())
    model.set_filter("wine")
    assert shown(model) == [2]


def test_two_thousand_at_once_are_told_to_the_view_as_one_run_of_rows(model):
    told = []
    model.rowsInserted.connect(lambda _parent, first, last: told.append(last - first + 1))
    model.apply([alarm(number, source=f"machine/m{number}") for number in range(1, 2001)])
    assert told == [2000]
    told.clear()
    model.rowsRemoved.connect(lambda _parent, first, last: told.append(last - first + 1))
    every_other = [
        replace(alarm(number, source=f"machine/m{number}"), state=AlarmState.RESOLVED, changed_s=time.time() + 1)
        for number in range(1, 2001, 2)
    ]
    model.apply(every_other)
    assert told == [1000]
    assert shown(model) == list(range(2, 2001, 2))


def test_what_is_over_for_long_leaves_the_list_and_what_is_open_never_does(model, monkeypatch):
    monkeypatch.setattr(alarm_model, "MOST_CLOSED", 3)
    over = [alarm(number, state=AlarmState.RESOLVED, changed_s=1000.0 + number) for number in range(10, 20)]
    model.apply([alarm(1), *over])
    assert {one.id for one in model.alarms()} == {1, 17, 18, 19}


def test_sorting_by_a_column_keeps_the_newest_first_among_equals(model):
    model.apply([alarm(1, value=20.0), alarm(2, value=30.0), alarm(3, value=20.0)])
    model.sort(VALUE, Qt.DescendingOrder)
    assert shown(model) == [2, 1, 3]
    model.sort(SINCE, Qt.AscendingOrder)
    assert shown(model) == [3, 2, 1]


def test_hostile_text_is_shown_as_it_is(model):
    model.apply([alarm(1, text="<b>x</b>\n\x1b[31m", source="machine/<i>y</i>")])
    assert "\n" not in model.index(0, TEXT).data()
    assert "\x1b" not in model.index(0, TEXT).data()
    assert "<b>" not in model.index(0, TEXT).data(Qt.ToolTipRole)
    assert "<i>" not in model.index(0, SOURCE).data(Qt.ToolTipRole)
