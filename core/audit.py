"""The audit log: one JSON object a line, each with the SHA-256 of the line before it, and a head beside it.

A changed, removed or inserted line breaks the chain from there on; a changed last line and a cut tail do not agree with
the head (`core.audit_head`). What the two do not cover: lines written by an earlier version, until the next entry, and
after a crash those between the head and the end; `verify` counts them. Whoever may write both files can make both anew:
for that there is the log of the other end, and the last hash, to be kept elsewhere.

Several processes of one home may append to one log: each append holds a lock on the file. A log is never shortened.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

from msgspec import DecodeError, Struct, ValidationError
from msgspec.json import Decoder, encode

from core.audit_entries import AuditEntry as AuditEntry
from core.audit_entries import AuditFilter as AuditFilter
from core.audit_entries import entries as entries
from core.audit_entries import lines, said_by
from core.audit_head import NO_LINE as NO_LINE
from core.audit_head import Head, UnreadableHeadError, read_head, write_head
from core.errors import ConfigError
from core.language import _, ngettext

CHANGED = "log_changed"
"""Event of the entry that tells that the log was not as its head says when the next entry came."""

Reason = Literal["", "chain", "end", "cut", "head_lost", "head_changed", "told"]


class Verdict(Struct, frozen=True):
    """What `verify` found; `broken_line` is the first line that is not what it was, from 1.

    `reason`: `chain`, it does not follow from the line before; `end`, it is not the line that the head knows; `cut`,
    the head knows more lines; `head_lost` and `head_changed`, nothing stands for the end of the log; `told`, that line
    tells that the log was changed before it was written. `uncovered` lines at the end could change unseen: the head is
    older.
    """

    lines: int
    last_hash: str
    broken_line: int | None = None
    reason: Reason = ""
    uncovered: int = 0

    @property
    def is_whole(self) -> bool:
        """True when every line follows from the one before it, and the last one is the last that was written."""
        return self.broken_line is None


class AuditLog:
    """Appends to one log; makes it (0600) with the first entry."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def size(self) -> int:
        """Octets of the log; raises ConfigError where that cannot be told."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise ConfigError(
                _("{path} cannot be read: {reason}").format(path=self.path, reason=error.strerror)
            ) from error

    def append(self, entries: Sequence[Mapping[str, object]]) -> None:
        """Write `entries` in this order and return once they are on disk, by one sync for all of them.

        `time` (UTC), `entry` (the number of the line) and `previous` are added. Raises ConfigError where the log
        cannot be written: what may not be written down may not be done.
        """
        if not entries:
            return
        try:
            with os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as stream:
                _lock(stream)
                self._append(stream, entries)
        except OSError as error:
            raise ConfigError(
                _("the audit log {path} cannot be written: {reason}").format(path=self.path, reason=error.strerror)
            ) from error

    def _append(self, stream: BinaryIO, entries: Sequence[Mapping[str, object]]) -> None:
        size = stream.seek(0, os.SEEK_END)
        previous, is_torn = _last_hash(stream, size)
        count, complaint = self._known(stream, size, previous, is_torn)
        written: list[bytes] = [b"\n"] if is_torn else []
        for entry in ([complaint] if complaint is not None else []) + list(entries):
            count += 1
            line = encode({"time": _now(), **entry, "entry": count, "previous": previous})
            previous = hashlib.sha256(line).hexdigest()
            written += [line, b"\n"]
        content = b"".join(written)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
        write_head(self.path, Head(count, size + len(content), previous))

    def _known(self, stream: BinaryIO, size: int, last: str, is_torn: bool) -> tuple[int, dict[str, object] | None]:
        """How many lines there are, and an entry that tells what is wrong with them.

        There is a head when this returns: one that is missing beside lines that had one was taken away.
        """
        try:
            head = read_head(self.path)
        except UnreadableHeadError:
            return _count(stream, 0), {"event": CHANGED, "rule": "the head of the log could not be read"}
        if head is None:
            had_one = size > 0 and _had_head(stream, size)
            write_head(self.path, Head())
            return _count(stream, 0), {"event": CHANGED, "rule": "the head of the log was lost"} if had_one else None
        if size == head.octets and last == head.last_hash and not (is_torn and size):
            return head.lines, None
        if size > head.octets and _last_hash(stream, head.octets) == (head.last_hash, False):
            return head.lines + _count(stream, head.octets), None  # an entry whose writer was killed, or its elder's
        rule = f"the log did not end with line {head.lines}, {head.last_hash}"
        return _count(stream, 0), {"event": CHANGED, "rule": rule}


def read(path: Path) -> Iterator[dict[str, object]]:
    """Entries of a log, oldest first; a line that is not JSON comes as `{"unreadable": text}`."""
    for line in lines(path):
        entry = said_by(line)
        yield entry if entry is not None else {"unreadable": line[:256].decode(errors="replace")}


def verify(path: Path) -> Verdict:
    """Whether a log is what was written; one that is absent, as its head is, is whole and empty.

    Reads it piece by piece; entries that are appended meanwhile are left out. Raises OSError where it cannot be read.
    """
    size = 0
    while True:
        try:
            with path.open("rb") as stream:
                _lock(stream, is_shared=True)
                head, is_head_changed = _head_of(path)
                size = os.fstat(stream.fileno()).st_size
            break
        except FileNotFoundError:
            head, is_head_changed = _head_of(path)
            if not path.exists():  # else it has just been begun, with a head that may not be whole yet
                break
    return _Check(head, is_head_changed).verdict(lines(path, size), size)


def verdict_text(verdict: Verdict) -> str:
    """What a verdict means, for people."""
    line = verdict.broken_line
    if verdict.is_whole:
        text = ngettext(
            "whole, {count} line, ends with {hash}", "whole, {count} lines, ends with {hash}", verdict.lines
        ).format(count=verdict.lines, hash=verdict.last_hash[:16])
        if verdict.uncovered:
            text += "; " + ngettext(
                "the last {count} of them could be changed unseen, until the next entry is written",
                "the last {count} of them could be changed unseen, until the next entry is written",
                verdict.uncovered,
            ).format(count=verdict.uncovered)
        return text
    return {
        "chain": _("BROKEN at line {line}: it does not follow from the line before it"),
        "end": _("BROKEN at line {line}: it is not the line that was written last"),
        "cut": _("BROKEN at line {line}: this line and what came after it was cut off"),
        "head_lost": _("BROKEN at line {line}: the head of the log, which knew its last line, is gone"),
        "head_changed": _("BROKEN at line {line}: the head of the log, which knew its last line, was changed"),
        "told": _("BROKEN at line {line}: it tells that the log was changed before it was written"),
    }[verdict.reason].format(line=line)


class _Link(Struct, frozen=True):
    """What the chain needs of a line."""

    previous: Any = None
    entry: Any = None
    event: Any = None


_link_decoder = Decoder(_Link)


class _Check:
    """Goes through a log once."""

    def __init__(self, head: Head | None, is_head_changed: bool) -> None:
        self._head = head
        self._is_head_changed = is_head_changed

    def verdict(self, found: Iterator[bytes], size: int) -> Verdict:
        head = self._head or Head()
        previous, count, octets = NO_LINE, 0, 0
        is_numbered = False
        for line in found:
            count += 1
            reason: Reason = ""
            try:
                link = _link_decoder.decode(line)
            except ValidationError:
                reason = "chain"
            except (DecodeError, ValueError, RecursionError):
                pass  # torn by a power cut, it stands alone: the line after it must name its hash
            else:
                is_numbered = is_numbered or link.entry is not None
                if link.previous != previous or link.entry not in (None, count):
                    reason = "chain"
                elif link.event == CHANGED:
                    reason = "told"
            if reason:
                return Verdict(count, previous, count, reason)
            previous = hashlib.sha256(line).hexdigest()
            before, octets = octets, min(size, octets + len(line) + 1)
            if before < head.octets <= octets and (octets, count, previous) != (
                head.octets, head.lines, head.last_hash,
            ):  # fmt: skip
                return Verdict(count, previous, count, "end")
        if octets < head.octets:
            return Verdict(count, previous, count + 1, "cut")
        if self._is_head_changed:
            return Verdict(count, previous, max(1, count), "head_changed")
        if self._head is None and is_numbered:
            return Verdict(count, previous, count, "head_lost")
        return Verdict(count, previous, uncovered=count - head.lines)


def _head_of(path: Path) -> tuple[Head | None, bool]:
    """The head, and whether it is not what was written."""
    try:
        return read_head(path), False
    except UnreadableHeadError:
        return None, True


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _lock(stream: BinaryIO, is_shared: bool = False) -> None:
    """Wait for other processes that append; the lock ends with the stream."""
    if os.name == "posix":
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX)


def _last_hash(stream: BinaryIO, end: int) -> tuple[str, bool]:
    """Hash of the line that ends at `end`, and whether it was torn by a crash before its own end."""
    line, is_torn = _last_line(stream, end)
    return (hashlib.sha256(line).hexdigest() if end else NO_LINE), is_torn


def _last_line(stream: BinaryIO, end: int) -> tuple[bytes, bool]:
    if end == 0:
        return b"", False
    size = 4096
    while True:
        start = max(0, end - size)
        stream.seek(start)
        tail = stream.read(end - start)
        body = tail.removesuffix(b"\n")
        cut = body.rfind(b"\n")
        if cut >= 0 or start == 0:
            return body[cut + 1 :], not tail.endswith(b"\n")
        size *= 4


def _had_head(stream: BinaryIO, size: int) -> bool:
    """True where the log has lines that were written beside a head: they are numbered."""
    line, _is_torn = _last_line(stream, size)
    entry = said_by(line)
    if entry is not None:
        return "entry" in entry
    stream.seek(0)  # a torn line says nothing: look at all of them, which is rare
    return any("entry" in (said_by(line) or {}) for line in stream)


def _count(stream: BinaryIO, start: int) -> int:
    """Lines from `start` on, a torn one at the end too."""
    stream.seek(start)
    count, last = 0, b"\n"
    while piece := stream.read(1 << 20):
        count += piece.count(b"\n")
        last = piece[-1:]
    return count + (last != b"\n")
