"""The desk of machine lists: import with a preview, export, and the list of equipment. Files are read in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QFileDialog, QWidget

from core.equipment import price_with_tax
from core.language import _
from core.records import Machine
from gui.dialogs.equipment import EquipmentDialog
from gui.dialogs.import_machines import ImportDialog
from gui.models.import_lines import ImportRow
from gui.runtime.services import Services

if TYPE_CHECKING:
    from core.services.list_import import SiteImport

LISTS = "(*.txt *.csv *.json *.xlsx)"


class ListDesk(QObject):
    """Reads and writes lists for the desk of machines, which holds the machines and takes what `taken` brings."""

    taken = pyqtSignal(object)
    edit_wanted = pyqtSignal(str)
    remove_wanted = pyqtSignal(list)
    written = pyqtSignal(str)
    failed = pyqtSignal(str)

    def __init__(
        self, services: Services, machines: Callable[[], Mapping[str, Machine]], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._services = services
        self._machines = machines
        self._equipment: EquipmentDialog | None = None
        self.window: QWidget | None = None

    def choose_import(self) -> None:
        """Import machines…: ask for the file first."""
        path, _filter = QFileDialog.getOpenFileName(
            self.window, _("Import machines"), "", _("Lists {suffixes};;All files (*)").format(suffixes=LISTS)
        )
        if path:
            self.open_import(Path(path))

    def open_import(self, path: Path) -> ImportDialog:
        """Show what a list would do; its machines are taken once the user agrees."""
        dialog = ImportDialog(str(path), self._equipment or self.window)
        plans: list[SiteImport] = []

        def on_plan(found: tuple[SiteImport, list[ImportRow]]) -> None:
            plans.append(found[0])
            dialog.apply_plan(found[1], found[0].totals)

        def on_take() -> None:
            machines = [self._as_known(machine) for machine in plans[-1].machines]

            def on_saved(_done: object) -> None:
                self.taken.emit(machines)
                dialog.apply_taken()

            self._services.query(lambda history: history.save_machines(machines), on_saved, dialog.apply_failed)

        cancel = self.plan(path, on_plan, dialog.apply_failed)
        dialog.take_wanted.connect(on_take)
        dialog.cancelled.connect(cancel)
        dialog.open()
        return dialog

    def plan(
        self, path: Path, done: Callable[[Any], object], failed: Callable[[BaseException], object]
    ) -> Callable[[], None]:
        """Read a list in a thread: `done` gets what it would do, and a row for each line. What is returned cancels."""
        known = list(self._machines().values())
        most = self._services.config.machines.max

        def work() -> tuple[SiteImport, list[ImportRow]]:
            from core.services.list_import import import_site

            found = import_site(path, known, most)
            return found, rows_of(found)

        return self._services.run(_in_thread(work), done, failed)

    def _as_known(self, machine: Machine) -> Machine:
        """A machine of a plan with the certificate that it may have got since the list was read."""
        present = self._machines().get(machine.name)
        if present is None:
            return machine
        return replace(
            machine,
            fingerprint=present.fingerprint,
            certificate_pem=present.certificate_pem,
            level=present.level,
            is_local=present.is_local,
        )

    def choose_export(self) -> None:
        """Export machines…: ask for the file first."""
        path, _filter = QFileDialog.getSaveFileName(
            self.window, _("Export machines"), "machines.csv", "CSV (*.csv);;JSON (*.json);;Excel (*.xlsx)"
        )
        if path:
            self.export_to(Path(path))

    def export_to(self, path: Path) -> None:
        """Write the list of machines; csv, json or xlsx by suffix; `written` or `failed` says how it ended."""
        machines = list(self._machines().values())

        def work() -> None:
            from core.services.list_writing import write_list

            write_list(path, machines)

        self._services.run(
            _in_thread(work),
            lambda _done: self.written.emit(_("written: {path}").format(path=path)),
            lambda error: self.failed.emit(str(error)),
        )

    def open_equipment(self) -> EquipmentDialog:
        """Equipment…: the machines with their prices."""
        if self._equipment is None:
            dialog = EquipmentDialog(self.window)
            dialog.edit_wanted.connect(self.edit_wanted)
            dialog.remove_wanted.connect(self.remove_wanted)
            dialog.import_wanted.connect(self.choose_import)
            dialog.export_wanted.connect(self.choose_export)
            dialog.finished.connect(self._on_equipment_closed)
            self._equipment = dialog
            dialog.open()
        self.apply_machines()
        return self._equipment

    def apply_machines(self) -> None:
        """The machines have changed."""
        if self._equipment is not None:
            self._equipment.apply_machines(list(self._machines().values()))

    def _on_equipment_closed(self) -> None:
        self._equipment = None


def rows_of(found: SiteImport) -> Sequence[ImportRow]:
    """A row of the preview for each line."""
    return [
        ImportRow(line=line.line, state=line.state.value, text=line.text, reason=line.reason)
        if line.machine is None
        else ImportRow(
            line=line.line,
            state=line.state.value,
            name=line.machine.name,
            address=line.machine.address,
            groups=", ".join(line.machine.groups),
            reference=line.machine.reference,
            with_tax=price_with_tax(line.machine),
            reason=line.reason,
        )
        for line in found.lines
    ]


async def _in_thread(work: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(work)
