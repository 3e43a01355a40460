"""Reads a load profile of a DLMS meter: by range, else by entries, else whole; told in parts as its rows come."""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from msgspec.structs import replace

from core.errors import RemoteProtocolError, SerialPortMissingError, TransportError
from core.language import _
from core.meter.profile import ProfileMeasurements
from core.meter.profile_dlms import (
    CLOCK_MARGIN_S,
    DEFAULT_PROFILE,
    CaptureObject,
    ProfileRows,
    capture_objects_of,
    clock_octets,
    deviation_of,
)
from core.meter.readings_dlms import CLOCK, METER_CLOCK, PROFILE, code_of, objects_named
from core.meter_records import ProfilePart, ProfileRow
from core.obis import ObisCode
from core.protocol.acse import Conformance
from core.protocol.axdr import Value
from core.protocol.dlms_exchange import AccessRefusedError, value_of
from core.protocol.get_messages import Attribute, access_result_text, entry_parameters, range_parameters
from core.services.dlms_asking import DENIED, DlmsAsking, Known, value_or_none
from core.services.meter_dialogue import PROFILE_ROWS

LONGEST_PERIOD_S = 32 * 86_400.0
_CAPTURE_OBJECTS, _CAPTURE_PERIOD, _ENTRIES_IN_USE, _BUFFER = 3, 4, 7, 2
_BY_RANGE, _BY_ENTRY = 1, 2
_SPARE_ENTRIES = 8
"""Asked for beyond those that the period says: some are doubled or missing where power failed."""


async def profile_parts(
    asking: DlmsAsking, known: Known, start_s: float, end_s: float, obis: str | None, pattern: ProfilePart
) -> AsyncGenerator[ProfilePart, None]:
    """Parts made after `pattern`; raises RemoteProtocolError or TransportError where nothing of it can be read.

    Once there are rows, what goes wrong with the meter ends them: the last part says it. A port that is gone raises.
    """
    shape = await _shape(asking, known, obis)
    scalers = [one.scaler for one in shape.objects if one.scaler is not None]
    await asking.read_scalers(known, scalers)
    found = {attribute: scaler for attribute in scalers if (scaler := known.scalers.get(attribute)) is not None}
    rows = ProfileRows(shape.objects, found, shape.period_s, start_s, end_s)
    measurements = ProfileMeasurements(rows.columns, shape.period_s)
    pattern = replace(
        pattern, obis=str(ObisCode.from_octets(shape.name)), period_s=shape.period_s, columns=rows.columns
    )
    waiting: list[ProfileRow] = []
    is_first = True
    error: str | None = None

    def part(count: int, *, is_last: bool) -> ProfilePart:
        ready = tuple(waiting[:count])
        del waiting[:count]
        return replace(
            pattern,
            rows=ready,
            measurements=measurements.of_rows(ready),
            is_first=is_first,
            is_last=is_last,
            error=error if is_last else None,
        )

    try:
        async with contextlib.aclosing(_elements(asking, shape, start_s, end_s)) as selections:
            async for elements in selections:
                waiting += rows.of_elements(elements)
                while len(waiting) > PROFILE_ROWS:
                    yield part(PROFILE_ROWS, is_last=False)
                    is_first = False
    except (RemoteProtocolError, TransportError) as problem:
        if (is_first and not waiting) or isinstance(problem, SerialPortMissingError):
            raise
        error = str(problem)
    yield part(len(waiting), is_last=True)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a profile is: its name, its columns, its capture period, and what the meter's clock shows now."""

    name: bytes
    objects: tuple[CaptureObject, ...]
    period_s: float
    clock: Value

    @property
    def buffer(self) -> Attribute:
        return Attribute(PROFILE, self.name, _BUFFER)


async def _shape(asking: DlmsAsking, known: Known, obis: str | None) -> _Shape:
    name = _name_of(obis)
    for is_listed in (False, True):
        results = await asking.results(
            [
                Attribute(PROFILE, name, _CAPTURE_OBJECTS),
                Attribute(PROFILE, name, _CAPTURE_PERIOD),
                Attribute(CLOCK, METER_CLOCK, 2),
            ]
        )
        data = results[0].data
        if data is not None:
            break
        listed = None if is_listed else await _listed_name(asking, known, obis)
        if listed is None or listed == name:
            text = _("load profile {code} cannot be read: {reason}").format(
                code=ObisCode.from_octets(name), reason=access_result_text(results[0].error)
            )
            raise asking.refusal(text) if results[0].error == DENIED else RemoteProtocolError(text)
        name = listed
    assert data is not None  # the loop ends with columns or an error
    period = value_or_none(results[1])
    period_s = float(period) if isinstance(period, int) and 0 < period <= LONGEST_PERIOD_S else 0.0
    return _Shape(name, capture_objects_of(value_of(data)), period_s, value_or_none(results[2]))


def _name_of(obis: str | None) -> bytes:
    if obis is None:
        return DEFAULT_PROFILE
    code = code_of(obis)
    groups = (
        1 if code.a is None else code.a,
        code.b or 0,
        code.c,
        code.d,
        code.e or 0,
        255 if code.f is None else code.f,
    )
    octets = [group for group in groups if isinstance(group, int)]
    if len(octets) != len(groups):
        raise RemoteProtocolError(_("“{text}” is not an OBIS code").format(text=obis[:40]))
    return bytes(octets)


async def _listed_name(asking: DlmsAsking, known: Known, obis: str | None) -> bytes | None:
    """The profile of the object list that comes nearest to what was asked for, whatever its channel is."""
    await asking.list_objects(known)
    if known.listed is None:
        return None
    found = objects_named(obis or "99.1.0", known.listed) if obis is None or "." in obis else ()
    return next((one.logical_name for one in found if one.class_id == PROFILE), None)


async def _elements(
    asking: DlmsAsking, shape: _Shape, start_s: float, end_s: float
) -> AsyncGenerator[tuple[Value, ...], None]:
    """Elements of the buffer by the first way of selecting them that the meter takes."""
    refused: AccessRefusedError | None = None
    for way in (_by_range, _by_entry, _whole):
        is_told = False
        try:
            attribute = await way(asking, shape, start_s, end_s)
            if attribute is None:
                continue
            async with contextlib.aclosing(asking.rows(attribute)) as rows:
                async for elements in rows:
                    is_told = True
                    yield elements
            return
        except AccessRefusedError as error:
            if is_told:
                raise
            refused = error
    if refused is not None and refused.result == DENIED:
        raise asking.refusal(str(refused))
    raise refused or RemoteProtocolError(_("the meter gives no rows of its load profile"))


async def _by_range(asking: DlmsAsking, shape: _Shape, start_s: float, end_s: float) -> Attribute | None:
    """The rows between two times, in the meter's own offset from UTC."""
    one = next((one for one in shape.objects if one.is_clock), None)
    if one is None or not _is_selective(asking):
        return None
    deviation = deviation_of(shape.clock)
    margin_s = 0.0 if deviation == 0 else CLOCK_MARGIN_S
    parameters = range_parameters(
        Attribute(one.class_id, one.logical_name, one.attribute),
        clock_octets(start_s - margin_s, deviation),
        clock_octets(end_s + margin_s, deviation),
    )
    return replace(shape.buffer, selector=_BY_RANGE, parameters=parameters)


async def _by_entry(asking: DlmsAsking, shape: _Shape, start_s: float, end_s: float) -> Attribute | None:
    """The rows by their numbers, counted back from the newest one by the capture period."""
    if not _is_selective(asking) or not shape.period_s:
        return None
    in_use = (await asking.values([Attribute(PROFILE, shape.name, _ENTRIES_IN_USE)]))[0]
    if not isinstance(in_use, int) or in_use < 1:
        return None
    newest = ProfileRows(shape.objects, {}, shape.period_s, start_s, end_s)
    last = replace(shape.buffer, selector=_BY_ENTRY, parameters=entry_parameters(in_use, in_use))
    async with contextlib.aclosing(asking.rows(last)) as rows:
        async for elements in rows:
            newest.of_elements(elements)
    if newest.last_s is None:
        return None
    first_back = math.ceil((newest.last_s - start_s) / shape.period_s) + _SPARE_ENTRIES
    last_back = max(0, math.floor((newest.last_s - end_s) / shape.period_s) - _SPARE_ENTRIES)
    first = min(max(1, in_use - first_back), in_use)
    parameters = entry_parameters(first, max(first, in_use - last_back))
    return replace(shape.buffer, selector=_BY_ENTRY, parameters=parameters)


async def _whole(_asking: DlmsAsking, shape: _Shape, _start_s: float, _end_s: float) -> Attribute | None:
    """The whole buffer: the rows that are not wanted are left out as they come."""
    return shape.buffer


def _is_selective(asking: DlmsAsking) -> bool:
    association = asking.session.association
    return association is not None and association.conformance & Conformance.SELECTIVE_ACCESS != 0
