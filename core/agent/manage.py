"""Built-ins of level manage: end or kill one process, restart one service; each says in its answer what it has done.

    process-end PID STARTED      process-kill PID STARTED      service-restart NAME

STARTED is when that process began, in seconds since 1970 as a process table shows it: a number that another process has
got in the meantime is refused, and on Linux the signal goes through a pidfd, so that none can get it in between. Never
ended are the first process of the machine, the agent, and what it runs under. A service is one that runs, has failed,
or starts by itself: what never ran (a unit that switches the machine off, say) is not started by restarting it.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time

from core.agent.builtins import Answer
from core.agent.environment import find_program
from core.agent.program import Program

CLOCK_TOLERANCE_S = 2.0
ENDS_WITHIN_S = 5.0
_MOST_OCTETS = 64 * 1024
_KERNEL_THREAD = 0x00200000
_SYSTEMD = "/run/systemd/system"
_ETC = "/etc"
_CRASHED = 32
"""Exit status by which OpenRC says that a service runs no more and was not stopped."""

_SYSTEM_PATH = ":/usr/sbin:/sbin" if os.name == "posix" else ""
"""Where the programs of administrators are, and where the scripts of services look for theirs."""


class _RefusedError(Exception):
    """Why nothing was done."""


async def answer(words: tuple[str, ...]) -> Answer:
    """Answer words of `core.agent.builtins.level_of` manage. Cancelled, it leaves nothing running."""
    first = words[0]
    try:
        if first == "service-restart":
            return await _restart(words[1])
        number = getattr(signal, "SIGKILL", signal.SIGTERM) if first == "process-kill" else signal.SIGTERM
        return await _end(int(words[1]), float(words[2]), number)
    except _RefusedError as refusal:
        return Answer("", f"{first}: {refusal}\n", 1)


# Processes.


async def _end(pid: int, started_s: float, number: int) -> Answer:
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return await _end_by_psutil(pid, started_s, number)
    try:
        held = os.pidfd_open(pid)
    except (ProcessLookupError, OverflowError):
        raise _RefusedError(f"there is no process {pid}") from None
    except OSError as error:
        if pid in _own_line():
            _refuse_own(pid)
        raise _RefusedError(f"process {pid} cannot be held: {error.strerror}") from None
    try:
        # What is read now is of the process that is held, or that one has ended and no signal reaches another.
        name, parent, began_s, flags = _read_stat(pid)
        _check(pid, name, began_s, started_s)
        if flags & _KERNEL_THREAD or parent == 2:
            raise _RefusedError(f"{pid} {name} is a thread of the kernel, which cannot be ended")
        try:
            signal.pidfd_send_signal(held, number)
        except ProcessLookupError:
            raise _RefusedError(f"{pid} {name} has ended by itself") from None
        except PermissionError:
            raise _RefusedError(f"{pid} {name} belongs to {_owner(pid)}; {_who()} may not end it") from None
        has_ended = await _is_readable(held, ENDS_WITHIN_S)
    finally:
        os.close(held)
    return _ended(pid, name, number, has_ended=has_ended)


def _check(pid: int, name: str, began_s: float, started_s: float) -> None:
    if pid in _own_line():
        _refuse_own(pid)
    if abs(began_s - started_s) > CLOCK_TOLERANCE_S:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(began_s))
        raise _RefusedError(f"process {pid} is another one now: {name}, begun at {when} UTC")


def _refuse_own(pid: int) -> None:
    what = "the first process of this machine" if pid == 1 else "the agent, or what it runs under"
    raise _RefusedError(f"process {pid} is {what}, and is never ended")


def _ended(pid: int, name: str, number: int, *, has_ended: bool) -> Answer:
    is_kill = number != signal.SIGTERM
    if has_ended:
        return Answer(f"{'killed' if is_kill else 'ended'} {pid} {name}\n")
    advice = "" if is_kill else "; process-kill ends it at once"
    asked = "was killed" if is_kill else "was asked to end"
    return Answer("", f"{pid} {name} {asked} and is still there after {ENDS_WITHIN_S:g} s{advice}\n", 1)


def _own_line() -> set[int]:
    """The first process, the agent, its parent, and so on."""
    line, pid = {0, 1}, os.getpid()
    while pid > 1 and pid not in line:
        line.add(pid)
        if sys.platform != "linux":
            line.add(os.getppid())
            break
        try:
            pid = _read_stat(pid)[1]
        except _RefusedError:
            break
    return line


def _read_stat(pid: int) -> tuple[str, int, float, int]:
    """Name, parent, begin (seconds since 1970) and flags of a process; Linux alone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            before, _bracket, after = stream.read(4096).rpartition(b")")
        with open("/proc/uptime", "rb") as stream:
            boot_s = time.time() - float(stream.read(64).split()[0])
        fields = after.split()
        began_s = boot_s + int(fields[19]) / os.sysconf("SC_CLK_TCK")
        name = before.partition(b"(")[2].decode(errors="replace")
        return _printable(name), int(fields[1]), began_s, int(fields[6])
    except (OSError, ValueError, IndexError):
        raise _RefusedError(f"there is no process {pid}") from None


async def _is_readable(descriptor: int, timeout_s: float) -> bool:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        async with asyncio.timeout(timeout_s):
            await ended.wait()
        return True
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)


async def _end_by_psutil(pid: int, started_s: float, number: int) -> Answer:
    """Where there is no pidfd; psutil too looks whether the number is still that of the same process."""
    import psutil

    if pid in _own_line():
        _refuse_own(pid)
    try:
        process = psutil.Process(pid)
        name = _printable(process.name())
        _check(pid, name, process.create_time(), started_s)
        process.send_signal(number)
        for _turn in range(int(ENDS_WITHIN_S / 0.1)):
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return _ended(pid, name, number, has_ended=True)
            await asyncio.sleep(0.1)
        return _ended(pid, name, number, has_ended=False)
    except (psutil.NoSuchProcess, OverflowError):
        raise _RefusedError(f"there is no process {pid}") from None
    except psutil.AccessDenied:
        raise _RefusedError(f"process {pid} belongs to another user; {_who()} may not end it") from None


def _owner(pid: int) -> str:
    try:
        return _user_name(os.stat(f"/proc/{pid}").st_uid)
    except OSError:
        return "another user"


def _who() -> str:
    return f"the agent runs as {_user_name(os.getuid())} and" if os.name == "posix" else "the agent"


def _user_name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


# Services.


async def _restart(name: str) -> Answer:
    if os.name == "nt":
        command = f"Restart-Service -Name '{name}' -ErrorAction Stop"
        return await _restart_by(name, "powershell", "-NoProfile", "-NonInteractive", "-Command", command)
    if os.path.isdir(_SYSTEMD):
        return await _restart_unit(name)
    if not os.path.isfile(f"{_ETC}/init.d/{name}"):
        raise _RefusedError(f"there is no service {name} on this machine")
    if name == os.environ.get("RC_SVCNAME"):  # OpenRC says so to what it starts
        raise _RefusedError(f"{name} is the agent itself, whose end would be the end of this command")
    program = "service" if _found("rc-service") is None else "rc-service"
    if not _starts_by_itself(name) and (await _said(program, name, "status"))[0] not in (0, _CRASHED):
        raise _RefusedError(f"{name} does not run and does not start by itself: it is not restarted")
    return await _restart_by(name, program, name, "restart")


def _starts_by_itself(name: str) -> bool:
    """True for a service of a runlevel that a machine works in: those of its end have scripts, too."""
    levels = [f"{_ETC}/runlevels/{level}" for level in ("sysinit", "boot", "default")]
    if any(os.path.lexists(f"{level}/{name}") for level in levels):
        return True
    wanted = re.compile(rf"S[0-9]{{2}}{re.escape(name)}\Z")
    for level in "2345":
        try:
            if any(map(wanted.match, os.listdir(f"{_ETC}/rc{level}.d"))):
                return True
        except OSError:
            continue
    return False


async def _restart_by(name: str, *argv: str) -> Answer:
    status, text = await _said(*argv)
    return Answer(f"restarted {name}\n{text}") if status == 0 else _failed(name, status, text)


async def _restart_unit(name: str) -> Answer:
    unit = name if name.endswith(".service") else f"{name}.service"
    if "." in unit.removesuffix(".service") and re.search(r"\.(socket|target|timer|mount|path|slice|scope)$", name):
        raise _RefusedError(f"{name} is no service")
    before = await _unit(unit)
    if before.get("LoadState") != "loaded":
        raise _RefusedError(f"there is no service {unit} on this machine")
    if _own_unit() in (unit, before.get("Id")):
        raise _RefusedError(f"{unit} is the agent itself, whose end would be the end of this command")
    is_wanted = before.get("UnitFileState", "") in ("enabled", "enabled-runtime")
    if before.get("ActiveState") not in ("active", "activating", "reloading", "failed") and not is_wanted:
        raise _RefusedError(f"{unit} does not run and does not start by itself: it is not restarted")
    status, text = await _said("systemctl", "--no-ask-password", "--no-pager", "restart", "--", unit)
    if status != 0:
        return _failed(unit, status, text)
    after = await _unit(unit)
    state = f"{after.get('ActiveState', 'unknown')} ({after.get('SubState', 'unknown')})"
    pid = after.get("MainPID", "0")
    told = f"restarted {unit}: {state}" + (f", process {pid}" if pid != "0" else "")
    return Answer(f"{told}\n") if after.get("ActiveState") in ("active", "activating") else Answer("", f"{told}\n", 1)


async def _unit(unit: str) -> dict[str, str]:
    wanted = "--property=Id,LoadState,ActiveState,SubState,UnitFileState,MainPID"
    _status, text = await _said("systemctl", "--no-pager", "show", wanted, "--", unit)
    return dict(line.partition("=")[::2] for line in text.splitlines())


def _own_unit() -> str:
    """The service that this agent is, empty where it is none."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="replace") as stream:
            return next((part for part in reversed(stream.read().split("/")) if ".service" in part), "").strip()
    except OSError:
        return ""


def _found(name: str) -> str | None:
    """Path of a program of the system, None where there is none."""
    paths = (name, f"/usr/sbin/{name}", f"/sbin/{name}") if os.name == "posix" else (name,)
    return next((path for path in map(find_program, paths) if path is not None), None)


def _failed(name: str, status: int | None, text: str) -> Answer:
    return Answer("", f"{name} was not restarted: {text.strip() or f'exit status {status}'}\n", status or 1)


async def _said(*argv: str) -> tuple[int | None, str]:
    """Exit status of a program of the system, and what it has said."""
    path = _found(argv[0])
    if path is None:
        raise _RefusedError(f"{argv[0]}: no such program on this machine")
    said = bytearray()

    def put(_fd: int, data: bytes) -> None:
        said.extend(data[: max(0, _MOST_OCTETS - len(said))])

    try:
        program = await Program.start(path, argv, put, leaves_daemons=True, more_path=_SYSTEM_PATH)
    except OSError as error:
        raise _RefusedError(f"{argv[0]}: {error.strerror or error}") from None
    try:
        await asyncio.shield(program.ended)
    except asyncio.CancelledError:
        program.terminate()
        await program.gone()
        raise
    return program.exit_status, said.decode(errors="replace")
