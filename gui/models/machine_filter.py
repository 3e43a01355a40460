"""What is typed into the filter of the machine list: every word must be met, a plain word anywhere in what is shown.

The words of `core.targets` mean here what they mean in a command, and can be typed letter by letter: `@lab`,
`tag:printer`, `os:linux`, `level:run`, `state:offline`, `address:10.1.*`, `filter:night`, patterns as `web-*`, folded
names as `srv[01-40]`; `!` before a word takes away. Several words narrow the list: those of a command add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.records import MachineState
from gui.models.check_row import CheckRow
from gui.models.machine_row import MachineRow

_LONGEST = 1000
_MOST_WORDS = 32
_LOOKED_UP = ("*", "?", "[")


class MachineFilter:
    """A filter as typed; `look_up` first, then `lets_through` for each row."""

    def __init__(self, text: str = "", saved: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self.text = text
        self._saved = dict(saved or {})
        self._plain: list[str] = []
        self._not_plain: list[str] = []
        self._looked_up: list[tuple[str, bool]] = []
        self._names: list[tuple[frozenset[str], bool]] = []
        for word in text[:_LONGEST].split()[:_MOST_WORDS]:
            is_less, bare = word.startswith("!"), word.removeprefix("!")
            if not bare:
                continue  # the rest of it is still being typed
            if _is_looked_up(bare):
                self._looked_up.append((bare, is_less))
            else:
                (self._not_plain if is_less else self._plain).append(bare.casefold())

    def __bool__(self) -> bool:
        return bool(self._plain or self._not_plain or self._looked_up)

    def look_up(self, rows: Iterable[MachineRow]) -> None:
        """Find the machines that patterns and saved filters mean now."""
        if not self._looked_up:
            return
        from core.targets import TargetBook, resolve  # the first paint does without

        known = list(rows)
        states: dict[str, MachineState] = {row.name: row.state for row in known if row.state is not None}
        book = TargetBook(machines=tuple(row.machine for row in known), filters=self._saved, states=states)
        self._names = [(frozenset(resolve((word,), book)), is_less) for word, is_less in self._looked_up]

    def lets_through(self, row: MachineRow | CheckRow) -> bool:
        """True for a row that is shown; a check is in no pattern and in no saved filter."""
        for names, is_less in self._names:
            if (isinstance(row, MachineRow) and row.name in names) is is_less:
                return False
        if self._plain and not row.matches(self._plain):
            return False
        return not self._not_plain or not any(row.matches((word,)) for word in self._not_plain)


def _is_looked_up(word: str) -> bool:
    kind, colon, value = word.partition(":")
    if colon and kind.casefold() == "filter":
        return True
    if colon and kind.casefold() == "address" and "/" in value:
        return True
    return any(sign in word for sign in _LOOKED_UP)
