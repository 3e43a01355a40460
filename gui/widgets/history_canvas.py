"""The canvas of the History page: the wheel zooms, a click puts cursor A, with Shift cursor B, both can be dragged."""

from __future__ import annotations

import pyqtgraph as pg
from PyQt5.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, pyqtSignal
from PyQt5.QtGui import QContextMenuEvent, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPen, QWheelEvent
from PyQt5.QtWidgets import QStyleOptionGraphicsItem, QWidget

from gui.theme import theme
from gui.widgets.time_axis import label_font
from gui.widgets.time_plot_drawing import Frame, Gap
from gui.widgets.time_plot_view import Canvas

_REACH_PX = 5
_CLICK_PX = 4
_WHEEL_FACTOR = 1.25
_TAG_PX = 15


class TwoCursors(pg.GraphicsObject):
    """The lines of A and B with their letters, and the ground between them."""

    def __init__(self, box: pg.ViewBox) -> None:
        super().__init__()
        self.setParentItem(box)
        self.setZValue(9)
        self._box = box
        self.places: dict[str, float] = {}

    def boundingRect(self) -> QRectF:
        """The whole view box."""
        return QRectF(self._box.rect())

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        """Over the full height; the letter at the lower end."""
        colours = theme()
        area = self.boundingRect()
        painter.setClipRect(area)
        if len(self.places) == 2:
            left, right = sorted(self.places.values())
            painter.fillRect(QRectF(left, 0, right - left, area.height()), colours.color("accent", 18))
        painter.setFont(label_font())
        for letter, x in self.places.items():
            painter.setRenderHint(QPainter.Antialiasing, False)
            painter.setPen(QPen(colours.color("accent"), 1, Qt.DashLine if letter == "B" else Qt.SolidLine))
            painter.drawLine(QPointF(x, 0), QPointF(x, area.height()))
            height = QFontMetricsF(label_font()).height()
            tag = QRectF(x - _TAG_PX / 2, area.height() - height - 2, _TAG_PX, height)
            tag.moveLeft(min(max(tag.left(), 0.0), area.width() - _TAG_PX))
            painter.fillRect(tag, colours.color("accent"))
            painter.setPen(colours.color("on_accent"))
            painter.drawText(tag, Qt.AlignCenter, letter)


class HistoryCanvas(Canvas):
    """Tells beside what a Canvas does: `cursor_placed(letter, time)`, a menu that is wanted, a moment that is asked."""

    cursor_placed = pyqtSignal(str, object)
    menu_wanted = pyqtSignal(QPoint, float)
    moved_wanted = pyqtSignal()
    clear_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._two = TwoCursors(self._box)
        self._cursors: dict[str, float] = {}
        self._held: str | None = None
        self._before: tuple[str, float | None] | None = None
        self.setAcceptDrops(False)  # what is dropped goes to the page
        self.setMinimumHeight(150)

    def set_cursors(self, cursors: dict[str, float | None]) -> None:
        """Draw A and B here."""
        self._cursors = {letter: time_s for letter, time_s in cursors.items() if time_s is not None}
        self._place_two()

    def show_frame(self, frame: Frame) -> list[Gap]:
        """Paint a frame; the cursors stay at their times."""
        unsaid = super().show_frame(frame)
        self._place_two()
        return unsaid

    def on_theme_changed(self) -> None:
        """Paint the cursors anew too."""
        super().on_theme_changed()
        self._two.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Nothing scrolls here: the plain wheel zooms."""
        delta = event.angleDelta()
        if delta.y() and not event.modifiers() & Qt.ShiftModifier:
            self.zoomed.emit(_WHEEL_FACTOR ** (-delta.y() / 120), self.time_at(event.position().x()))
            event.accept()
            return
        super().wheelEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A cursor under the pointer is taken along."""
        self.setFocus(Qt.MouseFocusReason)
        self._held = self._cursor_near(event.localPos().x()) if event.button() == Qt.LeftButton else None
        if self._held is None:
            super().mousePressEvent(event)
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Carry the held cursor, else as ever."""
        x_px = event.localPos().x()
        if self._held is not None and event.buttons() & Qt.LeftButton:
            self.cursor_placed.emit(self._held, self.time_at(x_px))
            event.accept()
            return
        self.viewport().setCursor(Qt.SizeHorCursor if self._cursor_near(x_px) else Qt.ArrowCursor)
        super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click that did not move puts a cursor: A, with Shift or Ctrl B."""
        if self._held is not None:
            self._held = None
            event.accept()
            return
        pressed = self._pressed
        is_click = (
            pressed is not None
            and event.button() == Qt.LeftButton
            and abs(event.localPos().x() - pressed.x()) <= _CLICK_PX
        )
        super().mouseReleaseEvent(event)
        if is_click:
            letter = "B" if event.modifiers() & (Qt.ShiftModifier | Qt.ControlModifier) else "A"
            self._before = (letter, self._cursors.get(letter))
            self.cursor_placed.emit(letter, self.time_at(event.localPos().x()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Back; the first of the two clicks was no wish for a cursor."""
        if self._before is not None:
            self.cursor_placed.emit(*self._before)
            self._before = None
        super().mouseDoubleClickEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """What one can do with this moment."""
        if event.reason() == QContextMenuEvent.Keyboard:
            self.open_menu()
        else:
            self.menu_wanted.emit(event.globalPos(), self.time_at(event.pos().x()))
        event.accept()

    def open_menu(self) -> None:
        """The same by the keyboard, at the pointer or in the middle."""
        time_s = self.moment()
        self.menu_wanted.emit(self.mapToGlobal(QPoint(int(self.pixel_of(time_s)), self.height() // 2)), time_s)

    def moment(self) -> float:
        """The time at the pointer, else the middle."""
        if self._cursor_s is not None:
            return self._cursor_s
        return (self._frame.start_s + self._frame.end_s) / 2

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """A and B put the cursors, W asks what moved, Escape takes them away; the rest as on every plot."""
        key = event.key()
        if key in (Qt.Key_A, Qt.Key_B) and not event.modifiers() & Qt.ControlModifier:
            self.cursor_placed.emit("A" if key == Qt.Key_A else "B", self.moment())
        elif key == Qt.Key_W and not event.modifiers() & Qt.ControlModifier:
            self.moved_wanted.emit()
        elif key == Qt.Key_Escape and self._cursors:
            self.clear_wanted.emit()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Keys of ours are not shortcuts of the window."""
        if event.type() == QEvent.ShortcutOverride and event.key() in (Qt.Key_A, Qt.Key_B, Qt.Key_W):
            event.setAccepted(not event.modifiers() & Qt.ControlModifier)
        return bool(super().event(event))

    def _cursor_near(self, x_px: float) -> str | None:
        near = [(abs(self.pixel_of(time_s) - x_px), letter) for letter, time_s in self._cursors.items()]
        distance, letter = min(near, default=(_REACH_PX + 1, ""))
        return letter if distance <= _REACH_PX else None

    def _place_two(self) -> None:
        self._two.places = {letter: self._drawing.x(time_s) for letter, time_s in self._cursors.items()}
        self._two.prepareGeometryChange()
        self._two.update()
