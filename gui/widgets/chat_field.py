"""Where a line for the room is typed: Enter says it, Up and Down recall, Tab completes a name."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QEvent, Qt, pyqtSignal
from PyQt5.QtGui import QKeyEvent
from PyQt5.QtWidgets import QLineEdit, QWidget

from core.language import _

MOST_LETTERS = 4_000
_RECALLED = 100


class ChatField(QLineEdit):
    """`said(text)`; names to complete come by `set_names`."""

    said = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMaxLength(MOST_LETTERS)
        self.setAccessibleName(_("Say something"))
        self._names: list[str] = []
        self._recalled: list[str] = []
        self._place = 0
        self._tried: tuple[str, list[str], int] | None = None
        self.textEdited.connect(self._on_edited)

    def set_names(self, names: Sequence[str]) -> None:
        """Who can be spoken to."""
        self._names = list(names)

    def event(self, event: QEvent) -> bool:
        """Tab completes where a name has been begun; else it goes on to the next field, as everywhere."""
        is_tab = event.type() == QEvent.KeyPress and isinstance(event, QKeyEvent) and event.key() == Qt.Key_Tab
        if is_tab and self._complete():
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter, Up and Down."""
        key = event.key()
        if key in (Qt.Key_Return, Qt.Key_Enter):
            self._say()
        elif key in (Qt.Key_Up, Qt.Key_Down) and self._recalled:
            self._recall(-1 if key == Qt.Key_Up else 1)
        else:
            super().keyPressEvent(event)

    def say(self) -> None:
        """Say what is typed, as Enter does."""
        self._say()

    def _say(self) -> None:
        text = self.text().strip()
        if not text:
            return
        if text in self._recalled:
            self._recalled.remove(text)
        self._recalled = [*self._recalled, text][-_RECALLED:]
        self._place = len(self._recalled)
        self.said.emit(text)

    def _recall(self, step: int) -> None:
        self._place = max(0, min(len(self._recalled), self._place + step))
        self.setText(self._recalled[self._place] if self._place < len(self._recalled) else "")

    def _on_edited(self) -> None:
        self._tried = None
        self._place = len(self._recalled)

    def _complete(self) -> bool:
        """Put the next name that fits in place of the word before the cursor."""
        if self._tried is not None:
            head, names, at = self._tried
            at = (at + 1) % len(names)
        else:
            before = self.text()[: self.cursorPosition()]
            head, _space, word = before.rpartition(" ")
            head += _space
            begun = word.removeprefix("@").casefold()
            names = [name for name in self._names if name.casefold().startswith(begun)] if begun else []
            at = 0
            if not names:
                return bool(word.startswith("@"))
        after = self.text()[self.cursorPosition() :]
        done = f"{head}@{names[at]} "
        self.setText(done + after)
        self.setCursorPosition(len(done))
        self._tried = (head, names, at)
        return True
