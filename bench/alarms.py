"""What the alarms of 2,000 machines cost: reports a second through the engine, and the share of a core at 1 Hz.

Each report has processor, memory, swap, six disks, rates and processes; each machine is under seven rules of the first
day, some of them of a group or of its own. The peer asks every rule of every report, as a program without an index
from source to rules does. The floor that the product pays beside it is the inbox: measured with it.
"""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Callable

from bench import Row
from core.alarms.engine import AlarmEngine
from core.alarms.rules import DEFAULT_RULES, effective_rules, fits, looks_at, rules_for
from core.config.settings import AlarmsSettings
from core.records import (
    Cpu,
    Disk,
    DiskIo,
    MachineReport,
    MachineState,
    Measurement,
    Memory,
    MeterIdentity,
    MeterReadings,
    Network,
    SeriesPoints,
    Status,
    Swap,
)
from core.services.alarm_watch import AlarmWatch
from core.site_records import AlarmRule, RuleKind

MACHINES = 2_000
ROUNDS = 20
PEER_REPORTS = 2_000
METERS = 100
METER_READINGS = 10_000
GOAL_PERCENT = 5.0
START_S = 1_790_000_000.0

RULES = effective_rules(
    [
        AlarmRule(name="cpu high", kind=RuleKind.ABOVE, source="@web", quantity="cpu_percent", high=95.0),
        AlarmRule(name="cpu high", kind=RuleKind.ABOVE, source="machine/m7", quantity="cpu_percent", high=99.0),
        AlarmRule(name="many processes", kind=RuleKind.ABOVE, source="machine/*", quantity="process_count", high=5e4),
    ]
)


def report(number: int, second: int) -> MachineReport:
    time_s = START_S + second
    return MachineReport(
        machine=f"m{number}",
        address="192.0.2.1:17450",
        state=MachineState.ONLINE,
        since_s=START_S,
        time_s=time_s,
        is_new=True,
        interval_s=1.0,
        status=Status(
            number=second,
            time_s=time_s,
            cpu=Cpu(percent=(number * 7 + second * 13) % 100, per_core_percent=(), load_average=()),
            memory=Memory(total_bytes=100, used_bytes=50, free_bytes=50, available_bytes=50, percent=50.0),
            swap=Swap(total_bytes=100, used_bytes=1),
            disks=tuple(Disk(mount=f"/d{disk}", total_bytes=1000, used_bytes=500 + disk) for disk in range(6)),
            disk_io=DiskIo(read_bytes_per_s=1.0, written_bytes_per_s=1.0),
            network=Network(received_bytes_per_s=1.0, sent_bytes_per_s=1.0),
            process_count=300,
        ),
    )


GROUPS = {f"machine/m{number}": frozenset({"web"} if number % 3 == 0 else {"db"}) for number in range(MACHINES)}


def run() -> list[Row]:
    rounds = [[report(number, second) for number in range(MACHINES)] for second in range(ROUNDS)]
    gc.collect()
    gc.disable()
    engine_s = through_engine(rounds) / (MACHINES * (ROUNDS - 1))
    watch_s = through_watch(rounds) / (MACHINES * (ROUNDS - 1))
    peer_s = (
        timed(lambda: through_all_rules([one for round_ in rounds for one in round_][:PEER_REPORTS])) / PEER_REPORTS
    )
    lost_s = timed(lose_all)
    meter_s = through_derived() / METER_READINGS
    gc.enable()
    percent = 100.0 * MACHINES * watch_s
    return [
        Row(
            "alarms: reports of 15 values, peer: every rule asked",
            1.0 / engine_s,
            1.0 / peer_s,
            peer_s / engine_s,
            "/s",
            "≥ 3× the peer",
            peer_s / engine_s >= 3,
            f"{len(RULES)} rules, {engine_s * 1e6:.1f} µs a report",
        ),
        Row(
            "alarms: a core's share at 2,000 reports/s, inbox and all",
            percent,
            None,
            None,
            "%",
            f"≤ {GOAL_PERCENT:.0f} %",
            percent <= GOAL_PERCENT,
            f"and a tick each second; 2,000 machines lost at once ring in {lost_s * 1e3:.0f} ms",
        ),
        Row(
            "alarms: a core's share of 100 meters at 1 Hz, all that is computed of them",
            100.0 * METERS * meter_s,
            None,
            None,
            "%",
            f"≤ {GOAL_PERCENT:.0f} %",
            100.0 * METERS * meter_s <= GOAL_PERCENT,
            f"{meter_s * 1e6:.1f} µs a measurement, a week of the past known",
        ),
    ]


def timed(work: Callable[[], object]) -> float:
    """Seconds of processor that `work` takes."""
    begun_s = time.process_time()
    work()
    return time.process_time() - begun_s


def new_engine() -> AlarmEngine:
    engine = AlarmEngine(RULES, first_id=1)
    engine.set_groups(GROUPS)
    return engine


def through_engine(rounds: list[list[MachineReport]]) -> float:
    """Seconds of processor; the first round, which makes the index, does not count."""
    engine = new_engine()
    begun_s = 0.0
    for second, reports in enumerate(rounds):
        if second == 1:
            begun_s = time.process_time()
        now_s = START_S + second
        for one in reports:
            engine.apply(one, now_s)
        engine.tick(now_s)
    return time.process_time() - begun_s


def through_derived() -> float:
    """Seconds of processor for the measurements of one meter at 1 Hz, whose last week is known."""
    engine = AlarmEngine(DEFAULT_RULES, first_id=1)
    engine.set_subscribed_powers({"main": 9_000.0})
    engine.apply(measured(0), START_S)
    times = array("d", [START_S - 450.0 * number for number in range(19 * 192, 0, -1)])
    powers = array("d", [700.0]) * len(times)
    engine.learn("main", SeriesPoints("meter/main/active_power_w", "W", times, powers, powers, powers))
    records = [measured(second) for second in range(1, METER_READINGS + 1)]
    begun_s = time.process_time()
    for second, record in enumerate(records, 1):
        engine.apply(record, START_S + second)
    return time.process_time() - begun_s


def measured(second: int) -> MeterReadings:
    measurement = Measurement(
        active_power_w=600.0 + second % 200,
        voltage_l1_v=230.0,
        voltage_l2_v=231.0,
        voltage_l3_v=229.0,
        current_l1_a=1.0,
        current_l2_a=1.1,
        current_l3_a=0.9,
        power_factor=0.95,
        frequency_hz=50.0,
        thd_voltage_percent=2.0,
        active_energy_import_wh=1e6 + second,
        active_energy_export_wh=0.0,
        active_energy_import_t1_wh=6e5,
        active_energy_import_t2_wh=4e5,
    )
    return MeterReadings(
        name="main",
        protocol="push",
        meter=MeterIdentity(),
        time_s=START_S + second,
        readings=(),
        measurement=measurement,
    )


def through_watch(rounds: list[list[MachineReport]]) -> float:
    """The same through the sink and its turns, as a site has it."""
    now_s = START_S
    watch = AlarmWatch(AlarmsSettings(rules=RULES), (), lambda record: None, _nobody, clock=lambda: now_s)
    engine = new_engine()
    begun_s = 0.0
    for second, reports in enumerate(rounds):
        if second == 1:
            begun_s = time.process_time()
        now_s = START_S + second
        for one in reports:
            watch.put(one)
        watch._turn(engine)
    return time.process_time() - begun_s


def _nobody(function: Callable[[object], object]) -> None:  # type: ignore[return]  # never asked: `run` is not running
    raise AssertionError


def through_all_rules(reports: list[MachineReport]) -> None:
    """Every rule is asked whether it fits and what it says, for each value of each report."""
    high_since: dict[tuple[str, str, str], float] = {}
    for one in reports:
        status, source = one.status, f"machine/{one.machine}"
        assert status is not None
        assert status.cpu is not None
        assert status.memory is not None
        values = {"cpu_percent": status.cpu.percent, "memory_percent": status.memory.percent}
        for disk in status.disks or ():
            values[f"disk_percent:{disk.mount}"] = 100 * disk.used_bytes / disk.total_bytes
        for rule in rules_for(RULES, source, GROUPS[source]):
            if not fits(rule.source, source, GROUPS[source]) or rule.high is None:
                continue
            for quantity, value in values.items():
                key = (source, rule.name, quantity)
                if looks_at(rule, quantity) and value is not None and value > rule.high:
                    high_since.setdefault(key, one.time_s or 0.0)
                else:
                    high_since.pop(key, None)


def lose_all() -> None:
    engine = AlarmEngine(DEFAULT_RULES, first_id=1)
    for number in range(MACHINES):
        engine.apply(report(number, 0), START_S)
        gone = MachineReport(
            machine=f"m{number}", address="", state=MachineState.OFFLINE, since_s=START_S, error="gone"
        )
        engine.apply(gone, START_S + 1)
    if len(engine.tick(START_S + 31)) != MACHINES:
        raise AssertionError
