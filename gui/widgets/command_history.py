"""The card of the history: all commands over all machines, searched, looked at, taken again."""

from __future__ import annotations

from PyQt5.QtCore import QItemSelection, QModelIndex, QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QGuiApplication, QKeySequence
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QAction,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QStackedWidget,
    QWidget,
)

from core.language import _
from core.records import CommandRunSummary
from gui.models.command_history import CommandHistoryModel
from gui.widgets.card import Card
from gui.widgets.labels import plain_label
from gui.widgets.row_table import RowTable

SEARCH_WAIT_MS = 250


class CommandHistoryCard(Card):
    """Choosing a row tells which run to show; double-click, Enter or the button take it again, without sending."""

    search_wanted = pyqtSignal(str)
    run_chosen = pyqtSignal(object)
    again_wanted = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_("History"), parent)
        self.set_context(_("all machines, saved"))
        self.model = CommandHistoryModel(self)
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(_("Search commands and machines"))
        self.search.setAccessibleName(_("Search the history of commands"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._on_search_changed)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SEARCH_WAIT_MS)
        self._timer.timeout.connect(self._on_search_settled)
        self.table = RowTable(self.model, _("History of commands"), self)
        self._prepare_table()
        self._nothing = plain_label("", "dim", wrap=True)
        self._nothing.setAlignment(Qt.AlignHCenter | Qt.AlignTop)
        self._nothing.setMargin(16)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self.table)
        self._stack.addWidget(self._nothing)
        self.again = QPushButton(_("Run again…"), self)
        self.again.setToolTip(_("Fill in the line and its machines, without sending"))
        self.again.clicked.connect(self._on_again)
        self.body.addWidget(self.search)
        self.body.addWidget(self._stack, 1)
        self.body.addWidget(self.again, 0, Qt.AlignLeft)
        self.model.modelReset.connect(self._on_rows_changed)
        self._on_rows_changed()

    def sizeHint(self) -> QSize:
        """Room for the three columns."""
        return QSize(330, 420)

    def minimumSizeHint(self) -> QSize:
        """Room for a shortened command."""
        return QSize(230, 160)

    def mark(self, run_id: str) -> None:
        """Select the row of the run that is shown, without asking for it."""
        selection = self.table.selectionModel()
        row = self.model.row_of(run_id)
        if selection is None or row < 0:
            return
        selection.blockSignals(True)
        self.table.selectRow(row)
        selection.blockSignals(False)
        self.again.setEnabled(True)
        viewport = self.table.viewport()
        if viewport is not None:
            viewport.update()

    def chosen(self) -> CommandRunSummary | None:
        """The run of the selected row."""
        index = self.table.currentIndex()
        selection = self.table.selectionModel()
        if selection is None or not selection.hasSelection() or not index.isValid():
            return None
        return self.model.summary_at(index)

    def _prepare_table(self) -> None:
        table = self.table
        table.setSelectionMode(QAbstractItemView.SingleSelection)
        columns = table.horizontalHeader()
        if columns is not None:
            columns.setSectionsClickable(False)
            columns.setSectionResizeMode(0, QHeaderView.ResizeToContents)
            columns.setSectionResizeMode(1, QHeaderView.Stretch)
            columns.setSectionResizeMode(2, QHeaderView.ResizeToContents)
        again = QAction(_("Run again…"), table)
        again.triggered.connect(self._on_again)
        copy = QAction(_("Copy the command"), table)
        copy.setShortcut(QKeySequence(QKeySequence.Copy))
        copy.setShortcutContext(Qt.WidgetShortcut)
        copy.triggered.connect(self._on_copy)
        table.addAction(again)
        table.addAction(copy)
        table.opened.connect(self._on_opened)
        selection = table.selectionModel()
        if selection is not None:
            selection.selectionChanged.connect(self._on_selected)

    def _on_rows_changed(self) -> None:
        has_rows = self.model.rowCount() > 0
        self._stack.setCurrentIndex(0 if has_rows else 1)
        self.again.setEnabled(False)
        self._nothing.setText(
            _("No command matches.") if self.search.text().strip() else _("Each command sent is kept here.")
        )

    def _on_search_changed(self, text: str) -> None:
        self.model.set_search(text)
        self._timer.start()

    def _on_search_settled(self) -> None:
        self.search_wanted.emit(self.search.text().strip())

    def _on_selected(self, _chosen: QItemSelection, _left: QItemSelection) -> None:
        summary = self.chosen()
        self.again.setEnabled(summary is not None)
        if summary is not None:
            self.run_chosen.emit(summary)

    def _on_opened(self, index: QModelIndex) -> None:
        self.again_wanted.emit(self.model.summary_at(index))

    def _on_again(self) -> None:
        summary = self.chosen()
        if summary is not None:
            self.again_wanted.emit(summary)

    def _on_copy(self) -> None:
        summary, clipboard = self.chosen(), QGuiApplication.clipboard()
        if summary is not None and clipboard is not None:
            clipboard.setText(summary.line)
