"""What electricity costs and when: the `[[tariff]]` of the settings, and which of its periods holds on which day.

All hours and days are those of the clock on the wall. Of two periods that hold at a moment the first one counts. A
span of hours over midnight, such as 22:00-06:00, means the first and the last hours of each of its days. What a moment
in UTC costs is in `core.meter.tariff`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct

from core.calendar_words import (
    MINUTES,
    MONTHS,
    WEEKDAYS,
    dates_of,
    day_of,
    holidays_of,
    hours_of,
    is_in,
    numbers_of,
)
from core.language import N_, _

Price = Annotated[str, Meta(min_length=1, max_length=32)] | float | int
"""An amount of money as a decimal number: as text it is exact, a number is taken as it is written."""

Words = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=32)], ...], Meta(max_length=400)]

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
    `12-20..01-05`, each year, or `2026-12-20`, that one day; from `valid_from` to `valid_until`, both included. On a
    holiday it holds as on any day (`yes`), never (`no`), on holidays alone (`only`), or on its days and every holiday
    (`also`). `register` is the number of the meter's own tariff register that counts it, in place of hours and days.
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
        self.spans = [span for text in period.hours for span in hours_of(text)] or [(0, MINUTES)]
        self.weekdays = frozenset(numbers_of(period.days, WEEKDAYS)) or frozenset(range(7))
        self.months = frozenset(numbers_of(period.months, MONTHS)) or frozenset(range(12))
        self.dates = [dates_of(text) for text in period.dates]
        self.period = period

    def holds_on(self, day: date, is_holiday: bool) -> bool:
        period = self.period
        if period.valid_from is not None and day < period.valid_from:
            return False
        if period.valid_until is not None and day > period.valid_until:
            return False
        if day.month - 1 not in self.months or (self.dates and not any(is_in(day, span) for span in self.dates)):
            return False
        if is_holiday and period.holidays != "yes":
            return period.holidays != "no"
        return period.holidays != "only" and day.weekday() in self.weekdays


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
        ("hours", hours_of),
        ("days", lambda text: numbers_of((text,), WEEKDAYS)),
        ("months", lambda text: numbers_of((text,), MONTHS)),
        ("dates", dates_of),
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
            for *whole, month, day in dates_of(text):
                ends = [day_of(year, month, day) for year in (whole or years) if year <= _LAST_YEAR]
                days.update(one + timedelta(days=later) for one in ends for later in (0, 1))
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


def _is_amount(price: Price) -> bool:
    try:
        amount(price)
    except ValueError:
        return False
    return True


def _is_zone(name: str) -> bool:
    import zoneinfo  # imported here: a window paints before anybody asks for a zone

    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
