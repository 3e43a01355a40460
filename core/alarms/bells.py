"""One source as the engine holds it: its bells, one for each rule and series, and which value goes to which.

Made once from the rules that hold for the source, so that a report costs a few comparisons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from core.alarms.condition import Condition, Pace
from core.alarms.derived import DerivedQuantities
from core.alarms.meter_rules import DERIVED
from core.alarms.rules import looks_at
from core.alarms.texts import name_of
from core.language import _
from core.protocol.messages import plain_text
from core.records import Measurement, Status
from core.site_records import Alarm, AlarmRule, RuleKind

Key = tuple[str, str | None]
"""Name of the rule, and the quantity that it looks at."""

DISK = "disk_percent"
MOST_QUANTITIES = 256
"""Series of one source that are watched at most: a sensor or an agent that names ever new ones is not followed."""


class Bell:
    """One rule over one series of one source, and the alarm that it has rung.

    `over_s` is when the condition was last over, `rings` how often it came back since the alarm began; while
    `calm_s` is set the condition is over and the alarm of an unsteady source waits for calm. `is_muted` while a
    maintenance keeps it from ringing.
    """

    __slots__ = ("alarm", "calm_s", "condition", "is_muted", "over_s", "quantity", "reason", "rings", "rule", "source")

    def __init__(self, source: Source, rule: AlarmRule, quantity: str | None) -> None:
        self.source = source
        self.rule = rule
        self.quantity = quantity
        self.condition = Condition(rule, quantity)
        self.alarm: Alarm | None = None
        self.over_s: float | None = None
        self.calm_s: float | None = None
        self.rings = 0
        self.is_muted = False
        self.reason: str | None = None

    @property
    def key(self) -> Key:
        """What names it within its source."""
        return (self.rule.name, self.quantity)

    def take_over(self, other: Bell) -> None:
        """Go on where the bell stands whose rule was changed."""
        self.condition.take_over(other.condition)
        self.alarm, self.over_s, self.calm_s = other.alarm, other.over_s, other.calm_s
        self.rings, self.is_muted, self.reason = other.rings, other.is_muted, other.reason


class Reader(msgspec.Struct, frozen=True):
    """One quantity of a record: where it stands, and the bells that it goes to."""

    read: Callable[[object], float | None]
    bells: tuple[Bell, ...]
    quantity: str


class Source:
    """A machine, meter, sensor or check: what it is called, its rules and its bells."""

    def __init__(self, source: str, label: str | None = None) -> None:
        self.source = source
        self.is_simulated = False
        self.set_label(label)
        self.derived: DerivedQuantities | None = None
        """Of a meter, from its first measurement on."""
        self.bells: dict[Key, Bell] = {}
        self.pace = Pace()
        self.heard_s: float | None = None
        self.is_expected = True
        self.is_up: bool | None = None
        self.was_up = False
        self.period_s: float | None = None
        self.kept: dict[Key, Bell] = {}
        """Bells of before the rules were changed, until they find their place."""
        self.silent: list[Bell] = []
        self.offline: list[Bell] = []
        self.readers: list[Reader] = []
        self.has_disks = False
        self.disk_count = 0
        self.by_mount: dict[str, tuple[Bell, ...]] = {}
        self._values: list[AlarmRule] = []
        self._by_quantity: dict[str, tuple[Bell, ...]] = {}

    def set_label(self, label: str | None) -> None:
        """Take what people call it; its name where they call it nothing else."""
        self._called = label
        self.label = plain_text(label, 120) if label else name_of(self.source)
        if self.is_simulated:
            self.label = _("{name} (simulated)").format(name=self.label)

    def set_simulated(self) -> None:
        """From now on say with each alarm that nothing real is behind it."""
        self.is_simulated = True
        self.set_label(self._called)

    def set_rules(self, rules: Sequence[AlarmRule]) -> None:
        """Take new rules; what rings goes on where a rule of that name is still there."""
        self.kept.update(self.bells)
        self.bells = {}
        self.by_mount = {}
        self._by_quantity = {}
        self._values = [rule for rule in rules if rule.kind not in (RuleKind.SILENT, RuleKind.OFFLINE)]
        self.silent = [self._bell(rule, None) for rule in rules if rule.kind is RuleKind.SILENT]
        self.offline = [self._bell(rule, None) for rule in rules if rule.kind is RuleKind.OFFLINE]
        self.has_disks = any(looks_at(rule, DISK) or ":" in rule.quantity for rule in self._values)
        for _rule, quantity in list(self.kept):
            if quantity is not None:
                self.bells_of(quantity)

    def read_by(self, fields: Mapping[str, Callable[[object], float | None]]) -> None:
        """Look at these fields of its records: those that a rule is about."""
        self.readers = [
            Reader(read, bells, quantity) for quantity, read in fields.items() if (bells := self.bells_of(quantity))
        ]

    def bells_of(self, quantity: str) -> tuple[Bell, ...]:
        """The bells that a value of `quantity` goes to."""
        found = self._by_quantity.get(quantity)
        if found is None:
            if len(self._by_quantity) >= MOST_QUANTITIES:
                return ()
            found = tuple(self._bell(rule, quantity) for rule in self._values if looks_at(rule, quantity))
            self._by_quantity[quantity] = found
        return found

    def bell_for(self, alarm: Alarm) -> Bell | None:
        """The bell that rang `alarm`, where its rule still holds."""
        if alarm.quantity is not None:
            self.bells_of(alarm.quantity)
        return self.bells.get((alarm.rule, alarm.quantity))

    def forget_quantity(self, quantity: str) -> tuple[Bell, ...]:
        """Watch `quantity` no longer, a disk that is gone; the bells that were there."""
        bells = self._by_quantity.pop(quantity, ())
        for bell in bells:
            self.bells.pop(bell.key, None)
        return bells

    def mounts(self) -> list[str]:
        """The quantities of disks that are watched."""
        return [quantity for quantity in self._by_quantity if quantity.startswith(f"{DISK}:")]

    def interrupt(self) -> None:
        """Nothing is known of it for a while."""
        for bell in self.bells.values():
            if bell.quantity is not None:
                bell.condition.interrupt()

    def _bell(self, rule: AlarmRule, quantity: str | None) -> Bell:
        bell = Bell(self, rule, quantity)
        before = self.kept.pop(bell.key, None)
        if before is not None and before.rule.kind is rule.kind:
            bell.take_over(before)
        elif before is not None:
            self.kept[bell.key] = before
        self.bells[bell.key] = bell
        return bell


def _percent(used: float, total: float) -> float | None:
    return 100.0 * used / total if total > 0 else None


def _status(read: Callable[[Status], float | None]) -> Callable[[object], float | None]:
    return read  # type: ignore[return-value]  # given statuses alone, by the engine


MACHINE_FIELDS: Mapping[str, Callable[[object], float | None]] = {
    "cpu_percent": _status(lambda now: now.cpu.percent if now.cpu else None),
    "memory_percent": _status(lambda now: now.memory.percent if now.memory else None),
    "memory_used_bytes": _status(lambda now: now.memory.used_bytes if now.memory else None),
    "swap_percent": _status(lambda now: _percent(now.swap.used_bytes, now.swap.total_bytes) if now.swap else None),
    "swap_used_bytes": _status(lambda now: now.swap.used_bytes if now.swap else None),
    "disk_read_bytes_per_s": _status(lambda now: now.disk_io.read_bytes_per_s if now.disk_io else None),
    "disk_written_bytes_per_s": _status(lambda now: now.disk_io.written_bytes_per_s if now.disk_io else None),
    "network_received_bytes_per_s": _status(lambda now: now.network.received_bytes_per_s if now.network else None),
    "network_sent_bytes_per_s": _status(lambda now: now.network.sent_bytes_per_s if now.network else None),
    "process_count": _status(lambda now: now.process_count),
}
"""Quantities of a status; `disk_percent:MOUNT` for each disk comes beside them."""


def _field(name: str) -> Callable[[object], float | None]:
    def read(measurement: object) -> float | None:
        value: float | None = getattr(measurement, name)
        return value

    return read


METER_FIELDS: Mapping[str, Callable[[object], float | None]] = {
    name: _field(name) for name in Measurement.__struct_fields__ if name != "quality"
}

CHECK_FIELDS: Mapping[str, Callable[[object], float | None]] = {
    name: _field(name) for name in ("latency_ms", "certificate_days")
}

FIELDS: Mapping[str, Mapping[str, Callable[[object], float | None]]] = {
    "machine": MACHINE_FIELDS,
    "meter": METER_FIELDS,
    "check": CHECK_FIELDS,
}
"""What is read of the records of each kind of source; sensors name their quantities themselves."""


def quantities(kind: str) -> Iterable[str]:
    """Names of the quantities that rules for a kind of source (`machine`, `meter`, `check`) can look at."""
    return (*FIELDS.get(kind, {}), *((DISK,) if kind == "machine" else DERIVED if kind == "meter" else ()))
