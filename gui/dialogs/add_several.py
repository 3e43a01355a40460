"""Add several…: a list of machines and one site code; a row for each machine says how far it is."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace
from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QTableWidgetItem,
    QWidget,
)

from core.errors import UsageError
from core.language import _, ngettext
from core.machine_tags import check_tags, tags_of
from core.records import Machine
from gui.dialogs.base import FormDialog, LinesToPaste
from gui.plain_text import one_line, plain_tip
from gui.theme import theme
from gui.widgets.labels import plain_label
from gui.widgets.small_table import SmallTable

_NAME, _ADDRESS, _GROUPS, _STATE = range(4)


class AddSeveralDialog(FormDialog):
    """`list_chosen(path)`, `code_wanted()`, `pair_wanted(machines, code)`; told by the `apply…` methods."""

    list_chosen = pyqtSignal(str)
    code_wanted = pyqtSignal()
    pair_wanted = pyqtSignal(list, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_("Add several machines"), _("Pair all"), parent)
        self.resize(760, 620)
        self._machines: list[Machine] = []
        self._row_of: dict[str, int] = {}
        self._paired = 0
        self._failed = 0
        self.add_wide(
            plain_label(
                _("1. One code for the whole site: make it here, and start each agent with it."),
                wrap=True,
            )
        )
        self.code = QLineEdit()
        self.code.setPlaceholderText(_("site code"))
        self.code.textChanged.connect(self._on_code)
        self._make = QPushButton(_("Make one"))
        self._make.setAutoDefault(False)
        self._make.clicked.connect(self.code_wanted)
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(self.code, 1)
        line.addWidget(self._make)
        self.add_row(_("Site code"), line)
        self.code.setAccessibleName(_("Site code"))
        self.lines = LinesToPaste(("beffroi agent run --site-code …",))
        self.add_wide(self.lines)
        self.add_wide(
            plain_label(
                _("2. A list of the machines: one name or address a line, or a CSV, JSON or XLSX file."), wrap=True
            )
        )
        self._choose = QPushButton(_("Choose a list…"))
        self._choose.setAutoDefault(False)
        self._choose.clicked.connect(self._on_choose)
        self._about_list = plain_label("", "dim")
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(self._choose)
        line.addWidget(self._about_list, 1)
        self.add_wide(line)
        self.tags = QLineEdit()
        self.tags.setPlaceholderText(_("given to all of them, beside those of the list; such as first-floor"))
        self.add_row(_("Tags"), self.tags)
        titles = [_("Name"), _("Address"), _("Groups"), _("State")]
        self.table = SmallTable(titles, _STATE, _("Machines of the list"))
        self.table.setMinimumHeight(180)
        self.add_wide(self.table)

    def apply_code(self, code: str) -> None:
        """A site code was made."""
        self.code.setText(code)

    def apply_list(self, machines: Sequence[Machine], errors: Sequence[str]) -> None:
        """What the chosen file holds, and its lines that mean nothing."""
        self._machines = list(machines)
        self._row_of = {machine.name: row for row, machine in enumerate(machines)}
        self.table.setRowCount(len(self._machines))
        for row, machine in enumerate(self._machines):
            for column, text in enumerate((machine.name, machine.address, ", ".join(machine.groups), "")):
                self.table.setItem(row, column, QTableWidgetItem(one_line(text)))
        self._about_list.setText(
            ngettext("{count} machine", "{count} machines", len(machines)).format(count=len(machines))
        )
        shown = "\n".join(errors[:6]) + ("\n…" if len(errors) > 6 else "")
        self.say(shown, "warning")

    def on_accept(self) -> None:
        """Ask for the pairing of all."""
        code = self.code.text().strip()
        if not code:
            self.say(_("Make a site code first, or type the one that the agents were started with."), "warning")
            self.code.setFocus()
            return
        if not self._machines:
            self.say(_("Choose a list of machines first."), "warning")
            self._choose.setFocus()
            return
        try:
            tags = tags_of(self.tags.text())
            machines = [replace(one, tags=check_tags((*one.tags, *tags))) for one in self._machines]
        except UsageError as error:
            self.say(str(error), "warning")
            return
        self._paired = self._failed = 0
        for row in range(self.table.rowCount()):
            self.table.item(row, _STATE).setText(_("waiting"))
        self.set_busy(True)
        self.say("")
        self.pair_wanted.emit(machines, code)

    def apply_progress(self, name: str, error: str | None) -> None:
        """How it ended for one machine; None: paired."""
        row = self._row_of.get(name)
        if row is None:
            return
        item = self.table.item(row, _STATE)
        item.setText("✓ " + _("paired") if error is None else f"✕ {one_line(error)}")
        item.setToolTip(plain_tip(error or ""))
        item.setForeground(theme().color("ok" if error is None else "critical"))
        self.table.scrollToItem(item)
        self._paired += error is None
        self._failed += error is not None
        self.say(
            _("{paired} paired, {failed} failed, {left} to go").format(
                paired=self._paired, failed=self._failed, left=len(self._machines) - self._paired - self._failed
            )
        )

    def apply_failed(self, error: BaseException) -> None:
        """All has failed, or the file cannot be read."""
        self.set_busy(False)
        self.say(str(error), "critical")

    def apply_done(self) -> None:
        """All have an answer."""
        self.set_busy(False)
        if self._failed == 0:
            self.accept()
            return
        self.say(
            _("{paired} paired, {failed} failed; those that failed can be tried again.").format(
                paired=self._paired, failed=self._failed
            ),
            "warning",
        )
        self._machines = [
            machine
            for machine in self._machines
            if not self.table.item(self._row_of[machine.name], _STATE).text().startswith("✓")
        ]

    def _on_code(self, code: str) -> None:
        self.lines.set_lines((f"beffroi agent run --site-code {code.strip() or '…'}",))

    def _on_choose(self) -> None:
        path, _filter = QFileDialog.getOpenFileName(
            self, _("Choose a list of machines"), "", _("Lists (*.txt *.csv *.json *.xlsx);;All files (*)")
        )
        if path:
            self.list_chosen.emit(path)
