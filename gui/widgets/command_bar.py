"""Whom and what: the built-in buttons, the chips, the line, Send and Cancel, and what stands under More."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QSpinBox, QVBoxLayout, QWidget

from core.config.commands import CommandConfig
from core.errors import UsageError
from core.gather import fold_names
from core.language import _, ngettext
from core.records import MachineState
from core.targets import TargetBook
from gui.models.command_line import command_words
from gui.models.target_words import shortened
from gui.numbers import number
from gui.plain_text import plain_tip
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.command_buttons import CommandButtons
from gui.widgets.command_field import CommandField
from gui.widgets.labels import plain_label
from gui.widgets.target_chips import TargetChips

TIMEOUT_S = 30
LONGEST_TIMEOUT_S = 600
SHARE_OF_CHIPS = 0.42
"""Of the width, beyond which the targets have a row of their own."""
LINE_PX = 240
"""Room that the line is to keep beside targets and buttons, else the targets have a row of their own, too."""
WINDOWS = (0, 1, 2, 5, 10, 20, 50, 100)
"""Machines at once that are offered; 0 is all of them."""


class CommandBar(QWidget):
    """`send_pressed` carries commands (words of each line), names of machines, the time-out in seconds, the window.

    It is emitted only for what can be sent; else the bar says what is missing.
    """

    send_pressed = pyqtSignal(list, list, float, int)
    cancel_pressed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.book = TargetBook(machines=())
        self._is_chosen_once = False
        self.buttons = CommandButtons(self)
        self.chips = TargetChips(self)
        self.field = CommandField(self)
        self.send_button = QPushButton(self)
        self.cancel_button = QPushButton(_("Cancel"), self)
        self.more_button = QPushButton(_("More"), self)
        self.timeout_box = QSpinBox(self)
        self.window_box = ChoiceBox(self)
        self.several_box = QCheckBox(_("Several lines, each a command of its own"), self)
        self.problem = plain_label("", "warning", self, wrap=True)
        self.problem.hide()
        self._prepare()
        self._more = self._more_row()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.buttons)
        self._apart = QHBoxLayout()
        layout.addLayout(self._apart)
        self._line = line = QHBoxLayout()
        line.setSpacing(6)
        for widget in (self.chips, self.field, self.send_button, self.cancel_button, self.more_button):
            line.addWidget(widget, 1 if widget is self.field else 0, Qt.AlignTop)
        layout.addLayout(line)
        layout.addWidget(self._more)
        layout.addWidget(self.problem)
        self.buttons.line_chosen.connect(self._on_built_in)
        self.buttons.line_begun.connect(self.set_line)
        self.buttons.command_chosen.connect(self.take_command)
        self.chips.changed.connect(self._on_chips_changed)
        self.field.send_pressed.connect(self.send)
        self.field.textChanged.connect(self._refresh)
        self.field.several_changed.connect(self._on_several_changed)
        self.send_button.clicked.connect(self.send)
        self.cancel_button.clicked.connect(self.cancel_pressed)
        self.more_button.toggled.connect(self._more.setVisible)
        self.several_box.toggled.connect(self.field.set_several)
        self.window_box.currentIndexChanged.connect(self._on_window_chosen)
        self._refresh()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Targets that leave too little room for the line stand above it."""
        super().resizeEvent(event)
        self._place_chips()

    def _place_chips(self) -> None:
        chips = self.chips.width_at_rest()  # so that the line stays where it is while targets are typed
        buttons = (self.send_button, self.cancel_button, self.more_button)
        room = self.width() - chips - sum(button.sizeHint().width() + self._line.spacing() for button in buttons)
        is_apart = chips > self.width() * SHARE_OF_CHIPS or room < LINE_PX
        if is_apart == (self._apart.count() > 0):
            return
        if is_apart:
            self._line.removeWidget(self.chips)
            self._apart.addWidget(self.chips)
            self._apart.addStretch(1)
        else:
            while self._apart.count():
                self._apart.takeAt(0)
            self._line.insertWidget(0, self.chips, 0, Qt.AlignTop)

    def set_book(self, book: TargetBook) -> None:
        """Take the machines and filters there are; whom the chips mean may change with them, the chips never do."""
        self.book = book
        self.chips.set_book(book)
        if len(book.machines) == 1 and not self._is_chosen_once:
            # with a single machine there is no doubt; the chip says so
            self.chips.set_targets([book.machines[0].name])
        self._is_chosen_once = self._is_chosen_once or bool(book.machines)
        self._refresh()

    def window(self) -> int:
        """Machines that run it at once, 0 for all."""
        return int(self.window_box.currentData())

    def set_window(self, window: int) -> None:
        """Choose how many machines run it at once."""
        place = self.window_box.findData(window)
        self.window_box.setCurrentIndex(max(0, place))

    def take_command(self, command: CommandConfig) -> None:
        """Take a command of the library: sent at once where it changes no targets, else ready to be sent."""
        self.fill_command(command)
        if not command.targets:
            self.send()

    def fill_command(self, command: CommandConfig) -> None:
        """Fill in the line of a command of the library, its targets and its time-out where it has some."""
        if command.targets:
            self.set_targets(command.targets)
        if command.timeout_s is not None:
            self.timeout_box.setValue(round(command.timeout_s))
        self.set_line(command.line)

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

    def say_no_target(self) -> None:
        """Say that machines are to be chosen first."""
        self.say(_("Choose the machines first: a name, a pattern such as srv-*, an @group, or all."))
        self.chips.entry.setFocus()

    def send(self) -> None:
        """Send what is typed to whom the chips say, or say what is missing."""
        self.chips.commit()
        lines = self.field.lines()
        names = self.chips.machines()
        try:
            commands = [command_words(line) for line in lines]
        except UsageError as error:
            self.say(_("Not sent: {reason}.").format(reason=error))
            return
        if not names:
            self.say_no_target()
        elif not commands:
            self.field.setFocus()
        else:
            self.say("")
            self.field.remember(lines)
            self.send_pressed.emit(commands, list(names), float(self.timeout_box.value()), self.window())

    def _prepare(self) -> None:
        self.send_button.setProperty("role", "primary")
        self.more_button.setCheckable(True)
        self.more_button.setToolTip(_("Time-out, machines at once, several lines"))
        self.field.setPlaceholderText(_("A command, such as: ls -al /etc"))
        self.field.setAccessibleName(_("Command"))
        self.field.setToolTip(
            plain_tip(
                _(
                    "Linux:, DOS: or Powershell: in front: on such machines alone; at level raw the shell of that name "
                    "reads the line"
                )
            )
        )
        for window in WINDOWS:
            self.window_box.addItem(_("all") if window == 0 else number(window), window)
        self.window_box.setAccessibleName(_("Machines at once"))
        self.window_box.setToolTip(_("So many machines run it at once, the next one when one has ended"))
        self.timeout_box.setRange(1, LONGEST_TIMEOUT_S)
        self.timeout_box.setValue(TIMEOUT_S)
        self.timeout_box.setSuffix(" s")
        self.timeout_box.setButtonSymbols(QSpinBox.NoButtons)

    def _more_row(self) -> QWidget:
        more = QWidget(self)
        row = QHBoxLayout(more)
        row.setContentsMargins(0, 0, 0, 0)
        caption = plain_label(_("&Time-out"), "dim")
        caption.setBuddy(self.timeout_box)
        row.addWidget(caption)
        row.addWidget(self.timeout_box)
        row.addSpacing(16)
        at_once = plain_label(_("&At once"), "dim")
        at_once.setBuddy(self.window_box)
        row.addWidget(at_once)
        row.addWidget(self.window_box)
        row.addSpacing(16)
        row.addWidget(self.several_box)
        row.addWidget(plain_label(_("Shift+Enter begins a line, Ctrl+Enter sends"), "dim", wrap=True), 1)
        more.hide()
        return more

    def _refresh(self) -> None:
        names = self.chips.machines()
        count = len(names)
        self.send_button.setText(_("Send to {count}").format(count=number(count)) if count else _("Send"))
        self.send_button.setToolTip(plain_tip(self._tip(names)))
        self.send_button.setEnabled(bool(self.field.lines()) and bool(self.book.machines))
        self._place_chips()

    def _tip(self, names: Sequence[str]) -> str:
        if not names:
            return _("No machine chosen")
        reached = (MachineState.ONLINE, MachineState.LATE)
        away = [name for name in names if self.book.states.get(name) not in reached]
        lines = [shortened(fold_names(names))]
        if away:
            text = ngettext(
                "{count} cannot be reached now: {names}", "{count} cannot be reached now: {names}", len(away)
            )
            lines.append(text.format(count=number(len(away)), names=shortened(fold_names(away))))
        return "\n".join(lines)

    def _on_built_in(self, line: str) -> None:
        self.field.set_line(line)
        self.send()

    def _on_chips_changed(self) -> None:
        lost = self.chips.lost()
        names = ", ".join(f"“{target}”" for target in lost)
        self.say(_("No machine matches {targets}.").format(targets=names) if lost and self.book.machines else "")
        self._refresh()

    def _on_window_chosen(self, _place: int) -> None:
        window = self.window()
        words = _("More · {count} at once").format(count=number(window)) if window else _("More")
        self.more_button.setText(words)
        self._place_chips()

    def _on_several_changed(self, is_several: bool) -> None:
        self.several_box.setChecked(is_several)
        if is_several:
            self.more_button.setChecked(True)
