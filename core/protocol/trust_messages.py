"""Messages by which consoles see, admit, restrict and revoke each other on an agent.

    console                          agent
    consoles.list (request)      ->
                                 <-  result: ConsolePage, several until `is_last`
    consoles.admit (request)     ->
    consoles.change (request)    ->
    consoles.revoke (request)    ->
                                 <-  result: ConsolesChanged, or error DENIED with the rule that forbids it

At level view the list has the line of the console that asks, and no other; the rest needs level run and what
`core.agent.console_rights` says.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from core.access_records import TrustedConsole
from core.protocol.messages import Short, register
from core.records import Level

NEVER = "never"

Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
End = Annotated[str, Meta(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|never)$")]
Networks = Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=16)]


class ConsoleQuery(Struct, frozen=True, kw_only=True):
    """`consoles.list` request: in pages, all answers with the request's id."""


class ConsolePage(Struct, frozen=True, kw_only=True):
    """Some of the consoles trusted; `may_admit` where the one that asks may let another in."""

    time_s: float
    consoles: Annotated[tuple[TrustedConsole, ...], Meta(max_length=1024)]
    may_admit: bool
    is_last: bool


class ConsoleAdmit(Struct, frozen=True, kw_only=True):
    """Trust the console of this certificate: its fingerprint is sent beside it, as its people have compared it.

    Without `expires` it ends when the one that admits it does; without `networks` it comes from where that one may.
    """

    certificate_pem: Annotated[str, Meta(max_length=3000)]
    fingerprint: Annotated[str, Meta(max_length=128)]
    name: Short = ""
    level: Level = Level.VIEW
    expires: Day | None = None
    networks: Networks = ()
    may_admit: bool = True
    operator: Short = ""


class ConsoleChange(Struct, frozen=True, kw_only=True):
    """Give a console another level or another last day (`never` takes it away); None leaves it as it is."""

    fingerprint: Annotated[str, Meta(max_length=128)]
    level: Level | None = None
    expires: End | None = None
    operator: Short = ""


class ConsoleRevoke(Struct, frozen=True, kw_only=True):
    """Trust a console no more, nor those that it admitted."""

    fingerprint: Annotated[str, Meta(max_length=128)]
    operator: Short = ""


class ConsolesChanged(Struct, frozen=True, kw_only=True):
    """Done, on disk; `fingerprints` are all consoles that it concerned."""

    fingerprints: Annotated[tuple[Short, ...], Meta(max_length=1024)]


register(ConsoleQuery, ConsolePage, ConsoleAdmit, ConsoleChange, ConsoleRevoke, ConsolesChanged)
