"""A short list of names with a number each, and a bar below: the five busiest machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PyQt5.QtCore import QEvent, QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PyQt5.QtWidgets import QSizePolicy, QWidget

from gui.theme import notifier, scaled_font, theme
from gui.widgets.state_shape import paint_bar


@dataclass(frozen=True, slots=True)
class BarItem:
    """One line: `detail` at the right, `percent` None for a line without a bar.

    `short` takes the place of a detail that has no room.
    """

    name: str
    detail: str
    percent: float | None
    role: str = "accent"
    short: str = ""


class BarList(QWidget):
    """Lines as many as fit; a click, or Enter on the focused line, opens."""

    opened = pyqtSignal(str)

    def __init__(self, accessible_name: str, parent: QWidget | None = None, *, can_open: bool = True) -> None:
        super().__init__(parent)
        self._items: list[BarItem] = []
        self._current = 0
        self._hovered = -1
        self._can_open = can_open
        if can_open:
            self.setFocusPolicy(Qt.StrongFocus)
            self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)
        self.setAccessibleName(accessible_name)
        notifier.changed.connect(self.update)

    def set_items(self, items: Sequence[BarItem]) -> None:
        """Show these lines."""
        if list(items) != self._items:
            self._items = list(items)
            self._current = min(self._current, max(0, len(items) - 1))
            self.setAccessibleDescription("; ".join(f"{item.name} {item.detail}" for item in items))
            self.update()

    def items(self) -> Sequence[BarItem]:
        """The lines shown."""
        return self._items

    def sizeHint(self) -> QSize:
        """Room for five lines."""
        return QSize(180, 5 * self._least_height())

    def minimumSizeHint(self) -> QSize:
        """Room for three."""
        return QSize(140, 3 * self._least_height())

    def _least_height(self) -> int:
        return QFontMetrics(scaled_font(1.0)).height() + 9

    def _line(self, at: int) -> QRectF:
        least = self._least_height()
        room = self.height() / max(1, len(self._items))
        height = min(max(least, room), least * 1.5)
        return QRectF(0, at * height, self.width(), height)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Name at the left, detail at the right, the bar below both."""
        painter = QPainter(self)
        colours = theme()
        font = scaled_font(1.0)
        metrics = QFontMetrics(font)
        painter.setFont(font)
        for at, item in enumerate(self._items):
            line = self._line(at)
            if line.bottom() > self.height() + 2:
                break
            if at == self._hovered or (self.hasFocus() and at == self._current):
                painter.fillRect(line, colours.color("raised"))
            if self.hasFocus() and at == self._current:
                painter.setPen(colours.color("accent"))
                painter.drawRect(line.adjusted(0.5, 0.5, -1, -1))
            words = line.adjusted(2, 0, -2, -7)
            room = int(max(words.width() * 0.7, words.width() - metrics.horizontalAdvance(item.name) - 10))
            detail = item.detail
            if item.short and metrics.horizontalAdvance(detail) > room:
                detail = item.short
            detail = metrics.elidedText(detail, Qt.ElideRight, room)
            detail_width = metrics.horizontalAdvance(detail)
            painter.setPen(colours.color("text"))
            name = metrics.elidedText(item.name, Qt.ElideRight, int(words.width() - detail_width - 10))
            painter.drawText(words, Qt.AlignLeft | Qt.AlignVCenter, name)
            painter.setPen(colours.color("dim"))
            painter.drawText(words, Qt.AlignRight | Qt.AlignVCenter, detail)
            if item.percent is not None:
                bar = QRectF(2, line.bottom() - 5, line.width() - 4, 3)
                paint_bar(painter, bar, item.percent, item.role)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """The line under the mouse is raised."""
        self._hovered = self._at(event)
        self.setCursor(Qt.PointingHandCursor if self._hovered >= 0 else Qt.ArrowCursor)
        self.update()

    def leaveEvent(self, _event: QEvent) -> None:
        """No line is under the mouse."""
        self._hovered = -1
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click opens."""
        at = self._at(event)
        if self._can_open and at >= 0:
            self._current = at
            self.opened.emit(self._items[at].name)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up, down and Enter."""
        if event.key() in (Qt.Key_Up, Qt.Key_Down) and self._items:
            step = 1 if event.key() == Qt.Key_Down else -1
            self._current = max(0, min(len(self._items) - 1, self._current + step))
            self.update()
        elif event.key() in (Qt.Key_Return, Qt.Key_Enter) and self._items:
            self.opened.emit(self._items[self._current].name)
        else:
            super().keyPressEvent(event)

    def _at(self, event: QMouseEvent) -> int:
        return next((at for at in range(len(self._items)) if self._line(at).contains(event.localPos())), -1)
