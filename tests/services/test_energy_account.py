"""What an account promises: energy by the register, money by the clock on the wall, what is missing never zero."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from core.errors import UsageError
from core.services.energy_account import energy_account, energy_bars
from core.store.energy import Counted
from core.tariffs import TariffConfig, TariffPeriod

PARIS = ZoneInfo("Europe/Paris")
HC = TariffPeriod(name="HC", price_per_kwh="0.10", hours=("22:00-06:00",))
HP = TariffPeriod(name="HP", price_per_kwh="0.20")
HOUSE = TariffConfig(name="house", periods=(HC, HP), time_zone="Europe/Paris")


def at(*wall: int, fold: int = 0) -> float:
    return datetime(*wall, fold=fold, tzinfo=PARIS).timestamp()


class Registers:
    """A history whose registers count `power(time_s)` watts, each minute; nothing is known in `holes`."""

    def __init__(
        self,
        power: Callable[[float], float] = lambda _time_s: 1000.0,
        holes: Sequence[tuple[float, float]] = (),
        first_s: float = 0.0,
    ) -> None:
        self.power, self.holes, self.first_s = power, holes, first_s
        self.asked = 0

    def energy_spans(
        self, meter: str, edges_s: Sequence[float], field: str = "active_energy_import_wh"
    ) -> list[Counted]:
        assert list(edges_s) == sorted(set(edges_s))
        self.asked += 1
        if field not in ("active_energy_import_wh", "active_energy_import_t1_wh", "active_energy_import_t2_wh"):
            return [Counted(None, is_whole=False)] * (len(edges_s) - 1)
        share = {"1": 0.25, "2": 0.75}.get(field[-4], 1.0)
        found: list[Counted] = []
        for start_s, end_s in pairwise(edges_s):
            is_unknown = start_s < self.first_s or any(
                from_s <= edge < until_s for from_s, until_s in self.holes for edge in (start_s, end_s)
            )
            middle = self.power((start_s + end_s) / 2)
            energy_wh = None if is_unknown else middle * (end_s - start_s) / 3600 * share
            found.append(Counted(energy_wh, is_whole=not is_unknown))
        return found


NOW = at(2026, 11, 19, 18)  # a Thursday


def test_a_day_costs_what_its_hours_cost():
    account = energy_account(Registers(), "main", HOUSE, NOW)
    assert account.today.import_wh == pytest.approx(18_000)
    assert account.today.cost_by_period == {"HC": 0.6, "HP": 2.4}
    assert account.today.cost == 3.0
    assert account.today.is_whole
    assert account.yesterday.import_wh == pytest.approx(24_000)
    assert account.yesterday_so_far.end_s == at(2026, 11, 18, 18)
    assert account.last_week.start_s == at(2026, 11, 12)
    assert account.last_week_so_far.import_wh == pytest.approx(18_000)
    assert (account.period_now, account.price_per_kwh_now, account.currency) == ("HP", 0.2, "EUR")


def test_days_of_23_and_25_hours_count_as_they_are():
    spring = energy_account(Registers(), "main", HOUSE, at(2026, 3, 30, 12))
    assert spring.yesterday.import_wh == pytest.approx(23_000)
    assert spring.yesterday.cost_by_period == {"HC": 0.7, "HP": 3.2}
    autumn = energy_account(Registers(), "main", HOUSE, at(2026, 10, 26, 12))
    assert autumn.yesterday.import_wh == pytest.approx(25_000)
    assert autumn.yesterday.cost_by_period == {"HC": 0.9, "HP": 3.2}
    assert autumn.last_month.import_wh == pytest.approx(30 * 24_000)


def test_the_forecast_is_so_far_and_the_usual_of_each_weekday():
    def power(time_s: float) -> float:
        return 2000.0 if datetime.fromtimestamp(time_s, PARIS).weekday() >= 5 else 1000.0

    account = energy_account(Registers(power), "main", HOUSE, at(2026, 9, 17, 18))
    weekends = sum(datetime(2026, 9, day).weekday() >= 5 for day in range(1, 31))
    assert account.forecast_wh == pytest.approx((30 + weekends) * 24_000)
    assert account.forecast_cost == pytest.approx((30 + weekends) * (8 * 0.1 + 16 * 0.2), abs=0.001)


def test_a_forecast_needs_a_week_of_days_and_is_none_before():
    few = energy_account(Registers(first_s=at(2026, 11, 13)), "main", HOUSE, NOW)
    assert few.forecast_wh is None
    assert few.forecast_cost is None
    enough = energy_account(Registers(first_s=at(2026, 11, 12)), "main", HOUSE, NOW)
    assert enough.forecast_wh == pytest.approx(19 * 24_000)


def test_charges_taxes_and_export_are_in_the_cost():
    tariff = TariffConfig(
        name="house", periods=(HP,), time_zone="Europe/Paris", standing_charge_per_month=30, tax_percent=10,
        tax_per_kwh="0.05", budget_per_month="100", export_price_per_kwh="0.04",
    )  # fmt: skip

    class WithExport(Registers):
        def energy_spans(self, meter, edges_s, field="active_energy_import_wh"):
            counted = super().energy_spans(meter, edges_s)
            return [one._replace(wh=one.wh / 2) for one in counted] if "export" in field else counted

    day = energy_account(WithExport(), "main", tariff, NOW).yesterday
    assert day.cost_by_period == {"HP": 6.6}
    assert day.standing_cost == 1.1
    assert day.export_credit == 0.48
    assert day.cost == 7.22
    assert energy_account(WithExport(), "main", tariff, NOW).budget == 100.0


def test_the_meters_own_registers_decide_where_the_tariff_says_so():
    tariff = TariffConfig(
        name="own",
        time_zone="Europe/Paris",
        periods=(
            TariffPeriod(name="T1", price_per_kwh="0.10", register=1),
            TariffPeriod(name="T2", price_per_kwh="0.20", register=2),
        ),
    )
    account = energy_account(Registers(), "main", tariff, NOW)
    assert account.yesterday.cost_by_period == {"T1": 0.6, "T2": 3.6}
    assert account.yesterday.import_wh == pytest.approx(24_000)
    assert account.period_now is None


def test_what_is_missing_is_part_of_a_day_and_never_zero():
    holes = [(at(2026, 11, 18, 21), at(2026, 11, 18, 23))]
    day = energy_account(Registers(holes=holes), "main", HOUSE, NOW).yesterday
    assert not day.is_whole
    assert day.import_wh == pytest.approx(24_000)  # the register went on counting
    assert day.cost == pytest.approx(0.6 + 0.2 * (18 - 6))  # what has a price; 18:00 on is not known
    unknown = energy_account(Registers(first_s=NOW - 60), "main", HOUSE, NOW).yesterday
    assert (unknown.import_wh, unknown.cost, unknown.is_whole) == (None, None, False)


def test_a_meter_without_a_tariff_has_energy_and_no_costs():
    account = energy_account(Registers(), "main", None, NOW)
    assert account.yesterday.import_wh is not None
    assert (account.tariff, account.currency, account.yesterday.cost, account.forecast_cost) == (None,) * 4


def test_a_leap_day_is_a_day():
    account = energy_account(Registers(), "main", HOUSE, at(2028, 3, 1, 12))
    assert account.yesterday.start_s == at(2028, 2, 29)
    assert account.last_month.import_wh == pytest.approx(29 * 24_000)


def test_bars_of_hours_stand_beside_yesterday_and_last_week():
    bars = energy_bars(Registers(), "main", "hour", NOW + 1800, tariff=HOUSE)
    assert len(bars.spans) == len(bars.before) == len(bars.long_before) == 24
    last = bars.spans[-1]
    assert (last.start_s, last.end_s, last.is_whole) == (NOW, NOW + 3600, False)
    assert last.import_wh == pytest.approx(500)
    assert bars.spans[0].cost == 0.2
    assert bars.before[-1].start_s == NOW - 86_400
    assert bars.long_before[-1].import_wh == pytest.approx(1000)


def test_bars_of_the_days_when_clocks_are_set_have_23_and_25_hours():
    spring = energy_bars(Registers(), "main", "hour", at(2026, 3, 29, 23, 30), 23, tariff=HOUSE)
    assert spring.spans[0].start_s == at(2026, 3, 29)
    autumn = energy_bars(Registers(), "main", "hour", at(2026, 10, 25, 23, 30), 25, tariff=HOUSE)
    assert autumn.spans[0].start_s == at(2026, 10, 25)
    assert autumn.before[2].start_s == autumn.before[3].start_s == at(2026, 10, 24, 2)
    after = energy_bars(Registers(), "main", "hour", at(2026, 3, 30, 12), tariff=HOUSE)
    skipped = [one for one, span in zip(after.before, after.spans, strict=True) if span.start_s == at(2026, 3, 30, 2)]
    assert skipped == [None]
    days = energy_bars(Registers(), "main", "day", at(2026, 10, 26, 12), 3, tariff=HOUSE)
    assert [span.import_wh for span in days.spans] == pytest.approx([24_000, 25_000, 12_000])
    assert days.before[1].import_wh == pytest.approx(24_000)


def test_bars_of_months_stand_beside_those_of_last_year():
    bars = energy_bars(Registers(first_s=at(2026, 2, 1)), "main", "month", NOW, tariff=HOUSE)
    assert [span.import_wh for span in bars.spans[:3]] == [None, None, pytest.approx(28 * 24_000)]
    assert bars.before[0].start_s == at(2024, 12, 1)
    assert bars.long_before == ()


def test_another_unit_is_told():
    with pytest.raises(UsageError, match="hour, day or month"):
        energy_bars(Registers(), "main", "week", NOW)


def test_an_account_asks_the_history_a_few_times_and_is_fast():
    history = Registers()
    energy_account(history, "main", HOUSE, NOW)
    assert history.asked <= 3
    begun_s = time.perf_counter()
    energy_account(history, "main", HOUSE, NOW)
    energy_bars(history, "main", "month", NOW, tariff=HOUSE)
    assert time.perf_counter() - begun_s < 0.5
