"""What a command finds around it: a fixed PATH and locale, and nothing of the agent's own environment."""

from __future__ import annotations

import os
import sys

_POSIX_PATH = "/usr/local/bin:/usr/bin:/bin"


def platform_name() -> str:
    """`linux`, `darwin` or `windows`: how policies and prefixes name an operating system."""
    return {"win32": "windows"}.get(sys.platform, sys.platform)


def command_path() -> str:
    """Where programs are looked for: the same on every POSIX machine, the system's own PATH on Windows."""
    return os.environ.get("PATH", os.defpath) if os.name == "nt" else _POSIX_PATH


def command_environment() -> dict[str, str]:
    """All the environment of a command."""
    environment = {"PATH": command_path(), "LANG": "C.UTF-8"}
    if os.name == "nt":
        # Without these Windows programs do not even load their libraries.
        environment |= {name: os.environ[name] for name in ("SYSTEMROOT", "COMSPEC", "PATHEXT") if name in os.environ}
    return environment


def find_program(name: str) -> str | None:
    """Path of a program by name or absolute path, None where there is none that may be started."""
    if os.name != "posix":
        import shutil  # an agent elsewhere is half a megabyte smaller without it

        return shutil.which(name, path=command_path())
    folders = command_path().split(os.pathsep)
    if "/" in name:  # a relative path would depend on the folder that the agent was started in
        folders = [""] if name.startswith("/") else []
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None
