"""The processes that were busiest at one moment, in a line below the curves."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from core.language import _
from core.machine_records import ProcessUse
from gui import numbers
from gui.plain_text import one_line, plain_tip
from gui.widgets.labels import ElidedLabel, plain_label

MOST = 8
_LONGEST_NAME = 24
_HEIGHT_PX = 28


class MomentStrip(QWidget):
    """When, and the processes as buttons, as many as fit; one that still runs is shown in the table when pressed.

    `back_wanted` asks for the present again after a moment was chosen.
    """

    process_wanted = pyqtSignal(object)
    back_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Fixed)
        self.setMinimumHeight(_HEIGHT_PX)
        self._when = plain_label("", "dim")
        self.back_button = QPushButton(_("Now"))
        self.back_button.setProperty("role", "chip")
        self.back_button.setToolTip(_("Back to the processes of now (Escape in the curves)"))
        self.back_button.clicked.connect(self.back_wanted)
        self._words = ElidedLabel("dim")
        self._buttons: list[QPushButton] = []
        self._uses: list[ProcessUse] = []
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self._when)
        layout.addWidget(self.back_button)
        for place in range(MOST):
            button = QPushButton()
            button.setProperty("role", "chip")
            button.setProperty("place", place)
            button.clicked.connect(self._on_pressed)
            button.hide()
            self._buttons.append(button)
            layout.addWidget(button)
        layout.addWidget(self._words, 1)
        self.show_words(_("Busiest"), "", can_go_back=False)

    def show_processes(
        self, when: str, uses: Sequence[ProcessUse], running: Collection[tuple[int, float]] | None, *, can_go_back: bool
    ) -> None:
        """These processes, busiest first; those of `running` (pid, start to the second) can be shown in the table.

        While nobody looks at the table it is not known which ones run (None): all can be looked for there.
        """
        self._show_head(when, can_go_back=can_go_back)
        self._uses = list(uses[:MOST])
        for button, use in zip(self._buttons, self._uses, strict=False):
            does_run = running is None or (use.pid, round(use.started_s)) in running
            button.setText(_label(use))
            button.setEnabled(does_run)
            words = _words(use)
            hint = _("Show it in the table") if does_run else _("It does not run any more.")
            button.setAccessibleName(f"{words}. {hint}")
            button.setToolTip(plain_tip(f"{words}\n{hint}"))
        self._words.set_text("")
        self._fit()

    def show_words(self, when: str, words: str, *, can_go_back: bool) -> None:
        """A sentence in place of processes."""
        self._show_head(when, can_go_back=can_go_back)
        self._uses = []
        self._fit()
        self._words.set_text(words)

    def texts(self) -> list[str]:
        """What is said: when, then each process or the sentence."""
        shown = [button.text() for button, _use in zip(self._buttons, self._uses, strict=False)]
        return [self._when.text(), *(shown or [self._words.accessibleName()])]

    def resizeEvent(self, event: QResizeEvent) -> None:
        """As many as there is room for."""
        super().resizeEvent(event)
        self._fit()

    def _show_head(self, when: str, *, can_go_back: bool) -> None:
        self._when.setText(when)
        self.back_button.setVisible(can_go_back)

    def _fit(self) -> None:
        gap = self.layout().spacing()
        room = self.width() - self._when.sizeHint().width() - 2 * gap
        room -= self.back_button.sizeHint().width() + gap if self.back_button.isVisibleTo(self) else 0
        for place, button in enumerate(self._buttons):
            if place < len(self._uses):
                room -= button.sizeHint().width() + gap
            button.setVisible(place < len(self._uses) and (room >= 0 or place == 0))

    def _on_pressed(self) -> None:
        place = self.sender().property("place")
        if place < len(self._uses):
            self.process_wanted.emit(self._uses[place])


def _short(name: str) -> str:
    shown = one_line(name) or "?"
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}…"


def _label(use: ProcessUse) -> str:
    """`python3 (4242) 92 % · 1.2 GiB`; an ampersand is one, not a mnemonic."""
    text = _("{name} ({pid})  {percent} % · {memory}").format(
        name=_short(use.name),
        pid=use.pid,
        percent=numbers.number(use.cpu_percent),
        memory=" ".join(numbers.size(use.memory_bytes)),
    )
    return text.replace("&", "&&")


def _words(use: ProcessUse) -> str:
    return _("{name}, pid {pid}, of {user}, {percent} % of one core, {memory}, since {time}").format(
        name=one_line(use.name),
        pid=use.pid,
        user=one_line(use.user),
        percent=numbers.number(use.cpu_percent, 1),
        memory=" ".join(numbers.size(use.memory_bytes)),
        time=numbers.exact_time(use.started_s),
    )
