"""The passphrase of this console's key: asked for at the start, and set, changed or removed."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QLineEdit, QWidget

from core.language import _, ngettext
from gui.dialogs.base import FormDialog
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.labels import plain_label

TRIES = 3
REMOVE = "remove"


class PassphraseDialog(FormDialog):
    """Asks for the passphrase by `typed`; three tries, then it gives up."""

    typed = pyqtSignal(str)

    def __init__(self, path: str, parent: QWidget | None = None) -> None:
        super().__init__(_("Key of this console"), _("Unlock"), parent)
        self._wrong = 0
        self.add_wide(
            plain_label(
                _("The key of this console is protected. Without its passphrase no machine can be reached."), wrap=True
            )
        )
        self.field = QLineEdit()
        self.field.setEchoMode(QLineEdit.Password)
        self.field.setMaxLength(256)
        self.add_row(_("Passphrase"), self.field)
        self.add_wide(plain_label(path, "dim", wrap=True))
        self.cancel_button.setText(_("Stay without links"))

    def on_accept(self) -> None:
        """Try it."""
        text = self.field.text()
        self.field.clear()
        if not text:
            self.say(_("Type the passphrase of the key."), "warning")
            return
        self.set_busy(True)
        self.say("")
        self.typed.emit(text)

    def apply_wrong(self, text: str) -> None:
        """It does not open the key."""
        self.set_busy(False)
        self._wrong += 1
        if self._wrong >= TRIES:
            self.reject()
            return
        left = TRIES - self._wrong
        sentence = ngettext("{problem}; {count} try is left", "{problem}; {count} tries are left", left)
        self.say(sentence.format(problem=text, count=left), "critical")
        self.field.setFocus()

    def apply_opened(self) -> None:
        """The key is open."""
        self.set_busy(False)
        self.accept()


class ProtectKeyDialog(FormDialog):
    """`wanted(present passphrase, new one, place)`; the new one is None where it is to be removed."""

    wanted = pyqtSignal(str, object, str)

    def __init__(self, is_protected: bool, parent: QWidget | None = None) -> None:
        super().__init__(_("Passphrase of the key"), _("Change") if is_protected else _("Protect"), parent)
        self._is_protected = is_protected
        self.add_wide(
            plain_label(
                _(
                    "The key is what machines trust this console by. Under a passphrase, a copy of its file is of no "
                    "use to anybody. Who forgets it must pair all machines again: nobody can tell it."
                ),
                wrap=True,
            )
        )
        self.old, self.new, self.again = (_secret_field() for _field in range(3))
        if is_protected:
            self.add_row(_("Present passphrase"), self.old)
        self.place = ChoiceBox()
        self.place.addItem(_("ask for it"), "ask")
        self.place.addItem(_("take it from the keyring of this desktop"), "keyring:console key")
        if is_protected:
            self.place.addItem(_("no passphrase any more"), REMOVE)
        self.add_row(_("New passphrase"), self.new)
        self.add_row(_("Once more"), self.again)
        self.add_row(_("At each start"), self.place)
        self.place.currentIndexChanged.connect(lambda _index: self._allow())

    def on_accept(self) -> None:
        """Ask for it, where the two are the same."""
        new: str | None = self.new.text()
        if self.place.currentData() == REMOVE:
            new = None
        elif new != self.again.text():
            self.say(_("The two are not the same."), "warning")
            self.again.setFocus()
            return
        self.set_busy(True)
        self.say("")
        self.wanted.emit(self.old.text(), new, self.place.currentData())

    def apply_failed(self, text: str) -> None:
        """It stays as it was."""
        self.set_busy(False)
        self.say(text, "critical")

    def apply_done(self) -> None:
        """It holds."""
        self.set_busy(False)
        for field in (self.old, self.new, self.again):
            field.clear()
        self.accept()

    def _allow(self) -> None:
        is_kept = self.place.currentData() != REMOVE
        self.new.setEnabled(is_kept)
        self.again.setEnabled(is_kept)


def _secret_field() -> QLineEdit:
    field = QLineEdit()
    field.setEchoMode(QLineEdit.Password)
    field.setMaxLength(256)
    return field
