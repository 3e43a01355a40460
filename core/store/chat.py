"""Lines of the rooms: each written once by its id, read oldest first, searched newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from core.site_records import ChatKind, ChatLine
from core.store.schema import chat_lines

_INSERT = (
    "INSERT INTO chat_lines (id, room, time_s, author, text, kind, link) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO NOTHING"
)


def write_lines(connection: Connection, lines: Sequence[ChatLine]) -> None:
    """Write lines, inside the caller's transaction; one that is there already stays as it is."""
    if lines:
        connection.exec_driver_sql(
            _INSERT,
            [(line.id, line.room, line.time_s, line.author, line.text, line.kind.value, line.link) for line in lines],
        )


def _line(row: Row[Any]) -> ChatLine:
    return ChatLine(
        id=row.id,
        room=row.room,
        author=row.author,
        text=row.text,
        time_s=row.time_s,
        kind=ChatKind(row.kind),
        link=row.link,
    )


def last_lines(connection: Connection, room: str, limit: int, before_s: float | None) -> list[ChatLine]:
    """The last `limit` lines of a room (before a time), oldest first."""
    statement = select(chat_lines).where(chat_lines.c.room == room)
    if before_s is not None:
        statement = statement.where(chat_lines.c.time_s < before_s)
    newest = statement.order_by(chat_lines.c.time_s.desc(), chat_lines.c.number.desc()).limit(limit)
    return [_line(row) for row in reversed(connection.execute(newest).all())]


def found_lines(connection: Connection, text: str, limit: int) -> list[ChatLine]:
    """The last `limit` lines of all rooms whose text or author hold `text`, newest first."""
    is_found = (column.icontains(text, autoescape=True) for column in (chat_lines.c.text, chat_lines.c.author))
    statement = (
        select(chat_lines).where(or_(*is_found)).order_by(chat_lines.c.time_s.desc(), chat_lines.c.number.desc())
    )
    return [_line(row) for row in connection.execute(statement.limit(limit))]


def rooms(connection: Connection) -> list[str]:
    """Names of the rooms in which something was said, sorted."""
    return list(connection.execute(select(chat_lines.c.room).distinct().order_by(chat_lines.c.room)).scalars())
