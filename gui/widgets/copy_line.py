"""One line to type elsewhere, in a fixed font, with a button that copies it."""

from __future__ import annotations

from PyQt5.QtGui import QFontDatabase, QGuiApplication
from PyQt5.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QWidget

from core.language import _


class CopyLine(QWidget):
    """`set_line` changes it."""

    def __init__(self, line: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._field = QLineEdit(line)
        self._field.setReadOnly(True)
        font = QFontDatabase.systemFont(QFontDatabase.FixedFont)
        font.setPointSizeF(self.font().pointSizeF() * 0.92)
        self._field.setFont(font)
        self._field.setAccessibleName(_("Line to paste"))
        self.copy_button = QPushButton(_("Copy"))
        self.copy_button.setAutoDefault(False)
        self.copy_button.clicked.connect(self._on_copy)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self._field, 1)
        layout.addWidget(self.copy_button)

    def set_line(self, line: str) -> None:
        """Show another line."""
        if line != self._field.text():
            self._field.setText(line)
            self._field.setCursorPosition(0)
            self.copy_button.setText(_("Copy"))

    def text(self) -> str:
        """The line."""
        return self._field.text()

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._field.text())
        self.copy_button.setText(_("Copied"))
