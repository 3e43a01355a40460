"""The COSEM objects of the simulated E450: names, clock, registers with scaler and unit, the load profile.

Attributes come encoded and in pieces, so that a profile of years is sent without being held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC

from core.meter.clock import clock_of
from core.meter.virtual_e450 import VirtualE450, VirtualMoment
from core.meter.virtual_profile import BEGINNING_S, PERIOD_S, energies, row_times
from core.obis import ObisCode
from core.protocol.axdr import value_at
from core.protocol.axdr_encode import (
    NULL,
    array,
    double_long,
    double_long_unsigned,
    encoded_length,
    enumerated,
    integer,
    long,
    long_unsigned,
    octet_string,
    scaler_unit,
    structure,
    unsigned,
)
from core.protocol.get_messages import Attribute
from core.protocol.push_encoder import clock_octets

DATA, REGISTER, PROFILE_GENERIC, CLOCK, ASSOCIATION = 1, 3, 7, 8, 15
WH, VARH, W, VA, VAR, V, A, HZ, NONE, PERCENT = 30, 32, 27, 28, 29, 35, 33, 44, 255, 56

UNDEFINED = 4
DENIED = 3
TYPE_UNMATCHED = 12
RANGE, ENTRIES = 1, 2


def octets_of_code(text: str) -> bytes:
    """The six octets of a logical name written `1-0:1.8.0`."""
    code = ObisCode.parse(text)
    return bytes(group if isinstance(group, int) else 255 for group in (code.a, code.b, code.c, code.d, code.e, code.f))


CLOCK_NAME = octets_of_code("0-0:1.0.0")
LOGICAL_DEVICE_NAME = octets_of_code("0-0:42.0.0")
INVOCATION_COUNTER_NAME = octets_of_code("0-0:43.1.0")
SERIAL_NAME = octets_of_code("0-0:96.1.0")
PROGRAM_NAME = octets_of_code("1-0:0.2.0")
ASSOCIATION_NAME = octets_of_code("0-0:40.0.0")
PROFILE_NAME = octets_of_code("1-0:99.1.0")
PUBLIC_NAMES = frozenset({LOGICAL_DEVICE_NAME, INVOCATION_COUNTER_NAME, CLOCK_NAME, ASSOCIATION_NAME})
"""What a client without password or keys may read where the meter asks the others for them."""

_PROFILE_CODES = tuple(octets_of_code(f"1-0:{code}") for code in ("1.8.0", "2.8.0", "3.8.0", "4.8.0"))

Register = tuple[Callable[[VirtualMoment], float], int, int]
"""The value in its unit, the scaler, the number of the unit."""


def _registers() -> Mapping[bytes, Register]:
    found: dict[str, Register] = {
        "1.8.0": (lambda now: now.energy_import_wh, 0, WH),
        "2.8.0": (lambda now: now.energy_export_wh, 0, WH),
        "3.8.0": (lambda now: now.reactive_import_varh, 0, VARH),
        "4.8.0": (lambda now: now.reactive_export_varh, 0, VARH),
        "1.8.1": (lambda now: now.import_by_tariff_wh[0], 0, WH),
        "1.8.2": (lambda now: now.import_by_tariff_wh[1], 0, WH),
        "1.7.0": (lambda now: max(0.0, now.power_w), 0, W),
        "2.7.0": (lambda now: max(0.0, -now.power_w), 0, W),
        "16.7.0": (lambda now: now.power_w, 0, W),
        "3.7.0": (lambda now: max(0.0, now.reactive_var), 0, VAR),
        "4.7.0": (lambda now: max(0.0, -now.reactive_var), 0, VAR),
        "9.7.0": (lambda now: now.apparent_va, 0, VA),
        "13.7.0": (lambda now: now.power_factor, -3, NONE),
        "14.7.0": (lambda now: now.frequency_hz, -2, HZ),
        "12.7.124": (lambda now: now.thd_voltage_percent, -1, PERCENT),
        "11.7.124": (lambda now: now.thd_current_percent, -1, PERCENT),
    }
    for phase in range(3):
        found |= _phase_registers(phase)
    return {octets_of_code(f"1-0:{code}"): register for code, register in found.items()}


def _phase_registers(phase: int) -> dict[str, Register]:
    code = 20 * (phase + 1)
    return {
        f"{code + 1}.7.0": (lambda now: max(0.0, now.active_power_w[phase]), 0, W),
        f"{code + 2}.7.0": (lambda now: max(0.0, -now.active_power_w[phase]), 0, W),
        f"{code + 12}.7.0": (lambda now: now.voltage_v[phase], -1, V),
        f"{code + 11}.7.0": (lambda now: now.current_a[phase], -2, A),
        f"{code + 13}.7.0": (lambda now: now.phase_power_factor(phase), -3, NONE),
    }


REGISTERS = _registers()


@dataclass(frozen=True, slots=True)
class Refused:
    """A data-access-result other than success."""

    result: int


class VirtualObjects:
    """All objects of one virtual meter, as a client reads them."""

    def __init__(self, meter: VirtualE450, clock: Callable[[], float]) -> None:
        self._meter = meter
        self._clock = clock
        self.invocation_counter = 0
        """The last one that came from the client with the keys."""

    def read(self, attribute: Attribute, *, is_public: bool) -> Iterable[bytes] | Refused:
        """The encoded value of an attribute, in pieces; `is_public` for a client that may read little."""
        name, number = attribute.logical_name, attribute.number
        if is_public and name not in PUBLIC_NAMES:
            return Refused(DENIED)
        class_id = self._class_of(name)
        if class_id is None:
            return Refused(UNDEFINED)
        if attribute.class_id != class_id:
            return Refused(9)
        if number == 1:
            return [octet_string(name)]
        if name == PROFILE_NAME:
            return self._profile(attribute)
        if name == ASSOCIATION_NAME:
            return self._object_list(is_public=is_public) if number == 2 else Refused(UNDEFINED)
        value = self._value(name, number)
        return Refused(UNDEFINED) if value is None else [value]

    def names(self, *, is_public: bool) -> list[tuple[int, bytes]]:
        """Class and name of each object."""
        found = [
            (ASSOCIATION, ASSOCIATION_NAME),
            (DATA, LOGICAL_DEVICE_NAME),
            (DATA, INVOCATION_COUNTER_NAME),
            (CLOCK, CLOCK_NAME),
            (DATA, SERIAL_NAME),
            (DATA, PROGRAM_NAME),
            *((REGISTER, name) for name in REGISTERS),
            (PROFILE_GENERIC, PROFILE_NAME),
        ]
        return [(class_id, name) for class_id, name in found if not is_public or name in PUBLIC_NAMES]

    def _class_of(self, name: bytes) -> int | None:
        return next((class_id for class_id, known in self.names(is_public=False) if known == name), None)

    def _value(self, name: bytes, number: int) -> bytes | None:
        if name in REGISTERS:
            return self._register(REGISTERS[name], number)
        if name == CLOCK_NAME and number in (2, 3):
            return octet_string(clock_octets(self._clock(), 0)) if number == 2 else long(0)
        if number != 2:
            return None
        if name in (LOGICAL_DEVICE_NAME, SERIAL_NAME):
            return octet_string(self._meter.serial_number.encode())
        if name == INVOCATION_COUNTER_NAME:
            return double_long_unsigned(self.invocation_counter)
        return octet_string(b"SIMULATED-E450") if name == PROGRAM_NAME else None

    def _register(self, register: Register, number: int) -> bytes | None:
        value, scaler, unit = register
        if number == 3:
            return scaler_unit(scaler, unit)
        if number != 2:
            return None
        raw = round(value(self._meter.moment(self._clock())) / 10**scaler)
        if unit in (V, A, HZ, PERCENT, NONE):
            return long_unsigned(raw)
        return double_long_unsigned(raw) if raw >= 0 else double_long(raw)

    def _object_list(self, *, is_public: bool) -> Iterator[bytes]:
        names = self.names(is_public=is_public)
        yield b"\x01" + encoded_length(len(names))
        attributes = {DATA: 2, REGISTER: 3, CLOCK: 9, PROFILE_GENERIC: 8, ASSOCIATION: 9}
        for class_id, name in names:
            rights = [structure(integer(number), enumerated(1), NULL) for number in range(1, attributes[class_id] + 1)]
            access = structure(array(rights), array([]))
            yield structure(long_unsigned(class_id), unsigned(0), octet_string(name), access)

    def _profile(self, attribute: Attribute) -> Iterable[bytes] | Refused:
        number = attribute.number
        if number == 2:
            return self._buffer(attribute)
        times = row_times(BEGINNING_S, self._clock(), self._clock())
        values = {
            3: array([_capture(CLOCK, CLOCK_NAME), *(_capture(REGISTER, name) for name in _PROFILE_CODES)]),
            4: double_long_unsigned(PERIOD_S),
            5: enumerated(1),
            6: _capture(CLOCK, CLOCK_NAME),
            7: double_long_unsigned(len(times)),
            8: double_long_unsigned(len(times)),
        }
        return [values[number]] if number in values else Refused(UNDEFINED)

    def _buffer(self, attribute: Attribute) -> Iterable[bytes] | Refused:
        """The rows that a range, a choice of entries, or nothing asks for."""
        now_s = self._clock()
        times = row_times(BEGINNING_S, now_s, now_s)
        if attribute.selector is not None:
            chosen = value_at(attribute.parameters, has_descriptors=False)[0]
            if not isinstance(chosen, (list, tuple)) or len(chosen) != 4:
                return Refused(TYPE_UNMATCHED)
            if attribute.selector == RANGE:
                bounds = [_moment_s(chosen[1]), _moment_s(chosen[2])]
                if bounds[0] is None or bounds[1] is None:
                    return Refused(TYPE_UNMATCHED)
                times = row_times(bounds[0], bounds[1], now_s)
            elif attribute.selector == ENTRIES and isinstance(chosen[0], int) and isinstance(chosen[1], int):
                first, last = max(1, chosen[0]), chosen[1] or len(times)
                times = times[first - 1 : max(first - 1, last)]
            else:
                return Refused(TYPE_UNMATCHED)
        return self._rows(times)

    def _rows(self, times: range) -> Iterator[bytes]:
        yield b"\x01" + encoded_length(len(times))
        for time_s in times:
            counters = (double_long_unsigned(round(value)) for value in energies(self._meter, time_s))
            yield structure(octet_string(clock_octets(time_s, 0)), *counters)


def _capture(class_id: int, name: bytes) -> bytes:
    return structure(long_unsigned(class_id), octet_string(name), integer(2), long_unsigned(0))


def _moment_s(octets: object) -> float | None:
    """Seconds of a date-time of 12 octets; one without an offset is taken as the meter's, which is UTC."""
    if not isinstance(octets, bytes):
        return None
    found = clock_of(octets)
    if found is None:
        return None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
