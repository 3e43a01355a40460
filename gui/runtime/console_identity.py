"""The key and certificate of this console, opened in a thread: a passphrase takes some tenths of a second."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from core.config import Config
from core.home import Home
from gui.runtime.home_share import console_name

if TYPE_CHECKING:
    from core.transport.identity import Identity


async def opened_identity(home: Home, config: Config, passphrase: str | None = None) -> Identity:
    """The identity of the console of `home`, made where there is none yet.

    Without a passphrase, one that a file or the keyring keeps is taken. Raises WrongPassphraseError, ConfigError.
    """

    def opened() -> Identity:
        from core.services.console_key import open_identity
        from core.transport.identity import Passphrase, ensure_identity, unlocked

        name = console_name(config)
        if passphrase is None:
            return open_identity(home, config, name)
        return unlocked(ensure_identity(home.console_path, name), Passphrase(passphrase))

    return await asyncio.to_thread(opened)
