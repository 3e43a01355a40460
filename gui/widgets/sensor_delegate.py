"""Draws one sensor as a tile: shape and name, place, the value with its trend, its last hour, state and age."""

from __future__ import annotations

import time
from collections.abc import Callable

from PyQt5.QtCore import QModelIndex, QObject, QPointF, QRectF, QSize, Qt
from PyQt5.QtGui import QFont, QFontMetricsF, QPainter, QPen, QPolygonF
from PyQt5.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from gui.models.sensor_row import KEPT_S, SensorRow
from gui.models.sensors import ROW_ROLE
from gui.plain_text import one_line
from gui.theme import scaled_font, theme
from gui.widgets.state_shape import paint_shape

GAP_PX = 10
"""Between two tiles."""
_MARGIN_PX = 10
_CURVE_PX = 22
_LEAST_SPAN = 0.02
"""A curve is drawn over this share of its value at least, so that noise of the last digit stays flat."""


class SensorDelegate(QStyledItemDelegate):
    """All tiles have one size, which the view sets."""

    def __init__(self, parent: QObject | None = None, *, now: Callable[[], float] = time.time) -> None:
        super().__init__(parent)
        self._now = now
        self.size = QSize(240, 130)
        self.measure()

    def measure(self) -> None:
        """Take the fonts of the theme."""
        self._font = scaled_font(1.0)
        self._small = scaled_font(0.85)
        self._big = scaled_font(1.75, bold=True)
        self._metrics = QFontMetricsF(self._font)
        self._small_metrics = QFontMetricsF(self._small)
        self._big_metrics = QFontMetricsF(self._big)

    def least_height(self) -> int:
        """Height of a tile with a low curve, and the gap below it."""
        lines = self._metrics.height() + 2 * self._small_metrics.height() + self._big_metrics.height()
        return round(lines + _CURVE_PX + 2 * _MARGIN_PX + 10 + GAP_PX)

    def least_width(self) -> int:
        """Width that a usual name, value and trend have room in, and the gap beside it."""
        return round(self._metrics.averageCharWidth() * 30 + 2 * _MARGIN_PX + GAP_PX)

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex) -> QSize:
        """What the view has set."""
        return self.size

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw a tile."""
        row = index.data(ROW_ROLE)
        if not isinstance(row, SensorRow):
            return
        now_s = self._now()
        shape, role, words = row.state(now_s)
        is_stale = row.is_quiet(now_s)
        painter.save()
        card = QRectF(option.rect).adjusted(0.5, 0.5, -GAP_PX - 0.5, -GAP_PX - 0.5)
        self._paint_ground(painter, option, card)
        box = card.adjusted(_MARGIN_PX, _MARGIN_PX - 2, -_MARGIN_PX, -_MARGIN_PX + 2)
        colours = theme()
        paint_shape(painter, QRectF(box.left(), box.top() + self._metrics.height() / 2 - 5, 10, 10), shape, role)
        line = QRectF(box.left() + 17, box.top(), box.width() - 17, self._metrics.height())
        self._write(painter, line, row.title(), self._font, "text")
        line = QRectF(line.left(), line.bottom(), line.width(), self._small_metrics.height())
        self._write(painter, line, row.subtitle(), self._small, "dim")
        top = line.bottom() + 3
        line = QRectF(box.left(), top, box.width(), self._big_metrics.height())
        self._paint_value(painter, line, row, now_s, is_stale=is_stale)
        bottom = box.bottom() - self._small_metrics.height()
        curve = QRectF(box.left(), line.bottom() + 3, box.width(), bottom - line.bottom() - 6)
        self._paint_curve(painter, curve, row, now_s, "unknown" if is_stale else "accent")
        line = QRectF(box.left(), bottom, box.width(), self._small_metrics.height())
        age = row.age_words(now_s)
        self._write(painter, line, age, self._small, "dim", Qt.AlignRight)
        line.setRight(line.right() - self._small_metrics.horizontalAdvance(age) - 8)
        painter.setPen(colours.color(role))
        self._write(painter, line, words, self._small, role)
        painter.restore()

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem, card: QRectF) -> None:
        colours = theme()
        painter.setRenderHint(QPainter.Antialiasing)
        is_selected = bool(option.state & QStyle.State_Selected)
        is_raised = is_selected or bool(option.state & QStyle.State_MouseOver)
        painter.setBrush(colours.color("raised" if is_raised else "card"))
        has_focus = bool(option.state & QStyle.State_HasFocus)
        painter.setPen(QPen(colours.color("accent" if is_selected or has_focus else "line"), 2 if is_selected else 1))
        painter.drawRoundedRect(card, 6, 6)
        if has_focus and is_selected:
            painter.setPen(QPen(colours.color("accent"), 1, Qt.DotLine))
            painter.setBrush(Qt.NoBrush)
            painter.drawRoundedRect(card.adjusted(3, 3, -3, -3), 4, 4)

    def _paint_value(self, painter: QPainter, line: QRectF, row: SensorRow, now_s: float, *, is_stale: bool) -> None:
        trend = row.trend_words(now_s)
        trend_px = self._small_metrics.horizontalAdvance(trend)
        value, unit = row.value_words(), one_line(row.shown_unit)[:16]
        unit_px = self._metrics.horizontalAdvance(unit)
        value_px = min(self._big_metrics.horizontalAdvance(value), line.width() - unit_px - 6)
        box = QRectF(line.left(), line.top(), value_px + 1, line.height())
        self._write(painter, box, value, self._big, "dim" if is_stale else "text")
        low = QRectF(line)
        low.setBottom(line.bottom() - (self._big_metrics.descent() - self._metrics.descent()))
        low.setLeft(box.right() + 5)
        self._write(painter, low, unit, self._font, "dim", Qt.AlignBottom)
        low.setLeft(low.left() + unit_px + 8)
        if trend_px <= low.width():
            self._write(painter, low, trend, self._small, "dim", Qt.AlignRight | Qt.AlignBottom)

    def _write(
        self, painter: QPainter, box: QRectF, text: str, font: QFont, role: str, place: int = Qt.AlignLeft
    ) -> None:
        if not text or box.width() < 8:
            return
        painter.setFont(font)
        painter.setPen(theme().color(role))
        shown = QFontMetricsF(font).elidedText(text, Qt.ElideRight, box.width() + 0.5)
        painter.drawText(box, place | Qt.TextSingleLine, shown)

    def _paint_curve(self, painter: QPainter, box: QRectF, row: SensorRow, now_s: float, role: str) -> None:
        """The last hour, or all since the first point where that is less, between its own lowest and highest."""
        points = [
            (at, value) for at, value in zip(row.times, row.values, strict=True) if now_s - KEPT_S <= at <= now_s + 1
        ]
        if len(points) < 2 or box.height() < 6:
            return
        values = [value for _at, value in points]
        low, high = min(values), max(values)
        least = max(abs(low), abs(high)) * _LEAST_SPAN or 1.0
        if high - low < least:
            low, high = (low + high - least) / 2, (low + high + least) / 2
        start_s = points[0][0]
        per_second = box.width() / max(1.0, now_s - start_s)
        per_value = box.height() / (high - low)
        gap_s = max(3 * (row.period_s or 0.0), (points[-1][0] - start_s) / len(points) * 5, 2.5)
        painter.setPen(QPen(theme().color(role), 1.2))
        painter.setBrush(Qt.NoBrush)
        run = QPolygonF()
        before_s = start_s
        for at, value in points:
            if at - before_s > gap_s:
                painter.drawPolyline(run)
                run = QPolygonF()
            run.append(QPointF(box.left() + (at - start_s) * per_second, box.bottom() - (value - low) * per_value))
            before_s = at
        painter.drawPolyline(run)
