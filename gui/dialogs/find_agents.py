"""Look for agents…: where agents answer in a range of addresses. It suggests; nothing is paired or added by itself."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QSpinBox,
    QTableWidgetItem,
    QWidget,
)

from core.language import _, ngettext
from core.site_records import SweepFind, SweepKind, SweepProgress
from gui.dialogs.add_machine import PORT
from gui.dialogs.base import FormDialog, More
from gui.numbers import number
from gui.plain_text import one_line, plain_tip
from gui.theme import theme
from gui.widgets.choice_box import ChoiceBox
from gui.widgets.labels import plain_label
from gui.widgets.small_table import SmallTable

_ADDRESS, _NAME, _WHAT = range(3)
_FIND_ROLE = Qt.UserRole + 1
_ROLES = {SweepKind.KNOWN: "dim", SweepKind.AGENT: "ok", SweepKind.OTHER: "dim"}
_SHAPES = {SweepKind.KNOWN: "✓", SweepKind.AGENT: "●", SweepKind.OTHER: "–"}
_MOST_ROWS = 4096


class FindAgentsDialog(FormDialog):
    """`look_wanted(ranges, port)`, `add_wanted(host, port, name)`; told by `apply…`."""

    look_wanted = pyqtSignal(str, int)
    add_wanted = pyqtSignal(str, int, str)

    def __init__(self, networks: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(_("Look for agents"), _("Look"), parent)
        self.resize(760, 560)
        self.add_wide(
            plain_label(
                _(
                    "Each address is asked once whether an agent answers there. Nothing is added by itself. "
                    "Look only through networks that are yours."
                ),
                wrap=True,
            )
        )
        self.ranges = ChoiceBox()
        self.ranges.setEditable(True)
        self.ranges.addItems(list(networks))
        line = self.ranges.lineEdit()
        if line is not None:
            line.setPlaceholderText("10.1.0.0/24   10.1.0.10-60")
        self.add_row(_("Addresses"), self.ranges)
        more = More()
        self.port = QSpinBox()
        self.port.setButtonSymbols(QSpinBox.NoButtons)
        self.port.setRange(1, 65535)
        self.port.setValue(PORT)
        more.add_row(_("Port"), self.port)
        self.add_wide(more)
        self.table = SmallTable([_("Address"), _("Name"), _("What answers there")], _WHAT, _("What answers"))
        self.table.setSelectionMode(QAbstractItemView.SingleSelection)
        self.table.setMinimumHeight(220)
        self.table.itemSelectionChanged.connect(self._on_selected)
        self.table.doubleClicked.connect(lambda _index: self._on_add())
        self.add_wide(self.table)
        self.add_found = self.add_button(_("Add…"), self._on_add)
        self.add_found.setEnabled(False)

    def on_accept(self) -> None:
        """Look through what is typed."""
        self.table.setRowCount(0)
        self.set_busy(True)
        self.say("")
        self.look_wanted.emit(self.ranges.currentText(), self.port.value())

    def apply_found(self, find: SweepFind) -> None:
        """Something listens there; what it says of itself is shown as plain text."""
        row = self.table.rowCount()
        if row >= _MOST_ROWS:
            return
        self.table.insertRow(row)
        for column, text in (
            (_ADDRESS, f"[{find.host}]:{find.port}" if ":" in find.host else f"{find.host}:{find.port}"),
            (_NAME, find.name),
            (_WHAT, f"{_SHAPES[find.kind]} {find.text}"),
        ):
            item = QTableWidgetItem(one_line(text))
            item.setData(_FIND_ROLE, find)
            self.table.setItem(row, column, item)
        item = self.table.item(row, _WHAT)
        item.setForeground(theme().color(_ROLES[find.kind]))
        if find.fingerprint is not None:
            item.setToolTip(plain_tip(find.fingerprint))

    def apply_progress(self, progress: SweepProgress) -> None:
        """How far it is."""
        self.say(_words(progress))

    def apply_done(self, progress: SweepProgress, seconds: float) -> None:
        """All addresses have been asked."""
        self.set_busy(False)
        agents = [row for row in range(self.table.rowCount()) if self._at(row).kind is SweepKind.AGENT]
        if agents and self._chosen() is None:
            self.table.selectRow(agents[0])
        text = _("{words}; it took {seconds} s").format(words=_words(progress), seconds=number(seconds, 1))
        if not progress.found:
            text += "\n" + _("On each machine an agent must run, and its firewall must let its port in.")
        self.say(text)

    def apply_failed(self, error: BaseException) -> None:
        """What is typed is no range, or the network fails."""
        self.set_busy(False)
        self.say(str(error), "warning")

    def _chosen(self) -> SweepFind | None:
        items = self.table.selectedItems()
        find = items[0].data(_FIND_ROLE) if items else None
        return find if isinstance(find, SweepFind) and find.kind is SweepKind.AGENT else None

    def _at(self, row: int) -> SweepFind:
        return self.table.item(row, _ADDRESS).data(_FIND_ROLE)

    def _on_selected(self) -> None:
        self.add_found.setEnabled(self._chosen() is not None)

    def _on_add(self) -> None:
        find = self._chosen()
        if find is not None:
            self.add_wanted.emit(find.host, find.port, find.name)


def _words(progress: SweepProgress) -> str:
    return ngettext(
        "{done} of {total} address: {found} listen, {refused} refuse, {silent} are silent",
        "{done} of {total} addresses: {found} listen, {refused} refuse, {silent} are silent",
        progress.total,
    ).format(
        done=number(progress.done),
        total=number(progress.total),
        found=number(progress.found),
        refused=number(progress.refused),
        silent=number(progress.silent),
    )
