"""One big number with its unit, and a detail at the right end of its line."""

from __future__ import annotations

from PyQt5.QtCore import Qt
from PyQt5.QtGui import QFontMetrics
from PyQt5.QtWidgets import QHBoxLayout, QWidget

from gui.theme import scaled_font
from gui.widgets.labels import ElidedLabel, plain_label, set_role

_SMALL = 0.85


class _Detail(ElidedLabel):
    """In one line where it fits, else in two smaller ones, else cut."""

    def halves(self) -> tuple[str, int]:
        """(the words in smaller lines, two where they are several, and the width that they need)."""
        metrics, parts = QFontMetrics(scaled_font(_SMALL)), self.accessibleName().split(" ")
        lines = [[" ".join(parts[:at]), " ".join(parts[at:])] for at in range(1, len(parts))] or [parts]
        widths = [max(map(metrics.horizontalAdvance, pair)) for pair in lines]
        return "\n".join(lines[widths.index(min(widths))]), min(widths)

    def _elide(self) -> None:
        words, metrics = self.accessibleName(), QFontMetrics(scaled_font(1.0))
        small, width = self.halves()
        is_small = metrics.horizontalAdvance(words) > self.width() > 0 and width <= self.width()
        self.setFont(scaled_font(_SMALL if is_small else 1.0))
        if is_small:
            self.setText(small)
            self.setToolTip("")
        else:
            super()._elide()


class BigNumber(QWidget):
    """The number of a card."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._number = plain_label("–")
        self._number.setFont(scaled_font(2.1, bold=True))
        self._unit = plain_label("", "dim")
        self._unit.setFont(scaled_font(1.1))
        self.detail_label = self._detail = _Detail("dim")
        self._detail.setAlignment(Qt.AlignRight | Qt.AlignBottom)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self._number, 0, Qt.AlignBottom)
        layout.addWidget(self._unit, 0, Qt.AlignBottom)
        layout.addWidget(self._detail, 1)
        for label in (self._unit, self._detail):
            label.setContentsMargins(0, 0, 0, 4)

    def set_number(self, number: str, unit: str) -> None:
        """Show this number and its unit."""
        self._number.setText(number)
        self._unit.setText(unit)
        self.setAccessibleName(f"{number} {unit}")

    def set_detail(self, text: str) -> None:
        """Words at the right."""
        self._detail.set_text(text)

    def detail(self) -> str:
        """The words at the right, whole."""
        return self._detail.accessibleName()

    def least_width(self) -> int:
        """Width at which nothing of it is cut, its detail in two small lines."""
        return self._width_with(self._detail.halves()[1])

    def wanted_width(self) -> int:
        """Width at which all of it stands in one line."""
        return self._width_with(QFontMetrics(scaled_font(1.0)).horizontalAdvance(self.detail()))

    def _width_with(self, detail: int) -> int:
        gap = self.layout().spacing()
        return (
            self._number.sizeHint().width() + gap + self._unit.sizeHint().width() + (2 * gap + detail if detail else 0)
        )

    def set_stale(self, is_stale: bool) -> None:
        """Grey the number while it is old."""
        set_role(self._number, "dim" if is_stale else None)
