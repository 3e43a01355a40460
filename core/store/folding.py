"""Makes the roll-ups by and by: minutes of rows, quarters of minutes, hours of quarters, days of hours.

A writing only notes which buckets are stale; who has time to spare (the recorder's thread, between two batches) makes
those that are over, a short transaction a step. A bucket is made of what is below it, so making it again changes
nothing, and its note goes in the same transaction: `kill -9` between loses nothing and doubles nothing. Only where
retention has removed the rows below is what came too late added to the bucket, and then removed itself.
"""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection

from core.store import stale
from core.store.buckets import Making, Row, added, made, making
from core.store.connection import path_of, told, writing
from core.store.kinds import KINDS, Kind

STEP_S = 0.02
"""A transaction makes buckets for so long; with its commit it holds the database some 30 ms."""

GRACE_S = 5.0
"""A bucket is made so long after its end: what was measured in it may still be on its way."""

_PERIODS = {level.number: level.period_s for kind in KINDS.values() for level in kind.ladder[1:]}
"""Of each level above the rows, finest first."""

_MARKS = 100

_DUE = " UNION ALL ".join(
    f"SELECT * FROM (SELECT {number} FROM stale_buckets WHERE level = {number} AND start_s <= ? LIMIT 1)"  # noqa: S608 -- numbers
    for number in sorted(_PERIODS)
)


def is_due(connection: Connection, now_s: float) -> bool:
    """True where a bucket that is over at `now_s` is to be made."""
    with told(path_of(connection)):
        cursor = connection.connection.cursor()
        try:
            latest = [now_s - GRACE_S - _PERIODS[number] for number in sorted(_PERIODS)]
            return cursor.execute(_DUE, latest).fetchone() is not None
        finally:
            cursor.close()


def fold_step(connection: Connection, now_s: float, step_s: float = STEP_S) -> bool:
    """Make stale buckets that are over at `now_s` for some 20 ms; False when none is left."""
    if not is_due(connection, now_s):
        return False
    with writing(connection):
        cursor = connection.connection.cursor()
        try:
            _Step(cursor, now_s - GRACE_S, time.monotonic() + step_s).run()
        finally:
            cursor.close()
    return True


class _Step:
    """One transaction of making."""

    def __init__(self, cursor: Any, closed_s: float, until_s: float) -> None:
        self._cursor = cursor
        self._closed_s = closed_s
        self._until_s = until_s
        self._kept: dict[tuple[str, int], list[float]] = {}
        self._spans: dict[tuple[str, int, str], tuple[float, float, int]] = {}

    def run(self) -> None:
        for number in sorted(_PERIODS):
            while marks := self._cursor.execute(
                "SELECT start_s, kind, owner_id, end_s FROM stale_buckets WHERE level = ? AND start_s <= ? LIMIT ?",
                (number, self._closed_s - _PERIODS[number], _MARKS),
            ).fetchall():
                for start_s, word, owner, end_s in marks:
                    self._follow(KINDS[word], number, owner, start_s, end_s)
                    if time.monotonic() >= self._until_s:
                        self._write_spans()
                        return
        self._write_spans()

    def _follow(self, kind: Kind, number: int, owner: int, start_s: int, end_s: int) -> None:
        """Make the buckets of one note as far as they are over and there is time, and note what is above them."""
        place = next(place for place, level in enumerate(kind.ladder) if level.number == number)
        how = making(kind.word, place)
        self._cursor.execute(
            "DELETE FROM stale_buckets WHERE level = ? AND start_s = ? AND kind = ? AND owner_id = ?",
            (number, start_s, kind.word, owner),
        )
        done_s = self._made_until(how, place, owner, start_s, end_s)
        if done_s < end_s:
            stale.note(self._cursor, kind, how.target, [(owner, done_s, end_s)])
        if place + 1 < len(kind.ladder) and done_s > start_s:
            above = kind.ladder[place + 1]
            stale.note(self._cursor, kind, above, [(owner, above.floor(start_s), above.ceil(done_s))])

    def _made_until(self, how: Making, place: int, owner: int, start_s: int, end_s: int) -> int:
        period_s = how.target.period_s
        next_row = (
            f"SELECT min({how.source.time}) FROM {how.source.table.name}"  # noqa: S608 -- names of our own schema
            f" WHERE {how.kind.owner_id} = ? AND {how.source.time} >= ? AND {how.source.time} < ?"
        )
        kept_s = self._kept_from(how.kind, owner)[place - 1]
        while start_s < end_s and start_s + period_s <= self._closed_s:
            (row_s,) = self._cursor.execute(next_row, (owner, start_s, end_s)).fetchone()
            bucket_s = end_s if row_s is None else how.target.floor(row_s)
            if bucket_s > start_s:
                self._clear(how, place, owner, max(start_s, kept_s), bucket_s)
                start_s = bucket_s
                continue
            self._make(how, place, owner, start_s, has_source=start_s >= kept_s)
            start_s += period_s
            if time.monotonic() >= self._until_s:
                break
        return start_s

    def _make(self, how: Making, place: int, owner: int, start_s: int, *, has_source: bool) -> None:
        bucket = None
        if place == 1 or not has_source:
            bucket = next(iter(self._held(how, owner, start_s, start_s + how.target.period_s)), None)
        found = made(self._cursor, how, owner, start_s)
        if found is None:
            return
        if place == 1:
            if has_source:
                self._count(how.kind, owner, bucket, -1)
            self._count(how.kind, owner, found, 1)
        if not has_source:
            self._cursor.execute(
                f"DELETE FROM {how.source.table.name} WHERE {how.kind.owner_id} = ?"  # noqa: S608 -- as above
                f" AND {how.source.time} >= ? AND {how.source.time} < ?",
                (owner, start_s, start_s + how.target.period_s),
            )
            found = added(how, bucket, found)
        self._cursor.execute(how.put, [found[name] for name in how.columns])

    def _clear(self, how: Making, place: int, owner: int, start_s: float, end_s: int) -> None:
        """Remove buckets that nothing is left of below."""
        if start_s >= end_s:
            return
        if place == 1:
            for bucket in self._held(how, owner, start_s, end_s):
                self._count(how.kind, owner, bucket, -1)
        self._cursor.execute(
            f"DELETE FROM {how.target.table.name} WHERE {how.kind.owner_id} = ?"  # noqa: S608 -- as above
            f" AND {how.target.time} >= ? AND {how.target.time} < ?",
            (owner, start_s, end_s),
        )

    def _held(self, how: Making, owner: int, start_s: float, end_s: int) -> list[Row]:
        rows = self._cursor.execute(how.held, (owner, start_s, end_s)).fetchall()
        return [dict(zip(how.columns, row, strict=True)) for row in rows]

    def _kept_from(self, kind: Kind, owner: int) -> list[float]:
        known = self._kept.get((kind.word, owner))
        if known is None:
            known = self._kept[kind.word, owner] = stale.kept_from(self._cursor, kind, owner)
        return known

    def _count(self, kind: Kind, owner: int, bucket: Row | None, sign: int) -> None:
        """Note what a bucket means for the list of series: more samples, or fewer."""
        if bucket is None:
            return
        for field in kind.fields:
            if bucket[f"{field}_mean"] is None:
                continue
            key = (kind.word, owner, field)
            first_s, last_s, samples = self._spans.get(key, (bucket["first_s"], bucket["last_s"], 0))
            self._spans[key] = (
                min(first_s, bucket["first_s"]),
                max(last_s, bucket["last_s"]),
                samples + sign * bucket["samples"],
            )

    def _write_spans(self) -> None:
        self._cursor.executemany(
            "INSERT INTO series_spans (kind, owner_id, field, first_s, last_s, samples) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (kind, owner_id, field) DO UPDATE SET first_s = min(first_s, excluded.first_s),"
            " last_s = max(last_s, excluded.last_s), samples = samples + excluded.samples",
            [(*key, *span) for key, span in self._spans.items()],
        )
