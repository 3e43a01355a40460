"""All alarms that the window knows, filtered and sorted: steady under 2,000 of them, whatever comes in at once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from itertools import groupby

from PyQt5.QtCore import QModelIndex, QObject, Qt, pyqtSignal

from core.language import N_, _
from core.site_records import Alarm, AlarmSeverity, AlarmState
from gui import numbers
from gui.models import alarm_words as words
from gui.models.rows import RowsModel
from gui.plain_text import one_line, plain_tip

COLUMNS = (
    N_("Severity"),
    N_("Source"),
    N_("What"),
    N_("Value"),
    N_("Limit"),
    N_("Since"),
    N_("Lasts"),
    N_("State"),
    N_("Operator"),
    N_("Comment"),
)
SEVERITY, SOURCE, TEXT, VALUE, LIMIT, SINCE, LASTS, STATE, OPERATOR, COMMENT = range(len(COLUMNS))
ALARM_ROLE = Qt.UserRole + 1

MOST_CLOSED = 5_000
"""Alarms that are over and stay in the list; the oldest go first. All of them stay in the history."""

_MOST_RUNS = 40
"""Rows that go are removed run by run; where there are more runs, they are brought together first."""

_STATE_ORDER = {state: place for place, state in enumerate(AlarmState)}
_KEYS: dict[int, Callable[[Alarm], object]] = {
    SEVERITY: lambda alarm: alarm.severity.rank,
    SOURCE: lambda alarm: alarm.source.casefold(),
    TEXT: lambda alarm: alarm.text.casefold(),
    VALUE: lambda alarm: -float("inf") if alarm.value is None else alarm.value,
    LIMIT: lambda alarm: -float("inf") if alarm.threshold is None else alarm.threshold,
    SINCE: lambda alarm: alarm.since_s,
    LASTS: lambda alarm: (alarm.until_s or time.time()) - alarm.since_s,
    STATE: lambda alarm: _STATE_ORDER[alarm.state],
    OPERATOR: lambda alarm: (alarm.operator or "").casefold(),
    COMMENT: lambda alarm: (alarm.comment or "").casefold(),
}


class AlarmModel(RowsModel):
    """Rows keep their place and their selection by the number of the alarm.

    `apply` takes any number of news at once and tells the view of runs of rows, not of each; `counted` follows when
    the number of open alarms, or the worst of them, has changed.
    """

    HEADERS = COLUMNS
    RIGHT = frozenset({VALUE, LIMIT, LASTS})
    BIGGEST_FIRST = frozenset({SEVERITY, SINCE, LASTS})

    counted = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: dict[int, Alarm] = {}
        self._rows: list[int] = []
        self._places: dict[int, int] = {}
        self._names: dict[str, str] = {}
        self._column, self._is_descending = SINCE, True
        self._words: list[str] = []
        self._severities: frozenset[AlarmSeverity] = frozenset()
        self._states: frozenset[AlarmState] = frozenset({AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED})
        self._kinds: frozenset[str] = frozenset()
        self._counts: dict[AlarmSeverity, int] = {}

    # What comes in

    def apply(self, alarms: Iterable[Alarm]) -> list[Alarm]:
        """Take news of alarms, the newest of each; those that were new to the list or changed."""
        changed: dict[int, Alarm] = {}
        for alarm in alarms:
            known = self._all.get(alarm.id)
            if known is None or (alarm.changed_s >= known.changed_s and alarm != known):
                self._all[alarm.id] = changed[alarm.id] = alarm
        if not changed:
            return []
        self._forget_oldest()
        shown = [number for number in changed if number in self._places]
        self._arrange()
        rows = sorted(self._places[number] for number in shown if number in self._places)
        for first, last in _runs(rows):
            self.dataChanged.emit(self.index(first, 0), self.index(last, COMMENT))
        self._count()
        return list(changed.values())

    def set_names(self, names: dict[str, str]) -> None:
        """What people call the sources that have a name beside their identifier: `sensor/ID` to a name."""
        if names != self._names:
            self._names = dict(names)
            if self._rows:
                self.dataChanged.emit(self.index(0, SOURCE), self.index(len(self._rows) - 1, SOURCE))

    def tick(self) -> None:
        """Ages grow: call it while the list is seen."""
        if self._rows:
            self.dataChanged.emit(self.index(0, SINCE), self.index(len(self._rows) - 1, LASTS), [Qt.DisplayRole])

    # What is asked

    def alarm(self, number: int) -> Alarm | None:
        """The alarm of that number, shown or not."""
        return self._all.get(number)

    def at(self, row: int) -> Alarm:
        """The alarm of a row."""
        return self._all[self._rows[row]]

    def row_of(self, number: int) -> int | None:
        """Row of an alarm; None while the filter hides it."""
        return self._places.get(number)

    def alarms(self) -> Collection[Alarm]:
        """All of them, in no order."""
        return self._all.values()

    def shown(self) -> list[Alarm]:
        """Those that the filter lets through, in their order."""
        return [self._all[number] for number in self._rows]

    def open_alarms(self) -> list[Alarm]:
        """Active and acknowledged ones, newest first."""
        found = [alarm for alarm in self._all.values() if alarm.state.is_open]
        return sorted(found, key=lambda alarm: -alarm.since_s)

    def counts(self) -> dict[AlarmSeverity, int]:
        """How many are open, by severity."""
        return self._counts

    @property
    def open_count(self) -> int:
        """How many are open."""
        return sum(self._counts.values())

    def source_text(self, source: str) -> str:
        """What people call a source."""
        return one_line(self._names.get(source, "")) or words.source_name(source)

    # Filter and order

    def set_filter(self, text: str) -> None:
        """Show only what has each word in its source, text, rule, operator or comment."""
        self._words = text.casefold().split()
        self._arrange()

    def set_choice(
        self,
        severities: Collection[AlarmSeverity],
        states: Collection[AlarmState],
        kinds: Collection[str],
    ) -> None:
        """Show only these; an empty choice lets everything through."""
        self._severities, self._states, self._kinds = frozenset(severities), frozenset(states), frozenset(kinds)
        self._arrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.AscendingOrder) -> None:
        """Sort by a column; where it says the same, the newest first."""
        self._column, self._is_descending = column, order == Qt.DescendingOrder
        self._arrange()

    # Qt's questions

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> object:
        """Text and alignment; exact times and whole texts in the tool-tip."""
        alarm = self._all[self._rows[index.row()]]
        column = index.column()
        if role == Qt.DisplayRole:
            return self.text(alarm, column)
        if role == Qt.TextAlignmentRole:
            return self.alignment(column)
        if role == ALARM_ROLE:
            return alarm
        if role == Qt.ToolTipRole:
            return plain_tip(self._tip(alarm, column))
        if role == Qt.AccessibleTextRole and column == SEVERITY:
            return _("{severity}, {state}").format(
                severity=words.severity_words(alarm.severity), state=words.state_words(alarm.state)
            )
        return None

    def text(self, alarm: Alarm, column: int) -> str:
        """What a cell says."""
        if column == SEVERITY:
            return words.severity_words(alarm.severity)
        if column == SOURCE:
            return self.source_text(alarm.source)
        if column == TEXT:
            return one_line(alarm.text)
        if column == VALUE:
            return words.value_text(alarm.value, alarm.unit)
        if column == LIMIT:
            return words.value_text(alarm.threshold, alarm.unit)
        if column == SINCE:
            return numbers.clock(alarm.since_s)
        if column == LASTS:
            return numbers.duration(max(1.0, words.lasted_s(alarm, time.time())))
        if column == STATE:
            return words.state_words(alarm.state)
        return one_line((alarm.operator if column == OPERATOR else alarm.comment) or "")

    def _tip(self, alarm: Alarm, column: int) -> str:
        if column == SOURCE:
            return f"{words.kind_word(words.source_kind(alarm.source))} {words.source_name(alarm.source)}"
        if column in (SINCE, LASTS):
            lines = [_("since {time}").format(time=numbers.exact_time(alarm.since_s))]
            if alarm.until_s is not None:
                lines.append(_("until {time}").format(time=numbers.exact_time(alarm.until_s)))
            else:
                lines.append(numbers.age(time.time() - alarm.since_s))
            return "\n".join(lines)
        if column == STATE and alarm.operator:
            return _("{state} by {operator}, {time}").format(
                state=words.state_words(alarm.state),
                operator=one_line(alarm.operator),
                time=numbers.exact_time(alarm.changed_s),
            )
        if column == COMMENT:
            return alarm.comment or ""
        return f"{alarm.text}\n{words.rule_words(alarm.rule)}"

    # Inside

    def _forget_oldest(self) -> None:
        closed = [alarm for alarm in self._all.values() if not alarm.state.is_open]
        if len(closed) > MOST_CLOSED:
            closed.sort(key=lambda alarm: alarm.changed_s)
            for alarm in closed[: len(closed) - MOST_CLOSED]:
                del self._all[alarm.id]

    def _count(self) -> None:
        counts = dict(Counter(alarm.severity for alarm in self._all.values() if alarm.state.is_open))
        if counts != self._counts:
            self._counts = counts
            self.counted.emit()

    def _is_shown(self, alarm: Alarm) -> bool:
        if self._states and alarm.state not in self._states:
            return False
        if self._severities and alarm.severity not in self._severities:
            return False
        if self._kinds and words.source_kind(alarm.source) not in self._kinds:
            return False
        if not self._words:
            return True
        parts = (
            alarm.source,
            self._names.get(alarm.source, ""),
            alarm.text,
            alarm.rule,
            alarm.operator or "",
            alarm.comment or "",
        )
        text = " ".join(parts).casefold()
        return all(word in text for word in self._words)

    def _wanted(self) -> list[int]:
        shown = [alarm for alarm in self._all.values() if self._is_shown(alarm)]
        shown.sort(key=lambda alarm: (-alarm.since_s, -alarm.id))
        shown.sort(key=_KEYS[self._column], reverse=self._is_descending)  # type: ignore[arg-type]  # one column, one comparable type
        return [alarm.id for alarm in shown]

    def _arrange(self) -> None:
        """Bring the rows to what is wanted, telling the view of each kind of change apart."""
        wanted = self._wanted()
        if wanted == self._rows:
            return
        staying = set(wanted)
        gone = [row for row, number in enumerate(self._rows) if number not in staying]
        runs = _runs(gone)
        if len(runs) > _MOST_RUNS:
            kept = [number for number in self._rows if number in staying]
            self._move([*kept, *(self._rows[row] for row in gone)])
            runs = [(len(kept), len(self._rows) - 1)]
        for first, last in reversed(runs):
            self.beginRemoveRows(QModelIndex(), first, last)
            del self._rows[first : last + 1]
            self.endRemoveRows()
        present = set(self._rows)
        new = [number for number in wanted if number not in present]
        if new:
            # The newest come first in the usual order: nothing else has to move then.
            at = 0 if wanted[: len(new)] == new else len(self._rows)
            self.beginInsertRows(QModelIndex(), at, at + len(new) - 1)
            self._rows[at:at] = new
            self.endInsertRows()
        if self._rows != wanted:
            self._move(wanted)
        self._places = {number: row for row, number in enumerate(self._rows)}

    def _move(self, wanted: list[int]) -> None:
        """Put the same rows into the order `wanted`; what is selected stays selected."""
        self.layoutAboutToBeChanged.emit()
        places = {number: row for row, number in enumerate(wanted)}
        before = self.persistentIndexList()
        after = [self.index(places[self._rows[index.row()]], index.column()) for index in before]
        self._rows = wanted
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()


def _runs(rows: list[int]) -> list[tuple[int, int]]:
    """(first, last) of each run of consecutive rows."""
    runs = []
    for _distance, members in groupby(enumerate(rows), key=lambda item: item[1] - item[0]):
        run = [row for _place, row in members]
        runs.append((run[0], run[-1]))
    return runs
