"""When a rule would have rung is when the engine rings it."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterable

import pytest
from alarm_records import T0, measure

from core.alarms.engine import AlarmEngine
from core.alarms.replay import Ring, rings
from core.records import SeriesPoints
from core.site_records import AlarmRule, AlarmState, RuleKind


def points(samples: Iterable[tuple[float, ...]]) -> SeriesPoints:
    """Points of (time, value), or of (time, minimum, mean, maximum)."""
    rows = [sample if len(sample) == 4 else (sample[0], *(sample[1],) * 3) for sample in samples]
    columns = [array("d", column) for column in zip(*rows, strict=True)]
    return SeriesPoints("sensor/capteur_1/temperature_c", "°C", *columns)


def rule(kind: RuleKind, **changes: object) -> AlarmRule:
    fields: dict[str, object] = {"name": "r", "kind": kind, "source": "sensor/*", "quantity": "temperature_c"}
    return AlarmRule(**(fields | changes))  # type: ignore[arg-type]  # a rule of whatever a test asks


def rung_by_engine(one: AlarmRule, samples: list[tuple[float, float]]) -> list[tuple[float, float | None]]:
    """Beginning and end of each ring: the count of a flapping alarm is taken apart again."""
    engine = AlarmEngine([one], first_id=1)
    bells = engine._sources.of("sensor/capteur_1").bells_of("temperature_c")
    found: list[tuple[float, float | None]] = []
    for time_s, value in samples:
        engine.apply(measure(time_s, value), time_s)
        is_ringing = bells[0].condition.is_ringing
        if is_ringing and (not found or found[-1][1] is not None):
            found.append((time_s, None))
        elif not is_ringing and found and found[-1][1] is None:
            found[-1] = (found[-1][0], time_s)
    return found


RULES = [
    rule(RuleKind.ABOVE, high=24.0),
    rule(RuleKind.ABOVE, high=24.0, hysteresis=1.5, duration_s=30.0),
    rule(RuleKind.BELOW, low=17.0, hysteresis=0.5, duration_s=10.0),
    rule(RuleKind.OUTSIDE, low=17.0, high=23.0, hysteresis=1.0, duration_s=20.0),
    rule(RuleKind.RATE, high=2.0, low=-2.0, hysteresis=0.5),
]


@pytest.mark.parametrize("one", RULES, ids=[f"{one.kind.value}-{one.duration_s:.0f}" for one in RULES])
@pytest.mark.parametrize("seed", range(5))
def test_the_replay_of_samples_is_what_the_engine_did(one, seed):
    chance = random.Random(seed)
    samples: list[tuple[float, float]] = []
    time_s = T0
    for number in range(2000):
        time_s += 600.0 if number % 400 == 399 else chance.choice((1.0, 1.0, 2.0))
        wave = 6.0 * math.sin((time_s - T0) / 40.0 + seed)
        samples.append((time_s, 20.0 + wave + chance.uniform(-0.8, 0.8)))
    expected = rung_by_engine(one, samples)
    assert [(ring.start_s, ring.end_s) for ring in rings(one, points(samples))] == expected
    assert expected


def test_a_ring_says_the_value_farthest_beyond():
    one = rule(RuleKind.BELOW, low=10.0)
    assert rings(one, points([(0, 12.0), (1, 9.0), (2, 4.0), (3, 8.0), (4, 11.0)])) == [Ring(1.0, 4.0, 4.0)]


def test_minutes_with_their_extremes_ring_as_their_samples_would():
    without, lasting = rule(RuleKind.ABOVE, high=90.0), rule(RuleKind.ABOVE, high=90.0, duration_s=120.0)
    minutes = points([(60.0 * n, low, mean, 99.0) for n, (low, mean) in enumerate([(95, 97)] * 4 + [(20, 60)] * 2)])
    assert rings(without, minutes) == [Ring(0.0, 240.0, 99.0), Ring(300.0, 300.0, 99.0)]
    assert rings(lasting, minutes) == [Ring(120.0, 240.0, 99.0)]


def test_a_gap_begins_the_duration_anew():
    one = rule(RuleKind.ABOVE, high=90.0, duration_s=100.0)
    row = [(float(second), 95.0) for second in range(0, 90, 10)]
    gap = [(95.0, math.nan)]
    assert rings(one, points([*row, *gap, *[(100.0 + second, 95.0) for second in range(0, 90, 10)]])) == []


def test_silence_rings_in_the_gaps():
    one = rule(RuleKind.SILENT, duration_s=30.0)
    assert rings(one, points([(0, 1.0), (10, 1.0), (15, math.nan), (100, 1.0), (110, 1.0)])) == [
        Ring(40.0, 100.0, 90.0)
    ]


def test_no_points_no_rings():
    empty = SeriesPoints("machine/a/cpu_percent", "%", array("d"), array("d"), array("d"), array("d"))
    assert rings(RULES[0], empty) == []


def test_an_alarm_rings_when_its_ring_begins():
    one = rule(RuleKind.ABOVE, high=30.0, duration_s=5.0)
    samples = [(T0 + second, 31.0 if second >= 3 else 20.0) for second in range(20)]
    engine = AlarmEngine([one], first_id=1)
    told = [alarm for time_s, value in samples for alarm in engine.apply(measure(time_s, value), time_s)]
    assert [(alarm.state, alarm.since_s) for alarm in told] == [(AlarmState.ACTIVE, T0 + 8)]
    assert [ring.start_s for ring in rings(one, points(samples))] == [T0 + 8]
