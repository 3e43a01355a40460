"""`kill -9` in a loop: sensors send without pause, the server is killed at any moment, and what was answered is there.

`python tests/seed_clients/sensor_kill.py --rounds 100` for as long as one likes; the test runs a few rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
from pathlib import Path

from sensor_server import SensorServer, measures_of

LINKS = 8
OK = b'{"ok":true}\n'


class Stream:
    """A link that sends numbered measures without waiting; answers come in their order, so a count says which."""

    def __init__(self, name: str, first: int) -> None:
        self.name = name
        self.first = first
        self.sent = 0
        self.answered = 0
        self.others: list[bytes] = []

    async def run(self, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        reading = asyncio.create_task(self._read(reader))
        try:
            while not reading.done() and not writer.is_closing():
                measure = {"capteur_id": self.name, "temperature": self.first + self.sent}
                writer.write(json.dumps(measure).encode())
                self.sent += 1
                if self.sent % 50 == 0:
                    await writer.drain()
                    await asyncio.sleep(0.002)
        except OSError:
            pass
        finally:
            await asyncio.gather(reading, return_exceptions=True)
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                if line == OK:
                    self.answered += 1
                else:
                    self.others.append(line)
        except OSError:
            pass

    def acknowledged(self) -> set[tuple[str, float]]:
        return {(self.name, float(self.first + number)) for number in range(self.answered)}


async def one_round(server: SensorServer, streams: list[Stream], after_s: float) -> None:
    running = [asyncio.create_task(stream.run(server.port)) for stream in streams]
    await asyncio.sleep(after_s)
    await asyncio.to_thread(server.kill)
    await asyncio.wait_for(asyncio.gather(*running), 10)


def kill_loop(home: Path, rounds: int, *words: str, seed: int = 1) -> tuple[int, int, int]:
    """Measures sent, acknowledged and found; raises AssertionError where an acknowledged one is missing."""
    chance = random.Random(seed)
    acknowledged: set[tuple[str, float]] = set()
    sent = first = 0
    for _number in range(rounds):
        server = SensorServer(home, *words)
        streams = [Stream(f"capteur_{place}", first) for place in range(LINKS)]
        asyncio.run(one_round(server, streams, chance.uniform(0.05, 0.4)))
        for stream in streams:
            assert stream.others == []
            acknowledged |= stream.acknowledged()
            sent += stream.sent
        first += max(stream.sent for stream in streams)
        found = measures_of(home)
        missing = acknowledged.difference(found)
        assert not missing, f"{len(missing)} acknowledged measures are lost, such as {sorted(missing)[:3]}"
        assert len(found) == len(set(found)), "a measure was saved twice"
    return sent, len(acknowledged), len(found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--threads", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        words = ["--threads"] if options.threads else []
        sent, acknowledged, found = kill_loop(Path(folder) / "home", options.rounds, *words)
    print(f"{sent} sent, {acknowledged} acknowledged, {found} found: none lost")
