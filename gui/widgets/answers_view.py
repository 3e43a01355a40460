"""Answers as one long text: selectable, copied as it is, drawn only where it is seen.

One document for all machines and no widget per line. `apply` compares the new sections with those shown and edits
only where they differ, so that two hundred machines that answer one after the other cost what changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from PyQt5.QtCore import QMimeData, Qt, pyqtSignal
from PyQt5.QtGui import QFont, QFontDatabase, QKeyEvent, QMouseEvent, QTextCharFormat, QTextCursor
from PyQt5.QtWidgets import QPlainTextEdit, QWidget

from gui.models.answer_text import GAP, Line, Section, Span
from gui.theme import notifier, theme

_OUTPUT = 1
_INDENT = 2


class AnswersView(QPlainTextEdit):
    """Shows sections; `activated` tells the anchor that was clicked, or whose line got Enter."""

    activated = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sections: list[Section] = []
        self._formats: dict[Span, QTextCharFormat] = {}
        self._mono = QFontDatabase.systemFont(QFontDatabase.FixedFont).family()
        self.setObjectName("answers")
        self.setFrameShape(QPlainTextEdit.NoFrame)
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setTabChangesFocus(True)
        self.setTextInteractionFlags(Qt.TextSelectableByMouse | Qt.TextSelectableByKeyboard)
        viewport = self.viewport()
        if viewport is not None:
            viewport.setMouseTracking(True)
        notifier.changed.connect(self._on_theme_changed)

    def apply(self, sections: Sequence[Section]) -> None:
        """Show `sections`; what is selected and where one reads stay, unless they are replaced."""
        after = list(sections)
        if after == self._sections:
            return
        steps = SequenceMatcher(None, self._sections, after, autojunk=False).get_opcodes()
        starts = [0]
        for section in self._sections:
            starts.append(starts[-1] + len(section.lines))
        bar = self.verticalScrollBar()
        was_at = bar.value() if bar is not None else 0
        own = self.textCursor()
        is_at_top = own.position() == 0 and not own.hasSelection()
        cursor = QTextCursor(self.document())
        cursor.beginEditBlock()
        for kind, first, last, new_first, new_last in reversed(steps):
            if kind != "equal":
                self._replace(cursor, starts[first], starts[last], after[new_first:new_last])
        cursor.endEditBlock()
        self._sections = after
        if is_at_top:
            # text put in where a cursor stands takes it along
            self._rest_cursor()
        if bar is not None:
            bar.setValue(was_at)

    def go_to_top(self) -> None:
        """Begin to read anew."""
        self._rest_cursor()
        self.ensureCursorVisible()

    def go_to(self, key: str) -> None:
        """Scroll to the section `key`."""
        line = 0
        for section in self._sections:
            if section.key == key:
                break
            line += len(section.lines)
        else:
            return
        document, bar = self.document(), self.verticalScrollBar()
        if document is None or bar is None:
            return
        bar.setValue(bar.maximum())
        self.setTextCursor(QTextCursor(document.findBlockByNumber(line)))
        self.ensureCursorVisible()

    def anchor_of_line(self, line: int) -> str:
        """The anchor of a line of the text, empty where it has none."""
        at = 0
        for section in self._sections:
            if at <= line < at + len(section.lines):
                return next((span.anchor for span in section.lines[line - at].spans if span.anchor), "")
            at += len(section.lines)
        return ""

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Enter does what clicking the line's anchor does."""
        if event is not None and event.key() in (Qt.Key_Return, Qt.Key_Enter):
            anchor = self.anchor_of_line(self.textCursor().blockNumber())
            if anchor:
                self.activated.emit(anchor)
        else:
            super().keyPressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """A hand over what can be clicked."""
        super().mouseMoveEvent(event)
        viewport = self.viewport()
        if event is not None and viewport is not None:
            viewport.setCursor(Qt.PointingHandCursor if self.anchorAt(event.pos()) else Qt.IBeamCursor)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """A click on an anchor, unless text is being selected."""
        super().mouseReleaseEvent(event)
        if event is not None and event.button() == Qt.LeftButton and not self.textCursor().hasSelection():
            anchor = self.anchorAt(event.pos())
            if anchor:
                self.activated.emit(anchor)

    def createMimeDataFromSelection(self) -> QMimeData:
        """The selected text as the machines wrote it, without the indent it is shown with."""
        cursor, document = self.textCursor(), self.document()
        mime = QMimeData()
        if document is None:
            return mime
        lines = []
        block = document.findBlock(cursor.selectionStart())
        while block.isValid() and block.position() <= cursor.selectionEnd():
            start = max(0, cursor.selectionStart() - block.position())
            end = min(block.length() - 1, cursor.selectionEnd() - block.position())
            if block.userState() == _OUTPUT:
                start = max(start, _INDENT)
            lines.append(block.text()[start : max(start, end)])
            block = block.next()
        mime.setText("\n".join(lines))
        return mime

    def _rest_cursor(self) -> None:
        self.setTextCursor(QTextCursor(self.document()))

    def _replace(self, cursor: QTextCursor, first: int, last: int, sections: Sequence[Section]) -> None:
        """Put `sections` where the lines `first` to `last` (exclusive) are."""
        document = self.document()
        if document is None:
            return
        cursor.setPosition(document.findBlockByNumber(first).position())
        if last > first:
            end = document.findBlockByNumber(last)
            cursor.setPosition(end.position() if end.isValid() else cursor.position(), QTextCursor.KeepAnchor)
            cursor.removeSelectedText()
        for section in sections:
            for line in section.lines:
                self._insert_line(cursor, line)

    def _insert_line(self, cursor: QTextCursor, line: Line) -> None:
        if line == GAP:
            cursor.insertText("\n", self._gap())
            return
        for span in line.spans:
            cursor.insertText(span.text, self._format(span))
        cursor.block().setUserState(_OUTPUT if line.is_output else 0)
        cursor.insertText("\n", self._format(Span("")))
        cursor.block().setUserState(0)

    def _format(self, span: Span) -> QTextCharFormat:
        key = span._replace(text="")
        known = self._formats.get(key)
        if known is None:
            known = QTextCharFormat()
            known.setForeground(theme().color(span.role))
            if span.is_mono:
                known.setFontFamily(self._mono)
            if span.is_bold:
                known.setFontWeight(QFont.Bold)
            if span.anchor:
                known.setAnchor(True)
                known.setAnchorHref(span.anchor)
                known.setFontUnderline(True)
                return known
            self._formats[key] = known
        return known

    def _gap(self) -> QTextCharFormat:
        """Half a line between two sections."""
        gap = QTextCharFormat()
        gap.setFontPointSize(max(3.0, self.font().pointSizeF() / 2))
        return gap

    def _on_theme_changed(self) -> None:
        self._formats.clear()
        sections, self._sections = self._sections, []
        self.clear()
        self.apply(sections)
