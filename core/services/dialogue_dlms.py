"""A DLMS/COSEM meter that is asked: over HDLC, directly or after a sign-on by mode E, or over the TCP wrapper.

What a meter's objects are, their scalers and its identity are read once and remembered for the next conversation with
it, so that a reading is one list of values. Nothing is ever written to a meter.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from msgspec.structs import replace

from core.errors import BeffroiError, RemoteProtocolError, TransportError, WrongPasswordError
from core.language import _
from core.meter.measurement import measurement_of
from core.meter.readings_dlms import (
    CLOCK,
    DATA,
    DEMAND_REGISTER,
    EXTENDED_REGISTER,
    LOGICAL_DEVICE_NAME,
    REGISTER,
    SCALER_ATTRIBUTES,
    SERIAL_NUMBER,
    VALUE_CLASSES,
    CosemObject,
    identity_of,
    is_simulated,
    objects_named,
    reading_of,
    usual_objects,
)
from core.meter_records import ProfilePart, RegisterValue
from core.protocol.association import Credentials
from core.protocol.axdr import Value
from core.protocol.dlms_exchange import value_of
from core.protocol.dlms_session import DlmsSession
from core.protocol.get_messages import Attribute, GetResult, access_result_text
from core.protocol.hdlc_control import parse_server
from core.protocol.hdlc_link import HdlcLink
from core.protocol.mode_e import ModeEEntry
from core.protocol.wrapper_link import WrapperLink
from core.records import MeterIdentity, MeterReadings, Reading
from core.services.dlms_asking import DENIED, DlmsAsking, Known, known_of, take_scalers, value_or_none
from core.services.dlms_profile import profile_parts
from core.services.meter_dialogue import CLOSE_S, Tell
from core.services.meter_sources import MeterSource
from core.transport.line import LineSettings, Port

PROTOCOL = "dlms"
DEFAULT_BAUD = 9600
SIGN_ON_BAUD = 300
"""A source of this speed signs on by mode E at once; of any other one where HDLC is not answered."""
REGISTERS_AT_ONCE = 16
_IDENTITY = (Attribute(DATA, LOGICAL_DEVICE_NAME, 2), Attribute(DATA, SERIAL_NUMBER, 2))
_NOT_DEFINED = (4, 9, 11)
"""Data-access-results that say that there is no such object, or that it has another class."""


class DlmsDialogue:
    """See `core.services.meter_dialogue.Dialogue`."""

    def __init__(self, source: MeterSource, port: Port, tell: Tell, clock: Callable[[], float]) -> None:
        self.identity = MeterIdentity()
        self.is_simulated = False
        self._source = source
        self._port = port
        self._tell = tell
        self._clock = clock
        self._known: Known = known_of(source)
        self._asking: DlmsAsking | None = None
        self._is_identified = False

    @property
    def expected(self) -> int | None:
        """How many objects the meter lists, once its list was read."""
        return len(self._known.objects) if self._known.objects else None

    async def open(self) -> None:
        """See `Dialogue.open`: HDLC at once, then mode E where nothing answers; the wrapper has one way only."""
        source = self._source
        credentials = Credentials(
            client=source.client,
            password=source.password,
            key=source.key,
            auth_key=source.auth_key,
            system_title=source.system_title,
        )
        server = parse_server(source.address)
        if source.framing == "wrapper":
            number = int(source.address.partition(":")[0].strip() or 1)
            await self._associate(DlmsSession(WrapperLink(number), credentials, counter=self._counter))
            return
        if source.baud != SIGN_ON_BAUD:
            if self._port.has_speed:
                self._port.set_line(LineSettings(source.baud or DEFAULT_BAUD, 8, source.parity or "N"))
            try:
                await self._associate(DlmsSession(HdlcLink(server), credentials, counter=self._counter))
                return
            except TransportError as error:
                if self._asking is None or self._asking.session.has_answered:
                    raise
                self._tell(_("{reason}; signing on with /?! for mode E…").format(reason=error))
        entry = ModeEEntry()
        await self._associate(DlmsSession(HdlcLink(server), credentials, entry=entry, counter=self._counter))

    async def read(self) -> MeterReadings:
        """See `Dialogue.read`: one list of values; the first time with their scalers and who the meter is."""
        errors: list[str] = []
        wanted = await self._wanted()
        results = await self._read_values(wanted)
        readings: list[Reading] = []
        for one, result in zip(wanted, results, strict=True):
            reading, reason = self._reading(one, result)
            if reading is not None:
                readings.append(reading)
            elif result.error in _NOT_DEFINED:
                self._known.missing.add(one.value)
            if reason is not None and (self._source.codes or result.error not in _NOT_DEFINED):
                errors.append(f"{one.code}: {reason}")
        if not readings:
            self._check_allowed(dict(zip(wanted, results, strict=True)))
        if not readings and not errors and not self._source.codes:
            if not any(one.class_id in SCALER_ATTRIBUTES for one in self._known.listed or wanted):
                self._refuse(_("the meter's list names no register"))
            errors.append(_("the meter holds none of the usual quantities; ask for all that it lists, or for a code"))
        for code in self._source.codes:
            if not self._known.located.get(code, (True,)):
                errors.append(_("{code}: the meter has no such object").format(code=code))
        return MeterReadings(
            name=self._source.name or self.identity.serial_number or "",
            protocol=PROTOCOL,
            meter=self.identity,
            time_s=self._clock(),
            readings=tuple(readings),
            errors=tuple(errors),
            is_simulated=self.is_simulated,
            measurement=measurement_of(readings),
        )

    async def registers(self, codes: Sequence[str] = ()) -> AsyncIterator[RegisterValue]:
        """See `Dialogue.registers`: all that the object list names; what is no single value is named, not read."""
        known = self._known
        if codes:
            objects: list[CosemObject] = []
            for code in codes:
                found = await self._located(code)
                if not found:
                    yield RegisterValue(code=code, error=_("the meter has no such object"))
                objects += found
        else:
            await self._ready.list_objects(known)
            objects = list(known.listed or usual_objects(None))
        for start in range(0, len(objects), REGISTERS_AT_ONCE):
            chunk = objects[start : start + REGISTERS_AT_ONCE]
            asked = [one for one in chunk if one.class_id in VALUE_CLASSES and one.is_readable]
            results = dict(zip(asked, await self._read_values(asked), strict=True))
            if codes and len(asked) == len(objects):
                self._check_allowed(results)
            for one in chunk:
                yield self._register(one, results.get(one))

    async def profile(self, start_s: float, end_s: float, obis: str | None = None) -> AsyncIterator[ProfilePart]:
        """See `Dialogue.profile`; the row that ends at `end_s` is told too, as the meter's own selection does."""
        if not self._is_identified:
            await self._read_values(())
        part = ProfilePart(
            name=self._source.name or self.identity.serial_number or "",
            meter=self.identity,
            obis="",
            period_s=0.0,
            columns=(),
            rows=(),
            is_simulated=self.is_simulated,
        )
        async with contextlib.aclosing(profile_parts(self._ready, self._known, start_s, end_s, obis, part)) as parts:
            async for told in parts:
                yield told

    async def close(self) -> None:
        """See `Dialogue.close`."""
        asking, self._asking = self._asking, None
        if asking is None:
            return
        with contextlib.suppress(BeffroiError, OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await asking.release()

    @property
    def _counter(self) -> int:
        """The invocation counter of a client whose meter does not say its own: it rises with the clock."""
        return int(self._clock()) & 0xFFFFFFFF

    @property
    def _ready(self) -> DlmsAsking:
        if self._asking is None:
            raise TransportError(_("the meter is not connected"))
        return self._asking

    async def _associate(self, session: DlmsSession) -> None:
        self._asking = DlmsAsking(session, self._port, self._tell)
        await self._asking.open()
        if self._known.device_name is not None:
            await self._read_values(())  # what is remembered may be of another meter

    def _check_allowed(self, results: Mapping[CosemObject, GetResult]) -> None:
        """Raise WrongPasswordError where nothing came, and some was denied, to who has shown no password or keys."""
        errors = [result.error for one, result in results.items() if one.class_id in VALUE_CLASSES]
        if DENIED in errors and all(errors):
            self._refuse(access_result_text(DENIED))

    def _refuse(self, reason: str) -> None:
        """Raise WrongPasswordError with `reason` where no password and no keys were shown."""
        refusal = self._ready.refusal(reason)
        if isinstance(refusal, WrongPasswordError):
            raise refusal

    async def _wanted(self) -> list[CosemObject]:
        """The objects of a reading."""
        known = self._known
        if self._source.codes:
            return [one for code in self._source.codes for one in await self._located(code)]
        await self._ready.list_objects(known)
        if self._source.is_all and known.listed is not None:
            return [one for one in known.listed if one.class_id in VALUE_CLASSES and one.is_readable]
        return [one for one in usual_objects(known.listed) if one.value not in known.missing]

    async def _located(self, code: str) -> tuple[CosemObject, ...]:
        """The objects that `code` names, found once: by the code alone, else in the object list, else by trying."""
        known = self._known
        if code not in known.located:
            guesses = objects_named(code, known.listed)
            if known.listed is None and not await self._are_there(guesses):
                await self._ready.list_objects(known)
                guesses = objects_named(code, known.listed)
                if known.listed is None:
                    classes = (REGISTER, EXTENDED_REGISTER, DEMAND_REGISTER, DATA, CLOCK)
                    guesses = await self._are_there([replace(guesses[0], class_id=number) for number in classes])
            known.located[code] = guesses
        return known.located[code]

    async def _are_there(self, objects: Sequence[CosemObject]) -> tuple[CosemObject, ...]:
        results = await self._ready.results([one.value for one in objects])
        return tuple(one for one, result in zip(objects, results, strict=True) if result.error not in _NOT_DEFINED)

    async def _read_values(self, objects: Sequence[CosemObject]) -> list[GetResult]:
        """The values of `objects` in one go, with what is not known yet: their scalers, who the meter is."""
        known = self._known
        readable = [one.value for one in objects if one.class_id in VALUE_CLASSES]
        scalers = [one.scaler for one in objects if one.scaler is not None and one.scaler not in known.scalers]
        identity = () if self._is_identified else _IDENTITY
        results = await self._ready.results([*readable, *scalers, *identity])
        if identity:
            self._identify([value_or_none(result) for result in results[-len(identity) :]])
        take_scalers(known, scalers, results[len(readable) : len(readable) + len(scalers)])
        values = iter(results)
        refused = GetResult(None, DENIED)
        return [next(values) if one.class_id in VALUE_CLASSES else refused for one in objects]

    def _identify(self, values: Sequence[Value]) -> None:
        association = self._ready.session.association
        title = None if association is None else association.meter_title
        device_name, serial_number = values
        if self._known.device_name not in (None, device_name):
            self._forget()  # another meter on the same port
        self._known.device_name = device_name
        self.identity = identity_of(device_name, serial_number, title)
        self.is_simulated = is_simulated(device_name, title)
        self._is_identified = True

    def _forget(self) -> None:
        known = self._known
        known.objects = None
        known.scalers.clear()
        known.located.clear()
        known.missing.clear()

    def _reading(self, one: CosemObject, result: GetResult) -> tuple[Reading | None, str | None]:
        """The reading of a value, or why there is none."""
        if one.class_id not in VALUE_CLASSES:
            return None, _("it is a {kind}, no single value").format(kind=one.about)
        if result.data is None:
            return None, access_result_text(result.error)
        try:
            value = value_of(result.data)
        except RemoteProtocolError as error:
            return None, str(error)
        scaler = None if one.scaler is None else self._known.scalers.get(one.scaler)
        return reading_of(one, value, scaler), None

    def _register(self, one: CosemObject, result: GetResult | None) -> RegisterValue:
        reading, reason = None, None
        if result is not None:
            reading, reason = self._reading(one, result)
        elif one.class_id in VALUE_CLASSES:
            reason = access_result_text(DENIED)
        return RegisterValue(
            code=str(one.code),
            reading=reading,
            class_id=one.class_id,
            attribute=2 if one.class_id in VALUE_CLASSES else None,
            about=one.about,
            error=reason,
        )
