"""The load of each core over the time of the plot above it: a row each, the darker the busier.

Needs numpy, and is made with the plots, after the first paint.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QEvent, QRectF, QSize, Qt
from PyQt5.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen
from PyQt5.QtWidgets import QSizePolicy, QWidget

from core.language import _
from core.track import middle
from gui import numbers
from gui.models.machine_recent import NO_LOAD
from gui.models.thresholds import CPU
from gui.plain_text import plain_tip
from gui.theme import notifier, scaled_font, theme

_ROW_PX = (2, 9)
_LEAST_PX, _MOST_PX = 14, 72
_HOLD_PERIODS = 3.0
_LONGEST_HOLD_S = 30.0

Cores = tuple[list[float], bytes, int]


class CoreStrip(QWidget):
    """`cores` gives (times, loads, number of cores); `edges` the pixels at which the plot above begins and ends."""

    def __init__(
        self, cores: Callable[[], Cores], edges: Callable[[], tuple[float, float]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._cores = cores
        self._edges = edges
        self._span = (0.0, 1.0)
        self._cursor_s: float | None = None
        self._count = 0
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self.setAccessibleName(_("Load of each core"))
        self.setToolTip(
            plain_tip(
                _("A row for each core, the brighter the busier. Kept for an hour, while this machine is looked at.")
            )
        )
        notifier.changed.connect(self.update)
        self.hide()

    def redraw(self, start_s: float, end_s: float) -> None:
        """Show the cores over this span; a machine of one core has no strip of its own."""
        self._span = (start_s, end_s)
        count = self._cores()[2]
        if count != self._count:
            self._count = count
            self.setVisible(count > 1)
            self.setFixedHeight(self._height())
        self.update()

    def show_cursor(self, time_s: float | None) -> None:
        """The cursor of the plots, here too."""
        if time_s != self._cursor_s:
            self._cursor_s = time_s
            self.update()

    def loads_at(self, time_s: float) -> list[int]:
        """Percent of each core at a time; nothing where it is not known."""
        times, loads, count = self._cores()
        at = int(np.searchsorted(np.array(times), time_s, "right")) - 1
        if at < 0 or time_s - times[at] > _LONGEST_HOLD_S:
            return []
        return list(loads[at * count : (at + 1) * count])

    def sizeHint(self) -> QSize:
        """A row of some pixels for each core, all of them in little."""
        return QSize(200, self._height())

    def minimumSizeHint(self) -> QSize:
        """The same height."""
        return QSize(80, self._height())

    def _height(self) -> int:
        least, most = _ROW_PX
        per_core = most if self._count * most <= _MOST_PX else least
        return min(max(self._count * per_core, _LEAST_PX), _MOST_PX)

    def image(self, columns: int, rows: int) -> QImage:
        """The strip, an entry a pixel: the greatest load of all times and cores that fall on it."""
        grid = self._grid(columns, rows)
        image = QImage(grid.tobytes(), grid.shape[1], grid.shape[0], grid.shape[1], QImage.Format_Indexed8)
        image.setColorTable(_colours())
        return image.copy()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The image between the edges of the plot, a word in the margin, the cursor."""
        left, right = self._edges()
        area = QRectF(left, 0, max(1.0, right - left), self.height())
        painter = QPainter(self)
        colours = theme()
        painter.fillRect(area, colours.color("raised"))
        if self._count:
            painter.drawImage(area, self.image(max(1, int(area.width())), min(self.height(), self._count)))
        painter.setFont(scaled_font(0.8))
        painter.setPen(colours.color("dim"))
        margin = QRectF(0, 0, max(0.0, left - 5), self.height())
        painter.drawText(margin, Qt.AlignRight | Qt.AlignVCenter, _("cores"))
        start_s, end_s = self._span
        if self._cursor_s is not None and start_s <= self._cursor_s <= end_s:
            x = left + (self._cursor_s - start_s) / ((end_s - start_s) or 1.0) * area.width()
            painter.setPen(QPen(colours.color("accent"), 1))
            painter.drawLine(int(x), 0, int(x), self.height())

    def event(self, event: QEvent) -> bool:
        """In the tool-tip the loads of the cores under the pointer."""
        if event.type() == QEvent.ToolTip:
            left, right = self._edges()
            start_s, end_s = self._span
            at_s = start_s + (event.pos().x() - left) / max(1.0, right - left) * (end_s - start_s)
            loads = self.loads_at(at_s)
            if loads:
                words = [numbers.clock(at_s, with_seconds=True)]
                words += [
                    _("core {number}: {percent} %").format(number=number, percent=load)
                    for number, load in sorted(enumerate(loads), key=lambda one: -one[1])[:16]
                    if load != NO_LOAD
                ]
                self.setToolTip(plain_tip("\n".join(words)))
        return bool(super().event(event))

    def _grid(self, columns: int, rows: int) -> NDArray[np.uint8]:
        """Shape (rows, columns padded to 4), NO_LOAD where nothing is known."""
        times, loads, count = self._cores()
        padded = (columns + 3) // 4 * 4
        grid = np.full((rows, padded), NO_LOAD, np.uint8)
        if not times:
            return grid
        time_s = np.array(times)
        values = np.frombuffer(loads, np.uint8).reshape(len(times), count)
        first = np.linspace(0, count, rows, endpoint=False).astype(int)
        values = np.maximum.reduceat(np.where(values == NO_LOAD, 0, values), first, axis=1)
        start_s, end_s = self._span
        edges = np.searchsorted(time_s, np.linspace(start_s, end_s, columns + 1))
        period_s = middle(np.diff(time_s)) or 1.0
        hold_s = min(max(_HOLD_PERIODS * period_s, 2.5), _LONGEST_HOLD_S)
        pixel_s = (end_s - start_s) / columns
        begins, ends = edges[:-1], edges[1:]
        filled = np.flatnonzero(ends > begins)
        if len(filled):
            grid[:, filled] = np.maximum.reduceat(values[: ends[-1]], begins[filled], axis=0).T
        between = np.flatnonzero((ends == begins) & (begins > 0))
        before = begins[between] - 1
        is_held = start_s + between * pixel_s - time_s[before] <= hold_s
        grid[:, between[is_held]] = values[before[is_held]].T
        return grid


def _colours() -> list[int]:
    """From the ground to the accent, amber and red from the thresholds of bars on; nothing where nothing is known."""
    ground, table = _rgb(theme().color("raised")), []
    roles = [CPU.role(percent) for percent in range(101)]
    colours = {role: _rgb(theme().color(role)) for role in set(roles)}
    for percent, role in enumerate(roles):
        share = 0.08 + 0.92 * percent / 100
        mixed = [round(low + (high - low) * share) for low, high in zip(ground, colours[role], strict=True)]
        table.append(QColor(*mixed).rgb())
    return table + [QColor(0, 0, 0, 0).rgba()] * (NO_LOAD + 1 - len(table))


def _rgb(colour: QColor) -> tuple[int, int, int]:
    return colour.red(), colour.green(), colour.blue()
