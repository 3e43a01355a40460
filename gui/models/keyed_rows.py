"""Rows that are known by a key: what is chosen stays chosen and the view stays where it is while they are refreshed."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import groupby
from typing import Any

from PyQt5.QtCore import QModelIndex

from gui.models.rows import RowsModel

MOST_HOLES = 500


class KeyedRows(RowsModel):
    """`_rows` are keys, each once; `bring` makes them others and tells the view of each kind of change apart."""

    _rows: list[Any]

    def bring(self, wanted: Sequence[Hashable]) -> None:
        """Show these rows in this order."""
        staying = set(wanted)
        gone = [row for row, key in enumerate(self._rows) if key not in staying]
        holes = runs(gone)
        if len(holes) > MOST_HOLES:  # hardly anything is what it was: the view begins anew, which costs little
            self.drop()
            holes = []
        for first, last in reversed(holes):
            self.beginRemoveRows(QModelIndex(), first, last)
            del self._rows[first : last + 1]
            self.endRemoveRows()
        present = set(self._rows)
        new = [key for key in wanted if key not in present]
        if new:
            self.beginInsertRows(QModelIndex(), len(self._rows), len(self._rows) + len(new) - 1)
            self._rows += new
            self.endInsertRows()
        if self._rows != list(wanted):
            self.layoutAboutToBeChanged.emit()
            before = self.persistentIndexList()
            places = {key: row for row, key in enumerate(wanted)}
            after = [self.index(places[self._rows[index.row()]], index.column()) for index in before]
            self._rows = list(wanted)
            self.changePersistentIndexList(before, after)
            self.layoutChanged.emit()

    def drop(self) -> None:
        """No rows."""
        self.beginResetModel()
        self._rows = []
        self.endResetModel()

    def touch(self) -> None:
        """Every row may say something else."""
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, self.columnCount() - 1))


def runs(rows: Sequence[int]) -> list[tuple[int, int]]:
    """(first, last) of each run of consecutive rows."""
    found = []
    for _distance, members in groupby(enumerate(rows), key=lambda item: item[1] - item[0]):
        run = [row for _place, row in members]
        found.append((run[0], run[-1]))
    return found
