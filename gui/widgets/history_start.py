"""What the History page shows while nothing is drawn: a sentence, a button, and what people look for first."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.language import _
from core.records import SeriesInfo
from gui.models.history_words import split_series
from gui.theme import scaled_font
from gui.widgets.card import GAP, Card
from gui.widgets.labels import plain_label

_WIDTH_PX = 560


class HistoryStart(QWidget):
    """`choose_wanted`, or `picked(names)` for a suggestion."""

    choose_wanted = pyqtSignal()
    picked = pyqtSignal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._infos: Sequence[SeriesInfo] = ()
        self._busiest = ""
        card = Card(_("History"))
        card.setMaximumWidth(_WIDTH_PX)
        self._headline = plain_label(_("Choose a series to draw"), wrap=True)
        self._headline.setFont(scaled_font(1.4, bold=True))
        sentence = _(
            "Every value that a meter, a machine, a sensor or a check has told is kept: draw any of them on one time,"
            " years back and down to a single sample."
        )
        card.body.addWidget(self._headline)
        card.body.addWidget(plain_label(sentence, "dim", wrap=True))
        card.body.addSpacing(GAP)
        self.choose_button = QPushButton(_("Choose a series"))
        self.choose_button.setProperty("role", "primary")
        self.choose_button.clicked.connect(self.choose_wanted)
        line = QHBoxLayout()
        line.addWidget(self.choose_button)
        line.addStretch(1)
        card.body.addLayout(line)
        self._or = plain_label(_("Or begin with one of these:"), "dim")
        self._or.hide()
        card.body.addSpacing(GAP)
        card.body.addWidget(self._or)
        self._column = QVBoxLayout()
        self._column.setSpacing(6)
        card.body.addLayout(self._column)
        self.suggestions: list[QPushButton] = []
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(card, 16)
        across.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addStretch(1)
        layout.addLayout(across)
        layout.addStretch(2)

    def set_series(self, infos: Sequence[SeriesInfo]) -> None:
        """What there is to suggest."""
        self._infos = infos
        self.choose_button.setEnabled(bool(infos))
        self._headline.setText(_("Choose a series to draw") if infos else _("Nothing is kept yet"))
        self._show()

    def set_busiest(self, machine: str) -> None:
        """The machine with most CPU now."""
        if machine != self._busiest:
            self._busiest = machine
            self._show()

    def _show(self) -> None:
        wanted: list[tuple[str, str]] = []
        for title, quantity, kind in (
            (_("Power of the site"), "active_power_w", "meter"),
            (_("CPU of the busiest machine"), "cpu_percent", "machine"),
            (_("Temperature"), "temperature_c", "sensor"),
        ):
            found = [one for one in self._infos if split_series(one.name)[::2] == (kind, quantity)]
            best = max(found, key=lambda one: (split_series(one.name).owner == self._busiest, one.last_s), default=None)
            if best is not None:
                wanted.append((title, best.name))
        if [button.property("series") for button in self.suggestions] == [name for _title, name in wanted]:
            return
        for button in self.suggestions:
            self._column.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.suggestions = []
        for title, name in wanted:
            button = QPushButton(title)
            button.setProperty("series", name)
            button.clicked.connect(lambda _on=False, name=name: self.picked.emit([name]))
            self._column.addWidget(button, 0, Qt.AlignLeft)
            self.suggestions.append(button)
        self._or.setVisible(bool(wanted))
