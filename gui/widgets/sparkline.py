"""A small curve without axes, drawn by QPainter alone: it is there at the first paint, before numpy is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from PyQt5.QtCore import QPointF, QRectF, QSize, Qt
from PyQt5.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PyQt5.QtWidgets import QSizePolicy, QWidget

from gui.theme import notifier, theme

_HEADROOM = 0.06


class Sparkline(QWidget):
    """The course of one series over `set_span` (or over its own points), filled down to zero, open at its gaps."""

    def __init__(self, parent: QWidget | None = None, *, role: str = "power") -> None:
        super().__init__(parent)
        self._role = role
        self._points: list[tuple[float, float]] = []
        self._span: tuple[float, float] | None = None
        self._gap_s = math.inf
        self._is_stale = False
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)
        self.setMinimumHeight(28)
        self.setAttribute(Qt.WA_TransparentForMouseEvents)
        notifier.changed.connect(self.update)

    def set_points(self, time_s: Sequence[float], value: Sequence[float], *, gap_s: float | None = None) -> None:
        """Show these points, oldest first, shapes (n,); a NaN value, or more than `gap_s` between two, is a gap.

        Without `gap_s` it is five times the usual distance of the points.
        """
        self._points = list(zip(map(float, time_s), map(float, value), strict=True))
        self._gap_s = gap_s if gap_s is not None else _usual_gap_s(self._points)
        self.update()

    def set_span(self, start_s: float, end_s: float) -> None:
        """Times of the left and right edge, so that an hour with little in it still looks like an hour."""
        self._span = (start_s, end_s)
        self.update()

    def set_stale(self, is_stale: bool) -> None:
        """Grey the curve while its numbers are old."""
        if is_stale != self._is_stale:
            self._is_stale = is_stale
            self.update()

    def peak(self) -> tuple[float, float] | None:
        """(time_s, value) of the highest point shown; None where there is none."""
        known = [(value, time_s) for time_s, value in self._points if math.isfinite(value)]
        if not known:
            return None
        value, time_s = max(known)
        return time_s, value

    def sizeHint(self) -> QSize:
        """Room for a tile's curve; it grows with its card."""
        return QSize(200, 90)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw runs of points between gaps: fill, line, and the line of zero where values go below it."""
        known = [value for _, value in self._points if math.isfinite(value)]
        if not known:
            return
        painter = QPainter(self)
        low, high = min(0.0, min(known)), max(0.0, max(known))
        span = (high - low) or 1.0
        start_s, end_s = self._span or (self._points[0][0], self._points[-1][0])
        area = QRectF(self.rect()).adjusted(0.5, 1.5, -0.5, -1.5)
        per_second = area.width() / ((end_s - start_s) or 1.0)
        per_value = area.height() * (1 - _HEADROOM) / span
        zero_y = area.bottom() + low * per_value
        role = "unknown" if self._is_stale else self._role
        colours = theme()
        line = QPen(colours.color(role), 1)
        line.setCosmetic(True)
        painter.setClipRect(self.rect())
        for run in self._runs():
            polygon = QPolygonF(
                [
                    QPointF(area.left() + (time_s - start_s) * per_second, zero_y - value * per_value)
                    for time_s, value in _thinned(run, start_s, end_s, max(2, int(area.width())))
                ]
            )
            if polygon.isEmpty():
                continue
            filled = QPolygonF(polygon)
            filled.append(QPointF(polygon.last().x(), zero_y))
            filled.append(QPointF(polygon.first().x(), zero_y))
            painter.setPen(Qt.NoPen)
            painter.setBrush(colours.color(role, 56))
            painter.drawPolygon(filled)
            painter.setPen(line)
            painter.setBrush(Qt.NoBrush)
            if polygon.count() == 1:
                painter.drawPoint(polygon.first())
            else:
                painter.drawPolyline(polygon)
        if low < 0:
            painter.setPen(QPen(colours.color("line"), 1))
            painter.drawLine(QPointF(area.left(), zero_y), QPointF(area.right(), zero_y))

    def _runs(self) -> list[list[tuple[float, float]]]:
        runs: list[list[tuple[float, float]]] = [[]]
        before_s = -math.inf
        for time_s, value in self._points:
            if not math.isfinite(value) or (runs[-1] and time_s - before_s > self._gap_s):
                if runs[-1]:
                    runs.append([])
                if not math.isfinite(value):
                    continue
            runs[-1].append((time_s, value))
            before_s = time_s
        return [run for run in runs if run]


def _usual_gap_s(points: list[tuple[float, float]]) -> float:
    distances = sorted(later - earlier for (earlier, _), (later, _) in pairwise(points))
    return 5 * distances[len(distances) // 2] + 1 if distances else math.inf


def _thinned(run: list[tuple[float, float]], start_s: float, end_s: float, columns: int) -> list[tuple[float, float]]:
    """`run` itself where it is short, else the lowest and highest point of each pixel column, in their order."""
    run = [point for point in run if start_s <= point[0] <= end_s]
    if len(run) <= 2 * columns:
        return run
    per_second = columns / ((end_s - start_s) or 1.0)
    kept: list[tuple[float, float]] = []
    begin = 0
    for index in range(1, len(run) + 1):
        if index < len(run) and int((run[index][0] - start_s) * per_second) == int(
            (run[begin][0] - start_s) * per_second
        ):
            continue
        column = run[begin:index]
        lowest, highest = min(column, key=_value), max(column, key=_value)
        kept.extend(sorted({lowest, highest}))
        begin = index
    return kept


def _value(point: tuple[float, float]) -> float:
    return point[1]
