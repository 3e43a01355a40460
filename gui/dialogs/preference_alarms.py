"""The tabs of Preferences for alarms: how they are told here, by e-mail and by a webhook."""

from __future__ import annotations

import re
from typing import Any

from msgspec import to_builtins
from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QWidget

from core.config import Config
from core.config.settings import EmailSettings, WebhookSettings
from core.language import N_, _
from core.site_records import AlarmSeverity
from gui.dialogs.fields import mail_error
from gui.dialogs.preference_tabs import NEVER, PreferenceTab, Values, WrongFieldError
from gui.widgets.labels import ElidedLabel, set_role

PASSWORD_NAME, TOKEN_NAME = "email.password", "webhook.token"
"""Names of the files in the folder of secrets."""

_SECURITIES = (
    ("starttls", N_("encrypted from the greeting on (STARTTLS)")),
    ("tls", N_("encrypted from the beginning (TLS)")),
    ("none", N_("not encrypted")),
)


class AlarmsTab(PreferenceTab):
    """How alarms are told on this screen."""

    def __init__(self, config: Config, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = _("Alarms")
        self._before = before = config.alarms
        self.sound = self.box(_("Ring a sound"), before.sound)
        self.notify = self.severity(_("Notify on the desktop from"), before.notify, has_never=True)
        self.add_words(_("Which values ring is set on the Alarms page, under its rules."))

    def values(self) -> Values:
        """Sound and notifications."""
        before = self._before
        return {
            "alarms.sound": (self.sound.isChecked(), before.sound),
            "alarms.notify": (
                self.notify.currentData(),
                before.notify.value if before.notify is not None else NEVER,
            ),
        }


class _OutputTab(PreferenceTab):
    """One way out for alarms, with a button that tries it: `test_wanted(settings, secrets)`."""

    test_wanted = pyqtSignal(object, dict)

    def add_test(self, text: str) -> None:
        """The button, and beside it what came of it."""
        self.test_button = QPushButton(text)
        self.test_button.setAutoDefault(False)
        self.test_button.clicked.connect(self._on_test)
        self._result = ElidedLabel("dim")
        line = QHBoxLayout()
        line.addWidget(self.test_button)
        line.addWidget(self._result, 1)
        self.add_wide(line)

    def apply_tested(self, error: str) -> None:
        """It was sent, or why not."""
        self.test_button.setEnabled(True)
        self._tell(error or _("sent: look whether it has arrived"), "critical" if error else "ok")

    def result(self) -> str:
        """What came of the test."""
        return self._result.accessibleName()

    def settings(self) -> Any:
        """What is written now, None for nothing; raises WrongFieldError."""
        raise NotImplementedError

    def _on_test(self) -> None:
        try:
            settings = self.settings()
        except WrongFieldError as error:
            self._tell(str(error), "warning")
            error.field.setFocus()
            return
        if settings is None:
            self._tell(_("fill in the fields above first"), "warning")
            return
        self.test_button.setEnabled(False)
        self._tell(_("sending…"), "dim")
        self.test_wanted.emit(settings, self.secrets())

    def _tell(self, text: str, role: str) -> None:
        set_role(self._result, role)
        self._result.set_text(text)


class EmailTab(_OutputTab):
    """Mail of alarms; without a server none is sent."""

    def __init__(self, config: Config, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = _("E-mail")
        self._before = before = config.alarms.email
        self.host = self.line(_("Server"), before.host if before else "", _("none; or such as smtp.example.org"), 253)
        self.port = self.number(_("Port"), before.port if before else 587, 1, 65535)
        securities = [(value, _(title)) for value, title in _SECURITIES]
        self.security = self.choice(_("Encryption"), securities, before.security if before else "starttls")
        self.user = self.line(_("User"), (before.user or "") if before else "", _("none"), 320)
        self.password = self.line(_("Password"), "", _kept(before.password_file if before else None), 1024)
        self.password.setEchoMode(QLineEdit.Password)
        self.sender = self.line(_("From"), before.sender if before else "", "beffroi@example.org", 320)
        self.to = self.line(
            _("To"), ", ".join(before.to) if before else "", "ana@example.org, on-call@example.org", 8000
        )
        self.from_severity = self.severity(_("Alarms from"), before.severity if before else AlarmSeverity.HIGH)
        self.add_test(_("Send a test"))

    def settings(self) -> EmailSettings | None:
        """The mail settings as they are written."""
        host = self.host.text().strip()
        if not host:
            return None
        if not re.fullmatch(r"[^\s/@]+", host):
            raise WrongFieldError(self.host, _("The server is a name or an address, such as smtp.example.org."))
        sender = self.sender.text().strip()
        if mail_error([sender]):
            raise WrongFieldError(self.sender, mail_error([sender]))
        to = tuple(dict.fromkeys(re.split(r"[\s,;]+", self.to.text().strip()))) if self.to.text().strip() else ()
        if not to:
            raise WrongFieldError(self.to, _("Type at least one address that the mail goes to."))
        if len(to) > 50:
            raise WrongFieldError(self.to, _("The mail goes to 50 addresses at most."))
        if mail_error(to):
            raise WrongFieldError(self.to, mail_error(to))
        user = self.user.text().strip() or None
        known = self._before.password_file if self._before is not None else None
        password_file = f"secrets/{PASSWORD_NAME}" if self.password.text() else known
        if user is not None and password_file is None:
            raise WrongFieldError(self.password, _("Type the password of {user}.").format(user=user[:64]))
        return EmailSettings(
            host=host,
            sender=sender,
            to=to,
            port=self.port.value(),
            security=self.security.currentData(),
            user=user,
            password_file=password_file if user is not None else None,
            severity=AlarmSeverity(self.from_severity.currentData()),
        )

    def values(self) -> Values:
        """The whole table."""
        return {"alarms.email": (_table(self.settings()), _table(self._before))}

    def secrets(self) -> dict[str, str]:
        """The password, where one was typed."""
        return {PASSWORD_NAME: self.password.text()} if self.password.text() and self.user.text().strip() else {}


class WebhookTab(_OutputTab):
    """JSON of alarms by POST; without an address none is sent."""

    def __init__(self, config: Config, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = _("Webhook")
        self._before = before = config.alarms.webhook
        self.url = self.line(
            _("Address"), before.url if before else "", _("none; or such as https://chat.example.org/hook"), 2048
        )
        self.token = self.line(_("Token"), "", _kept(before.token_file if before else None), 1024)
        self.token.setEchoMode(QLineEdit.Password)
        self.add_words(_("The token goes along as Authorization: Bearer."))
        self.from_severity = self.severity(_("Alarms from"), before.severity if before else AlarmSeverity.MEDIUM)
        self.add_test(_("Send a test"))

    def settings(self) -> WebhookSettings | None:
        """The webhook as it is written."""
        url = self.url.text().strip()
        if not url:
            return None
        if not re.fullmatch(r"https?://[^\s/]+\S*", url):
            raise WrongFieldError(self.url, _("The address of a webhook begins with https:// or http://."))
        known = self._before.token_file if self._before is not None else None
        return WebhookSettings(
            url=url,
            token_file=f"secrets/{TOKEN_NAME}" if self.token.text() else known,
            severity=AlarmSeverity(self.from_severity.currentData()),
        )

    def values(self) -> Values:
        """The whole table."""
        return {"alarms.webhook": (_table(self.settings()), _table(self._before))}

    def secrets(self) -> dict[str, str]:
        """The token, where one was typed."""
        return {TOKEN_NAME: self.token.text()} if self.token.text() else {}


def _table(settings: EmailSettings | WebhookSettings | None) -> dict[str, Any] | None:
    """The settings as a table of the file, without what is not set."""
    if settings is None:
        return None
    values = {key: value for key, value in to_builtins(settings).items() if value is not None}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def _kept(file: str | None) -> str:
    return _("none") if file is None else _("kept in a file; type another one to change it")
