"""The samples of a machine gathered into minutes: least, mean and greatest of each quantity. Pure.

Beside them what else the history keeps of a status: the processes that used most, and the operating system.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec import Struct

from core.machine_records import MinuteProcesses
from core.records import MachineReport, Status
from core.store.processes import ProcessBook

MINUTE_S = 60

SYSTEM_TOLD_EVERY_S = 3600.0
"""The operating system is told again so often: what the history knows of it may have been removed meanwhile."""


class MachineMinute(Struct, frozen=True, kw_only=True):
    """One minute of a machine, from `minute_s` on; `figures` are min, mean and max of each of MACHINE_FIELDS."""

    machine: str
    minute_s: int
    samples: int
    figures: tuple[float | None, ...]


class MachineSystem(Struct, frozen=True, kw_only=True):
    """What a machine runs, as its agent says: `linux`, `windows`, `darwin` or another word in lower case."""

    machine: str
    os: str


Values = tuple[float | None, ...]
"""One sample: a value, or None, for each of MACHINE_FIELDS in their order."""


def values_of(status: Status) -> Values:
    """What a status says, in the order of MACHINE_FIELDS."""
    cpu, memory, swap, disk, network = status.cpu, status.memory, status.swap, status.disk_io, status.network
    return (
        cpu.percent if cpu else None,
        memory.percent if memory else None,
        memory.used_bytes if memory else None,
        swap.used_bytes if swap else None,
        disk.read_bytes_per_s if disk else None,
        disk.written_bytes_per_s if disk else None,
        network.received_bytes_per_s if network else None,
        network.sent_bytes_per_s if network else None,
        status.process_count,
        status.fullest_disk_percent,
    )


class _Tally:
    """Running figures of one minute."""

    __slots__ = ("counts", "highest", "lowest", "samples", "sums")

    def __init__(self, width: int) -> None:
        self.samples = 0
        self.counts = [0] * width
        self.sums = [0.0] * width
        self.lowest = [math.inf] * width
        self.highest = [-math.inf] * width

    def add(self, values: Values) -> None:
        self.samples += 1
        for number, value in enumerate(values):
            if value is None or not math.isfinite(value):
                continue
            self.counts[number] += 1
            self.sums[number] += value
            if value < self.lowest[number]:
                self.lowest[number] = value
            if value > self.highest[number]:
                self.highest[number] = value

    def figures(self) -> tuple[float | None, ...]:
        found: list[float | None] = []
        for count, total, low, high in zip(self.counts, self.sums, self.lowest, self.highest, strict=True):
            found += (low, total / count, high) if count else (None, None, None)
        return tuple(found)


class MinuteBook:
    """Minutes in progress of all machines; a minute is taken out once, and one that comes back later is merged.

    A status is counted once: the same number and time are known again, and of those measured while the link was
    down the ones at or before the last one counted are left out.
    """

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, int], _Tally] = {}
        self._last: dict[str, tuple[int, float]] = {}
        self._processes = ProcessBook()
        self._systems: dict[str, tuple[str, float]] = {}
        self._news: list[MachineSystem] = []

    def add(self, report: MachineReport) -> None:
        """Count the statuses of a report, each in the minute when it was measured, by the console's clock.

        The agent's clock may be wrong by a year: what it measured earlier is placed by its distance from the
        status that came with the report.
        """
        status = report.status if report.is_new else None
        offset_s = 0.0
        if report.status is not None and report.time_s is not None:
            offset_s = report.time_s - report.status.time_s
        for late in report.late_statuses:
            number, time_s = self._last.get(report.machine, (-1, -math.inf))
            if late.number <= number and late.time_s <= time_s:
                continue
            self._count(report.machine, late, late.time_s + offset_s)
        if status is not None and self._last.get(report.machine) != (status.number, status.time_s):
            self._count(report.machine, status, status.time_s + offset_s)
            self._note(report.machine, status, status.time_s + offset_s)

    def _note(self, machine: str, status: Status, time_s: float) -> None:
        """What a status says beside its figures."""
        if status.top_processes is not None:
            self._processes.add(machine, status.top_processes, time_s)
        if status.system is not None:
            told, told_s = self._systems.get(machine, ("", -math.inf))
            if told != status.system.os or not 0 <= time_s - told_s < SYSTEM_TOLD_EVERY_S:
                self._systems[machine] = (status.system.os, time_s)
                word = status.system.os.strip().lower()[:32]
                if word:
                    self._news.append(MachineSystem(machine=machine, os=word))

    def _count(self, machine: str, status: Status, time_s: float) -> None:
        self._last[machine] = (status.number, status.time_s)
        values = values_of(status)
        if not math.isfinite(time_s) or all(value is None for value in values):
            return
        key = (machine, int(time_s // MINUTE_S) * MINUTE_S)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = _Tally(len(values))
        tally.add(values)

    def take(self, before_s: float = math.inf) -> list[MachineMinute]:
        """Take out the minutes that are over at `before_s`; all of them unless it is given."""
        over = [key for key in self._tallies if key[1] + MINUTE_S <= before_s]
        rows = []
        for key in over:
            tally = self._tallies.pop(key)
            rows.append(MachineMinute(machine=key[0], minute_s=key[1], samples=tally.samples, figures=tally.figures()))
        return rows

    def take_processes(self, before_s: float = math.inf) -> list[MinuteProcesses]:
        """Take out the processes of the minutes that are over, where they are worth a row."""
        return self._processes.take(before_s)

    def take_systems(self) -> list[MachineSystem]:
        """Take out the operating systems that were told for the first time, that changed, or that are told again."""
        taken, self._news = self._news, []
        return taken

    def __len__(self) -> int:
        return len(self._tallies)


def book_of(reports: Iterable[MachineReport]) -> MinuteBook:
    """A handful of reports, such as those of one command line."""
    book = MinuteBook()
    for report in reports:
        book.add(report)
    return book


def minutes_of(reports: Iterable[MachineReport]) -> list[MachineMinute]:
    """Rows for a handful of reports."""
    return book_of(reports).take()
