"""What stands below the plot of the History page: the series with their values, what happened, what moved."""

from __future__ import annotations

from PyQt5.QtCore import QModelIndex, QRectF, Qt, pyqtSignal
from PyQt5.QtGui import QPainter
from PyQt5.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QStackedWidget,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from core.language import _
from core.records import HistoryMark, Mover
from gui import numbers
from gui.models import history_marks, history_movers
from gui.models.history_chosen import ChosenModel
from gui.models.history_marks import MarkModel
from gui.models.history_movers import SHARE_ROLE, MovedModel
from gui.models.history_range import HistoryRange, length_words
from gui.models.history_words import how_words
from gui.plain_text import plain_tip
from gui.widgets.card import MARGIN, Card
from gui.widgets.history_legend import HistoryLegend
from gui.widgets.labels import ElidedLabel, plain_label
from gui.widgets.process_table import align_header
from gui.widgets.row_table import RowTable
from gui.widgets.state_shape import paint_bar

LEGEND, MARKS, MOVED = range(3)


class ShareDelegate(QStyledItemDelegate):
    """A bar for the share of the greatest."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Ground as the style does, the bar over it."""
        super().paint(painter, option, index)
        share = index.data(SHARE_ROLE)
        if share is not None:
            area = QRectF(option.rect)
            place = QRectF(area.left() + 9, area.center().y() - 3, max(10.0, area.width() - 18), 6)
            paint_bar(painter, place, 100.0 * share, "accent")


class LowerPane(Card):
    """Three lists of which one is shown; asks by signals."""

    removed = pyqtSignal(list)
    picked = pyqtSignal(list)
    mark_chosen = pyqtSignal(object)
    mark_opened = pyqtSignal(object)
    kinds_changed = pyqtSignal()
    moved_wanted = pyqtSignal()

    def __init__(self, chosen: ChosenModel, time_range: HistoryRange, parent: QWidget | None = None) -> None:
        super().__init__(_("Values"), parent)
        self._chosen, self._range = chosen, time_range
        self.hide_title()
        self.layout().setContentsMargins(MARGIN - 2, 8, MARGIN - 2, 8)
        self.marks, self.moved = MarkModel(self), MovedModel(self)
        self.legend = HistoryLegend(chosen)
        self.legend.removed.connect(self.removed)
        self.marks_table = self._made_marks()
        self.moved_table = self._made_moved()
        self._moved_words = plain_label("", "dim", wrap=True)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.legend)
        self._stack.addWidget(self._with_kinds())
        self._stack.addWidget(self._with_words())
        self.body.addLayout(self._made_header())
        self.body.addWidget(self._stack, 1)
        chosen.set_changed.connect(self._count)
        self.marks.modelReset.connect(self._count)
        time_range.cursors_moved.connect(self.show_cursors)
        self.show_cursors()
        self._count()

    def show_list(self, which: int) -> None:
        """`LEGEND`, `MARKS` or `MOVED`."""
        self.buttons[which].setChecked(True)
        self._stack.setCurrentIndex(which)

    @property
    def which(self) -> int:
        """The list that is shown."""
        return self._stack.currentIndex()

    def select_mark(self, mark: HistoryMark) -> None:
        """Show a mark in its list."""
        row = self.marks.row_of(mark)
        if row is not None:
            self.show_list(MARKS)
            self.marks_table.selectRow(row)
            self.marks_table.scrollTo(self.marks.index(row, 0))

    def show_moved(self, words: str, found: list[Mover] | None = None, *, is_quiet: bool = False) -> None:
        """What moved, or that it is looked for; quietly, the first of them is told on the button alone."""
        self._moved_words.setText(words)
        self.moved.apply(found or [])
        self._count()
        if is_quiet:
            return
        self.show_list(MOVED)
        if found:
            self.moved_table.selectRow(0)
            self.moved_table.setFocus(Qt.OtherFocusReason)

    def show_cursors(self) -> None:
        """Times of A and B, and how far apart."""
        a_s, b_s = self._range.cursor("A"), self._range.cursor("B")
        parts = [
            f"{letter} {numbers.clock(time_s, with_seconds=True)}"
            for letter, time_s in (("A", a_s), ("B", b_s))
            if time_s is not None
        ]
        if a_s is not None and b_s is not None:
            parts.append(f"Δ {length_words(abs(b_s - a_s))}")
        elif a_s is not None:
            parts.append(_("Shift and a click puts B"))
        self._cursor_words.set_text("   ".join(parts) or _("drag or wheel zooms, a click puts cursor A, with Shift B"))
        self.clear_button.setVisible(a_s is not None or b_s is not None)
        self.legend.set_cursors("".join(letter for letter, at_s in (("A", a_s), ("B", b_s)) if at_s is not None))

    # Making

    def _made_header(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(6)
        self._group = QButtonGroup(self)
        self.buttons: list[QPushButton] = []
        for which in (LEGEND, MARKS, MOVED):
            button = QPushButton()
            button.setCheckable(True)
            button.setProperty("role", "chip")
            self._group.addButton(button, which)
            self.buttons.append(button)
            line.addWidget(button)
        self.buttons[MOVED].setToolTip(_("Which machines moved at cursor A, or where the plot was asked (W)"))
        self.buttons[LEGEND].setChecked(True)
        self._group.idClicked.connect(self._on_list)
        self._cursor_words = ElidedLabel("dim")
        self._cursor_words.setAlignment(Qt.AlignRight | Qt.AlignVCenter)
        self.clear_button = QPushButton("✕")
        self.clear_button.setProperty("role", "chip")
        self.clear_button.setAccessibleName(_("Take the cursors away"))
        self.clear_button.setToolTip(_("Take the cursors away (Esc)"))
        self.clear_button.clicked.connect(self._range.clear_cursors)
        self.how_button = QPushButton("?")
        self.how_button.setProperty("role", "chip")
        self.how_button.setAccessibleName(_("How the plot is used"))
        self.how_button.setToolTip(plain_tip(how_words()))
        self.how_button.clicked.connect(self._on_how)
        line.addWidget(self._cursor_words, 1)
        line.addWidget(self.clear_button)
        line.addWidget(self.how_button)
        return line

    def _made_marks(self) -> RowTable:
        table = RowTable(self.marks, _("What happened"))
        align_header(table)
        header = table.horizontalHeader()
        header.setSectionResizeMode(history_marks.TEXT, QHeaderView.Stretch)
        letter = table.fontMetrics().averageCharWidth()
        for column, letters in ((history_marks.TIME, 20), (history_marks.KIND, 12), (history_marks.SOURCE, 20)):
            table.setColumnWidth(column, letters * letter + 18)
        table.selectionModel().currentRowChanged.connect(self._on_mark_current)
        table.opened.connect(lambda index: self.mark_opened.emit(self.marks.at(index.row())))
        return table

    def _made_moved(self) -> RowTable:
        table = RowTable(self.moved, _("What moved"))
        align_header(table)
        table.setItemDelegateForColumn(history_movers.SHARE, ShareDelegate(table))
        header = table.horizontalHeader()
        for column in (history_movers.WHOSE, history_movers.QUANTITY):
            header.setSectionResizeMode(column, QHeaderView.Stretch)
        letter = table.fontMetrics().averageCharWidth()
        letters = {history_movers.BEFORE: 12, history_movers.THEN: 12, history_movers.CHANGE: 13}
        for column, count in (letters | {history_movers.SHARE: 12}).items():
            table.setColumnWidth(column, count * letter + 18)
        table.opened.connect(lambda index: self.picked.emit([self.moved.at(index.row()).series]))
        return table

    def _with_kinds(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(plain_label(_("Marks of"), "dim"))
        self.kind_buttons: dict[str, QPushButton] = {}
        for kind in history_marks.KINDS:
            button = QPushButton(history_marks.kind_title(kind))
            button.setCheckable(True)
            button.setChecked(True)
            button.setProperty("role", "chip")
            button.toggled.connect(self._on_kinds)
            self.kind_buttons[kind] = button
            line.addWidget(button)
        line.addStretch(1)
        layout.addLayout(line)
        layout.addWidget(self.marks_table, 1)
        return page

    def _with_words(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._moved_words)
        layout.addWidget(self.moved_table, 1)
        return page

    # What happens

    def set_kinds(self, kinds: list[str]) -> None:
        """Kinds of marks that are shown."""
        for kind, button in self.kind_buttons.items():
            button.setChecked(kind in kinds)

    def _on_list(self, which: int) -> None:
        self.show_list(which)
        if which == MOVED and not self.moved.rowCount():
            self.moved_wanted.emit()

    def _on_how(self) -> None:
        below = self.how_button.mapToGlobal(self.how_button.rect().bottomLeft())
        QToolTip.showText(below, plain_tip(how_words()), self.how_button)

    def _on_kinds(self) -> None:
        self.marks.set_kinds([kind for kind, button in self.kind_buttons.items() if button.isChecked()])
        self.kinds_changed.emit()

    def _on_mark_current(self, current: QModelIndex, _before: QModelIndex) -> None:
        if current.isValid():
            self.mark_chosen.emit(self.marks.at(current.row()))

    def _count(self) -> None:
        for which, title, count in (
            (LEGEND, _("Values"), len(self._chosen.rows())),
            (MARKS, _("Marks"), self.marks.rowCount()),
        ):
            self.buttons[which].setText(f"{title}  {count}" if count else title)
        title, first = _("What moved"), self.moved.first_words()
        self.buttons[MOVED].setText(f"{title}  {first}" if first else title)
