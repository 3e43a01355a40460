"""The curves of a page as a picture and as a table that other programs read."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from PyQt5.QtCore import QPoint, QRectF, QSize, Qt
from PyQt5.QtGui import QFontMetricsF, QImage, QPainter
from PyQt5.QtWidgets import QWidget

from core.language import _
from gui import numbers
from gui.models.whole_file import png_octets, write_whole
from gui.theme import scaled_font, theme
from gui.widgets.time_plot_group import PlotGroup

_SCALE = 2
_MARGIN_PX = 14
_UNITS = (
    ("_bytes_per_s", "B/s"),
    ("_bytes", "B"),
    ("_percent", "%"),
    ("_varh", "varh"),
    ("_var", "var"),
    ("_va", "VA"),
    ("_wh", "Wh"),
    ("_w", "W"),
    ("_v", "V"),
    ("_a", "A"),
    ("_hz", "Hz"),
)


def unit_of(field: str) -> str:
    """Unit that the name of a field ends in; empty for a number without one."""
    return next((unit for ending, unit in _UNITS if field.endswith(ending)), "")


def csv_text(group: PlotGroup, *, is_simulated: bool) -> str:
    """The points of the span shown: UTC ISO 8601 times, units in the header, dots as decimal signs."""
    start_s, end_s = group.range.span()
    fields, rows = group.table(start_s, end_s)
    output = io.StringIO(newline="")
    writer = csv.writer(output, lineterminator="\r\n")
    header = [f"{field} ({unit})" if (unit := unit_of(field)) else field for field in fields]
    writer.writerow(["time_utc", *header, *(["source"] if is_simulated else [])])
    for time_s, values in rows:
        texts = ["" if value is None else f"{value:.10g}" for value in values]
        writer.writerow([_iso(time_s), *texts, *(["simulated"] if is_simulated else [])])
    return output.getvalue()


def write_csv(path: Path, group: PlotGroup, *, is_simulated: bool) -> None:
    """Write `csv_text` as UTF-8; raises OSError."""
    path.write_text(csv_text(group, is_simulated=is_simulated), encoding="utf-8", newline="")


def picture(widget: QWidget, title: str, span: tuple[float, float], *, is_simulated: bool) -> QImage:
    """`widget` at twice its size under a line that says what it shows, from when to when, and whether it is real."""
    font = scaled_font(1.1, bold=True)
    metrics = QFontMetricsF(font)
    head = int(metrics.height()) + 2 * _MARGIN_PX
    size = QSize(widget.width() + 2 * _MARGIN_PX, widget.height() + head + _MARGIN_PX)
    image = QImage(size * _SCALE, QImage.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(_SCALE)
    image.fill(theme().color("ground"))
    painter = QPainter(image)
    painter.setFont(font)
    painter.setPen(theme().color("text"))
    line = QRectF(_MARGIN_PX, _MARGIN_PX, size.width() - 2 * _MARGIN_PX, metrics.height())
    painter.drawText(line, Qt.AlignLeft, title)
    if is_simulated:
        painter.setPen(theme().color("warning"))
        painter.drawText(line, Qt.AlignHCenter, _("simulated"))
    painter.setPen(theme().color("dim"))
    painter.setFont(scaled_font(1.0))
    times = f"{numbers.exact_time(span[0])} – {numbers.exact_time(span[1])}"
    painter.drawText(line, Qt.AlignRight, times)
    widget.render(painter, QPoint(_MARGIN_PX, head))
    painter.end()
    return image


def write_picture(path: Path, widget: QWidget, title: str, span: tuple[float, float], *, is_simulated: bool) -> None:
    """Write `picture` as PNG; raises OSError."""
    write_whole(path, png_octets(picture(widget, title, span, is_simulated=is_simulated)))


def file_name(parts: Sequence[str], suffix: str, *, is_simulated: bool) -> str:
    """A name that every file system takes: `energy_E450_2026-11-21_0930_simulated.csv`."""
    words = [re.sub(r"[^\w.-]+", "-", part).strip("-") for part in parts]
    words.append(datetime.now().astimezone().strftime("%Y-%m-%d_%H%M"))
    return "_".join(filter(None, [*words, "simulated" if is_simulated else ""])) + suffix


def _iso(time_s: float) -> str:
    moment = datetime.fromtimestamp(time_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
