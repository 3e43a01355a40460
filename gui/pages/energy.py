"""The Energy page: what the meter says now, what it has used and cost, and its curves.

Curves need numpy and pyqtgraph; they are built after the page has been painted once, or by `build_plots`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import QEvent, QObject, QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QHideEvent, QPaintEvent, QShowEvent
from PyQt5.QtWidgets import QLayout, QScrollArea, QStackedLayout, QVBoxLayout, QWidget

from core.language import _
from core.meter_records import EnergyAccount, EnergyBars
from core.records import Measurement, MeterReadings, MeterReport, SeriesPoints
from core.site_records import Alarm
from gui.models.alarm_marks import AlarmMark, marks_of
from gui.models.meter_shown import REGISTER, SITE, MeterShown
from gui.models.shown_span import next_request_id
from gui.pages.energy_curves import EnergyCurves
from gui.pages.energy_header import EnergyBanner, EnergyHeader
from gui.widgets.card import GAP
from gui.widgets.meter_numbers import MeterNumbers
from gui.widgets.probe_start import ProbeStart
from gui.widgets.time_range import TimeRange

if TYPE_CHECKING:
    from core.series import SeriesBook
    from gui.widgets.time_plot import TimePlot
    from gui.widgets.time_plot_group import PlotGroup

_TICK_MS = 1_000
_ACCOUNT_S = 60.0
_NARROW_PX = 1_000


class EnergyPage(QWidget):
    """Numbers, bars and curves of one meter at a time; the ports to connect while there is none.

    `account_wanted(meter, unit)` asks for what a meter has used and cost, with the bars of that unit; it is answered
    by `apply_account` and `apply_bars`.
    """

    history_wanted = pyqtSignal(int, str, object, float, float)
    account_wanted = pyqtSignal(str, str)
    connect_wanted = pyqtSignal(str)
    again_wanted = pyqtSignal(str)
    simulate_wanted = pyqtSignal()
    key_wanted = pyqtSignal(str)
    password_wanted = pyqtSignal(str)
    ports_wanted = pyqtSignal()
    read_wanted = pyqtSignal(str)
    registers_wanted = pyqtSignal(str)
    tariff_wanted = pyqtSignal(str)
    disconnect_wanted = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.range = TimeRange(self, mode="live")
        self._alarms: Mapping[str, Sequence[Alarm]] = {}
        self._meters: dict[str, MeterShown] = {}
        self._current: str | None = None
        self._asked_today: dict[int, str] = {}
        self._counted: dict[tuple[str, str], tuple[float, str]] = {}
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
        self.start.password_wanted.connect(self.password_wanted)
        self.start.stop_wanted.connect(self.disconnect_wanted)
        self._clock = QTimer(self)
        self._clock.setInterval(_TICK_MS)
        self._clock.timeout.connect(self._on_tick)

    # What comes in

    def set_live(self, book: SeriesBook) -> None:
        """Draw the live points of `book`; whoever publishes readings appends them there."""
        self.curves.set_book(book)

    def apply_readings(self, readings: MeterReadings, parts: tuple[str, ...] = ()) -> None:
        """Show one more telegram of a meter; of the site's total with the meters that it is the sum of."""
        meter = self._meter(readings.name)
        meter.parts = parts or meter.parts
        meter.take_readings(readings, time.time())
        if not meter.is_total:
            self._ask_for_today(meter)
        if meter.name == self._current or self.header.meter_box.count() != len(self._meters):
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

    def apply_account(self, account: EnergyAccount) -> None:
        """What a meter has used and cost."""
        if account.meter in self._meters:
            self._meters[account.meter].account = account
            if account.meter == self._current:
                self._show_numbers()
                self._show_curves()

    def apply_bars(self, bars: EnergyBars) -> None:
        """kWh of a meter per hour, day or month."""
        if bars.meter in self._meters:
            self._meters[bars.meter].bars[bars.unit] = bars
            if bars.meter == self._current:
                self._show_curves()

    def apply_ports(self, ports: list[dict[str, str]]) -> None:
        """List the serial ports found: keys `device` and `description`."""
        self.start.apply_ports(ports)
        self._show_start()

    def set_alarms(self, alarms: Mapping[str, Sequence[Alarm]]) -> None:
        """Alarms by source; those of the meter shown are marks on its curves."""
        self._alarms = alarms
        if self.group is not None:
            self.group.set_marks(self._marks())

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

    def renew(self, name: str) -> None:
        """The history has learned something about a meter: what was asked of it is asked again."""
        if name == self._current and self.group is not None:
            self.group.renew()
        self.count_again(name)

    def count_again(self, name: str | None = None) -> None:
        """What was counted holds no more: of one meter, or of all, since tariffs have changed."""
        self._counted = {key: when for key, when in self._counted.items() if name is not None and key[0] != name}
        if self.isVisible():
            self._ask_for_account()

    def show_meter(self, name: str) -> None:
        """Show this meter."""
        if name in self._meters:
            self._current = name
            self._show_current()
            self._ask_for_account()

    @property
    def current_meter(self) -> str | None:
        """Name of the meter shown."""
        return self._current

    @property
    def group(self) -> PlotGroup | None:
        """The curves, once they are built."""
        return self.curves.group

    # Curves

    def build_plots(self) -> None:
        """Make the curves; called after the first paint, since numpy and pyqtgraph are imported here."""
        if self.group is not None:
            return
        self.curves.build()
        self._show_current()
        if self.isVisible():
            self.curves.start()

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
            meter = self._shown()
            title = _("Energy · {meter}").format(meter=meter.title if meter is not None else "")
            span = self.range.span()
            time_plot_export.write_picture(path, self._content, title, span, is_simulated=is_simulated)

    def plot(self, name: str) -> TimePlot:
        """One of the plots: `power`, `voltage`, `current`, `frequency`, `power_factor`, `reactive`, `distortion`."""
        self.build_plots()
        return self.curves.plots[name]

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
        self.curves.start()
        if not self._meters:
            self.ports_wanted.emit()
        self._on_tick()

    def hideEvent(self, event: QHideEvent) -> None:
        """Do nothing while nobody looks."""
        super().hideEvent(event)
        self._clock.stop()
        self.curves.stop()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Where there is little width, fewer cards stand in a line; where there is little height, more."""
        if event.type() == QEvent.Resize:
            shown_px = self._scroll.viewport().height() - self.numbers.height() - GAP
            self.curves.set_room(self.width() < _NARROW_PX, shown_px)
        return bool(super().eventFilter(watched, event))

    def minimumSizeHint(self) -> QSize:
        """Small: the page scrolls."""
        return QSize(420, 240)

    # Making

    def _make_content(self) -> QWidget:
        self.header = EnergyHeader(self.range, self.write_export, self._export_name)
        self.range_bar, self.export_button = self.header.range_bar, self.header.export_button
        self.header.meter_chosen.connect(self.show_meter)
        self.header.read_wanted.connect(self._on_read_wanted)
        self.header.registers_wanted.connect(self._on_registers_wanted)
        self.banner = EnergyBanner()
        self.banner.pressed.connect(self._on_banner_pressed)
        self.numbers = MeterNumbers()
        self.numbers.tariff_wanted.connect(self._on_tariff_wanted)
        self.curves = EnergyCurves(self.range)
        self.curves.history_wanted.connect(self.history_wanted)
        self.curves.bars.unit_wanted.connect(lambda _unit: self._ask_for_account())
        self._content = QWidget()
        inside = QVBoxLayout(self._content)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(GAP)
        inside.addWidget(self.numbers)
        inside.addWidget(self.curves, 1)
        self._scroll = scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.NoFocus)
        scroll.setWidget(self._content)
        for watched in (scroll.viewport(), self.numbers):
            watched.installEventFilter(self)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(GAP, GAP, GAP, GAP)
        layout.setSpacing(GAP)
        layout.addWidget(self.header)
        layout.addWidget(self.banner)
        layout.addWidget(scroll, 1)
        return page

    # Showing

    def _meter(self, name: str) -> MeterShown:
        if name not in self._meters:
            self._meters[name] = MeterShown(name)
            if name != SITE and SITE in self._meters:  # the total stands last
                self._meters[SITE] = self._meters.pop(SITE)
        if self._current is None:
            self._current = name
        return self._meters[name]

    def _shown(self) -> MeterShown | None:
        return self._meters.get(self._current or "")

    def _show_current(self) -> None:
        self._show_start()
        meter = self._shown()
        self.header.apply(list(self._meters.values()), meter)
        if meter is None:
            return
        self._show_curves()
        self._show_numbers()
        self.banner.apply(meter)
        self._show_ages()

    def _show_start(self) -> None:
        has_content = any(meter.has_values for meter in self._meters.values())
        self._pane.setCurrentIndex(1 if has_content else 0)
        if not has_content:
            reports = [meter.report for meter in self._meters.values() if meter.report is not None]
            self.start.apply_report(max(reports, key=lambda report: report.time_s) if reports else None)

    def _show_curves(self) -> None:
        meter = self._shown()
        if meter is not None:
            self.curves.show_meter(meter, self._marks())

    def _marks(self) -> tuple[AlarmMark, ...]:
        return marks_of(self._alarms.get(f"meter/{self._current}", ()))

    def _show_numbers(self) -> None:
        meter = self._shown()
        if meter is not None:
            self.numbers.show_meter(meter)

    def _show_ages(self) -> None:
        meter = self._shown()
        if meter is not None:
            now_s = time.time()
            self.numbers.set_stale(meter.stale_words(now_s))
            self.header.set_description(meter.description(now_s))

    # Asking

    def _ask_for_today(self, meter: MeterShown) -> None:
        span = meter.begin_day()
        if span is not None:
            request_id = next_request_id()
            self._asked_today[request_id] = meter.name
            self.history_wanted.emit(request_id, meter.name, [REGISTER], *span)

    def _ask_for_account(self) -> None:
        """Once a minute, when a day begins, and when another unit or meter is shown."""
        if self._current is None:
            return
        now_s = time.time()
        key, day = (self._current, self.curves.bars.unit), time.strftime("%Y-%m-%d", time.localtime(now_s))
        counted_s, counted_on = self._counted.get(key, (0.0, ""))
        if counted_on != day or not 0 <= now_s - counted_s < _ACCOUNT_S:
            self._counted[key] = (now_s, day)
            self.account_wanted.emit(*key)

    # What the user does

    def _on_tick(self) -> None:
        self._show_ages()
        self._ask_for_account()

    def _on_read_wanted(self) -> None:
        if self._current is not None:
            self.read_wanted.emit(self._current)

    def _on_registers_wanted(self) -> None:
        if self._current is not None:
            self.registers_wanted.emit(self._current)

    def _on_tariff_wanted(self) -> None:
        self.tariff_wanted.emit(self._current or "")

    def _on_banner_pressed(self) -> None:
        meter = self._shown()
        if meter is None or meter.report is None:
            return
        if meter.report.needs_password:
            self.password_wanted.emit(meter.name)
        elif meter.report.needs_key:
            self.key_wanted.emit(meter.name)
        else:
            self.again_wanted.emit(meter.name)

    def _export_name(self, suffix: str) -> str:
        from gui.widgets.time_plot_export import file_name

        meter = self._shown()
        is_simulated = meter is not None and meter.is_simulated
        return file_name(["energy", meter.title if meter is not None else ""], suffix, is_simulated=is_simulated)
