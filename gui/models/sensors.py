"""All sensors as one list for a view of tiles: filtered, in the order that is wanted, bounded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, Qt

from core.config.settings import SensorConfig
from core.site_records import SensorMeasure, SensorSummary
from gui.models.sensor_row import Key, SensorRow
from gui.models.sensor_words import with_unit
from gui.plain_text import plain_tip

ROW_ROLE = Qt.UserRole + 1
MOST_SERIES = 10_000
"""Who sends under ever new names shall not fill the window; what is not shown is counted."""


class SensorOrder(Enum):
    """How tiles are sorted."""

    PROBLEM = "problem"
    NAME = "name"
    PLACE = "place"


class SensorModel(QAbstractListModel):
    """Rows are `SensorRow`; `apply` changes them without a signal, since a view repaints by its own clock."""

    def __init__(self, parent: Any = None, *, now: Callable[[], float] = time.time) -> None:
        super().__init__(parent)
        self.now = now
        self.not_shown = 0
        self._rows: dict[Key, SensorRow] = {}
        self._quantities: dict[str, int] = {}
        self._configs: dict[str, SensorConfig] = {}
        self._shown: list[SensorRow] = []
        self._place: dict[Key, int] = {}
        self._words: list[str] = []
        self._order = SensorOrder.PROBLEM
        self._is_outdated = False

    # What the model holds

    def rows(self) -> Iterable[SensorRow]:
        """All of them, also those that the filter hides."""
        return self._rows.values()

    def row(self, key: Key) -> SensorRow | None:
        """The series of that key."""
        return self._rows.get(key)

    def shown(self) -> Sequence[SensorRow]:
        """Those that the filter lets through, in their order."""
        return self._shown

    def problems(self, now_s: float) -> int:
        """How many are silent or beyond a limit."""
        return sum(row.rank(now_s) < 2 for row in self._rows.values())

    @property
    def order(self) -> SensorOrder:
        """The order in use."""
        return self._order

    def index_of(self, key: Key) -> QModelIndex:
        """Where it is shown; invalid where it is hidden."""
        place = self._place.get(key)
        return QModelIndex() if place is None else self.index(place)

    # What changes it

    def apply(self, measures: Iterable[SensorMeasure]) -> None:
        """Take measures that were written."""
        for measure in measures:
            row = self._row(measure.sensor, measure.quantity)
            if row is not None:
                row.apply(measure)

    def apply_summaries(self, summaries: Iterable[SensorSummary]) -> None:
        """Sensors of earlier days, with the last that they said."""
        for summary in summaries:
            row = self._row(summary.sensor, summary.quantity)
            if row is not None:
                row.apply_last(summary)

    def set_configs(self, configs: Iterable[SensorConfig]) -> None:
        """Names, places, units and limits as they are set now; who was never heard has a tile without a quantity."""
        self._configs = {config.id: config for config in configs}
        for key in [key for key in self._rows if not key[1] and key[0] not in self._configs]:
            del self._rows[key]
        for row in self._rows.values():
            row.set_config(self._configs.get(row.sensor))
        for sensor, config in self._configs.items():
            if sensor not in self._quantities and (sensor, "") not in self._rows:
                row = self._rows[sensor, ""] = SensorRow(sensor, "")
                row.set_config(config)
        self._is_outdated = True
        self.rearrange()

    def config(self, sensor: str) -> SensorConfig:
        """What is set for a sensor; all defaults where nothing is."""
        return self._configs.get(sensor) or SensorConfig(id=sensor[:64])

    def set_filter(self, text: str) -> None:
        """Show only those that match all words of `text`."""
        self._words = text.casefold().split()
        self._arrange()

    def set_order(self, order: SensorOrder) -> None:
        """Sort by this."""
        self._order = order
        self._arrange()

    def rearrange(self) -> None:
        """Sort and filter again where that changes anything; called about once a second."""
        if self._is_outdated or [row.key for row in self._arranged()] != [row.key for row in self._shown]:
            self._arrange()

    # QAbstractListModel

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 Qt's own signature
        """Tiles shown."""
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """The row itself for the delegate, words for everyone else."""
        if not index.isValid() or index.row() >= len(self._shown):
            return None
        row = self._shown[index.row()]
        if role == ROW_ROLE:
            return row
        if role == Qt.DisplayRole:
            return row.title()
        if role == Qt.ToolTipRole:
            return plain_tip(row.details(self.now()))
        if role == Qt.AccessibleTextRole:
            now_s = self.now()
            value = with_unit(row.value_words(), row.shown_unit)
            parts = [row.title(), row.subtitle(), value, row.state(now_s)[2], row.age_words(now_s)]
            return ", ".join(part for part in parts if part)
        return None

    # Inside

    def _row(self, sensor: str, quantity: str) -> SensorRow | None:
        key = (sensor, quantity)
        row = self._rows.get(key)
        if row is not None:
            return row
        if len(self._rows) >= MOST_SERIES:
            self.not_shown += 1
            return None
        self._rows.pop((sensor, ""), None)
        row = self._rows[key] = SensorRow(sensor, quantity)
        row.set_config(self._configs.get(sensor))
        count = self._quantities[sensor] = self._quantities.get(sensor, 0) + 1
        row.is_alone = count == 1
        if count == 2:
            for other in self._rows.values():
                if other.sensor == sensor:
                    other.is_alone = False
        self._is_outdated = True
        return row

    def _arranged(self) -> list[SensorRow]:
        rows = [row for row in self._rows.values() if not self._words or row.matches(self._words)]
        now_s = self.now()
        ranks: Mapping[Key, int] = {row.key: row.rank(now_s) for row in rows} if self._order is _PROBLEM else {}

        def sort_key(row: SensorRow) -> tuple[Any, ...]:
            place = row.config.place.casefold() if row.config is not None else ""
            name = (natural(row.title()), row.sensor, row.quantity)
            if self._order is SensorOrder.PLACE:
                return (not place, place, *name)
            return (ranks.get(row.key, 0), *name)

        return sorted(rows, key=sort_key)

    def _arrange(self) -> None:
        """Persistent indexes (selection, the current one) follow their rows."""
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        held = [self._shown[index.row()].key for index in before]
        self._shown = self._arranged()
        self._place = {row.key: place for place, row in enumerate(self._shown)}
        self._is_outdated = False
        self.changePersistentIndexList(before, [self.index_of(key) for key in held])
        self.layoutChanged.emit()


_PROBLEM = SensorOrder.PROBLEM


@lru_cache(maxsize=2 * MOST_SERIES)
def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A key of sorting that has `capteur_2` before `capteur_10`."""
    parts: list[tuple[int, int, str]] = []
    word = ""
    for sign in text.casefold():
        if word and (sign.isascii() and sign.isdigit()) != (word[-1].isascii() and word[-1].isdigit()):
            parts.append(_part(word))
            word = ""
        word += sign
    return (*parts, _part(word)) if word else ()


def _part(word: str) -> tuple[int, int, str]:
    is_number = word.isascii() and word.isdigit()
    return (0, int(word[:18]), "") if is_number else (1, 0, word)
