"""The desk of what two operators hand each other: the card of a console, and the site file with its machines."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QFileDialog, QWidget

from core.errors import ConfigError
from core.language import _, ngettext
from core.records import Machine
from gui.dialogs.base import ask
from gui.runtime.home_share import console_name
from gui.runtime.services import Services

if TYPE_CHECKING:
    from core.services.console_cards import SiteFile


class CardDesk(QObject):
    """Writes and reads these files in a thread; `said` and `failed` tell how it ended, `taken` brings machines."""

    taken = pyqtSignal(object)
    said = pyqtSignal(str)
    failed = pyqtSignal(object)

    def __init__(
        self, services: Services, machines: Callable[[], Iterable[Machine]], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._services = services
        self._machines = machines
        self._agrees = ask
        self.window: QWidget | None = None

    def choose_card(self) -> None:
        """Save card…: ask for the file first."""
        path, _filter = QFileDialog.getSaveFileName(self.window, _("Save card"), "console.card", _("All files (*)"))
        if path:
            self.save_card(Path(path))

    def save_card(self, path: Path) -> None:
        """Write the card of this console."""
        home, config = self._services.home, self._services.config

        def work() -> None:
            from core.services.console_cards import card_of, card_text
            from core.transport.identity import ensure_identity

            try:
                path.write_text(card_text(card_of(ensure_identity(home.console_path, console_name(config)))), "utf-8")
            except OSError as error:
                words = _("{path} cannot be written: {reason}").format(path=path, reason=error.strerror)
                raise ConfigError(words) from error

        self._services.run(
            asyncio.to_thread(work),
            lambda _done: self.said.emit(_("written: {path}").format(path=path)),
            self.failed.emit,
        )

    def choose_site(self) -> None:
        """Save site file…: ask for the file first."""
        path, _filter = QFileDialog.getSaveFileName(self.window, _("Save site file"), "site.json", "JSON (*.json)")
        if path:
            self.save_site(Path(path))

    def save_site(self, path: Path) -> None:
        """Write the machines with their certificates, and show the words to read aloud."""
        machines, name = list(self._machines()), console_name(self._services.config)
        now_s = datetime.datetime.now(datetime.UTC).timestamp()

        def work() -> tuple[str, int]:
            from core.services.console_cards import write_site

            return write_site(path, machines, name, now_s)

        def written(found: tuple[str, int]) -> None:
            words, count = found
            sentence = ngettext(
                "{count} machine written to {path}. Read these words to whoever takes the file: {words}",
                "{count} machines written to {path}. Read these words to whoever takes the file: {words}",
                count,
            )
            self.said.emit(sentence.format(count=count, path=path, words=words))

        self._services.run(asyncio.to_thread(work), written, self.failed.emit)

    def choose_take(self) -> None:
        """Take site file…: ask for the file first."""
        path, _filter = QFileDialog.getOpenFileName(self.window, _("Take site file"), "", "JSON (*.json)")
        if path:
            self.take_site(Path(path))

    def take_site(self, path: Path) -> None:
        """Take the machines of a site file, once the user has compared its words."""

        def work() -> SiteFile:
            from core.services.console_cards import read_site

            return read_site(path)

        self._services.run(asyncio.to_thread(work), self._on_site_read, self.failed.emit)

    def _on_site_read(self, site: SiteFile) -> None:
        from core.services.console_cards import site_plan

        plan = site_plan(site, list(self._machines()), self._services.config.machines.max)
        count = len(plan.machines)
        words = [
            ngettext(
                "{name} has written this file with {count} machine that is new here.",
                "{name} has written this file with {count} machines that are new here.",
                count,
            ).format(name=site.by or "?", count=count),
            _("Have them read its check words to you, over the telephone or face to face: {words}").format(
                words=site.words
            ),
            _("Take them only where both are the same."),
        ]
        words += [f"{name}: {reason}" for name, reason in plan.refused[:6]]
        if not self._agrees(self.window, _("Take site file"), "\n\n".join(words), _("They are the same")):
            return
        machines = list(plan.machines)

        def saved(_done: object) -> None:
            self.taken.emit(machines)
            self.said.emit(ngettext("{count} machine taken", "{count} machines taken", count).format(count=count))

        self._services.query(lambda history: history.save_machines(machines), saved, self.failed.emit)
