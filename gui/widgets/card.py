"""The card that content sits on: a small title at the left, its context at the right, then the content."""

from __future__ import annotations

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gui.plain_text import plain_tip
from gui.theme import scaled_font

MARGIN = 12
GAP = 10


class Card(QFrame):
    """A frame with a title line; add content to `body`, and widgets of the title line with `add_to_title`."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.setAccessibleName(title)
        self._title = _plain_label(title, "card-title")
        self._context = _plain_label("", "card-context")
        self._title_line = QHBoxLayout()
        self._title_line.setSpacing(GAP)
        self._title_line.addWidget(self._title)
        self._subtitle = _plain_label("", "card-context")
        self._subtitle.hide()
        self._title_line.addWidget(self._subtitle)
        self._title_line.addStretch(1)
        self._title_line.addWidget(self._context)
        self.body = QVBoxLayout()
        self.body.setSpacing(6)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, 8, MARGIN, MARGIN)
        layout.setSpacing(6)
        layout.addLayout(self._title_line)
        layout.addLayout(self.body, 1)

    def set_title(self, text: str) -> None:
        """Change the title."""
        self._title.setText(text.upper())
        self.setAccessibleName(text)

    def hide_title(self) -> None:
        """No title line: the content has a head of its own; the title stays for who cannot see the card."""
        for label in (self._title, self._context):
            label.hide()
        self._title_line.setContentsMargins(0, 0, 0, 0)
        self.layout().setSpacing(0)

    def set_subtitle(self, text: str) -> None:
        """Words right after the title, in the case they have: a unit, limits, a count."""
        self._subtitle.setText(text)
        self._subtitle.setVisible(bool(text))

    def set_context(self, text: str) -> None:
        """What the title is about: source, range, unit, age."""
        self._context.setText(text)

    def set_title_tip(self, text: str) -> None:
        """How the content is used, as a tool-tip of the words in the title line: none ever covers the content."""
        for label in (self._title, self._subtitle):
            label.setToolTip(plain_tip(text))

    def add_to_title(self, widget: QWidget, stretch: int = 0) -> None:
        """Put `widget` at the right end of the title line; with `stretch` it takes what room there is."""
        self._title_line.addWidget(widget, stretch)


def _plain_label(text: str, name: str) -> QLabel:
    label = QLabel(text.upper() if name == "card-title" else text)
    label.setObjectName(name)
    label.setTextFormat(Qt.PlainText)
    label.setFont(scaled_font(0.85))
    return label
