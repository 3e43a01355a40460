"""Energy and cost of a meter by hour, day and month, by its registers in the history: plain functions for a query.

Energy is what a register counted, never power times time; what the history does not know is missing and said, never
zero. The forecast of a month is what was counted so far, and for each day that is still to come the mean of its weekday
over the last four weeks (of all days, while a weekday was seen once at most); with fewer than a week of whole days
there is none.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import fmean
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from core.errors import UsageError
from core.language import _
from core.meter.local_days import LocalDays, local_days, months_later
from core.meter.tariff import Piece, Tariff, rounded
from core.meter_records import EnergyAccount, EnergyBars, EnergySpan
from core.tariffs import TariffConfig, amount

IMPORT, EXPORT = "active_energy_import_wh", "active_energy_export_wh"

PROFILE_DAYS = 28
LEAST_DAYS = 7
"""Whole days that a forecast needs."""

COUNTS = {"hour": 24, "day": 30, "month": 12}
"""Bars of each unit, where nobody says how many."""

_MOST_BARS = 1000

Moments = tuple[float, float]


class Counted(Protocol):
    """What a register counted in a span."""

    @property
    def wh(self) -> float | None:
        """Energy as far as it is known, None where nothing is."""

    @property
    def is_whole(self) -> bool:
        """True where all of it is known."""


class Energies(Protocol):
    """The history, as far as it is asked here."""

    def energy_spans(self, meter: str, edges_s: Sequence[float], field: str = ...) -> Sequence[Counted]:
        """What a register counted between consecutive edges."""


class _Day(NamedTuple):
    """A whole day of the past: energy and cost, and those of its rest from this time of the day on."""

    weekday: int
    energy_wh: float
    rest_wh: float
    cost: Decimal
    rest_cost: Decimal


def energy_account(history: Energies, meter: str, tariff: TariffConfig | None, now_s: float) -> EnergyAccount:
    """Energy and cost of a meter at `now_s`: today, yesterday, last week, this month and the last, and what is to come.

    Days are those of the tariff's time zone, of this computer's where there is none.
    """
    priced = None if tariff is None else Tariff(tariff)
    days = local_days(None) if priced is None else priced.days
    now_s = float(now_s)
    today, wall = days.day_of(now_s), days.wall(now_s)
    month, last_month = today.replace(day=1), months_later(today, -1)
    yesterday, last_week = today - timedelta(days=1), today - timedelta(days=7)
    spans = {
        "today": (days.day_start(today), now_s),
        "yesterday": (days.day_start(yesterday), days.day_start(today)),
        "yesterday_so_far": (days.day_start(yesterday), days.at_wall(yesterday, wall)),
        "last_week": (days.day_start(last_week), days.day_start(last_week + timedelta(days=1))),
        "last_week_so_far": (days.day_start(last_week), days.at_wall(last_week, wall)),
        "month": (days.day_start(month), now_s),
        "last_month": (days.day_start(last_month), days.day_start(month)),
    }
    past = [_moments_of(days, today - timedelta(days=number), wall) for number in range(1, PROFILE_DAYS + 1)]
    book = _Book(history, meter, priced, [*spans.values(), *(one for day in past for one in day)])
    found = {name: book.span(*span) for name, span in spans.items()}
    account = EnergyAccount(
        meter=meter,
        time_s=now_s,
        tariff=None if tariff is None else tariff.name,
        currency=None if tariff is None else tariff.currency,
        today=found["today"],
        yesterday=found["yesterday"],
        yesterday_so_far=found["yesterday_so_far"],
        last_week=found["last_week"],
        last_week_so_far=found["last_week_so_far"],
        month=found["month"],
        last_month=found["last_month"],
    )
    known = [day for number, moments in enumerate(past, 1) if (day := book.day(today - timedelta(number), *moments))]
    account = _with_forecast(account, book, days, today, known)
    if tariff is None or priced is None:
        return account
    period = priced.period_at(now_s)
    budget = tariff.budget_per_month
    return replace(
        account,
        budget=None if budget is None else float(amount(budget)),
        period_now=None if period is None else period.name,
        price_per_kwh_now=None if period is None else float(priced.price_per_kwh(period)),
    )


def energy_bars(
    history: Energies,
    meter: str,
    unit: str,
    now_s: float,
    count: int | None = None,
    *,
    tariff: TariffConfig | None = None,
) -> EnergyBars:
    """The last `count` hours, days or months, that of `now_s` the last one, and what stands beside each.

    Those of before have no costs. Raises UsageError for another unit.
    """
    if unit not in COUNTS:
        raise UsageError(_("{unit} is no unit of energy bars; ask for hour, day or month").format(unit=unit))
    count = max(1, min(count or COUNTS[unit], _MOST_BARS))
    priced = None if tariff is None else Tariff(tariff)
    days = local_days(None) if priced is None else priced.days
    now_s = float(now_s)
    spans, before, long_before = _bars(days, unit, now_s, count)
    shown = [(start_s, min(end_s, now_s)) for start_s, end_s in spans]
    beside = [one for one in (*before, *long_before) if one is not None]
    book = _Book(history, meter, priced, shown)
    plain = _Book(history, meter, None, beside) if beside else None
    found = []
    for (_start_s, end_s), known in zip(spans, shown, strict=True):
        span = book.span(*known)
        found.append(replace(span, end_s=end_s, is_whole=span.is_whole and end_s <= now_s))
    return EnergyBars(
        meter=meter,
        unit=unit,
        spans=tuple(found),
        before=tuple(None if one is None or plain is None else plain.span(*one) for one in before),
        long_before=tuple(None if one is None or plain is None else plain.span(*one) for one in long_before),
    )


class _Book:
    """Energy and cost between any of the moments of `spans`, each register asked in one pass."""

    def __init__(self, history: Energies, meter: str, tariff: Tariff | None, spans: Iterable[Moments]) -> None:
        self._history, self._meter, self._tariff = history, meter, tariff
        edges = sorted({moment for span in spans for moment in span})
        self._exported = _Register(history, meter, EXPORT, edges)
        self._priced: list[_Register] = []
        if tariff is None:
            self._imported = _Register(history, meter, IMPORT, edges)
            return
        for register in tariff.registers:
            pieces = tariff.pieces(edges[0], edges[-1], register)
            field = IMPORT if register is None else f"active_energy_import_t{register}_wh"
            self._priced.append(_Register(history, meter, field, edges, pieces))
        is_total = tariff.registers == (None,)
        self._imported = self._priced[0] if is_total else _Register(history, meter, IMPORT, edges)

    def span(self, start_s: float, end_s: float) -> EnergySpan:
        """What is known of that time."""
        imported, is_whole = self._imported.between(start_s, end_s)
        exported, _is_export_whole = self._exported.between(start_s, end_s)
        if not is_whole and end_s > start_s:  # a hole in it that its ends span is known by the register all the same
            span = self._history.energy_spans(self._meter, [start_s, end_s], IMPORT)[0]
            imported, is_whole = (imported if span.wh is None else span.wh), span.is_whole
        tariff = self._tariff
        if tariff is None:
            return EnergySpan(start_s=start_s, end_s=end_s, import_wh=imported, export_wh=exported, is_whole=is_whole)
        by_period, is_priced = self._costs(start_s, end_s)
        if not by_period:
            return EnergySpan(start_s=start_s, end_s=end_s, import_wh=imported, export_wh=exported, is_whole=False)
        standing, credit = tariff.standing(start_s, end_s), tariff.earned(exported or 0.0)
        return EnergySpan(
            start_s=start_s,
            end_s=end_s,
            import_wh=imported,
            export_wh=exported,
            cost=rounded(sum(by_period.values(), standing) - credit),
            cost_by_period={name: rounded(cost) for name, cost in by_period.items()},
            standing_cost=rounded(standing),
            export_credit=rounded(credit),
            is_whole=is_whole and is_priced,
        )

    def day(self, day: date, whole: Moments, rest: Moments) -> _Day | None:
        """A day of the past, None where a part of it is missing."""
        energy_wh, is_whole = self._imported.between(*whole)
        rest_wh, is_rest_whole = self._imported.between(*rest)
        if energy_wh is None or not is_whole:
            return None
        if rest_wh is None or not is_rest_whole:
            rest_wh = 0.0  # the last moment of the day
        return _Day(day.weekday(), energy_wh, rest_wh, self._net_cost(*whole), self._net_cost(*rest))

    def standing(self, start_s: float, end_s: float) -> Decimal:
        """The standing charge of a time."""
        return Decimal(0) if self._tariff is None else self._tariff.standing(start_s, end_s)

    def _net_cost(self, start_s: float, end_s: float) -> Decimal:
        if self._tariff is None:
            return Decimal(0)
        exported = self._exported.between(start_s, end_s)[0] or 0.0
        return sum(self._costs(start_s, end_s)[0].values(), Decimal(0)) - self._tariff.earned(exported)

    def _costs(self, start_s: float, end_s: float) -> tuple[dict[str, Decimal], bool]:
        """Cost by name of the period, and whether all of the time has one."""
        found: dict[str, Decimal] = {}
        tariff, is_whole = self._tariff, True
        assert tariff is not None, "asked where there is a tariff"
        for counted in self._priced:
            first, last = counted.numbers(start_s, end_s)
            for number in range(first, last):
                value, period = counted.values[number], counted.pieces[number].period
                is_whole = is_whole and value.is_whole and period is not None
                if value.wh is not None and period is not None:
                    found[period.name] = found.get(period.name, Decimal(0)) + tariff.cost(value.wh, period)
        return found, is_whole


class _Register:
    """What one register counted between some moments, and which piece of the tariff each of these times is in."""

    def __init__(
        self, history: Energies, meter: str, field: str, edges: Sequence[float], pieces: Sequence[Piece] = ()
    ) -> None:
        self.edges = sorted({*edges, *(piece.start_s for piece in pieces)})
        self.values = history.energy_spans(meter, self.edges, field) if len(self.edges) > 1 else ()
        starts = [piece.start_s for piece in pieces]
        self.pieces = [pieces[bisect_right(starts, edge) - 1] for edge in self.edges[:-1]] if pieces else []
        self._at = {edge: number for number, edge in enumerate(self.edges)}

    def numbers(self, start_s: float, end_s: float) -> tuple[int, int]:
        """Where the values of a time begin, and where they have ended."""
        return self._at[start_s], self._at[end_s]

    def between(self, start_s: float, end_s: float) -> tuple[float | None, bool]:
        """Energy as far as it is known, None where nothing is; and whether all of it is."""
        first, last = self.numbers(start_s, end_s)
        values = self.values[first:last]
        known = [value.wh for value in values if value.wh is not None]
        return (sum(known) if known else None), bool(values) and all(value.is_whole for value in values)


def _moments_of(days: LocalDays, day: date, wall: datetime) -> tuple[Moments, Moments]:
    """A whole day, and its rest from this time of the day on."""
    start_s, end_s = days.day_start(day), days.day_start(day + timedelta(days=1))
    return (start_s, end_s), (days.at_wall(day, wall), end_s)


def _with_forecast(
    account: EnergyAccount, book: _Book, days: LocalDays, today: date, known: Sequence[_Day]
) -> EnergyAccount:
    """`account` with what its month will come to, where enough days are known."""
    so_far = account.month
    if len(known) < LEAST_DAYS or so_far.import_wh is None:
        return account
    next_month = months_later(today, 1)
    energy_wh, cost = so_far.import_wh, Decimal(0)
    usual = _usual(known, today.weekday())
    energy_wh += fmean(day.rest_wh for day in usual)
    cost += sum((day.rest_cost for day in usual), Decimal(0)) / len(usual)
    for number in range(1, (next_month - today).days):
        usual = _usual(known, (today + timedelta(days=number)).weekday())
        energy_wh += fmean(day.energy_wh for day in usual)
        cost += sum((day.cost for day in usual), Decimal(0)) / len(usual)
    account = replace(account, forecast_wh=energy_wh)
    if so_far.cost is None:
        return account
    cost += book.standing(so_far.end_s, days.day_start(next_month))
    return replace(account, forecast_cost=rounded(Decimal(repr(so_far.cost)) + cost))


def _usual(known: Sequence[_Day], weekday: int) -> Sequence[_Day]:
    same = [day for day in known if day.weekday == weekday]
    return same if len(same) >= 2 else known


def _bars(
    days: LocalDays, unit: str, now_s: float, count: int
) -> tuple[list[Moments], list[Moments | None], list[Moments | None]]:
    """Spans of the bars, oldest first, and of what stands beside them."""
    if unit == "hour":
        return _hour_bars(days, now_s, count)
    today = days.day_of(now_s)
    spans, before = [], []
    for number in reversed(range(count)):
        if unit == "day":
            day = today - timedelta(days=number)
            spans.append((days.day_start(day), days.day_start(day + timedelta(days=1))))
            earlier = day - timedelta(days=7)
            before.append((days.day_start(earlier), days.day_start(earlier + timedelta(days=1))))
        else:
            month = months_later(today, -number)
            spans.append((days.day_start(month), days.day_start(months_later(month, 1))))
            earlier = months_later(month, -12)
            before.append((days.day_start(earlier), days.day_start(months_later(earlier, 1))))
    return spans, list(before), []


def _hour_bars(
    days: LocalDays, now_s: float, count: int
) -> tuple[list[Moments], list[Moments | None], list[Moments | None]]:
    spans: list[Moments] = []
    start_s, end_s = days.hour_start(now_s), 0.0
    end_s = days.hour_start(start_s + 5400.0)
    for _number in range(count):
        spans.append((start_s, end_s))
        start_s, end_s = days.hour_start(start_s - 1.0), start_s
    spans.reverse()
    yesterday = [_same_hour(days, start_s, 1) for start_s, _end_s in spans]
    return spans, yesterday, [_same_hour(days, start_s, 7) for start_s, _end_s in spans]


def _same_hour(days: LocalDays, start_s: float, days_before: int) -> Moments | None:
    """That hour some days before; None where the clock skipped it."""
    wall = days.wall(start_s) - timedelta(days=days_before)
    found_s = days.instant(wall)
    if days.wall(found_s).hour != wall.hour:
        return None
    return found_s, found_s + 3600.0
