"""The plot of the History page: any series on one time, an axis for each unit, two cursors, what happened below.

Imported after the first paint: it needs numpy and pyqtgraph.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

from PyQt5.QtCore import QTimer, pyqtSignal
from PyQt5.QtWidgets import QWidget

from core.language import _
from core.records import HistoryMark, SeriesPoints
from core.series import SeriesBook
from gui import numbers
from gui.models.history_chosen import AT_POINTER, LAST, NOW, ChosenModel, Said
from gui.models.history_range import HistoryRange, points_of
from gui.models.history_words import how_words, value_text
from gui.models.shown_span import next_request_id
from gui.theme import notifier
from gui.widgets.card import MARGIN, Card
from gui.widgets.history_between import BetweenFigures
from gui.widgets.history_canvas import HistoryCanvas
from gui.widgets.history_data import HistoryData
from gui.widgets.history_frame import FrameMaker
from gui.widgets.history_marks_strip import MarksStrip
from gui.widgets.history_overview import OverviewStrip
from gui.widgets.time_plot_drawing import Frame

FRAME_MS = 100
MOST_AXES = 4
_ASK_AFTER_MS = 120
_FINEST_RATIO = 4.0
_OLDEST_S = 4.0
_GIVEN_UP_S = 30.0
_OLD_S = 60.0
"""What is drawn is never older, whatever its span: a year may have been deleted meanwhile."""
_OVERVIEW_POINTS = 400
_BETWEEN_POINTS = 4_000
_SELDOM_S = 5.0
_OVERVIEW_AGAIN_S = 300.0


class HistoryPlot(Card):
    """Draws a `ChosenModel` over a `HistoryRange`; asks for points, marks and the overview by signals with ids.

    `points_wanted(id, names, start_s, end_s, max_points)` is answered by `apply_points`, `overview_wanted` (the same)
    by `apply_overview`, `marks_wanted(id, start_s, end_s)` by whoever calls `show_marks`. Late answers are dropped.
    """

    points_wanted = pyqtSignal(int, object, float, float, int)
    overview_wanted = pyqtSignal(int, object, float, float, int)
    marks_wanted = pyqtSignal(int, float, float)
    energies_wanted = pyqtSignal(int, object, float, float)
    between_wanted = pyqtSignal(int, object, float, float, int)
    """From A to B, whatever is on screen: what registers counted, and the points of all others."""

    def __init__(self, chosen: ChosenModel, time_range: HistoryRange, parent: QWidget | None = None) -> None:
        super().__init__(_("History"), parent)
        self.chosen = chosen
        self.range = time_range
        self.data = HistoryData()
        self._frames = FrameMaker(chosen, self.data)
        self._asked: tuple[int, tuple[str, ...], float, float, float] | None = None
        self._answered: int | None = None
        self._overview_asked: tuple[int, tuple[str, ...], float, float] | None = None
        self._drawn_as: tuple[object, ...] | None = None
        self._drawn_s = 0.0
        self._drawn_revision = self._said_revision = 0
        self._version = 0
        self._error = ""
        self._between = BetweenFigures(self.data)
        self._first_s: float | None = None
        self.marks_id = 0
        self.hide_title()
        self.layout().setContentsMargins(MARGIN, 4, MARGIN, 6)
        self.body.setSpacing(2)
        self.canvas = HistoryCanvas()
        self.canvas.setAccessibleName(_("Curves over time"))
        self.canvas.setAccessibleDescription(how_words())
        self.marks_strip = MarksStrip()
        self.overview = OverviewStrip()
        self.body.addWidget(self.canvas, 1)
        self.body.addWidget(self.marks_strip)
        self.body.addWidget(self.overview)
        self._connect()
        self._timer = QTimer(self, interval=FRAME_MS, timeout=self.redraw)
        self._ask_timer = QTimer(self)
        self._ask_timer.setSingleShot(True)
        self._ask_timer.setInterval(_ASK_AFTER_MS)
        self._ask_timer.timeout.connect(self._ask)
        self._energy_timer = QTimer(self)
        self._energy_timer.setSingleShot(True)
        self._energy_timer.setInterval(_ASK_AFTER_MS)
        self._energy_timer.timeout.connect(self._ask_between)

    def set_book(self, book: SeriesBook) -> None:
        """Take live points from `book`."""
        self.data.set_book(book)
        self._touch()

    # What comes in

    def apply_points(self, request_id: int, found: Sequence[SeriesPoints]) -> None:
        """Take what was asked for; an answer to an earlier question is dropped."""
        if self._asked is None or request_id != self._asked[0]:
            return
        self._answered = request_id
        self._error = ""
        self.data.apply(found)
        self.chosen.set_units({points.name: points.unit for points in found})
        self._touch()

    def apply_error(self, request_id: int, text: str) -> None:
        """The history could not be read."""
        if self._asked is not None and request_id == self._asked[0]:
            self._answered = request_id
            self._error = text
            self._touch()

    def apply_overview(self, request_id: int, found: Sequence[SeriesPoints]) -> None:
        """Take the coarse points of the whole time."""
        if self._overview_asked is not None and request_id == self._overview_asked[0]:
            self.overview.set_points(found)

    def apply_energies(self, request_id: int, found: Mapping[str, float | None]) -> None:
        """Take what registers counted from A to B."""
        if self._between.apply_energies(request_id, found):
            self.say()

    def apply_between(self, request_id: int, found: Sequence[SeriesPoints]) -> None:
        """Take the points from A to B."""
        if self._between.apply_points(request_id, found):
            self.say()

    def show_marks(self, marks: Sequence[HistoryMark]) -> None:
        """What happened, on the strip."""
        self.marks_strip.show_marks(marks)

    def set_first(self, first_s: float | None) -> None:
        """When the oldest value of the chosen series was."""
        self._first_s = first_s
        self.range.set_first(first_s)
        self._ask_overview()
        self._touch()

    @property
    def fixed_axes(self) -> dict[str, tuple[float, float]]:
        """Units whose axes were given an end at both sides, in the unit of their values."""
        return self._frames.fixed

    def set_fixed_axes(self, axes: dict[str, tuple[float, float]]) -> None:
        """Let these axes stand still; the others follow their curves."""
        self._frames.fixed = dict(axes)
        self._touch()

    @property
    def is_busy(self) -> bool:
        """True while an answer is awaited."""
        return self._asked is not None and self._answered != self._asked[0]

    @property
    def error(self) -> str:
        """Why the history was not read; empty where it was."""
        return self._error

    def ask_again(self) -> None:
        """The history may have changed: ask for all of it anew."""
        self._asked = self._overview_asked = None
        self._ask_timer.start()
        self._ask_overview()

    # Drawing

    def start(self) -> None:
        """Draw at screen rate from now on."""
        self._timer.start()
        self._ask_timer.start()
        self._touch()
        self.redraw()

    def stop(self) -> None:
        """Nothing is drawn while nobody looks."""
        self._timer.stop()
        self._ask_timer.stop()

    def redraw(self) -> None:
        """Draw what has changed: new points, another span, or a pixel of time gone by."""
        if not self.isVisible():
            return
        start_s, end_s = self.range.span()
        pixel_s = self.pixel_s()
        names = self.chosen.names()
        revision = self.data.revision(names)
        state = (self._version, round(end_s / pixel_s), end_s - start_s > 0, self.is_busy)
        # a value of now moves less than a pixel of a year: it is told in words, and drawn by and by
        is_due = revision != self._drawn_revision and time.monotonic() - self._drawn_s >= min(pixel_s, _SELDOM_S)
        if state == self._drawn_as and not is_due:
            if revision != self._said_revision:
                self._said_revision = revision
                self.say()
            self._renew(start_s, end_s)
            return
        self._drawn_as, self._drawn_s = state, time.monotonic()
        self._drawn_revision = self._said_revision = revision
        self.canvas.show_frame(self.frame(start_s, end_s))
        edges = self.canvas.edges_px
        self.marks_strip.set_span(start_s, end_s, edges)
        self.overview.set_roles([(row.name, row.role) for row in self.chosen.visible()])
        now_s = self.range.now_s()
        first_s = self._first_s if self._first_s is not None else start_s
        self.overview.set_spans((min(first_s, start_s), max(now_s, end_s)), (start_s, end_s), edges)
        self._show_cursors()
        self.say()
        self._renew(start_s, end_s)

    def frame(self, start_s: float, end_s: float) -> Frame:
        """All that is shown of a span."""
        made = self._frames.frame(start_s, end_s, self.canvas.columns, self.range.now_s())
        made.message = self._message(any(len(stroke.time_s) for stroke in made.strokes))
        return made

    def pixel_s(self) -> float:
        """Seconds that a pixel stands for."""
        start_s, end_s = self.range.span()
        return (end_s - start_s) / self.canvas.columns

    def say(self) -> None:
        """Tell the values at pointer and cursors to the model of the legend."""
        pointer_s, between = self.range.pointer_s, self.range.between()
        span = self.range.span()
        a_s, b_s = self.range.cursor("A"), self.range.cursor("B")
        said = {}
        for row in self.chosen.rows():
            figures = self.data.figures(row.name, *span)
            if pointer_s is not None:
                value = self.data.value_at(row.name, pointer_s)
            else:
                value = self.data.newest(row.name) if self.range.is_following else self.data.last_in(row.name, *span)
            said[row.name] = Said(
                value=value,
                at_a=None if a_s is None else self._between.value_at(row.name, a_s),
                at_b=None if b_s is None else self._between.value_at(row.name, b_s),
                between=None if between is None else self._between.figure(row, between, self._held()),
                least=figures[0] if figures else None,
                mean=figures[1] if figures else None,
                greatest=figures[2] if figures else None,
            )
        self.chosen.say(said, AT_POINTER if pointer_s is not None else NOW if self.range.is_following else LAST)

    # Inside

    def _connect(self) -> None:
        canvas, span = self.canvas, self.range
        canvas.zoomed.connect(span.zoom)
        canvas.moved.connect(self._on_moved)
        canvas.span_chosen.connect(span.show_span)
        canvas.cursor_wanted.connect(span.set_pointer)
        canvas.cursor_stepped.connect(self._on_stepped)
        canvas.back_wanted.connect(span.back)
        canvas.cursor_placed.connect(span.set_cursor)
        canvas.clear_wanted.connect(span.clear_cursors)
        canvas.resized.connect(self._touch)
        self.overview.span_wanted.connect(self._on_span_wanted)
        span.changed.connect(self._on_range_changed)
        span.pointer_moved.connect(self._on_pointer)
        span.cursors_moved.connect(self._on_cursors)
        self.chosen.set_changed.connect(self._on_set_changed)
        self.chosen.look_changed.connect(self._touch)
        notifier.changed.connect(canvas.on_theme_changed)
        notifier.changed.connect(self._touch)

    def _message(self, has_points: bool) -> str:
        if self._error:
            return self._error
        if has_points:
            return ""
        if self.is_busy:
            return _("reading the history…")
        if not self.chosen.visible():
            return _("all series are hidden") if self.chosen.names() else ""
        return _("no values in this time")

    def _touch(self) -> None:
        self._version += 1

    def _on_range_changed(self) -> None:
        self._touch()
        self._ask_timer.start()
        if self._timer.isActive():
            self.redraw()

    def _on_set_changed(self) -> None:
        self._asked = None
        self.data.keep(self.chosen.names())
        self._ask_timer.start()
        self._energy_timer.start()
        self._ask_overview()
        self._touch()

    def _on_pointer(self) -> None:
        self._show_cursors()
        self.say()

    def _on_cursors(self) -> None:
        self._energy_timer.start()
        self._show_cursors()
        self.say()

    def _show_cursors(self) -> None:
        self.canvas.set_cursors({letter: self.range.cursor(letter) for letter in ("A", "B")})
        at_s = self.range.pointer_s
        words = []
        if at_s is not None:
            words.append(numbers.clock(at_s, with_seconds=True))
            rows = self.chosen.visible()
            if len(rows) == 1:
                shown = self.chosen.shown(rows[0])
                words.append(f"{value_text(self.data.value_at(rows[0].name, at_s), shown)} {shown.unit}".rstrip())
        self.canvas.show_cursor(at_s, words)

    def _on_moved(self, share: float) -> None:
        start_s, end_s = self.range.span()
        self.range.move(share * (end_s - start_s))

    def _on_stepped(self, sign: int) -> None:
        start_s, end_s = self.range.span()
        at_s, step_s = self.range.pointer_s, 4 * (end_s - start_s) / self.canvas.columns
        wanted_s = (start_s + end_s) / 2 if at_s is None else at_s + sign * step_s
        self.range.set_pointer(min(max(wanted_s, start_s), end_s))

    def _on_span_wanted(self, start_s: float, end_s: float, is_step: bool) -> None:
        self.range.show_span(start_s, end_s, is_step=is_step)

    def _renew(self, start_s: float, end_s: float) -> None:
        """Ask again as time goes by: as often as it shows."""
        if self._asked is None or self._ask_timer.isActive():
            return
        if self.is_busy:
            if time.monotonic() - self._asked[4] > _GIVEN_UP_S:  # a history that was opened anew knows of no question
                self.ask_again()
            return
        shows_s = max(_OLDEST_S, 4 * (end_s - start_s) / self.canvas.columns)
        is_growing = end_s >= self._asked[3] and self.range.now_s() >= self._asked[3]
        if time.monotonic() - self._asked[4] > (min(shows_s, _OLD_S) if is_growing else _OLD_S):
            self._asked = None
            self._ask_timer.start()

    def _ask(self) -> None:
        names = tuple(self.chosen.names())
        start_s, end_s = self.range.span()
        if not names or not self.isVisible():
            return
        now_s = self.range.now_s()
        if self._asked is not None:
            _id, asked_names, asked_start_s, asked_end_s, _at_s = self._asked
            reaches = asked_start_s <= start_s and asked_end_s >= min(end_s, now_s) - 1
            if asked_names == names and reaches and asked_end_s - asked_start_s <= _FINEST_RATIO * (end_s - start_s):
                return
        margin_s = 0.0 if self.range.is_following else (end_s - start_s) / 2
        from_s, until_s = start_s - margin_s, min(end_s + margin_s, now_s + 1)
        request_id = next_request_id()
        self._asked = (request_id, names, from_s, until_s, time.monotonic())
        self._touch()
        most = int(self.canvas.columns * (until_s - from_s) / (end_s - start_s))
        self.points_wanted.emit(request_id, names, from_s, until_s, points_of(until_s - from_s, max(200, most)))
        self.marks_id = next_request_id()
        self.marks_wanted.emit(self.marks_id, start_s, end_s)

    def _ask_between(self) -> None:
        between = self.range.between()
        if between is None:
            return
        request_id = self._between.ask(*between)
        registers = tuple(row.name for row in self.chosen.rows() if row.is_register)
        others = tuple(row.name for row in self.chosen.rows() if not row.is_register)
        if registers:
            self.energies_wanted.emit(request_id, registers, *between)
        if others:
            self.between_wanted.emit(request_id, others, *between, _BETWEEN_POINTS)

    def _held(self) -> tuple[float, float]:
        """The span of which points are held."""
        return (0.0, 0.0) if self._asked is None else self._asked[2:4]

    def _ask_overview(self) -> None:
        names = tuple(row.name for row in self.chosen.visible()[:MOST_AXES])
        now_s = self.range.now_s()
        if not names or self._first_s is None or not math.isfinite(self._first_s):
            return
        known = self._overview_asked
        if known is not None and known[1:3] == (names, self._first_s) and now_s - known[3] < _OVERVIEW_AGAIN_S:
            return
        request_id = next_request_id()
        self._overview_asked = (request_id, names, self._first_s, now_s)
        self.overview_wanted.emit(request_id, names, self._first_s, now_s, _OVERVIEW_POINTS)
