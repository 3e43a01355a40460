"""The answers of one run as they come: where it stands on each machine, what came back, what is left to do."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import msgspec

from core.language import N_, _, ngettext
from core.records import CommandPlace, CommandRequest, CommandResult, CommandRunSummary, CommandState
from gui.numbers import number

Standing = CommandState | CommandPlace
"""Where a machine of a run stands: how it ended there, else how far it has come."""

TAIL = 8192
"""Characters of live output kept for each machine; the whole answer comes with its result."""

HELD = 64 << 20
"""Characters of answers that one run holds in the window; answers beyond are clipped, and say so."""

CLIPPED = 16_384

MARKS: dict[Standing, tuple[str, str]] = {
    CommandState.RUNNING: ("…", "accent"),
    CommandState.OK: ("✓", "ok"),
    CommandState.FAILED: ("✕", "critical"),
    CommandState.TIMEOUT: ("✕", "critical"),
    CommandState.NOT_ALLOWED: ("✕", "critical"),
    CommandState.OFFLINE: ("–", "unknown"),
    CommandState.CANCELLED: ("–", "unknown"),
    CommandState.UNKNOWN: ("?", "warning"),
    CommandPlace.RUNNING: ("…", "accent"),
    CommandPlace.SENT: ("…", "accent"),
    CommandPlace.QUEUED: ("…", "dim"),
    CommandPlace.WAITING: ("·", "dim"),
    CommandPlace.LINK_LOST: ("…", "warning"),
}
"""Shape and colour role of each state; the words stand beside it, always."""

WORDS: dict[Standing, str] = {
    CommandState.RUNNING: N_("running"),
    CommandState.OK: N_("ok"),
    CommandState.FAILED: N_("failed"),
    CommandState.TIMEOUT: N_("time-out"),
    CommandState.NOT_ALLOWED: N_("not allowed"),
    CommandState.OFFLINE: N_("not sent"),
    CommandState.CANCELLED: N_("cancelled"),
    CommandState.UNKNOWN: N_("unknown"),
    CommandPlace.RUNNING: N_("running"),
    CommandPlace.SENT: N_("sent"),
    CommandPlace.QUEUED: N_("queued there"),
    CommandPlace.WAITING: N_("waiting"),
    CommandPlace.LINK_LOST: N_("link lost, to be fetched"),
}

NOT_WELL = (CommandState.FAILED, CommandState.TIMEOUT, CommandState.OFFLINE, CommandState.UNKNOWN,
            CommandState.CANCELLED, CommandState.NOT_ALLOWED)  # fmt: skip
"""Ends after which a command may be run again, in the order they are offered."""


class Run:
    """One command on its machines: what came back so far; `now_s` is monotonic everywhere.

    `revision` counts every change, `answers_revision` only results; `held` is the characters of all answers;
    `changed` names the machines whose result came, in their order, `fetched` those whose result came after all.
    """

    def __init__(self, request: CommandRequest, now_s: float) -> None:
        self.request = request
        self.results: dict[str, CommandResult] = {}
        self.tails: dict[str, str] = {}
        self.fetched: set[str] = set()
        self.changed: list[str] = []
        self._places: dict[str, CommandPlace] = {}
        self._began_s: dict[str, float] = {}
        self.revision = 0
        self.answers_revision = 0
        self._targets = frozenset(request.machines)
        self._started_s = now_s
        self._ended_s: float | None = None
        self.held = 0
        self._slowest_s = 0.0
        self._seen: tuple[int, float] | None = None

    @classmethod
    def saved(cls, summary: CommandRunSummary, words: Sequence[str], results: Sequence[CommandResult]) -> Run:
        """A run as the history tells it; machines without a result are unknown."""
        request = CommandRequest(
            id=summary.id,
            words=tuple(words),
            machines=summary.machines or tuple(result.machine for result in results),
            timeout_s=30.0,
            operator=summary.operator,
            time_s=summary.time_s,
        )
        run = cls(request, 0.0)
        for result in results:
            run.add_result(result, 0.0)
        run.give_up(_("the history holds no answer of this machine"), 0.0)
        return run

    @property
    def is_running(self) -> bool:
        """True until each machine has its result."""
        return len(self.results) < len(self.request.machines)

    @property
    def waiting(self) -> list[str]:
        """Machines that have not answered, in the order they were asked."""
        return [name for name in self.request.machines if name not in self.results]

    def elapsed_s(self, now_s: float) -> float:
        """Seconds since the start, until the last result; never less than the slowest machine took."""
        if self._ended_s is None:
            return now_s - self._started_s
        return max(self._ended_s - self._started_s, self._slowest_s)

    def remains_s(self, now_s: float) -> float | None:
        """Seconds that the rest may take, by what it took so far; None where nothing can be said yet."""
        left = len(self.request.machines) - len(self.results)
        done, window = self._ended_count(), self.request.window
        elapsed_s = self.elapsed_s(now_s)
        if not window or not left or done < min(window, left + done) or elapsed_s < 1.0:
            return None
        return elapsed_s / done * left

    def standing(self, machine: str) -> Standing:
        """Where a machine of this run stands."""
        result = self.results.get(machine)
        if result is not None:
            return result.state
        return self._places.get(machine, CommandPlace.WAITING if self.request.window else CommandPlace.RUNNING)

    def running_s(self, machine: str, now_s: float) -> float:
        """Seconds since it began on that machine, which in a window is later than the run did."""
        return now_s - self._began_s.get(machine, self._started_s)

    def add_step(self, machine: str, place: CommandPlace, now_s: float) -> None:
        """A machine has come so far."""
        if machine in self._targets and machine not in self.results and self._places.get(machine) is not place:
            self._places[machine] = place
            if place is CommandPlace.RUNNING:
                self._began_s.setdefault(machine, now_s)  # a link that was lost and is back begins nothing anew
            self.revision += 1

    def add_output(self, machine: str, text: str) -> None:
        """Keep the end of what a machine prints while it still runs."""
        if machine in self._targets and machine not in self.results:
            self._places[machine] = CommandPlace.RUNNING
            self.tails[machine] = (self.tails.get(machine, "") + text)[-TAIL:]
            self.revision += 1

    def add_result(self, result: CommandResult, now_s: float) -> None:
        """Take how the command ended on one machine; only the first result of a machine counts, unless it is better.

        A result fetched after the link came back replaces `unknown`.
        """
        known = self.results.get(result.machine)
        if result.machine not in self._targets or (known is not None and known.state is not CommandState.UNKNOWN):
            return
        if known is not None:
            self.held -= len(known.stdout) + len(known.stderr)
            if result.state is not CommandState.UNKNOWN:
                self.fetched.add(result.machine)
        self.results[result.machine] = self._bounded(result)
        self.changed.append(result.machine)
        self._places.pop(result.machine, None)
        self._slowest_s = max(self._slowest_s, result.duration_s or 0.0)
        self.tails.pop(result.machine, None)
        self.revision += 1
        self.answers_revision += 1
        if not self.is_running and self._ended_s is None:
            self._ended_s = now_s

    def give_up(self, message: str, now_s: float) -> None:
        """Whatever has not answered is unknown, for the reason given."""
        for name in self.waiting:
            self.add_result(CommandResult(machine=name, state=CommandState.UNKNOWN, message=message), now_s)

    def is_stuck(self, now_s: float, patience_s: float) -> bool:
        """True when nothing came for `patience_s`; to be asked now and then."""
        if self._seen is None or self._seen[0] != self.revision:
            self._seen = self.revision, now_s
        return self.is_running and now_s - self._seen[1] > patience_s

    def counts(self) -> Counter[CommandState]:
        """How many machines are in each state, RUNNING included."""
        counted = Counter(result.state for result in self.results.values())
        counted[CommandState.RUNNING] += len(self.request.machines) - len(self.results)
        return +counted

    def standings(self) -> Counter[Standing]:
        """How many machines stand where: those that ended by state, the others by how far they have come."""
        return Counter(self.standing(name) for name in self.request.machines)

    def ended_as(self, states: Sequence[CommandState]) -> list[str]:
        """Machines where the command ended in one of `states`, in the order they were asked."""
        return [name for name in self.request.machines if name in self.results and self.results[name].state in states]

    def summary(self) -> CommandRunSummary:
        """This run as a line of the history."""
        return CommandRunSummary(
            id=self.request.id,
            line=self.request.line,
            time_s=self.request.time_s,
            operator=self.request.operator,
            machines=self.request.machines,
            counts={state.value: count for state, count in self.counts().items()},
        )

    def _ended_count(self) -> int:
        """Machines that have run it to an end: those it was never sent to took no time."""
        return sum(result.state is not CommandState.OFFLINE for result in self.results.values())

    def _bounded(self, result: CommandResult) -> CommandResult:
        length = len(result.stdout) + len(result.stderr)
        if self.held + length > HELD and length > CLIPPED:
            kept_out, kept_error = result.stdout[:CLIPPED], result.stderr[:CLIPPED]
            left_out = length - len(kept_out) - len(kept_error)
            result = msgspec.structs.replace(
                result, stdout=kept_out, stderr=kept_error, truncated_bytes=result.truncated_bytes + left_out
            )
            length -= left_out
        self.held += length
        return result


def counted(state: Standing, count: int) -> str:
    """`6 ok`, `1 failed`: so many machines are in that state."""
    shown = number(count)
    if state is CommandState.OK:
        return ngettext("{count} ok", "{count} ok", count).format(count=shown)
    if state is CommandState.FAILED:
        return ngettext("{count} failed", "{count} failed", count).format(count=shown)
    if state is CommandState.TIMEOUT:
        return ngettext("{count} out of time", "{count} out of time", count).format(count=shown)
    if state is CommandState.NOT_ALLOWED:
        return ngettext("{count} not allowed", "{count} not allowed", count).format(count=shown)
    if state is CommandState.UNKNOWN:
        return ngettext("{count} unknown", "{count} unknown", count).format(count=shown)
    if state is CommandPlace.WAITING:
        return ngettext("{count} waiting", "{count} waiting", count).format(count=shown)
    if state is CommandPlace.QUEUED:
        return ngettext("{count} queued there", "{count} queued there", count).format(count=shown)
    if state is CommandPlace.SENT:
        return ngettext("{count} sent", "{count} sent", count).format(count=shown)
    if state is CommandPlace.LINK_LOST:
        return ngettext("{count} link lost", "{count} links lost", count).format(count=shown)
    if state in (CommandState.RUNNING, CommandPlace.RUNNING):
        return ngettext("{count} running", "{count} running", count).format(count=shown)
    if state is CommandState.OFFLINE:
        return ngettext("{count} not sent", "{count} not sent", count).format(count=shown)
    return ngettext("{count} cancelled", "{count} cancelled", count).format(count=shown)


def first_line(result: CommandResult) -> str:
    """The line that says most about a result: its message, else the first line of what it printed."""
    for text in (result.message or "", result.stdout, result.stderr):
        if text.strip():
            return text.strip().split("\n", 1)[0][:200]
    return ""


def monotonic_s() -> float:
    """The clock that `now_s` of a run is read from."""
    return time.monotonic()
