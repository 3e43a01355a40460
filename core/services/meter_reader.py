"""Reads one meter for as long as it is asked to, whatever its protocol: finds it, reads it, tells when it is silent.

`MeterReader.run` is a coroutine of any loop; cancelled, it lets the port go within 200 ms. It publishes
MeterReadings as they come and a MeterReport, in words, whenever the state changes. Unplugging is a state, not an end.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from statistics import median

from msgspec.structs import replace

from core.errors import (
    BeffroiError,
    NoiseError,
    RepeatedMessageError,
    SerialPortMissingError,
    TransportError,
    WrongKeyError,
)
from core.language import _
from core.meter.presets import load_presets
from core.meter.readings import readings_of_push
from core.meter.readings_21 import readings_of_data_sets
from core.meter.registers import RegisterWatch
from core.protocol.data_sets import Telegram
from core.protocol.mode_c import ReadoutSession
from core.protocol.push import PushSession, PushTelegram
from core.protocol.session import Finished, Rejected, SetLine, Told
from core.records import Event, MeterIdentity, MeterReadings, MeterReport, MeterState, Severity
from core.services.meter_line import conversation
from core.services.meter_sources import PUSH_LINES, SIGN_ON_LINE, MeterSource
from core.services.probe_search import RememberedLines, search
from core.site_records import Record
from core.transport.line import LineSettings, Port
from core.transport.serial_port import open_port

SILENT_S = 8.0
"""A meter that should have sent is called silent after this time at the latest."""
STALE_PERIODS = 3.0
LEAST_SILENCE_S = 2.0
REPLUG_S = 0.5
"""Between two looks whether the port is back."""
RETRY_S = 2.0
WANTED_S = 0.2
"""Between two looks whether a readout is wanted at once."""
SEARCH_PAUSE_S = 5.0
READOUT_INTERVAL_S = 15.0
PROBES_FILE = "probes.json"


class MeterReader:
    """Reads the meter `source`; raises ConfigError or UsageError at once for a preset that is not there.

    `run` raises UsageError for a port that is none.
    """

    def __init__(
        self,
        source: MeterSource,
        publish: Callable[[Record], None],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._publish = publish
        self._clock = clock
        self._presets = load_presets(source.home)
        self._preset = self._presets.named(source.preset) if source.preset is not None else None
        self._remembered = RememberedLines(None if source.home is None else source.home / PROBES_FILE)
        self._identity: MeterIdentity | None = None
        self._name = source.name
        self._state: MeterState | None = None
        self._settled: MeterState | None = None
        self._told: MeterReport | None = None
        self._protocol: str | None = None if source.protocol == "auto" else source.protocol
        self._line: LineSettings | None = None
        self._is_ciphered: bool | None = None
        self._is_authenticated: bool | None = None
        self._is_simulated = False
        self._registers = RegisterWatch()
        self._factors_told: set[tuple[str, int]] = set()
        self._problem: str | None = None
        self._repeated = 0
        self._is_noise_told = False
        self._arrivals: deque[float] = deque(maxlen=6)
        self._silent_at_s: float | None = None
        self._period_s: float | None = None
        self._highest_baud = 19200
        self._is_wanted = False
        self._interval_s = source.interval_s or READOUT_INTERVAL_S

    @property
    def name(self) -> str:
        """The meter's name in the console, as far as it is known."""
        return self._name or self._source.port

    def read_now(self) -> None:
        """Ask for a readout at once where the meter is one that is asked; from any thread."""
        self._is_wanted = True

    async def run(self) -> None:
        """Read until cancelled."""
        watch = asyncio.create_task(self._watch_silence())
        try:
            while True:
                await self._visit()
        except asyncio.CancelledError:
            self._report(MeterState.DISCONNECTED, _("disconnected"), is_ended=True)
            raise
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    async def _visit(self) -> None:
        """Open the port and read until something breaks; then wait a moment, so that a replug is found."""
        source = self._source
        self._problem, self._is_noise_told = None, False
        try:
            port = await open_port(source.port, self._source.first_line)
        except TransportError as error:
            is_gone = isinstance(error, SerialPortMissingError)
            self._report(MeterState.DISCONNECTED if is_gone else MeterState.FAILED, str(error))
            await asyncio.sleep(REPLUG_S)
            return
        try:
            if source.protocol == "iec62056-21":
                await self._read_out(port, None)
            elif source.protocol == "push" and (source.baud is not None or not port.has_speed):
                self._tell_search(
                    _("waiting for the meter to send, at {line}").format(
                        line=self._source.first_line if port.has_speed else port.url
                    ),
                    self._source.first_line,
                )
                await self._listen(port, self._source.new_push())
            else:
                await self._search(port)
        except TransportError as error:
            self._report(MeterState.DISCONNECTED, str(error))
            await asyncio.sleep(REPLUG_S)
        finally:
            self._silent_at_s = None
            port.close()

    async def _search(self, port: Port) -> None:
        source = self._source
        lines = PUSH_LINES if source.baud is None else (self._source.first_line,)
        outcome = await search(
            port,
            source.new_push,
            self._tell_search,
            remembered=self._remembered.line_of(source.port) if source.protocol == "auto" else None,
            lines=lines,
            is_signing_on=source.protocol == "auto",
            address=source.address,
        )
        found = outcome.found
        if found is None:
            self._report(
                MeterState.SILENT,
                _("no meter was found on {port}: {what}; check that the probe sits on the meter's port").format(
                    port=source.port, what=outcome.text
                ),
            )
            await self._rest(port, SEARCH_PAUSE_S)
            return
        self._remembered.remember(source.port, found.protocol, found.line)
        self._protocol = found.protocol
        self._line = found.line
        if found.push is not None:
            await self._listen(port, found.push)
        else:
            self._highest_baud = found.baud or self._highest_baud
            await self._read_out(port, found.telegram)

    async def _listen(self, port: Port, session: PushSession) -> None:
        """Take pushes in until the port is gone."""
        self._protocol = "push"
        self._line = self._line or self._source.first_line
        self._expect(SILENT_S + (self._source.period_s or 0.0))
        async with contextlib.aclosing(conversation(session, port)) as events:
            async for event in events:
                if isinstance(event, Told) and isinstance(event.telegram, PushTelegram):
                    telegram = event.telegram
                    self._is_ciphered = telegram.is_ciphered
                    self._is_authenticated = telegram.is_authenticated
                    self._take(
                        readings_of_push(
                            telegram,
                            name=self._source.name,
                            time_s=self._clock(),
                            preset=self._preset,
                            presets=self._presets,
                            identity=self._identity,
                            factors_told=self._factors_told,
                        )
                    )
                elif isinstance(event, Rejected):
                    self._tell_rejected(event.error)

    async def _read_out(self, port: Port, first: Telegram | None) -> None:
        """Ask the meter again and again until the port is gone."""
        loop = asyncio.get_running_loop()
        self._protocol = "iec62056-21"
        self._line = None
        if first is not None:
            self._take_readout(first)
            await self._rest(port, self._interval_s)
        while True:
            began_s = loop.time()
            if self._state in (None, MeterState.SEARCHING, MeterState.DISCONNECTED):
                self._tell_search(_("signing on with /?! at {line}…").format(line=SIGN_ON_LINE), SIGN_ON_LINE)
            is_read = await self._read_out_once(port)
            pause_s = began_s + self._interval_s - loop.time() if is_read else RETRY_S
            await self._rest(port, max(pause_s, 0.5))

    async def _read_out_once(self, port: Port) -> bool:
        session = ReadoutSession(self._source.address, highest_baud=self._source.baud or self._highest_baud)
        async with contextlib.aclosing(conversation(session, port)) as events:
            async for event in events:
                if isinstance(event, Told) and isinstance(event.telegram, Telegram):
                    self._highest_baud = max(session.baud, 300)
                    self._take_readout(event.telegram)
                elif isinstance(event, SetLine):
                    self._line = LineSettings(event.baud, event.data_bits, event.parity)
                elif isinstance(event, Rejected):
                    self._tell_failed_attempt(event.error, is_trying=True)
                elif isinstance(event, Finished):
                    if event.error is not None:
                        self._highest_baud = 19200
                        self._tell_failed_attempt(event.error)
                    return event.error is None
        return False

    async def _rest(self, port: Port, seconds: float) -> None:
        """Let `seconds` pass with an eye on the port; what comes meanwhile was not asked for."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + seconds
        while (left_s := end_s - loop.time()) > 0 and not self._is_wanted:
            await port.read(min(left_s, WANTED_S))
        self._is_wanted = False

    def _take_readout(self, telegram: Telegram) -> None:
        self._take(readings_of_data_sets(telegram, name=self._source.name, time_s=self._clock()))

    def _take(self, readings: MeterReadings) -> None:
        """Publish what a telegram said, and note when the next one is due."""
        self._identity = readings.meter
        self._is_simulated = readings.is_simulated
        if self._name is None:
            self._name = readings.name or None
        if readings.name != self.name:
            readings = replace(readings, name=self.name)
        self._publish(self._registers.checked(readings))
        self._problem, self._repeated, self._is_noise_told = None, 0, False
        self._note_arrival()
        meter = readings.meter.serial_number or readings.meter.model or self.name
        self._report(
            MeterState.READING,
            _("simulated meter {meter} is read").format(meter=meter)
            if self._is_simulated
            else _("meter {meter} is read").format(meter=meter),
        )

    def _note_arrival(self) -> None:
        """A whole message came, readable or not: note when the next one is due."""
        self._arrivals.append(asyncio.get_running_loop().time())
        if len(self._arrivals) > 1:
            period_s = median(later - earlier for earlier, later in pairwise(self._arrivals))
            if self._period_s is None or not 0.8 < period_s / max(self._period_s, 0.001) < 1.25:
                self._period_s = period_s  # a new one only where it is another: jitter is not worth a report
        if self._protocol == "iec62056-21":
            due_s = self._interval_s + SILENT_S
        elif self._period_s is not None:
            due_s = max(LEAST_SILENCE_S, min(STALE_PERIODS * self._period_s, self._period_s + SILENT_S))
        else:
            due_s = 900.0 + SILENT_S  # the longest period of a push; the next telegram tells the real one
        self._expect(due_s)

    def _tell_rejected(self, error: BeffroiError) -> None:
        """Say why octets were not taken; a meter that sends what nobody may read is not silent."""
        self._problem = str(error)
        if isinstance(error, WrongKeyError):
            self._note_arrival()
            self._report(MeterState.FAILED, str(error), needs_key=True, is_problem=True)
        elif isinstance(error, RepeatedMessageError):
            self._note_arrival()
            self._repeated += 1
            if self._repeated == 1 and self._state is not None:
                self._report(self._state, str(error), is_problem=True)
            else:
                self._report(
                    MeterState.FAILED,
                    _("{reason}; what comes is a recording played again, or not from this meter").format(reason=error),
                    is_problem=True,
                )
        elif isinstance(error, NoiseError):
            if self._state is not MeterState.READING and not self._is_noise_told:
                self._is_noise_told = True  # told once: a noisy line goes on and on
                self._report(self._state or MeterState.SEARCHING, str(error), is_problem=True)
        else:
            self._report(self._state or MeterState.SEARCHING, str(error), is_problem=True)

    def _tell_failed_attempt(self, error: BeffroiError, *, is_trying: bool = False) -> None:
        state = MeterState.SILENT if isinstance(error, TransportError) else MeterState.FAILED
        text = _("{reason}; trying again").format(reason=error) if is_trying else str(error)
        self._report(state, text, is_trying=is_trying)

    def _tell_search(self, text: str, line: LineSettings) -> None:
        self._line = line
        self._report(MeterState.SEARCHING, text)

    def _expect(self, seconds: float | None) -> None:
        self._silent_at_s = None if seconds is None else asyncio.get_running_loop().time() + seconds

    async def _watch_silence(self) -> None:
        """Tell a meter that has stopped, within its time."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0.25)
            if self._silent_at_s is None or loop.time() < self._silent_at_s:
                continue
            self._silent_at_s = None
            if self._arrivals:
                since_s = loop.time() - self._arrivals[-1]
                self._report(
                    MeterState.SILENT,
                    _("nothing has come from the meter for {seconds:.0f} s").format(seconds=since_s)
                    if self._problem is None
                    else _("nothing readable has come from the meter for {seconds:.0f} s ({reason})").format(
                        seconds=since_s, reason=self._problem
                    ),
                )
            elif self._problem is not None:
                self._report(
                    MeterState.FAILED,
                    _("what comes on {port} at {line} cannot be read: {reason}; is this the meter's speed?").format(
                        port=self._source.port, line=self._line, reason=self._problem
                    ),
                )
            else:
                self._report(
                    MeterState.SILENT,
                    _("nothing comes on {port} at {line}; does the meter push, at this speed?").format(
                        port=self._source.port, line=self._line
                    ),
                )

    def _report(
        self,
        state: MeterState,
        text: str,
        *,
        needs_key: bool = False,
        is_problem: bool = False,
        is_trying: bool = False,
        is_ended: bool = False,
    ) -> None:
        """Publish where the reading stands, if anything of it is new; a change of state is an event too."""
        report = MeterReport(
            name=self.name,
            port=self._source.port,
            state=state,
            text=text,
            time_s=self._clock(),
            protocol=self._protocol,
            line=None if self._line is None or self._source.port.startswith("socket://") else str(self._line),
            period_s=None if self._period_s is None else round(self._period_s, 1),
            is_ciphered=self._is_ciphered,
            is_authenticated=self._is_authenticated,
            needs_key=needs_key,
            is_simulated=self._is_simulated,
            is_problem=is_problem,
            is_trying=is_trying,
            is_ended=is_ended,
        )
        told = self._told
        self._told, self._state = report, state
        if told is not None and replace(told, time_s=report.time_s) == report:
            return
        self._publish(report)
        if state is not self._settled and state is not MeterState.SEARCHING:
            self._settled = state
            is_bad = state in (MeterState.SILENT, MeterState.FAILED)
            self._publish(
                Event(
                    time_s=report.time_s,
                    source=f"meter/{self.name}",
                    kind=f"meter_{state.value}",
                    severity=Severity.WARNING if is_bad else Severity.INFO,
                    text=text,
                )
            )
