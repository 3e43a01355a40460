"""Ticks where people expect them, and the two axes of a plot.

The axes paint their ticks themselves: pyqtgraph's own lay out all text anew at every step of a moving range.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import pyqtgraph as pg
from PyQt5.QtCore import QDate, QLocale, QPointF, QRectF, Qt
from PyQt5.QtGui import QFont, QFontMetricsF, QPainter, QPen
from PyQt5.QtWidgets import QStyleOptionGraphicsItem, QWidget

from core.language import language
from gui import numbers
from gui.theme import scaled_font, theme

_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200)
_DAYS = (1, 2, 7, 14)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)
_DAY_S = 86_400
_MONTH_S = 30.5 * _DAY_S
_WEEKDAYS_UP_TO_S = 10 * _DAY_S
"""A span of days up to this long names the days of the week too."""
FONT_FACTOR = 0.9
_AIR_PX = 15
EDGE_PX = 6
"""Room that a plot leaves at its right; the last label of time may reach into it, and is never cut."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and its label."""

    value: float
    label: str


def time_ticks(start_s: float, end_s: float, most: int) -> list[Tick]:
    """At most about `most` ticks at round local times: midnight carries the date, a Monday a week, a first a month."""
    length_s = end_s - start_s
    wanted_s = length_s / max(1, most)
    step_s = next((step for step in _SECONDS if step >= wanted_s), None)
    if step_s is None:
        days = next((count for count in _DAYS if count * _DAY_S >= wanted_s), None)
        if days is None:
            months = next((count for count in _MONTHS if count * _MONTH_S >= wanted_s), _MONTHS[-1])
            return [Tick(at_s, _month(at_s)) for at_s in _firsts(start_s, end_s, months)]
        pattern = "ddd d MMM" if length_s <= min(_WEEKDAYS_UP_TO_S, most * _DAY_S) else "d MMM"
        return [Tick(at_s, _date(at_s, pattern)) for at_s in _midnights(start_s, end_s, days)]
    if step_s > 3_600:
        places = [
            at_s
            for midnight_s in _midnights(start_s - _DAY_S, end_s, 1)
            for hour in range(0, 24, step_s // 3_600)
            if start_s <= (at_s := _at_hour(midnight_s, hour)) <= end_s
        ]
    else:
        offset_s = time.localtime(start_s).tm_gmtoff
        first = math.ceil((start_s + offset_s) / step_s)
        last = math.floor((end_s + offset_s) / step_s)
        places = [float(index * step_s - offset_s) for index in range(first, last + 1)]
    pattern = "%H:%M:%S" if step_s < 60 else "%H:%M"
    return [
        Tick(at_s, _date(at_s) if (local := time.localtime(at_s))[3:6] == (0, 0, 0) else time.strftime(pattern, local))
        for at_s in places
    ]


def value_ticks(low: float, high: float, most: int) -> list[Tick]:
    """At most about `most` ticks at 1, 2 or 5 times a power of ten, within [low, high]."""
    step, digits = nice_step((high - low) / max(1, most))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [Tick(index * step, numbers.number(index * step + 0.0, digits)) for index in range(first, last + 1)]


def nice_step(least: float) -> tuple[float, int]:
    """(step, decimals its multiples need): the smallest 1, 2 or 5 times a power of ten that is >= `least`."""
    if not math.isfinite(least) or least <= 0:
        return 1.0, 0
    exponent = math.floor(math.log10(least))
    for factor in (1, 2, 5, 10):
        step = factor * 10.0**exponent
        if step >= least * (1 - 1e-9):
            break
    return step, max(0, -math.floor(math.log10(step) + 1e-9))


def nice_range(low: float, high: float, *, floor: float | None = 0.0, headroom: float = 0.12) -> tuple[float, float]:
    """A range of round ends around [low, high] that keeps still while values move a little.

    With a `floor`, values all above it begin there. The headroom leaves place for words above the curve.
    """
    if floor is not None:
        low, high = min(low, floor), max(high, floor)
    span = (high - low) or max(1.0, abs(high) * 0.1)
    step, _digits = nice_step(span / 8)
    top = math.ceil((high + span * headroom) / step) * step if high != floor or high == low else high
    bottom = low if low == floor else math.floor((low - span * 0.04) / step) * step
    return bottom, top


class Axis(pg.AxisItem):
    """An axis that paints the ticks it is given; labels that would touch are left out."""

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation)
        self._ticks: list[Tick] = []
        self._span = (0.0, 1.0)
        self._unit = ""
        self._role = "dim"
        self._font = scaled_font(FONT_FACTOR)
        self.on_theme_changed()

    def show_ticks(self, ticks: list[Tick], low: float, high: float, unit: str = "", role: str = "dim") -> None:
        """Paint these ticks on the span [low, high], a unit above them, in the colour of `role`."""
        self._ticks = ticks
        self._span = (low, high)
        self._unit = unit
        self._role = role
        self.update()

    def fit(self) -> None:
        """Take as much room as the labels need, no less than they did a moment ago by a little."""
        metrics = QFontMetricsF(self._font)
        words = [self._unit, *(tick.label for tick in self._ticks)]
        wanted = int(max(map(metrics.horizontalAdvance, words))) + _AIR_PX
        if not wanted <= self.width() <= wanted + _AIR_PX:
            self.setWidth(wanted + _AIR_PX // 3)

    def on_theme_changed(self) -> None:
        """Take font and room anew."""
        self._font = scaled_font(FONT_FACTOR)
        metrics = QFontMetricsF(self._font)
        if self.orientation == "bottom":
            self.setHeight(int(metrics.height()) + 5)
        else:
            self.setWidth(int(metrics.horizontalAdvance(numbers.number(-10_000))) + 12)
        self.update()

    def boundingRect(self) -> QRectF:
        """A little more than the axis: the outermost label of time reaches over its end, the unit stands above."""
        return QRectF(self.rect()).adjusted(-30, -24, 30, 8)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        """Axis line and labels."""
        area = QRectF(self.rect())
        low, high = self._span
        colours = theme()
        painter.setRenderHint(QPainter.Antialiasing, False)
        painter.setPen(QPen(colours.color("line"), 1))
        is_time, is_right = self.orientation == "bottom", self.orientation == "right"
        if is_time:
            painter.drawLine(area.topLeft(), area.topRight())
        elif is_right:
            painter.drawLine(area.topLeft(), area.bottomLeft())
        else:
            painter.drawLine(area.topRight(), area.bottomRight())
        painter.setPen(colours.color(self._role))
        painter.setFont(self._font)
        metrics = QFontMetricsF(self._font)
        side = (Qt.AlignLeft if is_right else Qt.AlignRight) | Qt.AlignVCenter
        if self._unit:
            place = QRectF(area.left() - 20, area.top() - metrics.height() - 6, area.width() + 13, metrics.height())
            painter.drawText(place.translated(27 if is_right else 0, 0), side, self._unit)
        taken = -math.inf
        for tick in self._ticks:
            share = (tick.value - low) / ((high - low) or 1.0)
            width = metrics.horizontalAdvance(tick.label)
            if is_time:
                left = min(
                    max(area.left() + share * area.width() - width / 2, area.left() - 26),
                    area.right() + EDGE_PX - 1 - width,
                )
                if left < taken + 6:
                    continue
                taken = left + width
                painter.drawText(QPointF(left, area.top() + metrics.ascent() + 4), tick.label)
            else:
                y = area.bottom() - share * area.height()
                place = QRectF(area.left() - 20, y - metrics.height() / 2, area.width() + 13, metrics.height())
                painter.drawText(place.translated(27 if is_right else 0, 0), side, tick.label)


def label_font() -> QFont:
    """The font of axis labels and of words on a plot."""
    return scaled_font(FONT_FACTOR)


def _midnights(start_s: float, end_s: float, every_days: int) -> list[float]:
    """Local midnights within the span, every so many days counted from a fixed one, right across clock changes."""
    local = time.localtime(start_s)
    ordinal = QDate(local.tm_year, local.tm_mon, local.tm_mday).toJulianDay()
    found = []
    while True:
        day = QDate.fromJulianDay(ordinal)
        at_s = time.mktime((day.year(), day.month(), day.day(), 0, 0, 0, 0, 0, -1))
        if at_s > end_s:
            return found
        if at_s >= start_s and ordinal % every_days == 0:
            found.append(at_s)
        ordinal += 1


def _at_hour(midnight_s: float, hour: int) -> float:
    local = time.localtime(midnight_s)
    return time.mktime((local.tm_year, local.tm_mon, local.tm_mday, hour, 0, 0, 0, 0, -1))


def _firsts(start_s: float, end_s: float, every_months: int) -> list[float]:
    """Local midnights of the first days of months within the span, every so many months counted from January."""
    local = time.localtime(start_s)
    number = (local.tm_year * 12 + local.tm_mon - 1) // every_months * every_months
    found = []
    while True:
        at_s = time.mktime((number // 12, number % 12 + 1, 1, 0, 0, 0, 0, 0, -1))
        if at_s > end_s:
            return found
        if at_s >= start_s:
            found.append(at_s)
        number += every_months


def _month(at_s: float) -> str:
    """`Mar`; January carries the year."""
    return _date(at_s, "MMM yyyy" if time.localtime(at_s).tm_mon == 1 else "MMM")


def _date(at_s: float, pattern: str = "d MMM") -> str:
    local = time.localtime(at_s)
    return QLocale(language()).toString(QDate(local.tm_year, local.tm_mon, local.tm_mday), pattern)
