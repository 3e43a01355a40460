"""Reads one meter for as long as it is asked to, whatever its protocol: finds it, reads it, tells when it is silent.

`MeterReader.run` is a coroutine of any loop; cancelled, it lets the port go within 200 ms. It publishes
MeterReadings as they come and a MeterReport, in words, whenever the state changes. Unplugging is a state, not an end.
A meter that sends by itself is listened to, any other is asked through a Dialogue; what somebody wants to know in
between (registers, a load profile) comes from the same conversation.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from core.errors import (
    BeffroiError,
    SerialPortMissingError,
    TransportError,
    WrongKeyError,
    WrongPasswordError,
)
from core.language import _
from core.meter.presets import load_presets
from core.meter.readings_21 import readings_of_data_sets
from core.meter_records import LineOctets
from core.records import MeterState
from core.services.gap_filling import GapFilling
from core.services.heard_session import HeardSession
from core.services.line_tap import LineWatch, TappedPort
from core.services.meter_asking import MeterAsking, answer_all
from core.services.meter_asks import AskQueue, ProfileAsk, RegistersAsk
from core.services.meter_dialogues import DIALOGUES, INTERVALS_S, new_dialogue
from core.services.meter_listening import MeterListening
from core.services.meter_sources import PUSH_LINES, MeterSource
from core.services.meter_telling import MeterTelling
from core.services.probe_search import LISTEN_S, Found, RememberedLines, listen, search
from core.services.secrets import with_secrets
from core.services.shared_lines import SharedLines
from core.site_records import Record
from core.transport.line import Port
from core.transport.serial_port import device_with, open_port, usb_serial_of

REPLUG_S = 0.5
"""Between two looks whether the port is back."""
WANTED_S = 0.2
"""Between two looks whether a meter that refused a password is wanted again."""
SEARCH_PAUSE_S = 5.0
MODE_D_SILENCE_S = 6.0
"""A meter of mode D sends its telegrams without much of a pause; who is silent so long wants to be asked."""
PROBES_FILE = "probes.json"


class MeterReader:
    """Reads the meter `source`; raises ConfigError or UsageError at once for a preset that is not there.

    `run` raises UsageError for a port that is none, and ConfigError for a secret that the keyring does not give.
    `on_octets` hears all octets of the line as they come, each time the port gave or took some, in the reader's loop.
    `lines` are the ports that several readers of one loop share; `last_row` says when the history of a meter ends.
    """

    def __init__(
        self,
        source: MeterSource,
        publish: Callable[[Record], None],
        *,
        clock: Callable[[], float] = time.time,
        on_octets: Callable[[LineOctets], None] | None = None,
        lines: SharedLines | None = None,
        last_row: Callable[[str], Awaitable[float | None]] | None = None,
    ) -> None:
        self._source = source
        self._clock = clock
        self._on_octets = on_octets
        self._lines = lines or SharedLines()
        self._last_row = last_row
        self._presets = load_presets(source.home)
        self._preset = self._presets.named(source.preset) if source.preset is not None else None
        self._remembered = RememberedLines(None if source.home is None else source.home / PROBES_FILE)
        self._telling = MeterTelling(source, publish, clock)
        self._watch = LineWatch(publish)
        self._asks = AskQueue()
        self._filling = GapFilling(source.home)

    @property
    def name(self) -> str:
        """The meter's name in the console, as far as it is known."""
        return self._telling.name

    # From any thread

    def read_now(self) -> None:
        """Ask for a reading at once where the meter is one that is asked; also one that refused a password before."""
        self._asks.want_reading()

    def read_registers(self, codes: Sequence[str] = ()) -> None:
        """Have these registers read, or all that the meter lists; they come as RegisterList, in parts.

        Raises UsageError where too much waits to be read already.
        """
        self._asks.put(RegistersAsk(tuple(codes)))

    def read_profile(self, start_s: float, end_s: float, obis: str | None = None) -> None:
        """Have the load profile from `start_s` to before `end_s` read; it comes as ProfilePart, in parts.

        Raises UsageError where too much waits to be read already.
        """
        self._asks.put(ProfileAsk(start_s, end_s, obis))

    def cancel_asks(self) -> None:
        """End what registers and load profiles were asked for; the usual readings go on."""
        self._asks.cancel()

    def watch_line(self, is_wanted: bool) -> None:
        """Publish the octets of the line as LineOctets from now on, or no more: 20 records a second at most."""
        self._watch.is_wanted = is_wanted

    # In the reader's loop

    async def run(self) -> None:
        """Read until cancelled."""
        source = self._source = (
            await asyncio.to_thread(with_secrets, self._source) if self._source.keyring else self._source
        )
        if source.name is not None and self._last_row is not None:
            with contextlib.suppress(BeffroiError):
                self._filling.begin(await self._last_row(source.name))
        behind = [
            asyncio.ensure_future(work) for work in (self._telling.watch_silence(), self._watch.run(lambda: self.name))
        ]
        try:
            while True:
                await self._visit()
        except asyncio.CancelledError:
            self._telling.report(MeterState.DISCONNECTED, _("disconnected"), is_ended=True)
            raise
        finally:
            for task in behind:
                task.cancel()
            await asyncio.wait(behind)

    async def _visit(self) -> None:
        """Open the port and read until something breaks; then wait a moment, so that a replug is found."""
        telling = self._telling
        telling.begin()
        try:
            async with self._opened() as (port, turn):
                await self._read(port, turn)
        except (WrongPasswordError, WrongKeyError) as error:
            telling.expect(None)
            telling.refused(error, is_over=True)
            await self._wait_until_wanted(error)
        except TransportError as error:
            is_gone = isinstance(error, SerialPortMissingError)
            telling.report(MeterState.DISCONNECTED if is_gone else MeterState.FAILED, str(error))
            answer_all(self._asks, telling, str(error), self._clock())
            await asyncio.sleep(REPLUG_S)
        finally:
            telling.expect(None)

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[tuple[Port, asyncio.Lock | None]]:
        """The port, tapped, and whose turn it is where it is shared; open for as long as the block."""
        source, telling = self._source, self._telling
        device = source.port
        if source.usb_serial is not None:
            device = await asyncio.to_thread(device_with, source.usb_serial)
        telling.port = device

        async def open_it() -> Port:
            return await open_port(device, source.first_line)

        if source.protocol == "mbus":
            async with self._lines.opened(device, open_it) as (port, turn):
                yield self._tapped(port), turn
            return
        port = await open_it()
        try:
            yield self._tapped(port), None
        finally:
            port.close()

    def _tapped(self, port: Port) -> Port:
        return TappedPort(
            port,
            heard=self._telling.heard,
            tell=self._show,
            is_wanted=lambda: self._on_octets is not None or self._watch.is_wanted,
            name=lambda: self.name,
            clock=self._clock,
        )

    def _show(self, record: LineOctets) -> None:
        if self._on_octets is not None:
            self._on_octets(record)
        if self._watch.is_wanted:
            self._watch.put(record)

    async def _wait_until_wanted(self, error: BeffroiError) -> None:
        """Send nothing until somebody asks for a reading; who asks for more gets the same refusal."""
        while not self._asks.take_reading():
            answer_all(self._asks, self._telling, str(error), self._clock())
            await asyncio.sleep(WANTED_S)

    async def _read(self, port: Port, turn: asyncio.Lock | None) -> None:
        source = self._source
        is_iec = source.protocol == "iec62056-21"
        if (is_iec and source.is_unasked) or (
            source.protocol == "push" and (source.baud is not None or not port.has_speed)
        ):
            self._telling.search(
                _("waiting for the meter to send, at {line}").format(
                    line=source.first_line if port.has_speed else port.url
                ),
                source.first_line,
            )
            await self._listen(port, HeardSession(source.new_push()))
        elif is_iec and (session := await self._telegrams(port)) is not None:
            await self._listen(port, session)
        elif source.protocol in DIALOGUES:
            await self._ask(port, turn, source.protocol)
        else:
            await self._search(port)

    async def _telegrams(self, port: Port) -> HeardSession | None:
        """What hears a meter of mode D, where the speed is that of one; None where none is heard."""
        line = self._source.telegram_line
        if line is None:
            return None
        session = HeardSession(self._source.new_push())
        outcome = await listen(port, session, self._telling.search, line, LISTEN_S, silence_s=MODE_D_SILENCE_S)
        if outcome.found is None:
            return None
        self._telling.line = line
        return session

    async def _search(self, port: Port) -> None:
        source, telling = self._source, self._telling
        is_auto = source.protocol == "auto"
        usb_serial = await asyncio.to_thread(usb_serial_of, telling.port) if port.has_speed else None
        outcome = await search(
            port,
            source,
            telling.search,
            remembered=self._remembered.line_of(telling.port, usb_serial) if is_auto else None,
            lines=PUSH_LINES if source.baud is None else (source.first_line,),
            is_asking=is_auto,
            clock=self._clock,
        )
        found = outcome.found
        if found is None:
            telling.report(
                MeterState.SILENT,
                _("no meter was found on {port}: {what}; check that the probe sits on the meter's port").format(
                    port=telling.port, what=outcome.text
                ),
            )
            answer_all(self._asks, telling, outcome.text, self._clock())
            await self._rest(port)
            return
        self._remembered.remember(telling.port, usb_serial, found.protocol, found.line)
        telling.line = found.line
        if found.push is not None:
            await self._listen(port, found.push)
        else:
            await self._ask_found(port, found)

    async def _ask_found(self, port: Port, found: Found) -> None:
        """Go on asking a meter that the search has found; its first telegram is not lost."""
        if found.telegram is None:
            await self._ask(port, None, found.protocol)
            return
        self._telling.protocol = found.protocol
        self._telling.take(readings_of_data_sets(found.telegram, name=self._source.name, time_s=self._clock()))
        self._telling.expect(None)
        await self._ask(port, None, found.protocol, first_pause_s=self._interval_s(found.protocol))

    async def _ask(self, port: Port, turn: asyncio.Lock | None, protocol: str, *, first_pause_s: float = 0.0) -> None:
        self._telling.protocol = protocol
        asking = MeterAsking(
            self._source, self._telling, self._asks, self._filling, self._clock, interval_s=INTERVALS_S[protocol]
        )
        await asking.run(port, new_dialogue(protocol), turn, first_pause_s)

    def _interval_s(self, protocol: str) -> float:
        return self._source.interval_s or INTERVALS_S[protocol]

    async def _listen(self, port: Port, session: HeardSession) -> None:
        telling = self._telling
        telling.protocol = "push"
        telling.line = telling.line or self._source.first_line
        listening = MeterListening(
            self._source, telling, self._asks, self._clock, presets=self._presets, preset=self._preset
        )
        await listening.run(port, session)

    async def _rest(self, port: Port) -> None:
        """Let some time pass with an eye on the port."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + SEARCH_PAUSE_S
        while (left_s := end_s - loop.time()) > 0 and not self._asks.take_reading():
            await port.read(min(left_s, WANTED_S))
