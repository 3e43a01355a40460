"""Commands on a real agent: what runs, what does not, and what a bad one can do."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time

import pytest
from agent_site import Agent, Console

from core import audit
from core.agent import executor as executor_module
from core.agent.output import HALF_OCTETS
from core.agent.policy import Command, Parameter
from core.protocol import messages
from core.protocol.messages import ExecAccepted, ExecDenied, ExecExit, ExecReference, ExecStart


def _script(name, *argv):
    return Command(id=name, argv=argv)


SHELL = "/bin/sh"
ASLEEP = f"sleep 60.{os.getpid()}"
"""Told apart from what other tests leave asleep at the same time."""

COMMANDS = (
    _script("flood", SHELL, "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo END"),
    _script("endless", SHELL, "-c", "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done"),
    _script("forks", SHELL, "-c", f"for i in 1 2 3 4 5; do ({ASLEEP} & {ASLEEP}) & done; setsid {ASLEEP} & wait"),
    _script("leaves", SHELL, "-c", f"{ASLEEP} & echo done"),
    _script("stubborn", SHELL, "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"),
    _script("bytes", SHELL, "-c", "printf 'a\\377\\376b\\n'; printf 'wrong\\n' >&2; exit 3"),
    _script("reads", "cat"),
    _script("surroundings", "env"),
    _script("where", "pwd"),
    _script("sleeps", "sleep", "30"),
    Command(id="show", argv=("printf", "%s", "{text}"), parameters={"text": Parameter(type="enum", values=("a b",))}),
)


@pytest.fixture
def site(tmp_path, who):
    made = Agent(tmp_path / "agent", who.agent1, COMMANDS)
    made.trust(who.console1)
    return made


def _run(site, who, *words, **options):
    async def talk():
        async with site.running():
            console = await Console.connect(site, who.console1)
            ended = await console.run(*words, **options)
            await console.close()
            return ended, {fd: bytes(data) for fd, data in console.output.items()}

    return asyncio.run(talk())


def test_a_real_program_answers_with_its_output_and_status(site, who):
    ended, output = _run(site, who, "uname", "-s")
    assert (ended.state, ended.exit_status) == ("ok", 0)
    assert output[1] == os.uname().sysname.encode() + b"\n"


def test_stdout_and_stderr_are_kept_apart_and_bytes_are_passed_as_they_are(site, who):
    ended, output = _run(site, who, "bytes")
    assert (ended.state, ended.exit_status) == ("failed", 3)
    assert output == {1: b"a\xff\xfeb\n", 2: b"wrong\n"}


def test_a_command_has_no_stdin_and_nothing_of_the_agents_environment(site, who):
    ended, output = _run(site, who, "reads")
    assert (ended.state, output) == ("ok", {})
    _ended, output = _run(site, who, "surroundings")
    assert sorted(output[1].decode().split()) == ["LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin"]
    _ended, output = _run(site, who, "where")
    assert output[1] == b"/\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("os",), "System"),
        (("ram",), "Available"),
        (("cpu",), "Cores"),
        (("ip",), "Host name"),
        (("uptime",), "up "),
        (("ps",), "PID"),
        (("Get-Process",), "PID"),
        (("Linux:", "os"), "Kernel"),
        (("Linux:os",), "Kernel"),
    ],
)
def test_built_ins_answer(site, who, words, expected):
    ended, output = _run(site, who, *words)
    assert ended.state == "ok"
    assert expected in output[1].decode()


def test_ls_al_lists_hidden_names_with_modes(site, who, tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / ".hidden").write_text("x")
    (folder / "line\nbreak").write_text("x")
    os.symlink(".hidden", folder / "link")
    for words in (("ls", "-al", str(folder)), ("dir", "-al", str(folder)), (f"Linux:ls -al '{folder}'",)):
        ended, output = _run(site, who, *words)
        lines = output[1].decode().splitlines()
        assert ended.state == "ok"
        assert len(lines) == 5
        assert lines[0].startswith("d")
        assert lines[0].endswith(" .")
        assert lines[2].startswith("-rw")
        assert lines[2].endswith(" .hidden")
        assert lines[3].endswith("line\\nbreak")
        assert lines[4].endswith("link -> .hidden")


def test_plain_ls_hides_what_is_hidden_and_says_what_is_not_there(site, who, tmp_path):
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "seen").write_text("x")
    _ended, output = _run(site, who, "ls", str(tmp_path))
    assert b"hidden" not in output[1]
    assert b"seen\n" in output[1]
    ended, output = _run(site, who, "ls", "/no/such folder")
    assert (ended.state, ended.exit_status) == ("failed", 2)
    assert "No such file" in ended.message
    assert b"No such file" in output[2]


def test_python_names_the_first_one_found_on_its_first_line(site, who):
    for words in (("python3", "--version"), ("python",)):
        ended, output = _run(site, who, *words)
        first, *rest = output[1].decode().splitlines()
        assert ended.state == "ok"
        assert first.startswith("Python 3.")
        assert rest


def test_a_form_that_is_no_built_in_runs_for_real(site, who):
    _ended, output = _run(site, who, "ls", "-l", "/etc")
    assert output[1].startswith(b"total")


def test_a_program_that_is_not_there_is_failed_127_with_a_message(site, who):
    ended, output = _run(site, who, "ipconfig")
    assert (ended.state, ended.exit_status) == ("failed", 127)
    assert ended.message == "ipconfig: no such program on this machine"
    assert ended.message in output[2].decode()


@pytest.mark.parametrize(
    ("words", "reason", "rule"),
    [
        (("reboot",), "policy", "no command of the policy is reboot"),
        (("rm", "-rf", "/"), "policy", "rm -rf /"),
        (("ls", "-l", "../.."), "parameter", "'../..' is not an absolute path"),
        (("ls", "-l", "/etc/../root"), "parameter", "holds '..'"),
        (("ls", "-l", "$(reboot)"), "parameter", "'$(reboot)'"),
        (("ls", "-l", "/etc; reboot"), None, None),
        (("ls", "-l\nreboot"), "parameter", "\\nreboot"),
        (("uname", "-a", "--help"), "parameter", "--help"),
        (("id", "-rf x"), "parameter", "-rf x"),
        (("date", "--set=2000-01-01"), "parameter", "--set"),
        (("hostname", "evil"), "parameter", "evil"),
        (("ls", "-l", "/etc\0/root"), "parameter", "NUL"),
        (("",), "parameter", "no command"),
        (("DOS:dir",), "wrong_os", "this machine runs Linux, the command is for Windows"),
        (("powershell:", "Get-Process"), "wrong_os", "for Windows"),
        (("Linux:ls 'open",), "parameter", "cannot be split"),
        (("show", "a c"), "parameter", "is not one of a b"),
    ],
)
def test_what_is_not_allowed_is_denied_with_its_reason(site, who, words, reason, rule):
    denied, _output = _run(site, who, *words)
    if reason is None:
        # A name with a semicolon is a name: one argument, and no such file.
        assert isinstance(denied, ExecExit)
        assert denied.state == "failed"
        return
    assert isinstance(denied, ExecDenied)
    assert denied.reason == reason
    assert rule in denied.rule


def test_a_denial_names_the_line_that_would_allow_it(site, who):
    denied, _output = _run(site, who, "systemctl", "restart", 'a "b"')
    assert denied.policy_line == 'systemctl-restart-a-b = { argv = ["systemctl", "restart", "a \\"b\\""] }'


def test_a_value_with_spaces_stays_one_argument(site, who):
    _ended, output = _run(site, who, "show", "a b")
    assert output[1] == b"a b"


def test_a_flood_keeps_both_ends_and_counts_the_rest(site, who):
    ended, output = _run(site, who, "flood")
    assert ended.state == "ok"
    assert len(output[1]) == 2 * HALF_OCTETS
    assert ended.dropped_bytes == 3_000_004 - 2 * HALF_OCTETS
    assert output[1].endswith(b"xEND\n")
    result = list(audit.read(site.audit_path))[-1]
    assert result["octets"] == 3_000_004
    assert result["sha256"] == hashlib.sha256(b"x" * 3_000_000 + b"END\n").hexdigest()


def test_a_slow_console_gets_no_more_than_its_credit(site, who):
    async def talk():
        async with site.running():
            console = await Console.connect(site, who.console1)
            await console.ask("exec.start", ExecStart(exec_id="f", words=("flood",), timeout_s=20))
            await console.notification("exec.opened")
            with pytest.raises(TimeoutError):
                await console.notification("exec.exit", 1.0)
            before = len(console.output[1])
            console.notify("exec.credit", messages.ExecCredit(exec_id="f", octets=1000))
            with pytest.raises(TimeoutError):
                await console.notification("exec.exit", 0.3)
            await console.close()
            return before, len(console.output[1])

    before, after = asyncio.run(talk())
    assert before == messages.CREDIT
    assert after == before + 1000


def test_an_endless_command_ends_at_its_time_and_so_do_its_children(site, who):
    begin_s = time.monotonic()
    ended, _output = _run(site, who, "endless", timeout_s=0.5)
    assert ended.state == "timeout"
    assert "0.5 s" in ended.message
    assert ended.dropped_bytes > 0
    assert time.monotonic() - begin_s < 4


def _sleeping_children():
    count = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/environ", "rb") as stream:
                    # The environment of a command is known and of nobody else's.
                    environ = stream.read()
                with open(f"/proc/{entry}/cmdline", "rb") as stream:
                    count += ASLEEP.replace(" ", "\0").encode() in stream.read() and environ.startswith(
                        b"PATH=/usr/local/bin:/usr/bin:"
                    )
            except OSError:
                continue
    return count


def test_a_command_that_forks_is_killed_with_all_it_has_made(site, who):
    before = _sleeping_children()
    ended, _output = _run(site, who, "forks", timeout_s=0.6)
    assert ended.state == "timeout"
    assert _sleeping_children() == before


def test_what_a_command_leaves_in_the_background_is_killed_with_it(site, who):
    before = _sleeping_children()
    begin_s = time.monotonic()
    ended, output = _run(site, who, "leaves")
    assert (ended.state, output[1]) == ("ok", b"done\n")
    assert time.monotonic() - begin_s < 3
    assert _sleeping_children() == before


def test_a_command_that_ignores_term_is_killed(site, who, monkeypatch):
    monkeypatch.setattr("core.agent.program.TERM_GRACE_S", 0.3)
    ended, output = _run(site, who, "stubborn", timeout_s=0.5)
    assert ended.state == "timeout"
    assert ended.exit_status == 137
    assert output[1] == b"ready\n"


def test_cancel_ends_a_command_at_once(site, who):
    async def talk():
        async with site.running():
            console = await Console.connect(site, who.console1)
            await console.ask("exec.start", ExecStart(exec_id="s", words=("sleeps",), timeout_s=20))
            begin_s = time.monotonic()
            console.notify("exec.cancel", ExecReference(exec_id="s"))
            ended = messages.decode_as(ExecExit, (await console.notification("exec.exit")).params)
            await console.close()
            return ended, time.monotonic() - begin_s

    ended, duration_s = asyncio.run(talk())
    assert ended.state == "cancelled"
    assert duration_s < 2


def test_four_run_sixteen_wait_and_one_more_is_busy(site, who):
    async def talk():
        async with site.running():
            console = await Console.connect(site, who.console1)
            accepted = []
            for number in range(20):
                start = ExecStart(exec_id=f"s{number}", words=("sleeps",), timeout_s=20)
                accepted.append(await console.ask("exec.start", start, ExecAccepted))
                await asyncio.sleep(0)
            denied = await console.ask("exec.start", ExecStart(exec_id="more", words=("os",), timeout_s=20))
            console.notify("exec.cancel", ExecReference(exec_id="s19"))
            ended = messages.decode_as(ExecExit, (await console.notification("exec.exit")).params)
            running = site.executor._running
            await console.close()
            return accepted, denied, ended, running

    _accepted, denied, ended, running = asyncio.run(talk())
    assert running == executor_module.RUNNING_AT_ONCE
    assert denied.error.code == messages.BUSY
    assert (ended.exec_id, ended.state) == ("s19", "cancelled")


def test_a_broken_link_ends_in_fetched_later_and_nothing_runs_twice(site, who, tmp_path):
    mark = tmp_path / "mark"
    site.commands = (*COMMANDS, Command(id="marks", argv=(SHELL, "-c", f"echo once >> '{mark}'; sleep 0.4; echo told")))

    async def talk():
        async with site.running():
            console = await Console.connect(site, who.console1)
            start = ExecStart(exec_id="m", words=("marks",), timeout_s=20)
            await console.ask("exec.start", start, ExecAccepted)
            await console.close()
            await asyncio.sleep(0.7)
            console = await Console.connect(site, who.console1)
            ended = await console.run("marks", exec_id="m")
            output = bytes(console.output[1])
            again = await console.run("marks", exec_id="m")
            console.notify("exec.acknowledge", ExecReference(exec_id="m"))
            replayed = await console.run("marks", exec_id="m")
            await console.close()
            return ended, output, again, replayed

    ended, output, again, replayed = asyncio.run(talk())
    assert (ended.state, output) == ("ok", b"told\n")
    assert again == ended
    assert replayed.reason == "done"
    assert mark.read_text() == "once\n"


def test_another_console_cannot_touch_a_command(site, who):
    async def talk():
        site.trust(who.console2)
        async with site.running():
            one, other = await Console.connect(site, who.console1), await Console.connect(site, who.console2)
            await one.ask("exec.start", ExecStart(exec_id="s", words=("sleeps",), timeout_s=20), ExecAccepted)
            other.notify("exec.cancel", ExecReference(exec_id="s"))
            other.notify("exec.acknowledge", ExecReference(exec_id="s"))
            await other.ask("subscribe", messages.Subscribe(interval_s=5))
            execution = site.executor.find(who.console1.fingerprint, "s")
            still_runs = execution.exit is None and not execution.is_cancelled
            await one.close()
            await other.close()
            return still_runs

    assert asyncio.run(talk())


def test_every_command_is_written_down_before_it_runs_refusals_too(site, who):
    _run(site, who, "reboot")
    _run(site, who, "uname", "-s", exec_id="e2")
    command, *rest = audit.read(site.audit_path)
    assert (command["decision"], command["argv"], command["operator"]) == ("refused", ["reboot"], "tester")
    assert [(item["event"], item.get("decision"), item.get("state")) for item in rest] == [
        ("command", "allowed", None),
        ("result", None, "ok"),
    ]
    assert rest[0]["console"] == who.console1.fingerprint
    assert audit.verify(site.audit_path).is_whole


def test_what_cannot_be_written_down_is_not_run(site, who):
    site.audit_path.mkdir()
    denied, _output = _run(site, who, "os")
    assert denied.reason == "policy"
    assert "audit log" in denied.rule


def test_stopping_the_agent_kills_what_runs(site, who):
    async def talk():
        async with site.running():
            console = await Console.connect(site, who.console1)
            await console.ask("exec.start", ExecStart(exec_id="s", words=("stubborn",), timeout_s=20), ExecAccepted)
            await console.notification("exec.opened")
            await asyncio.sleep(0.2)
            begin_s = time.monotonic()
        await console.ends()
        await console.close()
        return time.monotonic() - begin_s

    assert asyncio.run(talk()) < 3


def test_a_revoked_console_loses_its_commands_too(site, who):
    from core.agent.consoles import Consoles

    async def talk():
        async with site.running():
            console = await Console.connect(site, who.console1)
            await console.ask("exec.start", ExecStart(exec_id="s", words=("sleeps",), timeout_s=20), ExecAccepted)
            Consoles(site.folder).revoke(who.console1.fingerprint)
            await console.notification("not_trusted")
            execution = site.executor.find(who.console1.fingerprint, "s")
            await asyncio.wait_for(execution.task, 3)
            await console.close()
            return execution.exit

    assert asyncio.run(talk()).state == "cancelled"


def test_results_nobody_fetches_are_bounded(site, who, monkeypatch):
    monkeypatch.setattr(executor_module, "_KEPT_RESULTS", 3)

    async def talk():
        async with site.running():
            console = await Console.connect(site, who.console1)
            for number in range(6):
                await console.run("true", exec_id=f"t{number}")
            site.executor.expire(time.monotonic())
            kept = [site.executor.find(who.console1.fingerprint, f"t{number}") for number in range(6)]
            await console.close()
            return [item is not None for item in kept]

    assert asyncio.run(talk()) == [False] * 3 + [True] * 3


def test_a_command_cancelled_before_its_first_step_gives_its_place_back(site, who):
    class Nobody:
        def send(self, frame):
            pass

        def next_stream(self):
            return 1

    async def talk():
        async with site.running():
            executor = site.executor
            console = site.consoles.find(who.console1.fingerprint)
            for number in range(2 * executor_module.RUNNING_AT_ONCE):
                asked = ExecStart(exec_id=f"c{number}", words=("sleeps",), timeout_s=20.0)
                execution = executor.start(console, asked, 0.0, "127.0.0.1")
                execution.attach(Nobody())
                executor._start_waiting()  # the task is made, and has not begun
                executor.cancel(console.fingerprint, asked.exec_id)
                await asyncio.wait([execution.task], timeout=5.0)
                assert execution.exit is not None
                assert execution.exit.state == "cancelled"
            link = await Console.connect(site, who.console1)
            ended = await link.run("true")
            await link.close()
            return ended

    assert asyncio.run(talk()).state == "ok"


def test_a_relative_path_means_the_same_wherever_the_agent_was_started(site, who, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    ended, output = _run(site, who, "ls", "here")
    assert ended.exit_status == 2
    assert b"here" in output[2]
