"""What passes on a line, as rows: octets of one direction that come together are one row."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QColor, QFontDatabase

from core.language import N_, _
from core.meter_records import LineOctets
from gui.models.rows import RowsModel
from gui.plain_text import plain_tip
from gui.theme import theme

TIME, DIRECTION, COUNT, HEX, TEXT = range(5)
MOST_ROWS = 5_000
MOST_OCTETS = 8_192
"""Octets of one row; a longer burst goes on in the next."""
_TOGETHER_S = 0.12
_SHOWN_OCTETS = 96


@dataclass(slots=True)
class LineRow:
    """Octets as they passed; `parts` are the records that they came in."""

    time_s: float
    last_s: float
    is_sent: bool
    octets: bytearray
    line: str | None
    parts: list[LineOctets] = field(default_factory=list)


class LineModel(RowsModel):
    """The newest row last; the oldest ones are forgotten, and counted."""

    HEADERS = (N_("When"), N_("Direction"), N_("Octets"), N_("Hexadecimal"), N_("Text"))
    RIGHT = frozenset({COUNT})

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[LineRow] = []
        self.forgotten = 0

    def append(self, passed: LineOctets) -> None:
        """Some more octets."""
        last = self._rows[-1] if self._rows else None
        if (
            last is not None
            and last.is_sent == passed.is_sent
            and 0 <= passed.time_s - last.last_s <= _TOGETHER_S
            and len(last.octets) + len(passed.octets) <= MOST_OCTETS
        ):
            last.octets += passed.octets
            last.last_s = passed.time_s
            last.parts.append(passed)
            at = len(self._rows) - 1
            self.dataChanged.emit(self.index(at, 0), self.index(at, len(self.HEADERS) - 1))
            return
        if len(self._rows) >= MOST_ROWS:
            dropped = MOST_ROWS // 10
            self.beginRemoveRows(QModelIndex(), 0, dropped - 1)
            del self._rows[:dropped]
            self.forgotten += dropped
            self.endRemoveRows()
        at = len(self._rows)
        self.beginInsertRows(QModelIndex(), at, at)
        row = LineRow(passed.time_s, passed.time_s, passed.is_sent, bytearray(passed.octets), passed.line, [passed])
        self._rows.append(row)
        self.endInsertRows()

    def clear(self) -> None:
        """Forget all."""
        self.beginResetModel()
        self._rows = []
        self.forgotten = 0
        self.endResetModel()

    def rows(self) -> list[LineRow]:
        """All rows kept."""
        return self._rows

    def octets(self) -> int:
        """How many octets are kept."""
        return sum(len(row.octets) for row in self._rows)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> object:
        """Text in a fixed font, what we sent dimmed; the whole of long rows in the tool-tip."""
        row, column = self._rows[index.row()], index.column()
        if role == Qt.DisplayRole:
            return self._text(row, column)
        if role == Qt.TextAlignmentRole:
            return self.alignment(column)
        if role == Qt.FontRole and column in (TIME, HEX, TEXT):
            return QFontDatabase.systemFont(QFontDatabase.FixedFont)
        if role == Qt.ForegroundRole and row.is_sent:
            return QColor(theme().accent)
        if role == Qt.ToolTipRole and column in (HEX, TEXT):
            return plain_tip(dump(bytes(row.octets[:1024])))
        return None

    def _text(self, row: LineRow, column: int) -> str:
        if column == TIME:
            return clock_ms(row.time_s)
        if column == DIRECTION:
            return _("sent") if row.is_sent else _("received")
        if column == COUNT:
            return str(len(row.octets))
        shown = bytes(row.octets[:_SHOWN_OCTETS])
        more = " …" if len(row.octets) > _SHOWN_OCTETS else ""
        return (shown.hex(" ").upper() if column == HEX else printable_octets(shown)) + more


def clock_ms(time_s: float) -> str:
    """Local time of day to the millisecond."""
    return f"{time.strftime('%H:%M:%S', time.localtime(time_s))}.{int(time_s % 1 * 1000):03}"


def printable_octets(octets: bytes) -> str:
    """ASCII as it is, a dot for all else."""
    return "".join(chr(octet) if 0x20 <= octet < 0x7F else "·" for octet in octets)


def dump(octets: bytes) -> str:
    """Sixteen octets a line: offset, hexadecimal, text."""
    lines = []
    for at in range(0, len(octets), 16):
        part = octets[at : at + 16]
        lines.append(f"{at:04X}  {part.hex(' ').upper():<47}  {printable_octets(part)}")
    return "\n".join(lines)
