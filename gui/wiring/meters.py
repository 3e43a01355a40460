"""The desk of meters: connect, key, read, disconnect, simulate; and the Energy page's history."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from msgspec.structs import replace
from PyQt5.QtCore import QObject, QTimer

from core.config import MeterConfig, save_meter, save_secret
from core.errors import BeffroiError
from core.home import Home
from core.language import _
from core.records import MeterReadings, MeterReport, MeterState, SeriesPoints
from core.requests import MeterReadRequest, ReloadRequest
from core.series import SeriesBook
from gui.dialogs.connect_probe import ConnectProbeDialog
from gui.dialogs.meter_key import KeyDialog
from gui.main_window import MainWindow
from gui.pages.energy import EnergyPage
from gui.plain_text import one_line
from gui.runtime.child_program import ChildProgram
from gui.runtime.services import Services

SIMULATED = "E450 demo"
HOUR_S = 3600.0
PORTS_MS = 2000

log = logging.getLogger("beffroi.gui")


class MeterDesk(QObject):
    """Knows the meters being read; serves the Meter menu, the Energy page and the Overview."""

    def __init__(self, home: Home, services: Services, book: SeriesBook, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._home = home
        self._services = services
        self._book = book
        self._window: MainWindow | None = None
        self._page: EnergyPage | None = None
        self._dialog: ConnectProbeDialog | None = None
        self._simulator: ChildProgram | None = None
        self._wanted: dict[str, MeterConfig] = {}
        self._reports: dict[str, MeterReport] = {}
        self._last: dict[str, MeterReadings] = {}
        self._asked_for: set[str] = set()
        self._ports = QTimer(self)
        self._ports.setInterval(PORTS_MS)
        self._ports.timeout.connect(self._look_for_ports)
        services.meters.failed.connect(self._on_failed)
        services.history_ready.connect(self._show_last_hour)
        services.history_ready.connect(self._show_known)

    def attach(self, window: MainWindow) -> None:
        """Serve this window's menu."""
        self._window = window
        self._page = None
        window.connect_probe_wanted.connect(self.open_connect)
        window.read_now_wanted.connect(lambda: self.read_now(self.current()))
        window.disconnect_wanted.connect(lambda: self.disconnect_meter(self.current()))
        window.key_wanted.connect(lambda: self.open_key(self.current()))
        window.simulate_wanted.connect(self.simulate)
        window.set_probe_connected(bool(self._wanted))
        self._show_last_hour()

    def attach_page(self, page: EnergyPage) -> None:
        """Serve the Energy page."""
        self._page = page
        page.set_live(self._book)
        page.history_wanted.connect(self._on_history_wanted)
        page.connect_wanted.connect(self._on_connect_port)
        page.simulate_wanted.connect(self.simulate)
        page.key_wanted.connect(self.open_key)
        page.ports_wanted.connect(self._look_for_ports)
        page.read_wanted.connect(self.read_now)
        page.disconnect_wanted.connect(self.disconnect_meter)
        for report in self._reports.values():
            page.apply_report(report)
        for readings in self._last.values():
            page.apply_readings(readings)
        self._look_for_ports()
        self._show_known()

    def start(self) -> None:
        """Read the meters of the configuration."""
        for meter in self._services.config.meters:
            self.connect_meter(meter)

    def request_stop(self) -> None:
        """Ask the simulator to end."""
        self._ports.stop()
        if self._simulator is not None:
            self._simulator.request_stop()

    def stop(self) -> None:
        """End the simulator."""
        self.request_stop()
        if self._simulator is not None:
            self._simulator.stop()

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
        if readings.name not in self._last:
            self._show_last_hour(readings.name)
        self._last[readings.name] = readings
        if readings.measurement is not None and readings.time_s is not None:
            self._book.append_measurement(readings.name, readings.time_s, readings.measurement)
        if self._window is not None:
            self._window.apply_readings(readings)
        if self._page is not None:
            self._page.apply_readings(readings)

    def apply_report(self, report: MeterReport) -> None:
        """A probe's state changed."""
        self._reports[report.name] = report
        if self._window is not None:
            self._window.apply_probe(report)
        if self._page is not None:
            self._page.apply_report(report)
        if self._dialog is not None:
            self._dialog.apply_report(report)

    # Connecting

    def open_connect(self) -> ConnectProbeDialog:
        """Connect probe…"""
        if self._dialog is not None:
            self._dialog.raise_()
            return self._dialog
        dialog = ConnectProbeDialog(self._window)
        self._dialog = dialog
        dialog.connect_wanted.connect(lambda meter: self.connect_meter(meter, keep=True))
        dialog.cancelled.connect(lambda: self.disconnect_meter(dialog.meter()))
        dialog.key_wanted.connect(self.open_key)
        dialog.ports_wanted.connect(self._look_for_ports)
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
        self.connect_meter(MeterConfig(name=port.rpartition("/")[2] or port, port=port), keep=True)

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
        if self._window is not None:
            self._window.set_probe_connected(True)

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
        if meter is not None and meter.name == SIMULATED and self._simulator is not None:
            self._simulator.request_stop()
            self._simulator = None
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
        operator = self._services.config.operator
        if self._services.is_read_beside(name):
            self._services.ask(MeterReadRequest(meter=name, operator=operator))
            return
        if report is not None and report.protocol == "push" and report.state is MeterState.READING:
            self._say(_("this meter sends by itself; nothing is asked"))
            return
        self.connect_meter(meter)

    def open_key(self, name: str) -> KeyDialog:
        """Key of the meter…"""
        dialog = KeyDialog(name, self._dialog or self._window)
        dialog.key_given.connect(self._on_key_given)
        dialog.open()
        return dialog

    def _on_key_given(self, name: str, key: str, auth_key: str) -> None:
        meter = self._wanted.get(name) or self._services.config.meter(name)
        if meter is None:
            return
        safe = re.sub(r"[^A-Za-z0-9._-]", "_", name) or "meter"
        try:
            meter = replace(
                meter,
                key_file=save_secret(self._home, f"{safe}.key", key),
                auth_key_file=save_secret(self._home, f"{safe}.auth", auth_key) if auth_key else None,
            )
        except (BeffroiError, OSError) as error:
            self._tell(error)
            return
        self.connect_meter(meter, keep=True)

    def simulate(self) -> None:
        """A simulated E450, a child of the window that is read like any other meter."""
        if self._window is not None:
            self._window.show_page("energy")
        if self._simulator is not None:
            return
        self._simulator = ChildProgram(
            [
                *("--home", str(self._home.path), "meter", "simulate"),
                *("--listen", "127.0.0.1:0", "--protocol", "push", "--interval", "1"),
            ],
            self,
        )
        self._simulator.line_read.connect(self._on_simulator_line)
        self._simulator.died.connect(
            lambda words: self._tell(_("the simulated meter ended: {reason}").format(reason=words))
        )
        self._simulator.start()

    def _on_simulator_line(self, line: str) -> None:
        if line.startswith("listening on "):
            port = "socket://" + line.removeprefix("listening on ").strip()
            self.connect_meter(MeterConfig(name=SIMULATED, port=port, protocol="push"))

    def _look_for_ports(self) -> None:
        self._services.serial_ports(self._on_ports)

    def _on_ports(self, ports: list[dict[str, Any]]) -> None:
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

    # History

    def _on_history_wanted(self, request_id: int, meter: str, fields: Any, start_s: float, end_s: float) -> None:
        names = tuple(fields)

        def done(points: list[SeriesPoints]) -> None:
            if self._page is not None:
                self._page.apply_points(points, request_id)

        self._services.query(
            lambda history: history.meter_points(meter, names, start_s, end_s), done, self._on_no_history
        )

    def _show_last_hour(self, meter: str | None = None) -> None:
        """The Overview's hour and day, once for each meter of this window."""
        window, now_s = self._window, time.time()
        if window is None:
            return
        midnight_s = time.mktime((*time.localtime(now_s)[:3], 0, 0, 0, 0, 0, -1))

        def asked(history: Any) -> tuple[list[SeriesPoints], float | None]:
            names = [meter] if meter else history.meters()[:1]
            if not names or names[0] not in history.meters():
                return [], None
            points = history.meter_points(names[0], ["active_power_w"], now_s - HOUR_S, now_s, 2000)
            counted_wh, last = history.energy_since(names[0], midnight_s), history.last_measurement(names[0])
            if counted_wh is None or last is None or last[1].active_energy_import_wh is None:
                return points, None
            return points, last[1].active_energy_import_wh - counted_wh

        def done(found: tuple[list[SeriesPoints], float | None]) -> None:
            points, midnight_wh = found
            if self._window is window:
                window.overview.apply_points(points)
                window.overview.energy.set_midnight(midnight_wh)

        self._services.query(asked, done, self._on_no_history)

    def _show_known(self) -> None:
        """Meters of earlier days, with the last that they said, until they speak again."""

        def asked(history: Any) -> list[tuple[str, tuple[float, Any] | None]]:
            return [(name, history.last_measurement(name)) for name in history.meters()]

        def done(found: list[tuple[str, tuple[float, Any] | None]]) -> None:
            for name, last in found:
                if last is not None and name not in self._last and self._page is not None:
                    self._page.apply_known(name, *last)

        self._services.query(asked, done, self._on_no_history)

    def _on_no_history(self, error: BaseException) -> None:
        log.warning("the history was not read: %s", error)
