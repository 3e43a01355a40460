"""The rows of the list of machines: groups that open and close, machines and checks that are selected."""

from __future__ import annotations

from PyQt5.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QItemSelectionRange,
    QModelIndex,
    QPoint,
    QRect,
    Qt,
    pyqtSignal,
)
from PyQt5.QtGui import QContextMenuEvent, QKeyEvent
from PyQt5.QtWidgets import QAbstractItemView, QTreeView, QWidget

from core.language import _
from gui.models.check_row import CheckRow
from gui.models.machine_row import MachineRow
from gui.models.machines import ROW_ROLE, GroupRow, MachineModel
from gui.theme import notifier
from gui.widgets.machine_delegate import MachineDelegate


class MachineTree(QTreeView):
    """The rows themselves; groups open by a click or by the arrow keys, machines are selected, several with Ctrl."""

    opened = pyqtSignal(str)
    check_opened = pyqtSignal(str)
    menu_wanted = pyqtSignal(QPoint)

    def __init__(self, model: MachineModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._closed: set[str] = set()
        self.setModel(model)
        self.setItemDelegate(MachineDelegate(self))
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.setUniformRowHeights(True)
        self.setExpandsOnDoubleClick(False)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.setAccessibleName(_("Machines"))
        self.clicked.connect(self._on_clicked)
        self.activated.connect(self._on_activated)
        self.collapsed.connect(lambda index: self._remember(index, True))
        self.expanded.connect(lambda index: self._remember(index, False))
        self._kept: list[tuple[str, bool]] = []
        model.arranging.connect(self._keep_selection)
        model.layoutChanged.connect(self._open_groups)
        model.layoutChanged.connect(self._select_again)
        notifier.changed.connect(self._on_theme)

    def selected_names(self) -> list[str]:
        """Names of the machines selected, in the order of the list."""
        return self._selected(MachineRow)

    def selected_checks(self) -> list[str]:
        """Names of the checks selected, in the order of the list."""
        return self._selected(CheckRow)

    def _selected(self, kind: type) -> list[str]:
        return [row.name for row in self._selected_rows() if isinstance(row, kind)]

    def _selected_rows(self) -> list[MachineRow | CheckRow]:
        """By ranges: with 2,000 rows, asking for each index is what would be felt."""
        groups = self.model().groups()
        ranges = []
        for chosen in self.selectionModel().selection():
            parent = chosen.parent()
            if parent.isValid():
                ranges.append((parent.row(), chosen.top(), chosen.bottom()))
        found: dict[tuple[bool, str], MachineRow | CheckRow] = {}
        for group, top, bottom in sorted(ranges):
            for row in groups[group].rows[top : bottom + 1]:
                found[isinstance(row, MachineRow), row.name] = row
        return list(found.values())

    def _keep_selection(self) -> None:
        """Everything is about to move: the selection is kept by names meanwhile."""
        self._kept = [(row.name, isinstance(row, MachineRow)) for row in self._selected_rows()]
        if self._kept:
            selection = self.selectionModel()
            blocked = selection.blockSignals(True)
            selection.clearSelection()
            selection.blockSignals(blocked)

    def _select_again(self) -> None:
        """The same machines and checks are selected where they are now; those that are hidden are no more."""
        kept, self._kept = self._kept, []
        if not kept:
            return
        model, selection, chosen = self.model(), self.selectionModel(), QItemSelection()
        found = [model.index_of(name) if is_machine else model.index_of_check(name) for name, is_machine in kept]
        places = sorted((index.internalId(), index.row(), at) for at, index in enumerate(found) if index.isValid())
        first = 0
        for at, (group, row, which) in enumerate(places):
            is_last = at + 1 == len(places) or places[at + 1][:2] != (group, row + 1)
            if is_last:
                chosen.append(QItemSelectionRange(found[places[first][2]], found[which]))
                first = at + 1
        blocked = selection.blockSignals(True)
        selection.select(chosen, selection.Select)
        selection.blockSignals(blocked)
        if len(places) != len(kept):
            selection.selectionChanged.emit(QItemSelection(), QItemSelection())

    def selectAll(self) -> None:
        """All rows of the groups that are open; by ranges, since Qt asks for each row three times."""
        groups = self.model().groups()
        if groups:
            chosen = self._between((0, 0), (len(groups) - 1, len(groups[-1].rows) - 1))
            self.selectionModel().select(chosen, QItemSelectionModel.ClearAndSelect)

    def setSelection(self, rect: QRect, command: QItemSelectionModel.SelectionFlags) -> None:
        """The rows from one corner of `rect` to the other, as Qt does, but by ranges."""
        if rect.isNull():
            return
        left = min(rect.left(), rect.right())
        upper = self.indexAt(QPoint(left, min(rect.top(), rect.bottom())))
        lower = self.indexAt(QPoint(left, max(rect.top(), rect.bottom())))
        if not upper.isValid() and not lower.isValid():
            if command & QItemSelectionModel.Clear:
                self.selectionModel().clear()
            return
        groups = self.model().groups()
        first = _place(upper) if upper.isValid() else (0, -1)
        last = _place(lower) if lower.isValid() else (len(groups) - 1, len(groups[-1].rows) - 1)
        self.selectionModel().select(self._between(first, last), command)

    def _between(self, first: tuple[int, int], last: tuple[int, int]) -> QItemSelection:
        """All rows on view from `first` to `last`, each a group and a row in it; -1 is the title of the group."""
        model, chosen = self.model(), QItemSelection()
        for number in range(first[0], last[0] + 1):
            group = model.index(number, 0)
            top = max(first[1], 0) if number == first[0] else 0
            bottom = last[1] if number == last[0] else model.rowCount(group) - 1
            if top <= bottom and self.isExpanded(group):
                chosen.append(QItemSelectionRange(model.index(top, 0, group), model.index(bottom, 0, group)))
        return chosen

    def visible_names(self) -> frozenset[str]:
        """Names of the machines whose rows are on screen now."""
        names = set()
        index = self.indexAt(self.viewport().rect().topLeft() + QPoint(1, 1))
        bottom = self.viewport().rect().bottom()
        while index.isValid() and self.visualRect(index).top() <= bottom:
            row = index.data(ROW_ROLE)
            if isinstance(row, MachineRow):
                names.add(row.name)
            index = self.indexBelow(index)
        return frozenset(names)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for the menu of the machines selected, by mouse or by the menu key."""
        place = event.globalPos()
        if event.reason() == QContextMenuEvent.Keyboard:
            place = self.viewport().mapToGlobal(self.visualRect(self.currentIndex()).center())
        self.menu_wanted.emit(place)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space opens or closes a group; the rest as in every tree."""
        if event.key() == Qt.Key_Space and isinstance(self.currentIndex().data(ROW_ROLE), GroupRow):
            self.setExpanded(self.currentIndex(), not self.isExpanded(self.currentIndex()))
            return
        super().keyPressEvent(event)

    def _on_clicked(self, index: QModelIndex) -> None:
        if isinstance(index.data(ROW_ROLE), GroupRow):
            self.setExpanded(index, not self.isExpanded(index))

    def _on_activated(self, index: QModelIndex) -> None:
        row = index.data(ROW_ROLE)
        if isinstance(row, MachineRow):
            self.opened.emit(row.name)
        elif isinstance(row, CheckRow):
            self.check_opened.emit(row.name)

    def _remember(self, index: QModelIndex, is_closed: bool) -> None:
        row = index.data(ROW_ROLE)
        if isinstance(row, GroupRow):
            (self._closed.add if is_closed else self._closed.discard)(row.name)

    def _open_groups(self) -> None:
        """Groups are open unless closed by hand; opened while a layout is due, they cost none of their own."""
        self.scheduleDelayedItemsLayout()
        for place, group in enumerate(self.model().groups()):
            index = self.model().index(place, 0)
            if group.name not in self._closed and not self.isExpanded(index):
                self.setExpanded(index, True)

    def _on_theme(self) -> None:
        self.setItemDelegate(MachineDelegate(self))
        self.viewport().update()


def _place(index: QModelIndex) -> tuple[int, int]:
    """The group, and the row in it; -1 for the title of the group."""
    parent = index.parent()
    return (parent.row(), index.row()) if parent.isValid() else (index.row(), -1)
