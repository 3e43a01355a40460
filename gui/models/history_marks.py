"""Alarms, commands, lines of the room and events as marks on the time of the History page."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QColor

from core.language import N_, _
from core.records import HistoryMark
from gui import numbers
from gui.models.machine_row import Shape
from gui.models.rows import RowsModel
from gui.plain_text import one_line, plain_tip
from gui.theme import theme

KINDS = ("alarm", "command", "chat", "event")
_TITLES = {"alarm": N_("Alarms"), "command": N_("Commands"), "chat": N_("Room"), "event": N_("Events")}
_WORDS = {"alarm": N_("alarm"), "command": N_("command"), "chat": N_("room"), "event": N_("event")}
_SHAPES = {"alarm": Shape.TRIANGLE, "command": Shape.SQUARE, "chat": Shape.CIRCLE, "event": Shape.RING}
_SEVERE = {"critical": "critical", "high": "critical", "error": "critical", "medium": "warning", "warning": "warning"}
_LONGEST = 400


def mark_role(mark: HistoryMark) -> str:
    """Role of the colour of a mark: that of its severity, else that of its kind."""
    if mark.kind in ("alarm", "event"):
        return _SEVERE.get(mark.severity or "", "unknown")
    return "accent" if mark.kind == "command" else "ok"


def mark_shape(mark: HistoryMark) -> Shape:
    """How a mark is drawn: each kind has a shape of its own."""
    return _SHAPES.get(mark.kind, Shape.RING)


def mark_words(mark: HistoryMark) -> str:
    """When, whose and what, in one line."""
    whose = source_words(mark.source)
    text = one_line(mark.text)[:_LONGEST]
    parts = [numbers.clock(mark.time_s, with_seconds=True), whose if whose and whose not in text else "", text]
    return "   ".join(part for part in parts if part)


def kind_title(kind: str) -> str:
    """`Alarms`."""
    return _(_TITLES[kind])


def source_words(source: str) -> str:
    """`srv-db` of `machine/srv-db`."""
    return one_line(source.partition("/")[2] or source)[:80]


TIME, KIND, SOURCE, TEXT = range(4)


class MarkModel(RowsModel):
    """The marks of the kinds that are wanted, oldest first."""

    HEADERS = (N_("When"), N_("Kind"), N_("Whose"), N_("What happened"))

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: tuple[HistoryMark, ...] = ()
        self._rows: list[HistoryMark] = []
        self._kinds: frozenset[str] = frozenset(KINDS)

    def apply(self, marks: Sequence[HistoryMark]) -> None:
        """These are in the span that is shown."""
        ordered = tuple(sorted(marks, key=lambda mark: mark.time_s))
        if ordered != self._all:
            self._all = ordered
            self._renew()

    def set_kinds(self, kinds: Collection[str]) -> None:
        """Show these kinds alone."""
        if frozenset(kinds) != self._kinds:
            self._kinds = frozenset(kinds)
            self._renew()

    def kinds(self) -> frozenset[str]:
        """Kinds that are shown."""
        return self._kinds

    def shown(self) -> list[HistoryMark]:
        """What is listed."""
        return list(self._rows)

    def at(self, row: int) -> HistoryMark:
        """The mark of a row."""
        return self._rows[row]

    def row_of(self, mark: HistoryMark) -> int | None:
        """Where a mark is listed."""
        return self._rows.index(mark) if mark in self._rows else None

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Words; the kind in its colour."""
        mark = self._rows[index.row()]
        if role == Qt.DisplayRole:
            return (
                numbers.clock(mark.time_s, with_seconds=True),
                _(_WORDS.get(mark.kind, mark.kind)),
                source_words(mark.source),
                one_line(mark.text)[:_LONGEST],
            )[index.column()]
        if role == Qt.ForegroundRole:
            if index.column() == KIND:
                return QColor(theme().color(mark_role(mark)))
            return QColor(theme().dim) if index.column() == TIME else None
        if role == Qt.ToolTipRole:
            return plain_tip(f"{numbers.exact_time(mark.time_s)}\n{mark.text[:2000]}")
        return self.alignment(index.column()) if role == Qt.TextAlignmentRole else None

    def _renew(self) -> None:
        self.beginResetModel()
        self._rows = [mark for mark in self._all if mark.kind in self._kinds]
        self.endResetModel()
