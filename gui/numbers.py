"""Numbers and times as people read them on screen, in their own locale; files never come through here.

A function that formats a quantity returns (number, unit), so that a widget can dim the unit.
"""

from __future__ import annotations

import math
import time

from PyQt5.QtCore import QDate, QLocale

from core.language import _, language

THIN_SPACE = "\u2009"
NO_VALUE = "–"
_EXACT = 1e16
_LAST_S = 253_370_764_800.0
"""The year 9999, which every calendar has."""

_BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def number(value: float | None, digits: int = 0) -> str:
    """`value` with `digits` decimals, thousands by a thin space, the decimal sign of the user's language.

    What is greater than any count that is exact stands as a power of ten: `7.00e+20`.
    """
    if value is None or not math.isfinite(value):
        return NO_VALUE
    locale = QLocale(QLocale.French if language() == "fr" else QLocale.English)
    locale.setNumberOptions(QLocale.OmitGroupSeparator)
    if abs(value) >= _EXACT:
        text = locale.toString(float(value), "e", 2)
        return "\u2212" + text[1:] if text.startswith("-") else text
    text = locale.toString(float(value), "f", digits)
    sign, text = ("\u2212", text[1:]) if text.startswith("-") else ("", text)
    whole, point, rest = text.partition(locale.decimalPoint())
    groups = []
    while len(whole) > 3:
        groups.append(whole[-3:])
        whole = whole[:-3]
    groups.append(whole)
    return sign + THIN_SPACE.join(reversed(groups)) + point + rest


def power(watts: float | None) -> tuple[str, str]:
    """(number, unit) of a power: `860 W`, `1.84 kW`, `12.5 kW`."""
    return _scaled(watts, "W")


def energy(watt_hours: float | None) -> tuple[str, str]:
    """(number, unit) of an energy register in kWh, one decimal: `40 091.2 kWh`."""
    return number(None if watt_hours is None else watt_hours / 1000, 1), "kWh"


def size(octets: float | None) -> tuple[str, str]:
    """(number, unit) of an amount of memory: `25.3 GiB`."""
    if octets is None or not math.isfinite(octets):
        return NO_VALUE, "B"
    value = float(octets)
    for unit in _BYTE_UNITS:
        if abs(value) < 1000 or unit == _BYTE_UNITS[-1]:
            return number(value, 0 if unit == "B" or abs(value) >= 100 else 1), unit
        value /= 1024
    raise AssertionError("the last unit takes every value")


def rate(octets_per_s: float | None) -> tuple[str, str]:
    """(number, unit) of a transfer rate, decimal: `7.2 MB/s`."""
    if octets_per_s is None:
        return NO_VALUE, "kB/s"
    if octets_per_s < 1e6:
        return number(octets_per_s / 1e3, 0 if octets_per_s >= 1e4 else 1), "kB/s"
    return number(octets_per_s / 1e6, 0 if octets_per_s >= 1e8 else 1), "MB/s"


def duration(seconds: float) -> str:
    """A length of time in its one sensible unit: `31 ms`, `0.4 s`, `12 s`, `4 min`, `3 h`, `41 d`."""
    if seconds < 0.1:
        return f"{number(seconds * 1000)} ms"
    if seconds < 60:
        return f"{number(seconds, 1 if seconds < 10 else 0)} s"
    if seconds < 3600:
        return f"{number(seconds // 60)} min"
    if seconds < 172_800:
        return f"{number(seconds // 3600)} h"
    return _("{days} d").format(days=number(seconds // 86_400))


def age(seconds: float) -> str:
    """How long ago: `3 s ago`."""
    whole = max(0, round(seconds))
    return _("{duration} ago").format(duration=f"{whole} s" if whole < 60 else duration(whole))


def clock(time_s: float, *, with_seconds: bool = False) -> str:
    """Local time of day, and the date before it where that is not today's: `09:12`, `14 Nov 09:12`.

    A time that no calendar has, such as a machine that lies may tell, is none.
    """
    if not _is_date(time_s):
        return NO_VALUE
    local = time.localtime(time_s)
    text = time.strftime("%H:%M:%S" if with_seconds else "%H:%M", local)
    if time.localtime()[:3] == local[:3]:
        return text
    return f"{day(time_s)} {text}"


def day(time_s: float) -> str:
    """Local day and month: `14 Nov`."""
    return QLocale(language()).toString(_date(time.localtime(time_s)), "d MMM")


def exact_time(time_s: float) -> str:
    """Local date and time to the second, for tool-tips; none where no calendar has it."""
    if not _is_date(time_s):
        return NO_VALUE
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_s))


def _is_date(time_s: float) -> bool:
    return 0 <= time_s < _LAST_S


def _date(local: time.struct_time) -> QDate:
    return QDate(local.tm_year, local.tm_mon, local.tm_mday)


def _scaled(value: float | None, unit: str) -> tuple[str, str]:
    if value is None:
        return NO_VALUE, unit
    if abs(value) < 1000:
        return number(value), unit
    return number(value / 1000, 2 if abs(value) < 10_000 else 1), f"k{unit}"
