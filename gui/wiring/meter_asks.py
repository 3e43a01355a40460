"""The windows in which a meter is asked: registers, load profile, its line."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt5.QtCore import QObject, QTimer

from core.language import _
from core.meter_records import ExplainedField, LineOctets, MeterRecord, ProfilePart, RegisterList
from core.records import MeterReadings, MeterReport
from core.requests import LineWatchRequest, MeterCancelRequest, ProfileRequest, RegistersRequest
from gui.dialogs.load_profile import LoadProfileWindow
from gui.dialogs.meter_line import LineWindow
from gui.dialogs.registers import RegistersWindow
from gui.main_window import MainWindow
from gui.plain_text import one_line
from gui.runtime.services import Services

if TYPE_CHECKING:
    from core.store.history import History

_MOST_TIMES = 200_000
_WRITTEN_MS = 1_500

log = logging.getLogger("beffroi.gui")


class MeterAsks(QObject):
    """One window of a kind for each meter."""

    def __init__(
        self,
        services: Services,
        current: Callable[[], str],
        renew: Callable[[str], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._services = services
        self._current = current
        self._renew = renew
        self._window: MainWindow | None = None
        self._registers: dict[str, RegistersWindow] = {}
        self._profiles: dict[str, LoadProfileWindow] = {}
        self._lines: dict[str, LineWindow] = {}
        self._last: dict[str, MeterReadings] = {}
        self._reports: dict[str, MeterReport] = {}
        self._filling: dict[str, list[float]] = {}

    def attach(self, window: MainWindow) -> None:
        """Serve this window's menu; what stood beside an earlier one goes with it."""
        for other in (*self._registers.values(), *self._profiles.values(), *self._lines.values()):
            other.close()
        self._window = window
        window.registers_wanted.connect(lambda: self.open_registers(self._current()))
        window.profile_wanted.connect(lambda: self.open_profile(self._current()))
        window.line_wanted.connect(lambda: self.open_line(self._current()))

    # News

    def apply_readings(self, readings: MeterReadings) -> None:
        """A telegram came."""
        self._last[readings.name] = readings
        if readings.name in self._registers:
            self._registers[readings.name].apply_readings(readings)

    def apply_report(self, report: MeterReport) -> None:
        """A probe's state changed."""
        self._reports[report.name] = report

    def apply(self, record: MeterRecord) -> None:
        """What a meter answered, or what passed on its line."""
        if isinstance(record, LineOctets):
            if record.name in self._lines:
                self._lines[record.name].apply(record)
        elif isinstance(record, RegisterList):
            window = self._registers.get(record.name)
            if (
                window is not None
                and record.error
                and record.is_last
                and not record.registers
                and not window.model.count
            ):
                window.show_last(self._last.get(record.name), record.error)
            elif window is not None:
                window.apply(record)
        elif isinstance(record, ProfilePart):
            self._apply_profile(record)

    # Registers

    def open_registers(self, name: str) -> RegistersWindow | None:
        """Registers…"""
        if not name:
            return None
        if name in self._registers:
            self._registers[name].raise_()
            return self._registers[name]
        window = RegistersWindow(name, self._window)
        self._registers[name] = window
        window.wanted.connect(self._on_registers_wanted)
        window.stop_wanted.connect(self._on_stop_wanted)
        window.closed.connect(lambda: self._registers.pop(name, None))
        window.show()
        report, last = self._reports.get(name), self._last.get(name)
        protocol = report.protocol if report is not None else None
        if protocol is None and last is not None:
            protocol = last.protocol
        if protocol == "push":
            words = _("This meter sends by itself and answers no questions: these are the values that it sent last.")
            window.show_last(last, words)
        elif report is None:
            window.show_last(last, _("This meter is not connected: these are the last values, where there are any."))
        else:
            window.ask()
        return window

    def _on_registers_wanted(self, name: str) -> None:
        window = self._registers.get(name)
        request = RegistersRequest(meter=name, operator=self._services.config.operator)
        self._services.ask(request, window.apply_failed if window is not None else None)

    def _on_stop_wanted(self, name: str) -> None:
        self._services.ask(MeterCancelRequest(meter=name, operator=self._services.config.operator))

    # Load profile

    def open_profile(self, name: str) -> LoadProfileWindow | None:
        """Load profile…"""
        if not name:
            return None
        if name in self._profiles:
            self._profiles[name].raise_()
            return self._profiles[name]
        window = LoadProfileWindow(name, self._window)
        self._profiles[name] = window
        window.wanted.connect(self._on_profile_wanted)
        window.stop_wanted.connect(self._on_stop_wanted)
        window.closed.connect(lambda: self._profiles.pop(name, None))
        report = self._reports.get(name)
        if report is not None and report.protocol == "push":
            words = _("This meter sends by itself and answers no questions: its load profile cannot be asked for here.")
            window.set_unaskable(words)
        window.show()
        return window

    def _on_profile_wanted(self, name: str, start_s: float, end_s: float, obis: Any) -> None:
        window = self._profiles.get(name)
        operator = self._services.config.operator
        request = ProfileRequest(meter=name, start_s=start_s, end_s=end_s, obis=obis, operator=operator)
        self._services.ask(request, window.apply_failed if window is not None else None)

    def _apply_profile(self, part: ProfilePart) -> None:
        window = self._profiles.get(part.name)
        if window is not None:
            window.apply(part)
        if part.is_first:
            self._filling[part.name] = []
        times = self._filling.setdefault(part.name, [])
        times += [time_s for time_s, _measured in part.measurements[: max(0, _MOST_TIMES - len(times))]]
        if part.is_last:
            times = self._filling.pop(part.name)
            # The recorder writes what it was told within a second; asked after that, the history knows.
            later = QTimer(self)
            later.setSingleShot(True)
            later.timeout.connect(lambda: self._ask_what_was_kept(part.name, times))
            later.timeout.connect(later.deleteLater)
            later.start(_WRITTEN_MS)

    def _ask_what_was_kept(self, name: str, times: list[float]) -> None:
        self._renew(name)
        if not times:
            return
        start_s, end_s = min(times) - 1, max(times) + 1

        def asked(history: History) -> int:
            fields = ("active_energy_import_wh", "active_power_w", "active_energy_export_wh")
            spans = [span for points in history.meter_points(name, fields, start_s, end_s) for span in points.filled]
            return sum(1 for time_s in times if any(begin_s <= time_s <= until_s for begin_s, until_s in spans))

        def done(count: int) -> None:
            if name in self._profiles:
                self._profiles[name].apply_kept(count)

        self._services.query(asked, done, lambda error: log.warning("the history was not read: %s", error))

    # Line

    def open_line(self, name: str) -> LineWindow | None:
        """Line…"""
        if not name:
            return None
        if name in self._lines:
            self._lines[name].raise_()
            return self._lines[name]
        window = LineWindow(name, self._window)
        self._lines[name] = window
        window.explain_wanted.connect(lambda pieces: self._on_explain_wanted(name, pieces))
        window.save_wanted.connect(lambda path, pieces: self._on_save_wanted(name, path, pieces))
        window.closed.connect(lambda: self._on_line_closed(name))
        window.show()
        self._watch(name, is_wanted=True)
        return window

    def _on_line_closed(self, name: str) -> None:
        self._lines.pop(name, None)
        self._watch(name, is_wanted=False)

    def _on_explain_wanted(self, name: str, pieces: list[LineOctets]) -> None:
        """Explain what was chosen, with the keys of the meter where it has any."""
        home, meter = self._services.home, self._services.config.meter(name)

        async def explained() -> ExplainedField:
            from core.services.explain import explain_pieces
            from core.services.meter_sources import source_of

            source = source_of(meter, home) if meter is not None else None
            return await asyncio.to_thread(
                explain_pieces,
                pieces,
                key=source.key if source is not None else None,
                auth_key=source.auth_key if source is not None else None,
            )

        def done(tree: ExplainedField) -> None:
            if name in self._lines:
                self._lines[name].apply_explained(tree)

        def failed(error: BaseException) -> None:
            if name in self._lines:
                self._lines[name].apply_not_explained(str(error))

        self._services.run(explained(), done, failed)

    def _on_save_wanted(self, name: str, path: Path, pieces: list[LineOctets]) -> None:
        async def saved() -> None:
            def write() -> None:
                from core.services.line_recording import LineRecording

                recording = LineRecording(path)
                try:
                    for piece in pieces:
                        recording.put(piece)
                finally:
                    recording.close()

            await asyncio.to_thread(write)

        def done(_none: None) -> None:
            if name in self._lines:
                words = _("saved in {path}; it holds all that passed, a password too where one was sent in clear")
                self._lines[name].apply_saved(words.format(path=one_line(str(path))))

        def failed(error: BaseException) -> None:
            if name in self._lines:
                self._lines[name].apply_saved(str(error), is_error=True)

        self._services.run(saved(), done, failed)

    def _watch(self, name: str, *, is_wanted: bool) -> None:
        request = LineWatchRequest(meter=name, is_wanted=is_wanted, operator=self._services.config.operator)

        def failed(error: BaseException) -> None:
            if name in self._lines:
                self._lines[name].say(str(error), "warning")

        self._services.ask(request, failed)

    def _say(self, text: str) -> None:
        if self._window is not None:
            self._window.status_line.showMessage(text, 6000)
