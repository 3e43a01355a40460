"""All commands over all machines, newest first: those saved, and those of this window that run or have just ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt

from core.language import N_, _
from core.records import CommandRunSummary, CommandState
from gui.models.answers import WORDS, counted
from gui.models.command_line import label_of, typed_line
from gui.models.rows import RowsModel
from gui.numbers import clock, exact_time, number
from gui.plain_text import plain_tip
from gui.theme import theme

LIVE_HELD = 200
"""Runs of this window that are remembered; older ones come from the history."""

_GRAVEST = (
    CommandState.NOT_ALLOWED,
    CommandState.FAILED,
    CommandState.TIMEOUT,
    CommandState.UNKNOWN,
    CommandState.OFFLINE,
    CommandState.CANCELLED,
)
"""Which state speaks for a run that went well nowhere."""


def outcome(summary: CommandRunSummary) -> tuple[str, str]:
    """(words, colour role) of how a run ended: `6 of 10`, `120 ok`, `not allowed`."""
    counts = {state: count for state, count in summary.counts.items() if count}
    total = max(len(summary.machines), sum(counts.values()))
    ok = counts.get(CommandState.OK.value, 0)
    running = counts.get(CommandState.RUNNING.value, 0)
    if running:
        return _("{done} of {total}…").format(done=number(total - running), total=number(total)), "accent"
    if ok == total:
        return counted(CommandState.OK, total), "text"
    if ok == 0:
        state = next((state for state in _GRAVEST if counts.get(state.value)), CommandState.UNKNOWN)
        return _(WORDS[state]), "dim" if state is CommandState.CANCELLED else "critical"
    return _("{done} of {total}").format(done=number(ok), total=number(total)), "warning"


class CommandHistoryModel(RowsModel):
    """When, command and result of each run."""

    HEADERS = (N_("When"), N_("Command"), N_("Result"))

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._saved: list[CommandRunSummary] = []
        self._live: dict[str, CommandRunSummary] = {}
        self._rows: list[CommandRunSummary] = []
        self._search: list[str] = []

    def apply_saved(self, summaries: Sequence[CommandRunSummary]) -> None:
        """Take what the history answered to the search."""
        self._saved = list(summaries)
        self._rebuild()

    def apply_live(self, summary: CommandRunSummary) -> None:
        """Take a run of this window; shown from its first moment, before anything is saved."""
        known = self._live.get(summary.id)
        self._live[summary.id] = summary
        while len(self._live) > LIVE_HELD:
            del self._live[next(iter(self._live))]
        if known is not None:
            for row, shown in enumerate(self._rows):
                if shown.id == summary.id:
                    self._rows[row] = summary
                    self.dataChanged.emit(self.index(row, 0), self.index(row, len(self.HEADERS) - 1))
                    return
        self._rebuild()

    def set_search(self, text: str) -> None:
        """Which of this window's runs are shown beside the saved ones."""
        self._search = text.casefold().split()
        self._rebuild()

    def summary_at(self, index: QModelIndex) -> CommandRunSummary:
        """The run of a row."""
        return self._rows[index.row()]

    def row_of(self, run_id: str) -> int:
        """Row of a run, -1 where it is not shown."""
        return next((row for row, summary in enumerate(self._rows) if summary.id == run_id), -1)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Text, colour and tool-tip of a cell."""
        summary, column = self._rows[index.row()], index.column()
        if role == Qt.DisplayRole:
            return (clock(summary.time_s), label_of(summary.line), outcome(summary)[0])[column]
        if role == Qt.ForegroundRole:
            return theme().color(("dim", "text", outcome(summary)[1])[column])
        if role == Qt.ToolTipRole:
            return plain_tip(self._tip(summary))
        return None

    @staticmethod
    def _tip(summary: CommandRunSummary) -> str:
        names = ", ".join(summary.machines[:12])
        if len(summary.machines) > 12:
            names = _("{names} and {count} more").format(names=names, count=number(len(summary.machines) - 12))
        ends = [
            counted(state, summary.counts[state.value]) for state in CommandState if summary.counts.get(state.value)
        ]
        when = f"{exact_time(summary.time_s)} · {summary.operator}"
        return "\n".join((typed_line(summary.line)[:300], when, names, " · ".join(ends)))

    def _rebuild(self) -> None:
        found = {summary.id: summary for summary in self._saved}
        for summary in self._live.values():
            if summary.id in found or self._is_wanted(summary):
                found[summary.id] = summary
        rows = sorted(found.values(), key=lambda summary: -summary.time_s)
        before, after = [row.id for row in self._rows], [row.id for row in rows]
        new = len(after) - len(before)
        if before and new >= 0 and after[new:] == before:
            # what is read and selected stays where it is
            if new:
                self.beginInsertRows(QModelIndex(), 0, new - 1)
                self._rows = rows
                self.endInsertRows()
            self._rows = rows
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(self.HEADERS) - 1))
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def _is_wanted(self, summary: CommandRunSummary) -> bool:
        if not self._search:
            return True
        texts = [
            text.casefold() for text in (summary.line, label_of(summary.line), summary.operator, *summary.machines)
        ]
        return all(any(word in text for text in texts) for word in self._search)
