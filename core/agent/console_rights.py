"""What a console may do here in the end, and what it may do to the others: pure rules over the lines of the file.

A line with `by=` was written for a console that another one admitted. It is worth no more than the weakest line of the
chain above it: the lowest level, the earliest last day, only the networks that all of them cover. Where the console
that admitted it is gone, it is trusted no more; where that one was lowered, it is lowered with it. The chain is
followed upwards at each reading of the file, eight lines at most, so that neither a cycle nor a line that somebody
edited by hand ever widens anything: such lines trust nobody.

Who may change whom: each console itself (narrower alone), those it admitted and theirs; and from `manage` on all whose
line says no more than its own level. What is widened stays within the rights of the one who widens it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from core.protocol.messages import plain_text
from core.records import Level
from core.transport.identity import fingerprint_symbols

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

LONGEST_CHAIN = 8
MOST_CONSOLES = 256
"""Lines that a file may have before nobody is admitted any more; the agent's administrator is not bound by it."""

_OF_A_NETWORK = frozenset("0123456789abcdefABCDEF.:/")


class AuthorizedConsole(Struct, frozen=True, kw_only=True):
    """One line: who may come, from where (networks, empty: anywhere), until when (the end of that day, UTC).

    `admitted_by` is the fingerprint of the console that let it in, None where the administrator did; one that does not
    have `may_admit` lets nobody in.
    """

    fingerprint: str
    level: Level = Level.VIEW
    networks: tuple[str, ...] = ()
    expires: datetime.date | None = None
    admitted_by: str | None = None
    may_admit: bool = True
    name: str = ""

    def refusal(self, address: str, now_s: float) -> str | None:
        """Why a console that shows this certificate from `address` is refused now, None where it may come in."""
        if self.has_expired(now_s):
            return "expired"
        if self.networks and not _is_within(address, self.networks):
            return "address"
        return None

    def has_expired(self, now_s: float) -> bool:
        """True from the end of its last day on."""
        if self.expires is None:
            return False
        end = datetime.datetime.combine(self.expires, datetime.time(), datetime.UTC) + datetime.timedelta(days=1)
        return now_s >= end.timestamp()

    def line(self) -> str:
        """The line of the file."""
        words = [self.fingerprint, f"level={self.level.value}"]
        if self.networks:
            words.append("from=" + ",".join(self.networks))
        if self.expires is not None:
            words.append(f"expires={self.expires.isoformat()}")
        if self.admitted_by is not None:
            words.append(f"by={self.admitted_by}")
        if not self.may_admit:
            words.append("admit=no")
        return " ".join(words) + (f"  # {plain_text(self.name)}" if self.name else "")


def effective_rights(lines: Sequence[AuthorizedConsole]) -> dict[str, AuthorizedConsole]:
    """By the symbols of its fingerprint, each console with what its chain leaves to it; one without a chain is out."""
    known: dict[str, AuthorizedConsole] = {}
    for line in lines:
        known.setdefault(fingerprint_symbols(line.fingerprint), line)  # of two lines of one console the first counts
    found = ((symbols, _weakest(line, known)) for symbols, line in known.items())
    return {symbols: console for symbols, console in found if console is not None}


def descendants(lines: Iterable[AuthorizedConsole], fingerprint: str) -> set[str]:
    """Symbols of all consoles that this one admitted, that those admitted, and so on; itself is not among them."""
    children: dict[str, list[str]] = {}
    for line in lines:
        if line.admitted_by is not None:
            children.setdefault(fingerprint_symbols(line.admitted_by), []).append(fingerprint_symbols(line.fingerprint))
    own = fingerprint_symbols(fingerprint)
    found: set[str] = set()
    waiting = [own]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found and child != own:
                found.add(child)
                waiting.append(child)
    return found


def refusal_to_admit(
    own: AuthorizedConsole, wanted: AuthorizedConsole, lines: Sequence[AuthorizedConsole], *, is_open: bool
) -> str | None:
    """The rule by which `own` may not let `wanted` in, None where it may; `is_open` is the administrator's word."""
    if not is_open:
        return "the administrator of this agent lets no console admit another: admit = false"
    if own.level.rank < Level.RUN.rank:
        return "a console at level view admits nobody"
    if not own.may_admit:
        return "this console's line says admit=no"
    if fingerprint_symbols(wanted.fingerprint) in effective_rights(lines):
        return "that console is trusted here already; change its line instead"
    if _depth(own, lines) >= LONGEST_CHAIN:
        return f"a chain of admitted consoles has {LONGEST_CHAIN} lines at most"
    if len(lines) >= MOST_CONSOLES:
        return f"this agent trusts {MOST_CONSOLES} consoles already"
    if wanted.networks and own.networks and not _covers(own.networks, wanted.networks):
        return "its networks are wider than those of the console that admits it"
    return _refusal_to_widen(own, wanted.level, wanted.expires)


def may_change(own: AuthorizedConsole, line: AuthorizedConsole, lines: Sequence[AuthorizedConsole]) -> bool:
    """True where `own` may restrict or revoke the console of `line`."""
    if own.level.rank < Level.RUN.rank:
        return False
    symbols = fingerprint_symbols(line.fingerprint)
    if symbols == fingerprint_symbols(own.fingerprint) or symbols in descendants(lines, own.fingerprint):
        return True
    return own.level.rank >= Level.MANAGE.rank and line.level.rank <= own.level.rank


def refusal_to_change(
    own: AuthorizedConsole, line: AuthorizedConsole, wanted: AuthorizedConsole, lines: Sequence[AuthorizedConsole]
) -> str | None:
    """The rule by which `own` may not put `wanted` in the place of `line`, None where it may."""
    if not may_change(own, line, lines):
        return (
            "a console changes itself and those it admitted; from level manage on, those that have no more than itself"
        )
    is_raised = wanted.level.rank > line.level.rank
    is_longer = wanted.expires != line.expires and (
        wanted.expires is None or (line.expires is not None and wanted.expires > line.expires)
    )
    if fingerprint_symbols(line.fingerprint) == fingerprint_symbols(own.fingerprint) and (is_raised or is_longer):
        return "a console restricts itself and never raises itself"
    if not (is_raised or is_longer):
        return None
    if own.networks and not (line.networks and _covers(own.networks, line.networks)):
        return "that console comes from more networks than the one that would raise it"
    return _refusal_to_widen(own, wanted.level if is_raised else Level.VIEW, wanted.expires)


def _refusal_to_widen(own: AuthorizedConsole, level: Level, expires: datetime.date | None) -> str | None:
    if level.rank > own.level.rank:
        return f"level {level.value} is above that of the console that gives it ({own.level.value})"
    if own.expires is not None and (expires is None or expires > own.expires):
        return f"it would outlast the console that gives it, which ends on {own.expires.isoformat()}"
    return None


def _weakest(line: AuthorizedConsole, known: dict[str, AuthorizedConsole]) -> AuthorizedConsole | None:
    """What the chain above `line` leaves of it; None where the chain has a gap, a cycle, or more than eight lines."""
    above = line
    for _step in range(LONGEST_CHAIN):
        if above.admitted_by is None:
            return line
        parent = known.get(fingerprint_symbols(above.admitted_by))
        if parent is None:
            return None
        level = min(line.level, parent.level, key=lambda level: level.rank)
        days = [day for day in (line.expires, parent.expires) if day is not None]
        networks = _common(line.networks, parent.networks)
        if networks is None:
            return None
        may_admit = line.may_admit and parent.may_admit
        line = replace(line, level=level, expires=min(days, default=None), networks=networks, may_admit=may_admit)
        above = parent
    return None


def _depth(own: AuthorizedConsole, lines: Sequence[AuthorizedConsole]) -> int:
    known = {fingerprint_symbols(line.fingerprint): line for line in lines}
    depth, above = 1, own
    while above.admitted_by is not None and depth < LONGEST_CHAIN:
        parent = known.get(fingerprint_symbols(above.admitted_by))
        if parent is None:
            break
        depth, above = depth + 1, parent
    return depth


def network_of(text: str) -> IPv4Network | IPv6Network:
    """A network as a line names it; raises ValueError.

    No zone: behind its `%` the library takes any text for the name of an interface, blanks and whole options too.
    """
    import ipaddress  # only where a line says from=

    if not set(text) <= _OF_A_NETWORK:
        raise ValueError(f"{text!r} is no network")
    return ipaddress.ip_network(text, strict=False)


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...] | None:
    """The networks that both cover (none named: all of them); None where they share nothing."""
    if not one or not other:
        return one or other
    shared = [mine for mine in one if _covers(other, (mine,))]
    shared += [theirs for theirs in other if theirs not in shared and _covers(one, (theirs,))]
    return tuple(shared) or None


def _covers(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    """True when each network of `narrow` lies within one of `wide`."""
    outer = [network_of(text) for text in wide]
    return all(
        any(inner.version == around.version and inner.subnet_of(around) for around in outer)  # type: ignore[arg-type]  # of one version
        for inner in map(network_of, narrow)
    )


def _is_within(address: str, networks: tuple[str, ...]) -> bool:
    import ipaddress

    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network_of(network) for network in networks)
