"""The keys of a meter that encrypts what it sends."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget

from core.language import _
from gui.dialogs.base import FormDialog
from gui.widgets.labels import plain_label

_SIZES = (16, 24, 32)
_MAX_FILE = 4096


class KeyDialog(FormDialog):
    """`key_given(meter, key, auth_key)`, both in hexadecimal, the second empty where the meter has none."""

    key_given = pyqtSignal(str, str, str)

    def __init__(self, meter: str, parent: QWidget | None = None) -> None:
        super().__init__(_("Key of {meter}").format(meter=meter), _("Save"), parent)
        self._meter = meter
        self.add_wide(
            plain_label(
                _(
                    "This meter encrypts what it sends. Its owner gets the key from the grid operator: in the customer "
                    "portal (often under “customer interface” or “smart meter”), or by asking their support with the "
                    "meter's serial number."
                ),
                wrap=True,
            )
        )
        self.key = self._field(_("Encryption key"), _("32 hexadecimal digits"))
        self.auth_key = self._field(
            _("Authentication key"), _("32 hexadecimal digits; empty if you were given one key")
        )
        self.add_wide(
            plain_label(
                _("Without an authentication key readings are decrypted, but nothing proves that the meter sent them."),
                "dim",
                wrap=True,
            )
        )
        self.add_wide(plain_label(_("The keys are kept in a file that only you can read."), "dim", wrap=True))

    def _field(self, label: str, placeholder: str) -> QLineEdit:
        field = QLineEdit()
        field.setPlaceholderText(placeholder)
        field.setAccessibleName(label)
        choose = QPushButton(_("File…"))
        choose.setAutoDefault(False)
        choose.setAccessibleName(_("File of: {field}").format(field=label))
        choose.clicked.connect(lambda: self._on_choose(field))
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(field, 1)
        line.addWidget(choose)
        self.add_row(label, line)
        return field

    def on_accept(self) -> None:
        """Check both, then hand them over."""
        keys = []
        for field, is_needed in ((self.key, True), (self.auth_key, False)):
            text = "".join(field.text().split()).replace(":", "")
            if not text and not is_needed:
                keys.append("")
                continue
            try:
                size = len(bytes.fromhex(text))
            except ValueError:
                size = 0
            if size not in _SIZES:
                self.say(
                    _("A key has 32 hexadecimal digits (0–9, A–F); this one has {count} signs.").format(
                        count=len(text)
                    ),
                    "warning",
                )
                field.setFocus()
                return
            keys.append(text)
        self.key_given.emit(self._meter, *keys)
        self.accept()

    def apply_failed(self, error: BaseException) -> None:
        """The keys could not be kept."""
        self.say(str(error), "critical")

    def _on_choose(self, field: QLineEdit) -> None:
        path, _filter = QFileDialog.getOpenFileName(self, _("Choose the file of the key"))
        if not path:
            return
        try:
            with Path(path).open("rb") as stream:
                content = stream.read(_MAX_FILE)
        except OSError as error:
            self.say(_("{path} cannot be read: {reason}").format(path=path, reason=error.strerror), "critical")
            return
        try:
            field.setText(content.decode("ascii").strip().splitlines()[0].strip())
        except (UnicodeDecodeError, IndexError):
            field.setText(content.hex() if len(content) in _SIZES else "")
