"""Sensors for the bench, in a process of their own: `python -m bench.sensor_load MODE PORT LINKS MESSAGES`.

MODE `stream`: each link sends one message after another and never waits. `ask`: each waits for its answer before the
next. `pace`: each sends one a second, spread evenly, for MESSAGES/LINKS seconds. Prints what came of it as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import core.transport.listener

WITHIN_S = 120.0


class Sensor(asyncio.Protocol):
    """Counts lines that are answers; the greeting is none."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.answers = 0
        self.ended = asyncio.Event()
        self.has_room = asyncio.Event()
        self.has_room.set()
        self.news = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.answers += data.count(b'"ok":true')
        self.news.set()
        if self.answers >= self.wanted:
            self.ended.set()

    def connection_lost(self, exc):
        self.ended.set()

    def pause_writing(self):
        self.has_room.clear()

    def resume_writing(self):
        self.has_room.set()

    async def send(self, mode: str, place: int, links: int) -> None:
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        for number in range(self.wanted):
            if mode == "pace":
                await asyncio.sleep(max(0.0, begun_s + number + place / links - loop.time()))
            self.news.clear()
            temperature = 20 + (number % 100) / 10
            self.transport.write(b'{"capteur_id": "capteur_%d", "temperature": %.1f}' % (place, temperature))
            if mode == "ask":
                await self.news.wait()
            elif mode == "stream" and number % 32 == 31:
                await asyncio.sleep(0)
                await self.has_room.wait()
        await self.ended.wait()


async def main(mode: str, port: int, links: int, messages: int) -> None:
    loop = asyncio.get_running_loop()
    sensors = []
    for _start in range(0, links, 100):
        made = await asyncio.gather(
            *(
                loop.create_connection(lambda: Sensor(messages // links), "127.0.0.1", port)
                for _number in range(min(100, links - len(sensors)))
            )
        )
        sensors += [sensor for _transport, sensor in made]
    await asyncio.sleep(1.2 if mode == "pace" else 0.2)
    print("ready", flush=True)
    sys.stdin.readline()
    begun_s = time.perf_counter()
    tasks = [sensor.send(mode, place, links) for place, sensor in enumerate(sensors)]
    async with asyncio.timeout(WITHIN_S):
        await asyncio.gather(*tasks)
    told = {
        "sent": messages // links * links,
        "answered": sum(sensor.answers for sensor in sensors),
        "seconds": time.perf_counter() - begun_s,
    }
    print(json.dumps(told), flush=True)  # before the links end, which is no message
    sys.stdin.readline()
    for sensor in sensors:
        sensor.transport.abort()


if __name__ == "__main__":
    core.transport.listener.allow_open_files(20_000)
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
