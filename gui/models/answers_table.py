"""The table of the answers of a run: one row a machine."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from PyQt5.QtCore import QModelIndex, QObject, Qt

from core.gather import natural_key
from core.language import N_, _
from core.records import CommandPlace, CommandResult, CommandState
from gui.models.answers import MARKS, WORDS, Run, Standing, first_line
from gui.models.rows import RowsModel
from gui.numbers import NO_VALUE, duration
from gui.plain_text import one_line
from gui.theme import theme

_ORDER: tuple[Standing, ...] = (
    CommandState.FAILED, CommandState.TIMEOUT, CommandState.NOT_ALLOWED, CommandState.UNKNOWN, CommandState.OFFLINE,
    CommandState.CANCELLED, CommandPlace.LINK_LOST, CommandPlace.WAITING, CommandPlace.SENT, CommandPlace.QUEUED,
    CommandPlace.RUNNING, CommandState.RUNNING, CommandState.OK,
)  # fmt: skip
"""What did not go well comes first where rows are sorted by state."""


class _Row(NamedTuple):
    """A machine: where it stands, and its result once there is one."""

    machine: str
    standing: Standing
    result: CommandResult | None
    is_fetched: bool


class AnswersTable(RowsModel):
    """One row a machine: state, exit status, time, first line; sorted by `sort`, only those of `only` where given."""

    HEADERS = (N_("Machine"), N_("State"), N_("Exit"), N_("Time"), N_("Answer"))
    RIGHT = frozenset((2, 3))

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[_Row] = []
        self._run: Run | None = None
        self._only: Collection[str] | None = None
        self._revision = -1
        self._column = -1
        self._order = Qt.AscendingOrder

    def apply(self, run: Run | None, only: Collection[str] | None = None) -> None:
        """Show `run`; does nothing when nothing in it has changed."""
        if run is self._run and only == self._only and (run is None or run.revision == self._revision):
            return
        rows = self._sorted(self._rows_of(run, only))
        is_same = run is self._run and [row.machine for row in rows] == [row.machine for row in self._rows]
        is_reordered = (
            run is self._run and not is_same and {row.machine for row in rows} == {row.machine for row in self._rows}
        )
        self._run, self._only, self._revision = run, only, -1 if run is None else run.revision
        if is_same:
            self._take(rows)
        elif is_reordered:
            self._reorder(rows)
        else:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()

    def machine_at(self, index: QModelIndex) -> str:
        """Name of the machine of a row."""
        return self._rows[index.row()].machine

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Text, alignment, colour and tool-tip of a cell."""
        row, column = self._rows[index.row()], index.column()
        if role == Qt.DisplayRole:
            return self._text(row, column)
        if role == Qt.TextAlignmentRole:
            return self.alignment(column)
        if role == Qt.ForegroundRole:
            colour = MARKS[row.standing][1] if column == 1 else "dim" if column in (2, 3) else "text"
            return theme().color(colour)
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.AscendingOrder) -> None:
        """Order the rows by a column, -1 for the order in which the machines were asked."""
        self._column, self._order = column, order
        self._reorder(self._sorted(self._rows_of(self._run, self._only)))

    def _take(self, rows: list[_Row]) -> None:
        """Rows of the same machines: what differs is drawn anew, and nothing else."""
        changed = [place for place, (old, new) in enumerate(zip(self._rows, rows, strict=True)) if old != new]
        self._rows = rows
        if changed:
            self.dataChanged.emit(self.index(changed[0], 0), self.index(changed[-1], len(self.HEADERS) - 1))

    def _reorder(self, rows: list[_Row]) -> None:
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        names = [self._rows[index.row()].machine for index in before]
        places = {row.machine: place for place, row in enumerate(rows)}
        self._rows = rows
        after = [self.index(places[name], index.column()) for name, index in zip(names, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _sorted(self, rows: list[_Row]) -> list[_Row]:
        if self._column < 0:
            return rows
        keys = (
            lambda row: natural_key(row.machine),
            lambda row: _ORDER.index(row.standing),
            lambda row: -1 if row.result is None or row.result.exit_status is None else row.result.exit_status,
            lambda row: -1.0 if row.result is None or row.result.duration_s is None else row.result.duration_s,
            lambda row: "" if row.result is None else first_line(row.result),
        )
        return sorted(rows, key=keys[self._column], reverse=self._order == Qt.DescendingOrder)

    @staticmethod
    def _rows_of(run: Run | None, only: Collection[str] | None) -> list[_Row]:
        if run is None:
            return []
        return [
            _Row(name, run.standing(name), run.results.get(name), name in run.fetched)
            for name in run.request.machines
            if only is None or name in only
        ]

    @staticmethod
    def _text(row: _Row, column: int) -> str:
        result = row.result
        if column == 0:
            return one_line(row.machine)
        if column == 1:
            words = _(WORDS[row.standing])
            if row.is_fetched:
                words = _("{state}, fetched later").format(state=words)
            return f"{MARKS[row.standing][0]} {words}"
        if column == 2:
            return NO_VALUE if result is None or result.exit_status is None else str(result.exit_status)
        if column == 3:
            return NO_VALUE if result is None or result.duration_s is None else duration(result.duration_s)
        return "" if result is None else one_line(first_line(result))
