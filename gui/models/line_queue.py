"""Several lines sent together: one after the other, each when the one before has ended everywhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class LineQueue:
    """The lines that wait, and which run the one that was sent last has become."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, ...]] = deque()
        self._expected: tuple[str, ...] | None = None
        self._current_id: str | None = None
        self._count = 0
        self.names: tuple[str, ...] = ()
        self.timeout_s = 0.0
        self.window = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def fill(self, commands: Sequence[tuple[str, ...]], names: Sequence[str], timeout_s: float, window: int) -> None:
        """Take lines to be sent to `names`; what waited is forgotten."""
        self._waiting = deque(commands)
        self.names, self.timeout_s, self.window = tuple(names), timeout_s, window
        self._count = len(commands)

    def take(self) -> tuple[str, ...]:
        """The next line, to be sent now."""
        self._expected, self._current_id = self._waiting.popleft(), None
        return self._expected

    def clear(self) -> None:
        """Send nothing more."""
        self._waiting.clear()
        self._expected = None

    def started(self, run_id: str, words: tuple[str, ...]) -> None:
        """A run goes out: it is ours where its words are those that were sent last."""
        if words == self._expected:
            self._expected, self._current_id = None, run_id

    def is_current(self, run_id: str) -> bool:
        """True for the run that the next line waits for."""
        return run_id == self._current_id

    def place(self, run_id: str) -> tuple[int, int] | None:
        """(which line it is, of how many), None where there is one alone, or the run is not ours."""
        if self._count < 2 or not self.is_current(run_id):
            return None
        return self._count - len(self._waiting), self._count
