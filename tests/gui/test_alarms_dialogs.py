"""Rules and maintenance by their dialogs."""

import time

import pytest
from alarm_shown import alarm, points
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest

from core.alarms.rules import DEFAULT_RULES, default_of, effective_rules
from core.site_records import AlarmRule, AlarmSeverity, Maintenance, RuleKind
from gui.dialogs.alarm_comment import AlarmCommentDialog
from gui.dialogs.alarm_rule import RuleDialog
from gui.dialogs.alarm_rules import RulesDialog
from gui.dialogs.maintenance import MaintenanceDialog
from gui.models import thresholds

SOURCES = ["machine/*", "@core", "machine/web-01"]


def caught(signal):
    found = []
    signal.connect(lambda *args: found.append(args))
    return found


def click(button):
    QTest.mouseClick(button, Qt.LeftButton)


@pytest.fixture
def shown(qtbot):
    def show(dialog):
        dialog.setAttribute(Qt.WA_DeleteOnClose, False)
        qtbot.addWidget(dialog)
        dialog.show()
        return dialog

    return show


@pytest.fixture(autouse=True)
def _usual_thresholds():
    yield
    thresholds.use_rules(DEFAULT_RULES)


def test_a_comment_is_told_with_enter(shown):
    dialog = shown(AlarmCommentDialog([alarm(1), alarm(2)], is_ignored=False))
    said = caught(dialog.said)
    QTest.keyClicks(dialog.comment, " new fan ")
    QTest.keyClick(dialog.comment, Qt.Key_Return)
    assert said == [("new fan",)]


def test_the_list_marks_defaults_changed_ones_and_ones_own(shown):
    own = AlarmRule(name="cellar", kind=RuleKind.ABOVE, source="sensor/cellar", high=30.0)
    changed = AlarmRule(
        name="cpu high", kind=RuleKind.ABOVE, source="machine/*", quantity="cpu_percent", high=70.0, is_enabled=False
    )
    dialog = shown(RulesDialog())
    dialog.apply_rules(effective_rules([own, changed]), [own, changed])
    model = dialog.model
    rows = {
        model.index(row, 0).data(): [model.index(row, column).data() for column in range(5)]
        for row in range(model.rowCount())
    }
    assert rows["CPU high"][2:] == ["off", "medium", "changed"]
    assert rows["RAM high"][1:] == ["all machines", "above 90 % for 5 min", "medium", "default"]
    assert rows["cellar"][4] == "yours"


def test_a_default_can_be_switched_off_and_not_removed(shown):
    dialog = shown(RulesDialog())
    switched = caught(dialog.switched)
    dialog.apply_rules(effective_rules(), [])
    dialog.choose("cpu high", "machine/*")
    assert not dialog.remove_button.isEnabled()
    click(dialog.switch_button)
    rule, is_enabled = switched[0]
    assert (rule.name, is_enabled) == ("cpu high", False)


def test_a_changed_default_can_be_taken_back(shown):
    changed = AlarmRule(name="cpu high", kind=RuleKind.ABOVE, source="machine/*", quantity="cpu_percent", high=70.0)
    dialog = shown(RulesDialog())
    removed = caught(dialog.removed)
    dialog.apply_rules(effective_rules([changed]), [changed])
    dialog.choose("cpu high", "machine/*")
    assert dialog.remove_button.text() == "Back to the default"
    click(dialog.remove_button)
    assert removed == [(changed,)]


def test_a_rule_is_edited_and_told_whole(shown):
    dialog = shown(RuleDialog(default_of("cpu high"), SOURCES))
    saved = caught(dialog.saved)
    dialog.source.setText("@core")
    dialog.high.setText("75,5")
    dialog.duration.setText("1 h 30 min")
    dialog.hysteresis.setText("3")
    dialog.severity.setCurrentIndex(dialog.severity.findData(AlarmSeverity.HIGH))
    click(dialog.accept_button)
    assert saved == [
        (
            AlarmRule(
                name="cpu high",
                kind=RuleKind.ABOVE,
                source="@core",
                quantity="cpu_percent",
                high=75.5,
                hysteresis=3.0,
                duration_s=5400.0,
                severity=AlarmSeverity.HIGH,
            ),
        )
    ]


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("source", "web-01", "Say what it is for"),
        ("high", "much", "much is no number"),
        ("high", "", "Give a limit"),
        ("high", "1e999", "is no number"),
        ("duration", "soon", "soon is no length of time"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_and_nothing_is_saved(shown, field, text, words):
    dialog = shown(RuleDialog(default_of("cpu high"), SOURCES))
    saved = caught(dialog.saved)
    getattr(dialog, field).setText(text)
    click(dialog.accept_button)
    assert saved == []
    assert words in dialog._words.text()


def test_a_kind_without_a_value_asks_for_none(shown):
    dialog = shown(RuleDialog(default_of("cpu high"), SOURCES))
    dialog.kind.setCurrentIndex(dialog.kind.findData(RuleKind.SILENT))
    assert not dialog.high.isVisible()
    assert dialog.rule().high is None
    dialog.kind.setCurrentIndex(dialog.kind.findData(RuleKind.OUTSIDE))
    assert dialog.high.isVisible()
    assert dialog.low.isVisible()


def test_the_preview_counts_when_the_rule_would_have_rung_and_follows_what_is_typed(shown, qtbot):
    dialog = shown(RuleDialog(default_of("cpu high"), SOURCES))
    series, asked = caught(dialog.preview.series_wanted), caught(dialog.preview.points_wanted)
    qtbot.waitUntil(lambda: bool(series))
    dialog.preview.apply_series(series[-1][0], ["machine/web-01/cpu_percent"])
    request_id, name, _start_s, end_s = asked[-1]
    busy = ([20.0] * 50 + [95.0] * 10) * 3 + [20.0] * 20
    start_s = end_s - 60 * len(busy)
    dialog.preview.apply_points(request_id, points(name, start_s, busy))
    assert dialog.preview.outcome.count == 3
    assert "would have rung 3 times in 3 h" in dialog.preview.outcome.text
    assert len(dialog.preview.plot.plot.canvas._frame.bands) == 3
    dialog.duration.setText("20 min")
    qtbot.waitUntil(lambda: dialog.preview.outcome.count == 0)
    assert "would not have rung" in dialog.preview.outcome.text


def test_without_any_past_the_preview_says_so(shown, qtbot):
    dialog = shown(RuleDialog(default_of("disk full"), SOURCES))
    series = caught(dialog.preview.series_wanted)
    qtbot.waitUntil(lambda: bool(series))
    dialog.preview.apply_series(series[-1][0], [])
    assert dialog.preview.outcome is None
    assert "No past values" in dialog.preview._empty._sentence.text()


def test_what_is_computed_of_a_meter_is_offered_and_the_preview_says_that_it_is_not_kept(shown, qtbot):
    dialog = shown(RuleDialog(default_of("consumption peak"), ["meter/main"]))
    assert "night_base_ratio" in dialog.quantity.completer().model().stringList()
    assert "usual of this hour" in dialog.quantity.toolTip()
    assert dialog._unit.text() == "×"
    series = caught(dialog.preview.series_wanted)
    qtbot.waitUntil(lambda: bool(series))
    dialog.preview.apply_series(series[-1][0], [])
    assert "computed as the meter is read" in dialog.preview._empty._sentence.text()
    assert dialog.rule() == default_of("consumption peak")


def test_mutes_are_listed_added_and_ended(shown):
    dialog = shown(MaintenanceDialog(SOURCES, "machine/web-01"))
    added, ended = caught(dialog.added), caught(dialog.ended)
    now_s = time.time()
    one = Maintenance(
        id=7, source="@core", start_s=now_s - 60, end_s=now_s + 3000, operator="ana", comment="new switch"
    )
    over = Maintenance(id=8, source="check/x", start_s=now_s - 60, end_s=now_s - 5, operator="ana")
    dialog.apply_maintenances([one, over])
    assert dialog.list.count() == 1
    assert "group core · ana: new switch" in dialog.list.item(0).text()
    dialog.list.setCurrentRow(0)
    click(dialog.end_button)
    assert ended == [(7,)]
    dialog.comment.setText("fan")
    click(dialog.new_button)
    source, start_s, end_s, comment = added[0]
    assert (source, comment) == ("machine/web-01", "fan")
    assert abs(start_s - now_s) < 5
    assert end_s - start_s == 3600


def test_a_maintenance_of_nothing_is_not_asked_for(shown):
    dialog = shown(MaintenanceDialog(SOURCES))
    added = caught(dialog.added)
    dialog.source.setText("web-01")
    click(dialog.new_button)
    assert added == []
    assert "machine/NAME" in dialog._words.text()


def test_bars_and_shapes_follow_the_rules_of_the_settings():
    assert thresholds.CPU.role(80) == "accent"
    lower = AlarmRule(name="cpu high", kind=RuleKind.ABOVE, source="@core", quantity="cpu_percent", high=70.0)
    thresholds.use_rules(effective_rules([lower]))
    assert thresholds.CPU.role(80, "web-01", ("core",)) == "warning"
    assert thresholds.CPU.role(80, "nas", ("infra",)) == "accent"
    assert thresholds.MEMORY.role(98) == "critical"
    off = AlarmRule(
        name="cpu high", kind=RuleKind.ABOVE, source="machine/*", quantity="cpu_percent", high=90.0, is_enabled=False
    )
    thresholds.use_rules(effective_rules([off]))
    assert thresholds.CPU.role(100) == "accent"


def test_enter_adds_a_maintenance(shown):
    dialog = shown(MaintenanceDialog(SOURCES, "machine/web-01"))
    added = caught(dialog.added)
    QTest.keyClick(dialog.comment, Qt.Key_Return)
    assert [args[0] for args in added] == ["machine/web-01"]
