"""The first line of the Room page: the server's state, the search, and what the room can do."""

from __future__ import annotations

from PyQt5.QtCore import QSysInfo, pyqtSignal
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import QGridLayout, QLineEdit, QMenu, QPushButton, QWidget

from core.language import _, ngettext
from core.site_records import ListenerState, RoomReport
from gui import numbers
from gui.widgets.card import GAP
from gui.widgets.listener_line import ListenerLine, is_loopback

_NARROW_PX = 1000


class ChatHeader(QWidget):
    """`search_wanted(text)` by Enter, with an empty text once the field is cleared; the rest from the room's menu."""

    search_wanted = pyqtSignal(str)
    open_wanted = pyqtSignal()
    listen_wanted = pyqtSignal()
    stop_wanted = pyqtSignal()
    new_room_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._report: RoomReport | None = None
        self.line = ListenerLine()
        self.open_button = QPushButton(_("Open the room"))
        self.open_button.setProperty("role", "primary")
        self.open_button.clicked.connect(self.open_wanted)
        self.search = QLineEdit()
        self.search.setPlaceholderText(_("Search what was said"))
        self.search.setAccessibleName(_("Search what was said"))
        self.search.setClearButtonEnabled(True)
        self.search.setMaximumWidth(260)
        self.search.returnPressed.connect(self._on_search)
        self.search.textChanged.connect(self._on_changed)
        self.menu_button = QPushButton(_("Room") + " ▾")
        self.menu_button.setAccessibleName(_("Room"))
        self.menu_button.setMenu(QMenu(self))
        self.menu_button.menu().aboutToShow.connect(self._fill_menu)
        self._is_apart: bool | None = None
        self._layout = layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(GAP)
        layout.setVerticalSpacing(6)
        layout.setColumnStretch(0, 3)
        for column, widget in enumerate((self.line, self.open_button, self.search, self.menu_button)):
            layout.addWidget(widget, 0, column)
        self._place()

    @property
    def is_open(self) -> bool:
        """True while lines can be said."""
        return self._report is not None and self._report.state is ListenerState.LISTENING

    def apply(self, report: RoomReport | None, present: int) -> None:
        """State of the server, and how many people there are."""
        self._report = report
        detail = ngettext("{count} present", "{count} present", present).format(count=numbers.number(present))
        if report is not None and report.dropped:
            dropped = ngettext("{count} dropped, it did not read", "{count} dropped, they did not read", report.dropped)
            detail += " · " + dropped.format(count=numbers.number(report.dropped))
        if report is None:
            self.line.apply(ListenerState.STOPPED)
        else:
            self.line.apply(report.state, report.address, report.error, detail)
        self.open_button.setVisible(not self.is_open)
        self._place()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where there is little width, what is wrong has a line of its own."""
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        has_failed = self._report is not None and self._report.state is ListenerState.FAILED
        is_apart = has_failed and self.width() < _NARROW_PX
        if is_apart == self._is_apart:
            return
        self._is_apart = is_apart
        self._layout.addWidget(self.line, *((1, 0, 1, 4) if is_apart else (0, 0, 1, 1)))
        self._layout.setColumnStretch(2, 0 if is_apart else 2)
        self._layout.addWidget(self.search, 0, 0 if is_apart else 2)

    def how_to_join(self) -> str:
        """The line that others type, empty while the room is not open."""
        if not self.is_open or self._report is None:
            return ""
        host, _colon, port = (self._report.address or "").rpartition(":")
        if host in ("0.0.0.0", "[::]", "::"):  # noqa: S104 compared, not listened on
            host = QSysInfo.machineHostName() or host
        return f"beffroi room join {host}:{port} " + _("NAME")

    def _fill_menu(self) -> None:
        menu = self.menu_button.menu()
        menu.clear()
        menu.addAction(_("New room…"), self.new_room_wanted.emit).setEnabled(self.is_open)
        menu.addSeparator()
        menu.addAction(_("Where it listens…"), self.listen_wanted.emit)
        menu.addAction(_("Close the room"), self.stop_wanted.emit).setEnabled(self.is_open)
        if self.is_open and self._report is not None and is_loopback(self._report.address or ""):
            menu.addSeparator()
            menu.addAction(_("Only this machine reaches it")).setEnabled(False)

    def _on_search(self) -> None:
        text = self.search.text().strip()
        if text:
            self.search_wanted.emit(text)

    def _on_changed(self, text: str) -> None:
        if not text:
            self.search_wanted.emit("")
