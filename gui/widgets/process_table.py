"""The processes of a machine: filter, tree, sorting by the header, and what ends one."""

from __future__ import annotations

from PyQt5.QtCore import QByteArray, QDataStream, QEvent, QIODevice, QItemSelectionModel, QModelIndex, Qt, pyqtSignal
from PyQt5.QtGui import QKeyEvent, QKeySequence, QMouseEvent
from PyQt5.QtWidgets import QAbstractItemView, QAction, QMenu, QPushButton, QWidget

from core.language import _
from core.records import Process, ProcessTable
from gui import numbers
from gui.models.machine_acts import MOST_AT_ONCE
from gui.models.processes import COMMAND, CPU, MEMORY, NAME, PID, SINCE, USER, ProcessModel
from gui.plain_text import plain_tip
from gui.widgets.table_panel import TablePanel, align_header

__all__ = ["ProcessPanel", "align_header"]

_WIDTHS = {PID: 72, NAME: 170, USER: 88, CPU: 74, MEMORY: 92, SINCE: 76, COMMAND: 120}
_INDENT_PX = 16


class ProcessPanel(TablePanel):
    """Processes of the machine shown; selection, scroll position and what is folded survive a refresh.

    `end_wanted` and `kill_wanted` carry the processes chosen; nothing is done before they were asked about.
    """

    end_wanted = pyqtSignal(list)
    kill_wanted = pyqtSignal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            ProcessModel(), _("Processes"), _("Filter processes"), _("The processes are being asked for…"), parent
        )
        self.model.setParent(self)
        self._why_not = ""
        self.view.setSelectionMode(QAbstractItemView.ExtendedSelection)
        header = self.view.horizontalHeader()
        for column, width in _WIDTHS.items():
            header.resizeSection(column, width)
        header.setSortIndicator(CPU, Qt.DescendingOrder)
        self.view.setSortingEnabled(True)
        self.tree_button = QPushButton(_("Tree"))
        self.tree_button.setToolTip(_("Show each process below the one that started it"))
        self.tree_button.setCheckable(True)
        self.tree_button.toggled.connect(self._on_tree_toggled)
        self.end_action = self._action(_("End process…"), QKeySequence(Qt.Key_Delete), self._on_end)
        self.kill_action = self._action(_("Kill process…"), QKeySequence(Qt.SHIFT + Qt.Key_Delete), self._on_kill)
        self.end_button = QPushButton(_("End process ▾"))
        menu = QMenu(self.end_button)
        menu.setToolTipsVisible(True)
        menu.addAction(self.end_action)
        menu.addAction(self.kill_action)
        self.end_button.setMenu(menu)
        self.add_tool(self.tree_button)
        self.add_tool(self.end_button)
        self.view.selectionModel().selectionChanged.connect(self._show_actions)
        self.view.installEventFilter(self)
        self.view.viewport().installEventFilter(self)
        self._show_actions()

    def apply(self, table: ProcessTable) -> None:
        """Show one more pass over the processes."""
        self.model.apply(table)
        self.show_answer(
            numbers.clock(table.time_s, with_seconds=True), "", _("The machine tells of no process at all.")
        )
        self._show_actions()

    def set_why_not(self, reason: str) -> None:
        """Why processes may not be ended there; "" where they may."""
        self._why_not = reason
        self._show_actions()

    def chosen(self) -> list[Process]:
        """The processes chosen, from above."""
        rows = sorted(index.row() for index in self.view.selectionModel().selectedRows())
        return [self.model.process(row) for row in rows]

    def show_process(self, process: Process) -> None:
        """Choose a process and bring it into view, whatever hides it now."""
        if self.model.row_of(process) is None:
            self.filter_field.clear()
            self._on_filter_settled()
            self.model.unfold_to(process)
        row = self.model.row_of(process)
        if row is not None:
            index = self.model.index(row, NAME)
            self.view.selectionModel().setCurrentIndex(
                index, QItemSelectionModel.ClearAndSelect | QItemSelectionModel.Rows
            )
            self.view.scrollTo(index, QAbstractItemView.PositionAtCenter)
            self.view.setFocus(Qt.OtherFocusReason)

    def layout_state(self) -> QByteArray:
        """The columns, and whether they stand as a tree."""
        state = QByteArray()
        stream = QDataStream(state, QIODevice.WriteOnly)
        stream << super().layout_state()
        stream.writeBool(self.tree_button.isChecked())
        return state

    def restore_layout(self, state: QByteArray) -> None:
        """Take up what `layout_state` gave."""
        stream = QDataStream(state, QIODevice.ReadOnly)
        columns = QByteArray()
        stream >> columns
        is_tree = stream.readBool()
        if stream.status() == QDataStream.Ok:
            super().restore_layout(columns)
            self.tree_button.setChecked(is_tree)

    def eventFilter(self, watched: QWidget, event: QEvent) -> bool:
        """Left and Right fold and unfold in a tree, and so does a click on the sign before the name."""
        if event.type() == QEvent.KeyPress and watched is self.view and isinstance(event, QKeyEvent):
            return self._on_key(event)
        if event.type() == QEvent.MouseButtonPress and isinstance(event, QMouseEvent):
            return self._on_pressed(event)
        return bool(super().eventFilter(watched, event))

    def _on_key(self, event: QKeyEvent) -> bool:
        index = self.view.currentIndex()
        if event.key() not in (Qt.Key_Left, Qt.Key_Right) or event.modifiers() or not index.isValid():
            return False
        return self._fold(index, is_folded=event.key() == Qt.Key_Left)

    def _on_pressed(self, event: QMouseEvent) -> bool:
        index = self.view.indexAt(event.pos())
        branch = self.model.branch(index.row()) if index.isValid() and index.column() == NAME else None
        if branch is None or not branch.below or event.button() != Qt.LeftButton:
            return False
        before = self.view.fontMetrics().horizontalAdvance(self.model.indent(index.row()))
        if event.pos().x() - self.view.columnViewportPosition(NAME) > before + _INDENT_PX // 2:
            return False
        return self._fold(index, is_folded=not branch.is_folded)

    def _fold(self, index: QModelIndex, *, is_folded: bool) -> bool:
        branch = self.model.branch(index.row())
        if branch is None or not branch.below or branch.is_folded == is_folded:
            return False
        self.model.set_folded(index.row(), is_folded)
        self._show_count()
        return True

    def _is_all(self, shown: int, count: int) -> bool:
        """What is folded away is not filtered out."""
        return shown == count or (self.model.is_tree and not self.filter_field.text().strip())

    def _action(self, text: str, key: QKeySequence, slot: object) -> QAction:
        action = QAction(text, self.view)
        action.setShortcut(key)
        action.setShortcutContext(Qt.WidgetShortcut)
        action.triggered.connect(slot)
        self.view.addAction(action)
        return action

    def _show_actions(self) -> None:
        count = len(self.view.selectionModel().selectedRows())
        reason = self._why_not
        if not reason and not count:
            reason = _("Choose a process in the table first.")
        if not reason and count > MOST_AT_ONCE:
            reason = _("At most {count} processes at once.").format(count=MOST_AT_ONCE)
        for action, what in (
            (self.end_action, _("Ask the processes chosen to end (Delete); you are asked twice before")),
            (self.kill_action, _("Take the processes chosen away at once (Shift+Delete); you are asked twice before")),
        ):
            action.setEnabled(not reason and self.view.isEnabled())
            action.setToolTip(plain_tip(reason or what))
        self.end_button.setEnabled(self.end_action.isEnabled())
        self.end_button.setToolTip(plain_tip(reason or _("Ask the processes chosen to end, or kill them")))

    def _on_end(self) -> None:
        self.end_wanted.emit(self.chosen())

    def _on_kill(self) -> None:
        self.kill_wanted.emit(self.chosen())

    def _on_tree_toggled(self, is_tree: bool) -> None:
        self.model.set_tree(is_tree)
        if self.model.count:
            self._show_count()
