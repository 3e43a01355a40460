"""A-XDR explained value by value: type, number or text, and what codes, clocks and units mean."""

from __future__ import annotations

from core.errors import RemoteProtocolError
from core.language import _, ngettext
from core.meter.clock import clock_of
from core.meter.e450 import quantity_of, unit_text
from core.meter.readings import text_of
from core.obis import ObisCode
from core.protocol.axdr import MAXIMUM_DEPTH, AttributeDescriptor, length_at, value_at
from core.services.explain_fields import Budget, Cursor

TYPES = {
    0: "null-data", 1: "array", 2: "structure", 3: "boolean", 4: "bit-string", 5: "double-long",
    6: "double-long-unsigned", 9: "octet-string", 10: "visible-string", 12: "utf8-string", 13: "bcd", 15: "integer",
    16: "long", 17: "unsigned", 18: "long-unsigned", 19: "compact-array", 20: "long64", 21: "long64-unsigned",
    22: "enum", 23: "float32", 24: "float64", 25: "date-time", 26: "date", 27: "time", 255: "don't-care",
}  # fmt: skip
_SCALER_UNIT = b"\x02\x02\x0f"


def explain_value(cursor: Cursor, budget: Budget, name: str = "", depth: int = 0) -> None:
    """Take one value with all that is in it; raises RemoteProtocolError behind the fields that hold."""
    budget.spend()
    tag = cursor.octet()
    kind = TYPES.get(tag)
    if kind is None:
        raise RemoteProtocolError(
            _("octet {position} is no A-XDR type: {tag:#04x}").format(position=cursor.base + cursor.position, tag=tag)
        )
    title = f"{name}: {kind}" if name else kind
    data, start = cursor.data, cursor.position
    if tag not in (1, 2):
        value, end = value_at(data[: cursor.end], start)
        cursor.take(end - start, title, value_text(tag, value))
        return
    if depth >= MAXIMUM_DEPTH:
        raise RemoteProtocolError(_("values are nested more than {depth} deep").format(depth=MAXIMUM_DEPTH))
    if data[start : start + 3] == _SCALER_UNIT and start + 6 <= cursor.end and data[start + 4] == 22:
        scaler = data[start + 3] - 256 if data[start + 3] > 127 else data[start + 3]
        unit = unit_text(data[start + 5]) or _("no unit")
        cursor.take(6, title, _("times 10^{scaler}, {unit}").format(scaler=scaler, unit=unit))
        return
    count, behind = length_at(data[: cursor.end], start + 1)
    inner = cursor.inner()
    inner.position = behind
    problem = None
    try:
        for number in range(count):
            if _is_untagged(data, inner.position, cursor.end, tag, count, number):
                value, end = value_at(data[: cursor.end], start)
                descriptor = value[0] if isinstance(value, tuple) else None
                if isinstance(descriptor, AttributeDescriptor):
                    inner.take(
                        9,
                        _("class, code and attribute"),
                        f"{descriptor.class_id}, {code_text(descriptor.logical_name)}, {descriptor.attribute}",
                    )
                    continue
            explain_value(inner, budget, "", depth + 1)
    except RemoteProtocolError as error:
        problem = error
        inner.rest(_("not understood"), error=str(error))
    text = ngettext("{count} element", "{count} elements", count).format(count=count)
    cursor.nest(title, text, inner)
    if problem is not None:
        raise problem


def _is_untagged(data: bytes, position: int, end: int, tag: int, count: int, number: int) -> bool:
    """Where class, code and attribute may stand without tags in the place of the first of two elements."""
    return (
        tag == 2
        and count == 2
        and number == 0
        and position + 10 <= end
        and data[position : position + 1] == b"\0"
        and (data[position + 1] > 0 and data[position + 7] == 0xFF and 0 < data[position + 8] < 32)
    )


def value_text(tag: int, value: object) -> str:
    """What a value says, for people."""
    if value is None:
        return ""
    if isinstance(value, (bytes, bytearray)):
        octets = bytes(value)
        if len(octets) == 6 and octets[0] < 16 and tag == 9:
            return code_text(octets)
        moment = clock_of(octets) if len(octets) == 12 else None
        if moment is not None:
            return moment.isoformat(" ")
        return text_of(octets)
    if tag == 22 and isinstance(value, int):
        unit = unit_text(value)
        return f"{int(value)}" if unit is None else f"{int(value)} ({unit})"
    if isinstance(value, bool) or tag == 3:
        return _("true") if value else _("false")
    if isinstance(value, (list, tuple)):
        return ngettext("{count} element", "{count} elements", len(value)).format(count=len(value))
    return text_of(value) if isinstance(value, str) else str(value)


def code_text(octets: bytes) -> str:
    """A logical name as a code, with the quantity that it means where that is known."""
    if len(octets) != 6:
        return octets.hex(" ").upper()
    code = ObisCode.from_octets(octets)
    quantity = quantity_of(code)
    return str(code) if quantity is None else f"{code} ({quantity.replace('_', ' ')})"
