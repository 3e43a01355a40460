"""IEC 62056-21 asked for real: our dialogue and our simulator over TCP and a terminal, and a meter of raw octets."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import operator
import time

import pytest
from asked_meter import asked, dialogue_with, simulator

from core.errors import RemoteProtocolError, TransportError, UsageError, WrongPasswordError
from core.protocol import sign_on
from core.protocol.session import Rejected
from core.services import dialogue_iec, iec_programming, simulated_iec
from core.services.dialogue_iec import IecDialogue
from core.services.meter_dialogue import PacedDialogue
from core.services.meter_sources import MeterSource
from core.transport.line import LineSettings

QUICK = {"protocol": "iec62056-21", "baud": 19200}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Nobody waits in these tests for what the standard gives slow meters; lines are twenty times as fast."""
    real = LineSettings.octet_s.fget
    monkeypatch.setattr(LineSettings, "octet_s", property(lambda line: real(line) / 20))
    monkeypatch.setattr(simulated_iec, "REACTION_S", 0.02)
    monkeypatch.setattr(dialogue_iec, "FAREWELL_S", 0.05)
    monkeypatch.setattr(dialogue_iec, "LIVE_BUDGET_S", 0.15)
    monkeypatch.setattr(sign_on, "PAUSE_S", 0.1)
    monkeypatch.setattr(sign_on, "ANSWER_S", 0.8)


@pytest.fixture(params=["tcp", "terminal"])
def place(request, tmp_path):
    return tmp_path if request.param == "terminal" else None


async def all_of(iterator):
    return [one async for one in iterator]


def test_a_readout_comes_first_then_registers_one_by_one(place):
    async def scenario():
        async with asked(IecDialogue, place, **QUICK) as dialogue:
            whole = await dialogue.read()
            pace_s = dialogue.pace_s
            live = [await dialogue.read() for _turn in range(3)]
            return dialogue, whole, pace_s, live

    dialogue, whole, pace_s, live = asyncio.run(scenario())
    assert isinstance(dialogue, PacedDialogue)
    assert dialogue.expected == len(whole.readings) == 38
    assert whole.is_simulated
    assert pace_s == 1.0
    for readings in live:
        assert readings.meter == whole.meter
        assert readings.is_simulated
        assert readings.measurement.active_power_w is not None
        assert readings.measurement.voltage_l1_v is not None  # of the readout, until its turn comes
        assert readings.measurement.reactive_power_var != 0
    assert dialogue._turn > 0  # the others follow in turn
    assert any("mode E" in text for text in dialogue.told if isinstance(text, str))


def test_a_slow_meter_leaves_no_gap_between_two_turns_of_a_register(monkeypatch):
    monkeypatch.setattr(dialogue_iec, "LIVE_BUDGET_S", 0.0)  # one register a turn, as at 300 baud
    monkeypatch.setattr(dialogue_iec, "HELD_S", 0.0)

    async def scenario():
        async with asked(IecDialogue, None, **QUICK) as dialogue:
            await dialogue.read()
            return [(await dialogue.read()).measurement for _turn in range(6)]

    for found in asyncio.run(scenario()):
        assert None not in (found.voltage_l1_v, found.voltage_l3_v, found.current_l2_a, found.frequency_hz)


def test_live_registers_are_read_within_a_second(monkeypatch):
    monkeypatch.setattr(simulated_iec, "REACTION_S", 0.2)
    monkeypatch.setattr(dialogue_iec, "LIVE_BUDGET_S", 0.75)

    async def scenario():
        async with asked(IecDialogue, None, **QUICK) as dialogue:
            await dialogue.read()
            await dialogue.read()
            began_s = time.monotonic()
            await dialogue.read()
            return time.monotonic() - began_s, dialogue.pace_s

    took_s, pace_s = asyncio.run(scenario())
    assert took_s < 1.2
    assert pace_s == 1.0


@pytest.mark.parametrize(("mode", "baud"), [("A", 300), ("B", 19200)])
def test_modes_a_and_b_are_read_out_again_and_again(mode, baud, monkeypatch):
    short = b"".join
    monkeypatch.setattr(
        simulated_iec,
        "readout",
        lambda meter, time_s: framed(b"\x02", short([b"0.0.0(LGZSIM00000001)\r\n", b"1.7.0(0.5*kW)\r\n!\r\n"])),
    )

    async def scenario():
        async with asked(IecDialogue, None, protocol="iec62056-21", mode=mode, baud=baud) as dialogue:
            readings = [await dialogue.read() for _turn in range(2)]
            with pytest.raises(RemoteProtocolError, match="programming mode"):
                await all_of(dialogue.profile(0.0, 1000.0))
            return readings

    for readings in asyncio.run(scenario()):
        assert readings.measurement.active_power_w == 500


def test_the_right_password_is_taken_and_a_wrong_one_is_said_and_locks_the_meter():
    async def scenario():
        async with simulator(**QUICK, password=b"12345") as url:
            async with dialogue_with(IecDialogue, url, password=b"12345") as dialogue:
                await dialogue.read()
                live = await dialogue.read()
            for _time in range(3):
                with pytest.raises(WrongPasswordError):
                    async with dialogue_with(IecDialogue, url, password=b"54321"):
                        pass
            async with dialogue_with(IecDialogue, url, password=b"12345") as dialogue:
                return live, await dialogue.read(), dialogue.told

    live, locked, told = asyncio.run(scenario())
    assert live.measurement.active_power_w is not None
    assert len(locked.readings) == 38  # for a minute it has readouts only
    assert any("refuses the programming mode" in text for text in told if isinstance(text, str))


def test_a_meter_that_asks_for_a_password_is_read_out_and_no_password_is_tried(monkeypatch):
    sent = []
    usual = simulated_iec.PasswordLock.takes
    monkeypatch.setattr(simulated_iec.PasswordLock, "takes", lambda *given: sent.append(given) or usual(*given))

    async def scenario():
        async with asked(IecDialogue, None, **QUICK, password=b"12345") as dialogue:
            return [len((await dialogue.read()).readings) for _turn in range(3)]

    assert asyncio.run(scenario()) == [38, 38, 38]
    assert not sent


def test_a_load_profile_without_the_password_it_needs_is_a_refusal():
    async def scenario():
        async with asked(IecDialogue, None, **QUICK, password=b"12345") as dialogue:
            with pytest.raises(WrongPasswordError, match="password"):
                await all_of(dialogue.profile(time.time() - 3600, time.time()))
        async with asked(IecDialogue, None, **QUICK) as dialogue:
            with pytest.raises(RemoteProtocolError, match="ER02"):
                await all_of(dialogue.profile(time.time() - 3600, time.time(), "1-0:98.7.0"))

    asyncio.run(scenario())


def test_a_long_interval_means_a_whole_readout_each_time():
    async def scenario():
        async with asked(IecDialogue, None, {"interval_s": 60.0}, **QUICK) as dialogue:
            return [len((await dialogue.read()).readings) for _turn in range(2)], dialogue.pace_s

    assert asyncio.run(scenario()) == ([38, 38], None)


def test_registers_are_those_of_the_readout_or_the_codes_that_are_asked_for(place):
    async def scenario():
        async with asked(IecDialogue, place, **QUICK) as dialogue:
            every = await all_of(dialogue.registers())
            some = await all_of(dialogue.registers(("1-0:1.8.0*255", "99.9.9", "F.F")))
            return every, some

    every, some = asyncio.run(scenario())
    assert len(every) == 38
    assert [(one.code, one.reading is None) for one in some] == [
        ("1-0:1.8.0*255", False),
        ("F.F", False),
        ("99.9.9", True),
    ]
    assert "ER01" in some[2].error


def test_codes_that_are_not_given_alone_are_found_in_a_readout():
    async def scenario():
        async with asked(IecDialogue, None, **QUICK, password=b"12345") as dialogue:
            return await all_of(dialogue.registers(("1.8.0", "99.9.9")))

    found = asyncio.run(scenario())
    assert [(one.code, one.reading is None) for one in found] == [("1.8.0", False), ("99.9.9", True)]


def test_only_the_codes_of_the_source_are_read():
    async def scenario():
        codes = ("1-0:1.8.0*255", "32.7.0")
        async with asked(IecDialogue, None, {"codes": codes, "interval_s": 60.0}, **QUICK) as dialogue:
            return await dialogue.read()

    assert [one.obis for one in asyncio.run(scenario()).readings] == ["1.8.0", "32.7.0"]


def test_the_load_profile_comes_in_parts_and_each_row_once(place, monkeypatch):
    monkeypatch.setattr(dialogue_iec, "PROFILE_ROWS", 4)

    async def scenario():
        end_s = time.time() // 900 * 900
        async with asked(IecDialogue, place, **QUICK) as dialogue:
            return end_s, await all_of(dialogue.profile(end_s - 4 * 3600, end_s, "1-0:99.1.0"))

    end_s, parts = asyncio.run(scenario())
    rows = [row for part in parts for row in part.rows]
    assert [row.time_s for row in rows] == [end_s - 4 * 3600 + 900 * number for number in range(16)]
    assert [part.is_first for part in parts] == [True, *[False] * (len(parts) - 1)]
    assert [part.is_last for part in parts] == [*[False] * (len(parts) - 1), True]
    assert max(len(part.rows) for part in parts) <= 4
    assert parts[0].period_s == 900
    assert parts[0].obis == "P.01"
    measured = [one for part in parts for one in part.measurements]
    assert measured[0][1].active_energy_import_wh == pytest.approx(rows[0].values[0] * 1000)
    assert all(part.error is None for part in parts)


def test_a_profile_that_is_none_is_said_before_anything_is_sent():
    async def scenario():
        async with asked(IecDialogue, None, **QUICK) as dialogue:
            with pytest.raises(UsageError):
                await all_of(dialogue.profile(0.0, 1.0, "nonsense!"))

    asyncio.run(scenario())


def test_a_dialogue_that_is_cancelled_says_good_bye_and_the_meter_is_there_again(place):
    async def scenario():
        async with simulator(place, **QUICK) as url:
            async with dialogue_with(IecDialogue, url) as dialogue:
                await dialogue.read()
                await dialogue.read()
                reading = asyncio.create_task(all_of(dialogue.profile(time.time() - 3e7, time.time())))
                await asyncio.sleep(0.3)
                reading.cancel()
                began_s = time.monotonic()
                with pytest.raises(asyncio.CancelledError):
                    await reading
                await dialogue.close()
                took_s = time.monotonic() - began_s
            await asyncio.sleep(0.3)
            async with dialogue_with(IecDialogue, url) as again:
                return took_s, await again.read()

    took_s, readings = asyncio.run(scenario())
    assert took_s < 0.2
    assert len(readings.readings) == 38


def test_a_register_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(iec_programming, "REGISTER_LIMIT", 0)

    async def scenario():
        async with asked(IecDialogue, None, **QUICK) as dialogue:
            return await all_of(dialogue.registers(("99.9.9", "1.8.0")))

    found = asyncio.run(scenario())
    assert {one.code: one.reading is None for one in found} == {"99.9.9": True, "1.8.0": False}  # by the readout


def test_nobody_at_home_is_an_error_of_the_environment(monkeypatch):
    monkeypatch.setattr(sign_on, "ANSWER_S", 0.05)
    monkeypatch.setattr(sign_on, "SLACK_S", 0.05)
    monkeypatch.setattr(sign_on, "WAKE_UP_PAUSE_S", 0.05)
    monkeypatch.setattr(sign_on, "WAKE_UP", b"\0")

    async def scenario():
        async with simulator(protocol="mbus") as url:
            with pytest.raises(TransportError, match="sign-on"):
                async with dialogue_with(IecDialogue, url):
                    pass

    asyncio.run(scenario())


def framed(first, body, end=b"\x03"):
    content = body + end
    return first + content + bytes((functools.reduce(operator.xor, content) & 0x7F,))


async def raw_meter(said, reader, writer):
    """A meter written from the standard: what it says to whom, as a table of beginnings and answers in raw octets."""
    heard = b""
    with contextlib.suppress(OSError):
        while data := await reader.read(100):
            heard += data
            is_whole = heard[-1:] == b"\n" or (heard[:1] == b"\x01" and heard[-2:-1] == b"\x03")
            answer = next((answer for question, answer in said if heard.startswith(question)), None)
            if is_whole and answer is not None:
                heard = b""
                writer.write(answer)
    writer.transport.abort()


def test_a_meter_of_raw_octets_gives_its_registers_and_its_profile():
    profile = b"P.01(2260501000000)(00)(15)(1)(1.5)(kW)\r\n(1.0)\r\n(2.0)\r\n(3.0)\r\n"
    said = (
        (b"/?!", b"/EMh5\\2LZQJ\r\n"),
        (b"\x06050", framed(b"\x02", b"0.0.0(00123456)\r\n1.7.0(1.5*kW)\r\n1.8.0(10*kWh)\r\n!\r\n")),
        (b"\x06051", framed(b"\x01", b"P0\x02(00000000)")),
        (b"\x01R1\x021.7.0()", framed(b"\x02", b"(2.5*kW)")),
        (b"\x01R1\x021.8.0()", framed(b"\x02", b"(ER02)")),
        (b"\x01R6", framed(b"\x02", b"(ER06)")),
        (b"\x01R5", framed(b"\x02", profile)),
        (b"\x01B0", b""),
    )

    async def scenario():
        server = await asyncio.start_server(functools.partial(raw_meter, said), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            async with dialogue_with(IecDialogue, f"socket://127.0.0.1:{port}", LineSettings(300, 7, "E")) as dialogue:
                first, live = await dialogue.read(), await dialogue.read()
                start_s = 1_777_593_600.0  # 2026-05-01T00:00Z
                parts = await all_of(dialogue.profile(start_s, start_s + 3600))
                return first, live, parts, dialogue.told
        finally:
            server.close()
            await asyncio.sleep(0.05)  # the other end of the line closes too

    first, live, parts, told = asyncio.run(scenario())
    assert first.measurement.active_power_w == 1500
    assert live.measurement.active_power_w == 2500
    assert live.measurement.active_energy_import_wh is None
    assert live.meter.serial_number == "00123456"
    assert [row.values for part in parts for row in part.rows] == [(1.0,), (2.0,), (3.0,)]
    assert parts[0].measurements[0][1].active_power_import_w == 1000
    assert any("1.8.0 is read in whole readouts only" in text for text in told if isinstance(text, str))
    assert not any(isinstance(event, Rejected) for event in told)


def test_of_who_has_never_answered_no_leave_is_taken():
    sent = []

    class Silent:
        """A port where everything can be sent and nothing comes."""

        carries_parity = True

        def set_line(self, line):
            """Any line will do."""

        async def write(self, octets):
            sent.append(bytes(octets))

        async def read(self, timeout_s):
            await asyncio.sleep(timeout_s)
            return b""

    async def scenario():
        dialogue = IecDialogue(MeterSource(port="/dev/ttyUSB0"), Silent(), lambda _event: None, time.time)
        reading = asyncio.create_task(dialogue.read())
        await asyncio.sleep(0.05)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await dialogue.close()

    asyncio.run(scenario())
    assert sent == [b"/?!\r\n"]
