"""The desk of sensors: opens and closes the intake, feeds page and Overview, edits what a sensor is called."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Any

from PyQt5.QtCore import QObject

from core.config import remove_table, save_setting, save_table
from core.config.settings import SensorConfig
from core.errors import BeffroiError
from core.language import _
from core.records import SeriesPoints
from core.requests import ReloadRequest
from core.site_records import IntakeReport, ListenerState, SensorBatch, SensorSummary
from gui.dialogs.edit_sensor import EditSensorDialog
from gui.dialogs.listen import ListenDialog
from gui.main_window import MainWindow
from gui.models.sensor_row import Key
from gui.models.sensors import SensorModel
from gui.pages.sensors import SensorsPage
from gui.plain_text import one_line
from gui.runtime.child_program import ChildProgram
from gui.runtime.services import Services

SIMULATED_COUNT = 5
SIMULATED_PERIOD_S = 2
PAST_S = 3600.0
_PAST_POINTS = 240
_PAST_AT_ONCE = 60
_CURVE_POINTS = 4000

log = logging.getLogger("beffroi.gui")


class SensorDesk(QObject):
    """Serves the Sensors page and the sensors tile of the Overview; what sensors sent outlives a window."""

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._window: MainWindow | None = None
        self._page: SensorsPage | None = None
        self._report: IntakeReport | None = None
        self._simulator: ChildProgram | None = None
        self._is_simulation_wanted = False
        self._simulated_at = ""
        self.model = SensorModel(self)
        services.history_ready.connect(self._ask_summaries)

    def attach(self, window: MainWindow, page: SensorsPage) -> None:
        """Serve this window and its page."""
        self._window, self._page = window, page
        page.open_wanted.connect(self.open_intake)
        page.listen_wanted.connect(self.open_listen)
        page.stop_wanted.connect(self.close_intake)
        page.simulate_wanted.connect(self.simulate)
        page.edit_wanted.connect(self.open_edit)
        page.forget_wanted.connect(self._on_forget)
        page.past_wanted.connect(self._on_past_wanted)
        page.history_wanted.connect(self._on_history_wanted)
        page.exported.connect(self._on_exported)
        window.overview.sensors.set_model(self.model)
        window.overview.sensors.opened.connect(self._on_opened)
        window.overview.sensors.page_wanted.connect(lambda: window.show_page("sensors"))
        self.apply_config()
        if self._report is not None:
            page.apply_report(self._report)
        page.set_simulating(self._simulator is not None)
        self._ask_summaries()

    def apply(self, record: SensorBatch | IntakeReport) -> None:
        """News of the intake."""
        if isinstance(record, SensorBatch):
            if self._page is not None:
                self._page.apply_batch(record)
            else:
                self.model.apply(record.measures)
            return
        self._report = record
        if self._page is not None:
            self._page.apply_report(record)
        if record.state is ListenerState.LISTENING and record.address:
            if self._is_simulation_wanted:
                self.simulate(True)
            elif self._simulator is not None and record.address != self._simulated_at:
                self._end_simulator()  # the intake has moved, to another port or to a service beside
                self.simulate(True)

    def apply_config(self) -> None:
        """The settings may have changed."""
        config = self._services.config
        if self._page is not None:
            self._page.set_configs(config.sensor_list, config.sensors.listen)
        if not config.sensors.enabled and self._report is not None and not self._services.is_beside:
            self.apply(IntakeReport(time_s=time.time(), state=ListenerState.STOPPED))

    def request_stop(self) -> None:
        """Ask the simulator to end."""
        if self._simulator is not None:
            self._simulator.request_stop()

    def stop(self) -> None:
        """End the simulator."""
        if self._simulator is not None:
            self._simulator.stop()
            self._simulator = None

    # The intake

    def open_intake(self) -> None:
        """Listen where the settings say, from now on and after the next start."""
        if self._page is not None:
            self._page.set_starting()
        self._save("sensors.enabled", True)

    def close_intake(self) -> None:
        """Listen no more."""
        self._end_simulator()
        self._save("sensors.enabled", False)

    def open_listen(self) -> ListenDialog:
        """Where it listens…"""
        settings = self._services.config.sensors
        dialog = ListenDialog(
            _("Where the intake listens"),
            settings.listen,
            _(
                "Every machine that reaches this one can then send values: sensors show no password. Name the allowed"
                " addresses, or keep strangers away by a firewall."
            ),
            settings.allow,
            self._window,
        )
        dialog.chosen.connect(self._on_listen)
        dialog.open()
        return dialog

    def _on_listen(self, address: str, allow: tuple[str, ...]) -> None:
        self._save("sensors.listen", address, "sensors.allow", list(allow) or None, "sensors.enabled", True)

    def simulate(self, is_wanted: bool) -> None:
        """Some simulated sensors, a child of the window; the intake is opened for them where it is not."""
        if not is_wanted:
            self._end_simulator()
            return
        if self._simulator is not None:
            return
        report = self._report
        if report is None or report.state is not ListenerState.LISTENING or not report.address:
            self._is_simulation_wanted = True
            self.open_intake()
            return
        self._is_simulation_wanted = False
        self._simulator = ChildProgram(
            [
                *("--home", str(self._services.home.path), "sensors", "simulate"),
                *("--count", str(SIMULATED_COUNT), "--interval", str(SIMULATED_PERIOD_S)),
                *("--to", _reachable(report.address)),
            ],
            self,
        )
        self._simulated_at = report.address
        self._simulator.died.connect(self._on_simulator_died)
        self._simulator.start()
        if self._page is not None:
            self._page.set_simulating(True)

    def _end_simulator(self) -> None:
        self._is_simulation_wanted = False
        if self._simulator is not None:
            self._simulator.request_stop()
            self._simulator = None
        if self._page is not None:
            self._page.set_simulating(False)

    def _on_simulator_died(self, words: str) -> None:
        self._end_simulator()
        self._tell(_("the simulated sensors ended: {reason}").format(reason=words))

    # One sensor

    def open_edit(self, sensor: str) -> EditSensorDialog:
        """Name, place and limits…"""
        row = next((row for row in self.model.rows() if row.sensor == sensor), None)
        dialog = EditSensorDialog(self.model.config(sensor), row.shown_unit if row is not None else "", self._window)
        dialog.edited.connect(self._on_edited)
        dialog.open()
        return dialog

    def _on_edited(self, config: SensorConfig) -> None:
        self._change(lambda: save_table(self._services.home, "sensor", config))

    def _on_forget(self, sensor: str) -> None:
        self._change(lambda: remove_table(self._services.home, "sensor", sensor))

    def _on_opened(self, sensor: str) -> None:
        if self._window is not None and self._page is not None:
            self._window.show_page("sensors")
            self._page.show_sensor(sensor)

    # History

    def _ask_summaries(self) -> None:
        def done(summaries: list[SensorSummary]) -> None:
            self.model.apply_summaries(summaries)
            self.model.rearrange()

        self._services.query(lambda history: history.sensors(), done, self._on_no_history)

    def _on_past_wanted(self, keys: list[Key]) -> None:
        now_s = time.time()
        asked = [row for key in keys[:_PAST_AT_ONCE] if (row := self.model.row(key)) is not None]
        for row in asked:
            row.has_past = True  # asked for: not again

        def read(history: Any) -> list[SeriesPoints]:
            return [
                history.sensor_points(row.sensor, row.quantity, now_s - PAST_S, now_s, _PAST_POINTS) for row in asked
            ]

        def done(found: list[SeriesPoints]) -> None:
            if self._page is not None:
                for row, points in zip(asked, found, strict=True):
                    self._page.apply_past(row.sensor, row.quantity, points)

        self._services.query(read, done, self._on_no_history)

    def _on_history_wanted(self, request_id: int, sensor: str, quantity: str, start_s: float, end_s: float) -> None:
        def done(points: SeriesPoints) -> None:
            if self._page is not None:
                self._page.apply_points(replace(points, name=f"sensor/{sensor}/{quantity}"), request_id)

        self._services.query(
            lambda history: history.sensor_points(sensor, quantity, start_s, end_s, _CURVE_POINTS),
            done,
            self._on_no_history,
        )

    def _on_no_history(self, error: BaseException) -> None:
        log.warning("the history of sensors was not read: %s", error)

    # Inside

    def _save(self, *keys_and_values: Any) -> None:
        pairs = list(zip(keys_and_values[::2], keys_and_values[1::2], strict=True))

        def save() -> None:
            for key, value in pairs:
                save_setting(self._services.home, key, value)

        self._change(save)

    def _change(self, change: Any) -> None:
        """Change the settings, and have all who use them read them again."""
        try:
            change()
            self._services.ask(ReloadRequest(operator=self._services.config.operator))
        except (BeffroiError, OSError) as error:
            self._tell(str(error))
        self.apply_config()

    def _on_exported(self, path: str) -> None:
        if self._window is not None:
            self._window.status_line.showMessage(_("exported to {path}").format(path=one_line(path)), 8000)

    def _tell(self, text: str) -> None:
        if self._window is not None:
            self._window.show_notice(text)


def _reachable(address: str) -> str:
    """Where a program on this machine finds a listener of all addresses."""
    host, _colon, port = address.rpartition(":")
    return f"127.0.0.1:{port}" if host in ("0.0.0.0", "[::]") else address  # noqa: S104 compared, not listened on
