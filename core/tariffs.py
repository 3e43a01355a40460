"""What electricity costs and when: the `[[tariff]]` of the settings, and which of its periods holds on which day.

All hours and days are those of the clock on the wall. Of two periods that hold at a moment the first one counts. A
span of hours over midnight, such as 22:00-06:00, means the first and the last hours of each of its days. What a moment
in UTC costs is in `core.meter.tariff`. Pure.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct

from core.language import N_, _

Price = Annotated[str, Meta(min_length=1, max_length=32)] | float | int
"""An amount of money as a decimal number: as text it is exact, a number is taken as it is written."""

Words = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=32)], ...], Meta(max_length=400)]

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

_MOST_PRICE = 1_000_000
_LAST_YEAR = 9998
"""So that a price until 9999-12-31 is one that nobody sees the end of."""
_DAY_NAMES = (
    N_("a Monday"), N_("a Tuesday"), N_("a Wednesday"), N_("a Thursday"), N_("a Friday"), N_("a Saturday"),
    N_("a Sunday"),
)  # fmt: skip


class TariffPeriod(Struct, frozen=True, kw_only=True):
    """One `[[tariff.period]]`: a price and when it holds, always where nothing is said.

    `hours` such as `06:00-22:00`, `days` such as `mon-fri`, `months` such as `nov-mar`, `dates` such as
    `12-20..01-05`, each year; from `valid_from` to `valid_until`, both included. On a holiday it holds as on any day
    (`yes`), never (`no`), on holidays alone (`only`), or on its days and every holiday (`also`). `register` is the
    number of the meter's own tariff register that counts it, in place of hours and days.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    price_per_kwh: Price
    hours: Words = ()
    days: Words = ()
    months: Words = ()
    dates: Words = ()
    holidays: Literal["yes", "no", "only", "also"] = "yes"
    valid_from: date | None = None
    valid_until: date | None = None
    register: Annotated[int, Meta(ge=1, le=4)] | None = None


class TariffConfig(Struct, frozen=True, kw_only=True, rename={"periods": "period"}):
    """One `[[tariff]]`: what a contract asks for. Prices are in `currency`, before `tax_percent`.

    `tax_per_kwh` is added to each kWh before the percent; `export_price_per_kwh` is what an exported kWh earns, as it
    is paid; `holidays` are dates (`2026-05-01`), days of each year (`05-01`), days beside Easter (`easter+1`) or the
    code of a country (`FR`). `time_zone` None is that of this computer.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    currency: Annotated[str, Meta(min_length=1, max_length=8)] = "EUR"
    time_zone: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    periods: Annotated[tuple[TariffPeriod, ...], Meta(min_length=1, max_length=100)]
    standing_charge_per_month: Price = 0
    standing_charge_per_day: Price = 0
    tax_percent: Price = 0
    tax_per_kwh: Price = 0
    export_price_per_kwh: Price | None = None
    budget_per_month: Price | None = None
    holidays: Words = ()


class Problem(NamedTuple):
    """What is wrong in a tariff: the key within it, its value, or a sentence about it."""

    key: tuple[str | int, ...]
    value: object = None
    text: str | None = None


class Hours(NamedTuple):
    """A part of a day of one price, in minutes of the clock on the wall; `period` None where no price holds."""

    start: int
    end: int
    period: TariffPeriod | None


def amount(price: Price) -> Decimal:
    """An amount of money. Raises ValueError for what is none."""
    try:
        value = Decimal(str(price).strip().replace(",", "."))
    except InvalidOperation as error:
        raise ValueError(price) from error
    if not value.is_finite() or abs(value) > _MOST_PRICE:
        raise ValueError(price)
    return value


class Calendar:
    """Which of some periods of a tariff holds when. Raises ValueError where `problems` finds any."""

    def __init__(self, tariff: TariffConfig, periods: Sequence[TariffPeriod] | None = None) -> None:
        self.periods = tuple(tariff.periods if periods is None else periods)
        self._holidays = tariff.holidays
        self._terms = [_Terms(period) for period in self.periods]
        self._days: dict[tuple[int, ...], tuple[Hours, ...]] = {}

    def day(self, day: date) -> tuple[Hours, ...]:
        """The parts of a local day, in order, from minute 0 to minute 1440."""
        return self.hours(self.holding(day, day in holidays_of(self._holidays, day.year)))

    def holding(self, day: date, is_holiday: bool) -> tuple[int, ...]:
        """Numbers of the periods that hold on a day, at whatever hour."""
        return tuple(number for number, terms in enumerate(self._terms) if terms.holds_on(day, is_holiday))

    def hours(self, numbers: tuple[int, ...]) -> tuple[Hours, ...]:
        """A day on which these periods hold, the first one wins."""
        known = self._days.get(numbers)
        if known is None:
            spans = [(start, end, number) for number in numbers for start, end in self._terms[number].spans]
            edges = sorted({0, MINUTES, *(minute for span in spans for minute in span[:2])})
            found: list[Hours] = []
            for start, end in pairwise(edges):
                number = next((one[2] for one in spans if one[0] <= start and end <= one[1]), None)
                period = None if number is None else self.periods[number]
                if found and found[-1].period is period:
                    found[-1] = Hours(found[-1].start, end, period)
                else:
                    found.append(Hours(start, end, period))
            known = self._days[numbers] = tuple(found)
        return known


class _Terms:
    """The words of a period, understood."""

    def __init__(self, period: TariffPeriod) -> None:
        self.spans = [span for text in period.hours for span in _hours(text)] or [(0, MINUTES)]
        self.weekdays = frozenset(_numbers(period.days, WEEKDAYS)) or frozenset(range(7))
        self.months = frozenset(_numbers(period.months, MONTHS)) or frozenset(range(12))
        self.dates = [_dates(text) for text in period.dates]
        self.period = period

    def holds_on(self, day: date, is_holiday: bool) -> bool:
        period = self.period
        if period.valid_from is not None and day < period.valid_from:
            return False
        if period.valid_until is not None and day > period.valid_until:
            return False
        if day.month - 1 not in self.months or (self.dates and not any(_is_in(day, span) for span in self.dates)):
            return False
        if is_holiday and period.holidays != "yes":
            return period.holidays != "no"
        return period.holidays != "only" and day.weekday() in self.weekdays


@lru_cache(maxsize=256)
def holidays_of(words: Words, year: int) -> frozenset[date]:
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


def problems(tariff: TariffConfig) -> Iterator[Problem]:
    """All that is wrong in a tariff whose types are right: words, prices, hours that no period covers."""
    if tariff.time_zone is not None and not _is_zone(tariff.time_zone):
        yield Problem(("time_zone",), tariff.time_zone)
    for key in ("standing_charge_per_month", "standing_charge_per_day", "tax_percent", "tax_per_kwh",
                "export_price_per_kwh", "budget_per_month"):  # fmt: skip
        price = getattr(tariff, key)
        if price is not None and not _is_amount(price):
            yield Problem((key,), price)
    for number, word in enumerate(tariff.holidays):
        try:
            holidays_of((word,), 2024)
        except ValueError:
            yield Problem(("holidays", number), word)
            return
    is_told = False
    for number, period in enumerate(tariff.periods):
        for problem in _period_problems(period):
            is_told = True
            yield problem._replace(key=("period", number, *problem.key))
    registers = {period.register is not None for period in tariff.periods}
    if len(registers) == 2:
        text = _("either all periods of a tariff have a register of the meter, or none of them")
        yield Problem(("period",), text=text)
    elif not is_told and registers == {False}:
        yield from _gaps(tariff)


def _period_problems(period: TariffPeriod) -> Iterator[Problem]:
    if not _is_amount(period.price_per_kwh):
        yield Problem(("price_per_kwh",), period.price_per_kwh)
    for key, parse in (
        ("hours", _hours),
        ("days", lambda text: _numbers((text,), WEEKDAYS)),
        ("months", lambda text: _numbers((text,), MONTHS)),
        ("dates", _dates),
    ):
        for number, text in enumerate(getattr(period, key)):
            try:
                parse(text)
            except ValueError:
                yield Problem((key, number), text)
    if period.valid_from is not None and period.valid_until is not None and period.valid_from > period.valid_until:
        yield Problem(("valid_until",), text=_("it is before valid_from"))
    if period.register is not None and (period.hours or period.days or period.months or period.dates):
        yield Problem(("register",), text=_("the meter's register decides: give no hours, days, months or dates"))


def _gaps(tariff: TariffConfig) -> Iterator[Problem]:
    """Hours without a price, and periods that never hold; looked at on each day where anything changes."""
    calendar = Calendar(tariff)
    used: set[int] = set()
    told = False
    for day in _days_of_change(tariff):
        for later in range(7):
            when = day + timedelta(days=later)
            for is_holiday in (False, True) if tariff.holidays else (False,):
                numbers = calendar.holding(when, is_holiday)
                for hours in calendar.hours(numbers):
                    if hours.period is not None:
                        used.update(number for number in numbers if calendar.periods[number] is hours.period)
                    elif numbers and not told:
                        told = True
                        yield Problem(("period",), text=_gap_text(hours, when, is_holiday))
                if not numbers and not told and _is_amid(tariff, when):
                    told = True
                    yield Problem(("period",), text=_gap_text(Hours(0, MINUTES, None), when, is_holiday))
    for number, period in enumerate(tariff.periods):
        if number not in used:
            text = _("the period {name} never holds: those before it cover its hours").format(name=period.name)
            yield Problem(("period", number, "name"), text=text)


def _days_of_change(tariff: TariffConfig) -> list[date]:
    """The first day of each month and of each span of dates, in the years in which prices change."""
    validity = {one for period in tariff.periods for one in (period.valid_from, period.valid_until) if one is not None}
    years = {2024} if not validity else {min(year, _LAST_YEAR) for day in validity for year in (day.year, day.year + 1)}
    days = set(validity) | {date(year, month, 1) for year in years for month in range(1, 13)}
    for period in tariff.periods:
        for text in period.dates:
            for month, day in _dates(text):
                days.update(_day_of(year, month, day) for year in years)
                days.update(_day_of(year, month, day) + timedelta(days=1) for year in years)
    last = date(_LAST_YEAR, 12, 31)
    return sorted({min(day, last) for day in days} | {min(day, last) + timedelta(days=1) for day in validity})


def _is_amid(tariff: TariffConfig, day: date) -> bool:
    """True where prices hold before and after a day: it is no beginning or end of the whole tariff."""
    firsts = [period.valid_from for period in tariff.periods]
    lasts = [period.valid_until for period in tariff.periods]
    is_begun = any(first is None or first <= day for first in firsts)
    is_over = all(last is not None and last < day for last in lasts)
    return is_begun and not is_over


def _gap_text(hours: Hours, day: date, is_holiday: bool) -> str:
    return _("no period has a price for {start} to {end} on {day} (such as {date})").format(
        start=_clock(hours.start),
        end=_clock(hours.end),
        day=_("a holiday") if is_holiday else _(_DAY_NAMES[day.weekday()]),
        date=day.isoformat(),
    )


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _hours(text: str) -> list[tuple[int, int]]:
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


def _numbers(words: Sequence[str], names: Sequence[str]) -> list[int]:
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


def _dates(text: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Month and day of both ends of `12-20..01-05`; one day is both."""
    found = re.fullmatch(r"\s*(\d\d)-(\d\d)(?:\s*\.\.\s*(\d\d)-(\d\d))?\s*", text)
    if found is None:
        raise ValueError(text)
    month, day = int(found[1]), int(found[2])
    last = (int(found[3]), int(found[4])) if found[3] else (month, day)
    date(2024, month, day), date(2024, *last)
    return (month, day), last


def _is_in(day: date, span: tuple[tuple[int, int], tuple[int, int]]) -> bool:
    first, last = span
    here = (day.month, day.day)
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


def _day_of(year: int, month: int, day: int) -> date:
    return date(year, month, day) if (month, day) != (2, 29) or _is_leap(year) else date(year, 2, 28)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _is_amount(price: Price) -> bool:
    try:
        amount(price)
    except ValueError:
        return False
    return True


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
