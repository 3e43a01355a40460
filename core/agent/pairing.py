"""The agent's side of pairing: windows that are open for a code, tries counted before they are checked.

A window lives in the file `pairing` of the agent's folder (0600), so that `agent pair` opens one in a running agent and
sees how it ended. The file holds the key that scrypt made of the code, not the code. A site code's window lives in the
memory of the agent that was started with it.
"""

from __future__ import annotations

import hmac
import os
from collections import OrderedDict
from pathlib import Path

import msgspec
from msgspec import Struct

from core.agent.consoles import AuthorizedConsole, Consoles
from core.errors import ConfigError, RefusedError, RemoteProtocolError
from core.home import check_private, read_regular, write_private
from core.language import _
from core.protocol.messages import PairBegin, PairChallenge, PairProof, plain_text
from core.protocol.pairing import (
    NONCE_OCTETS,
    SALT_OCTETS,
    agent_proof,
    console_proof,
    pairing_key,
    site_code_end,
    site_code_level,
)
from core.records import Level
from core.transport.certificate import console_certificate
from core.transport.identity import Identity, fingerprint_octets

TRIES = 5
ADDRESS_TRIES = 5
ADDRESS_PENALTY_S = 600.0
_ADDRESSES_REMEMBERED = 1024
_LARGEST_OCTETS = 16 * 1024


class Window(Struct, kw_only=True):
    """A time during which a code pairs. `ending` is None while open, else `used`, `expired` or `tries`.

    `is_automatic` marks a code that `agent run` has printed: nobody waits for it, and the next run makes another.
    """

    salt: bytes
    key: bytes
    level: Level
    end_s: float
    is_automatic: bool = False
    tries_left: int | None = TRIES
    ending: str | None = None
    console: str = ""

    def closed_reason(self, now_s: float) -> str | None:
        """Why the code pairs no more, None while it does."""
        if self.ending is not None:
            return self.ending
        return "expired" if now_s >= self.end_s else None


class PairingRefusedError(RefusedError):
    """A pairing that is refused; the text is a reason of PairingClosed, or `wrong`."""


class Attempt(Struct, frozen=True):
    """One console that has begun to pair on one link."""

    window: Window
    begin: PairBegin
    challenge: PairChallenge
    certificate_pem: str
    fingerprint: str
    address: str


def window_path(folder: Path) -> Path:
    """The file of the window in an agent's folder."""
    return folder / "pairing"


def open_window(folder: Path, code: str, level: Level, end_s: float, *, is_automatic: bool = False) -> Window:
    """Open a window for `code`, in place of an older one; the running agent notices it. Takes a tenth of a second."""
    salt = os.urandom(SALT_OCTETS)
    window = Window(salt=salt, key=pairing_key(code, salt), level=level, end_s=end_s, is_automatic=is_automatic)
    save_window(folder, window)
    return window


def save_window(folder: Path, window: Window) -> None:
    """Write the file of the window; raises ConfigError where it cannot be."""
    try:
        write_private(window_path(folder), msgspec.json.encode(window))
    except OSError as error:
        raise ConfigError(
            _("{path} cannot be written: {reason}").format(path=window_path(folder), reason=error.strerror)
        ) from error


def load_window(folder: Path) -> Window | None:
    """The window in the file, None where there is none or it cannot be read."""
    path = window_path(folder)
    try:
        check_private(path)
        return msgspec.json.decode(read_regular(path, _LARGEST_OCTETS), type=Window)
    except (OSError, ValueError, ConfigError):
        return None


def site_window(code: str) -> Window:
    """Window of a site code up to its last day, at its level; raises ValueError where `code` is none."""
    salt = os.urandom(SALT_OCTETS)
    return Window(
        salt=salt, key=pairing_key(code, salt), level=site_code_level(code), end_s=site_code_end(code), tries_left=None
    )


class PairingDesk:
    """Decides who is paired. Owned by the agent's loop; `now_s` is UTC epoch."""

    def __init__(self, folder: Path, identity: Identity, consoles: Consoles, max_level: Level) -> None:
        self._folder = folder
        self._identity = identity
        self._consoles = consoles
        self._max_level = max_level
        self._window: Window | None = None
        self._stamp: tuple[int, int] | None = None
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self.site: Window | None = None

    def refresh(self) -> None:
        """Read the file of the window again where it has changed."""
        try:
            found = window_path(self._folder).stat()
            stamp = (found.st_mtime_ns, found.st_ino)
        except OSError:
            stamp = None
        if stamp != self._stamp:
            self._stamp = stamp
            self._window = load_window(self._folder)

    def closed_reason(self, now_s: float) -> str | None:
        """Why nobody can pair now (a reason of PairingClosed), None while somebody can."""
        if self.site is not None and self.site.closed_reason(now_s) is None:
            return None
        return "closed" if self._window is None else self._window.closed_reason(now_s)

    def begin(self, begin: PairBegin, address: str, now_s: float) -> Attempt:
        """Answer a console that wants to pair.

        Raises PairingRefusedError, and RemoteProtocolError for what is no certificate.
        """
        self.refresh()
        window = self.site if begin.is_site_code else self._window
        reason = "closed" if window is None else window.closed_reason(now_s)
        if window is None or reason is not None:
            raise PairingRefusedError(reason)
        if begin.is_site_code and self._is_blocked(address, now_s):
            raise PairingRefusedError("tries")
        try:
            shown = console_certificate(begin.certificate_pem)
        except ValueError as error:
            raise RemoteProtocolError(f"what a console shows is not a certificate of a console: {error}") from error
        challenge = PairChallenge(salt=window.salt, nonce=os.urandom(NONCE_OCTETS))
        return Attempt(window, begin, challenge, shown.pem, shown.fingerprint, address)

    def prove(self, attempt: Attempt, proof: bytes, now_s: float) -> tuple[AuthorizedConsole, PairProof]:
        """Trust the console of a right proof and close the window of a one-time code; raises PairingRefusedError."""
        self.refresh()
        window = self.site if attempt.begin.is_site_code else self._window
        if window is None or window.salt != attempt.window.salt:
            raise PairingRefusedError("closed" if window is None else "used")
        reason = window.closed_reason(now_s)
        if reason is None and attempt.begin.is_site_code and self._is_blocked(attempt.address, now_s):
            reason = "tries"  # many may have begun before the first of them was wrong
        if reason is not None:
            raise PairingRefusedError(reason)
        self._count_try(window, attempt.address, now_s)
        fingerprints = fingerprint_octets(self._identity.fingerprint), fingerprint_octets(attempt.fingerprint)
        nonces = attempt.challenge.nonce, attempt.begin.nonce
        if not hmac.compare_digest(console_proof(window.key, *fingerprints, *nonces), proof):
            raise PairingRefusedError("wrong")
        level = min(window.level, self._max_level, key=lambda item: item.rank)
        console = AuthorizedConsole(
            fingerprint=attempt.fingerprint, level=level, name=plain_text(attempt.begin.name).strip()
        )
        self._consoles.add(console, attempt.certificate_pem)
        self._failures.pop(attempt.address, None)
        if window is self._window:
            window.ending, window.console, window.tries_left = "used", console.name, None
            self._save(window)
        answer = agent_proof(window.key, *fingerprints, *nonces)
        return console, PairProof(proof=answer, level=level, name=plain_text(self._identity.name))

    def _count_try(self, window: Window, address: str, now_s: float) -> None:
        """Count before checking, on disk, so that a restart gives no tries back."""
        if window.tries_left is not None:
            window.tries_left -= 1
            if window.tries_left <= 0:
                window.ending = "tries"
            self._save(window)
        else:
            count = self._failures.pop(address, (0, 0.0))[0]
            self._failures[address] = (count + 1, now_s)
            while len(self._failures) > _ADDRESSES_REMEMBERED:
                self._failures.popitem(last=False)

    def _is_blocked(self, address: str, now_s: float) -> bool:
        count, last_s = self._failures.get(address, (0, 0.0))
        if count and now_s - last_s > ADDRESS_PENALTY_S:
            del self._failures[address]
            return False
        return count >= ADDRESS_TRIES

    def _save(self, window: Window) -> None:
        save_window(self._folder, window)
        found = window_path(self._folder).stat()
        self._stamp = (found.st_mtime_ns, found.st_ino)
