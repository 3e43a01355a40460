"""A meter of IEC 62056-21 that is asked: read out whole, then register by register in programming mode, its profile.

The first reading is a whole readout, which takes seconds. Where the meter lets itself be asked in programming mode
without password (or with the user's), live values are then read by R1, powers first, as many as a second allows, and
the whole readout comes back every quarter of an hour; else every reading is a readout. No password is ever guessed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from msgspec.structs import replace

from core.errors import BeffroiError, RemoteProtocolError, WrongPasswordError
from core.language import _
from core.meter.codes_21 import is_code, live_addresses, profile_code
from core.meter.profile_21 import ProfileText, request_of
from core.meter.readings_21 import readings_of_data_sets
from core.meter_records import ProfilePart, RegisterValue
from core.protocol.data_sets import Check, DataSet, Mode, Telegram, encode_command
from core.protocol.mode_c import ReadoutSession
from core.protocol.parity import with_even_parity
from core.protocol.programming_mode import ProgrammingSession
from core.protocol.session import Finished, Rejected, SetLine, Told
from core.protocol.sign_on import SignOnSession
from core.records import MeterIdentity, MeterReadings, Reading
from core.services.iec_programming import ProgrammingTalk
from core.services.meter_dialogue import CLOSE_S, PROFILE_ROWS, Tell
from core.services.meter_line import conversation
from core.services.meter_sources import MeterSource
from core.transport.line import Port

WHOLE_S = 900.0
"""Between two whole readouts while single registers are read."""
LIVE_S = 1.0
"""From the beginning of one reading of live registers to the next."""
LIVE_INTERVAL_S = 10.0
"""Whoever wants intervals of this or longer gets a whole readout each time."""
LIVE_BUDGET_S = 0.75
"""How long one reading of live registers may take, the powers apart."""
REFUSALS = 3
"""Registers refused one after the other, before any was given, after which no more is asked for."""
HELD_S = 10.0
"""How long a live value counts as read together with those of the last turn; longer where a round takes longer."""
HELD_ROUNDS = 1.5
FAREWELL_S = 0.5
"""The meter's time to get back to 300 baud behind a B0."""
DAY_S = 86_400.0


class IecDialogue:
    """See `core.services.meter_dialogue.Dialogue`, and `PacedDialogue` for `pace_s`."""

    def __init__(self, source: MeterSource, port: Port, tell: Tell, clock: Callable[[], float]) -> None:
        self.identity = MeterIdentity()
        self.is_simulated = False
        self._source = source
        self._port = port
        self._tell = tell
        self._clock = clock
        self._highest = source.baud or 19200
        self._waiting: Telegram | None = None
        self._whole: Telegram | None = None
        self._whole_s = 0.0
        self._programming = ProgrammingTalk(port, tell)
        self._can_program: bool | None = None
        self._session: SignOnSession | None = None
        self._powers: list[str] = []
        self._live: list[str] = []
        self._is_asked_in_vain = False
        self._turn = 0
        self._profile_commands: tuple[str, ...] = ("R6", "R5")
        self._held: dict[str, tuple[float, tuple[DataSet, ...]]] = {}

    @property
    def pace_s(self) -> float | None:
        """One second while single registers are read or may be, unless somebody has said another."""
        is_live = self._can_program is not False and bool(self._powers or self._live)
        return LIVE_S if is_live and self._is_live_wanted and not self._source.interval_s else None

    @property
    def expected(self) -> int | None:
        """How many addresses the last whole readout held."""
        return None if self._whole is None else len({one.address for one in self._whole.data_sets})

    async def open(self) -> None:
        """See `Dialogue.open`: with a password it is shown to the meter first, so that a wrong one is known at once."""
        if self._source.password is not None:
            await self._enter()
        if not self._programming.is_open:
            self._waiting = await self._read_out()

    async def read(self) -> MeterReadings:
        """See `Dialogue.read`."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            is_due = self._whole is None or asyncio.get_running_loop().time() >= self._whole_s + WHOLE_S
            if not is_due and self._is_live_wanted and self._can_program is not False and (self._powers or self._live):
                found = await self._read_live()
                if found is not None:
                    return found
            waiting = await self._read_out()
        readings = self._readings(waiting)
        return await self._asked_for(readings) if self._source.codes else readings

    async def _asked_for(self, readings: MeterReadings) -> MeterReadings:
        """Only what the source asks for: from the readout, else by R1."""
        found: list[Reading] = []
        errors = list(readings.errors)
        for code in self._source.codes:
            there = [reading for reading in readings.readings if is_code(reading.obis, code)]
            if not there and await self._is_entered():
                try:
                    alone = self._readings(self._telegram(await self._programming.register(code)), is_whole=False)
                    there = list(alone.readings)
                except RemoteProtocolError as error:
                    errors.append(f"{code}: {error}")
            elif not there:
                errors.append(_("{code} is not in the meter's readout").format(code=code))
            found += there
        return replace(readings, readings=tuple(found), errors=tuple(errors))

    async def registers(self, codes: Sequence[str] = ()) -> AsyncIterator[RegisterValue]:
        """See `Dialogue.registers`: those of the readout, or `codes`, by R1, else out of a readout at the end."""
        if not codes:
            for reading in self._readings(await self._read_out()).readings:
                yield RegisterValue(code=reading.obis or "", reading=reading)
            return
        left: dict[str, str] = {}
        for code in codes:
            reason = _("it is not in the meter's readout")
            try:
                data_sets = await self._programming.register(code) if await self._is_entered() else ()
            except RemoteProtocolError as error:
                data_sets, reason = (), str(error)
            if not data_sets:
                left[code] = reason
                continue
            for reading in self._readings(self._telegram(data_sets), is_whole=False).readings:
                yield RegisterValue(code=code, reading=reading)
        readings = self._readings(await self._read_out()).readings if left else ()
        for code, reason in left.items():
            found = [reading for reading in readings if is_code(reading.obis, code)]
            for reading in found:
                yield RegisterValue(code=code, reading=reading)
            if not found:
                yield RegisterValue(code=code, error=reason)

    async def profile(self, start_s: float, end_s: float, obis: str | None = None) -> AsyncIterator[ProfilePart]:
        """See `Dialogue.profile`: by R6 in partial blocks, else by R5, a day first and then as much as a part holds."""
        code = profile_code(obis)
        if not await self._is_entered():
            if self._is_asked_in_vain:
                raise _no_password(_("single registers are refused"))
            raise RemoteProtocolError(_("the load profile is read in programming mode, which the meter does not allow"))
        text = ProfileText(start_s, end_s)
        is_first = True
        at_s, step_s = start_s, DAY_S
        while at_s < end_s:
            until_s = min(end_s, at_s + step_s)
            error: str | None = None
            try:
                async for telegram in self._ask_profile(code, at_s, until_s):
                    text.feed(telegram.data_sets)
                    while text.waiting > PROFILE_ROWS:
                        yield self._part(text, code, is_first=is_first, is_last=False)
                        is_first = False
            except RemoteProtocolError as problem:
                if text.period_s or is_first is False:
                    error = str(problem)
                elif until_s >= end_s:
                    if await self._is_password_missing():
                        raise _no_password(str(problem)) from problem
                    raise
            if text.period_s:
                step_s = max(DAY_S, text.period_s * PROFILE_ROWS)
            at_s = until_s
            if error is not None or at_s >= end_s or text.waiting:
                is_last = error is not None or at_s >= end_s
                yield self._part(text, code, is_first=is_first, is_last=is_last, error=error)
                is_first = False
                if is_last:
                    return

    async def close(self) -> None:
        """See `Dialogue.close`."""
        if self._session is None or self._session.identification is None:  # nobody has answered: none to take leave of
            return
        self._drop()
        farewell = encode_command("B0")
        with contextlib.suppress(BeffroiError, OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._port.write(farewell if self._port.carries_parity else with_even_parity(farewell))

    @property
    def _is_live_wanted(self) -> bool:
        return self._source.interval_s < LIVE_INTERVAL_S and not self._source.is_all

    def _readings(self, telegram: Telegram, *, is_whole: bool = True) -> MeterReadings:
        """What `telegram` says, under the name and identity that a whole readout gave."""
        readings = readings_of_data_sets(telegram, name=self._source.name, time_s=self._clock())
        if is_whole:
            if telegram.error is None and not readings.readings and readings.errors:
                raise RemoteProtocolError(readings.errors[0])
            self.identity = readings.meter
            self.is_simulated = readings.is_simulated
            return readings
        name = self._source.name or self.identity.serial_number or self.identity.model or readings.name
        if self.identity.manufacturer is None:
            self.identity = readings.meter
        return replace(readings, name=name, meter=self.identity, is_simulated=self.is_simulated)

    def _telegram(self, data_sets: Sequence[DataSet]) -> Telegram:
        return Telegram(identification=self._programming.identification, data_sets=tuple(data_sets), check=Check.BCC)

    async def _read_out(self) -> Telegram:
        """A whole readout, telling what fails on the way."""
        await self._leave()
        session = ReadoutSession(self._source.address, highest_baud=self._highest)
        self._session = session
        async with contextlib.aclosing(conversation(session, self._port)) as events:
            async for event in events:
                if isinstance(event, Told) and isinstance(event.telegram, Telegram):
                    self._take_whole(event.telegram, session.baud)
                elif isinstance(event, (Rejected, SetLine)):
                    self._tell(event)
                elif isinstance(event, Finished) and event.error is not None:
                    self._session = None
                    self._highest = self._source.baud or 19200
                    raise event.error
        self._session = None
        assert self._whole is not None  # a readout that ends well has told its telegram
        return self._whole

    def _take_whole(self, telegram: Telegram, baud: int) -> None:
        if self._whole is None and telegram.identification is not None and telegram.identification.enhanced == "2":
            self._tell(_("the meter offers mode E as well: DLMS over the same port"))
        if telegram.mode in (Mode.A, Mode.B):
            self._can_program = False
        self._whole, self._whole_s = telegram, asyncio.get_running_loop().time()
        self._highest = max(300, baud)
        addresses = tuple(dict.fromkeys(one.address for one in telegram.data_sets))
        self._powers, self._live = live_addresses(addresses)
        if self._source.codes:
            self._powers = []
            self._live = [
                next((address for address in addresses if is_code(address, code)), code) for code in self._source.codes
            ]

    async def _read_live(self) -> MeterReadings | None:
        """Live registers in programming mode; None where the meter does not let itself be asked so."""
        if not await self._is_entered():
            return None
        loop = asyncio.get_running_loop()
        end_s = loop.time() + LIVE_BUDGET_S
        answered, begun = 0, self._turn
        others = [self._live[(self._turn + number) % len(self._live)] for number in range(len(self._live))]
        for asked, code in enumerate([*self._powers, *others]):
            if asked >= max(1, len(self._powers)) and answered and loop.time() >= end_s:
                break
            self._turn += code not in self._powers
            try:
                self._held[code] = loop.time(), await self._programming.register(code)
                answered += 1
            except RemoteProtocolError as error:
                if not self._programming.is_open:
                    break  # the meter has ended the mode: the next reading signs on again
                if not self._held and asked + 1 >= REFUSALS:
                    self._tell(_("single registers are not given: {reason}").format(reason=error))
                    break
                self._forget(code, error)
        if not answered:
            if self._programming.is_open:
                self._can_program = False
                self._is_asked_in_vain = self._source.password is None
            await self._leave()
            return None
        turns = len(self._live) / max(1, self._turn - begun)
        return self._readings(self._telegram(self._together(turns * LIVE_S)), is_whole=False)

    def _together(self, round_s: float) -> list[DataSet]:
        """The live values as one reading, each read within a round or in the readout before: none stands alone.

        A power of one direction without that of the other would be taken for the sum of both.
        """
        now_s, hold_s = asyncio.get_running_loop().time(), max(HELD_S, HELD_ROUNDS * round_s)
        found: list[DataSet] = []
        for code in (*self._powers, *self._live):
            if code in self._held:
                at_s, sets = self._held[code]
            elif self._whole is not None:
                at_s, sets = self._whole_s, tuple(one for one in self._whole.data_sets if one.address == code)
            else:
                continue
            if now_s - at_s <= hold_s:
                found += sets
        return found

    async def _is_password_missing(self) -> bool:
        """True where no password was given, and not even the register of all energy is: the meter refuses us, then."""
        if self._source.password is not None:
            return False
        try:
            return not self._programming.is_open or not await self._programming.register("1.8.0")
        except RemoteProtocolError:
            return True

    def _forget(self, code: str, error: RemoteProtocolError) -> None:
        """A register that the meter does not give alone is left to the readouts."""
        self._powers = [one for one in self._powers if one != code]
        self._live = [one for one in self._live if one != code]
        self._held.pop(code, None)
        self._tell(_("{code} is read in whole readouts only: {reason}").format(code=code, reason=error))

    async def _ask_profile(self, code: str, start_s: float, end_s: float) -> AsyncIterator[Telegram]:
        request = request_of(code, start_s, end_s)
        for command in self._profile_commands:
            is_told = False
            try:
                async for telegram in self._programming.ask(command, request):
                    is_told = True
                    yield telegram
            except RemoteProtocolError:
                if is_told or not self._programming.is_open or command == self._profile_commands[-1]:
                    raise
            else:
                self._profile_commands = (command,)
                return

    async def _is_entered(self) -> bool:
        """Be in programming mode, or know that the meter has none for us."""
        if not self._programming.is_open and self._can_program is not False:
            await self._enter()
        return self._programming.is_open

    async def _enter(self) -> None:
        """Sign on in programming mode; raises WrongPasswordError, and TransportError where nothing answers."""
        session = ProgrammingSession(self._source.address, password=self._source.password, highest_baud=self._highest)
        self._session = session
        error = await self._programming.enter(session)
        if error is None:
            self._can_program = True
            return
        self._session = None
        if isinstance(error, WrongPasswordError) or not session.is_refused:
            raise error
        self._can_program = False
        self._tell(_("{reason}; it is read out whole").format(reason=error))
        await asyncio.sleep(FAREWELL_S)

    async def _leave(self) -> None:
        """Say good-bye to the programming mode, where it is on."""
        if await self._programming.leave():
            self._drop()
            await asyncio.sleep(FAREWELL_S)

    def _drop(self) -> None:
        self._programming.drop()
        self._session = None
        self._held.clear()

    def _part(
        self, text: ProfileText, code: str, *, is_first: bool, is_last: bool, error: str | None = None
    ) -> ProfilePart:
        rows = text.take(PROFILE_ROWS)
        return ProfilePart(
            name=self._source.name or self.identity.serial_number or "",
            meter=self.identity,
            obis=code,
            period_s=text.period_s,
            columns=text.columns,
            rows=rows,
            measurements=text.measurements(rows),
            is_first=is_first,
            is_last=is_last,
            error=error,
            is_simulated=self.is_simulated,
        )


def _no_password(reason: str) -> WrongPasswordError:
    """What a meter that lets itself be asked after a password only has answered to one who gave none."""
    return WrongPasswordError(
        _("the meter gives its load profile to who has a password only: {reason}").format(reason=reason)
    )
