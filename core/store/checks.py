"""Results of checks: written, and read as records; their curves are read by `core.store.reading`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, select, update

from core.site_records import CheckResult, CheckState
from core.store.schema import check_quarters, check_results, checks

_NAME = "INSERT INTO checks (name, target) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET target = excluded.target"
_INSERT = (
    "INSERT INTO check_results (check_id, time_s, state, status, latency_ms, certificate_days, error)"
    " SELECT id, ?, ?, ?, ?, ?, ? FROM checks WHERE name = ?"
    " ON CONFLICT (check_id, time_s) DO UPDATE SET state = excluded.state, status = excluded.status,"
    " latency_ms = excluded.latency_ms, certificate_days = excluded.certificate_days, error = excluded.error"
)


def write_results(connection: Connection, results: Sequence[CheckResult]) -> None:
    """Write results, inside the caller's transaction; of two of one check at one time the later one stands."""
    if results:
        targets = {result.check: result.target for result in results}
        connection.exec_driver_sql(_NAME, list(targets.items()))
        connection.exec_driver_sql(_INSERT, [_values(result) for result in results])


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
    for table in (check_results, check_quarters):
        own = table.c.check_id == number
        connection.execute(update(table).where(own).values(check_id=other).prefix_with("OR IGNORE"))
        connection.execute(delete(table).where(own))
    connection.execute(delete(checks).where(checks.c.id == number))


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
