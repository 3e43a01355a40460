"""The Energy page: what the meter says now, and its curves.

Curves need numpy and pyqtgraph; they are built after the page has been painted once, or by `build_plots`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QHideEvent, QPaintEvent, QResizeEvent, QShowEvent
from PyQt5.QtWidgets import (
    QAbstractItemView,
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

from core.language import _, ngettext
from core.records import Measurement, MeterReadings, MeterReport, MeterState, SeriesPoints
from gui import numbers
from gui.models.readings import ReadingsModel
from gui.widgets.card import GAP, Card
from gui.widgets.export_button import ExportButton
from gui.widgets.labels import ElidedLabel, plain_label, set_role
from gui.widgets.number_card import NumberCard, NumberRow, PhaseCard
from gui.widgets.probe_start import ProbeStart
from gui.widgets.process_table import align_header
from gui.widgets.row_table import RowTable
from gui.widgets.time_range import RangeBar, TimeRange, next_request_id

if TYPE_CHECKING:
    from core.series import SeriesBook
    from gui.widgets.time_plot import TimePlot
    from gui.widgets.time_plot_group import PlotGroup

_PROTOCOLS = {"push": "DLMS push", "iec62056-21": "IEC 62056-21"}
_MAKERS = {"LGZ": "Landis+Gyr"}
_STALE_AFTER_PERIODS = 3
_STALE_AFTER_S = 15.0
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
_COLUMNS = 60
_REGISTER = "active_energy_import_wh"


@dataclass(slots=True)
class _Meter:
    """What the page knows of one meter."""

    name: str
    readings: MeterReadings | None = None
    report: MeterReport | None = None
    measurement: Measurement = field(default_factory=Measurement)
    time_s: float | None = None
    today_from: tuple[float, float] | None = None
    today_asked: int | None = None
    today: str = ""

    @property
    def is_simulated(self) -> bool:
        return bool(
            (self.readings is not None and self.readings.is_simulated)
            or (self.report is not None and self.report.is_simulated)
        )


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
        self._plots: dict[str, TimePlot] = {}
        self._book: SeriesBook | None = None
        self._meters: dict[str, _Meter] = {}
        self._current: str | None = None
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
        meter.readings = readings
        if readings.measurement is not None:
            meter.measurement = _newest(meter.measurement, readings.measurement)
            meter.time_s = readings.time_s if readings.time_s is not None else time.time()
        self._note_today(meter)
        if meter.name == self._current or self.meter_box.count() != len(self._meters):
            self._show_current()

    def apply_report(self, report: MeterReport) -> None:
        """Show where the reading of a meter stands."""
        for name in [name for name, other in self._meters.items() if _is_older_name(other, report)]:
            del self._meters[name]
            if self._current == name:
                self._current = None
        meter = self._meter(report.name)
        meter.report = report
        self._show_current()

    def apply_known(self, name: str, time_s: float, measurement: Measurement) -> None:
        """Show the last numbers the history has of a meter that is not read now."""
        meter = self._meter(name)
        if meter.time_s is None or meter.time_s < time_s:
            meter.measurement, meter.time_s = measurement, time_s
        self._show_current()

    def apply_ports(self, ports: list[dict[str, str]]) -> None:
        """List the serial ports found: keys `device` and `description`."""
        self.start.apply_ports(ports)
        self._show_start()

    def apply_points(self, points: list[SeriesPoints], request_id: int) -> None:
        """Take an answer to `history_wanted`."""
        for meter in self._meters.values():
            if meter.today_asked == request_id:
                register = next((found for found in points if found.name.endswith(f"/{_REGISTER}")), None)
                first = _first_known(register) if register is not None else None
                if first is not None and (meter.today_from is None or first[0] <= meter.today_from[0]):
                    meter.today_from = first
                if meter.name == self._current:
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
        for row, (name, (stretch, least_px)) in enumerate(_BIG_PLOTS.items()):
            self._plot_grid.addWidget(self._plots[name], row, 0, 1, _COLUMNS)
            self._plot_grid.setRowStretch(row, stretch)
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
        self.meter_box = QComboBox()
        self.meter_box.setAccessibleName(_("Meter"))
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
        self._splitter.addWidget(self._make_drawer())
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
        self._voltage_card = PhaseCard(_("Voltage"), "V", 1)
        self._current_card = PhaseCard(_("Current"), "A", 2)
        self._cards: dict[str, NumberCard] = {
            "power": NumberCard(_("Active power")),
            "energy": NumberCard(_("Energy import")),
            "export": NumberCard(_("Energy export")),
            "power_factor": NumberCard(_("Power factor")),
            "frequency": NumberCard(_("Frequency")),
            "voltage": self._voltage_card,
            "current": self._current_card,
            "reactive": NumberCard(_("Reactive power")),
            "apparent": NumberCard(_("Apparent power")),
            "distortion": NumberCard(_("Distortion (THD)")),
        }
        self._row = NumberRow(list(self._cards.values()))
        self._content = QWidget()
        layout = QVBoxLayout(self._content)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        layout.addWidget(self._row)
        self._plot_grid = QGridLayout()
        self._plot_grid.setSpacing(GAP)
        for column in range(_COLUMNS):
            self._plot_grid.setColumnStretch(column, 1)
        layout.addLayout(self._plot_grid, 1)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.NoFocus)
        self._scroll.setWidget(self._content)
        return self._scroll

    def _make_drawer(self) -> QWidget:
        self._drawer = Card(_("All readings of the last telegram"))
        self._readings_model = ReadingsModel(self)
        self.readings_view = RowTable(self._readings_model, _("All readings of the last telegram"))
        self.readings_view.setVerticalScrollMode(QAbstractItemView.ScrollPerPixel)
        self.readings_view.horizontalHeader().setStretchLastSection(True)
        align_header(self.readings_view)
        self._errors = plain_label("", "critical", wrap=True, selectable=True)
        self._errors.hide()
        self._drawer.body.addWidget(self.readings_view, 1)
        self._drawer.body.addWidget(self._errors)
        self._drawer.hide()
        self._sized_columns = False
        return self._drawer

    # Showing

    def _meter(self, name: str) -> _Meter:
        if name not in self._meters:
            self._meters[name] = _Meter(name)
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
            self.group.set_simulated(meter.is_simulated)
            self.group.set_silence(_silence(meter.report))
        self._show_numbers()
        self._show_banner(meter)
        if meter.readings is not None:
            self._readings_model.apply(meter.readings.readings)
            self._errors.setVisible(bool(meter.readings.errors))
            self._errors.setText("\n".join(meter.readings.errors))
            count = len(meter.readings.readings)
            self._drawer.set_subtitle(ngettext("{count} value", "{count} values", count).format(count=count))
            if not self._sized_columns and count:
                self.readings_view.resizeColumnsToContents()
                self._sized_columns = True
        self._show_ages()

    def _show_start(self) -> None:
        has_content = any(meter.time_s is not None or meter.readings is not None for meter in self._meters.values())
        self._pane.setCurrentIndex(1 if has_content else 0)
        if not has_content:
            reports = [meter.report for meter in self._meters.values() if meter.report is not None]
            self.start.apply_report(max(reports, key=lambda report: report.time_s) if reports else None)

    def _show_numbers(self) -> None:
        meter = self._meters.get(self._current or "")
        if meter is None:
            return
        values = meter.measurement
        shown = []

        def show(card: str, value: tuple[str, str], detail: str = "") -> None:
            self._cards[card].set_value(value, detail)
            shown.append(self._cards[card])

        power_w = values.active_power_w
        direction = "" if not power_w else _("import") if power_w > 0 else _("export")
        show("power", numbers.power(power_w) if power_w is not None else (numbers.NO_VALUE, "W"), direction)
        if values.active_energy_import_wh is not None:
            show("energy", numbers.energy(values.active_energy_import_wh), self._today(meter))
        if values.active_energy_export_wh is not None:
            show("export", numbers.energy(values.active_energy_export_wh))
        voltages = (values.voltage_l1_v, values.voltage_l2_v, values.voltage_l3_v)
        if any(value is not None for value in voltages):
            self._voltage_card.set_phases(voltages)
            shown.append(self._voltage_card)
        currents = (values.current_l1_a, values.current_l2_a, values.current_l3_a)
        if any(value is not None for value in currents):
            self._current_card.set_phases(currents)
            shown.append(self._current_card)
        if values.power_factor is not None:
            show("power_factor", (numbers.number(values.power_factor, 2), ""))
        if values.frequency_hz is not None:
            show("frequency", (numbers.number(values.frequency_hz, 2), "Hz"))
        if values.reactive_power_var is not None:
            show("reactive", _scaled(values.reactive_power_var, "var"))
        if values.apparent_power_va is not None:
            show("apparent", _scaled(values.apparent_power_va, "VA"))
        if values.thd_voltage_percent is not None or values.thd_current_percent is not None:
            first = values.thd_voltage_percent
            detail = _("current {value} %").format(value=numbers.number(values.thd_current_percent, 1))
            show(
                "distortion", (numbers.number(first, 1), "%"), detail if values.thd_current_percent is not None else ""
            )
        self._row.set_shown(shown)
        for card in self._cards.values():
            card.set_simulated(meter.is_simulated)

    def _show_banner(self, meter: _Meter) -> None:
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
        words = []
        if meter.time_s is not None:
            period_s = meter.report.period_s if meter.report is not None and meter.report.period_s else None
            limit_s = _STALE_AFTER_PERIODS * period_s if period_s else _STALE_AFTER_S
            is_stale = now_s - meter.time_s > limit_s
            words = [_("since {time}").format(time=numbers.clock(meter.time_s, with_seconds=True))] if is_stale else []
        for card in self._cards.values():
            card.set_stale(words[0] if words else "")
        self._row.settle()
        self._description.set_text(self._describe(meter, now_s))

    def _describe(self, meter: _Meter, now_s: float) -> str:
        identity = meter.readings.meter if meter.readings is not None else None
        maker = (
            " ".join(filter(None, [_MAKERS.get(identity.manufacturer or "", identity.manufacturer), identity.model]))
            if identity is not None
            else ""
        )
        report = meter.report
        protocol = (report.protocol if report is not None else None) or (
            meter.readings.protocol if meter.readings is not None else None
        )
        transport = _PROTOCOLS.get(protocol or "", protocol or "")
        protections = []
        if report is not None and report.is_ciphered:
            protections.append(_("ciphered"))
            protections.append(_("authenticated") if report.is_authenticated else _("not authenticated"))
        if transport and protections:
            transport = f"{transport} ({', '.join(protections)})"
        age = numbers.age(now_s - meter.time_s) if meter.time_s is not None else ""
        name = meter.name if identity is None or not identity.model else ""
        parts = [name, maker, report.line if report is not None else "", transport, age]
        return " · ".join(part for part in parts if part)

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
        for line, begin in enumerate(range(0, len(shown), per_line)):
            names = shown[begin : begin + per_line]
            shares = sum(_SMALL_PLOTS[name] for name in names)
            column = 0
            for name in names:
                width = _COLUMNS * _SMALL_PLOTS[name] // shares
                self._plot_grid.addWidget(self._plots[name], len(_BIG_PLOTS) + line, column, 1, width)
                column += width
        for line in range(len(_SMALL_PLOTS)):
            is_used = line * per_line < len(shown)
            self._plot_grid.setRowStretch(len(_BIG_PLOTS) + line, _SMALL_STRETCH if is_used else 0)

    def _place_drawer(self) -> None:
        is_open = self.readings_button.isChecked()
        is_narrow = self.width() < 2 * _DRAWER_PX - 120
        self._drawer.setVisible(is_open)
        self._scroll.setVisible(not (is_open and is_narrow))
        if is_open and not is_narrow and self._splitter.sizes()[1] < 200:
            wide_px = _WIDE_DRAWER_PX if self.width() > 2 * _WIDE_DRAWER_PX else _DRAWER_PX
            self._splitter.setSizes([max(1, self.width() - wide_px), wide_px])

    # Today

    def _note_today(self, meter: _Meter) -> None:
        register_wh = meter.measurement.active_energy_import_wh
        if register_wh is None or meter.time_s is None:
            return
        today = time.strftime("%Y-%m-%d", time.localtime(meter.time_s))
        if meter.today != today:
            meter.today = today
            meter.today_from = (meter.time_s, register_wh)
            meter.today_asked = next_request_id()
            self.history_wanted.emit(meter.today_asked, meter.name, [_REGISTER], _midnight(meter.time_s), meter.time_s)

    def _today(self, meter: _Meter) -> str:
        register_wh = meter.measurement.active_energy_import_wh
        if meter.today_from is None or register_wh is None or meter.time_s is None:
            return ""
        since_s, first_wh = meter.today_from
        used = numbers.number((register_wh - first_wh) / 1000, 1)
        if since_s - _midnight(meter.time_s) < 900:
            return _("+{energy} today").format(energy=used)
        return _("+{energy} since {time}").format(energy=used, time=numbers.clock(since_s))

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


def _newest(known: Measurement, news: Measurement) -> Measurement:
    """`news`, completed by what only earlier telegrams of the meter said."""
    values = {name: getattr(news, name) for name in Measurement.__struct_fields__}
    for name, value in values.items():
        if value is None:
            values[name] = getattr(known, name)
    return Measurement(**values)


def _is_older_name(meter: _Meter, report: MeterReport) -> bool:
    """True for what a probe was called before it was known which meter it reads."""
    return (
        meter.name != report.name
        and meter.readings is None
        and meter.time_s is None
        and meter.report is not None
        and meter.report.port == report.port
    )


def _silence(report: MeterReport | None) -> str:
    if report is None:
        return _("not connected")
    if report.state is MeterState.DISCONNECTED:
        return _("disconnected")
    return ""


def _scaled(value: float, unit: str) -> tuple[str, str]:
    number, power_unit = numbers.power(value)
    return number, power_unit.replace("W", unit)


def _midnight(time_s: float) -> float:
    local = time.localtime(time_s)
    return time.mktime((local.tm_year, local.tm_mon, local.tm_mday, 0, 0, 0, 0, 0, -1))


def _first_known(points: SeriesPoints) -> tuple[float, float] | None:
    for time_s, value in zip(points.time_s, points.minimum, strict=True):
        if value == value:
            return time_s, value
    return None
