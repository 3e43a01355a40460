"""The home folder: where everything of one installation lives, who may read it, and who holds it.

Folders are 0700 and files with secrets 0600; a wider one is refused with the command that mends it.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from core.errors import ConfigError
from core.language import _


def default_home() -> Path:
    """`BEFFROI_HOME`, else the platform's user data folder."""
    given = os.environ.get("BEFFROI_HOME")
    if given:
        return Path(given)
    import platformdirs  # imported here: an agent with --home never pays for it

    return Path(platformdirs.user_data_dir("beffroi", appauthor=False))


class Home:
    """Paths of one home; nothing is made before it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.config_path = self.path / "config.toml"
        self.console_path = self.path / "console"
        self.agent_path = self.path / "agent"
        self.database_path = self.path / "beffroi.db"
        self.log_path = self.path / "beffroi.log"
        self.exports_path = self.path / "exports"

    def make(self) -> Home:
        """Make the home folder where it is missing; raises ConfigError where it cannot be, or is open to others."""
        make_private_folder(self.path)
        return self

    def __repr__(self) -> str:
        return f"Home({str(self.path)!r})"


def make_private_folder(path: Path) -> Path:
    """Make `path` (0700) where it is missing; raises ConfigError where it is wider or cannot be made."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            _("{path} cannot be made a folder: {reason}").format(path=path, reason=error.strerror)
        ) from error
    check_private(path)
    return path


def check_private(path: Path) -> None:
    """Raise ConfigError where group or others may enter `path`, or where it belongs to another user."""
    if os.name != "posix":
        return
    try:
        found = path.stat()
    except OSError as error:
        raise ConfigError(_("{path} cannot be read: {reason}").format(path=path, reason=error.strerror)) from error
    wanted = 0o700 if stat.S_ISDIR(found.st_mode) else 0o600
    if found.st_uid not in (os.getuid(), 0):
        raise ConfigError(_("{path} belongs to another user; choose another home").format(path=path))
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise ConfigError(
            _("{path} is open to other users of this machine (mode {mode:03o}); try: chmod {wanted:o} {path}").format(
                path=path, mode=stat.S_IMODE(found.st_mode), wanted=wanted
            )
        )


def read_regular(path: Path, most: int) -> bytes:
    """A file of at most `most` octets; raises OSError also for a larger one, and for what is no file.

    What could make the reader wait (a pipe, a device) is opened without waiting, and not read.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, _("it is no file"), str(path))
        content = stream.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, _("it has more than {count} octets").format(count=most), str(path))
    return content


def write_private(path: Path, content: bytes) -> None:
    """Write a file with a secret: 0600 from its first byte, replaced as a whole, on disk when this returns."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


class Lock:
    """Lock on a file, held until `release` or the end of the process; the file holds a word for whoever finds it.

    Raises nothing when another process holds it: `take` says so; ConfigError where the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def take(self) -> bool:
        """True when this process now holds the lock."""
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(
                _("{path} cannot be written: {reason}").format(path=self.path, reason=error.strerror)
            ) from error
        try:
            if os.name == "posix":
                import fcntl

                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                import msvcrt  # Windows has no flock

                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]  # Windows alone
        except OSError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def release(self) -> None:
        """Let others take the lock."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
