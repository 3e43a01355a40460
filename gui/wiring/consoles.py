"""The desk of trust: the dialogs about consoles, and what they ask of the agents."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt5.QtCore import QObject, QTimer, pyqtSignal
from PyQt5.sip import isdeleted

from core.access_records import TrustedConsoles
from core.errors import BeffroiError, UsageError
from core.language import _, ngettext
from core.records import Level, Machine
from core.targets import TargetBook, choose
from gui.dialogs.base import ask
from gui.dialogs.console_admit import AdmitDialog, ChangeDialog
from gui.dialogs.consoles import ConsolesDialog
from gui.main_window import MainWindow
from gui.models.consoles import ConsoleRow, console_rows, revoke_words
from gui.runtime.home_share import console_name
from gui.runtime.services import Services
from gui.runtime.worker_pool import WorkerPool
from gui.wiring.console_files import CardDesk
from gui.wiring.console_key import KeyDesk

if TYPE_CHECKING:
    from core.services.console_cards import ConsoleCard
    from core.services.console_trust import Acting

KEYRING = "keyring:"
SOON_MS = 250


class TrustDesk(QObject):
    """Serves Machines › Consoles…; `taken` brings machines of a site file to whoever holds the machines."""

    taken = pyqtSignal(object)

    def __init__(
        self, services: Services, machines: Callable[[], Iterable[Machine]], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._services = services
        self._machines = machines
        self._window: MainWindow | None = None
        self._dialog: ConsolesDialog | None = None
        self._lists: dict[str, TrustedConsoles] = {}
        self._asking = self._asked = self._left = 0
        self._problems: list[str] = []
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(SOON_MS)
        self._soon.timeout.connect(self._show_rows)
        self._agrees = ask
        self.key = KeyDesk(services, self)
        self.key.changed.connect(self._show_own)
        self.files = CardDesk(services, machines, self)
        self.files.taken.connect(self.taken)
        self.files.said.connect(self._say)
        self.files.failed.connect(self._tell)

    def attach(self, window: MainWindow) -> None:
        """Serve this window."""
        self._window = self.key.window = window
        window.consoles_wanted.connect(self.open_consoles)

    # The list of consoles

    def open_consoles(self) -> ConsolesDialog:
        """Consoles…"""
        dialog = ConsolesDialog(self._target_words(), self._window)
        self._dialog = self.files.window = self.key.over = dialog
        dialog.refresh_wanted.connect(self._refresh)
        dialog.change_wanted.connect(self.open_change)
        dialog.revoke_wanted.connect(self.revoke)
        dialog.admit_wanted.connect(self.open_admit)
        dialog.save_card_wanted.connect(self.files.choose_card)
        dialog.save_site_wanted.connect(self.files.choose_site)
        dialog.take_site_wanted.connect(self.files.choose_take)
        dialog.protect_wanted.connect(self.key.open_protect)
        dialog.finished.connect(self._on_closed)
        self._show_own()
        dialog.open()
        if self.key.is_locked:
            self.key.ask_again()
        dialog.refresh()
        return dialog

    def _on_closed(self) -> None:
        self._dialog = self.files.window = self.key.over = None

    def _show_own(self) -> None:
        """The card of this console, and how its key is kept."""
        dialog, home, config = self._dialog, self._services.home, self._services.config

        def work() -> tuple[ConsoleCard, str, bool]:
            from core.services.console_cards import card_of, card_text
            from core.transport.identity import ensure_identity

            identity = ensure_identity(home.console_path, console_name(config))
            card = card_of(identity)
            return card, card_text(card), identity.is_protected

        def shown(found: tuple[ConsoleCard, str, bool]) -> None:
            card, text, is_protected = found
            if dialog is not None and dialog is self._dialog:
                dialog.apply_card(card.name, card.fingerprint, text)
                dialog.apply_key(self._key_words(is_protected), is_protected)

        self._services.run(asyncio.to_thread(work), shown, self._tell)

    def _key_words(self, is_protected: bool) -> str:
        if not is_protected:
            return _("without a passphrase: who copies the file key.pem is this console")
        if (self._services.config.console.passphrase or "").startswith(KEYRING):
            return _("under a passphrase, kept in the keyring of this desktop")
        return _("under a passphrase")

    def _refresh(self, targets: str) -> None:
        names = self._chosen(targets)
        if names is None or self._dialog is None:
            return
        self._asking += 1
        asking, dialog = self._asking, self._dialog
        self._lists = {}
        self._left, self._problems, self._asked = len(names), [], len(names)

        def ended(_name: str, found: TrustedConsoles | None, error: BaseException | None) -> None:
            if asking != self._asking or dialog is not self._dialog:
                return
            self._left -= 1
            if found is not None:
                self._lists[found.machine] = found
            else:
                self._problems.append(str(error))
            if not self._left:
                self._show_rows()
            elif not self._soon.isActive():  # two thousand answers are a few pictures
                self._soon.start()

        dialog.apply_asking(len(names))

        async def work(link: Any, name: str) -> TrustedConsoles:
            from core.services.console_trust import trusted_consoles

            return await trusted_consoles(link, name)

        self._on_each(names, work, ended)

    def _show_rows(self) -> None:
        """What the machines have answered so far."""
        if self._dialog is None:
            return
        said = self._problems[0] if self._problems else ""
        more = len(self._problems) - 1
        if more > 0:
            said += " " + ngettext("({count} more)", "({count} more)", more).format(count=more)
        self._dialog.apply_rows(console_rows(self._lists, _today()), len(self._lists), self._asked, said)

    # Changing

    def open_admit(self) -> AdmitDialog:
        """Admit a console…"""
        dialog = AdmitDialog(self._target_words(), self._most(), _today(), self._dialog or self._window)
        cards: list[ConsoleCard] = []

        def given(text: str) -> None:
            from core.services.console_cards import read_card

            cards.clear()
            try:
                card = read_card(text)
            except BeffroiError as error:
                dialog.apply_no_card(str(error) if text.strip() else "")
                return
            cards.append(card)
            dialog.apply_card(card.name, card.fingerprint)

        def chosen(path: str) -> None:
            def work() -> str:
                from core.services.console_cards import card_text, read_card_file

                return card_text(read_card_file(Path(path)))

            self._services.run(
                asyncio.to_thread(work),
                lambda text: None if isdeleted(dialog) else dialog.text.setPlainText(text),
                lambda error: None if isdeleted(dialog) else dialog.apply_no_card(str(error)),
            )

        def wanted(level: Level, expires: datetime.date | None, targets: str) -> None:
            names = self._chosen(targets, dialog.apply_failed)
            if not names or not cards:
                return
            card, acting = cards[0], self._acting()

            async def work(link: Any, name: str) -> object:
                from core.services.console_trust import admit

                return await admit(link, name, acting, card, level, expires)

            self._do(dialog, names, work)

        dialog.card_given.connect(given)
        dialog.card_chosen.connect(chosen)
        dialog.admit_wanted.connect(wanted)
        dialog.open()
        return dialog

    def open_change(self, row: ConsoleRow) -> ChangeDialog:
        """Level and last day…"""
        dialog = ChangeDialog(row, self._most(row), _today(), self._dialog or self._window)

        def wanted(level: Level | None, expires: datetime.date | str | None) -> None:
            acting = self._acting()

            async def work(link: Any, name: str) -> object:
                from core.services.console_trust import change

                return await change(link, name, acting, row.fingerprint, level, expires)

            self._do(dialog, row.changeable, work)

        dialog.change_wanted.connect(wanted)
        dialog.open()
        return dialog

    def revoke(self, row: ConsoleRow) -> None:
        """Revoke…, once the user agrees to what it does."""
        words = revoke_words(self._lists, row, _today())
        if not self._agrees(self._dialog or self._window, _("Revoke {name}").format(name=row.name), words, _("Revoke")):
            return
        acting = self._acting()
        failed: list[str] = []
        left = set(row.changeable)

        async def work(link: Any, name: str) -> object:
            from core.services.console_trust import revoke

            return await revoke(link, name, acting, row.fingerprint)

        def ended(name: str, _found: object, error: BaseException | None) -> None:
            left.discard(name)
            if error is not None:
                failed.append(str(error))
            if not left:
                self._refresh_again()
                if failed and self._dialog is not None:
                    self._dialog.apply_problem("\n".join(failed[:6]) + ("\n…" if len(failed) > 6 else ""))

        self._on_each(row.changeable, work, ended)

    def _do(self, dialog: AdmitDialog | ChangeDialog, names: Sequence[str], work: Callable[..., Any]) -> None:
        dialog.begin(names)

        def ended(name: str, _found: object, error: BaseException | None) -> None:
            if not isdeleted(dialog):
                dialog.apply_ended(name, None if error is None else str(error))
                if not dialog.is_busy:
                    self._refresh_again()

        dialog.cancelled.connect(self._on_each(names, work, ended))
        dialog.cancelled.connect(self._refresh_again)

    def _refresh_again(self) -> None:
        if self._dialog is not None:
            self._dialog.refresh()

    # What all of it needs

    def _on_each(
        self,
        names: Sequence[str],
        work: Callable[[Any, str], Coroutine[Any, Any, Any]],
        ended: Callable[[str, Any, BaseException | None], object],
    ) -> Callable[[], None]:
        """Do `work` on the link of each machine, in its own thread; `ended` is called here for each.

        What is returned waits for none any more; what was sent may still be done.
        """
        futures: list[Future[Any]] = []
        pool = self._services.pool
        if pool is None:
            error = UsageError(_("the console has no links yet: its key is locked, or it is still starting"))
            for name in names:
                ended(name, None, error)

        def when(name: str, pool: WorkerPool) -> None:
            async def on_link(poller: Any) -> Any:
                return await work(poller.link_of(name), name)

            futures.append(pool.of_machine(name, on_link))
            self._services.answers.when(
                futures[-1],
                lambda found: ended(name, found, None),
                lambda error: ended(name, None, error),
            )

        for name in names if pool is not None else ():
            when(name, pool)
        return lambda: [future.cancel() for future in futures] and None

    def _acting(self) -> Acting:
        from core.audit import AuditLog
        from core.services.console_trust import Acting

        identity = self._services.identity
        log = AuditLog(self._services.home.console_path / "audit.log")
        return Acting(identity.fingerprint if identity is not None else "", self._services.config.operator, log)

    def _most(self, row: ConsoleRow | None = None) -> Level:
        """The highest level that may be offered: our own, where we have the most."""
        lists = [self._lists[name] for name in row.changeable if name in self._lists] if row else self._lists.values()
        own = [item.level for trusted in lists for item in trusted.consoles if item.is_own]
        return max(own, key=lambda level: level.rank, default=Level.RUN)

    def _chosen(self, text: str, failed: Callable[[str], object] | None = None) -> tuple[str, ...] | None:
        """Names of the paired machines that are meant; None, and said, where there are none."""
        machines = tuple(machine for machine in self._machines() if machine.fingerprint)
        filters = {saved.name: saved.targets for saved in self._services.config.filters}
        try:
            if not machines:
                raise UsageError(_("no machine is paired yet"))
            return choose(text.split(), TargetBook(machines, filters))
        except BeffroiError as error:
            if failed is not None:
                failed(str(error))
            else:
                self._tell(error)
            return None

    def _target_words(self) -> list[str]:
        machines = [machine for machine in self._machines() if machine.fingerprint]
        groups = sorted({group for machine in machines for group in machine.groups})
        return ["all", *(f"@{group}" for group in groups), *sorted(machine.name for machine in machines)]

    def _tell(self, error: BaseException) -> None:
        if self._dialog is not None:
            self._dialog.apply_problem(str(error))
        elif self._window is not None:
            self._window.show_notice(str(error))

    def _say(self, text: str) -> None:
        if self._dialog is not None:
            self._dialog.say(text, "ok")
        elif self._window is not None:
            self._window.status_line.showMessage(text, 10_000)


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
