"""What energy costs: cuts time into pieces of one price, and counts money in decimal numbers.

Nothing is rounded until `rounded`: a cost is the exact sum of its pieces, then to a hundredth of a cent, halves up.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import NamedTuple

from core.meter.local_days import local_days, months_later
from core.tariffs import Calendar, TariffConfig, TariffPeriod, amount

_CENT_PART = Decimal("0.0001")
_KILO = Decimal(1000)


class Piece(NamedTuple):
    """A time of one price, from `start_s` to before `end_s`; `period` None where the tariff has none."""

    start_s: float
    end_s: float
    period: TariffPeriod | None


class Tariff:
    """A tariff that can be asked; made of settings in which `core.tariffs.problems` finds nothing.

    `registers` are the meter's tariff registers that its prices are for, None for the total.
    """

    def __init__(self, config: TariffConfig) -> None:
        self.config = config
        self.days = local_days(config.time_zone)
        self.registers = tuple(dict.fromkeys(period.register for period in config.periods))
        self._calendars = {
            register: Calendar(config, [period for period in config.periods if period.register == register])
            for register in self.registers
        }
        self._tax = 1 + amount(config.tax_percent) / 100
        self._tax_per_kwh = amount(config.tax_per_kwh)
        self._per_month = amount(config.standing_charge_per_month)
        self._per_day = amount(config.standing_charge_per_day)
        export = config.export_price_per_kwh
        self._export = Decimal(0) if export is None else amount(export)
        self._prices = {id(period): self._price(period) for period in config.periods}

    def pieces(self, start_s: float, end_s: float, register: int | None = None) -> list[Piece]:
        """`start_s` to `end_s` cut where the price changes, in order and without a hole."""
        found: list[Piece] = []
        calendar = self._calendars[register]
        day = self.days.day_of(start_s)
        last = self.days.day_of(end_s)
        while day <= last:
            hours = calendar.day(day)
            edges = (*(one.start for one in hours), hours[-1].end)
            moments = self.days.minutes(day, edges)
            is_usual = len(moments) == len(edges)
            for number, (from_s, until_s) in enumerate(pairwise(moments)):
                from_s, until_s = max(from_s, start_s), min(until_s, end_s)
                if from_s >= until_s:
                    continue
                if is_usual:
                    period = hours[number].period
                else:
                    wall = self.days.wall(from_s)
                    minute = wall.hour * 60 + wall.minute
                    period = next(one.period for one in hours if one.start <= minute < one.end)
                if found and found[-1].period is period and found[-1].end_s == from_s:
                    found[-1] = Piece(found[-1].start_s, until_s, period)
                else:
                    found.append(Piece(from_s, until_s, period))
            day += timedelta(days=1)
        return found

    def period_at(self, time_s: float) -> TariffPeriod | None:
        """What holds at a moment; None where that is the meter's to know, or nobody's."""
        if self.registers != (None,):
            return None
        found = self.pieces(time_s, time_s + 1.0)
        return found[0].period if found else None

    def price_per_kwh(self, period: TariffPeriod) -> Decimal:
        """Price of a kWh with its taxes."""
        return self._prices[id(period)]

    def cost(self, energy_wh: float, period: TariffPeriod) -> Decimal:
        """What so much energy costs in a period, with taxes."""
        return Decimal(repr(float(energy_wh))) / _KILO * self._prices[id(period)]

    def earned(self, energy_wh: float) -> Decimal:
        """What exported energy earns."""
        return Decimal(repr(float(energy_wh))) / _KILO * self._export

    def standing(self, start_s: float, end_s: float) -> Decimal:
        """The share of the standing charge that a time has, with taxes: by the length of its months and days."""
        share = Decimal(0)
        if self._per_month and end_s > start_s:
            month = self.days.day_of(start_s).replace(day=1)
            while (first_s := self.days.day_start(month)) < end_s:
                next_s = self.days.day_start(months_later(month, 1))
                share += self._per_month * _part(start_s, end_s, first_s, next_s)
                month = months_later(month, 1)
        if self._per_day and end_s > start_s:
            day = self.days.day_of(start_s)
            last = self.days.day_of(end_s)
            whole = max(0, (last - day).days - 1)
            share += self._per_day * whole
            for one in {day, last}:
                first_s, next_s = self.days.day_start(one), self.days.day_start(one + timedelta(days=1))
                share += self._per_day * _part(start_s, end_s, first_s, next_s)
        return share * self._tax

    def _price(self, period: TariffPeriod) -> Decimal:
        return (amount(period.price_per_kwh) + self._tax_per_kwh) * self._tax


def rounded(money: Decimal) -> float:
    """An amount to a hundredth of a cent, halves up."""
    return float(money.quantize(_CENT_PART, ROUND_HALF_UP))


def total(parts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    return sum(parts, Decimal(0))


def _part(start_s: float, end_s: float, first_s: float, next_s: float) -> Decimal:
    """The share of a month or day that a time has of it."""
    seconds = max(0.0, min(end_s, next_s) - max(start_s, first_s))
    return Decimal(repr(seconds)) / Decimal(repr(next_s - first_s))
