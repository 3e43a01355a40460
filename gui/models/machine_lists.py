"""Services, logged in users and open ports of one machine, as rows: filtered, sorted, steady while they are renewed."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QColor

from core.language import N_, _
from core.machine_records import Port, Service, Session
from gui import numbers
from gui.models.keyed_rows import KeyedRows
from gui.plain_text import one_line, plain_tip
from gui.theme import theme

MOST = 20_000
"""Rows of one list that are shown."""

_STATES = {
    "running": ("●", N_("running"), "ok"),
    "stopped": ("○", N_("stopped"), None),
    "failed": ("■", N_("failed"), "critical"),
    "starting": ("▲", N_("starting"), "warning"),
    "stopping": ("▲", N_("stopping"), "warning"),
}
_STATE_ORDER = ("failed", "starting", "stopping", "running", "stopped")
_START_MODES = {"automatic": N_("automatic"), "manual": N_("by hand"), "disabled": N_("disabled")}


class ListModel(KeyedRows):
    """What a machine told once; kinds of rows say their key, their texts and what they are sorted by."""

    FIRST_SORTED: ClassVar[int] = 0

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: dict[Hashable, Any] = {}
        self._rows: list[Hashable] = []
        self._told = 0
        self._filter = ""
        self._column = self.FIRST_SORTED
        self._is_descending = False

    @property
    def count(self) -> int:
        """How many the machine told of, the ones not shown too."""
        return self._told

    def apply(self, records: Sequence[Any]) -> None:
        """Take the newest answer."""
        self._told = len(records)
        self._all = {self.key(record): record for record in records[:MOST]}
        self._arrange()
        self.touch()

    def clear(self) -> None:
        """No rows."""
        self._all, self._told = {}, 0
        self.drop()

    def set_filter(self, text: str) -> None:
        """Show only rows with `text` in any of their cells."""
        self._filter = text.strip().casefold()
        self._arrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.AscendingOrder) -> None:
        """Sort by a column."""
        self._column, self._is_descending = column, order == Qt.DescendingOrder
        self._arrange()

    def record(self, row: int) -> Any:
        """What a row is about."""
        return self._all[self._rows[row]]

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> object:
        """Text, colour of a state, alignment; in the tool-tip what does not fit."""
        record, column = self._all.get(self._rows[index.row()]), index.column()
        if record is None:
            return None
        if role == Qt.DisplayRole:
            return self.text(record, column)
        if role == Qt.TextAlignmentRole:
            return self.alignment(column)
        if role == Qt.ForegroundRole:
            colour = self.role(record, column)
            return QColor(theme().color(colour)) if colour is not None else None
        if role == Qt.ToolTipRole:
            return plain_tip(self.tip(record, column))
        return None

    def key(self, record: Any) -> Hashable:
        """What a record is known by."""
        raise NotImplementedError

    def text(self, record: Any, column: int) -> str:
        """The words of a cell, on one line."""
        raise NotImplementedError

    def order(self, record: Any, column: int) -> Any:
        """What a cell is sorted by."""
        return self.text(record, column).casefold()

    def role(self, record: Any, column: int) -> str | None:
        """Role of the colour of a cell."""
        return None

    def tip(self, record: Any, column: int) -> str:
        """The whole of a cell."""
        return self.text(record, column)

    def _arrange(self) -> None:
        keys = [key for key, record in self._all.items() if self._matches(record)]
        keys.sort(key=lambda key: self.order(self._all[key], self._column), reverse=self._is_descending)
        self.bring(keys)

    def _matches(self, record: Any) -> bool:
        if not self._filter:
            return True
        return any(self._filter in self.text(record, column).casefold() for column in range(len(self.HEADERS)))


class ServiceModel(ListModel):
    """Services: failed ones first."""

    HEADERS = (N_("State"), N_("Name"), N_("PID"), N_("Starts"), N_("Description"))
    RIGHT = frozenset({2})

    def key(self, record: Service) -> Hashable:
        """The name of the service."""
        return record.name

    def text(self, record: Service, column: int) -> str:
        """State as shape and word, name, its pid, how it starts, what it is."""
        if column == 0:
            shape, word, _role = _STATES.get(record.state, ("○", "", None))
            return shape + " " + (_(word) if word else _("not known"))
        if column == 2:
            return "" if record.pid is None else str(record.pid)
        if column == 3:
            mode = _START_MODES.get(record.start_mode)
            return _(mode) if mode else _("not known")
        return one_line(record.name if column == 1 else record.description)

    def order(self, record: Service, column: int) -> Any:
        """What needs somebody first."""
        if column == 0:
            place = _STATE_ORDER.index(record.state) if record.state in _STATE_ORDER else len(_STATE_ORDER)
            return place, record.name.casefold()
        return (record.pid or 0) if column == 2 else super().order(record, column)

    def role(self, record: Service, column: int) -> str | None:
        """The colour of the state."""
        return _STATES.get(record.state, ("", "", None))[2] if column == 0 else None


class SessionModel(ListModel):
    """Who is logged in, and from where."""

    HEADERS = (N_("User"), N_("Terminal"), N_("From"), N_("Since"))
    FIRST_SORTED = 3

    def key(self, record: Session) -> Hashable:
        """A user may be there several times."""
        return record.user, record.terminal, record.host, record.since_s

    def text(self, record: Session, column: int) -> str:
        """User, terminal, where from, since when."""
        if column == 3:
            return numbers.NO_VALUE if record.since_s is None else numbers.clock(record.since_s)
        if column == 2:
            return one_line(record.host) or _("this machine")
        return one_line(record.user if column == 0 else record.terminal)

    def order(self, record: Session, column: int) -> Any:
        """By time, not by its words."""
        return (record.since_s or 0.0) if column == 3 else super().order(record, column)

    def tip(self, record: Session, column: int) -> str:
        """The time to the second."""
        if column == 3 and record.since_s is not None:
            return numbers.exact_time(record.since_s)
        return super().tip(record, column)


class PortModel(ListModel):
    """Ports on which the machine listens."""

    HEADERS = (N_("Port"), N_("Protocol"), N_("Address"), N_("Reachable"), N_("PID"), N_("Process"))
    RIGHT = frozenset({0, 4})

    def key(self, record: Port) -> Hashable:
        """Two programs may share one port."""
        return record.protocol, record.address, record.port, record.pid

    def text(self, record: Port, column: int) -> str:
        """Port, protocol, address, from where it can be reached, who listens."""
        if column == 3:
            return _from_where(record.address)
        if column == 5 and record.pid is None and not record.process:
            return _("not known to the agent")
        pid = "" if record.pid is None else str(record.pid)
        return one_line((str(record.port), record.protocol, record.address, "", pid, record.process)[column])

    def order(self, record: Port, column: int) -> Any:
        """By number where it is one."""
        return {0: record.port, 4: record.pid or 0}.get(column) if column in (0, 4) else super().order(record, column)


def _from_where(address: str) -> str:
    """From where a port that listens on this address can be reached, as far as the address says."""
    if address.startswith("127.") or address in ("::1", "localhost"):
        return _("from itself only")
    if address.strip("0.:*") == "":  # 0.0.0.0 and ::
        return _("on every address")
    return _("on this address")
