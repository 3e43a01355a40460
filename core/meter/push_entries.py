"""Finds what belongs together in the body of a push: a code, its value, its scaler and unit.

Bodies seen: an object list and then the values; code and value in turn; structures of code, value and (scaler, unit)
in any order; structures with class and attribute; values alone, whose meaning only a preset knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from core.language import _
from core.protocol.axdr import AttributeDescriptor, Enumerated, Value

_made = tuple.__new__
"""Makes an Entry of its five values in half the time that calling the class takes."""
_REGISTERS = (3, 4)
_PUSH_SETUP = 40
_LOGICAL_NAME = 1
_SCALER_UNIT = 3


class Entry(NamedTuple):
    """One value: `code` is a logical name of 6 octets, None where the meter sent none; `unit` is a number."""

    code: bytes | None
    value: Value
    scaler: int | None = None
    unit: int | None = None
    attribute: int | None = None


def entries_of(body: Value, problems: list[str]) -> list[Entry]:
    """All values of `body` in their order; a list that does not fit its values goes into `problems`."""
    if not isinstance(body, (tuple, list)):
        return [Entry(None, body)]
    if body and isinstance(body[0], list) and _is_object_list(body[0]):
        return _behind_list(body[0], body, problems)
    found: list[Entry] = []
    _walk(body, found)
    return found


def _walk(elements: Sequence[Value], found: list[Entry]) -> None:
    count = len(elements)
    position = 0
    while position < count:
        element = elements[position]
        position += 1
        if element is None:
            continue
        if isinstance(element, tuple):
            if len(element) == 3:  # by far the most frequent: code, value, (scaler, unit)
                code, value, pair = element
                if type(code) is bytes and len(code) == 6 and type(pair) is tuple and len(pair) == 2:
                    scaler, unit = pair
                    if type(scaler) is int and type(unit) is Enumerated and not isinstance(value, (tuple, list)):
                        found.append(_made(Entry, (code, value, scaler, unit, None)))
                        continue
            entry = _structured(element)
            if entry is not None:
                found.append(entry)
            else:
                _walk(element, found)
        elif isinstance(element, list):
            _walk(element, found)
        elif isinstance(element, bytes) and len(element) == 6 and element[0] < 16 and position < count:
            value = elements[position]
            position += 1
            scaler, unit = None, None
            if position < count:
                pair = _scaler_and_unit(elements[position])
                if pair is not None:
                    scaler, unit = pair
                    position += 1
            found.append(Entry(element, value, scaler, unit))
        else:
            found.append(Entry(None, element))


def _structured(element: tuple[Value, ...]) -> Entry | None:
    """The value of a structure that names its code; None where it names none."""
    if len(element) < 2:
        return None
    first = element[0]
    if isinstance(first, AttributeDescriptor):
        return Entry(first.logical_name, element[1], attribute=first.attribute)
    code_at = next(
        (
            place
            for place, member in enumerate(element)
            if isinstance(member, bytes) and len(member) == 6 and member[0] < 16
        ),
        None,
    )
    if code_at is None:
        return None
    scaler, unit = None, None
    before: list[Value] = []
    after: list[Value] = []
    for place, member in enumerate(element):
        pair = _scaler_and_unit(member)
        if pair is not None:
            scaler, unit = pair
        elif place < code_at:
            before.append(member)
        elif place > code_at:
            after.append(member)
    attribute = None
    if after:
        value = after[-1]
        if len(after) > 1 and isinstance(after[0], int):
            if after[0] < 0:
                scaler = after[0]
            else:
                attribute = int(after[0])
    elif before:
        value = before[0]
    else:
        return None
    code = element[code_at]
    assert isinstance(code, bytes)
    return Entry(code, value, scaler, unit, attribute)


def _scaler_and_unit(value: Value) -> tuple[int, int] | None:
    """A structure of a scaler and a unit, in either order."""
    if not isinstance(value, tuple) or len(value) != 2:
        return None
    first, second = value
    if type(second) is Enumerated and type(first) is int:
        return (first, second) if -128 <= first <= 127 else None
    if type(first) is Enumerated and type(second) is int:
        return (second, first) if -128 <= second <= 127 else None
    return None


def _is_object_list(objects: Sequence[Value]) -> bool:
    """True for a push object list: (class, logical name, attribute, index, …) for each of the elements."""
    return bool(objects) and all(
        isinstance(entry, tuple)
        and len(entry) >= 4
        and isinstance(entry[0], int)
        and isinstance(entry[1], bytes)
        and len(entry[1]) == 6
        and isinstance(entry[2], int)
        and isinstance(entry[3], int)
        for entry in objects
    )


def _behind_list(objects: list[Value], body: Sequence[Value], problems: list[str]) -> list[Entry]:
    """Values behind an object list, beside it or in one container of their own; without codes where it does not fit."""
    first = objects[0]
    names_itself = isinstance(first, tuple) and first[0] == _PUSH_SETUP
    if len(body) == 2 and not (names_itself and len(objects) == 2):
        inner = body[1]
        if isinstance(inner, (tuple, list)) and len(objects) > 1:
            if len(inner) == len(objects):
                return _listed(objects, [None, *inner])
            if len(inner) == len(objects) - 1:
                return _listed(objects, [objects, *inner])
    if len(objects) in (len(body), len(body) - 1):
        return _listed(objects, body)
    problems.append(
        _("the object list names {count} values and {sent} came; none of them can be named").format(
            count=len(objects), sent=len(body) - 1
        )
    )
    return [Entry(None, value) for value in body[1:]]


def _listed(objects: list[Value], elements: Sequence[Value]) -> list[Entry]:
    """Values behind the list that names them; a list that names itself stands for the first element."""
    values = elements if len(objects) == len(elements) else elements[1:]
    scalers: dict[bytes, tuple[int, int]] = {}
    found: list[Entry] = []
    for entry, value in zip(objects, values, strict=True):
        assert isinstance(entry, tuple)
        class_id, code, attribute = entry[0], entry[1], entry[2]
        assert isinstance(class_id, int) and isinstance(code, bytes) and isinstance(attribute, int)  # noqa: PT018 (_is_object_list has checked all three)
        if value is objects:
            continue
        if class_id in _REGISTERS and attribute == _SCALER_UNIT:
            pair = _scaler_and_unit(value)
            if pair is not None:
                scalers[code] = pair
                continue
        found.append(_whole_object(code, value) if attribute == 0 else Entry(code, value, attribute=attribute))
    if not scalers:
        return found
    return [
        entry._replace(scaler=scalers[entry.code][0], unit=scalers[entry.code][1]) if entry.code in scalers else entry
        for entry in found
    ]


def _whole_object(code: bytes, value: Value) -> Entry:
    """The value of an object that is sent with all its attributes: the logical name, the value, then the others."""
    if isinstance(value, tuple) and len(value) > 1 and value[0] == code:
        pair = _scaler_and_unit(value[2]) if len(value) > 2 else None
        if pair is None or isinstance(value[1], (tuple, list)):
            return Entry(code, value[1], attribute=2)
        return Entry(code, value[1], *pair, attribute=2)
    return Entry(code, value, attribute=0)


def is_logical_name(entry: Entry) -> bool:
    """True for attribute 1, which repeats the code and says nothing more."""
    return entry.attribute == _LOGICAL_NAME and entry.value == entry.code
