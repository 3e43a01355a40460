"""Which rules hold for what."""

from __future__ import annotations

import pytest

from core.alarms import thresholds
from core.alarms.condition import Condition
from core.alarms.rules import (
    DEFAULT_RULES,
    effective_rules,
    fits,
    looks_at,
    rule_for,
    rule_title,
    rules_for,
    sensor_rules,
)
from core.config.settings import SensorConfig
from core.site_records import AlarmRule, RuleKind

WEB = frozenset({"web"})


def cpu(source: str, high: float, **changes: object) -> AlarmRule:
    rule = AlarmRule(name="cpu high", kind=RuleKind.ABOVE, source=source, quantity="cpu_percent", high=high)
    return AlarmRule(**({name: getattr(rule, name) for name in rule.__struct_fields__} | changes))


def test_the_rules_of_the_first_day_agree_with_the_bars():
    highs = {rule.name: rule.high for rule in DEFAULT_RULES}
    assert highs["cpu high"] == thresholds.CPU_PERCENT.warning
    assert (highs["memory high"], highs["memory full"]) == (90.0, 97.0)
    assert (highs["disk nearly full"], highs["disk full"]) == (90.0, 97.0)


def test_every_default_rule_has_a_name_of_its_own_and_words():
    names = [rule.name for rule in DEFAULT_RULES]
    assert len(set(names)) == len(names)
    assert all(rule_title(name) != name for name in names)
    assert rule_title("ours") == "ours"


def test_a_machine_goes_before_its_group_and_the_group_before_a_pattern():
    rules = effective_rules([cpu("machine/web-*", 80), cpu("@web", 70), cpu("machine/web-01", 60)])
    assert rule_for(rules, "cpu high", "machine/web-01", WEB).high == 60
    assert rule_for(rules, "cpu high", "machine/web-02", WEB).high == 70
    assert rule_for(rules, "cpu high", "machine/web-02").high == 80
    assert rule_for(rules, "cpu high", "machine/db-01").high == 90


def test_of_two_patterns_the_longer_one_holds_and_of_two_alike_the_later():
    rules = [cpu("machine/web-*", 1), cpu("machine/*", 2), cpu("machine/web-0?", 3), cpu("machine/web-?1", 4)]
    assert rule_for(rules, "cpu high", "machine/web-01").high == 4


def test_a_rule_of_the_same_name_and_source_takes_the_place_of_the_default():
    rules = effective_rules([cpu("machine/*", 50)])
    assert len(rules) == len(DEFAULT_RULES)
    assert rule_for(rules, "cpu high", "machine/any").high == 50


def test_a_rule_can_be_switched_off_for_one_machine():
    rules = effective_rules([cpu("machine/render", 90, is_enabled=False)])
    assert rule_for(rules, "cpu high", "machine/render") is None
    assert rule_for(rules, "cpu high", "machine/web-01") is not None
    assert "memory high" in {rule.name for rule in rules_for(rules, "machine/render")}


@pytest.mark.parametrize(
    ("pattern", "source", "is_meant"),
    [
        ("machine/*", "machine/a/b", True),
        ("machine/*", "meter/main", False),
        ("machine/web[1]", "machine/web[1]", True),
        ("machine/web[1]", "machine/web1", False),
        ("machine/w?b", "machine/web", True),
        ("machine/WEB", "machine/web", False),
        ("@web", "machine/any", True),
        ("@w*", "machine/any", True),
        ("@db", "machine/any", False),
        ("*", "sensor/x", True),
    ],
)
def test_patterns_mean_what_file_names_do(pattern, source, is_meant):
    assert fits(pattern, source, WEB) is is_meant


def test_a_rule_of_disks_is_for_all_mounts_or_for_one():
    disks = AlarmRule(name="d", kind=RuleKind.ABOVE, source="machine/*", quantity="disk_percent", high=1)
    home = AlarmRule(name="d", kind=RuleKind.ABOVE, source="machine/*", quantity="disk_percent:/home*", high=1)
    assert looks_at(disks, "disk_percent:/")
    assert looks_at(disks, "disk_percent:/home")
    assert looks_at(home, "disk_percent:/home/a")
    assert not looks_at(home, "disk_percent:/")


@pytest.mark.parametrize(
    ("unit", "quantity"),
    [(None, "temperature*"), ("°C", "temperature*"), ("%", "*_percent"), ("hPa", "*_hpa"), ("B/s", "*_b_s")],
)
def test_the_limits_of_a_sensor_are_for_the_values_of_its_unit(unit, quantity):
    (rule,) = sensor_rules([SensorConfig(id="s", unit=unit, low=1.0)])
    assert rule.quantity == quantity


def test_limits_that_are_no_numbers_never_ring():
    rule = AlarmRule(
        name="x", kind=RuleKind.OUTSIDE, source="*", high=float("nan"), low=float("-inf"), hysteresis=float("nan")
    )
    condition = Condition(rule)
    assert [condition.step(time_s, value) for time_s, value in enumerate((0.0, 1e300, -1e300))] == [0, 0, 0]
