"""The parts of a site over one hub: each by itself, restarted only when its settings change."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable

import pytest
from msgspec.structs import replace

from core.config import CheckConfig, Config, RoomSettings, SensorsSettings
from core.errors import UsageError
from core.home import Home
from core.protocol.chat_events import Ended, Notice, Welcome
from core.requests import CheckRequest, EnterRequest, MeterReadRequest, ReloadRequest, SayRequest
from core.services.chat_client import ChatClient
from core.services.chat_secret import room_secret
from core.services.hub import Hub
from core.services.recorder import Recorder
from core.services.site import Site
from core.site_records import (
    ChatKind,
    ChatLine,
    CheckResult,
    IntakeReport,
    ListenerState,
    Record,
    RoomReport,
    SensorBatch,
)
from core.store.history import History

SENSORS = SensorsSettings(enabled=True, listen="127.0.0.1:0")
ROOM = RoomSettings(enabled=True, listen="127.0.0.1:0")


class Heard:
    """A sink that keeps all."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def put(self, record: Record) -> None:
        self.records.append(record)

    def of(self, kind: type) -> list[Record]:
        return [record for record in self.records if isinstance(record, kind)]

    async def until(self, holds: Callable[[], object], timeout_s: float = 5.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not holds():  # noqa: ASYNC110 -- a promise about what is seen from outside
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running(home: Home, config: Config) -> AsyncIterator[tuple[Site, Heard]]:
    heard = Heard()
    hub = Hub(heard)
    recorder = Recorder(lambda: History.open(home.database_path), Config().retention, lambda report: None, batch_s=0.05)
    hub.add(recorder)
    site = Site(home, config, hub, recorder.query, hub.publish)
    recording, tasks = asyncio.ensure_future(recorder.run()), [asyncio.ensure_future(site.run())]
    try:
        await asyncio.sleep(0)
        await site.ready(5.0)
        yield site, heard
    finally:
        for task in (*tasks, recording):
            task.cancel()
            await asyncio.wait([task])
    assert not site.addresses()


def send(address: str, document: object) -> bytes:
    host, _colon, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as link:
        link.sendall(json.dumps(document).encode())
        link.shutdown(socket.SHUT_WR)
        return link.recv(1024)


def test_nothing_listens_until_the_settings_ask_for_it(home: Home) -> None:
    async def promise() -> None:
        async with running(home, Config(operator="ann")) as (site, heard):
            assert site.addresses() == []
            assert heard.of(IntakeReport) == heard.of(RoomReport) == []
            with pytest.raises(UsageError, match="room is not open"):
                await site.handle(SayRequest(room="general", text="hello", operator="ann"))
            with pytest.raises(UsageError, match="no checks"):
                await site.handle(CheckRequest())

    asyncio.run(promise())


def test_what_a_sensor_sends_is_kept_before_it_is_told_and_answered(home: Home) -> None:
    async def promise() -> None:
        async with running(home, Config(operator="ann", sensors=SENSORS)) as (site, heard):
            answer = await asyncio.to_thread(send, site.addresses()[0], {"capteur_id": "c1", "temperature": 23.5})
            assert b"true" in answer
            await heard.until(lambda: heard.of(SensorBatch))
        with History.open(home.database_path) as history:
            assert [(found.sensor, found.value) for found in history.sensors()] == [("c1", 23.5)]

    asyncio.run(promise())


def test_a_part_whose_port_is_taken_is_said_once_and_comes_up_when_it_is_free(home: Home) -> None:
    async def promise() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            settings = replace(SENSORS, listen=f"127.0.0.1:{port}")
            config = Config(operator="ann", sensors=settings, room=ROOM)
            async with running(home, config) as (_site, heard):
                await heard.until(lambda: heard.of(IntakeReport) and heard.of(RoomReport))
                assert heard.of(RoomReport)[-1].state is ListenerState.LISTENING
                await asyncio.sleep(1.0)
                assert [report.state for report in heard.of(IntakeReport)] == [ListenerState.FAILED]
                taken.close()
                await heard.until(lambda: heard.of(IntakeReport)[-1].state is ListenerState.LISTENING)

    asyncio.run(promise())


def test_nobody_joins_or_speaks_in_a_room_whose_port_is_taken(home: Home) -> None:
    async def promise() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
            config = Config(operator="ann", room=RoomSettings(enabled=True, listen=listen))
            async with running(home, config) as (site, heard):
                site.enter("ann")
                with pytest.raises(UsageError, match="not open"):
                    await site.handle(SayRequest(room="general", text="hello", operator="ann"))
                await asyncio.sleep(0.4)  # it is tried again meanwhile
                assert heard.of(ChatLine) == []
                taken.close()
                await heard.until(lambda: heard.of(RoomReport)[-1].present == {"general": ("ann",)})
                assert [line.kind for line in heard.of(ChatLine)] == [ChatKind.JOINED]

    asyncio.run(promise())


def test_other_settings_restart_only_what_they_concern(home: Home) -> None:
    async def promise() -> None:
        home.config_path.write_text('operator = "ann"\n[sensors]\nenabled = true\nlisten = "127.0.0.1:0"\n')
        config = Config(operator="ann", sensors=SENSORS, room=ROOM)
        async with running(home, config) as (site, heard):
            await heard.until(lambda: len(site.addresses()) == 2)
            sensors, _room = site.addresses()
            await site.handle(ReloadRequest())
            assert site.addresses() == [sensors]
            await site.set_config(replace(config, sensors=replace(SENSORS, links=7)))
            await heard.until(lambda: len(site.addresses()) == 2)
            assert site.addresses()[0] != sensors

    asyncio.run(promise())


def test_a_line_said_is_in_the_room_and_in_the_history(home: Home) -> None:
    async def promise() -> None:
        async with running(home, Config(operator="ann", room=ROOM)) as (site, heard):
            site.enter("ann")
            await site.handle(SayRequest(room="general", text="hello all", operator="ann"))
            await heard.until(lambda: any(line.text == "hello all" for line in heard.of(ChatLine)))
            await heard.until(
                lambda: any("ann" in report.present.get("general", ()) for report in heard.of(RoomReport))
            )
            site.leave("ann")
            await heard.until(lambda: not heard.of(RoomReport)[-1].present.get("general"))
        with History.open(home.database_path) as history:
            assert "hello all" in [line.text for line in history.chat_lines("general")]

    asyncio.run(promise())


def test_an_operator_is_present_in_each_room_entered_until_the_last_window_closes(home: Home) -> None:
    async def promise() -> None:
        async with running(home, Config(operator="ann", room=ROOM)) as (site, heard):

            def present() -> dict[str, tuple[str, ...]]:
                return heard.of(RoomReport)[-1].present

            await site.handle(EnterRequest(room="lab", operator="nobody"))  # has no window
            for _window in range(2):
                site.enter("ann")
            await site.handle(EnterRequest(room="Lab", operator="ann"))
            await heard.until(lambda: present() == {"general": ("ann",), "lab": ("ann",)})
            await site.set_config(Config(operator="ann"))
            await site.set_config(Config(operator="ann", room=ROOM))
            await heard.until(lambda: present() == {"general": ("ann",), "lab": ("ann",)})
            site.leave("ann")
            await site.handle(SayRequest(room="lab", text="still here", operator="ann"))
            await heard.until(lambda: heard.of(ChatLine)[-1].text == "still here")
            site.leave("ann")
            await heard.until(lambda: present() == {})
            assert {line.author for line in heard.of(ChatLine)} == {"ann"}

    asyncio.run(promise())


def test_an_operator_whose_name_is_taken_keeps_one_other_name_and_leaves_by_it(home: Home) -> None:
    async def promise() -> None:
        async with running(home, Config(operator="ann", room=ROOM)) as (site, heard):
            host, _colon, port = site.addresses()[0].rpartition(":")
            _reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"Hello|ann")
            await heard.until(lambda: heard.of(RoomReport)[-1].present == {"general": ("ann",)})
            site.enter("ann")
            await site.handle(SayRequest(room="general", text="who am I", operator="ann"))
            await heard.until(lambda: heard.of(ChatLine)[-1].text == "who am I")
            assert heard.of(ChatLine)[-1].author == "ann-2"
            site.leave("ann")
            await heard.until(lambda: heard.of(RoomReport)[-1].present == {"general": ("ann",)})
            writer.close()

    asyncio.run(promise())


def test_an_operator_whose_name_is_written_otherwise_in_the_room_speaks_by_it_and_leaves_by_it(home: Home) -> None:
    async def promise() -> None:
        async with running(home, Config(operator="desk: night", room=ROOM)) as (site, heard):
            site.enter("desk: night")
            await site.handle(SayRequest(room="general", text="hello all", operator="desk: night"))
            await heard.until(lambda: any(line.text == "hello all" for line in heard.of(ChatLine)))
            assert {line.author for line in heard.of(ChatLine)} == {"desk_ night"}
            site.leave("desk: night")
            await heard.until(lambda: not heard.of(RoomReport)[-1].present.get("general"))

    asyncio.run(promise())


def test_arret_by_the_operator_of_the_home_ends_the_room_and_by_another_does_not(home: Home, tmp_path) -> None:
    other = Home(tmp_path / "other")
    other.make()

    async def ask_for_the_end(address: str, whose: Home) -> tuple[str, str]:
        """What the server says to `arret` of somebody with the key of that home: a notice, and its end."""
        host, _colon, port = address.rpartition(":")
        client = await ChatClient.connect(host, int(port), "ann", "", room_secret(whose))
        notice = end = ""
        async with asyncio.timeout(5):
            async for event in client.events():
                if isinstance(event, Welcome):
                    await client.stop()
                elif isinstance(event, Notice):
                    notice = event.text
                    await client.bye()
                elif isinstance(event, Ended):
                    end = event.text
        client.close()
        return notice, end

    async def promise() -> None:
        async with running(home, Config(operator="ann", room=ROOM)) as (site, heard):
            (address,) = site.addresses()
            notice, end = await ask_for_the_end(address, other)
            assert "only the operator" in notice
            assert not end
            assert site.addresses() == [address]
            notice, end = await ask_for_the_end(address, home)
            assert not notice
            assert end == "the room is closed"
            await heard.until(lambda: heard.of(RoomReport)[-1].state is ListenerState.STOPPED)
            assert site.addresses() == []

    asyncio.run(promise())


def test_checks_run_and_are_run_again_when_asked(home: Home) -> None:
    async def promise() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            target = f"127.0.0.1:{server.getsockname()[1]}"
            config = Config(operator="ann", checks=(CheckConfig(name="door", target=target, interval_s=3600),))
            async with running(home, config) as (site, heard):
                await heard.until(lambda: heard.of(CheckResult))
                await site.handle(CheckRequest(names=("door",)))
                await heard.until(lambda: len(heard.of(CheckResult)) >= 2)

    asyncio.run(promise())


def test_a_meter_that_is_not_read_here_is_said_so(home: Home) -> None:
    async def promise() -> None:
        async with running(home, Config(operator="ann")) as (site, _heard):
            with pytest.raises(UsageError, match="E450 is not read"):
                await site.handle(MeterReadRequest(meter="E450"))

    asyncio.run(promise())
