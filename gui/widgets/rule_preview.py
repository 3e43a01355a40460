"""When a rule would have rung: a series of the past with the rule's limits, its rings as bands, and their number."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace
from PyQt5.QtCore import QTimer, pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from core.alarms.meter_rules import DERIVED
from core.alarms.replay import Ring, rings
from core.alarms.texts import quantity_text
from core.language import _, ngettext
from core.records import SeriesPoints
from core.site_records import AlarmRule, RuleKind
from gui import numbers
from gui.models.alarm_words import severity_role, source_name, value_text
from gui.models.shown_span import next_request_id
from gui.plain_text import one_line
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.empty_state import EmptyState
from gui.widgets.labels import plain_label

if TYPE_CHECKING:
    from gui.widgets.series_plot import SeriesPlot

DAYS = 7
_SETTLE_MS = 200
_MINUTES_S = 150.0
"""Minutes of machines are kept one by one: a shorter absence cannot be told from them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the preview says: how often, and the words of it."""

    count: int
    text: str


class RulePreview(QWidget):
    """`series_wanted` asks for the names of series that a rule looks at, `points_wanted` for the points of one."""

    series_wanted = pyqtSignal(int, object)
    points_wanted = pyqtSignal(int, str, float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rule: AlarmRule | None = None
        self._points: SeriesPoints | None = None
        self._span = (0.0, 1.0)
        self._series_id = self._points_id = 0
        self._asked: tuple[object, ...] = ()
        self.outcome: Outcome | None = None
        self.plot: SeriesPlot | None = None
        self.series = ChoiceBox()
        self.series.setAccessibleName(_("Series to look at"))
        self.series.activated.connect(self._ask_points)
        self._words = plain_label("", wrap=True)
        self._empty = EmptyState("")
        holder = QWidget()
        holder.setMinimumHeight(180)
        self._stack = QStackedLayout(holder)
        self._stack.addWidget(self._empty)
        line = QHBoxLayout()
        line.setSpacing(10)
        line.addWidget(plain_label(_("On past values of"), "dim"))
        line.addWidget(self.series, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(line)
        layout.addWidget(holder, 1)
        layout.addWidget(self._words)
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.setInterval(_SETTLE_MS)
        self._settling.timeout.connect(self._settle)

    @property
    def current_rule(self) -> AlarmRule | None:
        """The rule that is tried."""
        return self._rule

    def set_rule(self, rule: AlarmRule | None) -> None:
        """Show this rule on the past; None while what is typed is none yet."""
        self._rule = rule
        self._settling.start()

    def apply_series(self, request_id: int, names: Sequence[str]) -> None:
        """Take the answer to `series_wanted`."""
        if request_id != self._series_id:
            return
        chosen = self.series.currentText()
        self.series.clear()
        self.series.addItems([one_line(name) for name in names])
        for row, name in enumerate(names):
            self.series.setItemData(row, name)
        at = self.series.findText(chosen)
        self.series.setCurrentIndex(at if at >= 0 else 0)
        self.series.setEnabled(bool(names))
        if names:
            self._ask_points()
        else:
            self._points = None
            is_derived = self._rule is not None and self._rule.quantity in DERIVED
            self._say(
                _("This is computed as the meter is read, and not kept: the rule is tried from now on.")
                if is_derived
                else _("No past values of this are kept: the rule is tried from now on.")
            )

    def apply_points(self, request_id: int, points: SeriesPoints | None) -> None:
        """Take the answer to `points_wanted`."""
        if request_id != self._points_id:
            return
        self._points = points
        if points is None:
            self._say(_("The history of this could not be read."))
        else:
            self._show()

    def _settle(self) -> None:
        rule = self._rule
        if rule is None:
            self._asked = ()
            self._say(_("Fill in the rule: when it would have rung is shown here."))
            return
        asked = (rule.source, rule.quantity, rule.kind in (RuleKind.SILENT, RuleKind.OFFLINE))
        if asked != self._asked:
            self._asked = asked
            self._series_id = next_request_id()
            self._say(_("reading the history…"))
            self.series_wanted.emit(self._series_id, rule)
        else:
            self._show()

    def _ask_points(self) -> None:
        name = self.series.currentData()
        if not name:
            return
        now_s = time.time()
        self._span = (now_s - DAYS * 86_400, now_s)
        self._points, self._points_id = None, next_request_id()
        self.points_wanted.emit(self._points_id, name, *self._span)

    def _say(self, text: str) -> None:
        self.outcome = None
        self._empty.set_sentence(text)
        self._stack.setCurrentIndex(0)
        self._words.setText("")

    def _show(self) -> None:
        rule, points = self._rule, self._points
        if rule is None or points is None:
            return
        if not len(points.time_s):
            self._say(_("No values of the last {days} days are kept.").format(days=DAYS))
            return
        is_minutes = points.name.startswith("machine/") and rule.kind in (RuleKind.SILENT, RuleKind.OFFLINE)
        tried = replace(rule, duration_s=max(rule.duration_s, _MINUTES_S)) if is_minutes else rule
        found = rings(tried, points)
        self.outcome = Outcome(len(found), self._outcome_words(found, points, is_minutes))
        self._words.setText(self.outcome.text)
        if self.plot is None:
            from gui.widgets.series_plot import SeriesPlot

            self.plot = SeriesPlot()
            self._stack.addWidget(self.plot)
        limits = () if rule.kind is RuleKind.RATE else tuple(x for x in (rule.low, rule.high) if x is not None)
        first_s = points.time_s[0]
        self.plot.show_series(
            quantity_text(points.name.rpartition("/")[2], source_name(points.name.rpartition("/")[0])),
            points,
            max(self._span[0], first_s - 0.02 * (self._span[1] - first_s)),
            self._span[1],
            limits=limits,
            bands=[(ring.start_s, ring.end_s if ring.end_s is not None else self._span[1]) for ring in found],
            role=severity_role(rule.severity),
        )
        self._stack.setCurrentWidget(self.plot)

    def _outcome_words(self, found: Sequence[Ring], points: SeriesPoints, is_minutes: bool) -> str:
        kept_s = self._span[1] - max(self._span[0], points.time_s[0])
        days = max(1, round(kept_s / 86_400))
        over = ngettext("{count} day", "{count} days", days).format(count=days)
        if kept_s < 0.9 * 86_400:
            over = numbers.duration(max(1.0, kept_s))
        if not found:
            text = _("would not have rung in {time}").format(time=over)
        else:
            text = ngettext(
                "would have rung {count} time in {time}", "would have rung {count} times in {time}", len(found)
            ).format(count=numbers.number(len(found)), time=over)
            last = found[-1]
            value = value_text(last.value, points.unit)
            text += ", " + _("last at {time}").format(time=numbers.clock(last.start_s))
            if value and points.unit and self._rule is not None and self._rule.kind is not RuleKind.SILENT:
                text += f" ({value})"
        if is_minutes:
            text += " · " + _("absences under 2 min are not in the history")
        return text
