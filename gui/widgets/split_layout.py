"""How a page with a splitter and a table was arranged, for the next start."""

from __future__ import annotations

from typing import Protocol

from PyQt5.QtCore import QByteArray, QDataStream, QIODevice
from PyQt5.QtWidgets import QSplitter


class Table(Protocol):
    """A table that can tell its columns."""

    def layout_state(self) -> QByteArray:
        """Its columns."""

    def restore_layout(self, state: QByteArray) -> object:
        """Take up what `layout_state` gave."""


def layout_of(splitter: QSplitter, table: Table) -> QByteArray:
    """Place of the splitter, and columns of the table."""
    state = QByteArray()
    stream = QDataStream(state, QIODevice.WriteOnly)
    stream << splitter.saveState() << table.layout_state()
    return state


def restore(splitter: QSplitter, table: Table, state: QByteArray) -> None:
    """Take up what `layout_of` gave; anything else changes nothing."""
    stream = QDataStream(state, QIODevice.ReadOnly)
    split, columns = QByteArray(), QByteArray()
    stream >> split >> columns
    if stream.status() == QDataStream.Ok:
        splitter.restoreState(split)
        table.restore_layout(columns)
