"""What one message of a sensor says: who it is, and its values; or why it is refused, in words.

The identifier is one of `capteur_id`, `sensor_id`, `id`, `name` (in this order), else the peer's address. Every field
with a number is a value of its own. Where a temperature or another known quantity should stand, nothing but a finite
number is taken; texts and booleans in other fields are left aside.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from math import isfinite
from typing import Any, NamedTuple

from core.language import N_, _
from core.protocol.json_objects import LIMIT, Broken, Found, TextLine, TooLong
from core.protocol.messages import plain_text
from core.protocol.sensor_fields import Field, Role, field, with_unit
from core.protocol.text_sensors import is_http, text_measures

VALUES = 64
"""Values of one message at most."""

LONGEST_IDENTIFIER = 64

EXAMPLE = '{"capteur_id": "capteur_1", "temperature": 23.5}'

_EXCERPT = 80


class Value(NamedTuple):
    """One value of a message; `quantity` and `unit` as in SensorMeasure."""

    quantity: str
    value: float
    unit: str | None


class Message(NamedTuple):
    """What a sensor said; `sensor` None where it did not say who it is. It has one value or more.

    `is_simulated` where it says so of itself: `"simulated": true`, as our own simulator does.
    """

    sensor: str | None
    values: list[Value]
    is_simulated: bool = False


class Refusal(Exception):  # noqa: N818 -- it is an answer; nothing has failed on our side
    """Why a message is not taken: `template` with `fields` in it, in English for the wire, for people in their words.

    `is_last` where nothing more of this link will be taken.
    """

    def __init__(self, template: str, *, is_last: bool = False, **fields: object) -> None:
        super().__init__(template, fields)
        self.template = template
        self.fields = fields
        self.is_last = is_last

    def __str__(self) -> str:
        return self.english

    @property
    def english(self) -> str:
        """The reason as it goes over the wire, whatever the user's language is."""
        return self.template.format(**self.fields)

    @property
    def text(self) -> str:
        """The reason in the user's language."""
        fields = {name: value.text if isinstance(value, Refusal) else value for name, value in self.fields.items()}
        return _(self.template).format(**fields)


def messages_of(found: Found) -> list[Message]:
    """The messages that one part of a stream holds: one, or several in a line of text. Raises Refusal."""
    if isinstance(found, dict):
        return [message_of(found)]
    if isinstance(found, TextLine):
        return _of_text(found.text)
    if isinstance(found, TooLong):
        raise Refusal(
            N_("a message is longer than {limit} octets; it begins: {text}"), limit=LIMIT, text=excerpt(found.text)
        )
    assert isinstance(found, Broken)
    raise Refusal(
        N_("this is no whole JSON object ({reason}): {text}"),
        reason=Refusal(found.template, value=found.value),
        text=excerpt(found.text),
    )


def message_of(fields: Mapping[str, Any]) -> Message:
    """The message that a JSON object is. Raises Refusal."""
    identifier: object = None
    rank = math.inf
    values: list[Value] = []
    general: list[tuple[str, Field, float]] = []
    unit: str | None = None
    named: str | None = None
    absent = holder = ""
    for name, value in fields.items():
        known = field(name)
        role = known.role
        kind = type(value)
        if role is Role.IDENTIFIER:
            if value is not None and known.rank < rank:
                identifier, rank = value, known.rank
        elif role is Role.TIME:
            continue  # a measure has the time at which it came: clocks of sensors cannot be relied on
        elif role is Role.UNIT or role is Role.QUANTITY:
            if kind is str and role is Role.UNIT:
                unit = value
            elif kind is str:
                named = value
        elif kind is float or kind is int:
            number = value if kind is float and isfinite(value) else _finite(name, value)
            if role is Role.VALUE:
                general.append((name, known, number))
            else:
                values.append(Value(known.quantity, number, known.unit))
        elif value is None:
            absent = absent or name
        elif role is not Role.OTHER:
            raise _no_number(name, value)
        elif kind is dict or kind is list:
            holder = holder or name
    if general or unit is not None:
        values = _with_names(values, general, unit, named)
    if not values:
        if absent:
            raise Refusal(N_("{name} is null, and there is no other value"), name=excerpt(absent))
        if holder:
            raise Refusal(
                N_("{name} is a list or an object; send its values beside the identifier: {example}"),
                name=excerpt(holder),
                example=EXAMPLE,
            )
        raise Refusal(N_("there is no value in it; a message is such as {example}"), example=EXAMPLE)
    if len(values) > 1:
        values = _told_apart(values)
    is_simulated = fields.get("simulated") is True
    return Message(None if identifier is None else _identifier(identifier), values, is_simulated)


def excerpt(text: str) -> str:
    """The beginning of what a peer sent, as one line fit to be shown."""
    line = plain_text(text, _EXCERPT + 1).strip()
    return line if len(line) <= _EXCERPT else line[:_EXCERPT] + "…"


def _finite(name: str, value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Refusal(
            N_("{name} is {value}, which is no number that can be kept"), name=excerpt(name), value=_shown(value)
        )
    return number


def _no_number(name: str, value: object) -> Refusal:
    if isinstance(value, bool):
        return Refusal(N_("{name} is {value}, not a number"), name=excerpt(name), value="true" if value else "false")
    if isinstance(value, str):
        return Refusal(
            N_("{name} is the text “{value}”; send a number without quotes"), name=excerpt(name), value=excerpt(value)
        )
    return Refusal(N_("{name} is a list or an object; send a number: {example}"), name=excerpt(name), example=EXAMPLE)


def _shown(value: float) -> str:
    return excerpt(str(value)) if isinstance(value, float) else "too large"


def _identifier(value: object) -> str | None:
    """What a sensor calls itself; None where that is empty."""
    if type(value) is not str and (isinstance(value, bool) or not isinstance(value, str | int | float)):
        raise Refusal(N_("the identifier is neither a text nor a number"))
    try:
        text = (value if isinstance(value, str) else str(value)).strip()
    except ValueError:  # a number of more digits than Python prints
        text = "9" * (LONGEST_IDENTIFIER + 1)
    if len(text) > LONGEST_IDENTIFIER:
        raise Refusal(
            N_("the identifier is longer than {limit} letters: {text}"), limit=LONGEST_IDENTIFIER, text=excerpt(text)
        )
    if not text.isprintable():
        raise Refusal(N_("the identifier holds letters that cannot be shown: {text}"), text=excerpt(text))
    return text or None


def _with_names(
    values: list[Value], general: list[tuple[str, Field, float]], unit: str | None, named: str | None
) -> list[Value]:
    """All values, where a unit or the name of a quantity stands in a field of its own; it is meant for the only one."""
    alone = len(values) + len(general) == 1
    if not alone:
        return values + [Value(known.quantity, number, known.unit) for _name, known, number in general]
    if values:
        known = with_unit(Field(Role.KNOWN, values[0].quantity, values[0].unit), unit)
        return [Value(known.quantity, values[0].value, known.unit)]
    _name, known, number = general[0]
    if named is not None:
        meant = field(named)
        if meant.quantity and meant.role in (Role.KNOWN, Role.OTHER):
            known = meant
    known = with_unit(known, unit)
    return [Value(known.quantity, number, known.unit)]


def _told_apart(values: list[Value]) -> list[Value]:
    """The values, each quantity once: of two that mean the same, the second gets a number behind its name."""
    if len(values) > VALUES:
        raise Refusal(N_("a message has more than {limit} values"), limit=VALUES)
    found: dict[str, Value] = {}
    for value in values:
        quantity, count = value.quantity, 1
        while quantity in found:
            count += 1
            quantity = f"{value.quantity}_{count}"
        found[quantity] = value if count == 1 else value._replace(quantity=quantity)
    return list(found.values())


def _of_text(text: str) -> list[Message]:
    if is_http(text):
        raise Refusal(
            N_("this port takes measures of sensors, it serves no web pages; send {example}"),
            is_last=True,
            example=EXAMPLE,
        )
    if text.startswith("Hello|"):
        raise Refusal(
            N_("this port takes measures of sensors, it is no room to talk in; send {example}"),
            is_last=True,
            example=EXAMPLE,
        )
    measures = text_measures(text)
    if not measures or len(measures) > VALUES:
        raise Refusal(N_("this is neither JSON nor a line such as “temperature:16.37”: {text}"), text=excerpt(text))
    found = []
    for measure in measures:
        known = field(measure.name)
        if known.role is not Role.KNOWN:
            raise Refusal(N_("“{name}” is no quantity that a line of text can have"), name=excerpt(measure.name))
        known = with_unit(known, measure.unit)
        value = _finite(measure.name, measure.value)
        sensor = None if measure.sensor is None else _identifier(measure.sensor)
        found.append(Message(sensor, [Value(known.quantity, value, known.unit)]))
    return found
