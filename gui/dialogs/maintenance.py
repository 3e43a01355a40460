"""Maintenance: what is muted now, what is planned, one more, and ending one."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PyQt5.QtCore import QDateTime, Qt, QTimer, pyqtSignal
from PyQt5.QtWidgets import (
    QAbstractSpinBox,
    QCompleter,
    QDateTimeEdit,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QWidget,
)

from core.language import N_, _
from core.site_records import Maintenance
from gui.dialogs.base import FormDialog
from gui.models.rules import maintenance_words
from gui.plain_text import one_line, plain_tip
from gui.widgets.choice_box import ChoiceBox

LENGTHS = (
    (3600, N_("1 hour")),
    (4 * 3600, N_("4 hours")),
    (86_400, N_("1 day")),
    (7 * 86_400, N_("1 week")),
)
_TICK_MS = 10_000
_ID = Qt.UserRole


class MaintenanceDialog(FormDialog):
    """`added(source, start_s, end_s, comment)`, `ended(id)`; the list is told by `apply_maintenances`."""

    added = pyqtSignal(str, float, float, str)
    ended = pyqtSignal(int)

    def __init__(self, sources: Sequence[str], source: str = "", parent: QWidget | None = None) -> None:
        super().__init__(_("Maintenance"), None, parent)
        self._all: list[Maintenance] = []
        self.setMinimumWidth(680)
        self.list = QListWidget()
        self.list.setObjectName("card")
        self.list.setAccessibleName(_("Muted now and planned"))
        self.list.setFixedHeight(132)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.ElideRight)
        self.list.currentRowChanged.connect(lambda row: self.end_button.setEnabled(row >= 0))
        self.end_button = QPushButton(_("End now"))
        self.end_button.setAutoDefault(False)
        self.end_button.setEnabled(False)
        self.end_button.clicked.connect(self._on_end)
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(self.list, 1)
        line.addWidget(self.end_button, 0, Qt.AlignTop)
        self.add_row(_("Now and planned"), line)
        self.source = QLineEdit(source)
        self.source.setPlaceholderText(_("machine/NAME, @GROUP, or a pattern such as machine/lab-*"))
        completer = QCompleter(list(sources), self)
        completer.setCaseSensitivity(Qt.CaseInsensitive)
        completer.setFilterMode(Qt.MatchContains)
        completer.popup().setObjectName("completions")
        self.source.setCompleter(completer)
        self.add_row(_("What"), self.source)
        self.start = QDateTimeEdit(QDateTime.currentDateTime())
        self.start.setDisplayFormat("yyyy-MM-dd HH:mm")
        self.start.setButtonSymbols(QAbstractSpinBox.NoButtons)
        self.length = ChoiceBox()
        for seconds, title in LENGTHS:
            self.length.addItem(_(title), seconds)
        self.length.setAccessibleName(_("How long"))
        times = QHBoxLayout()
        times.setSpacing(6)
        times.addWidget(self.start, 1)
        times.addWidget(self.length, 1)
        self.add_row(_("From, for"), times)
        self.start.setAccessibleName(_("From"))
        self.comment = QLineEdit()
        self.comment.setPlaceholderText(_("what is being done"))
        self.comment.setMaxLength(1000)
        self.add_row(_("Comment"), self.comment)
        self.new_button = self.add_button(_("Add"), self._on_add)
        self.new_button.setProperty("role", "primary")
        self.new_button.setDefault(True)
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._show)
        self._timer.start()
        self._show()

    def apply_maintenances(self, found: Sequence[Maintenance]) -> None:
        """These hold now or are planned."""
        self._all = list(found)
        self._show()

    def _show(self) -> None:
        now_s = time.time()
        current = self.list.currentItem()
        chosen = current.data(_ID) if current is not None else None
        self.list.clear()
        for one in sorted(self._all, key=lambda one: one.start_s):
            if one.end_s <= now_s:
                continue
            what, until = maintenance_words(one, now_s)
            item = QListWidgetItem(one_line(f"{what} · {until}"))
            item.setData(_ID, one.id)
            item.setToolTip(plain_tip(f"{what}\n{until}\n{one.source}"))
            self.list.addItem(item)
            if one.id == chosen:
                self.list.setCurrentItem(item)
        if not self.list.count():
            item = QListWidgetItem(_("Nothing is muted, and nothing is planned."))
            item.setFlags(Qt.NoItemFlags)
            self.list.addItem(item)

    def _on_end(self) -> None:
        item = self.list.currentItem()
        if item is not None and item.data(_ID) is not None:
            self.ended.emit(item.data(_ID))

    def _on_add(self) -> None:
        source = self.source.text().strip()
        if not source or ("/" not in source and not source.startswith("@")):
            self.say(_("Say what: machine/NAME, sensor/ID, meter/NAME, check/NAME or @GROUP; * and ? may be in it."))
            self.source.setFocus()
            return
        start_s = self.start.dateTime().toMSecsSinceEpoch() / 1000
        if abs(start_s - time.time()) < 60:
            start_s = time.time()
        end_s = start_s + self.length.currentData()
        if end_s <= time.time():
            self.say(_("That would be over already: choose a later beginning."), "warning")
            self.start.setFocus()
            return
        self.say("")
        self.added.emit(source, start_s, end_s, self.comment.text().strip())
        self.comment.clear()
