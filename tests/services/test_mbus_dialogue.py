"""A bus of simulated slaves behind TCP: read by the dialogue, searched by the scan, both by the commands."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import asynccontextmanager, suppress

import pytest

from core.cli.app import main
from core.errors import TransportError, UsageError
from core.meter.virtual_mbus import VirtualBus, virtual_bus
from core.protocol.mbus_push import in_fragments
from core.protocol.push_encoder import PushValue, encode_push
from core.records import MeterReadings
from core.services import meter_scan
from core.services.dialogue_mbus import MbusDialogue
from core.services.meter_reader import MeterReader
from core.services.meter_scan import BusScan
from core.services.meter_sources import MeterSource
from core.transport.line import LineSettings
from core.transport.serial_port import open_port

LINE = LineSettings(115_200, 8, "E")
NOON_S = 1_790_000_000.0


@asynccontextmanager
async def served(bus: VirtualBus):
    """`socket://` of a bus; each client is served in turn."""

    serving = set()

    async def serve(reader, writer):
        task = asyncio.current_task()
        serving.add(task)
        try:
            while data := await reader.read(1000):
                writer.write(bus.receive_data(data))
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            serving.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.sleep(0.05)  # a connection that was accepted has its task by now
        if serving:
            await asyncio.wait(serving, timeout=5)


def in_dialogue(work, bus=None, **source):
    """Run `work(dialogue)` against a bus; returns what it returns."""

    async def run():
        async with served(bus or virtual_bus(lambda: NOON_S, 7)) as url:
            port = await open_port(url, LINE)
            try:
                given = MeterSource(port=url, protocol="mbus", baud=115_200, **source)
                dialogue = MbusDialogue(given, port, lambda _told: None, lambda: 5.0)
                try:
                    return await work(dialogue)
                finally:
                    await dialogue.close()
            finally:
                port.close()

    return asyncio.run(run())


def test_a_dialogue_reads_again_and_again():
    async def work(dialogue):
        await dialogue.open()
        return [await dialogue.read() for _turn in range(3)], dialogue.identity, dialogue.is_simulated

    readings, identity, is_simulated = in_dialogue(work, address="1", name="hall")
    assert identity.serial_number == "20000070"
    assert is_simulated
    for one in readings:
        assert (one.name, one.protocol, one.time_s) == ("hall", "mbus", 5.0)
        assert one.measurement.active_energy_import_wh is not None
        assert one.measurement.current_l3_a is not None


def test_only_what_is_asked_for_is_told_and_what_is_missing_is_named():
    async def work(dialogue):
        await dialogue.open()
        return await dialogue.read(), [one async for one in dialogue.registers(("fabrication_number", "9.9.9"))]

    readings, registers = in_dialogue(work, address="20000070", codes=("1.8.0", "1-0:32.7.0*255", "7.7.7"))
    assert [reading.obis for reading in readings.readings] == ["1-0:1.8.0*255", "1-0:32.7.0*255"]
    assert "7.7.7" in readings.errors[0]
    assert registers[0].reading.value == 7
    assert registers[0].about == "fabrication number"
    assert (registers[1].code, registers[1].error) == ("9.9.9", "the meter does not send this code")


def test_all_registers_come_with_their_labels():
    async def work(dialogue):
        await dialogue.open()
        return [one async for one in dialogue.registers()], dialogue.expected

    registers, expected = in_dialogue(work, address="3")
    assert len(registers) == expected == 5
    assert "volume_m3_storage_1" in [one.code for one in registers]


def test_nobody_there_is_an_error_and_a_profile_is_refused():
    async def nobody(dialogue):
        await dialogue.open()

    with pytest.raises(TransportError, match="address 99"):
        in_dialogue(nobody, address="99")

    async def profile(dialogue):
        return [part async for part in dialogue.profile(0.0, 1.0)]

    with pytest.raises(UsageError, match="no load profile"):
        in_dialogue(profile, address="1")
    with pytest.raises(UsageError, match="no address"):
        in_dialogue(nobody, address="house")


def scanned(how, bus=None):
    looked = []

    async def run():
        async with served(bus or virtual_bus(lambda: NOON_S, 7)) as url:
            port = await open_port(url, LINE)
            try:
                scan = BusScan(port, LINE, lambda *told: looked.append(told), slack_s=0.005)
                return [meter async for meter in how(scan)]
            finally:
                port.close()

    return asyncio.run(run()), looked


def test_a_scan_by_primary_address_finds_every_slave():
    found, looked = scanned(lambda scan: scan.primary(0, 4))
    assert [(meter.address, meter.secondary_address, meter.medium) for meter in found] == [
        (1, "20000070.SIM.01.02", "electricity"),
        (2, "40000070.SIM.01.04", "heat (outlet)"),
        (3, "70000070.SIM.01.07", "water"),
    ]
    assert looked[-1] == (5, 5, "")


def test_an_empty_primary_address_is_asked_once():
    bus = virtual_bus(lambda: NOON_S, 7)
    heard = bytearray()
    usual = bus.receive_data

    def receive_data(data):
        heard.extend(data)
        return usual(data)

    bus.receive_data = receive_data
    found, _looked = scanned(lambda scan: scan.primary(200, 202), bus)
    assert not found
    assert len(heard) == 3 * 5


def test_two_slaves_at_one_address_are_told_as_such():
    bus = virtual_bus(lambda: NOON_S, 7)
    bus.slaves[1].address = 1
    found, _looked = scanned(lambda scan: scan.primary(1, 1), bus)
    assert "several meters" in found[0].problem


def test_a_scan_by_secondary_address_finds_those_that_share_a_primary_one():
    bus = virtual_bus(lambda: NOON_S, 7)
    for slave in bus.slaves:
        slave.address = 1
    found, _looked = scanned(lambda scan: scan.secondary(), bus)
    assert [meter.secondary_address for meter in found] == [
        "20000070.SIM.01.02",
        "40000070.SIM.01.04",
        "70000070.SIM.01.07",
    ]


def test_a_scan_by_secondary_address_goes_on_digit_by_digit():
    bus = virtual_bus(lambda: NOON_S, 7)
    bus.slaves[1].identification = "20000071"
    found, looked = scanned(lambda scan: scan.secondary("2000007F"), bus)
    assert [meter.secondary_address for meter in found] == ["20000070.SIM.01.02", "20000071.SIM.01.04"]
    assert len(looked) == 12


def test_two_slaves_of_one_number_are_told_apart_by_their_medium(monkeypatch):
    monkeypatch.setattr(meter_scan, "MEDIA", {2: "electricity", 4: "heat (outlet)", 7: "water"})
    bus = virtual_bus(lambda: NOON_S, 7)
    bus.slaves = bus.slaves[:2]
    bus.slaves[1].identification = bus.slaves[0].identification
    found, _looked = scanned(lambda scan: scan.secondary("20000070"), bus)
    assert [meter.medium for meter in found] == ["electricity", "heat (outlet)"]


@pytest.fixture
def bus_url():
    """A bus in a thread of its own, for commands that run a loop themselves."""
    ready, ended = threading.Event(), None
    urls: list[str] = []

    async def serve():
        nonlocal ended
        ended = asyncio.Event()
        async with served(virtual_bus(lambda: NOON_S, 7)) as url:
            urls.append(url)
            loops.append(asyncio.get_running_loop())
            ready.set()
            await ended.wait()

    loops: list[asyncio.AbstractEventLoop] = []
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(10)
    yield urls[0]
    loops[0].call_soon_threadsafe(ended.set)
    thread.join(10)


def test_the_command_scans_and_prints_json(bus_url, capfd, tmp_path):
    words = ["meter", "scan", "--port", bus_url, "--baud", "9600", "--from", "2", "--to", "3", "--json"]
    assert main(["--home", str(tmp_path), *words]) == 0
    assert json.loads(capfd.readouterr().out) == [
        {
            "address": 2,
            "secondary_address": "40000070.SIM.01.04",
            "manufacturer": "SIM",
            "medium": "heat (outlet)",
            "version": 1,
        },
        {
            "address": 3,
            "secondary_address": "70000070.SIM.01.07",
            "manufacturer": "SIM",
            "medium": "water",
            "version": 1,
        },
    ]


def test_the_command_says_where_nobody_answers(bus_url, capfd, tmp_path):
    words = ["meter", "scan", "--port", bus_url, "--baud", "9600", "--from", "9", "--to", "9"]
    assert main(["--home", str(tmp_path), *words]) == 1
    assert "no meter answered" in capfd.readouterr().err
    assert main(["--home", str(tmp_path), "meter", "scan", "--port", bus_url, "--from", "9", "--to", "300"]) == 2


def test_the_command_reads_a_meter_of_the_bus(bus_url, capfd, tmp_path):
    words = ["meter", "read", "--port", bus_url, "--protocol", "mbus", "--baud", "9600", "--address", "2", "--json"]
    assert main(["--home", str(tmp_path), *words]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["protocol"] == "mbus"
    assert {"6-0:1.0.0*255", "6-0:10.0.0*255"} <= {reading["obis"] for reading in document["readings"]}


def test_a_value_without_code_is_named_by_its_label(bus_url, capfd, tmp_path):
    words = ["meter", "read", "--port", bus_url, "--protocol", "mbus", "--baud", "9600", "--address", "3", "--json"]
    assert main(["--home", str(tmp_path), *words]) == 0
    readings = json.loads(capfd.readouterr().out)["readings"]
    assert "volume_m3_storage_1" in [one["quantity"] for one in readings if one["obis"] is None]


def test_a_push_in_frames_of_m_bus_is_read_like_any_other():
    values = [
        PushValue("1-0:1.8.0*255", 12937, scaler=0, unit=30),
        PushValue("1-0:32.7.0*255", 2337, scaler=-1, unit=35),
    ]
    key = bytes(range(16))

    def line(counter: int) -> bytes:
        message = encode_push(
            values, 2, system_title=b"KFM\x00\x00\x00\x00\x01", key=key, security_control=0x20,
            invocation_counter=counter, transfer="none",
        )  # fmt: skip
        return in_fragments(message)

    async def run() -> MeterReadings:
        async def send(_reader, writer):
            with suppress(ConnectionError):
                for counter in range(1, 50):
                    writer.write(line(counter))
                    await writer.drain()
                    await asyncio.sleep(0.1)
            writer.close()

        read: asyncio.Future[MeterReadings] = asyncio.get_running_loop().create_future()

        def publish(record):
            if isinstance(record, MeterReadings) and not read.done():
                read.set_result(record)

        server = await asyncio.start_server(send, "127.0.0.1", 0)
        async with server:
            url = f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            reading = asyncio.ensure_future(MeterReader(MeterSource(port=url, key=key), publish).run())
            try:
                return await asyncio.wait_for(read, 20)
            finally:
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading
                await asyncio.sleep(0.2)

    readings = asyncio.run(run())
    assert readings.protocol == "push"
    assert readings.meter.manufacturer == "KFM"
    assert [(one.obis, one.value, one.unit) for one in readings.readings if one.obis] == [
        ("1-0:1.8.0*255", 12937, "Wh"),
        ("1-0:32.7.0*255", 233.7, "V"),
    ]
