"""Consoles…: this console's own card, and which consoles the machines trust; change, revoke, admit."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtGui import QFontDatabase, QGuiApplication
from PyQt5.QtWidgets import QComboBox, QHBoxLayout, QHeaderView, QLabel, QPushButton, QWidget

from core.language import _, ngettext
from gui.dialogs.base import FormDialog
from gui.models.consoles import ConsoleModel, ConsoleRow
from gui.numbers import number
from gui.plain_text import plain_tip
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.labels import plain_label, set_role
from gui.widgets.row_table import RowTable

_WIDTHS = (190, 90, 110, 110, 150, 92, 92)


class ConsolesDialog(FormDialog):
    """Asks by signals, is told by the `apply…` methods; rows are asked for with each other choice of machines."""

    refresh_wanted = pyqtSignal(str)
    change_wanted = pyqtSignal(object)
    revoke_wanted = pyqtSignal(object)
    admit_wanted = pyqtSignal()
    save_card_wanted = pyqtSignal()
    save_site_wanted = pyqtSignal()
    take_site_wanted = pyqtSignal()
    protect_wanted = pyqtSignal()

    def __init__(self, targets: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(_("Consoles"), None, parent)
        self.resize(980, 640)
        self._card_text = ""
        self._kept = ""
        self.add_wide(_title(_("This console")))
        self.own_name = plain_label("", selectable=True)
        self.fingerprint = plain_label("", selectable=True)
        self.fingerprint.setFont(QFontDatabase.systemFont(QFontDatabase.FixedFont))
        self.fingerprint.setAccessibleName(_("Fingerprint of this console"))
        self.key_words = plain_label("", "dim")
        self.add_row(_("Name"), self.own_name)
        self.add_row(_("Fingerprint"), self.fingerprint)
        self.copy_button, self.save_button = self._push(_("Copy card")), self._push(_("Save card…"))
        self.site_button, self.take_button = self._push(_("Save site file…")), self._push(_("Take site file…"))
        self.protect_button = self._push(_("Protect the key…"))
        self.add_row(_("Key"), _line(self.key_words, self.protect_button))
        self.add_wide(_line(self.copy_button, self.save_button, self.site_button, self.take_button))
        self.site_button.setToolTip(_("The machines with their certificates, for a second operator's console"))
        self.add_wide(_title(_("Consoles that the machines trust")))
        self.scope = ChoiceBox()
        self.scope.setEditable(True)
        self.scope.setInsertPolicy(QComboBox.NoInsert)
        self.scope.addItems(list(targets))
        self.scope.setAccessibleName(_("On which machines"))
        self.scope.setToolTip(_("Names, patterns, @groups, tag:WORD, all; several with spaces between them"))
        self.scope.setMinimumWidth(280)
        self.refresh_button = self._push(_("Ask again"))
        self.asked = plain_label("", "dim")
        line = _line(plain_label(_("On"), "dim"), self.scope, self.refresh_button, self.asked)
        line.setStretch(1, 1)
        line.setStretch(3, 2)
        self.add_wide(line)
        self.model = ConsoleModel(self)
        self.table = RowTable(self.model, _("Consoles that the machines trust"))
        self.table.setMinimumHeight(220)
        for column, width in enumerate(_WIDTHS):
            self.table.setColumnWidth(column, width)
        header = self.table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignLeft | Qt.AlignVCenter)
        header.setStretchLastSection(True)
        header.setSectionResizeMode(QHeaderView.Interactive)
        self.add_wide(self.table)
        self.admit_button = self._push(_("Admit a console…"))
        self.change_button, self.revoke_button = self._push(_("Level and last day…")), self._push(_("Revoke…"))
        self.add_wide(_line(self.admit_button, self.change_button, self.revoke_button))
        self.copy_button.clicked.connect(self._on_copy)
        self.save_button.clicked.connect(self.save_card_wanted)
        self.site_button.clicked.connect(self.save_site_wanted)
        self.take_button.clicked.connect(self.take_site_wanted)
        self.protect_button.clicked.connect(self.protect_wanted)
        self.refresh_button.clicked.connect(self.refresh)
        self.scope.activated.connect(lambda _index: self.refresh())
        self.scope.lineEdit().returnPressed.connect(self.refresh)
        self.admit_button.clicked.connect(self.admit_wanted)
        self.change_button.clicked.connect(lambda: self._with_chosen(self.change_wanted))
        self.revoke_button.clicked.connect(lambda: self._with_chosen(self.revoke_wanted))
        self.table.opened.connect(lambda _index: self._with_chosen(self.change_wanted))
        self.table.selectionModel().selectionChanged.connect(lambda *_changed: self._allow())
        self._allow()

    def refresh(self) -> None:
        """Ask the machines that are chosen."""
        self.refresh_wanted.emit(self.targets())

    def targets(self) -> str:
        """What is typed in the choice of machines."""
        return self.scope.currentText().strip() or "all"

    def apply_card(self, name: str, fingerprint: str, text: str) -> None:
        """Who this console is."""
        self._card_text = text
        self.own_name.setText(name)
        groups = fingerprint.removeprefix("SHA256:").split("-")
        self.fingerprint.setText("SHA256:\n" + " ".join(groups[:7]) + "\n" + " ".join(groups[7:]))

    def apply_key(self, words: str, is_protected: bool) -> None:
        """How the key of this console is kept."""
        self.key_words.setText(words)
        set_role(self.key_words, "ok" if is_protected else "dim")
        self.protect_button.setText(_("Change the passphrase…") if is_protected else _("Protect the key…"))

    def apply_rows(self, rows: Sequence[ConsoleRow], answered: int, asked: int, problem: str) -> None:
        """The consoles of the machines that have answered so far; `problem` of one that has not."""
        chosen = self.chosen()
        self._kept = chosen.fingerprint if chosen is not None else self._kept
        self.model.set_rows(rows)
        self.asked.setText(
            ngettext("{answered} of {count} machine", "{answered} of {count} machines", asked).format(
                answered=number(answered), count=number(asked)
            )
        )
        self.say(problem, "warning" if problem else None)
        for place, row in enumerate(rows):
            if row.fingerprint == self._kept:
                self.table.selectRow(place)
        self._allow()

    def apply_asking(self, count: int) -> None:
        """So many machines are being asked; what was known stays until they answer."""
        self.asked.setText(
            ngettext("asking {count} machine", "asking {count} machines", count).format(count=number(count))
        )
        self.say("")

    def apply_problem(self, text: str) -> None:
        """Something could not be done."""
        self.say(text, "critical")

    def chosen(self) -> ConsoleRow | None:
        """The console that is chosen in the table."""
        rows = self.table.selectionModel().selectedRows()
        return self.model.row(rows[0].row()) if len(rows) == 1 and rows[0].row() < self.model.rowCount() else None

    def _allow(self) -> None:
        row = self.chosen()
        is_open = row is not None and bool(row.changeable)
        self.change_button.setEnabled(is_open)
        self.revoke_button.setEnabled(is_open)
        tip = "" if row is None or is_open else _("This console may change itself and those it admitted, no others.")
        self.change_button.setToolTip(plain_tip(tip))
        self.revoke_button.setToolTip(plain_tip(tip))

    def _with_chosen(self, signal: object) -> None:
        row = self.chosen()
        if row is not None and row.changeable:
            signal.emit(row)

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._card_text)
        self.copy_button.setText(_("Copied"))

    def _push(self, text: str) -> QPushButton:
        button = QPushButton(text)
        button.setAutoDefault(False)
        return button


def _line(*widgets: QWidget) -> QHBoxLayout:
    line = QHBoxLayout()
    line.setSpacing(6)
    for widget in widgets:
        line.addWidget(widget)
    line.addStretch(1)
    return line


def _title(text: str) -> QLabel:
    label = plain_label(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label
