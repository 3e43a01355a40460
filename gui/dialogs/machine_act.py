"""Asks twice before a process is ended or a service restarted: first what is meant, then what will happen.

Enter never confirms: Cancel has the focus, and the second question wants a box ticked first.
"""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QCheckBox, QWidget

from core.language import _
from gui.dialogs.base import FormDialog
from gui.models import machine_acts
from gui.models.machine_acts import Act
from gui.widgets.labels import plain_label


class ActDialog(FormDialog):
    """`confirmed` carries the act once both questions were answered with yes."""

    confirmed = pyqtSignal(object)

    def __init__(self, act: Act, parent: QWidget | None = None) -> None:
        super().__init__(machine_acts.title(act), _("Continue…"), parent)
        self.act = act
        self._is_second = False
        self.question = plain_label(machine_acts.question(act), wrap=True, selectable=True)
        self.add_wide(self.question)
        self.warning = plain_label(machine_acts.warning(act), wrap=True, selectable=True)
        self.add_wide(self.warning)
        self.warning.hide()
        # no mnemonic: a name of a process may hold an ampersand
        self.box = QCheckBox(machine_acts.confirmation(act).replace("&", "&&"))
        self.box.toggled.connect(self._on_toggled)
        self.add_wide(self.box)
        self.box.hide()
        if self.accept_button is not None:
            self.accept_button.setDefault(False)
            self.accept_button.setAutoDefault(False)
        self.cancel_button.setAutoDefault(True)
        self.cancel_button.setDefault(True)
        self.cancel_button.setFocus()

    def on_accept(self) -> None:
        """The first yes brings the second question; the second one, with its box ticked, is the answer."""
        if not self._is_second:
            self._is_second = True
            self.warning.show()
            self.box.show()
            if self.accept_button is not None:
                self.accept_button.setText(machine_acts.title(self.act))
                self.accept_button.setEnabled(False)
            self.cancel_button.setFocus()
            self._grow()
        elif self.box.isChecked():
            self.confirmed.emit(self.act)
            self.accept()

    def _on_toggled(self, is_ticked: bool) -> None:
        if self.accept_button is not None:
            self.accept_button.setEnabled(is_ticked)
