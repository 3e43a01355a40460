"""Asks one DLMS session over a port, and remembers what a meter's objects are from one conversation to the next."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from core.errors import BeffroiError, RemoteProtocolError, WrongPasswordError
from core.language import _
from core.meter.readings_dlms import OBJECT_LIST, CosemObject, ScalerUnit, objects_of, scaler_unit_of
from core.protocol.axdr import Value
from core.protocol.dlms_exchange import Answers, Rows, value_of
from core.protocol.dlms_session import DlmsSession
from core.protocol.get_messages import Attribute, GetResult
from core.protocol.session import Finished, Rejected, SetLine, Told
from core.services.meter_dialogue import Tell
from core.services.meter_line import conversation
from core.services.meter_sources import MeterSource
from core.transport.line import Port

METERS_KEPT = 64


@dataclass(slots=True)
class Known:
    """What was learnt of one meter: `objects` None as long as its list was not read, empty where it gives none."""

    device_name: Value = None
    serial_number: Value = None
    objects: tuple[CosemObject, ...] | None = None
    scalers: dict[Attribute, ScalerUnit | None] = field(default_factory=dict)
    located: dict[str, tuple[CosemObject, ...]] = field(default_factory=dict)
    missing: set[Attribute] = field(default_factory=set)

    @property
    def listed(self) -> tuple[CosemObject, ...] | None:
        """Its objects, None where it gives no list."""
        return self.objects or None


_KNOWN: dict[tuple[str, ...], Known] = {}


def known_of(source: MeterSource) -> Known:
    """What is remembered of the meter of `source`, to be added to; without its secrets."""
    rights = f"{source.client} {source.password is not None} {source.key is not None}"
    key = (source.usb_serial or source.port, source.address, source.framing, rights)
    known = _KNOWN.pop(key, None) or Known()
    _KNOWN[key] = known
    while len(_KNOWN) > METERS_KEPT:
        del _KNOWN[next(iter(_KNOWN))]
    return known


def forget_meters() -> None:
    """Remember nothing of any meter."""
    _KNOWN.clear()


DENIED = 3
"""The data-access-result of what may neither be read nor written."""


class DlmsAsking:
    """One session over one port."""

    def __init__(self, session: DlmsSession, port: Port, tell: Tell) -> None:
        self.session = session
        self._port = port
        self._tell = tell

    async def open(self) -> None:
        """Connect and associate."""
        self.session.open()
        async for _telegram in self._told():
            pass

    async def release(self) -> None:
        """Say good-bye."""
        self.session.release()
        async for _telegram in self._told():
            pass

    def refusal(self, reason: str) -> BeffroiError:
        """What a denied access means: who has shown neither password nor keys may only lack them."""
        association = self.session.association
        if association is None or not association.is_unproven:
            return RemoteProtocolError(reason)
        return WrongPasswordError(
            _("{reason}; without a password or keys the meter does not allow it").format(reason=reason)
        )

    async def results(self, attributes: Sequence[Attribute]) -> list[GetResult]:
        """What `attributes` hold, in their order."""
        found: list[GetResult] = []
        self.session.get(attributes)
        async for telegram in self._told():
            if isinstance(telegram, Answers):
                found += telegram.results
        return found

    async def values(self, attributes: Sequence[Attribute]) -> list[Value]:
        """As `results`, decoded; None for what is not there or cannot be read."""
        return [value_or_none(result) for result in await self.results(attributes)]

    async def rows(self, attribute: Attribute) -> AsyncGenerator[tuple[Value, ...], None]:
        """The rows of a profile as they come; raises AccessRefusedError where the meter gives none."""
        self.session.get_rows(attribute)
        async with contextlib.aclosing(self._told()) as telegrams:
            async for telegram in telegrams:
                if isinstance(telegram, Rows):
                    yield telegram.rows

    async def list_objects(self, known: Known) -> None:
        """Read the meter's object list, once."""
        if known.objects is not None:
            return
        self._tell(_("reading the list of the meter's objects…"))
        result = (await self.results([OBJECT_LIST]))[0]
        objects: tuple[CosemObject, ...] = ()
        if result.data is not None:
            try:
                objects = objects_of(value_of(result.data))
            except RemoteProtocolError as error:
                self._tell(Rejected(error))
        known.objects = objects

    async def read_scalers(self, known: Known, attributes: Sequence[Attribute]) -> None:
        """Read the scalers among `attributes` that are not known yet."""
        wanted = [attribute for attribute in dict.fromkeys(attributes) if attribute not in known.scalers]
        if wanted:
            take_scalers(known, wanted, await self.results(wanted))

    async def _told(self) -> AsyncGenerator[object, None]:
        """The telegrams of one question; raises its error."""
        async with contextlib.aclosing(conversation(self.session, self._port)) as events:
            async for event in events:
                if isinstance(event, Told):
                    yield event.telegram
                elif isinstance(event, (Rejected, SetLine)):
                    self._tell(event)
                elif isinstance(event, Finished):
                    if event.error is not None:
                        raise event.error
                    return


def take_scalers(known: Known, attributes: Sequence[Attribute], results: Sequence[GetResult]) -> None:
    """Remember what the scaler attributes of registers hold; one that a register does not have is not asked again."""
    for attribute, result in zip(attributes, results, strict=True):
        known.scalers[attribute] = scaler_unit_of(value_or_none(result))


def value_or_none(result: GetResult) -> Value:
    """The value of a result, None where there is none or where it cannot be read."""
    if result.data is None:
        return None
    try:
        return value_of(result.data)
    except RemoteProtocolError:
        return None
