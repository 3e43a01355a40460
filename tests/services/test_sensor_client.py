"""Sensors of our own measure plausibly, say what is wrong at the other end, and come back when it does."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from sensor_site import site, until

from core.errors import NothingListensError, TransportError
from core.services import sensor_client
from core.services.sensor_client import Sensor, Simulator, TcpSensor
from core.services.sensor_stream import SensorStream


def test_a_simulated_day_moves_slowly_within_what_a_room_has():
    now = [1_800_000_000.0]
    sensor = Sensor("capteur_1", seed=3, clock=lambda: now[0])
    day = []
    for _minute in range(1440):
        day.append(sensor.measure())
        now[0] += 60
    assert 8 < min(day) < max(day) < 32
    assert max(day) - min(day) > 1
    assert max(abs(after - before) for before, after in itertools.pairwise(day)) < 1


def test_the_same_seed_is_the_same_sensor_and_two_sensors_differ():
    def first(name, seed):
        return [Sensor(name, seed=seed, clock=lambda: 1e9).measure() for _turn in range(2)]

    assert first("a", 1) == first("a", 1)
    assert len({first("a", 1)[0], first("b", 1)[0], first("a", 2)[0]}) == 3


def test_a_tcp_sensor_is_a_sensor_that_is_answered():
    async def scene():
        async with site() as here:
            sensor = TcpSensor("capteur_1", here.intake.address)
            assert isinstance(sensor, Sensor)
            assert (await sensor.send(23.5)).ok
            assert (await sensor.send(24.5)).ok
            refused = await sensor.send("warm")
            assert not refused.ok
            assert "warm" in refused.error
            await sensor.close()
            assert here.store.values == [("capteur_1", 23.5), ("capteur_1", 24.5)]

    asyncio.run(scene())


def test_only_a_simulated_sensor_says_that_it_is_one():
    assert Sensor("capteur_1").message(23.5) == b'{"capteur_id":"capteur_1","temperature":23.5}\n'
    stream = SensorStream("127.0.0.1", 1, set())
    for is_simulated in (True, False):
        data = Sensor("capteur_1", is_simulated=is_simulated).message(23.5)
        ((measure,),) = stream.receive_data(data, 1e9, 0.0)
        assert measure.is_simulated is is_simulated
        assert (measure.sensor, measure.value) == ("capteur_1", 23.5)


def test_a_server_of_another_kind_is_said_to_be_none():
    async def scene(line):
        async def answer(reader, writer):
            await reader.read(10)
            writer.write(line)
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            sensor = TcpSensor("a", f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
            try:
                await sensor.send(1.0)
            finally:
                await sensor.close()

    for line in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"x" * 200_000):
        with pytest.raises(TransportError, match="something else"):
            asyncio.run(scene(line))
    with pytest.raises(TransportError, match="closed the link without an answer"):
        asyncio.run(scene(b""))


def test_nothing_that_listens_is_said_with_what_to_start():
    with pytest.raises(NothingListensError, match="beffroi sensors serve"):
        asyncio.run(TcpSensor("a", "127.0.0.1:1").send(1.0))


def test_a_hundred_simulated_sensors_send_and_come_back_after_the_server_was_away(monkeypatch):
    monkeypatch.setattr(sensor_client, "FIRST_PAUSE_S", 0.05)

    async def scene():
        async with site() as here:
            simulator = Simulator(here.intake.address, 100, interval_s=0.2)
            running = asyncio.ensure_future(simulator.run())
            try:
                await asyncio.wait_for(simulator.first_answer(), 5)
                await until(lambda: len({sensor for sensor, _value in here.store.values}) == 100)
                assert simulator.state.connected == 100
                for link in list(here.intake._links):
                    link.abort()
                await until(lambda: simulator.state.connected < 100)
                before = simulator.state.acknowledged
                await until(lambda: simulator.state.connected == 100 and simulator.state.acknowledged > before + 100)
                assert simulator.state.refused == 0
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    asyncio.run(scene())
