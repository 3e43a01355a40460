"""How far a command has come: a bar in segments by state."""

from __future__ import annotations

from collections.abc import Mapping

from PyQt5.QtCore import QRectF, QSize, Qt
from PyQt5.QtGui import QPainter, QPaintEvent
from PyQt5.QtWidgets import QSizePolicy, QWidget

from core.records import CommandPlace, CommandState
from gui.models.answers import Standing
from gui.theme import notifier, theme

ORDER: tuple[tuple[tuple[Standing, ...], str], ...] = (
    ((CommandState.OK,), "ok"),
    ((CommandState.FAILED, CommandState.TIMEOUT, CommandState.NOT_ALLOWED), "critical"),
    ((CommandState.UNKNOWN, CommandPlace.LINK_LOST), "warning"),
    ((CommandState.RUNNING, CommandPlace.RUNNING, CommandPlace.SENT), "accent"),
    ((CommandPlace.QUEUED, CommandPlace.WAITING), "dim"),
    ((CommandState.OFFLINE, CommandState.CANCELLED), "line"),
)
"""Which states share a segment, from the left, and its colour role."""

THICKNESS = 6
GAP = 3


class SegmentBar(QWidget):
    """Ok, failed, running, not sent: each as long as its share, none thinner than can be seen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts: dict[Standing, int] = {}
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        notifier.changed.connect(self.update)

    def apply(self, counts: Mapping[Standing, int], words: str) -> None:
        """Show `counts`; `words` say the same to who cannot see it."""
        self.setAccessibleName(words)
        if dict(counts) != self._counts:
            self._counts = dict(counts)
            self.update()

    def segments(self) -> list[tuple[str, float]]:
        """(colour role, width in pixels) of each segment that is not empty, from the left."""
        shares = [(role, sum(self._counts.get(state, 0) for state in states)) for states, role in ORDER]
        shares = [(role, count) for role, count in shares if count]
        if not shares:
            return []
        room = self.width() - GAP * (len(shares) - 1)
        smallest = min(float(THICKNESS), room / len(shares))
        spare = room - smallest * len(shares)
        total = sum(count for _, count in shares)
        return [(role, smallest + spare * count / total) for role, count in shares]

    def sizeHint(self) -> QSize:
        """Wide and thin."""
        return QSize(320, THICKNESS + 6)

    def minimumSizeHint(self) -> QSize:
        """Room for each kind of segment."""
        return QSize(120, THICKNESS + 6)

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        """Draw the segments."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setPen(Qt.NoPen)
        left, top = 0.0, (self.height() - THICKNESS) / 2
        for role, width in self.segments():
            painter.setBrush(theme().color(role))
            painter.drawRoundedRect(QRectF(left, top, width, THICKNESS), THICKNESS / 2, THICKNESS / 2)
            left += width + GAP
