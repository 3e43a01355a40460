"""What is known of the alarm that is chosen: its curve around the time it rang, its facts, and when it rang before."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PyQt5.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QPainter, QPaintEvent, QResizeEvent
from PyQt5.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QSizePolicy, QStackedLayout, QVBoxLayout, QWidget

from core.alarms.texts import quantity_text
from core.language import _, ngettext
from core.records import SeriesPoints
from core.site_records import Alarm, AlarmState
from gui import numbers
from gui.models import alarm_words as words
from gui.models.alarm_marks import about, mark_of
from gui.models.shown_span import next_request_id
from gui.plain_text import plain_tip
from gui.theme import notifier, scaled_font
from gui.widgets.bar_list import BarItem, BarList
from gui.widgets.card import GAP, Card
from gui.widgets.empty_state import EmptyState
from gui.widgets.labels import ElidedLabel, plain_label
from gui.widgets.state_shape import paint_shape

if TYPE_CHECKING:
    from gui.widgets.series_plot import SeriesPlot

_BEFORE_S, _AFTER_S = 900.0, 300.0
_LONGEST_S = 6 * 3600.0
_FACTS_PX, _NARROW_FACTS_PX = 300, 240
_NARROW_PX = 900
_MOST_RINGS = 12


class ShapeLabel(QWidget):
    """The shape of an alarm, beside its words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._alarm: Alarm | None = None
        self.setFixedSize(14, 14)
        notifier.changed.connect(self.update)

    def show_alarm(self, alarm: Alarm | None) -> None:
        """Draw the shape of this alarm; none for None."""
        self._alarm = alarm
        self.setVisible(alarm is not None)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw it."""
        if self._alarm is not None:
            painter = QPainter(self)
            paint_shape(painter, QRectF(1, 1, 12, 12), *words.shape_of(self._alarm))


class AlarmDetail(Card):
    """The pane below the list; asks for curve and history by signals and takes the answers by `apply…`."""

    curve_wanted = pyqtSignal(int, object, float, float)
    rings_wanted = pyqtSignal(int, object)
    acknowledge_wanted = pyqtSignal()
    ignore_wanted = pyqtSignal()
    mute_wanted = pyqtSignal()
    go_wanted = pyqtSignal()
    rule_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_("Chosen"), parent)
        self._alarms: list[Alarm] = []
        self._curve_id = self._rings_id = 0
        self._span = (0.0, 1.0)
        self.plot: SeriesPlot | None = None
        self._shape = ShapeLabel()
        self._text = ElidedLabel()
        self._text.setFont(scaled_font(1.1, bold=True))
        self.acknowledge = self._button(_("Acknowledge…"), self.acknowledge_wanted, _("Say that you know (Ctrl+K)"))
        self.acknowledge.setProperty("role", "primary")
        self.ignore = self._button(
            _("Ignore…"), self.ignore_wanted, _("Not worth an alarm: it does not ring again until it is over")
        )
        self.mute = self._button(_("Mute 1 h"), self.mute_wanted, _("No alarm of this source rings for an hour"))
        self.go = self._button(_("Show"), self.go_wanted, _("Open the page of the source (Enter)"))
        self.rule = self._button(_("Rule…"), self.rule_wanted, _("See and change the rule that rang"))
        self._head = QGridLayout()
        self._head.setHorizontalSpacing(8)
        self._head.setColumnStretch(1, 1)
        self._head.addWidget(self._shape, 0, 0)
        self._head.addWidget(self._text, 0, 1)
        self._buttons = QWidget()
        buttons = QHBoxLayout(self._buttons)
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.setSpacing(8)
        for button in (self.acknowledge, self.ignore, self.mute, self.go, self.rule):
            buttons.addWidget(button)
        self._is_narrow = False
        self._place_buttons()
        self._nothing = EmptyState(_("Choose an alarm to see the curve around it, and when it rang before."))
        self._shown = QWidget()
        layout = QVBoxLayout(self._shown)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(self._head)
        layout.addLayout(self._make_body(), 1)
        self._stack = QStackedLayout()
        self._stack.addWidget(self._nothing)
        self._stack.addWidget(self._shown)
        self.body.addLayout(self._stack, 1)
        self.hide_title()

    # What is shown

    def show_alarms(self, alarms: Sequence[Alarm]) -> None:
        """Show one alarm, or how many are chosen."""
        before, self._alarms = self._alarms, list(alarms)
        self._stack.setCurrentIndex(1 if alarms else 0)
        if not alarms:
            return
        is_one = len(alarms) == 1
        first = self._alarms[0]
        self._shape.show_alarm(first if is_one else None)
        self._text.set_text(first.text if is_one else _several_words(self._alarms))
        openable = [alarm for alarm in alarms if alarm.state.is_open]
        self.acknowledge.setEnabled(any(alarm.state is AlarmState.ACTIVE for alarm in alarms))
        self.ignore.setEnabled(bool(openable))
        self.go.setEnabled(is_one)
        self.rule.setEnabled(is_one)
        self._show_facts(about(first) if is_one else [])
        self._side.setVisible(is_one)
        if not is_one:
            self._curves.setCurrentIndex(0)
            self._waiting.set_sentence(_("What you do now is done with all of them."))
            return
        if len(before) != 1 or before[0].id != first.id:
            self._ask(first)
        elif before[0] != first:
            self.rings_again()
            self.follow()

    def alarms(self) -> list[Alarm]:
        """The alarms shown."""
        return self._alarms

    def follow(self) -> None:
        """Ask for the curve again where it has grown: called by a timer while somebody looks."""
        if len(self._alarms) == 1:
            span = _span_of(self._alarms[0], time.time())
            if span != self._span:
                self._ask_curve(span)

    def rings_again(self) -> None:
        """Ask for the history of the rule anew."""
        if len(self._alarms) == 1:
            self._rings_id = next_request_id()
            self.rings_wanted.emit(self._rings_id, self._alarms[0])

    def apply_points(self, request_id: int, points: SeriesPoints | None, name: str = "") -> None:
        """Take the answer to `curve_wanted`; None where no curve of the value is kept. `name` is the source's."""
        if request_id != self._curve_id or len(self._alarms) != 1:
            return
        alarm = self._alarms[0]
        if points is None or not len(points.time_s):
            self._waiting.set_sentence(_("No curve of this time is kept."))
            self._curves.setCurrentIndex(0)
            return
        if self.plot is None:
            from gui.widgets.series_plot import SeriesPlot

            self.plot = SeriesPlot()
            self._curves.addWidget(self.plot)
        quantity = points.name.rpartition("/")[2]
        is_own = alarm.quantity is not None and alarm.quantity.partition(":")[0] == quantity
        end_s = alarm.until_s if alarm.until_s is not None else min(time.time(), self._span[1])
        self.plot.show_series(
            quantity_text(quantity, name or words.source_name(alarm.source)),
            points,
            *self._span,
            limits=(alarm.threshold,) if is_own and alarm.threshold is not None else (),
            marks=(mark_of(alarm),),
            bands=((alarm.since_s, end_s),),
            role=words.severity_role(alarm.severity) if alarm.state.is_open else "unknown",
        )
        self._curves.setCurrentWidget(self.plot)

    def apply_rings(self, request_id: int, rings: Sequence[Alarm]) -> None:
        """Take the answer to `rings_wanted`: alarms of the same rule and source, newest first."""
        if request_id != self._rings_id or len(self._alarms) != 1:
            return
        others = [ring for ring in rings if ring.id != self._alarms[0].id]
        self._rings_title.setText(
            ngettext("Rang {count} time before", "Rang {count} times before", len(others)).format(
                count=numbers.number(len(others))
            )
            if others
            else _("Never rang before")
        )
        self._rings.setVisible(bool(others))
        self._rings.set_items([_ring_item(ring) for ring in others[:_MOST_RINGS]])

    def minimumSizeHint(self) -> QSize:
        """Enough for a curve."""
        return QSize(400, 256 if self._is_narrow else 220)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where there is little width, the buttons have a line of their own."""
        super().resizeEvent(event)
        is_narrow = self.width() < _NARROW_PX
        if is_narrow != self._is_narrow:
            self._is_narrow = is_narrow
            self._place_buttons()
            self._side.setFixedWidth(_NARROW_FACTS_PX if is_narrow else _FACTS_PX)
            self.updateGeometry()

    # Making

    def _place_buttons(self) -> None:
        if self._is_narrow:
            self._head.addWidget(self._buttons, 1, 0, 1, 3, Qt.AlignLeft)
        else:
            self._head.addWidget(self._buttons, 0, 2)

    def _button(self, text: str, wanted: object, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(plain_tip(tip))
        button.clicked.connect(lambda _checked: wanted.emit())
        return button

    def _make_body(self) -> QHBoxLayout:
        holder = QWidget()
        self._curves = QStackedLayout(holder)
        self._waiting = EmptyState("")
        self._curves.addWidget(self._waiting)
        self._side = QWidget()
        self._side.setFixedWidth(_FACTS_PX)
        self._side.setSizePolicy(QSizePolicy.Fixed, QSizePolicy.Ignored)
        side = QVBoxLayout(self._side)
        side.setContentsMargins(0, 0, 0, 0)
        side.setSpacing(6)
        self._facts = QGridLayout()
        self._facts.setHorizontalSpacing(GAP)
        self._facts.setVerticalSpacing(1)
        self._facts.setColumnStretch(1, 1)
        self._rings_title = plain_label("", "dim")
        self._rings = BarList(_("Earlier alarms of this rule"), can_open=False)
        side.addLayout(self._facts)
        side.addSpacing(2)
        side.addWidget(self._rings_title)
        side.addWidget(self._rings, 1)
        side.addStretch(0)
        line = QHBoxLayout()
        line.setSpacing(GAP)
        line.addWidget(holder, 1)
        line.addWidget(self._side)
        return line

    def _show_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        for row in range(self._facts.rowCount()):
            self._facts.setRowMinimumHeight(row, 0)
        while self._facts.count():
            item = self._facts.takeAt(0)
            item.widget().deleteLater()
        for row, (name, text) in enumerate(facts):
            self._facts.addWidget(plain_label(name, "dim"), row, 0)
            self._facts.setRowMinimumHeight(row, self.fontMetrics().height())
            label = ElidedLabel()
            label.set_text(text)
            self._facts.addWidget(label, row, 1)

    def _ask(self, alarm: Alarm) -> None:
        """Ask for the curve around the alarm, and for when its rule rang before."""
        self._curves.setCurrentIndex(0)
        self._waiting.set_sentence(_("reading the history…"))
        self._ask_curve(_span_of(alarm, time.time()))
        self._rings_title.setText("")
        self._rings.set_items([])
        self.rings_again()

    def _ask_curve(self, span: tuple[float, float]) -> None:
        self._span = span
        self._curve_id = next_request_id()
        self.curve_wanted.emit(self._curve_id, self._alarms[0], *span)


def _span_of(alarm: Alarm, now_s: float) -> tuple[float, float]:
    """From some time before the alarm rang to some time after it was over, or now."""
    length_s = min(words.lasted_s(alarm, now_s), _LONGEST_S)
    start_s = alarm.since_s - max(_BEFORE_S, 0.3 * length_s)
    end_s = min(now_s, alarm.since_s + length_s + max(_AFTER_S, 0.2 * length_s))
    return start_s, max(end_s, start_s + 60)


def _several_words(alarms: Sequence[Alarm]) -> str:
    counts = dict.fromkeys({alarm.severity for alarm in alarms}, 0)
    for alarm in alarms:
        counts[alarm.severity] += 1
    return _("{count} alarms chosen: {severities}").format(
        count=numbers.number(len(alarms)), severities=words.count_words(counts)
    )


def _ring_item(ring: Alarm) -> BarItem:
    lasted = numbers.duration(max(1.0, words.lasted_s(ring, time.time())))
    value = words.value_text(ring.value, ring.unit)
    state = "" if ring.state is AlarmState.RESOLVED else words.state_words(ring.state)
    return BarItem(numbers.clock(ring.since_s), "   ".join(part for part in (lasted, value, state) if part), None)
