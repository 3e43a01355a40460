"""The time that the History page shows, its pointer, and the two cursors between which it tells differences."""

from __future__ import annotations

import time
from collections.abc import Callable

from PyQt5.QtCore import QObject, pyqtSignal

from core.language import N_, _
from gui import numbers
from gui.models.shown_span import FREE, ShownSpan

HOUR_S, DAY_S = 3_600.0, 86_400.0
FOLLOWED_S = {"hour": HOUR_S, "day": DAY_S, "week": 7 * DAY_S, "month": 30 * DAY_S, "year": 365 * DAY_S}
"""Ranges that end now, and their lengths."""
ALL = "all"
TITLES = {
    "hour": N_("1 h"),
    "day": N_("24 h"),
    "week": N_("7 d"),
    "month": N_("30 d"),
    "year": N_("1 y"),
    ALL: N_("All"),
}
SHORTEST_S = 1.0
LONGEST_S = 60 * 366 * DAY_S
_LEAST_ALL_S = 300.0
_LEAST_SHARE = 0.05
"""Values over less of what is shown are easily overlooked."""
_MOST_STEPS_BACK = 64
_TAKEN_WITHIN_S = 0.6
"""Steps of a wheel or a key that follow each other so soon are one step to go back."""

_MOST_POINTS = 6_000
_LEAST_DAYS, _PART_OF_DAY_S = 60, 5_400.0


class HistoryRange(ShownSpan):
    """A span that ends now (`hour` … `year`, `all`) or stands still (`free`); a pointer, and the cursors A and B."""

    pointer_moved = pyqtSignal()
    cursors_moved = pyqtSignal()

    def __init__(self, parent: QObject | None = None, *, now: Callable[[], float] = time.time) -> None:
        super().__init__(parent, mode="day", now=now)
        self._first_s: float | None = None
        self._stepped_at_s = 0.0
        self._pointer_s: float | None = None
        self._cursors: dict[str, float | None] = {"A": None, "B": None}

    @property
    def pointer_s(self) -> float | None:
        """Time under the pointer; None while there is none."""
        return self._pointer_s

    def span(self) -> tuple[float, float]:
        """(start_s, end_s) at this moment."""
        if self._mode == FREE:
            return self._free
        now_s = self._now()
        if self._mode == ALL:
            return min(self._first_s if self._first_s is not None else now_s - DAY_S, now_s - _LEAST_ALL_S), now_s
        return now_s - FOLLOWED_S[self._mode], now_s

    def set_first(self, first_s: float | None) -> None:
        """Where `all` begins: the first value of the series that are shown."""
        if first_s != self._first_s:
            self._first_s = first_s
            if self._mode == ALL:
                self.changed.emit()

    def follow(self, mode: str) -> None:
        """Show the last hour, day … from now on."""
        if mode != self._mode and (mode in FOLLOWED_S or mode == ALL):
            self._remember()
            self._mode = mode
            self.changed.emit()

    def fit(self, first_s: float, last_s: float) -> None:
        """Show where the values of the first series are, unless they can be seen in what is shown already."""
        start_s, end_s = self.span()
        now_s = self._now()
        seen_s = min(last_s, end_s) - max(first_s, start_s)
        if seen_s >= _LEAST_SHARE * (end_s - start_s) or (self._mode == FREE and seen_s > 0):
            return
        if last_s >= now_s - HOUR_S:
            self.follow(next((mode for mode, length_s in FOLLOWED_S.items() if length_s >= now_s - first_s), ALL))
            return
        first_s = max(first_s, last_s - (end_s - start_s))
        margin_s = max(60.0, (last_s - first_s) / 20)
        self.show_span(first_s - margin_s, last_s + margin_s)

    def show_span(self, start_s: float, end_s: float, *, is_step: bool = False) -> None:
        """Stand still on a span; `back` returns to what was shown. Steps that follow each other soon are one."""
        if end_s < start_s:
            start_s, end_s = end_s, start_s
        moment_s = time.monotonic()
        if not (is_step and moment_s - self._stepped_at_s < _TAKEN_WITHIN_S):
            self._remember()
        self._stepped_at_s = moment_s if is_step else 0.0
        self._mode = FREE
        self._free = self._within(start_s, end_s, SHORTEST_S, LONGEST_S)
        self.changed.emit()

    def zoom(self, factor: float, at_s: float) -> None:
        """Make the span `factor` times as long around `at_s`."""
        start_s, end_s = self.span()
        self.show_span(at_s - (at_s - start_s) * factor, at_s + (end_s - at_s) * factor, is_step=True)

    def move(self, seconds: float) -> None:
        """Shift the span; later is positive."""
        start_s, end_s = self.span()
        self.show_span(start_s + seconds, end_s + seconds, is_step=True)

    def back(self) -> None:
        """Return to what was shown before."""
        self._stepped_at_s = 0.0
        super().back()

    def set_pointer(self, time_s: float | None) -> None:
        """Put the pointer at `time_s`, or take it away."""
        if time_s != self._pointer_s:
            self._pointer_s = time_s
            self.pointer_moved.emit()

    def cursor(self, letter: str) -> float | None:
        """Time of cursor `A` or `B`."""
        return self._cursors[letter]

    def set_cursor(self, letter: str, time_s: float | None) -> None:
        """Put a cursor, or take it away."""
        if time_s != self._cursors[letter]:
            self._cursors[letter] = time_s
            self.cursors_moved.emit()

    def clear_cursors(self) -> bool:
        """Take both away; False where there was none."""
        has_any = any(value is not None for value in self._cursors.values())
        if has_any:
            self._cursors = {"A": None, "B": None}
            self.cursors_moved.emit()
        return has_any

    def between(self) -> tuple[float, float] | None:
        """From the earlier cursor to the later one, where both are there and apart."""
        a_s, b_s = self._cursors["A"], self._cursors["B"]
        return (min(a_s, b_s), max(a_s, b_s)) if a_s is not None and b_s is not None and a_s != b_s else None

    def _remember(self) -> None:
        self._past = [*self._past[-_MOST_STEPS_BACK:], (self._mode, self.span())]


def points_of(length_s: float, most: int) -> int:
    """Points to ask for: whole days rather than parts of them, else days and nights of a year fill the plot."""
    days = int(length_s // DAY_S)
    if days >= _LEAST_DAYS and _PART_OF_DAY_S < length_s / most < DAY_S:
        return days
    return min(_MOST_POINTS, most)


def span_words(start_s: float, end_s: float) -> str:
    """`21 Nov 08:00 – 12:00`, the seconds where the span is short."""
    is_short = end_s - start_s < 900
    if end_s - start_s > 300 * DAY_S:
        return (
            f"{time.strftime('%Y-%m-%d', time.localtime(start_s))} – {time.strftime('%Y-%m-%d', time.localtime(end_s))}"
        )
    begin, end = (numbers.clock(time_s, with_seconds=is_short) for time_s in (start_s, end_s))
    first, last = time.localtime(start_s), time.localtime(end_s)
    if first[:3] == last[:3]:
        end = time.strftime("%H:%M:%S" if is_short else "%H:%M", last)
    elif len(end) <= len("00:00:00"):
        end = f"{numbers.day(end_s)} {end}"
    return f"{begin} – {end}"


def length_words(seconds: float) -> str:
    """A length of time in its two greatest units: `2 h 05 min`, `3 d 4 h`, `12.5 s`."""
    if seconds < 60:
        return f"{numbers.number(seconds, 1)} s"
    whole = round(seconds)
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < DAY_S:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return _("{days} d {hours} h").format(days=numbers.number(whole // 86_400), hours=whole % 86_400 // 3600)
