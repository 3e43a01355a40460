"""The real window and a real agent that may be managed: services, users, ports, and a process that is ended."""

import subprocess
import sys

import pytest
from PyQt5.QtCore import Qt

from core.config import load_config, save_setting
from core.home import Home
from core.records import MachineState
from gui.app import Window
from gui.dialogs.machine_act import ActDialog
from gui.runtime.child_program import ChildProgram

SLOW_MS = 60_000


@pytest.fixture
def window(qtbot, home):
    opened = Window(home, load_config(home)[0])
    qtbot.waitUntil(lambda: opened.console is not None and opened.console.machines.local() is not None, timeout=SLOW_MS)
    yield opened
    opened.close()
    opened.end()
    opened.main_window.deleteLater()
    opened.deleteLater()
    qtbot.wait(1)


@pytest.fixture
def managed(qtbot, tmp_path):
    """Address and code of an agent that lets itself be paired at level manage."""
    home = Home(tmp_path / "managed").make()
    save_setting(home, "agent.max_level", "manage")
    agent = ChildProgram(["--home", str(home.path), "agent", "run", "--listen", "127.0.0.1:0"])
    pairing = ChildProgram(["--home", str(home.path), "agent", "pair", "--level", "manage"])
    address, codes = [], []
    agent.line_read.connect(address.append)
    pairing.line_read.connect(codes.append)
    agent.start()
    qtbot.waitUntil(lambda: len(address) >= 2, timeout=SLOW_MS)
    pairing.start()
    qtbot.waitUntil(lambda: any("code: " in line for line in codes), timeout=SLOW_MS)
    code = next(line for line in codes if "code: " in line).removeprefix("code: ")
    yield address[0].removeprefix("listening on "), code
    for child in (pairing, agent):
        child.request_stop()
    for child in (pairing, agent):
        child.stop()


def test_a_process_of_a_managed_machine_is_found_and_ended_and_the_table_tells(qtbot, window, managed):
    dialog = window.console.machines.open_add()
    dialog.address.setText(managed[0])
    dialog.name.setText("managed")
    dialog.code.setText(managed[1])
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    row = window.main_window.model.row
    qtbot.waitUntil(lambda: row("managed") is not None and row("managed").state is MachineState.ONLINE, timeout=SLOW_MS)
    window.main_window.show_page("machine")
    page = window.main_window.page("machine")
    qtbot.waitUntil(lambda: page.current_machine == "managed" and page.processes.model.count > 0, timeout=SLOW_MS)

    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        page.tabs.ask_shown()
        qtbot.waitUntil(lambda: page.processes.model.find(victim.pid) is not None, timeout=SLOW_MS)
        page.processes.show_process(page.processes.model.find(victim.pid))
        page.processes.end_action.trigger()
        question = window.main_window.findChild(ActDialog)
        qtbot.mouseClick(question.accept_button, Qt.LeftButton)
        question.box.setChecked(True)
        qtbot.mouseClick(question.accept_button, Qt.LeftButton)
        qtbot.waitUntil(lambda: f"ended {victim.pid}" in page.tabs._said.text(), timeout=SLOW_MS)
        assert victim.wait(timeout=10) != 0
        qtbot.waitUntil(lambda: page.processes.model.find(victim.pid) is None, timeout=SLOW_MS)
    finally:
        victim.kill()
        victim.wait()

    for kind in ("services", "sessions", "ports"):
        page.tabs.show_kind(kind)
        panel = page.tabs.panels[kind]
        # what it says depends on where the test runs: rows, or a sentence of the agent why there are none
        qtbot.waitUntil(lambda panel=panel: "asked" not in panel.sentence(), timeout=SLOW_MS)
    assert any(port.port == int(managed[0].rpartition(":")[2]) for port in page.tabs.ports.model._all.values())
