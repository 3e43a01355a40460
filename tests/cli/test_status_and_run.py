"""`status`, `processes` and `run` over simulated agents in another process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from core.cli.app import main
from core.cli.run_printing import Progress
from core.errors import StoreFullError
from core.home import Home
from core.records import CommandResult, CommandState, Machine
from core.store.history import History
from core.transport.identity import Identity, ensure_identity

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., tuple[int, str, str]]

STATUS_KEYS = {
    "machine": None, "address": None, "state": None, "error": None,
    "system": {"hostname", "os", "os_version", "kernel", "architecture", "ip_addresses", "uptime_s", "python"},
    "cpu": {"percent", "per_core_percent", "load_average"},
    "memory": {"total_bytes", "used_bytes", "free_bytes", "available_bytes", "percent"},
    "swap": {"total_bytes", "used_bytes"},
    "disks": None,
    "disk_io": {"read_bytes_per_s", "written_bytes_per_s"},
    "network": {"received_bytes_per_s", "sent_bytes_per_s"},
    "process_count": None,
    "top_process": {"name", "pid", "cpu_percent"},
    "time": None,
}  # fmt: skip
RESULT_KEYS = {"machine", "state", "exit_status", "stdout", "stderr", "duration_s", "truncated_bytes", "message"}


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int, Identity]]:
    """A console's folder, the port of agents that know it, and their identity."""
    folder = tmp_path_factory.mktemp("agents")
    console, agent = ensure_identity(folder / "console", "Ada"), ensure_identity(folder / "agent", "simulated")
    words = [sys.executable, "-m", "bench.simulated_agents", str(folder / "agent"), str(console.certificate_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        yield folder / "console", int(child.stdout.readline().rpartition(":")[2]), agent
        child.terminate()


@pytest.fixture
def run(home: Home, agents: tuple[Path, int, Identity], capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line in a home with m1, m2 (group lab) and m3, and gives status, stdout and stderr."""
    folder, port, agent = agents
    home.console_path.mkdir(mode=0o700)
    for name in ("key.pem", "certificate.pem"):
        (home.console_path / name).write_bytes((folder / name).read_bytes())
        (home.console_path / name).chmod(0o600)
    with History.open(home.database_path) as history:
        for name, groups in (("m1", ("lab",)), ("m2", ("lab", "first")), ("m3", ())):
            history.save_machine(
                Machine(
                    name=name,
                    host="127.0.0.1",
                    port=port,
                    groups=groups,
                    fingerprint=agent.fingerprint,
                    certificate_pem=agent.certificate_pem,
                )
            )

    def typed(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            status = main(["--home", str(home.path), *words])
        except SystemExit as ended:
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return typed


def runs_of(home: Home) -> list[Any]:
    with History.open(home.database_path) as history:
        return history.command_runs(9)


def add_offline(home: Home, agent: Identity) -> None:
    with socket.socket() as probe, History.open(home.database_path) as history:
        probe.bind(("127.0.0.1", 0))
        history.save_machine(
            Machine(
                name="off",
                host="127.0.0.1",
                port=probe.getsockname()[1],
                fingerprint=agent.fingerprint,
                certificate_pem=agent.certificate_pem,
            )
        )


def test_status_prints_every_key_and_records_what_it_learned(run: Run, home: Home) -> None:
    status, out, err = run("status", "--json")
    assert (status, err) == (0, "")
    document = json.loads(out)
    assert [entry["machine"] for entry in document] == ["m1", "m2", "m3"]
    for entry in document:
        assert list(entry) == list(STATUS_KEYS)
        for key, inner in STATUS_KEYS.items():
            assert inner is None or set(entry[key]) == inner
        assert entry["state"] == "online"
        assert entry["time"].endswith("Z")
        assert entry["memory"]["total_bytes"] == 16 << 30
    with History.open(home.database_path) as history:
        assert "machine/m1/cpu_percent" in [series.name for series in history.series()]


def test_on_a_full_disk_machines_are_asked_all_the_same_and_it_is_said_once(
    run: Run, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_engine: object, path: Path) -> None:
        raise StoreFullError(f"{path} cannot grow")

    with monkeypatch.context() as full:
        full.setattr("core.store.connection._connection", refused)
        status, out, err = run("status", "--json")
        assert status == 0
        assert [entry["state"] for entry in json.loads(out)] == ["online"] * 3
        assert err == f"beffroi: {home.database_path} cannot grow\n"
        status, _out, err = run("machines", "add", "m4", "127.0.0.1:1", "--code", "ABCDE-FGHJK")
        assert (status, err) == (1, f"beffroi: {home.database_path} cannot grow\n"), "before the code is used up"
        status, out, err = run("machines", "list", "--json")
        assert (status, len(json.loads(out)), err) == (0, 3, "")
    with History.open(home.database_path) as history:
        assert history.series() == []


def test_an_offline_machine_has_all_keys_and_ends_with_1(run: Run, home: Home, agents: Any) -> None:
    add_offline(home, agents[2])
    status, out, _err = run("status", "off", "m1", "--json")
    assert status == 1
    off, online = json.loads(out)
    assert (off["state"], online["state"]) == ("offline", "online")
    assert "nothing listens" in off["error"]
    assert set(off["system"]) == STATUS_KEYS["system"]
    assert off["system"]["hostname"] is None
    assert off["time"] is None


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        (["m2"], ["m2"]),
        (["@lab"], ["m1", "m2"]),
        (["m[23]"], ["m2", "m3"]),
        (["all"], ["m1", "m2", "m3"]),
        (["m3", "m*"], ["m3", "m1", "m2"]),
        (["M1"], ["m1"]),
    ],
)
def test_targets_are_names_patterns_groups_or_all(run: Run, targets: list[str], names: list[str]) -> None:
    status, out, _err = run("status", *targets, "--json")
    assert status == 0
    assert [entry["machine"] for entry in json.loads(out)] == names


@pytest.mark.parametrize("words", [["status", "nobody"], ["run", "@none", "--", "os"], ["processes", "@lab"]])
def test_a_target_that_means_nothing_is_bad_usage(run: Run, words: list[str]) -> None:
    status, out, err = run(*words)
    assert status == 2
    assert out == ""
    assert "m1" in err or "@lab" in err or "means 2 machines" in err


def test_without_machines_it_says_what_to_do_next(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(home.path), "status", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == []
    assert "beffroi machines add" in printed.err
    assert main(["--home", str(home.path), "--json", "run", "all", "--", "os"]) == 2


def test_status_for_people_is_a_table(run: Run) -> None:
    status, out, _err = run("status")
    assert status == 0
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["machine", "state"]
    assert [line.split()[0] for line in lines[1:]] == ["m1", "m2", "m3"]


def test_processes_are_sorted_and_limited(run: Run) -> None:
    status, out, _err = run("processes", "m1", "--sort", "cpu", "--limit", "1", "--json")
    assert status == 0
    assert json.loads(out) == [
        {
            "pid": 2, "parent_pid": 0, "name": "init [2J", "user": "root", "cpu_percent": 1.0, "memory_bytes": 2 << 20,
            "status": "sleeping", "started": "2023-11-14T22:13:20.000Z", "command_line": "/sbin/init splash",
        }
    ]  # fmt: skip
    status, out, _err = run("processes", "m1", "--sort", "pid")
    assert [line.split()[0] for line in out.splitlines()] == ["PID", "1", "2"]


def test_processes_of_an_offline_machine_are_an_empty_list_and_1(run: Run, home: Home, agents: Any) -> None:
    add_offline(home, agents[2])
    status, out, err = run("processes", "off", "--json")
    assert (status, json.loads(out)) == (1, [])
    assert "nothing listens" in err


def test_run_gives_a_result_for_every_target_and_keeps_it(run: Run, home: Home, agents: Any) -> None:
    add_offline(home, agents[2])
    status, out, _err = run("run", "all", "--json", "--timeout", "7", "--", "echo", "a b", "--json")
    assert status == 1
    document = json.loads(out)
    assert list(document) == ["id", "command", "results"]
    assert document["command"] == 'echo "a b" --json'
    assert [(result["machine"], result["state"]) for result in document["results"]] == [
        ("m1", "ok"), ("m2", "ok"), ("m3", "ok"), ("off", "offline"),
    ]  # fmt: skip
    assert all(set(result) == RESULT_KEYS for result in document["results"])
    assert document["results"][0]["stdout"] == "a b --json\n"
    with History.open(home.database_path) as history:
        kept = history.command_runs()[0]
        assert (kept.id, kept.line) == (document["id"], document["command"])
        assert len(history.command_results(kept.id)) == 4
    with contextlib.closing(sqlite3.connect(home.database_path)) as database:
        assert database.execute("SELECT is_ended FROM commands").fetchall() == [(1,)]


def test_a_refused_command_ends_with_3_and_names_the_line_to_add(run: Run) -> None:
    status, _out, err = run("run", "m1", "--", "reboot")
    assert status == 3
    assert "policy.toml" in err
    status, out, _err = run("run", "@lab", "--json", "--", "reboot")
    assert status == 3
    assert {result["state"] for result in json.loads(out)["results"]} == {"not_allowed"}


def test_when_failures_differ_the_exit_status_is_1(run: Run, home: Home, agents: Any) -> None:
    add_offline(home, agents[2])
    assert run("run", "m1", "off", "--json", "--", "reboot")[0] == 1


def test_one_machine_prints_its_output_as_it_is(run: Run) -> None:
    assert run("run", "m1", "--", "echo", "hello")[:2] == (0, "hello\n")
    assert run("run", "m1", "--timeout", "5", "--", "Linux:echo", "hello")[:2] == (0, "hello\n")
    assert run("run", "m1", "--", "Linux:echo 'a  b'")[:2] == (0, "a  b\n")


def test_gathered_answers_are_folded(run: Run) -> None:
    status, out, _err = run("run", "all", "--gather", "--", "echo", "hello")
    assert status == 0
    assert out.splitlines()[0].startswith("--- m[1-3] (3 machines): done")
    assert out.splitlines()[1:] == ["hello", "=== 3 done"]


@pytest.mark.parametrize(
    "words",
    [
        ["run", "m1", "ls"],
        ["run", "--", "ls"],
        ["run", "m1", "--"],
        ["run", "m1", "--timeout", "0", "--", "ls"],
        ["run", "m1", "--timeout", "nan", "--", "ls"],
        ["run", "m1", "--timeout", "601", "--", "ls"],
        ["run", "m1", "--unknown", "--", "ls"],
        ["run", "m1", "--", ""],
        ["run", "m1", "--", "Linux:"],
        ["run", "m1", "--", "x" * 5000],
        ["status", "--watch", "0"],
        ["processes"],
    ],
)
def test_words_that_mean_nothing_end_with_2(run: Run, words: list[str]) -> None:
    status, _out, err = run(*words)
    assert status == 2
    assert "Traceback" not in err


def test_watch_prints_an_object_a_line_and_ends_with_0_on_a_signal(run: Run, home: Home) -> None:
    words = [sys.executable, "main.py", "--home", str(home.path), "status", "m1", "--watch", "0.2", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        entries = [json.loads(child.stdout.readline()) for _line in range(4)]
        child.send_signal(signal.SIGTERM)
        _rest, err = child.communicate(timeout=10)
    assert (child.returncode, err) == (0, "")
    assert {entry["machine"] for entry in entries} == {"m1"}
    assert entries[-1]["state"] == "online"


def test_an_interrupted_run_is_cancelled_everywhere(run: Run, home: Home) -> None:
    words = [sys.executable, "main.py", "--home", str(home.path), "run", "m1", "--json", "--", "hang", "x"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        audit = home.console_path / "audit.log"
        while child.poll() is None and not (audit.exists() and b"command" in audit.read_bytes()):
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGINT)
        out, _err = child.communicate(timeout=15)
    assert child.returncode == 1
    assert json.loads(out)["results"][0]["state"] == "cancelled"


def test_a_word_that_is_no_utf_8_is_bad_usage_and_leaves_no_traceback(run: Run) -> None:
    status, out, err = run("run", "m1", "--json", "--", "ls", "/\udcff")
    assert (status, out) == (2, "")
    assert "UTF-8" in err
    assert "Traceback" not in err


def test_folded_names_and_what_is_taken_away(run: Run) -> None:
    status, out, err = run("status", "m[1-3]", "!@first", "--json")
    assert (status, [entry["machine"] for entry in json.loads(out)], err) == (0, ["m1", "m3"], "")
    _status, out, err = run("status", "m[2-5]", "--json")
    assert [entry["machine"] for entry in json.loads(out)] == ["m2", "m3"]
    assert err == "beffroi: no machine is called m[4-5]\n"
    status, _out, err = run("status", "mm1")
    assert (status, "near: m1" in err) == (2, True)


def test_a_saved_filter_and_a_state_choose_machines(run: Run, home: Home, agents: tuple[Path, int, Identity]) -> None:
    add_offline(home, agents[2])
    home.config_path.write_text('[[filter]]\nname = "two"\ntargets = ["m[1-3]", "!m2"]\n')
    status, out, _err = run("run", "filter:two", "--json", "--", "echo", "hi")
    assert (status, [entry["machine"] for entry in json.loads(out)["results"]]) == (0, ["m1", "m3"])
    status, out, _err = run("run", "all", "!state:offline", "--json", "--", "echo", "hi")
    assert (status, [entry["machine"] for entry in json.loads(out)["results"]]) == (0, ["m1", "m2", "m3"])
    status, out, _err = run("status", "state:offline", "--json")
    assert (status, [entry["machine"] for entry in json.loads(out)]) == (1, ["off"])


def test_a_system_that_is_not_known_is_asked_for_and_kept(
    run: Run, home: Home, agents: tuple[Path, int, Identity]
) -> None:
    add_offline(home, agents[2])
    status, out, err = run("run", "os:linux", "--json", "--", "true")
    assert [result["machine"] for result in json.loads(out)["results"]] == ["m1", "m2", "m3"]
    assert status == 0
    assert "os: leaves out off: what runs there is not known yet" in err
    with History.open(home.database_path) as history:
        assert {machine.name: machine.os for machine in history.machines()} == {
            "m1": "linux", "m2": "linux", "m3": "linux", "off": "",
        }  # fmt: skip
    status, _out, err = run("run", "os:win", "--", "true")
    assert (status, "what off run is not known" in err) == (2, True)


def test_a_window_lets_machines_through_one_by_one(run: Run) -> None:
    status, out, _err = run("run", "all", "--window", "1", "--json", "--", "echo", "hi")
    assert (status, [entry["state"] for entry in json.loads(out)["results"]]) == (0, ["ok"] * 3)
    assert run("run", "all", "--window", "0", "--", "echo", "hi")[0] == 2


def test_a_run_is_done_again_where_it_did_not_succeed(run: Run, home: Home, agents: tuple[Path, int, Identity]) -> None:
    add_offline(home, agents[2])
    _status, out, _err = run("run", "all", "--json", "--", "echo", "hi")
    first = json.loads(out)["id"]
    _status, out, _err = run("run", "--failed-of", first, "--json", "--", "echo", "hi")
    assert [entry["machine"] for entry in json.loads(out)["results"]] == ["off"]
    _status, out, _err = run("run", "--failed-of", "last", "--json", "--", "echo", "hi")
    assert [entry["machine"] for entry in json.loads(out)["results"]] == ["off"]
    assert "not among these" in run("run", "m1", "--failed-of", first, "--", "echo", "hi")[2]
    assert "no run 0123" in run("run", "--failed-of", "0123", "--", "echo", "hi")[2]
    assert "no run ''" in run("run", "all", "--failed-of", "", "--", "echo", "hi")[2]  # a variable that a script lacks
    assert run("run", "--", "echo", "hi")[0] == 2


def test_a_run_that_was_killed_is_told_as_unknown_by_the_next_one(run: Run, home: Home) -> None:
    words = [sys.executable, "main.py", "--home", str(home.path), "run", "m1", "m2", "--", "hang"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        audit = home.console_path / "audit.log"
        deadline_s = time.monotonic() + 20
        while not (audit.exists() and audit.read_text().count("hang") == 2):
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        child.kill()
    status, _out, err = run("run", "m3", "--", "echo", "hi")
    assert status == 0
    assert "“hang”" in err
    assert "2 machines is not known yet" in err
    with History.open(home.database_path) as history:
        runs = {summary.line: summary for summary in history.command_runs()}
        assert runs["hang"].counts == {"unknown": 2}
        results = history.command_results(runs["hang"].id)
    assert all("whether it was sent" in (result.message or "") for result in results)
    assert "not known yet" not in run("run", "m3", "--", "echo", "hi")[2], "it is told once"


def test_a_run_killed_before_it_sent_anything_is_told_too(run: Run, home: Home, agents: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes links and says nothing: `run` waits for it
        with History.open(home.database_path) as history:
            machine = history.machines()[0]
            history.save_machine(replace(machine, name="silent", port=silent.getsockname()[1]))
        words = [sys.executable, "main.py", "--home", str(home.path), "run", "silent", "m1", "--", "echo", "hi"]
        with subprocess.Popen(words, cwd=ROOT) as child:
            deadline_s = time.monotonic() + 20
            while not list(home.console_path.glob("running/*.jsonl")) or not runs_of(home):
                assert time.monotonic() < deadline_s
                time.sleep(0.05)
            child.kill()
    assert run("run", "m1", "--", "echo", "again")[0] == 0
    with History.open(home.database_path) as history:
        (killed,) = (one for one in history.command_runs(9) if "hi" in one.line)
        results = history.command_results(killed.id)
    assert {result.machine: result.state.value for result in results} == {"silent": "cancelled", "m1": "cancelled"}
    assert results[0].message == "never sent: the console was ended before"


def test_results_that_the_history_did_not_take_are_in_it_after_the_next_run(
    run: Run, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_history: History, _records: object) -> int:
        raise StoreFullError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(History, "write", full)
        status, out, err = run("run", "all", "--json", "--", "echo", "hi")
        assert (status, err) == (0, "beffroi: the disk is full\n")
        assert run("run", "m1", "--", "echo", "again")[0] == 0  # what was left is left for a better day
    first = json.loads(out)["id"]
    assert run("run", "m2", "--", "echo", "later")[0] == 0
    with History.open(home.database_path) as history:
        results = {result.machine: result for result in history.command_results(first)}
        assert {name: result.state.value for name, result in results.items()} == dict.fromkeys(("m1", "m2", "m3"), "ok")
        assert "what the audit log says" in (results["m1"].message or "")
        assert len(history.command_runs(9)) == 3
    assert not list((home.console_path / "running").iterdir())


def test_nothing_is_sent_that_cannot_be_written_down(run: Run, home: Home) -> None:
    (home.console_path / "running").write_text("no folder")
    status, out, _err = run("run", "m1", "--json", "--", "echo", "hi")
    result = json.loads(out)["results"][0]
    assert (status, result["state"], result["stdout"]) == (1, "failed", "")
    assert result["message"].startswith("not sent, since it must be written down first:")
    assert not (home.console_path / "audit.log").exists()


def test_progress_is_one_line_that_leaves_nothing_behind() -> None:
    clock = iter([0.0, 0.01, 0.5, 0.6])
    stream = StringIO()
    progress = Progress(4, stream, lambda: next(clock))
    ok, failed = (
        CommandResult(machine="m", state=CommandState.OK),
        CommandResult(machine="m", state=CommandState.FAILED),
    )
    for result in (ok, ok, failed, ok):
        progress.take(result)
    progress.clear()
    shown = stream.getvalue().split("\r\x1b[K")
    assert shown == ["", "1 of 4", "3 of 4 · 1 failed", "4 of 4 · 1 failed", ""]
