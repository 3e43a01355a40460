"""The audit logs of a home as rows: when, who, on which machine, what, and what became of it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from PyQt5.QtCore import QObject, Qt
from PyQt5.QtGui import QColor, QFontDatabase

from core.audit import CHANGED, AuditEntry
from core.language import N_, _
from gui import numbers
from gui.models.rows import RowsModel
from gui.plain_text import one_line, plain_tip
from gui.theme import theme

TIME, LOG, EVENT, OPERATOR, MACHINE, COMMAND, OUTCOME, DETAIL = range(8)

LOGS = (("console", N_("this console")), ("agent", N_("this machine's agent")))
EVENTS = (
    ("command", N_("command")),
    ("result", N_("result")),
    ("pairing", N_("pairing")),
    ("consoles", N_("consoles")),
    ("revocation", N_("revocation")),
    (CHANGED, N_("the log was changed")),
)
_LOG_WORDS, _EVENT_WORDS = dict(LOGS), dict(EVENTS)
_OUTCOMES = {
    "send": N_("sent"),
    "allowed": N_("allowed"),
    "refused": N_("refused"),
    "paired": N_("paired"),
    "done": N_("done"),
    "tried": N_("tried"),
    "ok": N_("ok"),
    "failed": N_("failed"),
    "timeout": N_("timed out"),
    "cancelled": N_("cancelled"),
    "not_allowed": N_("not allowed"),
    "offline": N_("offline"),
    "unknown": N_("unknown"),
}
_BAD = frozenset(("refused", "failed", "timeout", "not_allowed", "unknown", "not_trusted"))
_LONGEST_CELL = 400
EXPORT_HEADER = (
    *("log", "time", "event", "console", "console_name", "address", "operator", "machine", "exec_id", "command"),
    *("decision", "rule", "state", "exit_status", "octets", "sha256", "previous", "other"),
)


class AuditRowsModel(RowsModel):
    """Entries of both logs, the newest first."""

    HEADERS = (
        N_("When"),
        N_("Log"),
        N_("Event"),
        N_("Operator"),
        N_("Machine"),
        N_("Command"),
        N_("Outcome"),
        N_("Detail"),
    )

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[AuditEntry] = []
        self._fixed = QFontDatabase.systemFont(QFontDatabase.FixedFont)

    def apply(self, entries: Sequence[AuditEntry]) -> None:
        """Other entries, newest first."""
        self.beginResetModel()
        self._rows = list(entries)
        self.endResetModel()

    def entry(self, row: int) -> AuditEntry:
        """The entry of a row."""
        return self._rows[row]

    def data(self, index: object, role: int = Qt.DisplayRole) -> object:
        """Text of a cell on one line, what went wrong in its colour, all that is said in the tool-tip."""
        entry, column = self._rows[index.row()], index.column()
        if role == Qt.DisplayRole:
            return one_line(cell_text(entry, column)[:_LONGEST_CELL])
        if role == Qt.TextAlignmentRole:
            return self.alignment(column)
        if role == Qt.FontRole and column == COMMAND:
            return self._fixed
        if role == Qt.ForegroundRole and column in (EVENT, OUTCOME):
            if entry.event == CHANGED or entry.unreadable:
                return QColor(theme().critical)
            return QColor(theme().warning) if column == OUTCOME and _outcome(entry) in _BAD else None
        if role == Qt.ToolTipRole:
            return plain_tip("\n".join(f"{name}: {value}" for name, value in said(entry)))
        return None


def cell_text(entry: AuditEntry, column: int) -> str:
    """What a cell shows; texts of others are as they were written."""
    if entry.unreadable and column > LOG:
        return {EVENT: _("no entry"), DETAIL: entry.unreadable}.get(column, "")
    if column == TIME:
        time_s = entry.time_s
        return numbers.exact_time(time_s) if time_s is not None else entry.time or numbers.NO_VALUE
    if column == LOG:
        return _(_LOG_WORDS[entry.log]) if entry.log in _LOG_WORDS else entry.log
    if column == EVENT:
        return _(_EVENT_WORDS[entry.event]) if entry.event in _EVENT_WORDS else entry.event
    if column == OPERATOR:
        return entry.operator or entry.console_name
    if column == MACHINE:
        return entry.machine or entry.address
    if column == COMMAND:
        return command_of(entry)
    outcome = _outcome(entry)
    if column == OUTCOME:
        return _(_OUTCOMES[outcome]) if outcome in _OUTCOMES else outcome
    return _detail(entry)


def command_of(entry: AuditEntry) -> str:
    """The command as it would be typed."""
    return shlex.join(entry.argv)


def said(entry: AuditEntry) -> list[tuple[str, str]]:
    """All that an entry says, by the names that the log uses."""
    pairs: list[tuple[str, object]] = [
        (name, command_of(entry) if name == "command" else getattr(entry, name)) for name in EXPORT_HEADER[:-1]
    ]
    pairs += [*entry.other.items(), ("unreadable", entry.unreadable)]
    return [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in pairs
        if value not in ("", None)
    ]


def export_row(entry: AuditEntry) -> list[str | int | None]:
    """A row of an exported table, under EXPORT_HEADER."""
    other = entry.unreadable or (json.dumps(entry.other, ensure_ascii=False) if entry.other else "")
    cells = [command_of(entry) if name == "command" else getattr(entry, name) for name in EXPORT_HEADER[:-1]]
    return [*cells, other]


def _outcome(entry: AuditEntry) -> str:
    return entry.state or entry.decision


def _detail(entry: AuditEntry) -> str:
    parts = [entry.rule]
    if entry.exit_status is not None:
        parts.append(_("exit status {status}").format(status=entry.exit_status))
    if entry.octets:
        value, unit = numbers.size(entry.octets)
        parts.append(f"{value} {unit}")
    parts += [f"{name}: {value}" for name, value in entry.other.items()]
    return " · ".join(part for part in parts if part)
