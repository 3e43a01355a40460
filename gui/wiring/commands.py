"""The desk of commands: what the Commands page asks for goes to the pollers and to the history."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace
from PyQt5.QtCore import QObject, QTimer

from core.errors import BeffroiError
from core.gather import natural_key
from core.records import (
    CommandOutput,
    CommandProgress,
    CommandRequest,
    CommandRunSummary,
    CommandState,
    CommandStep,
    Event,
    Machine,
)
from core.services.command_recovery import UNKNOWN_KIND
from gui.dialogs.running_commands import Ending, ask_before_closing
from gui.main_window import MainWindow
from gui.models.machine_row import MachineRow
from gui.pages.commands import CommandsPage
from gui.runtime.services import Services
from gui.wiring.allowed_commands import AllowedCommandsDesk
from gui.wiring.answer_files import AnswerFilesDesk
from gui.wiring.command_library import CommandLibraryDesk

TARGETS_MS = 400
"""Machines change their state all the time; whom the chips mean is looked up so often at most."""

log = logging.getLogger("beffroi.gui")


class _Left:
    """A command that an earlier console has left: what is said of it, and where its end is not known yet."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.machines: set[str] = set()


class CommandDesk(QObject):
    """Serves the Commands page."""

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._window: MainWindow | None = None
        self._page: CommandsPage | None = None
        self._runs: dict[str, CommandRunSummary] = {}
        self._left: dict[str, _Left] = {}
        self._order: list[str] = []
        self._search = ""
        self._due = QTimer(self)
        self._due.setSingleShot(True)
        self._due.setInterval(TARGETS_MS)
        self._due.timeout.connect(self._on_targets_due)
        self._is_asked_again = False
        self.let_commands_go_on = False
        """What its user said when the window was closed while commands ran."""
        self._library = CommandLibraryDesk(services, self)
        self._parts = (AnswerFilesDesk(services, self), AllowedCommandsDesk(services, self), self._library)
        services.history_ready.connect(self._ask_history)

    def attach(self, window: MainWindow, page: CommandsPage) -> None:
        """Serve this window and its page."""
        self._window, self._page = window, page
        window.may_close = self.may_close
        page.send_wanted.connect(self._on_send)
        page.cancel_wanted.connect(self._on_cancel)
        page.history_wanted.connect(self._on_history_wanted)
        page.run_wanted.connect(self._on_run_wanted)
        page.add_machine_wanted.connect(window.add_machine_wanted)
        window.command_wanted.connect(self.open_command)
        for part in self._parts:
            part.attach(window, page)
        self._tell_targets()
        self._ask_history()

    def may_close(self) -> bool:
        """Ask what becomes of commands that run, where there are some; False to stay."""
        self.let_commands_go_on = False
        running = self._services.running_commands()
        if not running:
            return True
        answer = ask_before_closing(self._window, running)
        self.let_commands_go_on = answer is Ending.LET_GO_ON
        return answer is not Ending.STAY

    def apply_config(self) -> None:
        """The site's commands and filters may have changed."""
        self._library.apply_config()

    def show_targets(self) -> None:
        """Tell the page which machines there are and where they stand; asked for often, done now and then."""
        if self._due.isActive():
            self._is_asked_again = True
            return
        self._tell_targets()
        self._due.start()

    def _on_targets_due(self) -> None:
        if self._is_asked_again:
            self._is_asked_again = False
            self.show_targets()

    def _tell_targets(self) -> None:
        if self._page is None or self._window is None:
            return
        rows = self._in_order({row.machine.name: row for row in self._window.model.rows()})
        self._page.set_inventory([_known(row) for row in rows])
        self._page.set_machines([row.report for row in rows if row.report is not None])

    def _in_order(self, rows: Mapping[str, MachineRow]) -> list[MachineRow]:
        """By name, whichever order the list shows: commands go out in it, and it does not change with each state."""
        if len(self._order) != len(rows) or not all(name in rows for name in self._order):
            self._order = sorted(rows, key=natural_key)
        return [rows[name] for name in self._order]

    def open_command(self, names: Sequence[str], line: str) -> None:
        """Bring the page to the front, for these machines and with this line; nothing is sent."""
        if self._page is None or self._window is None:
            return
        self._tell_targets()  # machines may have come since the page was shown
        if names:
            self._page.set_targets(list(names))
        if line:
            self._page.set_command(line)
        self._window.show_page("commands")
        self._page.focus_command()

    def apply_event(self, event: Event) -> None:
        """A command of a console that was killed is told over every page, until its results are there."""
        if event.kind == UNKNOWN_KIND and self._window is not None:
            self._left[event.source.removeprefix("command/")] = _Left(event.text)
            self._window.show_notice(event.text)

    def _take_left(self, progress: CommandProgress) -> None:
        left = self._left.get(progress.id)
        if left is None:
            return
        if progress.result.state is CommandState.UNKNOWN:
            left.machines.add(progress.result.machine)
            return
        left.machines.discard(progress.result.machine)
        if not left.machines:
            del self._left[progress.id]
            if self._window is not None:
                self._window.withdraw_notice(left.text)

    def apply(self, record: CommandRequest | CommandOutput | CommandProgress | CommandStep) -> None:
        """News of a command."""
        if self._page is None:
            return
        if isinstance(record, CommandOutput):
            self._page.apply_output(record)
        elif isinstance(record, CommandStep):
            self._page.apply_step(record)
        elif isinstance(record, CommandProgress):
            self._page.apply_progress(record)
            self._take_left(record)
            if record.is_last:
                self._ask_history()
        else:
            self._page.apply_started(record)

    def _on_send(self, words: list[str], machines: list[str], timeout_s: float, window: int) -> None:
        try:
            self._services.execute(words, machines, timeout_s, window)
        except BeffroiError as error:
            if self._page is not None:
                self._page.apply_not_sent(str(error))

    def _on_cancel(self, run_id: str, names: list[str]) -> None:
        if self._services.pool is not None:
            self._services.pool.cancel(run_id, names or None)

    def _on_history_wanted(self, search: str) -> None:
        self._search = search
        self._ask_history()

    def _ask_history(self) -> None:
        search = self._search
        self._services.query(lambda history: history.command_runs(200, search), self._on_history, self._on_no_history)

    def _on_history(self, summaries: list[CommandRunSummary]) -> None:
        self._runs = {summary.id: summary for summary in summaries}
        if self._page is not None:
            self._page.apply_history(summaries)

    def _on_run_wanted(self, run_id: str) -> None:
        summary = self._runs.get(run_id)
        if summary is None:
            return

        def done(results: Any) -> None:
            if self._page is not None:
                self._page.apply_run(summary, results)

        self._services.query(lambda history: history.command_results(run_id), done, self._on_no_history)

    def _on_no_history(self, error: BaseException) -> None:
        log.warning("the history of commands was not read: %s", error)


def _known(row: MachineRow) -> Machine:
    """The machine of a row; the system that it tells now is better than the one that was kept."""
    status = None if row.report is None else row.report.status
    system = None if status is None else status.system
    if system is None or not system.os or row.machine.os:
        return row.machine
    return replace(row.machine, os=system.os)
