"""What became of a check over time: how much of it was well, and when that changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt

from core.language import N_, _
from core.site_records import CheckResult, CheckState
from gui.models.check_row import state_words
from gui.models.rows import RowsModel
from gui.numbers import clock, duration, exact_time, number
from gui.plain_text import one_line, plain_tip
from gui.theme import theme


@dataclass(frozen=True, slots=True)
class Phase:
    """Results one after the other that say the same; `until_s` is when another one came, else the last one."""

    start_s: float
    until_s: float
    last: CheckResult
    count: int
    is_over: bool

    @property
    def is_ok(self) -> bool:
        """True where the check was well."""
        return self.last.state is CheckState.OK


def phases(results: Sequence[CheckResult]) -> list[Phase]:
    """The phases of results in the order of time, oldest first; a failure for another reason is another phase."""
    found: list[Phase] = []
    first: CheckResult | None = None
    count = 0
    for at, result in enumerate(results):
        if first is None:
            first, count = result, 0
        count += 1
        after = results[at + 1] if at + 1 < len(results) else None
        if after is None or _kind(after) != _kind(result):
            until_s = result.time_s if after is None else after.time_s
            found.append(Phase(first.time_s, until_s, result, count, after is not None))
            first = None
    return found


def availability(results: Sequence[CheckResult]) -> float | None:
    """Percent of the results that were ok; None where there is none."""
    if not results:
        return None
    return 100 * sum(result.state is CheckState.OK for result in results) / len(results)


def _kind(result: CheckResult) -> tuple[object, ...]:
    return (result.state, result.status if result.state is not CheckState.OK else None, result.error)


class PhaseModel(RowsModel):
    """The phases of a check, newest first."""

    HEADERS = (N_("Since"), N_("Lasted"), N_("State"), N_("What happened"))

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Phase] = []

    def set_phases(self, found: Sequence[Phase]) -> None:
        """Show these, given oldest first."""
        rows = list(reversed(found))
        if len(rows) == len(self._rows):
            self._rows = rows
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(self.HEADERS) - 1))
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Text, colour and tool-tip of a cell."""
        phase, column = self._rows[index.row()], index.column()
        if role == Qt.DisplayRole:
            return self._text(phase, column)
        if role == Qt.ForegroundRole:
            return theme().color(("text", "dim", "ok" if phase.is_ok else "critical", "text")[column])
        if role == Qt.ToolTipRole:
            return plain_tip("\n".join(part for part in (exact_time(phase.start_s), phase.last.error) if part))
        return None

    @staticmethod
    def _text(phase: Phase, column: int) -> str:
        if column == 0:
            return clock(phase.start_s, with_seconds=True)
        if column == 1:
            lasted = duration(phase.until_s - phase.start_s) if phase.until_s > phase.start_s else ""
            return lasted if phase.is_over else _("{duration}, still so").format(duration=lasted) if lasted else ""
        if column == 2:
            sign = "✓" if phase.is_ok else "✕"
            return f"{sign} {state_words(phase.last.state)}"
        if phase.last.error:
            return one_line(phase.last.error)
        if phase.last.status is not None:
            return _("status {status}").format(status=number(phase.last.status))
        return ""
