"""Alarms as marks on curves: where each stands, what it says, in which colour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.alarms.derived import SHOWN_BY
from core.language import _
from core.site_records import Alarm, AlarmState
from gui import numbers
from gui.models import alarm_words as words


@dataclass(frozen=True, slots=True)
class AlarmMark:
    """A mark of one alarm on the curve of `field`; at its upper edge where `value` is None.

    `field` is None where it rang for silence; a quantity without a curve of its own is marked on what it follows from.
    """

    time_s: float
    text: str
    role: str
    field: str | None = None
    value: float | None = None


def mark_of(alarm: Alarm) -> AlarmMark:
    """The mark of an alarm: coloured while it is active, dim once somebody knows or it is over."""
    is_new = alarm.state is AlarmState.ACTIVE
    text = words.rule_words(alarm.rule)
    field = alarm.quantity.partition(":")[0] if alarm.quantity is not None else None
    number, unit = words.value_words(alarm.value, alarm.unit) if field is not None else ("", "")
    if number:
        text = f"{text} ×{number}" if unit == "×" else f"{text} {number} {unit}".rstrip()
    if alarm.state is AlarmState.ACKNOWLEDGED:
        text = f"{text} ✓"
    return AlarmMark(
        time_s=alarm.since_s,
        text=text,
        role=words.severity_role(alarm.severity) if is_new else "dim",
        field=SHOWN_BY.get(field, field) if field is not None else None,
        value=alarm.value if field is not None and field not in SHOWN_BY else None,
    )


def marks_of(alarms: Iterable[Alarm]) -> tuple[AlarmMark, ...]:
    """The marks of several alarms; the ones that nobody has seen yet first, so that their words find room."""
    known = [alarm for alarm in alarms if alarm.state is not AlarmState.IGNORED]
    known.sort(key=lambda alarm: (alarm.state is not AlarmState.ACTIVE, -alarm.severity.rank, -alarm.since_s))
    return tuple(mark_of(alarm) for alarm in known)


def about(alarm: Alarm) -> list[tuple[str, str]]:
    """What is known of an alarm, as (name, words) lines for the pane beside its curve."""
    lines = [
        (_("Since"), numbers.exact_time(alarm.since_s)),
        (_("Until"), numbers.exact_time(alarm.until_s) if alarm.until_s is not None else ""),
        (_("State"), words.state_words(alarm.state)),
        (_("Rule"), words.rule_words(alarm.rule)),
        (_("Limit"), words.value_text(alarm.threshold, alarm.unit)),
        (_("Operator"), alarm.operator or ""),
        (_("Comment"), alarm.comment or ""),
    ]
    return [(name, text) for name, text in lines if text]
