"""What the energy of a span promises: by difference of the counter, never a guess, and parts that make the whole."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec import structs

from core.config import Retention
from core.errors import StoreError
from core.records import Measurement, MeterIdentity, MeterReadings
from core.store.history import History

T0 = 1_700_006_400.0
"""A midnight of UTC."""

HOUR = 3600.0
DAY = 86400.0


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(tmp_path / "beffroi.db") as opened:
        yield opened


def register(time_s: float, wh: float, name: str = "main") -> MeterReadings:
    return MeterReadings(
        name=name,
        protocol="push",
        meter=MeterIdentity(),
        time_s=time_s,
        readings=(),
        measurement=Measurement(active_energy_import_wh=wh, active_power_w=wh % 1000),
    )


def edges(start_s: float, count: int, step_s: float = HOUR) -> list[float]:
    return [start_s + number * step_s for number in range(count + 1)]


def test_energy_is_what_the_register_counted_between_the_edges(history: History) -> None:
    history.write([register(T0 + 300 * number, 5000 + 300 * number) for number in range(3 * 288)])
    for _turn in range(2):
        assert history.energy("main", edges(T0, 48)) == pytest.approx([3600] * 48)
        assert history.energy("main", edges(T0 + 1234.5, 7, 777)) == pytest.approx([777] * 7)
        assert history.energy("main", [T0, T0 + DAY, T0 + 2 * DAY]) == pytest.approx([DAY, DAY])
        history.fold(T0 + 4 * DAY)


def test_the_parts_are_the_whole_whatever_level_answers(history: History) -> None:
    dice = random.Random(7)
    value, time_s, rows = 1000.0, T0, []
    while time_s < T0 + 4 * DAY:
        rows.append(register(time_s, value))
        time_s += dice.choice([10, 60, 300, 900, 3500])
        value += dice.random() * 100
        if dice.random() < 0.01:
            value = dice.random() * 50  # another meter, or a roll-over
    history.write(rows)
    cuts = sorted({T0, T0 + 3.9 * DAY, *(T0 + dice.randrange(int(3.9 * DAY)) for _cut in range(40))})
    ends = [cuts[0], cuts[-1]]
    before = history.energy("main", cuts)
    assert None not in before
    assert sum(part or 0.0 for part in before) == pytest.approx(history.energy("main", ends)[0])
    history.fold(T0 + 5 * DAY)
    assert history.energy("main", cuts) == pytest.approx(before)
    assert history.energy("main", ends)[0] == pytest.approx(sum(part or 0.0 for part in before))


def test_an_edge_in_a_gap_is_unknown_and_what_was_counted_over_the_gap_is_not(history: History) -> None:
    before = [register(T0 + 60 * number, number) for number in range(121)]  # until 02:00
    after = [register(T0 + 5 * HOUR + 60 * number, 1000 + number) for number in range(181)]  # from 05:00
    history.write([*before, *after])
    for _turn in range(2):
        assert history.energy("main", edges(T0, 7)) == [60, 60, None, None, None, 60, 60]
        assert history.energy("main", [T0, T0 + 8 * HOUR]) == [1180]
        known = history.energy_spans("main", [T0 + HOUR, T0 + 3 * HOUR, T0 + 4 * HOUR, T0 + 7 * HOUR])
        assert known == [(60, False), (None, False), (120, False)]
        history.fold(T0 + DAY)


def test_a_register_that_falls_begins_anew(history: History) -> None:
    values = [100, 150, 160, 5, 25, 30]
    history.write([register(T0 + 600 * number, value) for number, value in enumerate(values)])
    for _turn in range(2):
        assert history.energy("main", [T0, T0 + 3000]) == [60 + 25]
        history.fold(T0 + DAY)


def test_the_last_value_stands_for_an_hour_and_no_longer(history: History) -> None:
    history.write([register(T0 + 60 * number, 10 * number) for number in range(61)])
    assert history.energy("main", [T0, T0 + 2 * HOUR]) == [600]
    assert history.energy("main", [T0, T0 + 3 * HOUR]) == [None]
    assert history.energy_spans("main", [T0, T0 + 3 * HOUR]) == [(600, False)]
    assert history.energy("main", [T0 - HOUR, T0 + HOUR]) == [None]
    assert history.energy("main", [T0 - 30, T0 + HOUR]) == [600], "half a minute before the first value is near enough"


def test_an_edge_between_two_values_has_its_share(history: History) -> None:
    history.write([register(T0 + 900 * number + 450, 100 * number) for number in range(40)])
    assert history.energy("main", [T0 + 900, T0 + 1800, T0 + 2700]) == pytest.approx([100, 100])


@pytest.mark.parametrize("days", [(1, 1, 50, 60), (1, 1, 1, 60)])
def test_energy_outlives_the_rows(history: History, days: Sequence[int]) -> None:
    history.write([register(T0 + 300 * number, 30 * number) for number in range(5 * 288)])
    raw, minute, quarter, hour = days
    kept = Retention(raw_days=raw, minute_days=minute, quarter_days=quarter, hour_days=hour, day_days=99)
    history.apply_retention(kept, T0 + 40 * DAY)
    assert history.count("measurements") == 0
    assert history.energy("main", edges(T0, 100)) == pytest.approx([360] * 100)


def test_what_is_no_counter_is_said_and_an_unknown_meter_has_none(history: History) -> None:
    assert history.energy("none", [T0, T0 + 1, T0 + 2]) == [None, None]
    assert history.energy("none", [T0]) == []
    with pytest.raises(StoreError, match="is no series"):
        history.energy("main", [T0, T0 + 1], "voltage_l1_v")


def test_a_total_is_the_sum_and_open_where_one_is_missing(history: History) -> None:
    history.write([register(T0 + number, 400) for number in range(1000)])
    history.write([register(T0 + 15 * number, 300, "second") for number in range(40)])
    (total,) = history.total_points(["main", "second"], ["active_power_w"], T0, T0 + 1000, max_points=100)
    assert (total.name, total.unit) == ("total/active_power_w", "W")
    shown = dict(zip(total.time_s, total.mean, strict=True))
    assert {value for time_s, value in shown.items() if time_s < T0 + 600} == {700}
    assert all(value != value for time_s, value in shown.items() if time_s > T0 + 700)
    (nothing,) = history.total_points(["main", "none"], ["active_power_w"], T0, T0 + 1000)
    assert len(nothing.time_s) == 0


def test_a_rise_faster_than_any_meter_is_not_counted_and_its_span_is_a_part(history: History) -> None:
    rows = [register(T0 + 60 * number, 10 * number) for number in range(120)]
    rows += [register(T0 + 7200 + 60 * number, 23_000_000 + 10 * number) for number in range(240)]
    history.write(rows)
    cuts = [T0, T0 + HOUR, T0 + 2.5 * HOUR, T0 + 5 * HOUR]
    for _turn in range(2):
        assert history.energy_spans("main", cuts) == [
            (pytest.approx(600), True),
            (pytest.approx(890), False),
            (pytest.approx(1500), True),
        ]
        assert history.energy_since("main", T0) == pytest.approx(3580)
        history.fold(T0 + 3 * DAY)
    history.apply_retention(Retention(raw_days=1, minute_days=1, quarter_days=1, hour_days=1, day_days=9), T0 + 4 * DAY)
    assert history.energy_spans("main", [T0, T0 + DAY]) == [(pytest.approx(3580), False)]


def test_another_meter_after_hours_of_silence_is_no_consumption(history: History) -> None:
    rows = [register(T0 + 60 * number, 1_000_010 + 10 * number) for number in range(120)]
    rows += [register(T0 + 8 * HOUR + 60 * number, 24_000_010 + 10 * number) for number in range(120)]
    history.write(rows)
    for _turn in range(2):
        assert history.energy_spans("main", [T0, T0 + 9 * HOUR]) == [(pytest.approx(1190 + 600), False)]
        assert history.energy_spans("main", [T0, T0 + HOUR]) == [(pytest.approx(600), True)]
        history.fold(T0 + 3 * DAY)


def test_a_large_site_is_counted_however_fast(history: History) -> None:
    def row(time_s: float, wh: float, power_w: float | None) -> MeterReadings:
        measured = Measurement(active_energy_import_wh=wh, active_power_w=power_w)
        return structs.replace(register(time_s, 0.0), measurement=measured)

    for name, power_w in (("known", 30e6), ("unknown", None)):
        rows = [row(T0 + 900 * number, 7.5e6 * number, power_w) for number in range(8)]
        rows.append(row(T0 + DAY, 720e6, power_w))
        history.write([structs.replace(one, name=name) for one in rows])
    for _turn in range(2):
        for name in ("known", "unknown"):
            assert history.energy_spans(name, [T0, T0 + DAY]) == [(pytest.approx(720e6), True)]
        history.fold(T0 + 9 * DAY)


def test_a_register_read_wrongly_for_a_moment_counts_nothing(history: History) -> None:
    values = [1000.0 + number for number in range(600)]
    values[100] = 9e9
    values[200] = 0.0
    values[300:303] = [5e6, 5e6, 5e6]
    history.write([register(T0 + number, value) for number, value in enumerate(values)])
    for _turn in range(2):
        assert history.energy_since("main", T0) == pytest.approx(599, abs=8)
        assert history.energy("main", [T0 + 420, T0 + 480]) == [60]
        history.fold(T0 + DAY)


def test_registers_that_differ_by_their_rounding_count_once(history: History) -> None:
    exact = [12_345.0 + 7 * number for number in range(900)]
    history.write(
        [register(T0 + 5 * number, wh // 1000 * 1000 if number % 2 else wh) for number, wh in enumerate(exact)]
    )
    for _turn in range(2):
        assert history.energy("main", [T0, T0 + 5 * 898]) == [7 * 898]
        history.fold(T0 + DAY)


def test_rows_that_wait_for_their_roll_ups_are_told_by_their_hours(history: History) -> None:
    values: list[float] = []
    while len(values) < 8640:
        values.append((values[-1] if values else 5e5) + len(values) % 7)
    values[3000:] = [value - 4e5 for value in values[3000:]]  # another meter
    values[6000:] = [value + 9e6 for value in values[6000:]]  # and one that counted more
    history.write([register(T0 + 10 * number, value) for number, value in enumerate(values)])
    cuts = [T0, *(T0 + 1234.5 * number for number in range(1, 65))]
    before = history.energy_spans("main", cuts)
    history.fold(T0 + 9 * DAY)
    after = history.energy_spans("main", cuts)
    assert [span.is_whole for span in before] == [span.is_whole for span in after]
    assert [span.is_whole for span in after].count(False) == 1
    assert [span.wh for span in before] == [pytest.approx(span.wh) for span in after]
