"""What a reader tells of its meter: readings under its name, where it stands in words, and when it is silent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from statistics import median

from msgspec.structs import replace

from core.errors import (
    BeffroiError,
    NoiseError,
    RepeatedMessageError,
    TransportError,
    WrongKeyError,
    WrongPasswordError,
)
from core.language import _
from core.meter.registers import RegisterWatch
from core.records import Event, MeterIdentity, MeterReadings, MeterReport, MeterState, Severity
from core.services.meter_sources import MeterSource
from core.site_records import Record
from core.transport.line import LineSettings
from core.transport.tcp_line import SOCKET

SILENT_S = 8.0
"""A meter that should have sent, or answered, is called silent after this time at the latest."""
STALE_PERIODS = 3.0
LEAST_SILENCE_S = 2.0
LONGEST_PERIOD_S = 900.0
"""The longest period of a push; the second telegram tells the real one."""
LOOK_S = 0.25


class MeterTelling:
    """Publishes for one reader; all but the attributes that are only read belong to the reader's loop."""

    def __init__(self, source: MeterSource, publish: Callable[[Record], None], clock: Callable[[], float]) -> None:
        self.port = source.port
        self.protocol: str | None = None if source.protocol == "auto" else source.protocol
        self.line: LineSettings | None = None
        self.identity: MeterIdentity | None = None
        self.state: MeterState | None = None
        self.is_simulated = False
        self.is_ciphered: bool | None = None
        self.is_authenticated: bool | None = None
        self.last: MeterReadings | None = None
        self.publish = publish
        self._source = source
        self._clock = clock
        self._name = source.name
        self._settled: MeterState | None = None
        self._told: MeterReport | None = None
        self._registers = RegisterWatch()
        self._problem: str | None = None
        self._repeated = 0
        self._is_noise_told = False
        self._arrivals: deque[float] = deque(maxlen=6)
        self._silent_at_s: float | None = None
        self._asked_at_s: float | None = None
        self._period_s: float | None = None

    @property
    def name(self) -> str:
        """The meter's name in the console, as far as it is known."""
        return self._name or self.port

    def begin(self) -> None:
        """The port is opened anew: what was wrong before counts no more."""
        self._problem, self._is_noise_told = None, False

    # Readings

    def know(self, identity: MeterIdentity, *, is_simulated: bool) -> None:
        """The meter has said who it is, before it has given a reading."""
        self.identity, self.is_simulated = identity, is_simulated
        if self._name is None:
            self._name = identity.serial_number

    def take(self, readings: MeterReadings) -> None:
        """Publish what a telegram said, and note when the next one is due."""
        self.identity = readings.meter
        self.is_simulated = readings.is_simulated
        if self._name is None:
            self._name = readings.name or None
        if readings.name != self.name:
            readings = replace(readings, name=self.name)
        self.last = readings
        self.publish(self._registers.checked(readings))
        self._problem, self._repeated, self._is_noise_told = None, 0, False
        self._note_arrival()
        meter = readings.meter.serial_number or readings.meter.model or self.name
        self.report(
            MeterState.READING,
            _("simulated meter {meter} is read").format(meter=meter)
            if self.is_simulated
            else _("meter {meter} is read").format(meter=meter),
        )

    def _note_arrival(self) -> None:
        """A whole message came, readable or not: note when the next one is due, where the meter sends by itself."""
        self._arrivals.append(asyncio.get_running_loop().time())
        if len(self._arrivals) > 1:
            period_s = median(later - earlier for earlier, later in pairwise(self._arrivals))
            if self._period_s is None or not 0.8 < period_s / max(self._period_s, 0.001) < 1.25:
                self._period_s = period_s  # a new one only where it is another: jitter is not worth a report
        if self._asked_at_s is not None:
            return
        known_s = self._period_s or self._source.period_s  # measured, else as it is configured
        if known_s is not None:
            due_s = max(LEAST_SILENCE_S, min(STALE_PERIODS * known_s, known_s + SILENT_S))
        else:
            due_s = LONGEST_PERIOD_S + SILENT_S
        self.expect(due_s)

    # What goes wrong

    def rejected(self, error: BeffroiError) -> None:
        """Say why octets were not taken; a meter that sends what nobody may read is not silent."""
        self._problem = str(error)
        if isinstance(error, WrongKeyError):
            self._note_arrival()
            self.report(MeterState.FAILED, str(error), needs_key=True, is_problem=True)
        elif isinstance(error, RepeatedMessageError):
            self._note_arrival()
            self._repeated += 1
            if self._repeated == 1 and self.state is not None:
                self.report(self.state, str(error), is_problem=True)
            else:
                self.report(
                    MeterState.FAILED,
                    _("{reason}; what comes is a recording played again, or not from this meter").format(reason=error),
                    is_problem=True,
                )
        elif isinstance(error, NoiseError):
            if self.state is not MeterState.READING and not self._is_noise_told:
                self._is_noise_told = True  # told once: a noisy line goes on and on
                self.report(self.state or MeterState.SEARCHING, str(error), is_problem=True)
        else:
            self.report(self.state or MeterState.SEARCHING, str(error), is_problem=True)

    def failed(self, error: BeffroiError, *, is_trying: bool = False) -> None:
        """Say why an attempt to ask the meter failed; with `is_trying` the same attempt goes on."""
        state = MeterState.SILENT if isinstance(error, TransportError) else MeterState.FAILED
        text = _("{reason}; trying again").format(reason=error) if is_trying else str(error)
        self.report(state, text, is_trying=is_trying)

    def refused(self, error: BeffroiError, *, is_over: bool) -> None:
        """Say that the meter takes no such password, or key; `is_over` when it is not asked any more."""
        self.report(
            MeterState.FAILED if is_over else self.state or MeterState.SEARCHING,
            str(error),
            needs_password=isinstance(error, WrongPasswordError),
            needs_key=isinstance(error, WrongKeyError),
            is_problem=not is_over,
        )

    def search(self, text: str, line: LineSettings | None) -> None:
        """Say what is being tried."""
        self.line = line
        self.report(MeterState.SEARCHING, text)

    # Silence

    def expect(self, seconds: float | None) -> None:
        """A push is due within `seconds`; None: nothing is."""
        self._asked_at_s = None
        self._silent_at_s = None if seconds is None else asyncio.get_running_loop().time() + seconds

    def asked(self) -> None:
        """The meter is being asked, until `expect(None)`: something has to be heard of it within SILENT_S."""
        now_s = asyncio.get_running_loop().time()
        self._asked_at_s, self._silent_at_s = now_s, now_s + SILENT_S

    def heard(self, _octets: bytes) -> None:
        """Octets came: whoever is being asked and answers at length is not silent."""
        if self._asked_at_s is not None:
            self.asked()

    async def watch_silence(self) -> None:
        """Tell a meter that has stopped, within its time; until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_S)
            if self._silent_at_s is None or loop.time() < self._silent_at_s:
                continue
            self._silent_at_s = None
            self._tell_silence(loop.time())

    def _tell_silence(self, now_s: float) -> None:
        if self._asked_at_s is not None:
            self.report(
                MeterState.SILENT,
                _("the meter has not answered for {seconds:.0f} s; asking goes on").format(
                    seconds=now_s - self._asked_at_s
                ),
                is_trying=True,
            )
        elif self._arrivals:
            since_s = now_s - self._arrivals[-1]
            self.report(
                MeterState.SILENT,
                _("nothing has come from the meter for {seconds:.0f} s").format(seconds=since_s)
                if self._problem is None
                else _("nothing readable has come from the meter for {seconds:.0f} s ({reason})").format(
                    seconds=since_s, reason=self._problem
                ),
            )
        elif self._problem is not None:
            self.report(
                MeterState.FAILED,
                _("what comes on {port} at {line} cannot be read: {reason}; is this the meter's speed?").format(
                    port=self.port, line=self.line, reason=self._problem
                ),
            )
        else:
            self.report(
                MeterState.SILENT,
                _("nothing comes on {port} at {line}; does the meter push, at this speed?").format(
                    port=self.port, line=self.line
                ),
            )

    # Reports

    def report(
        self,
        state: MeterState,
        text: str,
        *,
        needs_key: bool = False,
        needs_password: bool = False,
        is_problem: bool = False,
        is_trying: bool = False,
        is_ended: bool = False,
    ) -> None:
        """Publish where the reading stands, if anything of it is new; a change of state is an event too."""
        report = MeterReport(
            name=self.name,
            port=self.port,
            state=state,
            text=text,
            time_s=self._clock(),
            protocol=self.protocol,
            line=None if self.line is None or self.port.startswith(SOCKET) else str(self.line),
            period_s=None if self._period_s is None else round(self._period_s, 1),
            is_ciphered=self.is_ciphered,
            is_authenticated=self.is_authenticated,
            needs_key=needs_key,
            needs_password=needs_password,
            is_simulated=self.is_simulated,
            is_problem=is_problem,
            is_trying=is_trying,
            is_ended=is_ended,
        )
        told = self._told
        self._told, self.state = report, state
        if told is not None and replace(told, time_s=report.time_s) == report:
            return
        self.publish(report)
        if state is not self._settled and state is not MeterState.SEARCHING:
            self._settled = state
            is_bad = state in (MeterState.SILENT, MeterState.FAILED)
            self.publish(
                Event(
                    time_s=report.time_s,
                    source=f"meter/{self.name}",
                    kind=f"meter_{state.value}",
                    severity=Severity.WARNING if is_bad else Severity.INFO,
                    text=text,
                )
            )

    def note(self, kind: str, text: str) -> None:
        """Keep an event of this meter."""
        self.publish(
            Event(time_s=self._clock(), source=f"meter/{self.name}", kind=kind, severity=Severity.INFO, text=text)
        )
