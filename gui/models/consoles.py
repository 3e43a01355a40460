"""The consoles that machines trust, as one list over all of them: a row for each console, whatever it may do where."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from PyQt5.QtCore import QModelIndex, QObject, Qt

from core.access_records import TrustedConsole, TrustedConsoles
from core.gather import fold_names
from core.language import N_, _, ngettext
from core.records import Level
from gui.models.rows import RowsModel
from gui.numbers import number
from gui.plain_text import one_line, plain_tip
from gui.theme import theme

SOON_DAYS = 30
LEVEL_WORDS = {
    Level.VIEW: N_("view: look, run nothing"),
    Level.RUN: N_("run: listed commands"),
    Level.MANAGE: N_("manage: end processes, restart services too"),
    Level.RAW: N_("raw: anything typed"),
}
OWN, EXPIRED, SOON, FINE = "own", "expired", "soon", "fine"


class ConsoleRow(Struct, frozen=True, kw_only=True):
    """One console over all machines that trust it.

    `levels` from the least to the most that it may do anywhere, `expires` its first last day, `changeable` the machines
    where this console may change it; `state` is EXPIRED, SOON or FINE.
    """

    fingerprint: str
    name: str
    levels: tuple[Level, ...]
    networks: tuple[str, ...]
    expires: str | None
    admitted_by: str
    is_own: bool
    online: int
    machines: tuple[str, ...]
    changeable: tuple[str, ...]
    state: str


def console_rows(lists: Mapping[str, TrustedConsoles], today: datetime.date) -> list[ConsoleRow]:
    """A row for each console in the lists of these machines: this one first, then by name."""
    found: dict[str, list[tuple[str, TrustedConsole]]] = {}
    for machine, trusted in lists.items():
        for console in trusted.consoles:
            found.setdefault(console.fingerprint, []).append((machine, console))
    names = {fingerprint: _name_of(places) for fingerprint, places in found.items()}
    rows = [_row(places, names, today) for places in found.values()]
    return sorted(rows, key=lambda row: (not row.is_own, row.name.casefold(), row.fingerprint))


def admitted_with(lists: Mapping[str, TrustedConsoles], fingerprint: str) -> dict[str, frozenset[str]]:
    """By machine: this console, those that it admitted there, and theirs; all of them go when it is revoked."""
    gone: dict[str, frozenset[str]] = {}
    for machine, trusted in lists.items():
        mine = {fingerprint}
        while True:
            more = {item.fingerprint for item in trusted.consoles if item.admitted_by in mine} - mine
            if not more:
                break
            mine |= more
        if any(item.fingerprint == fingerprint for item in trusted.consoles):
            gone[machine] = frozenset(mine)
    return gone


def left_without(lists: Mapping[str, TrustedConsoles], fingerprint: str, today: datetime.date) -> list[str]:
    """Machines to which nobody could send a command any more, once this console is revoked."""
    left = []
    for machine, gone in admitted_with(lists, fingerprint).items():
        others = [
            item
            for item in lists[machine].consoles
            if item.fingerprint not in gone
            and item.level is not Level.VIEW
            and (item.expires is None or item.expires >= today.isoformat())
        ]
        if not others:
            left.append(machine)
    return left


def revoke_words(lists: Mapping[str, TrustedConsoles], row: ConsoleRow, today: datetime.date) -> str:
    """What revoking it does, to be agreed to."""
    count = len(row.changeable)
    words = [
        ngettext(
            "{name} will not be trusted any more by {machines}.",
            "{name} will not be trusted any more by {count} machines: {machines}.",
            count,
        ).format(name=row.name, count=number(count), machines=short_names(row.changeable)),
        _("Its links are cut and its commands there are ended within a second."),
    ]
    here = {machine: found for machine, found in lists.items() if machine in row.changeable}
    others = set().union(*admitted_with(here, row.fingerprint).values()) - {row.fingerprint}
    if others:
        words.append(
            ngettext(
                "{count} console that it admitted goes with it.",
                "{count} consoles that it admitted go with it.",
                len(others),
            ).format(count=number(len(others)))
        )
    if row.is_own:
        words.append(_("This is the console that you sit at: you lose these machines, and must pair again."))
    left = left_without(here, row.fingerprint, today)
    if left:
        words.append(
            _("Nobody could send commands any more to {machines}, until its administrator lets a console pair.").format(
                machines=short_names(left)
            )
        )
    kept = [machine for machine in row.machines if machine not in row.changeable]
    if kept:
        words.append(
            _("It stays trusted by {machines}, where you may not revoke it.").format(machines=short_names(kept))
        )
    return "\n\n".join(words)


def short_names(names: Sequence[str]) -> str:
    """Folded names, cut where they are many."""
    text = one_line(fold_names(sorted(names)))
    return text if len(text) <= 160 else f"{text[:159]}…"


def level_text(levels: Sequence[Level]) -> str:
    """One level, or the least and the most of several."""
    return levels[0].value if len(levels) == 1 else f"{levels[0].value} … {levels[-1].value}"


class ConsoleModel(RowsModel):
    """Console, level, last day, where from, who admitted it, how many machines."""

    HEADERS = (
        N_("Console"),
        N_("Level"),
        N_("Last day"),
        N_("From"),
        N_("Admitted by"),
        N_("Online now"),
        N_("Machines"),
        N_("Fingerprint"),
    )
    RIGHT = frozenset({5, 6})

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: Sequence[ConsoleRow] = ()

    def set_rows(self, rows: Sequence[ConsoleRow]) -> None:
        """Show these."""
        self.beginResetModel()
        self._rows = list(rows)
        self.endResetModel()

    def row(self, place: int) -> ConsoleRow:
        """The console of a row."""
        return self._rows[place]

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Texts as they are; what is over or soon over in its colour."""
        row, column = self._rows[index.row()], index.column()
        if role == Qt.DisplayRole:
            return self._text(row, column)
        if role == Qt.TextAlignmentRole:
            return self.alignment(column)
        if role == Qt.ForegroundRole:
            if column == 2 and row.state in (EXPIRED, SOON):
                return theme().color("critical" if row.state == EXPIRED else "warning")
            if column == 7 or (column == 5 and not row.online):
                return theme().color("dim")
        if role == Qt.ToolTipRole:
            return plain_tip("\n".join((row.name, row.fingerprint, short_names(row.machines))))
        return None

    def _text(self, row: ConsoleRow, column: int) -> str:
        match column:
            case 0:
                return one_line(row.name) + (" · " + _("this one") if row.is_own else "")
            case 1:
                return level_text(row.levels)
            case 2:
                marks = {EXPIRED: "■ {day}", SOON: "▲ {day}"}
                return marks.get(row.state, "{day}").format(day=row.expires) if row.expires else _("none")
            case 3:
                return one_line(", ".join(row.networks)) or _("anywhere")
            case 4:
                return one_line(row.admitted_by) or _("administrator")
            case 5:
                return number(row.online)
            case 6:
                return number(len(row.machines))
        return row.fingerprint.removeprefix("SHA256:")[:14] + "…"


def _name_of(places: Sequence[tuple[str, TrustedConsole]]) -> str:
    return next((console.name for _machine, console in places if console.name), "") or _("a console without a name")


def _row(places: Sequence[tuple[str, TrustedConsole]], names: Mapping[str, str], today: datetime.date) -> ConsoleRow:
    consoles = [console for _machine, console in places]
    days = sorted({console.expires for console in consoles if console.expires})
    admitters = dict.fromkeys(console.admitted_by for console in consoles)
    return ConsoleRow(
        fingerprint=consoles[0].fingerprint,
        name=_name_of(places),
        levels=tuple(sorted({console.level for console in consoles}, key=lambda level: level.rank)),
        networks=tuple(dict.fromkeys(network for console in consoles for network in console.networks)),
        expires=days[0] if days else None,
        admitted_by=", ".join(names.get(above, above[:21]) if above else _("administrator") for above in admitters),
        is_own=any(console.is_own for console in consoles),
        online=sum(console.is_online for console in consoles),
        machines=tuple(machine for machine, _console in places),
        changeable=tuple(machine for machine, console in places if console.may_change),
        state=_state(days, today),
    )


def _state(days: Sequence[str], today: datetime.date) -> str:
    if not days:
        return FINE
    if days[0] < today.isoformat():
        return EXPIRED
    return SOON if days[0] <= (today + datetime.timedelta(days=SOON_DAYS)).isoformat() else FINE
