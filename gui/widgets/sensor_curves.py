"""Curves of the sensors chosen: a card each, on one time axis under one cursor, with their limits and gaps.

Made after the first paint of its page, since curves need numpy and pyqtgraph.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtGui import QHideEvent, QShowEvent
from PyQt5.QtWidgets import QHBoxLayout, QPushButton, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from core.language import _
from core.records import SeriesPoints
from core.series import SeriesBook
from core.site_records import Alarm, SensorMeasure
from gui.models.alarm_marks import AlarmMark, marks_of
from gui.models.sensor_row import Key, SensorRow
from gui.models.sensor_words import limit_text, quantity_words
from gui.plain_text import one_line
from gui.widgets import time_plot_export
from gui.widgets.card import GAP
from gui.widgets.export_button import ExportButton
from gui.widgets.labels import ElidedLabel
from gui.widgets.time_axis import nice_range
from gui.widgets.time_plot import Curve, Scale, TimePlot
from gui.widgets.time_plot_group import PlotGroup
from gui.widgets.time_range import RangeBar, TimeRange

MOST_CURVES = 6
_FOLLOWED = 64
"""Series whose live points are kept for a moment in which they are shown again."""
_POINTS = 20_000
_PLOT_PX = 128
_COARSE = ("°C", "°F", "%", "hPa")
_FEW = 60
_NEW_S = 120.0
"""A sensor with few points, all of them of the last two minutes, is new: these show it better than an hour."""


class SensorCurves(QWidget):
    """`show_rows` decides what is drawn; `history_wanted(request, sensor, quantity, start_s, end_s)`."""

    history_wanted = pyqtSignal(int, str, str, float, float)
    closed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.range = TimeRange(self, mode="hour")
        self._book = SeriesBook(limit=_POINTS)
        self._shown: dict[Key, tuple[TimePlot, PlotGroup, tuple[object, ...]]] = {}
        self._followed: dict[Key, str] = {}
        self._asked: dict[int, PlotGroup] = {}
        self._is_used = False
        self._alarms: Mapping[str, Sequence[Alarm]] = {}
        self._words = ElidedLabel("dim")
        self.export_button = ExportButton(self.write_export, self._export_name)
        self.close_button = QPushButton("✕")
        self.close_button.setAccessibleName(_("Close the curves"))
        self.close_button.setToolTip(_("Close the curves"))
        self.close_button.setStyleSheet("padding: 6px 9px;")
        self.close_button.clicked.connect(self.closed)
        header = QHBoxLayout()
        header.setSpacing(GAP)
        header.addWidget(RangeBar(self.range))
        header.addWidget(self._words, 1)
        header.addWidget(self.export_button)
        header.addWidget(self.close_button)
        self._content = QWidget()
        self._column = QVBoxLayout(self._content)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(GAP)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.NoFocus)
        scroll.setWidget(self._content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        layout.addLayout(header)
        layout.addWidget(scroll, 1)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)

    # What comes in

    def show_rows(self, rows: Sequence[SensorRow]) -> None:
        """Draw these, the first ones where they are many."""
        drawn = list(rows)[:MOST_CURVES]
        if not self._is_used and drawn:
            self._is_used = True
            self.range.follow("live" if all(_is_new(row, self.range.now_s()) for row in drawn) else "hour")
        wanted = {row.key: _look(row) for row in drawn}
        for key in [key for key, (_plot, _group, look) in self._shown.items() if wanted.get(key) != look]:
            self._take_away(key)
        for place, row in enumerate(drawn):
            if row.key not in self._shown:
                self._shown[row.key] = (*self._made(row), _look(row))
            self._column.insertWidget(place, self._shown[row.key][0], 1)
        left = len(rows) - len(drawn)
        self._words.set_text(
            _("{shown} of {count} chosen are drawn").format(shown=len(drawn), count=len(rows)) if left else ""
        )

    def apply(self, measures: Sequence[SensorMeasure]) -> None:
        """Live points of those that are drawn."""
        for measure in measures:
            name = self._followed.get((measure.sensor, measure.quantity))
            if name is not None:
                self._mark(measure)
                last_s = self._book.last_s(name)
                if last_s is None or measure.time_s > last_s:
                    self._book.append(name, measure.time_s, measure.value)

    def _mark(self, measure: SensorMeasure) -> None:
        """A sensor that was simulated may be real by now, and the other way round."""
        shown = self._shown.get((measure.sensor, measure.quantity))
        if shown is not None and shown[1].is_simulated != measure.is_simulated:
            shown[1].set_simulated(measure.is_simulated)

    def apply_points(self, points: SeriesPoints, request_id: int) -> None:
        """Take an answer to `history_wanted`."""
        group = self._asked.pop(request_id, None)
        if group is not None and any(group is known for _plot, known, _look in self._shown.values()):
            group.apply_points([points], request_id)

    def set_alarms(self, alarms: Mapping[str, Sequence[Alarm]]) -> None:
        """Alarms by their sources: those of a series are marked on its curve, a silence at the upper edge."""
        self._alarms = alarms
        for key, (_plot, group, _look) in self._shown.items():
            group.set_marks(self._marks(key))

    def _marks(self, key: Key) -> tuple[AlarmMark, ...]:
        sensor, quantity = key
        known = self._alarms.get(f"sensor/{sensor}", ())
        return marks_of(alarm for alarm in known if alarm.quantity in (None, quantity))

    def keys(self) -> list[Key]:
        """What is drawn."""
        return list(self._shown)

    @property
    def is_simulated(self) -> bool:
        """True where a simulator sends one of those that are drawn."""
        return any(group.is_simulated for _plot, group, _look in self._shown.values())

    def plot(self, key: Key) -> TimePlot:
        """The plot of one series."""
        return self._shown[key][0]

    def redraw(self) -> None:
        """Draw at once what the next tick would."""
        for _plot, group, _look in self._shown.values():
            group.redraw()

    # Export

    def write_export(self, kind: str, path: Path) -> None:
        """Write what is drawn as `png` or `csv`; raises OSError."""
        if kind == "csv":
            groups = [group for _plot, group, _look in self._shown.values()]
            table = _Table(self.range, groups)  # each simulated column says so, and each row where all are
            are_all = all(group.is_simulated for group in groups)
            time_plot_export.write_csv(path, table, is_simulated=are_all)  # type: ignore[arg-type]  # same range and table
        else:
            span = self.range.span()
            time_plot_export.write_picture(path, self._content, _("Sensors"), span, is_simulated=self.is_simulated)

    def _export_name(self, suffix: str) -> str:
        names = [sensor for sensor, _quantity in self._shown]
        return time_plot_export.file_name(["sensors", *names[:1]], suffix, is_simulated=self.is_simulated)

    # Life of the widget

    def showEvent(self, event: QShowEvent) -> None:
        """Draw while somebody looks."""
        super().showEvent(event)
        for _plot, group, _look in self._shown.values():
            group.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Do nothing while nobody looks."""
        super().hideEvent(event)
        for _plot, group, _look in self._shown.values():
            group.stop()

    # Inside

    def _made(self, row: SensorRow) -> tuple[TimePlot, PlotGroup]:
        unit = one_line(row.shown_unit)[:16]
        limits = tuple(limit for limit in row.limits() if limit is not None)
        digits = 1 if unit in _COARSE else 2
        plot = TimePlot(
            f"{row.title()} · {quantity_words(row.quantity)[:64]}",
            (Scale(unit, digits),),
            (Curve(row.quantity, "", "accent"),),
            self.range,
            floor=None,
            at_least=_least_axis(row.value, unit),
            limits=limits,
            tells_newest=True,
        )
        plot.set_subtitle("   ".join(part for part in (unit, _limit_words(row)) if part))
        plot.setMinimumHeight(_PLOT_PX)
        group = PlotGroup("sensor", self.range, self)
        group.add(plot)
        group.set_simulated(row.is_simulated)
        group.set_marks(self._marks(row.key))
        group.set_book(self._book)
        self._follow(row)
        group.history_wanted.connect(self._on_history_wanted)
        group.show_owner(row.sensor)
        if self.isVisible():
            group.start()
        return plot, group

    def _take_away(self, key: Key) -> None:
        plot, group, _look = self._shown.pop(key)
        group.stop()
        self._column.removeWidget(plot)
        plot.hide()
        plot.deleteLater()
        group.deleteLater()

    def _follow(self, row: SensorRow) -> None:
        """Begin with the last points of the tile, so that a curve is there before the history has answered."""
        if row.key not in self._followed:
            recent = row.times[-1:]
            if len(recent) and not row.is_quiet(self.range.now_s()):
                self._book.append(row.series, recent[0], row.values[-1])
        self._followed[row.key] = row.series
        if len(self._followed) > _FOLLOWED:
            for key in [key for key in self._followed if key not in self._shown][:_FOLLOWED]:
                self._book.forget(self._followed.pop(key))

    def _on_history_wanted(self, request_id: int, sensor: str, fields: object, start_s: float, end_s: float) -> None:
        group = self.sender()
        if isinstance(group, PlotGroup):
            self._asked[request_id] = group
            for quantity in list(fields):  # type: ignore[call-overload]  # a list of texts, as the signal has it
                self.history_wanted.emit(request_id, sensor, quantity, start_s, end_s)


class _Table:
    """The groups of all plots as the one that an export asks for its range and its rows."""

    def __init__(self, time_range: TimeRange, groups: Sequence[PlotGroup]) -> None:
        self.range = time_range
        self._groups = groups

    def table(self, start_s: float, end_s: float) -> tuple[list[str], list[tuple[float, list[float | None]]]]:
        """(names, rows of (time_s, values)), a column for each series."""
        names: list[str] = []
        rows: dict[float, dict[int, float]] = {}
        for group in self._groups:
            _fields, found = group.table(start_s, end_s)
            if not found:
                continue
            for time_s, values in found:
                if values[0] is not None:
                    rows.setdefault(time_s, {})[len(names)] = values[0]
            mark = " " + _("(simulated)") if group.is_simulated else ""
            names.append(one_line(f"sensor/{group.owner}/{group.fields()[0]}") + mark)
        return names, [(time_s, [rows[time_s].get(place) for place in range(len(names))]) for time_s in sorted(rows)]


def empty_points(name: str) -> SeriesPoints:
    """What is told where the history has nothing."""
    return SeriesPoints(
        name=name, unit=None, time_s=array("d"), minimum=array("d"), mean=array("d"), maximum=array("d")
    )


def _is_new(row: SensorRow, now_s: float) -> bool:
    return row.count < _FEW and len(row.times) > 0 and row.times[0] > now_s - _NEW_S


def _least_axis(value: float | None, unit: str) -> tuple[float, float] | None:
    """A little around the value, so that the noise of a sensor does not fill the axis."""
    if value is None or abs(value) > 1e9:
        return None
    around = max(abs(value) * 0.02, 0.5 if unit in _COARSE else 0.0) or 1.0
    return nice_range(value - around, value + around, floor=None, headroom=0.0)


def _look(row: SensorRow) -> tuple[object, ...]:
    """What a plot is made from: where it changes, the plot is made anew."""
    return row.title(), row.shown_unit, row.limits()


def _limit_words(row: SensorRow) -> str:
    low, high = row.limits()
    unit = row.shown_unit
    if low is not None and high is not None:
        return _("limits {low} and {high}").format(low=limit_text(low, ""), high=limit_text(high, ""))
    if high is not None:
        return _("rings above {limit}").format(limit=limit_text(high, unit))
    if low is not None:
        return _("rings below {limit}").format(limit=limit_text(low, unit))
    return ""
