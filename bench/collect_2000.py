"""`beffroi collect` with 2,000 simulated TLS agents, each polled every second, and a reader at its feed.

The goals are those of a console before Qt (`bench.poll_2000`); beside polling it records, watches alarms and feeds.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from bench import Row
from bench.poll_2000 import COUNT, machines_at, simulated_agents
from core.home import Home
from core.records import MachineReport
from core.services.feed_reader import Feed, open_feed
from core.store.history import History
from core.transport.identity import ensure_identity

SECONDS = 15.0
SETTLE_S = 60.0


async def _read(feed: Feed, seen: Counter[str]) -> None:
    while True:
        record = await feed.next_record()
        if isinstance(record, MachineReport) and record.is_new:
            seen[record.machine] += 1


async def _measured(home: Home, child: psutil.Process) -> tuple[float, int, float]:
    """Share of a core, resident bytes, statuses a second at the end of the feed."""
    feed = await open_feed(home, "bench")
    assert feed is not None
    seen: Counter[str] = Counter()
    reading = asyncio.ensure_future(_read(feed, seen))
    try:
        async with asyncio.timeout(SETTLE_S):
            while len(seen) < COUNT:  # noqa: ASYNC110 -- another process settles, which sets no event
                await asyncio.sleep(0.2)
        await asyncio.sleep(3)
        before, start_s, cpu = seen.total(), time.perf_counter(), child.cpu_times()
        await asyncio.sleep(SECONDS)
        elapsed_s, after = time.perf_counter() - start_s, child.cpu_times()
        share = (after.user + after.system - cpu.user - cpu.system) / elapsed_s
        return share, child.memory_info().rss, (seen.total() - before) / elapsed_s
    finally:
        reading.cancel()
        feed.close()


def run() -> list[Row]:
    """Two rows: processor, memory."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(16384, hard), hard))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = Home(folder / "home").make()
        home.config_path.write_text('operator = "bench"\n[polling]\ninterval_s = 1\n')
        console, agent = ensure_identity(home.console_path, "bench"), ensure_identity(folder / "agent", "simulated")
        with simulated_agents(folder / "agent", console) as port:
            with History.open(home.database_path) as history:
                history.save_machines(machines_at(port, agent, COUNT))
            words = [sys.executable, "main.py", "--home", str(home.path), "collect"]
            collect = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            try:
                assert collect.stdout is not None
                collect.stdout.readline()
                share, memory, rate = asyncio.run(_measured(home, psutil.Process(collect.pid)))
            finally:
                began_s = time.perf_counter()
                collect.terminate()
                collect.communicate(timeout=30)
            end_s = time.perf_counter() - began_s
    work = f"collect: {COUNT} TLS agents at 1 Hz, recorded, watched and fed to a window"
    note = f"{rate:.0f} statuses/s reach the window; ended by SIGTERM in {end_s:.1f} s"
    is_whole = rate >= 0.9 * COUNT
    return [
        Row(work, share * 100, None, None, "% of a core", "none", None if is_whole else False, note),
        Row(f"{work}: memory", memory / 2**20, None, None, "MiB", "<= 200", memory <= 200 << 20),
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
