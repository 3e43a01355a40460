"""Messages of sensors a second, taken in, safe on the disk and acknowledged, per core of the server's process.

The server is `sensors serve` as a user starts it, the sensors are in another process. Beside it, in the same run: a
server as the exercise's text leads to it (a thread a client, a commit a message), and a bare loop that only reads.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import Row
from core.store.history import History

ROOT = Path(__file__).parents[1]
GOAL = 20_000
LINKS = 200
STREAM = 200_000
ASKED = 20_000
ASKED_OF_PEER = 1_000
PACED_LINKS = 5_000
PACED = 5 * PACED_LINKS


@dataclass(frozen=True)
class Load:
    """What a load came to: wall seconds, CPU seconds of the server, and how many messages were answered."""

    sent: int
    answered: int
    seconds: float
    cpu_s: float

    @property
    def per_core(self) -> float:
        return self.answered / self.cpu_s

    @property
    def per_s(self) -> float:
        return self.answered / self.seconds


def run() -> list[Row]:
    """Three loads on ours, each beside its peer or floor."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = folder / "home"
        ours = [sys.executable, "main.py", "--home", str(home), "sensors", "serve", "--listen", "127.0.0.1:0"]
        with server(ours) as (process, port):
            stream = load(process, port, "stream", LINKS, STREAM)
            asked = load(process, port, "ask", LINKS, ASKED)
            paced = load(process, port, "pace", PACED_LINKS, PACED)
            resident = process.memory_info().rss / (1 << 20)
        with History.open(home / "beffroi.db") as history:
            kept = history.count("sensor_measures")
        peer = [sys.executable, "-m", "bench.sensor_servers", "exercise", str(folder / "exercise.db")]
        with server(peer) as (process, port):
            exercise = load(process, port, "ask", LINKS, ASKED_OF_PEER)
        with server([sys.executable, "-m", "bench.sensor_servers", "bare"]) as (process, port):
            bare_stream = load(process, port, "stream", LINKS, STREAM)
            bare_paced = load(process, port, "pace", PACED_LINKS, PACED)
    wanted = STREAM + ASKED + PACED
    is_whole = kept == wanted and all(one.answered == one.sent for one in (stream, asked, paced))
    lost = f"{wanted} sent, all acknowledged and kept" if is_whole else f"{wanted} sent, {kept} kept: SOME ARE LOST"
    return [
        Row(
            f"sensors: {LINKS} links that never wait; floor: bare loop",
            stream.per_core,
            bare_stream.per_core,
            stream.per_core / bare_stream.per_core,
            "/s/core",
            f"≥ {GOAL // 1000}k/s",
            is_whole and min(stream.per_core, stream.per_s) >= GOAL,
            f"{stream.per_s:,.0f}/s in fact; {lost}",
        ),
        Row(
            f"sensors: {LINKS} that wait; peer: a thread each, a commit each",
            asked.per_core,
            exercise.per_core,
            asked.per_core / exercise.per_core,
            "/s/core",
            "> peer",
            is_whole and asked.per_core > exercise.per_core and asked.per_s > exercise.per_s,
            f"{asked.per_s:,.0f}/s in fact, the exercise's own design {exercise.per_s:,.0f}/s",
        ),
        Row(
            f"sensors: {PACED_LINKS} links at 1 Hz; floor: bare loop",
            paced.per_core,
            bare_paced.per_core,
            paced.per_core / bare_paced.per_core,
            "/s/core",
            f"≥ {GOAL // 1000}k/s",
            is_whole and paced.per_core >= GOAL,
            f"each message a segment of its own: {paced.cpu_s / paced.seconds:.0%} of a core; {resident:.0f} MiB",
        ),
    ]


@contextmanager
def server(words: list[str]) -> Iterator[tuple[psutil.Process, int]]:
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield psutil.Process(child.pid), int(child.stdout.readline().rpartition(":")[2])
        finally:
            child.terminate()


def load(process: psutil.Process, port: int, mode: str, links: int, messages: int) -> Load:
    words = [sys.executable, "-m", "bench.sensor_load", mode, str(port), str(links), str(messages)]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        before_s = sum(process.cpu_times()[:2])
        child.stdin.write("go\n")
        child.stdin.flush()
        told = json.loads(child.stdout.readline())
        spent_s = sum(process.cpu_times()[:2]) - before_s
        child.stdin.write("end\n")
        child.stdin.flush()
        return Load(cpu_s=spent_s, **told)
