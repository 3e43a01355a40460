"""Which operators have a window open on a site, and in which rooms each of them is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.protocol.chat_text import GENERAL, room_name

if TYPE_CHECKING:
    from core.services.chat_room import ChatRoom

MOST_ROOMS = 200
"""Rooms in which one operator is present."""


class Presence:
    """An operator is in the general room while a window of theirs is open, and in each room they entered since.

    `room` gives the room's server while it listens: who is where outlives it.
    """

    def __init__(self, room: Callable[[], ChatRoom | None]) -> None:
        self._room = room
        self._filled: ChatRoom | None = None
        self._windows: Counter[str] = Counter()
        self._rooms: dict[str, dict[str, None]] = {}

    def open_window(self, operator: str) -> None:
        """One more window of `operator`."""
        self._windows[operator] += 1
        if self._windows[operator] == 1:
            self.enter(operator, GENERAL)

    def close_window(self, operator: str) -> None:
        """One window less; with the last one they leave all rooms."""
        self._windows[operator] -= 1
        if self._windows[operator] > 0:
            return
        del self._windows[operator]
        room = self._room()
        for name in self._rooms.pop(operator, ()):
            if room is not None:
                room.leave(operator, name)

    def enter(self, operator: str, name: str) -> None:
        """Let somebody who has a window be in a room too."""
        rooms = self._rooms.setdefault(operator, {})
        name = room_name(name)
        if name in rooms or len(rooms) >= MOST_ROOMS:
            return
        rooms[name] = None
        room = self._room()
        if room is not None:
            room.enter(operator, name)

    def has_window(self, operator: str) -> bool:
        """True while a window of `operator` is open."""
        return self._windows[operator] > 0

    def follow(self) -> None:
        """Let all be where they are in a server that listens since a moment ago."""
        room = self._room()
        if room is None or room is self._filled:
            return
        self._filled = room
        for operator, names in self._rooms.items():
            for name in names:
                room.enter(operator, name)
