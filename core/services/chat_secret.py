"""The secret of a home by which its own room knows it again; it never travels (see `chat_events.stop_proof`)."""

from __future__ import annotations

import secrets
from pathlib import Path

from core.errors import ConfigError
from core.home import Home, check_private, write_private
from core.language import _

_BYTES = 32


def room_secret(home: Home) -> bytes:
    """The 32 bytes in `room.key` of the home, made when first needed; raises ConfigError."""
    path = home.path / "room.key"
    try:
        if not path.exists():
            write_private(path, secrets.token_bytes(_BYTES).hex().encode() + b"\n")
        check_private(path)
        found = bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    except ValueError:
        found = b""
    if len(found) != _BYTES:
        raise _unusable(path, _("it does not hold 64 hexadecimal digits; remove it, a new one is made"))
    return found


def _unusable(path: Path, reason: str) -> ConfigError:
    return ConfigError(_("{path} cannot be used: {reason}").format(path=path, reason=reason))
