"""The intake answers a message once it is safe, loses none that it answered, and no sensor is in another's way."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import struct
import time

import pytest
from sensor_site import OK, FakeStore, site, until

from core.config.settings import SensorsSettings
from core.errors import ConfigError, PortInUseError, StoreError, StoreFullError, StoreLockedError, UsageError
from core.services import sensor_intake, sensor_link, sensor_stream
from core.services.sensor_file import SensorFile
from core.services.sensor_intake import SensorIntake
from core.services.sensor_stream import GREETING
from core.site_records import ListenerState, SensorMeasure
from core.store.history import History


@pytest.fixture(autouse=True)
def _often_reported(monkeypatch):
    monkeypatch.setattr(sensor_intake, "REPORT_S", 0.02)


def message(sensor: str, value: float) -> bytes:
    return json.dumps({"capteur_id": sensor, "temperature": value}).encode()


async def send_without_end(writer):
    for _turn in range(1000):  # 64 MB, if they were taken
        writer.write(b"x" * 65536)
        await writer.drain()


def test_a_measure_is_saved_answered_and_published_in_this_order():
    async def scene():
        store = FakeStore()
        store.gate = asyncio.Event()
        async with site(store) as here:
            reader, writer = await here.link()
            writer.write(message("capteur_1", 23.5))
            await until(lambda: store.tries == 1)
            assert here.batches == []
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.readline(), 0.05)
            store.gate.set()
            assert await reader.readline() == OK
            (batch,) = here.batches
            (measure,) = batch.measures
            assert (measure.sensor, measure.quantity, measure.value, measure.unit) == (
                "capteur_1",
                "temperature_c",
                23.5,
                "°C",
            )
            assert measure.peer == "127.0.0.1:{}".format(writer.get_extra_info("sockname")[1])
            assert abs(measure.time_s - time.time()) < 5

    asyncio.run(scene())


def test_a_sensor_that_waits_for_each_answer_waits_for_no_batch(monkeypatch):
    monkeypatch.setattr(sensor_intake, "BATCH_S", 60.0)

    async def scene():
        async with site() as here, asyncio.timeout(20):
            reader, writer = await here.link()
            for number in range(50):
                writer.write(message("alone", number))
                assert await reader.readline() == OK
            assert here.store.batches == 50

    asyncio.run(scene())


def test_where_many_links_send_their_messages_wait_for_each_other(monkeypatch):
    monkeypatch.setattr(sensor_intake, "BATCH_S", 0.5)

    async def scene():
        async with site() as here, asyncio.timeout(20):
            links = [await here.link() for _number in range(4 * sensor_intake.FEW_LINKS)]
            for number, (reader, writer) in enumerate(links):
                writer.write(message(f"s{number}", number))
                if number < sensor_intake.FEW_LINKS:
                    assert await reader.readline() == OK
            for reader, _writer in links[sensor_intake.FEW_LINKS :]:
                assert await reader.readline() == OK
            assert here.store.batches <= sensor_intake.FEW_LINKS + 2

    asyncio.run(scene())


def test_messages_of_many_links_are_saved_together_and_each_is_answered():
    async def scene():
        async with site() as here:
            links = [await here.link() for _number in range(50)]
            for number, (_reader, writer) in enumerate(links):
                writer.write(message(f"s{number}", number) + message(f"s{number}", number + 0.5))
            for reader, _writer in links:
                assert await reader.readexactly(2 * len(OK)) == 2 * OK
            assert len(here.store.measures) == 100
            assert here.store.batches < 20
            assert len({measure.time_s for measure in here.store.measures if measure.sensor == "s7"}) == 2

    asyncio.run(scene())


def test_a_broken_message_is_answered_in_its_place_and_counted():
    async def scene():
        async with site() as here:
            reader, writer = await here.link()
            writer.write(message("a", 1) + b'{"id": "a", "temperature": 21,5}' + message("a", 2))
            answers = [json.loads(await reader.readline()) for _number in range(3)]
            assert [answer["ok"] for answer in answers] == [True, False, True]
            assert '"temperature": 21,5' in answers[1]["error"]
            assert here.store.values == [("a", 1.0), ("a", 2.0)]
            await until(lambda: here.reports[-1].refused == 1)
            report = here.reports[-1]
            assert (report.links, report.messages) == (1, 2)
            assert report.last_refusal.startswith("127.0.0.1:")
            assert '"temperature": 21,5' in report.last_refusal

    asyncio.run(scene())


def test_a_text_counts_at_its_newline_at_the_end_and_after_a_pause(monkeypatch):
    monkeypatch.setattr(sensor_link, "TEXT_PAUSE_S", 0.05)

    async def scene():
        async with site() as here:
            reader, writer = await here.link()
            writer.write(b"temp: 15\n")
            assert await reader.readline() == OK
            writer.write(b"TEMP:2")
            writer.write("8.5 °C".encode())
            assert await reader.readline() == OK
            writer.write(b"temperature:16.37")
            writer.write_eof()
            assert await reader.read() == OK
            assert here.store.values == [("127.0.0.1", 15.0), ("127.0.0.1", 28.5), ("127.0.0.1", 16.37)]

    asyncio.run(scene())


def test_who_waits_is_greeted_and_who_sends_is_not(monkeypatch):
    monkeypatch.setattr(sensor_link, "GREET_AFTER_S", 0.2)

    async def scene():
        async with site() as here:
            reader, writer = await here.link()
            talking, talker = await here.link()
            talker.write(message("a", 1))
            assert await reader.readline() == GREETING
            writer.write(message("b", 2))
            assert await reader.readline() == OK
            assert await talking.readline() == OK
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(talking.readline(), 0.3)

    asyncio.run(scene())


def test_a_request_to_a_web_server_gets_one_clear_line_and_the_link_ends():
    async def scene():
        async with site() as here:
            reader, writer = await here.link()
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            lines = (await reader.read()).splitlines()
            assert len(lines) == 1
            assert "no web pages" in json.loads(lines[0])["error"]

    asyncio.run(scene())


def test_a_client_that_closes_or_resets_at_once_is_no_error(caplog):
    async def scene():
        async with site() as here:
            for _number in range(20):
                with socket.create_connection(("127.0.0.1", here.port)):
                    pass
                raw = socket.create_connection(("127.0.0.1", here.port))
                raw.sendall(message("a", 1))
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raw.close()
            await asyncio.sleep(0.1)
            reader, writer = await here.link()
            writer.write(message("b", 2))
            assert await reader.readline() == OK
            await until(lambda: len(here.intake._links) == 1)

    with caplog.at_level(logging.INFO):
        asyncio.run(scene())
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_peer_that_never_reads_its_answers_loses_no_measure_and_costs_no_memory(monkeypatch):
    monkeypatch.setattr(sensor_link, "ANSWERS_LIMIT", 1024)
    many = 20_000

    async def scene():
        async with site() as here:
            raw = socket.socket()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.connect(("127.0.0.1", here.port))
            with raw:
                octets = b"".join(b'{"id":"a","temperature":%d}' % number for number in range(many))
                await asyncio.to_thread(raw.sendall, octets)
                await until(lambda: len(here.store.measures) == many, 20)
                (link,) = here.intake._links
                assert link._transport.get_write_buffer_size() < 500_000
                raw.shutdown(socket.SHUT_WR)
                await asyncio.sleep(0.05)
            await until(lambda: not here.intake._links)
            assert [value for _sensor, value in here.store.values] == list(range(many))

    asyncio.run(scene())


def test_a_message_without_an_end_is_refused_once_then_the_link_is_closed():
    async def scene():
        async with site() as here:
            reader, writer = await here.link()
            writer.write(b'{"id": "')
            with pytest.raises(ConnectionError):
                await send_without_end(writer)
            await until(lambda: not here.intake._links)
            assert here.intake._tally.refused == 2
            reader, writer = await here.link()
            writer.write(message("b", 2))
            assert await reader.readline() == OK

    asyncio.run(scene())


def test_nonsense_without_end_is_answered_a_hundred_times_then_the_link_is_closed():
    async def scene():
        async with site() as here:
            reader, writer = await here.link()
            writer.write(b"{" * 30_000)
            lines = (await reader.read()).splitlines()
            assert len(lines) == sensor_stream.REFUSALS_LIMIT + 1
            assert "in a row" in json.loads(lines[-1])["error"]

    asyncio.run(scene())


def test_who_sends_under_ever_new_names_is_stopped_and_the_known_ones_go_on(monkeypatch):
    monkeypatch.setattr(sensor_stream, "SERIES_LIMIT", 3)

    async def scene():
        async with site() as here:
            reader, writer = await here.link()
            for number in range(5):
                writer.write(message(f"s{number}", 1))
            writer.write(message("s0", 2))
            answers = [json.loads(await reader.readline()) for _number in range(6)]
            assert [answer["ok"] for answer in answers] == [True, True, True, False, False, True]
            assert "s4 begins no new one" in answers[4]["error"]

    asyncio.run(scene())


def test_an_address_that_is_not_allowed_is_told_so():
    async def scene():
        async with site(allow=("192.0.2.0/24", "::1")) as here:
            reader, _writer = await here.link()
            assert "not among the addresses" in json.loads(await reader.read())["error"]
            assert here.intake._tally.refused == 1
        async with site(allow=("127.0.0.0/8",)) as here:
            reader, writer = await here.link()
            writer.write(message("a", 1))
            assert await reader.readline() == OK

    asyncio.run(scene())


def test_an_allowed_address_that_is_none_is_named():
    with pytest.raises(ConfigError, match=r"“the lab” under allow of \[sensors\]"):
        SensorIntake(SensorsSettings(allow=("10.0.0.1", "the lab")), FakeStore().save, print)


def test_links_above_the_limit_are_refused_and_who_never_sent_a_value_makes_room(monkeypatch):
    async def scene():
        async with site(links=2) as here:
            first, _writer = await here.link()
            sensing, sensor = await here.link()
            sensor.write(message("a", 1))
            assert await sensing.readline() == OK
            reader, _third = await here.link()
            assert "there are 2 links" in json.loads(await reader.read())["error"]
            monkeypatch.setattr(sensor_intake, "STRANGER_S", 0.0)
            reader, writer = await here.link()
            assert await first.read() == b""
            writer.write(message("b", 2))
            assert await reader.readline() == OK
            reader, _writer = await here.link()
            assert "there are 2 links" in json.loads(await reader.read())["error"]

    asyncio.run(scene())


def test_a_link_that_sends_too_fast_is_told_and_one_that_keeps_to_it_is_not():
    async def scene():
        async with site(rate_per_s=20) as here:
            reader, writer = await here.link()
            writer.write(b"".join(message("a", number) for number in range(300)))
            answers = [json.loads(await reader.readline()) for _number in range(300)]
            taken = sum(answer["ok"] for answer in answers)
            assert 20 <= taken < 150
            assert "more than 20 messages a second" in answers[-1]["error"]
            assert len(here.store.measures) == taken
            await asyncio.sleep(0.15)
            writer.write(message("a", 1))
            assert json.loads(await reader.readline())["ok"]

    asyncio.run(scene())


def test_while_the_database_is_locked_nothing_is_answered_and_then_all_is(monkeypatch):
    monkeypatch.setattr(sensor_intake, "RETRY_S", 0.02)

    async def scene():
        async with site() as here:
            here.store.error = StoreLockedError("beffroi.db is held by another program")
            reader, writer = await here.link()
            writer.write(message("a", 1))
            await until(lambda: here.store.tries > 3)
            writer.write(message("a", 2))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.readline(), 0.05)
            assert here.batches == []
            await until(lambda: here.reports[-1].error is not None)
            assert "held by another program" in here.reports[-1].error
            here.store.error = None
            assert await reader.readexactly(2 * len(OK)) == 2 * OK
            assert here.store.values == [("a", 1.0), ("a", 2.0)]
            await until(lambda: here.reports[-1].error is None)

    asyncio.run(scene())


def test_a_database_that_stays_full_is_said_to_each_sender_and_nothing_waits_for_ever(monkeypatch):
    monkeypatch.setattr(sensor_intake, "RETRY_S", 0.02)

    async def scene():
        async with site(give_up_s=0.1) as here:
            here.store.error = StoreFullError("the disk is full")
            reader, writer = await here.link()
            for number in range(3):
                writer.write(message("a", number))
                answer = json.loads(await reader.readline())
                assert not answer["ok"]
                assert "not saved: the disk is full" in answer["error"]
            here.store.error = None
            writer.write(message("a", 9))
            assert await reader.readline() == OK
            assert here.store.values == [("a", 9.0)]
            assert (here.intake._tally.messages, here.intake._tally.refused) == (1, 3)

    asyncio.run(scene())


def test_measures_that_wait_for_the_database_are_bounded_then_senders_wait(monkeypatch):
    monkeypatch.setattr(sensor_intake, "WAITING_LIMIT", 500)
    monkeypatch.setattr(sensor_intake, "BATCH_MEASURES", 500)
    many = 60_000

    async def scene():
        store = FakeStore()
        store.gate = asyncio.Event()
        async with site(store) as here:
            raw = socket.create_connection(("127.0.0.1", here.port))
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            with raw:
                octets = b"".join(b'{"id":"a","temperature":%d}' % number for number in range(many))
                sending = asyncio.create_task(asyncio.to_thread(raw.sendall, octets))
                await until(lambda: here.intake._is_paused)
                await asyncio.sleep(0.1)
                assert len(here.intake._batch.measures) < 500 + 65536 / 20
                newcomer, writer = await here.link()
                writer.write(message("b", 1))
                await asyncio.sleep(0.05)
                store.gate.set()
                assert await newcomer.readline() == OK
                await sending
                raw.shutdown(socket.SHUT_WR)
                await until(lambda: len(store.measures) == many + 1, 20)

    asyncio.run(scene())


def test_a_sensor_that_resets_its_link_before_all_was_read_loses_nothing_that_had_arrived(monkeypatch):
    monkeypatch.setattr(sensor_intake, "WAITING_LIMIT", 10)
    monkeypatch.setattr(sensor_intake, "BATCH_MEASURES", 10)

    async def scene():
        store = FakeStore()
        store.gate = asyncio.Event()
        async with site(store) as here:
            raw = socket.create_connection(("127.0.0.1", here.port))
            for turn in range(3):
                raw.sendall(b"".join(message("a", turn * 100 + number) for number in range(100)))
                await until(lambda turn=turn: turn == 0 or here.intake._is_paused)
                await asyncio.sleep(0.05)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.close()
            await asyncio.sleep(0.05)
            assert len(here.intake._batch.measures) < 200
            store.gate.set()
            await until(lambda: not here.intake._links)
            await until(lambda: len(store.measures) == 300)

    asyncio.run(scene())


def test_the_file_has_a_line_for_each_measure_before_it_is_answered(tmp_path):
    async def scene():
        path = tmp_path / "donnees.txt"
        async with site(file=str(path)) as here:
            reader, writer = await here.link()
            writer.write(b'{"capteur_id": "a;b", "temperature": 23.5, "humidity": 40}')
            assert await reader.readline() == OK
            first, second = path.read_text(encoding="utf-8").splitlines()
            moment, sensor, value = first.split(";")
            assert moment.endswith("Z")
            assert len(moment) == len("2026-11-21T10:15:03.120Z")
            assert (sensor, value) == ("a,b", "23.5")
            assert second.endswith("Z;a,b;40.0;humidity_percent")
            assert path.stat().st_mode & 0o077 == 0

    asyncio.run(scene())


def test_a_sensor_cannot_write_a_formula_or_a_line_of_its_own_into_the_file(tmp_path):
    path = tmp_path / "donnees.txt"
    written = SensorFile(path)
    for name in ("=HYPERLINK(1)", "@a;b", "-1"):
        written.append([SensorMeasure(sensor=name, quantity="temperature_c", value=-2.5, time_s=0.0)])
    written.close()
    sensors = [line.split(";")[1:] for line in path.read_text(encoding="utf-8").splitlines()]
    assert sensors == [["'=HYPERLINK(1)", "-2.5"], ["'@a,b", "-2.5"], ["'-1", "-2.5"]]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
def test_a_pipe_in_the_place_of_the_file_is_refused_and_holds_nothing_up(tmp_path):
    path = tmp_path / "donnees.txt"
    os.mkfifo(path)
    measure = SensorMeasure(sensor="a", quantity="temperature_c", value=1.0, time_s=0.0)
    with pytest.raises(StoreError, match="cannot be written"):
        SensorFile(path).append([measure])
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(StoreError, match="no ordinary file"):
            SensorFile(path).append([measure])
    finally:
        os.close(reader)


def test_a_file_that_cannot_be_written_is_reported_and_measures_are_still_saved(tmp_path):
    async def scene():
        async with site(file=str(tmp_path / "missing" / "donnees.txt")) as here:
            reader, writer = await here.link()
            writer.write(message("a", 1))
            assert await reader.readline() == OK
            await until(lambda: here.reports[-1].error is not None)
            assert "donnees.txt cannot be written" in here.reports[-1].error

    asyncio.run(scene())


def test_what_is_on_its_way_is_saved_and_answered_when_the_intake_stops():
    async def scene():
        async with site() as here:
            links = [await here.link() for _number in range(20)]
            await until(lambda: len(here.intake._links) == 20)
            for _reader, writer in links:
                writer.write(message("a", 1))
            await here.stop()
            for reader, _writer in links:
                assert await reader.read() == OK
            assert len(here.store.measures) == 20
            assert here.reports[-1].state is ListenerState.STOPPED

    asyncio.run(scene())


def test_an_intake_that_stops_while_the_database_fails_says_what_is_not_saved(monkeypatch):
    monkeypatch.setattr(sensor_intake, "LAST_TRIES_S", 0.2)
    monkeypatch.setattr(sensor_intake, "RETRY_S", 0.02)

    async def scene():
        async with site() as here:
            here.store.error = StoreLockedError("held by another program")
            reader, writer = await here.link()
            writer.write(message("a", 1))
            await until(lambda: here.store.tries > 1)
            writer.write(message("a", 2))
            begun_s = time.monotonic()
            await here.stop()
            assert time.monotonic() - begun_s < 3
            answers = [json.loads(line) for line in (await reader.read()).splitlines()]
            assert [answer["ok"] for answer in answers] == [False, False]
            assert "not saved: held by another program" in answers[0]["error"]

    asyncio.run(scene())


@pytest.mark.parametrize("listen", ["127.0.0.1:", "127.0.0.1", "127.0.0.1:99999", "no host:1"])
def test_an_address_that_is_none_is_reported_and_raised_and_nobody_waits_for_ever(listen):
    async def scene():
        published = []
        intake = SensorIntake(SensorsSettings(listen=listen), FakeStore().save, published.append)
        running = asyncio.ensure_future(intake.run())
        async with asyncio.timeout(5):
            with pytest.raises(UsageError, match="is not an address"):
                await intake.ready()
        with pytest.raises(UsageError):
            await running
        assert [report.state for report in published] == [ListenerState.FAILED]

    asyncio.run(scene())


def test_a_port_that_is_taken_is_reported_and_raised():
    async def scene():
        async with site() as here:
            published = []
            settings = SensorsSettings(listen=f"127.0.0.1:{here.port}")
            second = SensorIntake(settings, here.store.save, published.append)
            with pytest.raises(PortInUseError, match="another program listens"):
                await second.run()
            with pytest.raises(PortInUseError):
                await second.ready()
            (report,) = published
            assert report.state is ListenerState.FAILED
            assert "another program listens" in report.error

    asyncio.run(scene())


def test_the_report_says_where_it_listens_and_is_not_repeated_while_nothing_changes():
    async def scene():
        async with site() as here:
            await asyncio.sleep(0.15)
            (report,) = here.reports
            assert report.state is ListenerState.LISTENING
            assert report.address == here.intake.address

    asyncio.run(scene())


def test_five_hundred_links_at_once_are_all_served_by_the_real_history(tmp_path):
    async def scene():
        with History.open(tmp_path / "beffroi.db") as history:

            async def save(measures):
                history.write_measures(measures)

            store = FakeStore()
            store.save = save
            async with site(store) as here:
                links = await asyncio.gather(*(here.link() for _number in range(500)))
                for turn in range(3):
                    for number, (_reader, writer) in enumerate(links):
                        writer.write(message(f"s{number}", turn))
                    for reader, _writer in links:
                        assert await asyncio.wait_for(reader.readline(), 10) == OK
                assert {(one.sensor, one.count, one.value) for one in history.sensors()} == {
                    (f"s{number}", 3, 2.0) for number in range(500)
                }

    asyncio.run(scene())
