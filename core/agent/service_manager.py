"""The services of this machine: of systemd by systemctl, of OpenRC by its files, of Windows by psutil.

`systemctl show` with a pattern tells all units that are loaded, the same on every version since years, with their
processes; `list-unit-files` adds those that are not. Both get a fixed argv, a clean environment, ten seconds together
and four MiB. A view-only agent starts no program: it tells what the files do (`core.agent.service_files`).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable

from core.agent.environment import find_program
from core.agent.service_files import MOST_SERVICES, has_openrc, has_systemd, openrc_services, systemd_services
from core.machine_records import Service
from core.protocol.messages import plain_text

PROGRAM_TIMEOUT_S = 10.0
MOST_OCTETS = 4 * 1024 * 1024

SHOW = (
    "systemctl",
    "--no-pager",
    "--all",
    "--property=Id,Description,LoadState,ActiveState,MainPID,UnitFileState",
    "show",
    "*.service",
)
UNIT_FILES = ("systemctl", "--no-pager", "--no-legend", "--plain", "--type=service", "list-unit-files")

_SUFFIX = ".service"
_STATES = {
    "active": "running",
    "reloading": "running",
    "refreshing": "running",
    "inactive": "stopped",
    "failed": "failed",
    "activating": "starting",
    "deactivating": "stopping",
}
"""A service that has done its work and counts as active is `running` too: it is on, as systemd sees it."""

_START_MODES = {
    "enabled": "automatic",
    "enabled-runtime": "automatic",
    "disabled": "disabled",
    "masked": "disabled",
    "masked-runtime": "disabled",
    "static": "manual",
    "indirect": "manual",
    "alias": "manual",
    "linked": "manual",
    "linked-runtime": "manual",
    "generated": "manual",
    "transient": "manual",
}
_WINDOWS_STATES = {
    "running": "running",
    "stopped": "stopped",
    "start_pending": "starting",
    "continue_pending": "starting",
    "stop_pending": "stopping",
    "pause_pending": "stopping",
    "paused": "stopped",
}
_VIEW_ONLY = "this agent is view-only and starts no program: a service that has failed is shown as stopped"

Found = tuple[list[Service], str, str]
"""The services, their manager, and what is missing of them in a sentence."""

InThread = Callable[[Callable[[], Found]], Awaitable[Found]]


async def services(in_thread: InThread, *, may_start_programs: bool) -> Found:
    """All services of this machine; `in_thread` runs what reads many files beside the loop."""
    if sys.platform == "win32":
        return await in_thread(_windows_services)
    if sys.platform != "linux":
        return [], "", f"this agent knows no service manager of {sys.platform}"
    if has_systemd():
        if not may_start_programs:
            return await in_thread(lambda: (systemd_services(), "systemd", _VIEW_ONLY))
        problem = "systemctl is not there"
        path = find_program("systemctl")
        if path is not None:
            try:
                async with asyncio.timeout(PROGRAM_TIMEOUT_S):
                    shown = await _output_of(path, SHOW)
                    files = await _output_of(path, UNIT_FILES)
                return await in_thread(lambda: (services_of_systemctl(shown, files), "systemd", ""))
            except TimeoutError:
                problem = f"systemctl did not answer within {PROGRAM_TIMEOUT_S:.0f} s"
            except OSError as error:
                problem = f"systemctl failed: {error.strerror or error}"
        problem += "; this is what files tell: a service that has failed is shown as stopped"
        return await in_thread(lambda: (systemd_services(), "systemd", problem))
    if has_openrc():
        return await in_thread(lambda: (openrc_services(), "OpenRC", ""))
    return [], "", "no service manager that this agent knows has started this machine: it knows systemd and OpenRC"


async def _output_of(path: str, argv: tuple[str, ...]) -> str:
    """What a program writes; raises OSError where it fails or writes too much. Ended with the caller."""
    from core.agent.program import Program  # a view-only agent never comes here

    content, complaint = bytearray(), bytearray()

    def put(fd: int, data: bytes) -> None:
        target = content if fd == 1 else complaint
        target.extend(data[: MOST_OCTETS + 1 - len(target)])
        if len(content) > MOST_OCTETS:
            program.kill()

    program = await Program.start(path, argv, put)
    try:
        await asyncio.shield(program.ended)
    except asyncio.CancelledError:
        program.kill()
        await program.gone()
        raise
    if len(content) > MOST_OCTETS:
        raise OSError(f"it wrote more than {MOST_OCTETS} octets")
    if program.exit_status != 0:
        said = plain_text(complaint.decode(errors="replace").strip(), 200)
        raise OSError(said or f"it ended with {program.exit_status}")
    return content.decode(errors="replace")


def services_of_systemctl(shown: str, unit_files: str) -> list[Service]:
    """The services in what `SHOW` and `UNIT_FILES` wrote; templates, and units without a file, are none."""
    found: dict[str, Service] = {}
    for block in shown.split("\n\n"):
        words = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        unit = words.get("Id", "")
        if not unit.endswith(_SUFFIX) or words.get("LoadState") == "not-found" or len(found) >= MOST_SERVICES:
            continue
        name = plain_text(unit.removesuffix(_SUFFIX))
        pid = words.get("MainPID", "0")
        found[name] = Service(
            name=name,
            description=plain_text(words.get("Description", "")),
            state=_STATES.get(words.get("ActiveState", ""), "unknown"),
            start_mode=_start_mode(words.get("UnitFileState", ""), words.get("LoadState", "")),
            pid=int(pid) if pid.isascii() and pid.isdigit() and pid != "0" and len(pid) < 11 else None,
        )
    for name, start_mode in _rows(unit_files):
        if name not in found and len(found) < MOST_SERVICES:
            found[name] = Service(name=name, description="", state="stopped", start_mode=start_mode)
    return sorted(found.values(), key=lambda service: service.name)


def _rows(unit_files: str) -> Iterable[tuple[str, str]]:
    for line in unit_files.splitlines():
        words = line.split()
        if len(words) < 2 or words[1] == "alias":  # its other name is there too
            continue
        if words[0].endswith(_SUFFIX) and not words[0].endswith(f"@{_SUFFIX}"):
            yield plain_text(words[0].removesuffix(_SUFFIX)), _start_mode(words[1], "")


def _start_mode(state: str, load: str) -> str:
    return _START_MODES.get("masked" if load == "masked" else state, "manual" if load == "loaded" else "unknown")


def _windows_services() -> Found:
    import psutil  # where there is no /proc the collector has it already

    found = []
    for service in psutil.win_service_iter():
        try:
            told = service.as_dict()
        except (psutil.Error, OSError):  # one that has just gone, or that the agent's account may not look into
            continue
        mode = told.get("start_type", "")
        found.append(
            Service(
                name=plain_text(told["name"]),
                description=plain_text(told.get("display_name") or ""),
                state=_WINDOWS_STATES.get(told.get("status", ""), "unknown"),
                start_mode=mode if mode in ("automatic", "manual", "disabled") else "unknown",
                pid=told.get("pid") or None,
            )
        )
    return found[:MOST_SERVICES], "Windows", ""
