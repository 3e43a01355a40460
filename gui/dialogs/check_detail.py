"""One check closely: how it stands, how much of the time it was well, its latency over time, and what happened."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PyQt5.QtCore import QRectF, QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QPainter, QPaintEvent
from PyQt5.QtWidgets import QDialog, QHBoxLayout, QHeaderView, QPushButton, QSplitter, QVBoxLayout, QWidget

from core.language import _
from core.records import SeriesPoints
from core.site_records import Alarm, CheckResult, CheckState
from gui import numbers
from gui.models.check_history import Phase, PhaseModel, availability, phases
from gui.models.check_row import CERTIFICATE_DAYS, CheckRow, days_words, latency_words, state_words
from gui.models.machine_row import Shape
from gui.plain_text import one_line
from gui.theme import notifier, scaled_font
from gui.widgets.big_number import BigNumber
from gui.widgets.card import GAP, Card
from gui.widgets.check_plot import CheckPlot
from gui.widgets.labels import ElidedLabel, plain_label, set_role
from gui.widgets.row_table import RowTable
from gui.widgets.state_shape import paint_shape
from gui.widgets.time_range import RangeBar, TimeRange

_ASK_AFTER_MS = 150
_REFRESH_MS = 1000


class _Shape(QWidget):
    """The state of the check as a shape."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shape, self._role = Shape.RING, "unknown"
        self.setFixedSize(QSize(14, 14))
        notifier.changed.connect(self.update)

    def show_row(self, row: CheckRow) -> None:
        """Take the shape of a check."""
        if (row.shape, row.role) != (self._shape, self._role):
            self._shape, self._role = row.shape, row.role
            self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        """Draw it."""
        paint_shape(QPainter(self), QRectF(self.rect()).adjusted(1, 1, -1, -1), self._shape, self._role)


class CheckDetailDialog(QDialog):
    """A window of its own beside the main one; `history_wanted(name, start_s, end_s)` whenever it shows other times.

    It is told by `apply_row` when something new is known of the check, and by `apply_history`.
    """

    history_wanted = pyqtSignal(str, float, float)
    check_now_wanted = pyqtSignal(list)
    edit_wanted = pyqtSignal(str)

    def __init__(self, row: CheckRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WA_DeleteOnClose)
        self.setWindowTitle(_("Check {name}").format(name=one_line(row.name)))
        self.resize(940, 680)
        self._row = row
        self._last_phase: Phase | None = None
        self.range = TimeRange(self, mode="hour")
        self._asking = QTimer(self)
        self._asking.setSingleShot(True)
        self._asking.setInterval(_ASK_AFTER_MS)
        self._asking.timeout.connect(self._ask)
        self._aging = QTimer(self)
        self._aging.setInterval(_REFRESH_MS)
        self._aging.timeout.connect(self._show_now)
        self._aging.start()
        self.range.changed.connect(self._asking.start)
        self._shape = _Shape()
        self._state = ElidedLabel()
        self.now, self.well, self.certificate = BigNumber(), BigNumber(), BigNumber()
        self._certificate_card = self._card(_("Certificate"), self.certificate)
        self._well_card = self._card(_("Availability"), self.well)
        self.model = PhaseModel(self)
        self.plot = CheckPlot(self.range)
        self._lay_out()
        self._show_now()
        self._show_well([])
        self._asking.start()

    @property
    def name(self) -> str:
        """The check that is shown."""
        return self._row.name

    def apply_row(self, row: CheckRow) -> None:
        """News of the check."""
        self._row = row
        self._show_now()
        if self.range.is_following:
            self._asking.start()

    def apply_history(
        self, points: SeriesPoints | None, results: Sequence[CheckResult], alarms: Sequence[Alarm] = ()
    ) -> None:
        """What the history knows of the time that is shown; results oldest first."""
        found = phases(results)
        last_s = self._row.config.interval_s
        failed = [
            (phase.start_s, phase.until_s if phase.is_over else phase.until_s + last_s)
            for phase in found
            if not phase.is_ok
        ]
        self.plot.set_history(points, failed, alarms)
        self.model.set_phases(found)
        self._last_phase = found[-1] if len(found) > 1 else None  # of a single one the beginning is not known
        self._show_well(results)
        self._show_now()

    def _lay_out(self) -> None:
        title = plain_label(one_line(self._row.name))
        title.setFont(scaled_font(1.3, bold=True))
        target = ElidedLabel("dim")
        target.set_text(one_line(self._row.config.target))
        head = QHBoxLayout()
        head.setSpacing(GAP)
        head.addWidget(self._shape)
        head.addWidget(title)
        head.addWidget(target, 1)
        for text, slot in (
            (_("Check now"), lambda: self.check_now_wanted.emit([self.name])),
            (_("Edit check…"), lambda: self.edit_wanted.emit(self.name)),
        ):
            button = QPushButton(text)
            button.setAutoDefault(False)
            button.clicked.connect(slot)
            head.addWidget(button)
        cards = QHBoxLayout()
        cards.setSpacing(GAP)
        cards.addWidget(self._card(_("Latency now"), self.now), 1)
        cards.addWidget(self._well_card, 1)
        cards.addWidget(self._certificate_card, 1)
        times = QHBoxLayout()
        times.addWidget(RangeBar(self.range))
        times.addStretch(1)
        upper = QWidget()
        above = QVBoxLayout(upper)
        above.setContentsMargins(0, 0, 0, 0)
        above.setSpacing(GAP)
        above.addLayout(times)
        above.addWidget(self.plot, 1)
        history = Card(_("What happened"))
        table = RowTable(self.model, _("What happened"))
        columns = table.horizontalHeader()
        if columns is not None:
            columns.setSectionResizeMode(QHeaderView.ResizeToContents)
            columns.setStretchLastSection(True)
        history.body.addWidget(table, 1)
        halves = QSplitter(Qt.Vertical)
        halves.setChildrenCollapsible(False)
        halves.setHandleWidth(GAP)
        halves.addWidget(upper)
        halves.addWidget(history)
        halves.setSizes([330, 190])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 16)
        layout.setSpacing(GAP)
        layout.addLayout(head)
        layout.addWidget(self._state)
        layout.addLayout(cards)
        layout.addWidget(halves, 1)

    @staticmethod
    def _card(title: str, number: BigNumber) -> Card:
        card = Card(title)
        card.body.addWidget(number)
        return card

    def _show_now(self) -> None:
        row, result = self._row, self._row.result
        self._shape.show_row(row)
        self._certificate_card.setVisible(result is not None and result.certificate_days is not None)
        if result is None:
            self._state.set_text(row.reason())
            self.now.set_number(numbers.NO_VALUE, "")
            return
        words = state_words(result.state)
        phase, since_s = self._last_phase, row.since_s
        if since_s is None and phase is not None and phase.last.state is result.state:
            since_s = phase.start_s
        if since_s is not None:
            words = _("{state} since {time}").format(state=words, time=numbers.clock(since_s))
        self._state.set_text(f"{words}: {one_line(result.error)}" if result.error else words)
        set_role(self._state, None if result.state is CheckState.OK else "critical")
        if result.latency_ms is None:
            self.now.set_number(numbers.NO_VALUE, "")
        else:
            value, _space, unit = latency_words(result.latency_ms).partition(" ")
            self.now.set_number(value, unit)
        details = [numbers.age(time.time() - result.time_s)]
        if result.status is not None:
            details.insert(0, _("status {status}").format(status=result.status))
        self.now.set_detail(" · ".join(details))
        self.now.set_stale(row.is_old)
        days = result.certificate_days
        if days is not None:
            self.certificate.set_number(numbers.number(days), _("days"))
            self.certificate.set_detail(days_words(days) if days < CERTIFICATE_DAYS else "")

    def _show_well(self, results: Sequence[CheckResult]) -> None:
        percent = availability(results)
        if percent is None:
            self.well.set_number(numbers.NO_VALUE, "%")
            self.well.set_detail("")
            return
        digits = 0 if percent in (0.0, 100.0) else 2 if percent > 99 else 1
        failed = sum(result.state is not CheckState.OK for result in results)
        self.well.set_number(numbers.number(percent, digits), "%")
        self.well.set_detail(
            _("{failed} of {count} failed").format(failed=numbers.number(failed), count=numbers.number(len(results)))
        )

    def _ask(self) -> None:
        start_s, end_s = self.range.span()
        self.history_wanted.emit(self.name, start_s, end_s)
