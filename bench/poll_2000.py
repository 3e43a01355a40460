"""A console that polls 2,000 TLS agents each second: processor time, lateness, memory.

The agents are simulated in another process and speak the real wire. The floor is a bare asyncio protocol that reads
the same bytes over the same TLS links and throws them away.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import Row
from core.protocol import messages
from core.protocol.frames import JSON_FRAME, encode_frame
from core.protocol.messages import Hello, Subscribe
from core.records import Machine, MachineReport
from core.services.agent_poller import AgentPoller
from core.site_records import Record
from core.transport.identity import Identity, ensure_identity
from core.transport.tls import console_context

COUNT = 2000
SECONDS = 10.0
INTERVAL_S = 1.0


@contextlib.contextmanager
def simulated_agents(folder: Path, console: Identity) -> Iterator[int]:
    """Port of a child process that answers each link as an agent."""
    words = [sys.executable, "-m", "bench.simulated_agents", str(folder), str(console.certificate_path)]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield int(child.stdout.readline().rpartition(":")[2])
    finally:
        child.terminate()
        child.wait(10)
        assert child.stdout is not None
        child.stdout.close()


def machines_at(port: int, agent: Identity, count: int) -> list[Machine]:
    """So many machines behind one port."""
    return [
        Machine(
            name=f"pc-{number:04}",
            host="127.0.0.1",
            port=port,
            fingerprint=agent.fingerprint,
            certificate_pem=agent.certificate_pem,
        )
        for number in range(count)
    ]


def resident_bytes() -> int:
    """Memory of this process now."""
    with open("/proc/self/statm", encoding="ascii") as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class _Counter:
    """Counts the statuses that are published."""

    def __init__(self) -> None:
        self.statuses = 0

    def publish(self, record: Record) -> None:
        if isinstance(record, MachineReport) and record.is_new:
            self.statuses += 1


async def _timer_lateness(seconds: float) -> list[float]:
    """How late a timer of 10 ms fires in this loop: what a click or a command would wait."""
    late: list[float] = []
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s:
        due_s = time.perf_counter() + 0.01
        await asyncio.sleep(0.01)
        late.append(time.perf_counter() - due_s)
    return late


async def _ours(machines: list[Machine], console: Identity) -> tuple[float, float, int, float]:
    """Processor share, p99 lateness of the loop, memory, statuses a second."""
    counter = _Counter()
    poller = AgentPoller(console, counter.publish, INTERVAL_S, INTERVAL_S)
    poller.set_machines(machines)
    task = asyncio.create_task(poller.run())
    try:
        await poller.settled(60, with_status=True)
        await asyncio.sleep(2)
        first, cpu_s, start_s = counter.statuses, time.process_time(), time.perf_counter()
        late = sorted(await _timer_lateness(SECONDS))
        elapsed_s = time.perf_counter() - start_s
        share = (time.process_time() - cpu_s) / elapsed_s
        return share, late[int(len(late) * 0.99)], resident_bytes(), (counter.statuses - first) / elapsed_s
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class _Bare(asyncio.Protocol):
    """Says what it must so that statuses come, and reads them."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        assert isinstance(transport, asyncio.Transport)
        transport.write(encode_frame(JSON_FRAME, messages.encode_request(1, "hello", Hello(name="floor"))))
        subscription = Subscribe(interval_s=INTERVAL_S)
        transport.write(encode_frame(JSON_FRAME, messages.encode_request(2, "subscribe", subscription)))

    def data_received(self, data: bytes) -> None:
        pass


async def _floor(port: int, agent: Identity, console: Identity) -> float:
    context = console_context(console, [agent.certificate_pem])
    loop = asyncio.get_running_loop()
    links = []
    for _start in range(0, COUNT, 16):
        links += await asyncio.gather(
            *(
                loop.create_connection(_Bare, "127.0.0.1", port, ssl=context, server_hostname="")
                for _number in range(16)
            )
        )
    await asyncio.sleep(2)
    cpu_s, start_s = time.process_time(), time.perf_counter()
    await asyncio.sleep(SECONDS)
    share = (time.process_time() - cpu_s) / (time.perf_counter() - start_s)
    for transport, _protocol in links:
        transport.abort()
    await asyncio.sleep(0.2)
    return share


def run() -> list[Row]:
    """Three rows: processor, lateness, memory."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(16384, hard), hard))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        console, agent = ensure_identity(folder / "console", "bench"), ensure_identity(folder / "agent", "simulated")
        with simulated_agents(folder / "agent", console) as port:
            share, late_s, memory, rate = asyncio.run(_ours(machines_at(port, agent, COUNT), console))
        with simulated_agents(folder / "agent", console) as port:
            floor = asyncio.run(_floor(port, agent, console))
    work = f"console: {COUNT} TLS agents at 1 Hz"
    is_whole = rate >= 0.97 * COUNT
    note = f"{rate:.0f} statuses/s, {rate / share:.0f} a core; the peer is bare asyncio TLS that reads and forgets"
    return [
        Row(work, share * 100, floor * 100, floor / share, "% of a core", "<= 25", share <= 0.25 and is_whole, note),
        Row(f"{work}: p99 lateness", late_s * 1e3, None, None, "ms", "<= 10", late_s <= 0.010, "a 10 ms timer"),
        Row(f"{work}: memory", memory / 2**20, None, None, "MiB", "<= 200", memory <= 200 << 20, "before Qt"),
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
