"""State as a shape in a colour: filled circle, triangle, square, diamond, ring (docs/images; never colour alone)."""

from __future__ import annotations

from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QPainter, QPen, QPolygonF

from gui.models.machine_row import Shape
from gui.theme import theme


def paint_shape(painter: QPainter, area: QRectF, shape: Shape, role: str) -> None:
    """Draw `shape` into the middle of `area`, its diameter that of the smaller side."""
    side = min(area.width(), area.height())
    box = QRectF(area.center().x() - side / 2, area.center().y() - side / 2, side, side)
    colour = theme().color(role)
    painter.save()
    painter.setRenderHint(QPainter.Antialiasing)
    painter.setPen(Qt.NoPen)
    painter.setBrush(colour)
    if shape is Shape.CIRCLE:
        painter.drawEllipse(box.adjusted(0.5, 0.5, -0.5, -0.5))
    elif shape is Shape.SQUARE:
        painter.drawRect(box.adjusted(0.5, 0.5, -0.5, -0.5))
    elif shape is Shape.TRIANGLE:
        painter.drawPolygon(
            QPolygonF(
                [
                    QPointF(box.center().x(), box.top()),
                    QPointF(box.right() + 0.5, box.bottom() - 0.5),
                    QPointF(box.left() - 0.5, box.bottom() - 0.5),
                ]
            )
        )
    elif shape is Shape.DIAMOND:
        # a little larger than its box, or it would look the smallest of all
        reach = side * 0.58
        middle = box.center()
        painter.drawPolygon(
            QPolygonF(
                [
                    QPointF(middle.x(), middle.y() - reach),
                    QPointF(middle.x() + reach, middle.y()),
                    QPointF(middle.x(), middle.y() + reach),
                    QPointF(middle.x() - reach, middle.y()),
                ]
            )
        )
    else:
        painter.setBrush(Qt.NoBrush)
        painter.setPen(QPen(colour, 1.6))
        painter.drawEllipse(box.adjusted(1, 1, -1, -1))
    painter.restore()


def paint_bar(painter: QPainter, area: QRectF, percent: float | None, role: str) -> None:
    """Draw a bar filled to `percent` of its length; only its track where None."""
    painter.save()
    painter.setRenderHint(QPainter.Antialiasing)
    painter.setPen(Qt.NoPen)
    radius = area.height() / 2
    painter.setBrush(theme().color("line"))
    painter.drawRoundedRect(area, radius, radius)
    if percent is not None and percent > 0:
        filled = QRectF(area)
        filled.setWidth(max(area.height(), area.width() * min(percent, 100.0) / 100))
        painter.setBrush(theme().color(role))
        painter.drawRoundedRect(filled, radius, radius)
    painter.restore()
