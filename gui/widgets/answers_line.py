"""The line above the answers: finding something in them, and what can be done with all of them."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QPushButton, QWidget

from core.language import N_, _
from core.records import CommandState
from gui.models.answers import NOT_WELL, Run
from gui.numbers import number

_AGAIN = {
    CommandState.FAILED: N_("On the {count} that failed"),
    CommandState.TIMEOUT: N_("On the {count} out of time"),
    CommandState.OFFLINE: N_("On the {count} not sent"),
    CommandState.UNKNOWN: N_("On the {count} unknown"),
    CommandState.CANCELLED: N_("On the {count} cancelled"),
    CommandState.NOT_ALLOWED: N_("On the {count} not allowed"),
}
SAVES = (
    ("text", N_("Text, as gathered…")),
    ("sections", N_("Text, a section for each machine…")),
    ("csv", N_("Table (CSV)…")),
    ("xlsx", N_("Table (XLSX)…")),
    ("json", N_("JSON, as run --json prints it…")),
    ("folder", N_("A folder with a file for each machine…")),
)
"""Kinds of files that answers are saved as, with the words of the menu."""


class AnswersLine(QWidget):
    """About one run at a time; asks for copies, files and another run by signals."""

    copy_wanted = pyqtSignal()
    save_wanted = pyqtSignal(str)
    again_wanted = pyqtSignal(list)
    differences_toggled = pyqtSignal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._run: Run | None = None
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(_("Search the answers"))
        self.search.setAccessibleName(_("Search the answers"))
        self.search.setClearButtonEnabled(True)
        self.search.setMinimumWidth(90)
        self.differences = QPushButton(_("Differences"), self)
        self.differences.setCheckable(True)
        self.differences.setChecked(True)
        self.differences.setToolTip(_("Show what differs from the largest group, or each answer whole"))
        self.differences.toggled.connect(self.differences_toggled)
        self.save = QPushButton(_("Save ▾"), self)
        self.save.setAccessibleName(_("Save the answers"))
        menu = QMenu(self.save)
        menu.addAction(_("Copy all")).triggered.connect(lambda _checked=False: self.copy_wanted.emit())
        menu.addSeparator()
        for kind, words in SAVES:
            action = menu.addAction(_(words))
            action.triggered.connect(lambda _checked=False, kind=kind: self.save_wanted.emit(kind))
        self.save.setMenu(menu)
        self.again = QPushButton(_("Run again ▾"), self)
        self.again.setAccessibleName(_("Run again on some of the machines"))
        self._again_menu = QMenu(self.again)
        self._again_menu.aboutToShow.connect(self.fill_again)
        self.again.setMenu(self._again_menu)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.search, 1)
        for button in (self.differences, self.save, self.again):
            layout.addWidget(button)

    def show_run(self, run: Run) -> None:
        """The run that all of it is about."""
        self._run = run
        failed = len(run.ended_as((CommandState.FAILED, CommandState.TIMEOUT)))
        words = _("Run again on {count} ▾").format(count=number(failed)) if failed else _("Run again ▾")
        if self.again.text() != words:
            self.again.setText(words)

    def fill_again(self) -> QMenu:
        """The ways of running it again, by how it ended where; the first is what is mostly wanted."""
        menu = self._again_menu
        menu.clear()
        run = self._run
        if run is None:
            return menu
        failed = run.ended_as((CommandState.FAILED, CommandState.TIMEOUT))
        if failed:
            self._offer(_("On the {count} that failed").format(count=number(len(failed))), failed)
            menu.addSeparator()
        for state in NOT_WELL:
            names = run.ended_as((state,))
            if names and names != failed:
                self._offer(_(_AGAIN[state]).format(count=number(len(names))), names)
        others = run.ended_as(NOT_WELL)
        if others and len(others) > len(failed):
            self._offer(_("On all {count} where it did not end well").format(count=number(len(others))), others)
        if menu.actions() and not menu.actions()[-1].isSeparator():
            menu.addSeparator()
        every = list(run.request.machines)
        self._offer(_("On all {count}").format(count=number(len(every))), every)
        return menu

    def _offer(self, words: str, names: list[str]) -> None:
        action = self._again_menu.addAction(words)
        action.triggered.connect(lambda _checked=False: self.again_wanted.emit(names))
