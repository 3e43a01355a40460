"""Admit a console…, and the level and last day of one: what it may do, until when, where; a row for each machine."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from PyQt5.QtCore import QDate, Qt, pyqtSignal
from PyQt5.QtGui import QFontDatabase
from PyQt5.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDateEdit,
    QFileDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QTableWidgetItem,
    QWidget,
)

from core.language import _, ngettext
from core.records import Level
from gui.dialogs.base import FormDialog
from gui.models.consoles import LEVEL_WORDS, ConsoleRow, short_names
from gui.numbers import number
from gui.plain_text import one_line, plain_tip
from gui.theme import theme
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.labels import plain_label
from gui.widgets.small_table import SmallTable

_YEAR_DAYS = 365


class RightsFields(QWidget):
    """Level and last day, side by side."""

    def __init__(self, most: Level, today: datetime.date, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.level = ChoiceBox()
        for level in Level:
            if level.rank <= most.rank:
                self.level.addItem(_(LEVEL_WORDS[level]), level)
        self.level.setAccessibleName(_("Level"))
        self.has_end = QCheckBox(_("until"))
        self.day = QDateEdit(QDate(today).addDays(_YEAR_DAYS))
        self.day.setCalendarPopup(True)
        self.day.setDisplayFormat("yyyy-MM-dd")
        self.day.setMinimumDate(QDate(today))
        self.day.setEnabled(False)
        self.day.setAccessibleName(_("Last day"))
        self.has_end.toggled.connect(self.day.setEnabled)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.level, 1)
        line.addWidget(self.has_end)
        line.addWidget(self.day)

    def choose(self, level: Level, expires: str | None) -> None:
        """Show what holds now."""
        place = next((row for row in range(self.level.count()) if self.level.itemData(row) is level), -1)
        self.level.setCurrentIndex(max(place, 0) if place >= 0 else self.level.count() - 1)
        self.has_end.setChecked(expires is not None)
        if expires is not None:
            self.day.setMinimumDate(min(self.day.minimumDate(), QDate.fromString(expires, Qt.ISODate)))
            self.day.setDate(QDate.fromString(expires, Qt.ISODate))

    def chosen(self) -> tuple[Level, datetime.date | None]:
        """What is chosen."""
        return self.level.currentData(), self.day.date().toPyDate() if self.has_end.isChecked() else None


class MachineResults(SmallTable):
    """What became of it on each machine."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__([_("Machine"), _("State")], 1, _("Machines"), parent)
        self.setMinimumHeight(130)
        self._rows: dict[str, int] = {}
        self.failed = 0
        self.done = 0

    def set_machines(self, names: Sequence[str]) -> None:
        """These are to be waited for."""
        self.failed = self.done = 0
        self._rows = {name: row for row, name in enumerate(names)}
        self.setRowCount(len(names))
        for name, row in self._rows.items():
            self.setItem(row, 0, QTableWidgetItem(one_line(name)))
            self.setItem(row, 1, QTableWidgetItem(_("waiting")))

    def apply(self, name: str, error: str | None) -> None:
        """One has ended."""
        row = self._rows.get(name)
        if row is None:
            return
        item = self.item(row, 1)
        item.setText("✓ " + _("done") if error is None else f"✕ {one_line(error)}")
        item.setToolTip(plain_tip(error or ""))
        item.setForeground(theme().color("ok" if error is None else "critical"))
        self.done += error is None
        self.failed += error is not None

    def apply_cancelled(self) -> None:
        """Those that have not ended are not waited for."""
        for row in self._rows.values():
            if self.item(row, 1).text() == _("waiting"):
                self.item(row, 1).setText("– " + _("not waited for"))

    @property
    def left(self) -> int:
        """Machines that have not ended yet."""
        return len(self._rows) - self.done - self.failed


class _EachDialog(FormDialog):
    """Something that is done on several machines, with a row for each."""

    results: MachineResults

    def begin(self, names: Sequence[str]) -> None:
        """It goes to these machines now."""
        self.results.set_machines(names)
        self.results.show()
        self.set_busy(True)
        self.say("")

    def apply_ended(self, name: str, error: str | None) -> None:
        """How it ended on one machine."""
        self.results.apply(name, error)
        counts = {"done": number(self.results.done), "failed": number(self.results.failed)}
        if self.results.left:
            self.say(_("{done} done, {failed} failed, {left} to go").format(left=number(self.results.left), **counts))
            return
        self.set_busy(False)
        if not self.results.failed:
            self.say(_("done on all of them"), "ok")
            self.cancel_button.setText(_("Close"))
        else:
            self.say(_("{done} done, {failed} failed; the row of each says why").format(**counts), "warning")


class AdmitDialog(_EachDialog):
    """`card_given(text)`, `card_chosen(path)`, then `admit_wanted(level, last day, targets)`."""

    card_given = pyqtSignal(str)
    card_chosen = pyqtSignal(str)
    admit_wanted = pyqtSignal(object, object, str)

    def __init__(
        self, targets: Sequence[str], most: Level, today: datetime.date, parent: QWidget | None = None
    ) -> None:
        super().__init__(_("Admit a console"), _("Admit"), parent)
        self.resize(720, 560)
        self._has_card = False
        self.add_wide(
            plain_label(
                _(
                    "1. The other operator opens Machines › Consoles… and sends you the card of that console, by mail "
                    "or on a stick. Paste it here, or choose its file."
                ),
                wrap=True,
            )
        )
        self.text = QPlainTextEdit()
        self.text.setPlaceholderText(_("the text of the card"))
        self.text.setTabChangesFocus(True)
        self.text.setFixedHeight(72)
        self.text.setAccessibleName(_("Card"))
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.FixedFont))
        self.choose_button = QPushButton(_("Choose a file…"))
        self.choose_button.setAutoDefault(False)
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(self.text, 1)
        line.addWidget(self.choose_button, 0, Qt.AlignTop)
        self.add_wide(line)
        self.add_wide(
            plain_label(_("2. Have them read the fingerprint to you, over the telephone or face to face."), wrap=True)
        )
        self.who = plain_label("", selectable=True)
        self.fingerprint = plain_label("", selectable=True)
        self.fingerprint.setFont(QFontDatabase.systemFont(QFontDatabase.FixedFont))
        self.add_row(_("Console"), self.who)
        self.add_row(_("Fingerprint"), self.fingerprint)
        self.is_compared = QCheckBox(_("They read the same fingerprint"))
        self.is_compared.setEnabled(False)
        self.add_row("", self.is_compared)
        self.add_wide(plain_label(_("3. What it may do, and where."), wrap=True))
        self.rights = RightsFields(most, today)
        self.rights.choose(min(Level.RUN, most, key=lambda level: level.rank), None)
        self.add_row(_("Level"), self.rights)
        self.targets = ChoiceBox()
        self.targets.setEditable(True)
        self.targets.setInsertPolicy(QComboBox.NoInsert)
        self.targets.addItems(list(targets))
        self.targets.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self.add_row(_("On"), self.targets)
        self.results = MachineResults()
        self.results.hide()
        self.cancelled.connect(self.results.apply_cancelled)
        self.add_wide(self.results)
        self.text.textChanged.connect(lambda: self.card_given.emit(self.text.toPlainText()[:20_000]))
        self.choose_button.clicked.connect(self._on_choose)
        self.is_compared.toggled.connect(lambda _checked: self._allow())
        self._allow()

    def apply_card(self, name: str, fingerprint: str) -> None:
        """The card is one: whose it is."""
        self._has_card = True
        self.is_compared.setChecked(False)
        self.is_compared.setEnabled(True)
        self.who.setText(name)
        groups = fingerprint.removeprefix("SHA256:").split("-")
        self.fingerprint.setText("SHA256:\n" + " ".join(groups[:7]) + "\n" + " ".join(groups[7:]))
        self.say("")
        self._allow()

    def apply_no_card(self, problem: str) -> None:
        """What was given is none."""
        self._has_card = False
        self.is_compared.setChecked(False)
        self.is_compared.setEnabled(False)
        self.who.setText("")
        self.fingerprint.setText("")
        self.say(problem, "warning" if problem else None)
        self._allow()

    def apply_failed(self, text: str) -> None:
        """It cannot be begun."""
        self.set_busy(False)
        self.say(text, "critical")

    def on_accept(self) -> None:
        """Ask for it."""
        level, expires = self.rights.chosen()
        self.admit_wanted.emit(level, expires, self.targets.currentText().strip() or "all")

    def set_busy(self, is_busy: bool) -> None:
        """The fields wait meanwhile."""
        super().set_busy(is_busy)
        self._allow()

    def _allow(self) -> None:
        is_open = self._has_card and self.is_compared.isChecked() and not self.is_busy
        self.accept_button.setEnabled(is_open)

    def _on_choose(self) -> None:
        path, _filter = QFileDialog.getOpenFileName(self, _("The card of a console"), "", _("All files (*)"))
        if path:
            self.card_chosen.emit(path)


class ChangeDialog(_EachDialog):
    """Level and last day of one console: `change_wanted(level or None, last day, "never" or None)`."""

    change_wanted = pyqtSignal(object, object)

    def __init__(self, row: ConsoleRow, most: Level, today: datetime.date, parent: QWidget | None = None) -> None:
        super().__init__(_("Level and last day"), _("Change"), parent)
        self._row = row
        self.add_row(_("Console"), plain_label(one_line(row.name), selectable=True))
        self.rights = RightsFields(most, today)
        self.rights.choose(row.levels[-1], row.expires)
        self._before = self.rights.chosen()
        self.add_row(_("Level"), self.rights)
        count = len(row.changeable)
        self.add_wide(
            plain_label(
                ngettext(
                    "It holds on {machines} within a second; consoles that it admitted are lowered with it.",
                    "It holds on {count} machines within a second: {machines}. Consoles that it admitted there are "
                    "lowered with it.",
                    count,
                ).format(count=number(count), machines=short_names(row.changeable)),
                "dim",
                wrap=True,
            )
        )
        if row.is_own:
            self.add_wide(plain_label(_("This is your own console: you cannot raise it again."), "warning", wrap=True))
        self.results = MachineResults()
        self.results.hide()
        self.cancelled.connect(self.results.apply_cancelled)
        self.add_wide(self.results)

    def on_accept(self) -> None:
        """Ask for what is other than before."""
        level, expires = self.rights.chosen()
        other_level = None if level is self._before[0] and len(self._row.levels) == 1 else level
        other_day: datetime.date | str | None = None
        if expires != self._before[1]:
            other_day = expires if expires is not None else "never"
        if other_level is None and other_day is None:
            self.accept()
        else:
            self.change_wanted.emit(other_level, other_day)
