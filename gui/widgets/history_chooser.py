"""The side of the History page: all series as a tree with a filter; Enter, double-click or drag adds one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from PyQt5.QtCore import QModelIndex, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QDragEnterEvent, QDropEvent, QKeyEvent, QPalette, QResizeEvent
from PyQt5.QtWidgets import QAbstractItemView, QHeaderView, QLineEdit, QPushButton, QStackedWidget, QTreeView, QWidget

from core.language import _, ngettext
from core.records import SeriesInfo
from gui import numbers
from gui.models.history_tree import MIME, NAME_ROLE, SeriesTree
from gui.theme import notifier, theme
from gui.widgets.card import MARGIN, Card

_FILTER_AFTER_MS = 150
_SEEN_PX = 74
_UNIT_FROM_PX = 225
_SEEN_FROM_PX = 320
"""What a series is called matters more than when it was last seen: that is in its tool-tip too."""
_OPENED_AT_ONCE = 12
"""Owners that a filter opens: with more, one looks at their names first."""


class SeriesView(QTreeView):
    """The tree; `picked(names)` by Enter or double-click on a series."""

    picked = pyqtSignal(list)

    def __init__(self, model: SeriesTree, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(model)
        self.setAccessibleName(_("Series"))
        self.setUniformRowHeights(True)
        self.setHeaderHidden(True)
        self.setIndentation(13)
        self.setStyleSheet("QTreeView::item { padding: 3px 2px; }")
        self.setSelectionMode(QAbstractItemView.ExtendedSelection)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragOnly)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.setExpandsOnDoubleClick(True)
        header = self.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(20)
        header.setSectionResizeMode(QHeaderView.Fixed)
        header.setSectionResizeMode(0, QHeaderView.Stretch)
        self.setColumnWidth(1, self.fontMetrics().horizontalAdvance("kvarh") + 14)
        self.setColumnWidth(2, _SEEN_PX)
        self.doubleClicked.connect(self._on_double)
        notifier.changed.connect(self._take_colours)
        self._take_colours()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter adds the series that are selected, or opens what is above them."""
        if event.key() in (Qt.Key_Return, Qt.Key_Enter):
            names = self.selected_names()
            if names:
                self.picked.emit(names)
            elif self.currentIndex().isValid():
                self.setExpanded(self.currentIndex(), not self.isExpanded(self.currentIndex()))
            return
        super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A narrow tree shows names alone."""
        super().resizeEvent(event)
        width = self.viewport().width()
        self.setColumnHidden(1, width < _UNIT_FROM_PX)
        self.setColumnHidden(2, width < _SEEN_FROM_PX)

    def selected_names(self) -> list[str]:
        """Names of the series that are selected."""
        return [
            str(index.data(NAME_ROLE))
            for index in self.selectionModel().selectedRows()
            if index.data(NAME_ROLE) is not None
        ]

    def _take_colours(self) -> None:
        """The style sheet colours rows that are selected, the palette what is left of them."""
        palette = self.palette()
        palette.setColor(QPalette.Highlight, theme().color("raised"))
        self.setPalette(palette)

    def _on_double(self, index: QModelIndex) -> None:
        name = index.siblingAtColumn(0).data(NAME_ROLE)
        if name is not None:
            self.picked.emit([str(name)])


class SeriesChooser(Card):
    """`picked(names)` are to be drawn."""

    picked = pyqtSignal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_("All series"), parent)
        self.model = SeriesTree(self)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(_("Filter series") + "   Ctrl+Shift+F")
        self.filter.setAccessibleName(_("Filter series"))
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(lambda _text: self._filter_timer.start())
        self.filter.returnPressed.connect(self._on_entered)
        self.view = SeriesView(self.model)
        self.view.picked.connect(self.picked)
        self.add_button = QPushButton(_("Draw"))
        self.add_button.setToolTip(_("Draw the selected series (Enter); they can be dragged onto the plot too"))
        self.add_button.clicked.connect(lambda: self.picked.emit(self.view.selected_names()))
        self.add_button.setEnabled(False)
        self.body.addWidget(self.filter)
        self.body.addWidget(self.view, 1)
        self.body.addWidget(self.add_button)
        self.layout().setContentsMargins(MARGIN - 4, 8, MARGIN - 4, MARGIN - 4)
        self._filter_timer = QTimer(self)
        self._filter_timer.setSingleShot(True)
        self._filter_timer.setInterval(_FILTER_AFTER_MS)
        self._filter_timer.timeout.connect(self.apply_filter)
        self.view.selectionModel().selectionChanged.connect(self._on_selected)
        self.setMinimumWidth(170)

    def set_series(self, infos: Sequence[SeriesInfo], names: Mapping[str, str]) -> None:
        """These are known; what was open stays open."""
        opened = self._opened()
        at = self.view.verticalScrollBar().value()
        self.model.set_series(infos, names)
        self._open_again(opened)
        self.view.verticalScrollBar().setValue(at)
        self._count()

    def set_chosen(self, names: Collection[str]) -> None:
        """These are drawn already."""
        self.model.set_chosen(names)

    def focus_filter(self) -> None:
        """Put the cursor into the filter."""
        self.filter.setFocus(Qt.ShortcutFocusReason)
        self.filter.selectAll()

    def apply_filter(self) -> None:
        """Take the filter at once."""
        self._filter_timer.stop()
        text = self.filter.text().strip()
        self.model.set_filter(text)
        self._open_again(set())
        self._count()

    def _on_entered(self) -> None:
        """Enter draws the only series that is left, else goes to the list."""
        self.apply_filter()
        names = [info.name for info in self.model.infos()] if self.model.count_shown() == 1 else []
        if names:
            only = self._first_series()
            if only is not None:
                self.picked.emit([only])
            return
        self.view.setFocus(Qt.ShortcutFocusReason)
        first = self.model.index(0, 0)
        if first.isValid():
            below = self.view.indexBelow(first)
            self.view.setCurrentIndex(below if below.isValid() else first)

    def _first_series(self) -> str | None:
        owner = self.model.index(0, 0, self.model.index(0, 0))
        name = self.model.index(0, 0, owner).data(NAME_ROLE)
        return None if name is None else str(name)

    def _opened(self) -> set[str]:
        """Words of the owners that are open."""
        found = set()
        for row in range(self.model.rowCount()):
            kind = self.model.index(row, 0)
            for place in range(self.model.rowCount(kind)):
                owner = self.model.index(place, 0, kind)
                if self.view.isExpanded(owner):
                    found.add(f"{row}/{owner.data()}")
        return found

    def _open_again(self, opened: set[str]) -> None:
        """Kinds are open; owners where they were, or where a filter leaves few."""
        is_filtered = bool(self.filter.text().strip())
        for row in range(self.model.rowCount()):
            kind = self.model.index(row, 0)
            count = self.model.rowCount(kind)
            self.view.setExpanded(kind, True)
            if not opened and not (is_filtered and count <= _OPENED_AT_ONCE) and count > 1:
                continue
            for place in range(count):
                owner = self.model.index(place, 0, kind)
                if f"{row}/{owner.data()}" in opened or (is_filtered and count <= _OPENED_AT_ONCE) or count == 1:
                    self.view.setExpanded(owner, True)

    def _count(self) -> None:
        count = self.model.count_shown()
        self.set_context(ngettext("{count} series", "{count} series", count).format(count=numbers.number(count)))

    def _on_selected(self) -> None:
        self.add_button.setEnabled(bool(self.view.selected_names()))


class DropArea(QStackedWidget):
    """Takes series that are dragged here; `dropped(names)`."""

    dropped = pyqtSignal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAcceptDrops(True)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Series are welcome."""
        if event.mimeData().hasFormat(MIME):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Draw them."""
        names = bytes(event.mimeData().data(MIME)).decode("utf-8", "replace").split("\n")
        event.acceptProposedAction()
        self.dropped.emit([name for name in names if name])
