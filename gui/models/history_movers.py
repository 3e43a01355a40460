"""Which series of machines moved most around a moment, as a list: before, then, and by how much."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QColor

from core.language import N_
from core.records import Mover
from gui.models.history_words import (
    difference_text,
    owner_text,
    quantity_text,
    shown_of,
    value_text,
)
from gui.models.rows import RowsModel
from gui.plain_text import plain_tip
from gui.theme import theme

WHOSE, QUANTITY, BEFORE, THEN, CHANGE, SHARE = range(6)
SHARE_ROLE = Qt.UserRole + 1
_SHORT = 20


class MovedModel(RowsModel):
    """The rows of one question, the greatest change first."""

    HEADERS = (N_("Machine"), N_("Series"), N_("Before"), N_("Then"), N_("Change"), N_("How unusual"))
    RIGHT = frozenset({BEFORE, THEN, CHANGE})

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Mover] = []
        self._chosen: frozenset[str] = frozenset()
        self._names: Mapping[str, str] = {}

    def apply(self, rows: Sequence[Mover]) -> None:
        """These are the answer."""
        self.beginResetModel()
        self._rows = sorted(rows, key=lambda row: -abs(row.score))
        self.endResetModel()

    def set_names(self, names: Mapping[str, str]) -> None:
        """What people call sources."""
        self._names = names

    def set_chosen(self, names: Collection[str]) -> None:
        """These are drawn already: they are marked."""
        self._chosen = frozenset(names)
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, len(self.HEADERS) - 1))

    def at(self, row: int) -> Mover:
        """The row of a series."""
        return self._rows[row]

    def first_words(self) -> str:
        """What moved most: `srv-db CPU +63.0 %`; empty where nothing did."""
        if not self._rows:
            return ""
        row = self._rows[0]
        whose = owner_text(row.series, self._names)
        whose = whose if len(whose) <= _SHORT else f"{whose[: _SHORT - 1]}…"
        return f"{whose} {quantity_text(row.series)} {self._text(row, CHANGE)}"

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Words and numbers; the share of the greatest score for the bar."""
        row, column = self._rows[index.row()], index.column()
        if role == Qt.DisplayRole:
            return self._text(row, column)
        if role == SHARE_ROLE and column == SHARE:
            return abs(row.score) / (abs(self._rows[0].score) or 1.0)
        if role == Qt.ForegroundRole:
            if row.series in self._chosen and column in (WHOSE, QUANTITY):
                return QColor(theme().accent)
            return QColor(theme().dim) if column == BEFORE else None
        if role == Qt.ToolTipRole:
            return plain_tip(row.series)
        return self.alignment(column) if role == Qt.TextAlignmentRole else None

    def _text(self, row: Mover, column: int) -> str:
        if column == WHOSE:
            return ("✓ " if row.series in self._chosen else "") + owner_text(row.series, self._names)
        if column == QUANTITY:
            return quantity_text(row.series)
        if column == SHARE:
            return ""
        shown = shown_of(row.unit, max(abs(row.before), abs(row.during)))
        if column == CHANGE:
            return f"{difference_text(row.during - row.before, shown)} {shown.unit}".rstrip()
        return f"{value_text(row.before if column == BEFORE else row.during, shown)} {shown.unit}".rstrip()
