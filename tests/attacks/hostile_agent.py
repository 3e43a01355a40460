"""An agent that was taken over: paired and pinned, real TLS, and then whatever its script says.

A script is called with each message of the console; what it returns True for is not answered as an honest agent would.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from bench.simulated_agents import made_up_status
from core.protocol import messages
from core.protocol.frames import JSON_FRAME, LIMIT_AFTER_HELLO, FrameReader, encode_frame
from core.protocol.messages import Envelope, Hello, StatusMessage
from core.records import Level
from core.transport.identity import Identity
from core.transport.tls import agent_context

Script = Callable[["HostileLink", Envelope], bool]


def honest(_link: HostileLink, _envelope: Envelope) -> bool:
    """Does no harm."""
    return False


class HostileAgent:
    """A listener on 127.0.0.1; `script` may be changed at any time."""

    def __init__(self, identity: Identity, console_pem: str, script: Script = honest) -> None:
        self.script = script
        self.links: list[HostileLink] = []
        self.met = 0
        self.heard: list[Envelope] = []
        self.mistakes: list[Exception] = []
        self.port = 0
        self._context = agent_context(identity, [console_pem])
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> HostileAgent:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: HostileLink(self), "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._server is not None
        assert not self.mistakes, self.mistakes
        self._server.close()
        for link in list(self.links):
            link.end()
        for _turn in range(5):
            await asyncio.sleep(0.01)
        await self._server.wait_closed()

    def methods(self) -> list[str | None]:
        """What the console has said."""
        return [envelope.method for envelope in self.heard]


class HostileLink(asyncio.Protocol):
    """One link of it."""

    def __init__(self, agent: HostileAgent) -> None:
        self.agent = agent
        self.transport: Any = None
        self._frames = FrameReader(LIMIT_AFTER_HELLO)
        self._tasks: list[asyncio.Task[None]] = []
        self._ticking: list[asyncio.Task[None]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.agent.links.append(self)
        self.agent.met += 1

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self.agent.links:
            self.agent.links.remove(self)
        for task in self._tasks + self._ticking:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        self._frames.receive_data(data)
        while (frame := self._frames.next_frame()) is not None:
            envelope = messages.decode_envelope(frame[1])
            self.agent.heard.append(envelope)
            try:
                if not self.agent.script(self, envelope):
                    self._answer(envelope)
            except Exception as error:  # a script with a mistake proves nothing
                self.agent.mistakes.append(error)
                raise

    def raw(self, octets: bytes) -> None:
        """Octets as they are."""
        if not self.transport.is_closing():
            self.transport.write(octets)

    def text(self, payload: bytes) -> None:
        """A JSON frame with this payload, whatever it is."""
        self.raw((len(payload) + 1).to_bytes(4, "big") + bytes([JSON_FRAME]) + payload)

    def notify(self, method: str, params: object) -> None:
        """A notification."""
        self.raw(encode_frame(JSON_FRAME, messages.encode_notification(method, params)))

    def result(self, envelope: Envelope, result: object) -> None:
        """The answer to a request."""
        self.raw(encode_frame(JSON_FRAME, messages.encode_result(envelope.id or 0, result)))

    def status(self, number: int = 1, /, **changes: object) -> None:
        """A status with some of it changed."""
        told = StatusMessage(status=made_up_status(number, time.time()))
        self.notify("status", told if not changes else changed(told, changes))

    def flood(self, octets: bytes, *, at_once: int = 65536, for_s: float = 30.0) -> None:
        """Send this again and again, as fast as the console reads it."""

        async def go() -> None:
            piece = octets * max(1, at_once // len(octets))
            end_s = time.monotonic() + for_s
            while not self.transport.is_closing() and time.monotonic() < end_s:
                if self.transport.get_write_buffer_size() <= 1 << 20:
                    self.transport.write(piece)
                await asyncio.sleep(0.001 if self.transport.get_write_buffer_size() > 1 << 20 else 0)

        self.later(go())

    def later(self, work: Any) -> None:
        """Go on with this while the link lives."""
        self._tasks.append(asyncio.ensure_future(work))

    def end(self) -> None:
        """Break the link."""
        for task in self._tasks + self._ticking:
            task.cancel()
        self.transport.abort()

    async def _tick(self) -> None:
        number = 0
        while True:
            number += 1
            self.status(number)
            await asyncio.sleep(0.2)

    def _answer(self, envelope: Envelope) -> None:
        if envelope.method == "hello":
            self.result(envelope, Hello(name="evil", run_id="run-1", time_s=time.time(), level=Level.RUN))
        elif envelope.method == "subscribe":
            self.result(envelope, {})
            for task in self._ticking:
                task.cancel()
            self._ticking = [asyncio.ensure_future(self._tick())]


def changed(told: StatusMessage, changes: dict[str, object]) -> dict[str, Any]:
    """The status as plain JSON with other values in it; `cpu__percent` is within a section."""
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(told)
    plain["is_missed"] = changes.pop("is_missed", False)
    for name, value in changes.items():
        place = plain["status"]
        *path, last = name.split("__")
        for part in path:
            place = place[part]
        place[last] = value
    return plain
