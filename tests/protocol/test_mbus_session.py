"""The master of an M-Bus and the simulated slaves, joined in memory: losses, collisions, echoes, telegrams."""

from __future__ import annotations

import random

import pytest

from core.errors import RemoteProtocolError, TransportError, UsageError
from core.meter.readings_mbus import readings_of_mbus
from core.meter.virtual_mbus import VirtualBus, VirtualSlave, virtual_bus
from core.protocol.mbus_frames import ACKNOWLEDGE, frames_of, short_frame
from core.protocol.mbus_session import FrameCounts, MbusAddress, MbusProbe, MbusReadout, Probed, ReplyKind
from core.protocol.mbus_telegram import MbusTelegram
from core.protocol.session import NEED_DATA, Finished, Told, Transmit

NOON_S = 1_790_000_000.0


class Line:
    """Joins a session and a bus; `spoil` may alter or swallow what the slaves answer."""

    def __init__(self, bus: VirtualBus, *, has_echo: bool = False, spoil=lambda number, answer: answer) -> None:
        self.bus = bus
        self.has_echo = has_echo
        self.spoil = spoil
        self.sent: list[bytes] = []
        self.now_s = 100.0

    def run(self, session):
        told, finished = [], None
        for _turn in range(5000):
            event = session.next_event()
            if isinstance(event, Transmit):
                self.sent.append(event.data)
                session.receive_data(b"", self.now_s)
                answer = self.spoil(len(self.sent), self.bus.receive_data(event.data))
                for start in range(0, len(answer), 7):
                    self.now_s += 0.01
                    session.receive_data(
                        (event.data if self.has_echo and start == 0 else b"") + answer[start : start + 7], self.now_s
                    )
                if self.has_echo and not answer:
                    session.receive_data(event.data, self.now_s)
            elif isinstance(event, Told):
                told.append(event.telegram)
            elif isinstance(event, Finished):
                finished = event
                break
            elif event is NEED_DATA:
                deadline_s = session.next_deadline()
                assert deadline_s is not None
                self.now_s = max(self.now_s, deadline_s)
                session.receive_data(b"", self.now_s)
        assert finished is not None
        return told, finished.error


def bus(**options) -> VirtualBus:
    return virtual_bus(lambda: NOON_S, 7, **options)


@pytest.mark.parametrize("has_echo", [False, True])
@pytest.mark.parametrize("address", ["1", "20000070", "2FFFFFFF", "20000070.SIM.01.02", "FFFFFFFF.SIM.*.02"])
def test_a_readout_takes_all_telegrams_and_puts_them_together(address, has_echo):
    told, error = Line(bus(), has_echo=has_echo).run(MbusReadout(MbusAddress.parse(address)))
    assert error is None
    assert isinstance(told[0], MbusTelegram)
    readings = readings_of_mbus(told[0])
    codes = [reading.obis for reading in readings.readings]
    assert "1-0:1.8.0*255" in codes
    assert "1-0:72.7.0*255" in codes
    assert readings.is_simulated
    assert readings.measurement is not None
    assert readings.measurement.voltage_l1_v == pytest.approx(230, abs=25)


def test_a_lost_answer_is_asked_for_again_unchanged_and_comes_once():
    line = Line(bus(is_alone=True), spoil=lambda number, answer: b"" if number in (2, 4) else answer)
    told, error = line.run(MbusReadout(MbusAddress(1)))
    assert error is None
    assert line.sent == [
        short_frame(0x40, 1),
        short_frame(0x7B, 1),
        short_frame(0x7B, 1),
        short_frame(0x5B, 1),
        short_frame(0x5B, 1),
    ]
    whole, _error = Line(bus(is_alone=True)).run(MbusReadout(MbusAddress(1)))
    assert [record.head.octets for record in told[0].records] == [record.head.octets for record in whole[0].records]


def test_the_frame_count_goes_on_toggling_from_readout_to_readout():
    line, counts = Line(bus(is_alone=True)), FrameCounts()
    for _turn in range(2):
        _told, error = line.run(MbusReadout(MbusAddress(1), counts))
        assert error is None
    assert [octets[1] for octets in line.sent] == [0x40, 0x7B, 0x5B, 0x7B, 0x5B]


def test_after_a_readout_that_broke_off_the_next_begins_anew():
    counts = FrameCounts()
    there = bus(is_alone=True)
    _told, error = Line(there, spoil=lambda number, answer: b"" if number > 2 else answer).run(
        MbusReadout(MbusAddress(1), counts)
    )
    assert isinstance(error, TransportError)
    line = Line(there)
    told, error = line.run(MbusReadout(MbusAddress(1), counts))
    assert error is None
    assert line.sent[0] == short_frame(0x40, 1)
    assert len(told[0].records) > 15


def test_a_disturbed_answer_is_repeated_and_a_hopeless_one_is_named():
    noise = random.Random(1)
    once = Line(bus(), spoil=lambda number, answer: answer[:-3] + b"xyz" if number == 2 else answer)
    told, error = once.run(MbusReadout(MbusAddress(2)))
    assert error is None
    assert told[0].header.medium == 4
    always = Line(bus(), spoil=lambda number, answer: noise.randbytes(30) if number > 1 else answer)
    told, error = always.run(MbusReadout(MbusAddress(2)))
    assert told == []
    assert isinstance(error, RemoteProtocolError)
    assert "no frame" in str(error)


def test_nobody_at_an_address_is_told_within_the_standards_time():
    line = Line(bus())
    told, error = line.run(MbusReadout(MbusAddress(77), baud=300, slack_s=0.0))
    assert told == []
    assert isinstance(error, TransportError)
    assert "77" in str(error)
    assert line.now_s - 100.0 == pytest.approx(5 * (330 / 300 + 0.05), abs=0.01)


def test_several_meters_at_once_are_a_collision():
    told, error = Line(bus()).run(MbusReadout(MbusAddress(254)))
    assert told == []
    assert "meter scan" in str(error)


def test_an_application_error_is_not_asked_for_again():
    there = bus(is_alone=True)
    there.slaves[0].error = 8
    line = Line(there)
    told, error = line.run(MbusReadout(MbusAddress(1)))
    assert told == []
    assert "too busy" in str(error)
    assert len(line.sent) == 2


def test_a_meter_that_has_no_end_of_telegrams_is_left():
    count = iter(range(10_000))
    endless = VirtualSlave(1, "00000001", 2, lambda _time_s: [b"\x01\x13\x01"] * 2)
    there = VirtualBus([endless], lambda: NOON_S)
    endless.records = lambda _time_s: [b"\x02\x13" + next(count).to_bytes(2, "little"), b""][:1] * 2
    endless.next_telegram = 0

    def always_first(_number, answer):
        endless.next_telegram = 0
        return answer

    told, error = Line(there, spoil=always_first).run(MbusReadout(MbusAddress(1)))
    assert told == []
    assert "more than 32 telegrams" in str(error)


def test_an_answer_of_ten_megabytes_of_noise_ends():
    line = Line(bus(), spoil=lambda _number, _answer: b"\x55" * 100_000)
    told, error = line.run(MbusReadout(MbusAddress(1)))
    assert told == []
    assert isinstance(error, RemoteProtocolError)


@pytest.mark.parametrize(
    ("address", "kind", "medium"),
    [
        ("3", ReplyKind.DATA, 7),
        ("9", ReplyKind.NOTHING, None),
        ("4FFFFFFF", ReplyKind.DATA, 4),
        ("FFFFFFFF", ReplyKind.COLLISION, None),
        ("9FFFFFFF", ReplyKind.NOTHING, None),
    ],
)
def test_a_probe_tells_nobody_one_or_several(address, kind, medium):
    told, error = Line(bus()).run(MbusProbe(MbusAddress.parse(address)))
    assert error is None
    probed = told[0]
    assert isinstance(probed, Probed)
    assert probed.kind is kind
    assert (None if probed.telegram is None else probed.telegram.header.medium) == medium


@pytest.mark.parametrize("text", ["5", "250", "254", "12345678", "1F345678", "12345678.LUG.02.04", "12345678.*.*.04"])
def test_an_address_is_written_as_it_is_read(text):
    assert str(MbusAddress.parse(text)) == text


@pytest.mark.parametrize("text", ["251", "256", "abc", "1234567", "12345678.LUG", "12345678.LUG.0200.04", "1234567G"])
def test_what_is_no_address_is_said(text):
    with pytest.raises(UsageError, match="no address of M-Bus"):
        MbusAddress.parse(text)


def test_the_simulated_slaves_take_a_new_address_and_refuse_what_they_do_not_know():
    there = bus(is_alone=True)
    from core.protocol.mbus_frames import long_frame

    assert there.receive_data(long_frame(0x53, 1, 0x51, b"\x01\x7a\x09")) == ACKNOWLEDGE
    assert there.receive_data(short_frame(0x40, 1)) == b""
    assert there.receive_data(short_frame(0x40, 9)) == ACKNOWLEDGE
    assert there.receive_data(long_frame(0x53, 9, 0xB0, b"\x00")) == ACKNOWLEDGE
    assert frames_of(there.receive_data(short_frame(0x7B, 9)))[0].ci == 0x70
