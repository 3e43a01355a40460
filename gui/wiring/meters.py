"""The desk of meters: connect, key and password, settings, read, disconnect, simulate; and the site's total."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from msgspec.structs import replace
from PyQt5.QtCore import QObject, QTimer, pyqtSignal

from core.config import MeterConfig, remove_meter, save_meter, save_secret
from core.errors import BeffroiError
from core.home import Home
from core.language import _
from core.meter.presets import load_presets
from core.records import MeterReadings, MeterReport, MeterState
from core.requests import MeterReadRequest, ReloadRequest
from core.series import SeriesBook
from gui.dialogs.connect_probe import ConnectProbeDialog
from gui.dialogs.meter_key import KeyDialog
from gui.dialogs.meter_password import PasswordDialog
from gui.main_window import MainWindow
from gui.models.site_total import SiteTotal
from gui.pages.energy import EnergyPage
from gui.plain_text import one_line
from gui.runtime.services import Services
from gui.wiring.bus_scan import BusScanDesk
from gui.wiring.meter_asks import MeterAsks
from gui.wiring.meter_history import MeterHistory
from gui.wiring.simulated_meter import SIMULATED, SimulatedMeter

_READ = (MeterState.READING, MeterState.SILENT)
_SUFFIXES = {"key": "key", "auth_key": "auth", "password": "password"}
"""Endings of the files that secrets of a meter are kept in."""
PORTS_MS = 2000

log = logging.getLogger("beffroi.gui")


class MeterDesk(QObject):
    """Knows the meters being read; serves the Meter menu, the Energy page and the Overview."""

    tariff_wanted = pyqtSignal(str)

    def __init__(self, home: Home, services: Services, book: SeriesBook, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._home = home
        self._services = services
        self._book = book
        self._window: MainWindow | None = None
        self._page: EnergyPage | None = None
        self._dialog: ConnectProbeDialog | None = None
        self._simulated = SimulatedMeter(home, self)
        self._simulated.ready.connect(self.connect_meter)
        self._simulated.failed.connect(self._tell)
        self._wanted: dict[str, MeterConfig] = {}
        self._reports: dict[str, MeterReport] = {}
        self._last: dict[str, MeterReadings] = {}
        self._serials: dict[str, str | None] = {}
        self.total = SiteTotal()
        self.history = MeterHistory(services, lambda: self.total.parts, lambda name: name in self._last, self)
        self.asks = MeterAsks(services, self.current, self.renew, self)
        self._bus = BusScanDesk(services, self)
        self._ports = QTimer(self)
        self._ports.setInterval(PORTS_MS)
        self._ports.timeout.connect(self._look_for_ports)
        services.meters.failed.connect(self._on_failed)

    def attach(self, window: MainWindow) -> None:
        """Serve this window's menu."""
        self._window = window
        self._page = None
        window.connect_probe_wanted.connect(self.open_connect)
        window.read_now_wanted.connect(lambda: self.read_now(self.current()))
        window.disconnect_wanted.connect(lambda: self.disconnect_meter(self.current()))
        window.key_wanted.connect(lambda: self.open_key(self.current()))
        window.meter_settings_wanted.connect(lambda: self.open_settings(self.current()))
        window.simulate_wanted.connect(self.simulate)
        window.set_probe_connected(bool(self._wanted))
        self.history.attach(window)
        self.asks.attach(window)

    def attach_page(self, page: EnergyPage) -> None:
        """Serve the Energy page."""
        self._page = page
        page.set_live(self._book)
        page.connect_wanted.connect(self._on_connect_port)
        page.simulate_wanted.connect(self.simulate)
        page.again_wanted.connect(self.connect_again)
        page.key_wanted.connect(self.open_key)
        page.password_wanted.connect(self.open_password)
        page.registers_wanted.connect(self.asks.open_registers)
        page.tariff_wanted.connect(self._on_tariff_wanted)
        page.ports_wanted.connect(self._look_for_ports)
        page.read_wanted.connect(self.read_now)
        page.disconnect_wanted.connect(self.disconnect_meter)
        for report in self._reports.values():
            page.apply_report(report)
        for readings in self._last.values():
            page.apply_readings(readings)
        self._look_for_ports()
        self.history.attach_page(page)

    def start(self) -> None:
        """Read the meters of the configuration."""
        for meter in self._services.config.meters:
            self.connect_meter(meter)

    def request_stop(self) -> None:
        """Ask the simulator to end."""
        self._ports.stop()
        self._simulated.request_stop()

    def stop(self) -> None:
        """End the simulator."""
        self.request_stop()
        self._simulated.stop()

    def current(self) -> str:
        """The meter that the menu means: the one shown, else the one that spoke last or was asked for last."""
        shown = self._page.current_meter if self._page is not None else None
        if shown in self._wanted:
            return str(shown)
        reading = [name for name in self._wanted if name in self._last]
        return reading[-1] if reading else next(reversed(self._wanted), "")

    # News

    def apply_readings(self, readings: MeterReadings) -> None:
        """A telegram came."""
        is_first = readings.name not in self._last
        self._last[readings.name] = readings
        if readings.measurement is not None and readings.time_s is not None:
            self._book.append_measurement(readings.name, readings.time_s, readings.measurement)
        if self._window is not None:
            self._window.apply_readings(readings)
        if is_first:
            self.history.show_last_hour(readings.name)
        if self._page is not None:
            self._page.apply_readings(readings)
        self.asks.apply_readings(readings)
        self._add_up(readings)

    def _add_up(self, readings: MeterReadings) -> None:
        total = self.total.take(readings, time.time())
        if total is None or total.measurement is None or total.time_s is None:
            return
        self._book.append_measurement(total.name, total.time_s, total.measurement)
        if self._window is not None:
            is_first = self._window.overview.meter != total.name
            self._window.overview.apply_readings(total)
            if is_first:
                self.history.show_last_hour(total.name)
        if self._page is not None:
            self._page.apply_readings(total, self.total.parts)

    def apply_report(self, report: MeterReport) -> None:
        """A probe's state changed."""
        self._reports[report.name] = report
        self.total.take_report(report)
        self.asks.apply_report(report)
        if self._window is not None:
            self._window.apply_probe(report)
        if self._page is not None:
            self._page.apply_report(report)
        if self._dialog is not None:
            self._dialog.apply_report(report)

    # Connecting

    def open_connect(self, meter: MeterConfig | None = None) -> ConnectProbeDialog:
        """Connect probe…, or the settings of a meter that is known."""
        if self._dialog is not None:
            self._dialog.raise_()
            return self._dialog
        config = self._services.config
        dialog = ConnectProbeDialog(
            self._window,
            meter=meter,
            names=[known.name for known in config.meters],
            tariffs=[tariff.name for tariff in config.tariffs],
            presets=self._presets(),
        )
        self._dialog = dialog
        dialog.connect_wanted.connect(self._on_connect_wanted)
        dialog.removed.connect(self.remove_meter)
        dialog.password_wanted.connect(self.open_password)
        dialog.cancelled.connect(lambda: self.disconnect_meter(dialog.meter()))
        dialog.key_wanted.connect(self.open_key)
        dialog.ports_wanted.connect(self._look_for_ports)
        dialog.scan_wanted.connect(lambda port, baud: self._bus.open(port, baud, dialog.take_address, dialog))
        dialog.finished.connect(lambda result: self._on_dialog_finished(result, dialog.meter()))
        dialog.open()
        self._look_for_ports()
        return dialog

    def _on_dialog_finished(self, result: int, meter: str) -> None:
        self._dialog = None
        if result and self._window is not None:
            self._window.show_page("energy")
            if self._page is not None:
                self._page.show_meter(meter)

    def _on_connect_port(self, port: str) -> None:
        name = port.rpartition("/")[2] or port
        self.connect_meter(MeterConfig(name=name, port=port, usb_serial=self._serials.get(port)), keep=True)

    def connect_meter(self, meter: MeterConfig, *, keep: bool = False) -> None:
        """Read a meter from now on, and `keep` it in the configuration for the next start."""
        try:
            if not (keep and self._services.is_beside):
                self._services.connect_meter(meter)
            if keep:
                save_meter(self._home, meter)
                self._services.ask(ReloadRequest(operator=self._services.config.operator))
            if keep and self._services.is_beside:  # it is in the settings by now: the other one reads it
                self._services.connect_meter(meter)
        except BeffroiError as error:
            self._tell(error)
            return
        self._wanted[meter.name] = meter
        self._count_anew()
        if self._window is not None:
            self._window.set_probe_connected(True)

    def _presets(self) -> tuple[str, ...]:
        try:
            return load_presets(self._home.path).names
        except BeffroiError as error:
            self._tell(error)
            return ()

    def open_settings(self, name: str) -> ConnectProbeDialog | None:
        """Settings of the meter…"""
        if name == SIMULATED:
            self._say(_("the simulated meter has no settings"))
            return None
        meter = self._meter_config(name)
        return self.open_connect(meter) if meter is not None else None

    def _on_connect_wanted(self, meter: MeterConfig, secrets: dict[str, str], old_name: str) -> None:
        """Keep what was typed: secrets into files of their own first, so that the meter is read with them at once."""
        try:
            kept = {f"{key}_file": self._kept(meter.name, key, text) for key, text in secrets.items()}
        except (BeffroiError, OSError) as error:
            self._tell(error)
            return
        if old_name and old_name != meter.name:
            self.remove_meter(old_name)
        self.connect_meter(replace(meter, **kept), keep=True)

    def _kept(self, name: str, key: str, text: str) -> str | None:
        safe = re.sub(r"[^A-Za-z0-9._-]", "_", name) or "meter"
        return save_secret(self._home, f"{safe}.{_SUFFIXES[key]}", text) if text else None

    def connect_again(self, name: str) -> None:
        """Read a meter as it was read before."""
        meter, report = self._meter_config(name), self._reports.get(name)
        if meter is not None:
            self.connect_meter(meter)
        elif report is not None:
            self._on_connect_port(report.port)

    def remove_meter(self, name: str) -> None:
        """Forget a meter's settings; its history stays."""
        try:
            remove_meter(self._home, name)
        except BeffroiError as error:
            self._tell(error)
            return
        self._services.ask(ReloadRequest(operator=self._services.config.operator))
        self.disconnect_meter(name)

    def _on_tariff_wanted(self, name: str) -> None:
        """Choose one of the tariffs there are, else make the first one."""
        config = self._services.config
        if len(config.tariffs) < 2 or config.meter(name) is None or (dialog := self.open_settings(name)) is None:
            self.tariff_wanted.emit(name)
        else:
            dialog.show_tariff()

    def _meter_config(self, name: str) -> MeterConfig | None:
        return self._wanted.get(name) or self._services.config.meter(name)

    def apply_config(self) -> None:
        """The settings have changed: which meters are added up, and what energy costs."""
        self._count_anew()
        if self._page is not None:
            self._page.count_again()

    def renew(self, name: str) -> None:
        """The history has learned something about a meter."""
        if self._page is not None:
            self._page.renew(name)

    def _count_anew(self) -> None:
        known = {meter.name: meter for meter in self._services.config.meters}
        current = {name: known.get(name, meter) for name, meter in self._wanted.items()}
        self.total.set_counted([name for name, meter in current.items() if meter.total])

    def disconnect_meter(self, name: str) -> None:
        """Let a meter go; one that a `collect` beside reads goes on being read."""
        if self._services.is_read_beside(name):
            self._say(
                _("{meter} is read by the service on this home; remove it in Preferences to stop that").format(
                    meter=one_line(name)
                )
            )
            return
        meter = self._wanted.pop(name, None)
        self._services.disconnect_meter(name)
        self._count_anew()
        if meter is not None and meter.name == SIMULATED:
            self._simulated.let_go()
        if meter is not None:
            self.apply_report(
                MeterReport(
                    name=name,
                    port=meter.port,
                    state=MeterState.DISCONNECTED,
                    text=_("disconnected"),
                    time_s=time.time(),
                    is_simulated=name == SIMULATED,
                    is_ended=True,
                )
            )
        if self._window is not None:
            self._window.status_line.forget_probe(name)
            self._window.set_probe_connected(bool(self._wanted))

    def _on_failed(self, name: str, text: str) -> None:
        """A reading has ended by an error: the same words everywhere that a probe's state is shown."""
        meter = self._wanted.get(name)
        port = meter.port if meter is not None else ""
        self.apply_report(MeterReport(name=name, port=port, state=MeterState.FAILED, text=text, time_s=time.time()))

    def read_now(self, name: str) -> None:
        """Ask the meter now; one that sends by itself is not asked."""
        meter, report = self._wanted.get(name), self._reports.get(name)
        if meter is None:
            return
        if report is not None and report.protocol == "push" and report.state is MeterState.READING:
            self._say(_("this meter sends by itself; nothing is asked"))
        elif self._services.is_read_beside(name) or (report is not None and report.state in _READ):
            self._services.ask(MeterReadRequest(meter=name, operator=self._services.config.operator))
        else:
            self.connect_meter(meter)

    def open_key(self, name: str) -> KeyDialog:
        """Key of the meter…"""
        dialog = KeyDialog(name, self._dialog or self._window)
        dialog.key_given.connect(self._on_key_given)
        dialog.open()
        return dialog

    def _on_key_given(self, name: str, key: str, auth_key: str) -> None:
        self._keep_secrets(name, {"key": key, "auth_key": auth_key})

    def open_password(self, name: str) -> PasswordDialog:
        """Ask for the password that a meter wants; the one that it refused is never tried again by itself."""
        report = self._reports.get(name)
        words = report.text if report is not None and report.needs_password else ""
        dialog = PasswordDialog(name, words, self._dialog or self._window)
        dialog.password_given.connect(lambda meter, password: self._keep_secrets(meter, {"password": password}))
        dialog.open()
        return dialog

    def _keep_secrets(self, name: str, secrets: dict[str, str]) -> None:
        meter = self._meter_config(name)
        if meter is not None:
            self._on_connect_wanted(meter, secrets, "")

    def simulate(self) -> None:
        """A simulated E450, a child of the window that is read like any other meter."""
        if self._window is not None:
            self._window.show_page("energy")
        self._simulated.start()

    def _look_for_ports(self) -> None:
        self._services.serial_ports(self._on_ports)

    def _on_ports(self, ports: list[dict[str, Any]]) -> None:
        self._serials = {port["device"]: port.get("serial_number") or None for port in ports}
        if self._page is not None:
            self._page.apply_ports(ports)
        if self._dialog is not None:
            self._dialog.apply_ports(ports)

    def _say(self, text: str) -> None:
        if self._window is not None:
            self._window.status_line.showMessage(text, 6000)

    def _tell(self, error: object) -> None:
        if self._dialog is not None and isinstance(error, BaseException):
            self._dialog.apply_failed(error)
        elif self._window is not None:
            self._window.show_notice(str(error))
