"""An account out of a real history: what was written is what is counted, over the change of the clock and a hole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from core.records import Measurement, MeterIdentity, MeterReadings
from core.services.energy_account import energy_account, energy_bars
from core.store.history import History
from core.tariffs import TariffConfig, TariffPeriod

PARIS = ZoneInfo("Europe/Paris")
HOUSE = TariffConfig(
    name="house",
    time_zone="Europe/Paris",
    periods=(
        TariffPeriod(name="HC", price_per_kwh="0.10", hours=("22:00-06:00",)),
        TariffPeriod(name="HP", price_per_kwh="0.20"),
    ),
)
NOW = datetime(2026, 10, 26, 18, 0, tzinfo=PARIS).timestamp()
FIRST = datetime(2026, 9, 20, 12, tzinfo=PARIS).timestamp()
HOLE = (datetime(2026, 10, 19, 3, tzinfo=PARIS).timestamp(), datetime(2026, 10, 19, 15, tzinfo=PARIS).timestamp())


@pytest.fixture(scope="module")
def history(tmp_path_factory) -> Iterator[History]:
    path: Path = tmp_path_factory.mktemp("energy") / "h.db"
    with History.open(path) as opened:
        rows, time_s = [], FIRST
        while time_s <= NOW:
            if not HOLE[0] < time_s < HOLE[1]:
                rows.append(
                    MeterReadings(
                        name="main",
                        protocol="push",
                        meter=MeterIdentity(),
                        time_s=time_s,
                        readings=(),
                        measurement=Measurement(active_energy_import_wh=1e6 + (time_s - FIRST) / 3.6),
                    )
                )
            time_s += 900.0
        opened.write(rows)
        yield opened


def test_the_day_of_25_hours_costs_an_hour_more(history):
    account = energy_account(history, "main", HOUSE, NOW)
    assert account.yesterday.import_wh == pytest.approx(25_000)
    assert account.yesterday.cost_by_period == pytest.approx({"HC": 0.9, "HP": 3.2})
    assert account.yesterday.is_whole
    assert account.today.cost_by_period == pytest.approx({"HC": 0.6, "HP": 2.4})


def test_energy_goes_on_over_a_hole_and_its_cost_is_a_part(history):
    week = energy_account(history, "main", HOUSE, NOW).last_week
    assert week.import_wh == pytest.approx(24_000)
    assert not week.is_whole
    assert week.cost_by_period == pytest.approx({"HC": 0.1 * 5, "HP": 0.2 * 7})


def test_a_month_that_begins_before_the_history_is_a_part(history):
    account = energy_account(history, "main", HOUSE, NOW)
    assert account.last_month.import_wh == pytest.approx(10.5 * 24_000, rel=1e-3)
    assert not account.last_month.is_whole
    assert account.forecast_wh == pytest.approx(31 * 24_000 + 1000, rel=2e-3)
    days = energy_bars(history, "main", "day", NOW, 2, tariff=HOUSE)
    assert [span.import_wh for span in days.spans] == pytest.approx([25_000, 18_000])


def test_a_meter_that_is_not_there_has_nothing(history):
    account = energy_account(history, "shed", HOUSE, NOW)
    assert (account.today.import_wh, account.month.cost, account.forecast_wh) == (None, None, None)
