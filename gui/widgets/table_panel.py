"""A table of what a machine tells: its rows, a filter and tools for the title line, words for when it has none."""

from __future__ import annotations

from typing import Any

from PyQt5.QtCore import QByteArray, QDataStream, QIODevice, QPoint, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QGuiApplication, QKeySequence
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QAction,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QMenu,
    QSizePolicy,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.language import _
from gui.widgets.empty_state import EmptyState
from gui.widgets.labels import ElidedLabel, plain_label, set_role
from gui.widgets.row_table import RowTable

_CELL_MARGIN_PX = 9
_FILTER_PX = (72, 190)


def align_header(view: QTableView) -> None:
    """Put the words of the header where those of the cells begin and end."""
    view.horizontalHeader().setStyleSheet(
        f"QHeaderView::section {{ padding: 4px {_CELL_MARGIN_PX}px; }}"
        "QHeaderView::up-arrow, QHeaderView::down-arrow"
        " { subcontrol-origin: margin; subcontrol-position: top center; width: 9px; height: 7px; }"
    )


def _cell(text: str) -> str:
    """Words of a cell for another program: a name that a spreadsheet would compute stays a name."""
    words = text.replace("\t", " ").strip()
    return f"'{words}" if words[:1] in tuple("=+-@") else words


class TablePanel(QWidget):
    """`tools` belong into the title line of whoever shows the panel; `counted` tells words for its tab.

    `model` has `count`, `rowCount`, `clear` and `set_filter`.
    """

    counted = pyqtSignal(str)

    def __init__(self, model: Any, title: str, filter_words: str, waiting: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self.title = title
        self._waiting_words = waiting
        self.view = view = RowTable(model, title)
        view.setVerticalScrollMode(QAbstractItemView.ScrollPerPixel)
        view.setContextMenuPolicy(Qt.CustomContextMenu)
        view.customContextMenuRequested.connect(self._on_menu)
        align_header(view)
        header = view.horizontalHeader()
        header.setSectionsMovable(True)
        header.setStretchLastSection(True)
        header.setSectionResizeMode(QHeaderView.Interactive)
        self.filter_field = QLineEdit()
        self.filter_field.setPlaceholderText(filter_words)
        self.filter_field.setAccessibleName(filter_words)
        self.filter_field.setClearButtonEnabled(True)
        self.filter_field.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self.filter_field.setMinimumWidth(_FILTER_PX[0])
        self.filter_field.setMaximumWidth(_FILTER_PX[1])
        self.tools = QWidget()
        self._tools_line = QHBoxLayout(self.tools)
        self._tools_line.setContentsMargins(0, 0, 0, 0)
        self._tools_line.setSpacing(6)
        self._time = ElidedLabel("dim")
        self._time.setAlignment(Qt.AlignRight | Qt.AlignVCenter)
        self._tools_line.addWidget(self._time, 2)
        self._tools_line.addWidget(self.filter_field, 1)
        self._note = plain_label("", "warning", wrap=True, selectable=True)
        self._note.hide()
        self._empty = EmptyState(waiting)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._note)
        layout.addWidget(view, 1)
        layout.addWidget(self._empty, 1)
        copy = QAction(_("Copy"), view)
        copy.setShortcut(QKeySequence(QKeySequence.Copy))
        copy.setShortcutContext(Qt.WidgetShortcut)
        copy.triggered.connect(self._on_copy)
        view.addAction(copy)
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(120)
        self._delay.timeout.connect(self._on_filter_settled)
        self.filter_field.textChanged.connect(self._delay.start)
        self.clear("")

    def add_tool(self, widget: QWidget) -> None:
        """Put `widget` into the tools, before the filter."""
        self._tools_line.insertWidget(self._tools_line.count() - 1, widget)

    def clear(self, sentence: str) -> None:
        """Nothing to show, and why; without a sentence: it is being asked for."""
        self.model.clear()
        self._time.set_text("")
        self._show_note("")
        self._show_empty(sentence or self._waiting_words)

    def set_stale(self, words: str) -> None:
        """What is shown is old, and since when; "" once it is not."""
        self.view.setEnabled(not words)
        self._show_note(words, "warning")

    def sentence(self) -> str:
        """What is said in place of the rows; "" while there are some."""
        return "" if self.view.isVisibleTo(self) else self._empty.sentence()

    def layout_state(self) -> QByteArray:
        """Widths, order and sorting of the columns, and what was looked for."""
        state = QByteArray()
        stream = QDataStream(state, QIODevice.WriteOnly)
        stream << self.view.horizontalHeader().saveState()
        stream.writeQString(self.filter_field.text())
        return state

    def restore_layout(self, state: QByteArray) -> None:
        """Take up what `layout_state` gave; anything else changes nothing."""
        stream = QDataStream(state, QIODevice.ReadOnly)
        columns = QByteArray()
        stream >> columns
        words = stream.readQString()
        if stream.status() == QDataStream.Ok:
            self.view.horizontalHeader().restoreState(columns)
            self.filter_field.setText(words)
            self._on_filter_settled()

    def show_answer(self, clock: str, problem: str, nothing: str) -> None:
        """The model has an answer of `clock`; `problem` says why it is not whole, `nothing` that it is empty."""
        self._time.set_text(clock)
        self.view.setEnabled(True)
        if self.model.count == 0:
            self._show_note("")
            self._show_empty(problem or nothing)
        else:
            self._empty.hide()
            self.view.show()
            self._show_note(problem)
            self._show_count()

    def _show_empty(self, sentence: str) -> None:
        self.view.hide()
        self._empty.set_sentence(sentence)
        self._empty.show()
        self.counted.emit("")

    def _show_note(self, words: str, role: str = "dim") -> None:
        set_role(self._note, role)
        self._note.setText(words)
        self._note.setVisible(bool(words))

    def _show_count(self) -> None:
        shown, count = self.model.rowCount(), self.model.count
        self.counted.emit(str(count) if self._is_all(shown, count) else self._partly(shown, count))

    def _is_all(self, shown: int, count: int) -> bool:
        return shown == count

    @staticmethod
    def _partly(shown: int, count: int) -> str:
        return _("{shown} of {count}").format(shown=shown, count=count)

    def _on_filter_settled(self) -> None:
        self._delay.stop()
        self.model.set_filter(self.filter_field.text())
        if self.model.count:
            self._show_count()

    def _on_menu(self, place: QPoint) -> None:
        """What can be done to the rows chosen; why something cannot is in its tool-tip."""
        menu = QMenu(self.view)
        menu.setAttribute(Qt.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        menu.addActions(self.view.actions())
        menu.popup(self.view.viewport().mapToGlobal(place))

    def _on_copy(self) -> None:
        """The rows chosen as lines, their cells apart by tabs."""
        rows = sorted(index.row() for index in self.view.selectionModel().selectedRows())
        lines = [
            "\t".join(_cell(self.model.index(row, column).data()) for column in range(self.model.columnCount()))
            for row in rows
        ]
        QGuiApplication.clipboard().setText("\n".join(lines))
