"""The reader on real lines: pseudo-terminals and TCP, a raw-bytes meter, our simulator, and what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import threading
import tty
from pathlib import Path

import pytest

from core.errors import UsageError
from core.meter.virtual_e450 import VirtualE450
from core.meter.virtual_telegrams import push
from core.protocol import sign_on
from core.protocol.data_sets import encode_block
from core.protocol.parity import with_even_parity, without_parity
from core.protocol.push_encoder import PushValue, clock_octets, encode_push
from core.records import Event, MeterReadings, MeterReport, MeterState, Quality
from core.services import heard_session, meter_listening, meter_reader, meter_telling, probe_search, simulated_iec
from core.services.decode import octets_of
from core.services.meter_reader import MeterReader
from core.services.meter_simulator import MeterSimulator, Simulation
from core.services.meter_sources import MeterSource
from core.transport.line import LineSettings

DATA = encode_block(b"0.0.0(12345678)\r\n1.8.0(000285.4*kWh)\r\n32.7.0(230.1*V)\r\n!\r\n")
KEY, AUTH_KEY = bytes(range(16)), bytes(range(16, 32))


async def raw_meter(master, *, parity=True, echo=False, data=DATA, manufacturer=b"LGz"):
    """A meter written from the standard on the master of a pseudo-terminal; 20 ms of reaction, no pacing."""
    loop = asyncio.get_running_loop()
    heard = b""
    ready = asyncio.Event()
    loop.add_reader(master, ready.set)
    try:
        while True:
            await ready.wait()
            ready.clear()
            try:
                got = os.read(master, 100)
            except BlockingIOError:
                continue
            except OSError:
                return
            if echo:
                os.write(master, got)
            heard += without_parity(got)
            await asyncio.sleep(0.02)
            for asked, answer in ((b"/?!\r\n", b"/" + manufacturer + b"5\\2ZMD310\r\n"), (b"\x06050\r\n", data)):
                if heard.endswith(asked):
                    await asyncio.sleep(0.25 if asked[0] == 6 else 0.02)
                    os.write(master, with_even_parity(answer) if parity else answer)
                    heard = b""
    finally:
        loop.remove_reader(master)


class Listener:
    """Keeps what the reader publishes and wakes whoever waits for it."""

    def __init__(self):
        self.records = []
        self.changed = asyncio.Event()

    def publish(self, record):
        self.records.append(record)
        self.changed.set()

    async def wait_for(self, wanted, *, count=1, timeout_s=20.0):
        async with asyncio.timeout(timeout_s):
            while True:
                found = [record for record in self.records if wanted(record)]
                if len(found) >= count:
                    return found[count - 1]
                self.changed.clear()
                await self.changed.wait()

    async def readings(self, count=1, timeout_s=20.0):
        return await self.wait_for(lambda record: isinstance(record, MeterReadings), count=count, timeout_s=timeout_s)

    async def state(self, state, count=1):
        return await self.wait_for(
            lambda record: isinstance(record, MeterReport) and record.state is state, count=count
        )


@contextlib.asynccontextmanager
async def running(coroutine):
    task = asyncio.create_task(coroutine)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def simulated(**fields):
    """Our simulator, and where it listens."""
    place = asyncio.get_running_loop().create_future()
    async with running(MeterSimulator(Simulation(**fields)).run(place.set_result)) as task:
        done, _pending = await asyncio.wait((task, place), return_when=asyncio.FIRST_COMPLETED)
        assert place in done, task.exception()
        yield place.result()


@pytest.fixture
def terminal():
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    yield master, os.ttyname(slave)
    os.close(slave)
    with contextlib.suppress(OSError):
        os.close(master)


@pytest.mark.parametrize(("parity", "echo"), [(True, False), (False, True)])
def test_a_raw_meter_on_a_terminal_is_read(terminal, parity, echo):
    master, name = terminal

    async def scenario():
        listener = Listener()
        reader = MeterReader(MeterSource(port=name, protocol="iec62056-21"), listener.publish)
        async with running(raw_meter(master, parity=parity, echo=echo)), running(reader.run()):
            return await listener.readings(), await listener.state(MeterState.READING)

    readings, report = asyncio.run(scenario())
    assert readings.measurement.voltage_l1_v == pytest.approx(230.1)
    assert readings.name == "12345678" == report.name
    assert not readings.is_simulated
    assert readings.protocol == "iec62056-21"


def test_a_wrong_block_check_publishes_nothing_and_says_so(terminal, monkeypatch):
    master, name = terminal
    broken = DATA[:-1] + bytes((DATA[-1] ^ 1,))

    async def scenario():
        listener = Listener()
        reader = MeterReader(MeterSource(port=name, protocol="iec62056-21"), listener.publish)
        async with running(raw_meter(master, data=broken)), running(reader.run()):
            report = await listener.state(MeterState.FAILED)
        assert not [record for record in listener.records if isinstance(record, MeterReadings)]
        return report

    assert "block check" in asyncio.run(scenario()).text


@pytest.mark.parametrize("place", ["link", "listen"])
def test_our_reader_reads_our_simulator_in_mode_c(tmp_path, place):
    async def scenario():
        fields = {"link": tmp_path / "tty"} if place == "link" else {"listen": "127.0.0.1:0"}
        async with simulated(protocol="iec62056-21", baud=19200, **fields) as where:
            listener = Listener()
            url = where if place == "link" else f"socket://{where}"
            reader = MeterReader(MeterSource(port=url, protocol="iec62056-21", interval_s=0.5), listener.publish)
            async with running(reader.run()):
                first = await listener.readings()
                return [first, await listener.readings(2)] if place == "link" else [first]

    found = asyncio.run(scenario())
    for readings in found:  # the second one is of live registers alone
        assert readings.is_simulated
        assert readings.meter.model == "SIMULATED-E450"
        assert readings.measurement.active_power_w is not None
        assert readings.errors == ()
    assert 180 < found[0].measurement.voltage_l2_v < 260
    assert found[0].measurement.active_energy_import_wh > 0


@pytest.mark.parametrize("layout", [1, 2, 3, 4])
def test_pushes_of_every_layout_are_read_and_labelled_simulated(tmp_path, layout):
    async def scenario():
        async with simulated(
            link=tmp_path / "tty", layout=layout, baud=115200, interval_s=0.2, key=KEY, auth_key=AUTH_KEY
        ) as where:
            listener = Listener()
            source = MeterSource(port=where, protocol="push", baud=115200, key=KEY, auth_key=AUTH_KEY)
            async with running(MeterReader(source, listener.publish).run()):
                readings = await listener.readings(3)
                report = await listener.wait_for(lambda record: isinstance(record, MeterReport) and record.period_s)
                return readings, report

    readings, report = asyncio.run(scenario())
    assert readings.is_simulated
    assert readings.measurement.voltage_l1_v is not None
    assert report.is_ciphered
    assert report.is_authenticated


def test_a_missing_key_is_asked_for(tmp_path):
    async def scenario():
        async with simulated(listen="127.0.0.1:0", baud=115200, interval_s=0.2, key=KEY, auth_key=AUTH_KEY) as where:
            listener = Listener()
            source = MeterSource(port=f"socket://{where}", protocol="push")
            async with running(MeterReader(source, listener.publish).run()):
                return await listener.state(MeterState.FAILED)

    report = asyncio.run(scenario())
    assert report.needs_key
    assert "key" in report.text


CAPTURES = os.environ.get("BEFFROI_CAPTURES")


def capture():
    """A real E450's push with its keys, from the folder of captures."""
    index = json.loads(Path(CAPTURES, "index.json").read_text())
    entries = index if isinstance(index, list) else index["entries"]
    entry = next(entry for entry in entries if entry["file"] == "hdlc/hdlc_lgz_e450_2.hex")
    octets = octets_of(Path(CAPTURES, entry["file"]).read_bytes())
    return octets, {"key": bytes.fromhex(entry["key"]), "auth_key": bytes.fromhex(entry["auth_key"])}


@pytest.mark.parametrize("is_real", [False, True])
def test_auto_finds_a_push_at_2400_8e1_and_loses_not_its_first_telegram(terminal, tmp_path, is_real):
    if is_real and not CAPTURES:
        pytest.skip("the captures' folder is not here (BEFFROI_CAPTURES)")
    master, name = terminal
    sent, keys = capture() if is_real else (push(VirtualE450(3), 1_772_359_200.0, 2), {})

    async def scenario():
        listener = Listener()
        reader = MeterReader(MeterSource(port=name, home=tmp_path, **keys), listener.publish)
        async with running(reader.run()):
            for _burst in range(2):
                await listener.state(MeterState.SEARCHING)
                os.write(master, b"\x55\x13\x00" * 30)  # what 2400 baud looks like at 9600
                await asyncio.sleep(0.3)
            await listener.wait_for(lambda record: isinstance(record, MeterReport) and "2400" in record.text)
            await asyncio.sleep(0.1)
            for start in range(0, len(sent), 50):
                os.write(master, sent[start : start + 50])
                await asyncio.sleep(0.01)
            readings = await listener.readings()
            return readings, await listener.state(MeterState.READING)

    readings, report = asyncio.run(scenario())
    assert readings.meter.manufacturer == "LGZ"
    assert readings.measurement.voltage_l1_v is not None or is_real
    assert readings.is_simulated is not is_real
    assert report.line == "2400 8E1"
    assert probe_search.RememberedLines(tmp_path / "probes.json").line_of(name) == (
        "push",
        LineSettings(2400, 8, "E"),
    )


def test_auto_signs_on_where_nothing_comes_by_itself(terminal, monkeypatch, tmp_path):
    master, name = terminal
    monkeypatch.setattr(probe_search.search, "__kwdefaults__", {**probe_search.search.__kwdefaults__, "listen_s": 0.2})

    async def scenario():
        listener = Listener()
        reader = MeterReader(MeterSource(port=name, home=tmp_path), listener.publish)
        async with running(raw_meter(master)), running(reader.run()):
            return await listener.readings(), [
                record.text for record in listener.records if isinstance(record, MeterReport)
            ]

    readings, texts = asyncio.run(scenario())
    assert readings.protocol == "iec62056-21"
    assert [text.split()[0] for text in texts[:3]] == ["listening", "listening", "signing"]
    assert "9600 8N1" in texts[0]
    assert "2400 8E1" in texts[1]


def test_a_silent_port_is_told_in_words(terminal, monkeypatch):
    _master, name = terminal
    monkeypatch.setattr(probe_search.search, "__kwdefaults__", {**probe_search.search.__kwdefaults__, "listen_s": 0.1})
    monkeypatch.setattr(probe_search, "ReadoutSession", lambda address, attempts: _short_readout(address))
    monkeypatch.setattr(probe_search, "ASSOCIATE_S", 0.3)

    async def scenario():
        listener = Listener()
        async with running(MeterReader(MeterSource(port=name), listener.publish).run()):
            return await listener.state(MeterState.SILENT)

    report = asyncio.run(scenario())
    assert "silence at 9600 8N1" in report.text
    assert "/?!" in report.text


def _short_readout(address):
    from core.protocol.mode_c import ReadoutSession

    return ReadoutSession(address, attempts=1)


def test_a_meter_that_stops_pushing_is_silent_and_comes_back(terminal, monkeypatch):
    master, name = terminal
    monkeypatch.setattr(meter_telling, "LEAST_SILENCE_S", 1.0)
    meter = VirtualE450(1)

    async def scenario():
        listener = Listener()
        source = MeterSource(port=name, protocol="push", baud=9600)
        async with running(MeterReader(source, listener.publish).run()):
            await listener.state(MeterState.SEARCHING)
            for number in range(4):
                os.write(master, push(meter, 1_772_359_200.0 + number, 3))
                await listener.readings(number + 1)
            silent = await listener.state(MeterState.SILENT)
            os.write(master, push(meter, 1_772_359_300.0, 3))
            await listener.wait_for(lambda record: isinstance(record, Event), count=3)
            return silent, [record for record in listener.records if isinstance(record, Event)]

    silent, events = asyncio.run(scenario())
    assert "nothing has come" in silent.text
    assert [event.kind for event in events] == ["meter_reading", "meter_silent", "meter_reading"]


def test_a_meter_of_a_known_period_that_stops_after_one_message_is_silent(terminal, monkeypatch):
    master, name = terminal
    monkeypatch.setattr(meter_telling, "LEAST_SILENCE_S", 0.2)

    async def scenario():
        listener = Listener()
        source = MeterSource(port=name, protocol="push", baud=9600, period_s=0.2)
        async with running(MeterReader(source, listener.publish).run()):
            await listener.state(MeterState.SEARCHING)
            os.write(master, push(VirtualE450(1), 1_772_359_200.0, 3))
            await listener.readings(1)
            return await listener.state(MeterState.SILENT)

    assert "nothing has come" in asyncio.run(scenario()).text


def test_a_meter_that_never_pushes_is_told_silent(terminal, monkeypatch):
    _master, name = terminal
    monkeypatch.setattr(meter_listening, "SILENT_S", 0.2)

    async def scenario():
        listener = Listener()
        async with running(MeterReader(MeterSource(port=name, protocol="push", baud=2400), listener.publish).run()):
            return await listener.state(MeterState.SILENT)

    assert "2400 8E1" in asyncio.run(scenario()).text


@pytest.mark.parametrize("protocol", ["push", "iec62056-21"])
def test_unplugging_and_replugging_recover_by_themselves(tmp_path, protocol, monkeypatch):
    monkeypatch.setattr(meter_reader, "REPLUG_S", 0.05)
    link = tmp_path / "tty"

    async def scenario():
        listener = Listener()
        source = MeterSource(port=str(link), protocol=protocol, baud=19200, interval_s=0.5)
        async with running(MeterReader(source, listener.publish).run()):
            gone = await listener.state(MeterState.DISCONNECTED)
            for count in (1, 2):
                async with simulated(protocol=protocol, link=link, baud=19200, interval_s=0.2):
                    await listener.state(MeterState.READING, count=count)
                await listener.state(MeterState.DISCONNECTED, count=count + 1)
            return gone

    assert "plugged in" in asyncio.run(scenario()).text


def test_cancelling_lets_the_port_go_at_once(terminal):
    _master, name = terminal

    async def scenario():
        for protocol in ("push", "iec62056-21", "auto"):
            listener = Listener()
            task = asyncio.create_task(MeterReader(MeterSource(port=name, protocol=protocol), listener.publish).run())
            await listener.state(MeterState.SEARCHING)
            await asyncio.sleep(0.05)
            task.cancel()
            # the shortest wait of any session is 1.5 s: whoever waited for it is not done by then
            _done, pending = await asyncio.wait((task,), timeout=1.0)
            assert not pending
            reports = [record for record in listener.records if isinstance(record, MeterReport)]
            assert reports[-1].state is MeterState.DISCONNECTED

    asyncio.run(scenario())


def test_noise_is_told_and_reading_goes_on(terminal):
    master, name = terminal
    sent = push(VirtualE450(1), 1_772_359_200.0, 2)

    async def scenario():
        listener = Listener()
        source = MeterSource(port=name, protocol="push", baud=9600)
        async with running(MeterReader(source, listener.publish).run()):
            await listener.state(MeterState.SEARCHING)
            os.write(master, b"\x7e\xa0" + os.urandom(300) + sent[: len(sent) // 2])
            for _push in range(2):  # the first one may end what the cut one began
                await asyncio.sleep(0.05)
                os.write(master, sent)
            return await listener.readings()

    assert asyncio.run(scenario()).measurement is not None


@contextlib.asynccontextmanager
async def listening(name, **fields):
    """A reader that waits for pushes at 9600 8N1, and what it publishes."""
    listener = Listener()
    source = MeterSource(port=name, protocol="push", baud=9600, **fields)
    async with running(MeterReader(source, listener.publish).run()):
        await listener.state(MeterState.SEARCHING)
        yield listener


def test_a_recording_of_a_ciphered_meter_played_again_is_told_not_passed_over(terminal):
    master, name = terminal
    sent = push(VirtualE450(1), 1_772_359_200.0, 2, key=KEY, auth_key=AUTH_KEY, invocation_counter=7)

    async def scenario():
        async with listening(name, key=KEY, auth_key=AUTH_KEY) as listener:
            os.write(master, sent)
            await listener.readings()
            os.write(master, sent)
            first = await listener.wait_for(lambda record: isinstance(record, MeterReport) and record.is_problem)
            os.write(master, sent)
            second = await listener.state(MeterState.FAILED)
            return first, second, [record for record in listener.records if isinstance(record, MeterReadings)]

    first, second, readings = asyncio.run(scenario())
    assert len(readings) == 1
    assert first.state is MeterState.READING
    assert "does not rise above 7" in first.text
    assert "played again" in second.text


def test_a_meter_whose_key_is_wrong_is_told_silent_when_it_stops(terminal, monkeypatch):
    master, name = terminal
    monkeypatch.setattr(meter_telling, "LEAST_SILENCE_S", 0.4)

    async def scenario():
        async with listening(name, key=AUTH_KEY, auth_key=KEY) as listener:
            for number in range(3):
                os.write(
                    master,
                    push(VirtualE450(1), 1_772_359_200.0, 2, key=KEY, auth_key=AUTH_KEY, invocation_counter=number),
                )
                await asyncio.sleep(0.1)
            failed = await listener.state(MeterState.FAILED)
            return failed, await listener.state(MeterState.SILENT)

    failed, silent = asyncio.run(scenario())
    assert failed.needs_key
    assert "does not fit" in silent.text


def test_a_register_that_falls_is_told_and_flagged_while_it_is_read(terminal):
    master, name = terminal
    values = [[PushValue("1-0:1.8.0*255", energy)] for energy in (5000, 4000)]

    async def scenario():
        async with listening(name) as listener:
            for number, value in enumerate(values, 1):
                os.write(master, encode_push(value, 2, clock=clock_octets(1_700_000_000.0, 0)))
                readings = await listener.readings(number)
            return readings

    readings = asyncio.run(scenario())
    assert "has fallen from 5000 to 4000" in readings.errors[-1]
    assert [one.quality for one in readings.readings if one.obis] == [Quality.WARNING]


def test_the_choice_of_a_factor_is_told_with_the_first_telegram_only(terminal):
    master, name = terminal

    async def scenario():
        async with listening(name) as listener:
            for number in (1, 2):
                os.write(master, push(VirtualE450(1), 1_772_359_200.0 + number, 2))
                readings = await listener.readings(number)
            return await listener.readings(1), readings

    first, second = asyncio.run(scenario())
    assert [error for error in first.errors if "times 0.1" in error]
    assert not second.errors


def test_octets_that_cannot_be_read_are_not_called_silence(terminal, monkeypatch):
    master, name = terminal
    monkeypatch.setattr(meter_listening, "SILENT_S", 0.5)
    sent = bytearray(push(VirtualE450(1), 1_772_359_200.0, 3))
    sent[40] ^= 1

    async def scenario():
        async with listening(name) as listener:
            os.write(master, bytes(sent))
            return await listener.state(MeterState.FAILED)

    assert "frame check is 0x" in asyncio.run(scenario()).text


def test_a_noisy_line_is_told_once(terminal, monkeypatch):
    monkeypatch.setattr(heard_session, "UNDECIDED_S", 0.1)
    master, name = terminal

    async def scenario():
        async with listening(name) as listener:
            for _turn in range(60):
                os.write(master, b"\x55" * 400)
                await asyncio.sleep(0.005)
            return [record for record in listener.records if isinstance(record, MeterReport) and record.is_problem]

    (told,) = asyncio.run(scenario())
    assert "belong to no frame" in told.text


def test_a_failed_attempt_says_that_the_next_one_follows(terminal, monkeypatch):
    _master, name = terminal
    monkeypatch.setattr(sign_on, "PAUSE_S", 0.05)
    monkeypatch.setattr(sign_on, "ANSWER_S", 0.05)
    monkeypatch.setattr(sign_on, "SLACK_S", 0.05)
    monkeypatch.setattr(sign_on, "WAKE_UP_PAUSE_S", 0.05)
    monkeypatch.setattr(sign_on, "WAKE_UP", b"\0")

    async def scenario():
        listener = Listener()
        async with running(MeterReader(MeterSource(port=name, protocol="iec62056-21"), listener.publish).run()):
            await listener.wait_for(lambda record: isinstance(record, MeterReport) and record.is_trying)
            return await listener.wait_for(
                lambda record: (
                    isinstance(record, MeterReport) and record.state is MeterState.SILENT and not record.is_trying
                )
            )

    assert "trying again" not in asyncio.run(scenario()).text


def test_an_unknown_preset_is_bad_usage():
    with pytest.raises(UsageError, match="known are"):
        MeterReader(MeterSource(port="x", preset="no such"), print)


def test_a_wrong_speed_garbles_what_the_simulator_sends(tmp_path):
    async def scenario():
        async with simulated(link=tmp_path / "tty", baud=9600, interval_s=0.3) as where:
            listener = Listener()
            source = MeterSource(port=where, protocol="push", baud=19200)
            async with running(MeterReader(source, listener.publish).run()):
                await asyncio.sleep(1.2)
            return listener.records

    assert not [record for record in asyncio.run(scenario()) if isinstance(record, MeterReadings)]


def test_a_capture_is_replayed_once_at_the_speed_of_the_line(tmp_path):
    sent = push(VirtualE450(9), 1_772_359_200.0, 2)

    async def scenario():
        place = asyncio.get_running_loop().create_future()
        simulation = Simulation(link=tmp_path / "tty", baud=9600, replay=sent, is_once=True)
        task = asyncio.create_task(MeterSimulator(simulation).run(place.set_result))
        listener = Listener()
        source = MeterSource(port=await place, protocol="push", baud=9600)
        async with running(MeterReader(source, listener.publish).run()):
            await task
            return await listener.readings()

    assert asyncio.run(scenario()).meter.serial_number == "LGZSIM00000009"
    assert not (tmp_path / "tty").exists()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"link": "a", "listen": "b:1"},
        {"listen": "127.0.0.1:0", "protocol": "iec62056-21", "baud": 115200},
        {"listen": "127.0.0.1:0", "protocol": "iec62056-21", "replay": b"\x7e\xa0"},
    ],
)
def test_a_simulation_that_cannot_be_is_bad_usage(fields):
    with pytest.raises(UsageError):
        MeterSimulator(Simulation(**fields))


def test_the_python_package_iec62056_21_reads_our_simulator(monkeypatch):
    client_of = pytest.importorskip("iec62056_21.client", reason="iec62056-21 is not installed")
    monkeypatch.setattr(simulated_iec, "REACTION_S", 0.05)
    ready, stop, places = threading.Event(), threading.Event(), []

    async def serve():
        async with simulated(protocol="iec62056-21", listen="127.0.0.1:0", baud=19200) as place:
            places.append(place)
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        host, number = places[0].split(":")
        client = client_of.Iec6205621Client.with_tcp_transport((host, int(number)))
        client.connect()
        try:
            answer = client.standard_readout()
        finally:
            client.disconnect()
    finally:
        stop.set()
        thread.join()
    values = {one.address: (one.value, one.unit) for one in answer.data}
    assert client.manufacturer_id == "LGZ"
    assert values["0.0.0"][0] == "LGZSIM00000001"
    assert values["1.8.0"][1] == "kWh"
    assert len(values) == 38
