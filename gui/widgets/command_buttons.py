"""The buttons above the line: what every agent answers, the site's favourites, the library, the allowed commands."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QMenu, QPushButton, QWidget

from core.config.commands import CommandConfig
from core.language import _
from core.records import line_of
from gui.models.command_line import BUILT_INS, FOLDERS
from gui.plain_text import one_line, plain_tip
from gui.widgets.flow_layout import FlowLayout
from gui.widgets.library_menu import STAR, command_words, fill_library_menu

FAVOURITES_SHOWN = 8
NAME_CHARACTERS = 24


class CommandButtons(QWidget):
    """Each tells its line; `command_chosen` a command of the library."""

    line_chosen = pyqtSignal(str)
    line_begun = pyqtSignal(str)
    """The beginning of a line that its user ends."""
    command_chosen = pyqtSignal(object)
    keep_wanted = pyqtSignal()
    library_wanted = pyqtSignal()
    allowed_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._commands: tuple[CommandConfig, ...] = ()
        self._favourites: list[QPushButton] = []
        self._flow = FlowLayout(self)
        for label, line in BUILT_INS:
            if line == "ps":
                self._flow.addWidget(self._folder_button())
            button = QPushButton(_(label), self)
            button.setToolTip(plain_tip(line))
            button.clicked.connect(lambda _checked=False, line=line: self.line_chosen.emit(line))
            self._flow.addWidget(button)
        self.library = QPushButton(_("Library ▾"), self)
        self.library.setToolTip(_("The site's own commands"))
        menu = QMenu(self.library)
        menu.aboutToShow.connect(self.fill_library)
        self.library.setMenu(menu)
        self.allowed = QPushButton(_("Allowed commands…"), self)
        self.allowed.setToolTip(_("Ask the chosen machines what they allow, and fill it in as a form"))
        self.allowed.clicked.connect(self.allowed_wanted)
        for button in (self.library, self.allowed):
            self._flow.addWidget(button)

    def set_library(self, commands: Sequence[CommandConfig]) -> None:
        """Take the site's commands: its favourites have a button each."""
        if tuple(commands) == self._commands:
            return
        self._commands = tuple(commands)
        for button in self._favourites:
            self._flow.removeWidget(button)
            button.hide()
            button.deleteLater()
        self._favourites = []
        for command in [one for one in commands if one.favourite][:FAVOURITES_SHOWN]:
            name = one_line(command.name)
            shown = name if len(name) <= NAME_CHARACTERS else f"{name[: NAME_CHARACTERS - 1]}…"
            button = QPushButton(f"{STAR} {shown}".replace("&", "&&"), self)
            button.setAccessibleName(name)
            button.setToolTip(plain_tip(command_words(command)))
            button.clicked.connect(lambda _checked=False, command=command: self.command_chosen.emit(command))
            self._flow.insertWidget(self._flow.count() - 2, button)
            button.show()
            self._favourites.append(button)
        order = [*self._favourites, self.library]
        for before, after in itertools.pairwise(order):
            self.setTabOrder(before, after)
        self.updateGeometry()

    def fill_library(self) -> QMenu:
        """The menu of the library, as it is now."""
        menu = self.library.menu()
        fill_library_menu(
            menu, self._commands, self.command_chosen.emit, self.keep_wanted.emit, self.library_wanted.emit
        )
        return menu

    def _folder_button(self) -> QPushButton:
        button = QPushButton(_("List a directory ▾"), self)
        menu = QMenu(button)
        for folder in FOLDERS:
            action = menu.addAction(folder)
            line = line_of(("ls", "-al", folder))
            action.triggered.connect(lambda _checked=False, line=line: self.line_chosen.emit(line))
        menu.addSeparator()
        other = menu.addAction(_("Another…"))
        other.triggered.connect(lambda _checked=False: self.line_begun.emit("ls -al "))
        button.setMenu(menu)
        return button
