"""What the detectors promise: they ring what they are for, say why, and are quiet through months of ordinary days."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from alarm_records import T0, meter_readings
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from core.alarms.baseline import Baseline
from core.alarms.bells import quantities
from core.alarms.derived import SHOWN_BY, DerivedQuantities
from core.alarms.engine import AlarmEngine
from core.alarms.meter_rules import DERIVED, METER_RULES
from core.alarms.rules import DEFAULT_RULES, default_of, looks_at, rule_title
from core.alarms.texts import quantity_text, unit_of
from core.meter.virtual_e450 import VirtualE450, VirtualMoment, _day
from core.records import Measurement, Quality, Reading, SeriesPoints
from core.site_records import Alarm, AlarmRule, AlarmState, RuleKind

PARIS = ZoneInfo("Europe/Paris")
DAY_S = 86_400.0
START_S = T0 // DAY_S * DAY_S


class Meter:
    """An engine with the rules of the first day, and a meter that says what a test wants."""

    def __init__(self, *, subscribed_w: float | None = None, every_s: float = 60.0, switched_on: str = "") -> None:
        rules = [replace(rule, is_enabled=rule.is_enabled or rule.name == switched_on) for rule in DEFAULT_RULES]
        self.engine = AlarmEngine(rules, first_id=1)
        if subscribed_w is not None:
            self.engine.set_subscribed_powers({"main": subscribed_w})
        self.every_s = every_s
        self.now_s = START_S
        self.told: list[Alarm] = []

    def run(self, seconds: float, power_w: float | Callable[[float], float] | None = None, **fields: float) -> None:
        """Let it say the same for so long."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            if power_w is not None:
                fields["active_power_w"] = power_w(self.now_s) if callable(power_w) else power_w
            self.say(**fields)

    def say(self, *, is_simulated: bool = False, **fields: float) -> None:
        record = meter_readings(self.now_s, **fields)
        self.told += self.engine.apply(replace(record, is_simulated=is_simulated), self.now_s)
        self.told += self.engine.tick(self.now_s)
        self.now_s += self.every_s

    def learn(self, days: float, power_w: float | Callable[[float], float]) -> None:
        """Let it have been there for so long, as the history tells."""
        self.say(active_power_w=power_w(self.now_s) if callable(power_w) else power_w)
        assert self.engine.taken_unlearned() == {"main"}
        self.engine.learn("main", past(self.now_s, days, power_w))

    def rung(self, rule: str) -> list[Alarm]:
        return [alarm for alarm in self.told if alarm.rule == rule]

    @property
    def rules_rung(self) -> set[str]:
        return {alarm.rule for alarm in self.told}


def past(now_s: float, days: float, power_w: float | Callable[[float], float]) -> SeriesPoints:
    times = array("d", [now_s - 450.0 * number for number in range(int(days * 192), 0, -1)])
    means = array("d", [power_w(time_s) if callable(power_w) else power_w for time_s in times])
    return SeriesPoints("meter/main/active_power_w", "W", times, means, means, means)


def test_a_peak_rings_after_half_an_hour_and_says_what_is_usual():
    meter = Meter()
    meter.learn(7, 1000.0)
    meter.run(1740, 3200.0)
    assert not meter.told
    meter.run(300, 3200.0)
    (alarm,) = meter.rung("consumption peak")
    assert (alarm.value, alarm.threshold, alarm.unit) == (3.2, 2.5, "×")
    assert "3.2 kW now, 1 kW is usual at this hour" in alarm.text
    assert alarm.state is AlarmState.ACTIVE
    meter.run(120, 1000.0)
    assert meter.rung("consumption peak")[-1].state is AlarmState.RESOLVED


def test_a_peak_is_one_beside_the_same_hour_of_the_day_not_beside_all():
    def power(time_s: float) -> float:
        return 3000.0 if datetime.fromtimestamp(time_s).hour == 18 else 400.0

    meter = Meter()
    meter.learn(7, power)
    meter.run(DAY_S, power)
    assert not meter.told
    while datetime.fromtimestamp(meter.now_s).hour != 3:
        meter.run(meter.every_s, power)
    meter.run(3000, 1500.0)
    assert meter.rung("consumption peak")


def test_a_kettle_is_no_peak():
    meter = Meter()
    meter.learn(7, 300.0)
    for _time in range(10):
        meter.run(240, 2300.0)
        meter.run(600, 300.0)
    assert not meter.told


def test_nothing_is_a_peak_before_two_days_are_known():
    meter = Meter(every_s=300.0)
    meter.run(1.5 * DAY_S, 300.0)
    meter.run(3 * 3600, 9000.0)
    assert "consumption peak" not in meter.rules_rung


def test_a_meter_without_history_learns_by_itself():
    meter = Meter(every_s=300.0)
    meter.run(3 * DAY_S, 1000.0)
    meter.run(3600, 3000.0)
    assert meter.rules_rung == {"consumption peak"}


def test_power_that_is_suddenly_gone_rings_where_it_never_was():
    meter = Meter()
    meter.learn(7, 400.0)
    meter.run(1000, 20.0)
    (alarm,) = meter.rung("consumption drop")
    assert "20 W now, and never under 400 W in the week before" in alarm.text
    other = Meter()
    other.learn(7, lambda time_s: 5.0 if datetime.fromtimestamp(time_s).hour == 4 else 400.0)
    other.run(3600, 5.0)
    assert not other.told


def test_a_night_that_no_longer_falls_rings_after_three_nights():
    def house(time_s: float) -> float:
        base = 120.0 if time_s < START_S + 10 * DAY_S else 320.0
        return base + (600.0 if datetime.fromtimestamp(time_s).hour >= 7 else 0.0)

    meter = Meter(every_s=300.0)
    rung_s = None
    while meter.now_s < START_S + 16 * DAY_S and rung_s is None:
        meter.run(3600, house)
        if meter.rung("night base risen"):
            rung_s = meter.now_s
    assert rung_s is not None
    assert 12 < (rung_s - START_S) / DAY_S < 14
    alarm = meter.rung("night base risen")[0]
    assert "320 W or more all through the last nights, 120 W in those before" in alarm.text


def test_a_base_load_that_is_always_high_rings_where_that_is_asked_for():
    meter = Meter(every_s=300.0, switched_on="night base high")
    meter.run(2 * DAY_S, 700.0)
    (alarm,) = meter.rung("night base high")
    assert (alarm.value, alarm.unit) == (700.0, "W")


def test_voltages_that_differ_ring_and_are_named():
    meter = Meter()
    meter.run(900, 500.0, voltage_l1_v=215.0, voltage_l2_v=235.0, voltage_l3_v=236.0)
    (alarm,) = meter.rung("voltage unbalance")
    assert alarm.value == pytest.approx(5.98, abs=0.01)
    assert "215 V, 235 V, 236 V" in alarm.text


def test_a_phase_that_is_not_wired_is_no_unbalance():
    meter = Meter(switched_on="current unbalance")
    meter.run(1200, 500.0, voltage_l1_v=230.0, voltage_l2_v=0.0, voltage_l3_v=0.0, current_l1_a=10.0, current_l2_a=0.0,
              current_l3_a=0.0)  # fmt: skip
    assert not meter.told


def test_currents_are_compared_under_load_alone():
    meter = Meter(switched_on="current unbalance")
    meter.run(1200, 200.0, current_l1_a=2.0, current_l2_a=0.2, current_l3_a=0.1)
    assert not meter.told
    meter.run(1200, 9000.0, current_l1_a=20.0, current_l2_a=4.0, current_l3_a=4.0)
    assert meter.rules_rung == {"current unbalance"}


def test_a_power_factor_counts_under_load_alone():
    meter = Meter()
    meter.run(3600, 200.0, power_factor=0.3)
    assert not meter.told
    for _time in range(5):  # each load is shorter than the rule asks for, whatever is between
        meter.run(600, 900.0, power_factor=0.5)
        meter.run(600, 100.0, power_factor=0.3)
    assert not meter.told
    meter.run(1200, 900.0, power_factor=0.5)
    (alarm,) = meter.rung("power factor")
    assert (alarm.value, alarm.threshold) == (0.5, 0.8)


def test_distortion_of_the_voltage_rings_as_the_standard_has_it():
    meter = Meter()
    meter.run(700, 100.0, thd_voltage_percent=9.0)
    assert meter.rules_rung == {"voltage distortion"}
    assert meter.told[0].unit == "%"


def test_more_than_is_subscribed_rings():
    meter = Meter(subscribed_w=6000.0, every_s=5.0)
    meter.run(25, 6600.0)
    assert not meter.told
    meter.run(30, 6600.0)
    (alarm,) = meter.rung("subscribed power")
    assert alarm.value == pytest.approx(110)
    assert "6.6 kW of 6 kW" in alarm.text
    meter.run(10, 5000.0)
    assert meter.rung("subscribed power")[-1].state is AlarmState.RESOLVED


def test_an_export_rings_where_there_never_was_one():
    meter = Meter()
    meter.run(120, 300.0, active_energy_export_wh=0.0)
    meter.run(180, -400.0, active_energy_export_wh=2.0)
    (alarm,) = meter.rung("unexpected export")
    assert (alarm.value, alarm.unit) == (400.0, "W")
    roof = Meter()
    roof.run(600, -400.0, active_energy_export_wh=5_000_000.0)
    assert not roof.told


def test_an_export_that_the_history_knows_is_expected_where_no_register_tells():
    meter = Meter()
    meter.now_s = datetime.fromtimestamp(START_S).replace(hour=11, minute=0).timestamp()
    meter.learn(7, lambda time_s: -900.0 if 10 <= datetime.fromtimestamp(time_s).hour < 15 else 300.0)
    meter.run(900, -500.0)
    assert not meter.told
    never = Meter()
    never.learn(7, 300.0)
    never.run(900, -500.0)
    assert "unexpected export" in never.rules_rung


def test_a_register_that_goes_backwards_rings_until_it_is_there_again():
    meter = Meter()
    meter.run(120, 300.0, active_energy_import_wh=5000.0)
    meter.run(60, 300.0, active_energy_import_wh=4000.0)
    (alarm,) = meter.rung("register falls")
    assert (alarm.value, alarm.unit) == (1000.0, "Wh")
    assert "active energy import was 5000 and is 4000" in alarm.text
    meter.run(60, 300.0, active_energy_import_wh=5001.0)
    assert meter.rung("register falls")[-1].state is AlarmState.RESOLVED


def test_another_meter_is_taken_for_one_after_an_hour_and_a_roll_over_at_once():
    meter = Meter(every_s=300.0)
    meter.run(600, 300.0, active_energy_import_wh=500_000.0)
    meter.run(4500, 300.0, active_energy_import_wh=10.0)
    assert [alarm.state for alarm in meter.rung("register falls")] == [AlarmState.ACTIVE, AlarmState.RESOLVED]
    other = Meter()
    other.run(60, 300.0, active_energy_import_wh=99_999_900.0)
    other.run(60, 300.0, active_energy_import_wh=100.0)
    assert not other.told


def test_a_register_that_another_list_has_in_kwh_has_not_fallen():
    meter = Meter()
    for number in range(20):
        meter.run(60, 300.0, active_energy_import_wh=12_345_678.0 + number)
        meter.run(60, 300.0, active_energy_import_wh=12_345_000.0)
    assert not meter.told


def test_a_simulated_meters_alarms_say_so():
    meter = Meter()
    for _minute in range(15):
        meter.say(is_simulated=True, active_power_w=100.0, thd_voltage_percent=12.0)
    assert "main (simulated)" in meter.told[0].text


def test_what_is_flagged_as_an_error_is_no_measure_of_anything():
    meter = Meter()
    wrong = Reading(obis="1-0:1.7.0", quantity="active_power", value=1e9, quality=Quality.ERROR)
    meter.run(600, 300.0)
    for _minute in range(60):
        meter.say(readings=(wrong,), active_power_w=1e9, active_energy_import_wh=0.0)
    assert not meter.told


def test_a_gap_begins_what_must_last_anew():
    meter = Meter()
    meter.learn(7, 1000.0)
    meter.run(1700, 3200.0)
    meter.now_s += 3600.0
    meter.run(1700, 3200.0)
    assert not meter.told


@pytest.mark.parametrize("jump_s", [-7200.0, 3600.0, 400 * DAY_S, -400 * DAY_S])
def test_a_clock_that_is_set_rings_nothing(jump_s):
    meter = Meter()
    meter.learn(14, 400.0)
    meter.run(1800, 400.0, active_energy_import_wh=1000.0)
    meter.engine.skip(jump_s)
    meter.now_s += jump_s
    meter.run(7200, 400.0, active_energy_import_wh=1000.0)
    assert not meter.told


def test_a_restart_goes_on_where_the_alarm_was():
    meter = Meter()
    meter.learn(7, 1000.0)
    meter.run(2400, 3200.0)
    again = Meter()
    again.engine = AlarmEngine(DEFAULT_RULES, first_id=2, open_alarms=meter.engine.open_alarms)
    again.now_s = meter.now_s
    again.run(60, 3200.0)
    assert not again.told
    assert [alarm.rule for alarm in again.engine.open_alarms] == ["consumption peak"]
    again.engine.learn("main", past(again.now_s, 7, 1000.0))
    again.run(1800, 1000.0)
    assert [alarm.state for alarm in again.told] == [AlarmState.RESOLVED]


@pytest.mark.parametrize("first", [datetime(2026, 3, 20, tzinfo=PARIS), datetime(2026, 10, 16, tzinfo=PARIS)])
def test_a_night_when_the_clock_is_set_is_a_night(first):
    base = Baseline(PARIS)
    start_s = first.timestamp()
    nights = set()
    for number in range(14 * 96):
        time_s = start_s + number * 900.0
        hour = datetime.fromtimestamp(time_s, PARIS).hour
        base.take(time_s, 100.0 if 2 <= hour < 5 else 900.0)
        if number > 10 * 96:
            nights.add((base.last_nights_w, base.nights_before_w))
    assert nights == {(100.0, 100.0)}


def measured(now: VirtualMoment, roof_w: float) -> Measurement:
    power_w = now.power_w + roof_w
    volts, amperes = now.voltage_v, now.current_a
    return Measurement(
        active_power_w=power_w,
        voltage_l1_v=volts[0], voltage_l2_v=volts[1], voltage_l3_v=volts[2],
        current_l1_a=amperes[0], current_l2_a=amperes[1], current_l3_a=amperes[2],
        power_factor=0.95 if roof_w else now.power_factor,
        frequency_hz=now.frequency_hz,
        thd_voltage_percent=now.thd_voltage_percent, thd_current_percent=now.thd_current_percent,
        active_energy_import_wh=now.energy_import_wh,
        active_energy_export_wh=0.0 if roof_w else now.energy_export_wh,
    )  # fmt: skip


def days_of(seed: int, days: int, *, with_roof: bool, every_s: float) -> Iterator[tuple[float, Measurement]]:
    meter = VirtualE450(seed)
    for number in range(int(days * DAY_S / every_s)):
        time_s = START_S + number * every_s
        day, second = divmod(time_s, DAY_S)
        roof_w = 0.0 if with_roof else max(1e-9, _day(seed, int(day), False).roof[int(second // 60)])
        yield time_s, measured(meter.moment(time_s), roof_w)


@pytest.mark.parametrize(("seed", "with_roof"), [(1, True), (7, True), (2, False), (5, False)])
def test_months_of_ordinary_days_ring_nothing(seed, with_roof):
    engine = AlarmEngine(DEFAULT_RULES, first_id=1)
    told: list[Alarm] = []
    for time_s, measurement in days_of(seed, 30, with_roof=with_roof, every_s=300.0):
        record = replace(meter_readings(time_s), measurement=measurement)
        told += engine.apply(record, time_s)
    assert [alarm.text for alarm in told] == []


def test_a_register_that_leaps_rings_for_an_hour_or_until_it_is_back():
    meter = Meter()
    meter.run(120, 300.0, active_energy_import_wh=5000.0)
    meter.run(60, 300.0, active_energy_import_wh=23e6)
    (alarm,) = meter.rung("register leaps")
    assert (alarm.value, alarm.unit) == (22_995_000.0, "Wh")
    assert "active energy import was 5000 and is 23000000" in alarm.text
    meter.run(120, 300.0, active_energy_import_wh=5002.0)
    assert [one.state for one in meter.rung("register leaps")] == [AlarmState.ACTIVE, AlarmState.RESOLVED]
    assert not meter.rung("register falls"), "it was read wrongly"
    meter.run(7200, 300.0, active_energy_import_wh=40e6)
    assert [one.state for one in meter.rung("register leaps")][2:] == [AlarmState.ACTIVE, AlarmState.RESOLVED]
    assert not meter.rung("register falls"), "another meter"


def test_an_export_at_night_rings_once_where_only_a_roof_exported():
    meter = Meter(every_s=300.0)
    meter.now_s = datetime.fromtimestamp(START_S).replace(hour=11, minute=0).timestamp()
    meter.learn(7, lambda time_s: -900.0 if 10 <= datetime.fromtimestamp(time_s).hour < 15 else 300.0)
    for _night in range(3):
        while datetime.fromtimestamp(meter.now_s).hour != 23:
            meter.run(300.0, 300.0)
        meter.run(3600.0, -2000.0)
    rung = [alarm.state for alarm in meter.rung("unexpected export")]
    assert rung == [AlarmState.ACTIVE, AlarmState.RESOLVED], "a battery: from then on it is usual"


def test_the_anomalies_of_the_simulated_house_are_found_and_its_days_before_are_quiet():
    calm, anomalous = VirtualE450(3), VirtualE450(3, has_anomalies=True)
    engine = AlarmEngine(DEFAULT_RULES, first_id=1)
    told: list[Alarm] = []
    for number in range(int(12.5 * 720)):
        time_s = START_S + 120.0 * number
        meter = anomalous if time_s >= START_S + 9 * DAY_S else calm
        record = replace(meter_readings(time_s), measurement=measured(meter.moment(time_s), 0.0))
        told += engine.apply(record, time_s)
    assert min(alarm.since_s for alarm in told) >= START_S + 9 * DAY_S
    rung = {alarm.rule for alarm in told if alarm.state is AlarmState.ACTIVE}
    assert rung >= {"consumption peak", "voltage unbalance", "night base risen", "unexpected export"}
    for alarm in told:
        assert alarm.value is not None
        assert alarm.threshold is not None


def test_every_rule_has_a_title_and_every_quantity_words_and_a_unit():
    assert len({rule.name for rule in METER_RULES}) == len(METER_RULES)
    for rule in METER_RULES:
        assert rule_title(rule.name) != rule.name
        assert default_of(rule.name) == rule
        assert rule.quantity in quantities("meter")
    for name in DERIVED:
        assert "_" not in quantity_text(name, "main")
        assert unit_of(name) or name == "loaded_power_factor"
        assert SHOWN_BY[name] in Measurement.__struct_fields__


def test_a_pattern_of_voltages_does_not_mean_their_unbalance():
    rule = AlarmRule(name="sag", kind=RuleKind.BELOW, source="meter/*", quantity="voltage_*", low=207.0)
    engine = AlarmEngine([rule], first_id=1)
    volts = {"voltage_l1_v": 230.0, "voltage_l2_v": 229.0, "voltage_l3_v": 231.0}
    assert not engine.apply(meter_readings(T0, **volts), T0)
    assert not looks_at(rule, "voltage_unbalance_percent")


def test_what_needs_a_load_a_phase_or_a_past_says_nothing_without():
    assert DerivedQuantities().take(T0, Measurement(active_power_w=100.0, power_factor=0.2)) == {}
    assert DerivedQuantities().take(T0, Measurement()) == {}


def test_a_power_that_jumps_rings_where_that_is_asked_for():
    meter = Meter(every_s=10.0, switched_on="power jump")
    assert default_of("power jump").kind is RuleKind.RATE
    meter.run(120, 300.0)
    meter.run(30, 7000.0)
    assert meter.rung("power jump")[0].state is AlarmState.ACTIVE


NUMBERS = st.none() | st.floats(width=32) | st.sampled_from([0.0, 230.0, 4e9, 99_999.0])


@given(st.lists(st.lists(NUMBERS, min_size=28, max_size=28), min_size=1, max_size=6), st.integers(1, 86_400))
@settings(max_examples=40, deadline=None)
def test_whatever_a_meter_says_is_taken(rows, step_s):
    fields = [name for name in Measurement.__struct_fields__ if name != "quality"]
    derived = DerivedQuantities(6000.0)
    for number, row in enumerate(rows):
        measurement = Measurement(**dict(zip(fields, row, strict=False)))
        for name in derived.take(T0 + number * step_s, measurement):
            assert name in DERIVED
            reason = derived.reason(name)
            assert reason is None or reason.isprintable()
