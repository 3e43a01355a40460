"""The consoles that an agent trusts: `authorized_consoles`, one line each as in ssh's file, and their certificates.

    SHA256:ABCD-EFGH-… level=run from=10.1.0.0/16,192.0.2.7 expires=2027-12-31 by=SHA256:… admit=no  # name

`by=` names the console that admitted this one, `admit=no` forbids it to admit others (`core.agent.console_rights` says
what follows). A line that cannot be read trusts nobody: an unknown option never widens what a line allows. The file is
the truth and is read again whenever it changes; the agent's administrator may edit it by hand.
"""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from core.agent.console_rights import AuthorizedConsole, descendants, effective_rights, network_of
from core.errors import ConfigError
from core.home import Lock, check_private, make_private_folder, read_regular, write_private
from core.language import _
from core.protocol.messages import plain_text
from core.records import Level
from core.transport.identity import fingerprint_octets, fingerprint_of_pem, fingerprint_symbols, same_fingerprint

__all__ = ["AuthorizedConsole", "Consoles", "parse_line"]

log = logging.getLogger("beffroi.agent")

_LOCK_TIMEOUT_S = 5.0
_LARGEST_FILE_OCTETS = 1 << 20
MOST_PEM_OCTETS = 16 * 1024


def parse_line(line: str) -> AuthorizedConsole | None:
    """The console that a line names, None for a blank line or a comment; raises ValueError with the reason."""
    body, _hash, comment = line.partition("#")
    words = body.split()
    if not words:
        return None
    fingerprint_octets(words[0])
    console = {"level": "view", "from": "", "expires": "", "by": "", "admit": "yes"}
    said = set()
    for word in words[1:]:
        option, equals, value = word.partition("=")
        if not equals or not value or option not in console:
            raise ValueError(f"{word!r} is not one of level=, from=, expires=, by=, admit=")
        if option in said:
            raise ValueError(f"{option}= stands twice")
        said.add(option)
        console[option] = value
    networks = tuple(console["from"].split(",")) if console["from"] else ()
    for network in networks:
        network_of(network)
    if console["by"]:
        fingerprint_octets(console["by"])
    if console["admit"] not in ("yes", "no"):
        raise ValueError("admit= is yes or no")
    return AuthorizedConsole(
        fingerprint=words[0],
        level=Level(console["level"]),
        networks=networks,
        expires=datetime.date.fromisoformat(console["expires"]) if console["expires"] else None,
        admitted_by=console["by"] or None,
        may_admit=console["admit"] == "yes",
        name=plain_text(comment.strip()),
    )


class Consoles:
    """The file `authorized_consoles` of an agent's folder and the certificates beside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / "authorized_consoles"
        self._stamp: tuple[int, ...] | None = None
        self._consoles: tuple[AuthorizedConsole, ...] = ()
        self._rights: dict[str, AuthorizedConsole] = {}

    def refresh(self) -> bool:
        """Read the file again where it has changed; True when it had.

        A file that has become unreadable or open to others trusts nobody, and the log says why.
        """
        try:
            found = self.path.stat()
            # The time of change too: a file that becomes open to others keeps its content and the time of that.
            stamp = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
        except OSError:
            stamp = None
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self.read()
        except ConfigError as error:
            log.error("no console is trusted: %s", error)
            self._consoles, self._rights = (), {}
        return True

    def read(self) -> None:
        """Read the file now; raises ConfigError where it is open to others or cannot be read."""
        self._consoles = self._read()
        self._rights = effective_rights(self._consoles)
        for console in self._consoles:
            if fingerprint_symbols(console.fingerprint) not in self._rights:
                log.error("%s trusts %s no more: who admitted it is gone", self.path, console.fingerprint)

    def listed(self) -> tuple[AuthorizedConsole, ...]:
        """All lines as last read, each as it stands."""
        return self._consoles

    def find(self, fingerprint: str) -> AuthorizedConsole | None:
        """What this certificate may do here: its line, narrowed by the lines of those who admitted it."""
        return self._rights.get(fingerprint_symbols(fingerprint))

    def line_of(self, fingerprint: str) -> AuthorizedConsole | None:
        """The line of this certificate as it stands, of one that is trusted."""
        symbols = fingerprint_symbols(fingerprint)
        if symbols not in self._rights:
            return None
        return next(line for line in self._consoles if fingerprint_symbols(line.fingerprint) == symbols)

    def certificates(self) -> list[str]:
        """Certificates of the consoles listed; one that is missing or is another's is left out and logged."""
        pems = []
        for console in self._consoles:
            path = self._certificate_path(console.fingerprint)
            try:
                pem = read_regular(path, MOST_PEM_OCTETS).decode("ascii")
                if not same_fingerprint(fingerprint_of_pem(pem), console.fingerprint):
                    raise ValueError("it is another console's")
                pems.append(pem)
            except (OSError, ValueError) as error:
                log.error("certificate %s is of no use: %s", path, error)
        return pems

    def add(self, console: AuthorizedConsole, certificate_pem: str) -> None:
        """Trust `console` from now on, in place of an older line of the same certificate; on disk when this returns.

        Where it was not trusted before, lines of consoles that it had once admitted go: they do not come back with it.
        """
        path = self._certificate_path(console.fingerprint)
        make_private_folder(path.parent)
        write_private(path, certificate_pem.encode("ascii"))
        with self._locked():
            known, symbols = self._read(), fingerprint_symbols(console.fingerprint)
            gone = {symbols} if symbols in effective_rights(known) else {symbols} | descendants(known, symbols)
            self._write([*(line for line in self._lines() if _symbols_in(line) not in gone), _written(console)])

    def revoke(self, fingerprint: str) -> AuthorizedConsole | None:
        """Trust this certificate no more; the console it was, None where `fingerprint` does not name exactly one.

        It may be shortened to its first symbols, eight at least. All that it admitted go with it, and theirs.
        """
        found = self.named(fingerprint)
        if found is None:
            return None
        with self._locked():
            gone = {fingerprint_symbols(found.fingerprint)} | descendants(self._read(), found.fingerprint)
            self._write([line for line in self._lines() if _symbols_in(line) not in gone])
        for symbols in gone:
            self._certificate_path(symbols).unlink(missing_ok=True)
        return found

    def change(self, console: AuthorizedConsole, known: AuthorizedConsole) -> bool:
        """Put `console` in the place of `known`, the line of the same certificate; its name, and who admitted it, stay.

        False where that line is not what it was: somebody else has changed it since, and nothing of that is undone.
        """
        symbols = fingerprint_symbols(console.fingerprint)
        with self._locked():
            lines = self._lines()
            places = [place for place, line in enumerate(lines) if _symbols_in(line) == symbols]
            if not places or _read_line(lines[places[0]]) != known:
                return False
            lines[places[0]] = _written(console)
            self._write([line for place, line in enumerate(lines) if place not in places[1:]])
        return True

    def named(self, fingerprint: str) -> AuthorizedConsole | None:
        """The line that a whole or shortened fingerprint names, read now; None where it names none or several."""
        self.read()
        symbols = fingerprint_symbols(fingerprint)
        matches: dict[str, AuthorizedConsole] = {}
        for item in self._consoles:
            own = fingerprint_symbols(item.fingerprint)
            if own.startswith(symbols):
                matches.setdefault(own, item)  # of two lines of one console the first counts
        return next(iter(matches.values())) if len(symbols) >= 8 and len(matches) == 1 else None

    def _certificate_path(self, fingerprint: str) -> Path:
        return self._folder / "consoles" / f"{fingerprint_symbols(fingerprint)}.pem"

    def _read(self) -> tuple[AuthorizedConsole, ...]:
        consoles = []
        for number, line in enumerate(self._lines(), 1):
            try:
                console = parse_line(line)
            except ValueError as error:
                log.error("%s, line %d trusts nobody: %s", self.path, number, error)
                continue
            if console is not None:
                consoles.append(console)
        return tuple(consoles)

    def _lines(self) -> list[str]:
        if not self.path.exists():
            return []
        check_private(self.path)
        try:
            content = read_regular(self.path, _LARGEST_FILE_OCTETS)
        except OSError as error:
            raise ConfigError(
                _("{path} cannot be read: {reason}").format(path=self.path, reason=error.strerror)
            ) from error
        return content.decode(errors="replace").splitlines()

    def _write(self, lines: list[str]) -> None:
        write_private(self.path, "".join(line + "\n" for line in lines).encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among the processes of this home that change the file."""
        lock = Lock(self._folder / ".consoles.lock")
        deadline_s = time.monotonic() + _LOCK_TIMEOUT_S
        while not lock.take():
            if time.monotonic() > deadline_s:
                raise ConfigError(_("{path} is held by another process").format(path=lock.path))
            time.sleep(0.02)
        try:
            yield
        finally:
            lock.release()


def _symbols_in(line: str) -> str:
    """Symbols of the fingerprint that a line begins with, whatever it is."""
    return fingerprint_symbols((line.partition("#")[0].split() or [""])[0])


def _read_line(line: str) -> AuthorizedConsole | None:
    try:
        return parse_line(line)
    except ValueError:
        return None


def _written(console: AuthorizedConsole) -> str:
    """Its line; raises ConfigError where the file would say another thing than what is meant, its name aside."""
    line = console.line()
    found = _read_line(line)
    if len(line.splitlines()) != 1 or found is None or replace(found, name=console.name) != console:
        raise ConfigError(_("{path} cannot say this").format(path="authorized_consoles"))
    return line
