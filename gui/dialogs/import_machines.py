"""Import machines…: every line of a list with what it would do; nothing is taken before *Take*."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QModelIndex, pyqtSignal
from PyQt5.QtWidgets import QCheckBox, QHeaderView, QWidget

from core.equipment import Totals
from core.language import _, ngettext
from gui.dialogs.base import FormDialog
from gui.models.equipment import total_lines
from gui.models.import_lines import CHANGED, NEW, REFUSED, SAME, ImportLinesModel, ImportRow
from gui.numbers import number
from gui.widgets.labels import ElidedLabel, plain_label, set_role
from gui.widgets.row_table import RowTable

_WIDTHS = (60, 100, 130, 160, 115, 95, 118)
"""Of the columns before the last one: the texts of a hundred thousand rows are not measured."""


class ImportDialog(FormDialog):
    """Opened while the file is read; told by the `apply…` methods, asks by `take_wanted`."""

    take_wanted = pyqtSignal()

    def __init__(self, file_name: str, parent: QWidget | None = None) -> None:
        super().__init__(_("Import machines"), _("Take"), parent)
        self.resize(1060, 620)
        title = ElidedLabel("dim")
        title.set_text(file_name)
        self.add_wide(title)
        self.counts = plain_label("", wrap=True)
        self.add_wide(self.counts)
        self.model = ImportLinesModel(self)
        self.table = RowTable(self.model, _("Lines of the list"))
        self.table.setMinimumHeight(340)
        header = self.table.horizontalHeader()
        for column, width in enumerate(_WIDTHS):
            self.table.setColumnWidth(column, width)
        header.setSectionResizeMode(QHeaderView.Interactive)
        header.setStretchLastSection(True)
        self.add_wide(self.table)
        self.reason = plain_label("", "critical", wrap=True, selectable=True)
        self.reason.hide()
        self.add_wide(self.reason)
        self.table.selectionModel().currentRowChanged.connect(self._on_current)
        self.model.modelReset.connect(self.reason.hide)
        self.refused_only = QCheckBox(_("Show only what is refused"))
        self.refused_only.toggled.connect(self.model.set_refused_only)
        self.refused_only.hide()
        self.add_wide(self.refused_only)
        self.totals = plain_label("", "dim", wrap=True, selectable=True)
        self.totals.hide()
        self.add_wide(self.totals)
        self._taken = 0
        self.set_busy(True)
        self.say(_("reading the list…"))

    def apply_plan(self, rows: Sequence[ImportRow], totals: Totals) -> None:
        """What the list would do, and what all machines then add up to."""
        counts = dict.fromkeys((NEW, CHANGED, SAME, REFUSED), 0)
        for row in rows:
            counts[row.state] += 1
        self._taken = counts[NEW] + counts[CHANGED]
        self.model.set_rows(rows)
        self._hide_empty(rows)
        refused = next((place for place, row in enumerate(rows) if row.state == REFUSED), None)
        if refused is not None:
            self.table.setCurrentIndex(self.model.index(refused, 0))
        self.counts.setText(
            _("{new} new, {changed} changed, {same} as they were, {refused} refused").format(
                new=number(counts[NEW]),
                changed=number(counts[CHANGED]),
                same=number(counts[SAME]),
                refused=number(counts[REFUSED]),
            )
        )
        set_role(self.counts, "warning" if counts[REFUSED] else None)
        self.refused_only.setVisible(counts[REFUSED] > 0)
        lines = total_lines(totals)
        self.totals.setText("\n".join((_("All machines then:") + " " + lines[0], *lines[1:])) if lines else "")
        self.totals.setVisible(bool(lines))
        self.set_busy(False)
        self.accept_button.setText(
            ngettext("Take {count} machine", "Take {count} machines", self._taken).format(count=number(self._taken))
            if self._taken
            else _("Nothing to take")
        )
        self.accept_button.setEnabled(self._taken > 0)
        self.say("")

    def _hide_empty(self, rows: Sequence[ImportRow]) -> None:
        """Columns that this list has nothing for leave their room to the reasons."""
        for column, is_used in (
            (3, any(row.address for row in rows)),
            (4, any(row.groups for row in rows)),
            (5, any(row.reference for row in rows)),
            (6, any(row.with_tax is not None for row in rows)),
        ):
            self.table.setColumnHidden(column, not is_used)

    def _on_current(self, current: QModelIndex, _before: QModelIndex) -> None:
        """Why the line that is chosen is refused, in full."""
        words = [str(self.model.index(current.row(), at).data() or "") for at in (0, self.model.WHY)]
        self.reason.setText(_("line {line}: {reason}").format(line=words[0], reason=words[1]))
        self.reason.setVisible(current.isValid() and bool(words[1]))

    def apply_failed(self, error: BaseException) -> None:
        """The file cannot be read, or the machines cannot be saved."""
        self.set_busy(False)
        self.accept_button.setEnabled(self._taken > 0)
        self.say(str(error), "critical")

    def apply_taken(self) -> None:
        """All is saved."""
        self.set_busy(False)
        self.accept()

    def on_accept(self) -> None:
        """Ask for the taking in."""
        self.set_busy(True)
        self.take_wanted.emit()
