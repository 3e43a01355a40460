"""Beside the conversation: the rooms with what waits in them, and who is there."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QFontMetrics, QPainter
from PyQt5.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QVBoxLayout,
    QWidget,
)

from core.language import _, ngettext
from core.protocol.chat_text import colour_index
from gui import numbers
from gui.plain_text import one_line, plain_tip
from gui.theme import name_color, notifier, scaled_font, theme
from gui.widgets.card import GAP, Card
from gui.widgets.row_table import ROW_HEIGHT

_NAME, _COUNT, _COLOR, _IS_DIM = (Qt.UserRole + number for number in range(4))
_MOST_PEOPLE = 500


class _LineDelegate(QStyledItemDelegate):
    """A name in its colour at the left, a count at the right."""

    def sizeHint(self, _option: object, _index: object) -> QSize:
        """One height for all."""
        return QSize(80, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: object, index: object) -> None:
        """Draw a line."""
        painter.save()
        box = QRectF(option.rect)
        colours = theme()
        if option.state & QStyle.State_Selected:
            painter.fillRect(box, colours.color("raised"))
            painter.fillRect(QRectF(box.left(), box.top(), 3, box.height()), colours.color("accent"))
        elif option.state & QStyle.State_MouseOver:
            painter.fillRect(box, colours.color("raised", 110))
        count = index.data(_COUNT) or ""
        font = scaled_font(1.0, bold=bool(count))
        painter.setFont(font)
        words = box.adjusted(10, 0, -8, 0)
        if count:
            painter.setPen(colours.color("accent"))
            painter.drawText(words, Qt.AlignRight | Qt.AlignVCenter, count)
            words.setRight(words.right() - QFontMetrics(font).horizontalAdvance(count) - 8)
        color = index.data(_COLOR)
        painter.setPen(name_color(color) if color is not None else colours.color("text"))
        name = QFontMetrics(font).elidedText(index.data(Qt.DisplayRole), Qt.ElideRight, int(words.width()))
        painter.drawText(words, Qt.AlignLeft | Qt.AlignVCenter | Qt.TextSingleLine, name)
        if option.state & QStyle.State_HasFocus:
            painter.setPen(colours.color("accent"))
            painter.drawRect(box.adjusted(0.5, 0.5, -1.5, -1.5))
        painter.restore()


class _Lines(QListWidget):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setItemDelegate(_LineDelegate(self))
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        notifier.changed.connect(self.viewport().update)


class ChatSide(QWidget):
    """`room_wanted(name)` for a room of the list, `new_room_wanted()`, `person_wanted(name)` for who is clicked."""

    room_wanted = pyqtSignal(str)
    new_room_wanted = pyqtSignal()
    person_wanted = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown_rooms: list[tuple[str, int, int]] = []
        self._shown_people: tuple[str, ...] = ()
        self._rooms_card = Card(_("Rooms"))
        self.rooms = _Lines(_("Rooms"))
        self.rooms.itemClicked.connect(self._on_room)
        self.rooms.itemActivated.connect(self._on_room)
        self.rooms.setMinimumHeight(3 * ROW_HEIGHT)
        self._rooms_card.body.addWidget(self.rooms)
        new = QPushButton(_("New room…"))
        new.clicked.connect(self.new_room_wanted)
        self._rooms_card.body.addWidget(new)
        self._people_card = Card(_("Present"))
        self.people = _Lines(_("Present"))
        self.people.itemDoubleClicked.connect(self._on_person)
        self._people_card.body.addWidget(self.people)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        layout.addWidget(self._rooms_card, 1)
        layout.addWidget(self._people_card, 2)
        self.setMinimumWidth(130)

    def show_rooms(self, rooms: Sequence[tuple[str, int, int]], current: str) -> None:
        """List (name, lines unread, of which to this operator) with the current one marked."""
        if list(rooms) != self._shown_rooms:
            self._shown_rooms = list(rooms)
            self.rooms.clear()
            for name, unread, mentions in rooms:
                shown = one_line(name)
                item = QListWidgetItem(shown)
                item.setData(_NAME, name)
                count = numbers.number(unread) if unread else ""
                item.setData(_COUNT, f"@ {count}" if mentions else count)
                words = ngettext("{count} new line", "{count} new lines", unread).format(count=unread)
                item.setData(Qt.AccessibleTextRole, f"{shown}, {words}" if unread else shown)
                item.setToolTip(plain_tip(shown))
                self.rooms.addItem(item)
        for row in range(self.rooms.count()):
            if self.rooms.item(row).data(_NAME) == current and self.rooms.currentRow() != row:
                self.rooms.setCurrentRow(row)

    def show_people(self, people: Sequence[str]) -> None:
        """List who is in the room that is shown."""
        if tuple(people) == self._shown_people:
            return
        self._shown_people = tuple(people)
        self._people_card.set_context(numbers.number(len(people)) if people else "")
        self.people.clear()
        for name in people[:_MOST_PEOPLE]:
            item = QListWidgetItem(one_line(name))
            item.setData(_NAME, name)
            item.setData(_COLOR, colour_index(name))
            item.setToolTip(plain_tip(name))
            self.people.addItem(item)
        left = len(people) - _MOST_PEOPLE
        if left > 0:
            item = QListWidgetItem(ngettext("and {count} more", "and {count} more", left).format(count=left))
            item.setFlags(Qt.NoItemFlags)
            self.people.addItem(item)

    def room_texts(self) -> list[str]:
        """The rooms with what waits in them, as they are listed."""
        items = [self.rooms.item(row) for row in range(self.rooms.count())]
        return [" ".join(filter(None, [item.text(), item.data(_COUNT)])) for item in items]

    def people_texts(self) -> list[str]:
        """Who is listed."""
        return [self.people.item(row).text() for row in range(self.people.count())]

    def _on_room(self, item: QListWidgetItem) -> None:
        self.room_wanted.emit(item.data(_NAME))

    def _on_person(self, item: QListWidgetItem) -> None:
        if item.data(_NAME):
            self.person_wanted.emit(item.data(_NAME))
