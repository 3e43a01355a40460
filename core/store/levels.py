"""Which level of the roll-ups answers for which part of a span, without a seam and nothing twice.

The wanted level answers where its buckets are made and wholly within; what is stale, what a cut goes through and what
is not over yet is answered by the level below, down to the rows as they came. Where retention has removed a level, the
next coarser one answers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from core.store import stale
from core.store.kinds import Kind, Level
from core.store.stale import Span

MOST_STRETCHES = 400
_FAR_S = 1e11
"""Beyond any time that is kept; a span without an end ends here."""


class Piece(NamedTuple):
    """A part of a span and its level: those of its rows whose time is from `start_s` to before `end_s`."""

    level: Level
    start_s: float
    end_s: float


class Levels:
    """The levels of one owner, as they stand in the transaction of `cursor`."""

    def __init__(self, cursor: Any, kind: Kind, owner: int) -> None:
        self.kind = kind
        self.owner = owner
        self._cursor = cursor
        self._kept = stale.kept_from(cursor, kind, owner)
        self._stale = stale.stale_spans(cursor, kind, owner)

    def kept_from(self, place: int) -> float:
        """Before which time the rows at that place of the ladder were removed."""
        return self._kept[place]

    def ends(self) -> Span | None:
        """First and last time of anything that is kept; a bucket counts to its end."""
        firsts, lasts = [], []
        for level in self.kind.ladder:
            where = f"FROM {level.table.name} WHERE {self.kind.owner_id} = ?"
            self._cursor.execute(f"SELECT min({level.time}) {where}", (self.owner,))
            first_s = self._cursor.fetchone()[0]
            if first_s is not None:
                self._cursor.execute(f"SELECT max({level.time}) {where}", (self.owner,))
                firsts.append(float(first_s))
                lasts.append(float(self._cursor.fetchone()[0]) + level.period_s)
        return (min(firsts), max(lasts)) if firsts else None

    def rows_at_most(self, place: int, start_s: float, end_s: float, limit: int) -> bool:
        """True where that level has no more than `limit` rows in the span."""
        level = self.kind.ladder[place]
        self._cursor.execute(
            f"SELECT 1 FROM {level.table.name} WHERE {self.kind.owner_id} = ?"  # noqa: S608 -- names of our own schema
            f" AND {level.time} >= ? AND {level.time} < ? LIMIT 1 OFFSET ?",
            (self.owner, start_s, end_s, limit),
        )
        return self._cursor.fetchone() is None

    def pieces(
        self, start_s: float, end_s: float, wanted: int, cuts: Sequence[float] = (), most: int = MOST_STRETCHES
    ) -> list[Piece]:
        """The parts of the span, oldest first, at the place `wanted` of the ladder where that can be.

        No bucket goes over one of `cuts` as long as there is something finer. Where more than `most` stretches of a
        level cannot answer, what lies between the nearest of them is answered by the finer level too.
        """
        found: list[Piece] = []
        start_s, end_s = max(start_s, -_FAR_S), min(end_s, _FAR_S)
        ordered = sorted((start_s, end_s, *cuts))
        top = len(self.kind.ladder) - 1
        until_s = end_s
        for place in range(wanted, top + 1):  # the finest first: it is kept for the least time
            from_s = start_s if place == top else max(start_s, self._kept[place])
            if from_s < until_s:
                found[:0] = self._split(place, from_s, until_s, ordered, most)
                until_s = from_s
        return _joined(found)

    def _split(self, place: int, start_s: float, end_s: float, cuts: Sequence[float], most: int) -> Iterator[Piece]:
        level = self.kind.ladder[place]
        if place == 0:
            yield Piece(level, start_s, end_s)
            return
        finer_from_s = max(start_s, self._kept[place - 1])
        rough: list[Span] = [
            (level.floor(first_s), level.ceil(last_s))
            for number, first_s, last_s in self._stale
            if number <= level.number and last_s > start_s and first_s < end_s
        ]
        rough += [
            (level.floor(cut_s), level.ceil(cut_s))
            for cut_s in cuts[bisect_left(cuts, start_s) : bisect_right(cuts, end_s)]
            if cut_s % level.period_s
        ]
        at_s = start_s
        for rough_from_s, rough_until_s in _fewer(stale.merged(rough), most):
            from_s, until_s = max(rough_from_s, finer_from_s), min(rough_until_s, end_s)
            if from_s >= until_s:
                continue
            if at_s < from_s:
                yield Piece(level, at_s, from_s)
            yield from self._split(place - 1, from_s, until_s, cuts, most)
            at_s = until_s
        if at_s < end_s:
            yield Piece(level, at_s, end_s)


def _fewer(spans: list[Span], most: int) -> list[Span]:
    """At most `most` spans that lie over the same times: the nearest ones are joined."""
    if len(spans) <= most:
        return spans
    gaps = sorted(later[0] - earlier[1] for earlier, later in pairwise(spans))
    joined_s = gaps[len(spans) - most - 1]
    found = spans[:1]
    for start_s, end_s in spans[1:]:
        if start_s - found[-1][1] <= joined_s:
            found[-1] = (found[-1][0], end_s)
        else:
            found.append((start_s, end_s))
    return found


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    found: list[Piece] = []
    for piece in pieces:
        if found and found[-1].level is piece.level and found[-1].end_s == piece.start_s:
            found[-1] = Piece(piece.level, found[-1].start_s, piece.end_s)
        else:
            found.append(piece)
    return found
