"""What the objects of a DLMS meter hold, as readings: which attribute is the value, whose scaler, which quantity.

Scaler and unit come from the register itself (attribute 3, of demand registers 4), so every reading names the meter as
their source. Source: DLMS UA Blue Book, clauses 4.3 and 4.4.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from core.errors import RemoteProtocolError
from core.language import N_, _
from core.meter.clock import clock_of
from core.meter.e450 import IDENTITY_LIMIT, SIMULATED_NAME, SIMULATED_TITLE, quantity_of, unit_text
from core.meter.quality import quality_of
from core.meter.readings import text_of
from core.obis import ObisCode
from core.protocol.axdr import Value
from core.protocol.get_messages import Attribute
from core.records import MeterIdentity, Reading

DATA, REGISTER, EXTENDED_REGISTER, DEMAND_REGISTER, PROFILE, CLOCK = 1, 3, 4, 5, 7, 8
VALUE_CLASSES = (DATA, REGISTER, EXTENDED_REGISTER, DEMAND_REGISTER, CLOCK)
SCALER_ATTRIBUTES = {REGISTER: 3, EXTENDED_REGISTER: 3, DEMAND_REGISTER: 4}
OBJECT_LIST = Attribute(15, bytes((0, 0, 40, 0, 0, 255)), 2)
LOGICAL_DEVICE_NAME = bytes((0, 0, 42, 0, 0, 255))
SERIAL_NUMBER = bytes((0, 0, 96, 1, 0, 255))
METER_CLOCK = bytes((0, 0, 1, 0, 0, 255))
LIST_LIMIT = 1 << 14
LOWEST_SCALER, HIGHEST_SCALER = -30, 30

CLASS_NAMES = {
    1: N_("data"),
    3: N_("register"),
    4: N_("extended register"),
    5: N_("demand register"),
    6: N_("register activation"),
    7: N_("profile"),
    8: N_("clock"),
    9: N_("script table"),
    10: N_("schedule"),
    11: N_("special days"),
    12: N_("association (short names)"),
    15: N_("association"),
    17: N_("logical devices"),
    18: N_("image transfer"),
    19: N_("optical port"),
    20: N_("activity calendar"),
    21: N_("register monitor"),
    22: N_("single action schedule"),
    23: N_("HDLC setup"),
    40: N_("push setup"),
    41: N_("TCP setup"),
    62: N_("compact data"),
    64: N_("security setup"),
    70: N_("disconnect control"),
    71: N_("limiter"),
    72: N_("M-Bus client"),
}
_KNOWN = {
    (0, 42, 0, 0): N_("logical device name"),
    (0, 96, 1, 0): N_("serial number of the meter"),
    (0, 96, 1, 1): N_("number given by the grid operator"),
    (0, 43, 1, 0): N_("invocation counter"),
    (0, 1, 0, 0): N_("clock of the meter"),
    (1, 99, 1, 0): N_("load profile"),
    (1, 99, 2, 0): N_("second load profile"),
    (1, 98, 1, 0): N_("billing values"),
    (0, 99, 98, 0): N_("event log"),
}
_USUAL = (
    *((group, 8, 0) for group in (1, 2, 3, 4)),
    *((1, 8, tariff) for tariff in range(1, 5)),
    *((group, 7, 0) for group in (16, 1, 2, 3, 4, 9, 32, 52, 72, 31, 51, 71, 14, 13, 21, 22, 41, 42, 61, 62)),
    (13, 21, 0),
    (12, 7, 124),
    (11, 7, 124),
)
_ASKED_BLINDLY = frozenset(key for key in _USUAL if key[:2] != (1, 8) or key[2] == 0) - {
    (group, 7, 0) for group in (21, 22, 41, 42, 61, 62)
}


class CosemObject(Struct, frozen=True):
    """One object that a meter holds; `is_readable` False where its list says that the value may not be read."""

    class_id: int
    logical_name: bytes
    version: int = 0
    is_readable: bool = True

    @property
    def code(self) -> ObisCode:
        """Its logical name as a code."""
        return ObisCode.from_octets(self.logical_name)

    @property
    def value(self) -> Attribute:
        """The attribute that holds its value."""
        return Attribute(self.class_id, self.logical_name, 2)

    @property
    def scaler(self) -> Attribute | None:
        """The attribute that holds scaler and unit, where its class has one."""
        number = SCALER_ATTRIBUTES.get(self.class_id)
        return None if number is None else Attribute(self.class_id, self.logical_name, number)

    @property
    def about(self) -> str | None:
        """What it is, for people, as far as that is known without asking it."""
        code = self.code
        known = _KNOWN.get((code.a or 0, code.c, code.d, code.e or 0))  # type: ignore[arg-type]  # octets are numbers
        if known is None and self.class_id not in (REGISTER, EXTENDED_REGISTER, DEMAND_REGISTER):
            known = CLASS_NAMES.get(self.class_id)
        return None if known is None else _(known)


class ScalerUnit(Struct, frozen=True):
    """What the number of a register is to be multiplied with (a power of ten), and the number of its unit."""

    scaler: int
    unit: int


def objects_of(value: Value) -> tuple[CosemObject, ...]:
    """The objects of an association's list; what is no object of it is left out, each one counts once.

    Raises RemoteProtocolError for what is no list.
    """
    if not isinstance(value, list):
        raise RemoteProtocolError(_("the meter's object list cannot be read"))
    found: dict[tuple[int, bytes], CosemObject] = {}
    for element in value[:LIST_LIMIT]:
        if not isinstance(element, tuple) or len(element) < 3:
            continue
        class_id, version, name = element[:3]
        if isinstance(class_id, int) and isinstance(name, bytes) and len(name) == 6 and isinstance(version, int):
            rights = element[3] if len(element) > 3 else None
            found.setdefault((class_id, name), CosemObject(class_id, name, version, _is_readable(rights)))
    return tuple(found.values())


def usual_objects(objects: Sequence[CosemObject] | None) -> tuple[CosemObject, ...]:
    """The objects of the usual quantities that a list names, in their order; without a list, where they should be."""
    if objects is None:
        return tuple(CosemObject(REGISTER, bytes((1, 0, *key, 255))) for key in _USUAL if key in _ASKED_BLINDLY)
    by_key: dict[tuple[int, ...], CosemObject] = {}
    for one in objects:
        a, _b, c, d, e, f = one.logical_name
        if a == 1 and f == 255 and one.class_id in SCALER_ATTRIBUTES and one.is_readable:
            by_key.setdefault((c, d, 0 if e == 255 else e), one)
    return tuple(by_key[key] for key in _USUAL if key in by_key)


def objects_named(text: str, objects: Sequence[CosemObject] | None) -> tuple[CosemObject, ...]:
    """The objects that `text` (`1.8.0`, `1-0:1.8.0*255` or `1.0.1.8.0.255`) names in a list, else what it should be.

    Without a list it is taken for a register, a clock or data by its code. Raises RemoteProtocolError for no code.
    """
    code = code_of(text)
    if not isinstance(code.c, int) or not isinstance(code.d, int):
        raise RemoteProtocolError(_("“{text}” is not an OBIS code").format(text=text[:40]))
    wanted = (code.a, code.b, code.c, code.d, code.e, 255 if code.f is None else code.f)
    if objects is not None:
        return tuple(
            one
            for one in objects
            if all(group is None or group == octet for group, octet in zip(wanted, one.logical_name, strict=True))
        )
    a = code.a if code.a is not None else 0 if code.c in (0, 42, 43, 96, 97) else 1
    name = bytes((a, code.b or 0, code.c, code.d, code.e or 0, wanted[5] or 0))
    if a == 0:
        return (CosemObject(CLOCK if name[2:5] == b"\x01\x00\x00" else DATA, name),)
    return (CosemObject(DATA if code.c in (0, 96) else REGISTER, name),)


def code_of(text: str) -> ObisCode:
    """A code as people write it, six groups with dots between them too; raises RemoteProtocolError."""
    groups = text.split(".")
    if len(groups) == 6 and all(group.isascii() and group.isdigit() and int(group) < 256 for group in groups):
        return ObisCode.from_octets(bytes(map(int, groups)))
    return ObisCode.parse(text)


def scaler_unit_of(value: Value) -> ScalerUnit | None:
    """What attribute 3 of a register says; None for anything else."""
    if isinstance(value, tuple) and len(value) == 2:
        scaler, unit = value
        if isinstance(scaler, int) and isinstance(unit, int) and LOWEST_SCALER <= scaler <= HIGHEST_SCALER:
            return ScalerUnit(scaler, unit)
    return None


def reading_of(one: CosemObject, value: Value, scaler: ScalerUnit | None, time: str | None = None) -> Reading:
    """The reading of an object whose value attribute holds `value`; a number is scaled, all else becomes a text."""
    code = one.code
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return Reading(obis=str(code), quantity=None, value=shown_value(value), time=time)
    number = value if type(value) is int or isinstance(value, float) else int(value)
    scaled = scaled_number(number, scaler)
    quantity = quantity_of(code)
    return Reading(
        obis=str(code),
        quantity=quantity,
        value=scaled,
        raw=number,
        unit=None if scaler is None else unit_text(scaler.unit),
        time=time,
        quality=quality_of(quantity, scaled),
        scaler_source=None if scaler is None else "meter",
    )


def scaled_number(number: float, scaler: ScalerUnit | None) -> float | int:
    """`number` times the power of ten of `scaler`, rounded correctly (2301 and -1 give 230.1)."""
    if scaler is None or scaler.scaler == 0:
        return number
    power: int = 10 ** abs(scaler.scaler)
    return number * power if scaler.scaler > 0 else number / power


def shown_value(value: Value) -> str | None:
    """A value that is no number, for people; a clock in ISO 8601."""
    if value is None:
        return None
    if isinstance(value, bytes) and len(value) == 12:
        moment = clock_of(value)
        if moment is not None:
            return moment.isoformat()
    return text_of(value)


def identity_of(device_name: Value, serial_number: Value, title: bytes | None) -> MeterIdentity:
    """Who the meter is, by its logical device name, its serial number and its system title."""
    name, number = (
        text_of(value)[:IDENTITY_LIMIT] if isinstance(value, (bytes, str, int)) else ""
        for value in (device_name, serial_number)
    )
    letters = [text[:3] for text in (name, title.decode("latin-1") if title else "")]
    maker = next(
        (text for text in letters if len(text) == 3 and text.isascii() and text.isalpha() and text.isupper()), None
    )
    return MeterIdentity(manufacturer=maker, serial_number=number or name or None)


def is_simulated(device_name: Value, title: bytes | None) -> bool:
    """True for the simulated meter."""
    return title == SIMULATED_TITLE or (
        isinstance(device_name, bytes) and device_name.startswith(SIMULATED_NAME.encode())
    )


def _is_readable(rights: Value) -> bool:
    """What the list of access rights says of attribute 2; readable where it says nothing that is understood."""
    if isinstance(rights, tuple) and rights and isinstance(rights[0], list):
        for entry in rights[0]:
            if isinstance(entry, tuple) and len(entry) >= 2 and entry[0] == 2 and isinstance(entry[1], int):
                return entry[1] not in (0, 2, 5)  # no access, write only, authenticated write only
    return True
