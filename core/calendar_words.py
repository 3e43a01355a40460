"""The words of a calendar: hours, days, months and dates of each year, and holidays; pure.

Each raises ValueError for a word that means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache

MINUTES = 1440
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

HOLIDAYS = {
    "AT": "01-01 01-06 easter+1 05-01 easter+39 easter+50 easter+60 08-15 10-26 11-01 12-08 12-25 12-26",
    "BE": "01-01 easter+1 05-01 easter+39 easter+50 07-21 08-15 11-01 11-11 12-25",
    "CH": "01-01 easter+39 08-01 12-25",
    "DE": "01-01 easter-2 easter+1 05-01 easter+39 easter+50 10-03 12-25 12-26",
    "FR": "01-01 easter+1 05-01 05-08 easter+39 easter+50 07-14 08-15 11-01 11-11 12-25",
    "LU": "01-01 easter+1 05-01 05-09 easter+39 easter+50 06-23 08-15 11-01 12-25 12-26",
}
"""Public holidays of a whole country, by its code; what a canton, a Land or an operator adds is written beside it."""


@lru_cache(maxsize=256)
def holidays_of(words: tuple[str, ...], year: int) -> frozenset[date]:
    """The holidays of a year. Raises ValueError for a word that means none."""
    found: set[date] = set()
    for word in words:
        for one in HOLIDAYS.get(word.upper(), word).split():
            found.update(_holiday(one, year))
    return frozenset(found)


def easter(year: int) -> date:
    """Easter Sunday in the Gregorian calendar.

    Source: J. Meeus, Astronomical Algorithms, chapter 8. Check values: 2024-03-31, 2025-04-20, 2038-04-25.
    """
    century, rest = divmod(year, 100)
    leap, skip = divmod(century, 4)
    golden = year % 19
    epact = (19 * golden + century - leap - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * skip + 2 * (rest // 4) - epact - rest % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def hours_of(text: str) -> list[tuple[int, int]]:
    """Minutes of `06:00-22:00`, two spans over midnight."""
    found = re.fullmatch(r"\s*(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)\s*", text)
    if found is None:
        raise ValueError(text)
    first, first_minute, last, last_minute = map(int, found.groups())
    start, end = first * 60 + first_minute, last * 60 + last_minute
    if max(first_minute, last_minute) > 59 or start >= MINUTES or end > MINUTES or start == end:
        raise ValueError(text)
    if start < end:
        return [(start, end)]
    return [(start, MINUTES), (0, end)] if end else [(start, MINUTES)]


def numbers_of(words: Sequence[str], names: Sequence[str]) -> list[int]:
    """Numbers of `mon`, or of `nov-mar`, which goes round the end."""
    found: list[int] = []
    for word in words:
        first, _dash, last = (part.strip().lower() for part in word.partition("-"))
        if first not in names or (last or first) not in names or ("-" in word and not last):
            raise ValueError(word)
        start = names.index(first)
        count = (names.index(last or first) - start) % len(names) + 1
        found += [(start + number) % len(names) for number in range(count)]
    return found


def dates_of(text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Both ends of `12-20..01-05`: month and day, each year; or of `2026-12-20..2027-01-05`: year, month and day.

    One day is both.
    """
    found = re.fullmatch(r"\s*((?:\d{4}-)?\d\d-\d\d)(?:\s*\.\.\s*((?:\d{4}-)?\d\d-\d\d))?\s*", text)
    if found is None:
        raise ValueError(text)
    first, last = (tuple(map(int, end.split("-"))) for end in (found[1], found[2] or found[1]))
    for end in (first, last):
        date(*(end if len(end) == 3 else (2024, *end)))
    if len(first) != len(last) or (len(first) == 3 and first > last):
        raise ValueError(text)
    return first, last


def is_in(day: date, span: tuple[tuple[int, ...], tuple[int, ...]]) -> bool:
    """True where a day is in a span that `dates_of` gave, which may go round the end of the year."""
    first, last = span
    here = (day.year, day.month, day.day)[-len(first) :]
    return first <= here <= last if first <= last else here >= first or here <= last


def _holiday(word: str, year: int) -> list[date]:
    beside = re.fullmatch(r"easter(?:([+-])(\d{1,3}))?", word, re.IGNORECASE)
    if beside:
        offset = int(beside[2] or 0)
        return [easter(year) + timedelta(days=-offset if beside[1] == "-" else offset)]
    if re.fullmatch(r"\d\d-\d\d", word):
        month, day = map(int, word.split("-"))
        date(2024, month, day)
        return [date(year, month, day)] if (month, day) != (2, 29) or _is_leap(year) else []
    whole = date.fromisoformat(word)
    return [whole] if whole.year == year else []


def day_of(year: int, month: int, day: int) -> date:
    """That day of a year, the day before where the year has no leap day."""
    return date(year, month, day) if (month, day) != (2, 29) or _is_leap(year) else date(year, 2, 28)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
