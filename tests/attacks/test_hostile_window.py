"""Lies on the screen: the window paints them as text, within bounds, and goes on."""

from __future__ import annotations

import msgspec
import pytest
from PyQt5.QtCore import QSettings, Qt
from PyQt5.QtWidgets import QLabel
from test_hostile_records import EVIL, PROCESS, hostile_reports

from core.machine_records import Port, PortList, Service, ServiceList, Session, SessionList
from core.records import Machine, Process, ProcessTable
from core.services.peer_records import plain_process
from gui.main_window import MainWindow
from gui.models.machines import MachineModel
from gui.pages.machine import MachinePage
from gui.theme import use_theme


@pytest.fixture
def window(qtbot, tmp_path):
    use_theme("dark")
    made = MainWindow(QSettings(str(tmp_path / "gui.ini"), QSettings.IniFormat), MachineModel())
    page = MachinePage()
    made.set_page("machine", page)
    qtbot.addWidget(made)
    made.resize(1400, 900)
    made.set_machines([Machine(name="evil", host="127.0.0.1", fingerprint="x")])
    made.show()
    page.show_machine("evil")
    return made


def test_every_lie_of_a_status_is_painted(qtbot, window):
    page = window.page("machine")
    for key in ("machine", "overview"):
        window.show_page(key)
        for number, report in enumerate(hostile_reports()):
            window.apply_reports([report])
            page.apply_report(report)
            if number % 20 == 0:
                window.grab()
    assert all(label.textFormat() == Qt.PlainText or "<" not in label.text() for label in window.findChildren(QLabel))


def test_tables_of_lies_are_painted(qtbot, window):
    page = window.page("machine")
    window.show_page("machine")
    table = []
    for name, lie in [*((name, EVIL) for name in ("name", "user", "status", "command_line")), ("pid", 2**40)]:
        table.append(plain_process(msgspec.convert({**PROCESS, name: lie}, Process)))
    for name in ("cpu_percent", "started_s", "memory_bytes"):
        table.append(plain_process(msgspec.convert({**PROCESS, name: 2**62, "parent_pid": 1}, Process)))
    page.apply_processes(ProcessTable(machine="evil", time_s=1e9, processes=tuple(table)))  # all of one pid: a circle
    window.grab()
    plain = EVIL.translate(dict.fromkeys(range(32), " "))
    service = Service(name=plain, description=plain, state="unknown", start_mode="unknown", pid=2**32 - 1)
    port = Port(protocol="tcp", address=plain, port=65535, pid=None, process=plain)
    session = Session(user=plain, terminal=plain, host=plain, since_s=1e10)
    for record in (
        ServiceList(machine="evil", time_s=0.0, services=(service,) * 3, manager=plain, problem=plain),
        PortList(machine="evil", time_s=0.0, ports=(port,) * 3, problem=plain),
        SessionList(machine="evil", time_s=0.0, sessions=(session,) * 3, problem=plain),
    ):
        page.apply_details(record)
        window.grab()
