"""Cards of one number that matters, or of one for each phase; and the row that such cards stand in."""

from __future__ import annotations

from PyQt5.QtCore import QRect, QSize, Qt
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from core.language import _
from gui import numbers
from gui.theme import notifier, scaled_font, theme
from gui.widgets.big_number import BigNumber
from gui.widgets.card import GAP, MARGIN, Card
from gui.widgets.labels import plain_label, set_role

_NARROWEST_PX = 150
PHASES = ("l1", "l2", "l3")


class NumberCard(Card):
    """A card of one number with a detail beside it, which gives way to since when the number is old."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        self.big = BigNumber()
        self.body.addWidget(self.big, 0, Qt.AlignBottom)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self._detail = ""
        self._age = ""

    def set_value(self, value: tuple[str, str], detail: str = "") -> None:
        """Show (number, unit) and what belongs to it."""
        self.big.set_number(*value)
        self._detail = detail
        self._show_detail()
        self.setAccessibleDescription(f"{value[0]} {value[1]} {detail}".strip())

    def set_stale(self, words: str) -> None:
        """Grey the number and say since when it is old; empty words: it is fresh."""
        self.big.set_stale(bool(words))
        self._age = words
        self._show_detail()

    def set_simulated(self, is_simulated: bool) -> None:
        """Say that the number was not measured."""
        self.set_context(_("simulated") if is_simulated else "")

    def least_width(self) -> int:
        """Width at which nothing of it is cut, its detail in two small lines."""
        words = self.big.least_width() + 2 * MARGIN + 2 if not self.big.isHidden() else 0
        return max(self.minimumSizeHint().width(), words)

    def wanted_width(self) -> int:
        """Width at which its number and detail stand in one line."""
        words = self.big.wanted_width() + 2 * MARGIN + 2 if not self.big.isHidden() else 0
        return max(self.minimumSizeHint().width(), words)

    def _show_detail(self) -> None:
        self.big.set_detail(self._age or self._detail)


class PhaseCard(NumberCard):
    """A card of up to three numbers, one for each phase, under the phases' names in their colours."""

    def __init__(self, title: str, unit: str, digits: int, parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        self._digits = digits
        self._unit = unit
        self.big.hide()
        line = QHBoxLayout()
        line.setSpacing(GAP)
        self._names: list[QLabel] = []
        self.numbers: list[QLabel] = []
        for phase in PHASES:
            column = QVBoxLayout()
            column.setSpacing(0)
            name, number = plain_label(phase.upper()), plain_label(numbers.NO_VALUE)
            name.setFont(scaled_font(0.8))
            number.setFont(scaled_font(1.25, bold=True))
            column.addWidget(name)
            column.addWidget(number)
            line.addLayout(column, 1)
            self._names.append(name)
            self.numbers.append(number)
        self.body.addLayout(line)
        self.set_subtitle(unit)
        notifier.changed.connect(self._colour)
        self._colour()

    def set_phases(self, values: tuple[float | None, ...]) -> None:
        """Show these values; a phase without one is left out."""
        texts = []
        for value, name, label in zip(values, self._names, self.numbers, strict=True):
            name.setVisible(value is not None)
            label.setVisible(value is not None)
            label.setText(numbers.number(value, self._digits))
            if value is not None:
                texts.append(f"{name.text()} {label.text()} {self._unit}")
        self.setAccessibleDescription(", ".join(texts))

    def set_stale(self, words: str) -> None:
        """Grey the numbers and say since when they are old."""
        super().set_stale(words)
        for label in self.numbers:
            set_role(label, "dim" if words else None)

    def set_simulated(self, is_simulated: bool) -> None:
        """Say that the numbers were not measured."""
        self._detail = _("simulated") if is_simulated else ""
        self._show_detail()

    def _show_detail(self) -> None:
        self.set_context(self._age or self._detail)

    def _colour(self) -> None:
        for phase, name in zip(PHASES, self._names, strict=True):
            name.setStyleSheet(f"color: {theme().color(phase).name()}")


class NumberRow(QWidget):
    """Cards side by side, each as wide as it needs and a little more.

    The `spare` ones, whose numbers are told elsewhere too, are shown as long as all cards stand in one line.
    """

    def __init__(self, cards: list[NumberCard], spare: list[NumberCard], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cards = cards
        self._spare = spare
        self._wanted: list[NumberCard] = []
        for card in cards:
            card.setParent(self)
        self._widths: list[int] = []
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)

    def minimumSizeHint(self) -> QSize:
        """The widest card alone in its line."""
        return QSize(_NARROWEST_PX, self.height())

    def sizeHint(self) -> QSize:
        """All cards in one line."""
        return QSize(sum(self._needs()) + GAP * max(0, len(self._needs()) - 1), self.height())

    def set_shown(self, cards: list[NumberCard]) -> None:
        """Show these cards and hide the others."""
        if cards != self._wanted:
            self._wanted = cards
            self._widths = []
            self._choose()

    def settle(self) -> None:
        """Give a card whose words have become longer its room; none shrinks, so that nothing trembles."""
        if any(need > width for need, width in zip(self._needs(), self._widths, strict=True)):
            self._choose()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the width out."""
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self._widths = []
            self._choose()

    def _choose(self) -> None:
        """All cards wanted that are not spare, and of the spare ones those that have room beside them, uncut."""
        room = self.width() + GAP - sum(_wish(card) + GAP for card in self._wanted if card not in self._spare)
        chosen = []
        for card in self._wanted:
            if card in self._spare:
                room -= _wish(card) + GAP
                if room < 0:
                    continue
            chosen.append(card)
        if chosen != self._shown():
            self._widths = []
            for card in self._cards:
                card.setVisible(card in chosen)
        self._place()

    def _shown(self) -> list[NumberCard]:
        return [card for card in self._cards if not card.isHidden()]

    def _needs(self) -> list[int]:
        """Width that each card shown needs."""
        return [_need(card) for card in self._shown()]

    def _place(self) -> None:
        shown = self._shown()
        needs = self._needs()
        held = self._widths if len(self._widths) == len(needs) else needs
        self._widths = [max(pair) for pair in zip(needs, held, strict=True)]
        height = max((card.sizeHint().height() for card in shown), default=0)
        lines = _shared_out(self._widths, self.width())
        top = 0
        for line in lines:
            spare = self.width() - sum(self._widths[index] for index in line) - GAP * (len(line) - 1)
            lacking = {index: max(0, _wish(shown[index]) - self._widths[index]) for index in line}
            # First every card gets what its words need, in proportion; what is left then is for all alike.
            share = min(1.0, max(0, spare) / (sum(lacking.values()) or 1))
            spare -= share * sum(lacking.values())
            left = 0.0
            for index in line:
                width = self._widths[index] + share * lacking[index] + spare / len(line)
                shown[index].setGeometry(QRect(round(left), top, round(left + width) - round(left), height))
                left += width + GAP
            top += height + GAP
        self.setFixedHeight(max(0, top - GAP))


def _need(card: NumberCard) -> int:
    return max(_NARROWEST_PX, card.least_width())


def _wish(card: NumberCard) -> int:
    return max(_NARROWEST_PX, card.wanted_width())


def _shared_out(widths: list[int], available: int) -> list[list[int]]:
    """Indices of the cards in each line: as few lines as fit, the cards spread evenly over them."""
    for count in range(1, len(widths) + 1):
        lines = [list(range(len(widths) * line // count, len(widths) * (line + 1) // count)) for line in range(count)]
        if all(sum(widths[index] for index in line) + GAP * (len(line) - 1) <= available for line in lines):
            return lines
    return [[index] for index in range(len(widths))]
