"""The machines and checks of the console as a tree of groups, filtered and sorted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from PyQt5.QtCore import QAbstractItemModel, QModelIndex, QObject, Qt, pyqtSignal

from core.config.settings import CheckConfig
from core.language import _
from core.records import Machine, MachineReport, MachineState
from core.site_records import CheckResult
from gui.models.check_row import CheckRow
from gui.models.machine_counts import CheckCounts, Counts
from gui.models.machine_filter import MachineFilter
from gui.models.machine_row import MachineRow, Shape
from gui.plain_text import plain_tip

ROW_ROLE = Qt.UserRole + 1
"""Role of a MachineRow, a CheckRow, or a GroupRow, in the model."""

CHECKS = "\0checks"
"""Name of the group of checks that are in no group; no group of the user's can be called so."""

_FEW = 100
"""So many rows that have changed are told one by one."""

_NOTHING = Qt.ItemFlags(Qt.NoItemFlags)
_ENABLED = Qt.ItemFlags(Qt.ItemIsEnabled)
_LEAF = Qt.ItemIsEnabled | Qt.ItemIsSelectable | Qt.ItemNeverHasChildren
"""A view that lays 2,000 rows out asks each of them: it is told at once that there is nothing below."""


@dataclass(slots=True)
class GroupRow:
    """A group and those of its machines and checks that the filter lets through, in order."""

    name: str
    rows: list[MachineRow | CheckRow] = field(default_factory=list)
    is_alone: bool = False

    @property
    def machines(self) -> list[MachineRow]:
        """The machines alone."""
        return [row for row in self.rows if isinstance(row, MachineRow)]

    @property
    def title(self) -> str:
        """What the list calls it."""
        if self.name == CHECKS:
            return _("checks")
        return self.name or (_("machines") if self.is_alone else _("no group"))


class MachineModel(QAbstractItemModel):
    """Groups at the top, machines and checks below.

    `arranging` comes before everything is sorted and filtered anew: a view that keeps its selection by names until
    `layoutChanged` spares Qt an index for each of 2,000 rows.
    """

    arranging = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: dict[str, MachineRow] = {}
        self._groups: list[GroupRow] = []
        self._checks: dict[str, CheckRow] = {}
        self._place: dict[str, tuple[int, int]] = {}
        self._check_place: dict[str, tuple[int, int]] = {}
        self._filter = MachineFilter()
        self._saved: dict[str, tuple[str, ...]] = {}
        self._is_problems_first = True
        self._is_grouped = True
        self._has_moved = False

    # What the model holds

    def rows(self) -> Iterable[MachineRow]:
        """All machines, also those that the filter hides, by name."""
        return self._rows.values()

    def row(self, name: str) -> MachineRow | None:
        """The machine of that name."""
        return self._rows.get(name)

    def checks(self) -> Iterable[CheckRow]:
        """All checks, also those that the filter hides, by name."""
        return self._checks.values()

    def check(self, name: str) -> CheckRow | None:
        """The check of that name."""
        return self._checks.get(name)

    def check_counts(self) -> CheckCounts:
        """How many checks stand where, the hidden ones too."""
        shapes = [row.shape for row in self._checks.values()]
        waiting, failed = shapes.count(Shape.RING), shapes.count(Shape.SQUARE)
        return CheckCounts(len(shapes) - waiting - failed, failed, waiting)

    def groups(self) -> Sequence[GroupRow]:
        """Groups as they are shown."""
        return self._groups

    def counts(self) -> Counts:
        """How many machines stand where, the hidden ones too."""
        online = late = offline = never = 0
        for row in self._rows.values():
            state = row.state
            if state is MachineState.ONLINE:
                online += 1
            elif state is MachineState.LATE:
                late += 1
            elif row.is_seen or state is MachineState.NOT_TRUSTED:
                offline += 1
            else:
                never += 1
        return Counts(online, late, offline, never)

    @property
    def is_problems_first(self) -> bool:
        """The order within a group: problems first, else by name."""
        return self._is_problems_first

    @property
    def is_grouped(self) -> bool:
        """Whether machines stand under the names of their groups."""
        return self._is_grouped

    @property
    def shown_count(self) -> int:
        """How many machines the filter lets through."""
        return len(self._place)

    def shown_names(self) -> list[str]:
        """Names of the machines that the filter lets through, in the order of the list."""
        return [row.name for group in self._groups for row in group.rows if isinstance(row, MachineRow)]

    # What changes it

    def set_machines(self, machines: Iterable[Machine]) -> None:
        """These are the machines now; what is known of those that stay is kept."""
        rows: dict[str, MachineRow] = {}
        for machine in sorted(machines, key=lambda one: one.name.casefold()):
            row = self._rows.get(machine.name) or MachineRow(machine)
            row.machine = machine
            rows[machine.name] = row
        self._rows = rows
        self._arrange()

    def set_checks(self, checks: Iterable[CheckConfig]) -> None:
        """These are the checks now, their targets as they may be shown; results of those that stay are kept."""
        rows: dict[str, CheckRow] = {}
        for check in sorted(checks, key=lambda one: one.name.casefold()):
            row = self._checks.get(check.name)
            if row is None or row.config.target != check.target:
                row = CheckRow(check)
            row.config = check
            rows[check.name] = row
        self._checks = rows
        self._arrange()

    def apply(self, reports: Iterable[MachineReport]) -> None:
        """Take newer reports; those of machines that are no longer ours are let go."""
        places = []
        for report in reports:
            row = self._rows.get(report.machine)
            if row is not None:
                before = row.order
                row.apply(report)
                self._has_moved = self._has_moved or row.order != before
                places.append(self._place.get(report.machine))
        self._tell(places)

    def apply_checks(self, results: Iterable[CheckResult]) -> None:
        """Take newer results; those of checks that are no longer ours are let go."""
        places = []
        for result in results:
            row = self._checks.get(result.check)
            if row is not None:
                rank = row.rank()
                row.apply(result)
                self._has_moved = self._has_moved or row.rank() != rank
                places.append(self._check_place.get(result.check))
        self._tell(places)

    def _tell(self, places: Iterable[tuple[int, int] | None]) -> None:
        """One `dataChanged` for each row, or where many have changed, one for each group, from its first to its last.

        A view asks for every row of a range, and is drawn anew as a whole: a few rows are told one by one.
        """
        found = {place for place in places if place is not None}
        if len(found) <= _FEW:
            for group, position in found:
                index = self.createIndex(position, 0, group + 1)
                self.dataChanged.emit(index, index, [ROW_ROLE])
            return
        touched: dict[int, tuple[int, int]] = {}
        for group, position in found:
            first, last = touched.get(group, (position, position))
            touched[group] = (min(first, position), max(last, position))
        for group, (first, last) in touched.items():
            self.dataChanged.emit(
                self.createIndex(first, 0, group + 1), self.createIndex(last, 0, group + 1), [ROW_ROLE]
            )

    def rearrange(self) -> None:
        """Sort and filter again where states have changed since; called at most once a second."""
        if self._has_moved and (self._is_problems_first or self._filter):
            self._arrange()

    def set_filter(self, text: str) -> None:
        """Show only machines that match all words of `text` (`gui.models.machine_filter`)."""
        self._filter = MachineFilter(text, self._saved)
        self._arrange()

    def set_saved_filters(self, saved: Mapping[str, tuple[str, ...]]) -> None:
        """The filters of the settings, which `filter:NAME` means."""
        if self._saved != saved:
            self._saved = dict(saved)
            self.set_filter(self._filter.text)

    def set_grouped(self, is_grouped: bool) -> None:
        """Under the names of their groups, or all machines in one list."""
        if is_grouped != self._is_grouped:
            self._is_grouped = is_grouped
            self._arrange()

    def set_problems_first(self, is_problems_first: bool) -> None:
        """Order within a group."""
        self._is_problems_first = is_problems_first
        self._arrange()

    def index_of(self, name: str) -> QModelIndex:
        """Where the machine is shown; invalid where it is hidden."""
        place = self._place.get(name)
        return QModelIndex() if place is None else self.createIndex(place[1], 0, place[0] + 1)

    def index_of_check(self, name: str) -> QModelIndex:
        """Where the check is shown; invalid where it is hidden."""
        place = self._check_place.get(name)
        return QModelIndex() if place is None else self.createIndex(place[1], 0, place[0] + 1)

    # QAbstractItemModel

    def index(self, row: int, column: int, parent: QModelIndex = QModelIndex()) -> QModelIndex:  # noqa: B008 Qt's own signature
        """Index of a group, or of a machine in it."""
        if column != 0 or row < 0:
            return QModelIndex()
        groups = self._groups
        group = parent.row()
        if group < 0:
            return self.createIndex(row, 0, 0) if row < len(groups) else QModelIndex()
        if parent.internalId() or group >= len(groups) or row >= len(groups[group].rows):
            return QModelIndex()
        return self.createIndex(row, 0, group + 1)

    def parent(self, index: QModelIndex = QModelIndex()) -> Any:  # noqa: B008 Qt's own signature
        """The group of a machine."""
        group = index.internalId()
        return self.createIndex(group - 1, 0, 0) if group else QModelIndex()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 Qt's own signature
        """Groups, or machines of a group."""
        if not parent.isValid():
            return len(self._groups)
        if parent.internalId() == 0 and parent.row() < len(self._groups):
            return len(self._groups[parent.row()].rows)
        return 0

    def columnCount(self, _parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 Qt's own signature
        """One column, drawn by its delegate."""
        return 1

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """A row object for the delegate, words for everyone else."""
        found = self._at(index)
        if found is None:
            return None
        if role == ROW_ROLE:
            return found
        if isinstance(found, GroupRow):
            return f"{found.title} {len(found.rows)}" if role in (Qt.DisplayRole, Qt.AccessibleTextRole) else None
        if role == Qt.DisplayRole:
            return found.name
        if role == Qt.ToolTipRole:
            return plain_tip(found.details())
        if role == Qt.AccessibleTextRole:
            return f"{found.name}, {found.reason()}"
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlags:
        """Machines and checks can be selected, groups only walked over."""
        if index.internalId():
            return _LEAF
        return _ENABLED if index.isValid() else _NOTHING

    def hasChildren(self, parent: QModelIndex = QModelIndex()) -> bool:  # noqa: B008 Qt's own signature
        """Groups alone: none is empty."""
        return not parent.internalId() if parent.isValid() else bool(self._groups)

    def _at(self, index: QModelIndex) -> MachineRow | CheckRow | GroupRow | None:
        if not index.isValid():
            return None
        if index.internalId() == 0:
            return self._groups[index.row()] if index.row() < len(self._groups) else None
        group = index.internalId() - 1
        if group >= len(self._groups) or index.row() >= len(self._groups[group].rows):
            return None
        return self._groups[group].rows[index.row()]

    def _let_through(self) -> dict[str, GroupRow]:
        """The groups of what the filter lets through, machines by name and then checks by name."""
        machines: Iterable[MachineRow] = self._rows.values()
        checks: Iterable[CheckRow] = self._checks.values()
        if self._filter:
            self._filter.look_up(machines)
            machines = filter(self._filter.lets_through, machines)
            checks = filter(self._filter.lets_through, checks)
        groups: dict[str, GroupRow] = {}
        for row in machines:
            name = row.group if self._is_grouped else ""
            group = groups.get(name)
            if group is None:
                group = groups[name] = GroupRow(name)
            group.rows.append(row)
        for check in checks:
            name = (check.group or CHECKS) if self._is_grouped else CHECKS
            groups.setdefault(name, GroupRow(name)).rows.append(check)
        return groups

    def _arrange(self) -> None:
        """Sort and filter; persistent indexes (selection, current one, open groups) follow their machines."""
        self.arranging.emit()
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        held = [self._at(index) for index in before]
        self._has_moved = False
        self._groups = sorted(self._let_through().values(), key=_group_order)
        with_machines = [one for one in self._groups if one.machines]
        if len(with_machines) == 1:
            with_machines[0].is_alone = True
        self._place, self._check_place = {}, {}
        for number, group_row in enumerate(self._groups):
            if self._checks:
                group_row.rows.sort(key=_by_name)
            if self._is_problems_first:
                group_row.rows.sort(key=_rank if self._checks else _order)
            for position, found in enumerate(group_row.rows):
                places = self._place if isinstance(found, MachineRow) else self._check_place
                places[found.name] = (number, position)
        by_group = {group.name: number for number, group in enumerate(self._groups)}
        after = []
        for found in held:
            if isinstance(found, MachineRow):
                after.append(self.index_of(found.name))
            elif isinstance(found, CheckRow):
                after.append(self.index_of_check(found.name))
            elif isinstance(found, GroupRow) and found.name in by_group:
                after.append(self.createIndex(by_group[found.name], 0, 0))
            else:
                after.append(QModelIndex())
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()


def _rank(row: MachineRow | CheckRow) -> int:
    return row.rank()


_order = attrgetter("order")


def _by_name(row: MachineRow | CheckRow) -> str:
    return row.name.casefold()


def _group_order(group: GroupRow) -> tuple[int, str]:
    """By name, those of no group after them, checks of no group last."""
    return (2 if group.name == CHECKS else 1 if group.name == "" else 0, group.name.casefold())
