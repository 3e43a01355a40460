"""Saved filters: targets under a name, and the list of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QLineEdit, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from core.language import _, ngettext
from core.targets import TargetBook, resolve
from gui.dialogs.base import FormDialog
from gui.models.target_words import FILTER, shortened
from gui.numbers import number
from gui.plain_text import one_line, plain_tip
from gui.widgets.labels import plain_label

_LIST_PX = 180
_NAME_ROLE = Qt.UserRole


class SaveFilterDialog(FormDialog):
    """`chosen(name)`; a name that is taken is replaced, which is said."""

    chosen = pyqtSignal(str)

    def __init__(self, targets: Sequence[str], book: TargetBook, parent: QWidget | None = None) -> None:
        super().__init__(_("Save these targets as a filter"), _("Save"), parent)
        self._taken = frozenset(book.filters)
        count = len(resolve(targets, book))
        words = ngettext("{count} machine now: {targets}", "{count} machines now: {targets}", count)
        shown = words.format(count=number(count), targets=shortened(one_line(" ".join(targets))))
        self.add_wide(plain_label(shown, "dim", wrap=True))
        self.name = QLineEdit()
        self.name.setPlaceholderText(_("such as night-servers"))
        self.name.setMaxLength(64)
        self.name.textChanged.connect(self._on_name)
        self.add_row(_("Name"), self.name)
        self.add_wide(
            plain_label(
                _("Whom a filter means changes with the machines. It is the target filter:NAME, in a terminal too."),
                "dim",
                wrap=True,
            )
        )

    def on_accept(self) -> None:
        """A name that can be typed as a target."""
        name = self.name.text().strip()
        problem = name_problem(name)
        if problem:
            self.say(problem, "warning")
            self.name.setFocus()
            return
        self.chosen.emit(name)
        self.accept()

    def _on_name(self, text: str) -> None:
        is_taken = text.strip() in self._taken
        self.say(_("A filter of this name is there: it is replaced.") if is_taken else "", "warning")


class FiltersDialog(FormDialog):
    """The saved filters; `renamed(old, new)` and `removed(name)`."""

    renamed = pyqtSignal(str, str)
    removed = pyqtSignal(str)

    def __init__(self, book: TargetBook, parent: QWidget | None = None) -> None:
        super().__init__(_("Saved filters"), None, parent)
        self.list = QListWidget()
        self.list.setFixedHeight(_LIST_PX)
        self.list.setAccessibleName(_("Saved filters"))
        self.list.currentItemChanged.connect(self._on_chosen)
        self.name = QLineEdit()
        self.name.setMaxLength(64)
        self.name.setAccessibleName(_("Name"))
        self.name.returnPressed.connect(self._on_rename)
        self.rename_button = QPushButton(_("Rename"))
        self.rename_button.setAutoDefault(False)
        self.rename_button.clicked.connect(self._on_rename)
        self.remove_button = QPushButton(_("Remove"))
        self.remove_button.setAutoDefault(False)
        self.remove_button.clicked.connect(self._on_remove)
        self.list.setSpacing(2)
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(self.name, 1)
        line.addWidget(self.rename_button)
        line.addWidget(self.remove_button)
        column = QVBoxLayout()
        column.addWidget(self.list)
        column.addLayout(line)
        self.add_wide(column)
        self.set_book(book)

    def set_book(self, book: TargetBook) -> None:
        """The filters as they are now."""
        current = self._current()
        self._filters: Mapping[str, tuple[str, ...]] = book.filters
        self.list.clear()
        for name, targets in book.filters.items():
            count = len(resolve((FILTER + name,), book))
            words = ngettext("{count} machine", "{count} machines", count).format(count=number(count))
            item = QListWidgetItem(f"{one_line(name)}    {words}")
            item.setData(_NAME_ROLE, name)
            item.setToolTip(plain_tip(shortened(" ".join(targets))))
            self.list.addItem(item)
            if name == current:
                self.list.setCurrentItem(item)
        if self.list.currentRow() < 0 and self.list.count():
            self.list.setCurrentRow(0)
        self._on_chosen()

    def _current(self) -> str:
        item = self.list.currentItem()
        return "" if item is None else str(item.data(_NAME_ROLE))

    def _on_chosen(self) -> None:
        name = self._current()
        self.name.setText(name)
        for widget in (self.name, self.rename_button, self.remove_button):
            widget.setEnabled(bool(name))

    def _on_rename(self) -> None:
        old, new = self._current(), self.name.text().strip()
        problem = name_problem(new)
        if not problem and new != old and new in self._filters:
            problem = _("A filter of this name is there already.")
        self.say(problem, "warning")
        if not problem and new != old:
            self.renamed.emit(old, new)

    def _on_remove(self) -> None:
        name = self._current()
        users = [other for other, targets in self._filters.items() if FILTER + name in targets and other != name]
        if users:
            text = _("The filter {others} uses it; it is removed first.").format(others=", ".join(users))
            self.say(text, "warning")
        else:
            self.say("")
            self.removed.emit(name)


def name_problem(name: str) -> str:
    """Why a filter cannot be called so, empty where it can."""
    if not name:
        return _("A filter needs a name.")
    if any(sign.isspace() or sign in ",;!" or ord(sign) < 32 for sign in name):
        return _("The name of a filter has no spaces, commas and exclamation marks, so that it can be typed.")
    return ""
