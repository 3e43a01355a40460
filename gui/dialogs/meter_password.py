"""The password of a meter that asks for one."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QLineEdit, QWidget

from core.language import _
from gui.dialogs.base import FormDialog
from gui.widgets.labels import plain_label

MOST_OCTETS = 64


class PasswordDialog(FormDialog):
    """`password_given(meter, password)`; `refused` are the words of a meter that did not take the last one."""

    password_given = pyqtSignal(str, str)

    def __init__(self, meter: str, refused: str = "", parent: QWidget | None = None) -> None:
        super().__init__(_("Password of {meter}").format(meter=meter), _("Try this one"), parent)
        self._meter = meter
        self.add_wide(
            plain_label(
                _(
                    "This meter asks for a password: it is the grid operator's, or whoever installed the meter has it. "
                    "It is tried once, and nothing is tried again by itself: some meters lock themselves after wrong "
                    "passwords."
                ),
                wrap=True,
            )
        )
        self.password = QLineEdit()
        self.password.setEchoMode(QLineEdit.Password)
        self.password.setMaxLength(MOST_OCTETS)
        self.add_row(_("Password"), self.password)
        words = _("The password is kept in a file that only you can read, and never shown again.")
        self.add_wide(plain_label(words, "dim", wrap=True))
        if refused:
            self.say(refused, "warning")

    def on_accept(self) -> None:
        """Hand it over."""
        text = self.password.text()
        if not 0 < len(text.encode()) <= MOST_OCTETS:
            self.say(_("A password has 1 to {count} octets.").format(count=MOST_OCTETS), "warning")
            self.password.setFocus()
            return
        self.password_given.emit(self._meter, text)
        self.password.clear()
        self.accept()
