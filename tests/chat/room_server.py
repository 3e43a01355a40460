"""A room that runs in a thread of its own, for clients that block."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from core.config.settings import RoomSettings
from core.services.chat_room import ChatRoom
from core.site_records import ChatKind, ChatLine, Record, RoomReport

T = TypeVar("T")

SECRET = b"s" * 32


class RoomServer:
    """A ChatRoom, what it published, and a way to call it in its loop."""

    def __init__(self, *, stop_word: str | None = None, stored: list[ChatLine] | None = None) -> None:
        self.records: list[Record] = []
        self.has_ended = False
        self._stored = stored or []
        self._settings = RoomSettings(listen="127.0.0.1:0", stop_word=stop_word)
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self.room = ChatRoom(
            self._settings, self.records.append, operator="Olga", last_lines=self._last_lines, secret=SECRET
        )
        running = asyncio.create_task(self.room.run())
        await self.room.ready()
        self.address = self.room.address or ""
        self._listening.set()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        self.has_ended = True

    async def _last_lines(self, room: str) -> list[ChatLine]:
        return [line for line in self._stored if line.room == room]

    def start(self) -> None:
        self._thread.start()
        assert self._listening.wait(5)

    def stop(self) -> None:
        if not self.has_ended:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(5)
        assert not self._thread.is_alive()

    def call(self, function: Callable[[ChatRoom], T]) -> T:
        """What `function` gives in the room's own thread."""

        async def called() -> T:
            return function(self.room)

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result(5)

    def wait_for_end(self) -> None:
        self._thread.join(5)
        assert self.has_ended

    @property
    def reports(self) -> list[RoomReport]:
        return [record for record in self.records if isinstance(record, RoomReport)]

    def lines(self, kind: ChatKind) -> list[ChatLine]:
        return [record for record in self.records if isinstance(record, ChatLine) and record.kind is kind]


@contextlib.contextmanager
def serving(**options: object) -> Iterator[RoomServer]:
    """A room while the block runs."""
    server = RoomServer(**options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
