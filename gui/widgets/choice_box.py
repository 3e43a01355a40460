"""A drop-down list in the look of the other fields."""

from __future__ import annotations

from PyQt5.QtCore import QPointF
from PyQt5.QtGui import QPainter, QPaintEvent, QPolygonF
from PyQt5.QtWidgets import QComboBox

from gui.theme import theme

_FROM_EDGE_PX = 15.0


class ChoiceBox(QComboBox):
    """A style sheet can shape the field, but draws its arrow from image files alone: so it is painted here."""

    def paintEvent(self, event: QPaintEvent) -> None:
        """The field, and a small arrow at its right."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setBrush(theme().color("dim"))
        painter.setPen(theme().color("dim"))
        x, y = self.width() - _FROM_EDGE_PX, self.height() / 2 + 0.5
        painter.drawPolygon(QPolygonF([QPointF(x - 3.5, y - 2), QPointF(x + 3.5, y - 2), QPointF(x, y + 2)]))
