"""The cards of the Energy page below its numbers: curves, those with data only, and the bars of kWh.

Curves need numpy and pyqtgraph; `build` imports them, after the page has been painted once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QBoxLayout, QHBoxLayout, QVBoxLayout, QWidget

from core.language import _
from gui.models.alarm_marks import AlarmMark
from gui.models.meter_shown import MeterShown
from gui.models.thresholds import VOLTAGE
from gui.widgets.card import GAP
from gui.widgets.energy_bars_card import EnergyBarsCard
from gui.widgets.readings_card import ReadingsCard
from gui.widgets.time_range import TimeRange

if TYPE_CHECKING:
    from core.series import SeriesBook
    from gui.widgets.time_plot import TimePlot
    from gui.widgets.time_plot_group import PlotGroup

_POWER_STRETCH, _POWER_PX = 26, 164
_PHASES = ("voltage", "current")
"""Plots over the whole width where there is height for that, else side by side."""
_PHASES_STRETCH, _PHASES_PX = 15, 124
_SMALL_PLOTS = {"reactive": 2, "frequency": 1, "power_factor": 1, "distortion": 2}
"""Plots below them, each with its share of the width; the first one stands beside the bars."""
_SMALL_PLOT_PX = 124
_READINGS_PX, _ALL_STRETCH = 260, 1000
_SMALL_STRETCH = 11
_BARS_STRETCH = 19
_BARS_SHARE = 3


class EnergyCurves(QWidget):
    """Power, voltages and currents over the whole width; bars and small curves share the lines below."""

    history_wanted = pyqtSignal(int, str, object, float, float)

    def __init__(self, time_range: TimeRange, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.range = time_range
        self.group: PlotGroup | None = None
        self.plots: dict[str, TimePlot] = {}
        self.bars = EnergyBarsCard()
        self._book: SeriesBook | None = None
        self._is_narrow = False
        self._height_px = 0
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(GAP)
        self._phases = QBoxLayout(QBoxLayout.TopToBottom)
        self._phases.setSpacing(GAP)
        self._lines = [QHBoxLayout() for _line in range(3)]
        for line in self._lines:
            line.setSpacing(GAP)
            self._column.addLayout(line)
        self._lines[0].addWidget(self.bars, _BARS_SHARE)
        self.readings = ReadingsCard()
        self.readings.setMinimumHeight(_READINGS_PX)
        self.readings.hide()
        self.readings.set_context(_("their curves are on the History page"))
        self._column.addWidget(self.readings, _ALL_STRETCH)
        self._is_other = False
        self._column.setStretchFactor(self._lines[0], _BARS_STRETCH)

    def set_book(self, book: SeriesBook) -> None:
        """Draw the live points of `book`."""
        self._book = book
        if self.group is not None:
            self.group.set_book(book)

    def build(self) -> None:
        """Make the curves, once."""
        if self.group is not None:
            return
        from gui.pages.energy_plots import energy_plots
        from gui.widgets.time_plot_group import PlotGroup

        group = PlotGroup("meter", self.range, self)
        self.plots = energy_plots(self.range)
        for plot in self.plots.values():
            group.add(plot)
        self._column.insertWidget(0, self.plots["power"], _POWER_STRETCH)
        self.plots["power"].setMinimumHeight(_POWER_PX)
        self._column.insertLayout(1, self._phases, 2 * _PHASES_STRETCH)
        for name in _PHASES:
            self._phases.addWidget(self.plots[name], 1)
            self.plots[name].setMinimumHeight(_PHASES_PX)
        for name in _SMALL_PLOTS:
            self.plots[name].setParent(self)  # at once: a widget that gets one later is hidden for a moment
            self.plots[name].setMinimumHeight(_SMALL_PLOT_PX)
            self.plots[name].hide()
        self._place_small_plots()
        group.history_wanted.connect(self.history_wanted)
        group.drawn.connect(self._show_plots_with_data)
        self.group = group
        if self._book is not None:
            group.set_book(self._book)

    def start(self) -> None:
        """Draw while somebody looks."""
        if self.group is not None:
            self.group.start()

    def stop(self) -> None:
        """Nobody looks."""
        if self.group is not None:
            self.group.stop()

    def set_room(self, is_narrow: bool, height_px: int) -> None:
        """Fewer cards in a line where there is little width, more where there is little height."""
        self._height_px = height_px
        if is_narrow != self._is_narrow:
            self._is_narrow = is_narrow
            self._place_small_plots()
        self._place_phases()

    def show_meter(self, meter: MeterShown, marks: Sequence[AlarmMark]) -> None:
        """Draw this meter, its alarms as marks; one of heat or water has a table, and its curves in the History."""
        self._show_kind(meter.is_other)
        if meter.is_other:
            self.readings.apply(meter.readings)
        self.bars.apply(meter.bars, meter.currency, is_heard=meter.has_values)
        self.bars.set_simulated(meter.is_simulated)
        if self.group is None:
            return
        self.group.show_owner(meter.name)
        self.plots["voltage"].set_limits(VOLTAGE.of(meter.name) or ())
        self.group.set_marks(marks)
        self.group.set_simulated(meter.is_simulated)
        self.group.set_silence(meter.silence_words())

    def _show_kind(self, is_other: bool) -> None:
        if is_other != self._is_other:
            self._is_other = is_other
            self.readings.setVisible(is_other)
            self.bars.setVisible(not is_other)
            self._show_plots_with_data()

    def _show_plots_with_data(self) -> None:
        """A card for what this meter gives, and no empty one for what it does not."""
        group = self.group
        if group is None:
            return
        is_changed = False
        for name, plot in self.plots.items():
            wanted = not self._is_other and (name == "power" or plot.has_data(group))
            if plot.isHidden() == wanted:
                plot.setVisible(wanted)
                is_changed = True
        if is_changed:
            self._place_small_plots()

    def _place_phases(self) -> None:
        """Voltages over currents, on one axis of time, unless the page would have to be scrolled for that."""
        shown = [name for name in _PHASES if name in self.plots and not self.plots[name].isHidden()]
        lines = [self.bars.minimumHeight(), *(_SMALL_PLOT_PX for line in self._lines[1:] if _is_shown(line))]
        wanted = _POWER_PX + (_PHASES_PX + GAP) * len(shown) + sum(height + GAP for height in lines)
        is_beside = not self._is_narrow and len(shown) > 1 and wanted > self._height_px
        self._phases.setDirection(QBoxLayout.LeftToRight if is_beside else QBoxLayout.TopToBottom)
        stretch = _PHASES_STRETCH * (1 if is_beside else len(shown))
        self._column.setStretchFactor(self._phases, stretch)

    def _place_small_plots(self) -> None:
        """The first one beside the bars, the others below; where it is narrow the bars have their line alone."""
        if not self.plots:
            return
        shown = [name for name in _SMALL_PLOTS if not self.plots[name].isHidden()]
        beside = [] if self._is_narrow else shown[:1]
        below = shown[len(beside) :]
        per_line = 2 if self._is_narrow else max(1, len(below))
        for index, line in enumerate(self._lines):
            names = below[(index - 1) * per_line : index * per_line] if index else beside
            for name in names:
                line.addWidget(self.plots[name], _SMALL_PLOTS[name])
            if index:
                self._column.setStretchFactor(line, _SMALL_STRETCH if names else 0)
        self._place_phases()


def _is_shown(line: QHBoxLayout) -> bool:
    return any(not line.itemAt(at).widget().isHidden() for at in range(line.count()))
