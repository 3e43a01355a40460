"""Gathers the answers of a run while it goes on: each answer is looked at once, and only as long as there is time.

`core.gather` does the same for a run that has ended; here a group is kept, grows, and costs nothing until it changes.
"""

from __future__ import annotations

import bisect
import time
from collections.abc import Iterator
from itertools import count

from core.gather import difference, fold_names, natural_key
from core.records import CommandResult, CommandState
from gui.models.answers import Run

MOST_COMPARED = 128 * 1024
"""Characters of an answer that are compared with the largest group's; a longer one is shown as it is."""

LONGEST_DIFFERENCE = 200

_ANSWERED = (CommandState.OK, CommandState.FAILED, CommandState.TIMEOUT)
_numbers = count(1)


class Group:
    """Machines that gave the same answer, by their natural order; `version` counts every change of it."""

    def __init__(self, result: CommandResult) -> None:
        self.key = f"group {next(_numbers)}"
        self.result = result
        self.machines: list[str] = []
        self.first_key: tuple[tuple[int, int, str], ...] = ()
        self.duration_s: float | None = None
        self.truncated_bytes = 0
        self.version = 0
        self.fetched = 0
        self._folded = (-1, "")
        self._difference: tuple[CommandResult, tuple[str, ...]] | None = None

    @property
    def folded_names(self) -> str:
        """The machines in short."""
        if self._folded[0] != self.version:
            self._folded = self.version, fold_names(self.machines)
        return self._folded[1]

    @property
    def has_answer(self) -> bool:
        """True where the command ran."""
        return self.result.state in _ANSWERED

    def add(self, result: CommandResult, *, is_fetched: bool) -> None:
        """One more machine answered so."""
        bisect.insort(self.machines, result.machine, key=natural_key)
        self.first_key = natural_key(self.machines[0])
        self.truncated_bytes = max(self.truncated_bytes, result.truncated_bytes)
        if result.duration_s is not None:
            self.duration_s = max(self.duration_s or 0.0, result.duration_s)
        self.fetched += is_fetched
        self.version += 1

    def remove(self, machine: str) -> None:
        """A machine has another answer after all."""
        self.machines.remove(machine)
        self.first_key = natural_key(self.machines[0]) if self.machines else ()
        self.version += 1

    def is_long(self) -> bool:
        """True where the answer is too long to be compared."""
        return len(self.result.stdout) + len(self.result.stderr) > MOST_COMPARED

    def difference_from(self, largest: Group) -> tuple[str, ...]:
        """Lines against the largest group's; empty for that one itself, and where one is too long to be compared."""
        if largest is self or self.is_long() or largest.is_long() or not self.has_answer:
            return ()
        if self._difference is None or self._difference[0] is not largest.result:
            self._difference = largest.result, difference(largest.result, self.result, LONGEST_DIFFERENCE)
        return self._difference[1]


class Gathering:
    """The groups of one run at a time; `update` takes in what came since."""

    def __init__(self) -> None:
        self._run: Run | None = None
        self._taken = 0
        self._by_answer: dict[tuple[object, ...], Group] = {}
        self._group_of: dict[str, Group] = {}

    def update(self, run: Run, budget_s: float | None = None) -> bool:
        """Take in the answers of `run`, for `budget_s` at most where given; False while some are left."""
        if run is not self._run:
            self._run, self._taken = run, 0
            self._by_answer, self._group_of = {}, {}
        ends_s = None if budget_s is None else time.perf_counter() + budget_s
        while self._taken < len(run.changed):
            self._take(run.results[run.changed[self._taken]], run)
            self._taken += 1
            if ends_s is not None and time.perf_counter() > ends_s:
                break
        return self._taken >= len(run.changed)

    def groups(self) -> list[Group]:
        """The biggest that answered first, those that were not run at the end."""
        return sorted(
            self._by_answer.values(),
            key=lambda group: (not group.has_answer, -len(group.machines), group.first_key),
        )

    def __iter__(self) -> Iterator[Group]:
        return iter(self._by_answer.values())

    def _take(self, result: CommandResult, run: Run) -> None:
        before = self._group_of.get(result.machine)
        if before is not None:
            before.remove(result.machine)
            if not before.machines:
                del self._by_answer[_answer_of(before.result)]
        group = self._by_answer.setdefault(_answer_of(result), Group(result))
        group.add(result, is_fetched=result.machine in run.fetched)
        self._group_of[result.machine] = group


def _answer_of(result: CommandResult) -> tuple[object, ...]:
    """What two results have in common that are one answer; `core.gather` sees it alike."""
    return (
        result.state, result.exit_status, result.stdout, result.stderr, result.message, result.truncated_bytes > 0
    )  # fmt: skip
