"""One command on 200 machines: over open links, and from a cold command line.

The agents are simulated in another process and answer at once: what is measured is the console's own share (audit
log on disk before the first octet leaves, 200 requests, 200 answers) and the wire.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import Row
from bench.poll_2000 import machines_at, simulated_agents
from core.audit import AuditLog
from core.home import Home
from core.records import CommandState, Machine
from core.services.agent_poller import AgentPoller
from core.services.commands import new_request
from core.store.history import History
from core.transport.identity import Identity, ensure_identity

COUNT = 200
ROUNDS = 7


async def _over_open_links(machines: list[Machine], console: Identity, folder: Path) -> float:
    """Median seconds from submit to the last result."""
    poller = AgentPoller(console, lambda record: None, 5.0, 5.0, AuditLog(folder / "audit.log"))
    poller.set_machines(machines)
    task = asyncio.create_task(poller.run())
    try:
        await poller.settled(30)
        elapsed: list[float] = []
        for _round in range(ROUNDS):
            request = new_request(["echo", "hello"], [machine.name for machine in machines], 30, "bench", time.time())
            start_s = time.perf_counter()
            results = await poller.execute(request)
            elapsed.append(time.perf_counter() - start_s)
            assert sum(result.state is CommandState.OK for result in results) == len(machines)
        return statistics.median(elapsed)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _cold(home: Home) -> float:
    """Median seconds of `beffroi run all -- echo hello`, process start and end included."""
    words = [sys.executable, "main.py", "--home", str(home.path), "--json", "run", "all", "--", "echo", "hello"]
    elapsed: list[float] = []
    for _round in range(3):
        start_s = time.perf_counter()
        done = subprocess.run(words, capture_output=True, check=True, env={**os.environ, "LANGUAGE": "en"})
        elapsed.append(time.perf_counter() - start_s)
        assert sum(result["state"] == "ok" for result in json.loads(done.stdout)["results"]) == COUNT
    return statistics.median(elapsed)


def run() -> list[Row]:
    """Two rows."""
    with tempfile.TemporaryDirectory() as name:
        home = Home(Path(name) / "home").make()
        console = ensure_identity(home.console_path, "bench")
        agent = ensure_identity(Path(name) / "agent", "simulated")
        with simulated_agents(Path(name) / "agent", console) as port:
            machines = machines_at(port, agent, COUNT)
            warm_s = asyncio.run(_over_open_links(machines, console, Path(name)))
            with History.open(home.database_path) as history:
                for machine in machines:
                    history.save_machine(machine)
            cold_s = _cold(home)
    work = f"one command on {COUNT} machines"
    note = "agents simulated; elsewhere: clush 13.8 s over ssh, asyncssh kept open 0.37 s"
    return [
        Row(f"{work}, links open", warm_s, None, None, "s", "<= 0.3", warm_s <= 0.3, note),
        Row(f"{work}, cold command line", cold_s, None, None, "s", "<= 2", cold_s <= 2, "process start included"),
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
