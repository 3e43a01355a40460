"""Programs that fight back, under a real agent with a real policy: each ends, is told, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
import time
from pathlib import Path

import pytest
from simulated_site import Site

from bench.hostile_peers import AgentProcess
from core.records import CommandResult, CommandState, Level, MachineState
from core.services.commands import new_request
from core.transport.identity import ensure_identity

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are read from /proc")

OK, FAILED, TIMEOUT = CommandState.OK, CommandState.FAILED, CommandState.TIMEOUT
CHILDREN = {
    # id: what it runs, the time it gets, how it ends, its exit status (None: any), its output
    "ignores_term": ("trap '' TERM INT HUP; echo on; while :; do sleep 0.1; done", 1.0, TIMEOUT, None, "on\n"),
    "closes_stdout": ("exec >&- 2>&-; sleep 0.5; exit 3", 5.0, FAILED, 3, ""),
    "reads_stdin": ("cat; read line; echo end=$line", 5.0, OK, 0, "end=\n"),
    "leaves_a_child": ("sleep 8698 & echo left", 5.0, OK, 0, "left\n"),
    "leaves_a_silent_child": ("sleep 8698 >/dev/null 2>&1 & echo left", 5.0, OK, 0, "left\n"),
    "escapes": ("setsid sh -c 'trap \"\" TERM; sleep 8697 & wait' >/dev/null 2>&1 & echo away", 5.0, OK, 0, "away\n"),
    "forks_twice": ("(setsid sh -c '(sleep 8696 >/dev/null 2>&1 &) ' &) ; echo twice", 5.0, OK, 0, "twice\n"),
    "is_killed": ("kill -9 $$", 5.0, FAILED, 137, ""),
    "floods": ("head -c 60000000 /dev/zero | tr '\\0' x", 20.0, OK, 0, None),
}
SECONDS = ("8696", "8697", "8698")


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    return ensure_identity(tmp_path_factory.mktemp("console"), "console")


def policy_of(folder: Path) -> str:
    lines = []
    for name, (script, *_more) in CHILDREN.items():
        lines.append(f'[commands.{name}]\nargv = ["sh", "-c", {json.dumps(script)}]\n')
    pinned = folder / "pinned.sh"
    pinned.write_text("#!/bin/sh\necho as it was\n")
    pinned.chmod(0o755)
    digest = hashlib.sha256(pinned.read_bytes()).hexdigest()
    lines.append(f'[commands.pinned]\nargv = ["{pinned}"]\nsha256 = "{digest}"\n')
    return "\n".join(lines)


def left_behind() -> list[str]:
    """Command lines of children of these tests that still live."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                state = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if state != "Z" and words[:1] == [b"sleep"] and words[1:2] and words[1].decode() in SECONDS:
                found.append(" ".join(word.decode() for word in words))
    return found


def test_every_child_ends_is_told_and_leaves_nothing(console, tmp_path):
    agent = AgentProcess(tmp_path / "home", {console: Level.RUN}, policy_of(tmp_path))
    site = Site(console, [])

    async def main() -> None:
        async with site.polling(agent.machine("m"), interval_s=0.5) as poller:
            await site.until(lambda: MachineState.ONLINE in site.states("m"))
            before_mib = agent.memory_mib()

            async def run(name: str, timeout_s: float = 5.0) -> CommandResult:
                return (await poller.execute(new_request([name], ["m"], timeout_s, "Ada", time.time())))[0]

            began_s = time.monotonic()
            results = await asyncio.gather(*(run(name, how[1]) for name, how in CHILDREN.items()))
            took_s = time.monotonic() - began_s
            for (name, (_script, _time_s, state, status, output)), result in zip(
                CHILDREN.items(), results, strict=True
            ):
                assert result.state is state, (name, result)
                assert status in (None, result.exit_status), (name, result)
                assert output in (None, result.stdout), (name, result)
            flood = results[-1]
            assert len(flood.stdout) + flood.truncated_bytes == 60_000_000
            assert len(flood.stdout) == 1 << 20
            assert agent.memory_mib() - before_mib < 16
            await site.until(lambda: not left_behind(), 4)
            assert took_s < 15, took_s
            await policy_attacks(run)

    async def policy_attacks(run) -> None:
        assert (await run("pinned")).stdout == "as it was\n"
        script, policy = tmp_path / "pinned.sh", agent.folder / "policy.toml"
        script.write_text("#!/bin/sh\necho changed\n")
        changed = await run("pinned")
        assert (changed.state, changed.exit_status, changed.stdout) == (FAILED, 126, "")
        assert "not the one of the policy" in (changed.message or ""), changed
        policy.chmod(0o666)
        await asyncio.sleep(0.6)
        refused = await run("reads_stdin")
        assert refused.state is CommandState.NOT_ALLOWED
        assert "can be written by other users" in (refused.message or ""), refused
        assert (await run("uptime")).state is OK  # built-ins are no matter of the policy
        policy.chmod(0o600)
        await asyncio.sleep(0.6)
        assert (await run("reads_stdin")).state is OK

    try:
        asyncio.run(main())
    finally:
        agent.stop()
