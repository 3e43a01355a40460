"""The bell as a picture: in the tray and in the status bar, in the colour of the worst alarm that is open."""

from __future__ import annotations

from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QIcon, QPainter, QPainterPath, QPen, QPixmap

from gui.theme import theme

_SIZES = (16, 22, 32, 48, 64)


def bell_pixmap(side: int, role: str, *, is_silent: bool = False, is_ringing: bool = False) -> QPixmap:
    """A bell of `side` pixels in the colour of `role`; struck through while silenced, with a dot while it rings."""
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.Antialiasing)
    painter.scale(side / 16, side / 16)
    colour = theme().color(role)
    path = QPainterPath(QPointF(2.2, 12.2))
    path.cubicTo(3.9, 11.0, 3.4, 8.2, 3.8, 6.4)
    path.cubicTo(4.3, 3.9, 6.0, 2.6, 8.0, 2.6)
    path.cubicTo(10.0, 2.6, 11.7, 3.9, 12.2, 6.4)
    path.cubicTo(12.6, 8.2, 12.1, 11.0, 13.8, 12.2)
    path.closeSubpath()
    painter.setPen(Qt.NoPen)
    painter.setBrush(colour)
    painter.drawPath(path)
    painter.drawEllipse(QRectF(7.1, 1.0, 1.8, 2.0))
    painter.drawChord(QRectF(6.1, 11.0, 3.8, 4.2), 180 * 16, 180 * 16)
    if is_ringing:
        painter.setPen(QPen(theme().color("ground"), 1))
        painter.setBrush(theme().color("text"))
        painter.drawEllipse(QRectF(10.2, 0.6, 5, 5))
    if is_silent:
        painter.setPen(QPen(theme().color("ground"), 3.2))
        painter.drawLine(QPointF(2, 14.4), QPointF(14, 1.6))
        painter.setPen(QPen(colour, 1.6))
        painter.drawLine(QPointF(2, 14.4), QPointF(14, 1.6))
    painter.end()
    return pixmap


def bell_icon(role: str, *, is_silent: bool = False, is_ringing: bool = False) -> QIcon:
    """The same in the sizes that a tray asks for."""
    icon = QIcon()
    for side in _SIZES:
        icon.addPixmap(bell_pixmap(side, role, is_silent=is_silent, is_ringing=is_ringing))
    return icon
