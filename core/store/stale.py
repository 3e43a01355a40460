"""Which buckets are to be made, or made anew: noted in the transaction that writes what is below them.

So neither `kill -9` nor another program can part a row from its note. Who reads goes below a stale bucket, down to the
rows as they came: what is noted here is never shown, and never missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from core.store.kinds import Kind, Level

Span = tuple[float, float]

_NOTE = (
    "INSERT INTO stale_buckets (level, start_s, kind, owner_id, end_s) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (level, start_s, kind, owner_id) DO UPDATE SET end_s = max(end_s, excluded.end_s)"
)


def note(cursor: Any, kind: Kind, level: Level, spans: Iterable[tuple[int, int, int]]) -> None:
    """Note (owner, start, end), on the grid of `level`, inside the caller's transaction."""
    cursor.executemany(_NOTE, [(level.number, start, kind.word, owner, end) for owner, start, end in spans])


def note_times(cursor: Any, kind: Kind, times: Iterable[tuple[int, float]]) -> None:
    """Note the buckets above rows as they came: (owner, time) each, in any order."""
    level = kind.ladder[1]
    period_s = level.period_s
    spans: list[tuple[int, int, int]] = []
    for owner, bucket in sorted({(owner, time_s // period_s) for owner, time_s in times}):
        start_s = int(bucket) * period_s
        if spans and spans[-1][0] == owner and spans[-1][2] == start_s:
            spans[-1] = (owner, spans[-1][1], start_s + period_s)
        else:
            spans.append((owner, start_s, start_s + period_s))
    note(cursor, kind, level, spans)


def stale_spans(cursor: Any, kind: Kind, owner: int) -> list[tuple[int, int, int]]:
    """(number of the level, start, end) of one owner's."""
    cursor.execute(
        "SELECT level, start_s, end_s FROM stale_buckets WHERE kind = ? AND owner_id = ?", (kind.word, owner)
    )
    found: list[tuple[int, int, int]] = cursor.fetchall()
    return found


def kept_from(cursor: Any, kind: Kind, owner: int) -> list[float]:
    """For each level of the ladder: before which time its rows were removed."""
    cursor.execute("SELECT level, from_s FROM kept_from WHERE kind = ? AND owner_id = ?", (kind.word, owner))
    known = dict(cursor.fetchall())
    return [known.get(level.number, float("-inf")) for level in kind.ladder]


def removed_before(cursor: Any, kind: Kind, level: Level, owner: int, before_s: int) -> None:
    """Say that the rows of `level` before a time are gone, inside the transaction that removes them."""
    cursor.execute(
        "INSERT INTO kept_from (kind, owner_id, level, from_s) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (kind, owner_id, level) DO UPDATE SET from_s = max(from_s, excluded.from_s)",
        (kind.word, owner, level.number, before_s),
    )


def merged(spans: Iterable[Span]) -> list[Span]:
    """The spans as few as possible, oldest first."""
    found: list[Span] = []
    for start_s, end_s in sorted(spans):
        if found and start_s <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end_s))
        elif start_s < end_s:
            found.append((start_s, end_s))
    return found
