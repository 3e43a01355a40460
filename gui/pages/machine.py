"""The Machine page: who a machine is, how it does, what runs on it.

Curves need numpy and pyqtgraph; they are built after the page has been painted once, or by `build_plots`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import QByteArray, QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QHideEvent, QPaintEvent, QShowEvent
from PyQt5.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLayout,
    QPushButton,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from core.language import _, ngettext
from core.records import Level, MachineReport, MachineState, ProcessTable, SeriesPoints, Status
from core.site_records import Alarm
from gui import numbers
from gui.models.alarm_marks import marks_of
from gui.models.machine_words import disk_words, identity_words, memory_words, rate_words, state_words, total
from gui.theme import scaled_font
from gui.widgets import split_layout
from gui.widgets.big_number import BigNumber
from gui.widgets.card import GAP
from gui.widgets.core_bars import CoreBars
from gui.widgets.empty_state import EmptyState
from gui.widgets.export_button import ExportButton
from gui.widgets.labels import ElidedLabel, plain_label, set_role
from gui.widgets.process_table import ProcessCard
from gui.widgets.time_range import RangeBar, TimeRange

if TYPE_CHECKING:
    from core.series import SeriesBook
    from gui.widgets.time_plot import TimePlot
    from gui.widgets.time_plot_group import PlotGroup

_PROCESSES_MS = 5_000
_LEAST_PLOT_PX = 156
_LEAST_CANVAS_PX = 64
_STALE_STATES = {MachineState.OFFLINE, MachineState.UNPAIRED, MachineState.NOT_TRUSTED}


class MachinePage(QWidget):
    """One machine: identity, curves and processes; the last known numbers, greyed, while it is away."""

    processes_wanted = pyqtSignal(str)
    history_wanted = pyqtSignal(int, str, object, float, float)
    command_wanted = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.range = TimeRange(self, mode="live")
        self.group: PlotGroup | None = None
        self._alarms: Mapping[str, Sequence[Alarm]] = {}
        self._book: SeriesBook | None = None
        self._name: str | None = None
        self._report: MachineReport | None = None
        self._pane = QStackedLayout(self)
        self._pane.setContentsMargins(0, 0, 0, 0)
        self._pane.setSizeConstraint(QLayout.SetNoConstraint)
        self._pane.addWidget(EmptyState(_("Choose a machine in the list to see how it does.")))
        self._pane.addWidget(self._make_content())
        self._processes_timer = QTimer(self)
        self._processes_timer.setInterval(_PROCESSES_MS)
        self._processes_timer.timeout.connect(self._ask_for_processes)

    # What comes in

    def set_live(self, book: SeriesBook) -> None:
        """Draw the live points of `book`; whoever takes in statuses appends them there."""
        self._book = book
        if self.group is not None:
            self.group.set_book(book)

    def show_machine(self, name: str | None) -> None:
        """Show this machine from now on; None: no machine is chosen."""
        if name == self._name:
            return
        self._name, self._report = name, None
        self._pane.setCurrentIndex(0 if name is None else 1)
        self._title.setText(name or "")
        self._description.setText("")
        self._banner.hide()
        self.processes.clear("")
        self._show_status(None, is_stale=False)
        if self.group is not None:
            self.group.show_owner(name)
            self._show_marks()
        if self.isVisible():
            self._ask_for_processes()

    def apply_report(self, report: MachineReport) -> None:
        """Show news of the machine; those of another one are left alone."""
        if report.machine != self._name:
            return
        before, self._report = self._report, report
        is_away = report.state in _STALE_STATES
        self._description.setText(identity_words(report))
        self._banner.setVisible(bool(report.state is not MachineState.ONLINE))
        self._banner.setText(state_words(report))
        set_role(self._banner, "warning" if report.state is MachineState.LATE else "critical")
        self.command_button.setEnabled(not is_away and report.level is not Level.VIEW)
        self._show_status(report.status, is_stale=is_away)
        if self.group is not None:
            self.group.set_silence(_("offline") if is_away else "")
        if is_away and self.processes.model.count == 0:
            self.processes.clear(_("The processes are not known while the machine is away."))
        came_back = before is None or (before.state in _STALE_STATES and not is_away)
        if came_back and self.isVisible():
            self._ask_for_processes()

    def apply_processes(self, table: ProcessTable) -> None:
        """Show one more pass over the machine's processes."""
        if table.machine == self._name:
            self.processes.apply(table)
            self.processes.set_context(numbers.clock(table.time_s, with_seconds=True))

    def set_alarms(self, alarms: Mapping[str, Sequence[Alarm]]) -> None:
        """Alarms by source; those of the machine shown are marks on its curves."""
        self._alarms = alarms
        self._show_marks()

    def apply_points(self, points: list[SeriesPoints], request_id: int) -> None:
        """Take an answer to `history_wanted`."""
        if self.group is not None:
            self.group.apply_points(points, request_id)

    @property
    def current_machine(self) -> str | None:
        """Name of the machine shown."""
        return self._name

    # Curves

    def build_plots(self) -> None:
        """Make the curves; called after the first paint, since numpy and pyqtgraph are imported here."""
        if self.group is not None:
            return
        from gui.pages.machine_plots import machine_plots
        from gui.widgets.time_plot_group import PlotGroup

        group = PlotGroup("machine", self.range, self)
        self._plots = machine_plots(self.range)
        for index, (name, plot) in enumerate(self._plots.items()):
            plot.body.insertWidget(0, self._heads[name])
            self._heads[name].show()
            plot.canvas.setMinimumHeight(_LEAST_CANVAS_PX)
            self._plot_grid.addWidget(plot, index // 2, index % 2)
            group.add(plot)
        group.history_wanted.connect(self.history_wanted)
        self.group = group
        if self._book is not None:
            group.set_book(self._book)
        group.show_owner(self._name)
        self._show_marks()
        if self._report is not None:
            group.set_silence(_("offline") if self._report.state in _STALE_STATES else "")
        if self.isVisible():
            group.start()

    def _show_marks(self) -> None:
        if self.group is not None:
            self.group.set_marks(marks_of(self._alarms.get(f"machine/{self._name}", ())))

    def plot(self, name: str) -> TimePlot:
        """One of the plots: `cpu`, `memory`, `network`, `disks`."""
        self.build_plots()
        return self._plots[name]

    def write_export(self, kind: str, path: Path) -> None:
        """Write what is shown as `png` or `csv`; raises OSError."""
        from gui.widgets import time_plot_export

        self.build_plots()
        if self.group is None:
            return
        if kind == "csv":
            time_plot_export.write_csv(path, self.group, is_simulated=False)
        else:
            title = _("Machine · {name}").format(name=self._name or "")
            time_plot_export.write_picture(path, self._curves, title, self.range.span(), is_simulated=False)

    # Life of the widget

    def layout_state(self) -> QByteArray:
        """Columns of the process table and the splitter above it, for the next start."""
        return split_layout.layout_of(self._splitter, self.processes)

    def restore_layout(self, state: QByteArray) -> None:
        """Take up what `layout_state` gave."""
        split_layout.restore(self._splitter, self.processes, state)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Make the curves once the page has been seen."""
        super().paintEvent(event)
        if self.group is None:
            QTimer.singleShot(0, self.build_plots)

    def showEvent(self, event: QShowEvent) -> None:
        """Draw, and ask for processes, while somebody looks."""
        super().showEvent(event)
        if self.group is not None:
            self.group.start()
        self._processes_timer.start()
        self._ask_for_processes()

    def hideEvent(self, event: QHideEvent) -> None:
        """Do nothing while nobody looks."""
        super().hideEvent(event)
        self._processes_timer.stop()
        if self.group is not None:
            self.group.stop()

    def minimumSizeHint(self) -> QSize:
        """Two cards beside each other, two below each other, some processes."""
        return QSize(420, 2 * _LEAST_PLOT_PX + 220)

    # Making

    def _make_content(self) -> QWidget:
        self._title = plain_label()
        self._title.setFont(scaled_font(1.5, bold=True))
        self._description = plain_label("", "dim", wrap=True, selectable=True)
        self.range_bar = RangeBar(self.range)
        self.command_button = QPushButton(_("Command…"))
        self.command_button.setToolTip(_("Send a command to this machine"))
        self.command_button.clicked.connect(self._on_command_clicked)
        self.export_button = ExportButton(self.write_export, self._export_name)
        header = QHBoxLayout()
        header.setSpacing(GAP)
        header.addWidget(self._title)
        header.addStretch(1)
        for widget in (self.range_bar, self.command_button, self.export_button):
            header.addWidget(widget)
        self._banner = plain_label("", "critical", wrap=True, selectable=True)
        self._heads = self._make_heads()
        self._curves = QWidget()
        self._plot_grid = QGridLayout(self._curves)
        self._plot_grid.setContentsMargins(0, 0, 0, 0)
        self._plot_grid.setSpacing(GAP)
        for place in (0, 1):
            self._plot_grid.setRowStretch(place, 1)
            self._plot_grid.setColumnStretch(place, 1)
            self._plot_grid.setRowMinimumHeight(place, _LEAST_PLOT_PX)
        self.processes = ProcessCard()
        self.processes.setMinimumHeight(140)
        self._splitter = splitter = QSplitter(Qt.Vertical)
        splitter.setChildrenCollapsible(False)
        splitter.setHandleWidth(GAP)
        splitter.addWidget(self._curves)
        splitter.addWidget(self.processes)
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 2)
        splitter.setSizes([600, 400])
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(GAP, GAP, GAP, GAP)
        layout.setSpacing(GAP)
        layout.addLayout(header)
        layout.addWidget(self._description)
        layout.addWidget(self._banner)
        layout.addWidget(splitter, 1)
        return page

    def _make_heads(self) -> dict[str, QWidget]:
        """The line of the big number of each card; it stands in the card once its curve is there."""
        self._numbers: dict[str, BigNumber] = {}
        self._details: dict[str, ElidedLabel] = {}
        self._core_bars = CoreBars()
        heads = {}
        for name in ("cpu", "memory", "network", "disks"):
            head = QWidget(self)
            head.hide()
            line = QHBoxLayout(head)
            line.setContentsMargins(0, 0, 0, 0)
            line.setSpacing(GAP)
            self._numbers[name] = BigNumber()
            self._details[name] = ElidedLabel("dim")
            self._details[name].setAlignment(Qt.AlignRight | Qt.AlignBottom)
            self._details[name].setContentsMargins(0, 0, 0, 4)
            line.addWidget(self._numbers[name])
            line.addWidget(self._details[name], 1, Qt.AlignBottom)
            if name == "cpu":
                line.addWidget(self._core_bars, 0, Qt.AlignVCenter)
            heads[name] = head
        return heads

    # Showing

    def _show_status(self, status: Status | None, *, is_stale: bool) -> None:
        cpu = status.cpu if status is not None else None
        memory = status.memory if status is not None else None
        network = status.network if status is not None else None
        disk_io = status.disk_io if status is not None else None
        self._numbers["cpu"].set_number(numbers.number(cpu.percent if cpu is not None else None), "%")
        words = ""
        if cpu is not None:
            count = len(cpu.per_core_percent)
            words = ngettext("{count} core", "{count} cores", count).format(count=count) if count else ""
            if cpu.load_average:
                load = _("load {load}").format(load=numbers.number(cpu.load_average[0], 1))
                words = f"{words}, {load}" if words else load
        self._details["cpu"].set_text(words)
        self._core_bars.apply(cpu.per_core_percent if cpu is not None else (), is_stale=is_stale)
        self._numbers["memory"].set_number(*numbers.size(memory.used_bytes if memory is not None else None))
        self._details["memory"].set_text(memory_words(status))
        received = network.received_bytes_per_s if network is not None else None
        sent = network.sent_bytes_per_s if network is not None else None
        self._numbers["network"].set_number(*numbers.rate(total(received, sent)))
        self._details["network"].set_text(rate_words("↓", received, "↑", sent))
        read = disk_io.read_bytes_per_s if disk_io is not None else None
        written = disk_io.written_bytes_per_s if disk_io is not None else None
        self._numbers["disks"].set_number(*numbers.rate(total(read, written)))
        self._details["disks"].set_text(disk_words((status.disks or ()) if status is not None else ()))
        for number in self._numbers.values():
            number.set_stale(is_stale)

    # What the user does

    def _ask_for_processes(self) -> None:
        is_away = self._report is not None and self._report.state in _STALE_STATES
        if self._name is not None and not is_away:
            self.processes_wanted.emit(self._name)

    def _on_command_clicked(self) -> None:
        if self._name is not None:
            self.command_wanted.emit(self._name)

    def _export_name(self, suffix: str) -> str:
        from gui.widgets.time_plot_export import file_name

        return file_name(["machine", self._name or ""], suffix, is_simulated=False)
