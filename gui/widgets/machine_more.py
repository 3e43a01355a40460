"""A card that shows the disks' fill, the temperatures or the load, whichever is chosen in its title line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PyQt5.QtCore import QSize, pyqtSignal
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.language import N_, _
from core.records import Status
from gui import numbers
from gui.models import machine_words as words
from gui.models.thresholds import DISK
from gui.plain_text import one_line, plain_tip
from gui.theme import scaled_font
from gui.widgets.bar_list import BarItem, BarList
from gui.widgets.big_number import BigNumber
from gui.widgets.card import MARGIN
from gui.widgets.empty_state import EmptyState
from gui.widgets.labels import set_role

if TYPE_CHECKING:
    from gui.widgets.time_plot import TimePlot

_KINDS = {
    "fill": (N_("Space"), N_("How full each disk is, and the fullest one over time")),
    "heat": (N_("Heat"), N_("The temperatures inside the machine, and the hottest one over time")),
    "count": (N_("Load"), N_("The load averages, and how many processes there are over time")),
}
_LIST_PX = 118
_WIDE_PX = 300
_ANY_PX = 16_777_215
_HIGH_PX = 164
"""From here on there is room for a curve."""
_MOST_ITEMS = 64


class MoreCard(QFrame):
    """One of three, each with its number, its curve and its list; the plots are put in once they are made."""

    chosen = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.setAccessibleName(_("Disk fill, temperatures, load"))
        self._kinds = list(_KINDS)
        self.numbers = {kind: BigNumber() for kind in self._kinds}
        self.lists = {kind: BarList(_(title), can_open=False) for kind, (title, _tip) in _KINDS.items()}
        self._places: dict[str, QHBoxLayout] = {}
        self._bodies: dict[str, QWidget] = {}
        self._plots: list[TimePlot] = []
        self._none = EmptyState(_("No sensors."))
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QPushButton] = {}
        self._stack = QStackedWidget()
        self._stack.setMinimumHeight(0)
        head = QHBoxLayout()
        head.setSpacing(2)
        for kind, (title, tip) in _KINDS.items():
            button = QPushButton(_(title))
            button.setProperty("role", "switch")
            button.setFont(scaled_font(0.9))
            button.setToolTip(plain_tip(_(tip)))
            button.setAccessibleName(_(tip))
            button.setCheckable(True)
            button.clicked.connect(self._on_chosen)
            self._group.addButton(button)
            self.buttons[kind] = button
            head.addWidget(button)
            self._stack.addWidget(self._make(kind))
        head.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, 6, MARGIN, 8)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addWidget(self._stack, 1)
        self.buttons["fill"].setChecked(True)

    @property
    def kind(self) -> str:
        """Which one is shown."""
        return self._kinds[self._stack.currentIndex()]

    def show_kind(self, kind: str) -> None:
        """Show this one."""
        if kind in self.buttons:
            self.buttons[kind].setChecked(True)
            self._stack.setCurrentIndex(self._kinds.index(kind))
            self.chosen.emit()

    def put(self, plots: Mapping[str, TimePlot]) -> None:
        """Take in the curves."""
        for kind, plot in plots.items():
            plot.hide_title()
            plot.set_subtitle("")  # the unit stands beside the number
            plot.setObjectName("plain")
            plot.layout().setContentsMargins(0, 0, 0, 0)
            self._places[kind].insertWidget(0, plot, 1)
        self._plots = list(plots.values())
        self._share_room()

    def apply(self, status: Status | None, *, is_stale: bool) -> None:
        """Show what a status says, grey where it is old."""
        self._apply_fill(status, is_stale=is_stale)
        self._apply_heat(status, is_stale=is_stale)
        count = status.process_count if status is not None else None
        self.numbers["count"].set_number(numbers.number(count), _("processes"))
        load = status.cpu.load_average if status is not None and status.cpu is not None else ()
        self.numbers["count"].set_detail(words.load_words(load))
        cores = len(status.cpu.per_core_percent) if status is not None and status.cpu is not None else 0
        self.lists["count"].set_items([BarItem(*share) for share in words.load_shares(load, cores)])
        for number in self.numbers.values():
            number.set_stale(is_stale)

    def minimumSizeHint(self) -> QSize:
        """Little: it takes the room that is left."""
        return QSize(150, 110)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The list has a place beside the curve where there is room for both; in little height it is better alone."""
        super().resizeEvent(event)
        self._share_room()

    def _share_room(self) -> None:
        has_curve, has_both = self.height() >= _HIGH_PX, self.width() >= _WIDE_PX
        for one in self.lists.values():
            one.setVisible(has_both or not has_curve)
            one.setMaximumWidth(max(_LIST_PX, self.width() * 2 // 5) if has_curve else _ANY_PX)
        for plot in self._plots:
            plot.setVisible(has_curve)

    def _apply_fill(self, status: Status | None, *, is_stale: bool) -> None:
        disks = sorted(
            (
                (100.0 * disk.used_bytes / disk.total_bytes, disk)
                for disk in ((status.disks or ()) if status is not None else ())
                if disk.total_bytes > 0
            ),
            key=lambda one: -one[0],
        )
        fullest = disks[0] if disks else None
        self.numbers["fill"].set_number(numbers.number(fullest[0] if fullest else None), "%")
        self.numbers["fill"].set_detail(words.free_words(fullest[1]) if fullest is not None else "")
        self.lists["fill"].set_items(
            [
                BarItem(
                    one_line(disk.mount),
                    f"{numbers.number(percent)} %",
                    percent,
                    "unknown" if is_stale else DISK.role(percent),
                )
                for percent, disk in disks[:_MOST_ITEMS]
            ]
        )

    def _apply_heat(self, status: Status | None, *, is_stale: bool) -> None:
        sensors = words.hottest_first(status)
        hottest = sensors[0] if sensors else None
        number = self.numbers["heat"]
        number.set_number(numbers.number(hottest.celsius if hottest is not None else None), "°C")
        number.set_detail(words.heat_words(hottest))
        self.lists["heat"].set_items(
            [
                BarItem(
                    one_line(one.name),
                    f"{numbers.number(one.celsius)} °C",
                    words.heat_percent(one),
                    "unknown" if is_stale else words.heat_role(one),
                )
                for one in sensors[:_MOST_ITEMS]
            ]
        )
        if status is not None:
            has_sensors = bool(sensors)
            self._bodies["heat"].setVisible(has_sensors)
            self._none.setVisible(not has_sensors)
        role = words.heat_role(hottest) if hottest is not None and not is_stale else "accent"
        self.buttons["heat"].setText(_("Heat") + {"warning": " ▲", "critical": " ■"}.get(role, ""))
        set_role(self.buttons["heat"], "switch" if role == "accent" else f"switch-{role}")

    def _make(self, kind: str) -> QWidget:
        page, body = QWidget(), QWidget()
        outer = QVBoxLayout(page)
        outer.setContentsMargins(0, 0, 0, 0)
        inner = QVBoxLayout(body)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(4)
        inner.addWidget(self.numbers[kind])
        line = QHBoxLayout()
        line.setSpacing(MARGIN)
        one = self.lists[kind]
        one.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)
        one.setMinimumWidth(_LIST_PX)
        line.addWidget(one)
        inner.addLayout(line, 1)
        self._places[kind] = line
        self._bodies[kind] = body
        outer.addWidget(body, 1)
        if kind == "heat":
            self._none.hide()
            outer.addWidget(self._none, 1)
        return page

    def _on_chosen(self) -> None:
        self.show_kind(next(kind for kind, button in self.buttons.items() if button.isChecked()))
