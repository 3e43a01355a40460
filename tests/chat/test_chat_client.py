"""What clients of ours, and the window's own people, get from the room."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from room_server import SECRET

from core.config.settings import RoomSettings
from core.errors import NothingListensError, PortInUseError, StoreError, TransportError
from core.protocol.chat_events import Ended, Notice, Told, Welcome
from core.services.chat_client import ChatClient, PlainLine
from core.services.chat_room import ChatRoom
from core.site_records import ChatKind, ChatLine, ListenerState, RoomReport


def old_line(number: int, room: str = "general") -> ChatLine:
    return ChatLine(id=f"old {number}", room=room, author="Zoé", text=f"old {number}", time_s=float(number))


class Room:
    """A room in this loop, what it published, and its clients."""

    def __init__(self, stored=(), failure=None, **settings):
        self.records = []
        self.stored = list(stored)
        self.failure = failure
        settings = RoomSettings(listen="127.0.0.1:0", **settings)
        self.room = ChatRoom(settings, self.records.append, operator="Olga", last_lines=self.last, secret=SECRET)
        self.clients = []

    async def last(self, room):
        if self.failure is not None:
            raise self.failure
        return [line for line in self.stored if line.room == room][-200:]

    async def __aenter__(self):
        self.running = asyncio.create_task(self.room.run())
        await self.room.ready()
        return self

    async def __aexit__(self, *_error):
        for client in self.clients:
            client.close()
        self.running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.running

    async def join(self, name, room="", secret=SECRET):
        host, port = self.room.address.rsplit(":", 1)
        client = Listener(await ChatClient.connect(host, int(port), name, room, secret))
        self.clients.append(client)
        return client, await client.next(Welcome)

    @property
    def report(self):
        return [record for record in self.records if isinstance(record, RoomReport)][-1]


class Listener:
    def __init__(self, client):
        self.client = client
        self.events = client.events()
        self.is_closed = False

    async def next(self, kind):
        """The next event of that kind; others are passed over."""
        async with asyncio.timeout(5):
            async for event in self.events:
                if isinstance(event, kind):
                    return event
        raise AssertionError(f"the link ended without {kind}")

    async def said(self):
        while (told := await self.next(Told)).line.kind is not ChatKind.MESSAGE:
            pass
        return told.line

    def close(self):
        if not self.is_closed:
            self.is_closed = True
            self.client.close()


def test_a_newcomer_gets_the_last_200_lines_and_who_is_there():
    async def talk():
        async with Room(stored=[old_line(number) for number in range(300)]) as room:
            _anne, _first = await room.join("Anne")
            return (await room.join("Bob"))[1]

    welcome = asyncio.run(talk())
    assert [line.id for line in welcome.lines] == [f"old {number}" for number in range(101, 300)] + [
        welcome.lines[-1].id
    ]
    assert welcome.lines[-1].kind is ChatKind.JOINED
    assert welcome.present == ("Anne", "Bob")
    assert welcome.rooms == {"general": 2}
    assert not welcome.is_back


def test_a_newcomer_is_never_sent_more_than_it_can_hold():
    async def talk():
        stored = [
            ChatLine(id=str(number), room="general", author="x", text="é" * 30_000, time_s=1.0) for number in range(9)
        ]
        async with Room(stored=stored) as room:
            client, welcome = await room.join("Anne")
            await client.client.say("there")
            return welcome, await client.said()

    welcome, line = asyncio.run(talk())
    assert [line.id for line in welcome.lines] == ["8"]
    assert line.text == "there"


def test_without_a_history_the_room_still_opens():
    async def talk():
        async with Room(failure=StoreError("locked")) as room:
            return (await room.join("Anne"))[1]

    assert asyncio.run(talk()).lines == ()


def test_ones_own_line_comes_back_with_its_time_and_link():
    async def talk():
        async with Room() as room:
            client, _welcome = await room.join("Anne")
            await client.client.say("\x1b[2Jvoir machine/m1")
            return await client.said()

    line = asyncio.run(talk())
    assert (line.author, line.text, line.link) == ("Anne", "[2Jvoir machine/m1", "machine/m1")
    assert line.time_s > 1e9


def test_a_long_text_is_said_in_pieces_and_none_is_lost():
    async def talk():
        async with Room() as room:
            client, _welcome = await room.join("Anne")
            await client.client.say("é" * 40_000)
            return [await client.said() for _piece in range(3)]

    assert "".join(line.text for line in asyncio.run(talk())) == "é" * 40_000


def test_whoever_returns_is_welcomed_back_and_two_links_of_one_person_are_one():
    async def talk():
        async with Room() as room:
            first, welcome = await room.join("Anne")
            second, again = await room.join("Anne")
            other, others = await room.join("Anne", secret=b"x" * 32)
            first.close()
            await other.client.say("one has gone")
            said = (await other.next(Told)).line
            second.close()
            left = await other.next(Told)
            return welcome, again, others, said, left.line

    welcome, again, others, said, left = asyncio.run(talk())
    assert (welcome.is_back, again.is_back, others.is_back) == (False, True, False)
    assert (welcome.name, again.name, others.name) == ("Anne", "Anne", "Anne-2")
    assert said.kind is ChatKind.MESSAGE  # and no departure before it
    assert (left.kind, left.author) == (ChatKind.LEFT, "Anne")


def test_rooms_are_changed_with_a_welcome_of_their_own():
    async def talk():
        async with Room(stored=[old_line(1, "lab")]) as room:
            client, _welcome = await room.join("Anne")
            await client.client.move("LAB")
            await client.client.say("ici")
            welcome = await client.next(Welcome)
            return welcome, await client.said(), client.client.room

    welcome, line, room = asyncio.run(talk())
    assert (welcome.room, line.room, room) == ("lab", "lab", "lab")
    assert [line.text for line in welcome.lines] == ["old 1"]


def test_the_operator_of_the_home_ends_the_room_and_nobody_else_does():
    async def talk():
        async with Room() as room:
            stranger, _welcome = await room.join("Eve", secret=b"e" * 32)
            await stranger.client.stop("guess")
            refusal = await stranger.next(Notice)
            is_open = room.report.state
            operator, _welcome = await room.join("Olga")
            await operator.client.stop()
            await stranger.next(Ended)
            stranger.close()
            operator.close()
            async with asyncio.timeout(5):
                await room.running
            return refusal.code, is_open, room.report

    code, is_open, report = asyncio.run(talk())
    assert (code, is_open) == ("not_allowed", ListenerState.LISTENING)
    assert (report.state, report.present, report.address) == (ListenerState.STOPPED, {}, None)


def test_what_cannot_be_read_is_told_and_the_link_goes_on():
    async def talk():
        async with Room() as room:
            client, _welcome = await room.join("Anne")
            client.client._writer.write(b'{"do":"fly"}\n[]\n\xff\n')
            codes = [(await client.next(Notice)).code for _line in range(3)]
            await client.client.say("still here")
            return codes, await client.said()

    codes, line = asyncio.run(talk())
    assert codes == ["unreadable"] * 3
    assert line.text == "still here"


def test_the_people_of_the_window_are_in_the_room_like_others():
    async def talk():
        async with Room() as room:
            client, _welcome = await room.join("Anne")
            names = [room.room.enter("Olga"), room.room.enter("Olga"), room.room.enter("anne")]
            joined = [(await client.next(Told)).line for _line in range(2)]
            room.room.say("Olga", "general", "à table\n", link="time/2026-11-21T12:00:00Z")
            line = await client.said()
            room.room.leave("Olga")
            left = (await client.next(Told)).line
            room.room.say("Olga", "general", "from outside")
            return names, joined, line, left, await client.said(), room

    names, joined, line, left, outside, room = asyncio.run(talk())
    assert names == ["Olga", "Olga", "anne-2"]
    assert [one.author for one in joined] == ["Olga", "anne-2"]
    assert (line.author, line.text, line.link) == ("Olga", "à table", "time/2026-11-21T12:00:00Z")
    assert (left.kind, left.author, outside.author) == (ChatKind.LEFT, "Olga", "Olga")
    assert [one.text for one in room.records if isinstance(one, ChatLine) and one.kind is ChatKind.MESSAGE] == [
        "à table",
        "from outside",
    ]


def test_a_post_is_nobodys_and_carries_its_link():
    async def talk():
        async with Room() as room:
            client, _welcome = await room.join("Anne")
            room.room.post("CPU\x07 high", ChatKind.ALARM, "alarm/3")
            return (await client.next(Told)).line

    line = asyncio.run(talk())
    assert (line.author, line.text, line.kind, line.link) == ("", "CPU high", ChatKind.ALARM, "alarm/3")


def test_a_port_that_is_taken_is_said_and_reported():
    async def talk():
        async with Room() as room:
            other = Room()
            settings = RoomSettings(listen=room.room.address)
            second = ChatRoom(settings, other.records.append, operator="x", last_lines=other.last)
            with pytest.raises(PortInUseError) as refused:
                await second.run()
            with pytest.raises(TransportError):
                await second.ready()
            return str(refused.value), other.report

    text, report = asyncio.run(talk())
    assert (report.state, report.error) == (ListenerState.FAILED, text)
    assert "another program listens" in text


def test_a_room_that_is_not_open_is_told_apart():
    async def talk():
        async with Room() as room:
            host, port = room.room.address.rsplit(":", 1)
        with pytest.raises(NothingListensError, match="is the room open there"):
            await ChatClient.connect(host, int(port), "Anne")

    asyncio.run(talk())


def test_a_plain_server_is_talked_to_plainly():
    heard = []

    async def serve(reader, writer):
        heard.append(await reader.read(1024))
        writer.write(b"Annonce : Anne a rejoint la chatroom")
        heard.append(await reader.read(1024))
        heard.append(await reader.read(1024))
        writer.close()

    async def talk():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        client = await ChatClient.connect(host, port, "Anne", secret=SECRET)
        events = client.events()
        first = await anext(events)
        await client.say("salut")
        await client.bye()
        rest = [event async for event in events]
        client.close()
        server.close()
        return first, rest

    first, rest = asyncio.run(talk())
    assert (first, rest) == (PlainLine("Annonce : Anne a rejoint la chatroom"), [])
    assert heard[0].startswith(b"Hello|Anne||{")
    assert heard[1:] == [b"salut", b"bye"]
