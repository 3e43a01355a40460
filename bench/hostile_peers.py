"""10,000 links without a certificate on one agent, while a console that it trusts is served.

    python -m bench.hostile_peers flood KIND COUNT PORT

opens links as fast as it can, holds them as long as the agent does, and prints how many were opened. A link is `idle`
(says nothing), `half` (begins a handshake and does not go on), `tls` (a whole handshake without a certificate),
`stranger` (one with a certificate that is not pinned), or all of these in turn (`mixed`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench import Row
from core.agent.consoles import AuthorizedConsole, Consoles
from core.home import Home
from core.records import Level, Machine, MachineReport
from core.services.agent_poller import AgentPoller
from core.site_records import Record
from core.transport.identity import Identity, ensure_identity
from core.transport.tls import console_context, pairing_context

ROOT = Path(__file__).resolve().parents[1]
COUNT = 10_000
INTERVAL_S = 0.5
KINDS = ("idle", "half", "tls", "stranger")
_HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
_AT_ONCE = 400
_HELD_S = 0.2


class AgentProcess:
    """An agent of a home of its own, started as its users start it; it trusts `consoles`."""

    def __init__(
        self,
        folder: Path,
        consoles: dict[Identity, Level],
        policy: str = "",
        *,
        listen: str = "127.0.0.1:0",
        before: tuple[str, ...] = (),
    ) -> None:
        home = Home(folder).make()
        self.identity = ensure_identity(home.agent_path, "victim")
        self.folder = home.agent_path
        for console, level in consoles.items():
            self.trust(console, level)
        if policy:
            path = self.folder / "policy.toml"
            path.write_text(policy)
            path.chmod(0o600)
        self._home, self._listen, self._before = folder, listen, before
        self.port = 0
        self._child: subprocess.Popen[str] | None = None
        self.start()

    def trust(self, console: Identity, level: Level = Level.RUN) -> None:
        """Write a console's line."""
        line = AuthorizedConsole(fingerprint=console.fingerprint, name=console.name, level=level)
        Consoles(self.folder).add(line, console.certificate_pem)

    def start(self) -> None:
        """Start, and return once it listens."""
        words = [*self._before, sys.executable, "main.py", "--home", str(self._home), "agent", "run"]
        words += ["--listen", self._listen]
        self._child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self._child.stdout is not None
        self.port = int(self._child.stdout.readline().rpartition(":")[2])

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._child is not None
        return self._child.pid

    def memory_mib(self) -> float:
        """Its resident memory now."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return float("nan")

    def open_files(self) -> int:
        """How many files and links it holds."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def machine(self, name: str = "victim") -> Machine:
        """As its consoles know it."""
        return Machine(
            name=name,
            host="127.0.0.1",
            port=self.port,
            fingerprint=self.identity.fingerprint,
            certificate_pem=self.identity.certificate_pem,
        )

    def stop(self) -> None:
        """End it."""
        if self._child is not None:
            self._child.terminate()
            self._child.communicate(timeout=15)
            self._child = None


@dataclass
class Served:
    """What a flood did to an agent and to the console that it trusts."""

    opened: int
    seconds: float
    longest_gap_s: float
    second_console_s: float
    before_mib: float
    after_mib: float
    most_files: int


async def under_flood(agent: AgentProcess, console: Identity, kind: str, count: int) -> Served:
    """Flood `agent` from another process while `console` polls it and comes once more."""
    heard: list[float] = []

    def publish(record: Record) -> None:
        if isinstance(record, MachineReport) and record.is_new:
            heard.append(time.monotonic())

    poller = AgentPoller(console, publish, INTERVAL_S, INTERVAL_S)
    poller.set_machines([agent.machine()])
    task = asyncio.create_task(poller.run())
    try:
        await poller.settled(10, with_status=True)
        before_mib, began_s = agent.memory_mib(), time.monotonic()
        flood = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.hostile_peers", "flood", kind, str(count), str(agent.port)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        assert flood.stdout is not None
        first = await flood.stdout.readline()  # it begins
        assert first == b"go\n", first
        second_s, most_files = await _second_console(agent, console), 0
        ended = asyncio.ensure_future(flood.communicate())
        while not ended.done():
            most_files = max(most_files, agent.open_files())
            await asyncio.sleep(0.05)
        opened = int(ended.result()[0].split()[-1])
        seconds = time.monotonic() - began_s
        await asyncio.sleep(2 * INTERVAL_S)
        gaps = [later - earlier for earlier, later in zip(heard, [*heard[1:], time.monotonic()], strict=True)]
        return Served(opened, seconds, max(gaps), second_s, before_mib, agent.memory_mib(), most_files)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _second_console(agent: AgentProcess, console: Identity) -> float:
    """Seconds until one more link of a trusted console was greeted in the middle of the flood."""
    began_s = time.monotonic()
    poller = AgentPoller(console, lambda record: None, 5.0, 5.0)
    poller.set_machines([agent.machine()])
    task = asyncio.create_task(poller.run())
    try:
        while time.monotonic() - began_s < 30:
            await poller.settled(30)
            if poller.reports()[0].error is None:
                return time.monotonic() - began_s
            await asyncio.sleep(0.05)
        return float("inf")
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _flood(kind: str, count: int, port: int) -> int:
    """Open `count` links; how many were."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(20_000, hard), hard))
    strange = pairing_context()
    with tempfile.TemporaryDirectory() as name:
        certain = console_context_of(ensure_identity(Path(name), "stranger")) if kind in ("stranger", "mixed") else None
    slots = asyncio.Semaphore(_AT_ONCE)
    held: list[asyncio.StreamWriter] = []
    opened = 0
    print("go", flush=True)

    async def one(number: int) -> None:
        nonlocal opened
        what = KINDS[number % len(KINDS)] if kind == "mixed" else kind
        async with slots:
            try:
                context = {"tls": strange, "stranger": certain}.get(what)
                more = {"ssl": context, "server_hostname": ""} if context is not None else {}
                async with asyncio.timeout(10):
                    _reader, writer = await asyncio.open_connection("127.0.0.1", port, **more)  # type: ignore[arg-type]  # as its overloads name them
                opened += 1
                held.append(writer)
                if what == "half":
                    writer.write(_HALF_HELLO)
                if len(held) > 4 * _AT_ONCE:
                    held.pop(0).transport.abort()
            except (OSError, TimeoutError):
                opened += 1  # taken in and thrown out again

    await asyncio.gather(*(one(number) for number in range(count)))
    await asyncio.sleep(_HELD_S)
    for writer in held:
        writer.transport.abort()
    await asyncio.sleep(0)
    return opened


def console_context_of(identity: Identity) -> object:
    """A context that shows a certificate which nobody has pinned, and takes any."""
    import ssl

    context = console_context(identity, [])
    context.verify_mode = ssl.CERT_NONE
    return context


def run(count: int = COUNT) -> list[Row]:
    """A row for each kind of stranger."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        console = ensure_identity(Path(name) / "console", "trusted")
        for kind in (*KINDS, "mixed"):
            agent = AgentProcess(Path(name) / kind, {console: Level.RUN})
            try:
                served = asyncio.run(under_flood(agent, console, kind, count))
            finally:
                agent.stop()
            note = (
                f"{served.opened} links in {served.seconds:.1f} s; memory {served.before_mib:.1f} → "
                f"{served.after_mib:.1f} MiB; at most {served.most_files} files; second console "
                f"{served.second_console_s:.2f} s"
            )
            longest = served.longest_gap_s
            is_reached = longest < 3 * INTERVAL_S and served.after_mib - served.before_mib < 16
            rows.append(
                Row(f"longest silence under {count} links, {kind}", longest, None, None, "s", "< 1.5", is_reached, note)
            )
    return rows


if __name__ == "__main__":
    if sys.argv[1:2] == ["flood"]:
        print(asyncio.run(_flood(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
    else:
        for found in run(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT):
            print(found.work, f"{found.ours:.2f} s", found.reached, found.note)
