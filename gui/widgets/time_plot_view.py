"""The view of a plot: its axes and drawing, and what mouse and keyboard do there."""

from __future__ import annotations

import pyqtgraph as pg
from PyQt5.QtCore import QPointF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QResizeEvent, QWheelEvent
from PyQt5.QtWidgets import QFrame, QWidget

from gui.theme import theme
from gui.widgets.time_axis import EDGE_PX, Axis, Tick, time_ticks, value_ticks
from gui.widgets.time_plot_cursor import Cursor
from gui.widgets.time_plot_drawing import Drawing, Frame, Gap

_KEY_SHARE = 0.1
_WHEEL_FACTOR = 1.25
_SHORTEST_DRAG_PX = 4
_TOP_PX = 7
_MORE_AXES = (("right", 3), ("left", 0), ("right", 4))
"""Side and column of each axis beside the first, which stands left of the curves, in column 1."""


class Canvas(pg.GraphicsView):
    """A pyqtgraph view with our axes; tells what the user does with mouse and keys, and does nothing by itself.

    A `PlotWidget` would bring nine menus and their dialogs for each plot; none of them is ours.
    """

    zoomed = pyqtSignal(float, float)
    moved = pyqtSignal(float)
    span_chosen = pyqtSignal(float, float)
    cursor_wanted = pyqtSignal(object)
    cursor_stepped = pyqtSignal(int)
    moment_chosen = pyqtSignal(float)
    back_wanted = pyqtSignal()
    resized = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, useOpenGL=False, background=theme().card)
        self._time_axis, self._value_axis = Axis("bottom"), Axis("left")
        box = pg.ViewBox(enableMouse=False, enableMenu=False)
        grid = pg.GraphicsLayout()
        grid.layout.setContentsMargins(0, _TOP_PX, EDGE_PX, 0)
        grid.layout.setSpacing(0)
        grid.addItem(self._value_axis, 0, 1)
        grid.addItem(box, 0, 2)
        grid.addItem(self._time_axis, 1, 2)
        self.setCentralItem(grid)
        self._grid = grid
        self._more_axes: list[Axis] = []
        self._drawing = Drawing(box)
        self._cursor = Cursor(box)
        self._box = box
        self._frame = Frame()
        self._cursor_s: float | None = None
        self._pressed: QPointF | None = None
        self._dragged_px: float | None = None
        self.setFrameShape(QFrame.NoFrame)
        self.setFocusPolicy(Qt.StrongFocus)
        self.setMinimumHeight(90)
        # Each redraw paints all of it; less would leave parts of a larger frame behind when it shrinks.
        self.setViewportUpdateMode(pg.GraphicsView.FullViewportUpdate)

    @property
    def columns(self) -> int:
        """Pixels between the left and the right edge of the curves."""
        return max(2, int(self._box.width()))

    def show_frame(self, frame: Frame) -> list[Gap]:
        """Paint a frame; the gaps whose reason has no room here."""
        self._frame = frame
        ticks_y = self._ticks_of(frame.low, frame.high) if frame.has_ticks else []
        self._value_axis.show_ticks(ticks_y, frame.low, frame.high, frame.unit, frame.role)
        if frame.more or frame.unit or self._more_axes:
            self._show_axes(frame)
        ticks_x = time_ticks(frame.start_s, frame.end_s, max(2, int(self._box.width() / 84)))
        self._time_axis.show_ticks(ticks_x, frame.start_s, frame.end_s)
        unsaid = self._drawing.show_frame(frame, ticks_x, ticks_y)
        self._place_cursor()
        return unsaid

    def show_cursor(self, time_s: float | None, words: list[str]) -> None:
        """Put the cursor, with words in its box, or take it away."""
        self._cursor_s = time_s
        self._cursor.words = words
        self._place_cursor()

    def on_theme_changed(self) -> None:
        """Paint anew in the colours and the font in use."""
        for axis in (self._time_axis, self._value_axis, *self._more_axes):
            axis.on_theme_changed()
        self.setBackground(theme().card)
        self._drawing.forget()
        self._cursor.update()

    @property
    def edges_px(self) -> tuple[float, float]:
        """Pixels of the widget at which the curves begin and end."""
        left = float(self._box.mapToScene(QPointF(0, 0)).x())
        return left, left + self._box.width()

    def time_at(self, x_px: float) -> float:
        """Time under a pixel of the widget."""
        left = self._box.mapToScene(QPointF(0, 0)).x()
        share = (x_px - left) / max(1.0, self._box.width())
        return self._frame.start_s + min(max(share, 0.0), 1.0) * (self._frame.end_s - self._frame.start_s)

    def pixel_of(self, time_s: float) -> float:
        """Pixel of the widget over a time."""
        return float(self._box.mapToScene(QPointF(self._drawing.x(time_s), 0)).x())

    def sizeHint(self) -> QSize:
        """Little: a plot takes the room that is left."""
        return QSize(240, 90)

    def minimumSizeHint(self) -> QSize:
        """Enough for two ticks."""
        return QSize(160, 80)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Everything must be laid out anew."""
        super().resizeEvent(event)
        self.resized.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """With Ctrl zoom about the pointer; sideways, or with Shift, move; plain it scrolls the page."""
        delta = event.angleDelta()
        steps = (delta.y() or delta.x()) / 120
        if event.modifiers() & Qt.ControlModifier:
            self.zoomed.emit(_WHEEL_FACTOR**-steps, self.time_at(event.position().x()))
        elif (delta.x() and not delta.y()) or event.modifiers() & Qt.ShiftModifier:
            self.moved.emit(-steps * _KEY_SHARE)
        else:
            event.ignore()
            return
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A drag with the left button chooses a span, with the middle one (or Shift) moves."""
        if event.button() in (Qt.LeftButton, Qt.MiddleButton):
            self._pressed = event.localPos()
            self._dragged_px = event.localPos().x()
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Carry the cursor, the chosen span or the whole time along."""
        x_px = event.localPos().x()
        if self._pressed is not None and (event.buttons() & Qt.MiddleButton or event.modifiers() & Qt.ShiftModifier):
            self.moved.emit(-(x_px - (self._dragged_px or x_px)) / self.columns)
            self._dragged_px = x_px
        elif self._pressed is not None and abs(x_px - self._pressed.x()) > _SHORTEST_DRAG_PX:
            left = self._box.mapToScene(QPointF(0, 0)).x()
            self._cursor.chosen_px = (self._pressed.x() - left, x_px - left)
            self._cursor.update()
        self.cursor_wanted.emit(self.time_at(x_px))
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Zoom to the chosen span; a click without a drag chooses a moment."""
        pressed, self._pressed = self._pressed, None
        if self._cursor.chosen_px is not None:
            self._cursor.chosen_px = None
            self._cursor.update()
        is_moving = event.button() != Qt.LeftButton or event.modifiers() & Qt.ShiftModifier
        if pressed is not None and not is_moving:
            if abs(event.localPos().x() - pressed.x()) > _SHORTEST_DRAG_PX:
                self.span_chosen.emit(*sorted((self.time_at(pressed.x()), self.time_at(event.localPos().x()))))
            else:
                self.moment_chosen.emit(self.time_at(event.localPos().x()))
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Return to what was shown before."""
        self._pressed = None
        self.back_wanted.emit()
        event.accept()

    def leaveEvent(self, event: object) -> None:
        """No pointer, no cursor."""
        self.cursor_wanted.emit(None)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """A cursor put by the keyboard goes with the focus."""
        super().focusOutEvent(event)
        self.cursor_wanted.emit(None)
        self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows move the cursor (with Shift the time), Enter chooses it, + and - zoom, Backspace goes back."""
        middle_s = self._cursor_s if self._cursor_s is not None else self._frame.end_s
        key, is_shifted = event.key(), bool(event.modifiers() & Qt.ShiftModifier)
        if key in (Qt.Key_Left, Qt.Key_Right):
            sign = 1 if key == Qt.Key_Right else -1
            if is_shifted:
                self.moved.emit(sign * _KEY_SHARE)
            else:
                self.cursor_stepped.emit(sign)
        elif key in (Qt.Key_Return, Qt.Key_Enter) and self._cursor_s is not None:
            self.moment_chosen.emit(self._cursor_s)
        elif key in (Qt.Key_Plus, Qt.Key_Equal):
            self.zoomed.emit(1 / _WHEEL_FACTOR, middle_s)
        elif key in (Qt.Key_Minus, Qt.Key_Underscore):
            self.zoomed.emit(_WHEEL_FACTOR, middle_s)
        elif key in (Qt.Key_Backspace, Qt.Key_Escape):
            self.back_wanted.emit()
        else:
            event.ignore()

    def _ticks_of(self, low: float, high: float) -> list[Tick]:
        return value_ticks(low, high, max(2, round(self._box.height() / 24)))

    def _show_axes(self, frame: Frame) -> None:
        """As many axes as the frame has spans, up to four: right, then outer left, then outer right."""
        wanted = min(len(frame.more), len(_MORE_AXES))
        while len(self._more_axes) > wanted:
            axis = self._more_axes.pop()
            self._grid.removeItem(axis)
            self.scene().removeItem(axis)
        while len(self._more_axes) < wanted:
            side, column = _MORE_AXES[len(self._more_axes)]
            axis = Axis(side)
            self._grid.addItem(axis, 0, column)
            self._more_axes.append(axis)
        for axis, span in zip(self._more_axes, frame.more, strict=False):
            ticks = self._ticks_of(span.low, span.high) if span.has_ticks else []
            axis.show_ticks(ticks, span.low, span.high, span.unit, span.role)
        for axis in (self._value_axis, *self._more_axes):
            axis.fit()
        has_units = any([frame.unit, *(span.unit for span in frame.more)])
        self._grid.layout.setContentsMargins(0, self.fontMetrics().height() + 4 if has_units else _TOP_PX, EDGE_PX, 0)
        self._grid.layout.activate()  # what follows is laid out in the pixels that are left

    def _place_cursor(self) -> None:
        self._cursor.x_px = None if self._cursor_s is None else self._drawing.x(self._cursor_s)
        self._cursor.prepareGeometryChange()
        self._cursor.update()
