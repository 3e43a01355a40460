"""What commands leave behind on a real agent in a process of its own, and what one that was killed leaves."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from agent_site import Console

from core.agent.consoles import AuthorizedConsole, Consoles
from core.agent.leftovers import processes
from core.home import Home
from core.protocol import messages
from core.protocol.messages import ExecAccepted, ExecExit, ExecStart
from core.records import Level
from core.transport.identity import ensure_identity

MAIN = Path(__file__).parents[2] / "main.py"
POLICY = """
[commands]
daemon = { argv = ["/bin/sh", "-c", "(setsid sh -c '(sleep 997 >/dev/null 2>&1 </dev/null &)' &); echo begun"] }
holds = { argv = ["/bin/sh", "-c", "(setsid sleep 996 &); echo begun"] }
serves = { argv = ["/bin/sh", "-c", "(setsid sleep 995 >/dev/null 2>&1 &); echo begun"], leaves_daemons = true }
closes = { argv = ["/bin/sh", "-c", "exec >/dev/null 2>&1; sleep 0.3; exit 7"] }
sleeps = { argv = ["sleep", "994"] }
floods = { argv = ["head", "-c", "100000000", "/dev/zero"] }
brief = { argv = ["/bin/sh", "-c", "sleep 0.02; echo done"] }
bursts = { argv = ["SCRIPT", "4"] }
"""

BURST = """#!/bin/sh
# Each makes two more, five times over, all in sessions of their own.
setsid sleep 993 &
[ "$1" = 0 ] || { setsid "$0" $(($1 - 1)) & setsid "$0" $(($1 - 1)) & }
[ "$1" != 4 ] || sleep 60
"""


def _own(text):
    """No other run of these tests sleeps for so long."""
    return re.sub(r"\b(99\d)\b", rf"\1.{os.getpid()}", text)


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux alone")


class RealAgent:
    """An agent in a process of its own, with the policy above."""

    def __init__(self, home, who):
        self.home, self.who = home, who
        home.agent_path.mkdir(mode=0o700, exist_ok=True)
        script = home.path / "burst"
        script.write_text(_own(BURST))
        script.chmod(0o700)
        (home.agent_path / "policy.toml").write_text(_own(POLICY).replace("SCRIPT", str(script)))
        (home.agent_path / "policy.toml").chmod(0o600)
        line = AuthorizedConsole(fingerprint=who.console1.fingerprint, level=Level.RUN)
        Consoles(home.agent_path).add(line, who.console1.certificate_pem)
        self.process = None

    @contextmanager
    def running(self):
        command = [sys.executable, str(MAIN), "--home", str(self.home.path), "agent", "run", "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            self.port = int(self.process.stdout.readline().rpartition(":")[2])
            self.identity = ensure_identity(self.home.agent_path, "")
            yield self.process
        finally:
            if self.process.poll() is None:
                self.process.terminate()
            self.process.communicate(timeout=10)

    def talk(self, talk):
        async def whole():
            console = await Console.connect(self, self.who.console1)
            try:
                return await talk(console)
            finally:
                await console.close()

        return asyncio.run(whole())


@pytest.fixture
def real(tmp_path, who):
    return RealAgent(Home(tmp_path / "home").make(), who)


def _sleeping(seconds):
    """Pids of `sleep SECONDS` that are no zombies."""
    found = []
    for entry in processes():
        try:
            line = Path(f"/proc/{entry.pid}/cmdline").read_bytes()
        except OSError:
            continue
        if line == f"sleep\0{_own(str(seconds))}\0".encode() and entry.state != "Z":
            found.append(entry.pid)
    return found


def _soon(claim, timeout_s=5.0):
    end_s = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < end_s, "it did not come true in time"
        time.sleep(0.05)


def test_what_makes_itself_a_daemon_ends_with_its_command(real):
    async def talk(console):
        for word in ("daemon", "holds"):
            ended = await console.run(word, exec_id=word)
            assert (ended.state, bytes(console.output[1])) == ("ok", b"begun\n")
        serving = await console.run("serves", exec_id="serves")
        closed = await console.run("closes", exec_id="closes")
        return serving, closed

    with real.running() as process:
        serving, closed = real.talk(talk)
        _soon(lambda: not _sleeping(997) and not _sleeping(996))
        # One whose policy says so leaves a daemon, and what is dead is no zombie for long.
        served = _sleeping(995)
        _soon(lambda: [entry.pid for entry in processes() if entry.parent == process.pid] == served)
    for pid in served:
        os.kill(pid, 9)
    assert len(served) == 1
    assert serving.state == "ok"
    assert (closed.state, closed.exit_status, closed.duration_s >= 0.3) == ("failed", 7, True)


def test_a_command_that_multiplies_ends_with_all_it_has_made(real):
    async def talk(console):
        return await console.run("bursts", timeout_s=0.5)

    with real.running():
        assert real.talk(talk).state == "timeout"
        _soon(lambda: not _sleeping(993), 8.0)


def test_an_agent_that_is_stopped_in_mid_command_leaves_nothing(real):
    async def talk(console):
        await console.ask("exec.start", ExecStart(exec_id="s", words=("sleeps",), timeout_s=60), ExecAccepted)
        await console.notification("exec.opened")
        await asyncio.sleep(0.2)

    with real.running() as process:
        real.talk(talk)
        assert _sleeping(994)
        process.terminate()
        assert process.wait(10) == 0
        assert not _sleeping(994)


def test_what_a_killed_agent_left_running_ends_when_the_next_one_starts(real):
    async def talk(console):
        await console.ask("exec.start", ExecStart(exec_id="s", words=("sleeps",), timeout_s=60), ExecAccepted)
        await console.notification("exec.opened")
        await asyncio.sleep(0.2)

    async def fetch(console):
        answer = await console.ask("exec.fetch", messages.ExecReference(exec_id="s"))
        return messages.decode_as(messages.ExecDenied, answer.error.data).reason

    with real.running() as process:
        real.talk(talk)
        process.kill()
        process.wait()
        left = _sleeping(994)
    with real.running():
        _soon(lambda: not _sleeping(994))
        assert real.talk(fetch) == "lost"
    assert len(left) == 1


def _resident_kib(pid):
    with open(f"/proc/{pid}/status") as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith("VmRSS"))


def test_a_flood_that_nobody_takes_costs_the_agent_two_halves_and_no_more(real):
    async def talk(console):
        # Nothing of it is taken, so that no credit is given.
        await console.ask("exec.start", ExecStart(exec_id="f", words=("floods",), timeout_s=60), ExecAccepted)
        await console.notification("exec.opened")
        largest = 0
        execution_ends_s = time.monotonic() + 30
        while time.monotonic() < execution_ends_s:
            await asyncio.sleep(0.2)
            largest = max(largest, _resident_kib(real.process.pid))
            if not [entry for entry in processes() if entry.parent == real.process.pid]:
                break
        for _turn in range(200):
            console.notify("exec.credit", messages.ExecCredit(exec_id="f", octets=1 << 20))
            try:
                ended = messages.decode_as(ExecExit, (await console.notification("exec.exit", 0.05)).params)
                return largest, ended
            except TimeoutError:
                continue
        raise AssertionError("it has not ended")

    with real.running() as process:
        before = _resident_kib(process.pid)
        largest, ended = real.talk(talk)
    assert ended.state == "ok"
    assert ended.dropped_bytes == 100_000_000 - (1 << 20)
    assert largest - before < 8 * 1024


def test_a_command_that_is_just_starting_is_no_orphan_of_one_that_ends(real):
    count = 12

    async def talk(console):
        for number in range(count):
            start = ExecStart(exec_id=f"e{number}", words=("brief",), timeout_s=20.0, operator="tester")
            console.send_request("exec.start", start)
        ended = []
        while len(ended) < count:
            found = await console.notification("exec.exit")
            ended.append(messages.decode_as(ExecExit, found.params))
        return ended

    with real.running():
        ended = real.talk(talk)
    assert {(one.state, one.exit_status) for one in ended} == {("ok", 0)}
