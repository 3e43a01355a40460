"""Every sentence of the course's protocol, by plain clients: raw sockets, threads, recv(1024), no newline sent."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from plain_chat_client import PlainChatClient
from room_server import RoomServer, serving

from core.services import chat_link
from core.site_records import ChatKind


@pytest.fixture
def server() -> Iterator[RoomServer]:
    with serving() as made:
        yield made


class Clients:
    """Plain clients that are gone when the test ends."""

    def __init__(self, stack: contextlib.ExitStack, server: RoomServer) -> None:
        self._stack = stack
        self._server = server

    def silent(self) -> PlainChatClient:
        client = PlainChatClient(self._server.address)
        self._stack.callback(client.close)
        return client

    def named(self, name: str, room: str = "") -> PlainChatClient:
        """One that is in, and has read that it is."""
        client = self.silent()
        client.send(f"Hello|{name}|{room}" if room else f"Hello|{name}")
        client.wait_for(f"Annonce : {name} a rejoint la chatroom")
        return client


@pytest.fixture
def clients(server: RoomServer) -> Iterator[Clients]:
    with contextlib.ExitStack() as stack:
        yield Clients(stack, server)


def quiet() -> None:
    """Long enough that what must not come would have come."""
    time.sleep(0.15)


def eventually(claim: Callable[[], bool]) -> None:
    """Return once `claim` holds, on however slow a machine."""
    deadline_s = time.monotonic() + 5
    while not claim():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


class Log(logging.Handler):
    """What the room logs, once each; pytest's own may hear a line twice, by this logger and by the root."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def log() -> Iterator[Log]:
    logger, handler = logging.getLogger("beffroi.room"), Log()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.setLevel(level)
    logger.removeHandler(handler)


def test_everybody_reads_who_has_joined(clients):
    alice = clients.named("alice")
    clients.named("bob")
    alice.wait_for("Annonce : bob a rejoint la chatroom")
    assert alice.lines == ["Annonce : alice a rejoint la chatroom", "Annonce : bob a rejoint la chatroom"]


def test_a_message_is_relayed_to_all_others_and_not_to_its_author(clients):
    alice, bob, carol = clients.named("alice"), clients.named("bob"), clients.named("carol")
    alice.send("bonjour à tous")
    for other in (bob, carol):
        other.wait_for("alice a dit : bonjour à tous")
    quiet()
    assert "bonjour" not in alice.text


def test_rooms_do_not_hear_each_other(clients):
    alice, bob = clients.named("alice", "atelier"), clients.named("bob", "bureau")
    carol = clients.named("carol", "atelier")
    alice.send("ici l'atelier")
    carol.wait_for("alice a dit : ici l'atelier")
    quiet()
    assert bob.lines == ["Annonce : bob a rejoint la chatroom"]


@pytest.mark.parametrize("how", ["close", "kill", "bye"])
def test_a_departure_is_announced_exactly_once(clients, how):
    alice, bob = clients.named("alice"), clients.named("bob")
    if how == "bye":
        bob.send("bye")
        bob.wait_for_end()
    else:
        getattr(bob, how)()
    alice.wait_for("Annonce : bob a quitté la chatroom")
    quiet()
    assert alice.lines.count("Annonce : bob a quitté la chatroom") == 1


def test_two_departures_at_once_are_two_announcements(clients, server):
    alice, bob, carol = clients.named("alice"), clients.named("bob"), clients.named("carol")
    bob.kill()
    carol.kill()
    alice.wait_for("Annonce : bob a quitté la chatroom")
    alice.wait_for("Annonce : carol a quitté la chatroom")
    quiet()
    assert len(server.lines(ChatKind.LEFT)) == 2
    assert alice.text.count("quitté") == 2


def test_hello_alone_is_answered_by_the_address_and_nothing_before_it(clients):
    first = clients.silent()
    first.send("Hello")
    first.wait_for(f"Hello {first.name}")
    assert first.lines == [f"Hello {first.name}"]


def test_before_any_hello_the_address_names_a_client(clients):
    alice, nobody = clients.named("alice"), clients.silent()
    nobody.send("qui est là ?")
    alice.wait_for(f"{nobody.name} a dit : qui est là ?")
    nobody.close()
    quiet()
    assert "Annonce" not in "".join(alice.lines[1:])


def test_a_client_that_has_said_nothing_hears_nothing(clients):
    silent, alice = clients.silent(), clients.named("alice")
    alice.send("secret")
    quiet()
    assert silent.text == ""


def test_the_server_logs_what_it_receives(log, clients):
    alice = clients.named("alice")
    alice.send("salut\x1b[2J" + "x" * 5000)
    eventually(lambda: len(log.lines) >= 2)
    hello, told = log.lines
    assert hello == f"Message received from {alice.name} : Hello|alice"
    assert told.startswith(f"Message received from {alice.name} : salut\\x1b[2Jxxx")
    assert len(told) < 300


def test_what_a_terminal_obeys_is_not_relayed(clients):
    alice, bob = clients.named("alice"), clients.named("bob")
    alice.send("a\x1b[2J\x07b\u202ec\x9b1m\td")
    bob.wait_for("alice a dit : a[2Jbc1m d")


def test_every_line_has_a_newline_and_30_ms_before_the_next(clients):
    alice, bob = clients.named("alice"), clients.named("bob")
    before = len(bob.lines)
    began_s = time.monotonic()
    alice.send("".join(f"{number}\n" for number in range(8)))
    bob.wait_for("alice a dit : 7")
    assert bob.lines[before:] == [f"alice a dit : {number}" for number in range(8)]
    assert bob.pieces[-1][0] - began_s >= 7 * 0.03


def test_a_message_without_newline_ends_after_50_ms_of_silence(clients):
    alice, bob = clients.named("alice"), clients.named("bob")
    alice.send("un")
    time.sleep(0.3)
    alice.send("deux")
    bob.wait_for("alice a dit : deux")
    assert [line for line in bob.lines if "dit" in line] == ["alice a dit : un", "alice a dit : deux"]


def test_3000_letters_are_one_message(clients):
    alice, bob = clients.named("alice"), clients.named("bob")
    alice.send("é" * 3000)
    bob.wait_for("alice a dit : " + "é" * 3000)


def test_a_letter_that_is_cut_is_put_together(clients):
    alice, bob = clients.named("alice"), clients.named("bob")
    alice.send("caf\xc3".encode("latin-1"))
    time.sleep(0.12)
    alice.send(b"\xa9")
    bob.wait_for("alice a dit : café")


def test_more_than_64_kib_is_relayed_in_pieces_of_64_kib(clients):
    alice, bob = clients.named("alice"), clients.named("bob")
    alice.send("x" * (2 * 65536 + 100))
    bob.wait_for("alice a dit : " + "x" * 100)
    pieces = [line.removeprefix("alice a dit : ") for line in bob.lines if "dit" in line]
    assert [len(piece) for piece in pieces] == [65536, 65536, 100]


def test_http_gets_one_clear_line(clients):
    browser, alice = clients.silent(), clients.named("alice")
    browser.send("GET / HTTP/1.1\r\nHost: here\r\nAccept: */*\r\n\r\n")
    browser.wait_for_end()
    assert len(browser.lines) == 1
    assert "does not speak HTTP" in browser.lines[0]
    quiet()
    assert alice.lines == ["Annonce : alice a rejoint la chatroom"]


def test_arret_of_anybody_is_answered_by_no(clients, server):
    alice, bob = clients.named("alice"), clients.named("bob")
    words = ["arret", "arrêt", "ARRET", "Arrêt", "arre\u0302t"]
    for word in words:
        bob.send(word + "\n")
    alice.send("toujours là")
    bob.wait_for("alice a dit : toujours là")
    refusals = [line for line in bob.lines if line.startswith("Server: no: only the operator")]
    assert len(refusals) == len(words)
    assert not server.has_ended
    assert "arr" not in alice.text


def test_the_stop_word_ends_clients_and_server_and_is_neither_relayed_nor_logged(log):
    with serving(stop_word="rideau!") as server, contextlib.ExitStack() as stack:
        clients = Clients(stack, server)
        alice, bob = clients.named("alice"), clients.named("bob")
        bob.send("arret rideau\n")
        eventually(lambda: "Server: no" in bob.text)
        assert not server.has_ended
        bob.send("arret rideau!")
        alice.wait_for_end()
        bob.wait_for_end()
        server.wait_for_end()
        assert "Annonce : bob ends the room" in alice.lines
        assert "rideau" not in alice.text
        assert any("arret" in line for line in log.lines)
        assert not any("rideau" in line for line in log.lines)


@pytest.mark.parametrize(
    ("asked", "given", "told"),
    [
        ("bob", "bob-2", "somebody else is bob"),
        ("BOB", "BOB-2", "somebody else is BOB"),
        ("Ｂｏｂ", "Ｂｏｂ-2", "somebody else is Ｂｏｂ"),
        ("bo\u200db\u202e", "bob-2", "somebody else is bob"),
        ("z" * 10_000, "z" * 32, "32 letters at most"),
        ("eve\x1b[31m\u202e", "eve[31m", "some signs cannot be in a name"),
        ("Annonce : bob a quitté", "Annonce _ bob a quitté", "some signs"),
    ],
)
def test_a_name_that_cannot_be_is_another_one_and_its_bearer_is_told(clients, asked, given, told):
    bob, other = clients.named("bob"), clients.silent()
    other.send(f"Hello|{asked}")
    other.wait_for(f"Annonce : {given} a rejoint la chatroom")
    assert other.lines[0].startswith("Server: ")
    assert told in other.lines[0]
    assert f"you are {given}" in other.lines[0]
    bob.wait_for(f"Annonce : {given} a rejoint la chatroom")


def test_a_name_of_which_nothing_is_left_is_the_address(clients):
    alice, other = clients.named("alice"), clients.silent()
    other.send("Hello|\u200f\x07")
    alice.wait_for(f"Annonce : {other.name} a rejoint la chatroom")


def test_a_second_hello_is_another_name_in_another_room(clients):
    alice, bob = clients.named("alice"), clients.named("bob")
    bob.send("Hello|robert|atelier")
    bob.wait_for("Annonce : robert a rejoint la chatroom")
    alice.wait_for("Annonce : bob a quitté la chatroom")
    quiet()
    assert "robert" not in alice.text


def test_what_was_sent_before_the_end_is_still_said(clients):
    alice = clients.named("alice")
    for name in ("bob", "carol"):
        hasty = clients.silent()
        hasty.send(f"Hello|{name}\n" + "un\ndeux")
        hasty.close()
        alice.wait_for(f"{name} a dit : deux")
        alice.wait_for(f"Annonce : {name} a quitté la chatroom")


def test_a_client_that_does_not_read_is_dropped_and_nobody_waits(clients, server):
    alice, bob = clients.named("alice"), clients.named("bob")
    deaf = PlainChatClient.__new__(PlainChatClient)  # one whose reader never starts
    deaf.socket = socket.socket()
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    host, port = server.address.rsplit(":", 1)
    deaf.socket.connect((host, int(port)))
    deaf.socket.sendall(b"Hello|deaf")
    alice.wait_for("Annonce : deaf a rejoint la chatroom")
    for number in range(10):
        bob.send(f"{number}" + "x" * 65_000 + "\n")
        alice.wait_for(f"bob a dit : {number}" + "x" * 65_000)
    alice.wait_for("Annonce : deaf a quitté la chatroom")
    eventually(lambda: server.reports[-1].dropped == 1)
    assert server.reports[-1].present == {"general": ("alice", "bob")}
    deaf.socket.close()


def test_a_flood_is_read_slowly_and_nothing_of_it_is_lost(clients):
    alice, bob = clients.named("alice"), clients.named("bob")
    bob.send("".join(f"{number}\n" for number in range(130)))
    alice.wait_for("bob a dit : 129", timeout_s=8)
    assert [line for line in alice.lines if "dit" in line] == [f"bob a dit : {number}" for number in range(130)]
    assert [line for line in bob.lines if line.startswith("Server")] == [
        "Server: you send more than 30 lines a second; the room reads you more slowly"
    ]


def test_one_more_link_than_there_may_be_pushes_a_silent_one_out(clients, server, monkeypatch):
    from core.services import chat_room

    monkeypatch.setattr(chat_room, "LINKS", 2)
    silent, alice = clients.silent(), clients.named("alice")
    clients.named("bob")
    silent.wait_for_end()
    late = clients.silent()
    late.wait_for_end()
    assert "the room is full" in late.lines[0]
    assert not alice.has_ended


def test_half_open_links_are_found_by_the_kernel(server, monkeypatch):
    seen = []
    watch = chat_link._watch_for_silence

    def spy(link):
        watch(link)
        seen.append(link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    monkeypatch.setattr(chat_link, "_watch_for_silence", spy)
    client = PlainChatClient(server.address, "Hello")
    client.wait_for(f"Hello {client.name}")
    client.close()
    assert seen == [1]


def test_the_end_of_the_server_is_told_to_plain_clients():
    with serving() as server:
        alice = PlainChatClient(server.address, "Hello|alice")
        alice.wait_for("Annonce : alice a rejoint la chatroom")
    alice.wait_for_end()
    assert alice.lines[-1] == "Annonce : the room is closed"
    alice.close()
