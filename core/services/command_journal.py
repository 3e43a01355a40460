"""What this process has sent and not yet seen the end of, on disk, so that a later one finds it.

One folder in the home, `console/running`, two files for each process that has commands on their way: one is locked as
long as the process lives, whatever ends it, which is how a `run` beside a window is told from one that was killed; the
other holds a line for each command that is begun and for each that is settled. The audit log says what was sent and
how it ended; this says where in it to look, and what else a later process has to know to fetch a result.

Results count as settled some seconds after they were written to the audit log, when the history has them too.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct
from msgspec.json import Decoder, Encoder
from msgspec.structs import replace

from core.errors import ConfigError
from core.home import Lock, make_private_folder, write_private
from core.language import _
from core.records import CommandRequest

SETTLED_AFTER_S = 2.0
"""So long after its end a result is in the history too: a recorder writes each half second."""

_MOST_OCTETS = 4 << 20
"""A journal that has grown so long is written anew with what is still open."""
_LONGEST_JOURNAL = 64 << 20

log = logging.getLogger("beffroi.poller")


class SentRun(Struct, frozen=True, kw_only=True, tag="sent"):
    """A command and where it was to be sent, each machine with the run of its agent; `offset` into the audit log.

    `is_told` where an earlier process was killed and a later one has told these machines as unknown already.
    """

    request: CommandRequest
    machines: dict[str, str]
    offset: int = 0
    is_told: bool = False


class Settled(Struct, frozen=True, kw_only=True, tag="settled"):
    """Nothing more is to be learned of a command on these machines."""

    id: str
    machines: tuple[str, ...]


_encoder = Encoder()
_decoder: Decoder[SentRun | Settled] = Decoder(SentRun | Settled)


class CommandJournal:
    """The journal of one process; from any thread. Nothing is made before the first command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._file_lock: Lock | None = None
        self._path: Path | None = None
        self._open: dict[str, SentRun] = {}
        self._ended: list[tuple[float, str, tuple[str, ...]]] = []
        self._octets = 0
        self._is_held = False

    def begin(self, sent: SentRun) -> None:
        """Have `sent` on disk before its command leaves; raises ConfigError where that cannot be."""
        with self._lock:
            known = self._open.get(sent.request.id)
            if known is not None:
                sent = replace(
                    known,
                    request=replace(
                        known.request,
                        machines=tuple(dict.fromkeys((*known.request.machines, *sent.request.machines))),
                    ),
                    machines={**known.machines, **sent.machines},
                    offset=min(known.offset, sent.offset),
                )
            self._open[sent.request.id] = sent
            self._write_ended()
            self._write(sent, is_synced=True)

    def settle(self, run_id: str, machines: Iterable[str]) -> None:
        """The results of a command on these machines are known and written to the audit log."""
        with self._lock:
            self._ended.append((time.monotonic(), run_id, tuple(machines)))
            self._write_ended()

    def hold(self) -> None:
        """The history did not take the last results: they are left for the next process, by the audit log."""
        self._is_held = True

    def close(self) -> None:
        """The process ends in order: what is settled is gone, what is not is left for the next one."""
        with self._lock:
            if not self._is_held:
                self._write_ended(is_all=True)
            if self._path is not None and not self._open:
                self._path.unlink(missing_ok=True)
            if self._file_lock is not None:
                if not self._open:
                    self._file_lock.path.unlink(missing_ok=True)
                self._file_lock.release()
            self._path = self._file_lock = None

    def _write_ended(self, *, is_all: bool = False) -> None:
        now_s = time.monotonic()
        while self._ended and (is_all or now_s - self._ended[0][0] >= SETTLED_AFTER_S):
            _time_s, run_id, machines = self._ended.pop(0)
            known = self._open.get(run_id)
            if known is None:
                continue
            left = {name: run for name, run in known.machines.items() if name not in machines}
            if left:
                self._open[run_id] = replace(known, machines=left)
            else:
                del self._open[run_id]
            try:
                if self._open and self._octets < _MOST_OCTETS:
                    self._write(Settled(id=run_id, machines=machines))
                else:
                    self._write_anew()
            except ConfigError as error:  # the next process looks once more at what is settled, and finds it so
                log.warning("%s", error)

    def _write(self, line: SentRun | Settled, *, is_synced: bool = False) -> None:
        if self._path is None:
            self._make()
        assert self._path is not None
        content = _encoder.encode(line) + b"\n"
        try:
            with self._path.open("ab") as stream:
                stream.write(content)
                if is_synced:
                    stream.flush()
                    os.fsync(stream.fileno())
        except OSError as error:
            raise _unwritable(self._path, error) from error
        self._octets += len(content)

    def _write_anew(self) -> None:
        if self._path is None:
            return
        content = b"".join(_encoder.encode(sent) + b"\n" for sent in self._open.values())
        try:
            if content:
                write_private(self._path, content)
            else:
                os.truncate(self._path, 0)
        except OSError as error:
            raise _unwritable(self._path, error) from error
        self._octets = len(content)

    def _make(self) -> None:
        make_private_folder(self.folder)
        token = f"{os.getpid()}-{secrets.token_hex(4)}"
        lock = Lock(self.folder / f"{token}.lock")
        if not lock.take():
            raise ConfigError(_("{path} is held by another process").format(path=lock.path))
        path = self.folder / f"{token}.jsonl"
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        except OSError as error:
            lock.release()
            raise _unwritable(path, error) from error
        self._file_lock, self._path = lock, path


class Leavings:
    """What processes that are gone have left in a folder; held, so that no other takes them too, until `remove`."""

    def __init__(self, folder: Path) -> None:
        self.runs: list[SentRun] = []
        self._held: list[tuple[Lock, Path]] = []
        found = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
        for path in found:
            lock = Lock(path.with_suffix(".lock"))
            try:
                is_free = lock.take()
            except ConfigError as error:
                log.warning("%s", error)
                continue
            if is_free:
                self._held.append((lock, path))
                self.runs.extend(_left_in(path))

    def close(self, *, is_taken_over: bool) -> None:
        """Let go of them: removed where they were taken over, else left for another."""
        for lock, path in self._held:
            if is_taken_over:
                path.unlink(missing_ok=True)
                lock.path.unlink(missing_ok=True)
            lock.release()
        self._held.clear()


def _left_in(path: Path) -> list[SentRun]:
    """The commands of a journal that are not settled; a line torn by a power cut is passed over."""
    left: dict[str, SentRun] = {}
    try:
        with path.open("rb") as stream:
            content = stream.read(_LONGEST_JOURNAL)
    except OSError as error:
        log.warning("%s cannot be read: %s", path, error)
        return []
    for text in content.splitlines():
        try:
            line = _decoder.decode(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, SentRun):
            left[line.request.id] = line
        elif (known := left.get(line.id)) is not None:
            machines = {name: run for name, run in known.machines.items() if name not in line.machines}
            if machines:
                left[line.id] = replace(known, machines=machines)
            else:
                del left[line.id]
    return list(left.values())


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(_("{path} cannot be written: {reason}").format(path=path, reason=error.strerror))
