"""Alarms in the real window on a real home: a rule is written, rings, is acknowledged, muted, and is over."""

import csv

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest

from core.config import load_config, save_setting
from core.site_records import AlarmState
from gui.app import Window

SLOW_MS = 20_000


@pytest.fixture
def window(qtbot, home):
    home.make()
    save_setting(home, "operator", "ana")
    opened = Window(home, load_config(home)[0])
    yield opened
    opened.close()
    opened.end()
    opened.main_window.deleteLater()
    opened.deleteLater()
    qtbot.wait(1)


def test_from_a_rule_to_its_alarm_its_acknowledgement_a_mute_and_its_end(qtbot, home, window, tmp_path):
    def online():
        row = next(iter(window.main_window.model.rows()), None)
        assert row is not None
        assert row.memory_percent is not None

    qtbot.waitUntil(online, timeout=SLOW_MS)
    main, desk = window.main_window, window.console.alarms
    page = main.page("alarms")
    editor = desk.rules.open_new()
    editor.name.setText("any memory")
    editor.high.setText("0.1")
    editor.duration.setText("")
    QTest.mouseClick(editor.accept_button, Qt.LeftButton)
    assert [rule.name for rule in load_config(home)[0].alarms.rules] == ["any memory"]

    def rung():
        found = [one for one in page.model.alarms() if one.rule == "any memory"]
        return found[0] if found else None

    qtbot.waitUntil(lambda: rung() is not None, timeout=SLOW_MS)
    assert main.tabs.tabText(6) == "Alarms  1"
    assert main.overview.alarms.lines.alarms()[0].rule == "any memory"
    assert main.status_line.bell.text() == "1 open alarm"

    desk.open_alarm(rung().id)
    assert main.current_page() == "alarms"
    qtbot.waitUntil(lambda: page.detail.plot is not None, timeout=SLOW_MS)
    dialog = desk.open_acknowledge([rung()])
    QTest.keyClicks(dialog.comment, "known")
    QTest.mouseClick(dialog.accept_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: rung().state is AlarmState.ACKNOWLEDGED, timeout=SLOW_MS)
    assert (rung().operator, rung().comment) == ("ana", "known")

    desk.history.export(tmp_path / "alarms.csv")
    qtbot.waitUntil((tmp_path / "alarms.csv").exists, timeout=SLOW_MS)
    rows = list(csv.DictReader((tmp_path / "alarms.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["rule"], row["operator"]) for row in rows] == [("any memory", "ana")]

    desk.go_to(rung())
    assert main.current_page() == "machine"
    name = next(iter(main.model.rows())).name
    main.mute_wanted.emit([name])
    qtbot.waitUntil(lambda: bool(desk._maintenances), timeout=SLOW_MS)
    planned = desk.open_maintenance()
    assert planned.list.count() == 1
    planned.list.setCurrentRow(0)
    QTest.mouseClick(planned.end_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: not desk._maintenances, timeout=SLOW_MS)
    planned.reject()

    rules = desk.rules.open_rules()
    rules.choose("any memory", "machine/*")
    QTest.mouseClick(rules.switch_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: not rung().state.is_open, timeout=SLOW_MS)
    qtbot.waitUntil(lambda: main.tabs.tabText(6) == "Alarms", timeout=SLOW_MS)
    rules.reject()

    main.language_wanted.emit("en")  # another window takes the place of this one
    assert window.main_window is not main
    assert rung().id in {one.id for one in window.main_window.page("alarms").model.alarms()}
