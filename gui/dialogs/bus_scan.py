"""Scan…: the meters that an M-Bus holds, one of them to be chosen."""

from __future__ import annotations

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QListWidget, QListWidgetItem, QWidget

from core.language import _, ngettext
from gui.dialogs.base import FormDialog
from gui.plain_text import one_line
from gui.widgets.choice_box import ChoiceBox

_ADDRESS = Qt.UserRole


class BusScanDialog(FormDialog):
    """`wanted(is_secondary)` begins a search, `cancelled` ends it; `chosen(address)` is the meter that was chosen."""

    wanted = pyqtSignal(bool)
    chosen = pyqtSignal(str)

    def __init__(self, port: str, parent: QWidget | None = None) -> None:
        super().__init__(_("Meters on {port}").format(port=one_line(port)), _("Search"), parent)
        self.how = ChoiceBox()
        self.how.addItem(_("primary addresses, 1 to 250 (some minutes)"), False)
        self.how.addItem(_("numbers of the meters (secondary addresses)"), True)
        self.add_row(_("Search by"), self.how)
        self.list = QListWidget()
        self.list.setObjectName("card")
        self.list.setAccessibleName(_("Meters found"))
        self.list.setMinimumHeight(150)
        self.list.itemActivated.connect(lambda _item: self._on_take())
        self.list.currentRowChanged.connect(lambda row: self.take_button.setEnabled(row >= 0))
        self.add_wide(self.list)
        self.take_button = self.add_button(_("Take this one"), self._on_take)
        self.take_button.setEnabled(False)

    def on_accept(self) -> None:
        """Search."""
        self.list.clear()
        self.set_busy(True)
        self.say(_("searching…"))
        self.wanted.emit(bool(self.how.currentData()))

    def apply_progress(self, looked: int, count: int | None, address: str) -> None:
        """How far the search is."""
        if not self.is_busy:
            return
        share = f"{looked}/{count}" if count is not None else str(looked)
        self.say(_("{share}: looking at {address}").format(share=share, address=address) if address else share)

    def apply_found(self, address: str, words: str) -> None:
        """One more meter."""
        item = QListWidgetItem(one_line(f"{address}   {words}".rstrip()))
        item.setData(_ADDRESS, address)
        self.list.addItem(item)

    def apply_done(self) -> None:
        """The search is over."""
        self.set_busy(False)
        count = self.list.count()
        if count:
            words = ngettext("{count} meter found: choose it", "{count} meters found: choose one", count)
            self.say(words.format(count=count))
            self.list.setCurrentRow(0)
        else:
            self.say(_("No meter answered: is it M-Bus, at 2400 8E1, and does the adapter feed the bus?"), "warning")

    def apply_failed(self, error: BaseException) -> None:
        """The search could not be made."""
        self.set_busy(False)
        self.say(str(error), "critical")

    def _on_take(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            if self.is_busy:
                self.cancelled.emit()
                self.set_busy(False)
            self.chosen.emit(item.data(_ADDRESS))
            self.accept()
