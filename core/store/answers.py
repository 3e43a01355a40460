"""Reads commands with their results, and events, newest first."""

from __future__ import annotations

import json

from sqlalchemy import Connection, func, or_, select

from core.records import CommandResult, CommandRunSummary, CommandState, Event, Severity
from core.store.schema import command_results, commands, events, operators

LOST_AFTER_S = 60.0
"""So long after its time-out a command without a result is not running any more: its console died."""

MOST_WORDS = 20
"""Words of a search that are looked for; what is pasted by mistake may have thousands."""


def command_runs(connection: Connection, limit: int, search: str, now_s: float) -> list[CommandRunSummary]:
    """The last `limit` commands whose line, machines or operator hold each word of `search`, newest first."""
    statement = (
        select(commands, operators.c.name.label("operator"))
        .join(operators, operators.c.id == commands.c.operator_id)
        .order_by(commands.c.time_s.desc())
        .limit(limit)
    )
    for word in search.split()[:MOST_WORDS]:
        statement = statement.where(
            or_(
                *(
                    column.icontains(word, autoescape=True)
                    for column in (commands.c.line, commands.c.machines, operators.c.name)
                )
            )
        )
    rows = connection.execute(statement).all()
    counted = (
        select(command_results.c.command_id, command_results.c.state, func.count().label("machines"))
        .where(command_results.c.command_id.in_([row.id for row in rows]))
        .group_by(command_results.c.command_id, command_results.c.state)
    )
    counts: dict[str, dict[str, int]] = {}
    for row in connection.execute(counted):
        counts.setdefault(row.command_id, {})[row.state] = row.machines
    summaries = []
    for row in rows:
        machines = tuple(json.loads(row.machines))
        found = counts.get(row.id, {})
        missing = len(machines) - sum(found.values())
        if missing > 0:
            is_lost = row.is_ended or now_s > row.time_s + row.timeout_s + LOST_AFTER_S
            state = (CommandState.UNKNOWN if is_lost else CommandState.RUNNING).value
            found[state] = found.get(state, 0) + missing
        summaries.append(
            CommandRunSummary(
                id=row.id,
                line=row.line,
                time_s=row.time_s,
                operator=row.operator,
                machines=machines,
                counts=found,
            )
        )
    return summaries


def command_results_of(connection: Connection, run_id: str) -> list[CommandResult]:
    """The results of one command, by machine."""
    table = command_results
    statement = select(table).where(table.c.command_id == run_id).order_by(table.c.machine)
    return [
        CommandResult(
            machine=row.machine,
            state=CommandState(row.state),
            exit_status=row.exit_status,
            stdout=row.stdout,
            stderr=row.stderr,
            duration_s=row.duration_s,
            truncated_bytes=row.truncated_bytes,
            message=row.message,
        )
        for row in connection.execute(statement)
    ]


def last_events(connection: Connection, limit: int) -> list[Event]:
    """The last events, newest first."""
    statement = (
        select(events, operators.c.name.label("operator"))
        .join(operators, operators.c.id == events.c.operator_id, isouter=True)
        .order_by(events.c.time_s.desc(), events.c.id.desc())
        .limit(limit)
    )
    return [
        Event(
            time_s=row.time_s,
            source=row.source,
            kind=row.kind,
            severity=Severity(row.severity),
            text=row.text,
            operator=row.operator,
        )
        for row in connection.execute(statement)
    ]
