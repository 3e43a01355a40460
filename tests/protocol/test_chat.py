"""What the chat protocol makes of a client's bytes, however they are cut."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RemoteProtocolError
from core.protocol import chat, chat_events
from core.protocol.chat import MessageStream, parse_message
from core.protocol.chat_pace import GAP_S, LINES_APART, LINES_AT_ONCE, LINES_PER_S, Allowance, PacedQueue
from core.protocol.chat_text import (
    PALETTE,
    checked_link,
    clean_name,
    clean_text,
    colour_index,
    escaped,
    is_mentioned,
    link_in,
    name_key,
    room_name,
)
from core.protocol.session import NEED_DATA
from core.site_records import ChatLine


def messages(stream: MessageStream) -> list[str]:
    found = []
    while (text := stream.next_event()) is not NEED_DATA:
        found.append(text)
    return found


def heard(*pieces: tuple[float, bytes]) -> list[str]:
    """Messages of bytes that came at these times, the timer of the stream being served."""
    stream = MessageStream()
    for now_s, data in pieces:
        while (due_s := stream.next_deadline()) is not None and due_s <= now_s:
            stream.receive_data(b"", due_s)
        stream.receive_data(data, now_s)
    stream.receive_end()
    return messages(stream)


TALK = "Hello|chloé\nça va ?\r\n\n  \nbye\n".encode()


@pytest.mark.parametrize("size", range(1, len(TALK) + 1))
def test_lines_are_the_same_however_they_are_cut(size):
    pieces = [(at / 1000, TALK[at : at + size]) for at in range(0, len(TALK), size)]
    assert heard(*pieces) == ["Hello|chloé", "ça va ?", "bye"]


def test_silence_ends_a_message_and_shorter_silence_does_not():
    assert heard((0.0, b"un"), (0.049, b" deux"), (0.2, b"trois")) == ["un deux", "trois"]


def test_a_letter_cut_by_silence_is_waited_for():
    assert heard((0.0, b"caf\xc3"), (0.3, b"\xa9")) == ["café"]
    assert heard((0.0, b"caf\xc3"), (0.6, b"\xa9")) == ["caf\ufffd", "\ufffd"]


def test_time_in_which_nobody_read_is_no_silence():
    stream = MessageStream()
    stream.receive_data(b"first ", 0.0)
    stream.resume(10.0)
    stream.receive_data(b"", 10.01)
    stream.receive_data(b"last", 10.02)
    stream.receive_data(b"", 10.08)
    assert messages(stream) == ["first last"]


@pytest.mark.parametrize("letter", ["x", "é", "€", "😀"])
def test_pieces_of_64_kib_never_cut_a_letter(letter):
    text = "a" + letter * 100_000
    stream = MessageStream()
    stream.receive_data(text.encode(), 0.0)
    stream.receive_end()
    found = messages(stream)
    assert "".join(found) == text
    assert all(65_536 - 3 <= len(piece.encode()) <= 65_536 for piece in found[:-1])


def test_exactly_64_kib_and_a_newline_is_one_message():
    assert heard((0.0, b"x" * 65_536 + b"\nnext")) == ["x" * 65_536, "next"]


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_no_bytes_raise_anything_and_none_give_an_empty_message(pieces):
    found = heard(*[(number / 10, data) for number, data in enumerate(pieces)])
    assert all(text.strip() for text in found)
    for text in found:
        parse_message(text, is_first=True)
        parse_message(text, is_first=False)


def test_a_hello_of_ours_is_not_ended_by_silence():
    hello = chat_events.encode_hello("bob", "lab", "i" * 64)
    assert heard((0.0, hello[:-30]), (1.0, hello[-30:])) == [hello.decode().strip()]


def test_a_line_of_ours_without_end_is_refused():
    stream = MessageStream()
    stream.is_framed = True
    stream.receive_data(b"{" * (chat.OBJECT_BYTES + 1), 0.0)
    with pytest.raises(RemoteProtocolError):
        stream.next_event()


def test_many_short_messages_cost_no_more_than_their_bytes_until_they_are_read():
    stream = MessageStream()
    data = b"ab\n" * 80_000
    tracemalloc.start()
    try:
        stream.receive_data(data, 0.0)
        assert stream.next_event() == "ab"
        stream.put_back("ab")
        assert tracemalloc.get_traced_memory()[0] < 2 * len(data)
    finally:
        tracemalloc.stop()
    assert sum(1 for _text in iter(stream.next_event, NEED_DATA)) == 80_000


def test_lists_within_lists_without_end_are_refused_in_words():
    deep = "[" * 30_000 + "]" * 30_000
    with pytest.raises(RemoteProtocolError):
        chat_events.parse_ask(f'{{"do":"say","text":"a","more":{deep}}}')
    assert chat_events.parse_event(f'{{"event":"end","more":{deep}}}') is None
    assert parse_message(f'Hello|bob|lab|{{"beffroi":1,"more":{deep}}}', is_first=True) == chat.Joining("bob", "lab")


@pytest.mark.parametrize(
    ("text", "is_first", "meaning"),
    [
        ("Hello", True, chat.Greeting()),
        ("Hello", False, chat.Saying("Hello")),
        ("Hello|bob", True, chat.Joining("bob")),
        ("Hello|bob|lab", False, chat.Joining("bob", "lab")),
        ("Hello|bob|lab|more|and more", True, chat.Joining("bob", "lab")),
        ('Hello|bob|lab|{"beffroi":"no"}', True, chat.Joining("bob", "lab")),
        (
            'Hello|bob|lab|{"beffroi":1,"id":"x","new":2}',
            True,
            chat.Joining("bob", "lab", chat_events.Extension(beffroi=1, id="x")),
        ),
        ("bye", False, chat.Leaving()),
        (" BYE ", True, chat.Leaving()),
        ("bye bye", False, chat.Saying("bye bye")),
        ("ARRÊT", False, chat.Stopping()),
        ("arre\u0302t", False, chat.Stopping()),
        ("arret mot", False, chat.Stopping("mot")),
        ("arret de bus", False, chat.Saying("arret de bus")),
        ("GET / HTTP/1.1", True, chat.Stranger("HTTP")),
        ("GET / HTTP/1.1", False, chat.Saying("GET / HTTP/1.1")),
        ("\x16\x03\x01\x02", True, chat.Stranger("TLS")),
    ],
)
def test_what_a_message_means(text, is_first, meaning):
    assert parse_message(text, is_first=is_first) == meaning


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  Anne   Marie ", "Anne Marie"),
        ("a\x00b\x1b[31mc", "ab[31mc"),
        ("\u202eevil\u200f\u2066", "evil"),
        ("z" * 10_000, "z" * 32),
        ("a|b:c", "a_b_c"),
        ("\ud800", ""),
        ("e\u0301", "é"),
        ("\n\t", ""),
    ],
)
def test_a_name_is_made_harmless(text, name):
    assert clean_name(text) == name
    assert clean_name(name) == name


def test_names_that_look_the_same_have_one_key():
    assert name_key("Ann") == name_key("ann") == name_key("ＡＮＮ")
    assert room_name(" Lab ") == room_name("lab") == "lab"
    assert room_name("\u200f") == "general"


@given(st.text())
def test_clean_text_is_one_line_that_no_terminal_obeys(text):
    cleaned = clean_text(text)
    assert not any(letter < " " or "\x7f" <= letter < "\xa0" or letter in "\u202e\u2028\u2066" for letter in cleaned)
    cleaned.encode()
    assert clean_text(cleaned) == cleaned


def test_a_log_line_is_bounded_and_escaped():
    assert escaped("a\x1b\né\ud800") == "a\\x1b\\né\\ud800"
    assert escaped("x" * 300) == "x" * 200 + "… (300 letters)"


def test_the_colour_of_a_name_never_changes():
    assert [colour_index(name) for name in ("alice", "ALICE", "bob", "chloé")] == [7, 7, 0, 4]
    assert {colour_index(str(number)) for number in range(100)} == set(range(PALETTE))


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("hé @Bob !", True),
        ("bob: viens", True),
        ("bob, viens", True),
        ("@bobby", False),
        ("mail@bob", False),
        ("je parle de bob", False),
    ],
)
def test_mentions(text, is_so):
    assert is_mentioned(text, "bob") is is_so


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("voir machine/m1.", "machine/m1"),
        ("alarm/12 !", "alarm/12"),
        ("à time/2026-11-21T10:15:03Z, la tension", "time/2026-11-21T10:15:03Z"),
        ("http://host/machine/m1", None),
        ("rien", None),
    ],
)
def test_a_text_may_name_a_link(text, link):
    assert link_in(text) == link
    assert checked_link(link) == link


def test_a_link_of_a_client_leads_nowhere_else():
    assert checked_link("file:///etc/passwd") is None
    assert checked_link("machine/" + "x" * 300) is None


def test_events_go_over_the_wire_and_back():
    line = ChatLine(id="1", room="general", author="bob", text='"é"\n', time_s=1.5, link="alarm/1")
    for event in (
        chat_events.Told(line=line),
        chat_events.Welcome(name="bob", room="r", time_s=1.0, challenge="c", lines=(line,), rooms={"r": 1}),
        chat_events.Notice(code="x", text="y"),
        chat_events.Ended(),
    ):
        assert chat_events.parse_event(chat_events.encode_line(event).decode()) == event
    with pytest.raises(RemoteProtocolError):
        chat_events.parse_ask('{"do":"fly"}')
    assert chat_events.parse_event("Annonce : x") is None


def test_a_proof_holds_for_its_secret_and_challenge_alone():
    proofs = {chat_events.stop_proof(secret, nonce) for secret in (b"a", b"b") for nonce in ("1", "2")}
    ids = {chat_events.client_id(b"a", place, name) for place in ("h:1", "h:2") for name in ("x", "y")}
    assert len(proofs) == len(ids) == 4


def test_lines_leave_30_ms_apart_and_a_long_queue_in_bunches():
    queue = PacedQueue()
    for number in range(3):
        queue.put(b"%d\n" % number)
    assert (queue.take(1.0), queue.take(1.0), queue.take(1.0 + GAP_S)) == (b"0\n", b"", b"1\n")
    assert queue.next_deadline() == 1.0 + 2 * GAP_S
    for _number in range(1000):
        queue.put(b"x")
    taken = queue.take(2.0)
    assert len(taken) > 900
    assert queue.size == LINES_APART - 1
    assert queue.take_all() == b"x" * (LINES_APART - 1)
    assert queue.next_deadline() is None


def test_an_allowance_gives_a_burst_then_its_rate():
    allowance = Allowance()
    assert all(allowance.wait_s(10, 0.0) == 0 for _line in range(LINES_AT_ONCE))
    wait_s = allowance.wait_s(10, 0.0)
    assert wait_s == pytest.approx(1 / LINES_PER_S)
    assert allowance.wait_s(10, wait_s + 1e-6) == 0
    assert allowance.wait_s(10_000_000, 1000.0) == 0
    assert 0 < allowance.wait_s(65_536, 1000.0) <= 0.125
