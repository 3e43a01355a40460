"""The real window on a real home, with a real agent and a simulated meter as its children: first run, then again."""

import contextlib
import json
import os
import sqlite3
import subprocess
import threading
import time

import pytest
from PyQt5.QtCore import Qt, QThread
from PyQt5.QtWidgets import QPushButton

from core.config import load_config
from core.home import Lock
from core.records import MachineState
from gui.app import Window
from gui.runtime.child_program import ChildProgram, own_command

SLOW_MS = 20_000


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stream:
        return stream.read().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def open_window(qtbot, home):
    opened = []

    def _open():
        window = Window(home, load_config(home)[0])
        opened.append(window)
        return window

    yield _open
    for window in opened:
        window.close()
        window.end()
        window.main_window.deleteLater()
        window.deleteLater()
    qtbot.wait(1)


def _python_threads():
    """Those that Python started; a QThread leaves a dummy behind that says nothing."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("Dummy")}


def _local(window):
    return next(iter(window.main_window.model.rows()), None)


def _wait_online(qtbot, window):
    def check():
        row = _local(window)
        assert row is not None, window.main_window.notice()
        assert row.state is MachineState.ONLINE, row.reason()
        assert row.cpu_percent is not None

    qtbot.waitUntil(check, timeout=SLOW_MS)


def _close(window):
    window.close()
    window.end()


def test_first_run_pairs_this_machine_runs_a_command_shows_a_meter_and_a_restart_finds_it_all(qtbot, home, open_window):
    threads_before = _python_threads()
    first = open_window()
    _wait_online(qtbot, first)
    name = _local(first).name
    agent_pid = first.console.local_agent.pid
    assert _is_alive(agent_pid)

    commands = first.main_window.page("commands")
    first.main_window.show_page("commands")
    first.main_window.command_wanted.emit([name], "python --version")
    send = next(button for button in commands.findChildren(QPushButton) if button.text().startswith("Send to 1"))
    qtbot.mouseClick(send, Qt.LeftButton)
    kept = []

    def ask_history():
        first.console.services.query(lambda history: history.command_runs(), kept.append)
        qtbot.wait(200)
        assert kept[-1], "the command is not in the history yet"
        assert kept[-1][0].counts.get("ok") == 1

    qtbot.waitUntil(ask_history, timeout=SLOW_MS)

    first.console.meters.simulate()
    qtbot.waitUntil(lambda: first.main_window.overview.power._seen_s > 0, timeout=SLOW_MS)
    first.main_window.show_page("overview")
    first.main_window.overview.refresh()
    assert "simulated" in first.main_window.overview.power._context.text()
    simulator_pid = first.console.meters._simulated.pid
    assert first.main_window.notice() == ""

    _close(first)
    assert not _is_alive(agent_pid)
    assert not _is_alive(simulator_pid)
    assert _python_threads() == threads_before
    assert all(thread.isFinished() for thread in first.findChildren(QThread))

    consoles = (home.agent_path / "authorized_consoles").read_text()
    second = open_window()
    _wait_online(qtbot, second)
    assert _local(second).name == name
    assert (home.agent_path / "authorized_consoles").read_text() == consoles
    seen = []

    def ask_again():
        second.console.services.query(
            lambda history: (history.command_runs(), history.meters()),
            seen.append,
        )
        qtbot.wait(100)
        assert seen

    qtbot.waitUntil(ask_again, timeout=SLOW_MS)
    runs, meters = seen[-1]
    assert runs[0].line == "python --version"
    assert len(meters) == 1
    qtbot.waitUntil(lambda: second.main_window.overview.power._seen_s > 0, timeout=SLOW_MS)
    assert second.main_window.overview.power._seen_s < time.time()


def test_a_ciphered_probe_is_connected_asks_for_its_key_and_is_read_again_after_a_restart(qtbot, home, open_window):
    key = "000102030405060708090a0b0c0d0e0f"
    meter = ChildProgram(
        ["--home", str(home.path), "meter", "simulate", "--listen", "127.0.0.1:0", "--protocol", "push", "--key", key]
    )
    lines = []
    meter.line_read.connect(lines.append)
    meter.start()
    window = open_window()
    _wait_online(qtbot, window)
    qtbot.waitUntil(lambda: lines != [], timeout=SLOW_MS)

    dialog = window.console.meters.open_connect()
    dialog.port.setText("socket://" + lines[0].removeprefix("listening on "))
    dialog.name.setText("main meter")
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: dialog._key.isVisible(), timeout=SLOW_MS)
    keys = window.console.meters.open_key("main meter")
    keys.key.setText(key)
    qtbot.mouseClick(keys.accept_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: window.main_window.overview.power._seen_s > 0, timeout=SLOW_MS)
    qtbot.waitUntil(lambda: window.console.meters._dialog is None, timeout=SLOW_MS)
    assert window.main_window.current_page() == "energy"
    kept = load_config(home)[0].meter("main meter")
    assert (home.path / kept.key_file).stat().st_mode & 0o077 == 0
    assert key not in home.config_path.read_text()

    _close(window)
    second = open_window()
    qtbot.waitUntil(lambda: "main meter" in second.console.meters._last if second.console else False, timeout=SLOW_MS)
    meter.stop()


def test_a_port_that_is_none_is_said_where_it_was_typed(qtbot, home, open_window):
    window = open_window()
    _wait_online(qtbot, window)
    dialog = window.console.meters.open_connect()
    dialog.port.setText("http://nowhere")
    qtbot.mouseClick(dialog.accept_button, Qt.LeftButton)
    qtbot.waitUntil(lambda: "http://nowhere" in dialog._words.text() and not dialog.is_busy, timeout=SLOW_MS)
    dialog.reject()


def test_a_database_of_rubbish_is_said_and_left_as_it_is(qtbot, home, open_window):
    rubbish = b"this is no database" * 400
    home.database_path.write_bytes(rubbish)
    window = open_window()
    qtbot.waitUntil(lambda: str(home.database_path) in window.main_window.notice(), timeout=SLOW_MS)
    _close(window)
    assert home.database_path.read_bytes() == rubbish


def test_a_database_that_another_program_holds_is_said_until_it_is_free(qtbot, home, open_window):
    with contextlib.closing(sqlite3.connect(home.database_path, isolation_level=None)) as other:
        home.database_path.chmod(0o600)
        other.execute("BEGIN EXCLUSIVE")
        window = open_window()
        qtbot.waitUntil(lambda: "held by another program" in window.main_window.notice(), timeout=SLOW_MS)
        other.execute("ROLLBACK")
    _wait_online(qtbot, window)
    assert window.main_window.notice() == ""


def test_this_machine_is_paired_again_by_one_entry_of_the_menu(qtbot, home, open_window):
    window = open_window()
    _wait_online(qtbot, window)
    local = _local(window).machine
    (home.agent_path / "authorized_consoles").write_text("")
    qtbot.waitUntil(lambda: _local(window).state is not MachineState.ONLINE, timeout=SLOW_MS)
    window.main_window.pair_again_wanted.emit(local.name)
    _wait_online(qtbot, window)
    assert _local(window).machine.fingerprint == local.fingerprint


def test_the_language_changes_at_once_and_the_machine_stays(qtbot, home, open_window):
    window = open_window()
    _wait_online(qtbot, window)
    before = window.main_window
    window.main_window.language_wanted.emit("en")
    assert window.main_window is not before
    assert _local(window).state is MachineState.ONLINE
    assert load_config(home)[0].language == "en"
    assert window.main_window.page("energy") is not None


def test_an_agent_that_dies_is_started_again_and_found(qtbot, home, open_window):
    window = open_window()
    _wait_online(qtbot, window)
    pid = window.console.local_agent.pid
    os.kill(pid, 9)
    qtbot.waitUntil(lambda: window.console.local_agent.pid not in (0, pid), timeout=SLOW_MS)
    qtbot.waitUntil(lambda: not _is_alive(pid), timeout=SLOW_MS)
    _wait_online(qtbot, window)


def test_the_agent_of_a_window_that_was_killed_is_taken_over_and_ended_by_the_next_one(qtbot, home, open_window):
    killed = subprocess.Popen([*own_command(), "--home", str(home.path)], stderr=subprocess.DEVNULL)
    paired = home.agent_path / "authorized_consoles"
    qtbot.waitUntil(lambda: paired.exists() and paired.read_text() != "", timeout=SLOW_MS)
    qtbot.wait(1000)
    pid = json.loads((home.agent_path / "listening").read_bytes())["pid"]
    killed.kill()
    killed.wait(10)
    assert _is_alive(pid)
    window = open_window()
    _wait_online(qtbot, window)
    assert window.console.local_agent.pid == pid
    _close(window)
    qtbot.waitUntil(lambda: not _is_alive(pid), timeout=SLOW_MS)


@pytest.mark.parametrize("wait_ms", [0, 30, 150, 400])
def test_a_window_closed_while_it_starts_leaves_nothing_running(qtbot, home, open_window, wait_ms):
    threads_before = _python_threads()
    window = open_window()
    qtbot.wait(wait_ms)
    _close(window)
    qtbot.wait(50)
    assert window.console is None
    assert _python_threads() == threads_before
    lock = Lock(home.path / "agent" / "lock") if home.agent_path.exists() else None
    assert lock is None or lock.take()


def test_a_slot_that_raises_is_said_and_the_window_goes_on(qtbot, home, open_window):
    window = open_window()
    window._on_exception(ValueError, ValueError("odd"), None)
    assert "ValueError: odd" in window.main_window.notice()
    assert window.main_window.isVisible()


def test_an_agent_that_cannot_start_is_told_at_once_and_comes_when_that_is_mended(qtbot, home, open_window):
    home.agent_path.mkdir()
    home.agent_path.chmod(0o755)
    window = open_window()
    qtbot.waitUntil(lambda: f"chmod 700 {home.agent_path}" in window.main_window.notice(), timeout=SLOW_MS)
    home.agent_path.chmod(0o700)
    _wait_online(qtbot, window)
    assert window.main_window.notice() == ""
