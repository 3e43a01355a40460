"""The processes of one machine: sorted, filtered, flat or as a tree, and steady while they are refreshed."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import groupby

from PyQt5.QtCore import QModelIndex, QObject, Qt

from core.language import N_, _
from core.records import Process, ProcessTable
from gui import numbers
from gui.models.rows import RowsModel
from gui.plain_text import one_line, plain_tip

Key = tuple[int, float]
COLUMNS = (N_("PID"), N_("Name"), N_("User"), N_("CPU %"), N_("Memory"), N_("Since"), N_("Command line"))
PID, NAME, USER, CPU, MEMORY, SINCE, COMMAND = range(len(COLUMNS))
_DAY_S = 86_400
_SORT_KEYS: dict[int, Callable[[Process], object]] = {
    PID: lambda process: process.pid,
    NAME: lambda process: process.name.casefold(),
    USER: lambda process: process.user.casefold(),
    CPU: lambda process: process.cpu_percent,
    MEMORY: lambda process: process.memory_bytes,
    SINCE: lambda process: process.started_s,
    COMMAND: lambda process: process.command_line.casefold(),
}


class ProcessModel(RowsModel):
    """Rows keep their place and their selection by (pid, start): a pid that is used again is another row."""

    HEADERS = COLUMNS
    RIGHT = frozenset({PID, CPU, MEMORY})
    BIGGEST_FIRST = frozenset({CPU, MEMORY})

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: dict[Key, Process] = {}
        self._rows: list[Key] = []
        self._depths: dict[Key, int] = {}
        self._column = CPU
        self._is_descending = True
        self._filter = ""
        self._is_tree = False

    @property
    def count(self) -> int:
        """Processes, the ones filtered out too."""
        return len(self._all)

    @property
    def is_tree(self) -> bool:
        """True while children stand below their parents."""
        return self._is_tree

    def apply(self, table: ProcessTable) -> None:
        """Take one more pass over the processes."""
        self._all = {(process.pid, process.started_s): process for process in table.processes}
        self._arrange()
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, COMMAND))

    def clear(self) -> None:
        """No processes."""
        self.beginResetModel()
        self._all, self._rows, self._depths = {}, [], {}
        self.endResetModel()

    def set_filter(self, text: str) -> None:
        """Show only what has `text` in name, user, pid or command line; in a tree its parents stay."""
        self._filter = text.strip().casefold()
        self._arrange()

    def set_tree(self, is_tree: bool) -> None:
        """Children below their parents, or one flat list."""
        self._is_tree = is_tree
        self._arrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.AscendingOrder) -> None:
        """Sort by a column; in a tree it sorts brothers."""
        self._column, self._is_descending = column, order == Qt.DescendingOrder
        self._arrange()

    def process(self, row: int) -> Process:
        """The process of a row."""
        return self._all[self._rows[row]]

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> object:
        """Titles, and in the tool-tip what a percent is of."""
        if orientation == Qt.Horizontal and role == Qt.ToolTipRole and section == CPU:
            return _("of one core, since the agent's previous look")
        return super().headerData(section, orientation, role)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> object:
        """Text and alignment; in the tool-tip what does not fit."""
        key = self._rows[index.row()]
        process = self._all.get(key)
        if process is None:
            return None
        column = index.column()
        if role == Qt.DisplayRole:
            return self._text(key, process, column)
        if role == Qt.TextAlignmentRole:
            return self.alignment(column)
        if role == Qt.ToolTipRole:
            if column == SINCE:
                return numbers.exact_time(process.started_s)
            if column == COMMAND:
                return plain_tip(process.command_line)
            if column in (PID, NAME):
                return plain_tip(
                    _("{name}, {status}, child of {parent}").format(
                        name=process.name, status=process.status, parent=process.parent_pid
                    )
                )
        return None

    def _text(self, key: Key, process: Process, column: int) -> str:
        if column == PID:
            return str(process.pid)
        if column == NAME:
            depth = self._depths.get(key, 0) if self._is_tree else 0
            return f"{'    ' * (depth - 1)}{'└ ' if depth else ''}{one_line(process.name)}"
        if column == USER:
            return one_line(process.user)
        if column == CPU:
            return numbers.number(process.cpu_percent, 1)
        if column == MEMORY:
            return " ".join(numbers.size(process.memory_bytes))
        if column == SINCE:
            age_s = time.time() - process.started_s
            return numbers.clock(process.started_s) if age_s < _DAY_S else numbers.duration(age_s)
        return one_line(process.command_line)

    def _arrange(self) -> None:
        """Bring the rows to what is wanted, telling the view of each kind of change apart."""
        wanted = self._wanted()
        staying = set(wanted)
        gone = [row for row, key in enumerate(self._rows) if key not in staying]
        for first, last in reversed(_runs(gone)):
            self.beginRemoveRows(QModelIndex(), first, last)
            del self._rows[first : last + 1]
            self.endRemoveRows()
        present = set(self._rows)
        new = [key for key in wanted if key not in present]
        if new:
            self.beginInsertRows(QModelIndex(), len(self._rows), len(self._rows) + len(new) - 1)
            self._rows += new
            self.endInsertRows()
        if self._rows != wanted:
            self.layoutAboutToBeChanged.emit()
            before = self.persistentIndexList()
            places = {key: row for row, key in enumerate(wanted)}
            after = [self.index(places[self._rows[index.row()]], index.column()) for index in before]
            self._rows = wanted
            self.changePersistentIndexList(before, after)
            self.layoutChanged.emit()
        elif self._is_tree and self._rows:
            self.dataChanged.emit(self.index(0, NAME), self.index(len(self._rows) - 1, NAME))

    def _wanted(self) -> list[Key]:
        by = _SORT_KEYS[self._column]
        keys = sorted(self._all, key=lambda key: key[0])
        keys.sort(key=lambda key: by(self._all[key]), reverse=self._is_descending)  # type: ignore[arg-type,return-value]  # one column, one comparable type
        matching = {key for key in keys if self._matches(self._all[key])} if self._filter else set(keys)
        if not self._is_tree:
            return [key for key in keys if key in matching]
        return self._as_tree(keys, matching)

    def _as_tree(self, keys: list[Key], matching: set[Key]) -> list[Key]:
        """Depth first; a process whose parent is gone is a root, and a ring of parents cannot hang us."""
        by_pid = {key[0]: key for key in keys}
        children: dict[Key | None, list[Key]] = {}
        parents: dict[Key, Key | None] = {}
        for key in keys:
            parent = by_pid.get(self._all[key].parent_pid)
            parents[key] = parent if parent != key else None
            children.setdefault(parents[key], []).append(key)
        shown = set(matching)
        for key in matching:
            above = parents[key]
            while above is not None and above not in shown:
                shown.add(above)
                above = parents[above]
        wanted: list[Key] = []
        self._depths = {}
        seen: set[Key] = set()
        for root in [*children.get(None, []), *keys]:
            stack = [(root, 0)]
            while stack:
                key, depth = stack.pop()
                if key in seen:
                    continue
                seen.add(key)
                if key in shown:
                    self._depths[key] = depth
                    wanted.append(key)
                stack += [(child, depth + 1) for child in reversed(children.get(key, []))]
        return wanted

    def _matches(self, process: Process) -> bool:
        return any(
            self._filter in text.casefold()
            for text in (process.name, process.user, str(process.pid), process.command_line)
        )


def _runs(rows: list[int]) -> list[tuple[int, int]]:
    """(first, last) of each run of consecutive rows."""
    runs = []
    for _distance, members in groupby(enumerate(rows), key=lambda item: item[1] - item[0]):
        run = [row for _place, row in members]
        runs.append((run[0], run[-1]))
    return runs
