"""The conversation: one document of plain spans, as many lines as fit in memory, the newest at the bottom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PyQt5.QtCore import QEvent, QMimeData, QPoint, Qt, pyqtSignal
from PyQt5.QtGui import (
    QFont,
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QResizeEvent,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextOption,
)
from PyQt5.QtWidgets import QPushButton, QTextEdit, QToolTip, QWidget

from core.language import _, ngettext
from gui import numbers
from gui.models.chat_words import ChatRow, ChatSpan, bare
from gui.plain_text import plain_tip
from gui.theme import name_color, notifier, theme

MOST_BLOCKS = 2_200
_NEAR_PX = 24
"""So near its end the view follows what comes."""


class ChatView(QTextEdit):
    """`activated(link)` when one is clicked. Lines are `ChatRow`, a text alone is the title of a day.

    Nothing is ever given to Qt but plain text with a format, so no line can be anything else than letters.
    """

    activated = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("answers")
        self.setFrameShape(QTextEdit.NoFrame)
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setAcceptRichText(False)
        self.setTabChangesFocus(True)
        self.setTextInteractionFlags(Qt.TextSelectableByMouse | Qt.TextSelectableByKeyboard)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.setWordWrapMode(QTextOption.WrapAtWordBoundaryOrAnywhere)
        self.setAccessibleName(_("Conversation"))
        self.setStyleSheet("QTextEdit#answers { background: transparent; border: 0; }")
        self.document().setMaximumBlockCount(MOST_BLOCKS)
        self.document().setDocumentMargin(2)
        self.viewport().setMouseTracking(True)
        self._rows: list[ChatRow | str] = []
        self._unseen = 0
        self._below = QPushButton(self)
        self._below.setProperty("role", "primary")
        self._below.setCursor(Qt.PointingHandCursor)
        self._below.clicked.connect(self.go_to_end)
        self._below.hide()
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        notifier.changed.connect(self._draw_all)

    def show_rows(self, rows: Sequence[ChatRow | str], *, keep_place: bool = False) -> None:
        """Show these in place of all; at the end, or where one read where `keep_place`."""
        bar = self.verticalScrollBar()
        from_end = bar.maximum() - bar.value()
        self._rows = list(rows)
        self._draw_all()
        self._unseen = 0
        if keep_place:
            bar.setValue(bar.maximum() - from_end)
        else:
            self.go_to_end()

    def add_rows(self, rows: Sequence[ChatRow | str]) -> None:
        """Add these at the end; who reads further up is told how many there are."""
        if not rows:
            return
        is_near = self._is_at_end()
        self._rows += rows
        del self._rows[:-MOST_BLOCKS]
        self._insert(rows)
        if is_near:
            self.go_to_end()
        else:
            self._unseen += sum(isinstance(row, ChatRow) for row in rows)
            self._show_below()

    def text(self) -> str:
        """All that is shown, as it was said."""
        return bare(self.toPlainText())

    def anchors(self) -> list[str]:
        """What the lines lead to, in their order."""
        return [span.anchor for row in self._rows if isinstance(row, ChatRow) for span in row.spans if span.anchor]

    def go_to_end(self) -> None:
        """Show the newest line."""
        self._unseen = 0
        self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())
        self._show_below()

    # Qt's events

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """A hand over what can be clicked."""
        super().mouseMoveEvent(event)
        self.viewport().setCursor(Qt.PointingHandCursor if self.anchorAt(event.pos()) else Qt.IBeamCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click on a link, unless text is being selected."""
        super().mouseReleaseEvent(event)
        if event.button() == Qt.LeftButton and not self.textCursor().hasSelection():
            anchor = self.anchorAt(event.pos())
            if anchor:
                self.activated.emit(anchor)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter follows the link of the line that the cursor is in."""
        if event.key() in (Qt.Key_Return, Qt.Key_Enter):
            row = self._row_at(self.textCursor().blockNumber())
            anchor = next((span.anchor for span in row.spans if span.anchor), "") if row is not None else ""
            if anchor:
                self.activated.emit(anchor)
        else:
            super().keyPressEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        """The exact time of the line under the mouse."""
        if event.type() == QEvent.ToolTip and isinstance(event, QHelpEvent):
            row = self._row_at(self.cursorForPosition(event.pos()).blockNumber())
            QToolTip.showText(event.globalPos(), plain_tip(row.tip if row is not None else ""), self)
            return True
        return bool(super().viewportEvent(event))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Stay at the end where it was."""
        is_near = self._is_at_end()
        super().resizeEvent(event)
        if is_near:
            self.go_to_end()
        self._place_below()

    def createMimeDataFromSelection(self) -> QMimeData:
        """Plain text, as it was said."""
        mime = QMimeData()
        mime.setText(bare(self.textCursor().selection().toPlainText()))
        return mime

    # Inside

    def _row_at(self, block: int) -> ChatRow | None:
        dropped = len(self._rows) - self.document().blockCount()
        place = block + max(0, dropped)
        row = self._rows[place] if 0 <= place < len(self._rows) else None
        return row if isinstance(row, ChatRow) else None

    def _is_at_end(self) -> bool:
        bar = self.verticalScrollBar()
        return bar.value() >= bar.maximum() - _NEAR_PX

    def _draw_all(self) -> None:
        self.clear()
        self._insert(self._rows)

    def _insert(self, rows: Iterable[ChatRow | str]) -> None:
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.End)
        cursor.beginEditBlock()
        width = QFontMetricsF(self.font()).horizontalAdvance("[00:00]  ")
        is_first = self.document().isEmpty()
        for row in rows:
            title = isinstance(row, str)
            block = QTextBlockFormat()
            block.setLayoutDirection(Qt.LeftToRight)
            if title:
                block.setAlignment(Qt.AlignHCenter)
                block.setTopMargin(6)
            else:
                block.setLeftMargin(width)
                block.setTextIndent(-width)
                block.setTopMargin(2)
                if row.is_mention:
                    block.setBackground(theme().color("accent", 38))
            if is_first:
                cursor.setBlockFormat(block)
                is_first = False
            else:
                cursor.insertBlock(block)
            if title:
                cursor.insertText(row, self._format(ChatSpan("", "dim")))
                continue
            cursor.insertText(f"{row.stamp}  ", self._format(ChatSpan("", "dim")))
            for span in row.spans:
                cursor.insertText(span.text, self._format(span))
        cursor.endEditBlock()

    def _format(self, span: ChatSpan) -> QTextCharFormat:
        look = QTextCharFormat()
        look.setForeground(name_color(span.color) if span.color >= 0 else theme().color(span.role))
        if span.is_bold:
            look.setFontWeight(QFont.Bold)
        if span.anchor:
            look.setAnchor(True)
            look.setAnchorHref(span.anchor)
            look.setFontUnderline(True)
        return look

    def _on_scrolled(self) -> None:
        if self._unseen and self._is_at_end():
            self._unseen = 0
        self._show_below()

    def _show_below(self) -> None:
        count = numbers.number(self._unseen)
        self._below.setText(ngettext("{count} new line ▾", "{count} new lines ▾", self._unseen).format(count=count))
        self._below.setVisible(self._unseen > 0)
        self._place_below()

    def _place_below(self) -> None:
        self._below.adjustSize()
        place = QPoint((self.width() - self._below.width()) // 2, self.height() - self._below.height() - 6)
        self._below.move(place)
