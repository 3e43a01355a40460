"""The load of each core as a small bar."""

from __future__ import annotations

from PyQt5.QtCore import QRectF, QSize
from PyQt5.QtGui import QPainter, QPaintEvent
from PyQt5.QtWidgets import QSizePolicy, QWidget

from core.language import _
from gui import numbers
from gui.models.thresholds import CPU
from gui.plain_text import plain_tip
from gui.theme import notifier, theme

_HEIGHT_PX = 26
_WIDEST_PX = 180
_BAR_PX = 7
_APART_PX = 2


class CoreBars(QWidget):
    """One bar for each core, full at 100 %; thinner where there are many."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._percents: tuple[float, ...] = ()
        self._is_stale = False
        self.setSizePolicy(QSizePolicy.Fixed, QSizePolicy.Fixed)
        notifier.changed.connect(self.update)

    def apply(self, percents: tuple[float, ...], *, is_stale: bool = False) -> None:
        """Show these loads, 0 to 100; greyed while they are old."""
        is_resized = len(percents) != len(self._percents)
        self._percents, self._is_stale = percents, is_stale
        words = "\n".join(
            _("core {number}: {percent} %").format(number=index, percent=numbers.number(percent))
            for index, percent in enumerate(percents)
        )
        self.setToolTip(plain_tip(words))
        self.setAccessibleName(words)
        if is_resized:
            self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """As wide as the cores need, up to a limit."""
        return QSize(min(_WIDEST_PX, len(self._percents) * (_BAR_PX + _APART_PX)), _HEIGHT_PX)

    def minimumSizeHint(self) -> QSize:
        """The same."""
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        """A track and its filling for each core."""
        if not self._percents:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.Antialiasing, False)
        step = self.width() / len(self._percents)
        width = max(1.0, step - (_APART_PX if step > 2 * _APART_PX else 0))
        colours = theme()
        for index, percent in enumerate(self._percents):
            left = index * step
            height = self.height() * min(max(percent, 0.0), 100.0) / 100
            painter.fillRect(QRectF(left, 0, width, self.height()), colours.color("raised"))
            role = "unknown" if self._is_stale else CPU.role(percent)
            painter.fillRect(QRectF(left, self.height() - height, width, height), colours.color(role))
