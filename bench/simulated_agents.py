"""Light agents that speak the real wire from one process: 2,000 links for the bench, faults on demand for the tests.

    python -m bench.simulated_agents FOLDER CONSOLE_CERTIFICATE

listens on a port of 127.0.0.1, prints `listening on HOST:PORT`, and answers every link as an agent of its own. What
it tells is made up; what it costs its console is what real agents cost.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
import sys
import time
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from bench.simulated_details import made_up_page, made_up_temperatures, made_up_uses
from core.protocol import messages
from core.protocol.frames import JSON_FRAME, LIMIT_AFTER_HELLO, FrameReader, encode_frame, encode_output
from core.protocol.messages import (
    Envelope,
    ExecAccepted,
    ExecDenied,
    ExecExit,
    ExecOpened,
    ExecStart,
    Hello,
    ProcessPage,
    StatusMessage,
    Subscribe,
)
from core.records import Cpu, Disk, DiskIo, Level, Memory, Network, Process, Status, Swap, System, TopProcess
from core.transport.identity import Identity, ensure_identity, fingerprint_of
from core.transport.tls import agent_context

GIB = 1 << 30
REFRESH_S = 10.0
"""How often an agent sends what it refreshes seldom: its busiest processes and its temperatures."""


def made_up_status(number: int, time_s: float) -> Status:
    """A status as rich as a server of eight cores sends."""
    return Status(
        number=number,
        time_s=time_s,
        system=System(
            hostname="simulated",
            os="Debian GNU/Linux",
            os_version="12 (bookworm)",
            kernel="6.1.0-18-amd64",
            architecture="x86_64",
            ip_addresses=("10.0.0.1", "fe80::5054:ff:fe12:3456"),
            uptime_s=number * 1.0,
            python="3.11.2",
        ),
        cpu=Cpu(percent=number % 100 * 1.0, per_core_percent=(12.5,) * 8, load_average=(0.5, 0.4, 0.3)),
        memory=Memory(
            total_bytes=16 * GIB, used_bytes=4 * GIB, free_bytes=8 * GIB, available_bytes=11 * GIB, percent=31.2
        ),
        swap=Swap(total_bytes=GIB, used_bytes=0),
        disks=(Disk(mount="/", total_bytes=100 * GIB, used_bytes=40 * GIB),),
        disk_io=DiskIo(read_bytes_per_s=1024.0, written_bytes_per_s=2048.0),
        network=Network(received_bytes_per_s=4096.0, sent_bytes_per_s=512.0),
        process_count=287,
        top_process=TopProcess(name="postgres", pid=4242, cpu_percent=3.5),
    )


class SimulatedAgents:
    """A listener on 127.0.0.1 whose links each behave as an agent; attributes change how, from one moment to the next.

    `is_mute`: links stay and no status comes. `is_refreshing`: the first status of a link, and one each 10 s, has the
    busiest processes and the temperatures too. `answers_hello`: False stays silent. `held` are the commands met.
    """

    def __init__(self, identity: Identity, console_pem: str, *, time_offset_s: float = 0.0) -> None:
        self.identity = identity
        self.links: set[_Link] = set()
        self.starts: list[ExecStart] = []
        self.acknowledged: list[str] = []
        self.console_pem = console_pem
        self.is_mute = False
        self.is_refreshing = False
        self.answers_hello = True
        self.run_id = "run-1"
        self.major = messages.PROTOCOL_MAJOR
        self.number = 0
        self.time_offset_s = time_offset_s
        self.missed: list[Status] = []
        self.held: dict[str, tuple[ExecStart, ExecExit | None]] = {}
        self.started_in: dict[str, str] = {}
        self.port = 0
        self._context = agent_context(identity, [console_pem])
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Link(self), "127.0.0.1", port, ssl=self._context, backlog=4096)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and break all links."""
        if self._server is not None:
            self._server.close()
            self.drop()
            for _turn in range(5):
                await asyncio.sleep(0.01)
            await self._server.wait_closed()
            self._server = None

    def drop(self) -> None:
        """Break all links at once."""
        for link in list(self.links):
            link.abort()

    async def __aenter__(self) -> SimulatedAgents:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

    def status(self) -> Status:
        """The next status."""
        self.number += 1
        return made_up_status(self.number, time.time() + self.time_offset_s)


class _Link(asyncio.Protocol):
    def __init__(self, agents: SimulatedAgents) -> None:
        self._agents = agents
        self._reader = FrameReader()
        self._transport: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._streams = 0
        self._interval_s = 1.0
        self._refreshed_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._agents.links.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._agents.links.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def abort(self) -> None:
        self._transport.abort()

    def send_raw(self, octets: bytes) -> None:
        self._transport.write(octets)

    def data_received(self, data: bytes) -> None:
        self._reader.receive_data(data)
        while (frame := self._reader.next_frame()) is not None:
            self._on_message(messages.decode_envelope(frame[1]))

    def _send(self, payload: bytes) -> None:
        self._transport.write(encode_frame(JSON_FRAME, payload))

    def _on_message(self, envelope: Envelope) -> None:
        agents = self._agents
        number = envelope.id or 0
        if envelope.method == "hello" and agents.answers_hello:
            self._reader.set_limit(LIMIT_AFTER_HELLO)
            now_s = time.time() + agents.time_offset_s
            hello = Hello(
                major=agents.major, name="simulated", os="Linux", run_id=agents.run_id, time_s=now_s, level=Level.RUN
            )
            self._send(messages.encode_result(number, hello))
        elif envelope.method == "subscribe":
            subscription = messages.decode_as(Subscribe, envelope.params)
            self._interval_s = subscription.interval_s
            self._send(messages.encode_result(number, {}))
            if subscription.run_id == agents.run_id and subscription.after is not None:
                for status in agents.missed:
                    if status.number > subscription.after:
                        self._send(messages.encode_notification("status", StatusMessage(status=status, is_missed=True)))
            if self._timer is not None:
                self._timer.cancel()
            self._tick()
        elif envelope.method == "processes":
            for pid in (1, 2):
                page = ProcessPage(time_s=time.time(), processes=(_made_up_process(pid),), is_last=pid == 2)
                self._send(messages.encode_result(number, page))
        elif envelope.method in ("services", "sessions", "ports", "policy", "consoles.list"):
            page = made_up_page(envelope.method, fingerprint_of(ssl.PEM_cert_to_DER_cert(agents.console_pem)))
            self._send(messages.encode_result(number, page))
        elif envelope.method == "exec.fetch":
            self._fetch(number, messages.decode_as(messages.ExecReference, envelope.params).exec_id)
        elif envelope.method == "exec.start":
            self._start(number, messages.decode_as(ExecStart, envelope.params))
        elif envelope.method == "exec.cancel":
            exec_id = messages.decode_as(messages.ExecReference, envelope.params).exec_id
            if exec_id in agents.held:
                ended = ExecExit(exec_id=exec_id, state="cancelled", exit_status=None, dropped_bytes=0, duration_s=0.5)
                self._send(messages.encode_notification("exec.exit", ended))
        elif envelope.method == "exec.acknowledge":
            exec_id = messages.decode_as(messages.ExecReference, envelope.params).exec_id
            agents.acknowledged.append(exec_id)
            agents.held.pop(exec_id, None)

    def _tick(self) -> None:
        if not self._agents.is_mute:
            status = self._agents.status()
            now_s = asyncio.get_running_loop().time()
            if self._agents.is_refreshing and now_s - self._refreshed_s >= REFRESH_S:
                self._refreshed_s = now_s
                uses, celsius = made_up_uses(status.number), made_up_temperatures(status.number)
                status = replace(status, top_processes=uses, temperatures=celsius)
            self._send(messages.encode_notification("status", StatusMessage(status=status)))
        self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._tick)

    def _fetch(self, number: int, exec_id: str) -> None:
        """Tell again what is held, as an agent does; what is not held was never run."""
        agents = self._agents
        held = agents.held.get(exec_id)
        reason = "unknown" if held is None or held[1] is None else ""
        if agents.started_in.get(exec_id, agents.run_id) != agents.run_id:
            reason = "lost"
        if reason or held is None or held[1] is None:
            denied = ExecDenied(reason=reason, rule="it has no result of this command")
            self._send(messages.encode_error(number, messages.DENIED, reason, denied))
            return
        self._streams += 1
        self._send(messages.encode_result(number, ExecAccepted(exec_id=exec_id)))
        self._send(messages.encode_notification("exec.opened", ExecOpened(exec_id=exec_id, stream=self._streams)))
        if held[0].words[0] != "hang":
            self._send(messages.encode_notification("exec.exit", held[1]))

    def _start(self, number: int, start: ExecStart) -> None:
        agents = self._agents
        agents.starts.append(start)
        if start.words[0] == "crash":
            self.abort()
            return
        agents.started_in[start.exec_id] = agents.run_id
        if start.words[0] == "reboot":
            denied = ExecDenied(reason="policy", rule="no rule allows reboot", policy_line='[[command]] id = "reboot"')
            self._send(messages.encode_error(number, messages.DENIED, "not allowed", denied))
            return
        self._streams += 1
        self._send(messages.encode_result(number, ExecAccepted(exec_id=start.exec_id)))
        self._send(messages.encode_notification("exec.opened", ExecOpened(exec_id=start.exec_id, stream=self._streams)))
        text = " ".join(start.words[1:]).encode() + b"\n"
        if start.words[0] == "raw":
            text = bytes.fromhex(start.words[1])
        for position in range(0, len(text), 7):
            self._transport.write(encode_output(self._streams, 1, text[position : position + 7]))
        ended = ExecExit(exec_id=start.exec_id, state="ok", exit_status=0, dropped_bytes=0, duration_s=0.01)
        agents.held[start.exec_id] = (start, ended)
        if start.words[0] == "break":
            agents.held[start.exec_id] = (ExecStart(exec_id="x", words=("echo",), timeout_s=1), ended)
            if sum(known.exec_id == start.exec_id for known in agents.starts) == 1:
                self.abort()
                return
        if start.words[0] != "hang":
            self._send(messages.encode_notification("exec.exit", ended))


def _made_up_process(pid: int) -> Process:
    return Process(
        pid=pid,
        parent_pid=0,
        name="init\x1b[2J",
        user="root",
        cpu_percent=0.5 * pid,
        memory_bytes=pid << 20,
        status="sleeping",
        started_s=1.7e9,
        command_line="/sbin/init\nsplash",
    )


def half_a_frame() -> bytes:
    """The beginning of a frame that never goes on."""
    return struct.pack("!IB", 100, 0) + b'{"json'


async def _serve(folder: Path, console_pem: str) -> None:
    agents = SimulatedAgents(ensure_identity(folder, "simulated"), console_pem)
    agents.is_refreshing = True
    await agents.start()
    print(f"listening on 127.0.0.1:{agents.port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (min(16384, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    asyncio.run(_serve(Path(sys.argv[1]), Path(sys.argv[2]).read_text(encoding="ascii")))
