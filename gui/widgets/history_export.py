"""The History plot as a picture (PNG) or a drawing (SVG): title, time, curves, and each series with its values below.

A drawing holds lines and words, not pixels. What is simulated says so.
"""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import QBuffer, QRectF, QSize, Qt
from PyQt5.QtGui import QFontMetricsF, QImage, QPainter, QPen
from PyQt5.QtSvg import QSvgGenerator

from core.language import _
from gui import numbers
from gui.models.history_chosen import AT_A, AT_B, BETWEEN, DIFFERENCE, GREATEST, LEAST, MEAN, SERIES, ChosenModel
from gui.models.history_range import HistoryRange, length_words
from gui.models.whole_file import png_octets, write_whole
from gui.theme import scaled_font, theme
from gui.widgets.history_canvas import HistoryCanvas

_SCALE = 2
_MARGIN = 16
_APART = 22


class HistoryPicture:
    """Paints one plot with its legend; `size` is in pixels of the screen."""

    def __init__(self, canvas: HistoryCanvas, chosen: ChosenModel, time_range: HistoryRange, title: str) -> None:
        self._canvas, self._chosen, self._range, self._title = canvas, chosen, time_range, title
        self._font = scaled_font(1.0)
        self._line = QFontMetricsF(self._font).height() + 5
        self._head = QFontMetricsF(scaled_font(1.1)).height() + 2 * _MARGIN

    @property
    def size(self) -> QSize:
        """Width and height."""
        rows = len(self._chosen.visible()) + 1
        height = self._head + self._canvas.height() + 10 + rows * self._line + _MARGIN
        return QSize(self._canvas.width() + 2 * _MARGIN, int(height))

    def write(self, path: Path, kind: str) -> None:
        """Write as `png` or `svg`; raises OSError."""
        if kind == "svg":
            self._write_svg(path)
            return
        image = QImage(self.size * _SCALE, QImage.Format_ARGB32_Premultiplied)
        image.setDevicePixelRatio(_SCALE)
        painter = QPainter(image)
        self.paint(painter)
        painter.end()
        write_whole(path, png_octets(image))

    def paint(self, painter: QPainter) -> None:
        """All of it."""
        colours, size = theme(), self.size
        painter.fillRect(QRectF(0, 0, size.width(), size.height()), colours.color("card"))
        line = QRectF(_MARGIN, _MARGIN, size.width() - 2 * _MARGIN, self._line)
        painter.setFont(scaled_font(1.1, bold=True))
        painter.setPen(colours.color("text"))
        painter.drawText(line, Qt.AlignLeft | Qt.AlignVCenter, self._title)
        taken = painter.fontMetrics().horizontalAdvance(self._title) + _MARGIN
        painter.setFont(self._font)
        if any(row.is_simulated for row in self._chosen.visible()):
            painter.setPen(colours.color("warning"))
            painter.drawText(line.adjusted(taken, 0, 0, 0), Qt.AlignLeft | Qt.AlignVCenter, _("simulated"))
        painter.setPen(colours.color("dim"))
        start_s, end_s = self._range.span()
        times = f"{numbers.exact_time(start_s)} – {numbers.exact_time(end_s)}"
        painter.drawText(line, Qt.AlignRight | Qt.AlignVCenter, times)
        area = QRectF(_MARGIN, self._head, self._canvas.width(), self._canvas.height())
        self._canvas.render(painter, area, self._canvas.viewport().rect())
        self._paint_legend(painter, area.bottom() + 10, size.width())

    def _paint_legend(self, painter: QPainter, top: float, width: float) -> None:
        """A line a series: its dash, its name, and its values in columns as wide as they need."""
        colours, rows = theme(), self._chosen.visible()
        between, right = self._range.between(), width - _MARGIN
        columns = (AT_A, AT_B, DIFFERENCE, BETWEEN) if between else (LEAST, MEAN, GREATEST)
        painter.setFont(self._font)
        metrics = QFontMetricsF(self._font)
        titles = {column: str(self._chosen.headerData(column, Qt.Horizontal)) for column in columns}
        if between:
            for column, letter in ((AT_A, "A"), (AT_B, "B")):
                titles[column] = f"{letter} {numbers.exact_time(self._range.cursor(letter) or 0.0)[5:]}"
            titles[DIFFERENCE] = f"Δ {length_words(between[1] - between[0])}"
        left = right
        places: dict[int, tuple[float, float]] = {}
        for column in reversed(columns):
            words = [titles[column], *(self._chosen.text(row, column) for row in rows)]
            wide = max(map(metrics.horizontalAdvance, words)) + _APART
            left -= wide
            places[column] = (left, wide)
        painter.setPen(colours.color("dim"))
        for column, (x, wide) in places.items():
            painter.drawText(QRectF(x, top, wide, self._line), Qt.AlignRight | Qt.AlignVCenter, titles[column])
        for number, row in enumerate(rows, start=1):
            y = top + number * self._line
            painter.setPen(QPen(colours.color(row.role), 2))
            painter.drawLine(_MARGIN, int(y + self._line / 2), _MARGIN + 14, int(y + self._line / 2))
            painter.setPen(colours.color("text"))
            unit = self._chosen.shown(row).unit
            words = self._chosen.text(row, SERIES) + (f"  {unit}" if unit else "")
            if row.is_simulated:
                words += "  (" + _("simulated") + ")"
            room = QRectF(_MARGIN + 22, y, max(40.0, left - _MARGIN - 22), self._line)
            words = metrics.elidedText(words, Qt.ElideRight, room.width())
            painter.drawText(room, Qt.AlignLeft | Qt.AlignVCenter, words)
            for column, (x, wide) in places.items():
                cell = QRectF(x, y, wide, self._line)
                painter.drawText(cell, Qt.AlignRight | Qt.AlignVCenter, self._chosen.text(row, column))

    def _write_svg(self, path: Path) -> None:
        buffer = QBuffer()
        generator = QSvgGenerator()
        generator.setOutputDevice(buffer)
        generator.setSize(self.size)
        generator.setViewBox(QRectF(0, 0, self.size.width(), self.size.height()))
        generator.setTitle(self._title)
        painter = QPainter(generator)
        self.paint(painter)
        painter.end()
        write_whole(path, bytes(buffer.data()))
