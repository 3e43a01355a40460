"""What the engine promises: what rings, when, how often, and when it is over."""

from __future__ import annotations

import pytest
from alarm_records import (
    T0,
    alarm,
    check_result,
    lost_report,
    machine_report,
    measure,
    meter_readings,
    meter_report,
)
from msgspec import structs

from core.alarms.book import FLAP_S
from core.alarms.engine import FIRST_CONTACT_S, AlarmEngine
from core.alarms.rules import DEFAULT_RULES, effective_rules, sensor_rules
from core.alarms.sources import MOST_SOURCES
from core.config.settings import SensorConfig
from core.records import MachineState, MeterState, Quality, Reading
from core.site_records import (
    Alarm,
    AlarmRule,
    AlarmSeverity,
    AlarmState,
    CheckState,
    Maintenance,
    Record,
    RuleKind,
)

ACTIVE, ACKNOWLEDGED, RESOLVED, IGNORED = AlarmState


class Site:
    """An engine, and all that it told."""

    def __init__(self, *rules: AlarmRule, open_alarms: tuple[Alarm, ...] = ()) -> None:
        self.engine = AlarmEngine(rules or DEFAULT_RULES, first_id=100, open_alarms=open_alarms)
        self.told: list[Alarm] = []

    def tell(self, time_s: float, record: Record) -> list[Alarm]:
        found = self.engine.apply(record, time_s)
        self.told += found
        return found

    def tick(self, time_s: float) -> list[Alarm]:
        found = self.engine.tick(time_s)
        self.told += found
        return found

    @property
    def states(self) -> list[AlarmState]:
        return [one.state for one in self.told]


def temperature_rule(**changes: object) -> AlarmRule:
    fields: dict[str, object] = {
        "name": "hot",
        "kind": RuleKind.ABOVE,
        "source": "sensor/*",
        "quantity": "temperature_c",
        "high": 30.0,
    }
    return AlarmRule(**(fields | changes))  # type: ignore[arg-type]  # a rule of whatever a test asks


def test_a_busy_processor_rings_after_minutes_in_words():
    site = Site()
    for second in range(0, 300, 5):
        assert site.tell(T0 + second, machine_report(T0 + second, cpu=96.0)) == []
    (rung,) = site.tell(T0 + 300, machine_report(T0 + 300, cpu=96.0))
    assert (rung.id, rung.source, rung.rule, rung.state) == (100, "machine/web-01", "cpu high", ACTIVE)
    assert rung.text == "CPU of web-01 above 90 % for 5 min (96 %)"
    assert (rung.quantity, rung.value, rung.threshold, rung.unit) == ("cpu_percent", 96.0, 90.0, "%")
    assert (rung.severity, rung.since_s, rung.until_s) == (AlarmSeverity.MEDIUM, T0 + 300, None)


def test_one_value_below_begins_the_duration_anew():
    site = Site()
    for second in range(0, 605, 5):
        site.tell(T0 + second, machine_report(T0 + second, cpu=50.0 if second == 295 else 96.0))
    assert [one.since_s for one in site.told] == [T0 + 600]


@pytest.mark.parametrize(("value", "rings"), [(30.0, False), (30.01, True), (float("nan"), False)])
def test_a_threshold_itself_does_not_ring(value, rings):
    site = Site(temperature_rule())
    assert bool(site.tell(T0, measure(T0, value))) is rings


def test_within_the_hysteresis_nothing_changes():
    site = Site(temperature_rule(hysteresis=2.0))
    assert site.tell(T0, measure(T0, 31.0))
    assert site.tell(T0 + 1, measure(T0 + 1, 29.0)) == []
    assert site.tell(T0 + 2, measure(T0 + 2, 28.01)) == []
    (over,) = site.tell(T0 + 3, measure(T0 + 3, 28.0))
    assert (over.state, over.until_s, over.id) == (RESOLVED, T0 + 3, 100)


def test_the_hysteresis_of_a_quiet_rule_does_not_lower_its_threshold():
    site = Site(temperature_rule(hysteresis=2.0))
    assert site.tell(T0, measure(T0, 29.0)) == []


def test_a_hysteresis_wider_than_the_band_still_ends():
    site = Site(temperature_rule(kind=RuleKind.OUTSIDE, low=20.0, high=22.0, hysteresis=5.0))
    assert site.tell(T0, measure(T0, 25.0))
    assert site.tell(T0 + 1, measure(T0 + 1, 21.0))[0].state is RESOLVED


def test_each_phase_has_a_voltage_alarm_of_its_own():
    site = Site()
    for second in range(12):
        time_s = T0 + second
        site.tell(time_s, meter_readings(time_s, voltage_l1_v=230.0, voltage_l2_v=206.9, voltage_l3_v=253.1))
    assert sorted((one.quantity, one.threshold) for one in site.told) == [
        ("voltage_l2_v", 207.0),
        ("voltage_l3_v", 253.0),
    ]
    assert {one.text for one in site.told} == {
        "Voltage L2 of main below 207 V for 10 s (206.9 V)",
        "Voltage L3 of main above 253 V for 10 s (253.1 V)",
    }


def test_a_phase_that_is_not_wired_does_not_ring_and_one_that_falls_out_does():
    site = Site()
    for second in range(30):
        l2 = 230.0 if second < 5 else 0.0
        time_s = T0 + second
        site.tell(time_s, meter_readings(time_s, voltage_l1_v=230.0, voltage_l2_v=l2, voltage_l3_v=0.0))
    assert [one.quantity for one in site.told] == ["voltage_l2_v"]


def test_a_frequency_outside_its_limits_rings():
    site = Site()
    for second in range(12):
        site.tell(T0 + second, meter_readings(T0 + second, frequency_hz=50.6))
    assert [one.rule for one in site.told] == ["frequency"]


def test_values_that_no_grid_has_do_not_ring_and_the_good_ones_beside_them_do():
    wrong = (Reading(obis="14.7.0", quantity="frequency", value=80.0, unit="Hz", quality=Quality.ERROR),)
    site = Site()
    for second in range(12):
        record = meter_readings(T0 + second, readings=wrong, frequency_hz=80.0, voltage_l1_v=260.0)
        site.tell(T0 + second, record)
    assert [one.rule for one in site.told] == ["voltage"]


def test_disks_ring_mount_by_mount_and_twice_when_fuller():
    site = Site()
    for second in range(0, 65, 5):
        disks = [("/", 91.0), ("/home", 98.0), ("/srv", 20.0)]
        site.tell(T0 + second, machine_report(T0 + second, disks=disks))
    assert sorted((one.rule, one.quantity) for one in site.told) == [
        ("disk full", "disk_percent:/home"),
        ("disk nearly full", "disk_percent:/"),
        ("disk nearly full", "disk_percent:/home"),
    ]
    assert "Disk /home of web-01 above 97 % for 1 min (98 %)" in {one.text for one in site.told}


def test_the_alarm_of_a_disk_that_is_gone_is_over():
    site = Site()
    for second in range(0, 65, 5):
        site.tell(T0 + second, machine_report(T0 + second, disks=[("/", 20.0), ("/media/key", 93.0)]))
    (over,) = site.tell(T0 + 70, machine_report(T0 + 70, disks=[("/", 20.0)]))
    assert (over.state, over.quantity) == (RESOLVED, "disk_percent:/media/key")


def test_an_agent_that_names_ever_new_disks_is_not_followed():
    site = Site()
    for number in range(2000):
        disks = [(f"/{number}-{disk}", 95.0) for disk in range(100)] if number % 500 == 0 else [(f"/{number}", 95.0)]
        site.tell(T0 + number, machine_report(T0 + number, disks=disks))
    assert sum(len(source.bells) for source in site.engine._sources.by_name.values()) < 600


def test_a_machine_rings_when_it_is_away_for_its_time_and_is_over_when_it_is_back():
    site = Site()
    site.tell(T0, machine_report(T0))
    site.tell(T0 + 10, lost_report(T0 + 10))
    assert site.tick(T0 + 39) == []
    (rung,) = site.tick(T0 + 40)
    assert rung.text == "web-01 has been offline for 30 s: no route to it"
    (over,) = site.tell(T0 + 50, machine_report(T0 + 50))
    assert (over.id, over.state) == (rung.id, RESOLVED)


def test_a_machine_that_is_late_and_then_offline_counts_from_the_beginning():
    site = Site()
    site.tell(T0, machine_report(T0))
    site.tell(T0 + 10, lost_report(T0 + 10, state=MachineState.LATE))
    site.tell(T0 + 25, lost_report(T0 + 25))
    assert len(site.tick(T0 + 40)) == 1


def test_a_machine_not_reached_since_the_start_has_time_for_its_first_contact():
    site = Site()
    site.tell(T0, lost_report(T0))
    assert site.tick(T0 + FIRST_CONTACT_S - 1) == []
    assert len(site.tick(T0 + FIRST_CONTACT_S)) == 1


def test_a_machine_that_is_not_paired_yet_cannot_leave():
    site = Site()
    site.tell(T0, lost_report(T0, state=MachineState.UNPAIRED))
    assert site.tick(T0 + 1000) == []


def test_a_silent_meter_rings_and_one_that_comes_seldom_is_not_silent():
    site = Site()
    site.tell(T0, meter_report(T0, MeterState.READING, "often"))
    site.tell(T0, meter_report(T0, MeterState.READING, "seldom", period_s=900.0))
    site.tell(T0, meter_readings(T0, "often"))
    site.tell(T0, meter_readings(T0, "seldom"))
    assert site.tick(T0 + 60) == []
    (rung,) = site.tick(T0 + 61)
    assert (rung.source, rung.rule, rung.unit) == ("meter/often", "meter silent", "s")
    assert rung.text == "Nothing from often for 1 min 1 s"
    assert site.tell(T0 + 70, meter_readings(T0 + 70, "often"))[0].state is RESOLVED


def test_a_meter_that_was_disconnected_on_purpose_is_not_silent_and_its_alarms_are_over():
    site = Site()
    for second in range(12):
        site.tell(T0 + second, meter_readings(T0 + second, voltage_l1_v=260.0))
    assert site.states == [ACTIVE]
    site.tell(T0 + 12, meter_report(T0 + 12, MeterState.DISCONNECTED, is_ended=True))
    assert site.tick(T0 + 16) == []  # all of us may be about to stop
    site.tick(T0 + 17)
    assert site.states == [ACTIVE, RESOLVED]
    assert site.tick(T0 + 1000) == []


def test_a_probe_that_somebody_pulled_out_is_a_silent_meter():
    site = Site()
    site.tell(T0, meter_readings(T0))
    site.tell(T0 + 5, meter_report(T0 + 5, MeterState.DISCONNECTED))
    assert [one.rule for one in site.tick(T0 + 61)] == ["meter silent"]


def test_a_meter_that_says_its_name_is_not_missed_under_the_name_of_its_port():
    site = Site()
    first = meter_report(T0, MeterState.SEARCHING, "/dev/ttyUSB0")
    site.tell(T0, first)
    site.tell(T0 + 10, structs.replace(first, name="LGZ123", state=MeterState.READING))
    for second in range(10, 200, 10):
        site.tell(T0 + second, meter_readings(T0 + second, "LGZ123"))
        assert site.tick(T0 + second) == []


def test_a_failing_check_rings_after_its_time_with_its_reason():
    site = Site()
    site.tell(T0, check_result(T0, CheckState.TIMEOUT))
    assert site.tick(T0 + 89) == []
    (rung,) = site.tick(T0 + 90)
    assert (rung.rule, rung.text) == ("check failed", "site has failed for 1 min 30 s: refused")
    assert site.tell(T0 + 100, check_result(T0 + 100))[0].state is RESOLVED


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (14.0, None),
        (13.6, "The certificate of site ends in 13 days"),
        (1.2, "The certificate of site ends in 1 day"),
        (-2.0, "The certificate of site has ended"),
    ],
)
def test_a_certificate_that_ends_soon_rings(days, text):
    found = Site().tell(T0, check_result(T0, days=days))
    assert [one.text for one in found] == ([] if text is None else [text])


def test_a_sensor_rings_by_its_limits_and_its_silence():
    sensor = SensorConfig(id="capteur_1", name="Cold room", low=2.0, high=8.0, silent_after_s=30.0)
    site = Site(*effective_rules((), [sensor]))
    site.engine.set_labels({"sensor/capteur_1": sensor.name})
    (rung,) = site.tell(T0, measure(T0, 9.5))
    assert (rung.rule, rung.text) == ("sensor value", "Temperature of Cold room above 8 °C (9.5 °C)")
    assert site.tell(T0 + 1, measure(T0 + 1, 1.0)) == []  # still outside: the same alarm
    assert site.tell(T0 + 2, measure(T0 + 2, 5.0))[0].state is RESOLVED
    assert site.tell(T0 + 3, measure(T0 + 3, 99.0, quantity="humidity_percent")) == []
    assert site.tick(T0 + 33) == []
    (silent,) = site.tick(T0 + 34)
    assert silent.text == "Nothing from Cold room for 31 s"


def test_a_sensor_that_was_never_heard_is_silent_when_it_is_expected():
    site = Site(*sensor_rules([SensorConfig(id="s9", silent_after_s=60.0)]))
    site.engine.expect(["sensor/s9"], T0)
    assert site.tick(T0 + 60) == []
    assert [one.source for one in site.tick(T0 + 61)] == ["sensor/s9"]


def test_the_limits_of_a_humidity_are_for_the_humidity():
    site = Site(*sensor_rules([SensorConfig(id="capteur_1", unit="%", high=60.0)]))
    assert site.tell(T0, measure(T0, 80.0)) == []
    assert site.tell(T0, measure(T0, 99.0, quantity="battery_percent", unit="%")) == []
    assert site.tell(T0, measure(T0, 80.0, quantity="humidity_percent", unit="%"))


@pytest.mark.parametrize("low", [-5.0, 5.0])
def test_a_fast_rise_and_a_fast_fall_ring(low):
    site = Site(temperature_rule(kind=RuleKind.RATE, high=3.0, low=low))
    for second in range(0, 120, 10):
        site.tell(T0 + second, measure(T0 + second, 20.0 + 0.04 * second))  # 2.4 a minute
    assert site.told == []
    for second in range(120, 190, 10):
        site.tell(T0 + second, measure(T0 + second, 25.0 + 0.06 * (second - 120)))
    assert site.told[0].text.startswith("Temperature of capteur_1 rises by ")
    assert site.told[0].threshold == 3.0
    for second in range(190, 400, 10):
        site.tell(T0 + second, measure(T0 + second, 28.0 - 0.2 * (second - 190)))
    assert any(one.text.startswith("Temperature of capteur_1 falls by ") for one in site.told)


def test_a_gap_begins_the_duration_anew():
    site = Site()
    for second in (*range(0, 200, 5), *range(900, 1150, 5)):
        site.tell(T0 + second, machine_report(T0 + second, cpu=99.0))
    assert site.told == []


def test_a_sensor_that_comes_every_ten_minutes_can_ring_by_duration():
    site = Site(temperature_rule(duration_s=1200.0))
    for second in range(0, 3601, 600):
        site.tell(T0 + second, measure(T0 + second, 35.0))
    assert [one.since_s for one in site.told] == [T0 + 1200]


def test_the_clock_of_a_machine_may_be_wrong():
    site = Site()
    for second in range(0, 305, 5):
        site.tell(T0 + second, machine_report(T0 + second, cpu=99.0, clock_s=1000.0 - second))
    assert [one.since_s for one in site.told] == [T0 + 300]


def test_our_own_sleep_is_nobodys_silence():
    site = Site()
    site.tell(T0, meter_readings(T0))
    site.tick(T0 + 1)
    site.engine.skip(3600.0)
    assert site.tick(T0 + 3601) == []
    assert len(site.tick(T0 + 3662)) == 1


def test_a_value_that_dances_rings_twice_then_waits_for_calm_and_counts():
    site = Site(temperature_rule())
    for second in range(300):
        site.tell(T0 + second, measure(T0 + second, 31.0 if second % 2 else 29.0))
        site.tick(T0 + second)
    assert {one.id for one in site.told} == {100}
    assert site.states[:5] == [ACTIVE, RESOLVED, ACTIVE, RESOLVED, ACTIVE]
    assert set(site.states[5:]) == {ACTIVE}
    assert len(site.told) < 12
    assert "rang 100 times in" in site.told[-1].text
    last_s = T0 + 299
    assert site.tell(last_s + 1, measure(last_s + 1, 29.0)) == []
    assert site.tick(last_s + FLAP_S) == []
    (over,) = site.tick(last_s + 1 + FLAP_S)
    assert (over.state, over.until_s) == (RESOLVED, last_s + 1)
    assert "rang 150 times" in over.text


def test_an_unsteady_alarm_is_over_in_time_though_the_clock_is_set_back():
    site = Site(temperature_rule())
    for second in range(20):
        site.tell(T0 + second, measure(T0 + second, 31.0 if second % 2 else 29.0))
    site.tell(T0 + 20, measure(T0 + 20, 29.0))
    site.engine.skip(-86_400.0)
    back_s = T0 + 20 - 86_400.0
    assert site.tick(back_s + FLAP_S - 1) == []
    assert [one.state for one in site.tick(back_s + FLAP_S)] == [RESOLVED]


def test_an_acknowledged_alarm_that_comes_back_soon_stays_acknowledged():
    site = Site(temperature_rule())
    site.tell(T0, measure(T0, 31.0))
    (known,) = site.engine.acknowledge([100], "Anna", "on my way", T0 + 1)
    assert (known.state, known.operator, known.comment, known.until_s) == (ACKNOWLEDGED, "Anna", "on my way", None)
    (over,) = site.tell(T0 + 2, measure(T0 + 2, 20.0))
    assert (over.state, over.operator) == (RESOLVED, "Anna")
    (again,) = site.tell(T0 + 60, measure(T0 + 60, 31.0))
    assert (again.id, again.state, again.until_s) == (100, ACKNOWLEDGED, None)


def test_what_comes_back_later_is_a_new_alarm():
    site = Site(temperature_rule())
    site.tell(T0, measure(T0, 31.0))
    site.tell(T0 + 1, measure(T0 + 1, 20.0))
    (fresh,) = site.tell(T0 + 2 + FLAP_S, measure(T0 + 2 + FLAP_S, 31.0))
    assert (fresh.id, fresh.state) == (101, ACTIVE)


def test_an_ignored_alarm_does_not_ring_until_its_condition_is_over():
    site = Site(temperature_rule())
    site.tell(T0, measure(T0, 31.0))
    (ignored,) = site.engine.ignore([100], "Anna", "a test", T0 + 1)
    assert (ignored.state, ignored.until_s, ignored.comment) == (IGNORED, T0 + 1, "a test")
    for second in range(2, 600):
        assert site.tell(T0 + second, measure(T0 + second, 31.0 if second % 7 else 20.0)) == []
    assert site.tell(T0 + 601, measure(T0 + 601, 20.0)) == []
    (fresh,) = site.tell(T0 + 1300, measure(T0 + 1300, 31.0))
    assert (fresh.id, fresh.state) == (101, ACTIVE)


def test_acknowledging_what_is_not_open_changes_nothing():
    site = Site(temperature_rule())
    assert site.engine.acknowledge([1, 2, 3], "Anna", "", T0) == []


def maintenance(**changes: object) -> Maintenance:
    fields: dict[str, object] = {
        "id": 1,
        "source": "sensor/*",
        "start_s": T0,
        "end_s": T0 + 100,
        "operator": "Anna",
        "comment": "moving",
    }
    return Maintenance(**(fields | changes))  # type: ignore[arg-type]  # a maintenance of whatever a test asks


def test_in_a_maintenance_alarms_are_kept_as_ignored_and_ring_after_it_where_they_last():
    site = Site(temperature_rule())
    site.engine.set_maintenances([maintenance()])
    site.tick(T0)
    (kept,) = site.tell(T0 + 1, measure(T0 + 1, 31.0))
    assert (kept.state, kept.operator, kept.comment) == (IGNORED, "Anna", "moving")
    assert site.tell(T0 + 2, measure(T0 + 2, 31.0)) == []
    (rung,) = site.tick(T0 + 100)
    assert (rung.id, rung.state, rung.operator, rung.until_s) == (100, ACTIVE, None, None)


def test_what_is_over_within_a_maintenance_never_rings():
    site = Site(temperature_rule())
    site.engine.set_maintenances([maintenance()])
    site.tick(T0)
    site.tell(T0 + 1, measure(T0 + 1, 31.0))
    site.tell(T0 + 2, measure(T0 + 2, 20.0))
    assert site.tick(T0 + 101) == []
    assert site.tell(T0 + 102, measure(T0 + 102, 31.0))[0].state is ACTIVE


def test_a_mute_silences_what_rings_already():
    site = Site(temperature_rule())
    site.tell(T0, measure(T0, 31.0))
    site.engine.set_maintenances([maintenance()])
    assert site.tick(T0 + 1)[0].state is IGNORED


def test_a_maintenance_of_a_group_is_for_its_machines():
    site = Site()
    site.engine.set_groups({"machine/web-01": frozenset({"web"})})
    site.engine.set_maintenances([maintenance(source="@web", end_s=T0 + 1000)])
    for name in ("web-01", "db-01"):
        site.tell(T0, machine_report(T0, name))
        site.tell(T0 + 1, lost_report(T0 + 1, name))
    assert {one.source: one.state for one in site.tick(T0 + 31)} == {"machine/web-01": IGNORED, "machine/db-01": ACTIVE}


def test_after_a_restart_what_lasts_does_not_ring_again_and_what_is_over_is_told():
    lasting = alarm(7, source="sensor/a", rule="hot", quantity="temperature_c", value=31.0)
    ended = alarm(8, source="sensor/b", rule="hot", quantity="temperature_c", state=ACKNOWLEDGED, operator="Anna")
    site = Site(temperature_rule(), open_alarms=(lasting, ended))
    assert [one.id for one in site.engine.open_alarms] == [7, 8]
    assert site.tell(T0, measure(T0, 33.0, "a")) == []
    (over,) = site.tell(T0, measure(T0, 20.0, "b"))
    assert (over.id, over.state, over.operator) == (8, RESOLVED, "Anna")
    assert site.tell(T0 + 1, measure(T0 + 1, 20.0, "a"))[0].id == 7


def test_after_a_restart_a_lost_machine_that_is_still_lost_does_not_ring_again():
    site = Site(open_alarms=(alarm(7, source="machine/web-01"),))
    site.tell(T0, lost_report(T0))
    assert site.tick(T0 + 1000) == []
    assert site.tell(T0 + 1001, machine_report(T0 + 1001))[0].state is RESOLVED


def test_after_a_restart_an_ignored_alarm_stays_ignored_while_it_lasts():
    before = alarm(7, source="sensor/a", rule="hot", quantity="temperature_c", state=IGNORED)
    site = Site(temperature_rule(), open_alarms=(before,))
    assert site.tell(T0, measure(T0, 33.0, "a")) == []
    assert site.engine.open_alarms == []


def test_an_alarm_of_before_that_no_rule_rings_any_more_is_over():
    site = Site(temperature_rule(), open_alarms=(alarm(7, source="sensor/a", rule="gone", quantity="temperature_c"),))
    (over,) = site.tick(T0)
    assert (over.id, over.state) == (7, RESOLVED)


def test_a_changed_rule_holds_at_once_and_one_that_is_taken_away_is_over():
    site = Site(temperature_rule())
    site.tell(T0, measure(T0, 31.0))
    site.engine.set_rules([temperature_rule(high=40.0)])
    assert site.tell(T0 + 1, measure(T0 + 1, 31.0))[0].state is RESOLVED
    site.tell(T0 + 2, measure(T0 + 2, 41.0))
    site.engine.set_rules([])
    assert site.tick(T0 + 3)[0].state is RESOLVED
    assert site.engine.open_alarms == []


def test_the_alarms_of_a_machine_that_was_removed_are_over():
    site = Site(open_alarms=(alarm(7, source="machine/web-01"),))
    site.engine.keep_only("machine", {"db-01"}, T0)
    assert [(one.id, one.state) for one in site.tick(T0)] == [(7, RESOLVED)]


def test_what_another_program_acknowledged_is_taken_over_where_it_is_newer():
    site = Site(temperature_rule())
    (rung,) = site.tell(T0, measure(T0, 31.0))
    written = alarm(rung.id, state=ACKNOWLEDGED, changed_s=T0 + 5, operator="Anna", comment="seen")
    (taken,) = site.engine.take(written, T0 + 6)
    assert (taken.state, taken.operator, taken.comment, taken.text) == (ACKNOWLEDGED, "Anna", "seen", rung.text)
    assert site.engine.take(written, T0 + 7) == []
    assert site.engine.take(alarm(rung.id, state=RESOLVED, changed_s=T0 + 8), T0 + 8) == []


def test_two_thousand_machines_lost_at_once_ring_two_thousand_alarms_with_numbers_of_their_own():
    site = Site()
    for number in range(2000):
        site.tell(T0, machine_report(T0, f"m{number}"))
        site.tell(T0 + 1, lost_report(T0 + 1, f"m{number}"))
    found = site.tick(T0 + 31)
    assert len({one.id for one in found}) == 2000


def test_sensors_that_no_rule_is_about_take_no_room_and_are_found_by_a_new_rule():
    site = Site(temperature_rule(source="sensor/real"))
    for number in range(30_000):
        site.tell(T0, measure(T0, 99.0, f"made-up-{number}"))
    assert len(site.engine._sources.by_name) == 0
    assert len(site.engine._sources._unruled) <= MOST_SOURCES
    site.tell(T0, measure(T0, 99.0, "later"))
    site.engine.set_rules([temperature_rule()])
    assert site.tell(T0 + 1, measure(T0 + 1, 99.0, "later"))


def test_more_sources_than_can_be_watched_are_counted():
    site = Site(temperature_rule())
    for number in range(MOST_SOURCES + 10):
        site.tell(T0, measure(T0, 1.0, f"s{number}"))
    assert site.engine.unwatched == 10
