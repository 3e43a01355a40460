"""The head of the Machine page: who the machine is, how it stands and what to do about that, and the time shown."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.language import _
from core.records import Level, MachineReport, MachineState
from gui.models.machine_words import identity_words, next_words, state_words
from gui.theme import scaled_font
from gui.widgets.card import GAP
from gui.widgets.export_button import ExportButton
from gui.widgets.labels import ElidedLabel, plain_label, set_role
from gui.widgets.time_range import RangeBar, TimeRange

AWAY = frozenset({MachineState.OFFLINE, MachineState.UNPAIRED, MachineState.NOT_TRUSTED})


class _Title(ElidedLabel):
    """A name as large as it is; a longer one than there is room for is cut."""

    def set_text(self, text: str) -> None:
        super().set_text(text)
        self.setMinimumWidth(min(120, self.fontMetrics().horizontalAdvance(text) + 2))


class MachineHeader(QWidget):
    """Name and buttons, identity below them, and a banner while something is the matter."""

    command_wanted = pyqtSignal()

    def __init__(self, time_range: TimeRange, export_button: ExportButton, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = _Title()
        self._title.setFont(scaled_font(1.5, bold=True))
        self.range_bar = RangeBar(time_range)
        self.command_button = QPushButton(_("Command…"))
        self.command_button.setToolTip(_("Send a command to this machine"))
        self.command_button.clicked.connect(self.command_wanted)
        line = QHBoxLayout()
        line.setSpacing(GAP)
        line.addWidget(self._title, 1)
        for widget in (self.range_bar, self.command_button, export_button):
            line.addWidget(widget)
        self._identity = plain_label("", "dim", wrap=True, selectable=True)
        self._banner = plain_label("", "critical", wrap=True, selectable=True)
        self._banner.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(line)
        layout.addWidget(self._identity)
        layout.addWidget(self._banner)

    def show_name(self, name: str) -> None:
        """Another machine, of which nothing is known yet."""
        self._title.set_text(name)
        self._identity.hide()
        self._banner.hide()
        self.command_button.setEnabled(False)

    def apply(self, report: MachineReport) -> None:
        """Who it is and how it stands."""
        words = identity_words(report)
        self._identity.setText(words)
        self._identity.setVisible(bool(words))
        is_well = report.state is MachineState.ONLINE
        self._banner.setVisible(not is_well)
        state = state_words(report).rstrip()
        ended = state if state[-1:] in ".?!…" else f"{state}."
        self._banner.setText("  ".join(part for part in (ended, next_words(report)) if part))
        set_role(self._banner, "warning" if report.state is MachineState.LATE else "critical")
        may_run = report.state not in AWAY and report.level is not Level.VIEW
        self.command_button.setEnabled(may_run)
