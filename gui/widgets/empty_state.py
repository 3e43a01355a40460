"""What a tile or a page shows while it has nothing to show: one sentence, one button."""

from __future__ import annotations

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QPushButton, QVBoxLayout, QWidget

from gui.widgets.labels import plain_label


class EmptyState(QWidget):
    """A sentence in the middle, and below it the button that changes it."""

    pressed = pyqtSignal()

    def __init__(self, sentence: str, button: str | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sentence = plain_label(sentence, "dim", wrap=True)
        self._sentence.setAlignment(Qt.AlignCenter)
        layout = QVBoxLayout(self)
        layout.addStretch(1)
        layout.addWidget(self._sentence)
        if button is not None:
            self.button = QPushButton(button)
            self.button.clicked.connect(self.pressed)
            layout.addSpacing(6)
            layout.addWidget(self.button, 0, Qt.AlignHCenter)
        layout.addStretch(1)

    def set_sentence(self, text: str) -> None:
        """Say something else."""
        self._sentence.setText(text)

    def sentence(self) -> str:
        """What is said."""
        return self._sentence.text()
