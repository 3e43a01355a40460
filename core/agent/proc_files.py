"""Files of /proc that are read again and again, and what they say of file systems and of the distribution."""

from __future__ import annotations

import os
from collections.abc import Iterator

from core.protocol.messages import plain_text

_MOST_HANDLES = 512
_LOCAL_FILE_SYSTEMS = frozenset(
    b"ext2 ext3 ext4 xfs btrfs zfs f2fs jfs reiserfs vfat exfat ntfs ntfs3 bcachefs nilfs2 overlay".split()
)
"""Their figures come without a network, so that asking for them never hangs."""


class ProcFile:
    """A file of /proc kept open: read again from its start it tells the present."""

    def __init__(self, path: str) -> None:
        try:
            self._handle: int | None = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._handle = None

    def read(self) -> bytes:
        """All of it, empty where this machine has no such file."""
        if self._handle is None:
            return b""
        parts = []
        offset = 0
        while part := os.pread(self._handle, 65536, offset):
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def __del__(self) -> None:
        if self._handle is not None:
            os.close(self._handle)


class StatFiles:
    """The file `stat` of every process, kept open from pass to pass: that halves what a pass costs.

    A handle belongs to its process and no other: once that has gone it reads nothing, even when its number is used
    again. At most 512 are held; processes beyond are opened and closed each time.
    """

    def __init__(self, proc: int) -> None:
        self._proc = proc
        self._handles: dict[str, int] = {}

    def read_all(self) -> Iterator[tuple[str, bytes]]:
        """Pid in digits and content of `stat`, of all processes that live to be read; one pass at a time.

        One by one: an agent keeps the memory that all of them at once would take.
        """
        before, self._handles = self._handles, {}
        try:
            for entry in os.listdir(self._proc):
                if not entry[0].isdigit():
                    continue
                handle = before.pop(entry, None)
                content = _read_at_start(handle) if handle is not None else b""
                if not content:
                    if handle is not None:
                        os.close(handle)
                    try:
                        handle = os.open(entry + "/stat", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc)
                    except OSError:
                        continue
                    content = _read_at_start(handle)
                if handle is not None:
                    if content and len(self._handles) < _MOST_HANDLES:
                        self._handles[entry] = handle
                    else:
                        os.close(handle)
                if content:
                    yield entry, content
        finally:
            for handle in before.values():
                os.close(handle)

    def close(self) -> None:
        """Let all handles go."""
        for handle in self._handles.values():
            os.close(handle)
        self._handles.clear()


def _read_at_start(handle: int) -> bytes:
    """What a file of /proc says now, empty where its process has gone."""
    try:
        return os.pread(handle, 1024, 0)
    except OSError:
        return b""


def os_version() -> str:
    """The name a distribution gives itself (os-release(5)), else the kernel's version."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                for line in stream:
                    if line.startswith("PRETTY_NAME="):
                        return plain_text(line.partition("=")[2].strip().strip("\"'"))
        except OSError:
            continue
    return plain_text(os.uname().version)


def mounts() -> tuple[bytes, ...]:
    """Where local file systems are mounted, each once, by its shortest path; snaps and other images left out."""
    shortest: dict[bytes, bytes] = {}
    try:
        with open("/proc/self/mounts", "rb") as stream:
            lines = stream.read().split(b"\n")
    except OSError:
        return ()
    for line in lines:
        fields = line.split(b" ")
        if len(fields) < 3 or fields[2] not in _LOCAL_FILE_SYSTEMS:
            continue
        source, mount = fields[0], _unescaped(fields[1])
        if fields[2] == b"overlay" and mount != b"/":
            continue
        if source not in shortest or len(mount) < len(shortest[source]):
            shortest[source] = mount
    return tuple(sorted(shortest.values())[:64])


def _unescaped(mount: bytes) -> bytes:
    """A path of /proc/self/mounts, where space, tab, newline and backslash stand as octal (proc(5))."""
    for escaped, octet in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        mount = mount.replace(escaped, octet)
    return mount


def boot_id() -> str:
    """What names this run of the system, the same until it is started again; empty where it tells none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            return stream.read().strip()
    except OSError:
        return ""
