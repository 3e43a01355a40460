"""The desk of trust: consoles that list, admit, restrict and revoke consoles, within `core.agent.console_rights`.

What is asked for, and why it is refused, is written to the audit log before anything of it is done; what cannot be
written down is not done. The file `authorized_consoles` is all that changes here: the agent notices it as it notices
an administrator's edit, within a second, and ends what is no longer trusted.
"""

from __future__ import annotations

import datetime
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import Raw
from msgspec.json import Encoder
from msgspec.structs import replace

from core.access_records import TrustedConsole
from core.agent.console_rights import (
    AuthorizedConsole,
    descendants,
    may_change,
    network_of,
    refusal_to_admit,
    refusal_to_change,
)
from core.agent.desk import Desk
from core.agent.link_host import Request
from core.errors import ConfigError, RemoteProtocolError
from core.protocol import messages
from core.protocol.messages import plain_text
from core.protocol.trust_messages import (
    NEVER,
    ConsoleAdmit,
    ConsoleChange,
    ConsolePage,
    ConsoleRevoke,
    ConsolesChanged,
)
from core.records import Level
from core.transport.certificate import console_certificate
from core.transport.identity import fingerprint_octets, fingerprint_symbols, same_fingerprint, shown_fingerprint

if TYPE_CHECKING:
    from core.agent.link import AgentLink
    from core.agent.server import AgentServer

log = logging.getLogger("beffroi.agent")

LONGEST_NAME = 64
ADMISSIONS_AN_HOUR = 256
"""A certificate once pinned stays in the memory of the agent until it ends, also of a console that was revoked."""

_PAGE_OCTETS = 24 * 1024
_encoder = Encoder()


class _NotAllowedError(Exception):
    """Why a console does not get what it asks for: a rule, in the English that goes over the wire and into the log."""


class ConsoleDesk(Desk):
    """Answers `consoles.*`; owned by the agent's loop. `may_admit` is the administrator's word: `[agent] admit`."""

    capabilities = ("consoles",)

    def __init__(self, server: AgentServer, *, may_admit: bool = True) -> None:
        self._server = server
        self._may_admit = may_admit
        self._admissions: deque[float] = deque(maxlen=ADMISSIONS_AN_HOUR)

    def requests(self) -> dict[str, Request]:
        """See Desk."""
        return {
            "consoles.list": Request(Level.VIEW, self._guarded(self._on_list)),
            "consoles.admit": Request(Level.RUN, self._guarded(self._on_admit)),
            "consoles.change": Request(Level.RUN, self._guarded(self._on_change)),
            "consoles.revoke": Request(Level.RUN, self._guarded(self._on_revoke)),
        }

    def _on_list(self, link: AgentLink, number: int, _params: Raw) -> None:
        own = self._own(link)
        lines = self._server.consoles.listed()
        online = self._server.online_consoles()
        wanted = [line for line in lines if own.level.rank >= Level.RUN.rank or _is_same(line, own)]
        shown = [item for item in (self._shown(line, own, lines, online) for line in wanted) if item is not None]
        may_admit = self._may_admit and own.may_admit and own.level.rank >= Level.RUN.rank
        pages: list[list[TrustedConsole]] = [[]]
        octets = 0
        for console in shown:
            size = len(_encoder.encode(console)) + 1
            if octets + size > _PAGE_OCTETS and pages[-1]:
                pages.append([])
                octets = 0
            pages[-1].append(console)
            octets += size
        now_s = time.time()
        for place, page in enumerate(pages):
            is_last = place == len(pages) - 1
            link.answer(number, ConsolePage(time_s=now_s, consoles=tuple(page), may_admit=may_admit, is_last=is_last))

    def _shown(
        self, line: AuthorizedConsole, own: AuthorizedConsole, lines: Sequence[AuthorizedConsole], online: set[str]
    ) -> TrustedConsole | None:
        """A line as it counts here; None where nothing of it is left."""
        found = self._server.consoles.find(line.fingerprint)
        if found is None:
            return None
        counted = self._server.capped(found)
        return TrustedConsole(
            fingerprint=line.fingerprint,
            name=plain_text(line.name, LONGEST_NAME),
            level=counted.level,
            networks=counted.networks,
            expires=counted.expires.isoformat() if counted.expires else None,
            admitted_by=line.admitted_by,
            is_own=_is_same(line, own),
            may_change=may_change(own, line, lines),
            is_online=fingerprint_symbols(line.fingerprint) in online,
        )

    def _on_admit(self, link: AgentLink, number: int, params: Raw) -> None:
        asked = messages.decode_as(ConsoleAdmit, params)
        own = self._own(link)
        wanted = AuthorizedConsole(
            fingerprint=_written(asked.fingerprint),
            level=asked.level,
            networks=asked.networks or own.networks,
            expires=_day(asked.expires) if asked.expires is not None else own.expires,
            admitted_by=own.fingerprint,
            may_admit=asked.may_admit,
            name=plain_text(asked.name, LONGEST_NAME).strip(),
        )
        argv = ["consoles.admit", wanted.fingerprint, f"level={wanted.level.value}"]
        argv += [f"expires={wanted.expires}"] if wanted.expires is not None else []
        argv += [f"name={wanted.name}"] if wanted.name else []
        rule, pem = None, ""
        try:
            found = console_certificate(asked.certificate_pem)
            pem = found.pem
            if not same_fingerprint(found.fingerprint, wanted.fingerprint):
                rule = "the certificate is not the one of that fingerprint"
            for network in wanted.networks:
                network_of(network)
            if wanted.expires is not None and wanted.refusal("", time.time()) == "expired":
                rule = "its last day is over already"
        except ValueError as error:
            rule = f"it cannot be admitted: {error}"
        rule = rule or refusal_to_admit(own, wanted, self._server.consoles.listed(), is_open=self._may_admit)
        now_s = time.monotonic()
        if rule is None and len(self._admissions) == ADMISSIONS_AN_HOUR and now_s - self._admissions[0] < 3600:
            rule = f"this agent admits {ADMISSIONS_AN_HOUR} consoles an hour at most"
        self._decide(link, own, argv, asked.operator, rule)
        self._admissions.append(now_s)
        self._server.consoles.add(wanted, pem)
        self._done(link, number, [wanted.fingerprint])

    def _on_change(self, link: AgentLink, number: int, params: Raw) -> None:
        asked = messages.decode_as(ConsoleChange, params)
        own = self._own(link)
        argv = ["consoles.change", _written(asked.fingerprint)]
        argv += [f"level={asked.level.value}"] if asked.level is not None else []
        argv += [f"expires={asked.expires}"] if asked.expires is not None else []
        line = self._line(link, own, argv, asked.operator, asked.fingerprint)
        wanted = line
        if asked.level is not None:
            wanted = replace(wanted, level=asked.level)
        if asked.expires is not None:
            wanted = replace(wanted, expires=None if asked.expires == NEVER else _day(asked.expires))
        lines = self._server.consoles.listed()
        self._decide(link, own, argv, asked.operator, refusal_to_change(own, line, wanted, lines))
        if not self._server.consoles.change(wanted, line):
            self._decide(link, own, argv, asked.operator, "somebody else has just changed its line; look again")
        self._done(link, number, self._concerned(line))

    def _on_revoke(self, link: AgentLink, number: int, params: Raw) -> None:
        asked = messages.decode_as(ConsoleRevoke, params)
        own = self._own(link)
        argv = ["consoles.revoke", _written(asked.fingerprint)]
        line = self._line(link, own, argv, asked.operator, asked.fingerprint)
        lines = self._server.consoles.listed()
        self._decide(link, own, argv, asked.operator, refusal_to_change(own, line, line, lines))
        concerned = self._concerned(line)
        self._server.consoles.revoke(line.fingerprint)
        self._done(link, number, concerned)

    def _own(self, link: AgentLink) -> AuthorizedConsole:
        """The console that asks, with the rights that it has at this moment."""
        assert link.console is not None
        console, refusal = self._server.admit(link.console.fingerprint, link.address)
        if console is None:
            raise _NotAllowedError(f"this console is trusted no more: {refusal}")
        own = self._server.capped(console)
        return replace(own, level=min(own.level, link.console.level, key=lambda level: level.rank))

    def _line(
        self, link: AgentLink, own: AuthorizedConsole, argv: list[str], operator: str, fingerprint: str
    ) -> AuthorizedConsole:
        line = self._server.consoles.line_of(fingerprint)
        if line is None:
            self._decide(link, own, argv, operator, "no console of that fingerprint is trusted here")
            raise AssertionError("a refusal raises")
        return line

    def _concerned(self, line: AuthorizedConsole) -> list[str]:
        lines = self._server.consoles.listed()
        below = descendants(lines, line.fingerprint)
        return [
            line.fingerprint,
            *(item.fingerprint for item in lines if fingerprint_symbols(item.fingerprint) in below),
        ]

    def _decide(
        self, link: AgentLink, own: AuthorizedConsole, argv: list[str], operator: str, rule: str | None
    ) -> None:
        """Write down what is asked for and what becomes of it; raises _NotAllowedError with the rule, ConfigError."""
        entry = {
            "event": "consoles",
            "console": own.fingerprint,
            "console_name": own.name,
            "address": link.address,
            "operator": plain_text(operator, LONGEST_NAME),
            "argv": argv,
            "decision": "allowed" if rule is None else "refused",
            "rule": rule or "",
        }
        self._server.audit.append([entry])
        if rule is None:
            self._server.count_refusal(link)  # it costs as much
        if rule is not None:
            raise _NotAllowedError(rule)

    def _done(self, link: AgentLink, number: int, fingerprints: list[str]) -> None:
        self._server.refresh_consoles()  # one that was just let in is welcome at once
        link.answer(number, ConsolesChanged(fingerprints=tuple(fingerprints[:1024])))

    def _guarded(self, handler: Callable[[AgentLink, int, Raw], None]) -> Callable[[AgentLink, int, Raw], None]:
        """Say why something is not done; what is malformed still ends the link."""

        def guarded(link: AgentLink, number: int, params: Raw) -> None:
            try:
                handler(link, number, params)
            except _NotAllowedError as refusal:
                log.info("a request of %s about consoles is refused: %s", link.address, refusal)
                link.refuse(number, messages.DENIED, str(refusal))
            except (ConfigError, OSError) as error:
                log.error("consoles could not be changed: %s", error)
                reason = error.strerror if isinstance(error, OSError) else str(error)
                link.refuse(number, messages.BUSY, f"it could not be written down: {reason}")

        return guarded


def _is_same(one: AuthorizedConsole, other: AuthorizedConsole) -> bool:
    return same_fingerprint(one.fingerprint, other.fingerprint)


def _written(fingerprint: str) -> str:
    """A fingerprint from a peer as we write it; raises RemoteProtocolError where it is none."""
    try:
        octets = fingerprint_octets(fingerprint)
    except ValueError as error:
        raise RemoteProtocolError(f"{plain_text(fingerprint, 40)!r} is no fingerprint") from error
    return shown_fingerprint(octets)


def _day(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise RemoteProtocolError(f"{text!r} is no day") from error
