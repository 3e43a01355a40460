"""What the command line says where only a part of the program is installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.cli.app import GROUPS, main
from core.home import Home

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys
for name in {missing!r}:
    sys.modules[name] = None
from main import main
sys.argv = ["beffroi", "--home", {home!r}, *{words!r}]
sys.exit(main())
"""


def run_without(missing, words, home):
    program = PROGRAM.format(missing=missing, home=str(home), words=words)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_a_window_that_is_not_installed_is_said_in_words(tmp_path):
    ran = run_without(["PyQt5"], [], tmp_path / "home")
    assert ran.returncode == 2
    assert "the window is not installed (PyQt5 is missing)" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_command_that_an_agent_alone_lacks_names_the_package_and_the_line(tmp_path):
    ran = run_without(["sqlalchemy"], ["--json", "status"], tmp_path / "home")
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert "“status”" in ran.stderr
    assert "pip install '.[headless]'" in ran.stderr


def test_the_help_of_an_agent_alone_lists_what_is_installed(tmp_path):
    ran = run_without(["sqlalchemy"], ["--help"], tmp_path / "home")
    assert ran.returncode == 0
    assert "agent" in ran.stdout
    assert "processes" not in ran.stdout


def test_the_value_of_home_is_not_taken_for_a_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["--home", "agent", "machines", "list", "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"


def test_an_unknown_command_is_bad_usage(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["frobnicate"])
    assert ended.value.code == 2
    assert "frobnicate" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["frobnicate"], "choix impossible : 'frobnicate'"),
        (["status", "--watch", "x"], "x n’est pas un nombre"),
        (["processes", "m1", "--limit", "1.5"], "1.5 n’est pas un nombre entier"),
        (["agent"], "il manque : VERBE"),
        (["--home"], "une valeur est attendue"),
    ],
)
def test_bad_usage_is_said_in_the_users_language(words, said, monkeypatch, capsys):
    monkeypatch.setenv("LANGUAGE", "fr")
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert said in told
    assert "utilisation : beffroi" in told


def test_ctrl_c_while_a_command_is_still_loaded_shows_no_traceback(tmp_path):
    program = "import core.cli.app\ndef stopped(*_): raise KeyboardInterrupt\ncore.cli.app._parse = stopped\n"
    program += PROGRAM.format(missing=[], home=str(tmp_path / "home"), words=["collect"])
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (1, "")


@pytest.mark.skipif(os.name != "posix", reason="a shell that closes streams")
@pytest.mark.parametrize("closed", [">&-", "<&- >&-", "<&- >&- 2>&-"])
def test_a_command_whose_streams_are_closed_does_its_work(home: Home, closed: str) -> None:
    line = f'exec "$0" main.py --home "$1" machines list {closed}'
    ran = subprocess.run(
        ["sh", "-c", line, sys.executable, str(home.path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0
    assert "should not happen" not in ran.stderr
    assert not home.log_path.exists()


def test_the_help_names_each_command_beside_what_it_does(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit):
        main(["--help"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    for command in GROUPS:
        assert any(line[:1] == [command] and len(line) > 2 for line in lines), command


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_an_output_without_room_is_said_in_words(home: Home) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = [sys.executable, str(ROOT / "main.py"), "--home", str(home.path), "machines", "list", "--json"]
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ran.returncode == 1
    assert "the output cannot be written" in ran.stderr
    assert "should not happen" not in ran.stderr
    assert "Traceback" not in ran.stderr
