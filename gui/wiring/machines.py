"""The desk of machines: add, pair, import, export, edit, remove; and this machine's own agent among them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from PyQt5.QtCore import QObject, QProcess, QTimer, QUrl, pyqtSignal
from PyQt5.QtGui import QDesktopServices, QGuiApplication
from PyQt5.QtWidgets import QWidget

from core.errors import BeffroiError
from core.language import _, ngettext
from core.records import Machine, MachineReport
from gui.dialogs.add_machine import AddMachineDialog
from gui.dialogs.add_several import AddSeveralDialog
from gui.dialogs.base import ask
from gui.dialogs.edit_machine import EditMachineDialog
from gui.main_window import MainWindow
from gui.models.consoles import short_names
from gui.runtime.services import Services
from gui.wiring.agent_sweep import SweepDesk
from gui.wiring.machine_edits import MachineEditDesk
from gui.wiring.machine_lists import ListDesk

if TYPE_CHECKING:
    from core.services.list_import import SiteImport

LOOK_MS = 2000
SOON_MS = 300
MOST_UNKNOWN = 20_000
LOOKS_BESIDE = 5
"""Between two looks whether others have changed the machines; beside a `collect` so many of them are one."""

RETRY_MS = 3000
SITE_CODE_DAYS = 30
_TERMINALS = ("x-terminal-emulator", "gnome-terminal", "konsole", "xterm")

log = logging.getLogger("beffroi.gui")


class MachineDesk(QObject):
    """Holds the machines of the console, keeps them in the history, and hands them to the pollers."""

    loaded = pyqtSignal()
    known = pyqtSignal(object)
    """Reports of machines that this window did not know yet when they came."""

    local_pairing_wanted = pyqtSignal()

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._window: MainWindow | None = None
        self.machines: dict[str, Machine] = {}
        self._is_loaded = False
        self._visible: frozenset[str] = frozenset()
        self._shown = ""
        self._last_complaint = ""
        self._retry = QTimer(self)
        self._retry.setSingleShot(True)
        self._retry.setInterval(RETRY_MS)
        self._retry.timeout.connect(self._load)
        self._edits = 0
        self._version: int | None = None
        self._looks = 0
        self._look = QTimer(self)
        self._look.setInterval(LOOK_MS)
        self._look.timeout.connect(self._look_for_changes)
        self._unknown: dict[str, MachineReport] = {}
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(SOON_MS)
        self._soon.timeout.connect(self._load)
        self.lists = ListDesk(services, lambda: self.machines, self)
        self.edits = MachineEditDesk(lambda: self.machines, self.save_all, self)
        self.sweeps = SweepDesk(services, lambda: self.machines, self.open_add, self)
        self.lists.taken.connect(self._on_taken)
        self.lists.edit_wanted.connect(self.open_edit)
        self.lists.remove_wanted.connect(self.remove)
        self.lists.written.connect(self._on_written)
        self.lists.failed.connect(self._tell)
        services.history_ready.connect(self._load)
        services.identity_ready.connect(self._hand_over)

    def attach(self, window: MainWindow) -> None:
        """Serve this window."""
        self._window = window
        window.add_machine_wanted.connect(self.open_add)
        window.add_several_wanted.connect(self.open_add_several)
        window.pair_again_wanted.connect(self.open_pair_again)
        self.edits.attach(window)
        self.sweeps.attach(window)
        window.remove_wanted.connect(self.remove)
        window.poll_wanted.connect(self._on_poll)
        window.visible_changed.connect(self._on_visible)
        window.machine_shown.connect(self._on_shown)
        window.copy_address_wanted.connect(self._on_copy)
        window.ssh_wanted.connect(self._on_ssh)
        self.lists.window = window
        window.import_machines_wanted.connect(self.lists.choose_import)
        window.export_machines_wanted.connect(self.lists.choose_export)
        window.equipment_wanted.connect(self.lists.open_equipment)
        window.set_machines(self.machines.values())
        self.apply_config()

    def local(self) -> Machine | None:
        """This machine, once it was paired."""
        return next((machine for machine in self.machines.values() if machine.is_local), None)

    def save(self, machine: Machine) -> None:
        """Add a machine, or change the one of its name; kept, shown and polled."""
        self.machines[machine.name] = machine
        self._services.query(lambda history: history.save_machine(machine), lambda _done: None, self._on_not_saved)
        self._show()

    def save_all(self, machines: Sequence[Machine]) -> None:
        """The same for many, written at once."""
        kept = list(machines)
        self.machines |= {machine.name: machine for machine in kept}
        self._services.query(lambda history: history.save_machines(kept), lambda _done: None, self._on_not_saved)
        self._show()

    def free_name(self, *wanted: str) -> str:
        """The first of `wanted` that can name a machine, with a number behind where it is taken."""
        from core.services.machine_fields import check_name

        name = _("machine")
        for candidate in wanted:
            try:
                name = check_name(candidate)
                break
            except BeffroiError:
                continue
        free, number = name, 2
        while free in self.machines:
            free, number = f"{name}-{number}", number + 1
        return free

    # Loading and showing

    def _load(self) -> None:
        edits = self._edits

        def done(machines: list[Machine]) -> None:
            if edits != self._edits:
                self._load()  # what was read may be older than what was changed here meanwhile
            else:
                self._on_loaded(machines)

        self._services.query(lambda history: history.machines(), done, self._on_not_loaded)

    def keep_unknown(self, reports: Sequence[MachineReport]) -> None:
        """Keep the reports of machines that are not known here: a `collect` beside may be the first to see them."""
        unknown = {report.machine: report for report in reports if report.machine not in self.machines}
        if unknown and len(self._unknown) < MOST_UNKNOWN:
            self._unknown.update(unknown)
            if not self._soon.isActive():
                self._soon.start()

    def _look_for_changes(self) -> None:
        """Notice machines that others add, change and remove: the command line, a `collect` beside."""
        self._looks += 1
        if self._services.is_beside and self._looks % LOOKS_BESIDE:
            return  # the one beside writes all the time

        def done(version: int) -> None:
            before, self._version = self._version, version
            if version != before:
                self._load()

        self._services.query(lambda history: history.data_version(), done, lambda _error: None)

    def apply_config(self) -> None:
        """The settings have changed: the saved filters of the list are among them."""
        if self._window is not None:
            filters = {one.name: one.targets for one in self._services.config.filters}
            self._window.machine_list.set_saved_filters(filters)

    def _on_loaded(self, machines: Iterable[Machine]) -> None:
        if self._last_complaint and self._window is not None:
            self._window.withdraw_notice(self._last_complaint)
        self._last_complaint = ""
        found = {machine.name: machine for machine in machines}
        if found != self.machines or not self._is_loaded:
            self.machines = found
            self._show()
        unknown, self._unknown = self._unknown, {}
        met = [report for name, report in unknown.items() if name in self.machines]
        if met:
            self.known.emit(met)
        if not self._is_loaded:
            self._is_loaded = True
            self._look.start()
            self.loaded.emit()

    def _on_not_loaded(self, error: BaseException) -> None:
        if str(error) != self._last_complaint:  # said once, not at each try
            self._last_complaint = str(error)
            self._tell(self._last_complaint)
        self._retry.start()

    def _on_not_saved(self, error: BaseException) -> None:
        self._tell(_("the machine is not saved: {reason}").format(reason=error))

    def _show(self) -> None:
        self._edits += 1
        if self._window is not None:
            self._window.set_machines(self.machines.values())
        self.lists.apply_machines()
        self._hand_over()

    def _hand_over(self) -> None:
        self._services.set_machines(list(self.machines.values()))
        self._tell_visible()

    def _tell(self, text: str) -> None:
        if self._window is not None:
            self._window.show_notice(text)

    # Dialogs

    def open_add(self, over: QWidget | None = None) -> AddMachineDialog:
        """Add machine…, over the window or over a dialog that stays open behind."""
        dialog = AddMachineDialog(self.machines, parent=over or self._window)
        self._serve_pairing(dialog, None)
        return dialog

    def open_pair_again(self, name: str) -> AddMachineDialog | None:
        """Pair again…"""
        machine = self.machines.get(name)
        if machine is None:
            return None
        if machine.is_local:
            self.local_pairing_wanted.emit()
            if self._window is not None:
                self._window.status_line.showMessage(_("this machine's own agent is paired again by itself"), 5000)
            return None
        dialog = AddMachineDialog(self.machines, machine, parent=self._window)
        self._serve_pairing(dialog, machine)
        return dialog

    def _serve_pairing(self, dialog: AddMachineDialog, machine: Machine | None) -> None:
        cancels: list[Callable[[], None]] = []

        def on_wanted(name: str, address: str, port: int, code: str, groups: list[str]) -> None:
            from core.services.list_import import check_room_for_one
            from core.services.machine_fields import check_name, parse_address

            try:
                if machine is None:
                    check_room_for_one(len(self.machines), self._services.config.machines.max)
                host, port = parse_address(address, port)
                name = check_name(name) if name else ""
            except BeffroiError as error:
                dialog.apply_failed(error)
                return

            def done(agent: Any) -> None:
                paired = replace(
                    self.machines.get(machine.name, machine)
                    if machine is not None
                    else Machine(name=self.free_name(name, agent.name, host), host=host),
                    host=host,
                    port=port,
                    groups=tuple(groups),
                    tags=dialog.chosen_tags,
                    fingerprint=agent.fingerprint,
                    certificate_pem=agent.certificate_pem,
                    level=agent.level,
                    os=agent.os,
                )
                self.save(paired)
                self._services.note(f"machine/{paired.name}", "paired", _("{name} is paired").format(name=paired.name))
                dialog.apply_paired()
                if self._window is not None:
                    self._window.machine_list.select([paired.name])

            cancels.append(self._services.pair(host, port, code, done, dialog.apply_failed))

        dialog.pair_wanted.connect(on_wanted)
        dialog.cancelled.connect(lambda: [cancel() for cancel in cancels])
        dialog.open()

    def open_add_several(self) -> AddSeveralDialog:
        """Add several…"""
        dialog = AddSeveralDialog(self._window)
        cancels: list[Callable[[], None]] = []

        def on_progress(progress: Any) -> None:
            if progress.error is None:
                self._keep_paired(progress.machine)
            dialog.apply_progress(progress.machine.name, None if progress.error is None else str(progress.error))

        def on_wanted(machines: Sequence[Machine], code: str) -> None:
            cancels.append(
                self._services.pair_all(
                    machines, code, on_progress, lambda _done: dialog.apply_done(), dialog.apply_failed
                )
            )

        dialog.list_chosen.connect(lambda path: self._read_list(dialog, path))
        dialog.code_wanted.connect(lambda: dialog.apply_code(_new_site_code()))
        dialog.pair_wanted.connect(on_wanted)
        dialog.cancelled.connect(lambda: [cancel() for cancel in cancels])
        dialog.open()
        return dialog

    def _keep_paired(self, machine: Machine) -> None:
        self.machines[machine.name] = machine
        self.save(machine)

    def _read_list(self, dialog: AddSeveralDialog, path: str) -> None:
        def on_plan(found: tuple[SiteImport, object]) -> None:
            plan = found[0]
            words = [
                _("line {line}: {reason}: {text}").format(line=bad.line, reason=bad.reason, text=bad.text[:60])
                for bad in plan.refused
            ]
            dialog.apply_list(plan.listed, words)

        self.lists.plan(Path(path), on_plan, dialog.apply_failed)

    def open_edit(self, name: str) -> EditMachineDialog | None:
        """Groups, tags and notes…"""
        return self.edits.open_edit(name)

    def remove(self, names: Sequence[str], *, is_agreed: bool = False) -> None:
        """Forget machines, once the user agrees; their history stays."""
        known = [name for name in names if name in self.machines]
        question = ngettext(
            "Remove {first}? Its history is kept; to see it again it must be paired again.",
            "Remove {count} machines? Their history is kept; to see them again they must be paired again.",
            len(known),
        ).format(first=known[0] if known else "", count=len(known))
        if len(known) > 1:
            question += f"\n\n{short_names(known)}"
        if not known or not (is_agreed or ask(self._window, _("Remove machines"), question, _("Remove"))):
            return
        for name in known:
            del self.machines[name]
            self._services.note(f"machine/{name}", "removed", _("{name} was removed").format(name=name))
        self._services.query(lambda history: [history.remove_machine(name) for name in known], lambda _done: None)
        self._show()

    # Small things

    def _on_poll(self, names: Sequence[str] | None) -> None:
        self._services.poll_now(names)

    def _on_visible(self, names: frozenset[str]) -> None:
        self._visible = names
        self._tell_visible()

    def _on_shown(self, name: str) -> None:
        self._shown = name
        self._tell_visible()

    def _tell_visible(self) -> None:
        """Those on screen in the list, and the one whose page is open."""
        self._services.set_visible(self._visible | {self._shown})

    def _on_copy(self, names: Sequence[str]) -> None:
        addresses = [self.machines[name].host for name in names if name in self.machines]
        QGuiApplication.clipboard().setText("\n".join(addresses))

    def _on_ssh(self, name: str) -> None:
        """A terminal with ssh where there is one, else whatever the desktop opens ssh: with."""
        machine = self.machines.get(name)
        if machine is None or machine.host.startswith("-"):
            return
        for terminal in _TERMINALS:
            is_started, _pid = QProcess.startDetached(terminal, ["-e", "ssh", machine.host], "")
            if is_started:
                return
        url = QUrl()
        url.setScheme("ssh")
        url.setHost(machine.host)
        if not QDesktopServices.openUrl(url):
            self._tell(_("no terminal was found; type: ssh {host}").format(host=machine.host))

    def _on_written(self, text: str) -> None:
        if self._window is not None:
            self._window.status_line.showMessage(text, 5000)

    def _on_taken(self, machines: Sequence[Machine]) -> None:
        """Machines of a list are saved: shown and, once paired, polled."""
        self.machines |= {machine.name: machine for machine in machines}
        self._show()


def _new_site_code() -> str:
    from core.protocol.pairing import new_site_code, shown_code

    return shown_code(new_site_code(date.today() + timedelta(days=SITE_CODE_DAYS)))
