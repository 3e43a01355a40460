"""The machines of the console as a tree of groups and machines, filtered and sorted; and one machine in words."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from PyQt5.QtCore import QAbstractItemModel, QModelIndex, QObject, Qt

from core.language import _
from core.records import Machine, MachineReport, MachineState
from gui.models.thresholds import CPU, HIGH_AFTER_S, MEMORY
from gui.numbers import clock, duration, exact_time, number
from gui.plain_text import plain_tip

ROW_ROLE = Qt.UserRole + 1
"""Role of a MachineRow, or of a GroupRow, in the model."""

_SEVERITY = {
    MachineState.NOT_TRUSTED: 0,
    MachineState.OFFLINE: 1,
    MachineState.UNPAIRED: 2,
    MachineState.LATE: 3,
}


class Shape(Enum):
    """How a state is drawn; never by colour alone."""

    CIRCLE = "circle"
    TRIANGLE = "triangle"
    SQUARE = "square"
    RING = "ring"


_ROLES = {Shape.CIRCLE: "ok", Shape.TRIANGLE: "warning", Shape.SQUARE: "critical", Shape.RING: "unknown"}


class MachineRow:
    """One machine: as configured, its last report, and what follows from it.

    What lists and maps ask for again and again is worked out once, by `apply`: with 2,000 machines that is what keeps
    the window fluid.

    `cpu_percent` and `memory_percent` are None where unknown or no longer true; `is_seen` is False as long as the
    machine never answered this console.
    """

    __slots__ = (
        "cpu_high_since_s",
        "cpu_percent",
        "is_seen",
        "machine",
        "memory_high_since_s",
        "memory_percent",
        "report",
        "shape",
        "state",
    )

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.report: MachineReport | None = None
        self.state: MachineState | None = None
        self.shape = Shape.RING
        self.is_seen = False
        self.cpu_percent: float | None = None
        self.memory_percent: float | None = None
        self.cpu_high_since_s: float | None = None
        self.memory_high_since_s: float | None = None

    @property
    def name(self) -> str:
        """The machine's name in the console."""
        return self.machine.name

    @property
    def group(self) -> str:
        """The group it is listed under: its first one."""
        return self.machine.groups[0] if self.machine.groups else ""

    @property
    def role(self) -> str:
        """The role of the colour of its state."""
        return _ROLES[self.shape]

    def apply(self, report: MachineReport) -> None:
        """Take a newer report."""
        now_s = time.time()
        status, state = report.status, report.state
        is_live = status is not None and state in (MachineState.ONLINE, MachineState.LATE)
        self.report, self.state, self.is_seen = report, state, status is not None
        self.cpu_percent = status.cpu.percent if is_live and status.cpu is not None else None
        self.memory_percent = status.memory.percent if is_live and status.memory is not None else None
        self.cpu_high_since_s = None if CPU.role(self.cpu_percent) == "accent" else self.cpu_high_since_s or now_s
        self.memory_high_since_s = (
            None if MEMORY.role(self.memory_percent) == "accent" else self.memory_high_since_s or now_s
        )
        if state is MachineState.NOT_TRUSTED or (state is MachineState.OFFLINE and self.is_seen):
            self.shape = Shape.SQUARE
        elif state in (MachineState.OFFLINE, MachineState.UNPAIRED):
            self.shape = Shape.RING
        elif state is MachineState.LATE or self.is_busy(now_s):
            self.shape = Shape.TRIANGLE
        else:
            self.shape = Shape.CIRCLE

    def is_busy(self, now_s: float) -> bool:
        """True when CPU or RAM has been high for a while."""
        cpu_s, memory_s = self.cpu_high_since_s, self.memory_high_since_s
        return (cpu_s is not None and now_s - cpu_s >= HIGH_AFTER_S) or (
            memory_s is not None and now_s - memory_s >= HIGH_AFTER_S
        )

    def reason(self) -> str:
        """Its state in a few words: `online`, `offline since 09:12`, `CPU high, 4 min`."""
        report = self.report
        if report is None:
            return _("waiting for its first answer")
        if report.state is MachineState.ONLINE:
            now_s = time.time()
            if self.cpu_high_since_s is not None and now_s - self.cpu_high_since_s >= HIGH_AFTER_S:
                return _("CPU high, {duration}").format(duration=duration(now_s - self.cpu_high_since_s))
            if self.memory_high_since_s is not None and now_s - self.memory_high_since_s >= HIGH_AFTER_S:
                return _("RAM high, {duration}").format(duration=duration(now_s - self.memory_high_since_s))
            return _("online")
        if report.state is MachineState.LATE:
            return _("late since {time}").format(time=clock(report.since_s))
        if report.state is MachineState.UNPAIRED:
            return _("not paired")
        if report.state is MachineState.NOT_TRUSTED:
            return _("not trusted: pair again")
        if not self.is_seen:
            return _("never seen")
        return _("offline since {time}").format(time=clock(report.since_s))

    def details(self) -> str:
        """All that a tool-tip says, plain text."""
        lines = [f"{self.name} · {self.machine.address}", self.reason()]
        report = self.report
        if report is not None:
            if report.error:
                lines.append(report.error)
            lines.append(_("since {time}").format(time=exact_time(report.since_s)))
            if self.cpu_percent is not None:
                lines.append(_("CPU {percent} %").format(percent=number(self.cpu_percent)))
            if self.memory_percent is not None:
                lines.append(_("RAM {percent} %").format(percent=number(self.memory_percent)))
        if self.machine.groups:
            lines.append(_("groups: {groups}").format(groups=", ".join(self.machine.groups)))
        if self.machine.notes:
            lines.append(self.machine.notes)
        return "\n".join(lines)

    def rank(self) -> int:
        """0 for the worst; all healthy ones are equal."""
        state = self.state
        if state is None:
            return 5
        if state is MachineState.ONLINE:
            return 4 if self.shape is Shape.TRIANGLE else 6
        return _SEVERITY[state]

    def matches(self, words: Sequence[str]) -> bool:
        """True when each word is in its name, address, groups, notes, state or system."""
        machine, report = self.machine, self.report
        text = " ".join((machine.name, machine.address, *(f"@{group}" for group in machine.groups), machine.notes))
        text += " " + self.reason()
        if report is not None and report.status is not None and report.status.system is not None:
            system = report.status.system
            text += " " + " ".join((system.hostname, system.os, system.os_version, *system.ip_addresses))
        text = text.casefold()
        return all(word in text for word in words)


@dataclass(slots=True)
class GroupRow:
    """A group and those of its machines that the filter lets through, in order."""

    name: str
    machines: list[MachineRow] = field(default_factory=list)
    is_alone: bool = False

    @property
    def title(self) -> str:
        """What the list calls it."""
        return self.name or (_("machines") if self.is_alone else _("no group"))


@dataclass(frozen=True, slots=True)
class Counts:
    """How many machines stand where."""

    online: int
    late: int
    offline: int
    never_seen: int

    @property
    def total(self) -> int:
        """All machines."""
        return self.online + self.late + self.offline + self.never_seen


class MachineModel(QAbstractItemModel):
    """Groups at the top, machines below. `apply` emits at most one `dataChanged` for each group it touches."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: dict[str, MachineRow] = {}
        self._groups: list[GroupRow] = []
        self._place: dict[str, tuple[int, int]] = {}
        self._words: list[str] = []
        self._is_problems_first = True
        self._order_key: tuple[Any, ...] = ()

    # What the model holds

    def rows(self) -> Iterable[MachineRow]:
        """All machines, also those that the filter hides, by name."""
        return self._rows.values()

    def row(self, name: str) -> MachineRow | None:
        """The machine of that name."""
        return self._rows.get(name)

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

    def apply(self, reports: Iterable[MachineReport]) -> None:
        """Take newer reports; those of machines that are no longer ours are let go."""
        touched: dict[int, tuple[int, int]] = {}
        for report in reports:
            row = self._rows.get(report.machine)
            if row is None:
                continue
            row.apply(report)
            place = self._place.get(report.machine)
            if place is not None:
                group, position = place
                first, last = touched.get(group, (position, position))
                touched[group] = (min(first, position), max(last, position))
        for group, (first, last) in touched.items():
            self.dataChanged.emit(
                self.createIndex(first, 0, group + 1), self.createIndex(last, 0, group + 1), [ROW_ROLE]
            )

    def rearrange(self) -> None:
        """Sort and filter again where states have changed since; called at most once a second."""
        if self._order_key != self._current_order_key():
            self._arrange()

    def set_filter(self, text: str) -> None:
        """Show only machines that match all words of `text`."""
        self._words = text.casefold().split()
        self._arrange()

    def set_problems_first(self, is_problems_first: bool) -> None:
        """Order within a group."""
        self._is_problems_first = is_problems_first
        self._arrange()

    def index_of(self, name: str) -> QModelIndex:
        """Where the machine is shown; invalid where it is hidden."""
        place = self._place.get(name)
        return QModelIndex() if place is None else self.createIndex(place[1], 0, place[0] + 1)

    # QAbstractItemModel

    def index(self, row: int, column: int, parent: QModelIndex = QModelIndex()) -> QModelIndex:  # noqa: B008 Qt's own signature
        """Index of a group, or of a machine in it."""
        if column != 0 or row < 0 or row >= self.rowCount(parent):
            return QModelIndex()
        return self.createIndex(row, 0, parent.row() + 1 if parent.isValid() else 0)

    def parent(self, index: QModelIndex = QModelIndex()) -> Any:  # noqa: B008 Qt's own signature
        """The group of a machine."""
        if not index.isValid() or index.internalId() == 0:
            return QModelIndex()
        return self.createIndex(index.internalId() - 1, 0, 0)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 Qt's own signature
        """Groups, or machines of a group."""
        if not parent.isValid():
            return len(self._groups)
        if parent.internalId() == 0 and parent.row() < len(self._groups):
            return len(self._groups[parent.row()].machines)
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
            return f"{found.title} {len(found.machines)}" if role in (Qt.DisplayRole, Qt.AccessibleTextRole) else None
        if role == Qt.DisplayRole:
            return found.name
        if role == Qt.ToolTipRole:
            return plain_tip(found.details())
        if role == Qt.AccessibleTextRole:
            return f"{found.name}, {found.reason()}"
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlags:
        """Machines can be selected, groups only walked over."""
        found = self._at(index)
        if found is None:
            return Qt.NoItemFlags
        return Qt.ItemIsEnabled if isinstance(found, GroupRow) else Qt.ItemIsEnabled | Qt.ItemIsSelectable

    def _at(self, index: QModelIndex) -> MachineRow | GroupRow | None:
        if not index.isValid():
            return None
        if index.internalId() == 0:
            return self._groups[index.row()] if index.row() < len(self._groups) else None
        group = index.internalId() - 1
        if group >= len(self._groups) or index.row() >= len(self._groups[group].machines):
            return None
        return self._groups[group].machines[index.row()]

    def _current_order_key(self) -> tuple[Any, ...]:
        """What the arrangement depends on: cheap to compute, equal as long as nothing moves."""
        if not self._is_problems_first and not self._words:
            return tuple(self._rows)
        return tuple((name, row.rank()) for name, row in self._rows.items())

    def _arrange(self) -> None:
        """Sort and filter; persistent indexes (selection, current one, open groups) follow their machines."""
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        held = [self._at(index) for index in before]
        groups: dict[str, GroupRow] = {}
        for row in self._rows.values():
            if not self._words or row.matches(self._words):
                groups.setdefault(row.group, GroupRow(row.group)).machines.append(row)
        self._groups = sorted(groups.values(), key=lambda group: (group.name == "", group.name.casefold()))
        if len(self._groups) == 1:
            self._groups[0].is_alone = True
        if self._is_problems_first:
            for group in self._groups:
                group.machines.sort(key=MachineRow.rank)
        self._place = {
            row.name: (number, position)
            for number, group in enumerate(self._groups)
            for position, row in enumerate(group.machines)
        }
        self._order_key = self._current_order_key()
        by_group = {group.name: number for number, group in enumerate(self._groups)}
        after = []
        for found in held:
            if isinstance(found, MachineRow):
                after.append(self.index_of(found.name))
            elif isinstance(found, GroupRow) and found.name in by_group:
                after.append(self.createIndex(by_group[found.name], 0, 0))
            else:
                after.append(QModelIndex())
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()
