"""Rows of a load profile as a table: time, status, a column for each captured object."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QModelIndex, QObject, Qt

from core.language import _
from core.meter_records import ProfileColumn, ProfilePart, ProfileRow
from gui import numbers
from gui.models.readings import quantity_words, value_text
from gui.models.rows import RowsModel
from gui.plain_text import one_line, plain_tip

MOST_ROWS = 200_000
"""Rows kept for the screen; a profile may be bigger than memory, and is in the history then."""


class ProfileModel(RowsModel):
    """One row for each entry, oldest first as they came."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[ProfileRow] = []
        self.columns: tuple[ProfileColumn, ...] = ()
        self.is_cut = False

    def clear(self) -> None:
        """Nothing is known."""
        self.beginResetModel()
        self._rows, self.columns, self.is_cut = [], (), False
        self.endResetModel()

    def append(self, part: ProfilePart) -> None:
        """Some more rows."""
        if part.columns and part.columns != self.columns:  # one that only tells the end has none
            self.beginResetModel()
            self.columns = part.columns
            self.endResetModel()
        rows = part.rows[: max(0, MOST_ROWS - len(self._rows))]
        self.is_cut = self.is_cut or len(rows) < len(part.rows)
        if rows:
            first = len(self._rows)
            self.beginInsertRows(QModelIndex(), first, first + len(rows) - 1)
            self._rows += rows
            self.endInsertRows()

    def rows(self) -> Sequence[ProfileRow]:
        """All rows kept."""
        return self._rows

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, the base class's own default
        """Time, status, and the captured objects."""
        return 0 if parent.isValid() else 2 + len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> object:
        """What each column is, its code in the tool-tip."""
        if orientation != Qt.Horizontal:
            return None
        if role == Qt.DisplayRole:
            if section < 2:
                return (_("End of the period"), _("Status"))[section]
            return one_line(column_title(self.columns[section - 2]))
        if role == Qt.ToolTipRole and section >= 2:
            return plain_tip(self.columns[section - 2].obis)
        if role == Qt.TextAlignmentRole:
            return self.alignment(section)
        return None

    def alignment(self, column: int) -> int:
        """Numbers at the right."""
        return int((Qt.AlignRight if column else Qt.AlignLeft) | Qt.AlignVCenter)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> object:
        """Text and alignment."""
        row, column = self._rows[index.row()], index.column()
        if role == Qt.TextAlignmentRole:
            return self.alignment(column)
        if role == Qt.ToolTipRole and column == 0 and row.time:
            return plain_tip(_("meter time: {time}").format(time=row.time.replace("T", " ")))
        if role != Qt.DisplayRole:
            return None
        if column == 0:
            return numbers.exact_time(row.time_s) if row.time_s is not None else one_line(row.time or numbers.NO_VALUE)
        if column == 1:
            return f"{row.status:#06x}" if row.status else ""
        values = row.values
        return one_line(value_text(values[column - 2])) if column - 2 < len(values) else numbers.NO_VALUE


def column_title(column: ProfileColumn) -> str:
    """`Active energy, import (Wh)`; the code where no quantity is known."""
    name = quantity_words(column.quantity) if column.quantity is not None else column.obis
    return f"{name} ({column.unit})" if column.unit else name
