"""Who is logged in on this machine: by files on Linux, so that no program is started; elsewhere by psutil.

`utmp` (utmp(5)) is a row of records of fixed length, which depends on the machine's words. Newer distributions keep
none, or an empty one; there systemd-logind tells each session in a small file of `/run/systemd/sessions`.
"""

from __future__ import annotations

import os
import stat
import struct
import sys

from core.machine_records import Session
from core.protocol.messages import plain_text

MOST_SESSIONS = 4096
_MOST_OCTETS = 4 * 1024 * 1024
_USER_PROCESS = 7
_LAST_TYPE = 9

_SHORT = struct.Struct("=h2xi32s4s32s256shhiII16s20s")
"""384 octets: session and time are 32 bits wide on x86, and on 64-bit machines that also run 32-bit programs."""
_LONG = struct.Struct("=h2xi32s4s32s256shhqqq16s20s4x")
"""400 octets: they are 64 bits wide elsewhere, such as on aarch64."""


def login_sessions(utmp: str = "/run/utmp", logind: str = "/run/systemd/sessions") -> tuple[list[Session], str]:
    """The sessions and what is missing of them, in a sentence."""
    if sys.platform != "linux":
        return _sessions_by_psutil(), ""
    problem = ""
    try:
        content = _content(utmp)
        found = sessions_of_utmp(content) if content else []
        if found:
            return found[:MOST_SESSIONS], _cut(found)
        if found is None:
            problem = f"{utmp} is written in a way that this agent does not know"
    except FileNotFoundError:
        problem = f"this machine keeps no list of who is logged in (no {utmp}), as is usual in a container"
    except OSError as error:
        problem = f"{utmp} cannot be read: {error.strerror}"
    files = _logind_files(logind)
    if files is None:
        return [], problem
    found = sorted(filter(None, map(session_of_logind, files)), key=lambda session: session.since_s or 0.0)
    return found[:MOST_SESSIONS], _cut(found)


def _cut(found: list[Session]) -> str:
    return f"only the first {MOST_SESSIONS} sessions are shown" if len(found) > MOST_SESSIONS else ""


def sessions_of_utmp(content: bytes) -> list[Session] | None:
    """The sessions in the content of a utmp file whose process lives; None where it is no such content."""
    for layout in (_SHORT, _LONG):
        records = list(layout.iter_unpack(content)) if len(content) % layout.size == 0 else []
        if records and all(0 <= record[0] <= _LAST_TYPE for record in records):
            return [
                Session(
                    user=_text(record[4]),
                    terminal=_text(record[2]),
                    host=_text(record[5]),
                    since_s=record[9] + record[10] / 1e6,
                )
                for record in records
                if record[0] == _USER_PROCESS and os.path.exists(f"/proc/{record[1]}")
            ]
    return None


def session_of_logind(content: str) -> Session | None:
    """The session of a state file of systemd-logind; None for one of no user, such as a greeter, or one that closes."""
    words = dict(line.split("=", 1) for line in content.splitlines() if "=" in line and not line.startswith("#"))
    if not words.get("CLASS", "user").startswith("user") or words.get("STATE") == "closing":
        return None
    began = words.get("REALTIME", "")
    is_time = began.isascii() and began.isdigit() and len(began) < 20
    return Session(
        user=plain_text(words.get("USER", words.get("UID", ""))),
        terminal=plain_text(words.get("TTY", words.get("DISPLAY", "")), 64),
        host=plain_text(words.get("REMOTE_HOST", "")),
        since_s=int(began) / 1e6 if is_time else None,
    )


def _logind_files(folder: str) -> list[str] | None:
    """What logind tells of each session; None where there is no logind."""
    if not os.path.isdir("/run/systemd/system") and folder.startswith("/run/systemd/"):
        return None  # the folder alone is there in containers too
    try:
        names = sorted(os.listdir(folder))[: MOST_SESSIONS + 1]
    except OSError:
        return None
    found = []
    for name in names:
        try:
            if not name.endswith(".ref"):  # a pipe beside each
                found.append(_content(f"{folder}/{name}").decode(errors="replace"))
        except OSError:
            continue
    return found


def _content(path: str) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.read(handle, _MOST_OCTETS) if stat.S_ISREG(os.fstat(handle).st_mode) else b""
    finally:
        os.close(handle)


def _text(field: bytes) -> str:
    return plain_text(field.partition(b"\0")[0].decode(errors="replace"))


def _sessions_by_psutil() -> list[Session]:
    import psutil  # where there is no /proc the collector has it already

    return [
        Session(
            user=plain_text(user.name),
            terminal=plain_text(user.terminal or "", 64),
            host=plain_text(user.host or ""),
            since_s=user.started,
        )
        for user in psutil.users()[:MOST_SESSIONS]
    ]
