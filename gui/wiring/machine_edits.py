"""The desk of what machines are: groups, tags, notes and equipment of one, groups and tags of many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace
from PyQt5.QtCore import QObject

from core.records import Machine
from gui.dialogs.edit_machine import EditMachineDialog
from gui.dialogs.edit_many import EditManyDialog
from gui.main_window import MainWindow

Save = Callable[[Sequence[Machine]], object]


class MachineEditDesk(QObject):
    """Opens the dialogs over `machines` as they are now; `save` keeps what they change, all of it or nothing."""

    def __init__(
        self, machines: Callable[[], Mapping[str, Machine]], save: Save, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._machines = machines
        self._save = save
        self._window: MainWindow | None = None

    def attach(self, window: MainWindow) -> None:
        """Serve this window."""
        self._window = window
        window.edit_wanted.connect(self.open_edit)
        window.edit_many_wanted.connect(self.open_edit_many)

    def open_edit(self, name: str) -> EditMachineDialog | None:
        """Groups, tags and notes…"""
        machine = self._machines().get(name)
        if machine is None:
            return None
        dialog = EditMachineDialog(machine, self._window)
        dialog.edited.connect(lambda changed: self._on_edited([changed]))
        dialog.open()
        return dialog

    def open_edit_many(self, names: Sequence[str]) -> EditManyDialog | None:
        """Groups and tags… of many."""
        known = self._machines()
        chosen = [known[name] for name in names if name in known]
        if not chosen:
            return None
        dialog = EditManyDialog(chosen, self._window)
        dialog.edited.connect(self._on_edited)
        dialog.open()
        return dialog

    def _on_edited(self, changed: Sequence[Machine]) -> None:
        """What was edited, over machines that may have been paired anew meanwhile."""
        known = self._machines()
        self._save(
            [
                replace(
                    known[machine.name],
                    groups=machine.groups,
                    tags=machine.tags,
                    notes=machine.notes,
                    reference=machine.reference,
                    price_before_tax=machine.price_before_tax,
                    vat_rate_percent=machine.vat_rate_percent,
                )
                for machine in changed
                if machine.name in known
            ]
        )
