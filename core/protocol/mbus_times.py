"""Dates and times of M-Bus: types F, G, I and J (EN 13757-3, annex A)."""

from __future__ import annotations


def time_text(octets: bytes) -> tuple[str | None, bool]:
    """Date, time or both in ISO 8601 from octets of type G (2), J (3), F (4) or I (6), and whether it can be one."""
    if len(octets) == 2:
        return _date(octets[0], octets[1], 0)
    if len(octets) == 3:
        second, minute, hour = octets[0] & 0x3F, octets[1] & 0x3F, octets[2] & 0x1F
        return f"{hour:02}:{minute:02}:{second:02}", hour < 24 and minute < 60 and second < 60
    if len(octets) == 4:
        minute, hour = octets[0] & 0x3F, octets[1] & 0x1F
        text, is_sound = _date(octets[2], octets[3], octets[1] >> 5 & 3)
        second, is_invalid = 0, octets[0] & 0x80 != 0
    else:
        second, minute, hour = octets[0] & 0x3F, octets[1] & 0x3F, octets[2] & 0x1F
        text, is_sound = _date(octets[3], octets[4], 0)
        is_invalid = octets[1] & 0x80 != 0
    is_sound = is_sound and hour < 24 and minute < 60 and second < 60 and not is_invalid
    return f"{text}T{hour:02}:{minute:02}:{second:02}", is_sound


def _date(low: int, high: int, centuries: int) -> tuple[str, bool]:
    """Type G: five bits of day, seven of year in two parts, four of month; `centuries` since 1900 where they are told.

    A year of two digits lies between 1981 and 2080.
    """
    day, month, year = low & 0x1F, high & 0x0F, low >> 5 | high >> 4 << 3
    full = 1900 + 100 * centuries + year if centuries else year + (2000 if year <= 80 else 1900)
    is_sound = 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1] and year < 100
    return f"{full:04}-{month:02}-{day:02}", is_sound


_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
