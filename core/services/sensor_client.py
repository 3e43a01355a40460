"""Sensors of our own: `Sensor` measures, `TcpSensor` also sends; `sensors send` and `sensors simulate` use them."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from core.errors import NothingListensError, TransportError
from core.language import _
from core.services.sensor_door import DEFAULT_PORT
from core.transport.address import parse_address, shown_address
from core.transport.tcp import open_socket

ANSWER_WITHIN_S = 30.0
FIRST_PAUSE_S, LAST_PAUSE_S = 0.5, 15.0

DAY_S = 86_400.0
_SLOW_S = 600.0
_LINE_LIMIT = 64 * 1024


class Answer(msgspec.Struct, frozen=True):
    """What the server says to one message; `error` is there where `ok` is not."""

    ok: bool
    error: str | None = None


_decode_answer = msgspec.json.Decoder(Answer).decode


class Sensor:
    """A thermometer: who it is, and what it measures; the same seed, the same day.

    One that `is_simulated` says so in each message, so that nobody takes its values for measured ones.
    """

    def __init__(
        self, sensor_id: str, *, seed: int = 1, clock: Callable[[], float] = time.time, is_simulated: bool = False
    ) -> None:
        self.sensor_id = sensor_id
        self._is_simulated = is_simulated
        self._clock = clock
        self._random = random.Random(f"{seed}/{sensor_id}")  # noqa: S311 -- weather, no secret
        self._mean_c = self._random.uniform(17.0, 24.0)
        self._swing_c = self._random.uniform(1.0, 4.0)
        self._phase_s = self._random.uniform(0.0, 3600.0)
        self._drift_c = 0.0

    def measure(self) -> float:
        """The temperature now, in °C: a wave of the day, a shorter one of the heating, and a drift of its own."""
        now_s = self._clock() + self._phase_s
        self._drift_c = 0.97 * self._drift_c + self._random.gauss(0.0, 0.06)
        day = math.sin(2 * math.pi * (now_s / DAY_S - 0.5))
        heating = 0.3 * math.sin(2 * math.pi * now_s / _SLOW_S)
        return round(self._mean_c + self._swing_c * day + heating + self._drift_c, 2)

    def message(self, temperature: float) -> bytes:
        """The message of the exercise, and a newline, which helps who reads along."""
        fields: dict[str, object] = {"capteur_id": self.sensor_id, "temperature": temperature}
        if self._is_simulated:
            fields["simulated"] = True
        return msgspec.json.encode(fields) + b"\n"


class TcpSensor(Sensor):
    """A sensor with a link to a server. Use it in one loop; `send` before `connect` connects by itself."""

    def __init__(
        self,
        sensor_id: str,
        address: str,
        *,
        seed: int = 1,
        clock: Callable[[], float] = time.time,
        is_simulated: bool = False,
    ) -> None:
        super().__init__(sensor_id, seed=seed, clock=clock, is_simulated=is_simulated)
        self._host, self._port = parse_address(address, DEFAULT_PORT)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self) -> None:
        """Open the link. Raises TransportError and its family, in words."""
        try:
            link = await open_socket(self._host, self._port)
        except NothingListensError:
            raise NothingListensError(
                _("nothing listens at {address}; is it the right port? There: beffroi sensors serve").format(
                    address=shown_address(self._host, self._port)
                )
            ) from None
        self._reader, self._writer = await asyncio.open_connection(sock=link, limit=_LINE_LIMIT)

    async def send(self, temperature: float) -> Answer:
        """Send one temperature in °C and wait for its answer. Raises TransportError where there is none."""
        if self._writer is None or self._reader is None:
            await self.connect()
        assert self._writer is not None
        assert self._reader is not None
        try:
            self._writer.write(self.message(temperature))
            await self._writer.drain()
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await self._answer(self._reader)
        except TimeoutError:
            self.abort()
            raise TransportError(
                _("{address} does not answer; it may not be a Beffroi sensor server").format(address=self._shown)
            ) from None
        except OSError as error:
            self.abort()
            raise TransportError(
                _("the link to {address} broke: {reason}").format(address=self._shown, reason=error.strerror or error)
            ) from error

    async def close(self) -> None:
        """Close the link."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def abort(self) -> None:
        """Cut the link off."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.transport.abort()

    @property
    def _shown(self) -> str:
        return shown_address(self._host, self._port)

    async def _answer(self, reader: asyncio.StreamReader) -> Answer:
        """The next answer; a greeting is none."""
        while True:
            try:
                line = await reader.readline()
            except ValueError:
                line = b"?"
            if not line:
                self.abort()
                raise TransportError(_("{address} has closed the link without an answer").format(address=self._shown))
            try:
                return _decode_answer(line)
            except (ValueError, RecursionError):
                if b'"hello"' not in line:
                    self.abort()
                    raise TransportError(
                        _("{address} answers something else; it may not be a Beffroi sensor server").format(
                            address=self._shown
                        )
                    ) from None


@dataclass(slots=True)
class Simulation:
    """What simulated sensors have done so far; `error` is why one of them is not connected now."""

    sensors: int = 0
    connected: int = 0
    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    error: str | None = None


class Simulator:
    """Many sensors in one loop: `count` of them, named `capteur_1` and on, one measure every `interval_s` each."""

    def __init__(self, address: str, count: int, *, interval_s: float = 5.0, seed: int = 1) -> None:
        self.state = Simulation(sensors=count)
        self._interval_s = interval_s
        self._sensors = [
            TcpSensor(f"capteur_{number}", address, seed=seed, is_simulated=True) for number in range(1, count + 1)
        ]
        self._first = asyncio.Event()

    async def run(self) -> None:
        """Send until cancelled; a sensor whose link breaks connects again by itself."""
        async with asyncio.TaskGroup() as tasks:
            for place, sensor in enumerate(self._sensors):
                tasks.create_task(self._send(sensor, place / len(self._sensors) * min(self._interval_s, 1.0)))

    async def first_answer(self) -> None:
        """Return once a sensor was answered."""
        await self._first.wait()

    async def _send(self, sensor: TcpSensor, begin_s: float) -> None:
        pause_s = FIRST_PAUSE_S
        is_connected = False
        await asyncio.sleep(begin_s)
        loop = asyncio.get_running_loop()
        try:
            while True:
                due_s = loop.time() + self._interval_s
                try:
                    if not is_connected:
                        await sensor.connect()
                        is_connected = True
                        self.state.connected += 1
                    self.state.sent += 1
                    answer = await sensor.send(sensor.measure())
                except TransportError as error:
                    self.state.connected -= is_connected
                    is_connected = False
                    self.state.error = str(error)
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, LAST_PAUSE_S)
                    continue
                pause_s, self.state.error = FIRST_PAUSE_S, answer.error
                self.state.acknowledged += answer.ok
                self.state.refused += not answer.ok
                self._first.set()
                await asyncio.sleep(max(0.0, due_s - loop.time()))
        finally:
            await sensor.close()
