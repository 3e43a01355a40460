"""kWh per hour, day or month as bars, those of before beside them; painted by QPainter alone."""

from __future__ import annotations

import math

from PyQt5.QtCore import QEvent, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QFocusEvent, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt5.QtWidgets import QSizePolicy, QToolTip, QWidget

from core.language import _
from core.meter_records import EnergyBars, EnergySpan
from gui import numbers
from gui.models.energy_words import slot_label, slot_words
from gui.plain_text import plain_tip
from gui.theme import notifier, scaled_font, theme

_FONT = 0.9
_MOST_BAR_PX = 26.0
_STEPS = (1, 2, 5, 10)


class EnergyBarChart(QWidget):
    """Hover or the arrow keys tell one bar: `told` carries its words, empty when none is meant any more."""

    told = pyqtSignal(str)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bars: EnergyBars | None = None
        self._currency: str | None = None
        self._current: int | None = None
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)
        self.setMinimumHeight(92)
        notifier.changed.connect(self.update)

    def apply(self, bars: EnergyBars | None, currency: str | None = None) -> None:
        """Show these bars; None: nothing is known."""
        is_other = bars is None or self._bars is None or len(bars.spans) != len(self._bars.spans)
        self._bars, self._currency = bars, currency
        if is_other:
            self._set_current(None)
        elif self._current is not None:
            self._set_current(self._current)
        self.update()

    @property
    def has_values(self) -> bool:
        """True where any bar is known."""
        return self._bars is not None and any(span.import_wh is not None for span in self._bars.spans)

    def words(self) -> str:
        """What the bar that is meant says; empty while none is."""
        if self._bars is None or self._current is None:
            return ""
        return slot_words(self._bars, self._current, self._currency)

    def sizeHint(self) -> QSize:
        """Room for a day of hours."""
        return QSize(420, 150)

    # Mouse and keys

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell the bar under the mouse."""
        self._set_current(self._at(event.localPos().x()))
        QToolTip.showText(event.globalPos(), plain_tip(self.words()), self)

    def leaveEvent(self, _event: QEvent) -> None:
        """None is meant."""
        if not self.hasFocus():
            self._set_current(None)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The newest bar that is known, where none is meant yet."""
        super().focusInEvent(event)
        if self._current is None and self._bars is not None and event.reason() != Qt.MouseFocusReason:
            known = [at for at, span in enumerate(self._bars.spans) if span.import_wh is not None]
            self._set_current(known[-1] if known else None)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """None is meant."""
        super().focusOutEvent(event)
        self._set_current(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left, Right, Home, End."""
        last = len(self._bars.spans) - 1 if self._bars is not None else -1
        at = last if self._current is None else self._current
        wanted = {Qt.Key_Left: at - 1, Qt.Key_Right: at + 1, Qt.Key_Home: 0, Qt.Key_End: last}.get(event.key())
        if wanted is None or last < 0:
            super().keyPressEvent(event)
        else:
            self._set_current(min(max(wanted, 0), last))

    def _at(self, x: float) -> int | None:
        area = self._area()
        if self._bars is None or not self._bars.spans or not area.left() <= x <= area.right():
            return None
        return min(int((x - area.left()) / area.width() * len(self._bars.spans)), len(self._bars.spans) - 1)

    def _set_current(self, at: int | None) -> None:
        self._current = at
        words = self.words()
        self.setAccessibleDescription(words)
        self.told.emit(words)
        self.update()

    # Painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Grid and labels, then for each slot its bars, the present one last."""
        bars = self._bars
        if bars is None or not bars.spans:
            return
        painter, colours = QPainter(self), theme()
        font = scaled_font(_FONT)
        painter.setFont(font)
        metrics = QFontMetricsF(font)
        area = self._area()
        low, high, step, digits = self._scale(area.height(), metrics.height())
        per_wh = area.height() / (high - low)
        zero_y = area.bottom() + low * per_wh
        for index in range(round(low / step), round(high / step) + 1):
            y = area.bottom() - (index * step - low) * per_wh
            painter.setPen(QPen(colours.color("line", 255 if index == 0 else 110), 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(colours.color("dim"))
            place = QRectF(0, y - metrics.height() / 2, area.left() - 7, metrics.height())
            painter.drawText(place, Qt.AlignRight | Qt.AlignVCenter, numbers.number(index * step / 1000 + 0.0, digits))
        slot = area.width() / len(bars.spans)
        labels = [slot_label(span, bars.unit) for span in bars.spans]
        widest = max(metrics.horizontalAdvance(label) for label in labels)
        every = max(1, math.ceil((widest + 6) / slot))
        for at, label in enumerate(labels):
            left = area.left() + at * slot
            if at == self._current:
                painter.fillRect(QRectF(left, area.top(), slot, area.height()), colours.color("raised"))
            self._paint_slot(painter, bars, at, QRectF(left, area.top(), slot, area.height()), zero_y, per_wh)
            if (len(labels) - 1 - at) % every == 0:  # the present one always has its label
                begin = left + slot / 2 - metrics.horizontalAdvance(label) / 2
                painter.setPen(colours.color("text" if at == self._current else "dim"))
                painter.drawText(QPointF(begin, self.height() - metrics.descent() - 1), label)
        if self.hasFocus():
            painter.setPen(QPen(colours.color("accent"), 1))
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))

    def _paint_slot(
        self, painter: QPainter, bars: EnergyBars, at: int, slot: QRectF, zero_y: float, per_wh: float
    ) -> None:
        beside = [_at(others, at) for others in (bars.long_before, bars.before) if others]
        count = len(beside) + 1
        pad = min(6.0, max(1.0, slot.width() * 0.12))
        width = min((slot.width() - 2 * pad) / count, _MOST_BAR_PX)
        left = slot.center().x() - count * width / 2
        colours = theme()
        for index, other in enumerate(beside):
            if other is not None and other.import_wh:
                height = other.import_wh * per_wh
                alpha = (150 if index == len(beside) - 1 else 80) * (1.0 if other.is_whole else 0.6)
                bar = QRectF(left + index * width, zero_y - height, max(1.0, width - 1), height)
                painter.fillRect(bar, colours.color("unknown", round(alpha)))
        span = bars.spans[at]
        left += len(beside) * width
        if span.import_wh:
            height = span.import_wh * per_wh
            alpha = 255 if span.is_whole else 170
            painter.fillRect(QRectF(left, zero_y - height, max(1.0, width - 1), height), colours.color("accent", alpha))
        if span.export_wh:
            bar = QRectF(left, zero_y, max(1.0, width - 1), span.export_wh * per_wh)
            painter.fillRect(bar, colours.color("power"))

    def _area(self) -> QRectF:
        metrics = QFontMetricsF(scaled_font(_FONT))
        left = metrics.horizontalAdvance(numbers.number(-10_000)) + 12
        return QRectF(left, 6, max(10.0, self.width() - left - 4), max(10.0, self.height() - metrics.height() - 12))

    def _scale(self, height: float, line: float) -> tuple[float, float, float, int]:
        """(lowest, highest, step, decimals) of the axis in Wh, at round kWh."""
        bars = self._bars
        spans = [*bars.spans, *bars.before, *bars.long_before] if bars is not None else []
        highest = max((span.import_wh or 0.0 for span in spans if span is not None), default=0.0)
        lowest = max((span.export_wh or 0.0 for span in (bars.spans if bars is not None else ())), default=0.0)
        wanted = max(highest + lowest, 10.0) / max(1.0, height / (2.2 * line))
        power = 10.0 ** math.floor(math.log10(wanted))
        step = next(factor * power for factor in _STEPS if factor * power >= wanted * (1 - 1e-9))
        digits = max(0, -math.floor(math.log10(step / 1000) + 1e-9))
        return -math.ceil(lowest / step) * step, max(1, math.ceil(highest / step)) * step, step, digits


def _at(spans: tuple[EnergySpan | None, ...], at: int) -> EnergySpan | None:
    return spans[at] if at < len(spans) else None


def bars_name() -> str:
    """What the chart is to who cannot see it."""
    return _("Energy in kWh, as bars; the arrow keys go from one to the next")
