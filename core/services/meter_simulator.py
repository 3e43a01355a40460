"""A simulated E450 at the far end of a line: it pushes by itself, or answers whoever asks.

Everything it sends names itself simulated: the model SIMULATED-E450, the number and the system title LGZSIM….
With `replay` it sends a capture instead, at the line's speed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import UsageError
from core.language import _
from core.meter.virtual_dlms import Access, VirtualDlms
from core.meter.virtual_e450 import VirtualE450
from core.meter.virtual_mbus import virtual_bus
from core.meter.virtual_telegrams import BAUD_CHARACTERS, BAUD_CHARACTERS_B, push, telegram
from core.meter_records import LineOctets
from core.protocol.programming_mode import password_command
from core.services.line_replay import PAUSE_AT_END_S, LineReplay
from core.services.meter_wire import PtyWire, SocketWire, Wire, listen
from core.services.simulated_frames import answer_frames
from core.services.simulated_iec import IDLE_S, PasswordLock, SimulatedIec
from core.transport.line import LineSettings

SETTLE_S = 0.5
P1_BAUD = 115_200
NETWORK_BAUD = 4_000_000
"""A meter on a network sends without a wire's pace."""
MODES = ("A", "B", "C", "D", "E")


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What is simulated: `protocol` push, iec62056-21, dlms or mbus, on `link` (a path) or `listen` (HOST:PORT).

    `baud` None takes 9600, on an M-Bus and in mode D 2400; at 2400 a push is 8E1, else 8N1. `interval_s` lies between
    the beginnings of two pushes. `mode` is that of IEC 62056-21; E with dlms asks for the sign-on before HDLC.
    `password` is what the programming mode and client `client` of DLMS ask for, None for nothing; with both keys the
    DLMS client proves itself by GMAC. `framing` is hdlc or wrapper. `positions` belongs to layout 3. `replay` is a
    capture, `recording` a recorded line, `recorded_at` its settings where they are known.
    """

    protocol: str = "push"
    link: Path | None = None
    listen: str | None = None
    layout: int = 2
    positions: int = 11
    mode: str = "C"
    baud: int | None = None
    client: int = 1
    password: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    auth_key: bytes | None = field(default=None, repr=False)
    framing: str = "hdlc"
    seed: int = 1
    has_anomalies: bool = False
    interval_s: float = 5.0
    replay: bytes | None = field(default=None, repr=False)
    recording: tuple[LineOctets, ...] = field(default=(), repr=False)
    recorded_at: LineSettings | None = None
    is_once: bool = False


class MeterSimulator:
    """Runs one `Simulation`; raises UsageError for one that cannot be."""

    def __init__(self, simulation: Simulation, *, clock: Callable[[], float] = time.time) -> None:
        if (simulation.link is None) == (simulation.listen is None):
            raise UsageError(_("give either --link or --listen"))
        _check(simulation)
        self._simulation = simulation
        self._clock = clock
        self._meter = VirtualE450(simulation.seed, has_anomalies=simulation.has_anomalies)
        self._line = _line_of(simulation)
        self._lock = PasswordLock(simulation.password)
        self._access = Access(
            client=simulation.client,
            password=simulation.password,
            key=simulation.key,
            auth_key=simulation.auth_key,
            own_counter=_rising_counter(clock()),
        )
        self._bus = virtual_bus(clock, simulation.seed) if simulation.protocol == "mbus" else None
        self._replayed = LineReplay(simulation.recording) if simulation.recording else None
        self._saved: tuple[bytes, bytes] | None = None
        if simulation.replay is not None and not self._is_pushing:
            self._saved = _split_readout(simulation.replay)

    @property
    def _is_pushing(self) -> bool:
        if self._replayed is not None:
            return not self._replayed.is_dialogue
        protocol = self._simulation.protocol
        return protocol == "push" or (protocol == "iec62056-21" and self._simulation.mode == "D")

    async def run(self, on_listening: Callable[[str], None]) -> None:
        """Simulate until cancelled, or with `is_once` until the capture was sent; `on_listening` gets the place."""
        simulation = self._simulation
        if simulation.link is not None:
            wire = PtyWire(simulation.link)
            wire.is_following = self._replayed is not None and not self._is_pushing
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
        if not self._is_pushing:
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
        if not self._is_pushing:
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
            if self._replayed is not None:
                await self._replayed.push(wire, self._line)
                if simulation.is_once:
                    return
                await asyncio.sleep(PAUSE_AT_END_S)
                continue
            if simulation.replay is not None:
                data = simulation.replay
            elif simulation.mode == "D" and simulation.protocol != "push":
                data = telegram(self._meter, self._clock(), is_p1=self._line.baud >= P1_BAUD)
            else:
                now_s = self._clock()
                data = push(
                    self._meter,
                    now_s,
                    simulation.layout,
                    key=simulation.key,
                    auth_key=simulation.auth_key,
                    invocation_counter=_rising_counter(now_s),
                    positions=simulation.positions,
                )
            await wire.write(data, self._line)
            if simulation.is_once:
                return
            due_s = max(due_s + simulation.interval_s, loop.time() + 0.05)
            await asyncio.sleep(due_s - loop.time())

    async def _answer(self, wire: Wire) -> None:
        """Answer until the other side has gone."""
        simulation = self._simulation
        if self._replayed is not None:
            await self._replayed.answer(wire, self._line)
        elif self._bus is not None:
            await answer_frames(self._bus, wire, self._line)
        elif simulation.protocol == "dlms" and simulation.mode != "E":
            await answer_frames(self._new_dlms(), wire, self._line)
        else:
            meter = SimulatedIec(
                self._meter,
                self._clock,
                mode=simulation.mode,
                baud=self._line.baud,
                lock=self._lock,
                saved=self._saved,
                enter_hdlc=self._serve_hdlc,
            )
            await meter.answer(wire)

    async def _serve_hdlc(self, wire: Wire, line: LineSettings) -> None:
        """HDLC behind mode E, up to the client's good-bye."""
        meter = self._new_dlms()
        await answer_frames(meter, wire, line, is_over=lambda: meter.is_released, idle_s=IDLE_S)

    def _new_dlms(self) -> VirtualDlms:
        is_wrapper = self._simulation.framing == "wrapper"
        return VirtualDlms(self._meter, self._clock, self._access, is_wrapper=is_wrapper)


def _check(simulation: Simulation) -> None:
    """Raise UsageError for what does not go together."""
    if simulation.mode not in MODES:
        raise UsageError(_("a mode of IEC 62056-21 is one of {modes}").format(modes=", ".join(MODES)))
    is_nameless = simulation.protocol == "push" and simulation.layout == 3 and simulation.positions == 9
    if is_nameless and simulation.key is None and simulation.replay is None:
        raise UsageError(
            _("nine positions name no meter: give --key, so that the system title says that it is simulated")
        )
    if simulation.protocol == "dlms" and (simulation.key is None) != (simulation.auth_key is None):
        raise UsageError(_("a DLMS meter that is asked needs both keys: give --key and --auth-key"))
    if simulation.protocol == "iec62056-21" and simulation.password is not None:
        password_command(simulation.password)  # nobody could send another one
    if simulation.framing == "wrapper" and (simulation.link is not None or simulation.mode == "E"):
        raise UsageError(_("the wrapper goes over TCP: give --listen, and no mode E"))


def _rising_counter(now_s: float) -> int:
    """Rises with the clock, also from one run of the simulator to the next; 32 bits last till 2037."""
    return int((now_s - 1_700_000_000) * 10) & 0xFFFF_FFFF


def _is_direct(simulation: Simulation) -> bool:
    return simulation.protocol == "dlms" and simulation.mode != "E"


def _line_of(simulation: Simulation) -> LineSettings:
    """The line at which data are sent; raises UsageError for a speed that the mode does not know."""
    if simulation.recorded_at is not None and simulation.baud is None:
        return simulation.recorded_at
    if simulation.protocol == "mbus":
        return LineSettings(simulation.baud or 2400, 8, "E")
    if simulation.framing == "wrapper":
        return LineSettings(NETWORK_BAUD)
    if simulation.protocol == "push" or simulation.recording or _is_direct(simulation):
        baud = simulation.baud or 9600
        return LineSettings(baud, 8, "E" if baud == 2400 else "N")
    if simulation.mode == "D":
        baud = simulation.baud or 2400
        return LineSettings(baud) if baud >= P1_BAUD else LineSettings(baud, 7, "E")
    baud = simulation.baud or 9600
    known = BAUD_CHARACTERS_B if simulation.mode == "B" else BAUD_CHARACTERS
    if baud not in known:
        raise UsageError(
            _("mode {mode} knows the speeds {speeds}").format(
                mode=simulation.mode, speeds=", ".join(str(speed) for speed in known)
            )
        )
    return LineSettings(baud, 7, "E")


def _split_readout(saved: bytes) -> tuple[bytes, bytes]:
    """Identification and data message of a saved readout."""
    line, end, rest = saved.partition(b"\r\n")
    if not line.startswith(b"/") or not end or not rest.startswith(b"\x02"):
        raise UsageError(_("the capture is no readout: it must begin with an identification and STX"))
    return line + end, rest
