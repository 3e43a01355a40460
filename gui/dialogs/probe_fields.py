"""The fields of a probe that few need: how it is spoken to, what it must show, how its meter is counted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from PyQt5.QtWidgets import QCheckBox, QComboBox, QLineEdit, QWidget

from core.config import MeterConfig
from core.language import N_, _
from gui.dialogs.base import More
from gui.dialogs.fields import NotANumberError, decimal
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.labels import plain_label

PROTOCOLS = (
    ("auto", N_("find out by itself")),
    ("push", N_("DLMS push (the meter sends by itself)")),
    ("iec62056-21", N_("IEC 62056-21 (the meter is asked)")),
    ("dlms", N_("DLMS/COSEM (the meter is asked)")),
    ("mbus", N_("M-Bus (the meters on a line are asked)")),
)
LINES = ((None, None), (9600, "N"), (2400, "E"), (300, "E"), (300, "N"), (9600, "E"), (115_200, "N"))
FRAMINGS = ((None, N_("as usual (HDLC)")), ("hdlc", N_("HDLC (serial line)")), ("wrapper", N_("wrapper (TCP)")))
SECRETS = ("password", "key", "auth_key")
_KEY_DIGITS = (32, 48, 64)
_TITLE = re.compile(r"[0-9A-Fa-f]{16}")
_MOST_PASSWORD = 64


class WrongProbeError(ValueError):
    """A field of a probe that holds what cannot be; the message is for the user."""

    def __init__(self, field: QWidget, message: str) -> None:
        super().__init__(message)
        self.field = field


class ProbeFields(More):
    """`values` gives the settings by their keys, `secrets` what was typed of password and keys, never what is kept."""

    def __init__(
        self, meter: MeterConfig | None, tariffs: Sequence[str], presets: Sequence[str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.line = ChoiceBox()
        for baud, parity in LINES:
            self.line.addItem(_("find out by itself") if baud is None else line_words(baud, parity), (baud, parity))
        if meter is not None and meter.baud is not None and (meter.baud, meter.parity) not in LINES:
            self.line.addItem(line_words(meter.baud, meter.parity), (meter.baud, meter.parity))
        self.add_row(_("Line"), self.line)
        self.framing = ChoiceBox()
        for value, title in FRAMINGS:
            self.framing.addItem(_(title), value)
        self.add_row(_("Framing"), self.framing)
        self.client = self._field(_("Client"), _("16 is the public one, 1 with password or keys"))
        self.address = self._field(_("Address"), _("1, LOGICAL:PHYSICAL, or an M-Bus number"), 64)
        self.password = self._secret(_("Password"), meter is not None and meter.password_file is not None)
        self.key = self._secret(_("Encryption key"), meter is not None and meter.key_file is not None, is_key=True)
        self.auth_key = self._secret(
            _("Authentication key"), meter is not None and meter.auth_key_file is not None, is_key=True
        )
        self.system_title = self._field(_("System title"), _("16 hexadecimal digits: who asks, where keys are used"))
        self.preset = ChoiceBox()
        self.preset.setSizeAdjustPolicy(QComboBox.AdjustToMinimumContentsLengthWithIcon)
        self.preset.addItem(_("by the meter itself"), None)
        for name in presets:
            self.preset.addItem(name, name)
        self.add_row(_("Preset"), self.preset)
        self.interval = self._field(_("Read every"), _("seconds; empty: as fast as suits the meter"), 16)
        self.tariff = ChoiceBox()
        self.tariff.addItem(_("the only one there is") if len(tariffs) < 2 else _("none"), None)
        for name in tariffs:
            self.tariff.addItem(name, name)
        self.add_row(_("Tariff"), self.tariff)
        self.subscribed = self._field(_("Subscribed power"), _("kW of the contract; an alarm rings above it"), 16)
        self.total = QCheckBox(_("Counted in the site's total"))
        self.total.setChecked(True)
        self.form.addRow(self.total)
        self.form.addRow(
            plain_label(_("Password and keys are kept in files that only you can read."), "dim", wrap=True)
        )
        if meter is not None:
            self._fill(meter)

    def values(self) -> dict[str, Any]:
        """The settings by the keys of MeterConfig; raises WrongProbeError for a field that cannot be."""
        baud, parity = self.line.currentData()
        subscribed_kw = self._number(self.subscribed, _("Subscribed power"), 0.001, 100_000)
        return {
            "baud": baud,
            "parity": parity,
            "framing": self.framing.currentData(),
            "client": self._whole(self.client, _("Client"), 0, 16383),
            "address": self.address.text().strip(),
            "system_title": self._title(),
            "preset": self.preset.currentData(),
            "interval_s": self._number(self.interval, _("Read every"), 0.2, 86_400),
            "tariff": self.tariff.currentData(),
            "subscribed_power_w": None if subscribed_kw is None else round(subscribed_kw * 1000, 3),
            "total": self.total.isChecked(),
        }

    def secrets(self) -> dict[str, str]:
        """What was typed of `password`, `key` and `auth_key`; raises WrongProbeError."""
        found = {}
        password = self.password.text()
        if password:
            if len(password.encode()) > _MOST_PASSWORD:
                message = _("A password has {count} octets at most.").format(count=_MOST_PASSWORD)
                raise WrongProbeError(self.password, message)
            found["password"] = password
        for name, field in (("key", self.key), ("auth_key", self.auth_key)):
            text = "".join(field.text().split()).replace(":", "")
            if not text:
                continue
            if len(text) not in _KEY_DIGITS or re.fullmatch(r"[0-9A-Fa-f]+", text) is None:
                message = _("A key has 32 hexadecimal digits (0–9, A–F); this one has {count} signs.")
                raise WrongProbeError(field, message.format(count=len(text)))
            found[name] = text
        return found

    def forget_secrets(self) -> None:
        """Nothing that was typed stays on the screen."""
        for field in (self.password, self.key, self.auth_key):
            field.clear()

    def _fill(self, meter: MeterConfig) -> None:
        for box, value in (
            (self.line, (meter.baud, meter.parity)),
            (self.framing, meter.framing),
            (self.preset, meter.preset),
            (self.tariff, meter.tariff),
        ):
            at = next((row for row in range(box.count()) if box.itemData(row) == value), -1)
            if at < 0 and isinstance(value, str):
                box.addItem(value, value)
                at = box.count() - 1
            box.setCurrentIndex(max(0, at))
        self.client.setText("" if meter.client is None else str(meter.client))
        self.address.setText(meter.address)
        self.system_title.setText(meter.system_title or "")
        self.interval.setText("" if meter.interval_s is None else f"{meter.interval_s:g}")
        watts = meter.subscribed_power_w
        self.subscribed.setText("" if watts is None else f"{watts / 1000:g}")
        self.total.setChecked(meter.total)

    def _field(self, label: str, hint: str, most: int = 32) -> QLineEdit:
        field = QLineEdit()
        field.setPlaceholderText(hint)
        field.setMaxLength(most)
        self.add_row(label, field)
        return field

    def _secret(self, label: str, is_kept: bool, *, is_key: bool = False) -> QLineEdit:
        hint = _("32 hexadecimal digits") if is_key else ""
        field = self._field(label, _("kept; type another one to change it") if is_kept else hint, 200)
        field.setEchoMode(QLineEdit.Password)
        return field

    def _title(self) -> str | None:
        text = "".join(self.system_title.text().split())
        if not text:
            return None
        if _TITLE.fullmatch(text) is None:
            raise WrongProbeError(self.system_title, _("A system title has 16 hexadecimal digits."))
        return text.upper()

    def _number(self, field: QLineEdit, label: str, least: float, most: float) -> float | None:
        try:
            value = decimal(field, label)
        except NotANumberError as error:
            raise WrongProbeError(field, str(error)) from error
        if value is not None and not least <= value <= most:
            message = _("{label}: it must be from {least} to {most}, or empty.")
            raise WrongProbeError(field, message.format(label=label, least=f"{least:g}", most=f"{most:g}"))
        return value

    def _whole(self, field: QLineEdit, label: str, least: int, most: int) -> int | None:
        value = self._number(field, label, least, most)
        if value is not None and value != int(value):
            raise WrongProbeError(field, _("{label}: write a whole number.").format(label=label))
        return None if value is None else int(value)


def line_words(baud: int, parity: str | None) -> str:
    """`9600 8N1`, `300 7E1`."""
    is_eight = parity in (None, "N") or (baud, parity) == (2400, "E")
    return f"{baud} {8 if is_eight else 7}{parity or 'N'}1"
