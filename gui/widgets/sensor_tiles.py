"""The tiles of all sensors: a view over the model, so that a thousand of them cost what is on screen."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QModelIndex, QPoint, QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QContextMenuEvent, QKeyEvent, QResizeEvent
from PyQt5.QtWidgets import QAbstractItemView, QListView, QWidget

from core.language import _
from gui.models.sensor_row import Key, SensorRow
from gui.models.sensors import ROW_ROLE, SensorModel
from gui.theme import notifier
from gui.widgets.sensor_delegate import SensorDelegate

_TALLEST_PX = 190
_LOOK_MS = 250


class SensorTiles(QListView):
    """Tiles in rows; a click selects one, Ctrl adds, Enter and double-click edit.

    `seen(keys)` tells tiles that came on screen and have no past yet.
    """

    chosen = pyqtSignal(list)
    edit_wanted = pyqtSignal(str)
    menu_wanted = pyqtSignal(QPoint)
    seen = pyqtSignal(list)

    def __init__(self, model: SensorModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sensors = model
        self._delegate = SensorDelegate(self, now=model.now)
        self.setModel(model)
        self.setItemDelegate(self._delegate)
        self.setViewMode(QListView.ListMode)
        self.setFlow(QListView.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.Adjust)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarAlwaysOn)
        self.setAccessibleName(_("Sensors"))
        self._looking = QTimer(self)
        self._looking.setSingleShot(True)
        self._looking.setInterval(_LOOK_MS)
        self._looking.timeout.connect(self._look)
        self.verticalScrollBar().valueChanged.connect(self._looking.start)
        self.verticalScrollBar().setSingleStep(40)
        self.verticalScrollBar().rangeChanged.connect(self._on_range)
        self._on_range(0, 0)
        self._on_range(0, 0)
        model.layoutChanged.connect(self._on_layout)
        self.selectionModel().selectionChanged.connect(self._on_selection)
        self.doubleClicked.connect(self._on_double_clicked)
        notifier.changed.connect(self._on_theme)
        self._fit()

    def selected_keys(self) -> list[Key]:
        """Series of the tiles selected, in the order of the tiles."""
        rows = sorted(index.row() for index in self.selectedIndexes())
        return [self._sensors.shown()[row].key for row in rows]

    def select(self, keys: Sequence[Key]) -> None:
        """Select these tiles, and bring the first into view."""
        selection = self.selectionModel()
        found = [index for key in keys if (index := self._sensors.index_of(key)).isValid()]
        blocked = selection.blockSignals(True)
        selection.clearSelection()
        for number, index in enumerate(found):
            if number == 0:
                selection.setCurrentIndex(index, selection.NoUpdate)
            selection.select(index, selection.Select)
        selection.blockSignals(blocked)
        self.viewport().update()
        self._on_selection()

    def refresh(self) -> None:
        """Draw values and ages anew: one repaint for all that has come."""
        self.viewport().update()

    def wanted_height(self, width: int) -> int:
        """Height in which all tiles have room, where the view is so wide."""
        columns = max(1, (width - 16) // self._delegate.least_width())
        return -(-max(1, self._sensors.rowCount()) // columns) * self._delegate.least_height() + 4

    def minimumSizeHint(self) -> QSize:
        """One row of tiles."""
        return QSize(240, self._delegate.least_height() + 4)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """As many tiles in a row as have room, all of the width shared between them."""
        super().resizeEvent(event)
        self._fit()
        self._looking.start()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for the menu of the tile under the mouse, or of the current one for the menu key."""
        place = event.globalPos()
        if event.reason() == QContextMenuEvent.Keyboard:
            place = self.viewport().mapToGlobal(self.visualRect(self.currentIndex()).center())
        if self.currentIndex().isValid():
            self.menu_wanted.emit(place)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter edits; arrows walk over the tiles."""
        if event.key() in (Qt.Key_Return, Qt.Key_Enter) and self.currentIndex().isValid():
            self._on_double_clicked(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _fit(self) -> None:
        width = self.viewport().width() - 2  # a row that fills all of it would be wrapped by Qt
        least = self._delegate.least_width()
        columns = max(1, width // least)
        count = max(1, self._sensors.rowCount())
        # few tiles are not stretched over the whole width, nor made as tall as it would allow
        tile_px = min(width // columns, round(least * 1.5)) if count < columns else width // columns
        lines = -(-count // columns)
        least_height = self._delegate.least_height()
        height = min(max(least_height, self.viewport().height() // lines), max(least_height, _TALLEST_PX))
        size = QSize(max(120, tile_px), height)
        if size != self._delegate.size or self.gridSize() != size:
            self._delegate.size = size
            self.setGridSize(size)

    def _look(self) -> None:
        """Which tiles on screen have no past yet."""
        if not self.isVisible():
            return
        visible = self.viewport().rect()
        first = self.indexAt(QPoint(4, 4))
        start = first.row() if first.isValid() else 0
        rows = self._sensors.shown()
        keys = []
        for place in range(start, len(rows)):
            if not visible.intersects(self.visualRect(self._sensors.index(place))):
                break
            if not rows[place].has_past:
                keys.append(rows[place].key)
        if keys:
            self.seen.emit(keys)

    def _on_layout(self) -> None:
        self._fit()
        self._looking.start()

    def _on_selection(self) -> None:
        self.chosen.emit(self.selected_keys())

    def _on_double_clicked(self, index: QModelIndex) -> None:
        row = index.data(ROW_ROLE)
        if isinstance(row, SensorRow):
            self.edit_wanted.emit(row.sensor)

    def _on_range(self, low: int, high: int) -> None:
        """The bar keeps its place, so that tiles do not jump; where there is nothing to scroll it is not drawn."""
        self.verticalScrollBar().setEnabled(high > low)

    def _on_theme(self) -> None:
        self._delegate.measure()
        self._fit()
        self.viewport().update()
