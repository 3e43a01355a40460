"""The processes of one machine: sorted, filtered, flat or as a tree, and steady while they are refreshed."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Iterable

from PyQt5.QtCore import QModelIndex, QObject, Qt

from core.language import N_, _
from core.records import Process, ProcessTable
from gui import numbers
from gui.models.keyed_rows import KeyedRows
from gui.models.process_tree import Branch, Family, Key, key_of
from gui.plain_text import one_line, plain_tip

COLUMNS = (N_("PID"), N_("Name"), N_("User"), N_("CPU %"), N_("Memory"), N_("Since"), N_("Command line"))
PID, NAME, USER, CPU, MEMORY, SINCE, COMMAND = range(len(COLUMNS))
MOST = 20_000
"""Processes shown of one machine, the busiest ones: more is no table that anybody reads."""
_DAY_S = 86_400
_DEEPEST = 16
"""Levels of the tree that are moved in: deeper ones stand below each other."""


def _real(value: float) -> float:
    return value if math.isfinite(value) else -1.0


_SORT_KEYS: dict[int, Callable[[Process], object]] = {
    PID: lambda process: process.pid,
    NAME: lambda process: process.name.casefold(),
    USER: lambda process: process.user.casefold(),
    CPU: lambda process: _real(process.cpu_percent),
    MEMORY: lambda process: process.memory_bytes,
    SINCE: lambda process: _real(process.started_s),
    COMMAND: lambda process: process.command_line.casefold(),
}


class ProcessModel(KeyedRows):
    """Rows keep their place and their selection by (pid, start): a pid that is used again is another row."""

    HEADERS = COLUMNS
    RIGHT = frozenset({PID, CPU, MEMORY})
    BIGGEST_FIRST = frozenset({CPU, MEMORY})

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: dict[Key, Process] = {}
        self._rows: list[Key] = []
        self._told = 0
        self._branches: dict[Key, Branch] = {}
        self._folded: set[Key] = set()
        self._column = CPU
        self._is_descending = True
        self._filter = ""
        self._is_tree = False

    @property
    def count(self) -> int:
        """Processes that the machine told of, the ones not shown too."""
        return self._told

    @property
    def is_tree(self) -> bool:
        """True while children stand below their parents."""
        return self._is_tree

    def apply(self, table: ProcessTable) -> None:
        """Take one more pass over the processes."""
        self._told = len(table.processes)
        processes: Iterable[Process] = table.processes
        if self._told > MOST:
            processes = heapq.nlargest(MOST, processes, lambda one: (_real(one.cpu_percent), one.memory_bytes))
        self._all = {key_of(process): process for process in processes}
        self._folded &= self._all.keys()
        self._arrange()
        self.touch()

    def clear(self) -> None:
        """No processes."""
        self._all, self._branches, self._told = {}, {}, 0
        self._folded.clear()
        self.drop()

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

    def find(self, pid: int, started_s: float | None = None, within_s: float = 2.0) -> Process | None:
        """The process of that pid, begun at that time where one is given; None where it does not run."""
        found = [one for key, one in self._all.items() if key[0] == pid]
        if started_s is not None:
            found = [one for one in found if abs(one.started_s - started_s) <= within_s]
        return max(found, key=lambda one: _real(one.started_s), default=None)

    def starts(self) -> set[tuple[int, int]]:
        """(pid, start to the second) of all that run."""
        return {(pid, round(started_s)) for pid, started_s in self._all if math.isfinite(started_s)}

    def row_of(self, process: Process) -> int | None:
        """The row of a process; None while it is filtered out or folded away."""
        key = key_of(process)
        return self._rows.index(key) if key in self._rows else None

    def children(self, process: Process) -> list[Process]:
        """The processes that one has started itself and that still run."""
        return [one for one in self._all.values() if one.parent_pid == process.pid and key_of(one) != key_of(process)]

    def branch(self, row: int) -> Branch | None:
        """Where the process of a row stands in the tree; None in a flat list."""
        return self._branches.get(self._rows[row]) if self._is_tree else None

    def indent(self, row: int) -> str:
        """What stands before the name in a row of the tree."""
        return self._indent(self._rows[row])

    def set_folded(self, row: int, is_folded: bool) -> None:
        """Fold away what is below a row of the tree, or show it again; that is kept over refreshes."""
        key = self._rows[row]
        if is_folded:
            self._folded.add(key)
        else:
            self._folded.discard(key)
        self._arrange()

    def unfold_to(self, process: Process) -> None:
        """Show a process whatever was folded above it."""
        self._folded -= Family(list(self._all), self._all).with_parents([key_of(process)])
        self._arrange()

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
            return self._tip(process, column)
        return None

    def _tip(self, process: Process, column: int) -> str | None:
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
            return self._indent(key) + one_line(process.name)
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

    def _indent(self, key: Key) -> str:
        """`▾ ` before one with others below it, `▸ ` where they are folded away, room where there are none."""
        branch = self._branches.get(key) if self._is_tree else None
        if branch is None:
            return ""
        sign = ("▸ " if branch.is_folded else "▾ ") if branch.below else ("└ " if branch.depth else "")
        return "    " * min(branch.depth, _DEEPEST) + sign

    def _arrange(self) -> None:
        before = self._branches
        self.bring(self._wanted())
        if self._is_tree and before != self._branches and self._rows:
            self.dataChanged.emit(self.index(0, NAME), self.index(len(self._rows) - 1, NAME))

    def _wanted(self) -> list[Key]:
        by = _SORT_KEYS[self._column]
        keys = sorted(self._all)
        keys.sort(key=lambda key: by(self._all[key]), reverse=self._is_descending)  # type: ignore[arg-type,return-value]  # one column, one comparable type
        matching = [key for key in keys if self._matches(self._all[key])] if self._filter else keys
        if not self._is_tree:
            return matching
        family = Family(keys, self._all)
        # who looks for something sees it, whatever was folded before
        folded: set[Key] = set() if self._filter else self._folded
        self._branches = family.walk(family.with_parents(matching), folded)
        return list(self._branches)

    def _matches(self, process: Process) -> bool:
        return any(
            self._filter in text.casefold()
            for text in (process.name, process.user, str(process.pid), process.command_line)
        )
