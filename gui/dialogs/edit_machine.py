"""Groups and notes of a machine."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QLineEdit, QPlainTextEdit, QWidget

from core.language import _
from core.records import Machine
from gui.dialogs.base import FormDialog


class EditMachineDialog(FormDialog):
    """`edited(name, groups, notes)`; the first group is the one that the machine is listed under."""

    edited = pyqtSignal(str, list, str)

    def __init__(self, machine: Machine, parent: QWidget | None = None) -> None:
        super().__init__(_("Groups and notes of {name}").format(name=machine.name), _("Save"), parent)
        self._name = machine.name
        self.groups = QLineEdit(", ".join(machine.groups))
        self.groups.setPlaceholderText(_("separated by commas; it is listed under the first one"))
        self.add_row(_("Groups"), self.groups)
        self.notes = QPlainTextEdit(machine.notes)
        self.notes.setTabChangesFocus(True)
        self.notes.setMinimumHeight(120)
        self.add_row(_("Notes"), self.notes)

    def on_accept(self) -> None:
        """Tell what is written."""
        groups = [word.strip() for word in self.groups.text().split(",") if word.strip()]
        self.edited.emit(self._name, list(dict.fromkeys(groups)), self.notes.toPlainText().strip())
        self.accept()
