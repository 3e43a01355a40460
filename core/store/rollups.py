"""Retention: rows live on in the buckets of the next level when they are too old; the last ones and all the rest end.

Nothing is removed before what it makes is made. Each transaction removes at most some hours of rows, so that nobody
waits long for the database.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, func, select

from core.store import schema, stale
from core.store.alarms import OPEN
from core.store.connection import reading, writing
from core.store.folding import STEP_S, fold_step
from core.store.kinds import DAY_S, KINDS, REGISTER, SENSOR, Kind

CHUNK_ROWS = 7200
"""Rows that a statement removes at most."""


class Retention(Protocol):
    """Days that rows are kept."""

    @property
    def raw_days(self) -> int:
        """Meter readings, measures of sensors and results of checks as they came."""

    @property
    def minute_days(self) -> int:
        """Minutes."""

    @property
    def quarter_days(self) -> int:
        """Quarters of an hour, commands, events, alarms, lines of the room."""

    @property
    def hour_days(self) -> int:
        """Hours."""

    @property
    def day_days(self) -> int:
        """Days."""


def retention_steps(connection: Connection, retention: Retention, now_s: float) -> Iterator[int]:
    """Make and remove what is older than `retention` says, a short transaction a step; rows removed by each.

    No level ends before the one below it, whatever the settings say.
    """
    while fold_step(connection, now_s):
        yield 0
    days = (
        retention.raw_days,
        retention.minute_days,
        retention.quarter_days,
        retention.hour_days,
        retention.day_days,
    )
    for kind in KINDS.values():
        kept = accumulate((days[level.number] for level in kind.ladder), max)
        for place, kept_days in enumerate(kept):
            yield from _remove(connection, kind, place, now_s - kept_days * DAY_S)
    yield from _remove_processes(connection, now_s - retention.minute_days * DAY_S)
    profile_rows = schema.profile_rows  # known for as long as anything that they were made part of
    ends = [(profile_rows, profile_rows.c.time_s < now_s - max(days) * DAY_S)]
    for table, is_over in [*ends, *_ends(now_s - max(retention.quarter_days, retention.raw_days) * DAY_S)]:
        with writing(connection):
            removed = connection.execute(delete(table).where(is_over)).rowcount
        yield removed
    yield from _forget_series(connection)


def _remove(connection: Connection, kind: Kind, place: int, before_s: float) -> Iterator[int]:
    level = kind.ladder[place]
    above = kind.ladder[min(place + 1, len(kind.ladder) - 1)]
    limit_s = above.floor(before_s) if place else before_s // 900 * 900  # a quarter of an hour goes whole
    when, owner = level.table.c[level.time], level.table.c[kind.owner_id]
    is_due = exists().where(owner == kind.owners.c.id, when < limit_s)
    with reading(connection):
        numbers = list(connection.execute(select(kind.owners.c.id).where(is_due)).scalars())
    while numbers:
        removed = 0
        until_s = time.monotonic() + STEP_S
        with writing(connection):
            cursor = connection.connection.cursor()
            try:
                while numbers and time.monotonic() < until_s:
                    count = _remove_some(cursor, kind, place, numbers[-1], int(limit_s))
                    removed += count
                    if count == 0:
                        numbers.pop()
            finally:
                cursor.close()
        yield removed


def _remove_some(cursor: Any, kind: Kind, place: int, owner: int, limit_s: int) -> int:
    """Remove some of the oldest rows of one owner, inside the caller's transaction; how many."""
    level, above = kind.ladder[place], kind.ladder[min(place + 1, len(kind.ladder) - 1)]
    where = f"{kind.owner_id} = ? AND {level.time} < ?"
    cursor.execute(
        f"SELECT {level.time} FROM {level.table.name} WHERE {where} ORDER BY {level.time} LIMIT 1 OFFSET ?",  # noqa: S608 -- names of our own schema
        (owner, limit_s, CHUNK_ROWS),
    )
    row = cursor.fetchone()
    end_s = limit_s if row is None else min(limit_s, above.ceil(row[0]))
    (first_stale_s,) = cursor.execute(
        "SELECT min(start_s) FROM stale_buckets WHERE kind = ? AND owner_id = ? AND level <= ?",
        (kind.word, owner, above.number),
    ).fetchone()
    if place + 1 < len(kind.ladder) and first_stale_s is not None:
        end_s = min(end_s, above.floor(first_stale_s))  # what is not made yet is not removed
    cursor.execute(f"DELETE FROM {level.table.name} WHERE {where}", (owner, end_s))  # noqa: S608 -- as above
    removed: int = cursor.rowcount
    if removed:
        stale.removed_before(cursor, kind, level, owner, end_s)
        if kind is SENSOR and place == 0:
            cursor.execute("UPDATE sensor_series SET samples = samples - ? WHERE id = ?", (removed, owner))
    return removed


def _remove_processes(connection: Connection, before_s: float) -> Iterator[int]:
    """Which processes used most is known as long as the minutes themselves."""
    table = schema.minute_processes
    with reading(connection):
        numbers = list(connection.execute(select(schema.machines.c.id)).scalars())
    while numbers:
        removed = 0
        until_s = time.monotonic() + STEP_S
        with writing(connection):
            while numbers and time.monotonic() < until_s:
                is_over = (table.c.machine_id == numbers.pop()) & (table.c.minute_s < before_s)
                removed += connection.execute(delete(table).where(is_over)).rowcount
        yield removed


def _ends(before_s: float) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """What is removed for good, in an order that the keys between the tables allow."""
    for table in (schema.commands, schema.events, schema.chat_lines):
        yield table, table.c.time_s < before_s
    alarms = schema.alarms
    is_open = alarms.c.state.in_([state.value for state in OPEN])
    yield alarms, (alarms.c.changed_s < before_s) & ~is_open
    yield schema.maintenances, schema.maintenances.c.end_s < before_s
    for kind in (SENSOR, REGISTER):
        has_rows = [exists().where(level.table.c[kind.owner_id] == kind.owners.c.id) for level in kind.ladder]
        is_over = ~has_rows[0]
        for has in has_rows[1:]:
            is_over &= ~has
        if kind is SENSOR:
            is_over &= schema.sensor_series.c.last_s < before_s
        yield kind.owners, is_over


def _forget_series(connection: Connection) -> Iterator[int]:
    """The list of series begins with what is still there; one that is wholly gone is not on it."""
    spans = schema.series_spans
    with writing(connection):
        for kind in KINDS.values():
            last = kind.ladder[-1]
            kept_s = (
                select(func.max(schema.kept_from.c.from_s))
                .where(
                    schema.kept_from.c.kind == kind.word,
                    schema.kept_from.c.level == last.number,
                    schema.kept_from.c.owner_id == spans.c.owner_id,
                )
                .scalar_subquery()
            )
            of_kind = spans.c.kind == kind.word
            connection.execute(delete(spans).where(of_kind, spans.c.last_s < kept_s))
            connection.execute(spans.update().where(of_kind, spans.c.first_s < kept_s).values(first_s=kept_s))
            if kind in (SENSOR, REGISTER):
                for table in (spans, schema.kept_from, schema.stale_buckets):
                    is_gone = table.c.owner_id.not_in(select(kind.owners.c.id))
                    connection.execute(delete(table).where(table.c.kind == kind.word, is_gone))
    yield 0
