"""Services, logged in users and open ports of the machine shown: asked for when somebody looks."""

from __future__ import annotations

from typing import Any

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QAbstractItemView, QAction, QPushButton, QWidget

from core.language import _
from core.machine_records import PortList, ServiceList, SessionList
from gui import numbers
from gui.models.machine_lists import ListModel, PortModel, ServiceModel, SessionModel
from gui.plain_text import one_line, plain_tip
from gui.widgets.table_panel import TablePanel

_SERVICE_WIDTHS = (110, 250, 70, 110, 320)
_SESSION_WIDTHS = (160, 130, 220, 120)
_PORT_WIDTHS = (70, 80, 180, 150, 70, 160)


class ListPanel(TablePanel):
    """A table that is asked for anew by its button; `asked` wants that, `process_wanted` carries a pid to show."""

    asked = pyqtSignal()
    process_wanted = pyqtSignal(int)

    def __init__(
        self,
        model: ListModel,
        title: str,
        filter_words: str,
        widths: tuple[int, ...],
        parent: QWidget | None = None,
        *,
        has_processes: bool = True,
    ) -> None:
        super().__init__(model, title, filter_words, _("The agent is being asked…"), parent)
        model.setParent(self)
        self.view.setSelectionMode(QAbstractItemView.SingleSelection)
        header = self.view.horizontalHeader()
        for column, width in enumerate(widths):
            header.resizeSection(column, width)
        header.setSortIndicator(model.FIRST_SORTED, Qt.AscendingOrder)
        self.view.setSortingEnabled(True)
        self.refresh_button = QPushButton(_("Refresh"))
        self.refresh_button.setToolTip(_("Ask the agent again"))
        self.refresh_button.clicked.connect(self.asked)
        self.add_tool(self.refresh_button)
        if has_processes:
            action = QAction(_("Show its process"), self.view)
            action.triggered.connect(self._on_show_process)
            self.view.addAction(action)
            self.view.opened.connect(lambda _index: self._on_show_process())

    def apply_failed(self, reason: str) -> None:
        """The question was not answered; what was known stays, with the reason above it."""
        if self.model.count:
            self.set_stale(_("Not renewed: {reason}").format(reason=one_line(reason)))
        else:
            self.clear(one_line(reason))

    def current(self) -> Any:
        """What the chosen row is about; None where none is chosen."""
        rows = self.view.selectionModel().selectedRows()
        return self.model.record(rows[0].row()) if rows else None

    def _on_show_process(self) -> None:
        record = self.current()
        pid = getattr(record, "pid", None)
        if pid is not None:
            self.process_wanted.emit(pid)

    def _show(self, time_s: float, problem: str, nothing: str) -> None:
        clock = numbers.clock(time_s, with_seconds=True)
        self.show_answer(_("as of {time}").format(time=clock), one_line(problem), nothing)


class ServicePanel(ListPanel):
    """Services, and the button that restarts one; `restart_wanted` carries it, nothing is done before it was asked."""

    restart_wanted = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(ServiceModel(), _("Services"), _("Filter services"), _SERVICE_WIDTHS, parent)
        self._why_not = ""
        self.restart_action = QAction(_("Restart service…"), self.view)
        self.restart_action.triggered.connect(self._on_restart)
        self.view.addAction(self.restart_action)
        self.restart_button = QPushButton(_("Restart…"))
        self.restart_button.setAccessibleName(_("Restart service…"))
        self.restart_button.clicked.connect(self._on_restart)
        self.add_tool(self.restart_button)
        self.view.selectionModel().selectionChanged.connect(self._show_actions)
        self._show_actions()

    def apply(self, answer: ServiceList) -> None:
        """Show what the agent told."""
        self.model.apply(answer.services)
        self._show(
            answer.time_s,
            answer.problem,
            _("{manager} tells of no service.").format(manager=one_line(answer.manager))
            if answer.manager
            else _("This machine has no service manager that the agent knows."),
        )
        self._show_actions()

    def set_why_not(self, reason: str) -> None:
        """Why no service may be restarted there; "" where one may."""
        self._why_not = reason
        self._show_actions()

    def _show_actions(self) -> None:
        reason = self._why_not
        if not reason and self.current() is None:
            reason = _("Choose a service in the table first.")
        what_for = _("Stop the service and start it again; you are asked twice before")
        for what in (self.restart_action, self.restart_button):
            what.setEnabled(not reason and self.view.isEnabled())
            what.setToolTip(plain_tip(reason or what_for))

    def _on_restart(self) -> None:
        service = self.current()
        if service is not None:
            self.restart_wanted.emit(service)


class SessionPanel(ListPanel):
    """Who is logged in."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(SessionModel(), _("Users"), _("Filter users"), _SESSION_WIDTHS, parent, has_processes=False)

    def apply(self, answer: SessionList) -> None:
        """Show what the agent told."""
        self.model.apply(answer.sessions)
        self._show(answer.time_s, answer.problem, _("Nobody is logged in."))


class PortPanel(ListPanel):
    """Open ports."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(PortModel(), _("Ports"), _("Filter ports"), _PORT_WIDTHS, parent)

    def apply(self, answer: PortList) -> None:
        """Show what the agent told."""
        self.model.apply(answer.ports)
        self._show(answer.time_s, answer.problem, _("No port is open on this machine."))
