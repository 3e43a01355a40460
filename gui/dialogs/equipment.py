"""Equipment…: the machines with reference, price and VAT; sorted by any column, edited, removed, added up."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtGui import QKeySequence
from PyQt5.QtWidgets import QAction, QHeaderView, QLineEdit, QWidget

from core.equipment import totals
from core.language import _
from core.records import Machine
from gui.dialogs.base import FormDialog
from gui.models.equipment import EquipmentModel, total_lines
from gui.widgets.labels import plain_label
from gui.widgets.row_table import RowTable

_WIDTHS = (170, 190, 130, 110, 80, 110)


class EquipmentDialog(FormDialog):
    """Asks by `edit_wanted(name)`, `remove_wanted(names)`, `import_wanted()` and `export_wanted()`."""

    edit_wanted = pyqtSignal(str)
    remove_wanted = pyqtSignal(list)
    import_wanted = pyqtSignal()
    export_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_("Equipment"), None, parent)
        self.resize(1000, 600)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(_("name, address, reference or notes"))
        self.filter.setClearButtonEnabled(True)
        self.add_row(_("Find"), self.filter)
        self.model = EquipmentModel(self)
        self.table = RowTable(self.model, _("Equipment"))
        self.table.setMinimumHeight(380)
        for column, width in enumerate(_WIDTHS):
            self.table.setColumnWidth(column, width)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.Interactive)
        header.setStretchLastSection(True)
        self.table.setSortingEnabled(True)
        header.setSortIndicator(0, Qt.AscendingOrder)
        self.table.opened.connect(lambda index: self.edit_wanted.emit(self.model.shown[index.row()].name))
        self.add_wide(self.table)
        self.totals = plain_label("", wrap=True, selectable=True)
        self.add_wide(self.totals)
        self.add_button(_("Import…"), lambda: self.import_wanted.emit())
        self.add_button(_("Export…"), lambda: self.export_wanted.emit())
        self.edit_button = self.add_button(_("Edit…"), self._on_edit)
        self.remove_button = self.add_button(_("Remove…"), self._on_remove)
        remove = QAction(_("Remove…"), self.table)
        remove.setShortcut(QKeySequence(QKeySequence.Delete))
        remove.setShortcutContext(Qt.WidgetShortcut)
        remove.triggered.connect(self._on_remove)
        self.table.addAction(remove)
        self.filter.textChanged.connect(self._on_filter)
        self.table.selectionModel().selectionChanged.connect(self._on_selection)
        self.model.modelReset.connect(self._on_selection)
        self.apply_machines([])

    def apply_machines(self, machines: Sequence[Machine]) -> None:
        """The machines as they are now; what was chosen stays chosen."""
        chosen = set(self.selected_names())
        self.model.set_machines(machines)
        for row, machine in enumerate(self.model.shown):
            if machine.name in chosen:
                selection = self.table.selectionModel()
                selection.select(self.model.index(row, 0), selection.Select | selection.Rows)
        self._add_up()

    def selected_names(self) -> list[str]:
        """Names of the chosen rows."""
        return [self.model.shown[index.row()].name for index in self.table.selectionModel().selectedRows()]

    def _add_up(self) -> None:
        shown = self.model.shown
        lines = total_lines(totals(shown))
        if not lines:
            text = _("No price is known. Edit a machine, or import a list with the columns reference, price, VAT rate.")
            lines = [text if shown else _("No machine is shown.")]
        self.totals.setText("\n".join(lines))

    def _on_filter(self, text: str) -> None:
        self.model.set_filter(text)
        self._add_up()

    def _on_selection(self, *_changed: object) -> None:
        count = len(self.table.selectionModel().selectedRows())
        self.edit_button.setEnabled(count == 1)
        self.remove_button.setEnabled(count > 0)

    def _on_edit(self) -> None:
        names = self.selected_names()
        if len(names) == 1:
            self.edit_wanted.emit(names[0])

    def _on_remove(self) -> None:
        names = self.selected_names()
        if names:
            self.remove_wanted.emit(names)
