"""Processes, services, users and ports of a machine as tabs of one card; what is not looked at is not asked for."""

from __future__ import annotations

from PyQt5.QtCore import QByteArray, QDataStream, QIODevice, QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PyQt5.QtWidgets import QBoxLayout, QFrame, QSizePolicy, QStackedWidget, QTabBar, QVBoxLayout, QWidget

from core.language import _
from core.machine_records import PortList, ServiceList, SessionList
from core.records import ProcessTable
from gui.widgets.card import GAP, MARGIN
from gui.widgets.labels import plain_label, set_role
from gui.widgets.machine_list_panels import ListPanel, PortPanel, ServicePanel, SessionPanel
from gui.widgets.process_table import ProcessPanel
from gui.widgets.table_panel import TablePanel

ASK_MS = {"processes": 5_000, "services": 15_000}
"""How often what is looked at is asked for anew; users and ports when their tab is opened, and by their button."""


class MachineTabs(QFrame):
    """`asked` carries the kind that is wanted of the machine shown: `processes`, `services`, `sessions`, `ports`."""

    asked = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.processes = ProcessPanel()
        self.services = ServicePanel()
        self.sessions = SessionPanel()
        self.ports = PortPanel()
        self.panels: dict[str, TablePanel] = {
            "processes": self.processes,
            "services": self.services,
            "sessions": self.sessions,
            "ports": self.ports,
        }
        self._kinds = list(self.panels)
        self._is_away = False
        self._sought: tuple[int, float | None] | None = None
        self.bar = QTabBar()
        self.bar.setObjectName("card-tabs")
        self.bar.setDrawBase(False)
        self.bar.setExpanding(False)
        self.bar.setUsesScrollButtons(False)
        self.bar.setElideMode(Qt.ElideNone)
        self.bar.setSizePolicy(QSizePolicy.Fixed, QSizePolicy.Fixed)
        self.bar.setAccessibleName(_("What is shown of the machine"))
        self._tools, self._stack = QStackedWidget(), QStackedWidget()
        for kind, panel in self.panels.items():
            at = self.bar.addTab(panel.title)
            self._tools.addWidget(panel.tools)
            self._stack.addWidget(panel)
            panel.counted.connect(lambda words, at=at: self._show_count(at, words))
            if isinstance(panel, ListPanel):
                panel.asked.connect(lambda kind=kind: self.ask(kind))
                panel.process_wanted.connect(self.show_process)
        self._said = plain_label("", wrap=True, selectable=True)
        self._said.hide()
        self._head = head = QBoxLayout(QBoxLayout.LeftToRight)
        head.setSpacing(GAP)
        head.addWidget(self.bar, 0, Qt.AlignLeft)
        head.addWidget(self._tools, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, 6, MARGIN, 8)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addWidget(self._said)
        layout.addWidget(self._stack, 1)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._on_time)
        self.bar.currentChanged.connect(self._on_tab)

    @property
    def kind(self) -> str:
        """The tab that is shown."""
        return self._kinds[self.bar.currentIndex()]

    def show_kind(self, kind: str) -> None:
        """Bring a tab to the front."""
        self.bar.setCurrentIndex(self._kinds.index(kind))

    def running(self) -> set[tuple[int, int]] | None:
        """(pid, start to the second) of what runs; None while nobody looks at the table, for it is old then."""
        model = self.processes.model
        return model.starts() if self.kind == "processes" and model.count else None

    def show_process(self, pid: int, started_s: float | None = None) -> None:
        """Show a process in its table: at once where it is there, else once the table that is asked for has come."""
        self._sought = pid, started_s
        self.say("", None)
        is_known = self.running() is not None or self._is_away
        self.show_kind("processes")
        if is_known or self.processes.model.find(pid, started_s) is not None:
            self._find_sought()

    def forget(self) -> None:
        """Another machine is shown: nothing is known of it yet."""
        self._sought = None
        self.say("", None)
        for panel in self.panels.values():
            panel.clear("")

    def ask(self, kind: str) -> None:
        """Want it anew, where there is somebody to ask."""
        if not self._is_away:
            self.asked.emit(kind)

    def ask_shown(self) -> None:
        """Want what the tab in front shows."""
        if self.isVisible():
            self.ask(self.kind)

    def set_away(self, words: str, nothing: str) -> None:
        """While the machine is away what is known is grey, with `words`; else `nothing` is said. "" once it is back."""
        self._is_away = bool(words)
        for panel in self.panels.values():
            if isinstance(panel, ListPanel):
                panel.refresh_button.setEnabled(not self._is_away)
            if panel.model.count:
                panel.set_stale(words)
            elif words:
                panel.clear(nothing)
            elif panel.sentence() == nothing:
                panel.clear("")

    def set_why_not(self, reason: str) -> None:
        """Why nothing may be ended or restarted on this machine; "" where it may."""
        self.processes.set_why_not(reason)
        self.services.set_why_not(reason)

    def apply_processes(self, table: ProcessTable) -> None:
        """Show one more pass over the processes."""
        self.processes.apply(table)
        self._find_sought()

    def apply(self, answer: ServiceList | SessionList | PortList) -> None:
        """Show an answer."""
        if isinstance(answer, ServiceList):
            self.services.apply(answer)
        elif isinstance(answer, SessionList):
            self.sessions.apply(answer)
        else:
            self.ports.apply(answer)

    def apply_failed(self, kind: str, reason: str) -> None:
        """A question was not answered."""
        panel = self.panels[kind]
        if isinstance(panel, ListPanel):
            panel.apply_failed(reason)

    def say(self, text: str, role: str | None) -> None:
        """What came of something that was done here."""
        self._said.setText(text)
        self._said.setVisible(bool(text))
        set_role(self._said, role)

    def layout_state(self) -> QByteArray:
        """The tab in front, and the columns of all."""
        state = QByteArray()
        stream = QDataStream(state, QIODevice.WriteOnly)
        stream.writeQString(self.kind)
        for panel in self.panels.values():
            stream << panel.layout_state()
        return state

    def restore_layout(self, state: QByteArray) -> None:
        """Take up what `layout_state` gave."""
        stream = QDataStream(state, QIODevice.ReadOnly)
        kind = stream.readQString()
        states = []
        for _panel in self.panels:
            columns = QByteArray()
            stream >> columns
            states.append(columns)
        if stream.status() == QDataStream.Ok and kind in self._kinds:
            for panel, columns in zip(self.panels.values(), states, strict=True):
                panel.restore_layout(columns)
            self.show_kind(kind)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where tabs and tools have no room side by side, as with large letters, the tools stand below."""
        super().resizeEvent(event)
        self._share_line()

    def minimumSizeHint(self) -> QSize:
        """Less than a line of tabs and tools: they may stand in two."""
        return QSize(300, super().minimumSizeHint().height())

    def showEvent(self, event: QShowEvent) -> None:
        """Somebody looks."""
        super().showEvent(event)
        self._start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nobody looks: nothing is asked."""
        super().hideEvent(event)
        self._timer.stop()

    def _on_tab(self, at: int) -> None:
        self._tools.setCurrentIndex(at)
        self._stack.setCurrentIndex(at)
        if self.isVisible():
            self._start()

    def _start(self) -> None:
        """Ask for the tab in front at once, and again as often as it is renewed by itself."""
        period_ms = ASK_MS.get(self.kind)
        if period_ms is None:
            self._timer.stop()
        else:
            self._timer.start(period_ms)
        self.ask(self.kind)

    def _find_sought(self) -> None:
        sought, self._sought = self._sought, None
        if sought is None:
            return
        process = self.processes.model.find(*sought)
        if process is not None:
            self.processes.show_process(process)
        else:
            self.say(_("Process {pid} does not run any more.").format(pid=sought[0]), None)

    def _on_time(self) -> None:
        self.ask(self.kind)

    def _share_line(self) -> None:
        needed = self.bar.sizeHint().width() + self._tools.minimumSizeHint().width() + GAP + 2 * MARGIN
        is_narrow = needed > self.width()
        self._head.setDirection(QBoxLayout.TopToBottom if is_narrow else QBoxLayout.LeftToRight)
        self._head.setSpacing(2 if is_narrow else GAP)

    def _show_count(self, at: int, words: str) -> None:
        panel = list(self.panels.values())[at]
        self.bar.setTabText(at, f"{panel.title}  {words}" if words else panel.title)
        self._share_line()
