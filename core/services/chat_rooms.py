"""The rooms: who is in each, and the last lines said there, for whoever comes anew."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable

from core.errors import BeffroiError
from core.protocol.chat_text import GENERAL
from core.services.chat_link import ChatLink
from core.site_records import ChatLine

LAST_LINES = 200
"""Lines that a newcomer with a client of ours is shown."""

NEWCOMER_BYTES = 96 * 1024
"""…as long as they are not more than this."""

EMPTY_ROOMS = 100
"""Rooms without anybody whose lines stay in memory."""

log = logging.getLogger("beffroi.room")


class OneRoom:
    """One room."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.links: dict[ChatLink, None] = {}
        self.people: dict[str, int] = {}
        """How many links (or windows) of each name are here."""
        self.lines: deque[ChatLine] = deque(maxlen=LAST_LINES)
        self.is_loaded = False

    def enter(self, name: str) -> bool:
        """Count one more of `name`; True where it is the first."""
        self.people[name] = self.people.get(name, 0) + 1
        return self.people[name] == 1

    def leave(self, name: str) -> bool:
        """Count one less; True where it was the last."""
        self.people[name] -= 1
        if self.people[name]:
            return False
        del self.people[name]
        return True

    @property
    def present(self) -> tuple[str, ...]:
        """The names, sorted as people do."""
        return tuple(sorted(self.people, key=lambda name: (name.casefold(), name)))


class Rooms:
    """All rooms; one is made when somebody goes there, and forgotten when many are empty."""

    def __init__(self, last_lines: Callable[[str], Awaitable[list[ChatLine]]]) -> None:
        self._last_lines = last_lines
        self._rooms: dict[str, OneRoom] = {GENERAL: OneRoom(GENERAL)}

    def get(self, name: str) -> OneRoom:
        """The room of that name (a `room_name`), made where it is missing."""
        found = self._rooms.get(name)
        if found is None:
            empty = [room for room in self._rooms.values() if not room.people and room.name != GENERAL]
            if len(empty) >= EMPTY_ROOMS:
                del self._rooms[empty[0].name]
            found = self._rooms[name] = OneRoom(name)
        return found

    def people(self) -> dict[str, tuple[str, ...]]:
        """Who is where; rooms without anybody are left out."""
        return {room.name: room.present for room in self._rooms.values() if room.people}

    def counts(self) -> dict[str, int]:
        """How many people are in each room that has any, and in the general one."""
        return {room.name: len(room.people) for room in self._rooms.values() if room.people or room.name == GENERAL}

    async def load(self, name: str) -> None:
        """Have the last lines of a room from the history, once; without it the room has those of this run."""
        room = self.get(name)
        if room.is_loaded:
            return
        room.is_loaded = True
        try:
            kept = await self._last_lines(name)
        except BeffroiError as error:
            log.warning("the last lines of %s are not there: %s", name, error)
            return
        here = {line.id for line in room.lines}
        merged = [line for line in kept if line.id not in here] + list(room.lines)
        room.lines = deque(merged, maxlen=LAST_LINES)

    def newcomer_lines(self, name: str) -> tuple[ChatLine, ...]:
        """The last lines of a room, as many as go into one message."""
        chosen: list[ChatLine] = []
        size = 0
        for line in reversed(self.get(name).lines):
            size += len(line.text.encode("utf-8", "replace")) + 200
            if size > NEWCOMER_BYTES:
                break
            chosen.append(line)
        return tuple(reversed(chosen))
