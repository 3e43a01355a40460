"""Results of checks: written, and read as records; their curves are read by `core.store.reading`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, select, update

from core.site_records import CheckResult, CheckState
from core.store import stale
from core.store.kinds import CHECK
from core.store.schema import check_results, checks

_NAME = "INSERT INTO checks (name, target) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET target = excluded.target"
_INSERT = (
    "INSERT INTO check_results (check_id, time_s, state, status, latency_ms, certificate_days, error)"
    " SELECT id, ?, ?, ?, ?, ?, ? FROM checks WHERE name = ?"
    " ON CONFLICT (check_id, time_s) DO UPDATE SET state = excluded.state, status = excluded.status,"
    " latency_ms = excluded.latency_ms, certificate_days = excluded.certificate_days, error = excluded.error"
)

_JOIN = (
    "INSERT INTO kept_from (kind, owner_id, level, from_s)"
    " SELECT kind, :new, level, from_s FROM kept_from WHERE kind = 'check' AND owner_id = :old"
    " ON CONFLICT DO UPDATE SET from_s = max(from_s, excluded.from_s)",
    "INSERT INTO stale_buckets (level, start_s, kind, owner_id, end_s)"
    " SELECT level, start_s, kind, :new, end_s FROM stale_buckets WHERE kind = 'check' AND owner_id = :old"
    " ON CONFLICT DO UPDATE SET end_s = max(end_s, excluded.end_s)",
    "INSERT INTO series_spans (kind, owner_id, field, first_s, last_s, samples)"
    " SELECT kind, :new, field, first_s, last_s, samples FROM series_spans WHERE kind = 'check' AND owner_id = :old"
    " ON CONFLICT DO UPDATE SET first_s = min(first_s, excluded.first_s), last_s = max(last_s, excluded.last_s),"
    " samples = samples + excluded.samples",
    "DELETE FROM kept_from WHERE kind = 'check' AND owner_id = :old",
    "DELETE FROM stale_buckets WHERE kind = 'check' AND owner_id = :old",
    "DELETE FROM series_spans WHERE kind = 'check' AND owner_id = :old",
)
"""What is noted of one check becomes that of another."""


def write_results(connection: Connection, results: Sequence[CheckResult]) -> None:
    """Write results, inside the caller's transaction; of two of one check at one time the later one stands."""
    if results:
        targets = {result.check: result.target for result in results}
        connection.exec_driver_sql(_NAME, list(targets.items()))
        connection.exec_driver_sql(_INSERT, [_values(result) for result in results])
        numbers = {row.name: row.id for row in connection.execute(select(checks.c.name, checks.c.id))}
        cursor = connection.connection.cursor()
        try:
            stale.note_times(cursor, CHECK, ((numbers[result.check], result.time_s) for result in results))
        finally:
            cursor.close()


def _values(result: CheckResult) -> tuple[Any, ...]:
    return (
        result.time_s,
        result.state.value,
        result.status,
        result.latency_ms,
        result.certificate_days,
        result.error,
        result.check,
    )


def rename(connection: Connection, old: str, new: str) -> None:
    """Let all that is kept of `old` be that of `new`, inside the caller's transaction; what `new` has already stays."""
    number = connection.scalar(select(checks.c.id).where(checks.c.name == old))
    other = connection.scalar(select(checks.c.id).where(checks.c.name == new))
    if number is None or number == other:
        return
    if other is None:
        connection.execute(update(checks).where(checks.c.id == number).values(name=new))
        return
    for level in CHECK.ladder:
        own = level.table.c.check_id == number
        connection.execute(update(level.table).where(own).values(check_id=other).prefix_with("OR IGNORE"))
        connection.execute(delete(level.table).where(own))
    _join_books(connection, number, other)
    connection.execute(delete(checks).where(checks.c.id == number))


def _join_books(connection: Connection, number: int, other: int) -> None:
    """What is noted of `number` is noted of `other`; the buckets that both had are made anew."""
    cursor = connection.connection.cursor()
    try:
        for statement in _JOIN:
            cursor.execute(statement, {"old": number, "new": other})
        first_s = stale.kept_from(cursor, CHECK, other)[0]
        cursor.execute("SELECT min(time_s), max(time_s) FROM check_results WHERE check_id = ?", (other,))
        for start_s, end_s in cursor.fetchall():
            if end_s is None:
                continue
            minutes = CHECK.ladder[1]
            span = (other, minutes.floor(max(start_s, first_s)), minutes.floor(end_s) + minutes.period_s)
            stale.note(cursor, CHECK, minutes, [span])
    finally:
        cursor.close()


def _results() -> Select[Any]:
    return select(check_results, checks.c.name, checks.c.target).join(checks, checks.c.id == check_results.c.check_id)


def _record(row: Row[Any]) -> CheckResult:
    return CheckResult(
        check=row.name,
        target=row.target,
        state=CheckState(row.state),
        time_s=row.time_s,
        status=row.status,
        latency_ms=row.latency_ms,
        certificate_days=row.certificate_days,
        error=row.error,
    )


def last_results(connection: Connection) -> list[CheckResult]:
    """The newest result of each check, by name."""
    inner = check_results.alias()
    newest = select(func.max(inner.c.time_s)).where(inner.c.check_id == checks.c.id).scalar_subquery()
    statement = _results().where(check_results.c.time_s == newest).order_by(checks.c.name)
    return [_record(row) for row in connection.execute(statement)]


def results(connection: Connection, check: str, start_s: float, end_s: float, limit: int) -> list[CheckResult]:
    """The last `limit` results of one check from `start_s` to before `end_s`, oldest first."""
    when = check_results.c.time_s
    statement = _results().where(checks.c.name == check, when >= start_s, when < end_s)
    rows = connection.execute(statement.order_by(when.desc()).limit(limit)).all()
    return [_record(row) for row in reversed(rows)]
