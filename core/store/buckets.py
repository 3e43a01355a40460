"""How a bucket of a roll-up is made of the rows of the level below, and how what comes too late is added to it.

A bucket holds the least, the mean and the greatest of each field, and of a counter its first and last value with the
sum of its steps as `core.counters` counts them: one that falls (another meter, a roll-over) begins anew, so that
nothing is counted twice, and so does one that rises faster than any meter counts. What was counted between two buckets
is the step from the last value of one to the first of the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from core.counters import LEAP_WH, counted_step, greater
from core.store.columns import COUNTED, FIGURES
from core.store.kinds import KINDS, Kind, Level

Row = dict[str, Any]

POWER = "active_power_w"
GREATEST_POWER = f"max(abs({POWER}_min), abs({POWER}_max))"
"""What a rise of a counter is measured against, in a row and in a bucket."""


class Making(NamedTuple):
    """Statements that make the buckets of one level of one kind; names are those of our own schema."""

    kind: Kind
    source: Level
    target: Level
    statistics: str
    counters: str | None
    columns: tuple[str, ...]
    put: str
    held: str


@cache
def making(word: str, step: int) -> Making:
    """For the level at place `step` of the ladder of the kind `word`; 1 is the first one above the rows."""
    kind = KINDS[word]
    source, target = kind.ladder[step - 1], kind.ladder[step]
    parts = _statistics(kind, source, is_fine=step == 1)
    where = f"FROM {source.table.name} WHERE {kind.owner_id} = ? AND {source.time} >= ? AND {source.time} < ?"
    further = tuple(f"{field}_{part}" for field in kind.counters for part in COUNTED)
    columns = (kind.owner_id, target.time, *parts, *further)
    return Making(
        kind,
        source,
        target,
        f"SELECT {', '.join(parts.values())} {where}",
        f"SELECT {_counters(kind, source, is_fine=step == 1)} {where} ORDER BY {source.time}"
        if kind.counters
        else None,
        columns,
        f"INSERT OR REPLACE INTO {target.table.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",  # noqa: S608 -- as said
        f"SELECT {', '.join(columns)} FROM {target.table.name}"  # noqa: S608 -- as said
        f" WHERE {kind.owner_id} = ? AND {target.time} >= ? AND {target.time} < ?",
    )


def _statistics(kind: Kind, source: Level, *, is_fine: bool) -> Mapping[str, str]:
    time = source.time
    if not is_fine:
        parts = {
            "samples": "sum(samples)",
            "first_s": f"min(coalesce(first_s, {time}))",
            "last_s": f"max(coalesce(last_s, {time} + {source.period_s}))",
        }
    else:
        parts = {
            "samples": "count(*)" if kind.is_raw else "sum(samples)",
            "first_s": f"min({time})",
            "last_s": f"max({time})" if kind.is_raw else f"max({time}) + {source.period_s}",
        }
    parts |= {name: of_rows if is_fine else of_buckets for name, (of_rows, of_buckets) in kind.folded.items()}
    for field in kind.fields:
        low, mean, high = (f"{field}_{figure}" for figure in FIGURES)
        if is_fine and kind.is_raw:
            parts |= {low: f"min({field})", mean: f"avg({field})", high: f"max({field})"}
        else:
            weights = f"sum(CASE WHEN {mean} IS NOT NULL THEN samples END)"
            parts |= {low: f"min({low})", mean: f"sum({mean} * samples) / {weights}", high: f"max({high})"}
    return parts


def _counters(kind: Kind, source: Level, *, is_fine: bool) -> str:
    time = source.time
    if is_fine:
        return ", ".join((time, POWER, *kind.counters))
    span = f"coalesce(first_s, {time}), coalesce(last_s, {time} + {source.period_s}), {GREATEST_POWER}"
    columns = ", ".join(  # the least and greatest stand for the first and last where an earlier form did not keep those
        f"coalesce({field}_first, {field}_min), coalesce({field}_last, {field}_max),"
        f" coalesce({field}_used, {field}_max - {field}_min)"
        for field in kind.counters
    )
    return f"{span}, {columns}"


def made(cursor: Any, how: Making, owner: int, start_s: int) -> Row | None:
    """The bucket of `owner` at `start_s` out of what is below it; None where there is nothing."""
    span = (owner, start_s, start_s + how.target.period_s)
    figures = cursor.execute(how.statistics, span).fetchone()
    if not figures[0]:
        return None
    counted: list[float | None] = []
    if how.counters is not None:
        columns = list(zip(*cursor.execute(how.counters, span).fetchall(), strict=True))
        if how.source is how.kind.ladder[0]:
            for values in columns[2:]:
                counted += counted_by(columns[0], columns[1], values)
        else:
            for place in range(3, len(columns), 3):
                counted += counted_over((*columns[:3], *columns[place : place + 3]))
    return dict(zip(how.columns, (owner, start_s, *figures, *counted), strict=True))


Counted = tuple[float | None, float | None, float | None]


def counted_by(times: Sequence[float], powers: Sequence[float | None], values: Sequence[float | None]) -> Counted:
    """First value, last value and what was counted between by a counter, None where it said nothing."""
    known = [value for value in values if value is not None]
    if not known:
        return None, None, None
    first, last = known[0], known[-1]
    if last - first <= LEAP_WH and known == sorted(known):
        return first, last, last - first
    rows: list[tuple[float, float | None, float]] = []
    for time_s, power_w, value in zip(times, powers, values, strict=True):
        if value is not None and not (value == 0 and rows and rows[-1][2]):
            rows.append((time_s, power_w, value))
    used = 0.0
    for (at_s, earlier_w, earlier), (later_s, later_w, later) in pairwise(rows):
        used += counted_step(earlier, later, later_s - at_s, greater(earlier_w, later_w)) or 0.0
    return first, rows[-1][2], used


def step_into(end: float, first: float, last: float, elapsed_s: float, power_w: float | None = None) -> float | None:
    """What was counted from the last value of a bucket to the first of the next, None where that is not known.

    Where that begins with a zero and is at the old count again, the way back is part of it and taken off.
    """
    return -end if first == 0 and last >= end else counted_step(end, first, elapsed_s, power_w)


def counted_over(parts: Sequence[Sequence[float | None]]) -> Counted:
    """The same of finer buckets one after the other.

    Their first and last times, their greatest powers, and the counter's first values, last values and what was counted.
    """
    begin: float | None = None
    end: float | None = None
    end_w: float | None = None
    end_s = used = 0.0
    for first_s, last_s, power_w, first, last, within in zip(*parts, strict=True):
        if first is None or last is None or first_s is None or last_s is None:
            continue
        if begin is None or end is None:
            begin = first
        elif end and not last:
            continue
        else:
            used += step_into(end, first, last, first_s - end_s, greater(end_w, power_w)) or 0.0
        used += within or 0.0
        end, end_s, end_w = last, last_s, power_w
    return (None, None, None) if begin is None else (begin, end, used)


def added(how: Making, bucket: Row | None, late: Row) -> Row:
    """`bucket` and what came too late for it as one; the rows that made the bucket are not there any more.

    What a counter counted is known where all of it came before or after; else that of the bucket stands.
    """
    if bucket is None:
        return late
    row = dict(bucket)
    samples, more = bucket["samples"], late["samples"]
    row["samples"] = samples + more
    start_s = bucket[how.target.time]
    first_s = start_s if bucket["first_s"] is None else bucket["first_s"]
    last_s = start_s + how.target.period_s if bucket["last_s"] is None else bucket["last_s"]
    row["first_s"], row["last_s"] = min(first_s, late["first_s"]), max(last_s, late["last_s"])
    for name in how.kind.folded:
        row[name] = bucket[name] + late[name] if name == "failures" else max(bucket[name], late[name])
    for field in how.kind.fields:
        low, mean, high = (f"{field}_{figure}" for figure in FIGURES)
        if bucket[mean] is None or late[mean] is None:
            for name in (low, mean, high):
                row[name] = late[name] if bucket[name] is None else bucket[name]
        else:
            row[low], row[high] = min(bucket[low], late[low]), max(bucket[high], late[high])
            row[mean] = (bucket[mean] * samples + late[mean] * more) / (samples + more)
    for field in how.kind.counters:
        names = [f"{field}_{part}" for part in COUNTED]
        old = tuple(bucket[name] for name in names)
        if old[0] is None and bucket[f"{field}_min"] is not None:  # made by an earlier form
            low, high = bucket[f"{field}_min"], bucket[f"{field}_max"]
            old = (low, high, high - low)
        before = (first_s, last_s, _greatest_power(bucket), *old)
        new = (late["first_s"], late["last_s"], _greatest_power(late), *(late[name] for name in names))
        if last_s <= late["first_s"]:
            parts = [before, new]
        elif late["last_s"] <= first_s:
            parts = [new, before]
        else:
            parts = [before if old[0] is not None else new]
        row.update(zip(names, counted_over(list(zip(*parts, strict=True))), strict=True))
    return row


def _greatest_power(bucket: Row) -> float | None:
    return greater(bucket[f"{POWER}_min"], bucket[f"{POWER}_max"])
