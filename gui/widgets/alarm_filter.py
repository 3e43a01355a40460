"""Which alarms the list shows: words, and chips for state, severity and kind of source."""

from __future__ import annotations

from PyQt5.QtCore import Qt, QTimer, pyqtSignal
from PyQt5.QtWidgets import QButtonGroup, QHBoxLayout, QLineEdit, QPushButton, QSizePolicy, QWidget

from core.language import N_, _
from core.site_records import AlarmSeverity, AlarmState
from gui.models import alarm_words as words
from gui.widgets.flow_layout import FlowLayout

STATES: dict[str, tuple[str, frozenset[AlarmState]]] = {
    "open": (N_("open"), frozenset({AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED})),
    "acknowledged": (N_("Acknowledged"), frozenset({AlarmState.ACKNOWLEDGED})),
    "resolved": (N_("Resolved"), frozenset({AlarmState.RESOLVED})),
    "ignored": (N_("Ignored"), frozenset({AlarmState.IGNORED})),
    "all": (N_("All"), frozenset()),
}
"""Chips of the state, of which one is down: its name, and the states it lets through (all where none is named)."""

_SETTLE_MS = 120


class AlarmFilter(QWidget):
    """`changed` when another choice holds; `settled` when the words have."""

    changed = pyqtSignal()
    settled = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.field = QLineEdit()
        self.field.setPlaceholderText(_("Filter alarms   Ctrl+Shift+F"))
        self.field.setAccessibleName(_("Filter alarms"))
        self.field.setClearButtonEnabled(True)
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(_SETTLE_MS)
        self._delay.timeout.connect(lambda: self.settled.emit(self.field.text()))
        self.field.textChanged.connect(self._delay.start)
        self._lines = FlowLayout(self, spacing=8)
        policy = QSizePolicy(QSizePolicy.Preferred, QSizePolicy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.states = self._group(_("State"), {key: _chip(_(title)) for key, (title, _states) in STATES.items()}, True)
        self.states["open"].setChecked(True)
        self.severities = self._group(
            _("Severity"), {one.value: _chip(words.severity_words(one)) for one in reversed(list(AlarmSeverity))}, False
        )
        self.kinds = self._group(_("From"), {kind: words.kind_words(kind) for kind in words.KINDS}, False)

    def choice(self) -> tuple[frozenset[AlarmSeverity], frozenset[AlarmState], frozenset[str]]:
        """(severities, states, kinds) to show; an empty one lets all through."""
        state = next(key for key, button in self.states.items() if button.isChecked())
        return (
            frozenset(AlarmSeverity(key) for key, button in self.severities.items() if button.isChecked()),
            STATES[state][1],
            frozenset(key for key, button in self.kinds.items() if button.isChecked()),
        )

    @property
    def state(self) -> str:
        """Key of the state that is chosen, as in `STATES`."""
        return next(key for key, button in self.states.items() if button.isChecked())

    @property
    def is_narrowed(self) -> bool:
        """True where words, a severity or a kind hide some alarms of the state chosen."""
        chosen = [*self.severities.values(), *self.kinds.values()]
        return bool(self.field.text().strip()) or any(button.isChecked() for button in chosen)

    def reset(self) -> None:
        """Show all open alarms."""
        for button in (*self.severities.values(), *self.kinds.values()):
            button.setChecked(False)
        self.states["open"].setChecked(True)
        self.field.clear()
        self.changed.emit()

    def show_state(self, key: str) -> None:
        """Choose a state."""
        if not self.states[key].isChecked():
            self.states[key].setChecked(True)
            self.changed.emit()

    def focus(self) -> None:
        """Ctrl+Shift+F."""
        self.field.setFocus(Qt.ShortcutFocusReason)
        self.field.selectAll()

    def _group(self, title: str, choices: dict[str, str], is_exclusive: bool) -> dict[str, QPushButton]:
        holder = QWidget()
        line = QHBoxLayout(holder)
        line.setContentsMargins(0, 0, 14, 0)
        line.setSpacing(4)
        group = QButtonGroup(self)
        group.setExclusive(is_exclusive)
        buttons = {}
        for key, text in choices.items():
            button = QPushButton(text)
            button.setProperty("role", "chip")
            button.setCheckable(True)
            button.setAccessibleName(f"{title}: {text}")
            button.clicked.connect(lambda _checked: self.changed.emit())
            group.addButton(button)
            line.addWidget(button)
            buttons[key] = button
        self._lines.addWidget(holder)
        return buttons


def _chip(word: str) -> str:
    return word[:1].upper() + word[1:]
