"""A line over the pages that stays until it is closed: what has failed, and what to try."""

from __future__ import annotations

from PyQt5.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from core.language import _
from gui.plain_text import one_line
from gui.widgets.labels import plain_label


class Notice(QFrame):
    """Hidden until `show_text`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._label = plain_label("", "warning", wrap=True, selectable=True)
        self._label.setAccessibleName(_("Notice"))
        close = QPushButton(_("Close"))
        close.clicked.connect(self.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 6, 8, 6)
        layout.addWidget(self._label, 1)
        layout.addWidget(close)
        self.hide()

    def show_text(self, text: str) -> None:
        """Show `text` in place of the line before."""
        self._label.setText(one_line(text))
        self.show()

    def withdraw(self, text: str) -> None:
        """Hide `text` where it is still the line that is shown."""
        if self._label.text() == one_line(text):
            self.hide()

    def text(self) -> str:
        """The line."""
        return self._label.text()
