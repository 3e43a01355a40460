"""The question when the window closes while commands run."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QMessageBox, QWidget

from core.gather import fold_names
from core.language import _, ngettext
from core.records import CommandRequest
from gui.models.target_words import shortened
from gui.numbers import number
from gui.plain_text import one_line

_LISTED = 5


class Ending(Enum):
    """What becomes of commands that run when the window closes."""

    STOP = "stop"
    LET_GO_ON = "let_go_on"
    STAY = "stay"


class RunningCommandsBox(QMessageBox):
    """Says what runs where, and offers three ways; Enter alone and Escape stay."""

    def __init__(self, running: Sequence[CommandRequest], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(_("Commands still run"))
        self.setTextFormat(Qt.PlainText)
        self.setText(_running_words(running))
        lines = [
            f"{one_line(request.line)[:80]}: {shortened(fold_names(request.machines))}" for request in running[:_LISTED]
        ]
        if len(running) > _LISTED:
            lines.append("…")
        lines.append("")
        lines.append(_("What goes on without this window is fetched by the next one, and stands in its history."))
        self.setInformativeText("\n".join(lines))
        self.stop_button = self.addButton(_("Stop them and quit"), QMessageBox.AcceptRole)
        self.let_button = self.addButton(_("Let them go on"), QMessageBox.DestructiveRole)
        self.stay_button = self.addButton(_("Stay"), QMessageBox.RejectRole)
        self.setDefaultButton(self.stay_button)
        self.setEscapeButton(self.stay_button)

    def answer(self) -> Ending:
        """What was pressed; whoever closes the question stays."""
        pressed = self.clickedButton()
        if pressed is self.stop_button:
            return Ending.STOP
        return Ending.LET_GO_ON if pressed is self.let_button else Ending.STAY


def ask_before_closing(parent: QWidget | None, running: Sequence[CommandRequest]) -> Ending:
    """Ask what becomes of the commands that run."""
    box = RunningCommandsBox(running, parent)
    box.exec_()
    return box.answer()


def _running_words(running: Sequence[CommandRequest]) -> str:
    """`3 commands still run on 12 machines.`"""
    machines = len({name for request in running for name in request.machines})
    on_machines = ngettext("{count} machine", "{count} machines", machines).format(count=number(machines))
    text = ngettext(
        "{count} command still runs on {machines}.", "{count} commands still run on {machines}.", len(running)
    )
    return text.format(count=number(len(running)), machines=on_machines)
