"""Ending processes and restarting services from the Machine page: asked twice, then sent like any other command.

So it stands in the audit logs and in the history of commands, and the agent's own rules decide.
"""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtCore import QObject

from core.errors import BeffroiError
from core.language import ngettext
from core.records import CommandOutput, CommandProgress, CommandRequest, CommandResult, CommandStep
from gui.dialogs.machine_act import ActDialog
from gui.main_window import MainWindow
from gui.models.machine_acts import Act, answer_words
from gui.pages.machine import MachinePage
from gui.plain_text import one_line
from gui.runtime.services import Services

TIMEOUT_S = 60.0
"""A service manager may take this long to restart a service."""


class MachineActs(QObject):
    """Asks, sends, and shows at the place what each agent answered."""

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._window: MainWindow | None = None
        self._page: MachinePage | None = None
        self._awaited: dict[str, tuple[str, set[str]]] = {}
        self._results: dict[str, list[CommandResult]] = {}

    def attach(self, window: MainWindow, page: MachinePage) -> None:
        """Serve this window and its page."""
        self._window, self._page = window, page
        page.act_wanted.connect(self.ask)

    def ask(self, act: Act) -> None:
        """The two questions, before anything is sent."""
        dialog = ActDialog(act, self._window)
        dialog.confirmed.connect(self._send)
        dialog.open()

    def apply(self, record: CommandRequest | CommandOutput | CommandProgress | CommandStep) -> bool:
        """News of a command; True for the beginning of an act, which is shown at its place and not as a new command."""
        if not isinstance(record, CommandProgress) or record.id not in self._awaited:
            return isinstance(record, CommandRequest) and record.id in self._awaited
        machine, together = self._awaited.pop(record.id)
        key = min(together)
        self._results.setdefault(key, []).append(record.result)
        if not any(other in self._awaited for other in together):
            text, role = answer_words(self._results.pop(key))
            if self._page is not None:
                self._page.apply_act(machine, text, role)
        return False

    def _send(self, act: Act) -> None:
        ids: set[str] = set()
        sends: list[Callable[[], CommandRequest]] = [
            lambda words=words: self._services.execute(words, [act.machine], TIMEOUT_S) for words in act.lines()
        ]
        for send in sends:
            try:
                ids.add(send().id)
            except BeffroiError as error:
                if self._page is not None:
                    self._page.apply_act(act.machine, f"✕ {one_line(str(error))}", "critical")
                break
        for run_id in ids:
            self._awaited[run_id] = (act.machine, ids)
        if ids and self._page is not None:
            words = ngettext("Sent, waiting for the answer…", "Sent, waiting for {count} answers…", len(ids))
            self._page.apply_act(act.machine, words.format(count=len(ids)), None)
