"""What a VIF and its VIFEs mean: quantity, unit, power of ten (EN 13757-3:2013, clause 6 and tables 10 to 16).

Quantities are the standard's own words in lower case, joined as names are. Multiples of one unit are brought to that
unit: hours to seconds, MWh to Wh, GJ to J, tonnes to kg.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """How the data of a record are to be taken."""

    NUMBER = "number"
    BITS = "bits"
    DATE = "date"
    DATE_TIME = "date and time"


class Meaning(NamedTuple):
    """A quantity, and what one step of its number is: `multiply` times 10 to the power of `exponent` of `unit`."""

    quantity: str
    unit: str | None = None
    exponent: int = 0
    multiply: int = 1
    kind: Kind = Kind.NUMBER


RESERVED = Meaning("reserved")
MANUFACTURER = Meaning("manufacturer_specific")
ANY = Meaning("any")

_SECONDS = (1, 60, 3600, 86_400)
_LONG_TIMES = (("s", 3600), ("s", 86_400), ("mo", 1), ("a", 1))


def _scaled(table: dict[int, Meaning], first: int, count: int, quantity: str, unit: str, exponent: int) -> None:
    """Fill `count` codes from `first`, each ten times the one before."""
    for step in range(count):
        table[first + step] = Meaning(quantity, unit, exponent + step)


def _times(table: dict[int, Meaning], first: int, quantity: str, factors: tuple[int, ...] = _SECONDS) -> None:
    for step, factor in enumerate(factors):
        table[first + step] = Meaning(quantity, "s", 0, factor)


def _primary() -> dict[int, Meaning]:
    table: dict[int, Meaning] = {}
    _scaled(table, 0x00, 8, "energy", "Wh", -3)
    _scaled(table, 0x08, 8, "energy", "J", 0)
    _scaled(table, 0x10, 8, "volume", "m³", -6)
    _scaled(table, 0x18, 8, "mass", "kg", -3)
    _times(table, 0x20, "on_time")
    _times(table, 0x24, "operating_time")
    _scaled(table, 0x28, 8, "power", "W", -3)
    _scaled(table, 0x30, 8, "power", "J/h", 0)
    _scaled(table, 0x38, 8, "volume_flow", "m³/h", -6)
    _scaled(table, 0x40, 8, "volume_flow", "m³/min", -7)
    _scaled(table, 0x48, 8, "volume_flow", "m³/s", -9)
    _scaled(table, 0x50, 8, "mass_flow", "kg/h", -3)
    _scaled(table, 0x58, 4, "flow_temperature", "°C", -3)
    _scaled(table, 0x5C, 4, "return_temperature", "°C", -3)
    _scaled(table, 0x60, 4, "temperature_difference", "K", -3)
    _scaled(table, 0x64, 4, "external_temperature", "°C", -3)
    _scaled(table, 0x68, 4, "pressure", "bar", -3)
    table[0x6C] = Meaning("date", kind=Kind.DATE)
    table[0x6D] = Meaning("date_time", kind=Kind.DATE_TIME)
    table[0x6E] = Meaning("heat_cost_allocation")
    _times(table, 0x70, "averaging_duration")
    _times(table, 0x74, "actuality_duration")
    table[0x78] = Meaning("fabrication_number")
    table[0x79] = Meaning("enhanced_identification")
    table[0x7A] = Meaning("bus_address")
    table[0x7E] = ANY
    table[0x7F] = MANUFACTURER
    return table


def _alternate() -> dict[int, Meaning]:
    """Behind the octet FB."""
    table: dict[int, Meaning] = {}
    _scaled(table, 0x00, 2, "energy", "Wh", 5)
    _scaled(table, 0x02, 2, "reactive_energy", "varh", 3)
    _scaled(table, 0x04, 2, "apparent_energy", "VAh", 3)
    _scaled(table, 0x08, 2, "energy", "J", 8)
    _scaled(table, 0x0C, 4, "energy", "cal", 5)
    _scaled(table, 0x10, 2, "volume", "m³", 2)
    _scaled(table, 0x14, 4, "reactive_power", "var", 0)
    _scaled(table, 0x18, 2, "mass", "kg", 5)
    _scaled(table, 0x1A, 2, "relative_humidity", "%", -1)
    table[0x20] = Meaning("volume", "ft³")
    table[0x21] = Meaning("volume", "ft³", -1)
    table[0x22] = Meaning("volume", "gal", -1)
    table[0x23] = Meaning("volume", "gal")
    table[0x24] = Meaning("volume_flow", "gal/min", -3)
    table[0x25] = Meaning("volume_flow", "gal/min")
    table[0x26] = Meaning("volume_flow", "gal/h")
    _scaled(table, 0x28, 2, "power", "W", 5)
    table[0x2A] = Meaning("phase_angle_voltage_to_voltage", "°", -1)
    table[0x2B] = Meaning("phase_angle_voltage_to_current", "°", -1)
    _scaled(table, 0x2C, 4, "frequency", "Hz", -3)
    _scaled(table, 0x30, 2, "power", "J/h", 8)
    _scaled(table, 0x34, 4, "apparent_power", "VA", 0)
    _scaled(table, 0x58, 4, "flow_temperature", "°F", -3)
    _scaled(table, 0x5C, 4, "return_temperature", "°F", -3)
    _scaled(table, 0x60, 4, "temperature_difference", "°F", -3)
    _scaled(table, 0x64, 4, "external_temperature", "°F", -3)
    for code, word in enumerate(
        (
            "resulting_rating_factor",
            "thermal_output_rating_factor",
            "thermal_coupling_rating_factor",
            "thermal_coupling_rating_factor_room_side",
            "thermal_coupling_rating_factor_heater_side",
            "low_temperature_rating_factor",
            "display_output_scaling_factor",
        ),
        0x68,
    ):
        table[code] = Meaning(word)
    _scaled(table, 0x70, 4, "temperature_limit", "°F", -3)
    _scaled(table, 0x74, 4, "temperature_limit", "°C", -3)
    _scaled(table, 0x78, 8, "cumulative_maximum_power", "W", -3)
    return table


def _main_extension() -> dict[int, Meaning]:
    """Behind the octet FD."""
    table: dict[int, Meaning] = {}
    for step in range(4):
        table[step] = Meaning("credit", None, step - 3)
        table[4 + step] = Meaning("debit", None, step - 3)
    for code, word in {
        0x08: "access_number",
        0x09: "medium",
        0x0A: "manufacturer",
        0x0B: "parameter_set",
        0x0C: "model_version",
        0x0D: "hardware_version",
        0x0E: "firmware_version",
        0x0F: "software_version",
        0x10: "customer_location",
        0x11: "customer",
        0x12: "access_code_user",
        0x13: "access_code_operator",
        0x14: "access_code_system_operator",
        0x15: "access_code_developer",
        0x16: "password",
        0x19: "security_key",
        0x1C: "baud_rate",
        0x1D: "response_delay_bit_times",
        0x1E: "retry",
        0x1F: "remote_control",
        0x20: "first_storage",
        0x21: "last_storage",
        0x22: "storage_block_size",
        0x23: "tariff_and_subunit_descriptor",
        0x2A: "operator_data",
        0x3A: "dimensionless",
        0x3B: "data_container_wireless",
        0x60: "reset_counter",
        0x61: "cumulation_counter",
        0x62: "control_signal",
        0x63: "day_of_week",
        0x64: "week_number",
        0x65: "time_of_day_change",
        0x66: "parameter_activation_state",
        0x67: "special_supplier_information",
        0x72: "daylight_saving",
        0x73: "listening_window",
        0x75: "stop_counter",
        0x76: "data_container_manufacturer",
    }.items():
        table[code] = Meaning(word)
    for code, word in {0x17: "error_flags", 0x18: "error_mask", 0x1A: "digital_output", 0x1B: "digital_input"}.items():
        table[code] = Meaning(word, kind=Kind.BITS)
    _times(table, 0x24, "storage_interval")
    table[0x28] = Meaning("storage_interval", "mo")
    table[0x29] = Meaning("storage_interval", "a")
    table[0x2B] = Meaning("time_point_second", "s")
    _times(table, 0x2C, "duration_since_readout")
    table[0x30] = Meaning("start_of_tariff", kind=Kind.DATE_TIME)
    _times(table, 0x31, "duration_of_tariff", _SECONDS[1:])
    _times(table, 0x34, "period_of_tariff")
    table[0x38] = Meaning("period_of_tariff", "mo")
    table[0x39] = Meaning("period_of_tariff", "a")
    _times(table, 0x3C, "transmission_period")
    _scaled(table, 0x40, 16, "voltage", "V", -9)
    _scaled(table, 0x50, 16, "current", "A", -12)
    for step, (unit, factor) in enumerate(_LONG_TIMES):
        table[0x68 + step] = Meaning("duration_since_cumulation", unit, 0, factor)
        table[0x6C + step] = Meaning("battery_operating_time", unit, 0, factor)
    table[0x70] = Meaning("battery_change", kind=Kind.DATE_TIME)
    table[0x71] = Meaning("radio_level", "dBm")
    table[0x74] = Meaning("battery_life_left", "s", 0, 86_400)
    return table


def _second_extension() -> dict[int, Meaning]:
    """Behind the octets FD FD."""
    return {
        0x00: Meaning("battery_life_left", "mo"),
        0x01: Meaning("battery_life_left", "a"),
        0x02: Meaning("currently_selected_application"),
    }


PRIMARY = _primary()
ALTERNATE = _alternate()
MAIN_EXTENSION = _main_extension()
SECOND_EXTENSION = _second_extension()

RECORD_ERRORS: dict[int, str] = {
    0x01: "too many DIFEs",
    0x02: "storage number not implemented",
    0x03: "unit number not implemented",
    0x04: "tariff number not implemented",
    0x05: "function not implemented",
    0x06: "data class not implemented",
    0x07: "data size not implemented",
    0x0B: "too many VIFEs",
    0x0C: "illegal VIF group",
    0x0D: "illegal VIF exponent",
    0x0E: "VIF does not fit the DIF",
    0x0F: "unimplemented action",
    0x15: "no data available",
    0x16: "data overflow",
    0x17: "data underflow",
    0x18: "data error",
    0x1C: "premature end of record",
}
"""What a slave says of a single record (EN 13757-3, table 17); 0 is none."""

_PER = ("s", "min", "h", "d", "wk", "mo", "a", "revolution")
_PER_UNIT = {
    0x2C: "l", 0x2D: "m³", 0x2E: "kg", 0x2F: "K", 0x30: "kWh", 0x31: "GJ", 0x32: "kW", 0x33: "K·l", 0x34: "V",
    0x35: "A",
}  # fmt: skip
_TIMES_UNIT = {0x36: "s", 0x37: "s/V", 0x38: "s/A"}
_PLAIN = {
    0x12: "average", 0x13: "inverse_compact_profile", 0x14: "relative_deviation", 0x1D: "standard_conform",
    0x1E: "compact_profile_with_registers", 0x1F: "compact_profile", 0x28: "increment_per_input_pulse_0",
    0x29: "increment_per_input_pulse_1", 0x2A: "increment_per_output_pulse_0", 0x2B: "increment_per_output_pulse_1",
    0x39: "start_of", 0x3A: "uncorrected", 0x3B: "forward", 0x3C: "backward", 0x3D: "non_metric",
    0x3E: "base_conditions", 0x3F: "obis_declaration", 0x40: "lower_limit", 0x41: "exceeds_of_lower_limit",
    0x48: "upper_limit", 0x49: "exceeds_of_upper_limit", 0x68: "during_lower_limit_exceed", 0x69: "leakage",
    0x6C: "during_upper_limit_exceed", 0x6D: "overflow", 0x7E: "future",
}  # fmt: skip
DATES_OF = frozenset({0x39, 0x42, 0x43, 0x46, 0x47, 0x4A, 0x4B, 0x4E, 0x4F, 0x6A, 0x6B, 0x6E, 0x6F})
"""VIFEs that make the data a date or a date with time about the quantity."""

_EXTENDED = {
    0x01: "l1", 0x02: "l2", 0x03: "l3", 0x04: "neutral", 0x05: "l1_l2", 0x06: "l2_l3", 0x07: "l3_l1", 0x08: "q1",
    0x09: "q2", 0x0A: "q3", 0x0B: "q4", 0x0C: "delta_import_export", 0x10: "absolute", 0x11: "type_c",
    0x12: "type_d", 0x13: "to_meter", 0x14: "from_meter",
}  # fmt: skip


class Modified(NamedTuple):
    """What one VIFE does to a meaning: a word for the name, another unit, powers of ten, or what it tells instead."""

    word: str | None = None
    exponent: int = 0
    per: str | None = None
    times: str | None = None
    meaning: Meaning | None = None
    error: int | None = None


def modified_by(code: int) -> Modified:
    """What the combinable VIFE `code` (0 to 0x7B, 0x7D, 0x7E; extension bit removed) does (table 15)."""
    if code in _PLAIN:
        if code in DATES_OF:
            return Modified(_PLAIN[code], meaning=Meaning("date_time", kind=Kind.DATE_TIME))
        return Modified(_PLAIN[code])
    if code < 0x20:
        return Modified(error=code) if code else Modified()
    if code < 0x28:
        return Modified(per=_PER[code - 0x20])
    if code in _PER_UNIT:
        return Modified(per=_PER_UNIT[code])
    if code in _TIMES_UNIT:
        return Modified(times=_TIMES_UNIT[code])
    if 0x70 <= code <= 0x77:
        return Modified(exponent=code - 0x76)
    if 0x78 <= code <= 0x7B:
        return Modified(f"additive_correction_{('0_001', '0_01', '0_1', '1')[code - 0x78]}")
    if code == 0x7D:
        return Modified(exponent=3)
    if 0x40 <= code < 0x70:
        return _limit(code)
    return Modified("reserved")


def extended_by(code: int) -> Modified:
    """What the VIFE behind `FC` does (table 16)."""
    return Modified(_EXTENDED.get(code, "reserved"))


def _limit(code: int) -> Modified:
    """Dates and durations of the exceeding of limits, and of what a VIF says happened first or last."""
    order = "last" if code & 4 else "first"
    if code < 0x50:
        side, end = ("upper" if code & 8 else "lower"), ("end" if code & 1 else "begin")
        word = f"{end}_of_{order}_{side}_limit_exceed"
        return Modified(word, meaning=Meaning("date_time", kind=Kind.DATE_TIME))
    if code < 0x60:
        side = "upper" if code & 8 else "lower"
        return Modified(f"duration_of_{order}_{side}_limit_exceed", meaning=Meaning("", "s", 0, _SECONDS[code & 3]))
    if code < 0x68:
        return Modified(f"duration_of_{order}", meaning=Meaning("", "s", 0, _SECONDS[code & 3]))
    end = "end" if code & 1 else "begin"
    return Modified(f"{end}_of_{order}", meaning=Meaning("date_time", kind=Kind.DATE_TIME))


def meaning_of(table: dict[int, Meaning], code: int) -> Meaning:
    """The meaning of `code` (extension bit removed) in a table of this module."""
    return table.get(code & 0x7F, RESERVED)


def plain_text_at(data: bytes, position: int) -> int:
    """Where the text of the plain-text VIF at `position` begins, with its length; -1 where there is none.

    EN 13757-3 puts it behind the last VIFE; the older documents, and most meters, right behind the VIF. Where both
    could be meant, the older one is, unless what it takes for letters are none.
    """
    size = len(data)
    first = position + 1
    last = position
    while last < size and data[last] & 0x80:
        last += 1
    fallback = -1
    for place in (first, last + 1) if last > position else (first,):
        if place < size and place + 1 + data[place] <= size:
            if all(32 <= octet < 127 or octet >= 160 for octet in data[place + 1 : place + 1 + data[place]]):
                return place
            fallback = first if place == first else fallback
    return fallback
