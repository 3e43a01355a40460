"""What this window knows of the rooms: the lines of each, who is there, what has not been seen yet."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence

from core.protocol.chat_text import GENERAL, room_name
from core.site_records import ChatKind, ChatLine
from gui.models.chat_words import is_for, is_own

MOST_LINES = 2_000
MOST_ROOMS = 200
_SEEN_KINDS = (ChatKind.JOINED, ChatKind.LEFT)
"""Comings and goings wait for nobody to be read."""


class RoomLines:
    """One room: its lines in the order of their time, without doubles."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[ChatLine] = []
        self.unread = 0
        self.mentions = 0
        self.may_have_earlier = True
        self._ids: set[str] = set()

    def add(self, line: ChatLine) -> bool:
        """Take a line; False where it is known."""
        if line.id in self._ids:
            return False
        self._ids.add(line.id)
        if not self.lines or line.time_s >= self.lines[-1].time_s:
            self.lines.append(line)
        else:
            insort(self.lines, line, key=lambda known: known.time_s)
        if len(self.lines) > MOST_LINES:
            for old in self.lines[: MOST_LINES // 10]:
                self._ids.discard(old.id)
            del self.lines[: MOST_LINES // 10]
            self.may_have_earlier = True
        return True

    @property
    def first_s(self) -> float | None:
        """Time of the oldest line held."""
        return self.lines[0].time_s if self.lines else None


class Rooms:
    """All rooms; `current` is the one that is shown, `is_seen` tells that somebody looks at it."""

    def __init__(self, operator: str = "") -> None:
        self.operator = operator
        self.current = GENERAL
        self.is_seen = False
        self.present: dict[str, tuple[str, ...]] = {}
        self._rooms: dict[str, RoomLines] = {GENERAL: RoomLines(GENERAL)}

    def room(self, name: str) -> RoomLines:
        """The room of that name, made where it is new; beyond all measure everything is the general one."""
        if name not in self._rooms:
            if len(self._rooms) >= MOST_ROOMS:
                return self._rooms[GENERAL]
            self._rooms[name] = RoomLines(name)
        return self._rooms[name]

    def names(self) -> list[str]:
        """The general one first, then by name."""
        return sorted(self._rooms, key=lambda name: (name != GENERAL, name))

    def open(self, name: str) -> RoomLines:
        """Show the room of that name; what waited there is seen."""
        self.current = self.room(room_name(name)).name
        found = self._rooms[self.current]
        if self.is_seen:
            found.unread = found.mentions = 0
        return found

    def set_seen(self, is_seen: bool) -> None:
        """Whether somebody looks at the room that is shown."""
        self.is_seen = is_seen
        if is_seen:
            found = self._rooms[self.current]
            found.unread = found.mentions = 0

    def apply(self, line: ChatLine) -> bool:
        """A line that was just said; False where it is known."""
        room = self.room(line.room)
        if not room.add(line):
            return False
        is_seen = self.is_seen and room.name == self.current
        if not is_seen and line.kind not in _SEEN_KINDS and not is_own(line, self.operator):
            room.unread += 1
            room.mentions += is_for(line, self.operator)
        return True

    def apply_past(self, name: str, lines: Sequence[ChatLine], asked: int) -> int:
        """Lines of the history, `asked` of them wanted; how many were new."""
        room = self.room(name)
        if len(lines) < asked:
            room.may_have_earlier = False
        return sum(room.add(line) for line in lines)

    def apply_present(self, present: Mapping[str, tuple[str, ...]]) -> None:
        """Who is where now."""
        self.present = dict(present)
        for name in list(present)[:MOST_ROOMS]:
            self.room(name)

    def add_names(self, names: Iterable[str]) -> None:
        """Rooms that the history knows."""
        for name in names:
            self.room(name)

    def people(self, name: str | None = None) -> tuple[str, ...]:
        """Who is in a room, the current one where none is named, by name."""
        return tuple(sorted(self.present.get(name or self.current, ()), key=str.casefold))

    def count_present(self) -> int:
        """How many people there are in all rooms."""
        return len({person for people in self.present.values() for person in people})

    def unread(self) -> int:
        """Lines that nobody here has seen, in all rooms."""
        return sum(room.unread for room in self._rooms.values())
