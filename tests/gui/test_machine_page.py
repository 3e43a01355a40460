"""The Machine page: who it is, how it does, what runs; the last known numbers while it is away."""

from __future__ import annotations

import time

import pytest
from PyQt5.QtCore import Qt, QTimer
from PyQt5.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from core.records import (
    Cpu,
    Disk,
    DiskIo,
    Level,
    MachineReport,
    MachineState,
    Memory,
    Network,
    Process,
    ProcessTable,
    Status,
    Swap,
    System,
)
from core.series import SeriesBook
from gui.models.processes import COMMAND, CPU, MEMORY, NAME, PID, ProcessModel
from gui.pages.machine import MachinePage

GIB = 2**30


def _status(cpu_percent: float | None = 88.0) -> Status:
    return Status(
        number=1,
        time_s=time.time(),
        system=System(
            hostname="srv-db",
            os="Debian",
            os_version="12.7",
            kernel="Linux 6.1",
            architecture="x86_64",
            ip_addresses=("10.0.1.14",),
            uptime_s=41 * 86_400,
            python="3.11.2",
        ),
        cpu=Cpu(percent=cpu_percent, per_core_percent=(50.0, 100.0), load_average=(9.4, 8.0, 7.0)),
        memory=Memory(
            total_bytes=32 * GIB,
            used_bytes=int(25.3 * GIB),
            free_bytes=GIB,
            available_bytes=int(6.7 * GIB),
            percent=79.0,
        ),
        swap=Swap(total_bytes=2 * GIB, used_bytes=0),
        disks=(Disk(mount="/", total_bytes=100, used_bytes=61), Disk(mount="/var", total_bytes=100, used_bytes=83)),
        disk_io=DiskIo(read_bytes_per_s=70e6, written_bytes_per_s=1e6),
        network=Network(received_bytes_per_s=5.1e6, sent_bytes_per_s=2.1e6),
        process_count=3,
    )


def _report(state: MachineState = MachineState.ONLINE, **more: object) -> MachineReport:
    fields = {
        "machine": "srv-db",
        "address": "10.0.1.14:17450",
        "state": state,
        "since_s": time.time() - 300,
        "level": Level.RUN,
        "status": _status(),
        "time_s": time.time(),
        "is_new": True,
        "interval_s": 1.0,
    }
    return MachineReport(**{**fields, **more})


def _process(
    pid: int, name: str = "init", parent: int = 0, cpu: float = 0.0, memory: int = 0, **more: object
) -> Process:
    fields = {"user": "root", "status": "sleeping", "started_s": 1000.0 + pid, "command_line": f"/bin/{name}"}
    return Process(
        **{"pid": pid, "parent_pid": parent, "name": name, "cpu_percent": cpu, "memory_bytes": memory, **fields, **more}
    )


def _table(*processes: Process, machine: str = "srv-db") -> ProcessTable:
    return ProcessTable(machine=machine, time_s=time.time(), processes=processes)


@pytest.fixture
def page(qtbot: QtBot) -> MachinePage:
    page = MachinePage()
    qtbot.addWidget(page)
    page.resize(1100, 800)
    page.set_live(SeriesBook())
    page.show_machine("srv-db")
    page.show()
    qtbot.waitExposed(page)
    page.build_plots()
    return page


def _shown_text(page: MachinePage) -> str:
    return "\n".join(label.text() for label in page.findChildren(QLabel) if label.isVisible())


def _column(model: ProcessModel, column: int) -> list[str]:
    return [model.index(row, column).data() for row in range(model.rowCount())]


def test_without_a_machine_the_page_says_what_to_do(qtbot: QtBot):
    page = MachinePage()
    qtbot.addWidget(page)
    page.show()
    assert "Choose a machine" in _shown_text(page)
    page.show_machine("m1")
    assert "Choose a machine" not in _shown_text(page)
    page.show_machine(None)
    assert "Choose a machine" in _shown_text(page)


def test_the_identity_is_one_line(page: MachinePage):
    page.apply_report(_report())
    line = (
        "Debian 12.7 · Linux 6.1 x86_64 · 10.0.1.14 · up 41 d · Python 3.11.2 · "
        "polled each second · may run listed commands"
    )
    assert line in _shown_text(page)


def test_the_numbers_of_a_status_are_shown_with_their_details(page: MachinePage):
    page.apply_report(_report())
    assert page.curves.numbers["cpu"].accessibleName() == "88 %"
    assert page.curves.numbers["memory"].accessibleName() == "25.3 GiB"
    assert page.curves.numbers["network"].accessibleName() == "7.2 MB/s"
    assert page.curves.numbers["disks"].accessibleName() == "71.0 MB/s"
    details = {name: number.detail() for name, number in page.curves.numbers.items()}
    assert details["cpu"] == "2 cores, load 9.4"
    assert details["memory"] == "of 32.0 GiB, 6.7 GiB free · swap 0 B of 2.0 GiB"
    assert details["network"] == "↓ 5.1 MB/s   ↑ 2.1 MB/s"
    assert page.curves.more.numbers["fill"].accessibleName() == "83 %"
    assert [item.name for item in page.curves.more.lists["fill"].items()] == ["/var", "/"]
    assert "core 1: 100 %" in page.curves.core_bars.accessibleName()


def test_the_first_status_has_no_rates_and_shows_no_zero(page: MachinePage):
    status = _status(cpu_percent=None)
    page.apply_report(_report(status=status))
    assert page.curves.numbers["cpu"].accessibleName() == "– %"


def test_a_machine_that_is_away_says_since_when_and_why_and_greys_its_numbers(page: MachinePage):
    page.apply_report(_report())
    page.apply_report(_report(MachineState.OFFLINE, error="nothing listens on 10.0.1.14:17450", is_new=False))
    since = time.strftime("%H:%M", time.localtime(time.time() - 300))
    assert f"offline since {since}: nothing listens on 10.0.1.14:17450" in _shown_text(page)
    assert page.curves.numbers["cpu"].accessibleName() == "88 %"
    assert page.curves.numbers["cpu"]._number.property("role") == "dim"
    assert not page.command_button.isEnabled()
    page.apply_report(_report())
    assert page.curves.numbers["cpu"]._number.property("role") is None
    assert "offline" not in _shown_text(page)


def test_what_is_wrong_is_said_in_whole_sentences_and_nothing_can_be_asked_meanwhile(page: MachinePage):
    page.apply_report(_report(state=MachineState.OFFLINE, error="nothing listens there; is the port right?"))
    assert "is the port right?  See that it is on" in _shown_text(page)
    assert "polled" not in _shown_text(page)
    assert not page.tabs.ports.refresh_button.isEnabled()
    page.apply_report(_report())
    assert "polled each second" in _shown_text(page)
    assert page.tabs.ports.refresh_button.isEnabled()


def test_tabs_and_tools_stand_in_two_lines_where_one_has_no_room(page: MachinePage):
    tabs = page.tabs
    for width, is_narrow in ((900, False), (420, True)):
        tabs.resize(width, 300)
        assert tabs._head.direction() == (tabs._head.TopToBottom if is_narrow else tabs._head.LeftToRight)


def test_news_of_another_machine_change_nothing(page: MachinePage):
    page.apply_report(_report(machine="other"))
    page.apply_processes(_table(_process(1), machine="other"))
    assert page.curves.numbers["cpu"].accessibleName() == "– %"
    assert page.processes.model.count == 0


def test_live_statuses_are_curves(page: MachinePage, qtbot: QtBot):
    book = SeriesBook()
    page.set_live(book)
    now_s = time.time()
    for second in range(120, 0, -1):
        book.append_status("srv-db", now_s - second, _status(), period_s=1.0)
    page.apply_report(_report())
    qtbot.waitUntil(lambda: bool(page.plot("cpu").canvas._frame.strokes), timeout=3000)
    stroke = page.plot("cpu").canvas._frame.strokes[0]
    assert set(stroke.high) == {88.0}
    assert page.plot("network").unit == "MB/s"
    assert [entry.value for entry in page.plot("network").legend_entries()] == ["5.1", "2.1"]


def test_curves_run_from_the_moment_a_machine_is_chosen_on_the_open_page(qtbot: QtBot):
    page = MachinePage()
    qtbot.addWidget(page)
    page.resize(1100, 800)
    page.set_live(SeriesBook())
    page.show()
    page.build_plots()
    drawn: list[bool] = []
    page.group.drawn.connect(lambda: drawn.append(True))
    page.show_machine("srv-db")
    qtbot.waitUntil(lambda: bool(drawn), timeout=3000)
    page.show_machine(None)
    del drawn[:]
    page.range.changed.emit()
    assert not drawn


def test_older_curves_are_asked_from_the_history_of_the_machine(page: MachinePage, qtbot: QtBot):
    with qtbot.waitSignal(page.history_wanted, timeout=3000) as told:
        qtbot.mouseClick(page.range_bar.buttons["day"], Qt.LeftButton)
    _id, machine, fields, start_s, end_s = told.args
    assert machine == "srv-db"
    assert "disk_written_bytes_per_s" in fields
    assert end_s - start_s == pytest.approx(86_400, abs=5)


def test_processes_are_asked_for_at_once_and_every_five_seconds_while_visible(page: MachinePage, qtbot: QtBot):
    asked = []
    page.processes_wanted.connect(asked.append)
    page.show_machine("other")
    assert asked == ["other"]
    assert page.tabs._timer.isActive()
    assert page.tabs._timer.interval() == 5_000
    page.hide()
    assert [timer for timer in page.findChildren(QTimer) if timer.isActive()] == []


def test_a_command_goes_to_the_machine_shown(page: MachinePage, qtbot: QtBot):
    page.apply_report(_report())
    with qtbot.waitSignal(page.command_wanted) as told:
        qtbot.mouseClick(page.command_button, Qt.LeftButton)
    assert told.args == ["srv-db"]


def test_a_machine_that_may_only_be_watched_takes_no_command(page: MachinePage):
    page.apply_report(_report(level=Level.VIEW))
    assert not page.command_button.isEnabled()


def test_processes_are_sorted_by_cpu_and_by_what_is_clicked(page: MachinePage):
    page.apply_processes(_table(_process(1, "a", cpu=1.0, memory=5), _process(2, "b", cpu=9.0, memory=GIB)))
    model = page.processes.model
    assert _column(model, NAME) == ["b", "a"]
    page.processes.view.sortByColumn(PID, Qt.AscendingOrder)
    assert _column(model, PID) == ["1", "2"]
    page.processes.view.sortByColumn(MEMORY, Qt.DescendingOrder)
    assert _column(model, MEMORY) == ["1.0 GiB", "5 B"]


def test_selection_and_scroll_position_survive_a_refresh(page: MachinePage, qtbot: QtBot):
    page.apply_processes(_table(*[_process(pid, cpu=float(pid % 50)) for pid in range(1, 300)]))
    view, model = page.processes.view, page.processes.model
    view.selectRow(40)
    view.verticalScrollBar().setValue(900)
    chosen = model.process(40)
    page.apply_processes(_table(*[_process(pid, cpu=float(pid % 49)) for pid in range(2, 310)]))
    assert [model.process(index.row()).pid for index in view.selectionModel().selectedRows()] == [chosen.pid]
    assert view.verticalScrollBar().value() == 900


def test_a_pid_used_again_is_another_process(page: MachinePage):
    page.apply_processes(_table(_process(7, started_s=1.0)))
    page.processes.view.selectRow(0)
    page.apply_processes(_table(_process(7, started_s=2.0)))
    assert page.processes.view.selectionModel().selectedRows() == []


def test_the_filter_finds_name_user_pid_and_command_line(page: MachinePage, qtbot: QtBot):
    page.apply_processes(_table(_process(1, "init"), _process(2, "sshd", command_line="/usr/sbin/sshd -D")))
    qtbot.keyClicks(page.processes.filter_field, "SBIN")
    qtbot.waitUntil(lambda: _column(page.processes.model, NAME) == ["sshd"], timeout=2000)
    assert page.tabs.bar.tabText(0) == "Processes  1 of 2"


def test_the_tree_stands_children_below_their_parents(page: MachinePage, qtbot: QtBot):
    page.apply_processes(
        _table(
            _process(1, "init"),
            _process(30, "worker", parent=20, cpu=50.0),
            _process(20, "server", parent=1),
            _process(10, "cron", parent=1, cpu=1.0),
        )
    )
    qtbot.mouseClick(page.processes.tree_button, Qt.LeftButton)
    assert _column(page.processes.model, NAME) == ["▾ init", "    └ cron", "    ▾ server", "        └ worker"]
    page.processes.model.set_filter("worker")
    assert _column(page.processes.model, NAME) == ["▾ init", "    ▾ server", "        └ worker"]


def test_a_ring_of_parents_is_shown_once_each():
    model = ProcessModel()
    model.set_tree(True)
    model.apply(_table(_process(1, "a", parent=2), _process(2, "b", parent=1), _process(3, "c", parent=3)))
    assert sorted(_column(model, PID)) == ["1", "2", "3"]


def test_names_from_outside_are_shown_letter_by_letter(page: MachinePage):
    page.apply_processes(_table(_process(1, "<b>x</b>\n\u202ey", command_line="a\nb")))
    model = page.processes.model
    assert _column(model, NAME) == ["<b>x</b> \ufffdy"]
    assert _column(model, COMMAND) == ["a b"]


def test_columns_are_kept_and_restored(page: MachinePage, qtbot: QtBot):
    page.processes.view.horizontalHeader().resizeSection(NAME, 333)
    page.processes.view.sortByColumn(PID, Qt.AscendingOrder)
    other = MachinePage()
    qtbot.addWidget(other)
    other.restore_layout(page.layout_state())
    header = other.processes.view.horizontalHeader()
    assert header.sectionSize(NAME) == 333
    assert header.sortIndicatorSection() == PID


def test_a_thousand_processes_refresh_without_moving_the_view(page: MachinePage):
    processes = [_process(pid, f"p{pid}", cpu=float(pid % 7)) for pid in range(1, 1001)]
    page.apply_processes(_table(*processes))
    page.apply_processes(_table(*processes[::2]))
    assert page.processes.model.rowCount() == 500
    assert _column(page.processes.model, CPU) == sorted(_column(page.processes.model, CPU), reverse=True)


@pytest.mark.parametrize("size", [(760, 600), (1100, 800), (2200, 1500)])
def test_nothing_is_cut_at_any_size(page: MachinePage, qtbot: QtBot, size: tuple[int, int]):
    page.resize(*size)
    page.apply_report(_report())
    qtbot.wait(50)
    for name in ("cpu", "memory", "network", "disks"):
        plot = page.plot(name)
        assert plot.height() >= plot.minimumSizeHint().height()
        assert plot.canvas.geometry().bottom() <= plot.height()
