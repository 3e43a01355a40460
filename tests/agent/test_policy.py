"""What the policy allows: exactly what it says, each value one argument."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from core.agent.pinned import PinError, open_pinned
from core.agent.policy import Command, Parameter, Policy, policy_line
from core.agent.policy_file import PolicyFile, load_policy
from core.errors import ConfigError
from core.records import Level

POLICY = Policy()


def _decide(line, level=Level.RUN):
    return POLICY.decide(tuple(line.split(" ")), level)


@pytest.mark.parametrize(
    "line",
    [
        *(
            "ls",
            "ls -l",
            "ls -lh /etc /usr",
            "dir",
            "ps",
            "ps -ef",
            "ps -eLf",
            "ps aux",
            "ps -aux",
            "Get-Process",
            "uname",
            "uname -a",
        ),
        *("hostname", "hostname -I", "ip addr", "ip a", "ip route", "ip -br addr show", "ipconfig", "ipconfig /all"),
        *("df -h", "df", "free", "free -m", "uptime", "whoami", "id", "id root", "date", "date -u", "true"),
    ],
)
def test_the_default_policy_allows_what_only_reads(line):
    decision = _decide(line)
    assert decision.is_allowed
    assert decision.argv == tuple(line.split(" "))


@pytest.mark.parametrize(
    "line",
    [
        *("reboot", "rm -rf /", "date -s 2000-01-01", "date 01010000", "hostname evil", "hostname -F /etc/passwd"),
        *("ip link set eth0 down", "ip addr add 1.2.3.4/8 dev eth0", "ip -batch /tmp/x", "ls --help", "ls ../x"),
        *("ipconfig /release", "sudo ls", "/bin/ls", "LS", "ls -l /etc/..", "ps -o pid", "free -s 1", "true x"),
        # with these ps shows the environment of processes
        *("ps axe", "ps -auxe", "ps -ex", "ps -eTH", "ps -e -x", "ps e"),
        *("uptime --since", "id -Zx", "df --output", "ls -l \n", "env", "sh", "cat /etc/passwd"),
    ],
)
def test_the_default_policy_allows_nothing_else(line):
    decision = _decide(line)
    assert not decision.is_allowed
    assert decision.rule


PARAMETERS = {
    "enum": (Parameter(type="enum", values=("cups", "nginx")), ["cups"], ["cup", "", "cups ", "cups\n", "-cups"]),
    "int": (
        Parameter(type="int", minimum=-1, maximum=10),
        ["-1", "0", "10"],
        ["-2", "11", "1.0", "", "1\n", "²", "--1"],
    ),
    "word": (
        Parameter(type="word"),
        ["a", "a-b.c:d@e", "A_1"],
        ["", "-a", "a b", "a\nb", "a'b", 'a"b', "$(a)", "a;b", "`a`", "../a", "a/b", "é" * 2, "a\n"],
    ),
    "host": (
        Parameter(type="host"),
        ["lab", "lab.example.org", "192.0.2.1", "::1", "2001:db8::1"],
        ["", "-x", "a b", "a\n", "a..b", "a_b", "$(x)", "a" * 254, "x;y", ".a"],
    ),
    "pid": (Parameter(type="pid"), ["2", "4194304"], ["0", "1", "-2", "01", "2\n", "x", ""]),
    "flags": (
        Parameter(type="flags", letters="al"),
        ["-a", "-al", "-la"],
        ["-", "-b", "al", "--a", "-a l", "-a\n", ""],
    ),
}


@pytest.mark.parametrize("kind", PARAMETERS)
def test_a_value_must_be_of_its_type(kind):
    parameter, fitting, others = PARAMETERS[kind]
    assert [value for value in fitting if parameter.refusal(value)] == []
    assert [value for value in others if not parameter.refusal(value)] == []


def test_a_path_stays_below_its_roots_whatever_links_say(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to("/etc")
    (root / "a file").write_text("")
    parameter = Parameter(type="path", roots=(str(root),))
    for value in (str(root), f"{root}/a file", f"{root}/new\nline", f"{root}/$(x)"):
        assert parameter.refusal(value) is None
    for value in ("", "root", f"{root}/..", f"{root}/out/passwd", f"{root}x", "-rf", "/", f"{root}/../root/a"):
        assert parameter.refusal(value)


def test_a_command_is_called_by_its_argv_or_by_its_id():
    command = Command(
        id="restart",
        argv=("systemctl", "restart", "--unit={unit}", "{times?}"),
        parameters={"unit": Parameter(type="word"), "times": Parameter(type="int")},
    )
    wanted = ("systemctl", "restart", "--unit=cups")
    assert command.match(("systemctl", "restart", "--unit=cups")) == wanted
    assert command.match(("restart", "cups")) == wanted
    assert command.match(("restart", "cups", "3")) == (*wanted, "3")
    assert "one word too many" in command.match(("restart", "cups", "3", "4"))
    assert "is not a plain word" in command.match(("restart", "-x"))
    assert command.match(("restart",)) is None
    assert command.match(("stop", "cups")) is None


def _write(tmp_path, text, mode=0o600):
    path = tmp_path / "policy.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_administrators_commands_come_before_the_default_ones(tmp_path):
    path = _write(
        tmp_path,
        """
[commands]
true = { argv = ["true"], level = "manage" }
greet = { argv = ["echo", "{who}"], timeout_s = 5, parameters = { who = { type = "enum", values = ["you"] } } }
windows = { argv = ["ver"], os = ["Windows"] }
""",
    )
    policy = load_policy(path, "linux")
    assert policy.decide(("true",), Level.RUN).reason == "level"
    assert policy.decide(("true",), Level.MANAGE).argv == ("true",)
    assert policy.decide(("greet", "you"), Level.RUN).argv == ("echo", "you")
    assert policy.decide(("greet", "you"), Level.RUN).command.timeout_s == 5
    assert policy.decide(("ver",), Level.RUN).reason == "policy"
    assert policy.decide(("uname",), Level.RUN).is_allowed


def test_the_default_commands_can_be_left_out(tmp_path):
    policy = load_policy(_write(tmp_path, "defaults = false\n"), "linux")
    assert policy.decide(("uname",), Level.RUN).reason == "policy"


def test_the_line_a_refusal_names_allows_the_command(tmp_path):
    for words in (("systemctl", "status", 'a "b" \\ c'), ("printf", "tab\tand\nline")):
        path = _write(tmp_path, "[commands]\n" + policy_line(words) + "\n")
        assert load_policy(path, "linux").decide(words, Level.RUN).argv == words
    assert policy_line(("echo", "{x}")) == ""


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_policy_that_others_can_write_is_refused(tmp_path, mode):
    with pytest.raises(ConfigError, match="chmod go-w"):
        load_policy(_write(tmp_path, "", mode), "linux")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
@pytest.mark.parametrize("in_its_place", ["pipe", "folder", "huge", "device", "nowhere"])
def test_what_is_no_policy_allows_nothing_and_is_not_waited_for(tmp_path, in_its_place):
    held = PolicyFile(_write(tmp_path, ""), "linux")
    assert held.read().decide(("true",), Level.RUN).is_allowed
    path = tmp_path / "policy.toml"
    path.unlink()
    if in_its_place == "pipe":
        os.mkfifo(path, 0o600)
    elif in_its_place == "folder":
        path.mkdir()
    elif in_its_place == "huge":
        path.write_text("#\n" * (1 << 20))
    else:
        path.symlink_to({"device": "/dev/zero", "nowhere": tmp_path / "nothing"}[in_its_place])
    assert held.refresh()
    assert not held.policy.decide(("true",), Level.RUN).is_allowed


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[commands", "policy.toml"),
        ("[other]\n", "other"),
        ("[commands]\nx = 3", "command x: it is written as"),
        ('[commands]\nx = { argv = ["ls"], parameters = 3 }', "command x: it is written as"),
        ('[commands]\nx = { argv = ["ls"], timeout_s = "1" }', "timeout_s is 1; 0 to 600"),
        ('[commands]\nx = { argv = ["ls", "{y}"], parameters = { y = 3 } }', "parameter y: type None is not one of"),
        ('[commands]\nx = { argv = ["ls", "{y}"], parameters = { y = { type = "flags" } } }', "letters is a text"),
        ('[commands]\nx = { argv = "ls" }', "x"),
        ("[commands]\nx = { argv = [] }", "x"),
        ('[commands]\nx = { argv = ["ls", "{y}"] }', "y"),
        ('[commands]\nx = { argv = ["{y}"], parameters = { y = { type = "word" } } }', "none for the program"),
        ('[commands]\nx = { argv = ["ls", "{y}"], parameters = { y = { type = "text" } } }', "text"),
        ('[commands]\nx = { argv = ["ls", "{y}"], parameters = { y = { type = "enum" } } }', "values"),
        ('[commands]\nx = { argv = ["ls"], level = "root" }', "root"),
        ('[commands]\nx = { argv = ["ls"], timeout_s = 601 }', "601"),
        ('[commands]\nx = { argv = ["ls"], sha256 = "00" }', "sha256"),
        ('[commands]\nx = { argv = ["ls"], shell = true }', "shell"),
        ("[commands]\nx = 3", "x"),
        ("commands = 3", "commands"),
        ('defaults = "no"', "defaults"),
    ],
)
def test_a_policy_that_means_nothing_is_refused_and_named(tmp_path, text, named):
    with pytest.raises(ConfigError, match=r"policy\.toml") as caught:
        load_policy(_write(tmp_path, text), "linux")
    assert named in str(caught.value)


def test_a_pinned_script_is_opened_only_as_it_was(tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    pin = hashlib.sha256(script.read_bytes()).hexdigest()
    descriptor = open_pinned(str(script), pin)
    script.write_text("#!/bin/sh\nevil\n")
    with os.fdopen(descriptor, "rb") as opened:
        assert opened.read() == b"#!/bin/sh\n"
        with pytest.raises(PermissionError):
            Path(f"/proc/self/fd/{opened.fileno()}").write_bytes(b"evil")
    with pytest.raises(PinError, match="not the one of the policy"):
        open_pinned(str(script), pin)
    with pytest.raises(PinError, match="cannot be read"):
        open_pinned(str(tmp_path / "none"), pin)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PinError, match="no file"):
        open_pinned(str(tmp_path / "pipe"), pin)


def _changed(path, text, mode=0o600):
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    path.chmod(mode)
    os.utime(path, ns=(before + 1_000_000, before + 1_000_000))


def test_a_policy_that_changes_counts_at_once_and_a_bad_one_allows_nothing(tmp_path):
    path = tmp_path / "policy.toml"
    held = PolicyFile(path, "linux")
    held.read()
    assert held.policy.decide(("true",), Level.RUN).is_allowed
    assert not held.refresh()
    _changed(path, "defaults = false\n[commands]\nmark = { argv = ['echo', 'mark'], description = 'says mark' }\n")
    assert held.refresh()
    assert held.policy.decide(("mark",), Level.RUN).command.description == "says mark"
    assert not held.policy.decide(("true",), Level.RUN).is_allowed
    for text, mode, why in (("[commands", 0o600, "Expected"), ("defaults = true\n", 0o666, "other users")):
        _changed(path, text, mode)
        assert held.refresh()
        refused = held.policy.decide(("true",), Level.RAW)
        assert refused.reason == "policy"
        assert why in refused.rule
    path.chmod(0o600)
    assert held.refresh()
    assert held.policy.decide(("true",), Level.RUN).is_allowed


def test_a_policy_that_others_could_replace_is_refused(tmp_path):
    real = tmp_path / "open" / "policy.toml"
    real.parent.mkdir()
    real.write_text("defaults = true\n")
    real.chmod(0o600)
    real.parent.chmod(0o777)
    (tmp_path / "policy.toml").symlink_to(real)
    with pytest.raises(ConfigError, match="can be replaced"):
        load_policy(tmp_path / "policy.toml", "linux")
    real.unlink()
    with pytest.raises(ConfigError, match="leads nowhere"):
        load_policy(tmp_path / "policy.toml", "linux")


def test_a_refused_value_of_a_command_called_by_its_id_names_no_line_that_would_run_nothing():
    command = Command(id="show", argv=("cat", "{path}"), parameters={"path": Parameter(type="path", roots=("/etc",))})
    refused = Policy((command,)).decide(("show", "/root"), Level.RUN)
    assert (refused.reason, refused.policy_line) == ("parameter", "")
    assert Policy((command,)).decide(("cat", "/root"), Level.RUN).policy_line


@pytest.mark.parametrize("line", ["id | wc -l", "df -h / > /tmp/x", "cd /srv && ls", "date; id", "make all 2>&1"])
def test_no_line_is_proposed_for_what_only_a_shell_joins(line: str) -> None:
    refused = Policy(()).decide(tuple(line.split()), Level.RUN)
    assert (refused.reason, refused.policy_line) == ("policy", "")
    assert refused.rule.endswith("which takes level raw and a prefix such as Linux:")
