"""Rows of a meter's load profile: kept where the history has a gap, known as such, and never twice.

A row stands for the period before its time. It is kept where no reading that came by itself lies in that period; one
that comes later, of that moment or another in the period, takes its place. Where retention has already removed the
readings as they came, the buckets of the finest level that is left say whether there were any.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

import msgspec

from core.meter_records import ProfilePart
from core.store import stale
from core.store.columns import METER_FIELDS
from core.store.kinds import METER
from core.store.stale import Span, merged

SHORTEST_S = 60.0
"""A row of a profile without a period stands for so long at least."""

LONGEST_S = 86400.0
"""No row stands for more than a day."""

_PUT = (
    f"INSERT INTO measurements (meter_id, time_s, quality, is_simulated, {', '.join(METER_FIELDS)})"  # noqa: S608 -- names of our own schema
    f" VALUES (?, ?, ?, ?, {', '.join('?' * len(METER_FIELDS))}) ON CONFLICT (meter_id, time_s) DO UPDATE SET"
    f" quality = max(quality, excluded.quality), "
    f"{', '.join(f'{name} = coalesce(excluded.{name}, {name})' for name in METER_FIELDS)}"
)
_MARK = (
    "INSERT INTO profile_rows (meter_id, time_s, period_s) VALUES (?, ?, ?)"
    " ON CONFLICT (meter_id, time_s) DO UPDATE SET period_s = min(period_s, excluded.period_s)"
)
_KNOWN = "SELECT 1 FROM profile_rows WHERE meter_id = ? AND time_s = ?"
_CAME_BY_ITSELF = (
    "SELECT 1 FROM measurements WHERE meter_id = ? AND time_s > ? AND time_s <= ? AND NOT EXISTS (SELECT 1 FROM"
    " profile_rows WHERE profile_rows.meter_id = measurements.meter_id AND profile_rows.time_s = measurements.time_s)"
    " LIMIT 1"
)


def write_part(cursor: Any, meter: int, part: ProfilePart, qualities: Mapping[Any, int]) -> int:
    """Keep the rows of `part` that fill a gap, inside the caller's transaction; how many."""
    times = [time_s for time_s, _measurement in part.measurements if math.isfinite(time_s)]
    period_s = part.period_s
    if period_s <= 0:
        period_s = median([abs(later - earlier) for earlier, later in pairwise(times)]) if len(times) > 1 else 0.0
    period_s = min(LONGEST_S, max(SHORTEST_S, period_s))
    kept_s = stale.kept_from(cursor, METER, meter)
    written: list[tuple[int, float]] = []
    for time_s, measurement in part.measurements:
        values = msgspec.structs.astuple(measurement)[:-1]  # quality is the last
        if not math.isfinite(time_s) or all(value is None for value in values):
            continue
        is_known = cursor.execute(_KNOWN, (meter, time_s)).fetchone() is not None
        if is_known and time_s < kept_s[0]:
            continue  # it is in the roll-ups already
        if not is_known and not _is_gap(cursor, meter, time_s, period_s, kept_s):
            continue
        cursor.execute(_PUT, (meter, time_s, qualities[measurement.quality], part.is_simulated, *values))
        cursor.execute(_MARK, (meter, time_s, period_s))
        written.append((meter, time_s))
    stale.note_times(cursor, METER, written)
    return len(written)


def _is_gap(cursor: Any, meter: int, time_s: float, period_s: float, kept_s: Sequence[float]) -> bool:
    start_s = time_s - period_s
    if cursor.execute(_CAME_BY_ITSELF, (meter, start_s, time_s)).fetchone() is not None:
        return False
    if start_s >= kept_s[0]:
        return True
    level = next(
        (level for level, from_s in zip(METER.ladder[1:], kept_s[1:], strict=True) if start_s >= from_s),
        METER.ladder[-1],
    )
    cursor.execute(
        f"SELECT {level.time}, samples FROM {level.table.name}"  # noqa: S608 -- names of our own schema
        f" WHERE meter_id = ? AND {level.time} > ? AND {level.time} < ?",
        (meter, start_s - level.period_s, min(time_s, kept_s[0])),
    )
    for bucket_s, samples in cursor.fetchall():
        cursor.execute(
            "SELECT count(*) FROM profile_rows WHERE meter_id = ? AND time_s >= ? AND time_s < ?",
            (meter, bucket_s, bucket_s + level.period_s),
        )
        if cursor.fetchone()[0] < samples:
            return False
    return True


def give_way(cursor: Any, meter: int, times: Sequence[float]) -> None:
    """Remove the rows whose place readings of these times take, which came by themselves and are yet to be written."""
    first_s, last_s = min(times), max(times)
    cursor.execute(
        "SELECT time_s, period_s FROM profile_rows WHERE meter_id = ? AND time_s >= ? AND time_s < ?",
        (meter, first_s, last_s + LONGEST_S),
    )
    gone = [
        (meter, time_s)
        for time_s, period_s in cursor.fetchall()
        if any(time_s - period_s < came_s <= time_s for came_s in times)
    ]
    if gone:
        kept_s = stale.kept_from(cursor, METER, meter)[0]
        gone = [(owner, time_s) for owner, time_s in gone if time_s >= kept_s]  # the others are in the roll-ups
        for table in ("measurements", "profile_rows"):
            cursor.executemany(f"DELETE FROM {table} WHERE meter_id = ? AND time_s = ?", gone)  # noqa: S608 -- as above
        stale.note_times(cursor, METER, gone)


def filled_spans(cursor: Any, meter: int, start_s: float, end_s: float) -> list[Span]:
    """What the rows in a range stand for, as few spans as possible, oldest first."""
    cursor.execute(
        "SELECT max(time_s - period_s, ?), min(time_s, ?) FROM profile_rows"
        " WHERE meter_id = ? AND time_s > ? AND time_s < ? AND time_s - period_s < ?",
        (start_s, end_s, meter, start_s, end_s + LONGEST_S, end_s),
    )
    return merged(cursor.fetchall())
