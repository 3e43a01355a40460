"""Line…: the octets of a meter's line as they pass, and what a frame of them means, field by field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PyQt5.QtCore import Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QFontDatabase
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QPlainTextEdit,
    QSplitter,
    QStackedLayout,
    QTabWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from core.language import _, ngettext
from core.meter_records import ExplainedField, LineOctets
from gui import numbers
from gui.dialogs.meter_window import MeterWindow
from gui.models.line_rows import LineModel, dump
from gui.plain_text import one_line, plain_tip
from gui.theme import theme
from gui.widgets.card import Card
from gui.widgets.empty_state import EmptyState
from gui.widgets.process_table import align_header
from gui.widgets.row_table import RowTable

_MOST_WAITING = 5_000
_EXPLAIN_AFTER_MS = 150
_WIDTHS = (126, 84, 66, 440)
_MOST_NODES = 5_000
_SHOWN_OCTETS = 40
_DUMPED_OCTETS = 65_536


class LineWindow(MeterWindow):
    """`explain_wanted(records)` is answered by `apply_explained`; `save_wanted(path, records)` by `apply_saved`."""

    explain_wanted = pyqtSignal(list)
    save_wanted = pyqtSignal(object, list)

    def __init__(self, meter: str, parent: QWidget | None = None) -> None:
        super().__init__(_("Line"), meter, parent)
        self.resize(1060, 680)
        self._waiting: list[LineOctets] = []
        self._line = ""
        self._saved: tuple[str, str | None] | None = None
        self.model = LineModel(self)
        self.view = RowTable(self.model, _("Octets on the line"))
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollPerPixel)
        self.view.setSelectionMode(QAbstractItemView.ExtendedSelection)
        align_header(self.view)
        header = self.view.horizontalHeader()
        header.setStretchLastSection(True)
        for column, width in enumerate(_WIDTHS):
            header.resizeSection(column, width)
        self._card = Card(_("Octets"))
        self._pane = QStackedLayout()
        self._pane.addWidget(EmptyState(_("Nothing has passed on the line since this window opened.")))
        self._pane.addWidget(self.view)
        self._card.body.addLayout(self._pane, 1)
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels([_("Field"), _("Value"), _("Octets")])
        self.tree.setColumnWidth(0, 320)
        self.tree.setColumnWidth(1, 330)
        self.tree.setAccessibleName(_("What the frame means"))
        self.tree.setUniformRowHeights(True)
        self.dump = QPlainTextEdit()
        self.dump.setReadOnly(True)
        self.dump.setFont(QFontDatabase.systemFont(QFontDatabase.FixedFont))
        self.dump.setLineWrapMode(QPlainTextEdit.NoWrap)
        self.dump.setTabChangesFocus(True)
        self.dump.setAccessibleName(_("The octets chosen, sixteen a line"))
        tabs = QTabWidget()
        tabs.setDocumentMode(True)
        explained = QWidget()
        self._explained = QStackedLayout(explained)
        self._explained.addWidget(
            EmptyState(_("Choose a row to see what it means, field by field; several rows are taken together."))
        )
        self._explained.addWidget(self.tree)
        tabs.addTab(explained, _("Explanation"))
        tabs.addTab(self.dump, _("Octets"))
        splitter = QSplitter(Qt.Vertical)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self._card)
        splitter.addWidget(tabs)
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 2)
        self.outer.addWidget(splitter, 1)
        self.pause_button = self.add_button(_("Pause"), self._on_paused, at_left=True)
        self.pause_button.setCheckable(True)
        self.clear_button = self.add_button(_("Clear"), self._on_clear, at_left=True)
        self.save_button = self.add_button(_("Save as recording…"), self._on_save, at_left=True)
        self.finish_layout()
        self._explain = QTimer(self)
        self._explain.setSingleShot(True)
        self._explain.setInterval(_EXPLAIN_AFTER_MS)
        self._explain.timeout.connect(self._on_explain)
        selection = self.view.selectionModel()
        if selection is not None:
            selection.selectionChanged.connect(lambda _new, _old: self._explain.start())
        self._show_count()

    def apply(self, passed: LineOctets) -> None:
        """Some more octets; while the window is paused they wait."""
        if passed.name != self.meter:
            return
        self._line = passed.line or self._line
        if self.pause_button.isChecked():
            self._waiting = [*self._waiting[-_MOST_WAITING + 1 :], passed]
        else:
            self._append([passed])
        self._show_count()

    def apply_explained(self, explained: ExplainedField) -> None:
        """What the octets chosen mean; what is wrong is in the colour of what is critical."""
        self.tree.clear()
        room = _MOST_NODES
        fixed = QFontDatabase.systemFont(QFontDatabase.FixedFont)
        nodes = explained.children or (explained,)
        waiting: list[tuple[QTreeWidgetItem | None, ExplainedField]] = [(None, node) for node in reversed(nodes)]
        while waiting and room:
            parent, node = waiting.pop()
            value = node.value if node.error is None else f"{node.value} {node.error}".strip()
            octets = node.octets[:_SHOWN_OCTETS].hex(" ").upper()
            more = " …" if len(node.octets) > _SHOWN_OCTETS else ""
            item = QTreeWidgetItem([one_line(node.name), one_line(value), f"{node.offset:04X}  {octets}{more}"])
            for column, text in enumerate((node.name, value, dump(node.octets[:1024]))):
                item.setData(column, Qt.ToolTipRole, plain_tip(text))
            item.setFont(2, fixed)
            if node.error is not None:
                for column in range(2):
                    item.setForeground(column, theme().color("critical"))
            if parent is None:
                self.tree.addTopLevelItem(item)
            else:
                parent.addChild(item)
            waiting += [(item, child) for child in reversed(node.children)]
            room -= 1
        self.tree.expandToDepth(2)
        self._explained.setCurrentIndex(1)

    def apply_not_explained(self, reason: str) -> None:
        """Why these octets mean nothing."""
        self.tree.clear()
        self.tree.addTopLevelItem(QTreeWidgetItem([_("not understood"), one_line(reason), ""]))
        self._explained.setCurrentIndex(1)

    def apply_saved(self, words: str, *, is_error: bool = False) -> None:
        """What became of the recording."""
        self._saved = (words, "critical" if is_error else None)
        self._show_count()

    def _append(self, passed: Sequence[LineOctets]) -> None:
        bar = self.view.verticalScrollBar()
        is_at_end = bar is None or bar.value() >= bar.maximum() - 4
        for octets in passed:
            self.model.append(octets)
        if is_at_end:
            self.view.scrollToBottom()

    def _show_count(self) -> None:
        rows = self.model.rowCount()
        self._pane.setCurrentIndex(1 if rows else 0)
        count = self.model.octets()
        self._card.set_subtitle(
            ngettext("{count} octet", "{count} octets", count).format(count=numbers.number(count)) if rows else ""
        )
        self._card.set_context(self._line)
        for button in (self.clear_button, self.save_button):
            button.setEnabled(rows > 0)
        if self.pause_button.isChecked():
            waiting = len(self._waiting)
            words = ngettext("paused; {count} piece waits", "paused; {count} pieces wait", waiting)
            self.say(words.format(count=numbers.number(waiting)), "warning")
        elif self.model.forgotten:
            words = _("the oldest {count} rows are forgotten")
            self.say(words.format(count=numbers.number(self.model.forgotten)), "dim")
        else:
            self.say(*(self._saved or (_("A password that is sent in clear is among these octets."), "dim")))

    def _chosen(self) -> list[LineOctets]:
        """The rows chosen; what follows in one direction is one piece: a frame may have come in several."""
        chosen = sorted({index.row() for index in self.view.selectedIndexes()})
        known = self.model.rows()
        pieces: list[LineOctets] = []
        for row in (known[place] for place in chosen if place < len(known)):
            before = pieces.pop() if pieces and pieces[-1].is_sent == row.is_sent else None
            pieces.append(
                LineOctets(
                    name=self.meter,
                    time_s=row.time_s if before is None else before.time_s,
                    is_sent=row.is_sent,
                    octets=bytes(row.octets) if before is None else before.octets + bytes(row.octets),
                    line=row.line,
                )
            )
        return pieces

    def _on_explain(self) -> None:
        chosen = self._chosen()
        self.dump.setPlainText(dump(b"".join(part.octets for part in chosen)[:_DUMPED_OCTETS]))
        if chosen:
            self.explain_wanted.emit(chosen)
        else:
            self._explained.setCurrentIndex(0)

    def _on_paused(self) -> None:
        is_paused = self.pause_button.isChecked()
        self.pause_button.setText(_("Go on") if is_paused else _("Pause"))
        if not is_paused:
            waiting, self._waiting = self._waiting, []
            self._append(waiting)
        self._show_count()

    def _on_clear(self) -> None:
        self.model.clear()
        self._waiting = []
        self._saved = None
        self.dump.clear()
        self._explained.setCurrentIndex(0)
        self._show_count()

    def _on_save(self) -> None:
        chosen, _filter = QFileDialog.getSaveFileName(
            self, _("Save as recording"), str(Path.home() / "line.rec"), _("Recordings (*.rec);;All files (*)")
        )
        if chosen:
            path = Path(chosen)
            records = [part for row in self.model.rows() for part in row.parts]
            self.save_wanted.emit(path if path.suffix else path.with_suffix(".rec"), records)
