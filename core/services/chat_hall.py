"""Who is in which room under which name, and what is said there: told to all who are, and published.

Decided here: a client without a name (`IP:PORT`) is neither announced nor bid farewell; a name that somebody else has
becomes `name-2`, and its bearer is told; one person may have several links under one name, which come and go unsaid.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable

from core.language import _
from core.protocol import chat, chat_events
from core.protocol.chat_text import (
    GENERAL,
    NAME_LETTERS,
    checked_link,
    clean_name,
    clean_text,
    link_in,
    name_key,
    room_name,
)
from core.services.chat_link import ChatLink
from core.services.chat_names import Names
from core.services.chat_rooms import OneRoom, Rooms
from core.site_records import ChatKind, ChatLine


class Hall:
    """All rooms of a server; `changed` is called when somebody has come or gone."""

    def __init__(
        self,
        publish: Callable[[ChatLine], None],
        changed: Callable[[], None],
        *,
        operator: str,
        last_lines: Callable[[str], Awaitable[list[ChatLine]]],
        clock: Callable[[], float],
    ) -> None:
        self.rooms = Rooms(last_lines)
        self._names = Names()
        self._own: dict[tuple[str, str], str] = {}
        self._publish = publish
        self._changed = changed
        self._operator_key = name_key(clean_name(operator))
        self._clock = clock

    # People of the window.

    def enter(self, author: str, room: str) -> str:
        """See ChatRoom.enter."""
        place = self.rooms.get(room_name(room))
        known = self._own.get((author, place.name))
        if known is not None:
            return known
        name = self._names.take(clean_name(author) or "-", f"window {author}")
        self._own[author, place.name] = name
        if place.enter(name):
            self._tell_presence(place, name, ChatKind.JOINED)
        return name

    def leave(self, author: str, room: str) -> None:
        """See ChatRoom.leave."""
        place = self.rooms.get(room_name(room))
        name = self._own.pop((author, place.name), None)
        if name is not None:
            self._go(place, name)

    def say_as(self, author: str, room: str, text: str, link: str | None) -> None:
        """See ChatRoom.say."""
        place = self.rooms.get(room_name(room))
        name = self._own.get((author, place.name))
        is_visitor = name is None
        if name is None:
            name = self._names.take(clean_name(author) or "-", f"window {author}")
        said = clean_text(text).strip()
        if said:
            self.tell(place, ChatKind.MESSAGE, name, said, link=checked_link(link) or link_in(said))
        if is_visitor:
            self._names.release(name)

    # Clients.

    def be_there(self, link: ChatLink) -> None:
        """A client that has said no name is in the general room as `IP:PORT`, without a word."""
        if link.room is None:
            self._come(link, GENERAL)

    def name_of(self, link: ChatLink, hello: chat.Joining) -> None:
        """Give a client the name it asks for, or the next best one; it is in no room then."""
        self.depart(link)
        wanted = clean_name(hello.name)
        if wanted:
            is_reserved = name_key(wanted) == self._operator_key and not link.is_loopback
            link.name = self._names.take(wanted, link.identity, is_reserved=is_reserved)
        link.is_announced = True

    def join(self, link: ChatLink, hello: chat.Joining, room: str) -> None:
        """Let a plain client come to a room."""
        self.name_of(link, hello)
        self.say_name(link, hello)
        self._come(link, room)

    async def join_framed(self, link: ChatLink, room: str, hello: chat.Joining | None = None) -> None:
        """Let a client of ours come to a room, once its last lines are there; what it sends meanwhile waits."""
        await self.rooms.load(room)
        if link.is_closing:
            return
        is_back = hello is not None and hello.extension is not None and self._names.is_back(hello.extension.id)
        self._come(link, room, is_back=is_back)
        if hello is not None:
            self.say_name(link, hello)
        link.release()

    def go_out(self, link: ChatLink) -> None:
        """Take a client of ours out of its room; its name stays its own."""
        if link.room is not None:
            place, link.room = self.rooms.get(link.room), None
            del place.links[link]
            if place.leave(link.name):
                self._tell_presence(place, link.name, ChatKind.LEFT)

    def depart(self, link: ChatLink) -> None:
        """Take a client out of its room and its name from it, exactly once, however it goes."""
        room, link.room = link.room, None
        name, link.name = link.name, link.peer
        is_announced, link.is_announced = link.is_announced, False
        if is_announced and name != link.peer:
            self._names.release(name)
        if room is None:
            return
        place = self.rooms.get(room)
        del place.links[link]
        if place.leave(name):
            if is_announced:
                self._tell_presence(place, name, ChatKind.LEFT)
            else:
                self._changed()

    def _come(self, link: ChatLink, room: str, *, is_back: bool = False) -> None:
        place = self.rooms.get(room)
        link.room = place.name
        is_told = place.enter(link.name) and link.is_announced
        if link.is_framed:
            link.tell(chat_events.encode_line(self._welcome(link, place, is_back=is_back)))
            if is_told:  # to the others: the welcome has told it to this one
                self._tell_presence(place, link.name, ChatKind.JOINED)
            place.links[link] = None
        else:
            place.links[link] = None
            if is_told:
                self._tell_presence(place, link.name, ChatKind.JOINED)
        if not is_told:
            self._changed()

    def _welcome(self, link: ChatLink, place: OneRoom, *, is_back: bool) -> chat_events.Welcome:
        return chat_events.Welcome(
            name=link.name,
            room=place.name,
            time_s=self._clock(),
            challenge=link.challenge,
            is_back=is_back,
            present=place.present,
            rooms=self.rooms.counts(),
            lines=self.rooms.newcomer_lines(place.name),
        )

    def _go(self, place: OneRoom, name: str) -> None:
        self._names.release(name)
        if place.leave(name):
            self._tell_presence(place, name, ChatKind.LEFT)

    # What is said.

    def say(self, link: ChatLink, text: str, target: str | None = None) -> None:
        """Relay what a client says."""
        said = clean_text(text).rstrip()
        if said and link.room is not None:
            place = self.rooms.get(link.room)
            target = checked_link(target) or link_in(said)
            self.tell(place, ChatKind.MESSAGE, link.name, said, link=target, sender=link)

    def tell(
        self,
        place: OneRoom,
        kind: ChatKind,
        author: str,
        text: str,
        *,
        link: str | None = None,
        sender: ChatLink | None = None,
    ) -> None:
        """Publish a line and relay it to all of a room, but not to a plain client that has said it."""
        line = ChatLine(
            id=uuid.uuid4().hex, room=place.name, author=author, text=text, time_s=self._clock(), kind=kind, link=link
        )
        self._publish(line)
        place.lines.append(line)
        plain, event = wire_line(_words(line)), b""
        for one in list(place.links):
            if one.is_framed:
                event = event or chat_events.encode_line(chat_events.Told(line=line))
                one.tell(event)
            elif one is not sender:
                one.tell(plain)

    def _tell_presence(self, place: OneRoom, name: str, kind: ChatKind) -> None:
        self.tell(place, kind, name, chat.JOINED if kind is ChatKind.JOINED else chat.LEFT)
        self._changed()

    def say_name(self, link: ChatLink, hello: chat.Joining) -> None:
        """Where the name is not the one asked for, tell the client which it is and why."""
        asked, wanted = hello.name.strip(), clean_name(hello.name)
        if link.name == asked:
            return
        if not wanted:
            text = _("nothing of the name you gave can be shown; you are {name}")
        elif link.name != wanted:
            text = _("somebody else is {wanted}; you are {name}")
        elif len(asked) > NAME_LETTERS:
            text = _("a name has {count} letters at most; you are {name}")
        else:
            text = _("some signs cannot be in a name; you are {name}")
        notify(link, "name", text.format(name=link.name, wanted=wanted, count=NAME_LETTERS))


def notify(link: ChatLink, code: str, text: str) -> None:
    """Tell one client something."""
    if link.is_framed:
        link.tell(chat_events.encode_line(chat_events.Notice(code=code, text=text)))
    else:
        link.tell(wire_line(_("Server: {text}").format(text=text)))


def wire_line(line: str) -> bytes:
    """A line as plain clients get it: with a newline, which not all of them need, and some do."""
    return line.encode("utf-8", "replace") + b"\n"


def _words(line: ChatLine) -> str:
    if line.kind in (ChatKind.JOINED, ChatKind.LEFT):
        return chat.announced_line(f"{line.author} {line.text}")
    return chat.said_line(line.author, line.text) if line.author else chat.announced_line(line.text)
