"""Answers as one long text: selectable, copied as it is, drawn only where it is seen.

One document for all machines and no widget per line. `apply` compares the new sections with those shown and edits only
the lines that differ, so that two hundred machines that answer one after the other cost what changed.
"""

from __future__ import annotations

import bisect
import time
from collections.abc import Iterable, Sequence

from PyQt5.QtCore import QMimeData, QPoint, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import (
    QContextMenuEvent,
    QFont,
    QFontDatabase,
    QKeyEvent,
    QMouseEvent,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
)
from PyQt5.QtWidgets import QPlainTextEdit, QWidget

from gui.models.answer_lines import GAP, Line, Section, Span
from gui.theme import notifier, theme

STEP_S = 0.006
LATER_MS = 20
"""So long, at most, and so much later: a text of many lines comes in pieces."""

_OUTPUT = 1
_INDENT = 2


class AnswersView(QPlainTextEdit):
    """Shows sections; `activated` tells the anchor that was clicked, or whose line got Enter.

    `menu_wanted` asks for the menu of a section, None beside all, and where on the screen.
    """

    activated = pyqtSignal(str)
    menu_wanted = pyqtSignal(object, QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sections: list[Section] = []
        self._wanted: list[Section] = []
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._on_later)
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

    def apply(self, sections: Sequence[Section], budget_s: float | None = None) -> None:
        """Show `sections`; what is selected and where one reads stay, unless they are replaced.

        With `budget_s` no more than that is done at once, and the rest a little later: the window stays awake.
        """
        self._wanted = list(sections)
        self._advance(budget_s)

    def settle(self) -> None:
        """Bring the text up to date now."""
        if self._later.isActive():
            self._advance(None)

    def _on_later(self) -> None:
        self._advance(STEP_S)

    def _advance(self, budget_s: float | None) -> None:
        self._later.stop()
        bar, document = self.verticalScrollBar(), self.document()
        if self._wanted == self._sections or bar is None or document is None:
            return
        own = self.textCursor()
        is_at_top = own.position() == 0 and not own.hasSelection()
        kept = self._selection()
        top = QTextCursor(self.firstVisibleBlock())
        within = bar.value() - top.block().firstLineNumber()
        was_at_start = bar.value() == 0
        cursor = QTextCursor(document)
        cursor.beginEditBlock()
        self._sections, is_done = self._edited(cursor, None if budget_s is None else time.perf_counter() + budget_s)
        cursor.endEditBlock()
        if is_at_top:
            # text put in where a cursor stands takes it along
            self._rest_cursor()
        elif kept is not None:
            self._select_again(*kept)
        bar.setValue(0 if was_at_start else top.block().firstLineNumber() + within)
        if not is_done:
            self._later.start(LATER_MS)

    def _edited(self, cursor: QTextCursor, ends_s: float | None) -> tuple[list[Section], bool]:
        """The sections that the text consists of after some edits, from the top, and whether these were all."""
        before, after = self._sections, self._wanted
        done: list[Section] = []
        line = edits = 0
        for kind, first, last, new_first, new_last in _steps(before, after):
            place = first
            for number in range(new_first, new_last):
                if edits and ends_s is not None and time.perf_counter() > ends_s:
                    return [*done, *before[place:]], False
                section = after[number]
                old = before[place] if kind == "equal" else None
                if old is None:
                    self._replace(cursor, line, line, section.lines)
                    edits += 1
                elif old.lines != section.lines:
                    self._change(cursor, line, old.lines, section.lines)
                    edits += 1
                place += kind == "equal"
                done.append(section)
                line += len(section.lines)
            if kind != "equal" and last > first:
                self._replace(cursor, line, line + sum(len(section.lines) for section in before[first:last]), ())
        return done, True

    def _change(self, cursor: QTextCursor, line: int, old: Sequence[Line], new: Sequence[Line]) -> None:
        """Replace of a section only the lines between those that stay."""
        start = 0
        while start < min(len(old), len(new)) and old[start] == new[start]:
            start += 1
        end = 0
        while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
            end += 1
        self._replace(cursor, line + start, line + len(old) - end, new[start : len(new) - end])

    def _selection(self) -> tuple[str, int, int, str] | None:
        """What is selected: the section it begins in, where in it, and its text."""
        cursor, document = self.textCursor(), self.document()
        if not cursor.hasSelection() or document is None:
            return None
        line = 0
        number = document.findBlock(cursor.selectionStart()).blockNumber()
        for section in self._sections:
            if line <= number < line + len(section.lines):
                start = document.findBlockByNumber(line).position()
                return (
                    section.key,
                    cursor.selectionStart() - start,
                    cursor.selectionEnd() - start,
                    cursor.selectedText(),
                )
            line += len(section.lines)
        return None

    def _select_again(self, key: str, start: int, end: int, text: str) -> None:
        """Where an edit took the selection away, and the same text stands there again: select it."""
        own, document = self.textCursor(), self.document()
        if own.selectedText() == text or document is None:
            return
        line = 0
        for section in self._sections:
            if section.key == key:
                begin = document.findBlockByNumber(line).position()
                cursor = QTextCursor(document)
                cursor.setPosition(min(begin + start, document.characterCount() - 1))
                end = min(begin + end, document.characterCount() - 1)
                cursor.setPosition(end, QTextCursor.KeepAnchor)
                if cursor.selectedText() != text:  # the section shows it at another place now
                    after = document.findBlockByNumber(line + len(section.lines))
                    end = after.position() if after.isValid() else document.characterCount()
                    cursor = document.find(text, begin, QTextDocument.FindCaseSensitively)
                if not cursor.isNull() and cursor.selectionEnd() <= end and cursor.selectedText() == text:
                    self.setTextCursor(cursor)
                return
            line += len(section.lines)

    def go_to_top(self) -> None:
        """Begin to read anew."""
        self._rest_cursor()
        self.ensureCursorVisible()

    def go_to(self, key: str) -> None:
        """Scroll to the section `key`."""
        self.settle()
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

    def section_of_line(self, line: int) -> Section | None:
        """The section that a line of the text belongs to."""
        at = 0
        for section in self._sections:
            if at <= line < at + len(section.lines):
                return section
            at += len(section.lines)
        return None

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:
        """Ask for the menu of the section under the mouse, or of the one where the cursor stands."""
        if event is None:
            return
        is_key = event.reason() == QContextMenuEvent.Keyboard
        cursor = self.textCursor() if is_key else self.cursorForPosition(event.pos())
        viewport = self.viewport()
        where = event.globalPos() if viewport is None else viewport.mapToGlobal(self.cursorRect(cursor).bottomLeft())
        self.menu_wanted.emit(self.section_of_line(cursor.blockNumber()), where if is_key else event.globalPos())

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

    def _replace(self, cursor: QTextCursor, first: int, last: int, lines: Sequence[Line]) -> None:
        """Put `lines` where those from `first` to `last` (exclusive) are."""
        document = self.document()
        if document is None:
            return
        cursor.setPosition(document.findBlockByNumber(first).position())
        if last > first:
            end = document.findBlockByNumber(last)
            cursor.setPosition(end.position() if end.isValid() else cursor.position(), QTextCursor.KeepAnchor)
            cursor.removeSelectedText()
        for line in lines:
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
            if span.is_found:
                known.setBackground(theme().color("accent"))
                known.setForeground(theme().color("on_accent"))
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
        self._sections = []
        self.clear()
        self._advance(None)


def _steps(before: Sequence[Section], after: Sequence[Section]) -> Iterable[tuple[str, int, int, int, int]]:
    """What is to be done with the sections of a text, by their keys, as `difflib` says it.

    A key stands once in each, so what stays is the longest row of keys in the same order: n log n steps, where
    `difflib` would take n times the pieces.
    """
    old = {section.key: place for place, section in enumerate(before)}
    pairs = [(old[section.key], place) for place, section in enumerate(after) if section.key in old]
    steps = []
    first, new_first = 0, 0
    for kept, new_kept in [*_rising(pairs), (len(before), len(after))]:
        if first < kept or new_first < new_kept:
            steps.append(("replace", first, kept, new_first, new_kept))
        if kept < len(before):
            steps.append(("equal", kept, kept + 1, new_kept, new_kept + 1))
        first, new_first = kept + 1, new_kept + 1
    return steps


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """As many of `pairs` as can be kept so that their first numbers rise."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for number, (place, _new_place) in enumerate(pairs):
        at = bisect.bisect_left(tails, place)
        before.append(ends[at - 1] if at else -1)
        tails[at : at + 1] = [place]
        ends[at : at + 1] = [number]
    found = []
    number = ends[-1] if ends else -1
    while number >= 0:
        found.append(pairs[number])
        number = before[number]
    return found[::-1]
