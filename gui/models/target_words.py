"""What can be typed as a target, and how many machines each of it means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, Qt

from core.gather import fold_names
from core.language import _, ngettext
from core.targets import TargetBook, missing, problem, resolve, words
from gui.numbers import number
from gui.plain_text import one_line

TAKES_AWAY = "!"
FILTER = "filter:"
NAMES_TOLD = 600
"""Characters of names that a tool-tip shows."""


class TargetWords(QAbstractListModel):
    """Completions: shown with the machines they mean, completed as they are typed.

    Groups, filters and the like come before names; counts are made when a row is shown.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._book = TargetBook(machines=())
        self._words: list[str] = []
        self._names: frozenset[str] = frozenset()
        self._counts: dict[str, int] = {}
        self._prefix = ""

    def set_book(self, book: TargetBook) -> None:
        """Complete to what means something in `book`."""
        names = frozenset(machine.name for machine in book.machines)
        found = words(book)
        ordered = [word for word in found if word not in names] + [word for word in found if word in names]
        self._book, self._names, self._counts = book, names, {}
        if ordered != self._words:
            self.beginResetModel()
            self._words = ordered
            self.endResetModel()

    def set_typed(self, text: str) -> None:
        """Complete to what takes machines away where the text begins so."""
        prefix = TAKES_AWAY if text.startswith(TAKES_AWAY) else ""
        if prefix != self._prefix:
            self.beginResetModel()
            self._prefix = prefix
            self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, the base class's own default
        """Number of completions."""
        return 0 if parent.isValid() else len(self._words)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """The word, and with how many machines it means as it is shown."""
        word = self._words[index.row()]
        if role == Qt.EditRole:
            return self._prefix + word
        if role == Qt.DisplayRole:
            shown = one_line(self._prefix + word)
            return shown if word in self._names else f"{shown}    {number(self._count(word))}"
        return None

    def _count(self, word: str) -> int:
        if word not in self._counts:
            self._counts[word] = len(resolve((word,), self._book))
        return self._counts[word]


def whom(targets: Sequence[str], book: TargetBook) -> str:
    """Whom the targets of one chip mean, in words."""
    is_less = len(targets) == 1 and targets[0].startswith(TAKES_AWAY)
    bare = tuple(target.removeprefix(TAKES_AWAY) for target in targets) if is_less else tuple(targets)
    names = resolve(bare, book)
    if not names:
        return problem(targets[0], book)
    count = number(len(names))
    if is_less:
        text = ngettext("takes away {count} machine: {names}", "takes away {count} machines: {names}", len(names))
    else:
        text = ngettext("{count} machine: {names}", "{count} machines: {names}", len(names))
    lines = [text.format(count=count, names=shortened(fold_names(names)))]
    if len(bare) == 1 and bare[0].startswith(FILTER) and bare[0].removeprefix(FILTER) in book.filters:
        saved = " ".join(book.filters[bare[0].removeprefix(FILTER)])
        lines.append(_("saved as: {targets}").format(targets=shortened(saved)))
    away = missing(bare, book)
    if away:
        lines.append(_("there is no {names}").format(names=shortened(fold_names(away))))
    return "\n".join(lines)


def shortened(text: str) -> str:
    """`text`, cut where it would fill the screen."""
    return text if len(text) <= NAMES_TOLD else f"{text[:NAMES_TOLD]}…"
