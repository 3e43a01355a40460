"""What commands leave behind, and how the agent finds it: on Linux orphans are adopted, and end with their command.

The agent makes itself the reaper of its descendants: a process that forks twice and makes a session of its own becomes
a child of the agent, not of init. It is killed as soon as no command that began before it still runs, unless one of
those is allowed to leave daemons. What an agent that was itself killed has left running is found by the next one of its
folder, in a note of the commands that run; under systemd the service's cgroup has ended it already.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from core.agent.proc_files import boot_id

log = logging.getLogger("beffroi.agent")

_PR_SET_CHILD_SUBREAPER = 36
_TICK_S = 0.02
_MOST_PASSES = 20


class Entry(NamedTuple):
    """A process as the kernel lists it; `began_s` since the machine was started."""

    pid: int
    parent: int
    session: int
    state: str
    began_s: float


class _Note(msgspec.Struct):
    boot_id: str
    leaders: dict[int, float]


class Leftovers:
    """The commands that run, by the first process of each, and what they have orphaned. One in a process.

    Owned by the agent's loop.
    """

    def __init__(self) -> None:
        self._is_on = False
        self._is_reaper = False
        self._is_pending = False
        self._starting = 0
        self._running: dict[int, tuple[float, bool]] = {}
        self._leaving: deque[tuple[float, float]] = deque(maxlen=64)
        self._spared: set[int] = set()
        self._path: Path | None = None

    def watch(self, path: Path) -> None:
        """Adopt orphans from now on, and end what an earlier agent has noted in `path`.

        Only for a process that is an agent and nothing else. The first process of a container adopts everybody's
        orphans, and lets them be.
        """
        if sys.platform == "linux":
            self._is_on, self._path = os.getpid() != 1, path
            _end_noted(path)

    def began(self, leader: int, *, leaves_daemons: bool) -> None:
        """The first process of a command runs."""
        self._running[leader] = (_since_boot_s(), leaves_daemons)
        self._write_note()

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """Around the start of a command: until `began` tells its first process, that looks like an orphan."""
        self._before_first()
        self._starting += 1
        try:
            yield
        finally:
            self._starting -= 1
            self.sweep()

    def _before_first(self) -> None:
        """The library that asks the kernel is loaded by the first command."""
        if self._is_on and not self._is_reaper:
            self._is_reaper = True
            try:
                import ctypes

                ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            except (ImportError, OSError, AttributeError, MemoryError) as error:
                log.warning("what commands orphan is left to the service: %s", error)

    def ended(self, leader: int) -> None:
        """A command has ended: so does what it has orphaned."""
        began_s, leaves_daemons = self._running.pop(leader, (0.0, False))
        if leaves_daemons:
            self._leaving.append((began_s - _TICK_S, _since_boot_s() + _TICK_S))
        self._write_note()
        self._is_pending = self._is_on
        self.sweep()

    def sweep(self) -> None:
        """Kill the orphans of commands that have ended, reap the dead; costs a question to the kernel or none."""
        if self._starting or (not self._is_pending and not (self._spared and _has_dead_child())):
            return
        self._is_pending = False
        for _pass in range(_MOST_PASSES):
            # Killed in one pass, its children are orphans in the next.
            if not _has_children() or not self._kill_orphans():
                break

    def _kill_orphans(self) -> bool:
        """True where one was killed; what has to be looked at again makes this pending."""
        own, session = os.getpid(), os.getsid(0)
        found = processes()
        self._spared &= {entry.session for entry in found}
        has_killed = False
        for entry in found:
            if entry.parent != own or entry.session == session or entry.pid in self._running:
                continue
            if entry.state == "Z":
                _reap(entry.pid)
            elif self._is_spared(entry):
                self._is_pending = self._is_pending or entry.session not in self._spared
            else:
                log.warning("process %d, left behind by a command, is killed", entry.pid)
                _kill(entry.pid)
                has_killed = self._is_pending = True
        return has_killed

    def _is_spared(self, entry: Entry) -> bool:
        """True for what may still belong to a command that runs, and for daemons: theirs is the whole session."""
        if entry.session in self._spared:
            return True
        earlier = [leaves for began_s, leaves in self._running.values() if began_s <= entry.began_s + _TICK_S]
        if any(earlier) or any(began_s <= entry.began_s <= ended_s for began_s, ended_s in self._leaving):
            self._spared.add(entry.session)
            return True
        return bool(earlier)

    def _write_note(self) -> None:
        if self._path is None:
            return
        leaders = {leader: began_s for leader, (began_s, leaves_daemons) in self._running.items() if not leaves_daemons}
        try:
            self._path.write_bytes(msgspec.json.encode(_Note(boot_id(), leaders)))
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path, error.strerror)


LEFTOVERS = Leftovers()


def processes() -> list[Entry]:
    """All processes of a Linux machine, as far as they can be seen."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as stream:
                fields = stream.read(1024).rpartition(b")")[2].split()
            began_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
            found.append(Entry(int(name), int(fields[1]), int(fields[3]), fields[0].decode(), began_s))
        except (OSError, ValueError, IndexError):
            continue
    return found


def _has_children() -> bool:
    """One question to the kernel: also a dead child is one, until it is reaped."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _has_dead_child() -> bool:
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False


def _end_noted(path: Path) -> None:
    """Kill the sessions of the commands that an earlier agent of this folder was running when it was killed."""
    try:
        note = msgspec.json.decode(path.read_bytes(), type=_Note)
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        log.warning("%s cannot be read", path)
        return
    if note.boot_id != boot_id():
        return
    alive = {entry.pid: entry for entry in processes()}
    for leader, began_s in note.leaders.items():
        known = alive.get(leader)
        if known is not None and abs(known.began_s - began_s) > 1.0:
            continue  # another process has its number now
        for entry in alive.values():
            # A number is not given to a new process while a session bears it.
            if entry.session == leader and entry.began_s >= began_s - 1.0:
                log.warning("process %d, left running by an agent that was killed, is killed", entry.pid)
                _kill(entry.pid)
    path.unlink(missing_ok=True)


def _since_boot_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
