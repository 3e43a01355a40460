"""The line above the answers: what was sent, and what can be done with the answers as a whole."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QMenu, QPushButton, QWidget

from core.language import N_, _
from core.records import CommandState
from gui.models.answer_text import run_title
from gui.models.answers import NOT_WELL, Run, counted
from gui.numbers import number
from gui.widgets.labels import ElidedLabel

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
    """Shows a run's title; asks for copies, files and another run by signals."""

    copy_wanted = pyqtSignal()
    save_wanted = pyqtSignal(str)
    again_wanted = pyqtSignal(list)
    differences_toggled = pyqtSignal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._run: Run | None = None
        self._title = ElidedLabel("dim", self)
        self.differences = QPushButton(_("Differences"), self)
        self.differences.setCheckable(True)
        self.differences.setChecked(True)
        self.differences.setToolTip(_("Show what differs from the largest group, or each answer whole"))
        self.differences.toggled.connect(self.differences_toggled)
        self.copy = QPushButton(_("Copy all"), self)
        self.copy.clicked.connect(self.copy_wanted)
        self.save = QPushButton(_("Save ▾"), self)
        self.save.setAccessibleName(_("Save the answers"))
        menu = QMenu(self.save)
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
        layout.addWidget(self._title, 1)
        for button in (self.differences, self.copy, self.save, self.again):
            layout.addWidget(button)

    def show_run(self, run: Run) -> None:
        """The run that all of it is about."""
        self._run = run
        self._title.set_text(run_title(run))
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
                self._offer(_("On those that ended so: {words}").format(words=counted(state, len(names))), names)
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
