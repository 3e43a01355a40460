"""Where a server of ours listens: this machine only, or the network, with what that means."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QAbstractSpinBox, QLineEdit, QSpinBox, QWidget

from core.language import _
from gui.dialogs.base import FormDialog
from gui.dialogs.fields import addresses, host_of, is_network
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.labels import plain_label, set_role

LOCAL = "127.0.0.1"
NETWORK = "0.0.0.0"  # noqa: S104 chosen by the user, who is told what it means


class ListenDialog(FormDialog):
    """`chosen(address, allow)`; `meaning` says what opening it to the network means, `allow` None hides that field."""

    chosen = pyqtSignal(str, tuple)

    def __init__(
        self,
        title: str,
        address: str,
        meaning: str,
        allow: tuple[str, ...] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(title, _("Open"), parent)
        self._meaning = meaning
        host = host_of(address)
        self.host = ChoiceBox()
        self.host.addItem(_("this machine only"), LOCAL)
        self.host.addItem(_("the network: every machine that reaches this one"), NETWORK)
        if self.host.findData(host) < 0:
            self.host.addItem(host, host)
        self.host.setCurrentIndex(self.host.findData(host))
        self.host.currentIndexChanged.connect(self._show_meaning)
        self.add_row(_("Reached from"), self.host)
        self.port = QSpinBox()
        self.port.setRange(1, 65535)
        self.port.setButtonSymbols(QAbstractSpinBox.NoButtons)
        self.port.setValue(int(address.rpartition(":")[2]) or 1)
        self.add_row(_("Port"), self.port)
        self.allow: QLineEdit | None = None
        if allow is not None:
            self.allow = QLineEdit(", ".join(allow))
            self.allow.setPlaceholderText(_("everybody; or such as 10.0.1.0/24, 10.0.2.7"))
            self.add_row(_("Allowed addresses"), self.allow)
        self._means = plain_label("", wrap=True)
        self.add_wide(self._means)
        self._show_meaning()

    def address(self) -> str:
        """`HOST:PORT` as it is chosen now."""
        return f"{self.host.currentData()}:{self.port.value()}"

    def on_accept(self) -> None:
        """Tell what is chosen, or say which address cannot be."""
        allowed: tuple[str, ...] = ()
        if self.allow is not None:
            allowed, error = addresses(self.allow.text())
            if error:
                self.say(error, "warning")
                self.allow.setFocus()
                return
        self.chosen.emit(self.address(), allowed)
        self.accept()

    def _show_meaning(self) -> None:
        is_open = is_network(self.address())
        self._means.setText(self._meaning if is_open else _("Other machines cannot reach it."))
        set_role(self._means, "warning" if is_open else "dim")
        if self.accept_button is not None:
            self.accept_button.setText(_("Open to the network") if is_open else _("Open"))
        self._grow()
