"""An agent's CPU for one fresh status and process table, and for a status alone, beside Glances and node_exporter.

All three are servers in processes of their own, asked over their own wire on 127.0.0.1; CPU time is what the kernel
counts for the process. Sleeping processes are added up to 280, the size of the table of a real machine.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench import Row
from core.protocol import messages
from core.protocol.frames import JSON_FRAME, LIMIT_AFTER_HELLO, FrameReader, encode_frame
from core.protocol.messages import Hello, ProcessPage, Subscribe
from core.services.pairing import pair
from core.transport.identity import Identity, ensure_identity
from core.transport.tls import console_context

ROUNDS = 25
PERIOD_S = 0.25
PROCESSES = 280
MAIN = Path(__file__).parents[1] / "main.py"


def run() -> list[Row]:
    """Rows for CPU and memory."""
    with _sleepers(), tempfile.TemporaryDirectory() as folder, agent_process(Path(folder)) as (pid, port, code):
        identity = ensure_identity(Path(folder) / "console", "bench")
        paired = asyncio.run(pair("127.0.0.1", port, code, identity, "bench"))
        both_s = asyncio.run(ask_agent(port, identity, paired.certificate_pem, pid, with_processes=True))
        status_s = asyncio.run(ask_agent(port, identity, paired.certificate_pem, pid, with_processes=False))
        resident = psutil.Process(pid).memory_info().rss / (1 << 20)
        count = len(psutil.pids())
        floor_s = _psutil_table()
        glances_s, glances_note = _glances()
        exporter_s, exporter_note = _node_exporter()
    ratio = None if glances_s is None else glances_s / both_s
    exporter_ratio = None if exporter_s is None else exporter_s / status_s
    work = "agent: fresh status + process table"
    return [
        Row(
            f"{work}; Glances server",
            both_s * 1e3,
            None if glances_s is None else glances_s * 1e3,
            ratio,
            "ms CPU",
            "<= 8 ms, >= 3x",
            None if ratio is None else both_s <= 8e-3 and ratio >= 3,
            f"{count} processes{glances_note}",
        ),
        Row(f"{work}; psutil in process", both_s * 1e3, floor_s * 1e3, floor_s / both_s, "ms CPU", "-", None, ""),
        Row(
            "agent: system status only; node_exporter",
            status_s * 1e3,
            None if exporter_s is None else exporter_s * 1e3,
            exporter_ratio,
            "ms CPU",
            ">= 5x",
            None if exporter_ratio is None else exporter_ratio >= 5,
            exporter_note,
        ),
        Row("agent: memory after use", resident, None, None, "MiB RSS", "<= 28", resident <= 28, ""),
    ]


async def ask_agent(port: int, identity: Identity, pem: str, pid: int, *, with_processes: bool) -> float:
    """CPU seconds of the agent for one status, with or without the table, both fresh."""
    context = console_context(identity, [pem])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="")
    frames = FrameReader(LIMIT_AFTER_HELLO)
    numbers = iter(range(1, 10_000))

    async def ask(method: str, params: object, is_last: Callable[[messages.Envelope], bool]) -> None:
        writer.write(encode_frame(JSON_FRAME, messages.encode_request(next(numbers), method, params)))
        while True:
            while (frame := frames.next_frame()) is not None:
                if is_last(messages.decode_envelope(frame[1])):
                    return
            frames.receive_data(await reader.read(65536))

    def is_whole(envelope: messages.Envelope) -> bool:
        return envelope.method is None and messages.decode_as(ProcessPage, envelope.result).is_last

    await ask("hello", Hello(), lambda envelope: envelope.id is not None)
    spent_s = 0.0
    for place in range(ROUNDS + 2):
        await asyncio.sleep(PERIOD_S)
        before_s = _cpu_s(pid)
        # A subscription is answered by a fresh status at once; its next one is due long after the end.
        await ask("subscribe", Subscribe(interval_s=3600), lambda envelope: envelope.method == "status")
        if with_processes:
            await ask("processes", {}, is_whole)
        if place >= 2:
            spent_s += _cpu_s(pid) - before_s
    writer.transport.abort()
    await asyncio.sleep(0)
    return spent_s / ROUNDS


def _psutil_table() -> float:
    attributes = ["ppid", "name", "username", "cpu_percent", "memory_info", "status", "create_time", "cmdline"]
    list(psutil.process_iter(attributes))
    begin_s = time.process_time()
    for _ in range(5):
        list(psutil.process_iter(attributes))
        psutil.cpu_times()
        psutil.virtual_memory()
        psutil.net_io_counters()
    return (time.process_time() - begin_s) / 5


def _glances() -> tuple[float | None, str]:
    """CPU seconds of a Glances server for one `getAll`."""
    if importlib.util.find_spec("glances") is None:
        return None, ", Glances is not installed"
    port = _free_port()
    words = [sys.executable, "-m", "glances", "-s", "-B", "127.0.0.1", "-p", str(port), "--disable-check-update"]
    server = xmlrpc.client.ServerProxy(f"http://127.0.0.1:{port}")
    with _peer(words) as pid:
        try:
            _until(server.init)
            return _cpu_of(pid, server.getAll, period_s=1.1, rounds=8), ""
        except (OSError, xmlrpc.client.Error) as error:
            return None, f", Glances does not answer: {error}"


def _node_exporter() -> tuple[float | None, str]:
    """CPU seconds of node_exporter for one scrape."""
    program = shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")
    if program is None:
        return None, "node_exporter is not installed"
    port = _free_port()

    def scrape() -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            answer.read()

    with _peer([program, f"--web.listen-address=127.0.0.1:{port}"]) as pid:
        try:
            _until(scrape)
            return _cpu_of(pid, scrape, period_s=PERIOD_S, rounds=ROUNDS), ""
        except OSError as error:
            return None, f"node_exporter does not answer: {error}"


def _cpu_of(pid: int, ask: Callable[[], object], period_s: float, rounds: int) -> float:
    spent_s = 0.0
    for _ in range(rounds):
        time.sleep(period_s)
        before_s = _cpu_s(pid)
        ask()
        spent_s += _cpu_s(pid) - before_s
    return spent_s / rounds


def _cpu_s(pid: int) -> float:
    """CPU time of all threads of a process; in nanoseconds, where `stat` counts hundredths."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as stream:
            total += int(stream.read().split()[0])
    return total / 1e9


def _until(ask: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 10
    while True:
        try:
            ask()
            return
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _peer(words: list[str]) -> Iterator[int]:
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


@contextmanager
def agent_process(folder: Path) -> Iterator[tuple[int, int, str]]:
    """Pid, port and code of an agent in a process of its own.

    It runs from a copy whose modules are compiled, as those of an installed agent are: one that has to compile them
    itself, where Python may write no such files, holds some 0.6 MiB more.
    """
    program = _compiled(folder / "program")
    words = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(program)!r}); from main import main; main()",
    ]
    words += ["--home", str(folder / "home"), "agent", "run", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=program)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        code = process.stdout.readline().removeprefix("code: ").strip()
        yield process.pid, port, code
    finally:
        process.terminate()
        process.communicate(timeout=10)


def _compiled(folder: Path) -> Path:
    """A copy of what an agent is made of, compiled."""
    source = MAIN.parent
    folder.mkdir()
    shutil.copy(MAIN, folder)
    for name in ("core", "resources"):
        shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    parts = ("", "agent", "cli", "protocol", "transport")
    words = [sys.executable, "-m", "compileall", "-q", "-l", str(folder)]
    subprocess.run([*words, *(str(folder / "core" / part) for part in parts)], check=True)
    return folder


@contextmanager
def _sleepers() -> Iterator[None]:
    missing = max(0, PROCESSES - len(psutil.pids()))
    children = [subprocess.Popen(["sleep", "300"]) for _ in range(missing)]
    try:
        yield
    finally:
        for child in children:
            child.kill()
        for child in children:
            child.wait()
