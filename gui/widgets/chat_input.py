"""The line below the conversation: what it leads to, the words, *Say*; and how others join while nobody is there."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QPushButton, QToolButton, QVBoxLayout, QWidget

from core.language import _
from gui.models.chat_words import link_words
from gui.widgets.chat_field import ChatField
from gui.widgets.copy_line import CopyLine
from gui.widgets.labels import ElidedLabel, plain_label


class ChatInput(QWidget):
    """`said(text, link)`, the link empty where the line leads nowhere."""

    said = pyqtSignal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._link = ""
        self._last = ("", "")
        self.field = ChatField()
        self.field.said.connect(self._on_said)
        self.say_button = QPushButton(_("Say"))
        self.say_button.setProperty("role", "primary")
        self.say_button.clicked.connect(self.field.say)
        self._chip = QFrame()
        self._chip.setObjectName("chip")
        self._chip_words = plain_label("")
        cross = QToolButton()
        cross.setObjectName("chip-cross")
        cross.setText("✕")
        cross.setAccessibleName(_("Without the link"))
        cross.setToolTip(_("Without the link"))
        cross.clicked.connect(lambda: self.set_link(""))
        inside = QHBoxLayout(self._chip)
        inside.setContentsMargins(8, 2, 4, 2)
        inside.addWidget(self._chip_words)
        inside.addWidget(cross)
        self._chip.hide()
        self._words = ElidedLabel("warning")
        self._words.hide()
        self._how = QWidget()
        how = QVBoxLayout(self._how)
        how.setContentsMargins(0, 0, 0, 0)
        how.setSpacing(2)
        how.addWidget(plain_label(_("Others join by"), "dim"))
        self.how_line = CopyLine()
        how.addWidget(self.how_line)
        self._how.hide()
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(self._chip)
        line.addWidget(self.field, 1)
        line.addWidget(self.say_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self._how)
        layout.addWidget(self._words)
        layout.addLayout(line)

    def set_link(self, link: str) -> None:
        """Let the next line lead there."""
        self._link = link
        self._chip_words.setText(f"→ {link_words(link)}" if link else "")
        self._chip.setVisible(bool(link))

    def link(self) -> str:
        """What the next line leads to, empty for nothing."""
        return self._link

    def set_names(self, names: Sequence[str]) -> None:
        """Who can be spoken to."""
        self.field.set_names(names)

    def set_how(self, line: str) -> None:
        """How others join; hidden where empty."""
        self.how_line.set_line(line)
        self._how.setVisible(bool(line))

    def set_open(self, is_open: bool, room: str) -> None:
        """Whether anything can be said, and where."""
        self.field.setEnabled(is_open)
        self.say_button.setEnabled(is_open)
        hint = _("Say something in {room}; Tab completes a name") if is_open else _("The room is not open.")
        self.field.setPlaceholderText(hint.format(room=room))

    def accepted(self) -> None:
        """The line was handed over: the field is for the next one."""
        self._last = (self.field.text(), self._link)
        self.field.clear()
        self.set_link("")
        self._words.hide()

    def refused(self, reason: str) -> None:
        """Why the last line was not said; it is back in the field, unless another one is being typed."""
        text, link = self._last
        if not self.field.text():
            self.field.setText(text)
            self.set_link(link)
        self._words.set_text(reason)
        self._words.show()

    def words(self) -> str:
        """Why the last line was not said."""
        return self._words.accessibleName() if self._words.isVisibleTo(self) else ""

    def begin(self, text: str, link: str) -> None:
        """Be ready for a line about something."""
        self.set_link(link)
        if text:
            self.field.setText(text)
        self.field.setFocus(Qt.OtherFocusReason)

    def _on_said(self, text: str) -> None:
        self.said.emit(text, self._link)
