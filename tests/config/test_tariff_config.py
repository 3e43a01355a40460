"""What `[[tariff]]` promises: each key read, each wrong one told with its line, and written back as it was."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from core.calendar_words import easter, holidays_of
from core.config import Config, MeterConfig, TariffConfig, TariffPeriod, load_config, remove_table, save_table
from core.config.reading import parsed
from core.errors import ConfigError
from core.home import Home
from core.tariffs import Calendar, amount, problems

BLEU = """
[[tariff]]
name = "house"
time_zone = "Europe/Paris"
standing_charge_per_month = 15.74
tax_percent = "20"
holidays = ["FR", "12-24"]
[[tariff.period]]
name = "HC"
price_per_kwh = 0.1296
hours = ["22:00-06:00", "12:00-14:00"]
[[tariff.period]]
name = "HP"
price_per_kwh = "0,1609"
valid_from = 2025-02-01
[[tariff.period]]
name = "HP"
price_per_kwh = 0.17
valid_until = 2025-01-31
[[tariff]]
name = "shed"
[[tariff.period]]
name = "flat"
price_per_kwh = 0.2
[[meter]]
name = "main"
port = "/dev/ttyUSB0"
tariff = "house"
"""


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def written(home: Home, text: str) -> Config:
    home.config_path.write_text(text, encoding="utf-8")
    config, warnings = load_config(home)
    assert not warnings
    return config


def test_a_tariff_is_read_whole(home):
    config = written(home, BLEU)
    house = config.tariffs[0]
    assert [period.name for period in house.periods] == ["HC", "HP", "HP"]
    assert str(amount(house.periods[1].price_per_kwh)) == "0.1609"
    assert house.periods[1].valid_from == date(2025, 2, 1)
    assert config.tariff_of("main") == house
    assert config.tariff_of("another") is None


def test_the_only_tariff_is_that_of_each_meter():
    flat = TariffConfig(name="flat", periods=(TariffPeriod(name="flat", price_per_kwh=0.2),))
    assert Config(meters=(MeterConfig(name="main", port="x"),), tariffs=(flat,)).tariff_of("main") == flat


def test_a_tariff_is_written_changed_and_removed_and_comments_stay(home):
    home.config_path.write_text("# mine\noperator = 'A'\n", encoding="utf-8")
    periods = (
        TariffPeriod(name="HC", price_per_kwh="0.1296", hours=("22:00-06:00",), valid_from=date(2025, 2, 1)),
        TariffPeriod(name="HP", price_per_kwh="0.1609"),
    )
    tariff = TariffConfig(name="house", periods=periods, holidays=("FR",), budget_per_month="120")
    save_table(home, "tariff", tariff)
    save_table(home, "tariff", TariffConfig(name="other", periods=(periods[1],)))
    assert load_config(home)[0].tariffs[0] == tariff
    changed = TariffConfig(name="house", periods=periods[1:])
    save_table(home, "tariff", changed)
    assert load_config(home)[0].tariffs[0] == changed
    text = home.config_path.read_text(encoding="utf-8")
    assert text.startswith("# mine")
    assert "budget" not in text
    remove_table(home, "tariff", "house")
    assert [one.name for one in load_config(home)[0].tariffs] == ["other"]


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('"22:00-06:00"', '"22:00-06:70"', 11, "tariff.period.hours must be a list of hours"),
        ('"22:00-06:00"', '"six to ten"', 11, "six to ten"),
        ("price_per_kwh = 0.1296", 'price_per_kwh = "free"', 10, "an amount such as 0.1841"),
        ("price_per_kwh = 0.1296", "price_per_kwh = nan", 10, "an amount"),
        ('"Europe/Paris"', '"Europe/Nowhere"', 4, "a time zone such as"),
        ('"Europe/Paris"', '"../../etc/passwd"', 4, "a time zone such as"),
        ('"FR", "12-24"', '"FR", "02-30"', 7, "tariff.holidays"),
        ("valid_until = 2025-01-31", "valid_until = 2025-01-15", 2, "no period has a price for"),
        ("valid_from = 2025-02-01", "valid_from = 'soon'", 15, "a date such as"),
        ('tariff = "house"', 'tariff = "flat"', 28, "no [[tariff]] of the name flat"),
        ('name = "shed"', 'name = "house"', 21, "already used on line 3"),
        ('name = "flat"\nprice', 'name = "flat"\nhours = ["06:00-22:00"]\nprice', 20, "00:00 to 06:00"),
        ('name = "flat"\nprice', 'name = "flat"\nregister = 1\ndays = ["mon"]\nprice', 24, "register decides"),
        ("price_per_kwh = 0.17", "price_per_kwh = 0.17\nregister = 2", 2, "either all periods"),
        ('name = "flat"\nprice', 'name = "flat"\nregister = 5\nprice', 24, "from 1 to 4"),
        ("[[tariff.period]]\nname = \"flat\"\nprice_per_kwh = 0.2\n", "", 20, "tariff.period is missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(home, old, new, line, said):
    assert old in BLEU
    with pytest.raises(ConfigError) as told:
        written(home, BLEU.replace(old, new))
    assert f"line {line}: " in str(told.value), str(told.value)
    assert said in str(told.value)


def tariff(*periods: TariffPeriod, holidays: tuple[str, ...] = ()) -> TariffConfig:
    return TariffConfig(name="t", periods=periods, holidays=holidays)


def period(name: str, **terms: object) -> TariffPeriod:
    return TariffPeriod(name=name, price_per_kwh=1, **terms)


def names(one: TariffConfig, day: str) -> list[tuple[int, str | None]]:
    return [
        (hours.start // 60, hours.period and hours.period.name) for hours in Calendar(one).day(date.fromisoformat(day))
    ]


def test_the_first_period_that_holds_counts_and_hours_over_midnight_are_of_the_same_day():
    one = tariff(period("night", hours=("22:00-06:00",), days=("mon-fri",)), period("else"))
    assert names(one, "2026-11-20") == [(0, "night"), (6, "else"), (22, "night")]
    assert names(one, "2026-11-21") == [(0, "else")]


def test_holidays_hold_as_each_period_says():
    work = period("work", days=("mon-fri",), holidays="no")
    rest = period("rest")
    friday = "2026-05-01"
    assert names(tariff(work, rest, holidays=("FR",)), friday) == [(0, "rest")]
    assert names(tariff(work, rest), friday) == [(0, "work")]
    sunday = period("sunday", days=("sun",), holidays="also")
    assert names(tariff(sunday, rest, holidays=("05-01",)), friday) == [(0, "sunday")]
    assert names(tariff(sunday, rest, holidays=("05-01",)), "2026-05-03") == [(0, "sunday")]
    feast = period("feast", holidays="only")
    assert names(tariff(feast, rest, holidays=("easter+1",)), "2026-04-06") == [(0, "feast")]
    assert names(tariff(feast, rest, holidays=("easter+1",)), "2026-04-13") == [(0, "rest")]


def test_seasons_go_round_the_year_and_a_leap_day_has_a_price():
    winter = period("winter", months=("nov-mar",))
    feast = period("feast", dates=("12-20..01-05",))
    one = tariff(feast, winter, period("summer"))
    days = ("2028-02-29", "2026-12-31", "2026-01-05", "2026-01-06", "2026-04-01")
    assert [names(one, day)[0][1] for day in days] == ["winter", "feast", "feast", "winter", "summer"]
    assert not list(problems(one))


def test_a_period_that_never_holds_is_told():
    told = list(problems(tariff(period("all"), period("never", hours=("06:00-22:00",)))))
    assert [problem.key for problem in told] == [("period", 1, "name")]
    assert [problem.key for problem in problems(tariff(period("feast", holidays="only"), period("all")))] == [
        ("period", 0, "name")
    ]


def test_easter_and_the_feasts_beside_it_are_those_of_the_almanac():
    assert [easter(year) for year in (1961, 2000, 2008, 2024, 2025, 2026, 2038)] == [
        date(1961, 4, 2), date(2000, 4, 23), date(2008, 3, 23), date(2024, 3, 31), date(2025, 4, 20), date(2026, 4, 5),
        date(2038, 4, 25),
    ]  # fmt: skip
    assert date(2026, 5, 14) in holidays_of(("FR",), 2026)
    assert holidays_of(("02-29",), 2026) == frozenset()


def test_the_tariffs_of_the_documentation_are_ones():
    text = (Path(__file__).parents[2] / "docs" / "tariffs.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 4
    for block in blocks:
        config, warnings = parsed(block.encode(), Path("config.toml"))
        assert config.tariffs
        assert not warnings


def test_a_price_may_hold_until_the_end_of_all_days():
    ever = period("ever", valid_from=date(2024, 1, 1), valid_until=date(9999, 12, 31))
    first = period("first", valid_until=date(2023, 12, 31), valid_from=date.min)
    assert not list(problems(tariff(ever, first)))


def test_the_last_hour_of_the_winter_is_not_the_first_of_the_summer():
    winter = period("winter", dates=("10-01..03-31",), hours=("06:00-22:00",))
    night = period("night", hours=("22:00-06:00",))
    told = [problem.text for problem in problems(tariff(winter, night))]
    assert len(told) == 1
    assert "06:00 to 22:00 on" in told[0]
    assert "-04-0" in told[0]
