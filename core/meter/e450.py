"""What the codes of an E450 (and of other electricity meters) mean: quantity, family, unit.

A code is matched by its groups C.D.E, since the channel B is 1 in Switzerland and 0 in Austria. Codes of a billing
period (F other than 255) are no live quantity. Source: DLMS UA Blue Book, clause 6; docs/meters.md.
"""

from __future__ import annotations

from core.obis import ObisCode

IDENTITY_LIMIT = 64
"""Letters of a meter's number or model that are taken: it names series and files of the history."""
SIMULATED_TITLE = b"LGZSIMUL"
"""System title of the simulated E450; whatever carries it is labelled simulated."""
SIMULATED_NAME = "LGZSIM"
"""What the logical device name or the number of the simulated E450 begins with."""

_PHASES = (("_l1", 20), ("_l2", 40), ("_l3", 60))


def _quantities() -> dict[tuple[int, int, int], str]:
    names: dict[tuple[int, int, int], str] = {}
    energies = {
        1: "active_energy_import",
        2: "active_energy_export",
        3: "reactive_energy_import",
        4: "reactive_energy_export",
    }
    for c, name in energies.items():
        names[c, 8, 0] = name
        names.update({(c, 8, tariff): f"{name}_t{tariff}" for tariff in range(1, 5)})
        names.update({(c + offset, 8, 0): name + phase for phase, offset in _PHASES})
    powers = {1: "active_power_import", 2: "active_power_export", 3: "reactive_power", 9: "apparent_power"}
    powers |= {16: "active_power", 13: "power_factor"}
    for c, name in powers.items():
        names[c, 7, 0] = name
        names.update({(c + offset, 7, 0): name + phase for phase, offset in _PHASES})
    for phase, offset in _PHASES:
        names[11 + offset, 7, 0] = f"current{phase}"
        names[12 + offset, 7, 0] = f"voltage{phase}"
        names[11 + offset, 7, 124] = f"thd_current{phase}"
        names[12 + offset, 7, 124] = f"thd_voltage{phase}"
    names[11, 7, 124] = "thd_current"
    names[12, 7, 124] = "thd_voltage"
    names[14, 7, 0] = "frequency"
    names[13, 21, 0] = "power_factor"
    names[131, 7, 0] = "reactive_power"
    return names


_QUANTITIES = _quantities()

_POWER_FAMILIES = {
    **dict.fromkeys((1, 2, 15, 16), "active_power"),
    **dict.fromkeys((3, 4, 5, 6, 7, 8), "reactive_power"),
    **dict.fromkeys((9, 10), "apparent_power"),
    11: "current",
    12: "voltage",
    13: "power_factor",
    14: "frequency",
}
_ENERGY_FAMILIES = {
    **dict.fromkeys((1, 2, 15, 16), "active_energy"),
    **dict.fromkeys((3, 4, 5, 6, 7, 8), "reactive_energy"),
    **dict.fromkeys((9, 10), "apparent_energy"),
}

FAMILIES = frozenset({*_POWER_FAMILIES.values(), *_ENERGY_FAMILIES.values()})
"""Families of quantities that share a unit, as presets name them."""

_UNITS = {
    1: "a", 2: "mo", 3: "wk", 4: "d", 5: "h", 6: "min", 7: "s", 8: "°", 9: "°C", 11: "m", 12: "m/s", 13: "m³",
    14: "m³", 15: "m³/h", 16: "m³/h", 17: "m³/d", 18: "m³/d", 19: "l", 20: "kg", 21: "N", 22: "Nm", 23: "Pa",
    24: "bar", 25: "J", 26: "J/h", 27: "W", 28: "VA", 29: "var", 30: "Wh", 31: "VAh", 32: "varh", 33: "A", 34: "C",
    35: "V", 36: "V/m", 37: "F", 38: "Ω", 39: "Ωm²/m", 40: "Wb", 41: "T", 42: "A/m", 43: "H", 44: "Hz",
    45: "1/Wh", 46: "1/varh", 47: "1/VAh", 48: "V²h", 49: "A²h", 50: "kg/s", 51: "S", 52: "K", 53: "1/V²h",
    54: "1/A²h", 55: "1/m³", 56: "%", 57: "Ah", 60: "Wh/m³", 61: "J/m³", 62: "mol%", 63: "g/m³", 64: "Pa·s",
    65: "J/kg", 70: "dBm", 71: "dBµV", 72: "dB",
}  # fmt: skip


def quantity_of(code: ObisCode) -> str | None:
    """Name of the quantity of a live value, None for any other code.

    3.7.0 is `reactive_power`, as the only one of 3.7.0 and 4.7.0 that has its sign; `core.meter.measurement` takes
    their difference.
    """
    if code.a not in (None, 1) or code.f not in (None, 255):
        return None
    if not isinstance(code.c, int) or not isinstance(code.d, int):
        return None
    # a group E of 255 says that there are no tariffs (meters of EMH write 1.7.255)
    return _QUANTITIES.get((code.c, code.d, 0 if code.e in (None, 255) else code.e))


def family_of(code: ObisCode) -> str | None:
    """Family of quantities that `code` belongs to, billing periods included; None for what is none of them."""
    if code.a not in (None, 1) or not isinstance(code.c, int):
        return None
    c = code.c
    if code.d == 7 and code.e == 124:
        return None
    if 131 <= c <= 134 and code.d == 7:
        return "reactive_power"
    for offset in (0, 20, 40, 60):
        if 1 <= c - offset <= 16 and (offset == 0 or c - offset != 14):
            if code.d == 8:
                return _ENERGY_FAMILIES.get(c - offset)
            if code.d in (4, 5, 6, 7) or (c == 13 and code.d == 21):
                return _POWER_FAMILIES.get(c - offset)
            return None
    return None


def unit_text(number: int) -> str | None:
    """The unit of that number as the standard writes it; None for none (255) and unknown ones.

    Source: DLMS UA Blue Book, clause 4.3.2, enumeration of units.
    """
    return _UNITS.get(number)
