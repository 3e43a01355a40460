"""Which processes are shown below the curves: those of now, of the moment under the cursor, or of the one chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

from PyQt5.QtCore import QObject, QTimer, pyqtSignal

from core.language import _
from core.machine_records import MinuteProcesses, ProcessUse
from gui import numbers
from gui.models.machine_recent import MachineRecent, busiest
from gui.models.shown_span import next_request_id
from gui.widgets.moment_strip import MomentStrip
from gui.widgets.time_range import TimeRange

_MINUTE_S = 60.0
_NOW_S = 15.0
"""The busiest processes of now: the agent looks every 10 s."""
_FINE_SPAN_S = 600.0
"""In a time shown no longer than this a moment is some seconds, else a minute or what a few pixels are."""
_FEW_PIXELS = 0.004
_LONGEST_S = 6 * 3600.0
_SETTLED_MS = 150

Running = Callable[[], Collection[tuple[int, int]] | None]
"""Tells which processes (pid, start to the second) run now; None while that is not known."""


class MachineMoment(QObject):
    """Takes them from memory where they are there, else `wanted` asks the history (request, machine, start, end).

    `chosen` tells the span of the moment that was clicked, None when it is given up.
    """

    wanted = pyqtSignal(int, str, float, float)
    chosen = pyqtSignal(object)

    def __init__(
        self, time_range: TimeRange, strip: MomentStrip, running: Running, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._range = time_range
        self._strip = strip
        self._running = running
        self._recent = MachineRecent()
        self._machine: str | None = None
        self._is_away = False
        self._chosen_s: float | None = None
        self._asked: tuple[int, str, float, float] | None = None
        self._found: tuple[str, tuple[ProcessUse, ...]] | None = None
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(_SETTLED_MS)
        self._delay.timeout.connect(self._ask)
        time_range.cursor_moved.connect(self._on_moved)
        strip.back_wanted.connect(self.give_up)

    @property
    def recent(self) -> MachineRecent:
        """What memory holds of the machines looked at."""
        return self._recent

    def set_recent(self, recent: MachineRecent) -> None:
        """Look there from now on."""
        self._recent = recent

    def show_machine(self, name: str | None) -> None:
        """Another machine: no moment of it is chosen."""
        self._machine = name
        self.give_up()

    def set_away(self, is_away: bool) -> None:
        """While the machine is away nothing is known of now; its past stays."""
        self._is_away = is_away
        self.renew()

    def choose(self, time_s: float) -> None:
        """Stay at this moment when the cursor goes away; chosen again it is given up."""
        span = self._span(time_s)
        held = self._chosen_s
        if held is not None and span[0] <= held < span[1]:
            self.give_up()
            return
        self._chosen_s = time_s
        self.chosen.emit(span)
        self._on_moved()

    def give_up(self) -> None:
        """Back to now."""
        self._chosen_s = self._found = self._asked = None
        self.chosen.emit(None)
        self._on_moved()

    def renew(self) -> None:
        """Something new is known: of the processes of now, or of which ones still run."""
        if self._at() is None:
            self._on_moved()
        elif self._found is not None:
            self._show(*self._found)

    def apply(self, minutes: Sequence[MinuteProcesses], request_id: int) -> None:
        """An answer to `wanted`: of several minutes the busiest one is shown."""
        if self._asked is None or self._asked[0] != request_id:
            return
        known = [(one, busiest(one.processes)) for one in minutes if one.processes]
        # the first list may be of an earlier minute, and stand until the next one
        known = [one for one in known if one[0].minute_s >= self._asked[2]] or known[-1:]
        if not known:
            at_s = self._at()
            self._say(
                self._asked[2] if at_s is None else at_s,
                _("no processes are known of this time: they are kept with each minute in which the machine answers"),
            )
            return
        minute, uses = max(known, key=lambda one: _share(one[1][0]))
        when = numbers.clock(minute.minute_s)
        if len(known) > 1:
            when = _("busiest minute {time}").format(time=when)
        self._show(when, uses)

    def apply_failed(self, request_id: int) -> None:
        """The history gave no answer."""
        if self._asked is not None and self._asked[0] == request_id:
            self._say(self._asked[2], _("the history could not be read"))

    def _at(self) -> float | None:
        return self._range.cursor_s if self._range.cursor_s is not None else self._chosen_s

    def _span(self, at_s: float) -> tuple[float, float]:
        """What one moment is in the time that is shown."""
        start_s, end_s = self._range.span()
        if end_s - start_s <= _FINE_SPAN_S:
            return at_s - _NOW_S / 2, at_s + _NOW_S / 2
        few_s = min((end_s - start_s) * _FEW_PIXELS, _LONGEST_S)
        if few_s <= _MINUTE_S:
            minute_s = math.floor(at_s / _MINUTE_S) * _MINUTE_S
            return minute_s, minute_s + _MINUTE_S
        return at_s - few_s / 2, at_s + few_s / 2

    def _on_moved(self) -> None:
        self._delay.stop()
        machine = self._machine
        if machine is None:
            return
        at_s = self._at()
        if at_s is None:
            now_s = self._range.now_s()
            uses = self._recent.tops(machine, now_s - _NOW_S, now_s + _NOW_S)
            if self._is_away:
                words = _("the machine is away; click on the curves for the busiest processes of then")
                self._strip.show_words(_("Busiest now"), words, can_go_back=False)
            elif uses:
                self._show(_("Busiest now"), uses)
            else:
                self._strip.show_words(_("Busiest now"), _("not known yet"), can_go_back=False)
            return
        start_s, end_s = self._span(at_s)
        if self._recent.tops_from(machine) <= start_s:
            uses = self._recent.tops(machine, start_s, end_s)
            if uses:
                self._show(numbers.clock(at_s, with_seconds=end_s - start_s < _MINUTE_S), uses)
                return
        if self._asked is None or self._asked[1:] != (machine, start_s, end_s):
            self._asked = None
            self._say(at_s, "…")
            self._delay.start()
        elif self._found is not None:
            self._show(*self._found)

    def _ask(self) -> None:
        at_s = self._at()
        if self._machine is None or at_s is None:
            return
        start_s, end_s = self._span(at_s)
        if end_s - start_s < _MINUTE_S:  # the history has a row a minute
            start_s = math.floor(at_s / _MINUTE_S) * _MINUTE_S
            end_s = start_s + _MINUTE_S
        self._asked = (next_request_id(), self._machine, start_s, end_s)
        self.wanted.emit(*self._asked)

    def _show(self, when: str, uses: tuple[ProcessUse, ...]) -> None:
        self._found = (when, uses)
        self._strip.show_processes(when, uses, self._running(), can_go_back=self._chosen_s is not None)

    def _say(self, at_s: float, words: str) -> None:
        self._found = None
        self._strip.show_words(numbers.clock(at_s), words, can_go_back=self._chosen_s is not None)


def _share(use: ProcessUse) -> float:
    return use.cpu_percent if math.isfinite(use.cpu_percent) else -1.0
