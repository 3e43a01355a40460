"""The list of all series: what their buckets say is noted when they are made, only what is newer is counted."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from core.records import SeriesInfo
from core.store.kinds import CHECK, MACHINE, METER, REGISTER, SENSOR, Kind

LONG_S = 86400
"""Where so much is not in buckets yet, the first and last times are looked up, not gathered."""


def series(connection: Connection) -> list[SeriesInfo]:
    """All series that have a value: of meters (with their further registers), machines, sensors and checks, by name.

    The count is of values; what a bucket holds counts as often as it has rows.
    """
    found: list[SeriesInfo] = []
    cursor = connection.connection.cursor()
    try:
        for kind in (METER, REGISTER, MACHINE, SENSOR, CHECK):
            known = _noted(cursor, kind)
            _add_newer(cursor, kind, known)
            found += _infos(connection, kind, known)
    finally:
        cursor.close()
    return found


Spans = dict[int, dict[str, tuple[float, float, int]]]


def _noted(cursor: Any, kind: Kind) -> Spans:
    spans: Spans = {}
    cursor.execute("SELECT owner_id, field, first_s, last_s, samples FROM series_spans WHERE kind = ?", (kind.word,))
    for owner, field, first_s, last_s, samples in cursor:
        if samples > 0:
            spans.setdefault(owner, {})[field] = (first_s, last_s, samples)
    return spans


def _add_newer(cursor: Any, kind: Kind, known: Spans) -> None:
    """What is in the rows that no bucket is made of yet."""
    fine, first = kind.ladder[0], kind.ladder[1]
    values = {field: field if kind.is_raw else f"{field}_mean" for field in kind.fields}
    figures = ", ".join(
        f"count({value}), min(CASE WHEN {value} IS NOT NULL THEN {fine.time} END),"
        f" max(CASE WHEN {value} IS NOT NULL THEN {fine.time} END)"
        for value in values.values()
    )
    source = (
        f"FROM stale_buckets s JOIN {fine.table.name} f ON f.{kind.owner_id} = s.owner_id"
        f" AND f.{fine.time} >= s.start_s AND f.{fine.time} < s.end_s WHERE s.level = {first.number} AND s.kind = ?"
    )
    cursor.execute(  # names of our own schema
        f"SELECT s.owner_id, {figures} {source} AND s.end_s - s.start_s <= {LONG_S} GROUP BY s.owner_id", (kind.word,)
    )
    for owner, *counted in cursor.fetchall():
        for place, field in enumerate(values):
            _add(known, owner, field, *counted[3 * place : 3 * place + 3])
    cursor.execute(
        f"SELECT owner_id, start_s, end_s FROM stale_buckets WHERE level = {first.number} AND kind = ?"  # noqa: S608 -- as above
        f" AND end_s - start_s > {LONG_S}",
        (kind.word,),
    )
    for owner, start_s, end_s in cursor.fetchall():
        where = f"FROM {fine.table.name} WHERE {kind.owner_id} = ? AND {fine.time} >= ? AND {fine.time} < ?"
        counts = ", ".join(f"count({value})" for value in values.values())
        samples = cursor.execute(f"SELECT {counts} {where}", (owner, start_s, end_s)).fetchone()
        for (field, value), count in zip(values.items(), samples, strict=True):
            if count:
                seek = f"SELECT {fine.time} {where} AND {value} IS NOT NULL ORDER BY {fine.time}"
                (first_s,) = cursor.execute(f"{seek} LIMIT 1", (owner, start_s, end_s)).fetchone()
                (last_s,) = cursor.execute(f"{seek} DESC LIMIT 1", (owner, start_s, end_s)).fetchone()
                _add(known, owner, field, count, first_s, last_s)


def _add(known: Spans, owner: int, field: str, count: int, first_s: float, last_s: float) -> None:
    if count:
        fields = known.setdefault(owner, {})
        old = fields.get(field, (first_s, last_s, 0))
        fields[field] = (min(old[0], first_s), max(old[1], last_s), old[2] + count)


def _infos(connection: Connection, kind: Kind, known: Spans) -> list[SeriesInfo]:
    owners, found = kind.owners, []
    has_unit = kind in (SENSOR, REGISTER)
    columns = [owners.c.id, owners.c.name, *([owners.c.unit] if has_unit else [])]
    for number, name, *unit in connection.execute(select(*columns).order_by(owners.c.name)):
        fields = known.get(number)
        if fields is None:
            continue
        for field, own_unit in kind.fields.items():
            span = fields.get(field)
            if span is not None:
                full = kind.series_name(name, field)
                found.append(
                    SeriesInfo(
                        name=full,
                        unit=unit[0] if has_unit else own_unit,
                        first_s=float(span[0]),
                        last_s=float(span[1]),
                        count=span[2],
                    )
                )
    return found
