"""The room's server: plain clients of the course, clients of ours, and the window's own people, in the same rooms.

All of it belongs to the loop that runs `run`. Every line is published as a ChatLine, every change of who is there as a
RoomReport. The bytes on the wire are those of `core.protocol.chat`; docs/room.md says what they mean to users.
A client gets lines from its first message on, so that whoever only looks for open ports hears nothing.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from core.config.settings import RoomSettings
from core.errors import BeffroiError, RemoteProtocolError, TransportError
from core.language import _, ngettext
from core.protocol import chat, chat_events
from core.protocol.chat_pace import LINES_PER_S, Allowance
from core.protocol.chat_text import GENERAL, checked_link, clean_text, escaped, room_name
from core.services.chat_hall import Hall, notify, wire_line
from core.services.chat_link import ChatLink
from core.services.chat_pacer import Pacer
from core.site_records import ChatKind, ChatLine, ListenerState, Record, RoomReport
from core.transport.listener import address_of, allow_open_files, open_listener

LINKS = 5_000
"""Links at most; where one more comes, the oldest one that never said anything goes."""

_OTHER_FILES = 200
"""Open files that are left to the rest of the program where the system allows few."""

DELIVERIES_PER_S = 50_000.0
DELIVERIES_AT_ONCE = 200_000.0
"""What the room relays, counted by those who are told: a flood in a full room does not take the machine."""

REPORT_S = 0.05
"""Changes of presence that come so close are told together."""

FAREWELL_S = 0.5
"""At the end all clients have so long to read the last line."""

log = logging.getLogger("beffroi.room")


class ChatRoom:
    """The room of a home.

    `operator` is who runs it: nobody from another machine gets that name. `last_lines(room)` gives the last lines of a
    room from the history. `secret` is that of the home (`room_secret`): a client that has it, on this very machine,
    may end the server by `arret`.
    """

    def __init__(
        self,
        settings: RoomSettings,
        publish: Callable[[Record], None],
        *,
        operator: str,
        last_lines: Callable[[str], Awaitable[list[ChatLine]]],
        clock: Callable[[], float] = time.time,
        secret: bytes | None = None,
    ) -> None:
        self.address: str | None = None
        """`HOST:PORT` while it listens."""
        self._settings = settings
        self._publish = publish
        self._clock = clock
        self._secret = secret
        self._hall = Hall(publish, self._report_soon, operator=operator, last_lines=last_lines, clock=clock)
        self._links: dict[ChatLink, None] = {}
        self._links_at_most = LINKS
        self._pacer = Pacer()
        self._allowance = Allowance(DELIVERIES_PER_S, DELIVERIES_AT_ONCE)
        self._joining: set[asyncio.Task[None]] = set()
        self._teller: asyncio.TimerHandle | None = None
        self._state = ListenerState.STOPPED
        self._error: str | None = None
        self._dropped = 0
        self._ready = asyncio.Event()
        self._ending = asyncio.Event()
        self._are_links_gone = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled, or until somebody who may says `arret`.

        Publishes a report that it listens; where it cannot, one that says why, and raises PortInUseError or
        another TransportError.
        """
        self._links_at_most = max(1, allow_open_files(LINKS + _OTHER_FILES) - _OTHER_FILES)
        try:
            listener = open_listener(self._settings.listen)
        except BeffroiError as error:
            self._state, self._error = ListenerState.FAILED, str(error)
            self._report()
            self._ready.set()
            raise
        server = await asyncio.get_running_loop().create_server(lambda: ChatLink(self), sock=listener, backlog=1024)
        self.address, self._state, self._error = address_of(listener), ListenerState.LISTENING, None
        self._report()
        self._ready.set()
        try:
            await self._ending.wait()
        finally:
            server.close()
            await self._end()

    async def ready(self) -> None:
        """Return once it listens; raises TransportError where it cannot."""
        await self._ready.wait()
        if self._state is ListenerState.FAILED:
            raise TransportError(self._error or "")

    async def _end(self) -> None:
        """Say the end to all, give them a moment to read it, close."""
        self.address, self._state = None, ListenerState.STOPPED
        text = _("the room is closed")
        plain, event = wire_line(chat.announced_line(text)), chat_events.encode_line(chat_events.Ended(text=text))
        for task in list(self._joining):
            task.cancel()
        for link in list(self._links):
            link.finish(b"" if link.is_first else event if link.is_framed else plain)
        try:
            if self._links:
                self._are_links_gone.clear()
                async with asyncio.timeout(FAREWELL_S):
                    await self._are_links_gone.wait()
        except TimeoutError:
            log.info("%d clients did not take the end of the room", len(self._links))
        finally:
            for link in list(self._links):
                link.abort()
            self._pacer.stop()
            self._report()
        await asyncio.sleep(0)  # the links that were aborted are closed in the loop's next turn

    # What the window and other services say.

    def enter(self, author: str, room: str = GENERAL) -> str:
        """Let somebody of this window be present; the name, which is another one where a client has it already."""
        return self._hall.enter(author, room)

    def leave(self, author: str, room: str = GENERAL) -> None:
        """The window of `author` has left `room`."""
        self._hall.leave(author, room)

    def say(self, author: str, room: str, text: str, link: str | None = None) -> None:
        """Say a line in the name of somebody of this window, present or not."""
        self._hall.say_as(author, room, text, link)

    def post(self, text: str, kind: ChatKind = ChatKind.SERVER, link: str | None = None, room: str = GENERAL) -> None:
        """Say a line that is nobody's: an alarm, a command that has ended."""
        place = self._hall.rooms.get(room_name(room))
        self._hall.tell(place, kind, "", clean_text(text), link=checked_link(link))

    # What a link asks: `core.services.chat_link.Host`.

    def now_s(self) -> float:
        """The monotonic clock of all deadlines."""
        return asyncio.get_running_loop().time()

    def take_in(self, link: ChatLink) -> None:
        """Take a link in; where there are too many a silent one goes, or this one is told so."""
        self._links[link] = None
        most = min(LINKS, self._links_at_most)
        if len(self._links) <= most:
            return
        silent = next((one for one in self._links if one.is_first and one is not link and not one.is_closing), None)
        if silent is not None:
            silent.abort()
        else:
            full = ngettext("the room is full ({count} link)", "the room is full ({count} links)", most)
            link.finish(wire_line(full.format(count=most)))

    def wait_s(self, link: ChatLink, text: str) -> float:
        """How long `text` has to wait for the room."""
        if link.room is None:
            return 0.0
        return self._allowance.wait_s(len(text), self.now_s(), len(self._hall.rooms.get(link.room).links))

    def slow_down(self, link: ChatLink) -> None:
        """Say that it is read more slowly, once a link."""
        if not link.is_told_slow and link.room is not None:
            link.is_told_slow = True
            text = _("you send more than {count} lines a second; the room reads you more slowly")
            notify(link, "slow", text.format(count=round(LINES_PER_S)))

    def pace(self, link: ChatLink) -> None:
        """Send the lines of `link` when their time has come."""
        self._pacer.add(link)

    def forget(self, link: ChatLink, *, is_dropped: bool) -> None:
        """A link has ended: whoever had it has left, where nothing else has said so before."""
        self._links.pop(link, None)
        self._pacer.remove(link)
        self._dropped += is_dropped
        self._hall.depart(link)
        if is_dropped:
            self._report_soon()
        if not self._links:
            self._are_links_gone.set()

    def carry_out(self, link: ChatLink, text: str) -> None:
        """Do what a message of `link` says."""
        if link.is_framed:
            self._carry_out_ask(link, text)
            return
        message = self._meaning(link, text)
        link.is_first = False
        if isinstance(message, chat.Stranger):
            link.finish(wire_line(_no_chat(message.protocol)))
        elif isinstance(message, chat.Joining):
            self._join(link, message)
        elif isinstance(message, chat.Leaving):
            self._farewell(link)
        else:
            self._hall.be_there(link)
            if isinstance(message, chat.Greeting):
                link.tell(wire_line(chat.hello_line(link.peer)))
            elif isinstance(message, chat.Stopping):
                self._stop(link, is_allowed=self._is_stop_word(message.word))
            else:
                self._hall.say(link, message.text)

    def _meaning(self, link: ChatLink, text: str) -> chat.Message:
        """What a plain client means; logged, but for a stop word and for the id of a client of ours."""
        message = chat.parse_message(text, is_first=link.is_first)
        if isinstance(message, chat.Stopping) and message.word and self._settings.stop_word is None:
            message = chat.Saying(text)  # a sentence that begins like that
        if isinstance(message, chat.Saying) and self._is_stop_word(text.strip()):
            message = chat.Stopping(text.strip())
        shown = text
        if isinstance(message, chat.Stopping):
            shown = "arret"
        elif isinstance(message, chat.Joining) and message.extension is not None:
            shown = f"Hello|{message.name}|{message.room}"
        _log_received(link, shown)
        return message

    def _carry_out_ask(self, link: ChatLink, text: str) -> None:
        try:
            ask = chat_events.parse_ask(text)
        except RemoteProtocolError as error:
            notify(link, "unreadable", str(error))
            return
        if isinstance(ask, chat_events.Say):
            _log_received(link, ask.text)
            self._hall.say(link, ask.text, ask.link)
        elif isinstance(ask, chat_events.Move):
            if room_name(ask.room) != link.room:
                self._hall.go_out(link)
                self._hold_for(link, self._hall.join_framed(link, room_name(ask.room)))
        elif isinstance(ask, chat_events.Stop):
            self._stop(link, is_allowed=self._is_stop_word(ask.word) or self._is_proof(link, ask.proof))
        else:
            self._farewell(link)

    def _join(self, link: ChatLink, hello: chat.Joining) -> None:
        room = room_name(hello.room or link.room or GENERAL)
        if hello.extension is None:
            self._hall.join(link, hello, room)
            return
        link.stream.is_framed = True
        if hello.extension.id:
            link.identity = f"id {hello.extension.id}"
        self._hall.name_of(link, hello)
        self._hold_for(link, self._hall.join_framed(link, room, hello))

    def _hold_for(self, link: ChatLink, joining: Coroutine[Any, Any, None]) -> None:
        link.hold()
        task = asyncio.get_running_loop().create_task(joining)
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    def _farewell(self, link: ChatLink) -> None:
        self._hall.depart(link)
        link.finish()

    # The end of the server.

    def _stop(self, link: ChatLink, *, is_allowed: bool) -> None:
        if not is_allowed:
            log.warning("%s (%s) may not end the room", link.peer, escaped(link.name))
            notify(
                link,
                "not_allowed",
                _(
                    "no: only the operator who runs this room may end it, from the same machine by "
                    "“beffroi room join”, or whoever says the stop word of its settings"
                ),
            )
            return
        log.info("the room is ended by %s (%s)", link.peer, escaped(link.name))
        for room in self._hall.rooms.people():
            self.post(_("{name} ends the room").format(name=link.name), room=room)
        self._ending.set()

    def _is_stop_word(self, word: str) -> bool:
        wanted = self._settings.stop_word
        return wanted is not None and hmac.compare_digest(
            word.strip().encode("utf-8", "replace"), wanted.strip().encode("utf-8", "replace")
        )

    def _is_proof(self, link: ChatLink, proof: str) -> bool:
        if self._secret is None or not link.is_loopback:
            return False
        return hmac.compare_digest(
            proof.encode("utf-8", "replace"), chat_events.stop_proof(self._secret, link.challenge).encode()
        )

    # Reports.

    def _report_soon(self) -> None:
        if self._teller is None and self._state is ListenerState.LISTENING:
            self._teller = asyncio.get_running_loop().call_later(REPORT_S, self._report)

    def _report(self) -> None:
        if self._teller is not None:
            self._teller.cancel()
            self._teller = None
        is_open = self._state is ListenerState.LISTENING
        self._publish(
            RoomReport(
                time_s=self._clock(),
                state=self._state,
                address=self.address,
                error=self._error,
                present=self._hall.rooms.people() if is_open else {},
                dropped=self._dropped,
            )
        )


def _log_received(link: ChatLink, text: str) -> None:
    log.info("Message received from %s : %s", link.peer, escaped(text))


def _no_chat(protocol: str) -> str:
    return _("this is the chat room of Beffroi, it does not speak {protocol}; join it by: beffroi room join").format(
        protocol=protocol
    )
