"""What a tariff promises: each moment has one price, on days of 23 and 25 hours too, and money is exact."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.meter.local_days import LocalDays, months_later
from core.meter.tariff import Tariff, rounded, total
from core.tariffs import TariffConfig, TariffPeriod

PARIS = ZoneInfo("Europe/Paris")
HC = TariffPeriod(name="HC", price_per_kwh="0.1296", hours=("22:30-06:30",))
HP = TariffPeriod(name="HP", price_per_kwh="0.1609")
ODD = TariffPeriod(name="odd", price_per_kwh=1, hours=("02:30-05:00",))


def tariff(*periods: TariffPeriod, **terms: object) -> Tariff:
    return Tariff(TariffConfig(name="t", periods=periods or (HC, HP), time_zone="Europe/Paris", **terms))


def at(*wall: int, fold: int = 0) -> float:
    return datetime(*wall, fold=fold, tzinfo=PARIS).timestamp()


def day_of(one: Tariff, day: date) -> list[tuple[float, str]]:
    """(hours, name) of each piece of a local day."""
    start_s = one.days.day_start(day)
    pieces = one.pieces(start_s, one.days.day_start(day + timedelta(days=1)))
    return [((piece.end_s - piece.start_s) / 3600, piece.period.name if piece.period else "") for piece in pieces]


def test_a_day_is_cut_where_the_price_changes():
    assert day_of(tariff(), date(2026, 11, 21)) == [(6.5, "HC"), (16, "HP"), (1.5, "HC")]


def test_the_day_of_23_hours_and_that_of_25_have_a_night_of_another_length():
    assert day_of(tariff(), date(2026, 3, 29)) == [(5.5, "HC"), (16, "HP"), (1.5, "HC")]
    assert day_of(tariff(), date(2026, 10, 25)) == [(7.5, "HC"), (16, "HP"), (1.5, "HC")]


def test_an_edge_in_the_hour_that_is_skipped_or_comes_twice_is_what_the_clock_says():
    # 01:59:59 is followed by 03:00:00, which is within 02:30-05:00
    assert day_of(tariff(ODD, HP), date(2026, 3, 29)) == [(2, "HP"), (2, "odd"), (19, "HP")]
    # 02:30 comes twice, and between them the clock stands at 02:00 once more
    assert day_of(tariff(ODD, HP), date(2026, 10, 25)) == [
        (2.5, "HP"), (0.5, "odd"), (0.5, "HP"), (2.5, "odd"), (19, "HP"),
    ]  # fmt: skip


def test_a_price_that_changes_in_the_month_holds_from_its_day_on():
    old = TariffPeriod(name="HP", price_per_kwh="0.20", valid_until=date(2026, 2, 14))
    new = TariffPeriod(name="HP", price_per_kwh="0.25", valid_from=date(2026, 2, 15))
    pieces = tariff(old, new).pieces(at(2026, 2, 1), at(2026, 3, 1))
    assert [(piece.end_s, piece.period) for piece in pieces] == [(at(2026, 2, 15), old), (at(2026, 3, 1), new)]


def test_before_a_tariff_begins_there_is_no_price():
    pieces = tariff(TariffPeriod(name="HP", price_per_kwh=1, valid_from=date(2026, 2, 15))).pieces(
        at(2026, 2, 14), at(2026, 2, 16)
    )
    assert [piece.period and piece.period.name for piece in pieces] == [None, "HP"]


@given(
    start=st.integers(1_700_000_000, 1_800_000_000),
    length=st.integers(1, 40 * 86_400),
    zone=st.sampled_from(
        [
            "Europe/Paris",
            "America/Santiago",
            "Asia/Beirut",
            "Australia/Lord_Howe",
            "Pacific/Apia",
            "UTC",
            "Asia/Kolkata",
        ]
    ),
)
@settings(max_examples=60, deadline=None)
def test_pieces_have_no_hole_and_each_holds_the_price_of_its_clock(start, length, zone):
    one = Tariff(TariffConfig(name="t", periods=(ODD, HC, HP), time_zone=zone))
    pieces = one.pieces(float(start), float(start + length))
    assert pieces[0].start_s == start
    assert pieces[-1].end_s == start + length
    for before, after in pairwise(pieces):
        assert before.end_s == after.start_s
        assert before.period is not after.period
    for piece in pieces:
        for moment in (piece.start_s, (piece.start_s + piece.end_s) // 2, piece.end_s - 1):
            wall = datetime.fromtimestamp(moment, ZoneInfo(zone))
            minute = wall.hour * 60 + wall.minute
            name = "odd" if 150 <= minute < 300 else "HC" if minute >= 1350 or minute < 390 else "HP"
            assert piece.period is not None
            assert piece.period.name == name


def test_money_is_counted_in_decimals_and_rounded_once():
    one = tariff(HP, tax_percent="20", tax_per_kwh="0.03085")
    assert one.price_per_kwh(HP) == Decimal("0.2301000")
    assert one.cost(1234.5, HP) == Decimal("0.28405845")
    assert rounded(total([one.cost(0.1, HP)] * 1000)) == 0.023
    assert rounded(Decimal("0.00005")) == 0.0001


def test_the_standing_charge_goes_by_the_length_of_months_and_days():
    one = tariff(standing_charge_per_month=30)
    assert rounded(one.standing(at(2026, 2, 1), at(2026, 3, 1))) == 30
    assert rounded(one.standing(at(2026, 11, 1), at(2026, 11, 2))) == 1
    assert rounded(one.standing(at(2026, 1, 1), at(2027, 1, 1))) == 360
    daily = tariff(standing_charge_per_day="0.5", tax_percent=10)
    assert rounded(daily.standing(at(2026, 3, 28), at(2026, 3, 31))) == 1.65
    assert rounded(daily.standing(at(2026, 3, 29), at(2026, 3, 29, 12))) == round(0.55 * 11 / 23, 4)


def test_the_meters_own_registers_are_told_apart():
    one = tariff(
        TariffPeriod(name="HC", price_per_kwh="0.13", register=1),
        TariffPeriod(name="HP", price_per_kwh="0.17", register=2),
    )
    assert one.registers == (1, 2)
    assert [piece.period.name for piece in one.pieces(at(2026, 1, 1), at(2026, 2, 1), 2)] == ["HP"]
    assert one.period_at(at(2026, 1, 1)) is None


def test_hours_of_the_wall_begin_where_the_clock_says_so():
    days = LocalDays("Asia/Kolkata")
    assert days.hour_start(1_790_000_000.0) % 3600 == 1800
    paris = LocalDays("Europe/Paris")
    second = at(2026, 10, 25, 2, 20, fold=1)
    assert paris.hour_start(second) == at(2026, 10, 25, 2, fold=1)
    assert paris.at_wall(date(2026, 3, 29), datetime(2026, 3, 30, 2, 30)) == at(2026, 3, 29, 3, 30)


@pytest.mark.parametrize(("months", "day"), [(0, (2026, 11)), (2, (2027, 1)), (-11, (2025, 12)), (-24, (2024, 11))])
def test_months_are_counted_over_the_years(months, day):
    assert months_later(date(2026, 11, 30), months) == date(*day, 1)


def test_this_computers_own_zone_is_taken_where_none_is_named(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    try:
        own = Tariff(TariffConfig(name="t", periods=(ODD, HP)))
        assert day_of(own, date(2026, 10, 25)) == day_of(tariff(ODD, HP), date(2026, 10, 25))
        assert day_of(own, date(2026, 3, 29)) == day_of(tariff(ODD, HP), date(2026, 3, 29))
        assert own.days.day_start(date(2026, 7, 1)) == datetime(2026, 6, 30, 22, tzinfo=UTC).timestamp()
    finally:
        monkeypatch.undo()
        time.tzset()


def test_days_that_are_announced_are_dear_in_their_year_alone():
    red = TariffPeriod(name="red", price_per_kwh="0.70", hours=("06:00-22:00",), dates=("2026-12-08..2026-12-09",))
    evening = TariffPeriod(name="night", price_per_kwh="0.15", hours=("22:00-24:00",), dates=("2026-12-08",))
    one = tariff(red, evening, HP)
    assert day_of(one, date(2026, 12, 8)) == [(6, "HP"), (16, "red"), (2, "night")]
    assert day_of(one, date(2026, 12, 9)) == [(6, "HP"), (16, "red"), (2, "HP")]
    assert day_of(one, date(2026, 12, 10)) == day_of(one, date(2027, 12, 8)) == [(24, "HP")]
