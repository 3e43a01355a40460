"""The feed of `collect`: who comes late sees what stands, who reads slowly holds nobody up, who asks is answered."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence

import pytest

from core.errors import RefusedError, TransportError, UsageError
from core.home import Home, write_private
from core.records import (
    CommandProgress,
    CommandRequest,
    CommandResult,
    CommandState,
    Event,
    MachineReport,
    MachineState,
    Severity,
    Status,
)
from core.requests import CheckRequest, Request, SayRequest
from core.services.feed_messages import feed_path, socket_path
from core.services.feed_reader import Feed, open_feed
from core.services.live_feed import LiveFeed
from core.site_records import Alarm, AlarmSeverity, AlarmState, Record, SensorBatch, SensorMeasure


class Door:
    """Answers, and notes what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.present: list[str] = []
        self.visible: frozenset[str] = frozenset()
        self.polled: list[Sequence[str] | None] = []
        self.heard: list[object] = []

    async def handle(self, request: Request) -> None:
        if isinstance(request, CheckRequest):
            raise UsageError("there are no checks yet")
        self.requests.append(request)

    def open_alarms(self) -> list[Alarm]:
        return [alarm(2, AlarmState.ACTIVE)]

    def enter(self, operator: str) -> None:
        self.present.append(operator)

    def leave(self, operator: str) -> None:
        self.present.remove(operator)

    def set_visible(self, names: frozenset[str]) -> None:
        self.visible = names

    def poll_now(self, names: Sequence[str] | None) -> None:
        self.polled.append(names)

    def told(self, record: CommandRequest | CommandProgress) -> None:
        self.heard.append(record)


@contextlib.asynccontextmanager
async def offered(home: Home) -> AsyncIterator[tuple[LiveFeed, Door]]:
    door = Door()
    feed, listening = LiveFeed(home, door), asyncio.Event()
    task = asyncio.ensure_future(feed.run(listening))
    await listening.wait()
    try:
        yield feed, door
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert not feed_path(home).exists()
    assert not socket_path(home).exists()
    assert door.present == []


@contextlib.asynccontextmanager
async def reading(home: Home) -> AsyncIterator[Feed]:
    feed = await open_feed(home, "ann")
    assert feed is not None
    try:
        yield feed
    finally:
        feed.close()
        await asyncio.sleep(0.02)


async def records_until(feed: Feed, kind: type) -> list[Record]:
    """What comes, up to the first of `kind`."""
    found: list[Record] = []
    async with asyncio.timeout(5):
        while not found or not isinstance(found[-1], kind):
            found.append(await feed.next_record())
    return found


def report(name: str, number: int = 0, state: MachineState = MachineState.ONLINE) -> MachineReport:
    status = Status(number=number, time_s=float(number))
    return MachineReport(machine=name, address="h:1", state=state, since_s=0, status=status, late_statuses=(status,))


def event(text: str) -> Event:
    return Event(time_s=1.0, source="s", kind="k", severity=Severity.INFO, text=text)


def alarm(number: int, state: AlarmState) -> Alarm:
    return Alarm(
        id=number,
        source="machine/m",
        rule="r",
        severity=AlarmSeverity.LOW,
        state=state,
        since_s=0,
        changed_s=0,
        text="",
    )


def measures(value: float) -> SensorBatch:
    return SensorBatch(measures=(SensorMeasure(sensor="c1", quantity="temperature_c", value=value, time_s=value),))


def test_where_nobody_collects_there_is_no_feed(home: Home) -> None:
    assert asyncio.run(open_feed(home, "ann")) is None


def test_a_feed_left_by_one_that_was_killed_is_none(home: Home) -> None:
    async def promise() -> None:
        write_private(feed_path(home), json.dumps({"version": 1, "token": "x", "socket": "collect.sock"}).encode())
        socket_path(home).touch()
        assert await open_feed(home, "ann") is None
        async with offered(home), reading(home):
            pass

    asyncio.run(promise())


def test_who_comes_late_sees_what_stands_and_then_what_is_new(home: Home) -> None:
    async def promise() -> None:
        async with offered(home) as (feed, _door):
            for record in (
                report("m1", 1),
                report("m1", 2),
                report("gone"),
                measures(1.0),
                measures(2.0),
            ):
                feed.put(record)
            feed.keep_only(["m1"], [], [])
            async with reading(home) as reader:
                feed.put(event("new"))
                found = await records_until(reader, SensorBatch)
                machines = [record for record in found if isinstance(record, MachineReport)]
                assert [(one.machine, one.status and one.status.number) for one in machines] == [("m1", 2)]
                assert machines[0].is_new
                assert machines[0].late_statuses == ()
                assert [record.id for record in found if isinstance(record, Alarm)] == [2]
                assert found[-1] == measures(2.0)
                assert (await records_until(reader, Event))[-1] == event("new")

    asyncio.run(promise())


def test_requests_are_carried_out_and_refusals_come_back_in_words(home: Home) -> None:
    async def promise() -> None:
        async with offered(home) as (_feed, door), reading(home) as reader:
            listening = asyncio.ensure_future(records_until(reader, SensorBatch))
            say = SayRequest(room="general", text="é", operator="ann")
            await reader.ask(say)
            assert door.requests == [say]
            with pytest.raises(UsageError, match="there are no checks yet"):
                await reader.ask(CheckRequest())
            reader.show(["m1"])
            reader.poll_now(None)
            run = CommandRequest(id="1", words=("os",), machines=("m1",), timeout_s=1, operator="ann", time_s=0)
            result = CommandResult(machine="m1", state=CommandState.OK, stdout="x" * 2_000_000)
            reader.tell(run)
            reader.tell(CommandProgress(id="1", result=result, is_last=True))
            async with asyncio.timeout(2):
                while len(door.heard) < 2:  # noqa: ASYNC110 -- seen from outside
                    await asyncio.sleep(0.01)
            assert (door.visible, door.polled, door.present) == ({"m1"}, [None], ["ann"])
            listening.cancel()
            await asyncio.wait([listening])

    asyncio.run(promise())


def test_a_reader_that_does_not_read_costs_little_and_nobody_waits_for_it(home: Home) -> None:
    async def promise() -> None:
        async with offered(home) as (feed, _door), reading(home), reading(home) as quick:

            async def flood() -> None:
                for number in range(300):
                    for machine in range(100):
                        feed.put(report(f"m{machine}", number))
                    for _times in range(100):
                        feed.put(event("x" * 100))
                    await asyncio.sleep(0)
                feed.put(measures(1.0))

            flooding = asyncio.ensure_future(flood())
            found = await records_until(quick, SensorBatch)
            await flooding
            last = {one.machine: one.status for one in found if isinstance(one, MachineReport)}
            assert all(status is not None and status.number == 299 for status in last.values())
            assert len(last) == 100
            slow = next(iter(feed._readers.values()))
            assert len(slow._reports) <= 100
            assert len(slow._others) <= 20_000

    asyncio.run(promise())


def test_a_wrong_token_and_another_version_are_refused_in_words(home: Home) -> None:
    async def promise() -> None:
        async with offered(home):
            announced = json.loads(feed_path(home).read_bytes())
            write_private(feed_path(home), json.dumps({**announced, "token": "guess"}).encode())
            with pytest.raises(RefusedError, match="needs the token"):
                await open_feed(home, "ann")

    asyncio.run(promise())


@pytest.mark.parametrize("octets", [b"\x00\x00\x00\x05nope!", b"\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n", b""])
def test_what_speaks_nonsense_is_let_go_and_others_stay(home: Home, octets: bytes) -> None:
    async def promise() -> None:
        async with offered(home) as (feed, _door), reading(home) as reader:
            stream, writer = await asyncio.open_unix_connection(socket_path(home))
            writer.write(octets)
            writer.write_eof()
            async with asyncio.timeout(2):
                assert await stream.read() == b""
            writer.close()
            feed.put(event("still here"))
            assert (await records_until(reader, Event))[-1] == event("still here")

    asyncio.run(promise())


def test_the_end_of_the_feed_is_told_to_who_reads_and_to_who_waits(home: Home) -> None:
    async def promise() -> None:
        async with offered(home):
            feed = await open_feed(home, "ann")
            assert feed is not None
        with pytest.raises(TransportError, match="has ended"):
            await records_until(feed, Event)
        feed.close()

    asyncio.run(promise())


def test_a_home_whose_path_is_too_long_for_a_socket_has_a_feed_too(home: Home) -> None:
    async def promise() -> None:
        deep = Home(home.path / ("d" * 120)).make()
        async with offered(deep) as (feed, _door), reading(deep) as reader:
            assert "port" in json.loads(feed_path(deep).read_bytes())
            feed.put(event("hello"))
            assert (await records_until(reader, Event))[-1] == event("hello")

    asyncio.run(promise())


def test_text_that_is_no_unicode_does_not_end_a_link(home: Home) -> None:
    async def promise() -> None:
        async with offered(home) as (feed, _door), reading(home) as reader:
            feed.put(event("\udc80"))
            feed.put(event("next"))
            assert (await records_until(reader, Event))[-1] == event("next")

    asyncio.run(promise())
