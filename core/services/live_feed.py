"""The feed that `collect` offers to a window of the same home, and what the window asks over it.

A Unix socket in the home (0700), or a port of the loopback where the platform has none or its path is too long. Where
it is, and the token that a reader must show, stand in `collect.feed` (0600): who may read the home may listen.

A message is `u32 length | MessagePack`, the length big-endian. To the window go pairs of a kind and its value: first
`welcome` or `refused`, then the present state and all news as records, an `answered` for each question, and `alive`
when there is nothing else to say. To `collect` go the tagged structs of this file. A window that reads slowly gets the
latest state of each thing (`core.services.news`), and how many records it has lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Awaitable, Sequence
from typing import Any, Protocol, get_args

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from core.errors import BeffroiError, ConfigError, RefusedError, RemoteProtocolError, TransportError, UsageError
from core.home import Home, check_private, write_private
from core.language import _
from core.records import CommandProgress, CommandRequest, MachineReport
from core.requests import Request
from core.services.news import News
from core.services.present_state import PresentState
from core.site_records import Record

VERSION = 1
PERIOD_S = 0.05
"""Between two deliveries to a window."""

ALIVE_S = 2.0
"""A reader hears something so often; after `SILENT_S` without it, it gives the feed up."""
SILENT_S = 10.0
GREETING_S = 5.0
"""A reader must have shown its token by then."""
READERS = 16
TO_WINDOW_LIMIT = 16 << 20
TO_COLLECT_LIMIT = 1 << 20
"""Octets of one message."""
CHUNK = 256 << 10
UNIX_PATH_LIMIT = 100
"""Octets: Linux takes 107, others 103."""

log = logging.getLogger("beffroi.feed")


class Greeting(Struct, frozen=True, kw_only=True, tag="greeting"):
    """The first message of a window: what it read in `collect.feed`, and who sits before it."""

    version: int
    token: str
    operator: str


class Shown(Struct, frozen=True, kw_only=True, tag="shown"):
    """The machines on screen, which are polled more often."""

    machines: tuple[str, ...]


class PollNow(Struct, frozen=True, kw_only=True, tag="poll"):
    """Poll these machines at once; all for None."""

    machines: tuple[str, ...] | None


class Asked(Struct, frozen=True, kw_only=True, tag="asked"):
    """A request; `number` comes back with its answer."""

    number: int
    request: Request


class Told(Struct, frozen=True, kw_only=True, tag="told"):
    """What the window did itself and the room may want to hear: a command that it sent, how it ended on a machine."""

    request: CommandRequest | None = None
    progress: CommandProgress | None = None


class Answered(Struct, frozen=True, kw_only=True):
    """How a request ended; `error` in the user's words."""

    number: int
    error: str | None = None


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a reader is sent away."""

    reason: str


class Welcome(Struct, frozen=True, kw_only=True):
    """A reader is taken; `pid` is the process that collects."""

    pid: int


class Losses(Struct, frozen=True, kw_only=True):
    """Records that this reader was too slow for, since it came."""

    count: int


FromWindow = Greeting | Shown | PollNow | Asked | Told

_KINDS: dict[str, type] = {kind.__name__: kind for kind in (*get_args(Record), Answered, Refusal, Welcome, Losses)}
_DECODERS = {name: msgspec.msgpack.Decoder(kind) for name, kind in _KINDS.items()}
_envelope_decoder = msgspec.msgpack.Decoder(tuple[str, Raw])
_window_decoder = msgspec.msgpack.Decoder(FromWindow)
_encoder = msgspec.msgpack.Encoder()
_ALIVE = _encoder.encode(("alive", None))


class Door(Protocol):
    """What a feed needs of who collects."""

    async def handle(self, request: Request) -> None:
        """Do what is asked; raises BeffroiError."""

    async def enter(self, operator: str) -> None:
        """A window has come."""

    async def leave(self, operator: str) -> None:
        """A window has gone."""

    def set_visible(self, names: frozenset[str]) -> None:
        """These machines are on screen somewhere."""

    def poll_now(self, names: Sequence[str] | None) -> None:
        """Poll these machines at once, or all."""

    def told(self, record: CommandRequest | CommandProgress) -> None:
        """A window has done this."""


class LiveFeed:
    """Offers the feed of a home; a Sink, whose `put` may be called from any thread."""

    def __init__(self, home: Home, door: Door) -> None:
        self._home = home
        self._door = door
        self._lock = threading.Lock()
        self._present = PresentState()
        self._readers: dict[_Reader, News] = {}
        self._token = secrets.token_hex(16)

    @property
    def readers(self) -> int:
        """Windows that listen now."""
        return len(self._readers)

    def put(self, record: Record) -> None:
        """Pass `record` on to all who listen, and remember what it says of the present."""
        with self._lock:
            self._present.apply(record)
            for news in self._readers.values():
                news.put(record)

    def keep_only(self, machines: Sequence[str], meters: Sequence[str], checks: Sequence[str]) -> None:
        """These are configured; of others nothing is told to who comes."""
        with self._lock:
            self._present.keep_only(frozenset(machines), frozenset(meters), frozenset(checks))

    async def run(self, listening: asyncio.Event | None = None) -> None:
        """Offer the feed until cancelled; `listening` is set once it can be found."""
        server = await self._serve()
        try:
            if listening is not None:
                listening.set()
            await asyncio.get_running_loop().create_future()
        finally:
            feed_path(self._home).unlink(missing_ok=True)
            server.close()
            for reader in list(self._readers):
                reader.task.cancel()
            await asyncio.gather(*(reader.task for reader in list(self._readers)), return_exceptions=True)
            socket_path(self._home).unlink(missing_ok=True)

    async def _serve(self) -> asyncio.Server:
        path = socket_path(self._home)
        place: dict[str, object]
        if hasattr(asyncio, "start_unix_server") and len(os.fsencode(path)) <= UNIX_PATH_LIMIT:
            path.unlink(missing_ok=True)  # of one that was killed: the lock on the home says that it is gone
            before = os.umask(0o177)
            try:
                server = await asyncio.start_unix_server(self._on_reader, path)
            finally:
                os.umask(before)
            place = {"socket": path.name}
        else:
            server = await asyncio.start_server(self._on_reader, "127.0.0.1", 0)
            place = {"port": server.sockets[0].getsockname()[1]}
        announcement = {"version": VERSION, "pid": os.getpid(), "token": self._token, **place}
        write_private(feed_path(self._home), json.dumps(announcement).encode())
        return server

    async def _on_reader(self, stream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reader = _Reader(stream, writer, asyncio.current_task())
        try:
            greeting = await self._greeted(reader)
            if greeting is None:
                return
            reader.operator = greeting.operator
            loop = asyncio.get_running_loop()
            news = News(lambda: loop.call_soon_threadsafe(reader.woken.set))
            with self._lock:
                for record in self._present.records(time.time()):
                    news.put(record)
                self._readers[reader] = news
            writing = asyncio.ensure_future(reader.write_news(news))
            try:
                await self._door.enter(reader.operator)
                await self._listen_to(reader)
            finally:
                with self._lock:
                    del self._readers[reader]
                news.close()
                writing.cancel()
                await asyncio.gather(writing, *reader.answering, return_exceptions=True)
                self._tell_visible()
                await self._door.leave(reader.operator)
        except (OSError, EOFError, BeffroiError) as error:
            log.info("a window has gone: %s", error)
        except asyncio.CancelledError:
            pass  # the end of `run`; asyncio's own server would log it as an error
        except Exception:
            log.exception("a window could not be served")
        finally:
            writer.close()

    async def _greeted(self, reader: _Reader) -> Greeting | None:
        async with asyncio.timeout(GREETING_S):
            message = await reader.next_message()
        reason = ""
        if not isinstance(message, Greeting) or not hmac.compare_digest(message.token.encode(), self._token.encode()):
            reason = _("the feed of this home needs the token of {path}").format(path=feed_path(self._home))
        elif message.version != VERSION:
            reason = _("the service on this home is of another version of Beffroi; start it again, then this window")
        elif len(self._readers) >= READERS:
            reason = _("too many windows listen to this home")
        if reason:
            reader.send(Refusal(reason=reason))
            return None
        reader.send(Welcome(pid=os.getpid()))
        return message

    async def _listen_to(self, reader: _Reader) -> None:
        while True:
            message = await reader.next_message()
            if isinstance(message, Shown):
                reader.shown = frozenset(message.machines)
                self._tell_visible()
            elif isinstance(message, PollNow):
                self._door.poll_now(message.machines)
            elif isinstance(message, Told):
                for record in (message.request, message.progress):
                    if record is not None:
                        self._door.told(record)
            elif isinstance(message, Asked):
                task = asyncio.ensure_future(self._answer(reader, message))
                reader.answering.add(task)
                task.add_done_callback(reader.answering.discard)

    def _tell_visible(self) -> None:
        self._door.set_visible(frozenset().union(*(reader.shown for reader in self._readers)))

    async def _answer(self, reader: _Reader, asked: Asked) -> None:
        error: str | None = None
        try:
            await self._door.handle(asked.request)
        except BeffroiError as refused:
            error = str(refused)
        except Exception:
            log.exception("a request of a window failed")
            error = _("an error that should not happen; the log of the service has its details")
        reader.send(Answered(number=asked.number, error=error))


class _Reader:
    """One window that listens, as `collect` sees it."""

    def __init__(
        self, stream: asyncio.StreamReader, writer: asyncio.StreamWriter, task: asyncio.Task[Any] | None
    ) -> None:
        assert task is not None
        self.task = task
        self.woken = asyncio.Event()
        self.operator = ""
        self.shown: frozenset[str] = frozenset()
        self.answering: set[asyncio.Task[None]] = set()
        self._stream = stream
        self._writer = writer

    async def next_message(self) -> FromWindow:
        return _decoded(await _read_frame(self._stream, TO_COLLECT_LIMIT))

    def send(self, value: object) -> None:
        self._writer.write(_frame(_encoder.encode((type(value).__name__, value))))

    async def write_news(self, news: News) -> None:
        """Send what there is, as fast as it is read; cancelled at the end of the link."""
        told_lost = 0
        while True:
            try:
                async with asyncio.timeout(ALIVE_S):
                    await self.woken.wait()
            except TimeoutError:
                self._writer.write(_frame(_ALIVE))
                await self._writer.drain()
                continue
            self.woken.clear()
            delivery, wait_s = news.take()
            waiting = bytearray()
            for record in (*delivery.reports, *delivery.others):
                waiting += _record_frame(record)
                if len(waiting) > CHUNK:
                    self._writer.write(bytes(waiting))
                    waiting.clear()
                    await self._writer.drain()
            if news.lost != told_lost:
                told_lost = news.lost
                waiting += _frame(_encoder.encode(("Losses", Losses(count=told_lost))))
            self._writer.write(bytes(waiting))
            await self._writer.drain()
            await asyncio.sleep(PERIOD_S)
            if wait_s is not None:
                asyncio.get_running_loop().call_later(wait_s, self.woken.set)


class Feed:
    """The feed of a home, as its window reads it; belongs to one loop. `open_feed` makes one."""

    def __init__(self, stream: asyncio.StreamReader, writer: asyncio.StreamWriter, pid: int) -> None:
        self.pid = pid
        self.lost = 0
        """Records that we were too slow for."""
        self._stream = stream
        self._writer = writer
        self._asked: dict[int, asyncio.Future[None]] = {}
        self._number = 0

    async def next_record(self) -> Record:
        """The next record; raises TransportError when the feed has ended or fallen silent."""
        while True:
            try:
                async with asyncio.timeout(SILENT_S):
                    payload = await _read_frame(self._stream, TO_WINDOW_LIMIT)
            except TimeoutError:
                raise TransportError(_("the service on this home does not answer")) from None
            except (OSError, EOFError) as error:
                raise TransportError(_("the service on this home has ended")) from error
            value = _value(payload)
            if isinstance(value, Answered):
                self._on_answered(value)
            elif isinstance(value, Losses):
                self.lost = value.count
            elif value is not None:
                return value  # type: ignore[no-any-return]  # all other kinds are records

    async def ask(self, request: Request) -> None:
        """Have a request carried out; raises UsageError in the words of `collect`, TransportError where it is gone."""
        self._number += 1
        number = self._number
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        self._send(Asked(number=number, request=request))
        try:
            await answer
        finally:
            self._asked.pop(number, None)

    def show(self, machines: Sequence[str]) -> None:
        """These machines are on screen."""
        self._send(Shown(machines=tuple(machines)))

    def poll_now(self, machines: Sequence[str] | None) -> None:
        """Poll these machines at once, or all."""
        self._send(PollNow(machines=None if machines is None else tuple(machines)))

    def tell(self, record: CommandRequest | CommandProgress) -> None:
        """We have done this ourselves."""
        if isinstance(record, CommandRequest):
            self._send(Told(request=record))
        else:  # what it printed may be long, and nobody asks
            self._send(Told(progress=replace(record, result=replace(record.result, stdout="", stderr=""))))

    def close(self) -> None:
        """Listen no more; who still waits for an answer is told."""
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(TransportError(_("the service on this home has ended")))
        self._writer.close()

    def _send(self, message: FromWindow) -> None:
        self._writer.write(_frame(_encoder.encode(message)))

    def _on_answered(self, answered: Answered) -> None:
        answer = self._asked.get(answered.number)
        if answer is not None and not answer.done():
            if answered.error is None:
                answer.set_result(None)
            else:
                answer.set_exception(UsageError(answered.error))


def feed_path(home: Home) -> Any:
    """Where the feed of a home is announced."""
    return home.path / "collect.feed"


def socket_path(home: Home) -> Any:
    """Its Unix socket."""
    return home.path / "collect.sock"


async def open_feed(home: Home, operator: str) -> Feed | None:
    """The feed of `home`, None where none is offered; raises BeffroiError where it refuses us."""
    try:
        check_private(feed_path(home))
        announcement = json.loads(feed_path(home).read_bytes())
        connecting: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        if "socket" in announcement:
            connecting = asyncio.open_unix_connection(socket_path(home))
        else:
            connecting = asyncio.open_connection("127.0.0.1", int(announcement["port"]))
        stream, writer = await connecting
    except (OSError, ConfigError, ValueError, KeyError, TypeError):
        return None
    try:
        greeting = Greeting(version=VERSION, token=str(announcement.get("token")), operator=operator)
        writer.write(_frame(_encoder.encode(greeting)))
        async with asyncio.timeout(GREETING_S):
            welcome = _value(await _read_frame(stream, TO_WINDOW_LIMIT))
        if isinstance(welcome, Refusal):
            raise RefusedError(welcome.reason)
        if not isinstance(welcome, Welcome):
            raise RemoteProtocolError(_("what answers on the feed of this home is no service of Beffroi"))
    except (OSError, EOFError):  # a TimeoutError too
        writer.close()
        return None
    except BaseException:
        writer.close()
        raise
    return Feed(stream, writer, welcome.pid)


def _frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + payload


async def _read_frame(stream: asyncio.StreamReader, limit: int) -> bytes:
    """The payload of the next frame; raises EOFError at the end, RemoteProtocolError above `limit`."""
    length = int.from_bytes(await stream.readexactly(4), "big")
    if length > limit:
        raise RemoteProtocolError(f"a message of the feed has {length} octets; {limit} are allowed")
    return await stream.readexactly(length)


def _record_frame(record: Record) -> bytes:
    """The frame of a record, empty for one that cannot be sent: text that is no Unicode, or beyond any size."""
    kind = type(record).__name__
    with contextlib.suppress(UnicodeEncodeError):
        payload = _encoder.encode((kind, record))
        if len(payload) > TO_WINDOW_LIMIT and isinstance(record, MachineReport):
            payload = _encoder.encode((kind, replace(record, late_statuses=())))
        if len(payload) <= TO_WINDOW_LIMIT:
            return _frame(payload)
    log.warning("a %s could not be sent to a window", kind)
    return b""


def _value(payload: bytes) -> Any:
    """What a message to a window holds; None for `alive`. Raises RemoteProtocolError."""
    try:
        kind, raw = _envelope_decoder.decode(payload)
        decoder = _DECODERS.get(kind)
        return None if decoder is None else decoder.decode(raw)
    except msgspec.MsgspecError as error:
        raise RemoteProtocolError(f"a message of the feed cannot be read: {error}") from error


def _decoded(payload: bytes) -> FromWindow:
    try:
        return _window_decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise RemoteProtocolError(f"a message of a window cannot be read: {error}") from error
