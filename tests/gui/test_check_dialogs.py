"""The dialogs of a check, and the desk behind them, over a real history and real settings."""

import time

import pytest
from PyQt5.QtCore import QObject, Qt, pyqtSignal
from PyQt5.QtWidgets import QPushButton

from core.config import load_config
from core.config.settings import CheckConfig
from core.requests import CheckRequest, MaintenanceRequest, ReloadRequest
from core.site_records import Alarm, AlarmSeverity, AlarmState, CheckResult, CheckState
from core.store.history import History
from gui.dialogs.check_detail import CheckDetailDialog
from gui.dialogs.edit_check import EditCheckDialog
from gui.main_window import MainWindow
from gui.models.check_history import PhaseModel, availability, phases
from gui.models.check_row import CheckRow
from gui.models.machines import MachineModel
from gui.wiring.checks import CheckDesk

NOW = time.time()


def result(age_s=0.0, state=CheckState.OK, name="wiki", **fields):
    fields = {"latency_ms": 20.0 if state is CheckState.OK else None, **fields}
    return CheckResult(check=name, target="https://wiki.example/", state=state, time_s=NOW - age_s, **fields)


def alarm(age_s, source):
    since_s = NOW - age_s
    return Alarm(
        id=int(age_s) + len(source),
        source=source,
        rule="offline",
        severity=AlarmSeverity.HIGH,
        state=AlarmState.ACTIVE,
        since_s=since_s,
        changed_s=since_s,
        text="wiki does not answer",
    )


class FakeServices(QObject):
    """Keeps what is asked; the history and the settings are real, and everything happens at once."""

    history_ready = pyqtSignal()

    def __init__(self, home):
        super().__init__()
        self.home = home
        self.config = load_config(home)[0]
        self.asked = []
        self.noted = []
        self.ran = []

    def ask(self, request, failed=None):
        self.asked.append(request)
        if isinstance(request, ReloadRequest):
            self.config = load_config(self.home)[0]

    def query(self, function, done, failed=None):
        with History.open(self.home.database_path) as history:
            done(function(history))

    def run(self, coroutine, done, failed=None):
        coroutine.close()
        self.ran.append(done)
        return lambda: self.ran.remove(done)

    def note(self, source, kind, text, severity=None):
        self.noted.append(source)


@pytest.fixture
def services(home):
    return FakeServices(home)


@pytest.fixture
def window(qtbot, settings):
    window = MainWindow(settings, MachineModel())
    qtbot.addWidget(window)
    window.show()
    return window


@pytest.fixture
def desk(services, window):
    desk = CheckDesk(services)
    desk.attach(window)
    return desk


def shown_names(window):
    return [row.name for row in window.model.checks()]


def add(desk, target, name="", **fields):
    dialog = desk.open_add()
    dialog.target.setText(target)
    dialog.name.setText(name)
    for field, text in fields.items():
        getattr(dialog, field).setText(text)
    dialog.on_accept()
    return dialog


def test_a_check_is_added_kept_run_and_selected(qtbot, services, window, desk):
    with qtbot.waitSignal(window.add_check_wanted):
        window.add_check_wanted.emit()
    add(desk, "https://wiki.example/page", "wiki", groups="web, lab", text="hello")
    kept = load_config(services.home)[0].checks
    assert [(one.name, one.target, one.groups, one.text) for one in kept] == [
        ("wiki", "https://wiki.example/page", ("web", "lab"), "hello")
    ]
    assert [type(request) for request in services.asked] == [ReloadRequest]
    assert shown_names(window) == ["wiki"]
    assert window.machine_list.selected_checks() == ["wiki"]


def test_a_check_without_a_name_is_called_as_its_target(services, window, desk):
    add(desk, "https://eve:s3cret@wiki.example/a/b?c=d")
    add(desk, "https://wiki.example/a/b")
    add(desk, "192.0.2.7:22")
    assert shown_names(window) == ["192.0.2.7:22", "wiki.example a b", "wiki.example a b-2"]


@pytest.mark.parametrize(
    ("target", "name", "words"),
    [
        ("", "x", "needs a target"),
        ("ftp://wiki.example/", "x", "only http"),
        ("https://eve:s3cret@[::1/", "x", "not a URL"),
        ("wiki.example", "a/b", "slash"),
        ("wiki.example", "wiki", "called wiki already"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(services, desk, target, name, words):
    add(desk, "first.example", "wiki")
    before = services.home.config_path.read_bytes()
    dialog = add(desk, target, name)
    assert words in dialog._words.text()
    assert "s3cret" not in dialog._words.text()
    assert services.home.config_path.read_bytes() == before


def test_a_text_can_be_looked_for_in_a_page_alone(services, desk):
    dialog = add(desk, "wiki.example:25", "mail", text="220")
    assert "page alone" in dialog._words.text()
    assert services.config.checks == ()


def test_a_password_is_kept_and_shown_nowhere(services, window, desk):
    add(desk, "https://eve:s3cret@wiki.example/", "wiki")
    assert "s3cret" in services.home.config_path.read_text()
    row = window.model.check("wiki")
    assert row.config.target == "https://wiki.example/"
    dialog = desk.open_edit("wiki")
    assert dialog.target.text() == "https://wiki.example/"
    dialog.groups.setText("web")
    dialog.on_accept()
    (kept,) = services.config.checks
    assert (kept.target, kept.groups) == ("https://eve:s3cret@wiki.example/", ("web",))
    dialog = desk.open_edit("wiki")
    dialog.target.setText("https://other.example/")
    dialog.on_accept()
    assert "s3cret" not in services.home.config_path.read_text()


def test_a_check_gets_another_name_and_keeps_its_history(services, window, desk):
    add(desk, "https://wiki.example/", "wiki")
    with History.open(services.home.database_path) as history:
        history.write([result(30, CheckState.FAILED, error="down")])
    before = desk.open_detail("wiki")
    dialog = desk.open_edit("wiki")
    dialog.name.setText("library")
    dialog.on_accept()
    assert [one.name for one in services.config.checks] == ["library"]
    assert shown_names(window) == ["library"]
    assert window.model.check("library").result.error == "down"
    assert not before.isVisible()
    assert desk._detail.name == "library"
    desk.remove(["library"], is_agreed=True)
    assert desk._detail is None


def test_it_is_tried_at_once_and_the_result_is_shown(qtbot, services, desk):
    dialog = desk.open_add()
    dialog.target.setText("https://wiki.example/")
    qtbot.mouseClick(dialog.try_button, Qt.LeftButton)
    assert dialog.is_busy
    (done,) = services.ran
    done(result(status=200, latency_ms=31.0, certificate_days=12.5))
    assert not dialog.is_busy
    assert dialog._words.text() == "ok · status 200 · 31 ms · certificate ends in 12 days"
    assert dialog._words.property("role") == "ok"
    qtbot.mouseClick(dialog.try_button, Qt.LeftButton)
    qtbot.mouseClick(dialog.cancel_button, Qt.LeftButton)
    assert services.ran == [], "what is tried is cancelled"
    assert dialog.try_button.isEnabled()
    dialog.apply_result(result(state=CheckState.FAILED, error="late"))
    assert "late" not in dialog._words.text()
    assert services.config.checks == (), "trying keeps nothing"


def test_checks_are_removed_once_agreed(services, window, desk):
    for name in ("a", "b", "c"):
        add(desk, f"{name}.example", name)
    desk.remove(["a", "c", "no such"], is_agreed=True)
    assert shown_names(window) == ["b"]
    assert [one.name for one in load_config(services.home)[0].checks] == ["b"]
    assert services.noted == ["check/a", "check/c"]


def test_now_mute_and_poll_go_to_who_collects(services, window, desk):
    add(desk, "a.example", "a")
    services.asked.clear()
    desk.check_now(["a"])
    desk.mute(["a"])
    window.machine_list.tree.clearSelection()
    window.poll_wanted.emit(None)
    window.machine_list.select_check("a")
    window.poll_wanted.emit(None)
    now, mute, everything, selected = services.asked
    assert (now.names, everything.names, selected.names) == (("a",), (), ("a",))
    assert isinstance(mute, MaintenanceRequest)
    assert (mute.source, mute.end_s - mute.start_s) == ("check/a", 3600.0)


def test_the_last_results_are_there_after_a_restart_and_in_a_new_window(qtbot, services, settings, desk, window):
    add(desk, "https://wiki.example/", "wiki")
    with History.open(services.home.database_path) as history:
        history.write([result(30, CheckState.FAILED, error="down"), result(1, name="gone")])
    services.history_ready.emit()
    assert window.model.check("wiki").is_problem
    other = MainWindow(settings, MachineModel())
    qtbot.addWidget(other)
    desk.attach(other)
    assert other.model.check("wiki").result.error == "down"


def test_the_detail_shows_curve_phases_and_how_well_it_was(qtbot, services, window, desk):
    add(desk, "https://wiki.example/", "wiki")
    with History.open(services.home.database_path) as history:
        history.write(
            [result(age_s, CheckState.FAILED if 300 < age_s < 600 else CheckState.OK) for age_s in range(3000, 0, -60)]
        )
        history.write([alarm(450, "check/wiki"), alarm(450, "check/wiki2")])
    desk.apply([result(1, certificate_days=8.0, status=200, latency_ms=20.0)])
    dialog = desk.open_detail("wiki")
    qtbot.waitUntil(lambda: dialog.model.rowCount() == 3, timeout=3000)
    assert dialog.model.index(1, 2).data() == "✕ failed"
    assert dialog.well.accessibleName() == "92.0 %"
    assert dialog.now.accessibleName() == "20 ms"
    assert dialog.certificate.accessibleName() == "8 days"
    assert [round(band.end_s - band.start_s) for band in dialog.plot._bands] == [240]
    assert [round(NOW - mark.time_s) for mark in dialog.plot._marks] == [450], "its own alarms alone are marked"
    desk.apply([result(0, CheckState.TIMEOUT, error="no answer within 10 s")])
    assert "no answer within 10 s" in dialog._state.accessibleName()
    for text, kind in (("Check now", CheckRequest),):
        button = next(one for one in dialog.findChildren(QPushButton) if one.text() == text)
        qtbot.mouseClick(button, Qt.LeftButton)
        assert isinstance(services.asked[-1], kind)
    dialog.close()
    assert desk._detail is None


def test_a_check_that_never_answered_has_a_detail_too(qtbot, services, window, desk):
    add(desk, "wiki.example", "wiki")
    dialog = desk.open_detail("wiki")
    qtbot.wait(300)
    assert dialog.model.rowCount() == 0
    assert dialog.now.accessibleName().startswith("–")
    dialog.close()


def test_phases_part_where_the_state_or_the_reason_changes():
    results = [
        result(50), result(40, status=204), result(30, CheckState.FAILED, error="a"),
        result(20, CheckState.FAILED, error="b"), result(10),
    ]  # fmt: skip
    found = phases(results)
    assert [(phase.last.state.value, phase.count, phase.is_over) for phase in found] == [
        ("ok", 2, True), ("failed", 1, True), ("failed", 1, True), ("ok", 1, False),
    ]  # fmt: skip
    assert [round(phase.until_s - phase.start_s) for phase in found] == [20, 10, 10, 0]
    assert availability(results) == 60.0
    assert phases([]) == []
    assert availability([]) is None


def test_the_table_of_phases_is_newest_first(qtbot):
    model = PhaseModel()
    model.set_phases(phases([result(50), result(30, CheckState.FAILED, error="<b>down</b>"), result(10)]))
    assert [model.index(row, 2).data() for row in range(3)] == ["✓ ok", "✕ failed", "✓ ok"]
    assert model.index(1, 3).data() == "<b>down</b>"
    assert "<b>" not in model.index(1, 3).data(Qt.ToolTipRole)


def test_dialogs_are_painted_in_both_themes(qtbot):
    from gui.theme import use_theme

    row = CheckRow(CheckConfig(name="wiki", target="https://wiki.example/"))
    row.apply(result(1, certificate_days=-3.0))
    for theme in ("light", "dark"):
        use_theme(theme)
        for dialog in (CheckDetailDialog(row), EditCheckDialog(row.config)):
            qtbot.addWidget(dialog)
            dialog.show()
            assert not dialog.grab().isNull()
