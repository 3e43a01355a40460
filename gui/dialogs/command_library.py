"""The site's own commands: added, changed, put in order, starred; nothing is kept before *Save*."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from PyQt5.QtCore import pyqtSignal
from PyQt5.QtGui import QFontDatabase
from PyQt5.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from core.config.commands import CommandConfig
from core.errors import UsageError
from core.language import _
from gui.dialogs.base import FormDialog
from gui.models.command_line import command_words
from gui.plain_text import one_line
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.labels import plain_label
from gui.widgets.library_menu import STAR

_LIST_PX = 240
_LINE_PX = 84
_NEW = CommandConfig(name=" ", line=" x")


class CommandLibraryDialog(FormDialog):
    """`saved(commands)` with all of them in their order."""

    saved = pyqtSignal(list)

    def __init__(
        self, commands: Sequence[CommandConfig], page_targets: Sequence[str], parent: QWidget | None = None
    ) -> None:
        super().__init__(_("The site's commands"), _("Save"), parent)
        self.setMinimumWidth(780)
        self._commands = [msgspec.structs.asdict(command) for command in commands]
        self._page_targets = tuple(page_targets)
        self._is_filling = False
        self.list = QListWidget()
        self.list.setMinimumWidth(_LIST_PX)
        self.list.setAccessibleName(_("Commands of the library"))
        self.name, self.line, self.group = QLineEdit(), QPlainTextEdit(), ChoiceBox()
        self.targets, self.timeout = QLineEdit(), QSpinBox()
        self.description = QLineEdit()
        self.favourite = QCheckBox(_("A favourite: a button on the Commands page"))
        self._prepare_fields()
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addLayout(self._left())
        row.addWidget(self._fields(), 1)
        self.add_wide(row)
        self.list.currentRowChanged.connect(self._on_row)
        self._fill_list(0)

    def add_line(self, line: str) -> None:
        """A new command for `line`, ready to be named."""
        self._commands.append({**msgspec.structs.asdict(_NEW), "name": "", "line": line})
        self._fill_list(len(self._commands) - 1)
        self.name.setFocus()

    def on_accept(self) -> None:
        """Keep them all, unless one of them cannot be."""
        made: list[CommandConfig] = []
        for row, values in enumerate(self._commands):
            problem = _problem(values, {command.name for command in made})
            if problem:
                self.list.setCurrentRow(row)
                self.say(problem, "warning")
                return
            made.append(CommandConfig(**values))
        self.saved.emit(made)
        self.accept()

    def _prepare_fields(self) -> None:
        self.name.setMaxLength(64)
        self.name.setPlaceholderText(_("what people look for, such as: Space on the disks"))
        self.line.setFont(QFontDatabase.systemFont(QFontDatabase.FixedFont))
        self.line.setFixedHeight(_LINE_PX)
        self.line.setTabChangesFocus(True)
        self.line.setPlaceholderText(_("such as: df -h; several lines go one after the other"))
        self.group.setEditable(True)
        self.group.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self.list.setSpacing(2)
        self.timeout.setButtonSymbols(QSpinBox.NoButtons)
        groups = dict.fromkeys(str(values["group"]) for values in self._commands if values["group"])
        self.group.addItems(["", *groups])
        edit = self.group.lineEdit()
        if edit is not None:
            edit.setMaxLength(64)
            edit.setPlaceholderText(_("none: at the top of the menu"))
        self.targets.setPlaceholderText(_("none: the machines that are chosen"))
        self.timeout.setRange(0, 600)
        self.timeout.setSuffix(" s")
        self.timeout.setSpecialValueText(_("as it is set"))
        self.description.setMaxLength(1024)
        for field in (self.name, self.targets, self.description):
            field.textEdited.connect(self._on_edited)
        self.line.textChanged.connect(self._on_edited)
        self.group.editTextChanged.connect(self._on_edited)
        self.timeout.valueChanged.connect(self._on_edited)
        self.favourite.toggled.connect(self._on_edited)

    def _left(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(6)
        column.addWidget(self.list, 1)
        row = QHBoxLayout()
        row.setSpacing(6)
        self.add_button_, self.remove_button = QPushButton(_("Add")), QPushButton(_("Remove"))
        self.up_button, self.down_button = QPushButton("▲"), QPushButton("▼")
        self.up_button.setAccessibleName(_("Move up"))
        self.down_button.setAccessibleName(_("Move down"))
        for button, slot in (
            (self.add_button_, lambda: self.add_line("")),
            (self.remove_button, self._on_remove),
            (self.up_button, lambda: self._move(-1)),
            (self.down_button, lambda: self._move(1)),
        ):
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked=False, slot=slot: slot())
            row.addWidget(button)
        column.addLayout(row)
        return column

    def _fields(self) -> QWidget:
        self._form = QWidget()
        form = QFormLayout(self._form)
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(14)
        form.setVerticalSpacing(10)
        form.setFieldGrowthPolicy(QFormLayout.ExpandingFieldsGrow)
        targets = QHBoxLayout()
        targets.setSpacing(6)
        targets.addWidget(self.targets, 1)
        take = QPushButton(_("Those chosen now"))
        take.setAutoDefault(False)
        take.setEnabled(bool(self._page_targets))
        take.clicked.connect(self._on_take_targets)
        targets.addWidget(take)
        for label, field, named in (
            (_("Name"), self.name, self.name),
            (_("Command"), self.line, self.line),
            (_("Group"), self.group, self.group),
            (_("Machines"), targets, self.targets),
            (_("Time-out"), self.timeout, self.timeout),
            (_("What it is for"), self.description, self.description),
        ):
            named.setAccessibleName(label)
            form.addRow(plain_label(label, "dim"), field)
        form.addRow("", self.favourite)
        hint = _("With machines of its own a command only fills in what is to be sent: its user sends it.")
        form.addRow(plain_label(hint, "dim", wrap=True))
        return self._form

    def _fill_list(self, row: int) -> None:
        self._is_filling = True
        self.list.clear()
        for values in self._commands:
            self.list.addItem(QListWidgetItem(_shown(values)))
        self._is_filling = False
        self.list.setCurrentRow(min(row, len(self._commands) - 1))
        self._on_row(self.list.currentRow())

    def _on_row(self, row: int) -> None:
        if self._is_filling:
            return
        is_one = 0 <= row < len(self._commands)
        values = self._commands[row] if is_one else {**msgspec.structs.asdict(_NEW), "name": "", "line": ""}
        self._is_filling = True
        self.name.setText(str(values["name"]))
        self.line.setPlainText(str(values["line"]))
        self.group.setEditText(str(values["group"]))
        self.targets.setText(" ".join(values["targets"]))
        self.timeout.setValue(round(values["timeout_s"] or 0))
        self.description.setText(str(values["description"]))
        self.favourite.setChecked(bool(values["favourite"]))
        self._is_filling = False
        self._form.setEnabled(is_one)
        self.remove_button.setEnabled(is_one)
        self.up_button.setEnabled(row > 0)
        self.down_button.setEnabled(is_one and row < len(self._commands) - 1)

    def _on_edited(self) -> None:
        row = self.list.currentRow()
        if self._is_filling or not 0 <= row < len(self._commands):
            return
        self._commands[row] = {
            "name": self.name.text().strip(),
            "line": self.line.toPlainText().strip(),
            "group": self.group.currentText().strip(),
            "favourite": self.favourite.isChecked(),
            "description": self.description.text().strip(),
            "timeout_s": float(self.timeout.value()) or None,
            "targets": tuple(dict.fromkeys(self.targets.text().split())),
        }
        item = self.list.item(row)
        if item is not None:
            item.setText(_shown(self._commands[row]))
        self.say("")

    def _on_take_targets(self) -> None:
        self.targets.setText(" ".join(self._page_targets))
        self._on_edited()

    def _on_remove(self) -> None:
        row = self.list.currentRow()
        if 0 <= row < len(self._commands):
            del self._commands[row]
            self._fill_list(row)

    def _move(self, step: int) -> None:
        row = self.list.currentRow()
        if 0 <= row + step < len(self._commands):
            moved = self._commands.pop(row)
            self._commands.insert(row + step, moved)
            self._fill_list(row + step)


def _shown(values: dict[str, object]) -> str:
    name = one_line(str(values["name"])) or _("new command")
    star = f"{STAR} " if values["favourite"] else ""
    group = f"{one_line(str(values['group']))} ▸ " if values["group"] else ""
    return f"{star}{group}{name}"


def _problem(values: dict[str, object], taken: set[str]) -> str:
    """Why a command cannot be kept, empty where it can."""
    name = str(values["name"])
    if not name:
        return _("This command needs a name.")
    if name in taken:
        return _("Another command is called {name} already.").format(name=one_line(name))
    lines = [line for line in str(values["line"]).splitlines() if line.strip()]
    if not lines:
        return _("{name} has no command to send.").format(name=one_line(name))
    try:
        for line in lines:
            command_words(line)
        msgspec.convert(values, CommandConfig)
    except UsageError as error:
        return str(error)
    except msgspec.ValidationError:
        return _("{name} cannot be kept: something in it is too long, or holds signs that are no text.").format(
            name=one_line(name)
        )
    return ""
