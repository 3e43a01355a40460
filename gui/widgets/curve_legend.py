"""Names of curves with their values in a card's title line; they replace a legend box."""

from __future__ import annotations

from dataclasses import dataclass

from PyQt5.QtCore import QPointF, QSize
from PyQt5.QtGui import QFontMetricsF, QPainter, QPaintEvent, QPen
from PyQt5.QtWidgets import QSizePolicy, QWidget

from gui.theme import notifier, scaled_font, theme

_DASH_PX = 9
_APART_PX = 14
_FONT_FACTOR = 0.9


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """One curve: its name, the role it is painted in, and its value as text."""

    label: str
    role: str
    value: str
    is_stale: bool = False


class CurveLegend(QWidget):
    """The entries in one line; a name alone where the place is too narrow for values."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: list[LegendEntry] = []
        self._widest: dict[str, float] = {}
        self.setSizePolicy(QSizePolicy.Maximum, QSizePolicy.Fixed)
        notifier.changed.connect(self._on_theme_changed)

    def set_entries(self, entries: list[LegendEntry]) -> None:
        """Show these curves."""
        if entries == self._entries:
            return
        metrics = QFontMetricsF(scaled_font(_FONT_FACTOR))
        names_before = [entry.label for entry in self._entries]
        self._entries = entries
        widest = dict(self._widest)
        for entry in entries:
            width = metrics.horizontalAdvance(entry.value)
            widest[entry.label] = max(width, widest.get(entry.label, 0.0))
        if widest != self._widest or names_before != [entry.label for entry in entries]:
            self._widest = widest
            self.updateGeometry()
        self.setAccessibleName(", ".join(f"{entry.label} {entry.value}".strip() for entry in entries))
        self.update()

    def entries(self) -> list[LegendEntry]:
        """What is shown."""
        return list(self._entries)

    def sizeHint(self) -> QSize:
        """Room for names and the widest values so far, so that nothing moves as values change."""
        metrics = QFontMetricsF(scaled_font(_FONT_FACTOR))
        width = sum(self._entry_width(entry, metrics) for entry in self._entries)
        return QSize(int(width) + 2, int(metrics.height()) + 2)

    def minimumSizeHint(self) -> QSize:
        """Height of a line."""
        return QSize(0, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """A dash and the name in the curve's colour, the value in that of text."""
        painter = QPainter(self)
        font = scaled_font(_FONT_FACTOR)
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        colours = theme()
        widths = [self._entry_width(entry, metrics) for entry in self._entries]
        has_values = sum(widths) <= self.width() + 1
        if not has_values:
            widths = [self._name_width(entry, metrics) for entry in self._entries]
        x = float(self.width()) - sum(widths)
        baseline = (self.height() + metrics.ascent() - metrics.descent()) / 2
        for entry, width in zip(self._entries, widths, strict=True):
            role = "unknown" if entry.is_stale else entry.role
            start = x + _APART_PX
            painter.setPen(QPen(colours.color(role), 2))
            middle = self.height() / 2
            painter.drawLine(QPointF(start, middle), QPointF(start + _DASH_PX, middle))
            painter.setPen(colours.color(role))
            start += _DASH_PX + 4
            painter.drawText(QPointF(start, baseline), entry.label)
            if entry.value and has_values:
                painter.setPen(colours.color("unknown" if entry.is_stale else "text"))
                painter.drawText(QPointF(x + width - metrics.horizontalAdvance(entry.value), baseline), entry.value)
            x += width

    @staticmethod
    def _name_width(entry: LegendEntry, metrics: QFontMetricsF) -> float:
        return _APART_PX + _DASH_PX + 4 + metrics.horizontalAdvance(entry.label)

    def _entry_width(self, entry: LegendEntry, metrics: QFontMetricsF) -> float:
        value = self._widest.get(entry.label, 0.0)
        return self._name_width(entry, metrics) + (value + 6 if value else 0)

    def _on_theme_changed(self) -> None:
        self._widest.clear()
        self.updateGeometry()
        self.update()
