import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.config import load_config
from core.home import Lock
from gui import app
from gui.app import Window
from gui.runtime.child_program import ChildProgram, own_command
from gui.wiring.demonstration import prepare
from gui.wiring.sensors import SIMULATED_COUNT

ROOT = Path(__file__).parents[2]


def environment(**changes):
    found = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    found.update(changes)
    return found


def start(*words, **changes):
    return subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**changes),
        cwd=ROOT,
    )


def test_without_a_display_it_says_so_and_names_what_works_without(home):
    child = start("--home", str(home.path), QT_QPA_PLATFORM="")
    out, words = child.communicate(timeout=20)
    assert child.returncode == 1
    assert out == ""
    assert "there is no display" in words
    assert "meter watch" in words
    assert "Aborted" not in words


def test_a_display_that_refuses_is_named_before_qt_aborts(home):
    child = start("--home", str(home.path), QT_QPA_PLATFORM="", DISPLAY=":987")
    _out, words = child.communicate(timeout=20)
    assert child.returncode == 1
    assert "the display :987 cannot be opened" in words


def test_opengl_is_left_out_of_the_window_and_of_no_program_started_from_it(monkeypatch):
    monkeypatch.delenv(app.GL_CHOICE, raising=False)
    give_back = app._leave_out_opengl()
    assert os.environ[app.GL_CHOICE] == "none"
    give_back()
    give_back()
    assert app.GL_CHOICE not in os.environ
    monkeypatch.setenv(app.GL_CHOICE, "xcb_egl")
    app._leave_out_opengl()()
    assert os.environ[app.GL_CHOICE] == "xcb_egl", "what the user has chosen stays"


@pytest.mark.parametrize(
    ("variables", "is_fine"),
    [({"QT_QPA_PLATFORM": "offscreen"}, True), ({"WAYLAND_DISPLAY": "wayland-0"}, True), ({"DISPLAY": ":987"}, False)],
)
def test_other_platforms_than_x_are_left_to_qt(monkeypatch, variables, is_fine):
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (app.display_complaint() == "") is is_fine


def test_a_second_window_on_the_same_home_is_told_in_words(home):
    lock = Lock(home.path / "window.lock")
    assert lock.take()
    try:
        child = start("--home", str(home.path), QT_QPA_PLATFORM="offscreen")
        _out, words = child.communicate(timeout=20)
    finally:
        lock.release()
    assert child.returncode == 1
    assert f"open already on {home.path}" in words


def test_a_broken_configuration_is_told_before_a_window_opens(home):
    home.config_path.write_text("theme = 'pink'\n")
    child = start("--home", str(home.path), QT_QPA_PLATFORM="offscreen")
    _out, words = child.communicate(timeout=20)
    assert child.returncode == 2
    assert "config.toml, line 1: theme" in words


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_the_window_and_its_children_cleanly(home, number):
    child = start("--home", str(home.path), QT_QPA_PLATFORM="offscreen")
    listening, paired = home.agent_path / "listening", home.agent_path / "authorized_consoles"
    end_s = time.monotonic() + 20
    while not (paired.exists() and paired.read_text()) and time.monotonic() < end_s:
        time.sleep(0.05)
    assert listening.exists()
    child.send_signal(number)
    _out, words = child.communicate(timeout=20)
    assert child.returncode == 0
    assert "beffroi" not in words
    assert "Traceback" not in words
    assert not listening.exists()
    lock = Lock(home.agent_path / "lock")
    assert lock.take()
    lock.release()


def test_a_demonstration_without_a_home_leaves_nothing_behind(tmp_path):
    child = start("--demo", QT_QPA_PLATFORM="offscreen", TMPDIR=str(tmp_path), XDG_DATA_HOME=str(tmp_path / "data"))
    end_s = time.monotonic() + 20
    while not list(tmp_path.glob("beffroi-demo-*/home/beffroi.db")) and time.monotonic() < end_s:
        time.sleep(0.05)
    assert list(tmp_path.glob("beffroi-demo-*"))
    child.terminate()
    child.communicate(timeout=20)
    assert child.returncode == 0
    assert not list(tmp_path.glob("beffroi-demo-*"))


def test_a_demonstration_opens_what_is_not_open_and_leaves_what_is_named(home):
    home.config_path.write_text('[room]\nenabled = true\nlisten = "127.0.0.1:4000"\n[[sensor]]\nid = "mine"\n')
    config = prepare(home, load_config(home)[0])
    assert (config.sensors.enabled, config.sensors.listen) == (True, "127.0.0.1:0")
    assert (config.room.listen, config.room.post_alarms) == ("127.0.0.1:4000", None)
    assert [sensor.id for sensor in config.sensor_list] == ["mine"]


def test_a_demonstration_moves_on_every_page(qtbot, home):
    window = Window(home, load_config(home)[0], is_demo=True)
    try:
        qtbot.waitUntil(lambda: window.console is not None, timeout=15_000)
        console = window.console
        rows = console.sensors.model.rows
        qtbot.waitUntil(lambda: sum(row.is_simulated for row in rows()) == SIMULATED_COUNT, timeout=20_000)
        qtbot.waitUntil(lambda: any(line.link == "alarm/1" for line in console.room.rooms.room("general").lines))
        assert not console.sensors._report.address.endswith(":17452")
    finally:
        window.close()
        window.end()
        window.main_window.deleteLater()
        window.deleteLater()
    qtbot.wait(1)


def test_a_child_that_cannot_live_is_given_up_with_its_last_words(qtbot, home):
    child = ChildProgram(["--home", str(home.path), "agent", "run", "--listen", "nonsense:999999"], restarts=1)
    with qtbot.waitSignal(child.died, timeout=15_000) as died:
        child.start()
    assert "999999" in died.args[0]
    child.stop()


def test_lines_of_a_child_come_one_by_one(qtbot, home):
    child = ChildProgram(["--home", str(home.path), "agent", "run", "--listen", "127.0.0.1:0"])
    lines = []
    child.line_read.connect(lines.append)
    child.start()
    qtbot.waitUntil(lambda: len(lines) >= 2, timeout=15_000)
    child.stop()
    assert lines[0].startswith("listening on 127.0.0.1:")
    assert lines[1].startswith("code: ")
    assert not child.is_running


def test_our_own_command_starts_this_program():
    ran = subprocess.run([*own_command(), "--version"], capture_output=True, text=True, timeout=20, check=True)
    assert ran.stdout.startswith("beffroi ")
