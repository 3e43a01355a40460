"""Draws one machine of the list: shape, name, reason in words, bars of CPU and RAM; and the title of a group."""

from __future__ import annotations

from PyQt5.QtCore import QModelIndex, QObject, QRectF, QSize, Qt
from PyQt5.QtGui import QFontMetrics, QPainter
from PyQt5.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from gui.models.check_row import CheckRow
from gui.models.machine_row import MachineRow
from gui.models.machines import ROW_ROLE, GroupRow
from gui.models.thresholds import CPU, MEMORY
from gui.theme import scaled_font, theme
from gui.widgets.state_shape import paint_bar, paint_shape

_BAR_WIDTH = 54


class MachineDelegate(QStyledItemDelegate):
    """All rows have one height, so that a view of 2,000 needs not ask for each."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._measure()

    def _measure(self) -> None:
        self._font = scaled_font(1.0)
        self._small = scaled_font(0.84)
        self._metrics = QFontMetrics(self._font)
        self._small_metrics = QFontMetrics(self._small)
        self._label_width = max(self._small_metrics.horizontalAdvance(word) for word in ("CPU", "RAM"))

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex) -> QSize:
        """Two lines and a little air."""
        return QSize(160, self._metrics.height() + self._small_metrics.height() + 5)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw a row."""
        row = index.data(ROW_ROLE)
        painter.save()
        if isinstance(row, GroupRow):
            self._paint_group(painter, QRectF(option.rect), row, bool(option.state & QStyle.State_Open))
            if option.state & QStyle.State_HasFocus:
                self._paint_focus(painter, QRectF(option.rect))
        elif isinstance(row, MachineRow):
            self._paint_machine(painter, option, row)
        elif isinstance(row, CheckRow):
            self._paint_check(painter, option, row)
        painter.restore()

    def _paint_group(self, painter: QPainter, area: QRectF, group: GroupRow, is_open: bool) -> None:
        painter.setFont(self._small)
        painter.setPen(theme().color("dim"))
        sign = "" if is_open else "  +"
        text = f"{group.title.upper()}   {len(group.rows)}{sign}"
        box = area.adjusted(10, 0, -8, -5)
        elided = self._small_metrics.elidedText(text, Qt.ElideRight, int(box.width()))
        painter.drawText(box, Qt.AlignLeft | Qt.AlignBottom, elided)

    def _paint_machine(self, painter: QPainter, option: QStyleOptionViewItem, row: MachineRow) -> None:
        area = self._paint_ground(painter, option, row)
        bars = row.is_seen and row.cpu_percent is not None
        right = area.right() - 8
        bars_left = right - _BAR_WIDTH - self._label_width - 8
        text = area.adjusted(31, 2, 0, -2)
        text.setRight(bars_left - 8 if bars else right)
        self._paint_words(painter, text, text, row)
        if bars:
            half = text.height() / 2
            for number, (label, percent, role) in enumerate(
                (
                    ("CPU", row.cpu_percent, CPU.role(row.cpu_percent, row.name, row.machine.groups)),
                    ("RAM", row.memory_percent, MEMORY.role(row.memory_percent, row.name, row.machine.groups)),
                )
            ):
                line = QRectF(bars_left, text.top() + number * half, right - bars_left, half)
                painter.drawText(line, Qt.AlignLeft | Qt.AlignVCenter, label)
                bar = QRectF(right - _BAR_WIDTH, line.center().y() - 2.5, _BAR_WIDTH, 5)
                paint_bar(painter, bar, percent, role)

    def _paint_check(self, painter: QPainter, option: QStyleOptionViewItem, row: CheckRow) -> None:
        area = self._paint_ground(painter, option, row)
        whole = area.adjusted(31, 2, -8, -2)
        latency = row.latency()
        name = QRectF(whole)
        if latency:
            painter.setFont(self._small)
            painter.setPen(theme().color("dim"))
            width = self._small_metrics.horizontalAdvance(latency)
            beside = QRectF(whole.right() - width, whole.top(), width, self._metrics.height())
            painter.drawText(beside, Qt.AlignRight | Qt.AlignVCenter, latency)
            name.setRight(beside.left() - 8)
        self._paint_words(painter, name, whole, row)

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem, row: MachineRow | CheckRow) -> QRectF:
        """What lies below and at the left of the words: selection, focus, shape; the row's area."""
        area = QRectF(option.rect)
        if option.state & QStyle.State_Selected:
            painter.fillRect(area, theme().color("raised"))
            painter.fillRect(QRectF(area.left(), area.top(), 3, area.height()), theme().color("accent"))
        elif option.state & QStyle.State_MouseOver:
            painter.fillRect(area, theme().color("raised", 110))
        if option.state & QStyle.State_HasFocus:
            self._paint_focus(painter, area)
        paint_shape(painter, QRectF(area.left() + 12, area.center().y() - 5, 10, 10), row.shape, row.role)
        return area

    def _paint_words(self, painter: QPainter, upper: QRectF, lower: QRectF, row: MachineRow | CheckRow) -> None:
        painter.setFont(self._font)
        painter.setPen(theme().color("text"))
        name = self._metrics.elidedText(row.name, Qt.ElideRight, int(upper.width()))
        painter.drawText(upper, Qt.AlignLeft | Qt.AlignTop, name)
        painter.setFont(self._small)
        painter.setPen(theme().color("dim"))
        reason = self._small_metrics.elidedText(row.reason(), Qt.ElideRight, int(lower.width()))
        painter.drawText(lower, Qt.AlignLeft | Qt.AlignBottom, reason)

    @staticmethod
    def _paint_focus(painter: QPainter, area: QRectF) -> None:
        painter.setPen(theme().color("accent"))
        painter.setBrush(Qt.NoBrush)
        painter.drawRect(area.adjusted(0.5, 0.5, -1.5, -1.5))
