"""Pushes that come in long frames of M-Bus: whole, cut, lost, doubled, and beside HDLC."""

from __future__ import annotations

import random

import pytest

from core.meter.virtual_e450 import VirtualE450
from core.meter.virtual_telegrams import push
from core.protocol.ciphering import ENCRYPTED, seal_apdu
from core.protocol.mbus_frames import frames_of, long_frame
from core.protocol.mbus_push import in_fragments
from core.protocol.push import PushSession
from core.protocol.session import NEED_DATA, Rejected, Told

KEY = bytes(range(16))
BODY = bytes.fromhex("0F 00000001 00 02 5A") + bytes.fromhex("0906 0100010800FF 06 00003039 0202 0F00161E") * 30


def message(counter: int = 1) -> bytes:
    return seal_apdu(
        BODY,
        system_title=b"KFM\x00\x00\x00\x00\x01",
        invocation_counter=counter,
        key=KEY,
        auth_key=None,
        security_control=ENCRYPTED,
    )


def events(session: PushSession) -> list[object]:
    found = []
    while (event := session.next_event()) is not NEED_DATA:
        found.append(event)
    return found


def fed(line: bytes, size: int = 64, *, gap_s: float = 0.01) -> tuple[list[Told], list[str], PushSession]:
    session = PushSession(KEY)
    found: list[object] = []
    now_s = 10.0
    for start in range(0, len(line), size):
        now_s += gap_s
        session.receive_data(line[start : start + size], now_s)
        found += events(session)
    session.receive_data(b"", now_s + 5.0)
    found += events(session)
    told = [event for event in found if isinstance(event, Told)]
    return told, [str(event.error) for event in found if isinstance(event, Rejected)], session


@pytest.mark.parametrize("size", [1, 2, 7, 245, 1000, 10_000])
def test_a_message_in_fragments_is_told_however_it_is_cut(size):
    line = in_fragments(message())
    assert [frame.ci for frame in frames_of(line)] == [0x00, 0x01, 0x12]
    told, rejected, _session = fed(line, size)
    assert len(told) == 1
    assert rejected == []
    telegram = told[0].telegram
    assert telegram.is_ciphered
    assert telegram.is_authenticated is False
    assert len(telegram.notifications[0].body) == 90


def test_messages_follow_one_another_and_a_repeated_one_is_refused():
    told, rejected, _session = fed(in_fragments(message(1)) + in_fragments(message(2)) + in_fragments(message(2)))
    assert len(told) == 2
    assert len(rejected) == 1
    assert "does not rise" in rejected[0]


def test_a_lost_or_doubled_fragment_drops_its_message_alone():
    frames = [long_frame(0x53, 255, frame.ci, frame.content) for frame in frames_of(in_fragments(message(1)))]
    lost, doubled = frames[0] + frames[2], frames[0] + frames[1] + frames[1] + frames[2]
    for line in (lost, doubled):
        told, rejected, _session = fed(line + in_fragments(message(2)))
        assert [one.telegram.invocation_counter for one in told] == [2]
        assert "fragment" in rejected[0]


def test_a_message_that_breaks_off_is_told_after_a_silence():
    line = in_fragments(message())
    told, rejected, session = fed(line[:400])
    assert told == []
    assert any("broke off" in text for text in rejected)
    assert session.next_deadline() is None


def test_noise_before_and_between_is_counted_and_nothing_is_lost():
    noise = random.Random(5).randbytes(90)
    told, rejected, session = fed(noise + in_fragments(message(1)) + b"\x00\xff" * 20 + in_fragments(message(2)))
    assert len(told) == 2
    assert session.skipped >= 120
    assert all("skipped" in text or "broke off" in text for text in rejected)


def test_a_wrong_checksum_is_named_and_the_next_message_is_told():
    line = bytearray(in_fragments(message(2)))
    line[300] ^= 1
    told, rejected, _session = fed(in_fragments(message(1)) + bytes(line) + in_fragments(message(3)))
    assert [one.telegram.invocation_counter for one in told] == [1, 3]
    assert any("checksum" in text for text in rejected)


def test_a_push_by_hdlc_is_none_of_this():
    line = push(VirtualE450(1), 1_790_000_000.0, 2)
    session = PushSession()
    session.receive_data(b"\x68\x20\x20\x68" + line, 1.0)
    assert any(isinstance(event, Told) for event in events(session))
    assert session.frames


def test_a_message_without_end_is_bounded():
    endless = b"".join(long_frame(0x53, 255, number & 0x0F, b"\x01\x67" + bytes(245)) for number in range(2000))
    _told, rejected, _session = fed(endless, 4096)
    assert any("longer than" in text for text in rejected)
