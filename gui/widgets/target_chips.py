"""Whom a command is for: names, patterns, @groups and `all` as chips that only their own user changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PyQt5.QtCore import QEvent, QObject, QStringListModel, Qt, pyqtSignal
from PyQt5.QtGui import QFocusEvent, QKeyEvent
from PyQt5.QtWidgets import QCompleter, QFrame, QHBoxLayout, QLineEdit, QSizePolicy, QToolButton, QWidget

from core.gather import fold_names
from core.language import _
from gui.models.command_line import ALL, matches, resolve
from gui.plain_text import plain_tip
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
        self.text = targets[0] if len(targets) == 1 else fold_names(targets)
        self.setObjectName("chip")
        shown = self.text if len(self.text) <= CHIP_CHARACTERS else f"{self.text[: CHIP_CHARACTERS - 1]}…"
        self._label = plain_label(shown, parent=self)
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

    def apply(self, names: Sequence[str]) -> None:
        """Show that the chip means the machines `names`, or that it means none."""
        is_lost = not names
        if self.property("lost") != is_lost:
            self.setProperty("lost", is_lost)
            self._label.setProperty("role", "warning" if is_lost else "")
            for widget in (self, self._label):
                style = widget.style()
                if style is not None:
                    style.unpolish(widget)
                    style.polish(widget)
        words = _("{target} matches no machine").format(target=self.text) if is_lost else fold_names(names)
        self.setToolTip(plain_tip(words))

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
        self.setToolTip(_("A name, a pattern such as srv-*, an @group, or all"))
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

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        """Say what may be typed."""
        super().focusInEvent(event)
        self.fit()

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        """Take what was typed, unless the choice is only being looked at."""
        super().focusOutEvent(event)
        if event is not None and event.reason() not in (Qt.PopupFocusReason, Qt.ActiveWindowFocusReason):
            self._commit()
        self.fit()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Enter, comma and space end a target; Backspace in the empty field removes the chip before."""
        if event is None:
            return
        if event.key() in (Qt.Key_Return, Qt.Key_Enter) or event.text() in (",", ";", " "):
            self._commit()
        elif event.key() == Qt.Key_Backspace and not self.text():
            self.emptied.emit()
        else:
            super().keyPressEvent(event)

    def _commit(self) -> None:
        text = self.text().strip()
        if text:
            self.clear()
            self.committed.emit(text)

    def _on_text_changed(self, _text: str) -> None:
        self.fit()


class TargetChips(QFrame):
    """The chips, and what they resolve to now."""

    changed = pyqtSignal()
    entered = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("chips")
        self._groups_of: dict[str, tuple[str, ...]] = {}
        self._chips: list[Chip] = []
        self._words = QStringListModel(self)
        self.entry = _Entry(self)
        completer = QCompleter(self._words, self)
        completer.setCaseSensitivity(Qt.CaseInsensitive)
        completer.setFilterMode(Qt.MatchContains)
        completer.setMaxVisibleItems(12)
        popup = completer.popup()
        if popup is not None:
            popup.setObjectName("completions")
            popup.setMinimumWidth(240)
        # queued: the field takes the completion as its own text after this signal
        completer.activated[str].connect(self._on_completed, Qt.QueuedConnection)
        self.entry.setCompleter(completer)
        self.entry.committed.connect(self.add)
        self.entry.emptied.connect(self._on_emptied)
        self._flow = FlowLayout(self, spacing=4)
        self._flow.setContentsMargins(8, 3, 4, 3)
        to = plain_label(_("To:"), parent=self)
        to.setFixedHeight(self.fontMetrics().height() + 6)
        self._flow.addWidget(to)
        self._flow.addWidget(self.entry)
        self.setSizePolicy(QSizePolicy.Maximum, QSizePolicy.Minimum)
        self.setAccessibleName(_("Machines the command is for"))

    def set_machines(self, groups_of: Mapping[str, Sequence[str]]) -> None:
        """Take the machines there are, each with its groups; the chips stay, what they mean may change."""
        taken = {name: tuple(groups) for name, groups in groups_of.items()}
        if taken == self._groups_of:
            return
        self._groups_of = taken
        groups = sorted({group for groups in taken.values() for group in groups})
        self._words.setStringList([ALL, *(f"@{group}" for group in groups), *taken])
        self._refresh()

    def targets(self) -> tuple[str, ...]:
        """What the chips say, in their order."""
        return tuple(target for chip in self._chips for target in chip.targets)

    def set_targets(self, targets: Sequence[str]) -> None:
        """Replace all chips."""
        for chip in self._chips:
            self._discard(chip)
        self._chips = []
        unique = tuple(dict.fromkeys(targets))
        if len(unique) > CHIPS_APART and all(target in self._groups_of for target in unique):
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
        return resolve(self.targets(), self._groups_of)

    def lost(self) -> tuple[str, ...]:
        """Targets that mean no machine."""
        return tuple(target for target in self.targets() if not matches(target, self._groups_of))

    def commit(self) -> None:
        """Take what stands half typed in the field."""
        self.entry._commit()

    def _append(self, targets: tuple[str, ...]) -> None:
        chip = Chip(targets, self)
        chip.removed.connect(self._on_removed)
        self._chips.append(chip)
        self._flow.insertWidget(self._flow.count() - 1, chip)
        chip.show()

    def _discard(self, chip: Chip) -> None:
        self._flow.removeWidget(chip)
        chip.hide()
        chip.deleteLater()

    def _refresh(self) -> None:
        for chip in self._chips:
            chip.apply(resolve(chip.targets, self._groups_of))
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
