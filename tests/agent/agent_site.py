"""A real agent in the test's own loop, and a console that speaks to it frame by frame."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from core.agent.consoles import AuthorizedConsole, Consoles
from core.agent.desks import open_desks
from core.agent.environment import platform_name
from core.agent.pairing import PairingDesk, open_window
from core.agent.platform_collector import new_collector
from core.agent.policy import DEFAULT_COMMANDS, Command, Policy
from core.agent.server import AgentServer
from core.audit import AuditLog
from core.home import make_private_folder
from core.protocol import messages
from core.protocol.frames import JSON_FRAME, LIMIT_AFTER_HELLO, FrameReader, decode_output, encode_frame
from core.protocol.messages import Envelope, Hello
from core.records import Level
from core.transport.identity import Identity
from core.transport.tls import console_context

CODE = "ABCDE12345"


class Agent:
    """One agent; `port` is known once it listens."""

    def __init__(self, folder: Path, identity: Identity, commands: tuple[Command, ...] = ()) -> None:
        self.folder = make_private_folder(folder)
        self.identity = identity
        self.consoles = Consoles(folder)
        self.consoles.refresh()
        self.desk = PairingDesk(folder, identity, self.consoles, Level.RUN)
        self.audit_path = folder / "audit.log"
        self.commands = commands
        self.max_level = Level.RUN
        self.is_view_only = False
        self.server: AgentServer
        self.port = 0

    @property
    def executor(self) -> Any:
        """The executor of its desk of commands."""
        return next(desk.executor for desk in self.server._desks if hasattr(desk, "executor"))

    def trust(self, console: Identity, **line: Any) -> None:
        """Write a console's line, as the administrator does."""
        line.setdefault("level", Level.RUN)
        entry = AuthorizedConsole(fingerprint=console.fingerprint, name=console.name, **line)
        Consoles(self.folder).add(entry, console.certificate_pem)

    def open_pairing(self, code: str = CODE, level: Level = Level.RUN, minutes: float = 10.0) -> None:
        """As `agent pair` does."""
        open_window(self.folder, code, level, time.time() + minutes * 60)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Agent]:
        """The agent serves inside."""
        collector = new_collector(time.monotonic())
        self.server = AgentServer(
            self.folder, self.identity, self.desk, self.consoles, collector, AuditLog(self.audit_path),
            self.max_level, is_view_only=self.is_view_only,
        )  # fmt: skip
        has_file = (self.folder / "policy.toml").exists()
        policy = Policy((*self.commands, *DEFAULT_COMMANDS), platform_name())
        open_desks(self.server, self.folder / "policy.toml" if has_file else policy)
        _host, self.port = await self.server.listen("127.0.0.1", 0)
        task = asyncio.ensure_future(self.server.serve())
        await asyncio.sleep(0)
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() or task.exception() is None


class Console:
    """A link to an agent, seen frame by frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.frames = FrameReader(LIMIT_AFTER_HELLO)
        self.count = 0
        self.output: dict[int, bytearray] = {}
        self.others: list[Envelope] = []

    @classmethod
    async def connect(cls, agent: Agent, identity: Identity, *, greet: bool = True) -> Console:
        """A link under the agent's pin; with `greet` after hello."""
        context = console_context(identity, [agent.identity.certificate_pem])
        console = cls(*await asyncio.open_connection("127.0.0.1", agent.port, ssl=context, server_hostname=""))
        if greet:
            console.hello = await console.ask("hello", Hello(name="test"), Hello)
        return console

    async def frame(self, timeout_s: float = 5.0) -> tuple[int, bytes]:
        """The next frame; raises EOFError at the end of the link."""
        async with asyncio.timeout(timeout_s):
            while (found := self.frames.next_frame()) is None:
                data = await self.reader.read(65536)
                if not data:
                    raise EOFError
                self.frames.receive_data(data)
        return found

    async def message(self, timeout_s: float = 5.0) -> Envelope:
        """The next JSON message; output that comes before it is kept in `output`, by fd."""
        while True:
            kind, payload = await self.frame(timeout_s)
            if kind == JSON_FRAME:
                return messages.decode_envelope(payload)
            _stream, fd, data = decode_output(payload)
            self.output.setdefault(fd, bytearray()).extend(data)

    async def notification(self, method: str, timeout_s: float = 5.0) -> Envelope:
        """The next notification of this name; others are kept in `others`."""
        while True:
            found = await self.message(timeout_s)
            if found.method == method:
                return found
            self.others.append(found)

    async def ask(self, method: str, params: object, kind: Any = None, timeout_s: float = 5.0) -> Any:
        """The answer to a request: its result as `kind`, or the Envelope."""
        self.send_request(method, params)
        number = self.count
        while True:
            found = await self.message(timeout_s)
            if found.id == number and found.method is None:
                return found if kind is None else messages.decode_as(kind, found.result)
            self.others.append(found)

    def send_request(self, method: str, params: object) -> None:
        """Send a request and do not wait."""
        self.count += 1
        self.writer.write(encode_frame(JSON_FRAME, messages.encode_request(self.count, method, params)))

    def notify(self, method: str, params: object) -> None:
        """Send a notification."""
        self.writer.write(encode_frame(JSON_FRAME, messages.encode_notification(method, params)))

    async def run(
        self, *words: str, exec_id: str = "e1", timeout_s: float = 20.0, credit: bool = True
    ) -> messages.ExecExit | messages.ExecDenied:
        """Run a command to its end; its output is in `output`."""
        self.output.clear()
        start = messages.ExecStart(exec_id=exec_id, words=words, timeout_s=timeout_s, operator="tester")
        answer = await self.ask("exec.start", start)
        if answer.error is not None:
            return messages.decode_as(messages.ExecDenied, answer.error.data)
        seen = 0
        while True:
            kind, payload = await self.frame(30.0)
            if kind != JSON_FRAME:
                _stream, fd, data = decode_output(payload)
                self.output.setdefault(fd, bytearray()).extend(data)
                seen += len(data)
                if credit and seen >= 32768:
                    self.notify("exec.credit", messages.ExecCredit(exec_id=exec_id, octets=seen))
                    seen = 0
                continue
            found = messages.decode_envelope(payload)
            if found.method == "exec.exit":
                ended = messages.decode_as(messages.ExecExit, found.params)
                if ended.exec_id == exec_id:
                    return ended
            self.others.append(found)

    async def ends(self, timeout_s: float = 5.0) -> None:
        """Return once the agent has closed the link."""
        try:
            while True:
                await self.frame(timeout_s)
        except TimeoutError:
            raise AssertionError("the link is still open") from None
        except (EOFError, OSError):
            return

    async def close(self) -> None:
        """Close from our side."""
        self.writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def serving(answer: Any, context: Any = None) -> AsyncIterator[int]:
    """A server of the test's own at the port that is given; nothing of it is left behind."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        try:
            await answer(reader, writer)
        except (asyncio.CancelledError, OSError, EOFError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.05)
