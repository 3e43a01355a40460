"""What stands in place of answers before the first command."""

from __future__ import annotations

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.language import _
from gui.models.command_line import EXAMPLES
from gui.widgets.flow_layout import FlowLayout
from gui.widgets.labels import plain_label


class NoAnswers(QWidget):
    """Before the first command: one sentence, and what one can do."""

    example_wanted = pyqtSignal(str)
    add_machine_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sentence = plain_label("", wrap=True)
        self._sentence.setAlignment(Qt.AlignHCenter)
        self._hint = plain_label("", "dim", wrap=True)
        self._hint.setAlignment(Qt.AlignHCenter)
        self.add = QPushButton(_("Add a machine…"))
        self.add.setProperty("role", "primary")
        self.add.clicked.connect(self.add_machine_wanted)
        self._examples = QWidget()
        flow = FlowLayout(self._examples)
        self.examples: list[QPushButton] = []
        for line in EXAMPLES:
            button = QPushButton(line)
            button.setObjectName("example")
            button.clicked.connect(lambda _checked=False, line=line: self.example_wanted.emit(line))
            self.examples.append(button)
            flow.addWidget(button)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self._examples)
        row.addWidget(self.add)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addStretch(2)
        layout.addWidget(self._sentence)
        layout.addWidget(self._hint)
        layout.addSpacing(8)
        layout.addLayout(row)
        layout.addStretch(3)
        self.set_has_machines(False)

    def set_has_machines(self, has_machines: bool) -> None:
        """Which of the two it is."""
        self.add.setVisible(not has_machines)
        self._examples.setVisible(has_machines)
        if has_machines:
            self._sentence.setText(_("Choose the machines, then a button above, or type a command."))
            self._hint.setText(_("Every agent allows lines like these:"))
        else:
            self._sentence.setText(_("Commands go to machines, and there is none yet."))
            self._hint.setText("")
