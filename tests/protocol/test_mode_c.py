"""A readout in mode C: two ends joined in memory, on a clock of their own."""

from __future__ import annotations

import random

import pytest

from core.errors import RemoteProtocolError, TransportError
from core.protocol.data_sets import (
    Mode,
    Telegram,
    encode_block,
)
from core.protocol.mode_c import ReadoutSession
from core.protocol.session import NEED_DATA, Finished, Rejected, SetLine, Told, Transmit
from core.protocol.sign_on import WAKE_UP

DATA = encode_block(b"0.0.0(12345678)\r\n1.8.0(000285.4*kWh)\r\n!\r\n")


class RawMeter:
    """A meter written from the standard: bytes in, bytes out, and the speed at which it sends them."""

    def __init__(self, identification=b"/LGZ5\\2ZMD310\r\n", data=DATA, *, echoes=False, wakes=False, highest=19200):
        self.identification, self.data = identification, data
        self.echoes, self.is_asleep, self.highest = echoes, wakes, highest
        self.sent_blocks = [data] if isinstance(data, bytes) else list(data)
        self.heard = []
        self.signs_on = 0
        self.repeats = False

    def answer(self, data, baud):
        """What comes back, as (bytes, baud) pairs, to octets sent at `baud`."""
        self.heard.append(data)
        echo = [(data, baud)] if self.echoes else []
        if data == WAKE_UP:
            self.is_asleep = False
            return echo
        if data == b"/?!\r\n" and baud == 300 and not self.is_asleep:
            self.signs_on += 1
            sent = [(self.identification, 300)]
            if self.identification[4:5] in b"ABCDEF":
                sent.append((self.sent_blocks[0], 2400))
            elif self.identification[4:5] not in b"0123456":
                sent.append((self.sent_blocks[0], 300))
            return [*echo, *sent]
        if data[:2] == b"\x060":
            speed = (300, 600, 1200, 2400, 4800, 9600, 19200)[int(data[2:3])]
            self.blocks = iter(self.sent_blocks)
            return echo + ([(next(self.blocks), speed)] if speed <= self.highest else [])
        if data in (b"\x06", b"\x15"):
            repeated = self.data if data == b"\x15" and self.repeats else next(self.blocks, b"")
            return [*echo, (repeated, 9600)] if repeated else echo
        return echo


def converse(session, meter, *, portion=1000, limit_s=60.0):
    """Everything the session tells, and the line it ended on; what is sent at another speed is not heard."""
    now_s, line, told, pending = 100.0, None, [], []
    while now_s < 100.0 + limit_s:
        while (event := session.next_event()) is not NEED_DATA:
            if isinstance(event, SetLine):
                line = event
            elif isinstance(event, Transmit):
                now_s += len(event.data) * 10 / line.baud
                session.receive_data(b"", now_s)
                pending = meter.answer(event.data, line.baud)
                if meter.echoes:
                    session.receive_data(pending.pop(0)[0], now_s)
            else:
                told.append(event)
                if isinstance(event, Finished):
                    return told, line
        if pending and session.next_deadline() - now_s > 1.0:
            data, baud = pending.pop(0)
            for start in range(0, len(data) if baud == line.baud else 0, portion):
                now_s += 0.01
                session.receive_data(data[start : start + portion], now_s)
            continue
        now_s = max(now_s, session.next_deadline())
        session.receive_data(b"", now_s)
    raise AssertionError("the session did not come to an end")


def telegram_of(told):
    (found,) = [event.telegram for event in told if isinstance(event, Told)]
    assert isinstance(found, Telegram)
    return found


@pytest.mark.parametrize("portion", [1, 2, 7, 1000])
@pytest.mark.parametrize("echoes", [False, True])
def test_a_meter_is_read_however_its_octets_come(portion, echoes):
    meter = RawMeter(echoes=echoes)
    told, line = converse(ReadoutSession(), meter, portion=portion)
    telegram = telegram_of(told)
    assert [one.value for one in telegram.data_sets] == ["12345678", "000285.4"]
    assert telegram.identification.text == "ZMD310"
    assert told[-1] == Finished(None)
    assert line == SetLine(9600, 7, "E")
    assert meter.heard == [b"/?!\r\n", b"\x06050\r\n", b"\x01B0\x03q"]


def test_an_address_is_sent_with_the_sign_on():
    session = ReadoutSession("00123")
    session.receive_data(b"", 1.0)
    assert session.next_event() == SetLine(300, 7, "E")
    assert session.next_event() == Transmit(b"/?00123!\r\n")


def test_reaction_times_are_kept():
    for line, reaction_s in ((b"/LGZ5x\r\n", 0.2), (b"/LGz5x\r\n", 0.02)):
        session = ReadoutSession()
        session.receive_data(b"", 1.0)
        session.next_event()
        session.next_event()
        session.receive_data(b"", 1.2)
        session.receive_data(line, 2.0)
        assert session.next_event() is NEED_DATA
        assert session.next_deadline() == pytest.approx(2.0 + reaction_s)
        session.receive_data(b"", 2.0 + reaction_s)
        assert session.next_event() == Transmit(b"\x06050\r\n")
        assert session.next_event() == SetLine(9600, 7, "E")


def test_a_meter_that_does_not_follow_its_own_speed_is_read_at_300():
    told, line = converse(ReadoutSession(), RawMeter(highest=300))
    assert telegram_of(told)
    assert line.baud == 300
    assert isinstance(told[0], Rejected)
    assert "9600" in str(told[0].error)


def test_the_speed_that_works_is_bounded_by_what_is_known():
    _told, line = converse(ReadoutSession(highest_baud=2400), RawMeter())
    assert line.baud == 2400


def test_a_sleeping_meter_is_woken_at_the_second_attempt():
    meter = RawMeter(wakes=True)
    told, _line = converse(ReadoutSession(), meter)
    assert telegram_of(told)
    assert WAKE_UP in meter.heard


def test_a_silent_meter_ends_as_an_error_of_the_environment_after_all_attempts():
    meter = RawMeter(wakes=True)
    meter.answer = lambda data, baud: []
    told, _line = converse(ReadoutSession(attempts=3), meter)
    assert [type(event) for event in told] == [Rejected, Rejected, Finished]
    assert isinstance(told[-1].error, TransportError)
    assert "/?!" in str(told[-1].error)


def test_a_wrong_block_check_is_never_told_and_read_again():
    broken = bytearray(DATA)
    broken[5] ^= 1
    meter = RawMeter()
    meter.sent_blocks = [bytes(broken)]
    told, _line = converse(ReadoutSession(attempts=2), meter)
    assert not [event for event in told if isinstance(event, Told)]
    assert isinstance(told[-1].error, RemoteProtocolError)
    assert "block check" in str(told[-1].error)
    assert meter.signs_on == 2


def test_a_whole_message_with_a_wrong_block_check_is_asked_for_again_before_a_new_sign_on():
    meter = RawMeter()
    meter.sent_blocks = [bytes([*DATA[:5], DATA[5] ^ 1, *DATA[6:]])]
    meter.repeats = True
    told, _line = converse(ReadoutSession(), meter)
    assert [one.value for one in telegram_of(told).data_sets] == ["12345678", "000285.4"]
    assert meter.heard == [b"/?!\r\n", b"\x06050\r\n", b"\x15", b"\x01B0\x03q"]


def test_data_cut_in_the_middle_is_told_as_broken_off():
    told, _line = converse(ReadoutSession(attempts=1), RawMeter(data=DATA[:20]))
    assert "broke off" in str(told[-1].error)


def test_a_noisy_line_comes_to_an_end():
    meter = RawMeter()
    meter.answer = lambda data, baud: [(bytes(range(256)) * 8, baud)]
    told, _line = converse(ReadoutSession(attempts=2), meter)
    assert isinstance(told[-1].error, RemoteProtocolError)


def test_partial_blocks_are_acknowledged_and_a_broken_one_is_asked_for_again():
    first = encode_block(b"0.0.0(1)\r\n", end=0x04)
    broken = first[:-1] + bytes((first[-1] ^ 1,))
    meter = RawMeter(data=[broken, first, encode_block(b"1.8.0(2*kWh)\r\n!\r\n")])
    told, _line = converse(ReadoutSession(), meter)
    assert [one.value for one in telegram_of(told).data_sets] == ["1", "2"]
    assert meter.heard[2:4] == [b"\x15", b"\x06"]


@pytest.mark.parametrize(("letter", "mode", "baud"), [(b"C", Mode.B, 2400), (b"x", Mode.A, 300)])
def test_modes_a_and_b_send_by_themselves(letter, mode, baud):
    meter = RawMeter(identification=b"/ABB" + letter + b"old\r\n")
    told, line = converse(ReadoutSession(), meter)
    assert telegram_of(told).mode is mode
    assert line.baud == baud
    assert meter.heard == [b"/?!\r\n"]


def test_what_was_heard_before_the_identification_is_passed_over():
    told, _line = converse(ReadoutSession(), RawMeter(identification=b"\x00\x7fgarbage\r\n/LGZ5\\2ZMD310\r\n"))
    assert telegram_of(told).identification.manufacturer == "LGZ"


def test_ten_megabytes_of_noise_are_bounded_in_memory_and_time():
    random.seed(5)
    noise = random.randbytes(1_000_000)
    for begun in (b"", b"/LGz5x\r\n"):
        session = ReadoutSession(attempts=50)
        now_s = 1.0
        session.receive_data(begun, now_s)
        for start in range(0, 10 * len(noise), 50_000):
            now_s += 0.2
            session.receive_data(noise[start % len(noise) :][:50_000], now_s)
            while session.next_event() is not NEED_DATA:
                pass
            assert len(session._buffer) < 400_000


def test_a_speed_that_is_reserved_is_acknowledged_at_300():
    meter = RawMeter(identification=b"/ABB7new\r\n")
    told, line = converse(ReadoutSession(), meter)
    assert telegram_of(told).mode is Mode.C
    assert line.baud == 300
    assert meter.heard[1] == b"\x06000\r\n"


@pytest.mark.parametrize("before", [b"/LGZ5", b"/LGZ5\\2ZMD310\r\n"])
def test_a_meter_that_drips_without_end_is_given_up(before):
    session = ReadoutSession(attempts=1)
    now_s = 0.0
    session.receive_data(b"", now_s)
    answer = iter(before)
    while now_s < 600.0:
        while (event := session.next_event()) is not NEED_DATA:
            if isinstance(event, Finished):
                assert isinstance(event.error, RemoteProtocolError)
                assert now_s < 300.0
                return
            if isinstance(event, Transmit):
                session.receive_data(b"", now_s)
        if (deadline_s := session.next_deadline()) is not None and deadline_s < now_s + 1.0:
            session.receive_data(b"", deadline_s)
        now_s += 1.0
        session.receive_data(bytes((next(answer, 0x31),)), now_s)
    raise AssertionError("it waits for ever")
