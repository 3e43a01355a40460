"""The series that the History page draws: colour, axis, and what each says at the pointer, at A, at B and between."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt, pyqtSignal
from PyQt5.QtGui import QColor

from core.language import N_, _
from gui.models.history_words import (
    Shown,
    difference_text,
    energy_text,
    owner_text,
    quantity_text,
    shown_of,
    split_series,
    value_text,
)
from gui.models.rows import RowsModel
from gui.plain_text import plain_tip
from gui.theme import NAMES, theme

MOST = 12
"""Series that are drawn at once: as many as there are colours that are told apart."""

_PHASE = re.compile(r"_(l[123])(_|$)")
_NAME_ROLES = tuple(f"name-{number}" for number in range(len(NAMES["dark"])))

SERIES, UNIT, VALUE, AT_A, AT_B, DIFFERENCE, BETWEEN, LEAST, MEAN, GREATEST = range(10)
ROW_ROLE = Qt.UserRole + 1
NOW, LAST, AT_POINTER = N_("Now"), N_("Last"), N_("Pointer")
"""Which moment the values are of: the title of their column."""


@dataclass(slots=True)
class Said:
    """What a series says: numbers in its own unit, None where it says nothing."""

    value: float | None = None
    at_a: float | None = None
    at_b: float | None = None
    between: float | None = None
    least: float | None = None
    mean: float | None = None
    greatest: float | None = None


@dataclass(slots=True)
class Chosen:
    """One series that is drawn."""

    name: str
    unit: str
    role: str
    is_hidden: bool = False
    is_simulated: bool = False
    said: Said = field(default_factory=Said)

    @property
    def is_power(self) -> bool:
        """True where the area under the curve is an energy."""
        return self.unit in ("W", "var")

    @property
    def is_register(self) -> bool:
        """True where a difference is an energy."""
        return self.unit in ("Wh", "varh")


class ChosenModel(RowsModel):
    """One row a series; `set_changed` tells that series came or went, `look_changed` that one was hidden or shown."""

    HEADERS = (
        N_("Series"),
        N_("Unit"),
        N_("Now"),
        "A",
        "B",
        "B − A",
        N_("Between A and B"),
        N_("Least"),
        N_("Mean"),
        N_("Greatest"),
    )
    RIGHT = frozenset({VALUE, AT_A, AT_B, DIFFERENCE, BETWEEN, LEAST, MEAN, GREATEST})

    set_changed = pyqtSignal()
    look_changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Chosen] = []
        self._names: Mapping[str, str] = {}
        self._shown: dict[str, Shown] = {}
        self._moment = NOW

    def names(self) -> list[str]:
        """Names of all that are chosen, in their order."""
        return [row.name for row in self._rows]

    def rows(self) -> list[Chosen]:
        """All of them."""
        return list(self._rows)

    def visible(self) -> list[Chosen]:
        """Those that are not hidden."""
        return [row for row in self._rows if not row.is_hidden]

    def row_of(self, name: str) -> Chosen | None:
        """The row of a series."""
        return next((row for row in self._rows if row.name == name), None)

    def title(self, name: str) -> str:
        """`srv-db · CPU`; without the owner where all are of one."""
        return f"{owner_text(name, self._names)} · {quantity_text(name)}"

    def set_names(self, names: Mapping[str, str]) -> None:
        """What people call sources."""
        self._names = names
        self._emit_all()

    def add(self, wanted: Iterable[tuple[str, str | None]]) -> int:
        """Draw these (name, unit) too; how many found no place."""
        known = set(self.names())
        new = [(name, unit) for name, unit in dict(wanted).items() if name not in known]
        taken = new[: max(0, MOST - len(self._rows))]
        if taken:
            first = len(self._rows)
            self.beginInsertRows(QModelIndex(), first, first + len(taken) - 1)
            for name, unit in taken:
                self._rows.append(Chosen(name, unit or "", self._free_role(name)))
            self.endInsertRows()
            self.set_changed.emit()
        return len(new) - len(taken)

    def remove(self, names: Collection[str]) -> None:
        """Draw these no more."""
        places = [place for place, row in enumerate(self._rows) if row.name in names]
        for place in reversed(places):
            self.beginRemoveRows(QModelIndex(), place, place)
            del self._rows[place]
            self.endRemoveRows()
        if places:
            self.set_changed.emit()

    def replace(self, wanted: Iterable[tuple[str, str | None]], hidden: Collection[str] = ()) -> None:
        """Draw these and no others."""
        self.beginResetModel()
        self._rows = []
        for name, unit in list(dict(wanted).items())[:MOST]:
            self._rows.append(Chosen(name, unit or "", self._free_role(name), is_hidden=name in hidden))
        self.endResetModel()
        self.set_changed.emit()

    def set_hidden(self, name: str, is_hidden: bool) -> None:
        """Leave the curve out, and keep the row."""
        row = self.row_of(name)
        if row is not None and row.is_hidden != is_hidden:
            row.is_hidden = is_hidden
            self._emit_all()
            self.look_changed.emit()

    def set_units(self, units: Mapping[str, str | None]) -> None:
        """The history has told units."""
        has_changed = False
        for row in self._rows:
            unit = units.get(row.name)
            if unit is not None and unit != row.unit:
                row.unit, has_changed = unit, True
        if has_changed:
            self._emit_all()
            self.look_changed.emit()

    def set_simulated(self, names: Collection[str]) -> None:
        """These were not measured."""
        for row in self._rows:
            row.is_simulated = row.name in names
        self._emit_all()

    def set_shown(self, shown: Mapping[str, Shown]) -> None:
        """How values of each unit are shown now: as their axis does."""
        self._shown = dict(shown)

    def say(self, said: Mapping[str, Said], moment: str) -> None:
        """New values; `moment` is NOW, LAST (of a time that is over) or AT_POINTER."""
        for row in self._rows:
            row.said = said.get(row.name, Said())
        if moment != self._moment:
            self._moment = moment
            self.headerDataChanged.emit(Qt.Horizontal, VALUE, VALUE)
        self._emit_all()

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Titles; the value is the one at the pointer while there is one."""
        if section == VALUE and orientation == Qt.Horizontal and role == Qt.DisplayRole:
            return _(self._moment)
        if section in (AT_A, AT_B, DIFFERENCE) and orientation == Qt.Horizontal and role == Qt.DisplayRole:
            return self.HEADERS[section]
        return super().headerData(section, orientation, role)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Words and numbers."""
        row, column = self._rows[index.row()], index.column()
        if role == ROW_ROLE:
            return row
        if role == Qt.DisplayRole:
            return self.text(row, column)
        if role == Qt.ForegroundRole:
            is_dim = row.is_hidden or column == UNIT
            return QColor(theme().dim) if is_dim else None
        if role == Qt.ToolTipRole:
            return plain_tip(row.name + ("\n" + _("simulated") if row.is_simulated else ""))
        return self.alignment(column) if role == Qt.TextAlignmentRole else None

    def shown(self, row: Chosen) -> Shown:
        """How values of a row are shown."""
        return self._shown.get(row.unit) or shown_of(row.unit, 0.0)

    def text(self, row: Chosen, column: int) -> str:
        """Text of a cell."""
        shown, said = self.shown(row), row.said
        if column == SERIES:
            return self.title(row.name)
        if column == UNIT:
            return shown.unit
        if column == DIFFERENCE:
            if said.at_a is None or said.at_b is None:
                return value_text(None, shown)
            return difference_text(said.at_b - said.at_a, shown)
        if column == BETWEEN:
            if row.is_power or row.is_register:
                return energy_text(said.between, "Wh" if row.unit in ("W", "Wh") else "varh")
            text = value_text(said.between, shown)
            return _("mean {value}").format(value=text) if said.between is not None else text
        values = {
            VALUE: said.value,
            AT_A: said.at_a,
            AT_B: said.at_b,
            LEAST: said.least,
            MEAN: said.mean,
            GREATEST: said.greatest,
        }
        return value_text(values[column], shown)

    def _free_role(self, name: str) -> str:
        """The colour of a phase for a phase, the neutral one for a power, else the first that is free."""
        used = {row.role for row in self._rows}
        parts = split_series(name)
        wanted = []
        if parts.kind == "meter":
            found = _PHASE.search(parts.quantity)
            wanted = [found[1]] if found else ["power"] if parts.quantity == "active_power_w" else []
        free = (role for role in (*wanted, *_NAME_ROLES, "power", "l1", "l2", "l3") if role not in used)
        return next(free, "accent")

    def _emit_all(self) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, len(self.HEADERS) - 1))
