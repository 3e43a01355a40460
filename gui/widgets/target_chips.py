"""Whom a command is for: targets in the language of `core.targets`, as chips that only their own user changes."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QEvent, QObject, Qt, pyqtSignal
from PyQt5.QtGui import QFocusEvent, QKeyEvent
from PyQt5.QtWidgets import (
    QCompleter,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from core.gather import fold_names
from core.language import _
from core.targets import TargetBook, lost, needs_states, resolve
from gui.models.target_words import FILTER, TAKES_AWAY, TargetWords, whom
from gui.numbers import number
from gui.plain_text import one_line, plain_tip
from gui.widgets.flow_layout import FlowLayout
from gui.widgets.labels import plain_label

CHIP_CHARACTERS = 28
CHIPS_APART = 6
"""Names chosen at once that still get a chip each; more share one, with their folded names."""


class Chip(QFrame):
    """One target, or several names in short, and the × that removes it."""

    removed = pyqtSignal(object)

    def __init__(self, targets: tuple[str, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.targets = targets
        self.text = one_line(targets[0] if len(targets) == 1 else fold_names(targets))
        self.is_less = len(targets) == 1 and targets[0].startswith(TAKES_AWAY)
        self.setObjectName("chip")
        self.setProperty("less", self.is_less)
        words = _("not {target}").format(target=self.text[1:]) if self.is_less else self.text
        shown = words if len(words) <= CHIP_CHARACTERS else f"{words[: CHIP_CHARACTERS - 1]}…"
        self._label = plain_label(shown, "dim" if self.is_less else None, self)
        cross = QToolButton(self)
        cross.setText("×")
        cross.setAutoRaise(True)
        cross.setObjectName("chip-cross")
        cross.setAccessibleName(_("Remove {target}").format(target=self.text))
        cross.setFocusPolicy(Qt.TabFocus)
        cross.clicked.connect(self._on_crossed)
        cross.installEventFilter(self)
        self.cross = cross
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 0, 1, 0)
        layout.setSpacing(1)
        layout.addWidget(self._label)
        layout.addWidget(cross)
        cross.setFixedSize(self.fontMetrics().height(), self.fontMetrics().height())
        self.setSizePolicy(QSizePolicy.Fixed, QSizePolicy.Fixed)

    def apply(self, book: TargetBook) -> None:
        """Show whom the chip means by `book`, or that it means nobody."""
        is_lost = bool(lost(self.targets, book))
        if self.property("lost") != is_lost:
            self.setProperty("lost", is_lost)
            self._label.setProperty("role", "warning" if is_lost else "dim" if self.is_less else "")
            for widget in (self, self._label):
                style = widget.style()
                if style is not None:
                    style.unpolish(widget)
                    style.polish(widget)
        words = whom(self.targets, book)
        self.setToolTip(plain_tip(words))
        self.setAccessibleName(f"{self.text}, {words}")

    def eventFilter(self, _watched: QObject | None, event: QEvent | None) -> bool:
        """Backspace and Delete on the × remove, too."""
        is_press = isinstance(event, QKeyEvent) and event.type() == QEvent.KeyPress
        if is_press and event.key() in (Qt.Key_Backspace, Qt.Key_Delete, Qt.Key_Return, Qt.Key_Enter):
            self._on_crossed()
            return True
        return False

    def _on_crossed(self) -> None:
        self.removed.emit(self)


class _Entry(QLineEdit):
    """The field at the end of the chips: small until it is used."""

    committed = pyqtSignal(str)
    emptied = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("chip-entry")
        self.setFrame(False)
        self.setAccessibleName(_("Add a machine, a pattern or an @group"))
        self.setToolTip(
            plain_tip(
                _(
                    "A name, a pattern (srv-*), folded names (srv[01-40]), an @group, all,\n"
                    "os:linux, tag:NAME, level:run, state:online, address:10.1.*, filter:NAME;\n"
                    "with ! in front it takes away: !db-*"
                )
            )
        )
        self.textChanged.connect(self._on_text_changed)
        self.is_alone = True
        self.fit()

    def fit(self) -> None:
        """Take the room that the text, or the hint, needs."""
        is_open = self.is_alone or self.hasFocus() or bool(self.text())
        self.setPlaceholderText(_("name, pattern, @group or all") if is_open else "+")
        texts = (self.text(), self.placeholderText())
        width = max(self.fontMetrics().horizontalAdvance(text) for text in texts) + 18
        self.setFixedSize(max(28, width), self.fontMetrics().height() + 6)

    def width_at_rest(self) -> int:
        """The room that it takes while nobody types in it."""
        return self.width() if self.is_alone else max(28, self.fontMetrics().horizontalAdvance("+") + 18)

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        """Say what may be typed."""
        super().focusInEvent(event)
        self.fit()

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        """Take what was typed, unless the choice is only being looked at."""
        super().focusOutEvent(event)
        if event is not None and event.reason() not in (Qt.PopupFocusReason, Qt.ActiveWindowFocusReason):
            self.commit()
        self.fit()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Enter, comma and space end a target; Backspace in the empty field removes the chip before."""
        if event is None:
            return
        is_within = self.text().count("[") > self.text().count("]")
        if event.key() in (Qt.Key_Return, Qt.Key_Enter) or (event.text() in (",", ";", " ") and not is_within):
            self.commit()
        elif event.key() == Qt.Key_Backspace and not self.text():
            self.emptied.emit()
        else:
            super().keyPressEvent(event)

    def commit(self) -> None:
        """Make chips of what is typed or pasted, one for each word of it."""
        text = self.text().strip()
        if text:
            self.clear()
            completer = self.completer()
            popup = None if completer is None else completer.popup()
            if popup is not None:
                popup.hide()  # the key was the field's own, so the completer leaves its list open
            for word in text.split():
                self.committed.emit(word)

    def _on_text_changed(self, _text: str) -> None:
        self.fit()


class TargetChips(QFrame):
    """The chips, and what they resolve to now."""

    changed = pyqtSignal()
    save_wanted = pyqtSignal(list)
    """These targets, to be saved as a filter."""
    filters_wanted = pyqtSignal()
    """The saved filters are to be looked at, renamed or removed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("chips")
        self._book = TargetBook(machines=())
        self._chips: list[Chip] = []
        self._words = TargetWords(self)
        self.entry = _Entry(self)
        completer = QCompleter(self._words, self)
        completer.setCaseSensitivity(Qt.CaseInsensitive)
        completer.setFilterMode(Qt.MatchContains)
        completer.setCompletionRole(Qt.EditRole)
        completer.setMaxVisibleItems(12)
        popup = completer.popup()
        if popup is not None:
            popup.setObjectName("completions")
            popup.setMinimumWidth(240)
        # queued: the field takes the completion as its own text after this signal
        completer.activated[str].connect(self._on_completed, Qt.QueuedConnection)
        self.entry.setCompleter(completer)
        self.entry.textEdited.connect(self._words.set_typed)
        self.entry.committed.connect(self.add)
        self.entry.emptied.connect(self._on_emptied)
        self._flow = FlowLayout(self, spacing=4)
        self._flow.setContentsMargins(8, 3, 4, 3)
        to = plain_label(_("To:"), parent=self)
        to.setFixedHeight(self.fontMetrics().height() + 6)
        self._flow.addWidget(to)
        self._flow.addWidget(self.entry)
        self.filters = self._filters_button()
        self._flow.addWidget(self.filters)
        self.setSizePolicy(QSizePolicy.Maximum, QSizePolicy.Minimum)
        self.setAccessibleName(_("Machines the command is for"))

    def set_book(self, book: TargetBook) -> None:
        """Take the machines and filters there are; the chips stay, what they mean may change."""
        before, self._book = self._book, book
        if before.machines != book.machines or before.filters != book.filters:
            self._words.set_book(book)
            self._refresh()
        elif before.states != book.states:
            self._words.set_book(book)
            if needs_states(self.targets(), book):
                self._refresh()
            else:
                self.changed.emit()

    def width_at_rest(self) -> int:
        """How wide they would like to be while nobody types a target."""
        return self.sizeHint().width() - self.entry.width() + self.entry.width_at_rest()

    def targets(self) -> tuple[str, ...]:
        """What the chips say, in their order."""
        return tuple(target for chip in self._chips for target in chip.targets)

    def set_targets(self, targets: Sequence[str]) -> None:
        """Replace all chips."""
        for chip in self._chips:
            self._discard(chip)
        self._chips = []
        unique = tuple(dict.fromkeys(targets))
        names = {machine.name for machine in self._book.machines}
        if len(unique) > CHIPS_APART and all(target in names for target in unique):
            self._append(unique)
        else:
            for target in unique:
                self._append((target,))
        self._refresh()

    def add(self, target: str) -> None:
        """Add one target as typed, unless it is there."""
        if target not in self.targets():
            self._append((target,))
            self._refresh()

    def machines(self) -> tuple[str, ...]:
        """Names of the machines that the chips mean now, each once."""
        return resolve(self.targets(), self._book)

    def lost(self) -> tuple[str, ...]:
        """Targets that mean no machine."""
        return lost(self.targets(), self._book)

    def commit(self) -> None:
        """Take what stands half typed in the field."""
        self.entry.commit()

    def _append(self, targets: tuple[str, ...]) -> None:
        chip = Chip(targets, self)
        chip.removed.connect(self._on_removed)
        self._chips.append(chip)
        self._flow.insertWidget(self._flow.count() - 2, chip)
        chip.show()

    def _discard(self, chip: Chip) -> None:
        self._flow.removeWidget(chip)
        chip.hide()
        chip.deleteLater()

    def _refresh(self) -> None:
        for chip in self._chips:
            chip.apply(self._book)
        self.entry.is_alone = not self._chips
        self.entry.fit()
        self._flow.invalidate()
        self.updateGeometry()
        self.changed.emit()

    def _on_removed(self, chip: Chip) -> None:
        self._chips.remove(chip)
        self._discard(chip)
        self.entry.setFocus()
        self._refresh()

    def _on_emptied(self) -> None:
        if self._chips:
            self._on_removed(self._chips[-1])

    def _on_completed(self, text: str) -> None:
        self.entry.clear()
        self.add(text)

    def _filters_button(self) -> QToolButton:
        button = QToolButton(self)
        button.setText("▾")
        button.setObjectName("chip-cross")
        button.setAutoRaise(True)
        button.setAccessibleName(_("Saved filters"))
        button.setToolTip(_("Saved filters, and these targets as a new one"))
        button.setPopupMode(QToolButton.InstantPopup)
        button.setFocusPolicy(Qt.TabFocus)
        button.setFixedSize(self.fontMetrics().height() + 4, self.fontMetrics().height() + 4)
        menu = QMenu(button)
        menu.aboutToShow.connect(self.fill_filters)
        button.setMenu(menu)
        return button

    def fill_filters(self) -> QMenu:
        """The menu of saved filters, as they are now."""
        menu = self.filters.menu()
        menu.clear()
        for name in self._book.filters:
            count = len(resolve((FILTER + name,), self._book))
            action = menu.addAction(f"{one_line(name)}    {number(count)}".replace("&", "&&"))
            action.triggered.connect(lambda _checked=False, name=name: self.add(FILTER + name))
        if self._book.filters:
            menu.addSeparator()
        save = menu.addAction(_("Save these targets as a filter…"))
        save.setEnabled(bool(self._chips))
        save.triggered.connect(lambda _checked=False: self.save_wanted.emit(list(self.targets())))
        edit = menu.addAction(_("Rename or remove filters…"))
        edit.setEnabled(bool(self._book.filters))
        edit.triggered.connect(lambda _checked=False: self.filters_wanted.emit())
        menu.addSeparator()
        clear = menu.addAction(_("Take all targets away"))
        clear.setEnabled(bool(self._chips))
        clear.triggered.connect(lambda _checked=False: self.set_targets(()))
        return menu
