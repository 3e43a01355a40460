"""The runs that the window holds: the newest, within their share of memory, and any that still goes on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from core.errors import UsageError
from core.language import _
from core.records import CommandPlace, CommandRequest, CommandResult, CommandRunSummary, CommandState
from gui.models.answers import HELD, Run, Standing, counted
from gui.models.command_line import words_of
from gui.numbers import duration

RUNS_HELD = 20
PATIENCE_S = 60.0
"""Seconds beyond the time-out without any news after which the machines still awaited are called unknown."""

_ORDER: tuple[Standing, ...] = (
    CommandState.OK, CommandState.FAILED, CommandState.TIMEOUT, CommandState.NOT_ALLOWED, CommandState.UNKNOWN,
    CommandPlace.LINK_LOST, CommandPlace.RUNNING, CommandPlace.SENT, CommandPlace.QUEUED, CommandPlace.WAITING,
    CommandState.OFFLINE, CommandState.CANCELLED,
)  # fmt: skip


class Runs:
    """Runs by their id, oldest first."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, Run] = OrderedDict()

    def start(self, request: CommandRequest, now_s: float) -> Run:
        """A run that goes out now; older ones that have ended leave, the history keeps them all."""
        run = Run(request, now_s)
        self._runs[request.id] = run
        while len(self._runs) > 1:
            oldest = next(iter(self._runs.values()))
            is_too_much = len(self._runs) > RUNS_HELD or sum(one.held for one in self._runs.values()) > HELD
            if not is_too_much or oldest.is_running:
                break
            del self._runs[oldest.request.id]
        return run

    def get(self, run_id: str) -> Run | None:
        """The run of that id, None where the window holds it no more."""
        return self._runs.get(run_id)

    def running(self) -> list[Run]:
        """Those that go on."""
        return [run for run in self._runs.values() if run.is_running]

    def give_up_stuck(self, now_s: float) -> list[Run]:
        """Runs of which nothing was heard for too long: what they still await is unknown from now on."""
        stuck = [run for run in self.running() if run.is_stuck(now_s, run.request.timeout_s + PATIENCE_S)]
        for run in stuck:
            run.give_up(_("no answer came"), now_s)
        return stuck


def run_words(run: Run) -> str:
    """How far a run is, in words: `6 ok · 1 failed · 1 running · 2 not sent`."""
    counts = run.standings()
    return " · ".join(counted(state, counts[state]) for state in _ORDER if counts[state])


def time_words(run: Run, now_s: float) -> str:
    """How long it took or takes, and what remains: `0.4 s`, `12 s · about 3 s more`, `12 s · 18 s more at most`."""
    elapsed_s = run.elapsed_s(now_s)
    words = duration(elapsed_s)
    remains_s = run.remains_s(now_s)
    if remains_s is not None:
        words += " · " + _("about {time} more").format(time=duration(remains_s))
    elif run.is_running and not run.request.window and 2.0 < elapsed_s < run.request.timeout_s:
        words += " · " + _("{time} more at most").format(time=duration(run.request.timeout_s - elapsed_s))
    return words


def saved_run(summary: CommandRunSummary, results: Sequence[CommandResult]) -> Run:
    """A run of the history; its words are those of its line."""
    try:
        words = words_of(summary.line)
    except UsageError:
        words = tuple(summary.line.split())
    return Run.saved(summary, words, results)
