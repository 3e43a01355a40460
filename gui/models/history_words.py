"""Series of the history in words: whose a series is, what it says, in which unit its values are shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from core.errors import RemoteProtocolError
from core.language import N_, _
from core.meter.e450 import family_of, quantity_of
from core.obis import ObisCode
from gui import numbers
from gui.models import sensor_words
from gui.models.readings import quantity_words as meter_words
from gui.plain_text import one_line

KINDS = ("meter", "machine", "sensor", "check")
"""First words of series, in the order in which they are listed."""

_MACHINE = {
    "cpu_percent": N_("CPU"),
    "memory_percent": N_("RAM"),
    "memory_used_bytes": N_("RAM used"),
    "swap_used_bytes": N_("Swap used"),
    "disk_read_bytes_per_s": N_("Disks, read"),
    "disk_written_bytes_per_s": N_("Disks, written"),
    "network_received_bytes_per_s": N_("Network, received"),
    "network_sent_bytes_per_s": N_("Network, sent"),
    "process_count": N_("Processes"),
    "disk_percent": N_("Fullest disk"),
}
_CHECK = {"latency_ms": N_("Latency"), "certificate_days": N_("Days of the certificate")}
_METER = {
    "active_energy_import": N_("Energy import"),
    "active_energy_export": N_("Energy export"),
    "reactive_energy_import": N_("Reactive import"),
    "reactive_energy_export": N_("Reactive export"),
    "active_power_import": N_("Power import"),
    "active_power_export": N_("Power export"),
}
"""What differs stands in front: a narrow list cuts the end off, and the unit stands beside."""
_METER_UNITS = (
    *("_varh", "_wh", "_var", "_va", "_percent", "_hz", "_w", "_v", "_a"),
    *("_m3_per_h", "_m3", "_l_per_h", "_c", "_bar", "_gj", "_mj"),
)
_LONGEST = 80


class SeriesName(NamedTuple):
    """The parts of a name such as `meter/main/voltage_l1_v`."""

    kind: str
    owner: str
    quantity: str


class Shown(NamedTuple):
    """How values of a unit are shown: divided by `divisor`, with `digits` decimals, in `unit`."""

    unit: str
    digits: int = 0
    divisor: float = 1.0


_SHOWN: Mapping[str, tuple[tuple[float, Shown], ...]] = {
    "W": ((0, Shown("W")), (10_000, Shown("kW", 2, 1e3))),
    "var": ((0, Shown("var")), (10_000, Shown("kvar", 2, 1e3))),
    "VA": ((0, Shown("VA")), (10_000, Shown("kVA", 2, 1e3))),
    "Wh": ((0, Shown("kWh", 2, 1e3)), (10_000_000, Shown("kWh", 1, 1e3))),
    "varh": ((0, Shown("kvarh", 2, 1e3)), (10_000_000, Shown("kvarh", 1, 1e3))),
    "V": ((0, Shown("V", 1)),),
    "A": ((0, Shown("A", 2)), (100, Shown("A", 1))),
    "Hz": ((0, Shown("Hz", 3)),),
    "%": ((0, Shown("%", 1)),),
    "°C": ((0, Shown("°C", 1)),),
    "ms": ((0, Shown("ms", 1)), (100, Shown("ms")), (10_000, Shown("s", 1, 1e3))),
    "d": ((0, Shown("d", 1)),),
    "B": ((0, Shown("B")), (2e6, Shown("MiB", 0, 2.0**20)), (2e9, Shown("GiB", 2, 2.0**30))),
    "B/s": ((0, Shown("kB/s", 1, 1e3)), (1e6, Shown("MB/s", 2, 1e6)), (1e8, Shown("MB/s", 1, 1e6))),
}


def split_series(name: str) -> SeriesName:
    """Kind, owner and quantity of a series."""
    kind, _slash, rest = name.partition("/")
    owner, _slash, quantity = rest.rpartition("/")
    return SeriesName(kind, owner, quantity)


def quantity_text(name: str) -> str:
    """What a series says: `CPU`, `Voltage L2`, `temperature`."""
    kind, _owner, quantity = split_series(name)
    if kind == "machine" and quantity in _MACHINE:
        return _(_MACHINE[quantity])
    if kind == "check" and quantity in _CHECK:
        return _(_CHECK[quantity])
    if kind == "sensor":
        return _capital(sensor_words.quantity_words(quantity)[:_LONGEST])
    if kind == "meter":
        return _meter_words(quantity)
    return one_line(quantity.replace("_", " "))[:_LONGEST]


def owner_text(name: str, names: Mapping[str, str]) -> str:
    """Whose a series is, as people call it; `names` are of sources such as `sensor/capteur_1`."""
    kind, owner, _quantity = split_series(name)
    return one_line(names.get(f"{kind}/{owner}") or owner)[:_LONGEST]


def title_of(name: str, names: Mapping[str, str]) -> str:
    """`srv-db · CPU`."""
    return f"{owner_text(name, names)} · {quantity_text(name)}"


def shown_of(unit: str | None, largest: float) -> Shown:
    """How values of `unit` up to `largest` (as an absolute value) are shown together."""
    text = one_line(unit or "")[:16]
    steps = _SHOWN.get(text)
    if steps is None:
        return Shown(text, 0 if largest >= 1000 else 2)
    return next(shown for least, shown in reversed(steps) if largest >= least or least == 0)


def value_text(value: float | None, shown: Shown) -> str:
    """A value without its unit; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return numbers.NO_VALUE
    text = numbers.number(value / shown.divisor, shown.digits)
    return text.lstrip("\u2212") if not any(sign in "123456789" for sign in text) else text


def difference_text(value: float | None, shown: Shown) -> str:
    """A difference with its sign."""
    text = value_text(value, shown)
    return f"+{text}" if value is not None and math.isfinite(value) and value > 0 else text


def energy_text(watt_hours: float | None, unit: str = "Wh") -> str:
    """`1.234 kWh`, `128.4 kWh`; reactive energy in kvarh."""
    if watt_hours is None or not math.isfinite(watt_hours):
        return numbers.NO_VALUE
    size = abs(watt_hours)
    digits = 3 if size < 10_000 else 2 if size < 100_000 else 1
    return f"{numbers.number(watt_hours / 1000, digits)} k{unit}"


def how_words() -> str:
    """How the plot is used, in a sentence for each hand."""
    return _(
        "Drag or turn the wheel to zoom, double-click goes back. A click puts cursor A, with Shift cursor B."
        " Keys: arrows, + and −, A, B, W for what moved, Esc."
    )


def code_of(name: str) -> ObisCode | None:
    """The code that a series of a meter has instead of a name."""
    kind, _owner, quantity = split_series(name)
    if kind != "meter" or "." not in quantity:
        return None
    try:
        return ObisCode.parse(quantity)
    except RemoteProtocolError:
        return None


def _meter_words(quantity: str) -> str:
    """`Voltage L1`, `Energy import T2`; of a code what it means, with the code."""
    code = code_of(f"meter//{quantity}")
    if code is not None:
        meaning = quantity_of(code) or family_of(code)
        text = str(
            replace(code, a=None, b=None, f=None) if meaning else replace(code, f=None if code.f == 255 else code.f)
        )
        return f"{_capital(meter_words(meaning))} {text}" if meaning else text
    name = quantity.removesuffix(next((unit for unit in _METER_UNITS if quantity.endswith(unit)), ""))
    base, _line, tariff = name.rpartition("_t")
    if base in _METER and tariff in ("1", "2", "3", "4"):
        return f"{_(_METER[base])} T{tariff}"
    if name in _METER:
        return _(_METER[name])
    return _capital(one_line(meter_words(name).replace("_", " "))[:_LONGEST])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
