"""The units of systemd: how far they confine, and that the agent does its work within that."""

from __future__ import annotations

import json
import platform
import re
import shutil
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from core.cli.app import main
from core.protocol.pairing import new_site_code

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
COMMANDS = (
    *("os", "ram", "cpu", "ip", "uptime", "ps", "ls /", "python --version"),
    *("ls -l /", "df -h", "uname -a", "hostname", "id", "whoami", "date", "true"),
)
BOUNDS = {"agent": 1.6, "collect": 1.3}
"""Of 10. What is left of the agent's: it serves the network, sees all processes, reads /home, and its commands may be
written in languages that make code while they run."""

needs_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")


def unit(name):
    return ROOT / "resources" / f"beffroi-{name}.service"


def settings(name, key):
    return re.findall(rf"(?m)^{key}=(.*)$", unit(name).read_text())


@needs_analyze
@pytest.mark.parametrize("name", BOUNDS)
def test_the_exposure_stays_below_its_bound(name):
    words = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit(name))]
    told = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told.stdout)
    if found is None:
        pytest.skip(f"this systemd-analyze cannot look at a file: {told.stderr[:200]}")
    assert float(found[1]) <= BOUNDS[name]


@pytest.mark.parametrize("name", BOUNDS)
def test_a_unit_gives_no_rights_and_takes_none_that_the_work_needs(name):
    assert settings(name, "User") == ["beffroi"]
    assert settings(name, "NoNewPrivileges") == ["yes"]
    assert settings(name, "CapabilityBoundingSet") == settings(name, "AmbientCapabilities") == [""]
    assert settings(name, "UMask") == ["0077"]
    if name == "agent":  # these empty its process list, or take the names of users from it
        for key in ("ProtectProc", "ProcSubset", "PrivateUsers", "PrivateNetwork"):
            assert settings(name, key) == []


def calls_of(group):
    """Names of the system calls in a group, those of the groups in it among them."""
    told = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", group],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    found = set()
    for line in told.stdout.splitlines()[1:]:
        word = line.strip()
        if word and not word.startswith("#"):
            found |= calls_of(word) if word.startswith("@") else {word}
    return found


def allowed_numbers(name):
    """Numbers of the system calls that the unit allows on this machine."""
    allowed = calls_of("@default")
    for line in settings(name, "SystemCallFilter"):
        groups = set().union(*map(calls_of, line.removeprefix("~").split()))
        allowed = allowed - groups if line.startswith("~") else allowed | groups
    numbers = dict(re.findall(r"#define __NR_(\w+) (\d+)", NUMBERS.read_text()))
    return sorted(int(numbers[call]) for call in allowed if call in numbers)


@needs_analyze
@pytest.mark.skipif(platform.machine() != "x86_64" or not NUMBERS.exists(), reason="numbers of system calls unknown")
def test_the_agent_and_the_default_commands_work_under_the_filter_of_the_unit(tmp_path, capfd):
    numbers = ",".join(map(str, allowed_numbers("agent")))
    code = new_site_code(date(2099, 1, 1))
    words = [sys.executable, str(ROOT / "tests/agent/confined.py"), numbers, sys.executable, "main.py"]
    words += ["--home", str(tmp_path / "agent"), "agent", "run", "--listen", "127.0.0.1:0", "--site-code", code]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        address = child.stdout.readline().strip().removeprefix("listening on ")
        status = dict(re.findall(r"(?m)^(\w+):\s+(.*)$", Path(f"/proc/{child.pid}/status").read_text()))
        assert (status["Seccomp"], status["NoNewPrivs"], int(status["CapEff"], 16)) == ("2", "1", 0)
        home = str(tmp_path / "console")
        assert main(["--home", home, "machines", "add", "m1", address, "--code", code]) == 0
        wanted = [line for line in COMMANDS if " " in line or shutil.which(line.split()[0]) or line in COMMANDS[:8]]
        for line in wanted:
            capfd.readouterr()
            status = main(["--home", home, "--json", "run", "m1", "--", *line.split()])
            result = json.loads(capfd.readouterr().out)["results"][0]
            if result["exit_status"] == 127:
                continue  # a program that this machine does not have
            assert (status, result["state"]) == (0, "ok"), (line, result)
            assert result["stdout"] or line == "true"
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=10)
    assert child.returncode == 0


def test_the_rule_of_polkit_allows_restarts_alone_and_of_named_services():
    text = (ROOT / "resources/beffroi-agent.rules").read_text()
    assert 'action.id == "org.freedesktop.systemd1.manage-units"' in text
    assert 'subject.user == "beffroi"' in text
    assert 'action.lookup("verb") == "restart"' in text
    assert 'services.indexOf(action.lookup("unit")) >= 0' in text
    assert text.count("polkit.Result") == 1


@needs_analyze
def test_what_commands_and_manage_need_of_the_kernel_is_let_through():
    allowed = calls_of("@system-service") - calls_of("@privileged") - calls_of("@resources")
    wanted = {"pidfd_open", "pidfd_send_signal", "memfd_create", "prctl", "prlimit64", "setsid", "execve", "kill"}
    assert wanted - allowed - calls_of("@default") == set()
    assert not {"mount", "ptrace", "reboot", "setuid", "init_module", "bpf"} & allowed
