"""The desk of our own key: its passphrase is asked for at the start, and set, changed and removed here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec.structs import replace
from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QWidget
from PyQt5.sip import isdeleted

from core.language import N_, _
from gui.dialogs.passphrase import PassphraseDialog, ProtectKeyDialog
from gui.main_window import MainWindow
from gui.runtime.home_share import console_name
from gui.runtime.services import Services

if TYPE_CHECKING:
    from core.transport.identity import Identity

_LOCKED = N_("The key of this console is locked: no machine is reached. Open Machines › Consoles… to be asked again.")


class KeyDesk(QObject):
    """Asks for the passphrase when the services say that the key is locked; `changed` after it was set or removed."""

    changed = pyqtSignal()

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self.window: MainWindow | None = None
        self.over: QWidget | None = None
        """The dialog that is open over the window."""

        self.is_locked = False
        services.key_locked.connect(self._on_locked)
        services.identity_ready.connect(self._on_opened)

    def _on_locked(self, _error: BaseException) -> None:
        """The key needs its passphrase: ask for it."""
        self.is_locked = True
        self.ask_again()

    def ask_again(self) -> PassphraseDialog:
        """Ask for the passphrase of the locked key, three times at most."""
        dialog = PassphraseDialog(str(self._services.home.console_path / "key.pem"), self.over or self.window)

        def failed(error: BaseException) -> None:
            if not isdeleted(dialog):
                dialog.apply_wrong(str(error))

        dialog.typed.connect(lambda text: self._services.unlock(text, failed))
        self._services.identity_ready.connect(dialog.apply_opened)
        dialog.rejected.connect(self._on_stays_locked)
        dialog.open()
        return dialog

    def _on_opened(self) -> None:
        self.is_locked = False
        if self.window is not None:
            self.window.withdraw_notice(_(_LOCKED))

    def _on_stays_locked(self) -> None:
        if self.window is not None and self.is_locked:
            self.window.show_notice(_(_LOCKED))

    def open_protect(self) -> ProtectKeyDialog:
        """Protect the key…, or change its passphrase."""
        home, config = self._services.home, self._services.config
        from core.transport.identity import is_key_protected

        dialog = ProtectKeyDialog(is_key_protected(home.console_path / "key.pem"), self.over or self.window)

        def wanted(old: str, new: str | None, place: str) -> None:
            def work() -> Identity:
                from core.services.console_key import change_passphrase, check_passphrase
                from core.transport.identity import Passphrase, ensure_identity

                checked = None if new is None else check_passphrase(new)
                identity = ensure_identity(home.console_path, console_name(config))
                return change_passphrase(home, identity, Passphrase(old), checked, "ask" if new is None else place)

            def done(changed: Identity) -> None:
                self._services.identity = changed
                where = None if new is None else place
                console = replace(self._services.config.console, passphrase=where)
                self._services.take_config(replace(self._services.config, console=console))
                if not isdeleted(dialog):
                    dialog.apply_done()
                self.changed.emit()

            def failed(error: BaseException) -> None:
                if not isdeleted(dialog):
                    dialog.apply_failed(str(error))

            self._services.run(asyncio.to_thread(work), done, failed)

        dialog.wanted.connect(wanted)
        dialog.open()
        return dialog
