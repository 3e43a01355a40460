"""How much of what is refused an agent writes down: each refusal is a line on its disk, whoever asked, at any level.

A console has 128 refusals (and changes of who is trusted, which cost as much) at once, and one more every two seconds.
Beyond that its requests are answered `busy` without being looked at, and the log says so once: a console at the lowest
level can neither fill the disk, after which nothing would run for anybody, nor keep the agent waiting for it.
"""

from __future__ import annotations

REFUSALS_AT_ONCE = 128
REFILL_S = 2.0
RULE = "too many requests of this console were refused; wait a minute, nothing of them is looked at until then"


class Patience:
    """Counts by console; of one that has asked for nothing refused of late nothing is kept."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[float, float]] = {}

    def count(self, console: str, now_s: float) -> bool:
        """One more; True where it is the last one for a while."""
        spent = self._spent_by(console, now_s) + 1
        self._spent = {known: item for known, item in self._spent.items() if self._left(item, now_s) > 0}
        self._spent[console] = (spent, now_s)
        return spent - 1 < REFUSALS_AT_ONCE <= spent

    def is_over(self, console: str, now_s: float) -> bool:
        """True while nothing more of this console is looked at."""
        return self._spent_by(console, now_s) > REFUSALS_AT_ONCE - 1

    def _spent_by(self, console: str, now_s: float) -> float:
        return self._left(self._spent.get(console, (0.0, now_s)), now_s)

    @staticmethod
    def _left(item: tuple[float, float], now_s: float) -> float:
        return max(0.0, item[0] - (now_s - item[1]) / REFILL_S)
