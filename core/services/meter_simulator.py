"""A simulated E450 at the far end of a line: it pushes by itself, or answers a sign-on in mode C.

Everything it sends names itself simulated: the model SIMULATED-E450, the number and the system title LGZSIM….
With `replay` it sends a capture instead, at the line's speed.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import UsageError
from core.language import _
from core.meter.virtual_e450 import VirtualE450
from core.meter.virtual_telegrams import BAUD_CHARACTERS, identification_line, push, readout
from core.protocol.data_sets import encode_command
from core.services.meter_wire import PtyWire, SocketWire, Wire, listen
from core.transport.line import LineSettings

SIGN_ON_LINE = LineSettings(300, 7, "E")
REACTION_S = 0.2
SETTLE_S = 0.5
ACKNOWLEDGEMENT_S = 2.5
"""How long the meter waits for an acknowledgement before it forgets the sign-on."""

_SIGN_ON = re.compile(rb"/\?([0-9A-Za-z ]{0,32})!\r\n")
_ACKNOWLEDGEMENT = re.compile(rb"\x06([0-9])([0-9A-I])([0-9])\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What is simulated: `protocol` push or iec62056-21 on `link` (a path) or `listen` (HOST:PORT).

    `baud` None takes 9600; at 2400 a push is 8E1, else 8N1. `interval_s` lies between the beginnings of two pushes.
    """

    protocol: str = "push"
    link: Path | None = None
    listen: str | None = None
    layout: int = 2
    baud: int | None = None
    key: bytes | None = None
    auth_key: bytes | None = None
    seed: int = 1
    interval_s: float = 5.0
    replay: bytes | None = None
    is_once: bool = False


class MeterSimulator:
    """Runs one `Simulation`; raises UsageError for one that cannot be."""

    def __init__(self, simulation: Simulation, *, clock: Callable[[], float] = time.time) -> None:
        if (simulation.link is None) == (simulation.listen is None):
            raise UsageError(_("give either --link or --listen"))
        baud = simulation.baud or 9600
        if simulation.protocol != "push" and baud not in BAUD_CHARACTERS:
            raise UsageError(
                _("mode C knows the speeds {speeds}").format(speeds=", ".join(str(speed) for speed in BAUD_CHARACTERS))
            )
        self._simulation = simulation
        self._clock = clock
        self._meter = VirtualE450(simulation.seed)
        self._line = LineSettings(baud, 8, "E" if baud == 2400 else "N")
        self._identification = identification_line(baud) if simulation.protocol != "push" else b""
        self._saved: bytes | None = None
        if simulation.replay is not None and simulation.protocol != "push":
            self._identification, self._saved = _split_readout(simulation.replay)

    async def run(self, on_listening: Callable[[str], None]) -> None:
        """Simulate until cancelled, or with `is_once` until the capture was sent; `on_listening` gets the place."""
        simulation = self._simulation
        if simulation.link is not None:
            wire = PtyWire(simulation.link)
            try:
                on_listening(str(simulation.link))
                await self._serve(wire)
            finally:
                wire.close()
            return
        tasks: set[asyncio.Future[None]] = set()
        ended = asyncio.Event()

        def serve(client: SocketWire) -> asyncio.Future[None]:
            task = asyncio.ensure_future(self._serve_client(client, ended))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            return task

        server, place = await listen(simulation.listen or "", serve)
        try:
            on_listening(place)
            await ended.wait()
        finally:
            server.close()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve_client(self, wire: SocketWire, ended: asyncio.Event) -> None:
        if self._simulation.protocol != "push":
            await self._answer(wire)
            return
        pushing = asyncio.ensure_future(self._push(wire))
        try:
            # what comes in is not looked at; only its end is
            leaving = asyncio.ensure_future(self._until_gone(wire))
            await asyncio.wait((pushing, leaving), return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
            if pushing.done() and not pushing.cancelled():
                ended.set()
        finally:
            pushing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pushing

    async def _until_gone(self, wire: Wire) -> None:
        while await wire.read(self._line):
            pass

    async def _serve(self, wire: PtyWire) -> None:
        if self._simulation.protocol != "push":
            while True:
                await self._answer(wire)
        if self._simulation.is_once:
            await wire.opened()  # a capture that is sent once waits for its listener
            await asyncio.sleep(SETTLE_S)
        await self._push(wire)
        await asyncio.sleep(SETTLE_S)  # whoever listens takes the last octets before the terminal goes

    async def _push(self, wire: Wire) -> None:
        """Send one push after another; with `is_once` one capture."""
        simulation = self._simulation
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            if simulation.replay is not None:
                data = simulation.replay
            else:
                now_s = self._clock()
                data = push(
                    self._meter,
                    now_s,
                    simulation.layout,
                    key=simulation.key,
                    auth_key=simulation.auth_key,
                    # rises with the clock, also from one run of the simulator to the next; 32 bits last till 2037
                    invocation_counter=int((now_s - 1_700_000_000) * 10) & 0xFFFF_FFFF,
                )
            await wire.write(data, self._line)
            if simulation.is_once:
                return
            due_s = max(due_s + simulation.interval_s, loop.time() + 0.05)
            await asyncio.sleep(due_s - loop.time())

    async def _answer(self, wire: Wire) -> None:
        """Answer sign-ons until the other side has gone (IEC 62056-21 mode C)."""
        heard = bytearray()
        while True:
            data = await wire.read(SIGN_ON_LINE)
            if not data:
                return
            heard = (heard + data)[-256:]
            match = _SIGN_ON.search(bytes(heard))
            if match is None:
                continue
            heard.clear()
            address = match[1].decode().strip()
            if address.lstrip("0") not in ("", self._meter.serial_number, self._meter.serial_number[6:].lstrip("0")):
                continue
            await asyncio.sleep(len(match[0]) * SIGN_ON_LINE.octet_s + REACTION_S)
            await wire.write(self._identification, SIGN_ON_LINE)
            await self._after_identification(wire)

    async def _after_identification(self, wire: Wire) -> None:
        heard = bytearray()
        try:
            async with asyncio.timeout(ACKNOWLEDGEMENT_S):
                while (match := _ACKNOWLEDGEMENT.search(bytes(heard))) is None:
                    data = await wire.read(SIGN_ON_LINE)
                    if not data:
                        return
                    heard += data[:64]
        except TimeoutError:
            return
        await asyncio.sleep(6 * SIGN_ON_LINE.octet_s + REACTION_S)
        if match[3] != b"0":
            await wire.write(encode_command("B0"), SIGN_ON_LINE)  # only readouts are simulated
            return
        character = match[2].decode()
        baud = next((speed for speed, sign in BAUD_CHARACTERS.items() if sign == character), 300)
        data = self._saved if self._saved is not None else readout(self._meter, self._clock())
        await wire.write(data, LineSettings(baud, 7, "E"))


def _split_readout(saved: bytes) -> tuple[bytes, bytes]:
    """Identification and data message of a saved readout."""
    line, end, rest = saved.partition(b"\r\n")
    if not line.startswith(b"/") or not end or not rest.startswith(b"\x02"):
        raise UsageError(_("the capture is no readout: it must begin with an identification and STX"))
    return line + end, rest
