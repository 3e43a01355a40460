"""The tile of the Overview: how many sensors are well, and the ones to look at first."""

from __future__ import annotations

import heapq

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QStackedLayout, QWidget

from core.language import _
from gui import numbers
from gui.models.sensor_row import SensorRow
from gui.models.sensor_words import quantity_words, with_unit
from gui.models.sensors import SensorModel, natural
from gui.widgets.bar_list import BarItem, BarList
from gui.widgets.card import Card
from gui.widgets.empty_state import EmptyState

SHOWN = 5


class SensorsTile(Card):
    """`opened(sensor)` for a line, `page_wanted()` for the button; silent ones and those beyond a limit come first."""

    opened = pyqtSignal(str)
    page_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_("Sensors"), parent)
        self._model: SensorModel | None = None
        self._sensors: dict[str, str] = {}
        self.list = BarList(_("Sensors"))
        self.list.opened.connect(self._on_opened)
        self._empty = EmptyState(_("Sensors appear here once they send."), _("Open the Sensors page"))
        self._empty.pressed.connect(self.page_wanted)
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.list)
        self.body.addLayout(self._stack, 1)

    def set_model(self, model: SensorModel) -> None:
        """Show the sensors of `model` from now on."""
        self._model = model
        self.refresh()

    def refresh(self) -> None:
        """Bring the lines up to now; called once a second while it is shown."""
        if self._model is None:
            return
        now_s = self._model.now()
        rows = [(row.rank(now_s), natural(row.title()), row.key, row) for row in self._model.rows()]
        self._stack.setCurrentIndex(1 if rows else 0)
        well = sum(rank == _WELL for rank, *_rest in rows)
        are_all_simulated = bool(rows) and all(row.is_simulated for *_rank, row in rows)
        words = _("{count} of {total} well").format(count=numbers.number(well), total=numbers.number(len(rows)))
        if are_all_simulated:
            words = _("simulated") + " · " + words
        self.set_context(words if rows else "")
        first = [row for *_rank, row in heapq.nsmallest(SHOWN, rows, key=lambda ranked: ranked[:3])]
        items = [_item(row, now_s, is_marked=row.is_simulated and not are_all_simulated) for row in first]
        self._sensors = {item.name: row.sensor for item, row in zip(items, first, strict=True)}
        self.list.set_items(items)

    def _on_opened(self, name: str) -> None:
        if name in self._sensors:
            self.opened.emit(self._sensors[name])


_WELL = 3


def _item(row: SensorRow, now_s: float, *, is_marked: bool) -> BarItem:
    """A line with its value and what is wrong; the bar says where the value stands between its limits."""
    _shape, role, words = row.state(now_s)
    value = with_unit(row.value_words(), row.shown_unit)
    name = row.title() if row.is_alone else f"{row.title()} · {quantity_words(row.quantity)}"
    if is_marked:
        name += " · " + _("simulated")
    short = words
    if row.is_quiet(now_s) and row.time_s is not None:
        short = _("since {time}").format(time=numbers.clock(row.time_s))
    low, high = row.limits()
    percent = None
    if low is not None and high is not None and row.value is not None:
        percent = min(100.0, max(2.0, 100 * (row.value - low) / (high - low)))
    return BarItem(name, f"{value}  {words}" if words else value, percent, role, short=short)
