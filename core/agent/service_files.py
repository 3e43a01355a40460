"""The services of a Linux machine as files tell them: for an agent that starts no program.

systemd keeps a link `invocation:UNIT` in `/run/systemd/units` for every unit that is active, and the processes of a
service in its control group (systemd.unit(5), cgroups(7)); which services there are, and which start by themselves, is
in the folders of unit files. What failed cannot be told from what was stopped. OpenRC keeps a folder for each state.
"""

from __future__ import annotations

import os

from core.machine_records import Service
from core.protocol.messages import plain_text

MOST_SERVICES = 5_000
_UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
_SUFFIX = ".service"
_MOST_OCTETS = 65536
_DEEPEST = 4
_OPENRC_STATES = {
    "started": "running",
    "starting": "starting",
    "stopping": "stopping",
    "inactive": "starting",
    "failed": "failed",
}
"""Folders of /run/openrc; an inactive service was started and waits for something, such as a cable."""


def has_systemd(root: str = "") -> bool:
    """True where systemd has started this machine (sd_booted(3))."""
    return os.path.isdir(f"{root}/run/systemd/system")


def has_openrc(root: str = "") -> bool:
    """True where OpenRC has."""
    return os.path.isdir(f"{root}/run/openrc/started")


def openrc_services(root: str = "") -> list[Service]:
    """All services that OpenRC knows."""
    states: dict[str, str] = {}
    for folder, state in _OPENRC_STATES.items():
        for name in _names(f"{root}/run/openrc/{folder}"):
            states[name] = state
    automatic = {
        name
        for runlevel in _names(f"{root}/etc/runlevels")
        if runlevel != "shutdown"
        for name in _names(f"{root}/etc/runlevels/{runlevel}")
    }
    names = {name for name in _names(f"{root}/etc/init.d") if os.access(f"{root}/etc/init.d/{name}", os.X_OK)}
    return [
        Service(
            name=plain_text(name),
            description="",
            state=states.get(name, "stopped"),
            start_mode="automatic" if name in automatic else "manual",
        )
        for name in sorted(names | states.keys())
        if not name.endswith(".sh")  # parts of the others
    ][:MOST_SERVICES]


def systemd_services(root: str = "") -> list[Service]:
    """All services of systemd; one that has failed is `stopped` here."""
    active = {
        name.removeprefix("invocation:")
        for name in _names(f"{root}/run/systemd/units")
        if name.startswith("invocation:") and name.endswith(_SUFFIX)
    }
    pids: dict[str, int] = {}
    for group in (f"{root}/sys/fs/cgroup", f"{root}/sys/fs/cgroup/systemd"):
        _find_pids(f"{group}/system.slice", pids, _DEEPEST)
    wanted = _wanted(root)
    files = _unit_files(root)
    names = active | pids.keys() | {name for name in files if not name.endswith(f"@{_SUFFIX}")}
    found = []
    for name in sorted(names)[:MOST_SERVICES]:
        description, start_mode = _unit(name, files, name in wanted)
        found.append(
            Service(
                name=plain_text(name.removesuffix(_SUFFIX)),
                description=description,
                state="running" if name in active or name in pids else "stopped",
                start_mode=start_mode,
                pid=pids.get(name),
            )
        )
    return found


def _unit_files(root: str) -> dict[str, str]:
    """Path of each unit file; the first folder that has one counts."""
    files: dict[str, str] = {}
    for folder in _UNIT_FOLDERS:
        for name in _names(f"{root}{folder}"):
            if name.endswith(_SUFFIX):
                files.setdefault(name, f"{root}{folder}/{name}")
    return files


def _wanted(root: str) -> set[str]:
    """Units that a target starts."""
    return {
        name
        for folder in (f"{root}/etc/systemd/system", f"{root}/run/systemd/generator")
        for target in _names(folder)
        if target.endswith((".wants", ".requires"))
        for name in _names(f"{folder}/{target}")
    }


def _unit(name: str, files: dict[str, str], is_wanted: bool) -> tuple[str, str]:
    """Description and start mode of a unit; of `getty@tty1.service` those of `getty@.service`."""
    stem, at, instance = name.removesuffix(_SUFFIX).partition("@")
    path = files.get(name) or files.get(f"{stem}@{_SUFFIX}" if at else "")
    if path is None:
        return "", "unknown"
    if os.path.realpath(path) == "/dev/null":
        return "", "disabled"
    text = _text(path)
    lines = (line.partition("=") for line in text.splitlines())
    description = next((value for key, _sign, value in lines if key.strip() == "Description"), "").strip()
    for sign in ("%i", "%I"):
        description = description.replace(sign, instance)
    start_mode = "automatic" if is_wanted else "disabled" if "\n[Install]" in text else "manual"
    return plain_text(description), start_mode


def _find_pids(folder: str, pids: dict[str, int], depth: int) -> None:
    """The first process of each service below a control group."""
    for name in _names(folder):
        if name.endswith(_SUFFIX):
            pid = _first_pid(f"{folder}/{name}", 2)
            if pid is not None:
                pids[name] = pid
        elif name.endswith(".slice") and depth > 0:
            _find_pids(f"{folder}/{name}", pids, depth - 1)


def _first_pid(group: str, depth: int) -> int | None:
    words = _text(f"{group}/cgroup.procs").split()
    if words and words[0].isascii() and words[0].isdigit() and len(words[0]) < 11:
        return int(words[0])
    below = [f"{group}/{name}" for name in _names(group)] if depth > 0 else []
    for path in below:
        if os.path.isdir(path):
            pid = _first_pid(path, depth - 1)
            if pid is not None:
                return pid
    return None


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _text(path: str) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        return os.read(handle, _MOST_OCTETS).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(handle)
