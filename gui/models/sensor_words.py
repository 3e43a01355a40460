"""What sensors measure, in words: the name of a quantity, its unit, a value with sensible digits."""

from __future__ import annotations

from core.language import N_, _
from gui import numbers
from gui.plain_text import one_line

_UNITS = {
    "c": "°C", "f": "°F", "k": "K", "percent": "%", "pa": "Pa", "hpa": "hPa", "kpa": "kPa", "bar": "bar", "ppm": "ppm",
    "lx": "lx", "v": "V", "mv": "mV", "a": "A", "ma": "mA", "w": "W", "kw": "kW", "wh": "Wh", "kwh": "kWh", "hz": "Hz",
    "db": "dB", "dbm": "dBm", "m": "m", "mm": "mm", "s": "s", "ms": "ms",
}  # fmt: skip
"""Endings of the names of quantities, and the unit each of them means."""

_WORDS = {
    "temperature": N_("temperature"),
    "humidity": N_("humidity"),
    "pressure": N_("pressure"),
    "co2": "CO₂",
    "light": N_("light"),
    "illuminance": N_("light"),
    "battery": N_("battery"),
    "voltage": N_("voltage"),
    "current": N_("current"),
    "power": N_("power"),
    "level": N_("level"),
    "noise": N_("noise"),
}
_ONE_DIGIT = {"°C", "°F", "%", "hPa"}
_LARGEST = 1e9
_SMALLEST = 1e-3


def unit_of_quantity(quantity: str) -> str:
    """Unit that the name of a quantity ends in, such as °C for `temperature_c`; empty where it has none."""
    return _UNITS.get(quantity.rpartition("_")[2], "") if "_" in quantity else ""


def quantity_words(quantity: str) -> str:
    """`temperature` for `temperature_c`, in the user's language where it is a usual one."""
    name = quantity.rpartition("_")[0] if unit_of_quantity(quantity) else quantity
    return _(_WORDS[name]) if name in _WORDS else one_line(name.replace("_", " ")) or one_line(quantity)


def digits_of(value: float, unit: str) -> int:
    """Decimals that `value` is shown with: one for temperatures and percents, else about three digits in all."""
    size = abs(value)
    if size >= 10_000:
        return 0
    if unit in _ONE_DIGIT or size >= 100:
        return 1
    return 2 if size >= 1 or size == 0 else 3


def value_text(value: float | None, unit: str) -> str:
    """A value as it is shown, without its unit; those beyond all measure as a power of ten."""
    if value is None:
        return numbers.NO_VALUE
    size = abs(value)
    if size >= _LARGEST or 0 < size < _SMALLEST:
        return f"{value:.2e}".replace("-", "\u2212")
    return numbers.number(value, digits_of(value, unit))


def limit_text(value: float, unit: str) -> str:
    """A limit with its unit, as short as it was written: `24 °C`."""
    is_whole = value == round(value) and abs(value) < _LARGEST
    return with_unit(numbers.number(value) if is_whole else value_text(value, unit), unit)


def with_unit(text: str, unit: str) -> str:
    """`23.5 °C`; the text alone where there is no unit."""
    return f"{text} {one_line(unit)}" if unit else text
