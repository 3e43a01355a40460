"""The audit log in its window: filtered, verified, exported; nothing of it is more than text."""

import time

import pytest
from PyQt5.QtCore import QObject, Qt
from PyQt5.QtWidgets import QFileDialog

from core import audit
from core.audit import AuditEntry, AuditFilter, AuditLog
from gui.dialogs.audit_log import MOST_SHOWN, AuditLogWindow
from gui.models.audit_rows import COMMAND, DETAIL, EVENT, MACHINE, OUTCOME, TIME, AuditRowsModel
from gui.runtime.loop_thread import Answers, LoopThread
from gui.wiring.audit import AuditDesk

EVIL = "<b>=cmd()</b>\x1b[31m\u202e\n2"


class Services(QObject):
    """The part of the real services that a desk asks."""

    def __init__(self, home):
        super().__init__()
        self.home = home
        self.answers = Answers(self)
        self.thread_ = LoopThread("services", self)
        self.thread_.start()

    def run(self, coroutine, done, failed=None):
        self.answers.when(self.thread_.submit(coroutine), done, failed)


@pytest.fixture
def desk(qtbot, home):
    for folder in (home.agent_path, home.console_path):
        folder.mkdir(mode=0o700)
    services = Services(home)
    made = AuditDesk(services)
    yield made
    if made._dialog is not None:
        made._dialog.close()
    services.answers.close()
    services.thread_.stop()


def written(home):
    log = AuditLog(home.console_path / "audit.log")
    for number in range(4):
        log.append(
            [
                {"event": "command", "operator": "Ada", "machine": f"web-{number}", "argv": ["ls", EVIL]},
                {"event": "result", "operator": "Ada", "machine": f"web-{number}", "state": "failed", "exit_status": 2},
            ]
        )
    time.sleep(0.005)  # entries of one millisecond have no order among the logs
    AuditLog(home.agent_path / "audit.log").append([{"event": "pairing", "decision": "paired", "rule": "level run"}])
    return log


def text(model, row, column):
    return model.data(model.index(row, column))


def test_both_logs_are_shown_newest_first_and_the_filters_narrow_them(qtbot, desk, home):
    written(home)
    dialog = desk.open()
    qtbot.waitUntil(lambda: dialog.model.rowCount() == 9)
    model = dialog.model
    assert text(model, 0, EVENT) == "pairing"
    assert (text(model, 1, OUTCOME), text(model, 1, DETAIL)) == ("failed", "exit status 2")
    assert text(model, 1, MACHINE) == "web-3"
    dialog.machine.setText("web-2")
    qtbot.waitUntil(lambda: model.rowCount() == 2)
    dialog.event.setCurrentIndex(dialog.event.findData("result"))
    qtbot.waitUntil(lambda: model.rowCount() == 1)
    dialog.machine.setText("nobody")
    qtbot.waitUntil(lambda: model.rowCount() == 0)
    assert "Nothing in the logs" in dialog.empty.sentence()
    assert desk.open() is dialog


def test_verify_says_for_each_log_whether_it_is_whole_and_which_hash_to_keep(qtbot, desk, home, qapp):
    log = written(home)
    dialog = desk.open()
    qtbot.mouseClick(dialog.verify_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: "whole, 8 lines" in dialog.words())
    qtbot.mouseClick(dialog.copy_button, Qt.LeftButton)
    assert audit.verify(log.path).last_hash in qapp.clipboard().text()
    log.path.write_bytes(log.path.read_bytes()[:-3] + b"]]\n")
    qtbot.mouseClick(dialog.verify_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: "BROKEN at line 8" in dialog.words())


def test_what_machines_have_said_is_text_and_no_formula(qtbot, desk, home, tmp_path, monkeypatch):
    log = AuditLog(home.console_path / "audit.log")
    log.append([{"event": EVIL, "operator": "=1+1", "machine": EVIL, "rule": EVIL, "argv": ["=HYPERLINK(1)", EVIL]}])
    log.append([{"event": "=x", EVIL: EVIL}])
    dialog = desk.open()
    qtbot.waitUntil(lambda: dialog.model.rowCount() == 2)
    for row in range(2):
        for column in range(dialog.model.columnCount()):
            shown = text(dialog.model, row, column)
            assert not any(sign in shown for sign in "\x1b\u202e\n"), (row, column)
            tip = dialog.model.data(dialog.model.index(row, column), Qt.ToolTipRole)
            assert "<b>" not in tip
    path = tmp_path / "out.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_arguments: (str(path), ""))
    qtbot.mouseClick(dialog.export_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: "2 entries exported" in dialog.words())
    cells = path.read_text(encoding="utf-8")
    assert "'=1+1" in cells
    assert ",=" not in cells
    assert "\n=" not in cells


def test_a_log_that_cannot_be_read_is_told(qtbot, desk, home):
    (home.console_path / "audit.log").mkdir()
    dialog = desk.open()
    qtbot.waitUntil(lambda: "cannot be read" in dialog.words())


def test_no_log_is_told_and_more_than_can_be_shown_too(qtbot, show):
    dialog = show(AuditLogWindow())
    dialog.apply([], True)
    assert "Nothing was recorded yet" in dialog.empty.sentence()
    dialog.apply_verdicts([])
    assert "no log yet" in dialog.words()
    dialog.apply([AuditEntry(event="command", time="2026-11-21T20:00:00.000Z")] * 5, False)
    assert "newest 5" in dialog._card._subtitle.text()
    assert MOST_SHOWN == 10_000


def test_lines_that_are_no_entries_have_a_row_too(qtbot):
    model = AuditRowsModel()
    model.apply([AuditEntry(log="console", unreadable="torn {"), AuditEntry(time="some day", event="command")])
    assert text(model, 0, EVENT) == "no entry"
    assert text(model, 0, DETAIL) == "torn {"
    assert text(model, 1, TIME) == "some day"
    assert text(model, 1, COMMAND) == ""


def test_a_long_log_is_read_while_the_window_lives(qtbot, desk, home):
    AuditLog(home.console_path / "audit.log").append([{"event": "command", "machine": f"m{n}"} for n in range(60_000)])
    dialog = desk.open()
    worst = [0.0]
    last = [time.perf_counter()]

    def all_shown():
        now = time.perf_counter()
        worst[0] = max(worst[0], now - last[0])
        last[0] = now
        return dialog.model.rowCount() == MOST_SHOWN and "whole" in dialog.words()

    dialog.verify_wanted.emit()
    qtbot.waitUntil(all_shown, timeout=20_000)
    assert worst[0] < 1.0  # some hundredths on a quiet machine
    assert dialog.filter() == AuditFilter()
    assert dialog.words().startswith("this console: whole")
