"""When a rule would have rung: past points through the same condition that the engine asks.

A point of many samples has their least, mean and greatest. They are looked at from the farthest beyond the limits to
the nearest within, so that a rule with a duration asks for all samples of that time and one without for any.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from core.alarms.condition import OVER, RINGS, Condition, Pace
from core.records import SeriesPoints
from core.site_records import AlarmRule, RuleKind


@dataclass(frozen=True, slots=True)
class Ring:
    """One time that a rule would have rung; `end_s` None where it still does at the last point.

    `value` is the one farthest beyond the limits, of a rate the change a minute, of a silence its seconds.
    """

    start_s: float
    end_s: float | None
    value: float


def rings(rule: AlarmRule, points: SeriesPoints) -> list[Ring]:
    """The rings of `rule` over one series, oldest first; silence and absence ring in its gaps.

    As the engine has it; what is over and back within one point, where nobody sees which came first, goes on.
    """
    if rule.kind in (RuleKind.SILENT, RuleKind.OFFLINE):
        return list(_silences(rule, points))
    condition, pace = Condition(rule, points.name.rpartition("/")[2]), Pace()
    found: list[Ring] = []
    columns = zip(points.time_s, points.minimum, points.mean, points.maximum, strict=True)
    for time_s, minimum, mean, maximum in columns:
        if mean != mean:
            condition.interrupt()
            continue
        if pace.is_gap(time_s):
            condition.interrupt()
        values = (mean,) if minimum == maximum or rule.kind is RuleKind.RATE else (minimum, mean, maximum)
        for value in sorted(values, key=condition.beyond, reverse=True):
            turn = condition.step(time_s, value)
            seen = value if condition.value is None else condition.value
            if turn == OVER:
                found[-1] = replace(found[-1], end_s=time_s)
            elif turn == RINGS and not (found and found[-1].end_s == time_s):
                found.append(Ring(time_s, None, seen))
            elif condition.is_ringing:
                worst = max(found[-1].value, seen, key=condition.beyond)
                found[-1] = Ring(found[-1].start_s, None, worst)
    return found


def _silences(rule: AlarmRule, points: SeriesPoints) -> Iterator[Ring]:
    last_s: float | None = None
    for time_s, mean in zip(points.time_s, points.mean, strict=True):
        if math.isnan(mean):
            continue
        if last_s is not None and time_s - last_s > rule.duration_s:
            yield Ring(last_s + rule.duration_s, time_s, time_s - last_s)
        last_s = time_s
