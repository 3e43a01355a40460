"""The checks of the site in the Overview: how many stand where, and the worst of them by name."""

from __future__ import annotations

from PyQt5.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QIcon, QPainter, QPixmap
from PyQt5.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from core.language import _, ngettext
from gui.models.check_row import CheckRow
from gui.models.machines import MachineModel
from gui.numbers import number
from gui.plain_text import one_line, plain_tip
from gui.theme import notifier, scaled_font
from gui.widgets.flow_layout import FlowLayout
from gui.widgets.labels import ElidedLabel, plain_label
from gui.widgets.state_shape import paint_shape

MOST, FEWER = 8, 5
"""Checks named at a time, the worst first; the others are counted. Fewer where the window is low."""
_LOW_PX = 800
_LONGEST = 28
_ICON_PX = 10


class CheckStrip(QWidget):
    """A line of counts, and a button for each of the first checks; a click opens it.

    `add_wanted` comes from the button that is there while there is no check.
    """

    opened = pyqtSignal(str)
    add_wanted = pyqtSignal()

    def __init__(self, model: MachineModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._shown: tuple[object, ...] | None = None
        self._counts = ElidedLabel("dim")
        self._counts.setFont(scaled_font(0.85))
        self._add = QPushButton(_("Add check…"))
        self._add.clicked.connect(self.add_wanted)
        self._buttons: list[QToolButton] = []
        self._chips = QWidget()
        self._chips.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Minimum)
        self._flow = FlowLayout(self._chips, spacing=6)
        self._more = plain_label("", "dim")
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self._counts, 1)
        line.addWidget(self._add)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(line)
        layout.addWidget(self._chips)
        notifier.changed.connect(self._on_theme)
        self.refresh()

    def refresh(self) -> None:
        """Show how the checks stand now; nothing is done while nothing has changed."""
        rows = sorted(self._model.checks(), key=CheckRow.rank)
        most = MOST if self.window().height() >= _LOW_PX else FEWER
        shown = tuple((row.name, row.shape, row.latency(), row.reason()) for row in rows[:most])
        state = (len(rows), self._model.check_counts(), shown)
        if state == self._shown:
            return
        self._shown = state
        self._add.setVisible(not rows)
        self._chips.setVisible(bool(rows))
        self._counts.set_text(self._words() if rows else _("No check yet: a page, a port or a host."))
        self._show(rows[:most])
        left = len(rows) - most
        self._more.setText("" if left <= 0 else _("and {count} more").format(count=number(left)))
        self._more.setVisible(left > 0)

    def names(self) -> list[str]:
        """The checks that have a button, in their order."""
        return [button.property("check") for button in self._buttons if not button.isHidden()]

    def words(self) -> str:
        """The line of counts."""
        return self._counts.accessibleName()

    def _words(self) -> str:
        counts = self._model.check_counts()
        parts = [
            ngettext("{count} check", "{count} checks", counts.total).format(count=number(counts.total)),
            _("{count} ok").format(count=number(counts.ok)),
        ]
        if counts.failed:
            parts.append(
                ngettext("{count} failed", "{count} failed", counts.failed).format(count=number(counts.failed))
            )
        if counts.waiting:
            parts.append(_("{count} without a result").format(count=number(counts.waiting)))
        return " · ".join(parts)

    def _show(self, rows: list[CheckRow]) -> None:
        while len(self._buttons) < len(rows):
            button = QToolButton()
            button.setToolButtonStyle(Qt.ToolButtonTextBesideIcon)
            button.setIconSize(QSize(_ICON_PX, _ICON_PX))
            button.setStyleSheet("padding: 3px 8px;")
            button.clicked.connect(self._on_clicked)
            self._flow.removeWidget(self._more)
            self._flow.addWidget(button)
            self._flow.addWidget(self._more)
            self._buttons.append(button)
        for button, row in zip(self._buttons, rows, strict=False):
            name = one_line(row.name)
            name = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
            latency = row.latency()
            button.setText((f" {name}  {latency}" if latency else f" {name}").replace("&", "&&"))
            button.setProperty("check", row.name)
            button.setIcon(_shape_icon(row))
            button.setToolTip(plain_tip(row.details()))
            button.setAccessibleName(f"{name}, {row.reason()}")
            button.show()
        for button in self._buttons[len(rows) :]:
            button.hide()

    def _on_clicked(self) -> None:
        button = self.sender()
        if button is not None:
            self.opened.emit(button.property("check"))

    def _on_theme(self) -> None:
        self._shown = None
        self.refresh()


def _shape_icon(row: CheckRow) -> QIcon:
    scale = 2
    pixmap = QPixmap(_ICON_PX * scale, _ICON_PX * scale)
    pixmap.fill(Qt.transparent)
    painter = QPainter(pixmap)
    painter.scale(scale, scale)
    paint_shape(painter, QRectF(0, 0, _ICON_PX, _ICON_PX), row.shape, row.role)
    painter.end()
    return QIcon(pixmap)
