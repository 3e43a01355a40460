"""Files of the home with a password or a key: read and written by their user alone."""

from __future__ import annotations

import re
from pathlib import Path

from core.errors import ConfigError
from core.home import Home, check_private, make_private_folder, write_private
from core.language import _


def secret_path(home: Home, name: str) -> Path:
    """The file that `password_file`, `key_file` or `auth_key_file` means."""
    return home.path / Path(name).expanduser()


def read_secret(path: Path) -> str:
    """First line of a file with a password or a key; raises ConfigError where others may read it, or it is empty."""
    check_private(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").strip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else _("not UTF-8 text")
        raise ConfigError(_("{path} cannot be read: {reason}").format(path=path, reason=reason)) from error
    if not lines:
        raise ConfigError(
            _("{path} is empty; it must hold the password or the key on its first line").format(path=path)
        )
    return lines[0].strip()


def save_secret(home: Home, name: str, secret: str) -> str:
    """Keep `secret` in the home's `secrets` folder, 0600; what to give as `key_file` and the like."""
    folder = make_private_folder(home.path / "secrets")
    name = re.sub(r"[/\\\x00-\x1f]|^\.+", "_", name)
    write_private(folder / name, f"{secret}\n".encode())
    return f"secrets/{name}"
