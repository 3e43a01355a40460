"""The audit log: one JSON object a line, each with the SHA-256 of the line before it.

A changed, removed or inserted line breaks the chain from there on; a log cut at its end does not show by itself, which
is why both ends of a command keep one, and why `verify` tells the last hash. Several processes of one home may append
to one log: each append holds a lock on the file.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct
from msgspec.json import decode, encode

from core.errors import ConfigError
from core.language import _

NO_LINE = "0" * 64
"""What the first line says of the line before it."""

_LONGEST_LINE = 1 << 20


class Verdict(Struct, frozen=True):
    """What `verify` found; `broken_line` is the first line that does not follow from the one before, from 1."""

    lines: int
    last_hash: str
    broken_line: int | None = None

    @property
    def is_whole(self) -> bool:
        """True when every line follows from the one before it."""
        return self.broken_line is None


class AuditLog:
    """Appends to one log; makes it (0600) with the first entry."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entries: Sequence[Mapping[str, object]]) -> None:
        """Write `entries` in this order and return once they are on disk, by one sync for all of them.

        `time` (UTC) and `previous` are added. Raises ConfigError where the log cannot be written: what may not be
        written down may not be done.
        """
        if not entries:
            return
        try:
            with os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as stream:
                _lock(stream)
                previous, is_torn = _last_hash(stream)
                lines = [b"\n"] if is_torn else []
                for entry in entries:
                    line = encode({"time": _now(), **entry, "previous": previous})
                    previous = hashlib.sha256(line).hexdigest()
                    lines += [line, b"\n"]
                stream.write(b"".join(lines))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise ConfigError(
                _("the audit log {path} cannot be written: {reason}").format(path=self.path, reason=error.strerror)
            ) from error


def read(path: Path) -> Iterator[dict[str, object]]:
    """Entries of a log, oldest first; a line that is not JSON comes as `{"unreadable": text}`."""
    for line in _lines(path):
        try:
            entry = decode(line)
        except (ValueError, RecursionError):
            entry = None
        yield entry if isinstance(entry, dict) else {"unreadable": line[:256].decode(errors="replace")}


def verify(path: Path) -> Verdict:
    """Whether the chain of a log holds; an absent log is whole and empty."""
    previous, count = NO_LINE, 0
    for line in _lines(path):
        count += 1
        try:
            entry = decode(line)
            follows = isinstance(entry, dict) and entry.get("previous") == previous
        except (ValueError, RecursionError):
            # A line torn by a power cut stands alone: the line after it must name its hash.
            follows = True
        if not follows:
            return Verdict(count, previous, count)
        previous = hashlib.sha256(line).hexdigest()
    return Verdict(count, previous)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            while line := stream.readline(_LONGEST_LINE):
                yield line.rstrip(b"\n")
    except FileNotFoundError:
        return


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _lock(stream: BinaryIO) -> None:
    """Wait for other processes that append; the lock ends with the stream."""
    if os.name == "posix":
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX)


def _last_hash(stream: BinaryIO) -> tuple[str, bool]:
    """Hash of the last line, and whether that line was torn by a crash before its end."""
    end = stream.seek(0, os.SEEK_END)
    if end == 0:
        return NO_LINE, False
    size = 4096
    while True:
        start = max(0, end - size)
        stream.seek(start)
        tail = stream.read(end - start)
        body = tail.removesuffix(b"\n")
        cut = body.rfind(b"\n")
        if cut >= 0 or start == 0:
            return hashlib.sha256(body[cut + 1 :]).hexdigest(), not tail.endswith(b"\n")
        size *= 4
