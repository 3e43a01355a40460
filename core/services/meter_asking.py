"""Asks a meter over an open port, again and again: its usual quantities, and in between what somebody wants to know.

A dialogue that stays open between two readings answers faster; where readings are far apart, or others share the line,
it is closed after each. After a failure the meter is left alone for 2 s, then 5 s, then 10 s each time. A password or
a key that the meter refuses is never sent again by itself: that is raised, and whoever runs this stops.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import TypeVar

from msgspec.structs import replace

from core.errors import (
    BeffroiError,
    RefusedError,
    RemoteProtocolError,
    SerialPortMissingError,
    TransportError,
    UsageError,
    WrongKeyError,
    WrongPasswordError,
)
from core.language import _
from core.meter_records import ProfilePart, RegisterList, RegisterValue
from core.protocol.session import Rejected, SetLine
from core.records import MeterIdentity, MeterState
from core.services.gap_filling import GapFilling
from core.services.meter_asks import Ask, AskQueue, ProfileAsk, RegistersAsk
from core.services.meter_dialogue import Dialogue, NewDialogue, PacedDialogue
from core.services.meter_sources import SIGN_ON_LINE, MeterSource
from core.services.meter_telling import MeterTelling
from core.transport.line import LineSettings, Port

PAUSES_S = (2.0, 5.0, 10.0)
"""After the first failure, the second, and every one that follows."""
KEEP_OPEN_S = 20.0
"""A meter hangs up by itself after a time of silence (30 s and more): readings further apart each begin anew."""
LEAST_PAUSE_S = 0.02
LOOK_S = 0.2
"""Between two looks whether something is wanted at once."""
GLANCE_S = 0.005
"""How long a shared port is looked at, to learn whether it is still there."""
PART_REGISTERS = 50
PART_S = 0.5
"""Registers are told so many at a time, or so often."""

REFUSALS = (WrongPasswordError, WrongKeyError)

T = TypeVar("T")


class _StoppedError(BeffroiError):
    """Whoever asked does not want the answer any more; the conversation is in the middle of it."""


class MeterAsking:
    """Asks the meter of `source`; `is_alone` False where others speak over the same port."""

    def __init__(
        self,
        source: MeterSource,
        telling: MeterTelling,
        asks: AskQueue,
        filling: GapFilling,
        clock: Callable[[], float],
        *,
        interval_s: float,
    ) -> None:
        self._source = source
        self._telling = telling
        self._asks = asks
        self._filling = filling
        self._clock = clock
        self._interval_s = source.interval_s or interval_s
        self._failures = 0

    async def run(self, port: Port, make: NewDialogue, turn: asyncio.Lock | None, first_pause_s: float = 0.0) -> None:
        """Ask until the port is gone; `turn` is held while speaking, where the port is shared.

        Raises SerialPortMissingError, UsageError, and WrongPasswordError or WrongKeyError.
        """
        if first_pause_s:
            await self._rest(port, first_pause_s, turn)
        while True:
            try:
                async with turn or contextlib.nullcontext():
                    pause_s = await self._converse(port, make, is_alone=turn is None)
            except (SerialPortMissingError, UsageError, *REFUSALS):
                raise
            except (TransportError, RemoteProtocolError, RefusedError) as error:
                self._telling.expect(None)
                self._telling.failed(error)
                answer_all(self._asks, self._telling, str(error), self._clock())
                pause_s = PAUSES_S[min(self._failures, len(PAUSES_S) - 1)]
                self._failures += 1
            await self._rest(port, pause_s, turn)

    async def _converse(self, port: Port, make: NewDialogue, *, is_alone: bool) -> float:
        """One conversation, from its opening on; the seconds to wait before the next one."""
        loop, telling = asyncio.get_running_loop(), self._telling
        dialogue = make(self._source, port, self._on_told, self._clock)
        try:
            telling.asked()
            if telling.state in (None, MeterState.SEARCHING, MeterState.DISCONNECTED):
                telling.search(_opening(telling.protocol, telling.port), telling.line or self._source.first_line)
            await dialogue.open()
            telling.know(dialogue.identity, is_simulated=dialogue.is_simulated)
            while True:
                began_s = loop.time()
                while (ask := self._asks.take()) is not None:
                    telling.asked()
                    if not await self._carry_out(dialogue, ask):
                        return 0.0
                telling.asked()
                readings = await dialogue.read()
                telling.expect(None)
                self._asks.take_reading()
                telling.take(readings)
                self._failures = 0
                self._filling.note_reading(telling.name, self._clock(), self._asks)
                interval_s = self._pace_of(dialogue)
                pause_s = max(began_s + interval_s - loop.time(), LEAST_PAUSE_S)
                if not is_alone or interval_s > KEEP_OPEN_S:
                    return pause_s
                await self._rest(port, pause_s)
        finally:
            telling.expect(None)
            await _closed(dialogue)

    def _pace_of(self, dialogue: Dialogue) -> float:
        """From the beginning of a reading to the next: what somebody chose counts more than what the protocol can."""
        if not self._source.interval_s and isinstance(dialogue, PacedDialogue):
            return dialogue.pace_s or self._interval_s
        return self._interval_s

    async def _rest(self, port: Port, seconds: float, turn: asyncio.Lock | None = None) -> None:
        """Let `seconds` pass with an eye on the port; what comes meanwhile was not asked for.

        A shared port is only looked at while nobody speaks over it.
        """
        loop = asyncio.get_running_loop()
        end_s = loop.time() + seconds
        while (left_s := end_s - loop.time()) > 0 and not self._asks:
            if turn is None:
                await port.read(min(left_s, LOOK_S))
                continue
            await asyncio.sleep(min(left_s, LOOK_S))
            if not turn.locked():
                async with turn:
                    await port.read(GLANCE_S)
        self._asks.take_reading()

    def _on_told(self, what: Rejected | SetLine | str) -> None:
        """What a dialogue tells of its way."""
        telling = self._telling
        if isinstance(what, SetLine):
            telling.line = LineSettings(what.baud, what.data_bits, what.parity)
        elif isinstance(what, Rejected):
            if telling.state is MeterState.READING:
                telling.rejected(what.error)
            else:
                telling.failed(what.error, is_trying=True)
        elif telling.state in (None, MeterState.SEARCHING, MeterState.DISCONNECTED):
            telling.search(what, telling.line)

    # What is wanted in between

    async def _carry_out(self, dialogue: Dialogue, ask: Ask) -> bool:
        """Do what is asked; False when the conversation is in doubt, and another one has to begin."""
        error: BeffroiError | None = None
        try:
            if isinstance(ask, RegistersAsk):
                error = await self._registers(dialogue, ask)
            else:
                error = await self._profile(dialogue, ask)
        finally:
            self._telling.expect(None)
        if error is None or isinstance(error, UsageError):
            return True
        if isinstance(error, REFUSALS) and self._has_secret():
            raise error
        if isinstance(error, SerialPortMissingError):
            raise error
        return False

    def _tell_refusal(self, error: BeffroiError) -> None:
        """Whoever asked hears of a password or a key that is missing before the answer is over."""
        if isinstance(error, REFUSALS):
            self._telling.refused(error, is_over=False)

    def _check_wanted(self, ask: Ask) -> None:
        if self._asks.is_cancelled(ask):
            raise _StoppedError(_("stopped"))

    def _has_secret(self) -> bool:
        source = self._source
        return source.password is not None or source.key is not None

    async def _registers(self, dialogue: Dialogue, ask: RegistersAsk) -> BeffroiError | None:
        loop = asyncio.get_running_loop()
        part: list[RegisterValue] = []
        is_first, told_s, error = True, loop.time(), None

        def tell(*, is_last: bool) -> None:
            self._telling.know(dialogue.identity, is_simulated=dialogue.is_simulated)
            self._telling.publish(
                RegisterList(
                    name=self._telling.name,
                    meter=dialogue.identity,
                    time_s=self._clock(),
                    registers=tuple(part),
                    is_first=is_first,
                    is_last=is_last,
                    expected=len(ask.codes) or dialogue.expected,
                    error=None if error is None else str(error),
                    is_simulated=dialogue.is_simulated,
                )
            )

        try:
            async with _closing(dialogue.registers(ask.codes)) as values:
                async for value in values:
                    part.append(value)
                    self._check_wanted(ask)
                    if len(part) >= PART_REGISTERS or loop.time() - told_s >= PART_S:
                        tell(is_last=False)
                        is_first, told_s = False, loop.time()
                        part.clear()
        except BeffroiError as failure:
            error = failure
            self._tell_refusal(failure)
        tell(is_last=True)
        return error

    async def _profile(self, dialogue: Dialogue, ask: ProfileAsk) -> BeffroiError | None:
        telling, is_first, is_over, rows = self._telling, True, False, 0
        try:
            async with _closing(dialogue.profile(ask.start_s, ask.end_s, ask.obis)) as parts:
                async for part in parts:
                    rows += len(part.rows)
                    is_over = part.is_last
                    telling.know(dialogue.identity, is_simulated=dialogue.is_simulated)
                    telling.publish(replace(part, name=telling.name, is_first=is_first))
                    self._filling.note_part(telling.name, part)
                    is_first = False
                    if not part.is_last:
                        self._check_wanted(ask)
        except BeffroiError as failure:
            self._tell_refusal(failure)
            telling.publish(_no_profile(ask, telling.name, dialogue.identity, str(failure), is_first=is_first))
            return failure
        if not is_over:
            telling.publish(_no_profile(ask, telling.name, dialogue.identity, None, is_first=is_first))
        if ask.is_filling and rows:
            telling.note("meter_profile", _("a gap of the history was filled from the meter's load profile"))
        return None


def _opening(protocol: str | None, port: str) -> str:
    """What is done first, in words."""
    match protocol:
        case "iec62056-21":
            return _("signing on with /?! at {line}…").format(line=SIGN_ON_LINE)
        case "dlms":
            return _("asking for a DLMS link on {port}…").format(port=port)
        case _:
            return _("asking the meter on {port}…").format(port=port)


def answer_all(asks: AskQueue, telling: MeterTelling, error: str, now_s: float) -> None:
    """Tell everybody who waits that nothing comes, and why."""
    while (ask := asks.take()) is not None:
        answer(ask, telling, error, now_s)


def answer(ask: Ask, telling: MeterTelling, error: str, now_s: float) -> None:
    """Tell whoever asked that nothing comes, and why."""
    meter = telling.identity or MeterIdentity()
    if isinstance(ask, ProfileAsk):
        if not ask.is_filling:
            telling.publish(_no_profile(ask, telling.name, meter, error, is_first=True))
        return
    telling.publish(
        RegisterList(
            name=telling.name,
            meter=meter,
            time_s=now_s,
            registers=(),
            is_first=True,
            is_last=True,
            error=error,
            is_simulated=telling.is_simulated,
        )
    )


def _no_profile(ask: ProfileAsk, name: str, meter: MeterIdentity, error: str | None, *, is_first: bool) -> ProfilePart:
    return ProfilePart(
        name=name, meter=meter, obis=ask.obis or "", period_s=0.0, columns=(), rows=(), is_first=is_first, error=error
    )


async def _closed(dialogue: Dialogue) -> None:
    """Say good-bye, to the end: whoever is cancelled meanwhile waits those few tenths of a second too."""
    closing = asyncio.ensure_future(dialogue.close())
    try:
        await asyncio.shield(closing)
    except asyncio.CancelledError:
        await asyncio.wait([closing])
        raise


@contextlib.asynccontextmanager
async def _closing(values: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close a generator at the end, however that comes."""
    try:
        yield values
    finally:
        if isinstance(values, AsyncGenerator):
            await values.aclose()
