"""The answers of one run as they come, and the table of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from PyQt5.QtCore import QModelIndex, QObject, Qt

from core.language import N_, _, ngettext
from core.records import CommandRequest, CommandResult, CommandRunSummary, CommandState
from gui.models.rows import RowsModel
from gui.numbers import NO_VALUE, duration, number
from gui.theme import theme

TAIL = 8192
"""Characters of live output kept for each machine; the whole answer comes with its result."""

HELD = 64 << 20
"""Characters of answers that one run holds in the window; answers beyond are clipped, and say so."""

CLIPPED = 16_384

MARKS = {
    CommandState.RUNNING: ("…", "accent"),
    CommandState.OK: ("✓", "ok"),
    CommandState.FAILED: ("✕", "critical"),
    CommandState.TIMEOUT: ("✕", "critical"),
    CommandState.NOT_ALLOWED: ("✕", "critical"),
    CommandState.OFFLINE: ("–", "unknown"),
    CommandState.CANCELLED: ("–", "unknown"),
    CommandState.UNKNOWN: ("?", "warning"),
}
"""Shape and colour role of each state; the words stand beside it, always."""

WORDS = {
    CommandState.RUNNING: N_("running"),
    CommandState.OK: N_("ok"),
    CommandState.FAILED: N_("failed"),
    CommandState.TIMEOUT: N_("time-out"),
    CommandState.NOT_ALLOWED: N_("not allowed"),
    CommandState.OFFLINE: N_("not sent"),
    CommandState.CANCELLED: N_("cancelled"),
    CommandState.UNKNOWN: N_("unknown"),
}


class Run:
    """One command on its machines: what came back so far; `now_s` is monotonic everywhere.

    `revision` counts every change, `answers_revision` only results; `held` is the characters of all answers.
    """

    def __init__(self, request: CommandRequest, now_s: float) -> None:
        self.request = request
        self.results: dict[str, CommandResult] = {}
        self.tails: dict[str, str] = {}
        self.revision = 0
        self.answers_revision = 0
        self._targets = frozenset(request.machines)
        self._started_s = now_s
        self._ended_s: float | None = None
        self.held = 0
        self._slowest_s = 0.0
        self._seen: tuple[int, float] | None = None

    @classmethod
    def saved(cls, summary: CommandRunSummary, words: Sequence[str], results: Sequence[CommandResult]) -> Run:
        """A run as the history tells it; machines without a result are unknown."""
        request = CommandRequest(
            id=summary.id,
            words=tuple(words),
            machines=summary.machines or tuple(result.machine for result in results),
            timeout_s=30.0,
            operator=summary.operator,
            time_s=summary.time_s,
        )
        run = cls(request, 0.0)
        for result in results:
            run.add_result(result, 0.0)
        run.give_up(_("the history holds no answer of this machine"), 0.0)
        return run

    @property
    def is_running(self) -> bool:
        """True until each machine has its result."""
        return len(self.results) < len(self.request.machines)

    @property
    def waiting(self) -> list[str]:
        """Machines that have not answered, in the order they were asked."""
        return [name for name in self.request.machines if name not in self.results]

    def elapsed_s(self, now_s: float) -> float:
        """Seconds since the start, until the last result; never less than the slowest machine took."""
        if self._ended_s is None:
            return now_s - self._started_s
        return max(self._ended_s - self._started_s, self._slowest_s)

    def add_output(self, machine: str, text: str) -> None:
        """Keep the end of what a machine prints while it still runs."""
        if machine in self._targets and machine not in self.results:
            self.tails[machine] = (self.tails.get(machine, "") + text)[-TAIL:]
            self.revision += 1

    def add_result(self, result: CommandResult, now_s: float) -> None:
        """Take how the command ended on one machine; only the first result of a machine counts, unless it is better.

        A result fetched after the link came back replaces `unknown`.
        """
        known = self.results.get(result.machine)
        if result.machine not in self._targets or (known is not None and known.state is not CommandState.UNKNOWN):
            return
        self.results[result.machine] = self._bounded(result)
        self._slowest_s = max(self._slowest_s, result.duration_s or 0.0)
        self.tails.pop(result.machine, None)
        self.revision += 1
        self.answers_revision += 1
        if not self.is_running and self._ended_s is None:
            self._ended_s = now_s

    def give_up(self, message: str, now_s: float) -> None:
        """Whatever has not answered is unknown, for the reason given."""
        for name in self.waiting:
            self.add_result(CommandResult(machine=name, state=CommandState.UNKNOWN, message=message), now_s)

    def is_stuck(self, now_s: float, patience_s: float) -> bool:
        """True when nothing came for `patience_s`; to be asked now and then."""
        if self._seen is None or self._seen[0] != self.revision:
            self._seen = self.revision, now_s
        return self.is_running and now_s - self._seen[1] > patience_s

    def counts(self) -> Counter[CommandState]:
        """How many machines are in each state, RUNNING included."""
        counted = Counter(result.state for result in self.results.values())
        counted[CommandState.RUNNING] += len(self.request.machines) - len(self.results)
        return +counted

    def summary(self) -> CommandRunSummary:
        """This run as a line of the history."""
        return CommandRunSummary(
            id=self.request.id,
            line=self.request.line,
            time_s=self.request.time_s,
            operator=self.request.operator,
            machines=self.request.machines,
            counts={state.value: count for state, count in self.counts().items()},
        )

    def _bounded(self, result: CommandResult) -> CommandResult:
        length = len(result.stdout) + len(result.stderr)
        if self.held + length > HELD and length > CLIPPED:
            kept_out, kept_error = result.stdout[:CLIPPED], result.stderr[:CLIPPED]
            left_out = length - len(kept_out) - len(kept_error)
            result = msgspec.structs.replace(
                result, stdout=kept_out, stderr=kept_error, truncated_bytes=result.truncated_bytes + left_out
            )
            length -= left_out
        self.held += length
        return result


def counted(state: CommandState, count: int) -> str:
    """`6 ok`, `1 failed`: so many machines are in that state."""
    shown = number(count)
    if state is CommandState.OK:
        return ngettext("{count} ok", "{count} ok", count).format(count=shown)
    if state is CommandState.FAILED:
        return ngettext("{count} failed", "{count} failed", count).format(count=shown)
    if state is CommandState.TIMEOUT:
        return ngettext("{count} out of time", "{count} out of time", count).format(count=shown)
    if state is CommandState.NOT_ALLOWED:
        return ngettext("{count} not allowed", "{count} not allowed", count).format(count=shown)
    if state is CommandState.UNKNOWN:
        return ngettext("{count} unknown", "{count} unknown", count).format(count=shown)
    if state is CommandState.RUNNING:
        return ngettext("{count} running", "{count} running", count).format(count=shown)
    if state is CommandState.OFFLINE:
        return ngettext("{count} not sent", "{count} not sent", count).format(count=shown)
    return ngettext("{count} cancelled", "{count} cancelled", count).format(count=shown)


def first_line(result: CommandResult) -> str:
    """The line that says most about a result: its message, else the first line of what it printed."""
    for text in (result.message or "", result.stdout, result.stderr):
        if text.strip():
            return text.strip().split("\n", 1)[0][:200]
    return ""


class AnswersTable(RowsModel):
    """One row a machine: state, exit status, time, first line; sorted by `sort`."""

    HEADERS = (N_("Machine"), N_("State"), N_("Exit"), N_("Time"), N_("Answer"))
    RIGHT = frozenset((2, 3))

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[CommandResult] = []
        self._run: Run | None = None
        self._revision = -1
        self._column = -1
        self._order = Qt.AscendingOrder

    def apply(self, run: Run | None) -> None:
        """Show `run`; does nothing when nothing in it has changed."""
        if run is self._run and (run is None or run.revision == self._revision):
            return
        rows = [] if run is None else [run.results.get(name) or _waiting(name) for name in run.request.machines]
        same_machines = run is self._run and len(rows) == len(self._rows)
        self._run, self._revision = run, -1 if run is None else run.revision
        if not same_machines:
            self.beginResetModel()
            self._rows = self._sorted(rows)
            self.endResetModel()
            return
        rows = self._sorted(rows)
        if [row.machine for row in rows] == [row.machine for row in self._rows]:
            self._rows = rows
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(self.HEADERS) - 1))
            return
        self._reorder(rows)

    def machine_at(self, index: QModelIndex) -> str:
        """Name of the machine of a row."""
        return self._rows[index.row()].machine

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Text, alignment, colour and tool-tip of a cell."""
        result, column = self._rows[index.row()], index.column()
        if role == Qt.DisplayRole:
            return self._text(result, column)
        if role == Qt.TextAlignmentRole:
            return self.alignment(column)
        if role == Qt.ForegroundRole:
            colour = MARKS[result.state][1] if column == 1 else "dim" if column in (2, 3) else "text"
            return theme().color(colour)
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.AscendingOrder) -> None:
        """Order the rows by a column, -1 for the order in which the machines were asked."""
        self._column, self._order = column, order
        asked = [] if self._run is None else self._run.request.machines
        by_name = {row.machine: row for row in self._rows}
        self._reorder(self._sorted([by_name[name] for name in asked]))

    def _reorder(self, rows: list[CommandResult]) -> None:
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        names = [self._rows[index.row()].machine for index in before]
        places = {row.machine: place for place, row in enumerate(rows)}
        self._rows = rows
        after = [self.index(places[name], index.column()) for name, index in zip(names, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _sorted(self, rows: list[CommandResult]) -> list[CommandResult]:
        if self._column < 0:
            return rows
        keys = (
            lambda row: row.machine,
            lambda row: list(CommandState).index(row.state),
            lambda row: -1 if row.exit_status is None else row.exit_status,
            lambda row: -1.0 if row.duration_s is None else row.duration_s,
            first_line,
        )
        return sorted(rows, key=keys[self._column], reverse=self._order == Qt.DescendingOrder)

    @staticmethod
    def _text(result: CommandResult, column: int) -> str:
        if column == 0:
            return result.machine
        if column == 1:
            return f"{MARKS[result.state][0]} {_(WORDS[result.state])}"
        if column == 2:
            return NO_VALUE if result.exit_status is None else str(result.exit_status)
        if column == 3:
            return NO_VALUE if result.duration_s is None else duration(result.duration_s)
        return first_line(result)


def _waiting(name: str) -> CommandResult:
    return CommandResult(machine=name, state=CommandState.RUNNING)


def monotonic_s() -> float:
    """The clock that `now_s` of a run is read from."""
    return time.monotonic()
