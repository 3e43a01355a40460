"""One series of the history as a curve with its limits, the spans in which a rule rings, and the alarms in it.

Imported after the first paint: it needs numpy and pyqtgraph.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PyQt5.QtGui import QShowEvent
from PyQt5.QtWidgets import QVBoxLayout, QWidget

from core.language import _
from core.records import SeriesPoints
from gui.models.alarm_marks import AlarmMark
from gui.theme import notifier
from gui.widgets.time_plot import Curve, Floats, Points, Scale, TimePlot
from gui.widgets.time_plot_drawing import Band, Gap
from gui.widgets.time_range import TimeRange

_FIELD = "value"
_SCALES = {
    "%": (Scale("%"),),
    "V": (Scale("V", 1),),
    "A": (Scale("A", 2),),
    "Hz": (Scale("Hz", 2),),
    "W": (Scale("W"), Scale("kW", 1, 1e3, 20_000)),
    "°C": (Scale("°C", 1),),
    "ms": (Scale("ms"), Scale("s", 1, 1e3, 10_000)),
    "B": (Scale("B"), Scale("MiB", 0, 2.0**20, 2e6), Scale("GiB", 1, 2.0**30, 2e9)),
    "B/s": (Scale("kB/s", 0, 1e3), Scale("MB/s", 1, 1e6, 1e6)),
    "d": (Scale("d"),),
}
_AIR = 0.12
"""Share of the height above and below curve and limits."""


class PointsSource:
    """A PlotSource over the points of one series."""

    def __init__(self, points: SeriesPoints) -> None:
        self.time_s, self.low, self.mean, self.high = (
            np.frombuffer(column, np.float64) if len(column) else np.empty(0)
            for column in (points.time_s, points.minimum, points.mean, points.maximum)
        )

    def points(self, field: str, start_s: float, end_s: float, columns: int) -> Points:
        """All that is in the span, and one beyond each edge."""
        begin = max(0, int(np.searchsorted(self.time_s, start_s)) - 1)
        end = int(np.searchsorted(self.time_s, end_s, "right")) + 1
        return self.time_s[begin:end], self.low[begin:end], self.high[begin:end]

    def means(self, _field: str, _start_s: float, _end_s: float, _time_s: Floats) -> Floats | None:
        """The points are all there is."""
        return None

    def value_at(self, field: str, time_s: float) -> float | None:
        """The value nearest to a time; None in a gap."""
        if not len(self.time_s):
            return None
        after = int(np.searchsorted(self.time_s, time_s))
        near = [at for at in (after - 1, after) if 0 <= at < len(self.time_s)]
        value = float(self.mean[min(near, key=lambda at: abs(float(self.time_s[at]) - time_s))])
        return value if math.isfinite(value) else None

    def last_value(self, field: str) -> float | None:
        """The newest value."""
        known = self.mean[np.isfinite(self.mean)]
        return float(known[-1]) if len(known) else None

    def has_field(self, field: str) -> bool:
        """True where there is any value."""
        return bool(np.isfinite(self.mean).any())

    def is_stale(self) -> bool:
        """The past is not stale."""
        return False

    def gaps(self) -> list[Gap]:
        """The spans between two points that a NaN parts."""
        return [
            Gap(float(self.time_s[at - 1]), float(self.time_s[at + 1]))
            for at in np.flatnonzero(np.isnan(self.mean)).tolist()
            if 0 < at < len(self.time_s) - 1
        ]

    def extremes(self) -> tuple[float, float] | None:
        """Least and greatest value."""
        low, high = self.low[np.isfinite(self.low)], self.high[np.isfinite(self.high)]
        return (float(low.min()), float(high.max())) if len(low) and len(high) else None


class SeriesPlot(QWidget):
    """The card of one series; another series makes another card in its place."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.range = TimeRange(self, mode="free")
        self.plot: TimePlot | None = None
        self._source: PointsSource | None = None
        self._marks: tuple[AlarmMark, ...] = ()
        self._bands: tuple[Band, ...] = ()
        self._message = ""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.range.changed.connect(self.redraw)
        self.range.cursor_moved.connect(self._show_cursor)
        notifier.changed.connect(self.redraw)

    def show_series(
        self,
        title: str,
        points: SeriesPoints,
        start_s: float,
        end_s: float,
        *,
        limits: Sequence[float] = (),
        marks: Sequence[AlarmMark] = (),
        bands: Sequence[tuple[float, float]] = (),
        role: str = "warning",
        message: str = "",
    ) -> None:
        """Show points over a span; `bands` are spans in the colour of `role`, `message` what is said where none is."""
        self._source = PointsSource(points)
        self._marks = tuple(marks)
        self._bands = tuple(Band(begin_s, until_s, role) for begin_s, until_s in bands)
        self._message = message or _("no readings in this time")
        old = self.plot
        known = sorted(limit for limit in limits if math.isfinite(limit))
        self.plot = TimePlot(
            title,
            _SCALES.get(points.unit or "", (Scale(points.unit or "", 2),)),
            (Curve(_FIELD, "", "accent"),),
            self.range,
            at_least=self._room(points.unit, known),
            limits=tuple(known),
            tells_newest=False,
        )
        self.plot.canvas.resized.connect(self.redraw)
        self.layout().addWidget(self.plot)
        if old is not None:
            old.hide()
            old.deleteLater()
        self.range.show_span(start_s, end_s, remember=False)

    def redraw(self) -> None:
        """Draw what is known over the span that is shown."""
        if self.plot is None or self._source is None or not self.isVisible():
            return
        start_s, end_s = self.range.span()
        gaps = [gap for gap in self._source.gaps() if gap.end_s > start_s and gap.start_s < end_s]
        self.plot.redraw(self._source, start_s, end_s, gaps, self._message, alarms=self._marks, bands=self._bands)
        self._show_cursor()

    def showEvent(self, event: QShowEvent) -> None:
        """Draw once somebody looks."""
        super().showEvent(event)
        self.redraw()

    def _show_cursor(self) -> None:
        if self.plot is not None and self._source is not None:
            start_s, end_s = self.range.span()
            at_s = self.range.cursor_s
            is_inside = at_s is not None and start_s <= at_s <= end_s
            self.plot.show_cursor(self._source, at_s if is_inside else None, with_box=True)

    def _room(self, unit: str | None, limits: Sequence[float]) -> tuple[float, float] | None:
        """Axis that holds curve and limits with some air; a share of a hundred ends there."""
        found = self._source.extremes() if self._source is not None else None
        values = [*limits, *(found or ()), *(mark.value for mark in self._marks if mark.value is not None)]
        if not values:
            return None
        low, high = min(values), max(values)
        air = _AIR * ((high - low) or abs(high) or 1.0)
        bottom = 0.0 if low >= 0 > low - air else low - air
        top = 100.0 if unit == "%" and high <= 100 < high + air else high + air
        return (bottom, top)
