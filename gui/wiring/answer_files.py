"""Saves the answers of a run: asks for a file or a folder, and writes it beside everything else."""

from __future__ import annotations

import asyncio
from pathlib import Path

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QFileDialog

from core.language import _, ngettext
from core.records import CommandRequest, CommandResult
from core.services.answer_files import (
    proposed_name,
    whole_results,
    write_answer_folder,
    write_answer_json,
    write_answer_table,
    write_answer_text,
)
from gui.main_window import MainWindow
from gui.models.answer_text import plain_answers, plain_machines
from gui.models.answers import Run
from gui.numbers import number
from gui.pages.commands import CommandsPage
from gui.plain_text import one_line
from gui.runtime.services import Services

SUFFIXES = {"text": ".txt", "sections": ".txt", "csv": ".csv", "xlsx": ".xlsx", "json": ".json"}


class AnswerFilesDesk(QObject):
    """Serves *Save* of the Commands page; the last folder is proposed again, at first `exports/` of the home."""

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._window: MainWindow | None = None
        self._folder = services.home.exports_path

    def attach(self, window: MainWindow, page: CommandsPage) -> None:
        """Serve this window and its page."""
        self._window = window
        page.save_wanted.connect(self.ask)

    def ask(self, run: Run, kind: str) -> None:
        """Ask where to, and write."""
        window = self._window
        if window is None:
            return
        if self._folder == self._services.home.exports_path:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                window.show_notice(_("the folder cannot be made: {reason}").format(reason=error.strerror))
                return
        if kind == "folder":
            words = _("The folder in which a new one is made")
            chosen = QFileDialog.getExistingDirectory(window, words, str(self._folder))
            if chosen:
                self.write(run, kind, Path(chosen) / proposed_name(run.request, ""))
            return
        suffix = SUFFIXES[kind]
        proposed = str(self._folder / proposed_name(run.request, suffix))
        pattern = {
            ".txt": _("Texts (*.txt)"),
            ".csv": _("Tables (*.csv)"),
            ".xlsx": _("Tables (*.xlsx)"),
            ".json": _("JSON (*.json)"),
        }[suffix]
        chosen, _filter = QFileDialog.getSaveFileName(window, _("Save the answers"), proposed, pattern)
        if chosen:
            path = Path(chosen)
            self.write(run, kind, path if path.suffix.lower() == suffix else path.with_name(path.name + suffix))

    def write(self, run: Run, kind: str, path: Path) -> None:
        """Write beside everything else, and tell."""
        self._folder = path.parent
        still = Run(run.request, 0.0)
        results = whole_results(run.request, run.results)
        for result in results:
            still.add_result(result, 0.0)

        async def work() -> int:
            return await asyncio.to_thread(_written, kind, path, run.request, results, still)

        self._services.run(work(), lambda files: self._on_written(path, files), self._on_failed)

    def _on_written(self, path: Path, files: int) -> None:
        if self._window is not None:
            shown = one_line(str(path))
            text = _("answers saved to {path}").format(path=shown)
            if files > 1:
                text = ngettext("{count} file saved to {path}", "{count} files saved to {path}", files)
                text = text.format(count=number(files), path=shown)
            self._window.status_line.showMessage(text, 8000)

    def _on_failed(self, error: BaseException) -> None:
        if self._window is not None:
            self._window.show_notice(str(error))


def _written(kind: str, path: Path, request: CommandRequest, results: list[CommandResult], run: Run) -> int:
    """How many files were written; in any thread."""
    match kind:
        case "folder":
            return write_answer_folder(path, request, results)
        case "json":
            write_answer_json(path, request, results)
        case "csv" | "xlsx":
            write_answer_table(path, request, results)
        case "sections":
            write_answer_text(path, plain_machines(run))
        case _:
            write_answer_text(path, plain_answers(run))
    return 1
