"""What is painted on a plot: grid, gaps, limits, curves, marks, cursor.

Everything is laid out in pixels once for each redraw; painting only strokes ready polygons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt5.QtCore import QLineF, QPointF, QRectF, Qt
from PyQt5.QtGui import QFontMetricsF, QPainter, QPen, QPixmap, QPolygonF
from PyQt5.QtWidgets import QStyleOptionGraphicsItem, QWidget

from gui.theme import theme
from gui.widgets.time_axis import Tick, label_font
from gui.widgets.time_plot_area import Area

_DOT_PX = 4.0


@dataclass(frozen=True, slots=True)
class Gap:
    """A span without readings, and its reason where it is still to be said."""

    start_s: float
    end_s: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A point worth a word, such as a voltage beyond its limit; without a value it stands at the upper edge."""

    time_s: float
    value: float | None
    text: str
    role: str = "warning"


@dataclass(frozen=True, slots=True)
class Band:
    """A span in a colour, such as the time in which an alarm would have rung, and what it is where that is to be said.

    A `quiet` one lies behind the curves and has no edge of its own.
    """

    start_s: float
    end_s: float
    role: str
    text: str = ""
    is_quiet: bool = False


@dataclass(frozen=True, slots=True)
class AxisSpan:
    """One more axis beside the first: what it spans, its unit, and the role it is written in."""

    low: float
    high: float
    unit: str
    role: str = "dim"
    has_ticks: bool = True


@dataclass(frozen=True, slots=True)
class Stroke:
    """One curve ready to be laid out: arrays of shape (n,), NaN in its gaps, in the units of the axis.

    With a `mean` the curve is that, and what lies between `low` and `high` a band behind it. `axis` is the number of
    its axis, 0 that of the frame; `has_dots` marks each point.
    """

    role: str
    is_filled: bool
    time_s: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    mean: NDArray[np.float64] | None = None
    axis: int = 0
    has_dots: bool = False


@dataclass(slots=True)
class Frame:
    """All that one redraw shows."""

    start_s: float = 0.0
    end_s: float = 1.0
    low: float = 0.0
    high: float = 1.0
    strokes: list[Stroke] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    limits: list[float] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    bands: list[Band] = field(default_factory=list)
    message: str = ""
    unit: str = ""
    role: str = "dim"
    has_ticks: bool = True
    more: list[AxisSpan] = field(default_factory=list)

    def span_of(self, axis: int) -> tuple[float, float]:
        """Low and high end of an axis."""
        return (self.low, self.high) if axis == 0 else (self.more[axis - 1].low, self.more[axis - 1].high)


class Drawing(pg.GraphicsObject):
    """The frame, painted in the pixels of its view box."""

    def __init__(self, box: pg.ViewBox) -> None:
        super().__init__()
        self.setParentItem(box)
        self._box = box
        self._frame = Frame()
        self._lines: list[tuple[str, QPolygonF]] = []
        self._fills: list[tuple[str, Area]] = []
        self._envelopes: list[tuple[str, Area]] = []
        self._dots: list[tuple[str, QPolygonF]] = []
        self._grid: list[QLineF] = []
        self._reasons: list[tuple[QRectF, str]] = []
        self._size = (1.0, 1.0)
        self._paintings = 0
        self._kept: QPixmap | None = None

    def boundingRect(self) -> QRectF:
        """The whole view box."""
        return QRectF(self._box.rect())

    def show_frame(self, frame: Frame, ticks_x: list[Tick], ticks_y: list[Tick]) -> list[Gap]:
        """Lay out a frame for the present size; the gaps whose reason has no room here."""
        self.prepareGeometryChange()
        self._frame = frame
        width, height = self._size = (max(1.0, self._box.width()), max(1.0, self._box.height()))
        self._lines, self._fills, self._envelopes, self._dots = [], [], [], []
        zero = min(max(self.y(0.0), 0.0), height)
        bottom_y = height - 1  # a curve along the lower end is painted inside
        for stroke in frame.strokes:
            x = (stroke.time_s - frame.start_s) * (width / ((frame.end_s - frame.start_s) or 1.0))
            low_end, high_end = frame.span_of(stroke.axis)
            scale = height / ((high_end - low_end) or 1.0)
            top, bottom = (
                np.minimum(height - (values - low_end) * scale, bottom_y) for values in (stroke.high, stroke.low)
            )
            if stroke.mean is not None:
                middle = np.minimum(height - (stroke.mean - low_end) * scale, bottom_y)
                self._lay_out_mean(stroke, x, top, middle, bottom)
                continue
            for run in _runs(stroke.high):
                xs, ys = _zigzag(x[run], top[run], bottom[run])
                if len(xs) == 1:
                    xs, ys = np.array([xs[0] - 1, xs[0] + 1]), np.array([ys[0], ys[0]])
                self._lines.append((stroke.role, pg.functions.arrayToQPolygonF(xs, ys)))
                if stroke.is_filled:
                    self._fills.append((stroke.role, Area(xs, ys, np.full(len(ys), zero))))
        self._grid = [QLineF(self.x(tick.value), 0, self.x(tick.value), height) for tick in ticks_x]
        self._grid += [QLineF(0, self.y(tick.value), width, self.y(tick.value)) for tick in ticks_y]
        unsaid = self._lay_out_reasons()
        self.forget()
        return unsaid

    def _lay_out_mean(
        self,
        stroke: Stroke,
        x: NDArray[np.float64],
        top: NDArray[np.float64],
        middle: NDArray[np.float64],
        bottom: NDArray[np.float64],
    ) -> None:
        """The line of the means, and the band between the least and the greatest where they are apart."""
        to_polygon = pg.functions.arrayToQPolygonF
        for run in _runs(middle):
            xs, ys = x[run], middle[run]
            if stroke.has_dots or len(xs) == 1:
                inside = (xs > 0) & (xs < self._size[0])  # what was cut at an edge is no sample
                if inside.any():
                    self._dots.append((stroke.role, to_polygon(xs[inside], ys[inside])))
            if len(xs) > 1:
                self._lines.append((stroke.role, to_polygon(xs, ys)))
                if stroke.is_filled:
                    zero = min(max(self.y(0.0, stroke.axis), 0.0), self._size[1])
                    self._fills.append((stroke.role, Area(xs, ys, np.full(len(ys), zero))))
                if not np.array_equal(top[run], bottom[run]):
                    self._envelopes.append((stroke.role, Area(xs, top[run], bottom[run])))

    def x(self, time_s: float) -> float:
        """Pixel of a time."""
        frame = self._frame
        return (time_s - frame.start_s) / ((frame.end_s - frame.start_s) or 1.0) * self._size[0]

    def y(self, value: float, axis: int = 0) -> float:
        """Pixel of a value on an axis."""
        low, high = self._frame.span_of(axis)
        return self._size[1] - (value - low) / ((high - low) or 1.0) * self._size[1]

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        """What was painted before is kept as it was: a pointer that moves over twelve envelopes would wait for each."""
        device = painter.device()
        if widget is None or device is None:  # a file
            self._paint_all(painter, in_parts=False)
            return
        self._paintings += 1
        if self._paintings == 1:  # a live plot is another one at each frame
            self._paint_all(painter, in_parts=True)
            return
        if self._kept is None:
            ratio = device.devicePixelRatioF()
            width, height = self._size
            self._kept = QPixmap(math.ceil(width * ratio), math.ceil(height * ratio))
            self._kept.setDevicePixelRatio(ratio)
            self._kept.fill(theme().color("card"))
            inner = QPainter(self._kept)
            self._paint_all(inner, in_parts=True)
            inner.end()
        painter.drawPixmap(QPointF(0, 0), self._kept)

    def forget(self) -> None:
        """Paint all of it anew: in other colours, or another font."""
        self._paintings, self._kept = 0, None
        self.update()

    def _paint_all(self, painter: QPainter, *, in_parts: bool) -> None:
        """From the ground up, so that no band lies on a word."""
        colours = theme()
        width, height = self._size
        painter.setClipRect(QRectF(0, 0, width, height))
        painter.setRenderHint(QPainter.Antialiasing, False)
        painter.setPen(QPen(colours.color("line", 90), 1))
        painter.drawLines(self._grid)
        painter.setPen(Qt.NoPen)
        for role, area in self._fills:
            painter.setBrush(colours.color(role, 44))
            area.paint(painter, in_parts=in_parts)
        for gap in self._frame.gaps:
            left = self.x(gap.start_s)
            painter.fillRect(QRectF(left, 0, max(1.0, self.x(gap.end_s) - left), height), colours.color("line", 150))
        for band in self._frame.bands:
            left, right = self.x(band.start_s), self.x(band.end_s)
            painter.fillRect(QRectF(left, 0, max(2.0, right - left), height), colours.color(band.role, 30))
            if band.is_quiet:
                painter.setPen(QPen(colours.color(band.role, 130), 1, Qt.DashLine))
                painter.drawLine(QPointF(left, 1), QPointF(max(left + 2.0, right), 1))
            else:
                painter.fillRect(QRectF(left, 0, max(2.0, right - left), 3), colours.color(band.role))
        painter.setPen(Qt.NoPen)
        for role, area in self._envelopes:
            painter.setBrush(colours.color(role, 52))
            area.paint(painter, in_parts=in_parts)
        painter.setBrush(Qt.NoBrush)
        for limit in self._frame.limits:
            painter.setPen(QPen(colours.color("warning"), 1, Qt.DashLine))
            painter.drawLine(QPointF(0, self.y(limit)), QPointF(width, self.y(limit)))
        for role, polygon in self._lines:
            painter.setPen(QPen(colours.color(role), 1))
            painter.drawPolyline(polygon)
        if self._dots:
            painter.setRenderHint(QPainter.Antialiasing, True)
            for role, polygon in self._dots:
                painter.setPen(QPen(colours.color(role), _DOT_PX, Qt.SolidLine, Qt.RoundCap))
                painter.drawPoints(polygon)
        self._paint_words(painter)

    def _paint_words(self, painter: QPainter) -> None:
        colours = theme()
        width, height = self._size
        painter.setFont(label_font())
        metrics = QFontMetricsF(label_font())
        painter.setPen(colours.color("dim"))
        for place, text in self._reasons:
            painter.drawText(place, Qt.AlignCenter, text)
        taken = [place for place, _text in self._reasons]
        for mark in self._frame.marks:
            x = min(max(self.x(mark.time_s), 5.0), width - 5)  # whole at the edges too
            y = 0.0 if mark.value is None else self.y(mark.value)
            painter.setPen(Qt.NoPen)
            painter.setBrush(colours.color(mark.role))
            down = mark.value is not None and y > height / 2
            tip = min(max(y + (4 if down else -4), 12.0), height - 12)
            far = tip + (8 if down else -8)
            painter.setRenderHint(QPainter.Antialiasing, True)
            painter.drawPolygon(QPolygonF([QPointF(x, tip), QPointF(x - 5, far), QPointF(x + 5, far)]))
            painter.setRenderHint(QPainter.Antialiasing, False)
            text = metrics.elidedText(mark.text, Qt.ElideRight, max(x, width - x) - 11)
            text_width = metrics.horizontalAdvance(text)
            middle = (tip + far) / 2
            for limit in map(self.y, self._frame.limits):
                # Words beyond a limit would lie on its line: they stand on the near side of it.
                if abs(middle - limit) < metrics.height():
                    middle = limit + (-1 if down else 1) * (metrics.height() / 2 + 1)
            top = middle - metrics.height() / 2
            sides = [x + 9, x - 9 - text_width]
            places = [
                QRectF(left, top, text_width, metrics.height()) for left in sides if 0 <= left < width - text_width
            ]
            places = [place for place in places if not any(place.intersects(other) for other in taken)]
            if places:
                clear = next((place for place in places if not self._is_crossed(place)), None)
                place = clear or places[0]
                if clear is None:  # a curve passes on both sides: the words stay readable over it
                    painter.fillRect(place.adjusted(-2, 0, 2, 0), colours.color("card", 210))
                painter.setPen(colours.color(mark.role))
                painter.drawText(place, Qt.AlignCenter, text)
                taken.append(place)
        if self._frame.message:
            painter.setPen(colours.color("dim"))
            painter.drawText(QRectF(0, 0, width, height), Qt.AlignCenter | Qt.TextWordWrap, self._frame.message)

    def _lay_out_reasons(self) -> list[Gap]:
        """Find a place for the reason of each gap, the latest first; the gaps that found none."""
        metrics = QFontMetricsF(label_font())
        unsaid: list[Gap] = []
        self._reasons = []
        named = [Gap(band.start_s, band.end_s, band.text) for band in self._frame.bands if band.text]
        for gap in reversed([gap for gap in [*named, *self._frame.gaps] if gap.text]):
            for place in self._places_for(gap, metrics):
                if not any(place.adjusted(-8, 0, 8, 0).intersects(other) for other, _text in self._reasons):
                    self._reasons.append((place, gap.text))
                    break
            else:
                if gap not in named:
                    unsaid.append(gap)
        return unsaid

    def _places_for(self, gap: Gap, metrics: QFontMetricsF) -> list[QRectF]:
        """Where the reason of a gap can be read: in the band or beside it, clear of the curves, best first."""
        width, height = self._size
        text_width, text_height = metrics.horizontalAdvance(gap.text) + 10, metrics.height()
        left, right = max(0.0, self.x(gap.start_s)), min(width, self.x(gap.end_s))
        if right <= 0 or left >= width:
            return []
        candidates = [right + 4, left - text_width - 4]
        if right - left > text_width:
            candidates.insert(0, (left + right - text_width) / 2)
        places = []
        for x in candidates:
            if x < 0 or x + text_width > width:
                continue
            top, bottom = self._curves_between(x, x + text_width)
            for y in (top / 2 - text_height / 2, 2.0):
                if y >= 0 and y + text_height < top - 2:
                    places.append(QRectF(x, y, text_width, text_height))
            if not self._fills and bottom + text_height + 4 < height:
                places.append(QRectF(x, bottom + 3, text_width, text_height))
        return places

    def _is_crossed(self, place: QRectF) -> bool:
        """True where a curve passes behind these words."""
        top, bottom = self._curves_between(place.left(), place.right())
        return top < place.bottom() and bottom > place.top()

    def _curves_between(self, left: float, right: float) -> tuple[float, float]:
        """(highest, lowest) pixel that the curves and limits touch between two places."""
        frame = self._frame
        per_px = (frame.end_s - frame.start_s) / self._size[0]
        start_s, end_s = frame.start_s + left * per_px, frame.start_s + right * per_px
        top, bottom = self._size[1], 0.0
        for stroke in frame.strokes:
            begin = max(0, int(np.searchsorted(stroke.time_s, start_s)) - 1)
            end = int(np.searchsorted(stroke.time_s, end_s, "right")) + 1
            high, low = stroke.high[begin:end], stroke.low[begin:end]
            if np.isfinite(high).any():
                top = min(top, self.y(float(np.nanmax(high)), stroke.axis))
                bottom = max(bottom, self.y(float(np.nanmin(low)), stroke.axis))
        return top, bottom


def _runs(values: NDArray[np.float64]) -> list[slice]:
    """Slices of the values between the NaN."""
    known = np.isfinite(values)
    if known.all():
        return [slice(0, len(values))] if len(values) else []
    edges = np.flatnonzero(np.diff(np.concatenate(([0], known.astype(np.int8), [0]))))
    return [slice(int(begin), int(end)) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def _zigzag(
    x: NDArray[np.float64], top: NDArray[np.float64], bottom: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One polyline through the low and the high end of each column; the plain one where they are the same."""
    if np.array_equal(top, bottom):
        return x, top
    ys = np.empty(2 * len(x))
    ys[0::2], ys[1::2] = bottom, top
    return np.repeat(x, 2), ys
