"""The Machine page: who a machine is, how it does and did, what runs on it, and who made it busy.

Curves need numpy and pyqtgraph; they are built after the page has been painted once, or by `build_plots`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import QByteArray, QDataStream, QIODevice, QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QPaintEvent
from PyQt5.QtWidgets import QLayout, QSplitter, QStackedLayout, QVBoxLayout, QWidget

from core.language import _
from core.machine_records import MinuteProcesses, PortList, ProcessUse, Service, ServiceList, SessionList
from core.records import MachineReport, Process, ProcessTable, SeriesPoints
from core.site_records import Alarm
from gui.models.alarm_marks import marks_of
from gui.models.machine_acts import Act, ActKind, why_not
from gui.models.machine_recent import MachineRecent
from gui.models.machine_words import age_words
from gui.pages.machine_moment import MachineMoment
from gui.widgets.card import GAP
from gui.widgets.empty_state import EmptyState
from gui.widgets.export_button import ExportButton
from gui.widgets.machine_curves import LEAST_CARD_PX, MachineCurves
from gui.widgets.machine_header import AWAY, MachineHeader
from gui.widgets.machine_tabs import MachineTabs
from gui.widgets.moment_strip import MomentStrip
from gui.widgets.time_range import TimeRange

if TYPE_CHECKING:
    from core.series import SeriesBook
    from gui.widgets.time_plot import TimePlot
    from gui.widgets.time_plot_group import PlotGroup

_LEAST_TABS_PX = 150


class MachinePage(QWidget):
    """One machine: identity, curves, processes and more; the last known numbers, greyed, while it is away.

    `details_wanted` carries the kind (`services`, `sessions`, `ports`) and the machine, `moment_wanted` asks for the
    busiest processes of a span (request, machine, start, end), `act_wanted` for an Act that nobody was asked about yet.
    """

    processes_wanted = pyqtSignal(str)
    details_wanted = pyqtSignal(str, str)
    history_wanted = pyqtSignal(int, str, object, float, float)
    moment_wanted = pyqtSignal(int, str, float, float)
    command_wanted = pyqtSignal(str)
    act_wanted = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.range = TimeRange(self, mode="live")
        self._alarms: Mapping[str, Sequence[Alarm]] = {}
        self._name: str | None = None
        self._report: MachineReport | None = None
        self.tabs = MachineTabs()
        self.processes = self.tabs.processes
        self.moment_strip = MomentStrip()
        self.moment = MachineMoment(self.range, self.moment_strip, self.tabs.running, self)
        self.curves = MachineCurves(self.range, lambda: self.moment.recent.cores(self._name))
        self.export_button = ExportButton(self.write_export, self._export_name)
        self.header = MachineHeader(self.range, self.export_button)
        self.range_bar, self.command_button = self.header.range_bar, self.header.command_button
        self._pane = QStackedLayout(self)
        self._pane.setContentsMargins(0, 0, 0, 0)
        self._pane.setSizeConstraint(QLayout.SetNoConstraint)
        self._pane.addWidget(EmptyState(_("Choose a machine in the list to see how it does.")))
        self._pane.addWidget(self._make_content())
        self._connect()

    # What comes in

    def set_live(self, book: SeriesBook, recent: MachineRecent | None = None) -> None:
        """Draw the live points of `book` and what `recent` holds; whoever takes in statuses appends them there."""
        self.curves.set_live(book)
        if recent is not None:
            self.moment.set_recent(recent)

    def show_machine(self, name: str | None) -> None:
        """Show this machine from now on; None: no machine is chosen."""
        if name == self._name:
            return
        self._name, self._report = name, None
        self._pane.setCurrentIndex(0 if name is None else 1)
        self.header.show_name(name or "")
        self.tabs.forget()
        self.tabs.set_away("", "")
        self.tabs.set_why_not(why_not(None))
        self.curves.show_owner(name)
        self.curves.apply(None, is_stale=False)
        self.moment.show_machine(name)
        self._show_marks()
        self.tabs.ask_shown()

    def apply_report(self, report: MachineReport) -> None:
        """Show news of the machine; those of another one are left alone."""
        if report.machine != self._name:
            return
        before, self._report = self._report, report
        is_away = report.state in AWAY
        self.header.apply(report)
        self.curves.apply(report.status, is_stale=is_away)
        self.curves.set_silence(_("offline") if is_away else "")
        self.tabs.set_why_not(_("The machine is away.") if is_away else why_not(report.level))
        if before is None or (before.state in AWAY) is not is_away:
            self.tabs.set_away(age_words(report) if is_away else "", _("This is not known while the machine is away."))
            if not is_away:
                self.tabs.ask_shown()
        self.moment.set_away(is_away)

    def apply_processes(self, table: ProcessTable) -> None:
        """Show one more pass over the machine's processes."""
        if table.machine == self._name:
            self.tabs.apply_processes(table)
            self.moment.renew()

    def apply_details(self, answer: ServiceList | SessionList | PortList) -> None:
        """Show services, users or ports."""
        if answer.machine == self._name:
            self.tabs.apply(answer)

    def apply_no_details(self, kind: str, machine: str, reason: str) -> None:
        """Services, users or ports were not told, and why."""
        if machine == self._name:
            self.tabs.apply_failed(kind, reason)

    def apply_moment(self, minutes: Sequence[MinuteProcesses], request_id: int) -> None:
        """Take an answer to `moment_wanted`."""
        self.moment.apply(minutes, request_id)

    def apply_act(self, machine: str, text: str, role: str | None) -> None:
        """What came of something that was done to a process or a service; what is shown is asked for anew."""
        if machine == self._name:
            self.tabs.say(text, role)
            if role is not None:
                self.tabs.ask_shown()

    def set_alarms(self, alarms: Mapping[str, Sequence[Alarm]]) -> None:
        """Alarms by source; those of the machine shown are marks on its curves."""
        self._alarms = alarms
        self._show_marks()

    def apply_points(self, points: list[SeriesPoints], request_id: int) -> None:
        """Take an answer to `history_wanted`."""
        self.curves.apply_points(points, request_id)

    @property
    def current_machine(self) -> str | None:
        """Name of the machine shown."""
        return self._name

    # Curves

    @property
    def group(self) -> PlotGroup | None:
        """The plots together, once they are made."""
        return self.curves.group

    def build_plots(self) -> None:
        """Make the curves; called after the first paint, since numpy and pyqtgraph are imported here."""
        self.curves.build()

    def plot(self, name: str) -> TimePlot:
        """One of the plots: `cpu`, `memory`, `network`, `disks`, `fill`, `heat`, `count`."""
        return self.curves.plot(name)

    def write_export(self, kind: str, path: Path) -> None:
        """Write what is shown as `png` or `csv`; raises OSError."""
        from gui.widgets import time_plot_export

        self.build_plots()
        group = self.curves.group
        if group is None:
            return
        if kind == "csv":
            time_plot_export.write_csv(path, group, is_simulated=False)
        else:
            title = _("Machine · {name}").format(name=self._name or "")
            time_plot_export.write_picture(path, self.curves, title, self.range.span(), is_simulated=False)

    def _show_marks(self) -> None:
        self.curves.set_marks(marks_of(self._alarms.get(f"machine/{self._name}", ())))

    # Life of the widget

    def layout_state(self) -> QByteArray:
        """The splitter, the tabs with their columns, and the curve chosen, for the next start."""
        state = QByteArray()
        stream = QDataStream(state, QIODevice.WriteOnly)
        stream << self._splitter.saveState() << self.tabs.layout_state()
        stream.writeQString(self.curves.more.kind)
        return state

    def restore_layout(self, state: QByteArray) -> None:
        """Take up what `layout_state` gave; anything else changes nothing."""
        stream = QDataStream(state, QIODevice.ReadOnly)
        split, tabs = QByteArray(), QByteArray()
        stream >> split >> tabs
        kind = stream.readQString()
        if stream.status() == QDataStream.Ok:
            self._splitter.restoreState(split)
            self.tabs.restore_layout(tabs)
            self.curves.more.show_kind(kind)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Make the curves once the page has been seen."""
        super().paintEvent(event)
        if self.curves.group is None:
            QTimer.singleShot(0, self.build_plots)

    def minimumSizeHint(self) -> QSize:
        """Two rows of cards, some processes."""
        return QSize(420, 2 * LEAST_CARD_PX + _LEAST_TABS_PX + 150)

    # Making

    def _make_content(self) -> QWidget:
        upper = QWidget()
        above = QVBoxLayout(upper)
        above.setContentsMargins(0, 0, 0, 0)
        above.setSpacing(6)
        above.addWidget(self.curves, 1)
        above.addWidget(self.moment_strip)
        self.tabs.setMinimumHeight(_LEAST_TABS_PX)
        self._splitter = splitter = QSplitter(Qt.Vertical)
        splitter.setChildrenCollapsible(False)
        splitter.setHandleWidth(GAP)
        splitter.addWidget(upper)
        splitter.addWidget(self.tabs)
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 2)
        splitter.setSizes([600, 400])
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(GAP, GAP, GAP, GAP)
        layout.setSpacing(GAP)
        layout.addWidget(self.header)
        layout.addWidget(splitter, 1)
        return page

    def _connect(self) -> None:
        self.header.command_wanted.connect(self._on_command)
        self.curves.history_wanted.connect(self.history_wanted)
        self.curves.moment_chosen.connect(self.moment.choose)
        self.curves.back_wanted.connect(self.moment.give_up)
        self.moment.wanted.connect(self.moment_wanted)
        self.moment.chosen.connect(self.curves.set_moment)
        self.moment_strip.process_wanted.connect(self._on_use)
        self.tabs.asked.connect(self._on_asked)
        self.tabs.bar.currentChanged.connect(self.moment.renew)
        self.processes.end_wanted.connect(lambda chosen: self._on_processes(ActKind.END, chosen))
        self.processes.kill_wanted.connect(lambda chosen: self._on_processes(ActKind.KILL, chosen))
        self.tabs.services.restart_wanted.connect(self._on_restart)

    # What the user does

    def _on_asked(self, kind: str) -> None:
        if self._name is None:
            return
        if kind == "processes":
            self.processes_wanted.emit(self._name)
        else:
            self.details_wanted.emit(kind, self._name)

    def _on_command(self) -> None:
        if self._name is not None:
            self.command_wanted.emit(self._name)

    def _on_use(self, use: ProcessUse) -> None:
        self.tabs.show_process(use.pid, use.started_s)

    def _on_processes(self, kind: ActKind, chosen: list[Process]) -> None:
        if self._name is not None and chosen:
            pids = {one.pid for one in chosen}
            below = [child for one in chosen for child in self.processes.model.children(one) if child.pid not in pids]
            self.act_wanted.emit(Act(kind, self._name, tuple(chosen), tuple(below)))

    def _on_restart(self, service: Service) -> None:
        if self._name is not None:
            self.act_wanted.emit(Act(ActKind.RESTART, self._name, service=service))

    def _export_name(self, suffix: str) -> str:
        from gui.widgets.time_plot_export import file_name

        return file_name(["machine", self._name or ""], suffix, is_simulated=False)
