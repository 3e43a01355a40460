from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import LocalProtocolError, NoiseError, RemoteProtocolError, WrongKeyError
from core.protocol.ciphering import GENERAL_DED_CIPHERING
from core.protocol.hdlc import encode_frame
from core.protocol.push import FRAME_GAP_S, MESSAGE_GAP_S, PushSession, PushTelegram
from core.protocol.push_encoder import PushValue, clock_octets, encode_block, encode_push, transport
from core.protocol.session import NEED_DATA, Rejected, Told

KEY = bytes(range(16))
AUTH_KEY = bytes(range(0xD0, 0xE0))
TITLE = b"LGZ\x01\x02\x03\x04\x05"
CLOCK = clock_octets(1_700_000_000, 60)
VALUES = [
    PushValue("1-0:1.8.0*255", 12_345_678),
    PushValue("1-0:2.8.0*255", 0),
    PushValue("1-0:1.7.0*255", 1520),
    PushValue("1-0:32.7.0*255", 231, is_short=True),
    PushValue("1-0:52.7.0*255", 232, is_short=True),
    PushValue("1-0:31.7.0*255", 523, is_short=True),
    PushValue("0-0:96.1.0*255", "12345678"),
    PushValue("1-0:16.7.0*255", -740),
] * 3
CIPHERED = {"key": KEY, "auth_key": AUTH_KEY, "system_title": TITLE}


def events_of(data: bytes, session: PushSession | None = None, size: int = 1 << 20) -> list:
    session = session or PushSession(KEY, AUTH_KEY)
    for start in range(0, len(data), size):
        session.receive_data(data[start : start + size], 0.0)
    return drained(session)


def drained(session: PushSession) -> list:
    events = []
    while (event := session.next_event()) is not NEED_DATA:
        events.append(event)
    return events


def told(events: list) -> list[PushTelegram]:
    return [event.telegram for event in events if isinstance(event, Told)]


def reasons(events: list) -> list[str]:
    return [str(event.error) for event in events if isinstance(event, Rejected)]


@pytest.mark.parametrize("layout", [1, 2, 3, 4])
@pytest.mark.parametrize("transfer", ["auto", "frame", "blocks", "segments"])
@pytest.mark.parametrize("keys", [{}, CIPHERED], ids=["plain", "ciphered"])
def test_every_layout_comes_through_every_transfer(layout, transfer, keys):
    data = encode_push(VALUES, layout, clock=CLOCK, transfer=transfer, **keys)
    (telegram,) = told(events_of(data))
    assert len(telegram.notifications) == (2 if layout == 4 else 1)
    assert telegram.is_ciphered is bool(keys)
    assert telegram.is_authenticated is (True if keys else None)
    assert telegram.system_title == (TITLE if keys else None)
    assert not telegram.warnings


@pytest.mark.parametrize("transfer", ["frame", "blocks", "segments"])
def test_a_telegram_is_the_same_however_it_is_cut(transfer):
    data = encode_push(VALUES, 2, clock=CLOCK, transfer=transfer, **CIPHERED)
    whole = told(events_of(data))
    for size in range(1, len(data) + 1):
        assert told(events_of(data, size=size)) == whole
    for cut in range(1, len(data)):
        session = PushSession(KEY, AUTH_KEY)
        session.receive_data(data[:cut], 0.0)
        session.receive_data(data[cut:], 0.0)
        assert told(drained(session)) == whole


def test_a_telegram_is_told_with_its_last_octet_not_later():
    data = encode_push(VALUES, 2, clock=CLOCK, **CIPHERED)
    session = PushSession(KEY, AUTH_KEY)
    session.receive_data(data[:-2], 0.0)
    assert not told(drained(session))
    session.receive_data(data[-2:-1], 0.0)
    assert told(drained(session))


@pytest.mark.parametrize("transfer", ["frame", "blocks", "segments"])
def test_a_truncated_telegram_is_rejected_at_the_end_and_nothing_is_published(transfer):
    data = encode_push(VALUES, 2, clock=CLOCK, transfer=transfer, **CIPHERED)
    for cut in range(2, len(data) - 1, 3):
        session = PushSession(KEY, AUTH_KEY)
        session.receive_data(data[:cut], 0.0)
        session.finish()
        events = drained(session)
        assert not told(events)
        assert reasons(events)


@pytest.mark.parametrize("transfer", ["frame", "blocks", "segments"])
@pytest.mark.parametrize("keys", [{}, CIPHERED], ids=["plain", "ciphered"])
def test_one_wrong_bit_anywhere_publishes_nothing_and_is_told(transfer, keys):
    data = encode_push(VALUES, 2, clock=CLOCK, transfer=transfer, **keys)
    for position in range(len(data)):
        if data[position] == 0x7E and (position == len(data) - 1 or data[position - 1 : position] == b"\x7e"):
            continue  # a flag that the length makes superfluous
        broken = bytearray(data)
        broken[position] ^= 1 << position % 8
        session = PushSession(KEY, AUTH_KEY)
        session.receive_data(bytes(broken), 0.0)
        session.finish()
        events = drained(session)
        if told(events):
            assert data[position] == 0x7E  # a closing flag: the next opening one says the same
        else:
            assert reasons(events), position


def blocks_of(count: int = 4, first: bytes = b"") -> tuple[bytes, list[bytes]]:
    apdu = encode_push(VALUES, 2, clock=first or CLOCK, transfer="none")
    size = -(-len(apdu) // count)
    pieces = [apdu[start : start + size] for start in range(0, len(apdu), size)]
    frames = [
        encode_frame((b"" if number > 1 else b"\xe6\xe7\x00") + encode_block(number, piece, is_last=number == count))
        for number, piece in enumerate(pieces, 1)
    ]
    return apdu, frames


def test_a_missing_block_drops_the_message_and_says_so():
    _, frames = blocks_of()
    events = events_of(frames[0] + frames[1] + frames[3] + b"".join(frames))
    assert len(told(events)) == 1
    assert reasons(events) == ["block 4 came where block 3 was due; the message is dropped"]


@pytest.mark.parametrize("twice", [0, 1, 2])
def test_a_duplicate_block_drops_the_message_and_says_so(twice):
    _, frames = blocks_of()
    events = events_of(b"".join(frames[: twice + 1]) + b"".join(frames[twice:]))
    assert not told(events)
    assert len(reasons(events)) == 1
    assert "the message is dropped" in reasons(events)[0]


def test_a_message_that_begins_in_its_middle_is_dropped_once():
    _, frames = blocks_of()
    events = events_of(b"".join(frames[1:]) + b"".join(frames))
    assert len(told(events)) == 1
    assert len(reasons(events)) == 1


def test_a_new_first_block_begins_a_new_message():
    _, frames = blocks_of()
    _, later = blocks_of(first=clock_octets(1_700_000_005, 60))
    events = events_of(frames[0] + frames[1] + b"".join(later))
    assert len(told(events)) == 1
    assert len(reasons(events)) == 1


def test_a_message_in_blocks_is_bounded():
    session = PushSession()
    for number in range(1, 40):
        session.receive_data(encode_frame(encode_block(number, bytes(2000), is_last=False)), 0.0)
    assert any("longer than" in reason for reason in reasons(drained(session)))


def test_a_segmented_message_is_bounded():
    session = PushSession()
    for _number in range(40):
        start = b"\xe6\xe7\x00" if not _number else b""
        session.receive_data(encode_frame(start + bytes(2000), is_segmented=True), 0.0)
    assert any("longer than" in reason for reason in reasons(drained(session)))


def test_a_saved_segmented_message_without_its_end_is_told_as_incomplete():
    values = [PushValue("1-0:1.7.0*255", number, scaler=0, unit=27) for number in range(20)]
    data = encode_push(values, 2, clock=CLOCK, transfer="segments")
    first = data[: data.index(b"\x7e", 1) + 1]
    session = PushSession()
    session.receive_data(first, 0.0)
    assert not drained(session)
    session.finish()
    (telegram,) = told(drained(session))
    assert not telegram.is_complete
    assert "missing" in telegram.warnings[0]


def segments_of() -> list[bytes]:
    values = [PushValue("1-0:1.7.0*255", number, scaler=0, unit=27) for number in range(20)]
    data = encode_push(values, 2, clock=CLOCK, transfer="segments")
    parts = [b"\x7e" + part for part in data.split(b"\x7e") if part]
    assert len(parts) == 4
    return [part + b"\x7e" for part in parts]


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_corrupt_segment_drops_its_message_and_the_next_message_is_read(lost):
    parts = segments_of()
    broken = bytearray(parts[lost])
    broken[20] ^= 1
    events = events_of(b"".join([*parts[:lost], bytes(broken), *parts[lost + 1 :], *parts]))
    assert len(told(events)) == 1
    assert reasons(events)


def test_a_segmented_message_without_its_beginning_is_dropped():
    parts = segments_of()
    events = events_of(b"".join(parts[1:] + parts))
    assert len(told(events)) == 1
    assert reasons(events) == ["a message of 120 octets has no beginning"]


def test_a_line_that_falls_silent_gives_up_what_has_begun():
    data = encode_push(VALUES, 2, clock=CLOCK, transfer="blocks")
    session = PushSession()
    session.receive_data(data[:40], 10.0)
    assert session.next_deadline() == 10.0 + FRAME_GAP_S
    session.receive_data(b"", 10.0 + FRAME_GAP_S)
    assert "broke off" in reasons(drained(session))[0]
    session.receive_data(data[: data.index(b"\x7e\x7e") + 1], 20.0)
    assert session.next_deadline() == 20.0 + MESSAGE_GAP_S
    session.receive_data(b"", 20.0 + MESSAGE_GAP_S)
    assert "block 2 did not come" in reasons(drained(session))[0]
    assert session.next_deadline() is None
    assert len(told(events_of(data, session))) == 1


def test_halves_of_two_messages_are_not_put_together_when_the_deadline_was_forgotten():
    data = encode_push(VALUES, 2, clock=CLOCK, transfer="blocks")
    half = data.index(b"\x7e\x7e") + 1
    session = PushSession()
    session.receive_data(data[:half], 0.0)
    session.receive_data(data[half:], 3600.0)
    events = drained(session)
    assert not told(events)
    assert "block 2 did not come" in reasons(events)[0]


def test_the_beginning_of_a_header_may_be_noise():
    session = PushSession()
    session.receive_data(b"\x7e\xa0\x8b", 0.0)
    session.receive_data(b"", FRAME_GAP_S)
    (event,) = drained(session)
    assert isinstance(event.error, NoiseError)


def test_a_missing_key_is_named_and_who_has_it():
    (event,) = events_of(encode_push(VALUES, 2, clock=CLOCK, **CIPHERED), PushSession())
    assert isinstance(event.error, WrongKeyError)
    assert "LGZ0102030405" in str(event.error)
    assert "grid operator" in str(event.error)


@pytest.mark.parametrize(
    ("key", "auth_key"), [(bytes(16), AUTH_KEY), (KEY, bytes(16)), (bytes(16), None), (bytes(32), AUTH_KEY)]
)
def test_a_wrong_key_publishes_nothing(key, auth_key):
    (event,) = events_of(encode_push(VALUES, 2, clock=CLOCK, **CIPHERED), PushSession(key, auth_key))
    assert isinstance(event.error, WrongKeyError)


@pytest.mark.parametrize("seed", range(40))
def test_a_wrong_key_is_recognised_without_any_tag(seed):
    data = encode_push(VALUES[:2], 3, key=KEY, system_title=TITLE, security_control=0x20, invocation_counter=seed)
    (event,) = events_of(data, PushSession(random.Random(seed).randbytes(16)))
    assert isinstance(event.error, WrongKeyError)


@pytest.mark.parametrize("control", [0x20, 0x30])
def test_without_the_authentication_key_the_values_come_and_the_doubt_is_told(control):
    data = encode_push(VALUES, 2, clock=CLOCK, security_control=control, **CIPHERED)
    (telegram,) = told(events_of(data, PushSession(KEY)))
    assert telegram.is_authenticated is False
    assert "nothing vouches" in telegram.warnings[0]


def test_an_authenticated_message_in_the_clear_is_verified():
    data = encode_push(VALUES, 2, clock=CLOCK, security_control=0x10, **CIPHERED)
    (telegram,) = told(events_of(data))
    assert telegram.is_authenticated
    assert not telegram.is_ciphered
    (event,) = events_of(data, PushSession(KEY, bytes(16)))
    assert isinstance(event.error, WrongKeyError)


def test_dedicated_ciphering_and_a_key_of_suite_2_are_read():
    data = encode_push(VALUES, 2, clock=CLOCK, ciphering=GENERAL_DED_CIPHERING, **CIPHERED)
    assert told(events_of(data))
    keys = {"key": bytes(range(32)), "auth_key": bytes(range(32)), "system_title": TITLE}
    data = encode_push(VALUES, 2, clock=CLOCK, security_control=0x32, **keys)
    assert told(events_of(data, PushSession(keys["key"], keys["auth_key"])))


def test_a_compressed_message_is_named():
    data = encode_push(VALUES, 2, clock=CLOCK, security_control=0xB0, **CIPHERED)
    assert "compressed" in reasons(events_of(data))[0]


def test_the_system_title_may_be_given_where_the_meter_sends_none():
    apdu = bytearray(encode_push(VALUES, 2, clock=CLOCK, transfer="none", **CIPHERED))
    bare = bytes((apdu[0], 0)) + bytes(apdu[10:])
    assert "system title" in reasons(events_of(transport(bare)))[0]
    assert told(events_of(transport(bare), PushSession(KEY, AUTH_KEY, system_title=TITLE)))


def test_a_repeated_message_is_dropped_and_a_later_one_is_taken():
    first = encode_push(VALUES, 2, clock=CLOCK, invocation_counter=7, **CIPHERED)
    later = encode_push(VALUES, 2, clock=CLOCK, invocation_counter=8, **CIPHERED)
    events = events_of(first + first + later + first)
    assert [telegram.invocation_counter for telegram in told(events)] == [7, 8]
    assert ["does not rise" in reason for reason in reasons(events)] == [True, True]
    assert len(told(events_of(first + first, PushSession(KEY, AUTH_KEY, is_counter_checked=False)))) == 2


def test_a_body_that_was_decrypted_elsewhere_is_read_by_itself():
    body = encode_push(VALUES, 3, transfer="none")[6:]
    assert body[0] == 2
    session = PushSession()
    session.receive_message(body)
    assert len(told(drained(session))) == 1


def test_an_unknown_message_is_named():
    session = PushSession()
    session.receive_message(b"\xe6\xe7\x00\xc4\x01\xc1\x00\x0f\x00")
    assert reasons(drained(session)) == ["no message that a meter pushes begins with 0xc4"]


def test_what_follows_a_message_is_told():
    apdu = encode_push(VALUES[:2], 3, transfer="none")
    (telegram,) = told(events_of(transport(apdu + b"\xaa\xbb")))
    assert telegram.warnings == ("2 octets after the message are not understood",)


def test_frames_of_a_dialogue_are_counted_and_passed_over():
    session = PushSession()
    session.receive_data(bytes.fromhex("7EA0070321930F017E"), 0.0)
    assert not drained(session)
    assert session.other_frames == 1


def test_noise_is_told_in_few_words():
    session = PushSession()
    session.receive_data(random.Random(1).randbytes(200_000), 0.0)
    session.receive_data(encode_push(VALUES, 2, clock=CLOCK), 0.0)
    events = drained(session)
    assert len(told(events)) == 1
    assert 1 <= len(reasons(events)) < 60
    assert all(isinstance(event.error, NoiseError) for event in events if isinstance(event, Rejected))


def test_ten_megabytes_of_noise_neither_hang_nor_raise_nor_stay():
    session = PushSession(KEY, AUTH_KEY)
    noise = random.Random(3).randbytes(1 << 20)
    for _number in range(10):
        session.receive_data(noise, 0.0)
        drained(session)
    session.finish()
    assert not told(drained(session))


def test_keys_of_a_wrong_size_are_our_own_mistake():
    with pytest.raises(LocalProtocolError):
        PushSession(b"short")


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_any_message_is_told_or_rejected_never_raised(data):
    session = PushSession(KEY, AUTH_KEY)
    session.receive_message(data)
    session.receive_data(encode_frame(data), 0.0)
    session.finish()
    for event in drained(session):
        assert isinstance(event, Told) or isinstance(event.error, RemoteProtocolError)


@settings(max_examples=100)
@given(
    st.lists(st.integers(0, (1 << 32) - 1), min_size=1, max_size=40),
    st.sampled_from([1, 2, 3, 4]),
    st.sampled_from(["auto", "frame", "blocks", "segments"]),
    st.integers(20, 300),
    st.booleans(),
)
def test_what_the_encoder_writes_the_session_reads(numbers, layout, transfer, block_size, is_ciphered):
    values = [PushValue("1-0:1.8.0*255", number) for number in numbers]
    keys = CIPHERED if is_ciphered else {}
    data = encode_push(values, layout, clock=CLOCK, transfer=transfer, block_size=block_size, **keys)
    (telegram,) = told(events_of(data))
    found = repr(telegram.notifications)
    assert all(str(number) in found for number in numbers)
