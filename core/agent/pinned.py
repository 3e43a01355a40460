"""A script that the policy pins by its SHA-256: what was checked is what runs.

The file is opened once. On Linux its octets go into a sealed file in memory while they are counted in, and that one is
started, by its descriptor: nothing that happens to the path, or to the file itself, between check and start, or later
while an interpreter still reads, changes what runs. Such a script is named `/proc/self/fd/N` to itself: it finds
nothing beside it, which would not be pinned anyway. Elsewhere the path is started: between check and start lies a
moment.
"""

from __future__ import annotations

import hashlib
import os
import stat

LARGEST_OCTETS = 16 << 20
_CHUNK_OCTETS = 1 << 18
_MFD_EXEC = 0x10


class PinError(Exception):
    """A pinned script that may not run; the text says why."""


def open_pinned(path: str, sha256: str) -> int:
    """Descriptor of what is to be started in place of `path`, to be closed by the caller; raises PinError."""
    try:
        source = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise PinError(f"{path} cannot be read: {error.strerror}") from error
    try:
        found = os.fstat(source)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST_OCTETS:
            raise PinError(f"{path} is no file of at most {LARGEST_OCTETS >> 20} MiB, such as can be pinned")
        return _checked_copy(source, path, sha256)
    except OSError as error:
        raise PinError(f"{path} cannot be read: {error.strerror}") from error
    finally:
        os.close(source)


def _checked_copy(source: int, path: str, sha256: str) -> int:
    copy = _memory_file(os.path.basename(path))
    try:
        digest, octets = hashlib.sha256(), 0
        while chunk := os.read(source, _CHUNK_OCTETS):
            digest.update(chunk)
            octets += len(chunk)
            if octets > LARGEST_OCTETS:
                raise PinError(f"{path} grows while it is read")
            if copy is not None:
                _write_all(copy, chunk)
        if digest.hexdigest() != sha256:
            raise PinError(f"{path} has SHA-256 {digest.hexdigest()}, not the one of the policy")
        if copy is None:
            return os.dup(source)
        import fcntl

        fcntl.fcntl(copy, fcntl.F_ADD_SEALS, 0x1 | 0x2 | 0x4 | 0x8)  # neither seals, nor size, nor octets change now
        # What is open for writing cannot be started.
        return os.open(f"/proc/self/fd/{copy}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        if copy is not None:
            os.close(copy)


def _memory_file(name: str) -> int | None:
    """A file in memory that can be sealed and started, None where the system has none."""
    if not hasattr(os, "memfd_create"):
        return None
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    for more in (_MFD_EXEC, 0):  # kernels before 6.3 do not know it, and need it not
        try:
            return os.memfd_create(name[:64], flags | more)
        except OSError:
            continue
    return None


def _write_all(target: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(target, view) :]
