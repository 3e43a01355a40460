"""An agent that only shows: no console can send it a command, because there is nothing in it that could run one."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

from agent_site import Console

from core.agent.consoles import AuthorizedConsole, Consoles
from core.home import Home
from core.protocol import messages
from core.protocol.messages import ExecReference, ExecStart, ProcessPage, StatusMessage, Subscribe
from core.records import Level
from core.transport.identity import ensure_identity

EXECUTION = {"builtins", "command_desk", "execution", "executor", "output", "policy", "program"}
RUN = """
import atexit, json, sys
from core.cli.app import main
atexit.register(lambda: print(json.dumps(sorted(sys.modules))))
sys.exit(main(sys.argv[1:]))
"""


class _Beside:
    """What Console.connect needs to know of an agent in another process."""

    def __init__(self, identity, port):
        self.identity, self.port = identity, port


def test_a_view_only_agent_holds_nothing_that_runs_commands(tmp_path, who):
    home = Home(tmp_path / "home").make()
    home.agent_path.mkdir(mode=0o700)
    # A policy that means nothing is not even read.
    (home.agent_path / "policy.toml").write_text("nonsense")
    Consoles(home.agent_path).add(
        AuthorizedConsole(fingerprint=who.console1.fingerprint, level=Level.RAW), who.console1.certificate_pem
    )
    words = ["--home", str(home.path), "agent", "run", "--view-only", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen([sys.executable, "-c", RUN, *words], stdout=subprocess.PIPE, text=True)

    async def talk(port):
        console = await Console.connect(_Beside(ensure_identity(home.agent_path, ""), port), who.console1)
        refused = await console.ask("exec.start", ExecStart(exec_id="e", words=("os",), timeout_s=5))
        console.notify("exec.cancel", ExecReference(exec_id="e"))
        await console.ask("subscribe", Subscribe(interval_s=60))
        status = messages.decode_as(StatusMessage, (await console.notification("status")).params).status
        table = await console.ask("processes", {}, ProcessPage)
        await console.close()
        return console.hello, refused, status, table

    try:
        line = process.stdout.readline()
        hello, refused, status, table = asyncio.run(talk(int(line.rpartition(":")[2])))
    finally:
        process.terminate()
        said = process.communicate(timeout=20)[0]
    assert process.returncode == 0
    assert (hello.level, "exec" in hello.capabilities, "policy" in hello.capabilities) == (Level.VIEW, False, False)
    assert refused.error.code == messages.NOT_FOUND
    assert "view-only" in refused.error.message
    assert status.system.hostname
    assert table.processes
    loaded = set(json.loads(said))
    assert "core.agent.server" in loaded
    assert not loaded & {f"core.agent.{name}" for name in EXECUTION}


def test_a_view_only_agent_pairs_consoles_at_level_view(agent, who):
    agent.is_view_only = True
    agent.trust(who.console1, level=Level.RAW)

    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            await console.close()
            return console.hello

    assert asyncio.run(talk()).level is Level.VIEW
