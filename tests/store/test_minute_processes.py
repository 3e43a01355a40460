"""Which processes used most is kept with the minutes, where it tells something; and what a machine runs."""

from __future__ import annotations

import contextlib
import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from core.config import Retention
from core.machine_records import MinuteProcesses, ProcessUse
from core.records import Machine, MachineReport, MachineState, Status, System
from core.services.recorder import Recorder
from core.store.history import History
from core.store.minutes import MinuteBook
from core.store.processes import ProcessBook, chosen, is_news

M0 = 1_700_000_100.0
MIB = 1024 * 1024


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(tmp_path / "beffroi.db") as opened:
        yield opened


def use(pid: int, percent: float, size: int = 10 * MIB, name: str = "p") -> ProcessUse:
    return ProcessUse(
        pid=pid, name=name, user="root", cpu_percent=percent, memory_bytes=size, started_s=M0 - 1000.0 - pid
    )


def minute(number: int, *processes: ProcessUse, machine: str = "m1") -> MinuteProcesses:
    return MinuteProcesses(machine=machine, minute_s=M0 + 60 * number, processes=processes)


def report(number: int, time_s: float, os: str = "Linux", top: tuple[ProcessUse, ...] | None = None) -> MachineReport:
    system = System(
        hostname="h", os=os, os_version="", kernel="", architecture="", ip_addresses=(), uptime_s=1.0, python="3"
    )
    return MachineReport(
        machine="m1",
        address="",
        state=MachineState.ONLINE,
        since_s=0,
        status=Status(number=number, time_s=time_s, system=system, top_processes=top),
        time_s=time_s,
        is_new=True,
    )


def test_five_of_most_cpu_and_three_of_most_memory_are_chosen() -> None:
    busy = [use(pid, 50.0 - pid) for pid in range(8)]
    large = [use(100 + pid, 0.0, (5 + pid) * 100 * MIB) for pid in range(6)]
    assert [one.pid for one in chosen([*large, *busy])] == [0, 1, 2, 3, 4, 105, 104, 103]


def test_a_minute_holds_the_highest_share_of_each() -> None:
    book = ProcessBook()
    book.add("m1", (use(1, 10.0, 30 * MIB), use(2, 5.0)), M0 + 1)
    book.add("m1", (use(1, 90.0, 20 * MIB),), M0 + 20)
    book.add("m1", (use(1, 1.0),), M0 + 61)
    (first,) = book.take(M0 + 60)
    assert first == minute(0, use(1, 90.0, 30 * MIB), use(2, 5.0))
    assert [one.minute_s - M0 for one in book.take()] == [60]


def test_a_list_that_is_carried_on_is_counted_once() -> None:
    book = ProcessBook()
    top = (use(1, 90.0),)
    for second in (50, 55, 61, 65):
        book.add("m1", top, M0 + second)
    assert [one.minute_s - M0 for one in book.take()] == [0]


def test_only_what_tells_something_new_is_written() -> None:
    """A quiet machine has a row each half an hour; a leap, its end and a grown process have theirs in their minute."""
    book = ProcessBook()
    told = []
    for number in range(45):
        percent = 80.0 if number in (3, 4) else 2.0 + number % 3
        size = 600 * MIB if number >= 7 else 300 * MIB + number * MIB
        book.add("m1", (use(1, percent), use(2, 1.0, size)), M0 + 60 * number)
        told += book.take(M0 + 60 * number)
    assert [(one.minute_s - M0) / 60 for one in told] == [0, 3, 5, 7, 37]


def test_a_process_that_falls_off_the_list_is_no_news_while_others_are_as_busy() -> None:
    before = [use(pid, 20.0 + pid) for pid in range(5)]
    now = [*before[1:], use(9, 25.0)]
    assert not is_news(now, before)
    assert is_news([use(9, 40.0), *before[1:]], before)
    assert is_news([], before)
    assert not is_news([], [])


def test_a_clock_that_goes_backwards_and_a_false_agent_are_borne() -> None:
    book = ProcessBook()
    book.add("m1", (use(1, 5.0),), M0 + 1800)
    book.add("m1", (use(1, 6.0),), M0)
    book.add("m1", (use(1, 7.0),), math.inf)
    assert len(book.take()) == 2
    for number in range(2000):
        book.add("m2", tuple(use(10 * number + pid, 1.0) for pid in range(10)), M0 + number / 100)
    assert len(book._minutes["m2", int(M0)]) <= 74
    assert len(book.take()[0].processes) <= 8


def test_what_was_written_is_read_again(history: History) -> None:
    odd = use(3, 12.34, 5 * MIB, 'quote " \\ é \u2028')
    history.write([minute(0, use(1, 90.0), odd), minute(3, use(2, 50.0)), minute(4, use(7, 1.0), machine="m2")])
    (first, second) = history.processes_at("m1", M0, M0 + 3600)
    assert first.processes == (use(1, 90.0), msgspec.structs.replace(odd, cpu_percent=12.3))
    assert second == minute(3, use(2, 50.0))
    assert history.processes_at("nobody", M0, M0 + 60) == []


def test_a_list_stands_until_the_next_one_for_half_an_hour(history: History) -> None:
    history.write([minute(0, use(1, 90.0)), minute(3, use(2, 50.0))])

    def seen(start: float, end: float) -> list[float]:
        return [(one.minute_s - M0) / 60 for one in history.processes_at("m1", M0 + 60 * start, M0 + 60 * end)]

    assert seen(1, 2) == [0]
    assert seen(1, 4) == [0, 3]
    assert seen(3.5, 4) == [3]
    assert seen(32.9, 33) == [3]
    assert seen(33, 34) == []
    assert seen(-2, 0) == []


def test_a_minute_that_is_written_twice_is_merged(history: History) -> None:
    history.write([minute(0, use(1, 90.0), use(2, 3.0))])
    history.write([minute(0, use(1, 10.0, 80 * MIB), use(3, 4.0))])
    (found,) = history.processes_at("m1", M0, M0 + 60)
    assert found.processes == (use(1, 90.0, 80 * MIB), use(3, 4.0), use(2, 3.0))


def test_lists_go_with_their_minutes(history: History) -> None:
    days = [minute(1440 * day, use(1, 90.0)) for day in range(100)]
    history.write(days)
    history.apply_retention(Retention(), M0 + 100 * 86400)
    assert history.count("minute_processes") == 90


def test_the_recorder_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "beffroi.db"
    recorder = Recorder(lambda: History.open(path), Retention(), lambda _report: None)
    recorder.put(report(1, M0, top=(use(1, 90.0),)))
    recorder.put(report(2, M0 + 10, "Windows", top=(use(1, 95.0),)))
    recorder._finish()
    recorder._thread.shutdown()
    with History.open(path) as history:
        assert history.processes_at("m1", M0, M0 + 60) == [minute(0, use(1, 95.0))]
    with contextlib.closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT name, os FROM machines").fetchall() == [("m1", "windows")]


def test_what_a_machine_runs_is_told_when_it_changes_and_each_hour() -> None:
    book = MinuteBook()
    for number, os in enumerate(("Linux", "Linux", "Windows", " Darwin ", "")):
        book.add(report(number, M0 + number, os))
    assert [one.os for one in book.take_systems()] == ["linux", "windows", "darwin"]
    book.add(report(10, M0 + 10, "Linux"))
    book.add(report(11, M0 + 3700, "Linux"))
    assert [one.os for one in book.take_systems()] == ["linux", "linux"]


def test_tags_and_os_of_a_machine_are_kept(history: History) -> None:
    machine = Machine(name="m1", host="h", fingerprint="SHA256:A", tags=("printer", "é"), os="linux")
    history.save_machine(machine)
    assert history.machines() == [machine]


def test_saving_a_machine_does_not_undo_what_its_agent_told(history: History) -> None:
    paired = Machine(name="m1", host="h", fingerprint="SHA256:A")
    history.save_machine(paired)
    history.write([report(1, M0, "Windows")])
    assert history.machines()[0].os == "windows"
    for older in ("", "linux"):
        history.save_machine(msgspec.structs.replace(paired, notes="moved", os=older))
        assert (history.machines()[0].os, history.machines()[0].notes) == ("windows", "moved")
    history.save_machine(msgspec.structs.replace(paired, fingerprint="SHA256:B", os="linux"))
    assert history.machines()[0].os == "linux"
    history.remove_machine("m1")
    history.save_machine(paired)
    assert history.machines()[0].os == ""
