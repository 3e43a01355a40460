"""The chosen series as a table: colour, name, unit, values; Space hides, Delete takes away, all by keyboard too."""

from __future__ import annotations

from PyQt5.QtCore import QModelIndex, QPointF, QRectF, Qt, pyqtSignal
from PyQt5.QtGui import QKeyEvent, QMouseEvent, QPainter, QPen, QResizeEvent
from PyQt5.QtWidgets import QAction, QHeaderView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from core.language import N_, _
from gui.models.history_chosen import (
    AT_A,
    AT_B,
    AT_POINTER,
    BETWEEN,
    DIFFERENCE,
    GREATEST,
    LAST,
    LEAST,
    MEAN,
    NOW,
    ROW_ROLE,
    SERIES,
    UNIT,
    VALUE,
    Chosen,
    ChosenModel,
)
from gui.theme import notifier, scaled_font, theme
from gui.widgets.process_table import align_header
from gui.widgets.row_table import RowTable

_MARGIN_PX = 9
_SWATCH_PX = 16
_CROSS_PX = 22
_WIDTHS = {UNIT: 58, VALUE: 84, AT_A: 84, AT_B: 84, DIFFERENCE: 92, BETWEEN: 118, LEAST: 84, MEAN: 84, GREATEST: 84}
_WIDEST = {VALUE: (NOW, LAST, AT_POINTER), BETWEEN: (N_("mean {value}"),)}
"""What else may stand in a column, beside its title of the moment."""
_AT = {"A": AT_A, "B": AT_B}
_GIVING_WAY = {UNIT: 520, VALUE: 560, MEAN: 400}
_CURSORS_PX = 150
"""Columns that give way where the table is narrower."""


class LegendDelegate(QStyledItemDelegate):
    """Paints swatch, name and cross in the first column; the others as they are."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """The name in the colour of text, dimmed while the curve is hidden."""
        row = index.data(ROW_ROLE)
        if index.column() != SERIES or not isinstance(row, Chosen):
            super().paint(painter, option, index)
            return
        colours = theme()
        area = QRectF(option.rect)
        painter.save()
        if option.state & QStyle.State_Selected:
            painter.fillRect(area, colours.color("raised"))
            painter.fillRect(QRectF(area.left(), area.top(), 3, area.height()), colours.color("accent"))
        swatch = QRectF(area.left() + _MARGIN_PX, area.center().y() - 5, 11, 11)
        painter.setRenderHint(QPainter.Antialiasing, True)
        painter.setPen(QPen(colours.color(row.role), 1.5))
        painter.setBrush(Qt.NoBrush if row.is_hidden else colours.color(row.role))
        painter.drawRoundedRect(swatch, 3, 3)
        inner = area.adjusted(_MARGIN_PX + _SWATCH_PX + 2, 0, -_CROSS_PX - 4, 0)
        painter.setFont(option.font)
        if row.is_simulated:
            painter.setFont(scaled_font(0.85))
            words = _("simulated")
            width = painter.fontMetrics().horizontalAdvance(words) + 6
            if inner.width() > width + 30:
                painter.setPen(colours.color("warning"))
                painter.drawText(inner, int(Qt.AlignRight | Qt.AlignVCenter), words)
                inner.setRight(inner.right() - width)
            painter.setFont(option.font)
        painter.setPen(colours.color("dim" if row.is_hidden else "text"))
        text = painter.fontMetrics().elidedText(str(index.data()), Qt.ElideRight, int(inner.width()))
        painter.drawText(inner, int(Qt.AlignLeft | Qt.AlignVCenter), text)
        if option.state & (QStyle.State_Selected | QStyle.State_MouseOver):
            painter.setPen(QPen(colours.color("dim"), 1.4))
            centre, arm = QPointF(area.right() - _CROSS_PX / 2 - 2, area.center().y()), 3.5
            painter.drawLine(centre + QPointF(-arm, -arm), centre + QPointF(arm, arm))
            painter.drawLine(centre + QPointF(-arm, arm), centre + QPointF(arm, -arm))
        painter.restore()


class HistoryLegend(RowTable):
    """`removed(names)`; a click on the swatch hides, one on the cross takes away."""

    removed = pyqtSignal(list)

    def __init__(self, model: ChosenModel, parent: QWidget | None = None) -> None:
        super().__init__(model, _("Series that are drawn"), parent)
        self.chosen = model
        self._cursors = ""
        self.setItemDelegate(LegendDelegate(self))
        self.setMouseTracking(True)
        align_header(self)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.Fixed)
        header.setSectionResizeMode(SERIES, QHeaderView.Stretch)
        header.setMinimumSectionSize(40)
        for text, key, slot in (
            (_("Hide or show"), "Space", self._on_toggle),
            (_("Show this one alone"), "", self._on_alone),
            (_("Remove"), "Del", self._on_remove),
        ):
            action = QAction(text, self)
            if key:
                action.setShortcut(key)
                action.setShortcutContext(Qt.WidgetShortcut)
            action.triggered.connect(slot)
            self.addAction(action)
        self.opened.connect(self._on_toggle)
        notifier.changed.connect(self._on_theme_changed)
        self._fit()

    def set_cursors(self, letters: str) -> None:
        """The value at the only cursor beside the figures of the span; with both, what is between instead of those."""
        if letters != self._cursors:
            self._cursors = letters
            self._fit()

    def chosen_names(self) -> list[str]:
        """The rows that are selected."""
        rows = {index.row() for index in self.selectionModel().selectedRows()}
        return [row.name for place, row in enumerate(self.chosen.rows()) if place in rows]

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """On the swatch: hide or show; on the cross: take away."""
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.pos())
        if event.button() != Qt.LeftButton or not index.isValid() or index.column() != SERIES:
            return
        row, place = index.data(ROW_ROLE), self.visualRect(index)
        if event.pos().x() <= place.left() + _MARGIN_PX + _SWATCH_PX:
            self.chosen.set_hidden(row.name, not row.is_hidden)
        elif event.pos().x() >= place.right() - _CROSS_PX:
            self.removed.emit([row.name])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space hides or shows, Delete takes away."""
        if event.key() == Qt.Key_Space:
            self._on_toggle()
        elif event.key() in (Qt.Key_Delete, Qt.Key_Backspace):
            self._on_remove()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Narrow tables show less."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        wanted = {SERIES, UNIT, VALUE, *(_AT[letter] for letter in self._cursors)}
        wanted |= {DIFFERENCE, BETWEEN} if len(self._cursors) == 2 else {LEAST, MEAN, GREATEST}
        metrics = self.fontMetrics()
        for column, width in _WIDTHS.items():
            least_px = _GIVING_WAY.get(column, 0) + (_CURSORS_PX if self._cursors else 0)
            if column == VALUE and len(self._cursors) == 2:
                least_px += _CURSORS_PX
            is_wanted = column in wanted and (column not in _GIVING_WAY or self.viewport().width() >= least_px)
            self.setColumnHidden(column, not is_wanted)
            words = [str(self.chosen.headerData(column, Qt.Horizontal)), *_WIDEST.get(column, ())]
            wide = max(metrics.horizontalAdvance(_(word).format(value="00000.00")) for word in words)
            self.setColumnWidth(column, max(width, wide + 2 * _MARGIN_PX + 2))

    def _on_toggle(self, *_index: object) -> None:
        rows = [row for name in self.chosen_names() if (row := self.chosen.row_of(name)) is not None]
        if rows:
            is_hidden = not all(row.is_hidden for row in rows)
            for row in rows:
                self.chosen.set_hidden(row.name, is_hidden)

    def _on_alone(self) -> None:
        names = self.chosen_names()
        for row in self.chosen.rows():
            self.chosen.set_hidden(row.name, row.name not in names)

    def _on_remove(self) -> None:
        names = self.chosen_names()
        if names:
            self.removed.emit(names)

    def _on_theme_changed(self) -> None:
        self._fit()
        self.viewport().update()
