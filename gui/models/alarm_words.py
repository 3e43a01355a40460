"""Alarms in words, shapes and colours: what the list, the tile, the tray and the marks all say in the same way."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.alarms.rules import rule_title
from core.language import _, ngettext
from core.site_records import Alarm, AlarmSeverity, AlarmState
from gui import numbers
from gui.models.machine_row import Shape
from gui.plain_text import one_line

KINDS = ("machine", "meter", "sensor", "check")
"""First words of a source, in the order of their chips."""

_SHAPES = {
    AlarmSeverity.CRITICAL: (Shape.DIAMOND, "critical"),
    AlarmSeverity.HIGH: (Shape.SQUARE, "critical"),
    AlarmSeverity.MEDIUM: (Shape.TRIANGLE, "warning"),
    AlarmSeverity.LOW: (Shape.RING, "unknown"),
}
_FINE_UNITS = {"Hz": 2, "V": 1, "A": 2, "%": 1, "°C": 1, "d": 0, "×": 2, "": 2}


def severity_words(severity: AlarmSeverity) -> str:
    """`critical`, in the user's language."""
    return {
        AlarmSeverity.LOW: _("low"),
        AlarmSeverity.MEDIUM: _("medium"),
        AlarmSeverity.HIGH: _("high"),
        AlarmSeverity.CRITICAL: _("critical"),
    }[severity]


def severity_shape(severity: AlarmSeverity) -> Shape:
    """How a severity is drawn; each has a shape of its own."""
    return _SHAPES[severity][0]


def severity_role(severity: AlarmSeverity) -> str:
    """Role of the colour of a severity."""
    return _SHAPES[severity][1]


def shape_of(alarm: Alarm) -> tuple[Shape, str]:
    """Shape and role of an alarm: those of its severity while it is open, grey once it is over."""
    shape, role = _SHAPES[alarm.severity]
    return shape, role if alarm.state.is_open else "unknown"


def state_words(state: AlarmState) -> str:
    """`active`, `acknowledged`, `resolved` or `ignored`."""
    return {
        AlarmState.ACTIVE: _("active"),
        AlarmState.ACKNOWLEDGED: _("acknowledged"),
        AlarmState.RESOLVED: _("resolved"),
        AlarmState.IGNORED: _("ignored"),
    }[state]


def kind_words(kind: str) -> str:
    """A kind of source, in the plural: `Machines`."""
    return {
        "machine": _("Machines"),
        "meter": _("Meters"),
        "sensor": _("Sensors"),
        "check": _("Checks"),
    }.get(kind, kind)


def kind_word(kind: str) -> str:
    """One of a kind of source: `machine`."""
    return {
        "machine": _("machine"),
        "meter": _("meter"),
        "sensor": _("sensor"),
        "check": _("check"),
    }.get(kind, kind)


def source_kind(source: str) -> str:
    """`machine` of `machine/web-01`."""
    return source.partition("/")[0]


def source_name(source: str) -> str:
    """`web-01` of `machine/web-01`."""
    return one_line(source.partition("/")[2] or source)


def rule_words(rule: str) -> str:
    """A rule's name for people."""
    return one_line(rule_title(rule))


def value_words(value: float | None, unit: str | None) -> tuple[str, str]:
    """(number, unit) of a value of an alarm: `96.4 %`, `253.6 V`, `4 min` for seconds, `12.5 GiB` for bytes."""
    if value is None or not math.isfinite(value):
        return "", ""
    if unit == "B":
        return numbers.size(value)
    if unit == "B/s":
        return numbers.rate(value)
    if unit == "W":
        return numbers.power(value)
    if unit == "s":
        return numbers.duration(value), ""
    shown = one_line(unit or "")
    digits = _FINE_UNITS.get(shown, 2)
    if abs(value) >= 1000 or (value == int(value) and shown not in ("V", "Hz")):
        digits = 0
    return numbers.number(value, digits), _("d") if shown == "d" else shown


def value_text(value: float | None, unit: str | None) -> str:
    """The same in one text; empty where there is no value."""
    return " ".join(part for part in value_words(value, unit) if part)


def lasted_s(alarm: Alarm, now_s: float) -> float:
    """How long the alarm lasts, or lasted."""
    end_s = alarm.until_s if alarm.until_s is not None else now_s
    return max(0.0, end_s - alarm.since_s)


def count_words(counts: dict[AlarmSeverity, int]) -> str:
    """`2 critical · 1 high`, the worst first; empty while there are none."""
    parts = []
    for severity in sorted(AlarmSeverity, key=lambda one: -one.rank):
        count = counts.get(severity, 0)
        if count:
            parts.append(_many_words(severity, count).format(count=numbers.number(count)))
    return " · ".join(parts)


def _many_words(severity: AlarmSeverity, count: int) -> str:
    return {
        AlarmSeverity.LOW: ngettext("{count} low", "{count} low", count),
        AlarmSeverity.MEDIUM: ngettext("{count} medium", "{count} medium", count),
        AlarmSeverity.HIGH: ngettext("{count} high", "{count} high", count),
        AlarmSeverity.CRITICAL: ngettext("{count} critical", "{count} critical", count),
    }[severity]


def open_words(count: int) -> str:
    """`3 open alarms`."""
    return ngettext("{count} open alarm", "{count} open alarms", count).format(count=numbers.number(count))


def who_words(alarm: Alarm) -> str:
    """Operator and comment in one line; empty where nobody has said anything."""
    return ": ".join(one_line(part) for part in (alarm.operator, alarm.comment) if part)


def worst(severities: Sequence[AlarmSeverity]) -> AlarmSeverity | None:
    """The greatest of some severities."""
    return max(severities, key=lambda severity: severity.rank, default=None)
