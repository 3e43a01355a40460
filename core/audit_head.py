"""The head beside an audit log: how many lines it had, and the hash of the last, when an entry was written last.

A chain alone does not show a changed last line or a cut tail; the head does. It is a small file of fixed size, written
in place after the log is on disk, so that it is never ahead of the log: a crash between the two leaves a head that is
older, and lines after it which the chain alone covers until the next entry.
"""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct
from msgspec.json import Decoder, encode

NO_LINE = "0" * 64
"""Hash of the line before the first one."""

_OCTETS = 160


class Head(Struct, frozen=True):
    """`octets` is the length of the log up to the end of line number `lines`, whose hash is `last_hash`."""

    lines: int = 0
    octets: int = 0
    last_hash: str = NO_LINE


class UnreadableHeadError(ValueError):
    """What lies beside the log is not what was written there."""


_decoder = Decoder(Head)


def head_path(log_path: Path) -> Path:
    """Where the head of a log lies."""
    return log_path.with_suffix(".head")


def read_head(log_path: Path) -> Head | None:
    """The head of a log, None where there is none; raises UnreadableHeadError, and OSError where it cannot be read."""
    try:
        with head_path(log_path).open("rb") as stream:
            content = stream.read(_OCTETS + 1)
    except FileNotFoundError:
        return None
    try:
        head = _decoder.decode(content)
    except ValueError as error:
        raise UnreadableHeadError(str(error)) from error
    if _encoded(head) != content:
        raise UnreadableHeadError("it is not as it was written")
    return head


def write_head(log_path: Path, head: Head) -> None:
    """Keep `head`; made (0600, on disk when this returns) where there was none, else without waiting for the disk."""
    path = head_path(log_path)
    is_new = not path.exists()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb", buffering=0) as stream:
        stream.write(_encoded(head))
        if is_new:
            os.fsync(stream.fileno())
        elif stream.seek(0, os.SEEK_END) != _OCTETS:
            stream.truncate(_OCTETS)
    if is_new and os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _encoded(head: Head) -> bytes:
    return encode(head).ljust(_OCTETS - 1) + b"\n"
