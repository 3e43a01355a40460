"""One command on 200 machines: over open links, and from a cold command line; beside clush and asyncssh.

All run `true` for real, 200 times, on this one machine, and tell each exit: ours through 200 real agents (their
policy, executor, children and audit logs; 50 in each of four processes), asyncssh through one server process that
holds 200 links open, clush by starting `true` itself and by ssh to an sshd here. Ours gathers the answers as `run
--gather` does, within the time. 16 agents as programs of their own stand beside as many links of asyncssh.

With agents simulated in another process, which answer at once, what is left is the console's own share: the audit
log on disk before the first octet leaves, 200 requests, 200 answers. The floor is a bare asyncio protocol that sends
the same requests over links as open and looks for the ends of the commands.
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
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench import Row, ssh_peers
from bench.poll_2000 import machines_at, simulated_agents
from core.audit import AuditLog
from core.gather import gather
from core.home import Home
from core.protocol import messages
from core.protocol.frames import JSON_FRAME, encode_frame
from core.records import CommandState, Level, Machine
from core.services.agent_poller import AgentPoller
from core.services.commands import new_request
from core.store.history import History
from core.transport.identity import Identity, ensure_identity
from core.transport.tls import console_context

COUNT = 200
PROCESSES = 4
PROGRAMS = 16
ROUNDS = 7
GOAL_S, COLD_GOAL_S = 0.3, 2.0
GOAL_RATIO = 0.37 / 0.3
"""Where asyncssh took 0.37 s, 0.3 s was the goal; on another machine, or a busy one, the goal is that ratio."""


async def _over_open_links(machines: list[Machine], console: Identity, folder: Path) -> float:
    """Median seconds from submit to the last exit, all of them ok and their answers gathered."""
    poller = AgentPoller(console, lambda record: None, 5.0, 5.0, AuditLog(folder / "audit.log"))
    poller.set_machines(machines)
    task = asyncio.create_task(poller.run())
    try:
        await poller.settled(60)
        elapsed: list[float] = []
        for _round in range(ROUNDS):
            request = new_request(["true"], [machine.name for machine in machines], 30, "bench", time.time())
            start_s = time.perf_counter()
            results = await poller.execute(request)
            groups = gather(results)
            elapsed.append(time.perf_counter() - start_s)
            bad = [result for result in results if result.state is not CommandState.OK]
            if bad or len(results) != len(machines) or len(groups) != 1:
                raise ValueError(f"{len(bad)} of {len(results)} are not ok, {len(groups)} groups: {bad[:1]}")
            await asyncio.sleep(0.2)
        return statistics.median(elapsed)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.contextmanager
def _children(commands: list[list[str]], lines: int) -> Iterator[list[list[str]]]:
    """Start programs, and wait for so many lines of each; they end with the block."""
    started = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for words in commands]
    try:
        yield [[child.stdout.readline() for _line in range(lines)] for child in started if child.stdout is not None]
    finally:
        for child in started:
            child.terminate()
        for child in started:
            child.communicate(timeout=20)


def _machines(names: list[str], ports: list[int], agents: list[Identity]) -> list[Machine]:
    return [
        Machine(
            name=name,
            host="127.0.0.1",
            port=port,
            fingerprint=agent.fingerprint,
            certificate_pem=agent.certificate_pem,
        )
        for name, port, agent in zip(names, ports, agents, strict=True)
    ]


@contextlib.contextmanager
def _real_agents(folder: Path, console: Identity) -> Iterator[list[Machine]]:
    """200 of them, in four processes."""
    each = COUNT // PROCESSES
    folders = [folder / f"agents-{number}" for number in range(PROCESSES)]
    agents = [ensure_identity(one, "real") for one in folders]
    commands = [
        [sys.executable, "-m", "bench.real_agents", str(one), str(console.certificate_path), str(each)]
        for one in folders
    ]
    with _children(commands, each) as said:
        ports = [_port(line) for lines in said for line in lines]
        owners = [agent for agent in agents for _number in range(each)]
        yield _machines([f"pc-{number:03}" for number in range(COUNT)], ports, owners)


@contextlib.contextmanager
def _agent_programs(folder: Path, console: Identity) -> Iterator[list[Machine]]:
    """16 of them, each as a user starts it."""
    from core.agent.consoles import AuthorizedConsole, Consoles

    commands, agents = [], []
    for number in range(PROGRAMS):
        home = Home(folder / f"program-{number}").make()
        agents.append(ensure_identity(home.agent_path, "program"))
        line = AuthorizedConsole(fingerprint=console.fingerprint, level=Level.RUN, name="bench")
        Consoles(home.agent_path).add(line, console.certificate_pem)
        words = [sys.executable, "main.py", "--home", str(home.path), "agent", "run", "--listen", "127.0.0.1:0"]
        commands.append(words)
    with _children(commands, 1) as said:
        names = [f"program-{number:02}" for number in range(PROGRAMS)]
        yield _machines(names, [_port(lines[0]) for lines in said], agents)


def _port(line: str) -> int:
    return int(line.rpartition(":")[2])


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
        start = messages.ExecStart(exec_id=exec_id, words=("true",), timeout_s=30.0)
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


def _cold(home: Home, machines: list[Machine]) -> float:
    """Median seconds of `beffroi run all -- true`, process start and end included."""
    with History.open(home.database_path) as history:
        for known in history.machines():
            history.remove_machine(known.name)
        history.save_machines(machines)
    words = [sys.executable, "main.py", "--home", str(home.path), "--json", "run", "all", "--", "true"]
    elapsed: list[float] = []
    for _round in range(3):
        start_s = time.perf_counter()
        done = subprocess.run(words, capture_output=True, check=True, env={**os.environ, "LANGUAGE": "en"})
        elapsed.append(time.perf_counter() - start_s)
        results = json.loads(done.stdout)["results"]
        if len(results) != len(machines) or any(result["state"] != "ok" for result in results):
            raise ValueError("not all are ok from the command line")
    return statistics.median(elapsed)


def _beside(work: str, ours_s: float, note: str, peer: str, measure: Callable[[], float] | str) -> Row:
    """Ours beside a peer, or the reason why it is missing."""
    peer_s, said = None, note
    if isinstance(measure, str):
        said = f"{note}; {measure}"
    else:
        try:
            peer_s = measure()
        except (OSError, subprocess.SubprocessError) as error:
            said = f"{note}; the peer could not be run: {error}"
    ratio = None if peer_s is None else peer_s / ours_s
    is_reached = ours_s <= GOAL_S or (ratio is not None and ratio >= GOAL_RATIO)
    return Row(f"{work}: {peer}", ours_s, peer_s, ratio, "s", "<= 0.3 or ratio >= 1.23", is_reached, said)


def _asyncssh(folder: Path, count: int) -> Callable[[], float] | str:
    if not ssh_peers.has_asyncssh():
        return ssh_peers.NO_ASYNCSSH
    return partial(ssh_peers.asyncssh_s, folder, count, ROUNDS)


def _clush_local() -> Callable[[], float] | str:
    return ssh_peers.NO_CLUSH if ssh_peers.clush_program() is None else partial(ssh_peers.clush_local_s, COUNT, 3)


def _clush_ssh(folder: Path) -> Callable[[], float] | str:
    if ssh_peers.clush_program() is None:
        return ssh_peers.NO_CLUSH
    return ssh_peers.NO_SSHD if ssh_peers.sshd_program() is None else partial(ssh_peers.clush_ssh_s, folder, COUNT)


def run() -> list[Row]:
    """Ours and the peers with real `true`, then the console's own share."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = Home(folder / "home").make()
        console = ensure_identity(home.console_path, "bench")
        with _real_agents(folder, console) as machines:
            real_s = asyncio.run(_over_open_links(machines, console, folder))
            cold_real_s = _cold(home, machines)
        work, note = f"{COUNT} × `true`", f"{COUNT} real agents in {PROCESSES} processes of this machine"
        rows.append(_beside(work, real_s, note, "asyncssh, links open", _asyncssh(folder / "asyncssh", COUNT)))
        rows.append(_beside(work, real_s, note, "clush, local", _clush_local()))
        rows.append(_beside(work, real_s, note, "clush over ssh to one sshd", _clush_ssh(folder / "ssh")))
        with _agent_programs(folder, console) as machines:
            programs_s = asyncio.run(_over_open_links(machines, console, folder))
        work, note = f"{PROGRAMS} × `true`", f"{PROGRAMS} agents, each a program with a home of its own"
        rows.append(_beside(work, programs_s, note, "asyncssh, links open", _asyncssh(folder / "small", PROGRAMS)))
        agent = ensure_identity(folder / "agent", "simulated")
        with simulated_agents(folder / "agent", console) as port:
            machines = machines_at(port, agent, COUNT)
            warm_s = asyncio.run(_over_open_links(machines, console, folder))
            floor_s = asyncio.run(_floor(port, agent, console))
            cold_s = _cold(home, machines)
    work = f"one command on {COUNT} machines"
    note = "agents simulated; the peer is bare asyncio TLS, with no audit log and no results"
    cold = "process start and 200 handshakes included"
    return [
        *rows,
        _cold_row(f"{COUNT} × `true`, cold command line", cold_real_s, f"200 real agents here; {cold}"),
        Row(f"{work}, links open", warm_s, floor_s, floor_s / warm_s, "s", "<= 0.3", warm_s <= GOAL_S, note),
        _cold_row(f"{work}, cold command line", cold_s, f"agents simulated; {cold}"),
    ]


def _cold_row(work: str, ours_s: float, note: str) -> Row:
    return Row(work, ours_s, None, None, "s", "<= 2", ours_s <= COLD_GOAL_S, note)


if __name__ == "__main__":
    for row in run():
        print(row)
