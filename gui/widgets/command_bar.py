"""Whom and what: the built-in buttons, the chips, the line, Send and Cancel, and what stands under More."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QCheckBox, QHBoxLayout, QMenu, QPushButton, QSpinBox, QVBoxLayout, QWidget

from core.errors import UsageError
from core.gather import fold_names
from core.language import _, ngettext
from core.records import MachineState, line_of
from gui.models.command_line import BUILT_INS, FOLDERS, words_of
from gui.numbers import number
from gui.plain_text import plain_tip
from gui.widgets.command_field import CommandField
from gui.widgets.flow_layout import FlowLayout
from gui.widgets.labels import plain_label
from gui.widgets.target_chips import TargetChips

TIMEOUT_S = 30
LONGEST_TIMEOUT_S = 600


class CommandBar(QWidget):
    """`send_pressed` carries commands (words of each line), names of machines and the time-out in seconds.

    It is emitted only for what can be sent; else the bar says what is missing.
    """

    send_pressed = pyqtSignal(list, list, float)
    cancel_pressed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._states: dict[str, MachineState] = {}
        self._groups_of: dict[str, tuple[str, ...]] = {}
        self._is_chosen_once = False
        self.chips = TargetChips(self)
        self.field = CommandField(self)
        self.send_button = QPushButton(self)
        self.cancel_button = QPushButton(_("Cancel"), self)
        self.more_button = QPushButton(_("More"), self)
        self.timeout_box = QSpinBox(self)
        self.several_box = QCheckBox(_("Several lines, each a command of its own"), self)
        self.problem = plain_label("", "warning", self, wrap=True)
        self.problem.hide()
        self._prepare()
        self._more = self._more_row()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self._buttons())
        line = QHBoxLayout()
        line.setSpacing(6)
        for widget in (self.chips, self.field, self.send_button, self.cancel_button, self.more_button):
            line.addWidget(widget, 1 if widget is self.field else 0, Qt.AlignTop)
        layout.addLayout(line)
        layout.addWidget(self._more)
        layout.addWidget(self.problem)
        self.chips.changed.connect(self._on_chips_changed)
        self.field.send_pressed.connect(self.send)
        self.field.textChanged.connect(self._refresh)
        self.field.several_changed.connect(self._on_several_changed)
        self.send_button.clicked.connect(self.send)
        self.cancel_button.clicked.connect(self.cancel_pressed)
        self.more_button.toggled.connect(self._more.setVisible)
        self.several_box.toggled.connect(self.field.set_several)
        self._refresh()

    def set_machines(self, states: Mapping[str, MachineState]) -> None:
        """Take the machines there are; whom the chips mean may change with them, the chips never do."""
        names_changed = list(states) != list(self._states)
        self._states = dict(states)
        if names_changed:
            self._take_machines()
        self._refresh()

    def set_groups(self, groups_of: Mapping[str, Sequence[str]]) -> None:
        """Take the groups of each machine, by its name."""
        taken = {name: tuple(groups) for name, groups in groups_of.items()}
        if taken != self._groups_of:
            self._groups_of = taken
            self._take_machines()

    def set_targets(self, targets: Sequence[str]) -> None:
        """Replace the chips, because the user asked for it."""
        self._is_chosen_once = True
        self.chips.set_targets(targets)

    def set_line(self, line: str) -> None:
        """Fill in the line, ready to be sent."""
        self.field.set_line(line)
        self.field.setFocus()

    def set_is_running(self, is_running: bool) -> None:
        """Cancel is there only while something runs."""
        self.cancel_button.setEnabled(is_running)

    def say(self, problem: str) -> None:
        """Say what stands in the way, empty for nothing."""
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))

    def send(self) -> None:
        """Send what is typed to whom the chips say, or say what is missing."""
        self.chips.commit()
        lines = self.field.lines()
        names = self.chips.machines()
        try:
            commands = [words_of(line) for line in lines]
        except UsageError as error:
            self.say(_("Not sent: {reason}.").format(reason=error))
            return
        if not names:
            self.say(_("Choose the machines first: a name, a pattern such as srv-*, an @group, or all."))
            self.chips.entry.setFocus()
        elif not commands:
            self.field.setFocus()
        else:
            self.say("")
            self.field.remember(lines)
            self.send_pressed.emit(commands, list(names), float(self.timeout_box.value()))

    def _prepare(self) -> None:
        self.send_button.setProperty("role", "primary")
        self.more_button.setCheckable(True)
        self.more_button.setToolTip(_("Time-out, several lines"))
        self.field.setPlaceholderText(_("A command, such as: ls -al /etc"))
        self.field.setAccessibleName(_("Command"))
        self.timeout_box.setRange(1, LONGEST_TIMEOUT_S)
        self.timeout_box.setValue(TIMEOUT_S)
        self.timeout_box.setSuffix(" s")
        self.timeout_box.setButtonSymbols(QSpinBox.NoButtons)

    def _buttons(self) -> QWidget:
        buttons = QWidget(self)
        flow = FlowLayout(buttons)
        for label, line in BUILT_INS:
            if line == "ps":
                flow.addWidget(self._folder_button())
            button = QPushButton(_(label), buttons)
            button.setToolTip(plain_tip(line))
            button.clicked.connect(lambda _checked=False, line=line: self._on_built_in(line))
            flow.addWidget(button)
        return buttons

    def _folder_button(self) -> QPushButton:
        button = QPushButton(_("List a directory ▾"), self)
        menu = QMenu(button)
        for folder in FOLDERS:
            action = menu.addAction(folder)
            line = line_of(("ls", "-al", folder))
            action.triggered.connect(lambda _checked=False, line=line: self._on_built_in(line))
        menu.addSeparator()
        other = menu.addAction(_("Another…"))
        other.triggered.connect(lambda _checked=False: self.set_line("ls -al "))
        button.setMenu(menu)
        return button

    def _more_row(self) -> QWidget:
        more = QWidget(self)
        row = QHBoxLayout(more)
        row.setContentsMargins(0, 0, 0, 0)
        caption = plain_label(_("&Time-out"), "dim")
        caption.setBuddy(self.timeout_box)
        row.addWidget(caption)
        row.addWidget(self.timeout_box)
        row.addSpacing(16)
        row.addWidget(self.several_box)
        row.addWidget(plain_label(_("Shift+Enter begins a line, Ctrl+Enter sends"), "dim", wrap=True), 1)
        more.hide()
        return more

    def _take_machines(self) -> None:
        self.chips.set_machines({name: self._groups_of.get(name, ()) for name in self._states})
        if len(self._states) == 1 and not self._is_chosen_once:
            # with a single machine there is no doubt; the chip says so
            self.chips.set_targets(list(self._states))
        self._is_chosen_once = self._is_chosen_once or bool(self._states)

    def _refresh(self) -> None:
        names = self.chips.machines()
        count = len(names)
        self.send_button.setText(_("Send to {count}").format(count=number(count)) if count else _("Send"))
        self.send_button.setToolTip(plain_tip(self._tip(names)))
        self.send_button.setEnabled(bool(self.field.lines()) and bool(self._states))

    def _tip(self, names: Sequence[str]) -> str:
        if not names:
            return _("No machine chosen")
        away = [name for name in names if self._states.get(name) not in (MachineState.ONLINE, MachineState.LATE)]
        lines = [fold_names(names)]
        if away:
            text = ngettext(
                "{count} cannot be reached now: {names}", "{count} cannot be reached now: {names}", len(away)
            )
            lines.append(text.format(count=number(len(away)), names=fold_names(away)))
        return "\n".join(lines)

    def _on_built_in(self, line: str) -> None:
        self.field.set_line(line)
        self.send()

    def _on_chips_changed(self) -> None:
        lost = self.chips.lost()
        names = ", ".join(f"“{target}”" for target in lost)
        self.say(_("No machine matches {targets}.").format(targets=names) if lost and self._states else "")
        self._refresh()

    def _on_several_changed(self, is_several: bool) -> None:
        self.several_box.setChecked(is_several)
        if is_several:
            self.more_button.setChecked(True)
