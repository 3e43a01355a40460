"""Keys and passwords of meters: from a file that its user alone may read (0600), or from the keyring of the desktop.

A setting such as `password_file` holds the name of a file, relative to the home, or `keyring:NAME`: then the secret is
the one that the platform's keyring keeps for the service `beffroi` and that name (`python -m keyring set beffroi NAME`
puts it there). The keyring may have to ask its user first, so it is only read where waiting harms nobody. A secret is
never part of a message, a log or a repr.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core.config import read_secret, secret_path
from core.errors import ConfigError
from core.home import Home
from core.language import _

if TYPE_CHECKING:
    from core.services.meter_sources import MeterSource

KEYRING = "keyring:"
SERVICE = "beffroi"
KEY_SIZES = (16, 32)
PASSWORD_LIMIT = 64
"""Octets of a password: no meter takes longer ones."""


def keyring_name(place: str) -> str | None:
    """The name in the keyring that a setting means; None for a file. Raises ConfigError for no name at all."""
    if not place.startswith(KEYRING):
        return None
    name = place.removeprefix(KEYRING).strip()
    if not name:
        raise ConfigError(_("{place} names nothing in the keyring; write keyring:NAME").format(place=place))
    return name


def file_secret(home: Home, file: str) -> tuple[str, str]:
    """What a file of the home holds on its first line, and its path for messages; raises ConfigError."""
    path = secret_path(home, file)
    return read_secret(path), str(path)


def octets_of_secret(field: str, text: str, place: str) -> bytes:
    """A password as its octets, a key from its hexadecimal digits; raises ConfigError that names `place` alone."""
    if field == "password":
        octets = text.encode()
        if not 0 < len(octets) <= PASSWORD_LIMIT:
            raise ConfigError(
                _("{path} must hold a password of {count} octets at most").format(path=place, count=PASSWORD_LIMIT)
            )
        return octets
    octets = b""
    with contextlib.suppress(ValueError):
        octets = bytes.fromhex(text)
    if len(octets) not in KEY_SIZES:
        raise ConfigError(_("{path} must hold a key of 32 hexadecimal digits on its first line").format(path=place))
    return octets


def with_secrets(source: MeterSource) -> MeterSource:
    """`source` with what the keyring keeps for it; raises ConfigError. May wait for the user of the desktop."""
    if not source.keyring:
        return source
    found = {field: octets_of_secret(field, keyring_secret(name), KEYRING + name) for field, name in source.keyring}
    return replace(
        source,
        keyring=(),
        key=found.get("key", source.key),
        auth_key=found.get("auth_key", source.auth_key),
        password=found.get("password", source.password),
    )


def set_keyring_secret(name: str, secret: str) -> None:
    """Have the keyring keep `secret` under `name`; raises ConfigError. May wait for the user of the desktop."""
    _with_keyring(name, lambda keyring: keyring.set_password(SERVICE, name, secret))


def keyring_secret(name: str) -> str:
    """What the keyring keeps under `name`; raises ConfigError. May wait for the user of the desktop."""
    secret: str | None = _with_keyring(name, lambda keyring: keyring.get_password(SERVICE, name))
    if not secret:
        raise ConfigError(
            _("the keyring knows no “{name}” of Beffroi; try: {line}").format(
                name=name, line=f"python -m keyring set {SERVICE} {name}"
            )
        )
    return secret.strip()


def _with_keyring(name: str, work: Callable[[Any], Any]) -> Any:
    try:
        import keyring  # whoever keeps no secret there needs not have it
        from keyring.errors import KeyringError
    except ImportError as error:
        raise ConfigError(
            _("{place} needs the package keyring; try: {line}").format(
                place=KEYRING + name, line="pip install '.[keyring]'"
            )
        ) from error
    try:
        return work(keyring)
    except KeyringError as error:
        raise ConfigError(
            _("the keyring of this desktop cannot be read ({reason}); unlock it, or use a file instead").format(
                reason=error or type(error).__name__
            )
        ) from error
