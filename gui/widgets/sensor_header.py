"""The first line of the Sensors page: the intake's state, what was refused, filter, order, the intake's menu."""

from __future__ import annotations

from collections import deque

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import QGridLayout, QLineEdit, QMenu, QPushButton, QWidget

from core.language import N_, _, ngettext
from core.site_records import IntakeReport, ListenerState
from gui import numbers
from gui.models.sensors import SensorOrder
from gui.plain_text import one_line, plain_tip
from gui.widgets.card import GAP
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.listener_line import ListenerLine

_ORDERS = (
    (SensorOrder.PROBLEM, N_("Problems first")),
    (SensorOrder.NAME, N_("By name")),
    (SensorOrder.PLACE, N_("By place")),
)
_RATE_S = 15.0
_REFUSALS = 20
_LONGEST = 160
_NARROW_PX = 900


class SensorHeader(QWidget):
    """`open_wanted`, `listen_wanted`, `stop_wanted` and `simulate_wanted(bool)` come from the intake's menu."""

    filter_changed = pyqtSignal(str)
    order_changed = pyqtSignal(object)
    open_wanted = pyqtSignal()
    listen_wanted = pyqtSignal()
    stop_wanted = pyqtSignal()
    simulate_wanted = pyqtSignal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._report: IntakeReport | None = None
        self._is_simulating = False
        self._rate: float | None = None
        self._counts: deque[tuple[float, int]] = deque()
        self.refusals: deque[tuple[float, str]] = deque(maxlen=_REFUSALS)
        self.line = ListenerLine()
        self.refused_button = QPushButton()
        self.refused_button.setMenu(QMenu(self))
        self.refused_button.menu().aboutToShow.connect(self._fill_refusals)
        self.refused_button.hide()
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(_("Filter sensors"))
        self.filter.setAccessibleName(_("Filter sensors"))
        self.filter.setClearButtonEnabled(True)
        self.filter.setMinimumWidth(110)
        self.filter.setMaximumWidth(320)
        self.filter.textChanged.connect(self.filter_changed)
        self.order = ChoiceBox()
        self.order.setAccessibleName(_("Order of the sensors"))
        for value, title in _ORDERS:
            self.order.addItem(_(title), value)
        self.order.activated.connect(lambda _at: self.order_changed.emit(self.order.currentData()))
        self.intake_button = QPushButton(_("Intake") + " ▾")
        self.intake_button.setAccessibleName(_("Intake"))
        self.intake_button.setMenu(QMenu(self))
        self.intake_button.menu().aboutToShow.connect(self._fill_menu)
        self._is_narrow: bool | None = None
        self._layout = QGridLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setHorizontalSpacing(GAP)
        self._layout.setVerticalSpacing(6)
        self._layout.setColumnStretch(0, 1)
        self._layout.addWidget(self.refused_button, 0, 1)
        self._layout.addWidget(self.intake_button, 0, 4)
        self._place()

    @property
    def is_open(self) -> bool:
        """True while the intake listens."""
        return self._report is not None and self._report.state is ListenerState.LISTENING

    def apply(self, report: IntakeReport) -> None:
        """State of the intake; the rate is that of the last moments."""
        before, self._report = self._report, report
        if before is not None and report.messages < before.messages:
            self._counts.clear()  # it was opened anew
        self._counts.append((report.time_s, report.messages))
        self._measure(report.time_s)
        if report.last_refusal and (before is None or report.refused != before.refused):
            self.refusals.appendleft((report.time_s, one_line(report.last_refusal)[:_LONGEST]))
        self._show()

    def set_simulating(self, is_simulating: bool) -> None:
        """Whether the sensors of the simulator are at work."""
        self._is_simulating = is_simulating
        self._show()

    def refresh(self, now_s: float) -> None:
        """Reports come while something changes: without one the rate goes down by itself."""
        if self._rate:
            self._measure(now_s)
            self._show()

    def _measure(self, now_s: float) -> None:
        """Messages a second over the last moments; unknown before there are two reports."""
        counts = self._counts
        while len(counts) > 1 and counts[1][0] <= now_s - _RATE_S:
            counts.popleft()
        span_s = now_s - counts[0][0]
        if span_s > 0:
            self._rate = (counts[-1][1] - counts[0][1]) / max(1.0, span_s)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where there is little width, filter and order have a line of their own."""
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        is_narrow = self.width() < _NARROW_PX
        if is_narrow == self._is_narrow:
            return
        self._is_narrow = is_narrow
        self._layout.addWidget(self.line, 0, 0)
        self._layout.addWidget(self.filter, *((1, 0) if is_narrow else (0, 2)))
        self._layout.addWidget(self.order, *((1, 1, 1, 4) if is_narrow else (0, 3, 1, 1)))

    def _show(self) -> None:
        report = self._report
        if report is None:
            return
        details = [ngettext("{count} link", "{count} links", report.links).format(count=numbers.number(report.links))]
        if self._rate is not None:
            digits = 1 if 0 < self._rate < 10 else 0
            details.append(_("{rate} messages/s").format(rate=numbers.number(self._rate, digits)))
        if self._is_simulating:
            details.append(_("simulated"))
        self.line.apply(report.state, report.address, report.error, " · ".join(details))
        count = numbers.number(report.refused)
        words = ngettext("{count} refused", "{count} refused", report.refused).format(count=count)
        self.refused_button.setText(words + " ▾")
        self.refused_button.setAccessibleName(words)
        self.refused_button.setToolTip(plain_tip(one_line(report.last_refusal or "")[:1000]))
        self.refused_button.setVisible(report.refused > 0)

    def _fill_refusals(self) -> None:
        menu = self.refused_button.menu()
        menu.clear()
        menu.addAction(_("The last messages that were refused:")).setEnabled(False)
        for time_s, text in self.refusals:
            shown = text.replace("&", "&&")
            menu.addAction(f"{numbers.clock(time_s, with_seconds=True)}   {shown}")

    def _fill_menu(self) -> None:
        menu = self.intake_button.menu()
        menu.clear()
        is_open = self.is_open
        if not is_open:
            menu.addAction(_("Open the intake"), self.open_wanted.emit)
        menu.addAction(_("Where it listens…"), self.listen_wanted.emit)
        menu.addAction(_("Close the intake"), self.stop_wanted.emit).setEnabled(is_open)
        menu.addSeparator()
        text = _("Stop the simulated sensors") if self._is_simulating else _("Try simulated sensors")
        menu.addAction(text, lambda: self.simulate_wanted.emit(not self._is_simulating))
