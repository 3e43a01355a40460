"""What the Sensors and the Room page show while there is nothing: what it is, one button, and a line to try."""

from __future__ import annotations

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from gui.theme import scaled_font
from gui.widgets.card import GAP, Card
from gui.widgets.copy_line import CopyLine
from gui.widgets.labels import plain_label, set_role

_WIDTH_PX = 660


class SiteStart(QWidget):
    """A card in the middle: headline, sentence, state, the line, buttons at the right with the first one primary."""

    def __init__(self, title: str, headline: str, sentence: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        card = Card(title)
        card.setMaximumWidth(_WIDTH_PX)
        self._headline = plain_label(headline, wrap=True)
        self._headline.setFont(scaled_font(1.4, bold=True))
        card.body.addWidget(self._headline)
        card.body.addWidget(plain_label(sentence, "dim", wrap=True))
        card.body.addSpacing(GAP)
        self._state = plain_label("", wrap=True, selectable=True)
        self._state.hide()
        card.body.addWidget(self._state)
        self._how = plain_label("", "dim", wrap=True)
        self._how.hide()
        card.body.addWidget(self._how)
        self.line = CopyLine()
        self.line.hide()
        card.body.addWidget(self.line)
        card.body.addSpacing(GAP)
        self._buttons = QHBoxLayout()
        self._buttons.addStretch(1)
        card.body.addLayout(self._buttons)
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(card, 16)
        across.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addStretch(1)
        layout.addLayout(across)
        layout.addStretch(2)
        self.setFocusPolicy(Qt.NoFocus)

    def add_button(self, text: str, slot: object, *, is_primary: bool = False) -> QPushButton:
        """One more button, at the right."""
        button = QPushButton(text)
        if is_primary:
            button.setProperty("role", "primary")
        button.clicked.connect(slot)
        self._buttons.addWidget(button)
        return button

    def set_headline(self, text: str) -> None:
        """Say something else first."""
        self._headline.setText(text)

    def set_state(self, text: str, role: str | None = None) -> None:
        """How it stands now, or what went wrong and what to try."""
        self._state.setText(text)
        set_role(self._state, role)
        self._state.setVisible(bool(text))

    def state(self) -> str:
        """The words of `set_state`."""
        return self._state.text()

    def set_line(self, how: str, line: str) -> None:
        """What to do with a line, and the line; both hidden where empty."""
        self._how.setText(how)
        self._how.setVisible(bool(how))
        self.line.set_line(line)
        self.line.setVisible(bool(line))
