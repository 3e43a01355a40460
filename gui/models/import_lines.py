"""The lines of a list before it is taken in: what each would do. A hundred thousand of them cost no widget."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct
from PyQt5.QtCore import QModelIndex, QObject, Qt

from core.language import N_, _
from gui.models.rows import RowsModel
from gui.numbers import number
from gui.plain_text import one_line, plain_tip
from gui.theme import theme

NEW, CHANGED, SAME, REFUSED = "new", "changed", "same", "refused"

_WORDS = {NEW: N_("+ new"), CHANGED: N_("↻ changed"), SAME: N_("= as it was"), REFUSED: N_("✕ refused")}
_ROLES = {NEW: "ok", CHANGED: "accent", SAME: "dim", REFUSED: "critical"}


class ImportRow(Struct, frozen=True, kw_only=True):
    """One line: `state` is NEW, CHANGED, SAME or REFUSED; `text` is the line itself where it names no machine."""

    line: int
    state: str
    name: str = ""
    address: str = ""
    groups: str = ""
    reference: str = ""
    with_tax: Decimal | None = None
    text: str = ""
    reason: str = ""


class ImportLinesModel(RowsModel):
    """Line, what it does, machine, equipment, and why not."""

    HEADERS = (
        N_("Line"),
        N_("State"),
        N_("Name"),
        N_("Address"),
        N_("Groups"),
        N_("Reference"),
        N_("With tax"),
        N_("Why not"),
    )
    RIGHT = frozenset({0, 6})
    NAME = 2
    WHY = 7

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: Sequence[ImportRow] = ()
        self._rows: Sequence[ImportRow] = ()
        self._is_refused_only = False

    def set_rows(self, rows: Sequence[ImportRow]) -> None:
        """Show these lines."""
        self._all = rows
        self._rebuild()

    def set_refused_only(self, is_refused_only: bool) -> None:
        """Show only what is not taken, or all."""
        self._is_refused_only = is_refused_only
        self._rebuild()

    def _rebuild(self) -> None:
        self.beginResetModel()
        self._rows = [row for row in self._all if row.state == REFUSED] if self._is_refused_only else self._all
        self.endResetModel()

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Texts as they are, and the colour of what they say."""
        row, column = self._rows[index.row()], index.column()
        if role == Qt.DisplayRole:
            return self._text(row, column)
        if role == Qt.ForegroundRole and column == 1:
            return theme().color(_ROLES[row.state])
        if role == Qt.ForegroundRole and row.state in (SAME, REFUSED):
            return theme().color("dim" if row.state == SAME or column != self.WHY else "text")
        if role == Qt.TextAlignmentRole:
            return self.alignment(column)
        if role == Qt.ToolTipRole:
            return plain_tip("\n".join(text for text in (row.text, row.reason) if text))
        return None

    def _text(self, row: ImportRow, column: int) -> str:
        match column:
            case 0:
                return number(row.line)
            case 1:
                return _(_WORDS[row.state])
            case self.NAME:
                return one_line(row.name or row.text)[:200]
            case 6:
                return "" if row.with_tax is None else number(float(row.with_tax), 2)
        return one_line((row.name, row.address, row.groups, row.reference, "", row.reason)[column - 2])
