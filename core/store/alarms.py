"""Alarms and maintenances: written by who watches, changed by operators of any process, read newest first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, func, or_, select
from sqlalchemy.dialects.sqlite import insert

from core.site_records import Alarm, AlarmSeverity, AlarmState, Maintenance
from core.store.schema import alarms, maintenances, operators

OPEN = tuple(state for state in AlarmState if state.is_open)

_NUMBERS_AT_ONCE = 500

_INSERT = (
    "INSERT INTO alarms (id, source, rule, severity, state, since_s, changed_s, text, value, threshold, unit, until_s,"
    " operator_id, comment, quantity) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET source = excluded.source, rule = excluded.rule, severity = excluded.severity,"
    " state = CASE WHEN excluded.state = 'active' AND state = 'acknowledged' THEN state ELSE excluded.state END,"
    " since_s = excluded.since_s, changed_s = excluded.changed_s, text = excluded.text, value = excluded.value,"
    " threshold = excluded.threshold, unit = excluded.unit, until_s = excluded.until_s, quantity = excluded.quantity,"
    " operator_id = CASE WHEN excluded.state = 'active' AND state = 'ignored' THEN excluded.operator_id"
    " ELSE coalesce(excluded.operator_id, operator_id) END,"
    " comment = CASE WHEN excluded.state = 'active' AND state = 'ignored' THEN excluded.comment"
    " ELSE coalesce(excluded.comment, comment) END"
    " WHERE excluded.changed_s >= changed_s"
)
"""An alarm that was acknowledged by another process stays so where the watch, which does not know yet, writes it as
active; what rings again after its end, or after a maintenance that had muted it, is active anew; and what is older than
what is there changes nothing."""

OperatorId = Callable[[str], int]


def write_alarms(connection: Connection, records: Sequence[Alarm], operator_id: OperatorId) -> None:
    """Write alarms as they stand now, inside the caller's transaction."""
    if records:
        connection.exec_driver_sql(_INSERT, [_values(alarm, operator_id) for alarm in records])


def _values(alarm: Alarm, operator_id: OperatorId) -> tuple[Any, ...]:
    return (
        alarm.id,
        alarm.source,
        alarm.rule,
        alarm.severity.value,
        alarm.state.value,
        alarm.since_s,
        alarm.changed_s,
        alarm.text,
        alarm.value,
        alarm.threshold,
        alarm.unit,
        alarm.until_s,
        None if alarm.operator is None else operator_id(alarm.operator),
        alarm.comment,
        alarm.quantity,
    )


def _alarms() -> Select[Any]:
    return select(alarms, operators.c.name.label("operator")).join(
        operators, operators.c.id == alarms.c.operator_id, isouter=True
    )


def _alarm(row: Row[Any]) -> Alarm:
    return Alarm(
        id=row.id,
        source=row.source,
        rule=row.rule,
        severity=AlarmSeverity(row.severity),
        state=AlarmState(row.state),
        since_s=row.since_s,
        changed_s=row.changed_s,
        text=row.text,
        value=row.value,
        threshold=row.threshold,
        unit=row.unit,
        until_s=row.until_s,
        operator=row.operator,
        comment=row.comment,
        quantity=row.quantity,
    )


def found_alarms(
    connection: Connection, states: Collection[AlarmState] | None, limit: int | None, search: str, since_s: float | None
) -> list[Alarm]:
    """Alarms, newest first; `since_s` keeps those that stood at some time since then."""
    statement = _alarms().order_by(alarms.c.since_s.desc(), alarms.c.id.desc()).limit(limit)
    if states is not None:
        statement = statement.where(alarms.c.state.in_([state.value for state in states]))
    if since_s is not None:
        is_open = alarms.c.state.in_([state.value for state in OPEN])
        statement = statement.where(or_(alarms.c.changed_s >= since_s, is_open))
    if search:
        columns = (alarms.c.source, alarms.c.rule, alarms.c.text, alarms.c.comment, operators.c.name)
        statement = statement.where(or_(*(column.icontains(search, autoescape=True) for column in columns)))
    return [_alarm(row) for row in connection.execute(statement)]


def last_alarm_id(connection: Connection) -> int:
    """The highest number of an alarm; 0 where there is none."""
    number: int | None = connection.execute(select(func.max(alarms.c.id))).scalar()
    return number or 0


def change_alarms(
    connection: Connection,
    ids: Sequence[int],
    state: AlarmState,
    operator_id: int,
    comment: str,
    time_s: float,
) -> list[Alarm]:
    """Put the open ones of `ids` into `state`; those that changed, as they stand now, by number."""
    changes: dict[str, Any] = {"state": state.value, "operator_id": operator_id, "changed_s": time_s}
    if comment:
        changes["comment"] = comment
    if not state.is_open:
        changes["until_s"] = time_s
    is_open = alarms.c.state.in_([one.value for one in OPEN])
    changed: list[Alarm] = []
    for begin in range(0, len(ids), _NUMBERS_AT_ONCE):
        is_asked = alarms.c.id.in_(ids[begin : begin + _NUMBERS_AT_ONCE])
        numbers = connection.execute(select(alarms.c.id).where(is_asked, is_open)).scalars().all()
        connection.execute(alarms.update().where(alarms.c.id.in_(numbers)).values(changes))
        changed += [_alarm(row) for row in connection.execute(_alarms().where(alarms.c.id.in_(numbers)))]
    return sorted(changed, key=lambda alarm: alarm.id)


def write_maintenance(connection: Connection, record: Maintenance, operator_id: int) -> Maintenance:
    """Add a maintenance, `id` 0 for a new one, or change the one of that number; it with its number."""
    values = {
        "id": record.id or None,
        "source": record.source,
        "start_s": record.start_s,
        "end_s": record.end_s,
        "operator_id": operator_id,
        "comment": record.comment,
    }
    statement = insert(maintenances).values(values)
    told = {name: statement.excluded[name] for name in values if name != "id"}
    number = connection.execute(
        statement.on_conflict_do_update(index_elements=["id"], set_=told).returning(maintenances.c.id)
    ).scalar_one()
    return Maintenance(
        id=number,
        source=record.source,
        start_s=record.start_s,
        end_s=record.end_s,
        operator=record.operator,
        comment=record.comment,
    )


def _maintenances() -> Select[Any]:
    return select(maintenances, operators.c.name.label("operator")).join(
        operators, operators.c.id == maintenances.c.operator_id
    )


def _maintenance(row: Row[Any]) -> Maintenance:
    return Maintenance(
        id=row.id,
        source=row.source,
        start_s=row.start_s,
        end_s=row.end_s,
        operator=row.operator,
        comment=row.comment,
    )


def maintenances_from(connection: Connection, now_s: float) -> list[Maintenance]:
    """Those that are under way or to come at `now_s`, by their beginning."""
    statement = _maintenances().where(maintenances.c.end_s > now_s)
    rows = connection.execute(statement.order_by(maintenances.c.start_s, maintenances.c.id))
    return [_maintenance(row) for row in rows]


def end_maintenance(connection: Connection, number: int, now_s: float) -> Maintenance | None:
    """End one at `now_s` at the latest; it as it stands then, None where there is none of that number."""
    is_it = maintenances.c.id == number
    connection.execute(maintenances.update().where(is_it, maintenances.c.end_s > now_s).values(end_s=now_s))
    row = connection.execute(_maintenances().where(is_it)).first()
    return None if row is None else _maintenance(row)
