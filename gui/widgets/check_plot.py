"""Latency of one check over time, with the times in which it failed as bands.

Imported after the first paint: it needs numpy and pyqtgraph.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

from PyQt5.QtCore import QTimer
from PyQt5.QtGui import QHideEvent, QShowEvent
from PyQt5.QtWidgets import QVBoxLayout, QWidget

from core.language import _
from core.records import SeriesPoints
from core.site_records import Alarm
from gui.models.alarm_marks import AlarmMark, marks_of
from gui.theme import notifier
from gui.widgets.series_plot import PointsSource
from gui.widgets.time_plot import Curve, Scale, TimePlot
from gui.widgets.time_plot_drawing import Band
from gui.widgets.time_range import TimeRange

_FIELD = "latency_ms"
_REDRAW_MS = 1000
_SCALES = (Scale("ms", 1), Scale("ms", 0, 1.0, 20.0), Scale("s", 1, 1e3, 5_000.0))


class CheckPlot(QWidget):
    """The card of the curve; `set_history` when the history has answered."""

    def __init__(self, time_range: TimeRange, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._range = time_range
        self._source = PointsSource(_nothing())
        self._bands: tuple[Band, ...] = ()
        self._marks: tuple[AlarmMark, ...] = ()
        self._message = _("reading the history…")
        self.plot = TimePlot(
            _("Latency"), _SCALES, (Curve(_FIELD, "", "accent", is_filled=True),), time_range, tells_newest=True
        )
        self.plot.canvas.resized.connect(self.redraw)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        self._timer = QTimer(self)
        self._timer.setInterval(_REDRAW_MS)
        self._timer.timeout.connect(self.redraw)
        time_range.changed.connect(self.redraw)
        time_range.cursor_moved.connect(self._show_cursor)
        notifier.changed.connect(self.redraw)

    def set_history(
        self, points: SeriesPoints | None, failed: Sequence[tuple[float, float]], alarms: Sequence[Alarm] = ()
    ) -> None:
        """Points of the series, None where there is none yet; the spans in which the check failed; its alarms."""
        self._source = PointsSource(points or _nothing())
        self._bands = tuple(Band(begin_s, until_s, "critical") for begin_s, until_s in failed)
        self._marks = tuple(
            mark if mark.field == _FIELD else replace(mark, field=None, value=None) for mark in marks_of(alarms)
        )
        self._message = _("no results in this time")
        self.redraw()

    def redraw(self) -> None:
        """Draw what is known over the span that is shown."""
        if not self.isVisible():
            return
        start_s, end_s = self._range.span()
        self.plot.redraw(self._source, start_s, end_s, [], self._message, alarms=self._marks, bands=self._bands)
        self._show_cursor()

    def showEvent(self, event: QShowEvent) -> None:
        """Draw once somebody looks."""
        super().showEvent(event)
        self._timer.start()
        self.redraw()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing is drawn while nobody looks."""
        self._timer.stop()
        super().hideEvent(event)

    def _show_cursor(self) -> None:
        start_s, end_s = self._range.span()
        at_s = self._range.cursor_s
        is_inside = at_s is not None and start_s <= at_s <= end_s
        self.plot.show_cursor(self._source, at_s if is_inside else None, with_box=True)


def _nothing() -> SeriesPoints:
    return SeriesPoints("", "ms", array("d"), array("d"), array("d"), array("d"))
