"""Checking N pages: one after the other, a thread each, a pool of threads, processes, and ours in one loop.

    python -m bench.checks --nb 100 [--runs 3] [--latency 0.05]

The server is a process of its own on 127.0.0.1 that answers each request after the same time, so that all that
differs is how the client waits. The four others use `http.client` of the standard library, as a course does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

if __package__ in (None, ""):  # as `python bench/checks.py`
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import Row
from core.services.checks import AT_ONCE, Prober
from core.site_records import CheckState

COUNT = 100
RUNS = 3
LATENCY_S = 0.05
POOL = 20
PROCESSES = 8

_SERVER = """
import asyncio, sys
async def serve(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    await asyncio.sleep(float(sys.argv[1]))
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\nConnection: close\\r\\n\\r\\nhello")
    writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
asyncio.run(main())
"""


@contextlib.contextmanager
def _slow_server(latency_s: float) -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(latency_s)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.stdin.close()


def _check(port: int) -> bool:
    """One check as the standard library makes it."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        link.request("GET", "/")
        answer = link.getresponse()
        answer.read()
        return answer.status == 200
    finally:
        link.close()


def synchronous(port: int, count: int) -> int:
    """One after the other."""
    return sum(_check(port) for _number in range(count))


def threads(port: int, count: int) -> int:
    """A thread each."""
    found: list[bool] = []
    started = [threading.Thread(target=lambda: found.append(_check(port))) for _number in range(count)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return sum(found)


def pool(port: int, count: int) -> int:
    """A pool of threads."""
    with ThreadPoolExecutor(POOL) as executor:
        return sum(executor.map(_check, [port] * count))


def processes(port: int, count: int) -> int:
    """A pool of processes, their start included."""
    with ProcessPoolExecutor(PROCESSES) as executor:
        return sum(executor.map(_check, [port] * count))


def ours(port: int, count: int) -> int:
    """One loop, as `beffroi check` does it."""

    async def run() -> int:
        slots = asyncio.Semaphore(AT_ONCE)
        with Prober() as prober:

            async def one() -> bool:
                async with slots:
                    outcome = await prober.check(f"http://127.0.0.1:{port}/", timeout_s=30)
                return outcome.result.state is CheckState.OK

            return sum(await asyncio.gather(*(one() for _number in range(count))))

    return asyncio.run(run())


WAYS: dict[str, Callable[[int, int], int]] = {
    "synchronous": synchronous,
    "a thread each": threads,
    f"a pool of {POOL} threads": pool,
    f"{PROCESSES} processes": processes,
    "asyncio (ours)": ours,
}


def measured(count: int, runs: int, latency_s: float) -> dict[str, list[float]]:
    """Seconds of each run by way; the ways take turns, so that a slow moment of the machine meets them all."""
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    with _slow_server(latency_s) as port:
        for _run in range(runs):
            for name, way in WAYS.items():
                start_s = time.perf_counter()
                well = way(port, count)
                found[name].append(time.perf_counter() - start_s)
                if well != count:
                    raise ValueError(f"{name}: {well} of {count} checks went well")
    return found


def run() -> list[Row]:
    """Ours beside each of the others, and many at a time beside the bare wait."""
    means = {name: statistics.mean(times) for name, times in measured(COUNT, RUNS, LATENCY_S).items()}
    own_s = means.pop("asyncio (ours)")
    goals = {"synchronous": 10.0, "a thread each": 0.7}
    note = f"each answer takes {LATENCY_S * 1000:.0f} ms; mean of {RUNS} runs"
    rows = [
        Row(
            f"{COUNT} checks, peer: {name}",
            own_s,
            mean_s,
            mean_s / own_s,
            "s",
            f">= {goals.get(name, 1.0):g}",
            mean_s / own_s >= goals.get(name, 1.0),
            note,
        )
        for name, mean_s in means.items()
    ]
    many_s = statistics.mean(_ours_alone(1000))
    return [*rows, Row("1,000 checks at once, one loop", many_s, None, None, "s", "<= 5", many_s <= 5, note)]


def _ours_alone(count: int) -> list[float]:
    times = []
    with _slow_server(LATENCY_S) as port:
        for _run in range(RUNS):
            start_s = time.perf_counter()
            ours(port, count)
            times.append(time.perf_counter() - start_s)
    return times


def main() -> int:
    """Print mean and standard deviation of each way."""
    parser = argparse.ArgumentParser(description="N checks, five ways: mean and standard deviation of some runs.")
    parser.add_argument("--nb", type=int, default=COUNT, metavar="N", help="checks of a run (default 100)")
    parser.add_argument("--runs", type=int, default=RUNS, metavar="R", help="runs of each way (default 3)")
    parser.add_argument("--latency", type=float, default=LATENCY_S, metavar="S", help="seconds that an answer takes")
    options = parser.parse_args()
    if options.nb < 1 or options.runs < 2 or options.latency < 0:
        parser.error("at least 1 check, 2 runs, and a latency that is not negative")
    print(
        f"{options.nb} checks, {options.runs} runs, each answer takes {options.latency * 1000:.0f} ms, "
        f"{os.cpu_count()} processors, Python {sys.version.split()[0]}\n"
    )
    found = measured(options.nb, options.runs, options.latency)
    slowest_s = statistics.mean(found["synchronous"])
    print(f"{'way':24} {'mean':>9} {'deviation':>10} {'times as fast':>14}")
    for name, times in found.items():
        mean_s = statistics.mean(times)
        print(f"{name:24} {mean_s:>7.3f} s {statistics.stdev(times):>8.3f} s {slowest_s / mean_s:>13.1f}x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
