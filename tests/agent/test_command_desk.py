"""What consoles ask of the desk of commands beyond running them: fetched results, what is allowed, raw words."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import subprocess
import sys
import threading
import time

import pytest
from agent_site import Agent, Console

from core import audit
from core.access_records import AllowedParameter
from core.agent import builtins, manage, past_commands
from core.agent import executor as executor_module
from core.agent.policy import Command, Parameter
from core.protocol import messages
from core.protocol.messages import ExecAccepted, ExecDenied, ExecExit, ExecReference, ExecStart
from core.protocol.policy_messages import PolicyPage
from core.records import Level

SLEEPS = Command(id="sleeps", argv=("sleep", "30"))


@pytest.fixture
def site(tmp_path, who):
    made = Agent(tmp_path / "agent", who.agent1, (SLEEPS,))
    made.trust(who.console1)
    return made


def _talk(site, who, talk, level=None):
    """What `talk` returns with a console on the running agent, whose level is `level`."""
    if level is not None:
        site.max_level = Level.RAW
        site.trust(who.console1, level=level)

    async def whole():
        async with site.running():
            console = await Console.connect(site, who.console1)
            told = await talk(console)
            await console.close()
            return told

    return asyncio.run(whole())


def _ran(site, who, level, *words, shell=None, line=""):
    """How one command ends, and its stdout."""

    async def talk(console):
        start = ExecStart(exec_id="e1", words=words, timeout_s=10, operator="tester", shell=shell, line=line)
        answer = await console.ask("exec.start", start)
        if answer.error is not None:
            return messages.decode_as(ExecDenied, answer.error.data), ""
        ended = messages.decode_as(ExecExit, (await console.notification("exec.exit", 10)).params)
        return ended, bytes(console.output.get(1, b"")).decode()

    return _talk(site, who, talk, level)


async def _fetched(console, exec_id):
    answer = await console.ask("exec.fetch", ExecReference(exec_id=exec_id))
    if answer.error is None:
        return messages.decode_as(ExecAccepted, answer.result)
    assert answer.error.code == messages.DENIED
    return messages.decode_as(ExecDenied, answer.error.data)


# exec.fetch


def test_a_console_started_anew_fetches_what_it_had_sent(site, who):
    async def talk(console):
        await console.ask("exec.start", ExecStart(exec_id="e1", words=("uname", "-s"), timeout_s=5), ExecAccepted)
        await console.close()
        await asyncio.sleep(0.3)
        again = await Console.connect(site, who.console1)
        accepted = await _fetched(again, "e1")
        ended = messages.decode_as(ExecExit, (await again.notification("exec.exit")).params)
        again.notify("exec.acknowledge", ExecReference(exec_id="e1"))
        after = await _fetched(again, "e1")
        await again.close()
        return accepted, ended, bytes(again.output[1]), after

    accepted, ended, output, after = _talk(site, who, talk)
    assert accepted == ExecAccepted(exec_id="e1", is_queued=False)
    assert (ended.state, output) == ("ok", os.uname().sysname.encode() + b"\n")
    assert after.reason == "done"


def test_what_is_told_as_unknown_never_runs_however_late_it_comes(site, who):
    async def talk(console):
        unknown = await _fetched(console, "late")
        denied = await console.run("true", exec_id="late")
        return unknown, denied, await _fetched(console, "late")

    unknown, denied, again = _talk(site, who, talk)
    assert unknown.reason == denied.reason == again.reason == "unknown"
    assert "never run" in unknown.rule
    assert not list(audit.read(site.audit_path))


def test_a_refused_command_is_unknown_and_one_of_another_console_too(site, who):
    site.trust(who.console2)

    async def talk(console):
        await console.run("reboot", exec_id="r")
        await console.run("true", exec_id="t")
        other = await Console.connect(site, who.console2)
        told = (await _fetched(console, "r")).reason, (await _fetched(other, "t")).reason
        await other.close()
        return told

    assert _talk(site, who, talk) == ("unknown", "unknown")


def test_an_agent_started_anew_says_what_its_log_knows_and_never_that_nothing_ran(site, who):
    async def begin(console):
        await console.run("true", exec_id="ended")
        await console.ask("exec.start", ExecStart(exec_id="cut", words=("sleeps",), timeout_s=5), ExecAccepted)

    _talk(site, who, begin)
    lines = site.audit_path.read_bytes().splitlines(keepends=True)
    # As an agent leaves it that was killed in mid-command: the last line, the result, is not there.
    site.audit_path.write_bytes(b"".join(lines[:-1]))

    async def ask(console):
        return [await _fetched(console, exec_id) for exec_id in ("ended", "cut", "never")]

    ended, cut, never = _talk(site, who, ask)
    assert (ended.reason, cut.reason, never.reason) == ("done", "lost", "unknown")
    assert "it ended ok with status 0" in ended.rule


def test_no_console_pushes_out_what_is_remembered_for_another(monkeypatch):
    monkeypatch.setattr(past_commands, "_IDS_REMEMBERED", 3)
    settled = past_commands.Settled()
    settled.put(("one", "first"), ExecDenied(reason="done"))
    for number in range(10):
        settled.put(("other", str(number)), ExecDenied(reason="unknown"))
    assert settled.get(("one", "first")).reason == "done"
    assert settled.get(("other", "6")) is None
    assert settled.get(("other", "7")).reason == "unknown"


def test_ids_of_consoles_without_end_cost_no_memory(monkeypatch):
    monkeypatch.setattr(past_commands, "_IDS_IN_ALL", 10)
    settled = past_commands.Settled()
    settled.put(("one", "first"), ExecDenied(reason="done"))
    for number in range(100):
        settled.put((f"console{number % 3}", str(number)), ExecDenied(reason="unknown"))
        settled.put((f"console{number % 3}", str(number)), ExecDenied(reason="unknown"))
    assert sum(len(known) for known in settled._of_consoles.values()) == 10
    assert settled.get(("one", "first")).reason == "done"


def test_fetching_needs_the_level_of_running(site, who):
    async def talk(console):
        return await console.ask("exec.fetch", {"nonsense": 1}), await console.ask("policy", {})

    for answer in _talk(site, who, talk, Level.VIEW):
        assert answer.error.code == messages.DENIED
        assert "level run" in answer.error.message


def test_a_console_whose_level_falls_loses_what_runs(site, who):
    async def talk(console):
        await console.ask("exec.start", ExecStart(exec_id="s", words=("sleeps",), timeout_s=20), ExecAccepted)
        site.trust(who.console1, level=Level.VIEW)
        await console.ends()
        execution = site.executor.find(who.console1.fingerprint, "s")
        await asyncio.wait_for(execution.task, 3)
        return execution.exit

    assert _talk(site, who, talk).state == "cancelled"


# policy


def test_the_policy_is_told_in_pages_as_far_as_the_level_goes(site, who):
    parameters = {
        "unit": Parameter(type="enum", values=("cups", "nginx")),
        "count": Parameter(type="int", minimum=1, maximum=9),
    }
    restart = Command(
        id="restart", argv=("svc", "{unit*}", "-n{count?}"), parameters=parameters, level=Level.MANAGE,
        description="restart services", timeout_s=60, sha256="0" * 64,
    )  # fmt: skip
    many = tuple(Command(id=f"c{number}", argv=("echo", "x" * 200, str(number))) for number in range(300))
    site.commands = (restart, Command(id="elsewhere", argv=("x",), os=("windows",)), *many)

    async def talk(console):
        console.send_request("policy", {})
        pages = []
        while not pages or not pages[-1].is_last:
            pages.append(messages.decode_as(PolicyPage, (await console.message()).result))
        return pages

    pages = _talk(site, who, talk, Level.MANAGE)
    assert len(pages) > 2
    assert {(page.level, page.os, page.problem) for page in pages} == {(Level.MANAGE, "linux", "")}
    told = {command.id: command for page in pages for command in page.commands}
    assert list(told)[:2] == ["restart", "c0"]
    assert "elsewhere" not in told
    assert told["ls"].is_default
    shown = told["restart"]
    assert (shown.description, shown.timeout_s, shown.is_pinned, shown.is_default) == (
        "restart services", 60, True, False,
    )  # fmt: skip
    assert shown.parameters == (
        AllowedParameter(name="unit", type="enum", values=("cups", "nginx"), is_optional=True, is_repeated=True),
        AllowedParameter(name="count", type="int", minimum=1, maximum=9, is_optional=True),
    )
    site.folder.joinpath("audit.log").unlink(missing_ok=True)
    assert "restart" not in {command.id for page in _talk(site, who, talk, Level.RUN) for command in page.commands}


def _write(path, text):
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    path.chmod(0o600)
    os.utime(path, ns=(before + 1_000_000, before + 1_000_000))


def test_a_policy_that_changes_while_the_agent_runs_counts_for_what_waits_too(site, who, monkeypatch):
    monkeypatch.setattr(executor_module, "RUNNING_AT_ONCE", 1)
    path = site.folder / "policy.toml"
    _write(path, '[commands]\nsleeps = { argv = ["sleep", "30"] }\nmark = { argv = ["echo", "mark"] }\n')

    async def talk(console):
        before = await console.run("mark", exec_id="m1")
        for exec_id, words in (("s", ("sleeps",)), ("m2", ("mark",))):
            await console.ask("exec.start", ExecStart(exec_id=exec_id, words=words, timeout_s=20), ExecAccepted)
        path.write_text("nonsense")
        refused = await console.run("true", exec_id="t")
        page = await console.ask("policy", {}, PolicyPage)
        console.notify("exec.cancel", ExecReference(exec_id="s"))
        ended = {}
        while len(ended) < 2:
            told = messages.decode_as(ExecExit, (await console.notification("exec.exit")).params)
            ended[told.exec_id] = told
        built_in = await console.run("os", exec_id="o")
        return before, refused, page, ended, built_in

    before, refused, page, ended, built_in = _talk(site, who, talk)
    assert before.state == "ok"
    assert refused.reason == "policy"
    assert "only built-ins are answered until it is mended" in refused.rule
    assert page.commands == ()
    assert str(path) in page.problem
    assert (ended["s"].state, ended["m2"].state, ended["m2"].exit_status) == ("cancelled", "failed", 126)
    assert "no longer allowed" in ended["m2"].message
    assert built_in.state == "ok"
    decisions = [entry.get("decision") for entry in audit.read(site.audit_path) if entry.get("exec_id") == "m2"]
    assert decisions == ["allowed", "refused", None]


# raw


def test_at_raw_words_run_as_they_are_and_no_shell_sees_them(site, who):
    ended, output = _ran(site, who, Level.RAW, "echo", "$HOME;", "`id`", "a  b")
    assert (ended.state, output) == ("ok", "$HOME; `id` a  b\n")
    command = next(audit.read(site.audit_path))
    assert (command["rule"], command["argv"]) == ("raw", ["echo", "$HOME;", "`id`", "a  b"])


@pytest.mark.parametrize(
    ("words", "line", "expected"),
    [
        (("echo", "one", "|", "tr", "a-z", "A-Z"), "echo one | tr a-z A-Z", "ONE\n"),
        (("ls", "/dev/nul?"), "ls /dev/nul?", "/dev/null\n"),
        (("for", "i", "in", "1", "2"), "for i in 1 2\ndo\n  echo $i\ndone", "1\n2\n"),
        (("printf", "%s", "a  b"), "printf %s 'a  b'", "a  b"),
    ],
)
def test_at_raw_a_prefix_picks_a_shell_that_gets_the_line_as_typed(site, who, words, line, expected):
    ended, output = _ran(site, who, Level.RAW, *words, shell="linux", line=line)
    assert (ended.state, output) == ("ok", expected)
    assert next(audit.read(site.audit_path))["argv"] == ["/bin/sh", "-c", line]


def test_a_prefix_within_the_words_means_the_same(site, who):
    assert _ran(site, who, Level.RAW, "Linux:echo one | tr a-z A-Z")[1] == "ONE\n"
    assert _ran(site, who, Level.RAW, "linux:", "printf", "%s", "a  b")[1] == "a  b"
    assert "System" in _ran(site, who, Level.RAW, "Linux:os")[1]


def test_below_raw_a_prefix_chooses_no_shell_and_nothing_else_runs(site, who):
    for level in (Level.RUN, Level.MANAGE):
        denied, _output = _ran(site, who, level, "id", ";", "reboot", shell="linux", line="id; reboot")
        assert isinstance(denied, ExecDenied)
    denied, _output = _ran(site, who, Level.RAW, "dir", shell="dos", line="dir")
    assert denied.reason == "wrong_os"


def test_raw_counts_only_as_far_as_the_administrator_lets_it(site, who):
    site.trust(who.console1, level=Level.RAW)
    site.max_level = Level.MANAGE

    async def talk(console):
        return console.hello.level, await console.run("reboot")

    level, denied = _talk(site, who, talk)
    assert level is Level.MANAGE
    assert denied.reason == "policy"


# manage


@pytest.fixture
def sleeper():
    started = subprocess.Popen(["sleep", "60"])
    yield started
    started.kill()
    started.wait()


def _started(pid):
    import psutil

    return f"{psutil.Process(pid).create_time():.2f}"


def test_a_process_is_ended_and_the_answer_says_which(site, who, sleeper):
    ended, output = _ran(site, who, Level.MANAGE, "process-end", str(sleeper.pid), _started(sleeper.pid))
    assert (ended.state, output) == ("ok", f"ended {sleeper.pid} sleep\n")
    assert sleeper.wait(5) == -15


def test_a_process_that_ignores_term_is_told_and_killed_by_the_other_word(site, who, monkeypatch):
    monkeypatch.setattr(manage, "ENDS_WITHIN_S", 0.4)
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    stubborn = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    try:
        stubborn.stdout.readline()
        words = str(stubborn.pid), _started(stubborn.pid)
        ended, _output = _ran(site, who, Level.MANAGE, "process-end", *words)
        assert ended.state == "failed"
        assert "is still there after 0.4 s; process-kill" in ended.message
        ended, output = _ran(site, who, Level.MANAGE, "process-kill", *words)
        assert ended.state == "ok"
        assert output.startswith(f"killed {stubborn.pid} ")
        assert stubborn.wait(5) == -9
    finally:
        stubborn.kill()
        stubborn.communicate()


def test_what_must_not_be_ended_is_not(site, who, sleeper):
    cases = {
        (str(sleeper.pid), f"{time.time() - 86400:.2f}"): "is another one now: sleep, begun at",
        ("1", _started(1)): "the first process of this machine",
        (str(os.getpid()), _started(os.getpid())): "the agent, or what it runs under",
        (str(os.getppid()), _started(os.getppid())): "is never ended",
        ("2147483646", "1.0"): "there is no process 2147483646",
        ("9999999999", "1.0"): "there is no process 9999999999",
    }
    for words, why in cases.items():
        ended, _output = _ran(site, who, Level.MANAGE, "process-kill", *words)
        assert (ended.state, ended.exit_status) == ("failed", 1)
        assert why in ended.message
    assert sleeper.poll() is None


def test_a_file_system_that_hangs_keeps_few_threads_and_the_agent_answers(site, who, monkeypatch):
    hung = threading.Event()
    monkeypatch.setattr(builtins, "_MOST_THREADS", 2)
    monkeypatch.setattr(builtins, "_listing", lambda path, is_long: hung.wait(20))

    async def talk(console):
        timeouts = [await console.run("ls", "/hung", exec_id=f"h{number}", timeout_s=0.05) for number in range(2)]
        refused = await console.run("ls", "/hung", exec_id="h2", timeout_s=5.0)
        answered = await console.run("os", exec_id="h3")
        hung.set()
        async with asyncio.timeout(5):
            while builtins._threads:  # noqa: ASYNC110 -- threads tell the loop, and nobody else
                await asyncio.sleep(0.01)
        return [ended.state for ended in (*timeouts, refused, answered)], refused.message

    states, message = _talk(site, who, talk)
    assert states == ["timeout", "timeout", "failed", "ok"]
    assert "does not answer" in message


def test_managing_needs_its_level_and_its_grammar(site, who, sleeper):
    denied, _output = _ran(site, who, Level.RUN, "process-end", str(sleeper.pid), _started(sleeper.pid))
    assert denied.reason == "level"
    assert "process-end needs level manage, this console has run; level=manage in authorized_consoles" in denied.rule
    for line in (
        "process-end -1 0", "process-kill 1", "service-restart --now", "service-restart a b", "service-restart ../x",
        "service-restart x;reboot",
    ):  # fmt: skip
        words = line.split(" ")
        for level in (Level.MANAGE, Level.RAW):
            denied, _output = _ran(site, who, level, *words)
            assert denied.reason == "parameter"
            assert words[0] in denied.rule
    assert sleeper.poll() is None


SYSTEMCTL = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
for unit; do :; done
case "$1$2" in
*show)
  case $unit in
    cups.service) echo "LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
MainPID=4242" ;;
    *poweroff.service) echo "LoadState=loaded
ActiveState=inactive
UnitFileState=static" ;;
    broken.service) echo "LoadState=loaded
ActiveState=failed" ;;
    *) echo LoadState=not-found ;;
  esac ;;
*) [ "$unit" != broken.service ] || { echo "Job failed." >&2; exit 1; } ;;
esac
"""


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    script = tmp_path / "systemctl"
    script.write_text(SYSTEMCTL)
    script.chmod(0o755)
    monkeypatch.setattr(manage, "_SYSTEMD", str(tmp_path))
    monkeypatch.setattr(manage, "find_program", lambda name: str(tmp_path / name))
    return tmp_path / "calls"


def test_a_service_is_restarted_and_the_answer_says_how_it_is_now(site, who, systemctl):
    for name in ("cups", "cups.service"):
        ended, output = _ran(site, who, Level.MANAGE, "service-restart", name)
        assert (ended.state, output) == ("ok", "restarted cups.service: active (running), process 4242\n")
    assert "--no-ask-password --no-pager restart -- cups.service" in systemctl.read_text()


def test_a_service_that_is_none_or_would_do_harm_is_not_restarted(site, who, systemctl, monkeypatch):
    cases = {
        "nothing": "there is no service nothing.service on this machine",
        "reboot.target": "reboot.target is no service",
        "systemd-poweroff": "does not run and does not start by itself",
        "broken": "broken.service was not restarted: Job failed.",
    }
    for name, why in cases.items():
        ended, _output = _ran(site, who, Level.MANAGE, "service-restart", name)
        assert ended.state == "failed"
        assert why in ended.message
    monkeypatch.setattr(manage, "_own_unit", lambda: "cups.service")
    ended, _output = _ran(site, who, Level.MANAGE, "service-restart", "cups")
    assert "is the agent itself" in ended.message
    restarts = [line for line in systemctl.read_text().splitlines() if " restart " in line]
    assert [line.rpartition(" ")[2] for line in restarts] == ["broken.service"]


def test_a_machine_without_systemd_restarts_by_its_script(site, who, monkeypatch, tmp_path):
    script = tmp_path / "service"
    told = 'echo "$1 $2 with $PATH"; umask; ulimit -f'
    script.write_text(f'#!/bin/sh\n{told}\n[ "$1" = cups ] || {{ echo no >&2; exit 3; }}\n')
    script.chmod(0o700)
    for folder in ("init.d", "rc2.d", "rc0.d", "runlevels/shutdown"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("cups", "broken", "killprocs"):
        (tmp_path / "init.d" / name).touch()
    (tmp_path / "rc2.d/S03broken").touch()
    (tmp_path / "rc0.d/S03killprocs").touch()
    (tmp_path / "runlevels/shutdown/killprocs").touch()
    monkeypatch.setattr(manage, "_SYSTEMD", str(tmp_path / "none"))
    monkeypatch.setattr(manage, "_ETC", str(tmp_path))
    monkeypatch.setattr(manage, "find_program", lambda name: str(script) if name == "service" else None)
    ended, output = _ran(site, who, Level.MANAGE, "service-restart", "cups")
    assert ended.state == "ok"
    assert output.startswith("restarted cups\ncups restart with /usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin\n0022\n")
    ended, _output = _ran(site, who, Level.MANAGE, "service-restart", "broken")
    assert (ended.state, ended.exit_status) == ("failed", 3)
    assert "broken was not restarted" in ended.message
    ended, _output = _ran(site, who, Level.MANAGE, "service-restart", "killprocs")
    assert "does not run and does not start by itself" in ended.message
    monkeypatch.setenv("RC_SVCNAME", "cups")
    ended, _output = _ran(site, who, Level.MANAGE, "service-restart", "cups")
    assert "is the agent itself" in ended.message


def test_a_machine_without_systemd_says_that_there_is_no_such_service(site, who, monkeypatch, tmp_path):
    monkeypatch.setattr(manage, "_SYSTEMD", str(tmp_path / "none"))
    monkeypatch.setattr(manage, "find_program", lambda name: None)
    ended, _output = _ran(site, who, Level.MANAGE, "service-restart", "no-such-service")
    assert "there is no service no-such-service on this machine" in ended.message


# pinned scripts

SLOW = "#!/bin/sh\necho begun\nwhile [ ! -e {mark} ]; do sleep 0.05; done\necho 'as pinned' \"$1\"\n"


def _pinned(path, text, *argv):
    path.write_text(text)
    path.chmod(0o700)
    return Command(id=path.name, argv=(str(path), *argv), sha256=hashlib.sha256(text.encode()).hexdigest())


def test_a_pinned_script_that_changes_while_it_runs_goes_on_as_it_was_checked(site, who, tmp_path):
    mark, script = tmp_path / "mark", tmp_path / "slow"
    site.commands = (_pinned(script, SLOW.format(mark=mark), "a b"),)

    async def talk(console):
        start = ExecStart(exec_id="p", words=(str(script), "a b"), timeout_s=10)
        await console.ask("exec.start", start, ExecAccepted)
        await console.notification("exec.opened")
        while b"begun\n" not in console.output.get(1, b""):
            with contextlib.suppress(TimeoutError):
                await console.message(0.05)
        # In place, as an editor does that keeps the file: a shell reads on from where it was.
        script.write_text(SLOW.format(mark=mark).replace("as pinned", "evil now!"))
        mark.touch()
        ended = messages.decode_as(ExecExit, (await console.notification("exec.exit")).params)
        again = await console.run(str(script), "a b", exec_id="p2")
        return ended, bytes(console.output[2]), again

    ended, said, again = _talk(site, who, talk)
    assert ended.state == "ok"
    assert (again.state, again.exit_status) == ("failed", 126)
    assert b"not the one of the policy" in said


def test_a_pinned_script_gets_its_arguments_and_nothing_else_of_the_agent(site, who, tmp_path):
    code = "import os, sys\nprint(sys.argv[1:], sorted(map(int, os.listdir('/proc/self/fd')))[:3])\n"
    text = f"#!{sys.executable} -I\n{code}"
    site.commands = (_pinned(tmp_path / "told", text, "one", "two three"),)
    ended, output = _ran(site, who, None, str(tmp_path / "told"), "one", "two three")
    assert ended.state == "ok"
    assert output.startswith("['one', 'two three'] [0, 1, 2]")
