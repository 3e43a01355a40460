"""Runs one program: no shell, nothing on its stdin, a session of its own, ended as a whole when its time is up.

What it leaves behind is killed with it: its process group, and, on Linux, all its descendants, those too that have
made a session of their own, and those that were orphaned on purpose (`core.agent.leftovers`).
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any, cast

from core.agent.environment import command_environment
from core.agent.leftovers import LEFTOVERS, processes

TERM_GRACE_S = 2.0
_LEFTOVER_GRACE_S = 0.5
_KILL_PERIOD_S = 0.1
_KILL_ROUNDS = 20
_FREED = """umask 022
for limit in '-f unlimited' '-d unlimited' '-u unlimited' '-p unlimited' '-Hn 524288' '-Sn 1024'; do
    if (ulimit $limit) 2>/dev/null; then ulimit $limit; fi
done
exec "$@"
"""
"""What may leave a daemon gets the limits of one, as far as the agent may give them: it lives on for years."""


class Program(asyncio.SubprocessProtocol):
    """A running program. `ended` is done once it and all that held its output have gone."""

    def __init__(self, put: Callable[[int, bytes], None], *, leaves_daemons: bool = False) -> None:
        self._put = put
        self._leaves_daemons = leaves_daemons
        self._transport: asyncio.SubprocessTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def start(
        cls,
        path: str,
        argv: tuple[str, ...],
        put: Callable[[int, bytes], None],
        *,
        leaves_daemons: bool = False,
        descriptor: int | None = None,
        more_path: str = "",
    ) -> Program:
        """Start the program at `path` under the name `argv[0]`; raises OSError where it cannot be.

        A `descriptor` is what is started in place of the path: the program keeps it open. `more_path` is added to its
        PATH.
        """
        loop = asyncio.get_running_loop()
        environment = command_environment()
        if more_path:
            environment["PATH"] = environment.get("PATH", "") + more_path
        executable = path if descriptor is None else f"/proc/self/fd/{descriptor}"
        if leaves_daemons and os.name == "posix":
            argv, executable = ("sh", "-c", _FREED, "sh", executable, *argv[1:]), "/bin/sh"
        flags: dict[str, Any] = (
            {"start_new_session": True, "umask": 0o077} if os.name == "posix" else {"creationflags": 0x200}
        )
        with LEFTOVERS.starting():
            _transport, program = await loop.subprocess_exec(
                lambda: cls(put, leaves_daemons=leaves_daemons),
                *argv,
                executable=executable,
                pass_fds=() if descriptor is None else (descriptor,),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd="/" if os.name == "posix" else None,
                **flags,
            )
        return program

    @property
    def exit_status(self) -> int | None:
        """As a shell tells it: 128 and the signal's number where a signal ended the program; None while it runs."""
        code = self._transport.get_returncode() if self._transport is not None else None
        return 128 - code if code is not None and code < 0 else code

    def terminate(self) -> None:
        """Ask all of it to end, and kill what is still there after two seconds."""
        self._signal_all(signal.SIGTERM)
        self._later(TERM_GRACE_S, self._kill, _KILL_ROUNDS)

    def kill(self) -> None:
        """Kill all of it at once."""
        self._kill(_KILL_ROUNDS)

    async def gone(self) -> None:
        """Return once all of it is gone, even when the caller is cancelled: killing takes a bounded time."""
        while not self.ended.done():
            try:
                await asyncio.shield(self.ended)
            except asyncio.CancelledError:
                self.kill()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The program runs."""
        self._transport = cast(asyncio.SubprocessTransport, transport)
        LEFTOVERS.began(self._transport.get_pid(), leaves_daemons=self._leaves_daemons)
        if not self._leaves_daemons:
            _limit_cpu_time(self._transport.get_pid())

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """The program has written; always drained, so that it is never held up by its reader."""
        self._put(fd, data)

    def process_exited(self) -> None:
        """The program has ended; children that still hold its output have a moment to end too."""
        self._later(_LEFTOVER_GRACE_S, self._let_go if self._leaves_daemons else self._kill, _KILL_ROUNDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """The program has ended and its output is closed."""
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            pid = self._transport.get_pid()
            if not self._leaves_daemons:
                _signal_group(pid, _KILL)
            self._transport.close()
            LEFTOVERS.ended(pid)
        if not self.ended.done():
            self.ended.set_result(None)

    def _later(self, delay_s: float, call: Callable[[int], None], argument: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, call, argument)

    def _kill(self, rounds: int) -> None:
        """Kill again and again, since what forks may outrun one signal; at last let go of the output."""
        self._signal_all(_KILL)
        if rounds > 0:
            self._later(_KILL_PERIOD_S, self._kill, rounds - 1)
        else:
            self._let_go(0)

    def _let_go(self, _rounds: int) -> None:
        """Read no more of the output, whoever holds it."""
        if self._transport is not None:
            self._transport.close()

    def _signal_all(self, number: int) -> None:
        if self._transport is None:
            return
        pid = self._transport.get_pid()
        if self._transport.get_returncode() is not None and number == _KILL:
            LEFTOVERS.ended(pid)  # orphans may hold its output
        # Listed first: once the group is dead its members' children are orphans.
        lost = descendants(pid) if self._transport.get_returncode() is None else ()
        _signal_group(pid, number)
        for child in lost:
            _signal_group(child, number)
            _signal_one(child, number)


_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


def _signal_group(pid: int, number: int) -> None:
    if os.name != "posix":
        _signal_tree(pid)
        return
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def _signal_one(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def _signal_tree(pid: int) -> None:
    """Windows knows no groups of this kind; taskkill ends a process and its children."""
    subprocess.run(  # noqa: S603 -- a number of ours, no shell
        ["taskkill", "/T", "/F", "/PID", str(pid)],  # noqa: S607 -- found on the system's own PATH
        capture_output=True,
        check=False,
    )


def _limit_cpu_time(pid: int) -> None:
    """At most twenty minutes of CPU, whatever the clock on the wall says; the other limits are the agent's own."""
    if sys.platform == "linux":
        import resource

        try:
            resource.prlimit(pid, resource.RLIMIT_CPU, (1200, 1200))
        except (ProcessLookupError, PermissionError, ValueError):
            pass


def descendants(pid: int) -> tuple[int, ...]:
    """Children of `pid`, their children, and so on, itself left out; empty where there is no /proc."""
    if sys.platform != "linux":
        return ()
    children: dict[int, list[int]] = {}
    for entry in processes():
        children.setdefault(entry.parent, []).append(entry.pid)
    found: list[int] = []
    waiting = children.get(pid, [])
    while waiting:
        found += waiting
        waiting = [child for parent in waiting for child in children.get(parent, ())]
    return tuple(found)
