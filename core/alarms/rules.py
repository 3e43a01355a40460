"""The rules: those of the first day, what the settings change of them, and which of them hold for a source.

A configured rule of the same name and source takes the place of one that is there; one of the same name with another
source holds for that source alone: a name before a group, a group before a pattern, and of two patterns the one that
says more letters. A rule that is not enabled silences those of its name for what it fits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Protocol

from core.alarms import thresholds
from core.alarms.meter_rules import DERIVED, METER_RULES, METER_TITLES
from core.language import N_, _
from core.site_records import AlarmRule, AlarmSeverity, RuleKind

_LOW, _MEDIUM, _HIGH, _CRITICAL = AlarmSeverity

DEFAULT_RULES: tuple[AlarmRule, ...] = (
    AlarmRule(name="machine offline", kind=RuleKind.OFFLINE, source="machine/*", duration_s=30.0, severity=_HIGH),
    AlarmRule(
        name="cpu high",
        kind=RuleKind.ABOVE,
        source="machine/*",
        quantity="cpu_percent",
        high=thresholds.CPU_PERCENT.warning,
        hysteresis=5.0,
        duration_s=thresholds.BUSY_AFTER_S,
        severity=_MEDIUM,
    ),
    AlarmRule(
        name="memory high",
        kind=RuleKind.ABOVE,
        source="machine/*",
        quantity="memory_percent",
        high=thresholds.MEMORY_PERCENT.warning,
        hysteresis=2.0,
        duration_s=thresholds.BUSY_AFTER_S,
        severity=_MEDIUM,
    ),
    AlarmRule(
        name="memory full",
        kind=RuleKind.ABOVE,
        source="machine/*",
        quantity="memory_percent",
        high=thresholds.MEMORY_PERCENT.critical,
        hysteresis=2.0,
        duration_s=120.0,
        severity=_HIGH,
    ),
    AlarmRule(
        name="disk nearly full",
        kind=RuleKind.ABOVE,
        source="machine/*",
        quantity="disk_percent",
        high=thresholds.DISK_PERCENT.warning,
        hysteresis=1.0,
        duration_s=60.0,
        severity=_MEDIUM,
    ),
    AlarmRule(
        name="disk full",
        kind=RuleKind.ABOVE,
        source="machine/*",
        quantity="disk_percent",
        high=thresholds.DISK_PERCENT.critical,
        hysteresis=1.0,
        duration_s=60.0,
        severity=_CRITICAL,
    ),
    AlarmRule(name="meter silent", kind=RuleKind.SILENT, source="meter/*", duration_s=60.0, severity=_HIGH),
    AlarmRule(
        name="voltage",
        kind=RuleKind.OUTSIDE,
        source="meter/*",
        quantity="voltage_l?_v",
        low=thresholds.VOLTAGE_V[0],
        high=thresholds.VOLTAGE_V[1],
        hysteresis=1.0,
        duration_s=10.0,
        severity=_HIGH,
    ),
    AlarmRule(
        name="frequency",
        kind=RuleKind.OUTSIDE,
        source="meter/*",
        quantity="frequency_hz",
        low=thresholds.FREQUENCY_HZ[0],
        high=thresholds.FREQUENCY_HZ[1],
        hysteresis=0.05,
        duration_s=10.0,
        severity=_HIGH,
    ),
    *METER_RULES,
    AlarmRule(name="check failed", kind=RuleKind.OFFLINE, source="check/*", duration_s=90.0, severity=_HIGH),
    AlarmRule(
        name="certificate",
        kind=RuleKind.BELOW,
        source="check/*",
        quantity="certificate_days",
        low=thresholds.CERTIFICATE_DAYS,
        severity=_MEDIUM,
    ),
)
"""What rings on the first day. The names are words of the settings, never translated: see `rule_title`."""

SENSOR_SILENT, SENSOR_VALUE = "sensor silent", "sensor value"
"""Names of the rules that `low`, `high` and `silent_after_s` of a `[[sensor]]` make."""

_TITLES = {
    "machine offline": N_("Machine offline"),
    "cpu high": N_("CPU high"),
    "memory high": N_("RAM high"),
    "memory full": N_("RAM nearly used up"),
    "disk nearly full": N_("Disk nearly full"),
    "disk full": N_("Disk full"),
    "meter silent": N_("Meter silent"),
    "voltage": N_("Voltage outside its limits"),
    "frequency": N_("Frequency outside its limits"),
    "check failed": N_("Check failed"),
    "certificate": N_("Certificate ends soon"),
    SENSOR_SILENT: N_("Sensor silent"),
    SENSOR_VALUE: N_("Sensor outside its limits"),
    **METER_TITLES,
}


class SensorLimits(Protocol):
    """What a `[[sensor]]` of the settings says of its alarms."""

    @property
    def id(self) -> str:
        """The sensor's identifier."""

    @property
    def unit(self) -> str | None:
        """Unit of the value that the limits are for; None is a temperature."""

    @property
    def low(self) -> float | None:
        """Least value."""

    @property
    def high(self) -> float | None:
        """Greatest value."""

    @property
    def silent_after_s(self) -> float | None:
        """Seconds without a word."""


def rule_title(name: str) -> str:
    """A rule's name for people: that of a default rule in their language, any other as it is."""
    return _(_TITLES[name]) if name in _TITLES else name


def sensor_rules(sensors: Iterable[SensorLimits]) -> tuple[AlarmRule, ...]:
    """The rules that the limits of `[[sensor]]` make.

    `low` and `high` are for the temperature, or with a `unit` for the values whose quantity ends in it (`%` is
    `…_percent`): a sensor of temperature and humidity has one of each.
    """
    found: list[AlarmRule] = []
    for sensor in sensors:
        source = f"sensor/{sensor.id}"
        if sensor.low is not None or sensor.high is not None:
            found.append(
                AlarmRule(
                    name=SENSOR_VALUE,
                    kind=RuleKind.OUTSIDE,
                    source=source,
                    quantity=_quantity_of_unit(sensor.unit),
                    low=sensor.low,
                    high=sensor.high,
                )
            )
        if sensor.silent_after_s is not None:
            found.append(
                AlarmRule(name=SENSOR_SILENT, kind=RuleKind.SILENT, source=source, duration_s=sensor.silent_after_s)
            )
    return tuple(found)


def effective_rules(
    configured: Sequence[AlarmRule] = (), sensors: Iterable[SensorLimits] = ()
) -> tuple[AlarmRule, ...]:
    """All rules: the defaults, those of the sensors, and `configured` in place of them or beside them.

    Of two with the same name and source the later one is taken.
    """
    found: dict[tuple[str, str], AlarmRule] = {}
    for rule in (*DEFAULT_RULES, *sensor_rules(sensors), *configured):
        found[rule.name, rule.source] = rule
    return tuple(found.values())


def is_default(rule: AlarmRule) -> bool:
    """True for a rule that is there without any settings, unchanged."""
    return rule in DEFAULT_RULES


def default_of(name: str) -> AlarmRule | None:
    """The rule of that name as it is on the first day."""
    return next((rule for rule in DEFAULT_RULES if rule.name == name), None)


def fits(pattern: str, source: str, groups: AbstractSet[str] = frozenset()) -> bool:
    """True where a source, in these groups, is meant by `pattern`: itself, `@GROUP`, or one with `*` and `?`."""
    if pattern.startswith("@"):
        return any(is_like(pattern[1:], group) for group in groups)
    return pattern == source or is_like(pattern, source)


def is_like(pattern: str, text: str) -> bool:
    """True where `text` is what `pattern`, with `*` and `?` in it, describes; nothing else has a meaning there."""
    return _expression(pattern).fullmatch(text) is not None


def looks_at(rule: AlarmRule, quantity: str) -> bool:
    """True where a rule of values is about `quantity`; `disk_percent` means the disks of all mounts.

    The limits of a `[[sensor]]` never mean its battery, which has the unit of a humidity; what is computed of a meter
    is meant by its whole name alone.
    """
    if quantity in DERIVED:
        return rule.quantity == quantity
    if rule.name == SENSOR_VALUE and quantity.startswith("battery"):
        return False
    whole = quantity.partition(":")[0]
    return is_like(rule.quantity, quantity) or (whole != quantity and is_like(rule.quantity, whole))


def rules_for(rules: Iterable[AlarmRule], source: str, groups: AbstractSet[str] = frozenset()) -> list[AlarmRule]:
    """The rules that hold for a source: of each name the most specific one, where that is enabled."""
    best: dict[str, tuple[tuple[int, int], AlarmRule]] = {}
    for rule in rules:
        if fits(rule.source, source, groups):
            weight = specificity(rule.source, source)
            known = best.get(rule.name)
            if known is None or weight >= known[0]:
                best[rule.name] = (weight, rule)
    return [rule for _weight, rule in best.values() if rule.is_enabled]


def rule_for(
    rules: Iterable[AlarmRule], name: str, source: str, groups: AbstractSet[str] = frozenset()
) -> AlarmRule | None:
    """The rule of that name that holds for a source; None where there is none, or it is not enabled."""
    return next((rule for rule in rules_for(rules, source, groups) if rule.name == name), None)


def specificity(pattern: str, source: str) -> tuple[int, int]:
    """How exactly a pattern that fits `source` means it; greater is more."""
    if pattern.startswith("@"):
        return (1, len(pattern))
    if pattern == source or ("*" not in pattern and "?" not in pattern):
        return (2, len(pattern))
    return (0, sum(letter not in "*?" for letter in pattern))


@lru_cache(maxsize=4096)
def _expression(pattern: str) -> re.Pattern[str]:
    parts = (".*" if letter == "*" else "." if letter == "?" else re.escape(letter) for letter in pattern)
    return re.compile(re.sub(r"(\.\*)+", ".*", "".join(parts)), re.DOTALL)


def _quantity_of_unit(unit: str | None) -> str:
    if unit is None or "°" in unit:
        return "temperature*"
    word = re.sub(r"[^a-z0-9]+", "_", unit.replace("%", "percent").lower()).strip("_")
    return f"*_{word}" if word else "*"
