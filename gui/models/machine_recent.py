"""What the history keeps not, or not yet, of the machines looked at: each core's load, and the busiest processes.

Machines that nobody has looked at are left out: there may be 2,000 of them.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from core.machine_records import ProcessUse
from core.records import Status

HEAT = "temperature_celsius"
"""The hottest sensor of a machine, as a series: of the live curves alone, the history keeps none of it."""
MOST_MACHINES = 8
SPAN_S = 3_700.0
"""A little more than an hour."""
_MOST_CORES = 1_024
_TOPS_EVERY_S = 10.0
_SET_BACK_S = 60.0
NO_LOAD = 255
"""Stands for a core whose load is not known."""


@dataclass(slots=True)
class _Kept:
    cores: deque[tuple[float, bytes]] = field(default_factory=deque)
    tops: deque[tuple[float, tuple[ProcessUse, ...]]] = field(default_factory=deque)


class MachineRecent:
    """An hour of the machines looked at last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def follow(self, machine: str) -> list[str]:
        """Keep what this machine says from now on; the names of those that are kept no more for it."""
        self._kept.setdefault(machine, _Kept())
        self._kept.move_to_end(machine)
        return [self._kept.popitem(last=False)[0] for _more in range(len(self._kept) - MOST_MACHINES)]

    def follows(self, machine: str) -> bool:
        """True for a machine that is kept."""
        return machine in self._kept

    def append(self, machine: str, time_s: float, status: Status) -> None:
        """Take in a status that came at `time_s`, if the machine is one of those kept."""
        kept = self._kept.get(machine)
        if kept is None:
            return
        if kept.cores and time_s < kept.cores[-1][0] - _SET_BACK_S:  # somebody has set the clock
            kept.cores.clear()
            kept.tops.clear()
        if status.cpu is not None and (not kept.cores or time_s > kept.cores[-1][0]):
            loads = bytes(map(_whole, status.cpu.per_core_percent[:_MOST_CORES]))
            if kept.cores and len(kept.cores[-1][1]) != len(loads):
                kept.cores.clear()
            kept.cores.append((time_s, loads))
        if status.top_processes is not None and (not kept.tops or time_s > kept.tops[-1][0]):
            last = kept.tops[-1] if kept.tops else None
            if last is None or last[1] != status.top_processes or time_s - last[0] >= _TOPS_EVERY_S:
                kept.tops.append((time_s, status.top_processes))
        for rows in (kept.cores, kept.tops):
            while rows and rows[0][0] < time_s - SPAN_S:
                rows.popleft()

    def cores(self, machine: str | None) -> tuple[list[float], bytes, int]:
        """(times, loads of all cores at each time one after another, number of cores); 0 to 100 percent."""
        kept = self._kept.get(machine) if machine is not None else None
        if kept is None or not kept.cores:
            return [], b"", 0
        return (
            [time_s for time_s, _loads in kept.cores],
            b"".join(row for _time, row in kept.cores),
            len(kept.cores[-1][1]),
        )

    def tops_from(self, machine: str) -> float:
        """From when on the busiest processes are known here; infinite where they are not."""
        kept = self._kept.get(machine)
        return kept.tops[0][0] if kept is not None and kept.tops else math.inf

    def tops(self, machine: str, start_s: float, end_s: float) -> tuple[ProcessUse, ...]:
        """The busiest processes within a span, the highest share of each; the last ones before where none came."""
        kept = self._kept.get(machine)
        if kept is None:
            return ()
        within = [tops for time_s, tops in kept.tops if start_s <= time_s <= end_s]
        if not within:
            before = [tops for time_s, tops in kept.tops if start_s - 2 * _TOPS_EVERY_S <= time_s < start_s]
            within = before[-1:]
        found: dict[tuple[int, float], ProcessUse] = {}
        for use in (use for tops in within for use in tops):
            held = found.get((use.pid, use.started_s))
            if held is None or use.cpu_percent > held.cpu_percent:
                found[use.pid, use.started_s] = use
        return busiest(tuple(found.values()))


def busiest(uses: tuple[ProcessUse, ...]) -> tuple[ProcessUse, ...]:
    """Those of most CPU first, then those of most memory."""

    def share(use: ProcessUse) -> tuple[float, int]:
        return (use.cpu_percent if math.isfinite(use.cpu_percent) else -1.0, use.memory_bytes)

    return tuple(sorted(uses, key=share, reverse=True))


def _whole(percent: float) -> int:
    return round(min(max(percent, 0.0), 100.0)) if math.isfinite(percent) else NO_LOAD
