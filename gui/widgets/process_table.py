"""The card of processes: filter, tree, sorting by its header."""

from __future__ import annotations

from PyQt5.QtCore import QByteArray, Qt, QTimer
from PyQt5.QtWidgets import QAbstractItemView, QHeaderView, QLineEdit, QPushButton, QSizePolicy, QTableView, QWidget

from core.language import _
from core.records import ProcessTable
from gui.models.processes import COMMAND, CPU, MEMORY, NAME, PID, SINCE, USER, ProcessModel
from gui.widgets.card import Card
from gui.widgets.empty_state import EmptyState
from gui.widgets.row_table import RowTable

_WIDTHS = {PID: 72, NAME: 150, USER: 88, CPU: 74, MEMORY: 92, SINCE: 76, COMMAND: 120}
_CELL_MARGIN_PX = 9


def align_header(view: QTableView) -> None:
    """Put the words of the header where those of the cells begin and end."""
    view.horizontalHeader().setStyleSheet(
        f"QHeaderView::section {{ padding: 4px {_CELL_MARGIN_PX}px; }}"
        "QHeaderView::up-arrow, QHeaderView::down-arrow"
        " { subcontrol-origin: margin; subcontrol-position: top center; width: 9px; height: 7px; }"
    )


class ProcessCard(Card):
    """Processes of the machine shown; selection and scroll position survive a refresh."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_("Processes"), parent)
        self.model = ProcessModel(self)
        self.view = RowTable(self.model, _("Processes"))
        self.view.setSelectionMode(QAbstractItemView.SingleSelection)
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollPerPixel)
        align_header(self.view)
        header = self.view.horizontalHeader()
        header.setSectionsMovable(True)
        header.setStretchLastSection(True)
        for column, width in _WIDTHS.items():
            header.resizeSection(column, width)
        header.setSortIndicator(CPU, Qt.DescendingOrder)
        header.setSectionResizeMode(QHeaderView.Interactive)
        self.view.setSortingEnabled(True)
        self.filter_field = QLineEdit()
        self.filter_field.setPlaceholderText(_("Filter processes"))
        self.filter_field.setAccessibleName(_("Filter processes"))
        self.filter_field.setClearButtonEnabled(True)
        self.filter_field.setSizePolicy(QSizePolicy.Preferred, QSizePolicy.Fixed)
        self.filter_field.setMaximumWidth(220)
        self.tree_button = QPushButton(_("Tree"))
        self.tree_button.setToolTip(_("Show each process below the one that started it"))
        self.tree_button.setCheckable(True)
        self.add_to_title(self.tree_button)
        self.add_to_title(self.filter_field)
        self._waiting = EmptyState(_("The processes are being asked for…"))
        self.body.addWidget(self.view, 1)
        self.body.addWidget(self._waiting, 1)
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(120)
        self._delay.timeout.connect(self._on_filter_settled)
        self.filter_field.textChanged.connect(self._delay.start)
        self.tree_button.toggled.connect(self._on_tree_toggled)
        self.clear("")

    def apply(self, table: ProcessTable) -> None:
        """Show one more pass over the processes."""
        self.model.apply(table)
        self.view.show()
        self._waiting.hide()
        self._show_count()

    def clear(self, sentence: str) -> None:
        """Nothing to show, and why."""
        self.model.clear()
        self.view.hide()
        self._waiting.set_sentence(sentence or _("The processes are being asked for…"))
        self._waiting.show()
        self.set_subtitle("")

    def layout_state(self) -> QByteArray:
        """Widths, order and sorting of the columns."""
        return self.view.horizontalHeader().saveState()

    def restore_layout(self, state: QByteArray) -> None:
        """Take up what `layout_state` gave."""
        self.view.horizontalHeader().restoreState(state)

    def _show_count(self) -> None:
        shown, count = self.model.rowCount(), self.model.count
        self.set_subtitle(str(count) if shown == count else _("{shown} of {count}").format(shown=shown, count=count))

    def _on_filter_settled(self) -> None:
        self.model.set_filter(self.filter_field.text())
        self._show_count()

    def _on_tree_toggled(self, is_tree: bool) -> None:
        self.model.set_tree(is_tree)
        self._show_count()
