"""What happened in a span of time, to be marked on its curves: alarms, commands, lines of the room, events."""

from __future__ import annotations

import json

from sqlalchemy import Connection, or_, select

from core.records import HistoryMark
from core.site_records import ChatKind
from core.store.schema import alarms, chat_lines, commands, events, operators


def marks(connection: Connection, start_s: float, end_s: float, limit: int) -> list[HistoryMark]:
    """The last `limit` of each kind of what happened from `start_s` to before `end_s`, oldest first, `limit` in all.

    An alarm belongs to every moment at which it stood.
    """
    found = [
        *_alarms(connection, start_s, end_s, limit),
        *_commands(connection, start_s, end_s, limit),
        *_lines(connection, start_s, end_s, limit),
        *_events(connection, start_s, end_s, limit),
    ]
    found.sort(key=lambda mark: mark.time_s)
    return found[-limit:] if limit > 0 else []


def _alarms(connection: Connection, start_s: float, end_s: float, limit: int) -> list[HistoryMark]:
    table = alarms.c
    lasted = or_(table.until_s >= start_s, table.until_s.is_(None))
    statement = select(alarms).where(table.since_s < end_s, lasted).order_by(table.since_s.desc()).limit(limit)
    return [
        HistoryMark(
            kind="alarm",
            time_s=row.since_s,
            until_s=row.until_s,
            source=row.source,
            text=row.text,
            severity=row.severity,
        )
        for row in connection.execute(statement)
    ]


def _commands(connection: Connection, start_s: float, end_s: float, limit: int) -> list[HistoryMark]:
    statement = (
        select(commands.c.time_s, commands.c.line, commands.c.machines, operators.c.name)
        .join(operators, operators.c.id == commands.c.operator_id)
        .where(commands.c.time_s >= start_s, commands.c.time_s < end_s)
        .order_by(commands.c.time_s.desc())
        .limit(limit)
    )
    found = []
    for row in connection.execute(statement):
        machines = json.loads(row.machines)
        text = f"{row.line} ({', '.join(machines[:3])}{', …' if len(machines) > 3 else ''})" if machines else row.line
        found.append(HistoryMark(kind="command", time_s=row.time_s, until_s=None, source=row.name, text=text))
    return found


def _lines(connection: Connection, start_s: float, end_s: float, limit: int) -> list[HistoryMark]:
    table = chat_lines.c
    said = table.kind.in_([ChatKind.MESSAGE.value, ChatKind.SERVER.value])  # alarms and commands are marks of their own
    statement = select(chat_lines).where(table.time_s >= start_s, table.time_s < end_s, said)
    return [
        HistoryMark(kind="chat", time_s=row.time_s, until_s=None, source=row.author, text=row.text)
        for row in connection.execute(statement.order_by(table.time_s.desc()).limit(limit))
    ]


def _events(connection: Connection, start_s: float, end_s: float, limit: int) -> list[HistoryMark]:
    table = events.c
    statement = select(events).where(table.time_s >= start_s, table.time_s < end_s)
    return [
        HistoryMark(
            kind="event",
            time_s=row.time_s,
            until_s=None,
            source=row.source,
            text=row.text,
            severity=row.severity,
        )
        for row in connection.execute(statement.order_by(table.time_s.desc(), table.id.desc()).limit(limit))
    ]
