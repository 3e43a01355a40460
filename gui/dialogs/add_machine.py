"""Add machine…, and pair again: the two lines for the other machine, its address and its code."""

from __future__ import annotations

from collections.abc import Collection

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QLineEdit, QSpinBox, QWidget

from core.errors import (
    HostUnknownError,
    NoRouteError,
    NotAnAgentError,
    NothingListensError,
    NotTrustedError,
    UsageError,
    WrongCodeError,
)
from core.language import N_, _
from core.machine_tags import tags_of
from core.records import Machine
from gui.dialogs.base import FormDialog, LinesToPaste, More
from gui.widgets.labels import plain_label

PORT = 17450
AGENT_LINES = (
    "python3 -m venv .venv && .venv/bin/pip install .",
    ".venv/bin/beffroi agent run --pair",
)

_ADVICE = (
    (HostUnknownError, N_("Check the spelling of the name, or type the IP address of the machine.")),
    (NoRouteError, N_("Is the machine on and on this network, and does its firewall let TCP port {port} in?")),
    (NothingListensError, N_("The machine is there, its agent is not: type the two lines above on it.")),
    (NotAnAgentError, N_("Another program answers on port {port}; the agent prints its own port when it starts.")),
    (WrongCodeError, N_("A code works once and for ten minutes. Ask for a new one there: beffroi agent pair")),
    (NotTrustedError, N_("The agent refuses this console. Ask for a new code there: beffroi agent pair")),
)


def advice(error: BaseException, port: int) -> str:
    """What to try after `error`; empty where only the error itself can be said."""
    for kind, words in _ADVICE:
        if isinstance(error, kind):
            return _(words).format(port=port)
    return ""


class AddMachineDialog(FormDialog):
    """Asks for name, address and code; `pair_wanted(name, address, port, code, groups)`, all as they were typed.

    `chosen_tags` are the tags typed beside. `propose` fills in where an agent was found.
    """

    pair_wanted = pyqtSignal(str, str, int, str, list)

    def __init__(self, taken: Collection[str], machine: Machine | None = None, parent: QWidget | None = None) -> None:
        title = _("Add machine") if machine is None else _("Pair {name} again").format(name=machine.name)
        super().__init__(title, _("Pair"), parent)
        self._taken = frozenset(taken)
        self._machine = machine
        self.chosen_tags: tuple[str, ...] = () if machine is None else machine.tags
        self.add_wide(
            plain_label(
                _("1. On the other machine, in a copy of Beffroi's folder, type these lines; the last prints a code."),
                wrap=True,
            )
        )
        self.lines = LinesToPaste(AGENT_LINES if machine is None else (".venv/bin/beffroi agent pair",))
        self.add_wide(self.lines)
        self.add_wide(plain_label(_("2. Here, type its address and that code."), wrap=True))
        self.address = QLineEdit()
        self.address.setPlaceholderText(_("name or IP address"))
        self.add_row(_("Address"), self.address)
        self.code = QLineEdit()
        self.code.setPlaceholderText("XXXXX-XXXXX")
        self.add_row(_("Code"), self.code)
        self.name = QLineEdit()
        self.name.setPlaceholderText(_("as the machine calls itself"))
        self.add_row(_("Name here"), self.name)
        self._more = more = More()
        self.port = QSpinBox()
        self.port.setButtonSymbols(QSpinBox.NoButtons)
        self.port.setRange(1, 65535)
        self.port.setValue(PORT)
        more.add_row(_("Port"), self.port)
        self.groups = QLineEdit()
        self.groups.setPlaceholderText(_("separated by commas"))
        more.add_row(_("Groups"), self.groups)
        self.tags = QLineEdit()
        self.tags.setPlaceholderText(_("words such as printer or first-floor"))
        more.add_row(_("Tags"), self.tags)
        self.add_wide(more)
        if machine is not None:
            self.address.setText(machine.host)
            self.port.setValue(machine.port)
            self.name.setText(machine.name)
            self.name.setEnabled(False)
            self.groups.setText(", ".join(machine.groups))
            self.tags.setText(", ".join(machine.tags))
            self.code.setFocus()

    def propose(self, host: str, port: int, name: str) -> None:
        """An agent was found there; its name is what it says of itself, and can be changed."""
        self.address.setText(host)
        self.port.setValue(port)
        self.name.setText(name if name not in self._taken else "")
        if port != PORT:
            self._more.open()
        self.code.setFocus()

    def on_accept(self) -> None:
        """Check the fields, then ask for the pairing."""
        address = self.address.text().strip()
        if not address:
            self.say(_("Type the address of the machine: a name or an IP address."), "warning")
            self.address.setFocus()
            return
        name = self.name.text().strip()
        if self._machine is None and name in self._taken:
            self.say(_("There is a machine called {name} already; choose another name.").format(name=name), "warning")
            self.name.setFocus()
            return
        code = self.code.text().strip()
        if not code:
            self.say(_("Type the code that the agent prints."), "warning")
            self.code.setFocus()
            return
        groups = [word.strip() for word in self.groups.text().split(",") if word.strip()]
        try:
            self.chosen_tags = tags_of(self.tags.text())
        except UsageError as error:
            self.say(str(error), "warning")
            return
        self.set_busy(True)
        self.say(_("pairing with {host}…").format(host=address))
        self.pair_wanted.emit(name, address, self.port.value(), code, groups)

    def apply_failed(self, error: BaseException) -> None:
        """It did not work: why, and what to try."""
        self.set_busy(False)
        words = advice(error, self.port.value())
        self.say(f"{error}\n{words}" if words else str(error), "critical")

    def apply_paired(self) -> None:
        """It worked: nothing more to ask."""
        self.set_busy(False)
        self.accept()
