"""Dialogs of the History page: the time from – to, the name of a view, the ends of an axis."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from PyQt5.QtCore import QDate, QDateTime, QTime, pyqtSignal
from PyQt5.QtWidgets import QCheckBox, QDateTimeEdit, QDoubleSpinBox, QHBoxLayout, QLineEdit, QPushButton, QWidget

from core.language import _
from gui.dialogs.base import FormDialog
from gui.models.history_words import Shown
from gui.widgets.choice_box import ChoiceBox

_FORMAT = "yyyy-MM-dd HH:mm:ss"


class SpanFields(QWidget):
    """Two fields, from and to, in local time, and buttons for usual spans."""

    changed = pyqtSignal()

    def __init__(self, start_s: float, end_s: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.start, self.end = QDateTimeEdit(), QDateTimeEdit()
        for field, at_s, name in ((self.start, start_s, _("From")), (self.end, end_s, _("To"))):
            field.setDisplayFormat(_FORMAT)
            field.setCalendarPopup(True)
            field.setDateTime(_moment(at_s))
            field.setAccessibleName(name)
            field.dateTimeChanged.connect(self.changed)

    def usual(self) -> QHBoxLayout:
        """Buttons for today, yesterday, this month and last month."""
        line = QHBoxLayout()
        line.setSpacing(6)
        today = QDate.currentDate()
        first = QDate(today.year(), today.month(), 1)
        for title, begin, end in (
            (_("Today"), today, today.addDays(1)),
            (_("Yesterday"), today.addDays(-1), today),
            (_("This month"), first, first.addMonths(1)),
            (_("Last month"), first.addMonths(-1), first),
        ):
            button = QPushButton(title)
            button.setAutoDefault(False)
            button.clicked.connect(lambda _on=False, begin=begin, end=end: self._set(begin, end))
            line.addWidget(button)
        line.addStretch(1)
        return line

    def span(self) -> tuple[float, float]:
        """(start_s, end_s) as entered."""
        return tuple(field.dateTime().toMSecsSinceEpoch() / 1000 for field in (self.start, self.end))  # type: ignore[return-value]  # two

    def _set(self, begin: QDate, end: QDate) -> None:
        self.start.setDateTime(QDateTime(begin, QTime(0, 0)))
        self.end.setDateTime(min(QDateTime(end, QTime(0, 0)), QDateTime.currentDateTime()))


class SpanDialog(FormDialog):
    """`chosen(start_s, end_s)`."""

    chosen = pyqtSignal(float, float)

    def __init__(self, start_s: float, end_s: float, parent: QWidget | None = None) -> None:
        super().__init__(_("Time from – to"), _("Show"), parent)
        self.fields = SpanFields(start_s, end_s)
        self.add_row(_("From"), self.fields.start)
        self.add_row(_("To"), self.fields.end)
        self.add_wide(self.fields.usual())

    def on_accept(self) -> None:
        """A span has a beginning before its end."""
        start_s, end_s = self.fields.span()
        if end_s <= start_s:
            self.say(_("The end is not after the beginning."), "warning")
            return
        if start_s > time.time():
            self.say(_("That time is still to come."), "warning")
            return
        self.chosen.emit(start_s, end_s)
        self.accept()


class ViewNameDialog(FormDialog):
    """`chosen(name)`; a name that is taken is told, and taken again where the view is to be replaced."""

    chosen = pyqtSignal(str)

    def __init__(
        self, title: str, name: str, taken: Collection[str], *, may_replace: bool, parent: QWidget | None = None
    ) -> None:
        super().__init__(title, _("Save"), parent)
        self._taken = frozenset(taken)
        self._may_replace = may_replace
        self.name = QLineEdit(name)
        self.name.setMaxLength(64)
        self.name.selectAll()
        self.name.textChanged.connect(self._on_text)
        self.add_row(_("Name of the view"), self.name)
        self._on_text(name)

    def on_accept(self) -> None:
        """Not without a name."""
        name = self.name.text().strip()
        if not name or (name in self._taken and not self._may_replace):
            self.say(_("Give the view a name.") if not name else _("There is a view of that name."), "warning")
            return
        self.chosen.emit(name)
        self.accept()

    def _on_text(self, text: str) -> None:
        is_taken = text.strip() in self._taken and self._may_replace
        self.say(_("The view of that name is replaced.") if is_taken else "", "dim")


class AxisDialog(FormDialog):
    """`chosen(unit, low, high)` in the unit of the values, both None where the axis follows its curves."""

    chosen = pyqtSignal(str, object, object)

    def __init__(
        self,
        axes: Sequence[tuple[str, Shown, float, float, bool]],
        parent: QWidget | None = None,
    ) -> None:
        """`axes` are (unit of the values, how it is shown, low and high end as shown, stands still)."""
        super().__init__(_("Axis"), _("Apply"), parent)
        self._axes = list(axes)
        self.unit = ChoiceBox()
        for _unit, shown, _low, _high, _is_fixed in axes:
            self.unit.addItem(shown.unit or _("without a unit"))
        self.unit.currentIndexChanged.connect(self._on_unit)
        self.follows = QCheckBox(_("follows its curves"))
        self.low, self.high = QDoubleSpinBox(), QDoubleSpinBox()
        for field in (self.low, self.high):
            field.setRange(-1e12, 1e12)
            field.setDecimals(3)
        self.follows.toggled.connect(self._on_follows)
        self.add_row(_("Unit"), self.unit)
        self.add_row(_("The axis"), self.follows)
        self.add_row(_("Lower end"), self.low)
        self.add_row(_("Upper end"), self.high)
        self._on_unit(0)

    def on_accept(self) -> None:
        """The lower end is below the upper one."""
        unit, shown, *_rest = self._axes[self.unit.currentIndex()]
        if self.follows.isChecked():
            self.chosen.emit(unit, None, None)
        elif self.low.value() >= self.high.value():
            self.say(_("The lower end is not below the upper one."), "warning")
            return
        else:
            self.chosen.emit(unit, self.low.value() * shown.divisor, self.high.value() * shown.divisor)
        self.accept()

    def _on_unit(self, at: int) -> None:
        _unit, _shown, low, high, is_fixed = self._axes[at]
        self.low.setValue(low)
        self.high.setValue(high)
        self.follows.setChecked(not is_fixed)
        self._on_follows(not is_fixed)

    def _on_follows(self, follows: bool) -> None:
        self.low.setEnabled(not follows)
        self.high.setEnabled(not follows)


def _moment(time_s: float) -> QDateTime:
    return QDateTime.fromMSecsSinceEpoch(int(time_s * 1000))
