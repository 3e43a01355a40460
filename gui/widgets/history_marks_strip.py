"""Marks of what happened, on the time of the plot above: words on hover, keys go from one to the next."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QEvent, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt5.QtWidgets import QToolTip, QWidget

from core.language import _, ngettext
from core.records import HistoryMark
from gui.models.history_marks import mark_role, mark_shape, mark_words
from gui.plain_text import plain_tip
from gui.theme import notifier, theme
from gui.widgets.state_shape import paint_shape

_SHAPE_PX = 9.0
_REACH_PX = 7.0
_TOLD = 6


class MarksStrip(QWidget):
    """`chosen(mark)` at a click or a key, `opened(mark)` at a double-click or Enter."""

    chosen = pyqtSignal(object)
    opened = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._marks: list[HistoryMark] = []
        self._current: HistoryMark | None = None
        self._span = (0.0, 1.0)
        self._edges = (0.0, 1.0)
        self.setFocusPolicy(Qt.StrongFocus)
        self.setMouseTracking(True)
        self.setFixedHeight(20)
        self._name()
        notifier.changed.connect(self.update)

    def show_marks(self, marks: Sequence[HistoryMark]) -> None:
        """These are in the span."""
        if list(marks) != self._marks:
            self._marks = list(marks)
            if self._current not in self._marks:
                self._current = None
            self._name()
            self.update()

    def set_span(self, start_s: float, end_s: float, edges_px: tuple[float, float]) -> None:
        """The time that the plot shows, and its pixels."""
        if (self._span, self._edges) != ((start_s, end_s), edges_px):
            self._span, self._edges = (start_s, end_s), edges_px
            self.update()

    def set_current(self, mark: HistoryMark | None) -> None:
        """The mark that is chosen."""
        self._current = mark
        self._name()
        self.update()

    def marks(self) -> list[HistoryMark]:
        """What is drawn."""
        return list(self._marks)

    def pixel_of(self, time_s: float) -> float:
        """Where a time is."""
        (start_s, end_s), (left, right) = self._span, self._edges
        return left + (time_s - start_s) / ((end_s - start_s) or 1.0) * (right - left)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A line, how long things lasted, and a shape where each began."""
        painter = QPainter(self)
        colours = theme()
        left, right = self._edges
        middle = self.height() / 2
        painter.fillRect(QRectF(left, middle, right - left, 1), colours.color("accent" if self.hasFocus() else "line"))
        painter.setClipRect(QRectF(left - _SHAPE_PX, 0, right - left + 2 * _SHAPE_PX, self.height()))
        ends_s = self._span[1]
        for mark in self._marks:
            if mark.until_s is not None or mark.kind == "alarm":
                until = self.pixel_of(min(mark.until_s if mark.until_s is not None else ends_s, ends_s))
                begin = max(left, self.pixel_of(mark.time_s))
                if until > begin:
                    place = QRectF(begin, middle - 1.5, until - begin, 4)
                    painter.fillRect(place, colours.color(mark_role(mark), 90))
        painter.setRenderHint(QPainter.Antialiasing, True)
        for mark in self._marks:
            x = self.pixel_of(mark.time_s)
            if left - 1 <= x <= right + 1:
                centre = QPointF(x, middle)
                half = _SHAPE_PX / 2
                area = QRectF(x - half, middle - half, _SHAPE_PX, _SHAPE_PX)
                paint_shape(painter, area, mark_shape(mark), mark_role(mark))
                if mark is self._current:
                    painter.setPen(QPen(colours.color("text"), 1.5))
                    painter.setBrush(Qt.NoBrush)
                    painter.drawEllipse(centre, _SHAPE_PX, _SHAPE_PX)

    def event(self, event: QEvent) -> bool:
        """Words of the marks under the pointer."""
        if event.type() == QEvent.ToolTip and isinstance(event, QHelpEvent):
            near = self._near(event.pos().x())
            lines = [mark_words(mark) for mark in near[:_TOLD]]
            left = len(near) - len(lines)
            if left:
                lines.append(ngettext("and {count} more", "and {count} more", left).format(count=left))
            QToolTip.showText(event.globalPos(), plain_tip("\n".join(lines)), self)
            return True
        return bool(super().event(event))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the nearest mark."""
        near = self._near(event.localPos().x())
        if near:
            self._choose(near[0])

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Open where it is told in full."""
        near = self._near(event.localPos().x())
        if near:
            self.opened.emit(near[0])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and Right go from mark to mark, Enter opens."""
        key = event.key()
        if key in (Qt.Key_Return, Qt.Key_Enter) and self._current is not None:
            self.opened.emit(self._current)
        elif key in (Qt.Key_Left, Qt.Key_Right) and self._marks:
            last, step = len(self._marks) - 1, 1 if key == Qt.Key_Right else -1
            begin = 0 if step > 0 else last
            at = self._marks.index(self._current) + step if self._current in self._marks else begin
            self._choose(self._marks[min(max(at, 0), last)])
        else:
            super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(200, 20)

    def focusInEvent(self, event: object) -> None:
        """The line says it."""
        self.update()

    def focusOutEvent(self, event: object) -> None:
        """The line says it."""
        self.update()

    def _choose(self, mark: HistoryMark) -> None:
        self.set_current(mark)
        self.chosen.emit(mark)

    def _near(self, x_px: float) -> list[HistoryMark]:
        """Marks within reach, the nearest first; else one that lasted over this place."""
        near = sorted(
            (abs(self.pixel_of(mark.time_s) - x_px), place)
            for place, mark in enumerate(self._marks)
            if abs(self.pixel_of(mark.time_s) - x_px) <= _REACH_PX
        )
        if near:
            return [self._marks[place] for _distance, place in near]
        return [
            mark
            for mark in self._marks
            if mark.until_s is not None and self.pixel_of(mark.time_s) <= x_px <= self.pixel_of(mark.until_s)
        ]

    def _name(self) -> None:
        count = len(self._marks)
        words = ngettext("{count} mark", "{count} marks", count).format(count=count) if count else _("no marks")
        self.setAccessibleName(mark_words(self._current) if self._current is not None else words)
