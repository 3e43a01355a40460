"""Entries of an audit log, found again: filtered, from the newest back, without holding the log in memory.

A log grows by some 400 octets an entry and is never shortened: twenty commands a day on each of 2,000 machines are
about 12 GiB a year, which is read here piece by piece. Whoever wants a new one moves the log away together with its
head, and keeps the last hash that `audit verify` tells.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder

LONGEST_LINE = 1 << 20
"""Octets of a line that are read at once; what is longer is not ours."""

_BLOCK = 256 * 1024
_NEWEST = 10_000
_decoder = Decoder()


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One line of a log; empty or None where it does not say. Its texts are as they were written, not fit to be shown.

    `log` is what its reader calls the log, `other` what else the line says, `unreadable` the start of a line that is
    no entry.
    """

    log: str = ""
    time: str = ""
    event: str = ""
    console: str = ""
    console_name: str = ""
    address: str = ""
    operator: str = ""
    machine: str = ""
    exec_id: str = ""
    argv: tuple[str, ...] = ()
    decision: str = ""
    rule: str = ""
    state: str = ""
    exit_status: int | None = None
    octets: int | None = None
    sha256: str = ""
    previous: str = ""
    other: dict[str, object] = {}
    unreadable: str = ""

    @property
    def time_s(self) -> float | None:
        """Its time, None where it says none."""
        try:
            return datetime.fromisoformat(self.time).timestamp() if self.time else None
        except (ValueError, OverflowError):
            return None


class AuditFilter(Struct, frozen=True, kw_only=True):
    """Which entries are wanted; what is empty or None lets all through.

    `machine` and `operator` may be patterns (`web-*`), case ignored; `event`, `decision` and `state` are said whole;
    `text` is looked for in all that an entry says, case ignored. `since_s` is included, `until_s` is not.
    """

    machine: str = ""
    operator: str = ""
    event: str = ""
    decision: str = ""
    state: str = ""
    since_s: float | None = None
    until_s: float | None = None
    text: str = ""


_TEXTS = (
    *("time", "event", "console", "console_name", "address", "operator", "machine", "exec_id"),
    *("decision", "rule", "state", "sha256", "previous"),
)
_NUMBERS = ("exit_status", "octets")
_KNOWN = frozenset((*_TEXTS, *_NUMBERS, "argv", "entry"))


def entries(
    path: Path, wanted: AuditFilter | None = None, limit: int | None = _NEWEST, *, log: str = ""
) -> list[AuditEntry]:
    """The newest `limit` entries of the log at `path` that are wanted, newest last; None: all of them.

    An absent log has none. Raises OSError where it cannot be read.
    """
    return [_entry(known, log) for known in newest_lines(path, wanted, limit)]


def newest_lines(path: Path, wanted: AuditFilter | None, limit: int | None) -> list[dict[str, Any]]:
    """As `entries`, each as it was written; a line that is no entry comes as `{"unreadable": text}`."""
    found: list[dict[str, Any]] = []
    if limit is not None and limit <= 0:
        return found
    test = _Test(wanted or AuditFilter())
    for line in lines_backwards(path):
        known = test.taken(line)
        if known is not None:
            found.append(known)
            if limit is not None and len(found) >= limit:
                break
    found.reverse()
    return found


def all_lines(path: Path, wanted: AuditFilter | None = None) -> Iterator[dict[str, Any]]:
    """All entries that are wanted, oldest first, one by one, each as it was written."""
    test = _Test(wanted or AuditFilter())
    for line in lines(path):
        known = test.taken(line)
        if known is not None:
            yield known


def all_entries(path: Path, wanted: AuditFilter | None = None, *, log: str = "") -> Iterator[AuditEntry]:
    """All entries that are wanted, oldest first, one by one."""
    return (_entry(known, log) for known in all_lines(path, wanted))


def said_by(line: bytes) -> dict[str, Any] | None:
    """What a line says, None where it is no entry."""
    try:
        known = _decoder.decode(line)
    except (ValueError, RecursionError):
        return None
    return known if isinstance(known, dict) else None


def lines(path: Path, octets: int | None = None) -> Iterator[bytes]:
    """The lines of the first `octets` of a log, without their ends; none where there is no log."""
    try:
        with path.open("rb") as stream:
            left = octets
            while line := stream.readline(LONGEST_LINE if left is None else min(LONGEST_LINE, left)):
                if left is not None:
                    left -= len(line)
                yield line.removesuffix(b"\n")
    except FileNotFoundError:
        return


def lines_backwards(path: Path) -> Iterator[bytes]:
    """The lines of a log from its last one back, without their ends."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return
    with stream:
        place = stream.seek(0, os.SEEK_END)
        rest = b""
        is_end = True
        while place > 0:
            size = min(_BLOCK, place)
            place -= size
            stream.seek(place)
            piece = stream.read(size) + rest
            if is_end and piece:
                piece, is_end = piece.removesuffix(b"\n"), False
            rest, *whole = piece.split(b"\n")
            yield from reversed(whole)
            if len(rest) > LONGEST_LINE:  # no line of ours: what is before it is still found
                yield rest[:256]
                rest = b""
        if not is_end:
            yield rest


class _Test:
    """Whether a line is wanted."""

    def __init__(self, wanted: AuditFilter) -> None:
        self._since, self._until = _bound(wanted.since_s), _bound(wanted.until_s)
        self._exact = [
            (key, value)
            for key, value in (("event", wanted.event), ("decision", wanted.decision), ("state", wanted.state))
            if value
        ]
        self._patterns = [
            (key, value.casefold())
            for key, value in (("machine", wanted.machine), ("operator", wanted.operator))
            if value
        ]
        self._text = wanted.text.casefold()
        self._is_open = not (self._since or self._until or self._exact or self._patterns or self._text)
        # Most lines are refused before they are decoded: a word that must be there stands in the line as it is.
        self._needed = [value.encode() for _key, value in self._exact if re.fullmatch(r"[A-Za-z0-9_.\-]+", value)]

    def taken(self, line: bytes) -> dict[str, Any] | None:
        """What the line says where it is wanted."""
        for needed in self._needed:
            if needed not in line:
                return None
        known = said_by(line)
        if known is None:
            known = {"unreadable": line[:256].decode(errors="replace")}
        if self._is_open:
            return known
        for key, value in self._exact:
            if known.get(key) != value:
                return None
        for key, pattern in self._patterns:
            if not fnmatchcase(str(known.get(key) or "").casefold(), pattern):
                return None
        if self._since or self._until:
            time = str(known.get("time") or "")
            if time < self._since or (self._until and time >= self._until):
                return None
        if self._text and self._text not in _words(known).casefold():
            return None
        return known


def _words(known: dict[str, Any]) -> str:
    """All that an entry says, in one text."""
    return "\n".join(
        " ".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in known.items()
        if value is not None and key != "entry"
    )


def _bound(time_s: float | None) -> str:
    """A time as entries write it: as texts they have the order of their times."""
    if time_s is None:
        return ""
    try:
        moment = datetime.fromtimestamp(time_s, UTC)
    except (OverflowError, OSError, ValueError):
        return "" if time_s < 0 else "9999"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _entry(known: dict[str, Any], log: str) -> AuditEntry:
    if "unreadable" in known and "event" not in known:
        return AuditEntry(log=log, unreadable=str(known["unreadable"]))
    values: dict[str, Any] = {key: str(known[key]) for key in _TEXTS if known.get(key) is not None}
    for key in _NUMBERS:
        if type(known.get(key)) is int:
            values[key] = known[key]
    argv = known.get("argv")
    if isinstance(argv, list):
        values["argv"] = tuple(map(str, argv))
    other = {key: value for key, value in known.items() if key not in _KNOWN}
    return AuditEntry(log=log, other=other, **values)
