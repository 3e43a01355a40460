"""What is told around a moment: which machines moved, and what happened then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.config import Retention
from core.records import CommandRequest, Event, Severity
from core.site_records import Alarm, AlarmSeverity, AlarmState, ChatLine
from core.store.history import History
from core.store.minutes import MachineMinute
from core.store.schema import MACHINE_FIELDS

T0 = 1_700_006_400
DAY = 86400


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(tmp_path / "beffroi.db") as opened:
        yield opened


def minute(machine: str, number: int, cpu_percent: float, read_bytes_per_s: float = 1000.0) -> MachineMinute:
    values = dict.fromkeys(MACHINE_FIELDS, 10.0)
    values |= {"cpu_percent": cpu_percent, "disk_read_bytes_per_s": read_bytes_per_s}
    figures = tuple(value for field in MACHINE_FIELDS for value in (values[field],) * 3)
    return MachineMinute(machine=machine, minute_s=T0 + 60 * number, samples=60, figures=figures)


@pytest.mark.parametrize("is_old", [False, True])
def test_the_machines_that_moved_are_told_most_first(history: History, is_old: bool) -> None:
    length = 15 if is_old else 1
    for number in range(-10 * length, 2 * length):
        is_during = number >= 0
        history.write(
            [
                minute("quiet", number, 10.0),
                minute("noisy", number, 95.0 if is_during else (20.0, 80.0)[number // length % 2]),
                minute("busy", number, 90.0 if is_during else 10.0, 60e6 if is_during else 1e6),
                minute("stopped", number, 1.0 if is_during else 60.0),
            ]
        )
    if is_old:
        history.apply_retention(Retention(raw_days=1, minute_days=1), T0 + 90 * DAY)
    found = history.moved(T0 + 20, before_s=4000 if is_old else 300)
    assert {one.series for one in found} >= {"machine/busy/cpu_percent", "machine/stopped/cpu_percent"}
    assert "machine/quiet/cpu_percent" not in {one.series for one in found}
    by_name = {one.series: one for one in found}
    busy, noisy = by_name["machine/busy/cpu_percent"], by_name["machine/noisy/cpu_percent"]
    assert (busy.before, busy.during, busy.unit) == (10, 90, "%")
    assert busy.score > 5 * noisy.score, "what always moves counts less"
    assert by_name["machine/stopped/cpu_percent"].during == 1
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert history.moved(T0 + 20, limit=1) == found[:1]


def test_nothing_moved_where_nothing_is_known(history: History) -> None:
    assert history.moved(T0) == []


def test_marks_are_all_that_happened_in_a_span_oldest_first(history: History) -> None:
    def alarm(number: int, since_s: float, until_s: float | None) -> Alarm:
        return Alarm(
            id=number,
            source="meter/main",
            rule="peak",
            severity=AlarmSeverity.HIGH,
            state=AlarmState.RESOLVED if until_s else AlarmState.ACTIVE,
            since_s=since_s,
            changed_s=since_s,
            text=f"peak {number}",
            until_s=until_s,
        )

    history.write(
        [
            alarm(1, T0 - 100, T0 + 10),
            alarm(2, T0 - 100, T0 - 10),
            alarm(3, T0 + 40, None),
            CommandRequest(id="1", words=("ls",), machines=("m1", "m2"), timeout_s=1, operator="Alice", time_s=T0 + 20),
            ChatLine(id="1", room="general", author="Bob", text="hello", time_s=T0 + 30),
            Event(time_s=T0 + 25, source="m1", kind="lost", severity=Severity.WARNING, text="m1 is gone"),
            Event(time_s=T0 + 500, source="m1", kind="lost", severity=Severity.WARNING, text="later"),
        ]
    )
    found = history.marks(T0, T0 + 100)
    assert [(one.kind, one.source, one.text) for one in found] == [
        ("alarm", "meter/main", "peak 1"),
        ("command", "Alice", "ls (m1, m2)"),
        ("event", "m1", "m1 is gone"),
        ("chat", "Bob", "hello"),
        ("alarm", "meter/main", "peak 3"),
    ]
    assert [one.severity for one in found] == ["high", None, "warning", None, "high"]
    assert (found[0].until_s, found[-1].until_s) == (T0 + 10, None)
    assert history.marks(T0, T0 + 100, limit=2) == found[-2:]
    assert history.marks(T0, T0 + 100, limit=0) == []
