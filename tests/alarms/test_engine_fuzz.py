"""Whatever comes in whatever order, the book of alarms stays true."""

from __future__ import annotations

import random

import pytest
from alarm_records import T0, check_result, lost_report, machine_report, measure, meter_readings, meter_report

from core.alarms.engine import AlarmEngine
from core.alarms.rules import DEFAULT_RULES, effective_rules
from core.config.settings import SensorConfig
from core.records import MachineState, MeterState
from core.site_records import Alarm, AlarmRule, AlarmState, CheckState, Maintenance, Record, RuleKind

QUICK = tuple(
    AlarmRule(**({name: getattr(rule, name) for name in rule.__struct_fields__} | {"duration_s": 3.0}))
    for rule in DEFAULT_RULES
)
RULES = effective_rules(
    [*QUICK, AlarmRule(name="rate", kind=RuleKind.RATE, source="sensor/*", high=5.0, low=5.0)],
    [SensorConfig(id="s0", low=1.0, high=9.0, silent_after_s=5.0)],
)
NEXT = {
    None: {AlarmState.ACTIVE, AlarmState.IGNORED},
    AlarmState.ACTIVE: set(AlarmState),
    AlarmState.ACKNOWLEDGED: set(AlarmState) - {AlarmState.ACTIVE},
    AlarmState.RESOLVED: {AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED, AlarmState.IGNORED},
    AlarmState.IGNORED: {AlarmState.ACTIVE, AlarmState.RESOLVED},
}


def any_record(chance: random.Random, time_s: float) -> Record:
    name = f"m{chance.randrange(3)}"
    match chance.randrange(8):
        case 0:
            return lost_report(time_s, name, chance.choice(list(MachineState)))
        case 1:
            return meter_readings(time_s, name, voltage_l1_v=chance.choice((230.0, 0.0, 260.0)), frequency_hz=50.6)
        case 2:
            state = chance.choice(list(MeterState))
            return meter_report(time_s, state, name, is_ended=chance.random() < 0.2)
        case 3:
            return measure(time_s, chance.uniform(-5, 15), f"s{chance.randrange(2)}")
        case 4:
            return check_result(time_s, chance.choice(list(CheckState)), days=chance.uniform(0, 30))
        case _:
            disks = [(mount, chance.choice((50.0, 92.0, 98.0))) for mount in ("/", "/a", "/b")[: chance.randrange(4)]]
            return machine_report(time_s, name, cpu=chance.choice((None, 5.0, 99.0)), memory=95.0, disks=disks)


@pytest.mark.parametrize("seed", range(6))
def test_alarms_go_from_state_to_state_as_they_may_and_the_open_ones_are_those_told(seed):
    chance = random.Random(seed)
    engine = AlarmEngine(RULES, first_id=1)
    last: dict[int, Alarm] = {}
    time_s = T0

    def take(alarms: list[Alarm]) -> None:
        for one in alarms:
            before = last.get(one.id)
            assert one.state in NEXT[before.state if before else None], (before, one)
            assert one.text
            assert one.changed_s >= (before.changed_s if before else one.since_s)
            assert (one.until_s is None) is one.state.is_open
            last[one.id] = one
        told = {number for number, one in last.items() if one.state.is_open}
        assert {one.id for one in engine.open_alarms} == told

    for _turn in range(1200):
        time_s += chance.choice((0.0, 0.3, 1.0, 1.0, 5.0, 300.0) if chance.random() < 0.1 else (0.3, 1.0))
        take(engine.apply(any_record(chance, time_s), time_s))
        match chance.randrange(60):
            case 0:
                take(engine.acknowledge([chance.choice([*last, 1])], "Anna", "", time_s))
            case 1:
                take(engine.ignore([chance.choice([*last, 1])], "Anna", "later", time_s))
            case 2:
                begin = time_s - chance.uniform(0, 50)
                source = chance.choice(("machine/*", "@web", "meter/m1", "sensor/s?"))
                engine.set_maintenances(
                    [Maintenance(id=1, source=source, start_s=begin, end_s=begin + 60, operator="Bob", comment="x")]
                )
            case 3:
                engine.set_groups({"machine/m1": frozenset({"web"})} if chance.random() < 0.5 else {})
            case 4:
                engine.set_rules(chance.sample(RULES, chance.randrange(len(RULES) // 2, len(RULES))))
            case 5:
                engine.keep_only("machine", {f"m{chance.randrange(3)}"}, time_s)
            case 6:
                engine.skip(chance.uniform(-10, 10))
            case n if n < 30:
                take(engine.tick(time_s))
        if chance.random() < 0.01:  # a restart
            kept = [one for one in last.values() if one.state is not AlarmState.RESOLVED]
            engine = AlarmEngine(RULES, first_id=max(last, default=0) + 1, open_alarms=kept)
    assert len(last) > 10
