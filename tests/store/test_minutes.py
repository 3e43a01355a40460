"""What a minute of a machine holds, and that no status is counted twice."""

from __future__ import annotations

import math

from core.records import (
    Cpu,
    Disk,
    DiskIo,
    MachineReport,
    MachineState,
    Memory,
    Network,
    Status,
    Swap,
)
from core.store.minutes import MinuteBook, minutes_of, values_of
from core.store.schema import MACHINE_FIELDS

M0 = 1_700_000_100.0


def status(number: int, time_s: float, percent: float | None = 5.0) -> Status:
    return Status(number=number, time_s=time_s, cpu=Cpu(percent=percent, per_core_percent=(), load_average=()))


def report(current: Status | None, *late: Status, time_s: float | None = None, is_new: bool = True) -> MachineReport:
    return MachineReport(
        machine="m1",
        address="",
        state=MachineState.ONLINE,
        since_s=0,
        status=current,
        time_s=current.time_s if current and time_s is None else time_s,
        is_new=is_new,
        late_statuses=late,
    )


def test_every_field_of_a_minute_is_filled() -> None:
    full = Status(
        number=1,
        time_s=M0,
        cpu=Cpu(percent=1.0, per_core_percent=(), load_average=()),
        memory=Memory(total_bytes=10, used_bytes=3, free_bytes=1, available_bytes=1, percent=2.0),
        swap=Swap(total_bytes=10, used_bytes=4),
        disk_io=DiskIo(read_bytes_per_s=5.0, written_bytes_per_s=6.0),
        network=Network(received_bytes_per_s=7.0, sent_bytes_per_s=8.0),
        process_count=9,
        disks=(
            Disk(mount="/", total_bytes=10, used_bytes=1),
            Disk(mount="/home", total_bytes=10, used_bytes=6),
            Disk(mount="/empty", total_bytes=0, used_bytes=0),
        ),
    )
    assert dict(zip(MACHINE_FIELDS, values_of(full), strict=True)) == {
        "cpu_percent": 1,
        "memory_percent": 2,
        "memory_used_bytes": 3,
        "swap_used_bytes": 4,
        "disk_read_bytes_per_s": 5,
        "disk_written_bytes_per_s": 6,
        "network_received_bytes_per_s": 7,
        "network_sent_bytes_per_s": 8,
        "process_count": 9,
        "disk_percent": 60,
    }


def test_a_minute_has_least_mean_and_greatest() -> None:
    (row,) = minutes_of(
        report(status(number, M0 + number, percent)) for number, percent in enumerate((10.0, 60.0, 20.0))
    )
    assert (row.machine, row.minute_s, row.samples, row.figures[:3]) == ("m1", int(M0), 3, (10, 30, 60))
    assert row.figures[3:] == (None,) * (len(row.figures) - 3)


def test_minutes_are_cut_by_the_consoles_clock() -> None:
    book = MinuteBook()
    book.add(report(status(1, 5.0), time_s=M0 + 59))
    book.add(report(status(2, 6.0), time_s=M0 + 60))
    assert [row.minute_s for row in book.take(M0 + 60)] == [M0]
    assert len(book) == 1
    assert book.take(M0 + 119.9) == []
    assert [row.minute_s for row in book.take(M0 + 120)] == [M0 + 60]


def test_a_status_is_counted_once() -> None:
    book = MinuteBook()
    first, second = status(1, M0), status(2, M0 + 1)
    for one in (report(first), report(first), report(first, is_new=False), report(second, first), report(second)):
        book.add(one)
    assert book.take()[0].samples == 2


def test_what_was_missed_is_counted_in_its_own_minute() -> None:
    book = MinuteBook()
    book.add(report(status(1, M0)))
    missed = [status(number, M0 + 60 * (number - 1)) for number in range(2, 5)]
    book.add(report(status(5, M0 + 240), *missed))
    book.add(report(status(6, M0 + 245), *missed))
    assert [(row.minute_s - M0, row.samples) for row in book.take()] == [(0, 1), (60, 1), (120, 1), (180, 1), (240, 2)]


def test_an_agent_that_begins_anew_is_counted_on() -> None:
    """Its numbers begin at 1 again; its clock went on."""
    book = MinuteBook()
    book.add(report(status(100, M0)))
    book.add(report(status(2, M0 + 2), status(1, M0 + 1)))
    assert book.take()[0].samples == 3


def test_a_clock_that_is_set_back_is_counted_on() -> None:
    book = MinuteBook()
    book.add(report(status(1, M0), time_s=M0))
    book.add(report(status(3, M0 - 3598), status(2, M0 - 3599), time_s=M0 + 2))
    assert book.take()[0].samples == 3


def test_a_value_that_is_no_number_is_absent() -> None:
    (row,) = minutes_of([report(status(1, M0, math.nan)), report(status(2, M0 + 1, 4.0))])
    assert row.figures[:3] == (4, 4, 4)
    assert minutes_of([report(status(1, M0, None))]) == []
    assert minutes_of([report(status(1, math.inf), time_s=math.inf)]) == []
