"""All series of the history as a tree: kind, whose it is, what it says. Made for 20,000 series: rows are numbers.

A node is told by the `internalId` of its index: 0 for a kind, then the place of its owner in the list of all owners.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PyQt5.QtCore import QAbstractItemModel, QMimeData, QModelIndex, QObject, Qt
from PyQt5.QtGui import QColor

from core.language import N_, _
from core.records import SeriesInfo
from gui import numbers
from gui.models.history_words import KINDS, code_of, quantity_text, shown_of, split_series
from gui.plain_text import one_line, plain_tip
from gui.theme import scaled_font, theme

MIME = "application/x-beffroi-series"
NAME_ROLE = Qt.UserRole + 1
_TITLES = {"meter": N_("Meters"), "machine": N_("Machines"), "sensor": N_("Sensors"), "check": N_("Checks")}
_FIRST = {
    "meter": ("active_power_w", "active_energy_import_wh", "voltage_l1_v", "voltage_l2_v", "voltage_l3_v"),
    "machine": ("cpu_percent", "memory_percent"),
}
"""What people look for first stands first."""
_OLD_S = 86_400.0
_KIND = 0


@dataclass(slots=True)
class _Owner:
    kind: str
    name: str
    title: str
    series: list[SeriesInfo]
    search: str
    searches: list[str]
    shown: list[SeriesInfo]
    place: int = 0


class SeriesTree(QAbstractItemModel):
    """Filled by `set_series`; a filter keeps what holds all its words. Drags carry names, one a line."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._owners: list[_Owner] = []
        self._shown: dict[str, list[int]] = {}
        self._kinds: list[str] = []
        self._chosen: frozenset[str] = frozenset()
        self._words: list[str] = []
        self._infos: dict[str, SeriesInfo] = {}
        self._names: dict[str, str] = {}

    def set_series(self, infos: Sequence[SeriesInfo], names: Mapping[str, str]) -> None:
        """These series are known; `names` is what people call sources such as `sensor/capteur_1`."""
        known = {info.name: info for info in infos}
        if known.keys() == self._infos.keys() and names == self._names:
            self._renew(known)  # who stands in the tree stays there
            return
        self.beginResetModel()
        self._names = dict(names)
        by_owner: dict[tuple[str, str], list[SeriesInfo]] = {}
        for info in infos:
            parts = split_series(info.name)
            if parts.kind in KINDS:
                by_owner.setdefault((parts.kind, parts.owner), []).append(info)
        self._infos = known
        owners = []
        for (kind, name), series in by_owner.items():
            title = one_line(names.get(f"{kind}/{name}") or name)
            series.sort(key=_order)
            search = f"{title} {name} {_(_TITLES[kind])}".lower()
            owners.append(_Owner(kind, name, title, series, search, [], series))
        owners.sort(key=lambda owner: (KINDS.index(owner.kind), owner.title.lower(), owner.name))
        for place, owner in enumerate(owners):
            owner.place = place
        self._owners = owners
        self._apply_filter()
        self.endResetModel()

    def set_filter(self, text: str) -> None:
        """Keep what holds each word of `text`, in its own words or its owner's."""
        words = text.lower().split()
        if words != self._words:
            self.beginResetModel()
            self._words = words
            self._apply_filter()
            self.endResetModel()

    def set_chosen(self, names: Collection[str]) -> None:
        """These are drawn already: they are marked."""
        if frozenset(names) != self._chosen:
            self._chosen = frozenset(names)
            self.layoutChanged.emit()

    def info(self, name: str) -> SeriesInfo | None:
        """What is known of a series."""
        return self._infos.get(name)

    def infos(self) -> list[SeriesInfo]:
        """All series, whatever the filter."""
        return list(self._infos.values())

    def count_shown(self) -> int:
        """Number of series that the filter leaves."""
        return sum(len(self._owners[place].shown) for places in self._shown.values() for place in places)

    def names_under(self, index: QModelIndex) -> list[str]:
        """The name of a series; nothing for an owner or a kind."""
        if self._level(index) == 2:
            return [self._owners[index.internalId() - 1].shown[index.row()].name]
        return []

    # The model's own

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, the base class's own default
        """Kinds, owners of a kind, series of an owner."""
        if not parent.isValid():
            return len(self._kinds)
        if parent.column() > 0:
            return 0
        level = self._level(parent)
        if level == 0:
            return len(self._shown[self._kinds[parent.row()]])
        return len(self._owner(parent).shown) if level == 1 else 0

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, the base class's own default
        """Name, unit, last seen."""
        return 3

    def index(self, row: int, column: int, parent: QModelIndex = QModelIndex()) -> QModelIndex:  # noqa: B008, the base class's own default
        """Index of a child; owners of a kind carry minus its place, series the place of their owner."""
        if not self.hasIndex(row, column, parent):
            return QModelIndex()
        if not parent.isValid():
            return self.createIndex(row, column, _KIND)
        if self._level(parent) == 0:
            return self.createIndex(row, column, _OWNERS + parent.row())
        return self.createIndex(row, column, 1 + self._owner(parent).place)

    def parent(self, index: QModelIndex = QModelIndex()) -> QModelIndex:  # type: ignore[override]  # noqa: B008  # QObject's own parent() is another one
        """The owner of a series, the kind of an owner."""
        level = self._level(index) if index.isValid() else 0
        if level == 0:
            return QModelIndex()
        if level == 1:
            return self.createIndex(index.internalId() - _OWNERS, 0, _KIND)
        owner = self._owners[index.internalId() - 1]
        kind = self._kinds.index(owner.kind)
        return self.createIndex(bisect_left(self._shown[owner.kind], owner.place), 0, _OWNERS + kind)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Words, and the name of a series."""
        if not index.isValid():
            return None
        level, column = self._level(index), index.column()
        if level == 0:
            return self._kind_data(self._kinds[index.row()], column, role)
        if level == 1:
            return self._owner_data(self._owner(index), column, role)
        return self._series_data(self._owners[index.internalId() - 1].shown[index.row()], column, role)

    def flags(self, index: QModelIndex) -> Qt.ItemFlags:
        """Series can be dragged."""
        if not index.isValid():
            return Qt.NoItemFlags
        flags = Qt.ItemIsEnabled | Qt.ItemIsSelectable
        return flags | Qt.ItemIsDragEnabled if self._level(index) == 2 else flags

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Titles of the columns."""
        if orientation == Qt.Horizontal and role == Qt.DisplayRole:
            return (_("Series"), _("Unit"), _("Last seen"))[section]
        return None

    def mimeTypes(self) -> list[str]:
        """Names of series."""
        return [MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """Names, one a line."""
        names = [name for index in indexes if index.column() == 0 for name in self.names_under(index)]
        data = QMimeData()
        data.setData(MIME, "\n".join(names).encode())
        return data

    # Inside

    def _renew(self, known: dict[str, SeriesInfo]) -> None:
        """The same series, seen later."""
        self._infos = known
        for owner in self._owners:
            are_all = owner.shown is owner.series
            owner.series = [known[info.name] for info in owner.series]
            owner.shown = owner.series if are_all else [known[info.name] for info in owner.shown]
        self.layoutChanged.emit()

    def _apply_filter(self) -> None:
        self._shown = {}
        for owner in self._owners:
            left = [word for word in self._words if word not in owner.search]
            if left:
                if not owner.searches:
                    owner.searches = [f"{quantity_text(info.name)} {info.name}".lower() for info in owner.series]
                owner.shown = [
                    info
                    for info, text in zip(owner.series, owner.searches, strict=True)
                    if all(word in text for word in left)
                ]
            else:
                owner.shown = owner.series
            if owner.shown:
                self._shown.setdefault(owner.kind, []).append(owner.place)
        self._kinds = [kind for kind in KINDS if kind in self._shown]

    def _level(self, index: QModelIndex) -> int:
        number = index.internalId()
        return 0 if number == _KIND else 1 if number >= _OWNERS else 2

    def _owner(self, index: QModelIndex) -> _Owner:
        kind = self._kinds[index.internalId() - _OWNERS]
        return self._owners[self._shown[kind][index.row()]]

    def _kind_data(self, kind: str, column: int, role: int) -> Any:
        if role == Qt.DisplayRole and column == 0:
            return f"{_(_TITLES[kind]).upper()}   {numbers.number(len(self._shown[kind]))}"
        if role == Qt.ForegroundRole:
            return QColor(theme().dim)
        return scaled_font(0.85) if role == Qt.FontRole else None

    def _owner_data(self, owner: _Owner, column: int, role: int) -> Any:
        last_s = max(info.last_s for info in owner.shown)
        if role == Qt.DisplayRole:
            return (owner.title, "", last_words(last_s))[column]
        if role == Qt.ToolTipRole and owner.title != owner.name:
            return plain_tip(owner.name)
        if role == Qt.ForegroundRole and column == 2:
            return QColor(theme().dim)
        return int(Qt.AlignRight | Qt.AlignVCenter) if role == Qt.TextAlignmentRole and column == 2 else None

    def _series_data(self, info: SeriesInfo, column: int, role: int) -> Any:
        if role == NAME_ROLE:
            return info.name
        if role == Qt.DisplayRole:
            if column == 0:
                mark = "✓ " if info.name in self._chosen else ""
                return mark + quantity_text(info.name)
            return shown_of(info.unit, 0).unit if column == 1 else last_words(info.last_s)
        if role == Qt.ForegroundRole:
            if info.name in self._chosen:
                return QColor(theme().accent)
            return QColor(theme().dim) if column else None
        if role == Qt.ToolTipRole:
            first, last = numbers.exact_time(info.first_s), numbers.exact_time(info.last_s)
            count = numbers.number(info.count)
            words = _("{name}\nfrom {first} to {last}, {count} values").format(
                name=info.name, first=first, last=last, count=count
            )
            return plain_tip(words)
        return int(Qt.AlignRight | Qt.AlignVCenter) if role == Qt.TextAlignmentRole and column == 2 else None


_OWNERS = 1 << 30


def last_words(last_s: float) -> str:
    """When a series was last seen: nothing while it goes on, its age else."""
    age_s = time.time() - last_s
    return (
        _("now") if age_s < 180 else numbers.duration(age_s) if age_s < 60 * _OLD_S else numbers.exact_time(last_s)[:10]
    )


def _order(info: SeriesInfo) -> tuple[int, bool, str]:
    """What people look for first, then by name; what has a code alone comes last."""
    parts = split_series(info.name)
    first = _FIRST.get(parts.kind, ())
    words = quantity_text(info.name)
    return first.index(parts.quantity) if parts.quantity in first else len(first), code_of(info.name) is not None, words
