"""What tables of rows have in common: how many there are, and the titles above them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from PyQt5.QtCore import QAbstractTableModel, QModelIndex, Qt

from core.language import _


class RowsModel(QAbstractTableModel):
    """A table of `_rows` under `HEADERS`, which are translated where they are shown.

    `RIGHT` are columns of numbers, `BIGGEST_FIRST` those whose first click sorts downwards.
    """

    HEADERS: ClassVar[tuple[str, ...]] = ()
    RIGHT: ClassVar[frozenset[int]] = frozenset()
    BIGGEST_FIRST: ClassVar[frozenset[int]] = frozenset()
    _rows: Sequence[Any] = ()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, the base class's own default
        """Number of rows shown."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, the base class's own default
        """Number of columns."""
        return 0 if parent.isValid() else len(self.HEADERS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Titles, aligned as their columns."""
        if orientation != Qt.Horizontal:
            return None
        if role == Qt.DisplayRole:
            return _(self.HEADERS[section])
        if role == Qt.TextAlignmentRole:
            return self.alignment(section)
        if role == Qt.InitialSortOrderRole:
            return int(Qt.DescendingOrder if section in self.BIGGEST_FIRST else Qt.AscendingOrder)
        return None

    def alignment(self, column: int) -> int:
        """Where the text of a column stands."""
        return int((Qt.AlignRight if column in self.RIGHT else Qt.AlignLeft) | Qt.AlignVCenter)
