"""The History page over real services: a real database, views in the settings, exported files."""

import csv
import threading
import time

import pytest
from dialog_parts import words
from PyQt5.QtCore import QSettings, Qt

from core.config import load_config, save_setting
from core.records import (
    CommandRequest,
    Event,
    HistoryMark,
    Measurement,
    MeterIdentity,
    MeterReadings,
    SeriesInfo,
    Severity,
)
from core.series import SeriesBook
from core.store.history import History
from gui.dialogs.export_data import ExportDataDialog
from gui.dialogs.history_span import AxisDialog, SpanDialog, ViewNameDialog
from gui.main_window import MainWindow
from gui.models.history_words import shown_of
from gui.models.machines import MachineModel
from gui.pages.commands import CommandsPage
from gui.pages.history import HistoryPage
from gui.runtime.services import Services
from gui.wiring.history import HistoryDesk

SLOW_MS = 15_000
POWER = "meter/E450/active_power_w"


class Bench:
    """A window with the History page and its desk over services of a home of its own."""

    def __init__(self, home, settings_path):
        save_setting(home, "sensors.listen", "127.0.0.1:0")
        self.home = home
        self.services = Services(home, load_config(home)[0])
        self.window = MainWindow(QSettings(str(settings_path), QSettings.IniFormat), MachineModel())
        self.desk, self.page = HistoryDesk(self.services, SeriesBook()), HistoryPage()
        self.window.set_page("history", self.page)
        self.desk.attach(self.window, self.page)


def fill(home, now_s):
    with History.open(home.database_path) as history:
        history.write(
            [
                MeterReadings(
                    name="E450",
                    protocol="push",
                    meter=MeterIdentity(),
                    time_s=now_s - 3600 + 10 * step,
                    readings=(),
                    measurement=Measurement(active_power_w=1000.0 + step),
                    is_simulated=True,
                )
                for step in range(360)
            ]
        )
        history.write(
            [
                CommandRequest(
                    id="r", words=("ps",), machines=("nas",), timeout_s=9, operator="ana", time_s=now_s - 600
                ),
                Event(time_s=now_s - 500, source="nas", kind="state", severity=Severity.WARNING, text="nas is offline"),
            ]
        )


@pytest.fixture
def bench(qtbot, home, tmp_path):
    fill(home, time.time())
    made = Bench(home, tmp_path / "gui.ini")
    qtbot.addWidget(made.window)
    made.window.show_page("history")
    made.window.show()
    with qtbot.waitSignal(made.services.beside_changed, timeout=SLOW_MS):
        made.services.start()
    yield made
    made.window.close()
    made.services.stop()


def drawn(qtbot, bench):
    page = bench.page
    qtbot.waitUntil(lambda: bool(page.start.suggestions), timeout=SLOW_MS)
    qtbot.mouseClick(page.start.suggestions[0], Qt.LeftButton)
    qtbot.waitUntil(lambda: page.plot._asked is not None and not page.plot.is_busy, timeout=SLOW_MS)
    return page


def test_curves_marks_and_what_is_simulated_come_out_of_the_history(qtbot, bench):
    page = drawn(qtbot, bench)
    assert page.chosen.names() == [POWER]
    assert page.chosen.row_of(POWER).is_simulated
    assert page.plot.data.newest(POWER) == 1359.0
    qtbot.waitUntil(lambda: len(page.plot.marks_strip.marks()) >= 2, timeout=SLOW_MS)
    assert {"command", "event"} <= {mark.kind for mark in page.plot.marks_strip.marks()}
    page.board.ask_moved()
    qtbot.waitUntil(lambda: "No machine moved" in page.board.lower._moved_words.text(), timeout=SLOW_MS)
    bench.desk.open_mark(page.plot.marks_strip.marks()[0])
    assert bench.window.current_page() in ("commands", "overview")
    mark = HistoryMark(kind="alarm", time_s=0, until_s=None, source="machine/x", text="", severity="high")
    bench.desk.open_mark(mark)
    assert bench.window.current_page() == "alarms"


def test_the_mark_of_a_command_opens_its_answers(qtbot, bench):
    page = drawn(qtbot, bench)
    commands = CommandsPage()
    bench.window.set_page("commands", commands)
    qtbot.waitUntil(lambda: len(page.plot.marks_strip.marks()) >= 2, timeout=SLOW_MS)
    bench.desk.open_mark(next(mark for mark in page.plot.marks_strip.marks() if mark.kind == "command"))
    assert bench.window.current_page() == "commands"
    qtbot.waitUntil(lambda: commands.answers.run is not None, timeout=SLOW_MS)
    assert commands.answers.run.request.id == "r"


def test_a_series_that_is_gone_leaves_the_others(qtbot, bench):
    page = drawn(qtbot, bench)
    before = page.plot._asked
    page.draw(["meter/E450/no_such_thing_at_all/x", "nonsense"])
    qtbot.waitUntil(lambda: page.plot._asked not in (None, before) and not page.plot.is_busy, timeout=SLOW_MS)
    assert page.plot.error == ""
    assert page.plot.data.newest(POWER) == 1359.0


def test_a_view_is_saved_opened_renamed_and_deleted(qtbot, bench):
    page = drawn(qtbot, bench)
    page.range.follow("week")
    dialog = bench.desk.files.open_save_view()
    dialog.accept_button.click()
    assert words(dialog) == "Give the view a name."
    dialog.name.setText("Power of a week")
    qtbot.keyClick(dialog.name, Qt.Key_Return)
    saved = load_config(bench.home)[0].views
    assert [(view.name, view.series, view.range) for view in saved] == [("Power of a week", (POWER,), "week")]
    page.chosen.remove([POWER])
    page.range.follow("hour")
    assert page.start.isVisible()
    actions = {action.text(): action for action in page.header.views_menu().actions()}
    actions["Power of a week"].trigger()
    assert page.chosen.names() == [POWER]
    assert page.range.mode == "week"
    renaming = bench.desk.files.open_rename_view("Power of a week")
    renaming.name.setText("Week")
    renaming.accept_button.click()
    assert [view.name for view in load_config(bench.home)[0].views] == ["Week"]
    assert page.view_name == "Week"
    page.remove_view_wanted.emit("Week")
    assert load_config(bench.home)[0].views == ()
    assert page.chosen.names() == [POWER]
    assert page.view_name == ""


def test_export_data_writes_a_table_with_progress_into_the_home(qtbot, bench):
    drawn(qtbot, bench)
    bench.window.export_data_wanted.emit()
    dialog = bench.window.findChild(ExportDataDialog)
    assert dialog.names() == [POWER]
    path = bench.home.exports_path / "power.csv"
    assert dialog.path.text().startswith(str(bench.home.exports_path))
    dialog.path.setText(str(path))
    with qtbot.waitSignal(dialog.finished, timeout=SLOW_MS):
        dialog.accept_button.click()
        assert dialog.is_busy
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0][1] == f"{POWER} [W] (simulated)"
    assert len(rows) == 361
    assert "360 rows exported to" in bench.window.status_line.currentMessage()


def test_an_export_that_is_cancelled_leaves_no_file(qtbot, bench, monkeypatch):
    from core.services import export

    drawn(qtbot, bench)
    begun, may_go, ended = threading.Event(), threading.Event(), threading.Event()
    write = export.write_series

    def slow(*arguments, watch):
        begun.set()
        assert may_go.wait(10)
        try:
            return write(*arguments, watch=watch)
        finally:
            ended.set()

    monkeypatch.setattr(export, "write_series", slow)
    dialog = bench.desk.files.open_export()
    path = bench.home.exports_path / "power.xlsx"
    dialog.path.setText(str(path))
    dialog.accept_button.click()
    qtbot.waitUntil(begun.is_set, timeout=SLOW_MS)
    dialog.cancel_button.click()
    may_go.set()
    assert words(dialog) == "cancelled"
    qtbot.waitUntil(ended.is_set, timeout=SLOW_MS)
    qtbot.wait(20)
    assert list(path.parent.iterdir()) == []
    assert dialog.isVisible()
    dialog.reject()


def test_what_cannot_be_written_is_told_in_the_dialog(qtbot, bench):
    drawn(qtbot, bench)
    dialog = bench.desk.files.open_export()
    dialog.list.item(0).setCheckState(Qt.Unchecked)
    dialog.accept_button.click()
    assert words(dialog) == "Choose at least one series."
    dialog.list.item(0).setCheckState(Qt.Checked)
    blocked = bench.home.path / "a file"
    blocked.write_text("x", encoding="utf-8")
    dialog.path.setText(str(blocked / "power.csv"))
    dialog.accept_button.click()
    qtbot.waitUntil(lambda: not dialog.is_busy, timeout=SLOW_MS)
    assert "the folder cannot be made" in words(dialog)
    dialog.reject()


def test_a_time_is_entered_from_to(show):
    got = []
    dialog = show(SpanDialog(1_795_000_000.0, 1_795_003_600.0))
    dialog.chosen.connect(lambda *span: got.append(span))
    dialog.fields.end.setDateTime(dialog.fields.start.dateTime())
    dialog.accept_button.click()
    assert words(dialog) == "The end is not after the beginning."
    dialog.fields.end.setDateTime(dialog.fields.start.dateTime().addSecs(60))
    dialog.accept_button.click()
    assert got == [(1_795_000_000.0, 1_795_000_060.0)]


def test_an_axis_is_given_its_ends_in_the_unit_it_shows(show):
    got = []
    dialog = show(AxisDialog([("W", shown_of("W", 20_000), 0.0, 20.0, False), ("V", shown_of("V", 0), 0, 1, True)]))
    dialog.chosen.connect(lambda *ends: got.append(ends))
    assert not dialog.low.isEnabled()
    dialog.follows.click()
    dialog.low.setValue(5)
    dialog.high.setValue(2)
    dialog.accept_button.click()
    assert words(dialog) == "The lower end is not below the upper one."
    dialog.high.setValue(12)
    dialog.accept_button.click()
    assert got == [("W", 5_000.0, 12_000.0)]


def test_a_view_does_not_take_the_name_of_another_by_renaming(show):
    dialog = show(ViewNameDialog("Rename", "a", ["b"], may_replace=False))
    dialog.name.setText("b")
    dialog.accept_button.click()
    assert words(dialog) == "There is a view of that name."
    assert dialog.isVisible()


def test_the_export_lists_what_is_chosen_first_and_proposes_a_name(show, tmp_path):
    infos = [
        SeriesInfo(name=f"machine/m{number}/cpu_percent", unit="%", first_s=0, last_s=9, count=2)
        for number in range(50)
    ]
    dialog = show(ExportDataDialog(infos, {}, ["machine/m7/cpu_percent"], (0.0, 3600.0), tmp_path))
    assert dialog.list.item(0).text() == "m7 · CPU"
    assert "m7-cpu_percent" in dialog.path.text()
    dialog.filter.setText("m33 cpu")
    assert dialog.list.count() == 1
    dialog.list.item(0).setCheckState(Qt.Checked)
    assert dialog.names() == ["machine/m7/cpu_percent", "machine/m33/cpu_percent"]
    assert "_and_1_more" in dialog.path.text()
    dialog.kind.setCurrentIndex(1)
    assert dialog.path.text().endswith(".xlsx")


def test_a_file_that_is_there_is_replaced_only_when_export_is_pressed_again(show, tmp_path):
    info = SeriesInfo(name="machine/m/cpu_percent", unit="%", first_s=0, last_s=9, count=2)
    dialog = show(ExportDataDialog([info], {}, [info.name], (0.0, 3600.0), tmp_path))
    wanted = []
    dialog.export_wanted.connect(wanted.append)
    (tmp_path / "old one.csv").write_text("kept")
    for name, asked in (("old one.csv", 0), ("x" * 300 + ".csv", 1), ("old one.csv", 2)):
        dialog.path.setText(str(tmp_path / name))
        dialog.on_accept()
        assert len(wanted) == asked
        dialog.set_busy(False)
    assert wanted[-1].path == tmp_path / "old one.csv"
