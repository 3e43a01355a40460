"""One command on 200 machines: over open links, and from a cold command line.

The agents are simulated in another process and answer at once: what is measured is the console's own share (audit
log on disk before the first octet leaves, 200 requests, 200 answers) and the wire. The floor is a bare asyncio
protocol that sends the same requests over links as open and looks for the ends of the commands.
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
from core.protocol import messages
from core.protocol.frames import JSON_FRAME, encode_frame
from core.records import CommandState, Machine
from core.services.agent_poller import AgentPoller
from core.services.commands import new_request
from core.store.history import History
from core.transport.identity import Identity, ensure_identity
from core.transport.tls import console_context

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


class _Bare(asyncio.Protocol):
    """Asks, and waits for the word that ends a command."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(encode_frame(JSON_FRAME, messages.encode_request(1, "hello", messages.Hello(name="floor"))))

    def ask(self, exec_id: str) -> asyncio.Future[None]:
        self.ended, self._seen = asyncio.get_running_loop().create_future(), b""
        start = messages.ExecStart(exec_id=exec_id, words=("echo", "hello"), timeout_s=30.0)
        self.transport.write(encode_frame(JSON_FRAME, messages.encode_request(2, "exec.start", start)))
        return self.ended

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if b"exec.exit" in self._seen and not self.ended.done():
            self.ended.set_result(None)


async def _floor(port: int, agent: Identity, console: Identity) -> float:
    context = console_context(console, [agent.certificate_pem])
    loop = asyncio.get_running_loop()
    links = []
    for _number in range(COUNT):
        _transport, link = await loop.create_connection(_Bare, "127.0.0.1", port, ssl=context, server_hostname="")
        links.append(link)
    await asyncio.sleep(0.5)
    elapsed: list[float] = []
    for number in range(ROUNDS):
        start_s = time.perf_counter()
        await asyncio.gather(*(link.ask(f"floor-{number}") for link in links))
        elapsed.append(time.perf_counter() - start_s)
    for link in links:
        link.transport.abort()
    await asyncio.sleep(0.1)
    return statistics.median(elapsed)


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
            floor_s = asyncio.run(_floor(port, agent, console))
            with History.open(home.database_path) as history:
                for machine in machines:
                    history.save_machine(machine)
            cold_s = _cold(home)
    work = f"one command on {COUNT} machines"
    note = "agents simulated; the peer is bare asyncio TLS, with no audit log and no results"
    return [
        Row(f"{work}, links open", warm_s, floor_s, floor_s / warm_s, "s", "<= 0.3", warm_s <= 0.3, note),
        Row(f"{work}, cold command line", cold_s, None, None, "s", "<= 2", cold_s <= 2, "process start included"),
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
