"""The key of a console, opened: where its passphrase comes from, and how that is changed.

`[console] passphrase` in the settings says where a protected key gets its passphrase: `ask` (also where nothing is
said) asks whoever sits there, `keyring:NAME` the keyring of the desktop, anything else is a file of the home that its
user alone may read (0600). `BEFFROI_PASSPHRASE_FILE` names such a file for one command: a path is no secret, while a
passphrase in an environment would be. What cannot ask (`collect`, scripts) needs the keyring or a file, and says so.

A file beside the key protects it from who copies the key alone, such as a backup of the folder `console`; the keyring
and `ask` protect it also from who copies the whole home.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from core.config import Config, read_secret, save_setting
from core.errors import ConfigError, UsageError, WrongPassphraseError
from core.home import Home, write_private
from core.language import _, ngettext
from core.services.secrets import keyring_name, keyring_secret, set_keyring_secret
from core.transport.identity import Identity, Passphrase, ensure_identity, protect_key, unlocked

ASK = "ask"
FILE_VARIABLE = "BEFFROI_PASSPHRASE_FILE"
SHORTEST = 8
LONGEST = 256
TRIES = 3

Ask = Callable[[int], str | None]
"""Asks a person; gets how often it was wrong already, gives None where nobody answers."""


def open_identity(home: Home, config: Config, name: str, ask: Ask | None = None) -> Identity:
    """The console's identity with a key that is of use; `ask` is called up to three times where nobody else knows.

    Raises WrongPassphraseError (exit 3) where no passphrase opens it, ConfigError for a place that cannot be read. May
    wait for the user of the desktop, and takes some tenths of a second where the key is protected.
    """
    identity = ensure_identity(home.console_path, name)
    if not identity.is_protected:
        return identity
    given = passphrase_kept(home, config)
    if given is not None:
        return unlocked(identity, given)
    if ask is None:
        raise WrongPassphraseError(needs_asking_text(identity))
    for wrong in range(TRIES):
        typed = ask(wrong)
        if typed is None:
            raise WrongPassphraseError(needs_asking_text(identity))
        try:
            return unlocked(identity, Passphrase(typed))
        except WrongPassphraseError:
            continue
    raise WrongPassphraseError(_("the passphrase does not open the key {path}").format(path=identity.key_path))


def needs_asking_text(identity: Identity) -> str:
    """Why a protected key is of no use, and what helps where nobody can be asked."""
    return _(
        "the key {path} is protected by a passphrase, and there is nobody to be asked for it; set [console] passphrase "
        "to keyring:NAME or a file, or {variable} to the path of a file"
    ).format(path=identity.key_path, variable=FILE_VARIABLE)


def passphrase_kept(home: Home, config: Config) -> Passphrase | None:
    """The passphrase where a file or the keyring keeps it, None where a person must be asked; raises ConfigError."""
    named = os.environ.get(FILE_VARIABLE)
    if named:
        return Passphrase(read_secret(Path(named)))
    place = config.console.passphrase
    if place is None or place == ASK:
        return None
    name = keyring_name(place)
    if name is not None:
        return Passphrase(keyring_secret(name))
    return Passphrase(read_secret(home.path / Path(place).expanduser()))


def check_passphrase(text: str) -> Passphrase:
    """A new passphrase; raises UsageError where it is too short to protect anything."""
    if len(text) < SHORTEST:
        raise UsageError(
            ngettext(
                "a passphrase has {count} character at least", "a passphrase has {count} characters at least", SHORTEST
            ).format(count=SHORTEST)
        )
    if len(text) > LONGEST or text != text.strip() or not text.isprintable():
        raise UsageError(
            _(
                "a passphrase has {count} characters at most, no others than can be seen, and no space at its ends"
            ).format(count=LONGEST)
        )
    return Passphrase(text)


def change_passphrase(
    home: Home, identity: Identity, old: Passphrase | None, new: Passphrase | None, place: str = ASK
) -> Identity:
    """Protect the key by `new` (None: no more) and have it found at `place` from now on; the identity with it.

    The passphrase is kept at its place before the key is changed, and after the new one is on the disk beside the old
    one, so that neither a failure nor a kill in between locks anybody out. Raises WrongPassphraseError, ConfigError.
    """
    if identity.is_protected:
        unlocked(identity, old)

    def keep() -> None:
        if new is not None:
            _keep(home, new, place)

    changed = protect_key(identity, old if identity.is_protected else None, new, keep)
    save_setting(home, "console.passphrase", None if new is None else place)
    return changed


def _keep(home: Home, passphrase: Passphrase, place: str) -> None:
    if place == ASK:
        return
    name = keyring_name(place)
    if name is not None:
        set_keyring_secret(name, passphrase.reveal())
        return
    path = home.path / Path(place).expanduser()
    try:
        write_private(path, f"{passphrase.reveal()}\n".encode())
    except OSError as error:
        raise ConfigError(_("{path} cannot be written: {reason}").format(path=path, reason=error.strerror)) from error
