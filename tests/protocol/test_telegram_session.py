"""Telegrams that come by themselves: mode D and P1, cut, joined, broken, at any portion."""

from __future__ import annotations

import random
import time

import pytest

from core.errors import NoiseError, RemoteProtocolError
from core.meter.readings_21 import readings_of_data_sets
from core.meter.virtual_e450 import VirtualE450
from core.meter.virtual_telegrams import telegram
from core.protocol.data_sets import Check, Mode
from core.protocol.parity import with_even_parity
from core.protocol.session import NEED_DATA, Rejected, Told
from core.protocol.telegram_session import TelegramSession

METER = VirtualE450(1)
P1 = telegram(METER, 1_772_359_200.0, is_p1=True)
MODE_D = telegram(METER, 1_772_359_200.0, is_p1=False)


def events(session):
    found = []
    while (event := session.next_event()) is not NEED_DATA:
        found.append(event)
    return found


def fed(data, portion=1000, *, end_s=10.0):
    session = TelegramSession()
    for start in range(0, len(data), portion):
        session.receive_data(data[start : start + portion], 1.0 + start / 1e6)
    session.receive_data(b"", end_s)
    return events(session)


def told(found):
    return [event.telegram for event in found if isinstance(event, Told)]


@pytest.mark.parametrize("portion", [1, 7, 64, 5000])
@pytest.mark.parametrize(("octets", "check"), [(P1, Check.CRC16), (MODE_D, Check.NONE)])
def test_telegrams_are_told_one_by_one_however_they_come(portion, octets, check):
    found = fed(octets + octets, portion)
    first, second = told(found)
    assert first == second
    assert (first.mode, first.check) == (Mode.D, check)
    readings = readings_of_data_sets(first)
    assert readings.is_simulated
    assert readings.measurement.voltage_l1_v == pytest.approx(230, abs=15)


def test_the_session_is_woken_only_while_something_has_begun():
    session = TelegramSession()
    assert session.next_deadline() is None
    session.receive_data(P1[:100], 5.0)
    assert session.next_deadline() == pytest.approx(6.5)
    session.receive_data(P1[100:], 5.1)
    assert session.next_deadline() is None
    assert session.telegrams == 1


def test_parity_bits_that_were_left_in_are_taken_out():
    assert told(fed(with_even_parity(MODE_D)))


def test_a_telegram_without_its_beginning_is_dropped_and_the_next_one_told():
    found = fed(P1[300:] + P1)
    assert isinstance(found[0], Rejected)
    assert isinstance(found[0].error, NoiseError)
    assert len(told(found)) == 1


def test_a_telegram_that_breaks_off_is_told_of_and_the_next_one_is_whole():
    found = fed(P1[:400] + P1)
    assert [type(event) for event in found] == [Rejected, Told]
    found = fed(P1[:400])
    assert [type(event) for event in found] == [Rejected]


@pytest.mark.parametrize("place", [30, 200, len(P1) - 20])
def test_one_wrong_octet_of_p1_rejects_it_all(place):
    broken = bytearray(P1)
    broken[place] ^= 0x01
    found = fed(bytes(broken))
    assert not told(found)
    assert isinstance(found[0].error, RemoteProtocolError)


def test_garbage_is_bounded_and_quick():
    random.seed(3)
    session = TelegramSession()
    began_s = time.perf_counter()
    for number in range(512):
        session.receive_data(random.randbytes(4096), number / 100)
        events(session)
        assert len(session._buffer) < 100_000
    assert session.telegrams == 0
    assert time.perf_counter() - began_s < 5.0
    session.receive_data(P1, 100.0)
    assert told(events(session))


def test_a_telegram_without_end_is_given_up():
    session = TelegramSession()
    session.receive_data(P1[:-8], 1.0)
    for number in range(100):
        session.receive_data(b"1-0:1.7.0(1*kW)\r\n" * 100, 1.0 + number / 1000)
    assert any("longer than" in str(event.error) for event in events(session) if isinstance(event, Rejected))
