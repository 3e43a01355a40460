"""The desk of the Machine page: what it asks for goes to the pollers and to the history."""

from __future__ import annotations

import logging
from typing import Any

from PyQt5.QtCore import QObject

from core.language import _
from core.machine_records import MinuteProcesses, PortList, ServiceList, SessionList
from core.records import MachineReport, ProcessTable, SeriesPoints, Status
from core.series import STATUS_FIELDS, SeriesBook
from gui.main_window import MainWindow
from gui.models.machine_recent import HEAT, MachineRecent
from gui.models.machine_words import hottest_first
from gui.pages.machine import MachinePage
from gui.plain_text import one_line
from gui.runtime.services import Services
from gui.wiring.machine_acts import MachineActs

log = logging.getLogger("beffroi.gui")


class MachineDetailDesk(QObject):
    """Serves the Machine page; `recent` holds what the history does not keep of the machines looked at."""

    def __init__(self, services: Services, book: SeriesBook, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._book = book
        self.recent = MachineRecent()
        self.acts = MachineActs(services, self)
        self._window: MainWindow | None = None
        self._page: MachinePage | None = None
        self._shown: str | None = None

    def attach(self, window: MainWindow, page: MachinePage) -> None:
        """Serve this window and its page."""
        self._window, self._page = window, page
        page.processes_wanted.connect(self._on_processes_wanted)
        page.details_wanted.connect(self._on_details_wanted)
        page.history_wanted.connect(self._on_history_wanted)
        page.moment_wanted.connect(self._on_moment_wanted)
        page.command_wanted.connect(lambda name: window.command_wanted.emit([name], ""))
        self.acts.attach(window, page)
        window.machine_shown.connect(self.show_machine)
        names = window.machine_list.selected_names()
        self.show_machine(names[0] if names else self._shown or "")

    def show_machine(self, name: str) -> None:
        """Show this machine from now on."""
        self._shown = name or None
        if self._shown is not None:
            for other in self.recent.follow(self._shown):
                self._book.forget(f"machine/{other}/{HEAT}")
        if self._page is not None:
            self._page.show_machine(self._shown)
            self._show_last(self._shown)

    def show_any(self) -> None:
        """Where no machine is shown yet, the first one is better than an empty page."""
        if self._shown is None and self._window is not None:
            first = next(iter(self._window.model.rows()), None)
            if first is not None:
                self.show_machine(first.name)

    def apply(self, report: MachineReport) -> None:
        """News of any machine: its numbers are kept, and shown if it is the one."""
        if report.is_new and report.status is not None and report.time_s is not None:
            self._book.append_status(report.machine, report.time_s, report.status, period_s=report.interval_s)
            if self.recent.follows(report.machine):
                self._keep(report.machine, report.time_s, report.status, report.interval_s)
        if self._page is not None and report.machine == self._shown:
            self._page.apply_report(report)

    def _keep(self, machine: str, time_s: float, status: Status, period_s: float | None) -> None:
        self.recent.append(machine, time_s, status)
        sensors = hottest_first(status)
        if sensors:
            self._book.append(f"machine/{machine}/{HEAT}", time_s, sensors[0].celsius, period_s=period_s)

    def _show_last(self, name: str | None) -> None:
        row = self._window.model.row(name) if self._window is not None and name else None
        if row is not None and row.report is not None and self._page is not None:
            if row.report.status is not None and row.report.time_s is not None and name is not None:
                self.recent.append(name, row.report.time_s, row.report.status)
            self._page.apply_report(row.report)

    def _on_processes_wanted(self, name: str) -> None:
        if self._services.pool is not None:
            self._services.answers.when(self._services.pool.processes(name), self._on_processes, self._on_no_processes)

    def _on_processes(self, table: ProcessTable) -> None:
        if self._page is not None and table.machine == self._shown:
            self._page.apply_processes(table)

    def _on_no_processes(self, error: BaseException) -> None:
        log.info("no processes: %s", error)
        if self._window is not None:
            self._window.status_line.showMessage(_("no processes: {reason}").format(reason=one_line(str(error))), 4000)

    def _on_details_wanted(self, kind: str, machine: str) -> None:
        if self._services.pool is None:
            return
        from core.services import machine_details

        asks = {
            "services": machine_details.services,
            "sessions": machine_details.sessions,
            "ports": machine_details.ports,
        }

        def done(answer: ServiceList | SessionList | PortList) -> None:
            if self._page is not None:
                self._page.apply_details(answer)

        def failed(error: BaseException) -> None:
            log.info("no %s of %s: %s", kind, machine, error)
            if self._page is not None:
                self._page.apply_no_details(kind, machine, str(error))

        async def work(poller: Any) -> Any:
            # in the poller's own thread, where a machine without a link is told by what this raises
            return await asks[kind](poller.link_of(machine), machine)

        self._services.answers.when(self._services.pool.of_machine(machine, work), done, failed)

    def _on_history_wanted(self, request_id: int, machine: str, fields: Any, start_s: float, end_s: float) -> None:
        names = tuple(field for field in fields if field in STATUS_FIELDS)

        def done(points: list[SeriesPoints]) -> None:
            if self._page is not None:
                self._page.apply_points(points, request_id)

        self._services.query(
            lambda history: history.machine_points(machine, names, start_s, end_s),
            done,
            lambda error: log.warning("the history of %s was not read: %s", machine, error),
        )

    def _on_moment_wanted(self, request_id: int, machine: str, start_s: float, end_s: float) -> None:
        def done(minutes: list[MinuteProcesses]) -> None:
            if self._page is not None:
                self._page.apply_moment(minutes, request_id)

        def failed(error: BaseException) -> None:
            log.warning("the processes of %s were not read: %s", machine, error)
            if self._page is not None:
                self._page.moment.apply_failed(request_id)

        self._services.query(lambda history: history.processes_at(machine, start_s, end_s), done, failed)
