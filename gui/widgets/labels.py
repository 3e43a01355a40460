"""Labels whose text is shown exactly as it is.

A bare QLabel guesses: text that looks like HTML is drawn as HTML, so the name of a machine could load a picture or
show a link. Every label of the window is made here; tests/house checks it.
"""

from __future__ import annotations

from PyQt5.QtCore import Qt
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import QLabel, QSizePolicy, QWidget

from gui.plain_text import plain_tip


def plain_label(
    text: str = "",
    role: str | None = None,
    parent: QWidget | None = None,
    *,
    wrap: bool = False,
    selectable: bool = False,
) -> QLabel:
    """A label that draws `text`, now and later, as plain text.

    `role` is `dim`, `ok`, `warning` or `critical` (the style sheet colours by it); a wrapped label takes the width it
    is given; a selectable one can be copied from, by mouse and by keyboard.
    """
    label = QLabel(parent)
    label.setTextFormat(Qt.PlainText)
    label.setText(text)
    if role is not None:
        label.setProperty("role", role)
    if wrap:
        label.setWordWrap(True)
        label.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Preferred)
    if selectable:
        label.setTextInteractionFlags(Qt.TextSelectableByMouse | Qt.TextSelectableByKeyboard)
    return label


class ElidedLabel(QLabel):
    """A label that takes the width it is given and ends its text with … where that is too small."""

    def __init__(self, role: str | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.PlainText)
        self.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Preferred)
        if role is not None:
            self.setProperty("role", role)
        self._whole = ""

    def set_text(self, text: str) -> None:
        """Show `text`, shortened where it must be; the whole of it is in the tool-tip then."""
        if text != self._whole:
            self._whole = text
            self.setAccessibleName(text)
            self._elide()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Shorten anew."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        shown = self.fontMetrics().elidedText(self._whole, Qt.ElideRight, self.width())
        self.setText(shown)
        self.setToolTip(plain_tip(self._whole) if shown != self._whole else "")


def set_role(widget: QWidget, role: str | None) -> None:
    """Change the role that the style sheet colours `widget` by."""
    if widget.property("role") == role:
        return
    widget.setProperty("role", role)
    style = widget.style()
    if style is not None:
        style.unpolish(widget)
        style.polish(widget)
