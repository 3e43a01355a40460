"""Who a console or an agent is: an ECDSA P-256 key, a self-signed certificate, and the fingerprint of the latter.

The fingerprint is the SHA-256 of the certificate (DER), written `SHA256:` and base32 in groups of four; case, spaces
and dashes do not matter when two are compared. Trust is a pinned certificate and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.json import encode
from msgspec.structs import replace

from core.errors import ConfigError, WrongPassphraseError
from core.home import Lock, check_private, make_private_folder
from core.language import _

_PREFIX = "SHA256:"
_KEY_MAKER = Path(__file__).with_name("key_maker.py")
_KEY_MAKER_TIMEOUT_S = 30.0
_LOCK = ".identity.lock"
_NEXT_KEY = ".key.pem.next"
_WRONG_PASSPHRASE = 3
"""Of the key maker: WRONG_PASSPHRASE there."""


class Passphrase:
    """A passphrase in memory; neither its repr nor its text shows it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The passphrase itself, for the one place that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Passphrase(…)"


class Identity(Struct, frozen=True):
    """Our own name, certificate and key; `certificate_pem` is what others pin.

    `passphrase` opens a key that is protected by one; without it such a key is of no use (`unlocked`).
    """

    name: str
    fingerprint: str
    certificate_path: Path
    key_path: Path
    certificate_pem: str
    passphrase: Passphrase | None = None

    @property
    def is_protected(self) -> bool:
        """True where the key lies under a passphrase."""
        return is_key_protected(self.key_path)

    def load_into(self, context: ssl.SSLContext) -> None:
        """Give our certificate and key to a TLS context.

        Raises WrongPassphraseError where the key is protected and this passphrase, or none, does not open it. The key
        goes from its file into OpenSSL and nowhere else. Takes some tenths of a second where it is protected.
        """
        given = self.passphrase

        def password() -> str:
            if given is None:  # without this function OpenSSL would ask on the terminal
                raise WrongPassphraseError(_("the key {path} is protected by a passphrase").format(path=self.key_path))
            return given.reveal()

        try:
            context.load_cert_chain(self.certificate_path, self.key_path, password=password)
        except ssl.SSLError as error:
            if not self.is_protected:
                raise
            raise WrongPassphraseError(
                _("the passphrase does not open the key {path}").format(path=self.key_path)
            ) from error


def is_key_protected(path: Path) -> bool:
    """True where a key file lies under a passphrase."""
    try:
        with path.open("rb") as stream:
            return b"ENCRYPTED PRIVATE KEY" in stream.readline(128)
    except OSError:
        return False


def unlocked(identity: Identity, passphrase: Passphrase | None) -> Identity:
    """`identity` with the passphrase of its key, tried out; raises WrongPassphraseError.

    A change of the passphrase that was broken off when the new one had been put in its place is brought to its end.
    """
    keep_out_of_core_dumps()
    found = replace(identity, passphrase=passphrase)
    try:
        _try_out(found)
    except WrongPassphraseError:
        if not _ends_change(found):
            raise
    return found


def protect_key(
    identity: Identity, old: Passphrase | None, new: Passphrase | None, keep: Callable[[], None] | None = None
) -> Identity:
    """Put the key of `identity` under another passphrase (None: under none); the identity with it.

    `keep` puts the new passphrase where it is found from now on: once there is a key for it beside the old one, and
    before it takes its place. So whenever this process is killed, what is kept opens one of the two (`unlocked`). The
    new file takes the place of the old one at once or not at all. Raises WrongPassphraseError, ConfigError.
    """
    folder = identity.key_path.parent
    draft = folder / _NEXT_KEY
    words = [sys.executable, "-P", str(_KEY_MAKER), "protect", str(identity.key_path), str(draft)]
    passphrases = {"old": old and old.reveal(), "new": new and new.reveal()}
    keep_out_of_core_dumps()
    with _locked(folder):
        try:
            draft.unlink(missing_ok=True)
            made = subprocess.run(  # noqa: S603 -- our own interpreter and script, no shell
                words,
                input=encode(passphrases),
                capture_output=True,
                timeout=_KEY_MAKER_TIMEOUT_S,
                check=False,
            )
            if made.returncode == _WRONG_PASSPHRASE:
                raise WrongPassphraseError(
                    _("the passphrase does not open the key {path}").format(path=identity.key_path)
                )
            if made.returncode != 0:
                last_line = made.stderr.decode(errors="replace").strip().rpartition("\n")[2]
                raise ConfigError(_("the key {path} cannot be changed: {reason}").format(path=draft, reason=last_line))
            changed = replace(identity, key_path=draft, passphrase=new)
            _try_out(changed)
            if keep is not None:
                keep()
            os.replace(draft, identity.key_path)
            return replace(changed, key_path=identity.key_path)
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = error.strerror if isinstance(error, OSError) else type(error).__name__
            raise ConfigError(
                _("the key {path} cannot be changed: {reason}").format(path=identity.key_path, reason=reason)
            ) from error
        finally:
            draft.unlink(missing_ok=True)


def keep_out_of_core_dumps() -> None:
    """A process that crashes leaves no memory on the disk from now on: a key or passphrase is in it."""
    if os.name == "posix":
        import resource

        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def _try_out(identity: Identity) -> None:
    identity.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def _ends_change(identity: Identity) -> bool:
    """Take the key that a change broken off has left beside the present one, where it is this passphrase's."""
    draft = identity.key_path.with_name(_NEXT_KEY)
    lock = Lock(draft.parent / _LOCK)
    if identity.passphrase is None or not is_key_protected(draft) or not lock.take():
        return False
    try:
        _try_out(replace(identity, key_path=draft))
        os.replace(draft, identity.key_path)
    except (WrongPassphraseError, OSError):
        return False
    finally:
        lock.release()
    return True


def _remove_drafts(folder: Path, key_path: Path) -> None:
    """Remove what a process killed in the midst of making a key has left; never a key in clear stays there."""
    drafts = list(folder.glob(f".{key_path.name}.*"))
    lock = Lock(folder / _LOCK)
    if not drafts or not lock.take():
        return
    try:
        for path in drafts:
            if path.name != _NEXT_KEY or not (is_key_protected(path) and is_key_protected(key_path)):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            _("{path} cannot be removed: {reason}").format(path=error.filename, reason=error.strerror)
        ) from error
    finally:
        lock.release()


def fingerprint_of(der: bytes) -> str:
    """Fingerprint of a certificate in DER.

    Check value: fingerprint_of(b"abc") begins with "SHA256:XJ4B-NP4P-AHH6".
    """
    return shown_fingerprint(hashlib.sha256(der).digest())


def shown_fingerprint(octets: bytes) -> str:
    """The 32 octets of a fingerprint as they are written."""
    symbols = base64.b32encode(octets).decode().rstrip("=")
    return _PREFIX + "-".join(symbols[start : start + 4] for start in range(0, len(symbols), 4))


def fingerprint_of_pem(pem: str) -> str:
    """Fingerprint of a certificate in PEM; raises ValueError where `pem` is none."""
    return fingerprint_of(ssl.PEM_cert_to_DER_cert(pem))


def fingerprint_symbols(fingerprint: str) -> str:
    """The 52 base32 symbols alone, upper case: what is compared, and what names a file."""
    symbols = "".join(fingerprint.split()).upper()
    return symbols.removeprefix(_PREFIX).replace("-", "")


def fingerprint_octets(fingerprint: str) -> bytes:
    """The 32 octets of the SHA-256; raises ValueError where `fingerprint` is none."""
    octets = base64.b32decode(fingerprint_symbols(fingerprint) + "====")
    if len(octets) != 32:
        raise ValueError(f"a fingerprint has 32 octets, this one {len(octets)}")
    return octets


def same_fingerprint(one: str, other: str) -> bool:
    """True when both name the same certificate, however they are written."""
    return hmac.compare_digest(fingerprint_symbols(one).encode(), fingerprint_symbols(other).encode())


def ensure_identity(folder: Path, name: str) -> Identity:
    """The identity kept in `folder`, made under the display name `name` where there is none yet.

    Blocks for some tenths of a second when it must be made. Raises ConfigError where the folder or the key is open to
    others, where one of the two files is missing, or where they cannot be made.
    """
    make_private_folder(folder)
    key_path, certificate_path = folder / "key.pem", folder / "certificate.pem"
    _remove_drafts(folder, key_path)
    if not (key_path.exists() and certificate_path.exists()):
        _make_under_lock(folder, key_path, certificate_path, name)
    check_private(key_path)
    try:
        certificate_pem = certificate_path.read_text(encoding="ascii")
        fingerprint = fingerprint_of_pem(certificate_pem)
    except (OSError, ValueError) as error:
        raise ConfigError(
            _("{path} is not a certificate; remove it and key.pem beside it, then pair again").format(
                path=certificate_path
            )
        ) from error
    return Identity(name, fingerprint, certificate_path, key_path, certificate_pem)


def _make_under_lock(folder: Path, key_path: Path, certificate_path: Path, name: str) -> None:
    """Make both files unless another process of this home is just doing it."""
    with _locked(folder):
        if key_path.exists() and certificate_path.exists():
            return
        for path, other in ((key_path, certificate_path), (certificate_path, key_path)):
            if path.exists():
                raise ConfigError(
                    _("{path} is missing beside {other}; put it back, or remove {other} and pair again").format(
                        path=other, other=path
                    )
                )
        _run_key_maker(folder, key_path, certificate_path, name)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Alone among the processes of this home that make or change keys."""
    lock = Lock(folder / _LOCK)
    deadline_s = time.monotonic() + _KEY_MAKER_TIMEOUT_S
    while not lock.take():
        if time.monotonic() > deadline_s:
            raise ConfigError(_("{path} is held by another process").format(path=lock.path))
        time.sleep(0.05)
    try:
        yield
    finally:
        lock.release()


def _run_key_maker(folder: Path, key_path: Path, certificate_path: Path, name: str) -> None:
    drafts = [folder / f".{path.name}.{os.getpid()}" for path in (key_path, certificate_path)]
    words = [sys.executable, "-P", str(_KEY_MAKER), str(drafts[0]), str(drafts[1]), name]
    try:
        made = subprocess.run(  # noqa: S603 -- our own interpreter and script, no shell
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_KEY_MAKER_TIMEOUT_S, check=False
        )
        if made.returncode != 0:
            last_line = made.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            reason = re.sub(r"^\w+: (\[Errno \d+\] )?", "", last_line)  # the name of the exception is for us
            raise ConfigError(_("no key could be made in {path}: {reason}").format(path=folder, reason=reason))
        os.replace(drafts[0], key_path)
        os.replace(drafts[1], certificate_path)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(_("no key could be made in {path}: {reason}").format(path=folder, reason=error)) from error
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)
