"""The Room page: what operators say to each other, who is there, and what alarms and commands post."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from PyQt5.QtCore import QEvent, QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QHideEvent, QKeyEvent, QResizeEvent, QShowEvent
from PyQt5.QtWidgets import (
    QHBoxLayout,
    QLayout,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from core.language import _, ngettext
from core.protocol.chat_text import clean_name
from core.site_records import AlarmSeverity, ChatLine, ListenerState, RoomReport
from gui import numbers
from gui.models.chat_words import WHOLE, ChatRow, chat_row, day_words
from gui.models.rooms import Rooms
from gui.plain_text import one_line
from gui.widgets.card import GAP, Card
from gui.widgets.chat_header import ChatHeader
from gui.widgets.chat_input import ChatInput
from gui.widgets.chat_side import ChatSide
from gui.widgets.chat_view import ChatView
from gui.widgets.site_start import SiteStart

PAST_LINES = 200
"""So many lines are asked of the history at once."""
_FLUSH_MS = 60
_NARROW_PX = 620
_MOST_SEVERITIES = 5_000


class RoomPage(QWidget):
    """Told by `apply…`; asks by signals. `past_wanted(room, before_s)` (0 for the newest) is answered by `apply_past`,
    `search_wanted(text)` by `apply_found`, `say_wanted(room, text, link)` by `apply_said`.
    """

    open_wanted = pyqtSignal()
    listen_wanted = pyqtSignal()
    stop_wanted = pyqtSignal()
    new_room_wanted = pyqtSignal()
    room_entered = pyqtSignal(str)
    say_wanted = pyqtSignal(str, str, str)
    past_wanted = pyqtSignal(str, float)
    search_wanted = pyqtSignal(str)
    link_opened = pyqtSignal(str)
    unread_changed = pyqtSignal(int)

    def __init__(self, operator: str = "", rooms: Rooms | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rooms = rooms or Rooms(operator)
        self.rooms.is_seen = False
        self._report: RoomReport | None = None
        self._is_starting = False
        self._whole: set[str] = set()
        self._severities: dict[str, AlarmSeverity] = {}
        self._asked: set[str] = set()
        self._waiting: list[ChatLine] = []
        self._searched: str | None = None
        self._told_unread = 0
        self._last_day = ""
        self._is_narrow: bool | None = None
        self._flush = QTimer(self)
        self._flush.setSingleShot(True)
        self._flush.setInterval(_FLUSH_MS)
        self._flush.timeout.connect(self.flush)
        self._pane = QStackedLayout(self)
        self._pane.setContentsMargins(0, 0, 0, 0)
        self._pane.setSizeConstraint(QLayout.SetNoConstraint)
        self.start = SiteStart(
            _("Room"),
            _("The room is closed"),
            _(
                "Operators talk to each other here: those of this window, of other terminals, and anybody with a plain"
                " chat client. Alarms and finished commands can post here too."
            ),
        )
        self.start_button = self.start.add_button(_("Open the room"), self.open_wanted, is_primary=True)
        self._pane.addWidget(self.start)
        self._pane.addWidget(self._make_content())
        self._redraw()
        self._show_state()

    # What comes in

    def set_operator(self, operator: str) -> None:
        """Whose window this is."""
        self.rooms.operator = operator
        self._redraw(keep_place=True)

    def apply_line(self, line: ChatLine) -> None:
        """A line that was just said; drawn with the others of the same moment."""
        if not self.rooms.apply(line):
            return
        if line.room == self.rooms.current and self._searched is None:
            self._waiting.append(line)
        self._flush.start()

    def apply_report(self, report: RoomReport) -> None:
        """State of the server, and who is there."""
        self._report = report
        self._is_starting = False
        self.rooms.apply_present(report.present)
        self._show_state()
        self._flush.start()

    def apply_past(self, room: str, lines: Sequence[ChatLine]) -> None:
        """Take an answer to `past_wanted`."""
        self._asked.discard(room)
        is_new = self.rooms.apply_past(room, lines, PAST_LINES)
        if room == self.rooms.current and self._searched is None:
            if is_new:
                self._redraw(keep_place=True)
            self._show_earlier()
        self._show_state()
        self._show_side()

    def apply_found(self, text: str, lines: Sequence[ChatLine]) -> None:
        """Take an answer to `search_wanted`."""
        if self._searched != text:
            return
        count = numbers.number(len(lines))
        self._card.set_context(ngettext("{count} line found", "{count} lines found", len(lines)).format(count=count))
        rows: list[ChatRow | str] = []
        place = ""
        for line in lines:
            here = f"{day_words(line.time_s)} · {one_line(line.room)}"
            if here != place:
                rows.append(here)
                place = here
            rows.append(self._row(line))
        self.view.show_rows(rows or [_("Nothing was said with these words.")])

    def add_rooms(self, names: Iterable[str]) -> None:
        """Rooms that the history knows."""
        self.rooms.add_names(names)
        self._show_side()

    def apply_said(self, error: str = "") -> None:
        """The line was taken, or why not."""
        if error:
            self.input.refused(one_line(error))
        else:
            self.input.accepted()

    def note_severity(self, alarm_id: int, severity: AlarmSeverity) -> None:
        """How much an alarm matters: its line in the room has that shape."""
        link = f"alarm/{alarm_id}"
        if self._severities.get(link) is not severity:
            self._severities[link] = severity
            if len(self._severities) > _MOST_SEVERITIES:
                del self._severities[next(iter(self._severities))]

    def let_go(self) -> None:
        """Another page shows these rooms from now on: what happens to this one is no more seen or unseen there."""
        self.rooms = Rooms(self.rooms.operator)

    def set_starting(self) -> None:
        """The room was asked to open."""
        self._is_starting = True
        self._show_state()

    def open_room(self, name: str) -> None:
        """Show a room."""
        self._searched = None
        self.room_entered.emit(self.rooms.open(name).name)
        self._ask_past()
        self._redraw()
        self._show_state()
        self._show_side()

    def begin_line(self, link: str, text: str = "") -> None:
        """Be ready for a line that leads to a machine or an alarm; Enter says it."""
        self.input.begin(text, link)

    def focus_filter(self) -> None:
        """Ctrl+Shift+F."""
        self.header.search.setFocus(Qt.ShortcutFocusReason)

    def load(self) -> None:
        """Ask for the last lines of the room that is shown: once the history is there."""
        self._asked.clear()
        self._ask_past()

    # Life of the widget

    def showEvent(self, event: QShowEvent) -> None:
        """What is shown is seen."""
        super().showEvent(event)
        self.rooms.set_seen(True)
        self._show_side()
        if self.input.field.isEnabled():
            self.input.field.setFocus(Qt.OtherFocusReason)

    def hideEvent(self, event: QHideEvent) -> None:
        """From now on lines wait to be seen."""
        super().hideEvent(event)
        self.rooms.set_seen(False)

    def changeEvent(self, event: QEvent) -> None:
        """A window in the background is not looked at."""
        super().changeEvent(event)
        if event.type() == QEvent.ActivationChange and self.isVisible():
            self.rooms.set_seen(self.isActiveWindow())
            self._show_side()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where there is little width, the lists beside the conversation are narrow."""
        super().resizeEvent(event)
        is_narrow = self.width() < _NARROW_PX
        if is_narrow != self._is_narrow:
            self._is_narrow = is_narrow
            self.side.setFixedWidth(140 if is_narrow else 190)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape ends the search."""
        if event.key() == Qt.Key_Escape and self._searched is not None:
            self.header.search.clear()
        else:
            super().keyPressEvent(event)

    def minimumSizeHint(self) -> QSize:
        """Small: all lists scroll."""
        return QSize(420, 240)

    # Making

    def _make_content(self) -> QWidget:
        self.header = ChatHeader()
        self.header.open_wanted.connect(self.open_wanted)
        self.header.listen_wanted.connect(self.listen_wanted)
        self.header.stop_wanted.connect(self.stop_wanted)
        self.header.new_room_wanted.connect(self.new_room_wanted)
        self.header.search_wanted.connect(self._on_search)
        self._card = Card("")
        self.earlier_button = QPushButton(_("Earlier lines"))
        self.earlier_button.clicked.connect(self._on_earlier)
        self._card.add_to_title(self.earlier_button)
        self.view = ChatView()
        self.view.activated.connect(self._on_activated)
        self._card.body.addWidget(self.view, 1)
        self.input = ChatInput()
        self.input.said.connect(self._on_said)
        self._card.body.addWidget(self.input)
        self.side = ChatSide()
        self.side.room_wanted.connect(self.open_room)
        self.side.new_room_wanted.connect(self.new_room_wanted)
        self.side.person_wanted.connect(self._on_person)
        across = QHBoxLayout()
        across.setSpacing(GAP)
        across.addWidget(self._card, 1)
        across.addWidget(self.side)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(GAP, GAP, GAP, GAP)
        layout.setSpacing(GAP)
        layout.addWidget(self.header)
        layout.addLayout(across, 1)
        return page

    # Showing

    @property
    def is_open(self) -> bool:
        """True while lines can be said."""
        return self.header.is_open

    def flush(self) -> None:
        """Draw the lines that came in the last moment; called by a timer."""
        lines, self._waiting = self._waiting, []
        rows: list[ChatRow | str] = []
        for line in lines:
            self._add_row(rows, line)
        if lines and len(lines) == len(self.rooms.room(self.rooms.current).lines):
            self._redraw()  # what was said of an empty room goes
        else:
            self.view.add_rows(rows)
        if lines:
            self._show_state()
        self._show_side()

    def _redraw(self, *, keep_place: bool = False) -> None:
        self._waiting.clear()
        self._last_day = ""
        rows: list[ChatRow | str] = []
        room = self.rooms.room(self.rooms.current)
        for line in room.lines:
            self._add_row(rows, line)
        self.view.show_rows(rows or [_("Nothing has been said here yet.")], keep_place=keep_place)
        self._card.set_title(one_line(room.name))
        self._card.set_context("")
        self._show_earlier()

    def _show_earlier(self) -> None:
        """The button is there while the history may have more of this room."""
        room = self.rooms.room(self.rooms.current)
        self.earlier_button.setVisible(room.may_have_earlier and bool(room.lines))

    def _add_row(self, rows: list[ChatRow | str], line: ChatLine) -> None:
        day = time.strftime("%Y-%m-%d", time.localtime(line.time_s))
        if day != self._last_day:
            self._last_day = day
            rows.append(day_words(line.time_s))
        rows.append(self._row(line))

    def _row(self, line: ChatLine) -> ChatRow:
        return chat_row(line, self.rooms.operator, self._severities, is_whole=line.id in self._whole)

    def _show_state(self) -> None:
        report = self._report
        state = report.state if report is not None else ListenerState.STOPPED
        present = self.rooms.count_present()
        self.header.apply(report, present)
        has_lines = any(self.rooms.room(name).lines for name in self.rooms.names())
        self._pane.setCurrentIndex(1 if self.is_open or has_lines else 0)
        for button in (self.header.open_button, self.start_button):
            button.setEnabled(not self._is_starting)
        if state is ListenerState.FAILED and report is not None:
            self.start.set_state(one_line(report.error or _("The room does not listen.")), "critical")
        else:
            self.start.set_state(_("opening the room…") if self._is_starting else "", "dim")
        self.input.set_open(self.is_open, one_line(self.rooms.current))
        self.input.set_how(self.header.how_to_join() if present <= 1 else "")

    def _show_side(self) -> None:
        rooms = [self.rooms.room(name) for name in self.rooms.names()]
        self.side.show_rooms([(room.name, room.unread, room.mentions) for room in rooms], self.rooms.current)
        people = self.rooms.people()
        self.side.show_people(people)
        own = clean_name(self.rooms.operator)
        self.input.set_names([name for name in people if name != own])
        unread = self.rooms.unread()
        if unread != self._told_unread:
            self._told_unread = unread
            self.unread_changed.emit(unread)

    # What the user does

    def _ask_past(self) -> None:
        room = self.rooms.room(self.rooms.current)
        if room.name not in self._asked and room.may_have_earlier and len(room.lines) < PAST_LINES:
            self._asked.add(room.name)
            self.past_wanted.emit(room.name, 0.0)

    def _on_earlier(self) -> None:
        room = self.rooms.room(self.rooms.current)
        if room.name not in self._asked and room.first_s is not None:
            self._asked.add(room.name)
            self.past_wanted.emit(room.name, room.first_s)

    def _on_said(self, text: str, link: str) -> None:
        if self._searched is not None:
            self.header.search.clear()
        self.say_wanted.emit(self.rooms.current, text, link)

    def _on_person(self, name: str) -> None:
        field = self.input.field
        field.setText(f"{field.text().rstrip()} @{name} ".lstrip())
        field.setFocus(Qt.OtherFocusReason)

    def _on_activated(self, link: str) -> None:
        if not link.startswith(WHOLE):
            self.link_opened.emit(link)
            return
        self._whole.add(link.removeprefix(WHOLE))
        if self._searched is not None:
            self.search_wanted.emit(self._searched)
        else:
            self._redraw(keep_place=True)

    def _on_search(self, text: str) -> None:
        if text:
            self._searched = text
            self._card.set_title(_("Search"))
            self.earlier_button.hide()
            self.search_wanted.emit(text)
        elif self._searched is not None:
            self._searched = None
            self._redraw()


def moment_of(link: str) -> float | None:
    """Epoch seconds that `time/ISO 8601` leads to; None where it is no time."""
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(link.removeprefix("time/"))
    except ValueError:
        return None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
