"""Asking a meter through a dialogue: what is read when, what is wanted in between, and how it ends."""

from __future__ import annotations

import asyncio
import os
import pty
import threading
import tty

import pytest
from test_meter_reader import Listener, running

from core.errors import (
    RemoteProtocolError,
    SerialPortMissingError,
    TransportError,
    UsageError,
    WrongKeyError,
    WrongPasswordError,
)
from core.meter_records import LineOctets, ProfileColumn, ProfilePart, ProfileRow, RegisterList, RegisterValue
from core.records import Event, Measurement, MeterIdentity, MeterReadings, MeterReport, MeterState, Reading
from core.services import meter_asking, meter_reader, meter_telling
from core.services.gap_filling import GapFilling
from core.services.meter_asks import AskQueue, ProfileAsk, RegistersAsk
from core.services.meter_reader import MeterReader
from core.services.meter_sources import MeterSource
from core.services.shared_lines import SharedLines

IDENTITY = MeterIdentity(manufacturer="LGZ", serial_number="77")
POWER = Reading(obis="1-0:16.7.0*255", quantity="active_power", value=100.0, unit="W")


class FakeDialogue:
    """A meter as a script: what each of its calls does is an attribute of the plan that made it."""

    def __init__(self, plan, source, port, tell, clock):
        self.identity = MeterIdentity()
        self.is_simulated = False
        self.expected = None
        self.plan, self.source, self.port, self.tell, self.clock = plan, source, port, tell, clock

    async def open(self):
        self.plan.opened.append(self.source)
        await self._fail("open")
        self.identity = IDENTITY

    async def read(self):
        self.plan.reads += 1
        await self._fail("read")
        if self.plan.asked:
            await self.port.write(self.plan.asked)
        return MeterReadings(
            name=self.source.name or "77",
            protocol="dlms",
            meter=IDENTITY,
            time_s=self.clock(),
            readings=(POWER,),
            measurement=Measurement(active_power_w=100.0),
        )

    async def registers(self, codes=()):
        self.expected = len(codes) or self.plan.objects
        for number in range(self.expected):
            await self._fail("registers")
            await asyncio.sleep(0)
            yield RegisterValue(code=codes[number] if codes else f"1-0:1.{number}.0*255", reading=POWER)

    async def profile(self, start_s, end_s, obis=None):
        self.plan.asked_profiles.append((start_s, end_s, obis))
        await self._fail("profile")
        for number in range(2):
            row = ProfileRow(time=None, time_s=start_s + number, values=(1,))
            yield ProfilePart(
                name="whoever",
                meter=IDENTITY,
                obis="1-0:99.1.0*255",
                period_s=900.0,
                columns=(ProfileColumn(obis="1-0:1.8.0*255"),),
                rows=(row,),
                measurements=((start_s + number, Measurement(active_energy_import_wh=1.0)),),
                is_last=number == 1,
            )

    async def close(self):
        self.plan.closed += 1
        await asyncio.sleep(0.01)

    async def _fail(self, call):
        queue = self.plan.failures.get(call, [])
        if queue:
            failure = queue.pop(0)
            if failure is Ellipsis:
                await asyncio.sleep(60)
            elif failure is not None:
                raise failure


class Plan:
    """What a meter does, and what was done to it."""

    def __init__(self, **failures):
        self.failures = {name: list(of) for name, of in failures.items()}
        self.opened, self.closed, self.reads, self.objects = [], 0, 0, 3
        self.asked_profiles, self.asked = [], b""

    def __call__(self, source, port, tell, clock):
        return FakeDialogue(self, source, port, tell, clock)


@pytest.fixture
def terminal():
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    yield master, os.ttyname(slave)
    os.close(slave)
    os.close(master)


@pytest.fixture
def asked(terminal, monkeypatch):
    """Makes a reader of a meter that follows `plan`, and what hears it."""
    monkeypatch.setattr(meter_asking, "PAUSES_S", (0.05, 0.1))
    monkeypatch.setattr(meter_reader, "REPLUG_S", 0.05)

    def make(plan, **fields):
        monkeypatch.setattr(meter_reader, "new_dialogue", lambda _protocol: plan)
        listener = Listener()
        options = {name: fields.pop(name) for name in ("clock", "lines", "last_row", "on_octets") if name in fields}
        source = MeterSource(port=terminal[1], **{"protocol": "dlms", "interval_s": 0.05, "name": "main", **fields})
        return MeterReader(source, listener.publish, **options), listener

    return make


def of(listener, kind):
    return [record for record in listener.records if isinstance(record, kind)]


async def registers(listener, count=1):
    return await listener.wait_for(
        lambda record: isinstance(record, RegisterList) and record.is_last, count=count, timeout_s=5
    )


async def profile(listener):
    return await listener.wait_for(lambda record: isinstance(record, ProfilePart) and record.is_last, timeout_s=5)


def test_one_conversation_serves_many_readings(asked):
    async def scenario():
        plan = Plan()
        reader, listener = asked(plan)
        async with running(reader.run()):
            await listener.readings(5, timeout_s=5)
        return plan, listener

    plan, listener = asyncio.run(scenario())
    assert (len(plan.opened), plan.closed) == (1, 1)
    assert [report.state for report in of(listener, MeterReport)] == [
        MeterState.SEARCHING,
        MeterState.READING,
        *[report.state for report in of(listener, MeterReport)[2:-1]],  # another period is told too
        MeterState.DISCONNECTED,
    ]
    assert of(listener, MeterReport)[-1].is_ended


def test_readings_far_apart_are_conversations_of_their_own(asked, monkeypatch):
    monkeypatch.setattr(meter_asking, "KEEP_OPEN_S", 0.04)

    async def scenario():
        plan = Plan()
        reader, listener = asked(plan)
        async with running(reader.run()):
            await listener.readings(3, timeout_s=5)
        return plan

    plan = asyncio.run(scenario())
    assert len(plan.opened) >= 3
    assert plan.closed == len(plan.opened)


@pytest.mark.parametrize(
    ("error", "flag"), [(WrongPasswordError("no"), "needs_password"), (WrongKeyError("no"), "needs_key")]
)
def test_a_refused_secret_is_sent_once_until_somebody_asks_again(asked, error, flag):
    async def scenario():
        plan = Plan(open=[error])
        reader, listener = asked(plan, password=b"hidden-word")
        async with running(reader.run()):
            report = await listener.state(MeterState.FAILED)
            reader.read_registers()
            refused = await registers(listener)
            await asyncio.sleep(0.5)
            attempts = len(plan.opened)
            events = len([event for event in of(listener, Event) if event.kind == "meter_failed"])
            reader.read_now()
            await listener.readings(timeout_s=5)
        return report, refused, attempts, events

    report, refused, attempts, events = asyncio.run(scenario())
    assert getattr(report, flag)
    assert attempts == 1
    assert events == 1
    assert refused.error == "no"
    assert not refused.registers


def test_the_port_is_free_while_a_refused_password_waits(asked, terminal):
    import serial

    async def scenario():
        reader, listener = asked(Plan(open=[WrongPasswordError("no")]))
        async with running(reader.run()):
            await listener.state(MeterState.FAILED)
            await asyncio.sleep(0.05)
            serial.Serial(terminal[1], exclusive=True).close()

    asyncio.run(scenario())


def test_a_meter_that_fails_is_left_alone_and_tried_again(asked):
    async def scenario():
        plan = Plan(
            open=[TransportError("silence"), TransportError("silence")], read=[None, RemoteProtocolError("odd")]
        )
        reader, listener = asked(plan)
        async with running(reader.run()):
            await listener.readings(3, timeout_s=5)
        return plan, [report.state for report in of(listener, MeterReport)]

    plan, states = asyncio.run(scenario())
    assert len(plan.opened) == 4
    assert MeterState.SILENT in states
    assert MeterState.FAILED in states


def test_a_line_that_breaks_is_opened_anew(asked):
    async def scenario():
        plan = Plan(read=[None, SerialPortMissingError("gone")])
        reader, listener = asked(plan)
        async with running(reader.run()):
            await listener.state(MeterState.DISCONNECTED)
            await listener.readings(3, timeout_s=5)

    asyncio.run(scenario())


def test_what_a_protocol_cannot_do_ends_the_reading(asked):
    async def scenario():
        reader, _listener = asked(Plan(open=[UsageError("no such address")]))
        async with asyncio.timeout(5):
            await reader.run()

    with pytest.raises(UsageError, match="no such address"):
        asyncio.run(scenario())


def test_a_meter_that_does_not_answer_is_called_silent_while_it_is_asked(asked, monkeypatch):
    monkeypatch.setattr(meter_telling, "SILENT_S", 0.3)

    async def scenario():
        reader, listener = asked(Plan(open=[...]))
        async with running(reader.run()):
            return await listener.state(MeterState.SILENT)

    report = asyncio.run(scenario())
    assert report.is_trying
    assert "not answered" in report.text


def test_a_meter_that_answers_at_length_is_not_silent(asked, terminal, monkeypatch):
    monkeypatch.setattr(meter_telling, "SILENT_S", 0.6)
    master, _name = terminal

    class Reads(FakeDialogue):
        async def read(self):
            for _turn in range(8):
                await self.port.read(1.0)
            return await super().read()

    async def talk():
        while True:
            os.write(master, b"octets")
            await asyncio.sleep(0.2)

    async def scenario():
        plan = Plan()
        reader, listener = asked(plan)
        monkeypatch.setattr(meter_reader, "new_dialogue", lambda _protocol: lambda *arguments: Reads(plan, *arguments))
        async with running(talk()), running(reader.run()):
            await listener.readings(timeout_s=5)
        return [report.state for report in of(listener, MeterReport)]

    assert MeterState.SILENT not in asyncio.run(scenario())


@pytest.mark.parametrize("call", ["open", "read", "registers"])
def test_cancelling_in_any_call_lets_go_at_once(asked, call):
    async def scenario():
        plan = Plan(**{call: [...]})
        reader, listener = asked(plan)
        if call == "registers":
            reader.read_registers()
        task = asyncio.create_task(reader.run())
        await listener.state(MeterState.SEARCHING)
        await asyncio.sleep(0.1)
        began_s = asyncio.get_running_loop().time()
        task.cancel()
        await asyncio.wait((task,), timeout=2)
        return asyncio.get_running_loop().time() - began_s, plan.closed

    took_s, closed = asyncio.run(scenario())
    assert closed == 1
    assert took_s < 0.5  # 0.2 s on a machine that has nothing else to do


def test_registers_come_in_parts_between_readings_asked_from_any_thread(asked):
    async def scenario():
        plan = Plan()
        plan.objects = 120
        reader, listener = asked(plan)
        async with running(reader.run()):
            await listener.readings(timeout_s=5)
            thread = threading.Thread(target=reader.read_registers)
            thread.start()
            await registers(listener)
            thread.join()
            parts = of(listener, RegisterList)
            await listener.readings(plan.reads + 2, timeout_s=5)
        return plan, parts

    plan, parts = asyncio.run(scenario())
    assert len(plan.opened) == 1
    assert [len(part.registers) for part in parts] == [50, 50, 20]
    assert [part.is_first for part in parts] == [True, False, False]
    assert [part.is_last for part in parts] == [False, False, True]
    assert all(part.expected == 120 and part.name == "main" and part.meter == IDENTITY for part in parts)


def test_what_is_not_wanted_any_more_ends_at_once_and_readings_go_on(asked):
    async def scenario():
        plan = Plan()
        plan.objects = 1_000_000
        reader, listener = asked(plan)
        async with running(reader.run()):
            await listener.readings(timeout_s=5)
            reader.read_registers()
            reader.read_profile(0.0, 9.0)
            await listener.wait_for(lambda record: isinstance(record, RegisterList), timeout_s=5)
            reader.cancel_asks()
            answer = await registers(listener)
            await listener.readings(plan.reads + 2, timeout_s=5)
            return plan, answer

    plan, answer = asyncio.run(scenario())
    assert answer.error == "stopped"
    assert not plan.asked_profiles  # what waited behind it is not wanted either
    assert len(plan.opened) == 2  # another conversation: this one was in the middle of an answer


def test_registers_that_break_off_tell_what_came_and_why(asked):
    async def scenario():
        reader, listener = asked(Plan(registers=[None, RemoteProtocolError("a block is missing")]))
        reader.read_registers(["1.8.0", "2.8.0"])
        async with running(reader.run()):
            part = await registers(listener)
            await listener.readings(timeout_s=5)
            return part

    part = asyncio.run(scenario())
    assert [one.code for one in part.registers] == ["1.8.0"]
    assert part.error == "a block is missing"


def test_a_profile_comes_in_parts_under_the_name_of_the_meter(asked):
    async def scenario():
        plan = Plan()
        reader, listener = asked(plan)
        reader.read_profile(100.0, 200.0, "1-0:99.2.0")
        async with running(reader.run()):
            await profile(listener)
        return plan, of(listener, ProfilePart)

    plan, parts = asyncio.run(scenario())
    assert plan.asked_profiles == [(100.0, 200.0, "1-0:99.2.0")]
    assert [part.name for part in parts] == ["main", "main"]
    assert [(part.is_first, part.is_last) for part in parts] == [(True, False), (False, True)]


def test_what_cannot_be_asked_is_answered_and_reading_goes_on(asked):
    async def scenario():
        plan = Plan(profile=[UsageError("this protocol has no load profile")])
        reader, listener = asked(plan)
        reader.read_profile(0.0, 1.0)
        async with running(reader.run()):
            part = await profile(listener)
            await listener.readings(timeout_s=5)
        return plan, part

    plan, part = asyncio.run(scenario())
    assert part.error == "this protocol has no load profile"
    assert len(plan.opened) == 1


def test_who_asks_a_meter_that_is_not_there_is_told(asked):
    async def scenario():
        reader, listener = asked(Plan(open=[TransportError("nothing answers")] * 50))
        reader.read_registers()
        async with running(reader.run()):
            return await registers(listener)

    assert asyncio.run(scenario()).error == "nothing answers"


def test_asks_are_bounded_and_the_same_one_waits_once():
    asks = AskQueue()
    for _turn in range(3):
        asks.put(RegistersAsk())
    for number in range(7):
        asks.put(ProfileAsk(0.0, float(number)))
    with pytest.raises(UsageError, match="busy"):
        asks.put(ProfileAsk(0.0, 99.0))
    assert asks.take() == RegistersAsk()


# The line


def test_octets_are_shown_only_while_somebody_watches_and_never_too_many(asked, terminal):
    master, _name = terminal

    async def scenario():
        plan = Plan()
        plan.asked = b"request"
        reader, listener = asked(plan, interval_s=0.05)
        async with running(reader.run()):
            await listener.readings(3, timeout_s=5)
            assert not of(listener, LineOctets)
            reader.watch_line(True)
            begin = len(listener.records)
            end_s = asyncio.get_running_loop().time() + 1.0
            while asyncio.get_running_loop().time() < end_s:
                os.write(master, b"answer")
                await asyncio.sleep(0.01)
            shown = of(listener, LineOctets)
            assert len(listener.records) > begin
            reader.watch_line(False)
            await asyncio.sleep(0.15)
            count = len(of(listener, LineOctets))
            await asyncio.sleep(0.3)
            assert len(of(listener, LineOctets)) == count
        return shown

    shown = asyncio.run(scenario())
    assert 1 < len(shown) <= 24
    assert {record.is_sent for record in shown} == {True, False}
    assert b"request" in b"".join(record.octets for record in shown if record.is_sent)
    assert all(record.name == "main" for record in shown)


def test_whoever_records_hears_every_octet_as_it_comes(asked):
    async def scenario():
        plan = Plan()
        plan.asked = b"request"
        heard = []
        reader, listener = asked(plan, on_octets=heard.append)
        async with running(reader.run()):
            await listener.readings(5, timeout_s=5)
        return heard

    heard = asyncio.run(scenario())
    assert len(heard) >= 5
    assert {record.octets for record in heard} == {b"request"}


# Several meters on one bus


def test_the_meters_of_one_bus_are_read_in_turn_over_one_port(asked, monkeypatch):
    busy = []

    class Slow(FakeDialogue):
        async def open(self):
            assert not busy
            busy.append(self.source.address)
            await super().open()
            await asyncio.sleep(0.02)

        async def close(self):
            await super().close()
            busy.remove(self.source.address)

    async def scenario():
        lines, plans = SharedLines(), {}
        made = [
            asked(Plan(), protocol="mbus", address=str(number), name=f"heat {number}", lines=lines)
            for number in range(3)
        ]

        def make(source, *arguments):
            plan = plans.setdefault(source.address, Plan())
            return Slow(plan, source, *arguments)

        monkeypatch.setattr(meter_reader, "new_dialogue", lambda _protocol: make)
        tasks = [asyncio.create_task(reader.run()) for reader, _listener in made]
        for _reader, listener in made:
            await listener.readings(2, timeout_s=10)
        tasks[0].cancel()
        await asyncio.wait(tasks[:1])
        before = plans["1"].reads
        await made[1][1].readings(before + 1, timeout_s=10)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        return plans, lines

    plans, lines = asyncio.run(scenario())
    assert set(plans) == {"0", "1", "2"}
    assert not busy
    assert not lines._lines


# Gaps of the history


def test_a_gap_is_filled_once_by_a_profile_that_is_known_to_work(asked, tmp_path):
    now = [1_000_000.0]

    async def last_row(_name):
        return now[0] - 7200

    async def scenario():
        plan = Plan()
        reader, listener = asked(plan, home=tmp_path, last_row=last_row, clock=lambda: now[0])
        async with running(reader.run()):
            await listener.readings(2, timeout_s=5)
            now[0] += 60
            await listener.readings(plan.reads + 2, timeout_s=5)
            assert not plan.asked_profiles  # nobody knows yet whether this meter has one
            reader.read_profile(now[0] - 100, now[0])
            await profile(listener)
        plan = Plan()
        reader, listener = asked(plan, home=tmp_path, last_row=last_row, clock=lambda: now[0])
        async with running(reader.run()):
            await listener.readings(2, timeout_s=5)
            assert not plan.asked_profiles  # not before some seconds of reading
            began_s, now[0] = now[0], now[0] + 6
            await profile(listener)
            now[0] += 60
            await listener.readings(plan.reads + 3, timeout_s=5)
        return plan, began_s, of(listener, Event)

    plan, began_s, events = asyncio.run(scenario())
    assert plan.asked_profiles == [(began_s - 7200, began_s, "1-0:99.1.0*255")]
    assert "meter_profile" in [event.kind for event in events]


def test_only_gaps_that_are_worth_it_are_filled_and_never_more_than_a_month(tmp_path):
    def asks_after(gap_s):
        filling, asks = GapFilling(tmp_path), AskQueue()
        part = ProfilePart(
            name="m",
            meter=IDENTITY,
            obis="1-0:99.1.0*255",
            period_s=900.0,
            columns=(),
            rows=(),
            measurements=((1.0, Measurement(active_power_w=1.0)),),
        )
        filling.note_part("m", part)
        filling.begin(0.0)
        filling.note_reading("m", gap_s, asks)
        filling.note_reading("m", gap_s + 6, asks)
        filling.note_reading("m", gap_s + 12, asks)
        return asks.take()

    assert asks_after(1700.0) is None
    assert asks_after(1801.0) == ProfileAsk(0.0, 1801.0, "1-0:99.1.0*255", is_filling=True)
    assert asks_after(1e9) == ProfileAsk(1e9 - 31 * 86_400, 1e9, "1-0:99.1.0*255", is_filling=True)


def test_what_needs_a_password_says_so_and_the_meter_is_read_on_without(asked):
    async def scenario():
        plan = Plan(profile=[WrongPasswordError("a password is needed")])
        reader, listener = asked(plan)
        reader.read_profile(0.0, 1.0)
        async with running(reader.run()):
            part = await profile(listener)
            await listener.readings(2, timeout_s=5)
        return part, of(listener, MeterReport), listener.records.index(part)

    part, reports, _place = asyncio.run(scenario())
    assert part.error == "a password is needed"
    (told,) = [report for report in reports if report.needs_password]
    assert told.is_problem
    assert told.state is not MeterState.FAILED


def test_a_bus_that_is_unplugged_between_readings_is_told_at_once(asked):
    async def scenario():
        reader, listener = asked(Plan(), protocol="mbus", address="1", interval_s=30.0)
        async with running(reader.run()):
            await listener.readings(timeout_s=5)
            (line,) = reader._lines._lines.values()
            line.port._fail(OSError(5, "gone"))
            async with asyncio.timeout(2):
                await listener.state(MeterState.DISCONNECTED)
            await listener.readings(2, timeout_s=5)

    asyncio.run(scenario())
