"""A-XDR: the tagged values inside DLMS/COSEM messages (IEC 61334-6; DLMS UA Green Book, clause 9.5).

Bounded by what is there: an element takes at least one octet, so no count can ask for more than the message holds;
containers nest `MAXIMUM_DEPTH` deep at most. A value that is cut off is an error here, never a wish for more.

What a value becomes: structure `tuple`, array `list`, whole numbers `int`, enum `Enumerated`, float `float`,
octet-string `bytes`, date-time, date and time `DateTimeOctets` (bytes too), text `str`, bit-string `str` of 0 and 1,
boolean `bool`, null-data `None`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from struct import Struct, error
from typing import Union

from core.errors import RemoteProtocolError
from core.language import _

MAXIMUM_DEPTH = 16
MAXIMUM_ITEMS = 1 << 16


class CutOffError(RemoteProtocolError):
    """A value that ends before its last octet: more may follow where it came in pieces."""


class Enumerated(int):
    """An enum: a number that stands for a word, such as a unit."""

    __slots__ = ()


class DateTimeOctets(bytes):
    """A date-time, date or time in the octets of COSEM."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class AttributeDescriptor:
    """Class, logical name and attribute, sent without tags by some meters in the place of a first element."""

    class_id: int
    logical_name: bytes
    attribute: int


Value = Union["tuple[Value, ...]", "list[Value]", int, float, bytes, str, AttributeDescriptor, None]
"""Any decoded value."""

_ENUMERATED = tuple(Enumerated(number) for number in range(256))
_U16 = Struct(">H").unpack_from
_I16 = Struct(">h").unpack_from
_U32 = Struct(">I").unpack_from
_I32 = Struct(">i").unpack_from
_U64 = Struct(">Q").unpack_from
_I64 = Struct(">q").unpack_from
_F32 = Struct(">f").unpack_from
_F64 = Struct(">d").unpack_from
_FIXED = {
    5: (_I32, 4),
    6: (_U32, 4),
    16: (_I16, 2),
    18: (_U16, 2),
    20: (_I64, 8),
    21: (_U64, 8),
    23: (_F32, 4),
    24: (_F64, 8),
}
_OCTETS = {25: 12, 26: 5, 27: 4}


def length_at(data: bytes, position: int) -> tuple[int, int]:
    """A length and the position after it: one octet up to 127, else 0x81 to 0x84 and that many octets."""
    try:
        first = data[position]
        if first < 0x80:
            return first, position + 1
        count = first & 0x7F
        end = position + 1 + count
        if not 1 <= count <= 4:
            raise RemoteProtocolError(
                _("a length at octet {position} has {count} octets").format(position=position, count=count)
            )
        if end > len(data):
            raise _cut_off(position)
        return int.from_bytes(data[position + 1 : end], "big"), end
    except IndexError:
        raise _cut_off(position) from None


def value_at(data: bytes, position: int = 0, *, has_descriptors: bool = True) -> tuple[Value, int]:
    """The value that starts at `position`, and the position after it; raises RemoteProtocolError.

    `has_descriptors` takes what looks like an untagged attribute descriptor for one: pushes of some meters hold them,
    answers to a GET never do.
    """
    size = len(data)
    items: list[Value] = []
    remaining = 1
    is_structure = False
    stack: list[tuple[list[Value], int, bool]] = []
    try:
        while True:
            while not remaining:
                if not stack:
                    return items[0], position
                closed: Value = tuple(items) if is_structure else items
                items, remaining, is_structure = stack.pop()
                items.append(closed)
            remaining -= 1
            tag = data[position]
            position += 1
            if tag == 6:
                items.append(_U32(data, position)[0])
                position += 4
            elif tag == 9:
                count = data[position]
                position += 1
                if count > 0x7F:
                    count, position = length_at(data, position - 1)
                end = position + count
                if end > size:
                    raise _cut_off(position)
                items.append(data[position:end])
                position = end
            elif tag == 2 or tag == 1:
                count = data[position]
                position += 1
                if count == 2 and data[position] == 15 and data[position + 2] == 22 and tag == 2:
                    # a scaler and a unit stand behind most values of most meters: the pairs are few and made once
                    items.append(_scaler_and_unit(data[position + 1], data[position + 3]))
                    position += 4
                    continue
                if count > 0x7F:
                    count, position = length_at(data, position - 1)
                if count > size - position:
                    raise CutOffError(
                        _("{count} elements are announced at octet {position}, {left} octets are left").format(
                            count=count, position=position, left=size - position
                        )
                    )
                if len(stack) >= MAXIMUM_DEPTH:
                    raise RemoteProtocolError(_("values are nested more than {depth} deep").format(depth=MAXIMUM_DEPTH))
                stack.append((items, remaining, is_structure))
                items, remaining, is_structure = [], count, tag == 2
                if (
                    count == 2
                    and tag == 2
                    and data[position] == 0
                    and has_descriptors
                    and _is_descriptor(data, position)
                ):
                    items.append(_descriptor_at(data, position))
                    position += 9
                    remaining = 1
            elif tag == 18:
                items.append(_U16(data, position)[0])
                position += 2
            elif tag == 15:
                number = data[position]
                items.append(number - 256 if number > 127 else number)
                position += 1
            elif tag == 22:
                items.append(_ENUMERATED[data[position]])
                position += 1
            elif tag == 0:
                items.append(None)
            else:
                value, position = _rarer_value(data, position, tag)
                items.append(value)
    except (IndexError, error):
        raise _cut_off(position) from None


@lru_cache(maxsize=1024)
def _scaler_and_unit(scaler: int, unit: int) -> tuple[int, Enumerated]:
    return (scaler - 256 if scaler > 127 else scaler, _ENUMERATED[unit])


def whole_children(data: bytes, position: int = 0) -> tuple[Value, ...]:
    """The whole elements of a container whose end is missing; what is cut off is left out."""
    children: list[Value] = []
    try:
        if data[position] not in (1, 2):
            return ()
        count, position = length_at(data, position + 1)
        while len(children) < count and position < len(data):
            child, position = value_at(data, position)
            children.append(child)
    except (IndexError, RemoteProtocolError):
        pass
    return tuple(children)


def _rarer_value(data: bytes, position: int, tag: int) -> tuple[Value, int]:
    fixed = _FIXED.get(tag)
    if fixed is not None:
        unpack, size = fixed
        return unpack(data, position)[0], position + size
    if tag in (10, 12):
        count, position = length_at(data, position)
        return _octets(data, position, count).decode("utf-8", "replace"), position + count
    if tag in _OCTETS:
        return DateTimeOctets(_octets(data, position, _OCTETS[tag])), position + _OCTETS[tag]
    if tag == 17:
        return data[position], position + 1
    if tag == 3:
        return data[position] != 0, position + 1
    if tag == 13:
        return (data[position] >> 4) * 10 + (data[position] & 15), position + 1
    if tag == 4:
        count, position = length_at(data, position)
        octets = _octets(data, position, (count + 7) // 8)
        bits = "".join(f"{octet:08b}" for octet in octets)
        return bits[:count], position + len(octets)
    if tag == 19:
        return _compact_array_at(data, position)
    if tag == 255:
        return None, position
    raise RemoteProtocolError(_("octet {position} is no A-XDR type: {tag:#04x}").format(position=position - 1, tag=tag))


def _octets(data: bytes, position: int, count: int) -> bytes:
    if position + count > len(data):
        raise _cut_off(position)
    return data[position : position + count]


def _cut_off(position: int) -> CutOffError:
    return CutOffError(_("the value at octet {position} is cut off").format(position=position))


def _is_descriptor(data: bytes, position: int) -> bool:
    """Class (2 octets, below 256), logical name ending in 255, attribute below 32: the XT211 pushes these untagged."""
    return (
        position + 10 <= len(data)
        and data[position + 1] > 0
        and data[position + 7] == 0xFF
        and 0 < data[position + 8] < 32
    )


def _descriptor_at(data: bytes, position: int) -> AttributeDescriptor:
    return AttributeDescriptor(data[position + 1], data[position + 2 : position + 8], data[position + 8])


Shape = Union[int, "tuple[int, int, Shape]", "tuple[int, tuple[Shape, ...]]"]
"""Type of the elements of a compact array: a tag; (1, count, type) for arrays; (2, types) for structures."""


def _compact_array_at(data: bytes, position: int) -> tuple[Value, int]:
    """A compact array: the type once, then the elements without tags (Green Book, clause 9.5)."""
    shape, position = _shape_at(data, position, 0)
    count, position = length_at(data, position)
    content = _octets(data, position, count)
    elements: list[Value] = []
    inner = 0
    budget = [MAXIMUM_ITEMS]
    while inner < count:
        before = inner
        element, inner = _packed_at(content, inner, shape, budget)
        if inner == before:
            raise RemoteProtocolError(_("a compact array holds elements of no size"))
        elements.append(element)
    return elements, position + count


def _shape_at(data: bytes, position: int, depth: int) -> tuple[Shape, int]:
    if depth > MAXIMUM_DEPTH:
        raise RemoteProtocolError(_("values are nested more than {depth} deep").format(depth=MAXIMUM_DEPTH))
    tag = data[position]
    position += 1
    if tag == 1:
        count = _U16(data, position)[0]
        inner, position = _shape_at(data, position + 2, depth + 1)
        return (1, count, inner), position
    if tag == 2:
        count, position = length_at(data, position)
        shapes: list[Shape] = []
        for _element in range(count):
            inner, position = _shape_at(data, position, depth + 1)
            shapes.append(inner)
        return (2, tuple(shapes)), position
    return tag, position


def _packed_at(data: bytes, position: int, shape: Shape, budget: list[int]) -> tuple[Value, int]:
    budget[0] -= 1
    if budget[0] < 0:
        raise RemoteProtocolError(_("a compact array holds more than {count} elements").format(count=MAXIMUM_ITEMS))
    if isinstance(shape, int):
        return _untagged(data, position, shape)
    elements: list[Value] = []
    if len(shape) == 3:
        for _element in range(shape[1]):
            value, position = _packed_at(data, position, shape[2], budget)
            elements.append(value)
        return elements, position
    for inner in shape[1]:
        value, position = _packed_at(data, position, inner, budget)
        elements.append(value)
    return tuple(elements), position


def _untagged(data: bytes, position: int, tag: int) -> tuple[Value, int]:
    if tag == 0:
        return None, position
    if tag == 9:
        count, position = length_at(data, position)
        return _octets(data, position, count), position + count
    if tag == 15:
        return int.from_bytes(_octets(data, position, 1), "big", signed=True), position + 1
    if tag == 22:
        return _ENUMERATED[data[position]], position + 1
    return _rarer_value(data, position, tag)
