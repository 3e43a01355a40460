"""Which consoles the agents of a site trust: asked of an agent over its link, and changed there.

Each change is written to the audit log of this console before it is sent, as commands are, and its end after it; the
agent writes it to its own. What an agent lists is made fit to be shown before anybody sees it.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from msgspec import Raw, Struct

from core.access_records import TrustedConsole, TrustedConsoles
from core.audit import AuditLog
from core.errors import BeffroiError, RefusedError, RemoteProtocolError
from core.language import _
from core.protocol import messages
from core.protocol.messages import plain_text
from core.protocol.trust_messages import (
    NEVER,
    ConsoleAdmit,
    ConsoleChange,
    ConsolePage,
    ConsoleQuery,
    ConsoleRevoke,
    ConsolesChanged,
)
from core.records import Level
from core.services.agent_link import AgentLink
from core.services.console_cards import ConsoleCard
from core.transport.identity import fingerprint_octets, shown_fingerprint

MOST_CONSOLES = 2048
LONGEST_NAME = 64
AT_ONCE = 32
_MOST_NETWORKS = 16


class Acting(Struct, frozen=True):
    """Who changes something: the fingerprint of this console, its operator, and the log where it is written down."""

    fingerprint: str
    operator: str
    audit: AuditLog | None


async def trusted_consoles(link: AgentLink, machine: str) -> TrustedConsoles:
    """The consoles that the agent of `machine` trusts; at level view this console alone. Raises BeffroiError."""
    found: list[TrustedConsole] = []
    time_s, may_admit = 0.0, False

    def take(result: Raw) -> bool:
        nonlocal time_s, may_admit
        page = messages.decode_as(ConsolePage, result)
        found.extend(map(_plain, page.consoles))
        if len(found) > MOST_CONSOLES:
            raise RemoteProtocolError(f"a list of more than {MOST_CONSOLES} consoles")
        time_s, may_admit = page.time_s, page.may_admit
        return page.is_last

    await link.ask("consoles.list", ConsoleQuery(), take)
    return TrustedConsoles(machine=machine, time_s=time_s, consoles=tuple(found), may_admit=may_admit)


async def admit(
    link: AgentLink,
    machine: str,
    acting: Acting,
    card: ConsoleCard,
    level: Level,
    expires: datetime.date | None = None,
    *,
    may_admit: bool = True,
) -> tuple[str, ...]:
    """Have the console of `card` trusted on `machine`; fingerprints of those it concerned. Raises BeffroiError."""
    day = expires.isoformat() if expires is not None else None
    wanted = ConsoleAdmit(
        certificate_pem=card.certificate_pem,
        fingerprint=card.fingerprint,
        name=card.name,
        level=level,
        expires=day,
        may_admit=may_admit,
        operator=acting.operator,
    )
    words = ["consoles.admit", card.fingerprint, f"level={level.value}"] + ([f"expires={day}"] if day else [])
    return await _changed(link, machine, acting, wanted, words)


async def change(
    link: AgentLink,
    machine: str,
    acting: Acting,
    fingerprint: str,
    level: Level | None = None,
    expires: datetime.date | str | None = None,
) -> tuple[str, ...]:
    """Give a console another level or last day (`never` takes it away), None leaves it. Raises BeffroiError."""
    day = expires.isoformat() if isinstance(expires, datetime.date) else expires
    wanted = ConsoleChange(fingerprint=fingerprint, level=level, expires=day, operator=acting.operator)
    words = ["consoles.change", fingerprint]
    words += ([f"level={level.value}"] if level is not None else []) + ([f"expires={day}"] if day else [])
    return await _changed(link, machine, acting, wanted, words)


async def revoke(link: AgentLink, machine: str, acting: Acting, fingerprint: str) -> tuple[str, ...]:
    """Have a console, and those it admitted, trusted no more on `machine`. Raises BeffroiError."""
    wanted = ConsoleRevoke(fingerprint=fingerprint, operator=acting.operator)
    return await _changed(link, machine, acting, wanted, ["consoles.revoke", fingerprint])


async def _changed(
    link: AgentLink,
    machine: str,
    acting: Acting,
    wanted: ConsoleAdmit | ConsoleChange | ConsoleRevoke,
    words: list[str],
) -> tuple[str, ...]:
    entry = {
        "event": "consoles",
        "console": acting.fingerprint,
        "operator": acting.operator,
        "machine": machine,
        "argv": words,
    }
    done: list[str] = []

    def take(result: Raw) -> bool:
        done.extend(messages.decode_as(ConsolesChanged, result).fingerprints)
        return True

    async def write(**more: str) -> None:
        if acting.audit is not None:
            await asyncio.to_thread(acting.audit.append, [{**entry, **more}])

    await write(decision="send")
    try:
        await link.ask(words[0], wanted, take)
    except BeffroiError as error:
        is_refused = isinstance(error, RefusedError)
        await write(decision="refused" if is_refused else "unknown", rule=plain_text(str(error), 400))
        raise
    await write(decision="done")
    return tuple(done)


async def on_each(
    machines: Iterable[str],
    work: Callable[[str], Coroutine[Any, Any, Any]],
    ended: Callable[[str, Any, BeffroiError | None], object],
) -> None:
    """Do `work` for each machine, several at once; `ended` gets its name with the result, or with the error."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def attempt(name: str) -> None:
        async with slots:
            try:
                result = await work(name)
            except BeffroiError as error:
                ended(name, None, error)
            else:
                ended(name, result, None)

    await asyncio.gather(*map(attempt, machines))


def day_of(text: str) -> datetime.date | str:
    """A last day as typed: a date, or `never`; raises ValueError for anything else."""
    return NEVER if text == NEVER else datetime.date.fromisoformat(text)


def _plain(console: TrustedConsole) -> TrustedConsole:
    """A console as an agent tells it, without what could do harm; one without a real fingerprint ends the link."""
    try:
        own = shown_fingerprint(fingerprint_octets(console.fingerprint))
        above = console.admitted_by and shown_fingerprint(fingerprint_octets(console.admitted_by))
        expires = datetime.date.fromisoformat(console.expires).isoformat() if console.expires else None
    except ValueError as error:
        raise RemoteProtocolError(_("a console in the list of an agent cannot be read")) from error
    return TrustedConsole(
        fingerprint=own,
        name=plain_text(console.name, LONGEST_NAME),
        level=console.level,
        networks=tuple(plain_text(network, 64) for network in console.networks[:_MOST_NETWORKS]),
        expires=expires,
        admitted_by=above or None,
        is_own=console.is_own,
        may_change=console.may_change,
        is_online=console.is_online,
    )
