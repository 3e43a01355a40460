"""The curves of one machine on one axis of time: CPU with its cores, RAM and swap, network, disks, and more in turn.

Curves need numpy and pyqtgraph; they are made by `build`, after the page has been painted once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from PyQt5.QtCore import QSize, Qt, pyqtSignal
from PyQt5.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PyQt5.QtWidgets import QGridLayout, QHBoxLayout, QWidget

from core.language import _
from core.records import SeriesPoints, Status
from gui import numbers
from gui.models import machine_words as words
from gui.models.alarm_marks import AlarmMark
from gui.widgets.big_number import BigNumber
from gui.widgets.card import GAP
from gui.widgets.core_bars import CoreBars
from gui.widgets.machine_more import MoreCard
from gui.widgets.time_range import TimeRange

if TYPE_CHECKING:
    from core.series import SeriesBook
    from gui.widgets.core_strip import CoreStrip
    from gui.widgets.time_plot import TimePlot
    from gui.widgets.time_plot_group import PlotGroup

LEAST_CARD_PX = 134
_LEAST_CANVAS_PX = 40
_WIDE_PX = 960
_PLACES = {"cpu": (0, 0, 2, 1), "memory": (0, 1, 1, 1), "network": (0, 2, 1, 1), "disks": (1, 1, 1, 1)}
_MORE_PLACE = (1, 2, 1, 1)

Cores = tuple[list[float], bytes, int]


class MachineCurves(QWidget):
    """Six places: the CPU is twice as high as the others, since its cores stand below it."""

    history_wanted = pyqtSignal(int, str, object, float, float)
    moment_chosen = pyqtSignal(float)
    back_wanted = pyqtSignal()

    def __init__(self, time_range: TimeRange, cores: Callable[[], Cores], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.range = time_range
        self.group: PlotGroup | None = None
        self.strip: CoreStrip | None = None
        self.numbers = {name: BigNumber() for name in _PLACES}
        self.core_bars = CoreBars()
        self.more = MoreCard()
        self._cores = cores
        self._plots: dict[str, TimePlot] = {}
        self._book: SeriesBook | None = None
        self._owner: str | None = None
        self._silence = ""
        self._marks: tuple[AlarmMark, ...] = ()
        self._total_bytes: int | None = None
        self._status: Status | None = None
        for number in self.numbers.values():
            number.setParent(self)
            number.hide()
        self.core_bars.setParent(self)
        self.core_bars.hide()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(GAP)
        for row in (0, 1):
            self._grid.setRowStretch(row, 1)
            self._grid.setRowMinimumHeight(row, LEAST_CARD_PX)
        for column, share in enumerate((21, 20, 20)):
            self._grid.setColumnStretch(column, share)
        self._grid.addWidget(self.more, *_MORE_PLACE)
        self.more.chosen.connect(self._on_more_chosen)

    def build(self) -> None:
        """Make the curves, once."""
        if self.group is not None:
            return
        from gui.widgets.core_strip import CoreStrip
        from gui.widgets.machine_plots import further_plots, machine_plots
        from gui.widgets.time_plot_group import PlotGroup

        group = PlotGroup("machine", self.range, self)
        self._plots = machine_plots(self.range)
        for name, plot in self._plots.items():
            plot.body.insertLayout(0, self._head(name))
            self._grid.addWidget(plot, *_PLACES[name])
        further = further_plots(self.range)
        self.more.put(further)
        self._plots |= further
        for plot in self._plots.values():
            plot.canvas.setMinimumHeight(_LEAST_CANVAS_PX)
            plot.canvas.moment_chosen.connect(self.moment_chosen)
            plot.canvas.back_wanted.connect(self.back_wanted)
            plot.set_title_tip(
                _(
                    "Click (or Enter): the busiest processes of that moment. Drag to zoom, or Ctrl + wheel; "
                    "Shift + wheel moves in time; double-click goes back"
                )
            )
            group.add(plot)
        cpu = self._plots["cpu"]
        self.strip = CoreStrip(self._cores, lambda: cpu.canvas.edges_px)
        cpu.body.addWidget(self.strip)
        group.history_wanted.connect(self.history_wanted)
        group.drawn.connect(self._on_drawn)
        self.range.cursor_moved.connect(self._on_cursor_moved)
        self.group = group
        if self._book is not None:
            group.set_book(self._book)
        group.show_owner(self._owner)
        group.set_silence(self._silence)
        self._show_marks()
        self._show_total()
        if self.isVisible():
            group.start()

    def plot(self, name: str) -> TimePlot:
        """One of the plots: `cpu`, `memory`, `network`, `disks`, `fill`, `heat`, `count`."""
        self.build()
        return self._plots[name]

    def set_live(self, book: SeriesBook) -> None:
        """Draw the live points of `book`."""
        self._book = book
        if self.group is not None:
            self.group.set_book(book)

    def show_owner(self, name: str | None) -> None:
        """Show the curves of this machine."""
        self._owner, self._total_bytes = name, None
        if self.group is not None:
            self.group.show_owner(name)

    def set_silence(self, reason: str) -> None:
        """Why nothing comes now."""
        self._silence = reason
        if self.group is not None:
            self.group.set_silence(reason)

    def set_marks(self, marks: Sequence[AlarmMark]) -> None:
        """Alarms of the machine."""
        self._marks = tuple(marks)
        self._show_marks()

    def set_moment(self, span: tuple[float, float] | None) -> None:
        """Mark the moment that was chosen."""
        if self.group is not None:
            self.group.set_moment(span)

    def apply_points(self, points: list[SeriesPoints], request_id: int) -> None:
        """Take an answer to `history_wanted`."""
        if self.group is not None:
            self.group.apply_points(points, request_id)

    def apply(self, status: Status | None, *, is_stale: bool) -> None:
        """Show the numbers of a status, grey where they are old."""
        cpu = status.cpu if status is not None else None
        memory = status.memory if status is not None else None
        network = status.network if status is not None else None
        disk_io = status.disk_io if status is not None else None
        self.numbers["cpu"].set_number(numbers.number(cpu.percent if cpu is not None else None), "%")
        self.numbers["cpu"].set_detail(words.cpu_words(cpu))
        self.core_bars.apply(cpu.per_core_percent if cpu is not None else (), is_stale=is_stale)
        self.numbers["memory"].set_number(*numbers.size(memory.used_bytes if memory is not None else None))
        self._status = status
        self._show_memory_words()
        received = network.received_bytes_per_s if network is not None else None
        sent = network.sent_bytes_per_s if network is not None else None
        self.numbers["network"].set_number(*numbers.rate(words.total(received, sent)))
        self.numbers["network"].set_detail(words.rate_words("↓", received, "↑", sent))
        read = disk_io.read_bytes_per_s if disk_io is not None else None
        written = disk_io.written_bytes_per_s if disk_io is not None else None
        self.numbers["disks"].set_number(*numbers.rate(words.total(read, written)))
        self.numbers["disks"].set_detail(words.rate_words(_("read"), read, _("written"), written))
        for number in self.numbers.values():
            number.set_stale(is_stale)
        self.more.apply(status, is_stale=is_stale)
        if memory is not None and 0 < memory.total_bytes != self._total_bytes:
            self._total_bytes = memory.total_bytes
            self._show_total()

    def showEvent(self, event: QShowEvent) -> None:
        """Draw while somebody looks: also from the moment on when a machine is chosen on the page that is open."""
        super().showEvent(event)
        if self.group is not None:
            self.group.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Do nothing while nobody looks."""
        super().hideEvent(event)
        if self.group is not None:
            self.group.stop()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where there is little room the swap is told by its curve alone."""
        super().resizeEvent(event)
        self._show_memory_words()

    def _show_memory_words(self) -> None:
        text = words.memory_words(self._status, with_swap=self.width() >= _WIDE_PX)
        self.numbers["memory"].set_detail(text)

    def minimumSizeHint(self) -> QSize:
        """Two rows of small cards."""
        return QSize(420, 2 * LEAST_CARD_PX + GAP)

    def _head(self, name: str) -> QHBoxLayout:
        """The line of the big number of a card."""
        line = QHBoxLayout()
        line.setSpacing(GAP)
        line.addWidget(self.numbers[name], 1)
        self.numbers[name].show()
        if name == "cpu":
            line.addWidget(self.core_bars, 0, Qt.AlignVCenter)
            self.core_bars.show()
        return line

    def _show_total(self) -> None:
        """The axis of the RAM ends at what the machine has."""
        if self._total_bytes and self.group is not None:
            self._plots["memory"].set_at_least(0.0, float(self._total_bytes))

    def _show_marks(self) -> None:
        if self.group is not None:
            self.group.set_marks([_placed(mark) for mark in self._marks])

    def _on_more_chosen(self) -> None:
        """A curve that was hidden has not been drawn since."""
        if self.group is not None and self.isVisible():
            self.group.start()

    def _on_drawn(self) -> None:
        if self.strip is not None:
            self.strip.redraw(*self.range.span())

    def _on_cursor_moved(self) -> None:
        if self.strip is not None:
            self.strip.show_cursor(self.range.cursor_s)


def _placed(mark: AlarmMark) -> AlarmMark:
    """An alarm about the share of RAM stands at the upper edge of the curve of RAM, which is in octets."""
    return replace(mark, field="memory_used_bytes", value=None) if mark.field == "memory_percent" else mark
