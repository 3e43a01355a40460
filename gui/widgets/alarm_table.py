"""The table of alarms: severity as shape, colour and word; units dimmed; what is over dimmed as a whole."""

from __future__ import annotations

from PyQt5.QtCore import QByteArray, QModelIndex, QRectF, Qt, pyqtSignal
from PyQt5.QtGui import QKeySequence, QPainter, QResizeEvent
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QAction,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from core.language import _
from core.site_records import Alarm
from gui.models import alarm_words as words
from gui.models.alarms import (
    ALARM_ROLE,
    COMMENT,
    LASTS,
    LIMIT,
    OPERATOR,
    SEVERITY,
    SINCE,
    SOURCE,
    STATE,
    TEXT,
    VALUE,
    AlarmModel,
)
from gui.theme import notifier, theme
from gui.widgets.process_table import align_header
from gui.widgets.row_table import RowTable
from gui.widgets.state_shape import paint_shape

_WIDTHS = {
    SEVERITY: 98,
    SOURCE: 132,
    VALUE: 78,
    LIMIT: 78,
    SINCE: 112,
    LASTS: 64,
    STATE: 112,
    OPERATOR: 84,
    COMMENT: 120,
}
"""What the text of the alarm leaves to the others, in pixels."""
_HIDDEN_BELOW = {LIMIT: 1240, OPERATOR: 1240, COMMENT: 1060, VALUE: 900, LASTS: 760, SOURCE: 720}
"""Columns that give way to the text where the table is narrower; the pane below and the tool-tips say the same."""
_MARGIN_PX = 9
_SHAPE_PX = 10


class AlarmDelegate(QStyledItemDelegate):
    """Draws a cell of the table."""

    def __init__(self, view: RowTable) -> None:
        super().__init__(view)
        self._view = view

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Ground and focus as the style does, the words by role."""
        alarm = index.data(ALARM_ROLE)
        if not isinstance(alarm, Alarm):
            super().paint(painter, option, index)
            return
        colours = theme()
        area = QRectF(option.rect)
        painter.save()
        if option.state & QStyle.State_Selected:
            painter.fillRect(area, colours.color("raised"))
            if index.column() == self._first_column():
                painter.fillRect(QRectF(area.left(), area.top(), 3, area.height()), colours.color("accent"))
        painter.setFont(option.font)
        is_open = alarm.state.is_open
        column = index.column()
        inner = area.adjusted(_MARGIN_PX, 0, -_MARGIN_PX, 0)
        painter.setPen(colours.color("text" if is_open else "dim"))
        if column == SEVERITY:
            shape, role = words.shape_of(alarm)
            paint_shape(
                painter, QRectF(inner.left(), inner.center().y() - _SHAPE_PX / 2, _SHAPE_PX, _SHAPE_PX), shape, role
            )
            inner.setLeft(inner.left() + _SHAPE_PX + 7)
        if column in (VALUE, LIMIT):
            value = alarm.value if column == VALUE else alarm.threshold
            number, unit = words.value_words(value, alarm.unit)
            self._paint_value(painter, inner, option, number, unit)
        else:
            if column in (SINCE, LASTS, OPERATOR, STATE, COMMENT):
                painter.setPen(colours.color("text" if is_open and column == STATE else "dim"))
            text = option.fontMetrics.elidedText(str(index.data() or ""), Qt.ElideRight, int(inner.width()))
            side = Qt.AlignRight if column == LASTS else Qt.AlignLeft
            painter.drawText(inner, int(side | Qt.AlignVCenter), text)
        if option.state & QStyle.State_HasFocus and self._view.hasFocus():
            painter.setPen(colours.color("accent"))
            painter.setBrush(Qt.NoBrush)
            painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.restore()

    def _paint_value(
        self, painter: QPainter, area: QRectF, option: QStyleOptionViewItem, number: str, unit: str
    ) -> None:
        metrics = option.fontMetrics
        if unit:
            pen = painter.pen()
            painter.setPen(theme().color("dim"))
            painter.drawText(area, int(Qt.AlignRight | Qt.AlignVCenter), unit)
            painter.setPen(pen)
            area = area.adjusted(0, 0, -metrics.horizontalAdvance(f" {unit}"), 0)
        painter.drawText(area, int(Qt.AlignRight | Qt.AlignVCenter), number)

    def _first_column(self) -> int:
        header = self._view.horizontalHeader()
        return next(
            (
                column
                for place in range(header.count())
                if not header.isSectionHidden(column := header.logicalIndex(place))
            ),
            SEVERITY,
        )


class AlarmTable(RowTable):
    """Rows are chosen, several with Ctrl or Shift; `chosen` tells the alarms, `opened` the one of Enter."""

    chosen = pyqtSignal(list)

    def __init__(self, model: AlarmModel, parent: QWidget | None = None) -> None:
        super().__init__(model, _("Alarms"), parent)
        self._model = model
        self.setItemDelegate(AlarmDelegate(self))
        self.setSelectionMode(QAbstractItemView.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollPerPixel)
        self.setAutoScroll(False)
        align_header(self)
        header = self.horizontalHeader()
        header.setSectionsMovable(True)
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.Interactive)
        header.setSectionResizeMode(TEXT, QHeaderView.Stretch)
        for column, width in _WIDTHS.items():
            header.resizeSection(column, width)
        header.setSortIndicator(SINCE, Qt.DescendingOrder)
        self.setSortingEnabled(True)
        self.selectionModel().selectionChanged.connect(self._on_selection)
        notifier.changed.connect(self.viewport().update)

    def add_entry(self, text: str, slot: object, shortcut: str | None = None) -> QAction:
        """An entry of the menu of the rows; its key holds while the table has the focus."""
        action = QAction(text, self)
        if shortcut is not None:
            action.setShortcut(QKeySequence(shortcut))
            action.setShortcutContext(Qt.WidgetShortcut)
        action.triggered.connect(slot)
        self.addAction(action)
        return action

    def chosen_alarms(self) -> list[Alarm]:
        """The alarms selected, in the order of the list."""
        rows = sorted({index.row() for index in self.selectionModel().selectedRows()})
        return [self._model.at(row) for row in rows]

    def choose(self, numbers: list[int]) -> None:
        """Select these alarms, and bring the first into view."""
        selection = self.selectionModel()
        selection.clearSelection()
        is_first = True
        for number in numbers:
            row = self._model.row_of(number)
            if row is None:
                continue
            index = self._model.index(row, 0)
            if is_first:
                selection.setCurrentIndex(index, selection.NoUpdate)
                self.scrollTo(index, QAbstractItemView.PositionAtCenter)
                is_first = False
            selection.select(index, selection.Select | selection.Rows)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The text of the alarm matters most: where there is little room, others give way."""
        width = self.viewport().width()
        for column, least in _HIDDEN_BELOW.items():
            if self.isColumnHidden(column) != (width < least):
                self.setColumnHidden(column, width < least)
        super().resizeEvent(event)

    def layout_state(self) -> QByteArray:
        """Widths, order and sorting of the columns."""
        return self.horizontalHeader().saveState()

    def restore_layout(self, state: QByteArray) -> None:
        """Take up what `layout_state` gave."""
        self.horizontalHeader().restoreState(state)

    def _on_selection(self) -> None:
        self.chosen.emit(self.chosen_alarms())
