"""The time that all curves of a page show, their one cursor, and the buttons that choose the time."""

from __future__ import annotations

import time
from collections.abc import Callable

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QSizePolicy, QWidget

from core.language import N_, _
from gui.models.shown_span import FREE, ShownSpan
from gui.plain_text import plain_tip

FOLLOWED_S = {"live": 120.0, "hour": 3_600.0, "day": 86_400.0, "week": 7 * 86_400.0, "year": 365 * 86_400.0}
"""Ranges that end now, and their lengths."""
SHORTEST_S = 5.0
LONGEST_S = 3 * 366 * 86_400.0

_TITLES = {
    "live": (N_("Live"), N_("The last 2 minutes")),
    "hour": (N_("1 h"), N_("The last hour")),
    "day": (N_("24 h"), N_("The last 24 hours")),
    "week": (N_("7 d"), N_("The last 7 days")),
    "year": (N_("1 y"), N_("The last 365 days")),
}
"""Words on the button of each followed range, and in its tool-tip."""
_MOST_STEPS_BACK = 32


class TimeRange(ShownSpan):
    """A span that follows the clock (a key of FOLLOWED_S) or stands still (`free`), shared by the plots of a page."""

    cursor_moved = pyqtSignal()

    def __init__(
        self, parent: QObject | None = None, *, mode: str = "hour", now: Callable[[], float] = time.time
    ) -> None:
        super().__init__(parent, mode=mode, now=now)
        self._cursor_s: float | None = None

    @property
    def cursor_s(self) -> float | None:
        """Time under the cursor; None while there is none."""
        return self._cursor_s

    def span(self) -> tuple[float, float]:
        """(start_s, end_s) at this moment."""
        if self._mode == FREE:
            return self._free
        now_s = self._now()
        return now_s - FOLLOWED_S[self._mode], now_s

    def follow(self, mode: str) -> None:
        """Show the last 2 minutes, hour, day, week or year from now on."""
        if mode != self._mode:
            self._past.clear()
            self._mode = mode
            self.changed.emit()

    def show_span(self, start_s: float, end_s: float, *, remember: bool = True) -> None:
        """Stand still on a span; `back` returns to what was shown, unless this was one step of a movement."""
        if remember or self._mode != FREE:
            self._past = [*self._past[-_MOST_STEPS_BACK:], (self._mode, self.span())]
        self._mode = FREE
        self._free = self._within(start_s, end_s, SHORTEST_S, LONGEST_S)
        self.changed.emit()

    def zoom(self, factor: float, at_s: float) -> None:
        """Make the span `factor` times as long around `at_s`; a range that follows keeps its right edge at first."""
        start_s, end_s = self.span()
        self.show_span(at_s - (at_s - start_s) * factor, at_s + (end_s - at_s) * factor, remember=False)

    def move(self, seconds: float) -> None:
        """Shift the span; later is positive."""
        start_s, end_s = self.span()
        self.show_span(start_s + seconds, end_s + seconds, remember=False)

    def set_cursor(self, time_s: float | None) -> None:
        """Put the cursor of all plots at `time_s`, or take it away."""
        if time_s != self._cursor_s:
            self._cursor_s = time_s
            self.cursor_moved.emit()


class RangeBar(QWidget):
    """Exclusive buttons for the followed ranges, and *Back* while a free span is shown."""

    def __init__(self, time_range: TimeRange, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._range = time_range
        self._group = QButtonGroup(self)
        self.setSizePolicy(QSizePolicy.Fixed, QSizePolicy.Fixed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        self.buttons: dict[str, QPushButton] = {}
        for mode, (title, tip) in _TITLES.items():
            button = QPushButton(_(title))
            button.setToolTip(plain_tip(_(tip)))
            button.setAccessibleName(_(tip))
            button.setCheckable(True)
            button.clicked.connect(self._on_clicked)
            self._group.addButton(button)
            layout.addWidget(button)
            self.buttons[mode] = button
        self.back_button = QPushButton(_("Back"))
        self.back_button.setToolTip(_("Return to the time shown before (Backspace)"))
        self.back_button.clicked.connect(time_range.back)
        layout.addWidget(self.back_button)
        time_range.changed.connect(self._on_range_changed)
        self._on_range_changed()

    def _on_clicked(self) -> None:
        sender = self.sender()
        for mode, button in self.buttons.items():
            if button is sender:
                self._range.follow(mode)
        self._on_range_changed()

    def _on_range_changed(self) -> None:
        mode = self._range.mode
        self._group.setExclusive(False)
        for name, button in self.buttons.items():
            button.setChecked(name == mode)
        self._group.setExclusive(mode != FREE)
        self.back_button.setVisible(mode == FREE)
        self.back_button.setEnabled(self._range.can_go_back)
