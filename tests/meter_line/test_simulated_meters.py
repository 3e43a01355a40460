"""Every simulated meter is read by the dialogue that asks it, and says what it is; recordings answer again."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time

import asked_meter
import pytest
from asked_meter import asked, dialogue_with, simulator

from core.errors import UsageError, WrongKeyError, WrongPasswordError
from core.meter.readings import readings_of_push
from core.meter.virtual_e450 import VirtualE450
from core.meter.virtual_telegrams import push, telegram
from core.meter_records import LineOctets
from core.protocol.push import PushSession
from core.protocol.session import NEED_DATA, Told
from core.protocol.telegram_session import TelegramSession
from core.records import MeterReadings, MeterReport
from core.services import meter_reader, simulated_iec
from core.services.dialogue_dlms import DlmsDialogue
from core.services.dialogue_iec import IecDialogue
from core.services.dialogue_mbus import MbusDialogue
from core.services.line_replay import is_recording, recorded_pieces, recorded_settings
from core.services.meter_line import conversation
from core.services.meter_reader import MeterReader
from core.services.meter_simulator import MeterSimulator, Simulation
from core.services.meter_sources import MeterSource
from core.transport.line import LineSettings
from core.transport.serial_port import open_port

KEY, AUTH_KEY = bytes(range(16)), bytes(range(16, 32))
KEYS = {"key": KEY, "auth_key": AUTH_KEY}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Lines are twenty times as fast, and the meters react at once."""
    real = LineSettings.octet_s.fget
    monkeypatch.setattr(LineSettings, "octet_s", property(lambda line: real(line) / 20))
    monkeypatch.setattr(simulated_iec, "REACTION_S", 0.02)


@pytest.fixture(params=["tcp", "terminal"])
def place(request, tmp_path):
    return tmp_path if request.param == "terminal" else None


@pytest.mark.parametrize(
    ("simulation", "source"),
    [
        ({}, {}),
        ({"password": b"12345678", "client": 17}, {"password": b"12345678", "client": 17}),
        (KEYS, KEYS),
    ],
    ids=["none", "low", "gmac"],
)
def test_the_virtual_dlms_meter_is_read_with_each_security(place, simulation, source):
    async def scenario():
        async with asked(DlmsDialogue, place, source, protocol="dlms", **simulation) as dialogue:
            readings = await dialogue.read()
            registers = [one async for one in dialogue.registers()]
            end_s = time.time() // 900 * 900
            parts = [part async for part in dialogue.profile(end_s - 6 * 3600, end_s)]
            return readings, registers, parts

    readings, registers, parts = asyncio.run(scenario())
    assert readings.is_simulated
    assert readings.measurement.voltage_l1_v == pytest.approx(230, abs=40)
    assert {one.unit for one in readings.readings} >= {"W", "V", "A", "Wh", "Hz"}
    assert len(registers) == 38
    assert sum(len(part.rows) for part in parts) in (24, 25)
    assert all(part.is_simulated for part in parts)


def test_the_wrapper_and_mode_e_lead_to_the_same_meter():
    async def scenario():
        values = []
        for simulation, source in (({"framing": "wrapper"}, {"framing": "wrapper"}), ({"mode": "E"}, {})):
            async with asked(DlmsDialogue, None, source, protocol="dlms", **simulation) as dialogue:
                values.append((await dialogue.read()).measurement.active_energy_import_wh)
        return values

    first, second = asyncio.run(scenario())
    assert first == pytest.approx(second, rel=1e-4)


def test_wrong_passwords_and_wrong_keys_are_said():
    async def scenario():
        with pytest.raises(WrongPasswordError):
            async with asked(DlmsDialogue, None, {"password": b"no"}, protocol="dlms", password=b"yes"):
                pass
        with pytest.raises(WrongKeyError):
            async with asked(DlmsDialogue, None, {"key": AUTH_KEY, "auth_key": KEY}, protocol="dlms", **KEYS):
                pass

    asyncio.run(scenario())


def test_the_virtual_bus_answers_each_address(place):
    async def scenario():
        async with simulator(place, protocol="mbus") as url:
            found = []
            for address in ("1", "2", "3"):
                async with dialogue_with(MbusDialogue, url, LineSettings(2400, 8, "E"), address=address) as dialogue:
                    found.append(await dialogue.read())
            return found

    electricity, heat, water = asyncio.run(scenario())
    assert electricity.measurement.active_energy_import_wh > 0
    assert all(one.is_simulated for one in (electricity, heat, water))
    assert heat.readings
    assert water.readings


@pytest.mark.parametrize(("layout", "positions"), [(1, 11), (2, 11), (3, 9), (3, 11), (3, 14), (4, 11)])
def test_each_push_layout_names_itself_simulated_and_means_the_same(layout, positions):
    session = PushSession(KEY, AUTH_KEY)
    meter = VirtualE450(1)
    octets = push(meter, 1_772_359_200.0, layout, key=KEY, auth_key=AUTH_KEY, positions=positions)
    session.receive_data(octets, 0.0)
    told = []
    while (event := session.next_event()) is not NEED_DATA:
        told.append(event)
    (event,) = told
    assert isinstance(event, Told)
    readings = readings_of_push(event.telegram)
    assert readings.is_simulated
    wanted = meter.moment(1_772_359_200.0)
    assert readings.measurement.active_energy_import_wh == pytest.approx(wanted.energy_import_wh, abs=1)
    assert readings.measurement.active_power_w == pytest.approx(wanted.power_w, abs=1.5)


def test_what_the_public_client_may_not_read_wants_a_password():
    async def scenario():
        guarded = {"protocol": "dlms", "password": b"12345678", "client": 17}
        async with asked(DlmsDialogue, None, {"codes": ("1-0:1.8.0*255",)}, **guarded) as dialogue:
            with pytest.raises(WrongPasswordError, match="password"):
                await dialogue.read()
            with pytest.raises(WrongPasswordError, match="password"):
                [one async for one in dialogue.registers(("1-0:1.8.0*255",))]
            with pytest.raises(WrongPasswordError, match="load profile"):
                [part async for part in dialogue.profile(time.time() - 3600, time.time())]
            return [one async for one in dialogue.registers(("0-0:42.0.0*255",))]

    assert asyncio.run(scenario())[0].reading.value == "LGZSIM00000001"


def test_a_meter_that_shows_the_public_client_no_register_wants_a_password():
    async def scenario():
        async with asked(DlmsDialogue, None, protocol="dlms", **KEYS) as dialogue:
            with pytest.raises(WrongPasswordError, match="no register"):
                await dialogue.read()

    asyncio.run(scenario())


def test_a_meter_that_knows_no_keys_refuses_them_for_good():
    async def scenario():
        async with asked(DlmsDialogue, None, KEYS, protocol="dlms", password=b"12345678"):
            pass

    with pytest.raises(WrongKeyError, match="authentication"):
        asyncio.run(scenario())


def test_p1_and_mode_d_come_by_themselves_over_the_line(place):
    async def scenario(baud, line):
        async with simulator(place, protocol="iec62056-21", mode="D", baud=baud, interval_s=0.3) as url:
            port = await open_port(url, line)
            port.set_line(line)
            try:
                async with asyncio.timeout(10), contextlib.aclosing(conversation(TelegramSession(), port)) as events:
                    return [event async for event in taken(events, 2)]
            finally:
                port.close()

    for baud, line in ((115_200, LineSettings(115_200)), (2400, LineSettings(2400, 7, "E"))):
        told = asyncio.run(scenario(baud, line))
        assert all(event.telegram.data_sets for event in told)


@pytest.mark.parametrize(("mode", "baud"), [("D", 115_200), ("D", 2400), ("C", 2400)])
def test_the_speed_tells_a_meter_that_sends_by_itself_from_one_that_is_asked(place, monkeypatch, mode, baud):
    monkeypatch.setattr(meter_reader, "MODE_D_SILENCE_S", 0.5)

    async def scenario():
        found = asyncio.get_running_loop().create_future()
        reports = []

        def publish(record):
            if isinstance(record, MeterReport):
                reports.append(record.text)
            elif isinstance(record, MeterReadings) and not found.done():
                found.set_result(record)

        async with simulator(place, protocol="iec62056-21", mode=mode, baud=baud, interval_s=0.3) as url:
            source = MeterSource(port=url, protocol="iec62056-21", baud=baud, interval_s=60.0)
            reading = asyncio.create_task(MeterReader(source, publish).run())
            try:
                async with asyncio.timeout(10):
                    return await found, reports
            finally:
                reading.cancel()
                await asyncio.wait([reading])

    readings, reports = asyncio.run(scenario())
    assert readings.is_simulated
    assert readings.protocol == "iec62056-21"
    assert readings.measurement.active_power_w is not None
    assert any("signing on" in text for text in reports) is (mode == "C")


async def taken(events, count):
    """The first `count` telegrams."""
    async for event in events:
        if isinstance(event, Told):
            yield event
            count -= 1
            if not count:
                return


def test_the_python_client_reads_one_register_in_programming_mode():
    client_of = pytest.importorskip("iec62056_21.client", reason="iec62056-21 is not installed")
    ready, stop, places = threading.Event(), threading.Event(), []

    async def serve():
        async with simulator(protocol="iec62056-21", baud=19200) as url:
            places.append(url)
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        host, number = places[0].removeprefix("socket://").split(":")
        client = client_of.Iec6205621Client.with_tcp_transport((host, int(number)))
        client.connect()
        try:
            request = client.access_programming_mode()
            value = client.read_single_value("1.8.0")
            client.send_break()
        finally:
            client.disconnect()
    finally:
        stop.set()
        thread.join()
    assert (request.command, request.command_type) == ("P", 0)
    assert value.address == "1.8.0"
    assert value.unit == "kWh"


RECORDING = b"""# a meter of raw octets
2026-05-01T12:00:00.000Z  >  2F3F210D0A
2026-05-01T12:00:00.050Z  <  2F4C475A355C325A4D440D0A
2026-05-01T12:00:00.100Z  >  063035300D0A
2026-05-01T12:00:00.150Z  <  02302E302E30283132333435363738290D0A
2026-05-01T12:00:00.200Z  <  312E382E302831302A6B5768290D0A210D0A0310
"""


def test_a_recording_of_both_directions_answers_as_the_meter_did(place):
    block = b"0.0.0(12345678)\r\n1.8.0(10*kWh)\r\n!\r\n\x03"
    check = 0
    for octet in block:
        check ^= octet
    recording = RECORDING.replace(b"0310\n", b"03%02X\n" % (check & 0x7F))
    assert is_recording(recording)

    async def scenario():
        pieces = tuple(recorded_pieces(recording))
        async with simulator(place, protocol="iec62056-21", recording=pieces) as url:
            for _turn in range(2):
                async with dialogue_with(IecDialogue, url, interval_s=60.0) as dialogue:
                    readings = await dialogue.read()
            return readings

    readings = asyncio.run(scenario())
    assert readings.meter.serial_number == "12345678"
    assert not readings.is_simulated  # it is what that meter said
    assert readings.measurement.active_energy_import_wh == 10_000


class Tap:
    """A port whose octets are written down."""

    def __init__(self, port, pieces):
        self._port, self._pieces = port, pieces

    def __getattr__(self, name):
        return getattr(self._port, name)

    async def read(self, timeout_s):
        data = await self._port.read(timeout_s)
        if data:
            self._put(data, is_sent=False)
        return data

    async def write(self, data):
        self._put(data, is_sent=True)
        await self._port.write(data)

    def _put(self, octets, *, is_sent):
        self._pieces.append(LineOctets(name="", time_s=time.monotonic(), is_sent=is_sent, octets=bytes(octets)))


def test_a_recorded_dlms_dialogue_is_held_again_with_its_recording(monkeypatch):
    pieces = []

    async def read_once(**fields):
        async with asked(DlmsDialogue, None, **fields) as dialogue:
            return await dialogue.read()

    async def tapped_port(url, line, usual=asked_meter.open_port):
        return Tap(await usual(url, line), pieces)

    monkeypatch.setattr(asked_meter, "open_port", tapped_port)
    recorded = asyncio.run(read_once(protocol="dlms"))
    kept = tuple(pieces)
    replayed = asyncio.run(read_once(protocol="dlms", recording=kept))
    assert [(one.obis, one.value) for one in replayed.readings] == [(one.obis, one.value) for one in recorded.readings]


def test_the_settings_of_a_recorded_line_are_known_from_its_remark():
    assert recorded_settings(b"# beffroi line recording 1\n# meter: hall, line: 2400 8E1\n") == LineSettings(
        2400, 8, "E"
    )
    assert recorded_settings(b"# meter: hall\n") is None


def test_a_recording_of_a_push_is_sent_with_its_gaps():
    octets = push(VirtualE450(1), 1_772_359_200.0, 2)
    pieces = tuple(
        LineOctets(name="", time_s=1000.0 + 0.2 * number, is_sent=False, octets=octets) for number in range(3)
    )

    async def scenario():
        async with simulator(protocol="push", recording=pieces, is_once=True) as url:
            host, number = url.removeprefix("socket://").split(":")
            reader, writer = await asyncio.open_connection(host, int(number))
            began_s = time.monotonic()
            heard = await reader.read(-1)
            writer.close()
            return heard, time.monotonic() - began_s

    heard, took_s = asyncio.run(scenario())
    assert heard == octets * 3
    assert took_s > 0.4


@pytest.mark.parametrize("text", [b"", b"2026-05-01T12:00:00Z > 2F\n", b"2026-05-01T12:00:00Z < 2F\nnonsense\n"])
def test_a_recording_that_says_nothing_of_a_meter_is_refused(text):
    with pytest.raises(UsageError):
        recorded_pieces(text)
    assert not is_recording(b"7E A0 8B CE FF")


@pytest.mark.parametrize(
    "fields",
    [
        {"protocol": "push", "layout": 3, "positions": 9},
        {"protocol": "dlms", "key": KEY},
        {"protocol": "iec62056-21", "mode": "B", "baud": 300},
        {"protocol": "iec62056-21", "mode": "X"},
        {"protocol": "dlms", "framing": "wrapper", "mode": "E"},
    ],
)
def test_what_does_not_go_together_is_refused(fields):
    with pytest.raises(UsageError):
        MeterSimulator(Simulation(listen="127.0.0.1:0", **fields))


def test_no_secret_stands_in_what_a_simulation_shows():
    shown = repr(Simulation(listen="x", password=b"verysecret", key=b"k" * 16, auth_key=b"a" * 16))
    assert "verysecret" not in shown
    assert "kkkk" not in shown
    assert "aaaa" not in shown
    assert telegram(VirtualE450(1), 0.0, is_p1=True).startswith(b"/LGZ5SIMULATED-E450")
