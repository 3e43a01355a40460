"""A client of the room: with a server of ours it hears events, with any other that speaks the protocol plain lines."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Self

from core.errors import NothingListensError, RemoteProtocolError
from core.language import _
from core.protocol.chat import MessageStream
from core.protocol.chat_events import (
    Ask,
    Bye,
    Ended,
    Move,
    Say,
    ServerEvent,
    Stop,
    Told,
    Welcome,
    client_id,
    encode_hello,
    encode_line,
    parse_event,
    stop_proof,
)
from core.protocol.session import NeedData
from core.site_records import ChatKind
from core.transport.address import shown_address
from core.transport.tcp import open_socket

CONNECT_S = 5.0
SAY_LETTERS = 16_000
"""Of one request; a longer text is said in several: four bytes a letter are 64 KiB."""

APART_S = 0.08
"""Between two messages to a server that tells them apart by silence."""

FIRST_WORD_S = 3.0
"""A server that has not said anything for so long is not ours: ours welcomes its clients."""

_EVENT = b'{"event":'


@dataclass(frozen=True, slots=True)
class PlainLine:
    """What a server that is not ours has sent."""

    text: str


class ChatClient:
    """A client that is connected; `ChatClient.connect` makes one. All of it belongs to one loop."""

    def __init__(self, connected: tuple[asyncio.StreamReader, asyncio.StreamWriter], address: str) -> None:
        self.address = address
        self.name = ""
        """As the server says it, once `Welcome` has come."""
        self.room = ""
        self.present: set[str] = set()
        self.is_ours: bool | None = None
        """True for a server of ours; None before it has said anything."""
        self.has_ended = False
        """The server has said that it ends."""
        self._reader, self._writer = connected
        self._stream = MessageStream()
        self._secret = b""
        self._challenge = ""
        self._apart_s = 0.0
        self._is_known = asyncio.Event()
        self._is_endless = False

    @classmethod
    async def connect(cls, host: str, port: int, name: str, room: str = "", secret: bytes = b"") -> Self:
        """Connect and say hello. `secret` is that of the home, which never travels; raises TransportError."""
        address = shown_address(host, port)
        try:
            connected = await open_socket(host, port, CONNECT_S)
        except NothingListensError:
            raise NothingListensError(
                _("nothing listens at {address}; is the room open there, and the port right?").format(address=address)
            ) from None
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        client = cls(await asyncio.open_connection(sock=connected), address)
        client._secret = secret
        client.name, client.room = name, room
        client._writer.write(encode_hello(name, room, client_id(secret, address, name) if secret else ""))
        return client

    async def events(self) -> AsyncIterator[ServerEvent | PlainLine]:
        """What comes, until the server closes the link or `close` does."""
        first = b""
        while True:
            data = await self._read()
            if self.is_ours is None:
                first += data or b""
                if data and _EVENT.startswith(first[: len(_EVENT)]) and len(first) < len(_EVENT):
                    continue
                self.is_ours = self._stream.is_framed = first.startswith(_EVENT)
                data, ended = first, not data
            else:
                ended = data is not None and not data
            self._stream.receive_data(data or b"", asyncio.get_running_loop().time())
            if ended:
                self._stream.receive_end()
            while (text := self._next_text()) is not None:
                event = self._understood(text)
                self._is_known.set()
                if event is not None:
                    yield event
            if ended or self._is_endless:
                return

    def _next_text(self) -> str | None:
        """What the server has said next, None where nothing is whole."""
        try:
            text = self._stream.next_event()
        except RemoteProtocolError:
            self._is_endless = True  # a server that sends a line without end is none of ours
            return None
        return None if isinstance(text, NeedData) else text

    async def _read(self) -> bytes | None:
        """Bytes of the link, empty at its end; None when a plain line has ended by silence."""
        loop = asyncio.get_running_loop()
        deadline_s = self._stream.next_deadline()
        try:
            async with asyncio.timeout(None if deadline_s is None else max(0.0, deadline_s - loop.time())):
                return await self._reader.read(64 * 1024)
        except TimeoutError as error:
            if isinstance(error, OSError) and error.errno is not None:
                return b""  # of the link, not of the silence
            return None
        except OSError:
            return b""

    def _understood(self, text: str) -> ServerEvent | PlainLine | None:
        if not self.is_ours:
            return PlainLine(text)
        event = parse_event(text)
        if isinstance(event, Welcome):
            self.name, self.room, self._challenge = event.name, event.room, event.challenge
            self.present = set(event.present)
        elif isinstance(event, Told):
            if event.line.kind is ChatKind.JOINED:
                self.present.add(event.line.author)
            elif event.line.kind is ChatKind.LEFT:
                self.present.discard(event.line.author)
        elif isinstance(event, Ended):
            self.has_ended = True
        return event

    async def say(self, text: str, link: str | None = None) -> None:
        """Say `text`, in pieces where it is long."""
        for start in range(0, len(text), SAY_LETTERS):
            await self._send(Say(text=text[start : start + SAY_LETTERS], link=link), text[start : start + SAY_LETTERS])

    async def move(self, room: str) -> None:
        """Go to another room."""
        await self._send(Move(room=room), f"Hello|{self.name}|{room}")

    async def bye(self) -> None:
        """Leave; the server closes the link."""
        await self._send(Bye(), "bye")

    async def stop(self, word: str = "") -> None:
        """Ask the server to end: by the proof of its home, shown to this machine alone, or by its stop word."""
        await self._first_word()  # it holds what is to be proved
        is_here = self._writer.get_extra_info("peername", ("",))[0] in ("127.0.0.1", "::1")
        proof = stop_proof(self._secret, self._challenge) if self._secret and is_here else ""
        await self._send(Stop(proof=proof, word=word), f"arret {word}".strip())

    async def _send(self, ask: Ask, plain: str) -> None:
        """Send as the server understands it; what cannot be sent any more is told by the end of `events`."""
        await self._first_word()
        with contextlib.suppress(OSError):
            if self.is_ours:
                self._writer.write(encode_line(ask))
            else:
                wait_s = self._apart_s - asyncio.get_running_loop().time()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                self._writer.write(plain.encode("utf-8", "replace"))
                self._apart_s = asyncio.get_running_loop().time() + APART_S
            await self._writer.drain()

    async def _first_word(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_WORD_S):
                await self._is_known.wait()

    def close(self) -> None:
        """End the link."""
        self._writer.transport.abort()
