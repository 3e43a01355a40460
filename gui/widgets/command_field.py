"""Where a command is typed: one line, or several, each a command of its own."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QMimeData, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QFontDatabase, QKeyEvent, QResizeEvent, QTextCursor
from PyQt5.QtWidgets import QPlainTextEdit, QSizePolicy, QWidget

LINES_SHOWN = 6
LINES_RECALLED = 200


class CommandField(QPlainTextEdit):
    """Enter sends a single line and Ctrl+Enter sends several; Shift+Enter begins another line.

    Up and Down recall earlier lines, as in a terminal.
    """

    send_pressed = pyqtSignal()
    several_changed = pyqtSignal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("command")
        self.is_several = False
        self._recalled: list[str] = []
        self._place = 0
        font = QFontDatabase.systemFont(QFontDatabase.FixedFont)
        font.setPointSizeF(self.font().pointSizeF())
        self.setFont(font)
        self.setLineWrapMode(QPlainTextEdit.NoWrap)
        self.setTabChangesFocus(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self.textChanged.connect(self._on_text_changed)
        self._fit()

    def lines(self) -> list[str]:
        """The commands typed, without empty lines."""
        return [line.strip() for line in self.toPlainText().splitlines() if line.strip()]

    def set_line(self, text: str) -> None:
        """Replace what is typed, and be ready to go on at its end."""
        self.set_several("\n" in text.strip())
        self.setPlainText(text)
        self.moveCursor(QTextCursor.End)

    def set_several(self, is_several: bool) -> None:
        """Take one line or several; going back to one keeps the first."""
        if is_several == self.is_several:
            return
        self.is_several = is_several
        if not is_several and "\n" in self.toPlainText():
            self.setPlainText(self.toPlainText().strip().split("\n", 1)[0])
        self._fit()
        self.several_changed.emit(is_several)

    def remember(self, lines: Sequence[str]) -> None:
        """Make `lines` the newest that Up recalls."""
        for line in lines:
            if line in self._recalled:
                self._recalled.remove(line)
            self._recalled.append(line)
        del self._recalled[:-LINES_RECALLED]
        self._place = len(self._recalled)

    def sizeHint(self) -> QSize:
        """One line, or some."""
        return QSize(320, self.height())

    def minimumSizeHint(self) -> QSize:
        """Room for a short command, however many targets stand beside it."""
        return QSize(230, self.height())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Begin with the first line where all have room."""
        super().resizeEvent(event)
        bar = self.verticalScrollBar()
        if bar is not None and self.blockCount() <= LINES_SHOWN:
            bar.setValue(0)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Enter, Ctrl+Enter, Shift+Enter, Up and Down as said above; all else as in any field."""
        if event is None:
            return
        modifiers = event.modifiers() & ~Qt.KeypadModifier
        if event.key() in (Qt.Key_Return, Qt.Key_Enter):
            if modifiers == Qt.ShiftModifier:
                self.set_several(True)
                self.insertPlainText("\n")
            elif self.is_several and not modifiers:
                self.insertPlainText("\n")
            else:
                self.send_pressed.emit()
        elif not self.is_several and event.key() in (Qt.Key_Up, Qt.Key_Down) and not modifiers:
            self._recall(-1 if event.key() == Qt.Key_Up else 1)
        else:
            super().keyPressEvent(event)

    def insertFromMimeData(self, source: QMimeData | None) -> None:
        """Paste plain text; several lines open the field for several."""
        text = "" if source is None else source.text().replace("\r\n", "\n").strip("\n")
        if "\n" in text:
            self.set_several(True)
        self.insertPlainText(text)

    def _recall(self, step: int) -> None:
        place = max(0, min(len(self._recalled), self._place + step))
        if place == self._place:
            return
        self._place = place
        self.setPlainText(self._recalled[place] if place < len(self._recalled) else "")
        self.moveCursor(QTextCursor.End)

    def _on_text_changed(self) -> None:
        if self.is_several:
            self._fit()

    def _fit(self) -> None:
        count = max(2, min(LINES_SHOWN, self.blockCount())) if self.is_several else 1
        has_more = self.is_several and self.blockCount() > LINES_SHOWN
        self.setVerticalScrollBarPolicy(Qt.ScrollBarAsNeeded if has_more else Qt.ScrollBarAlwaysOff)
        document = self.document()
        margin = 0 if document is None else int(2 * document.documentMargin())
        # 6 px are the border and the padding that the style sheet gives to #command
        self.setFixedHeight(count * self.fontMetrics().lineSpacing() + margin + 6)
        self.updateGeometry()
