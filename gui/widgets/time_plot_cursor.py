"""What moves over a plot that stands still: the cursor with its words, and the span that is being chosen."""

from __future__ import annotations

import pyqtgraph as pg
from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QFontMetricsF, QPainter, QPen
from PyQt5.QtWidgets import QStyleOptionGraphicsItem, QWidget

from gui.theme import theme
from gui.widgets.time_axis import label_font


class Cursor(pg.GraphicsObject):
    """The cursor's line, the words in its box, and the span that is being chosen."""

    def __init__(self, box: pg.ViewBox) -> None:
        super().__init__()
        self.setParentItem(box)
        self.setZValue(10)
        self._box = box
        self.x_px: float | None = None
        self.words: list[str] = []
        self.chosen_px: tuple[float, float] | None = None

    def boundingRect(self) -> QRectF:
        """The whole view box."""
        return QRectF(self._box.rect())

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        """Line over the full height; the box at the side that has room."""
        colours = theme()
        area = self.boundingRect()
        if self.chosen_px is not None:
            left, right = sorted(self.chosen_px)
            painter.fillRect(QRectF(left, 0, right - left, area.height()), colours.color("accent", 46))
        if self.x_px is None or not 0 <= self.x_px <= area.width():
            return
        painter.setRenderHint(QPainter.Antialiasing, False)
        painter.setPen(QPen(colours.color("accent"), 1))
        painter.drawLine(QPointF(self.x_px, 0), QPointF(self.x_px, area.height()))
        if not self.words:
            return
        font = label_font()
        metrics = QFontMetricsF(font)
        width = max(metrics.horizontalAdvance(word) for word in self.words) + 16
        height = metrics.height() * len(self.words) + 8
        left = self.x_px + 6 if self.x_px + 6 + width < area.width() else self.x_px - 6 - width
        place = QRectF(left, 6, width, height)
        painter.setRenderHint(QPainter.Antialiasing, True)
        painter.setPen(QPen(colours.color("line"), 1))
        painter.setBrush(colours.color("raised"))
        painter.drawRoundedRect(place, 4, 4)
        painter.setPen(colours.color("text"))
        for index, word in enumerate(self.words):
            font.setBold(index > 0)
            painter.setFont(font)
            painter.drawText(
                QRectF(left + 8, 10 + index * metrics.height(), width - 8, metrics.height()), Qt.AlignVCenter, word
            )
