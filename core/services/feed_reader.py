"""The feed of a home as its window reads it: records out, requests in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Sequence

from msgspec.structs import replace

from core.errors import ConfigError, RefusedError, RemoteProtocolError, TransportError, UsageError
from core.home import Home, check_private
from core.language import _
from core.records import CommandProgress, CommandRequest
from core.requests import Request
from core.services.feed_messages import (
    GREETING_S,
    SILENT_S,
    TO_WINDOW_LIMIT,
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
    encode,
    feed_path,
    frame,
    read_frame,
    socket_path,
    value_of,
)
from core.site_records import Record


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
                    payload = await read_frame(self._stream, TO_WINDOW_LIMIT)
            except TimeoutError:
                raise TransportError(_("the service on this home does not answer")) from None
            except (OSError, EOFError) as error:
                raise TransportError(_("the service on this home has ended")) from error
            value = value_of(payload)
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
        self._writer.write(frame(encode(message)))

    def _on_answered(self, answered: Answered) -> None:
        answer = self._asked.get(answered.number)
        if answer is not None and not answer.done():
            if answered.error is None:
                answer.set_result(None)
            else:
                answer.set_exception(UsageError(answered.error))


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
        writer.write(frame(encode(greeting)))
        async with asyncio.timeout(GREETING_S):
            welcome = value_of(await read_frame(stream, TO_WINDOW_LIMIT))
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
