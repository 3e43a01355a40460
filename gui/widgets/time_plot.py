"""A card with curves over the time of its page.

This module and those it imports are the only ones of the window that need numpy and pyqtgraph: they are imported
after the first paint.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtWidgets import QWidget

from core.language import _
from gui import numbers
from gui.models.alarm_marks import AlarmMark
from gui.theme import notifier
from gui.widgets.card import MARGIN, Card
from gui.widgets.curve_legend import CurveLegend, LegendEntry
from gui.widgets.time_axis import nice_range
from gui.widgets.time_plot_drawing import Band, Frame, Gap, Mark, Stroke
from gui.widgets.time_plot_view import Canvas
from gui.widgets.time_range import TimeRange

Floats = NDArray[np.float64]
Points = tuple[Floats, Floats, Floats]
_MOST_MARKS = 6
_MARK_APART_PX = 60
_MOST_ALARMS = 40


@dataclass(frozen=True, slots=True)
class Scale:
    """A unit to show values in from `least` on (as an absolute value): value / `divisor`, with `digits` decimals."""

    unit: str
    digits: int = 0
    divisor: float = 1.0
    least: float = 0.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve: the field of the measurement or status it shows, its short name, and the colour's role."""

    field: str
    label: str
    role: str
    is_filled: bool = False


class PlotSource(Protocol):
    """Where a plot takes its points from."""

    def points(self, field: str, start_s: float, end_s: float, columns: int) -> Points:
        """(time, minimum, maximum), a NaN in every gap."""

    def means(self, field: str, start_s: float, end_s: float, time_s: Floats) -> Floats | None:
        """The means at the times of `points`, NaN where none is known; None where the points are all there is."""

    def value_at(self, field: str, time_s: float) -> float | None:
        """The value nearest to a time; None in a gap."""

    def last_value(self, field: str) -> float | None:
        """The newest value."""

    def has_field(self, field: str) -> bool:
        """True where the field has any value, in memory or in the history shown."""

    def is_stale(self) -> bool:
        """True while the newest values are old."""


class TimePlot(Card):
    """Curves of one quantity: unit beside the title, names and values at the right, limits dashed.

    A curve without a name tells its value at the cursor only, or with `tells_newest` always.
    """

    def __init__(
        self,
        title: str,
        scales: tuple[Scale, ...],
        curves: tuple[Curve, ...],
        time_range: TimeRange,
        *,
        floor: float | None = 0.0,
        at_least: tuple[float, float] | None = None,
        limits: tuple[float, ...] = (),
        tells_newest: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(title, parent)
        self.title = title
        self.curves = curves
        self.is_simulated = False
        self._scales = scales
        self._scale = scales[0]
        self._floor = floor
        self._at_least = at_least
        self._limits = limits
        self._tells_newest = tells_newest
        self._range = time_range
        self._bounds: tuple[float, float] | None = None
        self._legend = CurveLegend()
        self.add_to_title(self._legend)
        self.canvas = Canvas()
        self.canvas.setAccessibleName(title)
        self.body.addWidget(self.canvas, 1)
        self.layout().setContentsMargins(MARGIN, 8, MARGIN, 8)
        self._show_words()
        self.set_title_tip(_("Drag to zoom, or Ctrl + wheel; Shift + wheel moves in time; double-click goes back"))
        canvas = self.canvas
        canvas.zoomed.connect(time_range.zoom)
        canvas.moved.connect(self._on_moved)
        canvas.span_chosen.connect(time_range.show_span)
        canvas.cursor_wanted.connect(time_range.set_cursor)
        canvas.cursor_stepped.connect(self._on_cursor_stepped)
        canvas.back_wanted.connect(time_range.back)
        notifier.changed.connect(canvas.on_theme_changed)

    @property
    def unit(self) -> str:
        """Unit in use on the axis."""
        return self._scale.unit

    def set_simulated(self, is_simulated: bool) -> None:
        """Say in the title line that nothing here was measured."""
        if is_simulated != self.is_simulated:
            self.is_simulated = is_simulated
            self._show_words()

    def set_limits(self, limits: tuple[float, ...]) -> None:
        """Draw these limits from the next redraw on."""
        if limits != self._limits:
            self._limits = limits
            self._show_words()

    def set_at_least(self, low: float, high: float) -> None:
        """Span at least this from the next redraw on."""
        self._at_least = (low, high)

    def redraw(
        self,
        source: PlotSource,
        start_s: float,
        end_s: float,
        gaps: list[Gap],
        message: str = "",
        *,
        alarms: Sequence[AlarmMark] = (),
        bands: Sequence[Band] = (),
    ) -> list[Gap]:
        """Show the curves of `source` over a span; the gaps whose reason has no room on this plot."""
        found = [(curve, *source.points(curve.field, start_s, end_s, self.canvas.columns)) for curve in self.curves]
        lows = [float(np.nanmin(low)) for _curve, _time, low, _high in found if np.isfinite(low).any()]
        highs = [float(np.nanmax(high)) for _curve, _time, _low, high in found if np.isfinite(high).any()]
        low, high = (min(lows), max(highs)) if lows else (0.0, 0.0)
        self._choose_scale(max(abs(low), abs(high)))
        divisor = self._scale.divisor
        bottom, top = self._settled(low / divisor, high / divisor, bool(lows))
        return self.canvas.show_frame(
            Frame(
                start_s=start_s,
                end_s=end_s,
                low=bottom,
                high=top,
                strokes=[
                    self._stroke(curve, time, low, high, source.means(curve.field, start_s, end_s, time))
                    for curve, time, low, high in found
                    if len(time)
                ],
                gaps=gaps,
                limits=[limit / divisor for limit in self._limits],
                marks=self._all_marks(found, alarms, start_s, end_s),
                bands=list(bands),
                message=message if not lows else "",
            )
        )

    def _stroke(self, curve: Curve, time: Floats, low: Floats, high: Floats, mean: Floats | None) -> Stroke:
        """A curve in the unit of the axis; in a span of days as a line of means before a band."""
        divisor = self._scale.divisor
        if mean is not None:
            mean = np.where(np.isfinite(mean), mean, (low + high) / 2) / divisor
        return Stroke(curve.role, curve.is_filled, time, low / divisor, high / divisor, mean)

    def has_data(self, source: PlotSource) -> bool:
        """True where any curve has a value."""
        return any(source.has_field(curve.field) for curve in self.curves)

    def show_cursor(self, source: PlotSource, time_s: float | None, *, with_box: bool) -> None:
        """Values at the cursor in the title line, or the newest ones; with the time in a box where it is wanted."""
        is_stale = time_s is None and source.is_stale()
        known = [curve for curve in self.curves if source.has_field(curve.field)]
        values = [
            source.last_value(curve.field) if time_s is None else source.value_at(curve.field, time_s)
            for curve in known
        ]
        self._legend.set_entries(
            [
                LegendEntry(curve.label, curve.role, self.text_of(value), is_stale)
                for curve, value in zip(known, values, strict=True)
                if curve.label or time_s is not None or self._tells_newest
            ]
        )
        words: list[str] = []
        if time_s is not None and with_box:
            words.append(numbers.clock(time_s, with_seconds=True))
            if all(value is None for value in values):
                words.append(_("no reading"))
            elif len(values) == 1:
                words.append(f"{self.text_of(values[0])} {self.unit}")
        self.canvas.show_cursor(time_s, words)

    def text_of(self, value: float | None) -> str:
        """A value as this plot shows it, without its unit."""
        if value is None or not math.isfinite(value):
            return numbers.NO_VALUE
        return numbers.number(value / self._scale.divisor, self._scale.digits)

    def legend_entries(self) -> list[LegendEntry]:
        """Names and values in the title line."""
        return self._legend.entries()

    def _choose_scale(self, largest: float) -> None:
        chosen = next((scale for scale in reversed(self._scales) if largest >= scale.least), self._scales[0])
        if chosen is not self._scale:
            self._scale = chosen
            self._bounds = None
            self._show_words()

    def _settled(self, low: float, high: float, is_known: bool) -> tuple[float, float]:
        """Bounds of the axis; they shrink only when the curve leaves much of them empty."""
        divisor = self._scale.divisor
        if self._at_least is not None:
            least = (self._at_least[0] / divisor, self._at_least[1] / divisor)
            if not is_known or (low >= least[0] and high <= least[1]):
                return least
            low, high = min(low, least[0]), max(high, least[1])
        if not is_known:
            return self._bounds or (0.0, 1.0)
        floor = self._at_least[0] / divisor if self._at_least is not None else self._floor
        wanted = nice_range(low, high, floor=floor, headroom=0.04 if self._at_least else 0.14)
        held = self._bounds
        if held is not None:
            holds = held[0] <= wanted[0] and held[1] >= wanted[1]
            if holds and held[1] - held[0] < 1.5 * (wanted[1] - wanted[0]):
                return held
        self._bounds = wanted
        return wanted

    def _all_marks(
        self,
        found: list[tuple[Curve, NDArray, NDArray, NDArray]],
        alarms: Sequence[AlarmMark],
        start_s: float,
        end_s: float,
    ) -> list[Mark]:
        """Alarms first, then what is beyond the limits where no alarm says so already."""
        apart_s = (end_s - start_s) * _MARK_APART_PX / self.canvas.columns
        rung = [
            Mark(
                alarm.time_s, None if alarm.value is None else alarm.value / self._scale.divisor, alarm.text, alarm.role
            )
            for alarm in alarms
            if start_s <= alarm.time_s <= end_s
        ][:_MOST_ALARMS]
        beyond = self._marks(found, end_s - start_s)
        return rung + [mark for mark in beyond if all(abs(mark.time_s - one.time_s) > apart_s for one in rung)]

    def _marks(self, found: list[tuple[Curve, NDArray, NDArray, NDArray]], span_s: float) -> list[Mark]:
        """The worst point of each excursion beyond the limits, the worst ones where there are many."""
        if len(self._limits) != 2:
            return []
        lowest, highest = self._limits
        apart_s = span_s * _MARK_APART_PX / self.canvas.columns
        worst: list[tuple[float, Mark]] = []
        for curve, time, low, high in found:
            for values, beyond in ((low, lowest - low), (high, high - highest)):
                for index in _peaks(time, beyond, apart_s):
                    text = f"{curve.label} {self.text_of(float(values[index]))} {self.unit}"
                    value = float(values[index]) / self._scale.divisor
                    worst.append((float(beyond[index]), Mark(float(time[index]), value, text)))
        worst.sort(key=lambda item: -item[0])
        kept: list[Mark] = []
        for _beyond, mark in worst:
            if all(abs(mark.time_s - other.time_s) > apart_s for other in kept):
                kept.append(mark)
        return kept[:_MOST_MARKS]

    def _show_words(self) -> None:
        words = self._scale.unit
        if self._limits:
            limits = [_limit_words(limit / self._scale.divisor) for limit in self._limits]
            words += "   " + (
                _("limits {low} and {high}").format(low=limits[0], high=limits[-1])
                if len(limits) > 1
                else _("limit {limit}").format(limit=limits[0])
            )
        if self.is_simulated:
            words += "   " + _("simulated")
        self.set_subtitle(words.strip())

    def _on_moved(self, share: float) -> None:
        start_s, end_s = self._range.span()
        self._range.move(share * (end_s - start_s))

    def _on_cursor_stepped(self, sign: int) -> None:
        start_s, end_s = self._range.span()
        at_s = self._range.cursor_s
        step_s = 4 * (end_s - start_s) / self.canvas.columns
        wanted_s = (start_s + end_s) / 2 if at_s is None else at_s + sign * step_s
        self._range.set_cursor(min(max(wanted_s, start_s), end_s))


def _limit_words(limit: float) -> str:
    return numbers.number(limit, next((digits for digits in (0, 1) if round(limit, digits) == limit), 2))


def _peaks(time: NDArray[np.float64], beyond: NDArray[np.float64], apart_s: float) -> list[int]:
    """Index of the worst point of each run of positive values; runs that are near are one."""
    outside = np.flatnonzero(beyond > 0)
    if not len(outside):
        return []
    runs = np.split(outside, np.flatnonzero(np.diff(time[outside]) > apart_s) + 1)
    return [int(run[np.argmax(beyond[run])]) for run in runs]
