"""The desk of Preferences: what the dialog tells goes into `config.toml`, passwords into files of their own."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from msgspec.structs import replace
from PyQt5.QtCore import QObject, pyqtSignal

from core.config import remove_meter, remove_table, save_meter, save_secret, save_setting, save_table
from core.config.settings import EmailSettings, WebhookSettings
from core.errors import BeffroiError
from core.language import _
from core.requests import ReloadRequest
from core.site_records import AlarmSeverity
from core.tariffs import TariffConfig
from gui.dialogs.preferences import PreferencesDialog
from gui.main_window import MainWindow
from gui.runtime.services import Services

log = logging.getLogger("beffroi.gui")


class PreferencesDesk(QObject):
    """Opens the dialog; `changed` once the settings are written and taken in."""

    changed = pyqtSignal()
    theme_wanted = pyqtSignal(str)
    language_wanted = pyqtSignal(str)
    meter_removed = pyqtSignal(str)

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._window: MainWindow | None = None
        self._dialog: PreferencesDialog | None = None

    def attach(self, window: MainWindow) -> None:
        """Serve this window."""
        self._window = window
        window.preferences_wanted.connect(self.open)
        window.theme_wanted.connect(lambda name: self.save({"theme": name}))
        window.language_wanted.connect(lambda code: self.save({"language": code}))

    def open(self) -> PreferencesDialog:
        """Preferences…"""
        services = self._services
        dialog = PreferencesDialog(services.config, str(services.home.config_path), self._window)
        dialog.secrets_given.connect(self._save_secrets)
        dialog.changed.connect(self.save)
        dialog.meter_removed.connect(self._on_meter_removed)
        dialog.tariff_saved.connect(self._on_tariff_saved)
        dialog.tariff_removed.connect(self._on_tariff_removed)
        dialog.test_wanted.connect(self._on_test)
        dialog.destroyed.connect(self._on_closed)
        self._dialog = dialog
        dialog.open()
        return dialog

    def open_tariffs(self, _meter: str = "") -> PreferencesDialog:
        """Preferences, at what energy costs."""
        dialog = self.open()
        dialog.show_tab(dialog.tariffs)
        return dialog

    def save(self, changes: Mapping[str, object]) -> None:
        """Write these keys, and have all who use them read them again."""
        home = self._services.home
        for key, value in changes.items():
            try:
                save_setting(home, key, value)  # type: ignore[arg-type]  # the dialog gives what a file can hold
            except BeffroiError as error:
                self._tell(error)
        if changes:
            self._services.ask(ReloadRequest(operator=self._services.config.operator))
            self.changed.emit()
        if "theme" in changes:
            self.theme_wanted.emit(str(changes["theme"]))
        if "language" in changes:
            self.language_wanted.emit(str(changes["language"]))

    def _save_secrets(self, secrets: Mapping[str, str]) -> bool:
        try:
            for name, text in secrets.items():
                save_secret(self._services.home, name, text)
        except (BeffroiError, OSError) as error:
            self._tell(error)
            return False
        return True

    def _on_meter_removed(self, name: str) -> None:
        try:
            remove_meter(self._services.home, name)
        except BeffroiError as error:
            self._tell(error)
        self._services.ask(ReloadRequest(operator=self._services.config.operator))
        self.meter_removed.emit(name)

    def _on_tariff_saved(self, tariff: TariffConfig, old_name: str) -> None:
        """Meters that are counted by a tariff go on so: under its new name, and when it is the only one no more."""
        home, config = self._services.home, self._services.config
        try:
            if len(config.tariffs) == 1 and not old_name and tariff.name != config.tariffs[0].name:
                for meter in config.meters:
                    if meter.tariff is None:
                        save_meter(home, replace(meter, tariff=config.tariffs[0].name))
            save_table(home, "tariff", tariff)
            if old_name and old_name != tariff.name:
                for meter in self._services.config.meters:
                    if meter.tariff == old_name:
                        save_meter(home, replace(meter, tariff=tariff.name))
                remove_table(home, "tariff", old_name)
        except BeffroiError as error:
            self._tell(error)
        self._reload()

    def _on_tariff_removed(self, name: str) -> None:
        home = self._services.home
        try:
            for meter in self._services.config.meters:
                if meter.tariff == name:
                    save_meter(home, replace(meter, tariff=None))
            remove_table(home, "tariff", name)
        except BeffroiError as error:
            self._tell(error)
        self._reload()

    def _reload(self) -> None:
        self._services.ask(ReloadRequest(operator=self._services.config.operator))
        self.changed.emit()

    def _on_test(self, settings: EmailSettings | WebhookSettings, secrets: dict[str, str]) -> None:
        """Send a test by what is written in the dialog now; a password typed there is kept for it."""
        if not self._save_secrets(secrets):
            return
        home = self._services.home
        operator = self._services.config.operator

        async def send() -> None:
            from core.alarms.digest import AlarmNotice

            text = _("This is a test, sent by {operator}. Nothing rings.").format(operator=operator)
            notice = AlarmNotice(title=_("Test of the alarms"), text=text, severity=AlarmSeverity.LOW, alarms=())
            if isinstance(settings, EmailSettings):
                from core.services.alarm_mail import MailSender

                await MailSender(settings, home).send([notice])
            else:
                from core.services.alarm_webhook import WebhookSender

                await WebhookSender(settings, home).send([notice])

        self._services.run(
            send(), lambda _none: self._on_tested(settings, ""), lambda error: self._on_tested(settings, str(error))
        )

    def _on_tested(self, settings: object, error: str) -> None:
        if self._dialog is not None:
            self._dialog.apply_tested(settings, error)

    def _on_closed(self) -> None:
        self._dialog = None

    def _tell(self, error: BaseException) -> None:
        log.warning("preferences: %s", error)
        if self._window is not None:
            self._window.show_notice(str(error))
