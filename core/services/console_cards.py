"""What two operators hand each other so that a second console can work: a card one way, a site file the other.

The **card** is the certificate of a console (PEM, no secret), from its operator to one who is trusted already: that one
has it admitted. The **site file** goes back: the machines, with the certificate that each agent must show. Neither is
signed, and either may come by mail or on a stick: a card that was changed on its way would let a stranger in, a site
file would have commands go to his machines. So both ends show the same few words, the fingerprint of the card, the
check words of the site file (SHA-256 of its octets, the first 120 bits in base32), and the two people read them to each
other over a channel that they know each other by. Nobody who may change a file can change a voice with it, and a second
file of the same 120 bits is beyond anybody. A machine that is known already is never given another certificate by it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder
from msgspec.structs import replace

from core.errors import ConfigError, UsageError
from core.home import write_private
from core.language import _
from core.protocol.messages import plain_text
from core.records import Machine
from core.services.machine_fields import check_name, parse_address
from core.times import iso_time
from core.transport.certificate import MOST_CARD_OCTETS, console_certificate
from core.transport.identity import Identity, same_fingerprint

MOST_SITE_OCTETS = 64 << 20
_WORDS_SYMBOLS = 24
_Text = Annotated[str, Meta(max_length=256)]


class ConsoleCard(Struct, frozen=True):
    """A console as its operator hands it over; nothing of it is secret."""

    name: str
    fingerprint: str
    certificate_pem: str


class _SiteMachine(Struct, frozen=True, kw_only=True):
    name: _Text
    address: _Text
    groups: Annotated[tuple[_Text, ...], Meta(max_length=64)] = ()
    tags: Annotated[tuple[_Text, ...], Meta(max_length=64)] = ()
    fingerprint: _Text
    certificate: Annotated[str, Meta(max_length=3000)]


class _SiteDocument(Struct, frozen=True, kw_only=True):
    beffroi_site: Annotated[int, Meta(ge=1, le=1)]
    by: _Text = ""
    made: _Text = ""
    machines: Annotated[tuple[_SiteMachine, ...], Meta(max_length=100_000)]


class SiteFile(Struct, frozen=True, kw_only=True):
    """A site file as read: `words` to be compared with whoever made it, `refused` the lines of no use with a reason."""

    words: str
    by: str
    machines: tuple[Machine, ...]
    refused: tuple[tuple[str, str], ...] = ()


class SitePlan(Struct, frozen=True, kw_only=True):
    """What taking a site file would do: `machines` to be saved, those known as they are, and those refused."""

    machines: tuple[Machine, ...]
    same: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]


_decoder = Decoder(_SiteDocument)


def card_of(identity: Identity) -> ConsoleCard:
    """The card of our own console."""
    return ConsoleCard(identity.name, identity.fingerprint, identity.certificate_pem)


def card_text(card: ConsoleCard) -> str:
    """A card as a file or a message: two lines for people, then the certificate."""
    return f"Beffroi console: {plain_text(card.name)}\n{card.fingerprint}\n\n{card.certificate_pem.strip()}\n"


def read_card(text: str) -> ConsoleCard:
    """The console that a card names, by its certificate alone; raises UsageError with what is wrong."""
    try:
        found = console_certificate(text)
    except ValueError as error:
        raise UsageError(_("this is not the card of a console: {reason}").format(reason=error)) from error
    return ConsoleCard(plain_text(found.name, 64).strip(), found.fingerprint, found.pem)


def read_card_file(path: Path) -> ConsoleCard:
    """The card in a file; raises ConfigError where it cannot be read, UsageError where it is none."""
    return read_card(_content(path, MOST_CARD_OCTETS).decode("utf-8", "replace"))


def check_words(content: bytes) -> str:
    """What both ends of a site file read to each other: six groups of four symbols."""
    symbols = base64.b32encode(hashlib.sha256(content).digest()).decode()[:_WORDS_SYMBOLS]
    return "-".join(symbols[start : start + 4] for start in range(0, _WORDS_SYMBOLS, 4))


def same_words(one: str, other: str) -> bool:
    """True where two people mean the same check words, however they are written."""
    return _symbols(one) == _symbols(other) != ""


def site_document(machines: Iterable[Machine], by: str, now_s: float) -> tuple[bytes, int]:
    """The octets of a site file, and how many machines it holds: those that are paired, but for our own."""
    listed = [
        _SiteMachine(
            name=machine.name,
            address=machine.address,
            groups=machine.groups,
            tags=machine.tags,
            fingerprint=machine.fingerprint,
            certificate=machine.certificate_pem,
        )
        for machine in machines
        if machine.fingerprint and machine.certificate_pem and not machine.is_local
    ]
    document = _SiteDocument(beffroi_site=1, by=plain_text(by), made=iso_time(now_s) or "", machines=tuple(listed))
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n", len(listed)


def write_site(path: Path, machines: Iterable[Machine], by: str, now_s: float) -> tuple[str, int]:
    """Write a site file; its check words and the number of its machines. Raises ConfigError."""
    content, count = site_document(machines, by, now_s)
    try:
        write_private(path, content)
    except OSError as error:
        raise ConfigError(_("{path} cannot be written: {reason}").format(path=path, reason=error.strerror)) from error
    return check_words(content), count


def read_site(path: Path) -> SiteFile:
    """A site file, each machine of it checked; raises ConfigError where it is none."""
    content = _content(path, MOST_SITE_OCTETS)
    try:
        document = _decoder.decode(content)
    except (DecodeError, RecursionError) as error:
        raise ConfigError(_("{path} is not a site file: {reason}").format(path=path, reason=error)) from error
    machines: list[Machine] = []
    refused: list[tuple[str, str]] = []
    for listed in document.machines:
        try:
            machines.append(_machine(listed))
        except (UsageError, ValueError) as error:
            refused.append((plain_text(listed.name, 64), plain_text(str(error))))
    return SiteFile(
        words=check_words(content), by=plain_text(document.by), machines=tuple(machines), refused=tuple(refused)
    )


def site_plan(site: SiteFile, known: Sequence[Machine], most: int) -> SitePlan:
    """What to save of a site file; a certificate that is pinned here already stays as it is."""
    by_name = {machine.name: machine for machine in known}
    pins = {machine.fingerprint: machine.name for machine in known if machine.fingerprint}
    taken: dict[str, Machine] = {}
    same: list[str] = []
    refused = list(site.refused)
    for machine in site.machines:
        present = by_name.get(machine.name)
        if machine.name in taken:
            refused.append((machine.name, _("it stands there twice")))
        elif machine.fingerprint in pins:
            same.append(machine.name)
        elif present is not None and present.fingerprint is not None:
            refused.append(
                (machine.name, _("it is known here with another certificate; ask on the telephone which holds"))
            )
        elif present is not None:
            taken[machine.name] = replace(
                present,
                host=machine.host,
                port=machine.port,
                fingerprint=machine.fingerprint,
                certificate_pem=machine.certificate_pem,
            )
        elif len(known) + sum(name not in by_name for name in taken) >= most:
            refused.append((machine.name, _("the list takes {count} machines at most").format(count=most)))
        else:
            taken[machine.name] = machine
    return SitePlan(machines=tuple(taken.values()), same=tuple(same), refused=tuple(refused))


def _machine(listed: _SiteMachine) -> Machine:
    name = check_name(listed.name)
    host, port = parse_address(listed.address)
    found = console_certificate(listed.certificate, is_signature_checked=False)
    if not same_fingerprint(found.fingerprint, listed.fingerprint):
        raise ValueError(_("its certificate is not the one of its fingerprint"))
    return Machine(
        name=name,
        host=host,
        port=port,
        groups=tuple(filter(None, (_word(group) for group in listed.groups))),
        tags=tuple(filter(None, (_word(tag) for tag in listed.tags))),
        fingerprint=found.fingerprint,
        certificate_pem=found.pem,
    )


def _word(text: str) -> str:
    """A group or a tag without what lists and targets need for themselves."""
    plain = plain_text(text, 64).strip()
    return "".join(letter for letter in plain if letter not in ";,|*?[]@!")


def _content(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise ConfigError(_("{path} cannot be read: {reason}").format(path=path, reason=error.strerror)) from error
    if len(content) > limit:
        raise ConfigError(_("{path} is too large to be what is wanted").format(path=path))
    return content


def _symbols(words: str) -> str:
    return "".join(letter for letter in words.upper() if letter.isalnum())
