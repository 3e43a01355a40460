"""Load profile…: what the meter has kept by itself; rows that fill a gap of the history are kept there."""

from __future__ import annotations

import math
from itertools import pairwise

from PyQt5.QtCore import QDate, QDateTime, Qt, QTime, pyqtSignal
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QAbstractSpinBox,
    QDateTimeEdit,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QStackedLayout,
    QWidget,
)

from core.language import _, ngettext
from core.meter_records import ProfileColumn, ProfilePart
from gui import numbers
from gui.dialogs.meter_window import MeterWindow
from gui.models.profile import ProfileModel, column_title
from gui.models.table_file import iso_utc
from gui.widgets.card import Card
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.empty_state import EmptyState
from gui.widgets.labels import plain_label
from gui.widgets.process_table import align_header
from gui.widgets.row_table import RowTable
from gui.widgets.sparkline import Sparkline

_DAYS = 7
_CURVE_PX = 120


class LoadProfileWindow(MeterWindow):
    """`wanted(meter, start_s, end_s, obis or None)` asks for the rows, `stop_wanted(meter)` ends that."""

    wanted = pyqtSignal(str, float, float, object)
    stop_wanted = pyqtSignal(str)

    def __init__(self, meter: str, parent: QWidget | None = None) -> None:
        super().__init__(_("Load profile"), meter, parent)
        self._is_busy = False
        self._can_ask = True
        self._is_simulated = False
        self._asked_s = 0.0
        self._period_s = 0.0
        today = QDate.currentDate()
        self.begin, self.end = QDateTimeEdit(), QDateTimeEdit()
        for field, name, when in (
            (self.begin, _("From"), QDateTime(today.addDays(-_DAYS), QTime(0, 0))),
            (self.end, _("To"), QDateTime(today.addDays(1), QTime(0, 0))),
        ):
            field.setButtonSymbols(QAbstractSpinBox.NoButtons)
            field.setDisplayFormat("yyyy-MM-dd HH:mm")
            field.setDateTime(when)
            field.setAccessibleName(name)
        self.obis = QLineEdit()
        self.obis.setPlaceholderText("1-0:99.1.0")
        self.obis.setMaximumWidth(140)
        self.obis.setMaxLength(40)
        self.obis.setAccessibleName(_("OBIS code of the profile"))
        self.obis.setToolTip(_("A meter may keep several load profiles; empty means the first one"))
        self.read_button = QPushButton(_("Read"))
        self.read_button.setProperty("role", "primary")
        self.read_button.setDefault(True)
        self.read_button.clicked.connect(self._on_read)
        line = QHBoxLayout()
        line.setSpacing(8)
        for label, widget in ((_("From"), self.begin), (_("To"), self.end), (_("Profile"), self.obis)):
            line.addWidget(plain_label(label, "dim"))
            line.addWidget(widget)
        line.addStretch(1)
        line.addWidget(self.read_button)
        self.outer.addLayout(line)
        self.model = ProfileModel(self)
        self.view = RowTable(self.model, _("Rows of the load profile"))
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollPerPixel)
        align_header(self.view)
        self.column = ChoiceBox()
        self.column.setAccessibleName(_("Column that the curve shows"))
        self.column.currentIndexChanged.connect(lambda _row: self._draw())
        self.curve = Sparkline()
        self.curve.setFixedHeight(_CURVE_PX)
        self._curve_card = Card(_("Curve"))
        self._curve_card.add_to_title(self.column)
        self._curve_card.body.addWidget(self.curve)
        self._card = Card(_("Rows"))
        self._empty = EmptyState(
            _("Meters keep what they measured, by the quarter of an hour mostly. Choose a time and read it.")
        )
        self._pane = QStackedLayout()
        self._pane.addWidget(self._empty)
        self._pane.addWidget(self.view)
        self._card.body.addLayout(self._pane, 1)
        self.outer.addWidget(self._curve_card)
        self.outer.addWidget(self._card, 1)
        self.export_button = self.add_button(_("Export CSV…"), self._on_export, at_left=True)
        self.stop_button = self.add_button(_("Stop"), self._on_stop)
        self.finish_layout()
        self.say(_("Rows that the history has no readings for are kept there, marked as from the meter."), "dim")
        self._show_state()

    def set_unaskable(self, reason: str) -> None:
        """Nothing can be asked of this meter, for this reason."""
        self._can_ask = False
        self._empty.set_sentence(reason)
        self.say("")
        self._show_state()

    def apply(self, part: ProfilePart) -> None:
        """Some more rows."""
        if part.name != self.meter:
            return
        if part.is_first:
            self.model.clear()
        has_columns = bool(part.columns) and part.columns != self.model.columns
        self.model.append(part)
        if part.columns or part.is_first:
            self._period_s, self._is_simulated = part.period_s, part.is_simulated
        for card in (self._card, self._curve_card):
            card.set_context(_("simulated") if self._is_simulated else "")
        if has_columns:
            self._list_columns(part.columns)
            self.view.resizeColumnsToContents()
        count = len(self.model.rows())
        if part.is_last:
            self._is_busy = False
            self.set_progress(None)
            self._say_end(part)
            self.view.resizeColumnsToContents()
        else:
            self._is_busy = True
            self.set_progress(count, round(self._asked_s / part.period_s) if part.period_s else None)
            self.say(ngettext("reading: {count} row", "reading: {count} rows", count).format(count=count))
        self._draw()
        self._show_state()

    def apply_kept(self, count: int) -> None:
        """So many of the rows have filled gaps of the history."""
        if count:
            words = ngettext(
                "fills the gaps of the history: {count} row is kept there",
                "fills the gaps of the history: {count} rows are kept there",
                count,
            )
        else:
            words = _("the history had all of it already: nothing was kept twice")
        self.say(f"{self.words()} · {words.format(count=numbers.number(count))}" if self.words() else words)

    def apply_failed(self, error: BaseException) -> None:
        """It could not be asked for."""
        self._is_busy = False
        self.set_progress(None)
        self.say(str(error), "critical")
        self._show_state()

    def _say_end(self, part: ProfilePart) -> None:
        count = len(self.model.rows())
        words = ngettext("{count} row", "{count} rows", count).format(count=numbers.number(count))
        if part.period_s:
            words += " · " + _("one every {duration}").format(duration=numbers.duration(part.period_s))
        if self.model.is_cut:
            words += " · " + _("more than are shown here")
        if part.error:
            self.say(f"{words}. {part.error}" if count else part.error, "warning")
        elif not count:
            self.say(_("The meter has no rows in this time."), "warning")
        else:
            self.say(words)

    def _list_columns(self, columns: tuple[ProfileColumn, ...]) -> None:
        self.column.blockSignals(True)
        self.column.clear()
        for place, column in enumerate(columns):
            self.column.addItem(column_title(column), place)
        self.column.blockSignals(False)
        self.column.setVisible(len(columns) > 1)

    def _draw(self) -> None:
        place = self.column.currentData()
        times, values = [], []
        for row in self.model.rows() if place is not None else ():
            value = row.values[place] if place < len(row.values) else None
            if row.time_s is not None:
                times.append(row.time_s)
                values.append(float(value) if isinstance(value, int | float) else math.nan)
        if place is not None and self.model.columns[place].unit in ("Wh", "varh", "VAh") and _rises(values):
            values = [math.nan, *(later - before for before, later in pairwise(values))]
            self._curve_card.set_subtitle(_("by period"))
        else:
            self._curve_card.set_subtitle("")
        self.curve.set_points(times, values, gap_s=3 * self._period_s if self._period_s else None)

    def _show_state(self) -> None:
        self.read_button.setEnabled(self._can_ask and not self._is_busy)
        self.stop_button.setEnabled(self._is_busy)
        count = len(self.model.rows())
        self.export_button.setEnabled(count > 0 and not self._is_busy)
        self._card.set_subtitle(numbers.number(count) if count else "")
        self._curve_card.setVisible(count > 0)
        self._pane.setCurrentIndex(1 if count else 0)

    def _on_read(self) -> None:
        start_s, end_s = (field.dateTime().toMSecsSinceEpoch() / 1000 for field in (self.begin, self.end))
        if end_s <= start_s:
            self.say(_("The end must be later than the beginning."), "warning")
            self.end.setFocus(Qt.OtherFocusReason)
            return
        self._is_busy = True
        self._asked_s = end_s - start_s
        self.model.clear()
        self.set_progress(0)
        self.say(_("asking the meter for its load profile…"))
        self._show_state()
        self.wanted.emit(self.meter, start_s, end_s, self.obis.text().strip() or None)

    def _on_stop(self) -> None:
        self.stop_wanted.emit(self.meter)
        self._is_busy = False
        self.set_progress(None)
        self.say(_("stopped"))
        self._show_state()

    def _on_export(self) -> None:
        header = ["time_utc", "meter_time", "status", *(column_title(column) for column in self.model.columns)]
        rows = [[iso_utc(row.time_s), row.time, row.status, *row.values] for row in self.model.rows()]
        if self._is_simulated:
            header, rows = [*header, "source"], [[*row, "simulated"] for row in rows]
        self.save_rows("load-profile.csv", header, rows)


def _rises(values: list[float]) -> bool:
    """True for a register that only counts up."""
    known = [value for value in values if math.isfinite(value)]
    return len(known) > 1 and all(later >= before for before, later in pairwise(known))
