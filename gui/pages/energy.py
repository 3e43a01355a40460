"""The Energy page: what the meter says now, and its curves.

Curves need numpy and pyqtgraph; they are built after the page has been painted once, or by `build_plots`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QHideEvent, QPaintEvent, QResizeEvent, QShowEvent
from PyQt5.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLayout,
    QPushButton,
    QScrollArea,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from core.language import _
from core.records import Measurement, MeterReadings, MeterReport, MeterState, SeriesPoints
from core.site_records import Alarm
from gui.models.alarm_marks import marks_of
from gui.models.meter_shown import REGISTER, MeterShown
from gui.models.thresholds import VOLTAGE
from gui.widgets.card import GAP
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.export_button import ExportButton
from gui.widgets.labels import ElidedLabel, plain_label, set_role
from gui.widgets.meter_numbers import MeterNumbers
from gui.widgets.probe_start import ProbeStart
from gui.widgets.readings_card import ReadingsCard
from gui.widgets.time_range import RangeBar, TimeRange, next_request_id

if TYPE_CHECKING:
    from core.series import SeriesBook
    from gui.widgets.time_plot import TimePlot
    from gui.widgets.time_plot_group import PlotGroup

_TICK_MS = 1_000
_DRAWER_PX = 560
_WIDE_DRAWER_PX = 700
_NARROW_PX = 1_000
_BIG_PLOTS = {"power": (26, 172), "voltage": (15, 136), "current": (15, 136)}
"""Plots over the whole width, each with its share of the height and its least height in pixels."""
_SMALL_PLOTS = {"frequency": 1, "power_factor": 1, "reactive": 2, "distortion": 2}
"""Plots below them, each with its share of the width."""
_SMALL_PLOT_PX = 124
_SMALL_STRETCH = 11


class EnergyPage(QWidget):
    """Numbers, curves and all readings of one meter at a time; the ports to connect while there is none."""

    history_wanted = pyqtSignal(int, str, object, float, float)
    connect_wanted = pyqtSignal(str)
    simulate_wanted = pyqtSignal()
    key_wanted = pyqtSignal(str)
    ports_wanted = pyqtSignal()
    read_wanted = pyqtSignal(str)
    disconnect_wanted = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.range = TimeRange(self, mode="live")
        self.group: PlotGroup | None = None
        self._alarms: Mapping[str, Sequence[Alarm]] = {}
        self._plots: dict[str, TimePlot] = {}
        self._book: SeriesBook | None = None
        self._meters: dict[str, MeterShown] = {}
        self._current: str | None = None
        self._asked_today: dict[int, str] = {}
        self._is_narrow = False
        self._pane = QStackedLayout(self)
        self._pane.setContentsMargins(0, 0, 0, 0)
        self._pane.setSizeConstraint(QLayout.SetNoConstraint)
        self.start = ProbeStart()
        self._pane.addWidget(self.start)
        self._pane.addWidget(self._make_content())
        self.start.connect_wanted.connect(self.connect_wanted)
        self.start.simulate_wanted.connect(self.simulate_wanted)
        self.start.ports_wanted.connect(self.ports_wanted)
        self.start.key_wanted.connect(self.key_wanted)
        self.start.stop_wanted.connect(self.disconnect_wanted)
        self._clock = QTimer(self)
        self._clock.setInterval(_TICK_MS)
        self._clock.timeout.connect(self._show_ages)

    # What comes in

    def set_live(self, book: SeriesBook) -> None:
        """Draw the live points of `book`; whoever publishes readings appends them there."""
        self._book = book
        if self.group is not None:
            self.group.set_book(book)

    def apply_readings(self, readings: MeterReadings) -> None:
        """Show one more telegram of a meter."""
        meter = self._meter(readings.name)
        meter.take_readings(readings, time.time())
        self._ask_for_today(meter)
        if meter.name == self._current or self.meter_box.count() != len(self._meters):
            self._show_current()

    def apply_report(self, report: MeterReport) -> None:
        """Show where the reading of a meter stands."""
        for name in [name for name, other in self._meters.items() if other.is_older_name_in(report)]:
            del self._meters[name]
            if self._current == name:
                self._current = None
        meter = self._meter(report.name)
        meter.report = report
        self._show_current()

    def apply_known(self, name: str, time_s: float, measurement: Measurement) -> None:
        """Show the last numbers the history has of a meter that is not read now."""
        meter = self._meter(name)
        meter.take_known(time_s, measurement)
        self._show_current()

    def apply_ports(self, ports: list[dict[str, str]]) -> None:
        """List the serial ports found: keys `device` and `description`."""
        self.start.apply_ports(ports)
        self._show_start()

    def set_alarms(self, alarms: Mapping[str, Sequence[Alarm]]) -> None:
        """Alarms by source; those of the meter shown are marks on its curves."""
        self._alarms = alarms
        self._show_marks()

    def apply_points(self, points: list[SeriesPoints], request_id: int) -> None:
        """Take an answer to `history_wanted`."""
        asked_for = self._asked_today.pop(request_id, None)
        if asked_for is not None:
            if asked_for in self._meters:
                self._meters[asked_for].take_registers(points)
                self._show_numbers()
            return
        if self.group is not None:
            self.group.apply_points(points, request_id)

    def show_meter(self, name: str) -> None:
        """Show this meter."""
        if name in self._meters:
            self._current = name
            self._show_current()

    @property
    def current_meter(self) -> str | None:
        """Name of the meter shown."""
        return self._current

    # Curves

    def build_plots(self) -> None:
        """Make the curves; called after the first paint, since numpy and pyqtgraph are imported here."""
        if self.group is not None:
            return
        from gui.pages.energy_plots import energy_plots
        from gui.widgets.time_plot_group import PlotGroup

        group = PlotGroup("meter", self.range, self)
        self._plots = energy_plots(self.range)
        for plot in self._plots.values():
            group.add(plot)
        for place, (name, (stretch, least_px)) in enumerate(_BIG_PLOTS.items()):
            self._plot_column.insertWidget(place, self._plots[name], stretch)
            self._plots[name].setMinimumHeight(least_px)
        for name in _SMALL_PLOTS:
            self._plots[name].setMinimumHeight(_SMALL_PLOT_PX)
            self._plots[name].hide()
        self._place_small_plots()
        group.history_wanted.connect(self.history_wanted)
        group.drawn.connect(self._show_plots_with_data)
        self.group = group
        if self._book is not None:
            group.set_book(self._book)
        self._show_current()
        if self.isVisible():
            group.start()

    def write_export(self, kind: str, path: Path) -> None:
        """Write what is shown as `png` or `csv`; raises OSError."""
        from gui.widgets import time_plot_export

        self.build_plots()
        if self.group is None:
            return
        is_simulated = self.group.is_simulated
        if kind == "csv":
            time_plot_export.write_csv(path, self.group, is_simulated=is_simulated)
        else:
            title = _("Energy · {meter}").format(meter=self._current or "")
            span = self.range.span()
            time_plot_export.write_picture(path, self._content, title, span, is_simulated=is_simulated)

    def _show_marks(self) -> None:
        if self.group is not None:
            self.group.set_marks(marks_of(self._alarms.get(f"meter/{self._current}", ())))

    def plot(self, name: str) -> TimePlot:
        """One of the plots: `power`, `voltage`, `current`, `frequency`, `power_factor`, `reactive`, `distortion`."""
        self.build_plots()
        return self._plots[name]

    # Life of the widget

    def paintEvent(self, event: QPaintEvent) -> None:
        """Make the curves once the page has been seen."""
        super().paintEvent(event)
        if self.group is None:
            QTimer.singleShot(0, self.build_plots)

    def showEvent(self, event: QShowEvent) -> None:
        """Draw and count ages while somebody looks."""
        super().showEvent(event)
        self._clock.start()
        if self.group is not None:
            self.group.start()
        if not self._meters:
            self.ports_wanted.emit()
        self._show_ages()

    def hideEvent(self, event: QHideEvent) -> None:
        """Do nothing while nobody looks."""
        super().hideEvent(event)
        self._clock.stop()
        if self.group is not None:
            self.group.stop()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where there is little width, the drawer takes all of it, and the description a line of its own."""
        super().resizeEvent(event)
        self._place_drawer()
        is_narrow = self.width() < _NARROW_PX
        if is_narrow != self._is_narrow:
            self._is_narrow = is_narrow
            self._place_description()
            self._place_small_plots()

    def minimumSizeHint(self) -> QSize:
        """Small: the page scrolls."""
        return QSize(420, 240)

    # Making

    def _make_content(self) -> QWidget:
        self.range_bar = RangeBar(self.range)
        self.meter_box = ChoiceBox()
        self.meter_box.setAccessibleName(_("Meter"))
        self.meter_box.setSizeAdjustPolicy(QComboBox.AdjustToContents)
        self.meter_box.activated.connect(self._on_meter_chosen)
        self._description = ElidedLabel("dim")
        self._simulated = plain_label(_("simulated"), "warning")
        self.read_button = QPushButton(_("Read now"))
        self.read_button.setToolTip(_("Ask the meter for a reading now"))
        self.read_button.clicked.connect(self._on_read_clicked)
        self.readings_button = QPushButton(_("All readings"))
        self.readings_button.setToolTip(_("Every value of the last telegram, the unknown ones too"))
        self.readings_button.setCheckable(True)
        self.readings_button.toggled.connect(self._place_drawer)
        self.export_button = ExportButton(self.write_export, self._export_name)
        self._header = QGridLayout()
        self._header.setHorizontalSpacing(GAP)
        self._header.setVerticalSpacing(6)
        self._header.setColumnStretch(2, 1)
        self._header.addWidget(self.range_bar, 0, 0)
        self._header.addWidget(self.meter_box, 0, 1)
        for column, widget in enumerate((self.read_button, self.readings_button, self.export_button), 3):
            self._header.addWidget(widget, 0, column)
        self._about = QWidget()
        about = QHBoxLayout(self._about)
        about.setContentsMargins(0, 0, 0, 0)
        about.setSpacing(GAP)
        about.addWidget(self._description, 1)
        about.addWidget(self._simulated)
        self._place_description()
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(GAP, GAP, GAP, GAP)
        layout.setSpacing(GAP)
        layout.addLayout(self._header)
        layout.addWidget(self._make_banner())
        self._splitter = QSplitter(Qt.Horizontal)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setHandleWidth(GAP)
        self._splitter.addWidget(self._make_scroll_area())
        self.drawer = ReadingsCard()
        self.drawer.hide()
        self._splitter.addWidget(self.drawer)
        self._splitter.setStretchFactor(0, 1)
        layout.addWidget(self._splitter, 1)
        return page

    def _place_description(self) -> None:
        self._header.addWidget(self._about, *((1, 0, 1, 6) if self._is_narrow else (0, 2, 1, 1)))

    def _make_banner(self) -> QWidget:
        self._banner = QWidget()
        line = QHBoxLayout(self._banner)
        line.setContentsMargins(0, 0, 0, 0)
        self._banner_text = plain_label("", "warning", wrap=True)
        self.banner_button = QPushButton()
        self.banner_button.clicked.connect(self._on_banner_clicked)
        line.addWidget(self._banner_text, 1)
        line.addWidget(self.banner_button)
        self._banner.hide()
        return self._banner

    def _make_scroll_area(self) -> QScrollArea:
        self.numbers = MeterNumbers()
        self._content = QWidget()
        layout = QVBoxLayout(self._content)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        layout.addWidget(self.numbers)
        self._plot_column = QVBoxLayout()
        self._plot_column.setSpacing(GAP)
        self._small_lines = [QHBoxLayout() for _line in range(2)]
        for line in self._small_lines:
            line.setSpacing(GAP)
            self._plot_column.addLayout(line)
        layout.addLayout(self._plot_column, 1)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.NoFocus)
        self._scroll.setWidget(self._content)
        return self._scroll

    # Showing

    def _meter(self, name: str) -> MeterShown:
        if name not in self._meters:
            self._meters[name] = MeterShown(name)
        if self._current is None:
            self._current = name
        return self._meters[name]

    def _show_current(self) -> None:
        self._show_start()
        meter = self._meters.get(self._current or "")
        names = list(self._meters)
        if [self.meter_box.itemText(row) for row in range(self.meter_box.count())] != names:
            self.meter_box.clear()
            self.meter_box.addItems(names)
        self.meter_box.setVisible(len(names) > 1)
        if meter is None:
            return
        self.meter_box.setCurrentText(meter.name)
        self._simulated.setVisible(meter.is_simulated)
        if self.group is not None:
            self.group.show_owner(meter.name)
            self._plots["voltage"].set_limits(VOLTAGE.of(meter.name) or ())
            self._show_marks()
            self.group.set_simulated(meter.is_simulated)
            self.group.set_silence(meter.silence_words())
        self._show_numbers()
        self._show_banner(meter)
        self.drawer.apply(meter.readings)
        self._show_ages()

    def _show_start(self) -> None:
        has_content = any(meter.has_values for meter in self._meters.values())
        self._pane.setCurrentIndex(1 if has_content else 0)
        if not has_content:
            reports = [meter.report for meter in self._meters.values() if meter.report is not None]
            self.start.apply_report(max(reports, key=lambda report: report.time_s) if reports else None)

    def _show_numbers(self) -> None:
        meter = self._meters.get(self._current or "")
        if meter is not None:
            self.numbers.apply(meter.measurement, meter.today_words(), is_simulated=meter.is_simulated)

    def _ask_for_today(self, meter: MeterShown) -> None:
        span = meter.begin_day()
        if span is not None:
            request_id = next_request_id()
            self._asked_today[request_id] = meter.name
            self.history_wanted.emit(request_id, meter.name, [REGISTER], *span)

    def _show_banner(self, meter: MeterShown) -> None:
        report = meter.report
        words, button, role = "", "", "warning"
        if report is None:
            words, role = _("Not connected: these are the last readings kept."), "dim"
        elif report.needs_key:
            words, button = report.text, _("Enter the key…")
        elif report.state in (MeterState.FAILED, MeterState.DISCONNECTED):
            words, button = report.text, _("Connect again")
            role = "critical" if report.state is MeterState.FAILED else "dim"
        elif report.state in (MeterState.SILENT, MeterState.SEARCHING):
            words = report.text
        self._banner.setVisible(bool(words))
        self._banner_text.setText(words)
        set_role(self._banner_text, role)
        self.banner_button.setVisible(bool(button))
        self.banner_button.setText(button)
        is_read = report is not None and report.state in (MeterState.READING, MeterState.SILENT)
        self.read_button.setEnabled(is_read)

    def _show_ages(self) -> None:
        meter = self._meters.get(self._current or "")
        if meter is None:
            return
        now_s = time.time()
        self.numbers.set_stale(meter.stale_words(now_s))
        self._description.set_text(meter.description(now_s))

    def _show_plots_with_data(self) -> None:
        """A card for what this meter gives, and no empty one for what it does not."""
        group = self.group
        if group is None:
            return
        is_changed = False
        for name, plot in self._plots.items():
            wanted = name == "power" or plot.has_data(group)
            if plot.isHidden() == wanted:
                plot.setVisible(wanted)
                is_changed = True
        if is_changed:
            self._place_small_plots()

    def _place_small_plots(self) -> None:
        """The plots with data share the lines below the big ones: all in one, or two in each where it is narrow."""
        if not self._plots:
            return
        shown = [name for name in _SMALL_PLOTS if not self._plots[name].isHidden()]
        per_line = 2 if self._is_narrow else max(1, len(shown))
        for index, line in enumerate(self._small_lines):
            names = shown[index * per_line : (index + 1) * per_line]
            for name in names:
                line.addWidget(self._plots[name], _SMALL_PLOTS[name])
            self._plot_column.setStretchFactor(line, _SMALL_STRETCH if names else 0)

    def _place_drawer(self) -> None:
        is_open = self.readings_button.isChecked()
        is_narrow = self.width() < 2 * _DRAWER_PX - 120
        self.drawer.setVisible(is_open)
        self._scroll.setVisible(not (is_open and is_narrow))
        if is_open and not is_narrow and self._splitter.sizes()[1] < 200:
            wide_px = _WIDE_DRAWER_PX if self.width() > 2 * _WIDE_DRAWER_PX else _DRAWER_PX
            self._splitter.setSizes([max(1, self.width() - wide_px), wide_px])

    # What the user does

    def _on_meter_chosen(self, _row: int) -> None:
        self.show_meter(self.meter_box.currentText())

    def _on_read_clicked(self) -> None:
        if self._current is not None:
            self.read_wanted.emit(self._current)

    def _on_banner_clicked(self) -> None:
        meter = self._meters.get(self._current or "")
        if meter is None or meter.report is None:
            return
        if meter.report.needs_key:
            self.key_wanted.emit(meter.name)
        else:
            self.connect_wanted.emit(meter.report.port)

    def _export_name(self, suffix: str) -> str:
        from gui.widgets.time_plot_export import file_name

        meter = self._meters.get(self._current or "")
        is_simulated = meter is not None and meter.is_simulated
        return file_name(["energy", self._current or ""], suffix, is_simulated=is_simulated)
