"""Groups and tags of many machines at once: what is added to all of them, and what is taken away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec.structs import replace
from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QLineEdit, QWidget

from core.errors import UsageError
from core.language import _, ngettext
from core.machine_tags import check_tags, tags_of
from core.records import Machine
from gui.dialogs.base import FormDialog
from gui.dialogs.edit_machine import how_chosen
from gui.plain_text import one_line
from gui.widgets.labels import plain_label

_MOST_NAMED = 12


class EditManyDialog(FormDialog):
    """`edited(machines)` with those that change; a machine that has what is added, or lacks what is taken, stays."""

    edited = pyqtSignal(list)

    def __init__(self, machines: Sequence[Machine], parent: QWidget | None = None) -> None:
        count = len(machines)
        title = ngettext("Groups and tags of {count} machine", "Groups and tags of {count} machines", count)
        action = ngettext("Change {count} machine", "Change {count} machines", count)
        super().__init__(title.format(count=count), action.format(count=count), parent)
        self._machines = tuple(machines)
        self.add_row(_("Groups now"), _counts(group for machine in machines for group in machine.groups))
        self.add_groups = QLineEdit()
        self.add_groups.setPlaceholderText(_("separated by commas"))
        self.add_row(_("Add to groups"), self.add_groups)
        self.take_groups = QLineEdit()
        self.add_row(_("Take out of groups"), self.take_groups)
        self.add_row(_("Tags now"), _counts(tag for machine in machines for tag in machine.tags))
        self.add_tags = QLineEdit()
        self.add_tags.setPlaceholderText(_("words such as printer or first-floor"))
        self.add_row(_("Add tags"), self.add_tags)
        self.take_tags = QLineEdit()
        self.add_row(_("Take tags away"), self.take_tags)
        self.add_wide(plain_label(how_chosen(), "dim", wrap=True))

    def on_accept(self) -> None:
        """Tell which machines change, once all of it can be kept."""
        new_groups, old_groups = _words(self.add_groups.text()), frozenset(_words(self.take_groups.text()))
        try:
            new_tags, old_tags = tags_of(self.add_tags.text()), frozenset(tags_of(self.take_tags.text()))
            changed = [
                replace(
                    machine,
                    groups=_changed(machine.groups, new_groups, old_groups),
                    tags=check_tags(_changed(machine.tags, new_tags, old_tags)),
                )
                for machine in self._machines
            ]
        except UsageError as error:
            self.say(str(error), "warning")
            return
        different = [after for before, after in zip(self._machines, changed, strict=True) if after != before]
        if not different:
            self.say(_("Nothing would change: type a group or a tag to add or to take away."), "warning")
            return
        self.edited.emit(different)
        self.accept()


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _changed(present: tuple[str, ...], new: Sequence[str], old: frozenset[str]) -> tuple[str, ...]:
    return tuple(word for word in dict.fromkeys((*present, *new)) if word not in old)


def _counts(words: Iterable[str]) -> QWidget:
    """`lab (12), hall (3)`, the most frequent first."""
    counts = Counter(words).most_common()
    shown = ", ".join(f"{one_line(word)} ({count})" for word, count in counts[:_MOST_NAMED])
    return plain_label(shown + (", …" if len(counts) > _MOST_NAMED else "") or _("none"), "dim", wrap=True)
