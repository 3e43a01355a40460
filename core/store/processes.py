"""The processes behind a spike: those that used most in each minute of a machine, kept where they tell something new.

A minute's list holds the highest share of each process within it: the five of most CPU and the three of most memory.
It is written when it differs from the one written last, by 10 % of a core or by 64 MiB and a tenth of a process's
memory, and every half an hour in any case. So a list stands for the minutes after it until the next one, half an hour
at most; whatever makes a curve leap is written in its minute. A row takes some 500 octets: a quiet machine 24 KB a day
instead of 720, 2,000 machines of which every fifth is restless 270 MB, where their minutes take 1,040 (`bench`,
minute_processes). Kept as long as these. What was measured while the link was down has no list.

The text of a row is a JSON list of `[pid, name, user, cpu_percent, memory_bytes, started_s]`, busiest first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from heapq import nlargest
from typing import Any

from msgspec.json import Decoder, Encoder

from core.machine_records import MinuteProcesses, ProcessUse
from core.store import schema

MINUTE_S = 60
MOST_CPU, MOST_MEMORY = 5, 3
KEPT_EVERY_S = 1800
"""A list stands for no longer than this."""

CPU_STEP_PERCENT = 10.0
MEMORY_STEP_BYTES = 64 * 1024 * 1024
MEMORY_STEP_SHARE = 0.1

_MOST_OF_A_MINUTE = 64
"""Processes of one minute that are remembered; an agent names ten at a time, a false one others each time."""

_TABLE = schema.minute_processes.name
_Row = tuple[int, str, str, float, int, float]
_encoder = Encoder()
_decoder = Decoder(tuple[_Row, ...])
_Key = tuple[int, int]


def _key(process: ProcessUse) -> _Key:
    return process.pid, int(process.started_s)


def _by_cpu(process: ProcessUse) -> float:
    return process.cpu_percent


def _by_memory(process: ProcessUse) -> int:
    return process.memory_bytes


def chosen(
    processes: Iterable[ProcessUse], most_cpu: int = MOST_CPU, most_memory: int = MOST_MEMORY
) -> list[ProcessUse]:
    """Those of most CPU and those of most memory, each once, busiest first."""
    known = list(processes)
    found = {_key(one): one for one in (*nlargest(most_cpu, known, _by_cpu), *nlargest(most_memory, known, _by_memory))}
    return sorted(found.values(), key=lambda one: (-one.cpu_percent, -one.memory_bytes, one.pid))


def merged(processes: Iterable[ProcessUse]) -> list[ProcessUse]:
    """Each process once, with the highest share that is told of it."""
    found: dict[_Key, ProcessUse] = {}
    for process in processes:
        key = _key(process)
        known = found.get(key)
        found[key] = process if known is None else _greater(known, process)
    return list(found.values())


def _greater(one: ProcessUse, other: ProcessUse) -> ProcessUse:
    if other.cpu_percent >= one.cpu_percent and other.memory_bytes >= one.memory_bytes:
        return other
    if one.cpu_percent >= other.cpu_percent and one.memory_bytes >= other.memory_bytes:
        return one
    return ProcessUse(
        pid=other.pid,
        name=other.name,
        user=other.user,
        cpu_percent=max(one.cpu_percent, other.cpu_percent),
        memory_bytes=max(one.memory_bytes, other.memory_bytes),
        started_s=other.started_s,
    )


def is_news(processes: Sequence[ProcessUse], before: Sequence[ProcessUse]) -> bool:
    """True where a list does not say what the one before said; a process that is on one alone was less on the other."""
    return _exceeds(processes, before) or _exceeds(before, processes)


def _exceeds(processes: Sequence[ProcessUse], others: Sequence[ProcessUse]) -> bool:
    known = {_key(other): other for other in others}
    shares = nlargest(MOST_CPU, map(_by_cpu, others))
    sizes = nlargest(MOST_MEMORY, map(_by_memory, others))
    least_share = shares[-1] if len(shares) == MOST_CPU else 0.0
    least_size = sizes[-1] if len(sizes) == MOST_MEMORY else 0
    for process in processes:
        other = known.get(_key(process))
        share, size = (least_share, least_size) if other is None else (other.cpu_percent, other.memory_bytes)
        if process.cpu_percent - share >= CPU_STEP_PERCENT:
            return True
        if process.memory_bytes - size >= max(MEMORY_STEP_BYTES, MEMORY_STEP_SHARE * process.memory_bytes):
            return True
    return False


class ProcessBook:
    """The processes of the minutes in progress of all machines; owned by whoever owns the minutes."""

    def __init__(self) -> None:
        self._minutes: dict[tuple[str, int], dict[_Key, ProcessUse]] = {}
        self._last: dict[str, tuple[ProcessUse, ...]] = {}
        self._written: dict[str, MinuteProcesses] = {}

    def add(self, machine: str, processes: tuple[ProcessUse, ...], time_s: float) -> None:
        """Count a list that was told at `time_s`; the same object again, as a status carries it on, is counted once."""
        if self._last.get(machine) is processes or not math.isfinite(time_s):
            return
        self._last[machine] = processes
        minute = self._minutes.setdefault((machine, int(time_s // MINUTE_S) * MINUTE_S), {})
        for process in processes:
            key = _key(process)
            known = minute.get(key)
            minute[key] = process if known is None else _greater(known, process)
        if len(minute) > _MOST_OF_A_MINUTE:
            kept = chosen(minute.values(), _MOST_OF_A_MINUTE // 4, _MOST_OF_A_MINUTE // 4)
            minute.clear()
            minute.update((_key(process), process) for process in kept)

    def take(self, before_s: float = math.inf) -> list[MinuteProcesses]:
        """Take out the minutes that are over at `before_s`; those that are worth a row."""
        found = []
        for key in sorted(key for key in self._minutes if key[1] + MINUTE_S <= before_s):
            machine, minute_s = key
            processes = tuple(chosen(self._minutes.pop(key).values()))
            written = self._written.get(machine)
            stands = written is not None and minute_s - KEPT_EVERY_S < written.minute_s <= minute_s
            if written is not None and stands and not is_news(processes, written.processes):
                continue
            row = self._written[machine] = MinuteProcesses(
                machine=machine, minute_s=float(minute_s), processes=processes
            )
            found.append(row)
        return found


def write(cursor: Any, rows: Sequence[tuple[int, MinuteProcesses]]) -> None:
    """Write lists of minutes, each with the number of its machine; a minute that is there already is merged."""
    for machine, minute in rows:
        processes: Iterable[ProcessUse] = minute.processes
        cursor.execute(
            f"SELECT processes FROM {_TABLE} WHERE machine_id = ? AND minute_s = ?",  # noqa: S608 -- names of our own schema
            (machine, int(minute.minute_s)),
        )
        known = cursor.fetchone()
        if known is not None:
            processes = chosen(merged((*_decoded(known[0]), *processes)))
        cursor.execute(
            f"INSERT OR REPLACE INTO {_TABLE} (machine_id, minute_s, processes) VALUES (?, ?, ?)",  # noqa: S608 -- as above
            (machine, int(minute.minute_s), _encoded(processes)),
        )


def _encoded(processes: Iterable[ProcessUse]) -> str:
    rows = [
        (one.pid, one.name, one.user, round(one.cpu_percent, 1), one.memory_bytes, int(one.started_s))
        for one in processes
    ]
    return _encoder.encode(rows).decode()


def _decoded(text: str) -> tuple[ProcessUse, ...]:
    return tuple(
        ProcessUse(pid=pid, name=name, user=user, cpu_percent=percent, memory_bytes=octets, started_s=started_s)
        for pid, name, user, percent, octets, started_s in _decoder.decode(text)
    )


def read(cursor: Any, machine_id: int, machine: str, start_s: float, end_s: float) -> list[MinuteProcesses]:
    """The lists that stand at any moment from `start_s` to before `end_s`, oldest first."""
    last = (
        f"SELECT max(minute_s) FROM {_TABLE}"  # noqa: S608 -- names of our own schema
        " WHERE machine_id = ? AND minute_s <= ? AND minute_s > ?"
    )
    cursor.execute(last, (machine_id, start_s, start_s - KEPT_EVERY_S))
    (standing_s,) = cursor.fetchone()
    cursor.execute(
        f"SELECT minute_s, processes FROM {_TABLE}"  # noqa: S608 -- as above
        " WHERE machine_id = ? AND minute_s >= ? AND minute_s < ? ORDER BY minute_s",
        (machine_id, start_s if standing_s is None else standing_s, end_s),
    )
    return [
        MinuteProcesses(machine=machine, minute_s=float(minute_s), processes=_decoded(text))
        for minute_s, text in cursor.fetchall()
    ]
