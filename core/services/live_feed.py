"""The feed that `collect` offers to a window of the same home, and what the window asks over it.

A Unix socket in the home (0700), or a port of the loopback where the platform has none or its path is too long; who
may read the home may listen. Who comes gets the present state first, then all news. A window that reads slowly gets
the latest state of each thing (`core.services.news`), and how many records it has lost. What is on the wire is in
`core.services.feed_messages`.
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
from collections.abc import Sequence
from typing import Any, Protocol

from core.errors import BeffroiError
from core.home import Home, write_private
from core.language import _
from core.records import CommandProgress, CommandRequest
from core.requests import Request
from core.services.feed_messages import (
    ALIVE,
    ALIVE_S,
    CHUNK,
    GREETING_S,
    PERIOD_S,
    QUESTIONS,
    READERS,
    TO_COLLECT_LIMIT,
    UNIX_PATH_LIMIT,
    VERSION,
    Answered,
    Asked,
    FromWindow,
    Greeting,
    Losses,
    PollNow,
    Refusal,
    Shown,
    Told,
    Welcome,
    feed_path,
    frame,
    message_of,
    read_frame,
    record_frame,
    socket_path,
    value_frame,
)
from core.services.news import News
from core.services.present_state import PresentState
from core.site_records import Alarm, Record

log = logging.getLogger("beffroi.feed")


class Door(Protocol):
    """What a feed needs of who collects."""

    async def handle(self, request: Request) -> None:
        """Do what is asked; raises BeffroiError."""

    def open_alarms(self) -> Sequence[Alarm]:
        """All alarms that are open now, also those that rang before the feed began."""

    def enter(self, operator: str) -> None:
        """A window has come."""

    def leave(self, operator: str) -> None:
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

            def wake() -> None:
                loop.call_soon_threadsafe(reader.woken.set)

            news = News(wake)
            with self._lock:
                for record in (*self._present.records(time.time()), *self._door.open_alarms()):
                    news.put(record)
                self._readers[reader] = news
            writing = asyncio.ensure_future(reader.write_news(news))  # welcomes it; what comes until then waits
            try:
                self._door.enter(reader.operator)
                await self._listen_to(reader)
            finally:
                with self._lock:
                    del self._readers[reader]
                news.close()
                writing.cancel()
                await asyncio.gather(writing, *reader.answering, return_exceptions=True)
                self._tell_visible()
                self._door.leave(reader.operator)
        except (OSError, EOFError, BeffroiError) as error:
            log.info("a window has gone: %s", str(error) or type(error).__name__)
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
        if not isinstance(message, Greeting):
            return None
        if not hmac.compare_digest(message.token.encode(), self._token.encode()):
            reason = _("the feed of this home needs the token of {path}").format(path=feed_path(self._home))
        elif message.version != VERSION:
            reason = _("the service on this home is of another version of Beffroi; start it again, then this window")
        elif len(self._readers) >= READERS:
            reason = _("too many windows listen to this home")
        if reason:
            await reader.send(Refusal(reason=reason))
            return None
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
                if len(reader.answering) >= QUESTIONS:
                    await asyncio.wait(reader.answering, return_when=asyncio.FIRST_COMPLETED)
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
        with contextlib.suppress(OSError):  # it has gone meanwhile
            await reader.send(Answered(number=asked.number, error=error))


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
        return message_of(await read_frame(self._stream, TO_COLLECT_LIMIT))

    async def send(self, value: object) -> None:
        self._writer.write(value_frame(value))
        await self._writer.drain()

    async def write_news(self, news: News) -> None:
        """Send what there is, as fast as it is read; cancelled at the end of the link."""
        told_lost = 0
        await self.send(Welcome(pid=os.getpid()))
        while True:
            try:
                async with asyncio.timeout(ALIVE_S):
                    await self.woken.wait()
            except TimeoutError:
                self._writer.write(frame(ALIVE))
                await self._writer.drain()
                continue
            self.woken.clear()
            delivery, wait_s = news.take()
            waiting = bytearray()
            for record in (*delivery.reports, *delivery.others):
                waiting += record_frame(record)
                if len(waiting) > CHUNK:
                    self._writer.write(bytes(waiting))
                    waiting.clear()
                    await self._writer.drain()
            if news.lost != told_lost:
                told_lost = news.lost
                waiting += value_frame(Losses(count=told_lost))
            self._writer.write(bytes(waiting))
            await self._writer.drain()
            await asyncio.sleep(PERIOD_S)
            if wait_s is not None:
                asyncio.get_running_loop().call_later(wait_s, self.woken.set)
