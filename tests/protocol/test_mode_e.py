"""Entry into DLMS by mode E: sign-on, acknowledgement, its confirmation, the change of speed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RemoteProtocolError, TransportError
from core.protocol.link import LinkClosed, LinkReady
from core.protocol.mode_e import SIGN_ON_LINE, ModeEEntry
from core.protocol.session import NEED_DATA, SetLine, Transmit

IDENTIFICATION = b"/LGZ5\\2E450-demo\r\n"


def play(entry: ModeEEntry, answers: dict[bytes, bytes], *, has_echo: bool = False) -> tuple[list[object], float]:
    """Everything the entry asks for and tells, and how long it took; `answers` come by what was sent."""
    found: list[object] = []
    now_s = 0.0
    for _turn in range(200):
        event = entry.next_event()
        if event is NEED_DATA:
            deadline_s = entry.next_deadline()
            if deadline_s is None:
                break
            now_s = max(now_s, deadline_s)
            entry.receive_data(b"", now_s)
            continue
        found.append(event)
        if isinstance(event, Transmit):
            entry.receive_data(b"", now_s)
            now_s += 0.1
            entry.receive_data((event.data if has_echo else b"") + answers.get(event.data, b""), now_s)
        elif isinstance(event, (LinkReady, LinkClosed)):
            break
    return found, now_s


@pytest.mark.parametrize("has_echo", [False, True])
def test_a_meter_is_entered_at_its_speed(has_echo):
    entry = ModeEEntry()
    acknowledgement = b"\x06252\r\n"
    found, now_s = play(entry, {b"/?!\r\n": IDENTIFICATION, acknowledgement: acknowledgement}, has_echo=has_echo)
    assert found == [
        SIGN_ON_LINE,
        Transmit(b"/?!\r\n"),
        Transmit(acknowledgement),
        SetLine(9600, 8, "N"),
        LinkReady(0),
    ]
    assert entry.is_confirmed
    assert entry.identification is not None
    assert entry.identification.manufacturer == "LGZ"
    assert now_s < 1.0


@pytest.mark.parametrize("has_echo", [False, True])
def test_a_meter_that_does_not_confirm_is_gone_on_with(has_echo):
    entry = ModeEEntry()
    found, now_s = play(entry, {b"/?!\r\n": IDENTIFICATION}, has_echo=has_echo)
    assert found[-2:] == [SetLine(9600, 8, "N"), LinkReady(0)]
    assert not entry.is_confirmed
    assert now_s < 2.0


def test_a_speed_that_this_port_cannot_is_not_agreed_on():
    found, _now_s = play(ModeEEntry(highest_baud=2400), {b"/?!\r\n": IDENTIFICATION})
    assert Transmit(b"\x06232\r\n") in found
    assert SetLine(2400, 8, "N") in found


def test_an_address_is_signed_on_with():
    found, _now_s = play(ModeEEntry("12345678"), {b"/?12345678!\r\n": IDENTIFICATION})
    assert found[-1] == LinkReady(0)


def test_silence_is_given_up():
    found, now_s = play(ModeEEntry(), {})
    assert isinstance(found[-1], LinkClosed)
    assert isinstance(found[-1].error, TransportError)
    assert now_s < 8
    assert found.count(Transmit(b"/?!\r\n")) == 2


@pytest.mark.parametrize("identification", [b"/ABCA012345\r\n", b"/abc 012345\r\n"])
def test_a_meter_of_another_mode_is_said(identification):
    found, _now_s = play(ModeEEntry(), {b"/?!\r\n": identification})
    assert isinstance(found[-1], LinkClosed)
    assert isinstance(found[-1].error, RemoteProtocolError)


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_an_entry_takes_anything(pieces):
    entry = ModeEEntry()
    entry.receive_data(b"", 0.0)
    for number, piece in enumerate(pieces):
        while entry.next_event() is not NEED_DATA:
            pass
        entry.receive_data(piece, 0.1 * number)
