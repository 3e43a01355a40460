"""The desk of the room: opens and closes it, says what is said here, and follows what a line leads to."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QLineEdit

from core.config import save_setting
from core.errors import BeffroiError
from core.language import _
from core.protocol.chat_text import checked_link, room_name
from core.requests import EnterRequest, ReloadRequest, SayRequest
from core.site_records import Alarm, ChatLine, ListenerState, RoomReport
from gui.dialogs.base import FormDialog
from gui.dialogs.listen import ListenDialog
from gui.main_window import MainWindow
from gui.models.rooms import Rooms
from gui.pages.alarms import AlarmsPage
from gui.pages.commands import CommandsPage
from gui.pages.energy import EnergyPage
from gui.pages.room import PAST_LINES, RoomPage, moment_of
from gui.pages.sensors import SensorsPage
from gui.runtime.services import Services

_AROUND_S = 1800.0
_AHEAD_S = 30.0

log = logging.getLogger("beffroi.gui")


class NewRoomDialog(FormDialog):
    """A room is there once somebody speaks in it: this only asks for its name."""

    def __init__(self, opened: Callable[[str], object], parent: MainWindow | None = None) -> None:
        super().__init__(_("New room"), _("Open"), parent)
        self._opened = opened
        self.name = QLineEdit()
        self.name.setMaxLength(32)
        self.name.setPlaceholderText(_("lab"))
        self.add_row(_("Name"), self.name)

    def on_accept(self) -> None:
        """Open it."""
        if not self.name.text().strip():
            self.say(_("Type the name of the room."), "warning")
            self.name.setFocus()
            return
        self._opened(room_name(self.name.text()))
        self.accept()


class RoomDesk(QObject):
    """Serves the Room page; lines that came outlive a window."""

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._window: MainWindow | None = None
        self._page: RoomPage | None = None
        self._report: RoomReport | None = None
        self.rooms = Rooms()
        self._entered: dict[str, None] = {}
        services.history_ready.connect(self._load)

    def attach(self, window: MainWindow, page: RoomPage) -> None:
        """Serve this window and its page."""
        if self._page is not None and self._page is not page:
            self._page.let_go()
        self._window, self._page = window, page
        page.open_wanted.connect(self.open_room)
        page.listen_wanted.connect(self.open_listen)
        page.stop_wanted.connect(self.close_room)
        page.new_room_wanted.connect(self.open_new_room)
        page.room_entered.connect(self.enter)
        page.say_wanted.connect(self.say)
        page.past_wanted.connect(self._on_past_wanted)
        page.search_wanted.connect(self._on_search_wanted)
        page.link_opened.connect(self.follow)
        page.unread_changed.connect(lambda count: window.set_count("room", count))
        window.say_wanted.connect(self.begin)
        page.set_operator(self._services.config.operator)
        if self._report is not None:
            page.apply_report(self._report)
        self._load()

    def apply(self, record: ChatLine | RoomReport | Alarm) -> None:
        """News of the room; of an alarm, what its line looks like."""
        if isinstance(record, RoomReport):
            self._report = record
        if self._page is None:
            if isinstance(record, ChatLine):
                self.rooms.apply(record)
        elif isinstance(record, ChatLine):
            self._page.apply_line(record)
        elif isinstance(record, RoomReport):
            self._page.apply_report(record)
        else:
            self._page.note_severity(record.id, record.severity)

    def apply_config(self) -> None:
        """The settings may have changed."""
        config = self._services.config
        if self._page is not None and self._page.rooms.operator != config.operator:
            self._page.set_operator(config.operator)
            self.enter_again()
        if not config.room.enabled and self._report is not None and not self._services.is_beside:
            self.apply(RoomReport(time_s=time.time(), state=ListenerState.STOPPED))

    # The server

    def open_room(self) -> None:
        """Listen where the settings say, from now on and after the next start."""
        if self._page is not None:
            self._page.set_starting()
        self._save({"room.enabled": True})

    def close_room(self) -> None:
        """End the server: all clients are told."""
        self._save({"room.enabled": False})

    def open_listen(self) -> ListenDialog:
        """Where it listens…"""
        dialog = ListenDialog(
            _("Where the room listens"),
            self._services.config.room.listen,
            _(
                "Every machine that reaches this one can then join, read and speak: the room asks for no password, and"
                " what is said travels in the clear."
            ),
            parent=self._window,
        )
        dialog.chosen.connect(self._on_listen)
        dialog.open()
        return dialog

    def _on_listen(self, address: str, _allow: tuple[str, ...]) -> None:
        self._save({"room.listen": address, "room.enabled": True})

    # What is said

    def say(self, room: str, text: str, link: str) -> None:
        """Say a line; the page is told when it was not taken."""
        page = self._page
        if page is None:
            return
        operator = self._services.config.operator
        page.apply_said()
        self._services.ask(
            SayRequest(room=room, text=text, operator=operator, link=checked_link(link) if link else None),
            lambda error: page.apply_said(str(error)),
        )

    def enter(self, room: str) -> None:
        """Be present in a room that is opened here, until the window closes."""
        self._entered[room] = None
        self._services.ask(EnterRequest(room=room, operator=self._services.config.operator), self._on_not_entered)

    def enter_again(self) -> None:
        """Another one collects now, and does not know yet where this operator is."""
        for room in list(self._entered):
            self.enter(room)

    def _on_not_entered(self, error: BaseException) -> None:
        log.info("the room was not entered: %s", error)

    def begin(self, link: str) -> None:
        """Say in the room…: the page comes to the front, with a line that leads there."""
        if self._window is None or self._page is None:
            return
        self._window.show_page("room")
        self._page.begin_line(link)

    def open_new_room(self) -> NewRoomDialog:
        """New room…"""
        page = self._page
        dialog = NewRoomDialog(lambda name: page is not None and page.open_room(name), self._window)
        dialog.open()
        return dialog

    def follow(self, link: str) -> None:
        """Go where a line leads to."""
        window = self._window
        kind, _slash, name = link.partition("/")
        if window is None:
            return
        if kind == "machine":
            self._follow_machine(window, name)
        elif kind == "alarm" and name.isdecimal():
            window.show_page("alarms")
            page = window.page("alarms")
            if isinstance(page, AlarmsPage):
                page.show_alarm(int(name[:18]))
        elif kind == "command":
            window.show_page("commands")
            page = window.page("commands")
            if isinstance(page, CommandsPage):
                page.run_wanted.emit(name)
        elif kind == "time":
            self._follow_time(window, link)

    def _follow_machine(self, window: MainWindow, name: str) -> None:
        if window.model.row(name) is not None:
            window.show_machine(name)
        else:
            window.status_line.showMessage(_("no machine of this list is called {name}").format(name=name[:64]), 6000)

    def _follow_time(self, window: MainWindow, link: str) -> None:
        """The curves around that time: of the meter, else of the sensors, else of a machine."""
        time_s = moment_of(link)
        if time_s is None:
            return
        energy, sensors = window.page("energy"), window.page("sensors")
        key = "machine"
        if isinstance(energy, EnergyPage) and energy.current_meter is not None:
            key = "energy"
        elif isinstance(sensors, SensorsPage) and next(iter(sensors.model.rows()), None) is not None:
            key = "sensors"
        window.show_page(key)
        page = window.page(key)
        if page is not None:
            start_s, now_s = time_s - _AROUND_S, page.range.now_s()
            page.range.show_span(start_s, min(time_s + _AROUND_S, max(time_s, now_s) + _AHEAD_S))
            page.range.set_cursor(time_s)

    # History

    def _load(self) -> None:
        page = self._page
        if page is None:
            return
        self._services.query(lambda history: history.rooms(), page.add_rooms, self._on_no_history)
        page.load()

    def _on_past_wanted(self, room: str, before_s: float) -> None:
        page = self._page

        def done(lines: list[ChatLine]) -> None:
            if page is not None:
                page.apply_past(room, lines)

        self._services.query(
            lambda history: history.chat_lines(room, PAST_LINES, before_s or None), done, self._on_no_history
        )

    def _on_search_wanted(self, text: str) -> None:
        page = self._page

        def done(lines: list[ChatLine]) -> None:
            if page is not None:
                page.apply_found(text, lines)

        self._services.query(lambda history: history.search_chat(text, PAST_LINES), done, self._on_no_history)

    def _on_no_history(self, error: BaseException) -> None:
        log.warning("the history of the room was not read: %s", error)

    # Inside

    def _save(self, values: dict[str, Any]) -> None:
        try:
            for key, value in values.items():
                save_setting(self._services.home, key, value)
            self._services.ask(ReloadRequest(operator=self._services.config.operator))
        except (BeffroiError, OSError) as error:
            if self._window is not None:
                self._window.show_notice(str(error))
        self.apply_config()
