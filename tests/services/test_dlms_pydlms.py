"""An independent DLMS meter, `pydlms simulate`, in its own process, read over TCP and over a pseudo-terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import time
import tty
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.errors import WrongKeyError, WrongPasswordError
from core.services.dialogue_dlms import DlmsDialogue
from core.services.dlms_asking import forget_meters
from core.services.meter_sources import MeterSource
from core.transport.serial_port import open_port

PROGRAM = Path(sys.executable).with_name("pydlms")
KEY = bytes.fromhex("000102030405060708090A0B0C0D0E0F")
AUTH_KEY = bytes.fromhex("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF")
TITLE = bytes.fromhex("4D4D4D0000000001")
MIDNIGHT_S = 1_714_521_600.0
"""2024-05-01T00:00Z, where its load profile begins."""

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="pydlms-client (extra dev) is not installed")


class Meter:
    """One running simulator: its port, and the octets of `socket://` that name it."""

    def __init__(self, *words: str) -> None:
        self._process = subprocess.Popen(
            [str(PROGRAM), "simulate", "--host", "127.0.0.1", "--port", "0", *words],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stderr is not None
        line = self._process.stderr.readline()
        match = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert match is not None, line
        self.port = int(match[1])
        self.url = f"socket://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        assert self._process.stderr is not None
        self._process.stderr.close()


def running(*words: str) -> Iterator[Meter]:
    meter = Meter(*words)
    yield meter
    meter.stop()


@pytest.fixture(scope="module")
def low_meter() -> Iterator[Meter]:
    yield from running("--hdlc", "--client", "17:1:12345678")


@pytest.fixture(scope="module")
def gmac_meter() -> Iterator[Meter]:
    yield from running("--hdlc", "--client", "1:5", "--key", KEY.hex(), "--auth-key", AUTH_KEY.hex())


@pytest.fixture(scope="module")
def wrapped_meter() -> Iterator[Meter]:
    yield from running("--client", "17:1:12345678")


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    forget_meters()


def low(url: str, password: bytes = b"12345678", **more: object) -> MeterSource:
    return MeterSource(port=url, protocol="dlms", client=17, password=password, **more)  # type: ignore[arg-type]  # fields of a test


def high(url: str, key: bytes = KEY, auth_key: bytes = AUTH_KEY) -> MeterSource:
    return MeterSource(port=url, protocol="dlms", client=1, key=key, auth_key=auth_key, system_title=TITLE)


@contextlib.asynccontextmanager
async def dialogue_with(source: MeterSource) -> AsyncIterator[DlmsDialogue]:
    port = await open_port(source.port, source.first_line)
    dialogue = DlmsDialogue(source, port, lambda _told: None, time.time)
    try:
        await dialogue.open()
        yield dialogue
    finally:
        await dialogue.close()
        port.close()


async def expect_what_it_holds(source: MeterSource) -> None:
    async with dialogue_with(source) as dialogue:
        for _reading in range(2):  # with the scalers, and then without them
            readings = await dialogue.read()
            values = {reading.obis: (reading.value, reading.unit, reading.raw) for reading in readings.readings}
            assert values["1-0:1.8.0*255"] == (12345678, "Wh", 12345678)
            assert values["1-0:1.7.0*255"] == (1520, "W", 1520)
            assert values["1-0:32.7.0*255"] == (230.1, "V", 2301)
            assert values["1-0:31.7.0*255"] == (5.23, "A", 523)
            assert {reading.scaler_source for reading in readings.readings} == {"meter"}
            assert readings.errors == ()
            assert readings.protocol == "dlms"
            assert readings.meter.manufacturer == "PYD"
            assert readings.measurement is not None
            assert readings.measurement.active_power_w == 1520.0
        registers = {register.code: register async for register in dialogue.registers()}
        assert dialogue.expected == len(registers)
        assert registers["0-0:42.0.0*255"].reading.value == "PYD1000000000001"
        assert registers["1-0:99.1.0*255"].reading is None
        assert all(register.error is None for register in registers.values())
        parts = [part async for part in dialogue.profile(MIDNIGHT_S + 2 * 3600, MIDNIGHT_S + 6 * 3600)]
        assert [(part.is_first, part.is_last, part.error) for part in parts] == [(True, True, None)]
        rows = parts[0].rows
        assert [row.values[0] for row in rows] == list(range(1056, 1169, 7))
        assert len(rows) == 17
        assert [row.time_s for row in rows] == [MIDNIGHT_S + 7200 + 900 * number for number in range(17)]
        assert parts[0].period_s == 900
        assert [(column.obis, column.unit) for column in parts[0].columns] == [("1-0:1.8.0*255", "Wh")]
        assert parts[0].measurements[0][1].active_energy_import_wh == 1056
        assert [measurement.active_power_w for _time_s, measurement in parts[0].measurements[1:]] == [28.0] * 16


def test_it_is_read_with_a_password(low_meter):
    asyncio.run(expect_what_it_holds(low(low_meter.url)))


def test_it_is_read_with_keys(gmac_meter):
    asyncio.run(expect_what_it_holds(high(gmac_meter.url)))


def test_it_is_read_with_keys_again_and_again(gmac_meter):
    for _conversation in range(3):  # the invocation counter has to rise from one to the next
        asyncio.run(expect_what_it_holds(high(gmac_meter.url)))


def test_it_is_read_through_the_wrapper(wrapped_meter):
    asyncio.run(expect_what_it_holds(low(wrapped_meter.url, framing="wrapper")))


def test_it_is_read_in_windows_of_several_frames():
    for meter in running("--hdlc", "--hdlc-window", "7", "--client", "17:1:12345678"):
        asyncio.run(expect_what_it_holds(low(meter.url)))


def test_a_password_inside_a_ciphered_association_is_taken():
    words = ("--hdlc", "--client", "1:1:12345678", "--key", KEY.hex(), "--auth-key", AUTH_KEY.hex())
    for meter in running(*words):
        source = MeterSource(
            port=meter.url, protocol="dlms", password=b"12345678", key=KEY, auth_key=AUTH_KEY, system_title=TITLE
        )
        asyncio.run(expect_what_it_holds(source))


def test_the_public_client_needs_nothing(low_meter):
    asyncio.run(expect_what_it_holds(MeterSource(port=low_meter.url, protocol="dlms")))


def test_single_codes_are_read_without_its_list(low_meter):
    async def run() -> None:
        source = low(low_meter.url, codes=("1.0.32.7.0.255", "0-0:42.0.0*255", "1-0:99.99.99*255"))
        async with dialogue_with(source) as dialogue:
            readings = await dialogue.read()
        assert [(reading.obis, reading.value) for reading in readings.readings] == [
            ("1-0:32.7.0*255", 230.1),
            ("0-0:42.0.0*255", "PYD1000000000001"),
        ]
        assert readings.errors == ("1-0:99.99.99*255: the meter has no such object",)

    asyncio.run(run())


@pytest.mark.parametrize("framing", ["hdlc", "wrapper"])
def test_a_wrong_password_is_said(low_meter, wrapped_meter, framing):
    async def run() -> None:
        meter = low_meter if framing == "hdlc" else wrapped_meter
        with pytest.raises(WrongPasswordError, match="diagnostic 13"):
            async with dialogue_with(low(meter.url, b"87654321", framing=framing)):
                pass

    asyncio.run(run())


@pytest.mark.parametrize("keys", [(AUTH_KEY, AUTH_KEY), (KEY, KEY)])
def test_a_wrong_key_is_said(gmac_meter, keys):
    async def run() -> None:
        with pytest.raises(WrongKeyError, match="keys"):
            async with dialogue_with(high(gmac_meter.url, *keys)):
                pass

    asyncio.run(run())


@contextlib.asynccontextmanager
async def terminal_to(meter: Meter) -> AsyncIterator[str]:
    """A pseudo-terminal whose other side is the meter's TCP line."""
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", meter.port)
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    loop.add_reader(master, lambda: writer.write(os.read(master, 4096)))

    async def bring_answers() -> None:
        while data := await reader.read(4096):
            os.write(master, data)

    task = asyncio.create_task(bring_answers())
    try:
        yield os.ttyname(slave)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        loop.remove_reader(master)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        os.close(master)
        os.close(slave)


def test_it_is_read_over_a_serial_line(low_meter):
    async def run() -> None:
        async with terminal_to(low_meter) as device:
            await expect_what_it_holds(low(device))

    asyncio.run(run())


def test_it_is_read_with_keys_over_a_serial_line(gmac_meter):
    async def run() -> None:
        async with terminal_to(gmac_meter) as device:
            await expect_what_it_holds(high(device))

    asyncio.run(run())


def test_a_wrong_password_is_said_over_a_serial_line(low_meter):
    async def run() -> None:
        async with terminal_to(low_meter) as device:
            with pytest.raises(WrongPasswordError):
                async with dialogue_with(low(device, b"00000000")):
                    pass

    asyncio.run(run())
