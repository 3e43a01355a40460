"""A DLMS meter as a dialogue, over a port in memory: what is read once, ways round refusals, cancelling, closing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial

import pytest
from dlms_meter import ALL, FakeMeter, name, object_list

from core.errors import RemoteProtocolError, TransportError, UsageError, WrongPasswordError
from core.meter.profile_dlms import clock_octets
from core.meter_records import ProfilePart
from core.protocol.acse import Conformance
from core.protocol.axdr import value_at
from core.protocol.axdr_encode import (
    array,
    double_long_unsigned,
    integer,
    long_unsigned,
    octet_string,
    scaler_unit,
    structure,
)
from core.protocol.get_messages import Attribute, GetRequest
from core.protocol.hdlc_control import server_octets
from core.protocol.hdlc_link import HdlcLink
from core.protocol.hdlc_station import HdlcStation
from core.protocol.link import LinkMessage
from core.protocol.session import NEED_DATA, Rejected, SetLine, Transmit
from core.records import Quality
from core.services.dialogue_dlms import DlmsDialogue
from core.services.dlms_asking import forget_meters
from core.services.meter_dialogue import CLOSE_S, PROFILE_ROWS
from core.services.meter_sources import MeterSource
from core.transport.line import LineSettings

ENERGY, POWER, VOLTAGE = name(1, 1, 1, 8, 0, 255), name(1, 1, 16, 7, 0, 255), name(1, 1, 32, 7, 0, 255)
DEVICE_NAME, SERIAL, CLOCK = name(0, 0, 42, 0, 0, 255), name(0, 0, 96, 1, 0, 255), name(0, 0, 1, 0, 0, 255)
ASSOCIATION, PROFILE = name(0, 0, 40, 0, 0, 255), name(1, 0, 99, 1, 0, 255)
START_S = 1_714_521_600.0
PERIOD_S = 900


def row(number: int) -> bytes:
    return structure(
        octet_string(clock_octets(START_S + PERIOD_S * number, 0)), double_long_unsigned(1000 + 7 * number)
    )


def captured(class_id: int, logical_name: bytes) -> bytes:
    return structure(long_unsigned(class_id), octet_string(logical_name), integer(2), long_unsigned(0))


def objects(count: int = 96) -> dict[tuple[int, bytes, int], bytes | int]:
    return {
        (15, ASSOCIATION, 2): object_list(
            (1, DEVICE_NAME), (1, SERIAL), (8, CLOCK), (3, ENERGY), (3, POWER), (3, VOLTAGE), (7, PROFILE), (64, SERIAL)
        ),
        (1, DEVICE_NAME, 2): octet_string(b"LGZ1030655934512"),
        (1, SERIAL, 2): octet_string(b"34512"),
        (8, CLOCK, 2): octet_string(clock_octets(START_S, 0)),
        (3, ENERGY, 2): double_long_unsigned(4_408_736),
        (3, ENERGY, 3): scaler_unit(0, 30),
        (3, POWER, 2): double_long_unsigned(2893),
        (3, POWER, 3): scaler_unit(0, 27),
        (3, VOLTAGE, 2): long_unsigned(1500),
        (3, VOLTAGE, 3): scaler_unit(-1, 35),
        (7, PROFILE, 2): array([row(number) for number in range(count)]),
        (7, PROFILE, 3): array([captured(8, CLOCK), captured(3, ENERGY)]),
        (7, PROFILE, 4): double_long_unsigned(PERIOD_S),
        (7, PROFILE, 7): double_long_unsigned(count),
    }


class FakePort:
    """A port at whose other end a meter is; `is_deaf` answers nothing, `sign_on` is what comes at 300 baud."""

    def __init__(self, meter: FakeMeter, *, is_deaf: bool = False, sign_on: bytes = b"") -> None:
        self.url = "socket://fake:1"
        self.has_speed = True
        self.carries_parity = True
        self.meter = meter
        self.station = HdlcStation(server_octets(1))
        self.is_deaf = is_deaf
        self.sign_on = sign_on
        self.lines: list[LineSettings] = []
        self.written: list[bytes] = []
        self.is_paused = False
        self.held: list[bytes] = []
        self._coming = bytearray()
        self._arrived = asyncio.Event()

    def go_on(self) -> None:
        """The meter takes its time to answer; now it does."""
        self.is_paused = False
        for content in self.held:
            reply = self.meter.answer(content)
            assert reply is not None
            self.station.reply(reply)
        self._carry()

    async def read(self, timeout_s: float | None) -> bytes:
        if not self._coming:
            self._arrived.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._arrived.wait()
            except TimeoutError:
                return b""
        data = bytes(self._coming)
        self._coming.clear()
        return data

    async def write(self, data: bytes) -> None:
        await asyncio.sleep(0)
        self.written.append(data)
        if data.startswith(b"/?") and self.sign_on:
            self._answer(self.sign_on)
        elif data[:1] == b"\x06":
            self._answer(data)
            self.is_deaf = False
        elif not self.is_deaf:
            self.station.receive_data(data)
            self._carry()

    def set_line(self, line: LineSettings) -> None:
        self.lines.append(line)

    def close(self) -> None:
        pass

    def _carry(self) -> None:
        while (event := self.station.next_event()) is not NEED_DATA:
            if isinstance(event, LinkMessage):
                if self.is_paused:
                    self.held.append(event.content)
                    return
                reply = self.meter.answer(event.content)
                if reply is not None:
                    self.station.reply(reply)
            elif isinstance(event, Transmit):
                self._answer(event.data)

    def _answer(self, data: bytes) -> None:
        self._coming += data
        self._arrived.set()


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    forget_meters()


def dialogue(port: FakePort, told: list[object] | None = None, **source: object) -> DlmsDialogue:
    made = MeterSource(port=port.url, protocol="dlms", **source)
    return DlmsDialogue(made, port, (told if told is not None else []).append, time.time)


def asked_for(meter: FakeMeter) -> list[list[tuple[bytes, int]]]:
    return [
        [(attribute.logical_name, attribute.number) for attribute in request.attributes]
        for request in meter.requests
        if isinstance(request, GetRequest)
    ]


def test_scalers_and_the_object_list_are_read_once_and_a_reading_is_one_list_then():
    async def run() -> None:
        meter = FakeMeter(objects())
        port = FakePort(meter)
        one = dialogue(port)
        await one.open()
        first = await one.read()
        meter.requests.clear()
        second = await one.read()
        assert asked_for(meter) == [[(ENERGY, 2), (POWER, 2), (VOLTAGE, 2)]]
        assert first.readings == second.readings
        assert first.measurement is not None
        assert first.measurement.active_power_w == 2893
        assert first.measurement.voltage_l1_v == 150.0
        assert first.measurement.quality is Quality.WARNING
        assert first.meter.serial_number == first.name == "34512"
        await one.close()
        meter.requests.clear()
        again = dialogue(port)  # the next conversation with the same meter only looks who is there
        await again.open()
        await again.read()
        assert asked_for(meter) == [[(DEVICE_NAME, 2), (SERIAL, 2)], [(ENERGY, 2), (POWER, 2), (VOLTAGE, 2)]]
        await again.close()

    asyncio.run(run())


def test_another_meter_on_the_same_port_is_noticed():
    async def run() -> None:
        port = FakePort(FakeMeter(objects()))
        one = dialogue(port)
        await one.open()
        await one.read()
        await one.close()
        other = objects()
        other[1, DEVICE_NAME, 2] = octet_string(b"ISK0000000000001")
        other[3, ENERGY, 3] = scaler_unit(3, 30)
        port.meter = FakeMeter(other)
        again = dialogue(port)
        await again.open()
        readings = await again.read()
        assert readings.meter.manufacturer == "ISK"
        assert readings.readings[0].value == 4_408_736_000
        await again.close()

    asyncio.run(run())


def test_a_meter_without_a_list_is_asked_for_each_code():
    async def run() -> None:
        held = objects()
        del held[15, ASSOCIATION, 2]
        for logical_name in (ENERGY, POWER, VOLTAGE):
            on_channel_0 = logical_name[:1] + b"\x00" + logical_name[2:]
            held[3, on_channel_0, 2] = held.pop((3, logical_name, 2))
            held[3, on_channel_0, 3] = held.pop((3, logical_name, 3))
        meter = FakeMeter(held)
        one = dialogue(FakePort(meter))
        await one.open()
        readings = await one.read()
        assert {reading.obis for reading in readings.readings} == {"1-0:1.8.0*255", "1-0:16.7.0*255", "1-0:32.7.0*255"}
        assert readings.errors == ()
        assert one.expected is None
        meter.requests.clear()
        await one.read()
        assert [len(request) for request in asked_for(meter)] == [3]  # what is not there is not asked for again

    asyncio.run(run())


def test_a_code_is_found_in_the_list_where_it_is_not_where_it_should_be():
    async def run() -> None:
        one = dialogue(FakePort(FakeMeter(objects())), codes=("1.8.0", "99.1.0", "7.7.7"))
        await one.open()
        readings = await one.read()
        assert [(reading.obis, reading.value) for reading in readings.readings] == [("1-1:1.8.0*255", 4_408_736)]
        assert len(readings.errors) == 2
        assert "no single value" in readings.errors[0]
        assert readings.errors[1] == "7.7.7: the meter has no such object"

    asyncio.run(run())


def test_every_object_is_told_and_what_cannot_be_read_says_why():
    async def run() -> None:
        held = objects()
        held[3, POWER, 2] = 3
        held[3, VOLTAGE, 2] = b"\x09\x50cut"
        one = dialogue(FakePort(FakeMeter(held)))
        await one.open()
        found = [register async for register in one.registers()]
        assert one.expected == len(found) == 8
        by_code = {(register.code, register.class_id): register for register in found}
        assert by_code["1-1:1.8.0*255", 3].reading.value == 4_408_736
        assert by_code["1-1:16.7.0*255", 3].error == "reading and writing is denied"
        assert "cut off" in by_code["1-1:32.7.0*255", 3].error
        assert by_code["1-0:99.1.0*255", 7].about == "load profile"
        assert by_code["0-0:96.1.0*255", 64].error is None
        assert by_code["0-0:96.1.0*255", 64].reading is None

    asyncio.run(run())


def by_entry(meter: FakeMeter) -> Callable[[Attribute], bytes | int]:
    """Takes entries only."""

    def select(attribute: Attribute) -> bytes | int:
        if attribute.selector != 2:
            return 250
        (first, last, *_columns), _end = value_at(attribute.parameters)
        count = value_at(meter.objects[7, PROFILE, 7])[0]
        return array([row(number - 1) for number in range(first, min(last or count, count) + 1)])

    return select


def by_range(attribute: Attribute) -> bytes | int:
    """Takes ranges only."""
    if attribute.selector != 1:
        return 250
    (_clock, start, end, _columns), _end = value_at(attribute.parameters, has_descriptors=False)
    assert (start[9:11], end[9:11]) == (b"\0\0", b"\0\0")
    return array([row(number) for number in range(96) if start <= clock_octets(START_S + PERIOD_S * number, 0) <= end])


async def profile_of(meter: FakeMeter, start_s: float, end_s: float, **source: object) -> list[ProfilePart]:
    one = dialogue(FakePort(meter), **source)
    await one.open()
    try:
        return [part async for part in one.profile(start_s, end_s)]
    finally:
        await one.close()


@pytest.mark.parametrize("way", ["range", "entries", "whole", "not selective"])
def test_a_range_of_a_profile_comes_by_whatever_the_meter_takes(way):
    async def run() -> None:
        meter = FakeMeter(objects())
        if way == "not selective":
            meter.conformance = ALL & ~Conformance.SELECTIVE_ACCESS
        else:
            meter.select = {"range": by_range, "entries": by_entry(meter), "whole": lambda _attribute: 250}[way]
        (part,) = await profile_of(meter, START_S + 7200, START_S + 6 * 3600)
        assert [row.values[0] for row in part.rows] == list(range(1056, 1169, 7))
        assert (part.period_s, part.is_first, part.is_last, part.error) == (900, True, True, None)
        assert part.obis == "1-0:99.1.0*255"
        assert len(part.measurements) == 17
        if way == "range":
            assert len(asked_for(meter)) == 4  # who it is; its columns, period and clock; their scalers; the rows

    asyncio.run(run())


def test_a_profile_of_any_length_is_told_in_parts():
    async def run() -> None:
        meter = FakeMeter(objects(3000), block_size=900)
        parts = await profile_of(meter, 0.0, 4e9)
        assert [len(part.rows) for part in parts] == [PROFILE_ROWS] * 5 + [3000 - 5 * PROFILE_ROWS]
        assert [part.is_first for part in parts] == [True] + [False] * 5
        assert [part.is_last for part in parts] == [False] * 5 + [True]
        assert [row.values[0] for part in parts for row in part.rows] == [1000 + 7 * number for number in range(3000)]
        assert all(part.measurements[0][1].active_power_w == 28.0 for part in parts[1:])  # over the seam of parts too

    asyncio.run(run())


def test_a_profile_that_breaks_off_is_told_as_far_as_it_came():
    async def run() -> None:
        meter = FakeMeter(objects(), block_size=500)

        def spoil(reply: bytes) -> bytes:
            return reply[:4] + b"\0\0\0\x09" + reply[8:] if reply[:2] == b"\xc4\x02" and reply[7] == 3 else reply

        meter.change = spoil
        (part,) = await profile_of(meter, 0.0, 4e9)
        assert 0 < len(part.rows) < 96
        assert part.is_last
        assert "block 9 came where block 3 was due" in part.error

    asyncio.run(run())


def test_a_meter_that_stops_within_its_profile_is_told_with_the_rows_that_came(monkeypatch):
    monkeypatch.setattr("core.protocol.hdlc_link.BUSY_S", 0.001)
    monkeypatch.setattr("core.services.dialogue_dlms.HdlcLink", partial(HdlcLink, answer_s=0.05))

    async def run() -> None:
        meter = FakeMeter(objects(), block_size=500)
        port = FakePort(meter)
        meter.change = lambda reply: None if reply[:2] == b"\xc4\x02" and reply[7] == 3 else reply
        one = dialogue(port)
        await one.open()
        (part,) = [part async for part in one.profile(0.0, 4e9)]
        assert 0 < len(part.rows) < 96
        assert part.is_last
        assert part.error is not None
        with pytest.raises(TransportError, match="not connected"):
            await one.read()

    asyncio.run(run())


def test_a_profile_that_is_not_there_is_said():
    async def run() -> None:
        held = {key: value for key, value in objects().items() if key[0] != 7}
        with pytest.raises(RemoteProtocolError, match=r"load profile 1-0:99.1.0\*255 cannot be read"):
            await profile_of(FakeMeter(held), 0.0, 4e9)

    asyncio.run(run())


def test_a_profile_on_another_channel_is_found_in_the_list():
    async def run() -> None:
        elsewhere = name(1, 1, 99, 1, 0, 255)
        held = {(key[0], elsewhere if key[1] == PROFILE else key[1], key[2]): value for key, value in objects().items()}
        held[15, ASSOCIATION, 2] = object_list((3, ENERGY), (7, elsewhere))
        (part,) = await profile_of(FakeMeter(held), START_S, START_S + 900)
        assert part.obis == "1-1:99.1.0*255"
        assert len(part.rows) == 2

    asyncio.run(run())


def test_where_hdlc_is_not_answered_mode_e_is_tried(monkeypatch):
    monkeypatch.setattr("core.protocol.hdlc_link.CONNECT_S", 0.05)

    async def run() -> None:
        port = FakePort(FakeMeter(objects()), is_deaf=True, sign_on=b"/LGZ5\\2E450\r\n")
        told: list[object] = []
        one = dialogue(port, told)
        await one.open()
        assert (await one.read()).errors == ()
        assert port.lines == [LineSettings(9600), LineSettings(300, 7, "E"), LineSettings(9600)]
        assert SetLine(9600, 8, "N") in told
        assert any(isinstance(text, str) and "mode E" in text for text in told)
        assert not any(isinstance(one, Rejected) for one in told)

    asyncio.run(run())


def test_a_source_of_300_baud_signs_on_at_once():
    async def run() -> None:
        port = FakePort(FakeMeter(objects()), is_deaf=True, sign_on=b"/LGZ5\\2E450\r\n")
        one = dialogue(port, baud=300)
        await one.open()
        assert port.written[0] == b"/?!\r\n"
        await one.close()

    asyncio.run(run())


def test_a_password_is_sent_once():
    async def run() -> None:
        port = FakePort(FakeMeter(objects(), password=b"another"))
        one = dialogue(port, password=b"secret12")
        with pytest.raises(WrongPasswordError):
            await one.open()
        await one.close()
        assert sum(b"secret12" in octets for octets in port.written) == 1

    asyncio.run(run())


def test_a_reading_that_was_cancelled_harms_no_later_one():
    async def run() -> None:
        port = FakePort(FakeMeter(objects()))
        one = dialogue(port)
        await one.open()
        await one.read()
        port.is_paused = True
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await one.read()
        asyncio.get_running_loop().call_later(0.02, port.go_on)
        assert len((await one.read()).readings) == 3

    asyncio.run(run())


def test_a_profile_that_nobody_wants_any_more_harms_no_later_reading():
    async def run() -> None:
        port = FakePort(FakeMeter(objects(3000), block_size=900))
        one = dialogue(port)
        await one.open()
        parts = one.profile(0.0, 4e9)
        await anext(parts)
        await parts.aclose()
        assert len((await one.read()).readings) == 3

    asyncio.run(run())


def test_good_bye_takes_no_longer_than_it_may():
    async def run() -> None:
        port = FakePort(FakeMeter(objects()))
        one = dialogue(port)
        await one.open()
        port.is_deaf = True
        began_s = time.monotonic()
        await one.close()
        assert time.monotonic() - began_s < CLOSE_S + 0.2
        assert port.written[-1][5] == 0x53  # DISC
        await one.close()
        with pytest.raises(TransportError):
            await one.read()

    asyncio.run(run())


@pytest.mark.parametrize("wrong", [{"address": "x:y"}, {"key": bytes(16)}])
def test_what_cannot_be_asked_is_a_usage_error(wrong):
    async def run() -> None:
        with pytest.raises(UsageError):
            await dialogue(FakePort(FakeMeter({})), **wrong).open()

    asyncio.run(run())
