"""The plot of the History page over its lists, joined: a mark chosen in one is chosen in the other.

Imported after the first paint: it needs numpy and pyqtgraph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PyQt5.QtCore import QPoint, Qt, QTimer, pyqtSignal
from PyQt5.QtWidgets import QMenu, QSplitter, QWidget

from core.language import _
from core.records import HistoryMark, Mover
from gui import numbers
from gui.models.history_chosen import ChosenModel
from gui.models.history_range import HistoryRange
from gui.models.shown_span import next_request_id
from gui.widgets.card import GAP
from gui.widgets.history_lower import LowerPane
from gui.widgets.history_peak import began_s
from gui.widgets.history_plot import HistoryPlot

_LOWER_PX = 190
_CLICK_MS = 350
"""A double-click takes its cursor away again before anything is asked."""
_BEFORE_S, _AFTER_S = 300.0, 60.0
_LONGEST_S = 1_800.0
_COARSEST_S = 300.0
"""A pixel of a year is half a day: machines are asked about minutes all the same."""


class _Question(NamedTuple):
    """What was asked: which moment was meant, and when what is seen there began."""

    id: int
    moment_s: float
    begin_s: float
    is_quiet: bool


class HistoryBoard(QSplitter):
    """Asks `moved_wanted(id, at_s, before_s, after_s)` and `axis_wanted`; the rest is asked by `plot` and `lower`."""

    moved_wanted = pyqtSignal(int, float, float, float)
    axis_wanted = pyqtSignal()

    def __init__(self, chosen: ChosenModel, time_range: HistoryRange, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Vertical, parent)
        self._range, self._chosen = time_range, chosen
        self._moved: _Question | None = None
        self.plot, self.lower = HistoryPlot(chosen, time_range), LowerPane(chosen, time_range)
        self.lower.setMinimumHeight(112)
        self.setChildrenCollapsible(False)
        self.setHandleWidth(GAP)
        self.addWidget(self.plot)
        self.addWidget(self.lower)
        self.setStretchFactor(0, 1)
        self.setSizes([600, _LOWER_PX])
        self.plot.canvas.menu_wanted.connect(self._on_menu)
        self.plot.canvas.moved_wanted.connect(self.ask_moved)
        self.plot.marks_strip.chosen.connect(self.lower.select_mark)
        self.lower.removed.connect(chosen.remove)
        self.lower.mark_chosen.connect(self._on_mark_chosen)
        self.lower.kinds_changed.connect(self.show_marks)
        self.lower.moved_wanted.connect(self.ask_moved)
        self._click_timer = QTimer(self)
        self._click_timer.setSingleShot(True)
        self._click_timer.setInterval(_CLICK_MS)
        self._click_timer.timeout.connect(self._ask_quietly)
        self._clicked_s: float | None = None
        time_range.cursors_moved.connect(self._on_cursors)
        self._on_cursors()

    def apply_marks(self, request_id: int, marks: Sequence[HistoryMark]) -> None:
        """What happened in the span that is shown."""
        if request_id == self.plot.marks_id:
            self.lower.marks.apply(marks)
            self.show_marks()

    def show_marks(self) -> None:
        """The kinds that are wanted, on the strip."""
        self.plot.show_marks(self.lower.marks.shown())

    def ask_moved(self, at_s: float | None = None) -> None:
        """Which machines moved at a moment: the given one, the pointer, cursor A, or the middle."""
        wanted = (at_s, self._range.pointer_s, self._range.cursor("A"), self.plot.canvas.moment())
        moment_s = next(one for one in wanted if one is not None)
        self._ask(moment_s, is_quiet=False)

    def apply_moved(self, request_id: int, found: Sequence[Mover], error: str = "") -> None:
        """The answer; to an earlier question it is dropped."""
        asked = self._moved
        if asked is None or request_id != asked.id:
            return
        when = numbers.clock(asked.begin_s, with_seconds=True)
        words = error or (
            _("Machines that moved most at {time}; Enter draws one.").format(time=when)
            if found
            else _("No machine moved at {time}.").format(time=when)
        )
        if asked.begin_s != asked.moment_s and not error:
            words += " " + _("The curve left its usual course then.")
        self.lower.moved.set_chosen(self._chosen.names())
        self.lower.show_moved(words, list(found), is_quiet=asked.is_quiet)
        if not asked.is_quiet:
            self._range.set_pointer(asked.moment_s)  # the focus has left the plot, which took it away

    def menu_at(self, time_s: float) -> QMenu:
        """What one can do with a moment."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WA_DeleteOnClose)
        menu.addAction(_("What moved here?") + "\tW", lambda: self.ask_moved(time_s))
        menu.addSeparator()
        menu.addAction(_("Cursor A here") + "\tA", lambda: self._range.set_cursor("A", time_s))
        menu.addAction(_("Cursor B here") + "\tB", lambda: self._range.set_cursor("B", time_s))
        between = self._range.between()
        zoom = menu.addAction(_("Zoom to A – B"), lambda: self._range.show_span(*(between or self._range.span())))
        zoom.setEnabled(between is not None)
        menu.addSeparator()
        menu.addAction(_("Ends of an axis…"), self.axis_wanted)
        back = menu.addAction(_("Back"), self._range.back)
        back.setEnabled(self._range.can_go_back)
        return menu

    def _ask(self, moment_s: float, *, is_quiet: bool) -> None:
        """Ask what moved when the peak at a moment began, or at the moment itself where there is none."""
        pixel_s = min(self.plot.pixel_s(), _COARSEST_S)
        start_s, end_s = self._range.span()
        names = [row.name for row in self._chosen.visible() if not row.is_register]
        begin_s = began_s(self.plot.data, names, moment_s, (end_s - start_s) / 4, self.plot.canvas.columns)
        from_s = begin_s - pixel_s
        self._moved = _Question(next_request_id(), moment_s, begin_s, is_quiet)
        if not is_quiet:
            when = numbers.clock(moment_s, with_seconds=True)
            self.lower.show_moved(_("Looking for what moved at {time}…").format(time=when))
        after_s = min(moment_s - from_s, _LONGEST_S) + pixel_s + _AFTER_S
        self.moved_wanted.emit(self._moved.id, from_s, _BEFORE_S + 4 * pixel_s, after_s)

    def _on_cursors(self) -> None:
        """Cursor A was put: what moved there is looked for at once, and told where it does not disturb."""
        at_s = self._range.cursor("A")
        if at_s != self._clicked_s:
            self._clicked_s = at_s
            self._moved = None
            self.lower.show_moved("", is_quiet=True)
            self._click_timer.start()

    def _ask_quietly(self) -> None:
        if self._clicked_s is not None:
            self._ask(self._clicked_s, is_quiet=True)

    def _on_menu(self, place: QPoint, time_s: float) -> None:
        self.menu_at(time_s).exec_(place)

    def _on_mark_chosen(self, mark: HistoryMark) -> None:
        self.plot.marks_strip.set_current(mark)
        self._range.set_pointer(mark.time_s)
