"""The plots of a page: one time, one cursor, one set of gaps, one clock that redraws what has changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QObject, QTimer, pyqtSignal

from core.language import _
from core.records import SeriesPoints
from core.series import SeriesBook
from core.track import GAP_PERIODS, SHORTEST_GAP_S
from gui import numbers
from gui.models.alarm_marks import AlarmMark
from gui.models.shown_span import next_request_id
from gui.theme import notifier
from gui.widgets.time_plot import Floats, Points, TimePlot
from gui.widgets.time_plot_drawing import Band, Gap
from gui.widgets.time_plot_past import Past, gap_words
from gui.widgets.time_range import TimeRange

FRAME_MS = 100
_ASK_AFTER_MS = 150
_HISTORY_PERIOD_S = {"meter": 3.0, "machine": 60.0, "sensor": 3.0}
"""The history keeps readings and measures as they come, and a row a minute of each machine."""
_SPARSE_COLUMNS = 4
_LONG_S = 1.5 * 86_400.0
"""From this on curves are their means, and what lies between least and greatest is a band behind."""
_RENEW_S = 120.0
_RENEW_PIXELS = 2.0
"""History is asked for again when memory has dropped this much, in time and on the screen."""
_SEEN_SHARE = 0.003
"""A gap shorter than this share of the time shown has no words: nobody would see what they are about."""
_FINEST_RATIO = 4.0
"""History is asked for anew when it was asked for a span this many times as long as the one shown."""


class PlotGroup(QObject):
    """Draws plots from a `SeriesBook` for what it holds and from the history for what is older.

    `kind` is `meter`, `machine` or `sensor`; call `start` when the page is shown and `stop` when it is hidden.
    """

    history_wanted = pyqtSignal(int, str, object, float, float)
    drawn = pyqtSignal()

    def __init__(self, kind: str, time_range: TimeRange, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.range = time_range
        self.plots: list[TimePlot] = []
        self.owner: str | None = None
        self._kind = kind
        self._book: SeriesBook | None = None
        self._past: dict[str, Past] = {}
        self._asked: tuple[int, float, float] | None = None
        self._answered_id: int | None = None
        self._drawn_as: tuple[object, ...] | None = None
        self._version = 0
        self._silence = ""
        self._is_simulated = False
        self._marks: tuple[AlarmMark, ...] = ()
        self._moment: tuple[Band, ...] = ()
        self._timer = QTimer(self, interval=FRAME_MS, timeout=self.redraw)
        self._ask_timer = QTimer(self)
        self._ask_timer.setSingleShot(True)
        self._ask_timer.setInterval(_ASK_AFTER_MS)
        self._ask_timer.timeout.connect(self._ask)
        time_range.changed.connect(self._on_range_changed)
        time_range.cursor_moved.connect(self._on_cursor_moved)
        notifier.changed.connect(self._touch)

    def add(self, plot: TimePlot) -> None:
        """Draw this plot too; the reason of a gap is said by the first one that has room for it."""
        self.plots.append(plot)
        plot.canvas.resized.connect(self._touch)

    def set_book(self, book: SeriesBook) -> None:
        """Take live points from `book`."""
        self._book = book
        self._touch()

    def show_owner(self, owner: str | None) -> None:
        """Show the series of this meter or machine."""
        if owner == self.owner:
            return
        self.owner = owner
        self._past.clear()
        self._asked = self._answered_id = None
        self._silence = ""
        self._touch()
        self._ask_timer.start()

    def set_silence(self, reason: str) -> None:
        """Why nothing comes now (`offline`, `disconnected`); said in the band that is still open."""
        if reason != self._silence:
            self._silence = reason
            self._touch()

    def set_marks(self, marks: Sequence[AlarmMark]) -> None:
        """Alarms of the owner, on the plot of their field; on the first plot where none has a curve of it."""
        if tuple(marks) != self._marks:
            self._marks = tuple(marks)
            self._touch()

    def set_moment(self, span: tuple[float, float] | None) -> None:
        """Mark a moment that was chosen on all plots; None: there is none."""
        self._moment = (Band(*span, role="accent", is_quiet=True),) if span else ()
        self._touch()

    def set_simulated(self, is_simulated: bool) -> None:
        """Mark every plot."""
        self._is_simulated = is_simulated
        for plot in self.plots:
            plot.set_simulated(is_simulated)

    @property
    def is_simulated(self) -> bool:
        """True where the curves were not measured."""
        return self._is_simulated

    def apply_points(self, points: Sequence[SeriesPoints], request_id: int) -> None:
        """Take the history that was asked for; an answer to an earlier question is dropped."""
        if self._asked is None or request_id != self._asked[0]:
            return
        self._answered_id = request_id
        self._past = {found.name: Past(found) for found in points}
        self._touch()

    def renew(self) -> None:
        """Ask for the history again: it has learned something about this owner."""
        self._asked = None
        self._ask_timer.start()

    def start(self) -> None:
        """Redraw at screen rate from now on."""
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
        shown = [plot for plot in self.plots if plot.isVisible()]
        if not shown:
            return
        start_s, end_s = self.range.span()
        pixel_s = (end_s - start_s) / max(plot.canvas.columns for plot in shown)
        state = (self._revision(), self._version, round(end_s / pixel_s), round((end_s - start_s) * 1e3), len(shown))
        if state == self._drawn_as:
            return
        self._drawn_as = state
        gaps = self._gaps(start_s, end_s)
        message = self._message()
        is_said = False
        for index, plot in enumerate(shown):
            alarms = self._marks_of(plot, is_first=index == 0)
            bands = self._filled(plot, start_s, end_s, is_said=is_said)
            is_said = is_said or bool(bands)
            unsaid = plot.redraw(
                self, start_s, end_s, gaps, "" if index else message, alarms=alarms, bands=[*bands, *self._moment]
            )
            gaps = [gap if gap in unsaid else Gap(gap.start_s, gap.end_s) for gap in gaps]
        self._show_cursors(shown)
        self._renew_history(start_s, end_s)
        self.drawn.emit()

    def points(self, field: str, start_s: float, end_s: float, columns: int) -> Points:
        """(time, minimum, maximum) of a field: history up to where memory begins, then memory."""
        name = self._name(field)
        live = self._book.view(name, start_s, end_s, columns) if self._book else (np.empty(0),) * 3
        past = self._past.get(name)
        if past is None or not len(past.time_s):
            return live
        joint_s = self._live_from(field)
        begin = max(0, int(np.searchsorted(past.time_s, start_s)) - 1)
        end = min(int(np.searchsorted(past.time_s, end_s, "right")) + 1, int(np.searchsorted(past.time_s, joint_s)))
        # Rows that lie some pixels apart are joined by their means: from low to high it would be a saw never measured.
        period_s = max(past.period_s, _HISTORY_PERIOD_S[self._kind])
        is_sparse = period_s * columns > _SPARSE_COLUMNS * (end_s - start_s) and not _is_long(start_s, end_s)
        low, high = (past.mean, past.mean) if is_sparse else (past.low, past.high)
        older = (past.time_s[begin:end], low[begin:end], high[begin:end])
        if not len(older[0]):
            return live
        if not len(live[0]):
            return older
        gap = self._joint(past, joint_s)
        middle = (np.array([(gap[0] + gap[1]) / 2]), np.array([math.nan]), np.array([math.nan])) if gap else None
        parts = [older, middle, live] if middle else [older, live]
        return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))  # type: ignore[return-value]  # three columns

    def means(self, field: str, start_s: float, end_s: float, time_s: Floats) -> Floats | None:
        """The means that belong to `points` of a span of days, NaN where only memory knows; None for a shorter one."""
        past = self._past.get(self._name(field))
        return past.means_at(time_s) if past is not None and _is_long(start_s, end_s) else None

    def value_at(self, field: str, time_s: float) -> float | None:
        """The value nearest to a time, from memory or from the history."""
        name = self._name(field)
        if self._book is not None and time_s >= self._live_from(field) - SHORTEST_GAP_S:
            found = self._book.at(name, time_s)
            return found[1] if found else None
        past = self._past.get(name)
        return past.value_at(time_s) if past is not None else None

    def last_value(self, field: str) -> float | None:
        """The newest value in memory."""
        found = self._book.last(self._name(field)) if self._book else None
        return found[1] if found else None

    def is_stale(self) -> bool:
        """True while the newest points in memory are old."""
        field = self._spoken_field()
        if self._book is None or field is None:
            return True
        return self._book.is_stale(self._name(field), self.range.now_s())

    def has_field(self, field: str) -> bool:
        """True where a field has a value, in memory or in the history shown."""
        name = self._name(field)
        if self._book is not None and self._book.has_value(name):
            return True
        past = self._past.get(name)
        return past is not None and bool(np.isfinite(past.mean).any())

    def fields(self) -> list[str]:
        """All fields that the plots show."""
        return [curve.field for plot in self.plots for curve in plot.curves]

    def table(self, start_s: float, end_s: float) -> tuple[list[str], list[tuple[float, list[float | None]]]]:
        """(fields, rows of (time_s, values)) of all points in a span, as fine as they are held."""
        fields = list(dict.fromkeys(self.fields()))
        rows: dict[float, list[float | None]] = {}
        kept = []
        for place, field in enumerate(fields):
            name = self._name(field)
            past, joint_s = self._past.get(name), self._live_from(field)
            columns: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
            if past is not None:
                end = int(np.searchsorted(past.time_s, joint_s))
                columns.append((past.time_s[:end], past.mean[:end]))
            if self._book is not None:
                columns.append(self._book.view(name, start_s, end_s, 10**9)[:2])
            has_values = False
            for times, values in columns:
                for time_s, value in zip(times.tolist(), values.tolist(), strict=True):
                    if start_s <= time_s <= end_s and math.isfinite(value):
                        rows.setdefault(time_s, [None] * len(fields))[place] = value
                        has_values = True
            if has_values:
                kept.append(place)
        return (
            [fields[place] for place in kept],
            [(time_s, [rows[time_s][place] for place in kept]) for time_s in sorted(rows)],
        )

    def _marks_of(self, plot: TimePlot, *, is_first: bool) -> list[AlarmMark]:
        """Those of the plot's own fields, and on the first plot those of no field that is drawn, at its upper edge."""
        own = {curve.field for curve in plot.curves}
        drawn = set(self.fields()) if is_first else own
        return [
            mark if mark.field in own else replace(mark, value=None)
            for mark in self._marks
            if mark.field in own or (is_first and mark.field not in drawn)
        ]

    def _name(self, field: str) -> str:
        return f"{self._kind}/{self.owner}/{field}"

    def _spoken_field(self) -> str | None:
        """The first field with points: it stands for all, they come together."""
        for field in self.fields():
            if self._book is not None and self._book.has_value(self._name(field)):
                return field
        return next((field for field in self.fields() if self._name(field) in self._past), None)

    def _live_from(self, field: str) -> float:
        first_s = self._book.first_s(self._name(field)) if self._book else None
        return math.inf if first_s is None else first_s

    def _joint(self, past: Past, joint_s: float) -> tuple[float, float] | None:
        """The gap between the history and what memory holds, where there is one."""
        end = int(np.searchsorted(past.time_s, joint_s))
        older = past.time_s[:end][np.isfinite(past.mean[:end])]
        if not len(older) or not math.isfinite(joint_s):
            return None
        last_s = float(older[-1])
        allowed_s = GAP_PERIODS * max(past.period_s, _HISTORY_PERIOD_S[self._kind])
        return (last_s, joint_s) if joint_s - last_s > allowed_s else None

    def _gaps(self, start_s: float, end_s: float) -> list[Gap]:
        field = self._spoken_field()
        if field is None:
            return []
        name = self._name(field)
        spans: list[tuple[float, float]] = []
        past, joint_s = self._past.get(name), self._live_from(field)
        if past is not None:
            spans += [span for span in past.gaps() if span[1] < joint_s]  # what memory ends is the joint, told below
            joint = self._joint(past, joint_s)
            if joint:
                spans.append(joint)
        if self._book is not None:
            spans += self._book.gaps(name, start_s, end_s)
        visible = [span for span in spans if span[1] > start_s and span[0] < end_s]
        least_s = _SEEN_SHARE * (end_s - start_s)
        gaps = [Gap(*span, gap_words(*span) if span[1] - span[0] >= least_s else "") for span in visible]
        last_s = self._book.last_s(name) if self._book is not None else None
        if last_s is None and past is not None and len(past.time_s):
            last_s = float(past.time_s[-1])
        now_s = self.range.now_s()
        if last_s is not None and self.is_stale() and last_s < end_s and now_s > start_s:
            since = numbers.clock(last_s)
            words = _("no reading since {time}").format(time=since)
            if self._silence:
                words = _("{reason} since {time}").format(reason=self._silence, time=since)
            gaps.append(Gap(last_s, min(now_s, end_s), words))
        return gaps

    def _filled(self, plot: TimePlot, start_s: float, end_s: float, *, is_said: bool) -> list[Band]:
        """Where points come from the meter's own load profile; unless it is said, the longest of them says so."""
        spans = sorted({span for curve in plot.curves for span in self._filled_of(curve.field, start_s, end_s)})
        longest = max(spans, key=lambda span: span[1] - span[0], default=None)
        words = "" if is_said else _("from the meter")
        return [Band(*span, role="unknown", text=words if span == longest else "", is_quiet=True) for span in spans]

    def _filled_of(self, field: str, start_s: float, end_s: float) -> list[tuple[float, float]]:
        past = self._past.get(self._name(field))
        return past.filled_between(start_s, min(end_s, self._live_from(field))) if past is not None else []

    def _message(self) -> str:
        if self._asked is not None and self._answered_id != self._asked[0]:
            return _("reading the history…")
        return _("no readings in this time") if self.owner is not None else ""

    def _revision(self) -> int:
        field = self.fields()[0] if self.plots else ""
        return self._book.revision(self._name(field)) if self._book is not None else 0

    def _touch(self) -> None:
        self._version += 1

    def _on_range_changed(self) -> None:
        self._touch()
        self._ask_timer.start()
        if self._timer.isActive():
            self.redraw()

    def _on_cursor_moved(self) -> None:
        self._show_cursors([plot for plot in self.plots if plot.isVisible()])

    def _show_cursors(self, shown: list[TimePlot]) -> None:
        start_s, end_s = self.range.span()
        at_s = self.range.cursor_s
        if at_s is not None and not start_s <= at_s <= end_s:
            at_s = None  # the time has moved on under a cursor that stood still
        for index, plot in enumerate(shown):
            plot.show_cursor(self, at_s, with_box=index == 0)

    def _renew_history(self, start_s: float, end_s: float) -> None:
        """Ask again when memory has dropped points that the last answer ends before."""
        field = self._spoken_field()
        if self._asked is None or field is None or self._ask_timer.isActive():
            return
        first_s = self._live_from(field)
        dropped_s = max(_RENEW_S, _RENEW_PIXELS * (end_s - start_s) / max(plot.canvas.columns for plot in self.plots))
        if math.isfinite(first_s) and start_s < first_s and first_s - self._asked[2] > dropped_s:
            self._asked = None
            self._ask_timer.start()

    def _ask(self) -> None:
        if self.owner is None:
            return
        start_s, end_s = self.range.span()
        field = self._spoken_field()
        live_from_s = self._live_from(field) if field else math.inf
        if live_from_s <= start_s:
            return
        if self._asked is not None:
            _id, asked_start_s, asked_end_s = self._asked
            reaches = asked_start_s <= start_s and asked_end_s >= min(end_s, live_from_s) - 1
            if reaches and asked_end_s - asked_start_s <= _FINEST_RATIO * (end_s - start_s):
                return
        margin_s = 0.0 if self.range.is_following else (end_s - start_s) / 2
        start_s, end_s = start_s - margin_s, min(end_s + margin_s, self.range.now_s())
        self._asked = (next_request_id(), start_s, end_s)
        self._touch()
        self.history_wanted.emit(self._asked[0], self.owner, self.fields(), start_s, end_s)


def _is_long(start_s: float, end_s: float) -> bool:
    return end_s - start_s >= _LONG_S
