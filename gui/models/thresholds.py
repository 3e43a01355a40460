"""One table of thresholds: bars, shapes, heat map, lists and alarms all ask it, so that they never disagree.

The numbers are those of the alarm rules: of `core.alarms.rules` on the first day, of the settings once they change
them. `use_rules` takes them over; a rule for one machine or group holds for its bars too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from core.alarms.rules import DEFAULT_RULES, looks_at, rules_for
from core.alarms.thresholds import BUSY_AFTER_S
from core.site_records import AlarmRule, AlarmSeverity, RuleKind

_ANY = "machine/*"


@dataclass(frozen=True, slots=True)
class Levels:
    """Percent from which a value is a warning, and from which it is critical; how long until it counts."""

    warning: float
    critical: float
    after_s: float

    def role(self, percent: float | None) -> str:
        """Role of the colour of a bar of `percent`: `accent`, `warning` or `critical`."""
        if percent is None:
            return "accent"
        if percent >= self.critical:
            return "critical"
        return "warning" if percent >= self.warning else "accent"


class Threshold:
    """The levels of one quantity of machines, as the rules have them."""

    def __init__(self, quantity: str) -> None:
        self._quantity = quantity
        self._rules: tuple[AlarmRule, ...] = ()
        self._has_exceptions = False
        self._known: dict[tuple[str, frozenset[str]], Levels] = {}
        self._usual = Levels(math.inf, math.inf, BUSY_AFTER_S)
        self.use_rules(DEFAULT_RULES)

    @property
    def warning(self) -> float:
        """Percent from which a value is a warning, where nothing else is said of a machine."""
        return self._usual.warning

    @property
    def critical(self) -> float:
        """Percent from which it is critical."""
        return self._usual.critical

    @property
    def after_s(self) -> float:
        """A machine is called busy in words, and sorted before the others, after this long above the threshold."""
        return self._usual.after_s

    def role(self, percent: float | None, machine: str | None = None, groups: Sequence[str] = ()) -> str:
        """Role of the colour of a bar of `percent`: `accent`, `warning` or `critical`."""
        return self.levels(machine, groups).role(percent)

    def levels(self, machine: str | None = None, groups: Sequence[str] = ()) -> Levels:
        """The levels for a machine in these groups; the usual ones for None."""
        if machine is None or not self._has_exceptions:
            return self._usual
        key = (machine, frozenset(groups))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._levels(f"machine/{machine}", key[1])
        return found

    def use_rules(self, rules: Sequence[AlarmRule]) -> None:
        """Take the numbers from these rules."""
        self._rules = tuple(rule for rule in rules if rule.kind is RuleKind.ABOVE and looks_at(rule, self._quantity))
        self._has_exceptions = any(rule.source != _ANY for rule in self._rules)
        self._known.clear()
        # a name that no machine can have: what fits it is meant for all
        self._usual = self._levels("machine/\0", frozenset())

    def _levels(self, source: str, groups: AbstractSet[str]) -> Levels:
        warning = critical = math.inf
        after_s: list[float] = []
        for rule in rules_for(self._rules, source, groups):
            if rule.high is None:
                continue
            if rule.severity.rank >= AlarmSeverity.HIGH.rank:
                critical = min(critical, rule.high)
            else:
                warning = min(warning, rule.high)
            after_s.append(rule.duration_s)
        return Levels(min(warning, critical), critical, max(after_s, default=BUSY_AFTER_S))


class Limits:
    """The lowest and the highest value of one quantity of meters that is as it should be, as the rules have them."""

    def __init__(self, quantity: str) -> None:
        self._quantity = quantity
        self._rules: tuple[AlarmRule, ...] = ()
        self.use_rules(DEFAULT_RULES)

    def of(self, meter: str) -> tuple[float, float] | None:
        """The limits for a meter; None where no rule says two."""
        for rule in rules_for(self._rules, f"meter/{meter}"):
            if rule.low is not None and rule.high is not None:
                return rule.low, rule.high
        return None

    def use_rules(self, rules: Sequence[AlarmRule]) -> None:
        """Take the numbers from these rules."""
        self._rules = tuple(rule for rule in rules if rule.kind is RuleKind.OUTSIDE and looks_at(rule, self._quantity))


CPU = Threshold("cpu_percent")
MEMORY = Threshold("memory_percent")
DISK = Threshold("disk_percent")
VOLTAGE = Limits("voltage_l1_v")


def use_rules(rules: Sequence[AlarmRule]) -> None:
    """Have all bars, shapes and limits follow these rules: those that hold, as `effective_rules` gives them."""
    for threshold in (CPU, MEMORY, DISK, VOLTAGE):
        threshold.use_rules(rules)
