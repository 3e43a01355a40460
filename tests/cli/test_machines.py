"""`machines`, `status` and `run` with a real agent in another process."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real_agent import SITE_CODE, Agent

from core.cli.app import main
from core.home import Home
from core.protocol.pairing import new_site_code, shown_code
from core.records import Level
from core.store.history import History

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """An agent that all tests of this module share."""
    agent = Agent(tmp_path_factory.mktemp("agent") / "home")
    yield agent
    agent.stop()


@pytest.fixture
def run(home: Home, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line in the home and gives exit status, stdout and stderr."""

    def typed(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            status = main(["--home", str(home.path), *words])
        except SystemExit as ended:
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return typed


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_machine_is_added_listed_asked_commanded_and_removed(run: Run, agent: Agent, home: Home) -> None:
    status, out, err = run(
        "machines", "add", "m1", f"127.0.0.1:{agent.port}", "--code", SITE_CODE, "--group", "lab", "--json"
    )
    assert (status, err) == (0, "")
    added = json.loads(out)[0]
    assert list(added) == ["name", "address", "groups", "state", "fingerprint", "level"]
    assert (added["name"], added["groups"], added["level"]) == ("m1", ["lab"], "run")

    listed = json.loads(run("machines", "list", "--json")[1])
    assert listed == [{**added, "state": None}]

    document = json.loads(run("status", "m1", "--json")[1])
    assert document[0]["state"] == "online"
    assert document[0]["memory"]["total_bytes"] > 0

    processes = json.loads(run("processes", "m1", "--json")[1])
    assert os.getpid() in [process["pid"] for process in processes]

    assert run("run", "@lab", "--", "true")[0] == 0
    status, out, _err = run("run", "m1", "--", "ls", "-al", str(ROOT / "core"))
    assert status == 0
    assert "errors.py" in out
    status, _out, err = run("run", "m1", "--", "reboot")
    assert status == 3
    assert "policy.toml" in err
    assert run("run", "m1", "--", "Linux:ls -al")[0] == 0
    assert run("run", "m1", "--", "DOS:dir")[0] == 3
    assert run("run", "m1", "--", "python3", "--version")[1].startswith("Python 3.")
    assert run("run", "m1", "--json", "--", "ls", "/no/such/path")[0] == 1

    status, out, _err = run("machines", "remove", "m1")
    assert status == 0
    assert json.loads(run("machines", "list", "--json")[1]) == []
    with History.open(home.database_path) as history:
        assert [event.kind for event in history.events()] == ["machine_removed", "paired"]
        assert len(history.command_runs()) == 7


PARAMETERS = ["a b", "it's", 'a"b', "a\nb", "../..", "-la", "$(id)", "`id`", "; id", "é", "|", "*", ""]


def test_a_parameter_arrives_as_it_is_or_is_refused(run: Run, agent: Agent) -> None:
    run("machines", "add", "m1", f"127.0.0.1:{agent.port}", "--code", SITE_CODE)
    for parameter in PARAMETERS:
        status, out, _err = run("run", "m1", "--json", "--", "ls", "-d", parameter)
        result = json.loads(out)["results"][0]
        assert status in (0, 1, 3), parameter
        assert "uid=" not in result["stdout"] + result["stderr"], parameter


def test_a_wrong_code_is_refused_with_3_and_saves_nothing(run: Run, agent: Agent) -> None:
    wrong = new_site_code(datetime.date(2099, 1, 1), Level.RUN)
    status, out, err = run("machines", "add", "m1", f"127.0.0.1:{agent.port}", "--code", wrong, "--json")
    assert (status, json.loads(out)) == (3, [])
    assert "code" in err
    assert json.loads(run("machines", "list", "--json")[1]) == []


def test_a_pairing_code_is_good_for_one_console(run: Run, home: Home, tmp_path: Path) -> None:
    words = [sys.executable, "main.py", "--home", str(tmp_path / "agent"), "agent", "run", "--listen", "127.0.0.1:0"]
    with subprocess.Popen([*words, "--pair"], stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        address = child.stdout.readline().split()[-1]
        code = child.stdout.readline().split()[-1]
        assert run("machines", "add", "m1", address, "--code", code.lower())[0] == 0
        status, _out, err = run("machines", "add", "m2", address, "--code", code)
        assert (status, "code" in err) == (3, True)
        child.terminate()
        child.communicate(timeout=10)
    assert [machine["name"] for machine in json.loads(run("machines", "list", "--json")[1])] == ["m1"]


def test_broken_settings_are_named_with_file_line_and_key(run: Run, home: Home) -> None:
    home.config_path.write_text("[polling]\ninterval_s = 'often'\n")
    home.config_path.chmod(0o600)
    for words in (["status", "--json"], ["machines", "list"], ["run", "m1", "--", "ls"]):
        status, out, err = run(*words)
        assert (status, out) == (2, "")
        assert "config.toml" in err
        assert "interval_s" in err


def _greet_as_ssh(listening: socket.socket) -> None:
    peer, _address = listening.accept()
    with peer:
        peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        peer.recv(4096)


def test_what_stands_in_the_way_of_pairing_is_told_apart(run: Run, agent: Agent) -> None:
    code = ("--code", "ABCDE-FGHJK")
    status, _out, err = run("machines", "add", "m1", f"127.0.0.1:{free_port()}", *code)
    assert (status, "nothing listens" in err) == (1, True)
    status, _out, err = run("machines", "add", "m1", "no..such..host", *code)
    assert status == 2
    with socket.create_server(("127.0.0.1", 0)) as other:
        greeter = threading.Thread(target=_greet_as_ssh, args=(other,))
        greeter.start()
        status, _out, err = run("machines", "add", "m1", f"127.0.0.1:{other.getsockname()[1]}", *code)
        greeter.join()
    assert (status, "not a Beffroi agent" in err) == (1, True)
    for words in (["machines", "add", "m1", "127.0.0.1"], ["machines", "add", "all", "127.0.0.1", *code]):
        assert run(*words)[0] == 2
    assert run("machines", "add", "m1", "127.0.0.1:99999", *code)[0] == 2


def test_a_known_name_never_moves_silently(run: Run, agent: Agent) -> None:
    address = f"127.0.0.1:{agent.port}"
    assert run("machines", "add", "m1", address, "--code", SITE_CODE)[0] == 0
    status, _out, err = run("machines", "add", "m1", "127.0.0.2:1", "--code", SITE_CODE)
    assert status == 2
    assert "remove it first" in err
    assert run("machines", "add", "m1", address, "--code", SITE_CODE)[0] == 0, "pairing again is allowed"


def test_a_list_is_imported_paired_exported_and_imported_again(run: Run, agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "room.csv"
    lines = ["name;address;port;groups", f"pc-1;127.0.0.1;{agent.port};lab;", "pc-2;10.0.0.300;1;", "pc-1;127.0.0.3;1;"]
    path.write_bytes("\n".join(lines).encode("cp1252"))
    status, out, err = run("machines", "import", str(path), "--site-code", shown_code(SITE_CODE), "--json")
    assert status == 1, "some lines were not taken"
    assert [(entry["name"], entry["state"], entry["level"]) for entry in json.loads(out)] == [("pc-1", "online", "run")]
    assert f"{path}:3: '10.0.0.300' is not an address" in err
    assert f"{path}:4: the name pc-1 is already on line 2" in err
    assert run("status", "@lab", "--json")[0] == 0

    for suffix in (".csv", ".json", ".xlsx"):
        exported = tmp_path / f"out{suffix}"
        assert run("machines", "export", str(exported))[0] == 0
        status, out, _err = run("machines", "import", str(exported), "--json")
        assert status == 0
        assert json.loads(out)[0]["fingerprint"] is not None, "an import keeps the certificate that was paired"
        assert json.loads(out)[0]["groups"] == ["lab"]


def test_machines_that_cannot_be_paired_stay_in_the_list_unpaired(run: Run, agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "room.txt"
    path.write_text(f"a,127.0.0.1:{agent.port}\nb,127.0.0.1:{free_port()}\n")
    status, out, err = run("machines", "import", str(path), "--site-code", SITE_CODE, "--json")
    assert status == 1
    assert {entry["name"]: entry["state"] for entry in json.loads(out)} == {"a": "online", "b": "unpaired"}
    assert "b: nothing listens" in err
    wrong = new_site_code(datetime.date(2099, 1, 1), Level.RUN)
    path.write_text(f"c,127.0.0.1:{agent.port + 1}\n")
    expired = new_site_code(datetime.date(2020, 1, 2), Level.RUN)
    assert run("machines", "import", str(path), "--site-code", expired)[0] == 3
    assert run("machines", "import", str(path), "--site-code", wrong[:10])[0] == 2


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"10.0.0.300\n", b"{"])
def test_a_file_without_machines_is_bad_input(run: Run, tmp_path: Path, content: bytes) -> None:
    for suffix in (".csv", ".json", ".xlsx"):
        path = tmp_path / f"bad{suffix}"
        path.write_bytes(content)
        status, out, err = run("machines", "import", str(path), "--json")
        assert (status, out) == (2, "")
        assert str(path) in err
    assert run("machines", "import", str(tmp_path / "missing.csv"))[0] == 2


def test_a_site_code_pairs_at_its_level_until_its_day(run: Run) -> None:
    status, out, _err = run("machines", "site-code", "--days", "3", "--level", "view", "--json")
    assert status == 0
    document = json.loads(out)
    assert len(document["code"].replace("-", "")) == 26
    assert document["level"] == "view"
    assert document["until"] > datetime.datetime.now(datetime.UTC).isoformat()
    assert run("machines", "site-code", "--days", "0")[0] == 2


def test_an_agent_replaced_by_another_is_refused_and_told(run: Run, tmp_path: Path) -> None:
    first = Agent(tmp_path / "first")
    try:
        assert run("machines", "add", "m1", f"127.0.0.1:{first.port}", "--code", SITE_CODE)[0] == 0
    finally:
        first.stop()
    second = Agent(tmp_path / "second", first.port)
    try:
        status, out, _err = run("status", "m1", "--json")
        assert status == 3
        assert json.loads(out)[0]["state"] == "not_trusted"
        assert "pair it again" in json.loads(out)[0]["error"]
        assert run("run", "m1", "--", "true")[0] == 3
        assert run("processes", "m1")[0] == 3
    finally:
        second.stop()


def test_a_console_whose_line_is_gone_is_not_trusted(run: Run, tmp_path: Path) -> None:
    agent = Agent(tmp_path / "agent")
    try:
        assert run("machines", "add", "m1", f"127.0.0.1:{agent.port}", "--code", SITE_CODE)[0] == 0
        (tmp_path / "agent" / "agent" / "authorized_consoles").write_text("")
        time.sleep(1.2)
        assert run("status", "m1", "--json")[0] == 3
    finally:
        agent.stop()


def test_a_watched_agent_that_stops_is_late_dies_is_offline_and_returns_within_5_s(
    run: Run, home: Home, tmp_path: Path
) -> None:
    agent = Agent(tmp_path / "agent")
    try:
        assert run("machines", "add", "m1", f"127.0.0.1:{agent.port}", "--code", SITE_CODE)[0] == 0
        words = [sys.executable, "main.py", "--home", str(home.path), "status", "--watch", "0.5", "--json"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as watch:
            assert watch.stdout is not None

            def wait_for(state: str) -> float:
                while json.loads(watch.stdout.readline())["state"] != state:
                    pass
                return time.monotonic()

            wait_for("online")
            agent.send(signal.SIGSTOP)
            wait_for("late")
            agent.send(signal.SIGCONT)
            wait_for("online")
            agent.stop(signal.SIGKILL)
            wait_for("offline")
            agent.start()
            started_s = time.monotonic()
            assert wait_for("online") - started_s <= 5.0
            watch.send_signal(signal.SIGINT)
            watch.communicate(timeout=10)
        assert watch.returncode == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            agent.stop()
