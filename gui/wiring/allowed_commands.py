"""The desk of *Allowed commands…*: asks the agents of the chosen machines, some at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from PyQt5.QtCore import QObject

from core.access_records import AllowedCommands
from core.language import _
from gui.dialogs.allowed_commands import AllowedCommandsDialog
from gui.main_window import MainWindow
from gui.pages.commands import CommandsPage
from gui.plain_text import one_line
from gui.runtime.services import Services

AT_ONCE = 16
"""Machines that are asked at once: an answer is up to 200 KiB, and the links have other work."""


class AllowedCommandsDesk(QObject):
    """Serves the button and the menu entry; each dialog asks anew."""

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._window: MainWindow | None = None
        self._page: CommandsPage | None = None

    def attach(self, window: MainWindow, page: CommandsPage) -> None:
        """Serve this window and its page."""
        self._window, self._page = window, page
        page.allowed_wanted.connect(self.open)
        window.allowed_commands_wanted.connect(self.open_for_selected)

    def open_for_selected(self) -> None:
        """From the menu: for the machines of the chips, those selected in the list where there are none."""
        if self._page is None or self._window is None:
            return
        if not self._page.target_machines() and self._window.selected_names():
            self._page.set_targets(self._window.selected_names())
        self._window.show_page("commands")
        self.open()

    def open(self) -> AllowedCommandsDialog | None:
        """Ask the machines of the chips."""
        page = self._page
        if page is None:
            return None
        names = page.target_machines()
        if not names:
            page.say_no_target()
            return None
        dialog = AllowedCommandsDialog(names, self._window)
        dialog.send_wanted.connect(page.send_command)
        asking = _Asking(self._services, names, dialog)
        dialog.finished.connect(asking.stop)
        asking.go_on()
        dialog.open()
        return dialog


class _Asking(QObject):
    """Asks one machine after the other, AT_ONCE at a time, until the dialog is closed."""

    def __init__(self, services: Services, names: Sequence[str], dialog: AllowedCommandsDialog) -> None:
        super().__init__(dialog)
        self._services = services
        self._dialog: AllowedCommandsDialog | None = dialog
        self._waiting = deque(names)
        self._asked = 0

    def stop(self, _result: int = 0) -> None:
        """Nobody waits for the answers any more."""
        self._dialog = None
        self._waiting.clear()

    def go_on(self) -> None:
        """Ask as many as may be asked."""
        while self._waiting and self._asked < AT_ONCE:
            name = self._waiting.popleft()
            pool = self._services.pool
            if pool is None:
                self._tell_not(name, _("the console is still starting"))
                continue
            future = pool.of_machine(name, lambda poller, name=name: _asked(poller, name))
            if future.cancelled():
                self._tell_not(name, _("no such machine"))
                continue
            self._asked += 1
            self._services.answers.when(future, self._on_told, lambda error, name=name: self._on_failed(name, error))

    def _on_told(self, told: AllowedCommands) -> None:
        self._asked -= 1
        if self._dialog is not None:
            self._dialog.apply_allowed(told)
        self.go_on()

    def _on_failed(self, name: str, error: BaseException) -> None:
        self._asked -= 1
        self._tell_not(name, str(error))
        self.go_on()

    def _tell_not(self, name: str, reason: str) -> None:
        if self._dialog is not None:
            self._dialog.apply_not_told(name, one_line(reason))


async def _asked(poller: Any, name: str) -> AllowedCommands:
    from core.services.allowed_commands import allowed_commands

    return await allowed_commands(poller.link_of(name), name)
