"""The whole time of the chosen series in a low strip, and the window of it that the plot shows.

Imported after the first paint: it needs numpy and pyqtgraph.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PyQt5.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PyQt5.QtWidgets import QWidget

from core.language import _
from core.records import SeriesPoints
from gui.models.history_range import span_words
from gui.plain_text import plain_tip
from gui.theme import notifier, theme
from gui.widgets.time_axis import label_font, time_ticks

_HEIGHT = 46
_REACH_PX = 6
_LEAST_PX = 8.0
_KEY_SHARE = 0.25
_WHEEL_FACTOR = 1.25
_MOST_CURVES = 4


class OverviewStrip(QWidget):
    """`span_wanted(start, end, is_step)`: drag the window, its ends, or a new one; keys and wheel as on the plot."""

    span_wanted = pyqtSignal(float, float, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._points: dict[str, SeriesPoints] = {}
        self._roles: list[tuple[str, str]] = []
        self._whole = (0.0, 1.0)
        self._window = (0.0, 1.0)
        self._edges = (0.0, 1.0)
        self._held = ""
        self._grip_s = 0.0
        self.setFixedHeight(_HEIGHT)
        self.setFocusPolicy(Qt.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName(_("The whole time of these series"))
        notifier.changed.connect(self.update)

    def set_points(self, points: Sequence[SeriesPoints]) -> None:
        """Coarse points of the whole time."""
        self._points = {one.name: one for one in points}
        self.update()

    def set_roles(self, roles: Sequence[tuple[str, str]]) -> None:
        """Which series are drawn, in which colour."""
        if list(roles) != self._roles:
            self._roles = list(roles)
            self.update()

    def set_spans(self, whole: tuple[float, float], window: tuple[float, float], edges_px: tuple[float, float]) -> None:
        """The whole time, the part that the plot shows, and the pixels of the plot's edges."""
        if (whole, window, edges_px) != (self._whole, self._window, self._edges):
            self._whole, self._window, self._edges = whole, window, edges_px
            self.setToolTip(plain_tip(span_words(*window)))
            self.update()

    @property
    def whole(self) -> tuple[float, float]:
        """The time that the strip shows."""
        return self._whole

    def pixel_of(self, time_s: float) -> float:
        """Where a time is."""
        (start_s, end_s), (left, right) = self._whole, self._edges
        return left + (time_s - start_s) / ((end_s - start_s) or 1.0) * (right - left)

    def time_at(self, x_px: float) -> float:
        """Time under a pixel."""
        (start_s, end_s), (left, right) = self._whole, self._edges
        return start_s + min(max((x_px - left) / ((right - left) or 1.0), 0.0), 1.0) * (end_s - start_s)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground, curves, what is outside the window dimmed, the window with its two grips."""
        painter = QPainter(self)
        colours = theme()
        left, right = self._edges
        ground = QRectF(left, 2, right - left, self.height() - 18)
        painter.fillRect(ground, colours.color("raised"))
        painter.setClipRect(ground)
        for name, role in self._roles[:_MOST_CURVES]:
            if name in self._points:
                self._paint_curve(painter, self._points[name], role, ground)
        begin, end = self._window_px()
        for place in (QRectF(left, ground.top(), begin - left, ground.height()),
                      QRectF(end, ground.top(), right - end, ground.height())):  # fmt: skip
            painter.fillRect(place, colours.color("card", 150))
        painter.setClipping(False)
        window = QRectF(begin, ground.top(), end - begin, ground.height())
        painter.fillRect(window, colours.color("accent", 30))
        painter.setPen(QPen(colours.color("accent"), 2 if self.hasFocus() else 1))
        painter.drawRect(window)
        for x in (begin, end):
            painter.fillRect(QRectF(x - 1.5, ground.center().y() - 6, 4, 12), colours.color("accent"))
        self._paint_times(painter, ground.bottom())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take an end, the window, or begin a new one beside it."""
        if event.button() != Qt.LeftButton:
            return
        x, at_s = event.localPos().x(), self.time_at(event.localPos().x())
        self._held = self._part_at(x)
        if not self._held:
            length_s = self._window[1] - self._window[0]
            self._held = "window"
            self._want(at_s - length_s / 2, at_s + length_s / 2, is_step=False)
        self._grip_s = at_s - self._window[0]

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Carry what is held."""
        x, at_s = event.localPos().x(), self.time_at(event.localPos().x())
        if not event.buttons() & Qt.LeftButton or not self._held:
            part = self._part_at(x)
            shapes = {"start": Qt.SizeHorCursor, "end": Qt.SizeHorCursor, "window": Qt.OpenHandCursor}
            self.setCursor(shapes.get(part, Qt.ArrowCursor))
            return
        start_s, end_s = self._window
        if self._held == "start":
            self._want(min(at_s, end_s - 1), end_s)
        elif self._held == "end":
            self._want(start_s, max(at_s, start_s + 1))
        else:
            self._want(at_s - self._grip_s, at_s - self._grip_s + end_s - start_s)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self._held = ""

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Make the window wider or narrower about the pointer."""
        start_s, end_s = self._window
        factor, at_s = _WHEEL_FACTOR ** (-event.angleDelta().y() / 120), self.time_at(event.position().x())
        at_s = min(max(at_s, start_s), end_s)
        self._want(at_s - (at_s - start_s) * factor, at_s + (end_s - at_s) * factor)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows move the window, + and - make it narrower and wider, Home and End go to the ends."""
        start_s, end_s = self._window
        length_s, key = end_s - start_s, event.key()
        if key in (Qt.Key_Left, Qt.Key_Right):
            step_s = length_s * (_KEY_SHARE if key == Qt.Key_Right else -_KEY_SHARE)
            self._want(start_s + step_s, end_s + step_s)
        elif key in (Qt.Key_Plus, Qt.Key_Equal, Qt.Key_Minus, Qt.Key_Underscore):
            grown_s = length_s * (_WHEEL_FACTOR if key in (Qt.Key_Minus, Qt.Key_Underscore) else 1 / _WHEEL_FACTOR)
            middle_s = (start_s + end_s) / 2
            self._want(middle_s - grown_s / 2, middle_s + grown_s / 2)
        elif key in (Qt.Key_Home, Qt.Key_End):
            begin_s = self._whole[0] if key == Qt.Key_Home else self._whole[1] - length_s
            self._want(begin_s, begin_s + length_s)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: object) -> None:
        """The frame says it."""
        self.update()

    def focusOutEvent(self, event: object) -> None:
        """The frame says it."""
        self.update()

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(200, _HEIGHT)

    def _want(self, start_s: float, end_s: float, *, is_step: bool = True) -> None:
        self._window = (start_s, end_s)
        self.span_wanted.emit(start_s, end_s, is_step)

    def _part_at(self, x_px: float) -> str:
        begin, end = self._window_px()
        if abs(x_px - end) <= _REACH_PX:
            return "end"
        if abs(x_px - begin) <= _REACH_PX:
            return "start"
        return "window" if begin < x_px < end else ""

    def _window_px(self) -> tuple[float, float]:
        left, right = self._edges
        begin, end = (min(max(self.pixel_of(time_s), left), right) for time_s in self._window)
        if end - begin < _LEAST_PX:
            middle = min(max((begin + end) / 2, left + _LEAST_PX / 2), right - _LEAST_PX / 2)
            begin, end = middle - _LEAST_PX / 2, middle + _LEAST_PX / 2
        return begin, end

    def _paint_curve(self, painter: QPainter, points: SeriesPoints, role: str, ground: QRectF) -> None:
        if not len(points.time_s):
            return
        times = np.frombuffer(points.time_s, np.float64)
        low, high = np.frombuffer(points.minimum, np.float64), np.frombuffer(points.maximum, np.float64)
        known = np.isfinite(low)
        if not known.any():
            return
        least, most = float(low[known].min()), float(high[known].max())
        scale = (ground.height() - 4) / ((most - least) or 1.0)
        painter.setPen(QPen(theme().color(role, 190), 1))
        left, right = self._edges
        per_s = (right - left) / ((self._whole[1] - self._whole[0]) or 1.0)
        base = ground.bottom() - 2 + least * scale
        for run in np.ma.clump_unmasked(np.ma.masked_invalid(low)):
            x = left + (times[run] - self._whole[0]) * per_s
            ends = np.column_stack((base - high[run] * scale, base - low[run] * scale))
            painter.drawPolyline(pg.functions.arrayToQPolygonF(np.repeat(x, 2), ends.ravel()))

    def _paint_times(self, painter: QPainter, top: float) -> None:
        left, right = self._edges
        painter.setFont(label_font())
        painter.setPen(theme().color("dim"))
        metrics = QFontMetricsF(label_font())
        taken = 0.0
        for tick in time_ticks(*self._whole, max(2, int((right - left) / 110))):
            width = metrics.horizontalAdvance(tick.label)
            x = min(max(self.pixel_of(tick.value) - width / 2, 0.0), right - width)
            if x > taken + 8:
                painter.drawText(QPointF(x, top + metrics.ascent() + 1), tick.label)
                taken = x + width
