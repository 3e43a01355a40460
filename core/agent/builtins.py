"""The words of `run` that an agent answers itself, in the same way on every machine, without starting a program.

    os  ram  cpu  ip  uptime      ls|dir [-al] [PATH]      ps|Get-Process      python|python3 [--version]
    process-end PID STARTED      process-kill PID STARTED      service-restart NAME      (level manage)

Other forms of these words (`ls -l`) are not built-ins and go on to the policy. The text is never translated: answers of
many machines are compared with each other.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
import sys
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from core.agent.collector import Collector
from core.agent.environment import command_environment, command_path
from core.records import Level, Status

_MOST_ENTRIES = 10_000
_MOST_PYTHONS = 16
_PYTHON_TIMEOUT_S = 5.0
_PYTHON_NAME = re.compile(r"python(3(\.[0-9]+)?)?(\.exe)?\Z")
_MANAGE_USAGE = {
    "process-end": "process-end PID STARTED: two numbers, as a process table shows them",
    "process-kill": "process-kill PID STARTED: two numbers, as a process table shows them",
    "service-restart": "service-restart NAME: letters, digits and @ . : _ - alone",
}
_PID = re.compile(r"[1-9][0-9]{0,9}\Z")
_STARTED = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?\Z")
_SERVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_@.:-]{0,199}\Z")
_T = TypeVar("_T")
_MOST_THREADS = 32
_threads = 0
"""Threads that look for files, of commands that were given up too; counted in the agent's loop."""


class Answer(Struct, frozen=True):
    """What a built-in has to say."""

    stdout: str
    stderr: str = ""
    exit_status: int = 0


def is_builtin(words: tuple[str, ...]) -> bool:
    """True when the grammar of a built-in covers these words."""
    first, rest = words[0], words[1:]
    if first in ("os", "ram", "cpu", "ip", "uptime", "ps", "Get-Process"):
        return not rest
    if first in ("python", "python3"):
        return rest in ((), ("--version",))
    if first in ("ls", "dir"):
        paths = rest[1:] if rest[:1] in (("-al",), ("-la",)) else rest
        return len(paths) <= 1 and not any(path.startswith("-") or path == "" for path in paths)
    return False


def level_of(words: tuple[str, ...]) -> Level | None:
    """The level that these words need where they are a built-in, None where they are none."""
    first, rest = words[0], words[1:]
    if first not in _MANAGE_USAGE:
        return Level.RUN if is_builtin(words) else None
    if first == "service-restart":
        is_covered = len(rest) == 1 and _SERVICE.match(rest[0]) is not None
    else:
        is_covered = len(rest) == 2 and _PID.match(rest[0]) is not None and _STARTED.match(rest[1]) is not None
    return Level.MANAGE if is_covered else None


def misuse(words: tuple[str, ...]) -> str:
    """How a built-in of level manage is written, where these words begin as one and are none; else empty."""
    return _MANAGE_USAGE.get(words[0], "")


async def answer(words: tuple[str, ...], collector: Collector, status: Status) -> Answer:
    """Answer words of a built-in; `status` is a recent one. Cancelled, it leaves nothing behind."""
    first = words[0]
    if first in _MANAGE_USAGE:
        from core.agent import manage  # an agent that nobody manages stays smaller

        return await manage.answer(words)
    try:
        if first in ("ls", "dir"):
            is_long = words[1:2] in (("-al",), ("-la",))
            path = (words[2:] if is_long else words[1:]) or ("/" if os.name == "posix" else os.getcwd(),)
            return await _in_thread(lambda: _listing(path[0], is_long=is_long))
        if first in ("python", "python3"):
            return await _pythons(first)
    except OSError as error:
        return Answer("", f"{first}: {error}\n", 1)
    if first in ("ps", "Get-Process"):
        return _process_table(collector)
    return {"os": _os, "ram": _ram, "cpu": _cpu, "ip": _ip, "uptime": _uptime}[first](collector, status)


def _os(_collector: Collector, status: Status) -> Answer:
    system = status.system
    if system is None:
        return Answer("", "os: unknown\n", 1)
    rows = (
        ("System", system.os_version),
        ("Kernel", f"{system.os} {system.kernel}"),
        ("Architecture", system.architecture),
        ("Host name", system.hostname),
    )
    return Answer("".join(f"{name:13}{value}\n" for name, value in rows))


def _ram(_collector: Collector, status: Status) -> Answer:
    memory, swap = status.memory, status.swap
    if memory is None or swap is None:
        return Answer("", "ram: unknown\n", 1)
    rows = (
        ("Total", size_text(memory.total_bytes)),
        ("Used", f"{size_text(memory.used_bytes)}  ({memory.percent:.1f} %)"),
        ("Available", size_text(memory.available_bytes)),
        ("Free", size_text(memory.free_bytes)),
        ("Swap", f"{size_text(swap.used_bytes)} of {size_text(swap.total_bytes)}"),
    )
    return Answer("".join(f"{name:10}{value}\n" for name, value in rows))


def _cpu(_collector: Collector, status: Status) -> Answer:
    cpu = status.cpu
    if cpu is None:
        return Answer("", "cpu: unknown\n", 1)
    lines = [f"Model     {_cpu_model()}", f"Cores     {len(cpu.per_core_percent)}"]
    if cpu.percent is not None:
        lines.append(f"Used      {cpu.percent:.1f} %")
        lines.append("Per core  " + "  ".join(f"{percent:.1f}" for percent in cpu.per_core_percent))
    if cpu.load_average:
        lines.append("Load      " + "  ".join(f"{load:.2f}" for load in cpu.load_average))
    return Answer("\n".join(lines) + "\n")


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
            for line in stream:
                name, _colon, value = line.partition(":")
                if name.strip() in ("model name", "Model", "cpu model"):
                    return value.strip()
    except OSError:
        pass
    return os.uname().machine if os.name == "posix" else os.environ.get("PROCESSOR_IDENTIFIER", "unknown")


def _ip(collector: Collector, status: Status) -> Answer:
    name = status.system.hostname if status.system is not None else "unknown"
    rows = [f"{'Host name':13}{name}\n"]
    rows += [f"{interface:13}{address}\n" for interface, address in collector.interfaces()]
    return Answer("".join(rows))


def _uptime(_collector: Collector, status: Status) -> Answer:
    system = status.system
    if system is None:
        return Answer("", "uptime: unknown\n", 1)
    days, rest = divmod(int(system.uptime_s), 86400)
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(status.time_s - system.uptime_s))
    return Answer(f"up {days} d {rest // 3600:02}:{rest % 3600 // 60:02}, since {since} UTC\n")


def _process_table(collector: Collector) -> Answer:
    lines = [f"{'PID':>8} {'PARENT':>8} {'USER':12} {'CPU %':>6} {'MEMORY':>10}  NAME"]
    for process in collector.processes(time.monotonic()):
        lines.append(
            f"{process.pid:8} {process.parent_pid:8} {process.user[:12]:12} {process.cpu_percent:6.1f} "
            f"{size_text(process.memory_bytes):>10}  {process.name}"
        )
    return Answer("\n".join(lines) + "\n")


def size_text(octets: float) -> str:
    """Octets in the unit people read best: `4.2 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if octets < 1024:
            return f"{octets:.0f} B" if unit == "B" else f"{octets:.1f} {unit}"
        octets /= 1024
    return f"{octets:.1f} TiB"


def _listing(path: str, *, is_long: bool) -> Answer:
    """Names in a directory, one a line; with `-al` hidden ones too, each with mode, owner, size and time (UTC).

    A relative path is one below `/`, where programs start too, wherever the agent was started.
    """
    if os.name == "posix":
        path = os.path.join("/", path)
    try:
        if not stat.S_ISDIR(os.stat(path).st_mode):
            name = os.path.basename(path.rstrip("/")) or path
            return Answer(_long_line(path, name) if is_long else f"{_shown(path)}\n")
        names = []
        with os.scandir(path) as entries:
            for entry in entries:
                if is_long or not entry.name.startswith("."):
                    names.append(entry.name)
                if len(names) >= _MOST_ENTRIES:
                    break
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return Answer("", f"ls: {_shown(path)}: {reason}\n", 2)
    names.sort()
    if not is_long:
        lines = [f"{_shown(name)}\n" for name in names]
    else:
        lines = [_long_line(os.path.join(path, name), name) for name in (".", "..", *names)]
    more = f"ls: only the first {_MOST_ENTRIES} entries are listed\n" if len(names) >= _MOST_ENTRIES else ""
    return Answer("".join(lines), more)


def _long_line(path: str, name: str) -> str:
    try:
        found = os.lstat(path)
    except OSError as error:
        return f"{'?':10} {_shown(name)} ({error.strerror})\n"
    when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(found.st_mtime))
    target = ""
    if stat.S_ISLNK(found.st_mode):
        try:
            target = f" -> {_shown(os.readlink(path))}"
        except OSError:
            target = " -> ?"
    user, group = _owner(found.st_uid, found.st_gid)
    mode = stat.filemode(found.st_mode)
    return f"{mode} {found.st_nlink:3} {user:8} {group:8} {found.st_size:12} {when} {_shown(name)}{target}\n"


def _owner(uid: int, gid: int) -> tuple[str, str]:
    try:
        import grp
        import pwd
    except ImportError:
        return "-", "-"
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    try:
        group = grp.getgrgid(gid).gr_name
    except KeyError:
        group = str(gid)
    return user, group


def _shown(name: str) -> str:
    """A name on one line whatever it holds: control characters as escapes, foreign octets as U+FFFD."""
    text = os.fsencode(name).decode(errors="replace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


async def _pythons(asked: str) -> Answer:
    """`Python X.Y.Z` of the first one found, then every one with its path; the agent's own is last."""
    found = await _in_thread(lambda: _python_paths(asked))
    versions = await asyncio.gather(*(_python_version(path) for path in found))
    pythons = [(path, version) for path, version in zip(found, versions, strict=True) if version]
    own = os.path.realpath(sys.executable) if sys.executable else ""
    if own and own not in {os.path.realpath(path) for path, _version in pythons}:
        pythons.append((sys.executable, sys.version.split()[0]))
    if not pythons:
        return Answer("", f"{asked}: not found\n", 127)
    width = max(len(version) for _path, version in pythons)
    lines = [f"Python {pythons[0][1]}\n"]
    lines += [f"{version:{width}}  {_shown(path)}\n" for path, version in pythons]
    return Answer("".join(lines))


def _python_paths(asked: str) -> list[str]:
    """Interpreters on the PATH, each once: the name asked for first, then the other, then versioned ones."""
    order = {asked: 0, "python3": 1, "python": 2}
    found: dict[str, tuple[int, int, str]] = {}
    for place, folder in enumerate(command_path().split(os.pathsep)):
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            path = os.path.join(folder, name)
            if _PYTHON_NAME.match(name) and os.access(path, os.X_OK) and os.path.isfile(path):
                rank = (order.get(name.removesuffix(".exe"), 3), place, path)
                real = os.path.realpath(path)
                found[real] = min(found.get(real, rank), rank)
    return [path for _order, _place, path in sorted(found.values())[:_MOST_PYTHONS]]


async def _python_version(path: str) -> str:
    """What `PATH --version` says, empty where it says nothing of the kind in time."""
    try:
        process = await asyncio.create_subprocess_exec(
            path,
            "--version",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=command_environment(),
            cwd="/" if os.name == "posix" else None,
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(_PYTHON_TIMEOUT_S):
            assert process.stdout is not None
            said = (await process.stdout.read(256)).decode(errors="replace")
            await process.wait()
    except TimeoutError:
        return ""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    match = re.match(r"Python (\S{1,32})", said)
    return match.group(1) if match else ""


async def _in_thread(work: Callable[[], _T]) -> _T:
    """Result of `work`, done in a thread of its own that never holds up the end of the agent.

    A file system that hangs keeps the thread, not the loop; a pool's threads would be waited for at the end. Raises
    OSError where too many are kept already.
    """
    global _threads
    if _threads >= _MOST_THREADS:
        raise OSError(f"{_MOST_THREADS} others hang in a file system that does not answer")
    loop = asyncio.get_running_loop()
    result: asyncio.Future[_T] = loop.create_future()

    def settle(value: _T | None, error: BaseException | None) -> None:
        global _threads
        _threads -= 1
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]  # None only where _T allows it

    def run() -> None:
        value: _T | None = None
        error: BaseException | None = None
        try:
            value = work()
        except Exception as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(settle, value, error)
        except RuntimeError:
            return  # the loop has ended in the meantime

    threading.Thread(target=run, name="builtin", daemon=True).start()
    _threads += 1
    return await result
