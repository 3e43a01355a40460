"""Looks for agents at a range of addresses: a suggestion, never more.

Each address is asked once: one TCP connect of a second at most and, where something listens, one TLS handshake
without a certificate. No code is sent, nothing is paired, nothing is added. An agent tells a stranger that pairing is
closed, or waits for its first word; that, and a certificate as agents make it, is all that is known of it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator, Sequence

from core.errors import BeffroiError, NothingListensError, RemoteProtocolError
from core.language import _
from core.protocol import messages
from core.protocol.frames import JSON_FRAME, FrameReader
from core.records import Machine
from core.services.agent_certificate import agent_name
from core.site_records import SweepFind, SweepKind, SweepProgress
from core.transport.address import shown_address
from core.transport.identity import fingerprint_of, same_fingerprint
from core.transport.tcp import open_socket
from core.transport.tls import pairing_context

AT_ONCE = 64
CONNECT_S = 1.0
HANDSHAKE_S = 2.0
SILENCE_S = 0.7
"""An agent that lets nobody pair says so at once; one that waits so long for the first word lets somebody."""

_LARGEST_READ = 4096


class _Counts:
    """What a sweep has met so far."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.found, self.refused, self.silent = total, 0, 0, 0, 0

    def progress(self) -> SweepProgress:
        return SweepProgress(
            total=self.total, done=self.done, found=self.found, refused=self.refused, silent=self.silent
        )


async def sweep(
    hosts: Sequence[str],
    port: int,
    known: Sequence[Machine],
    on_found: Callable[[SweepFind], object],
    on_progress: Callable[[SweepProgress], object],
) -> SweepProgress:
    """Ask each of `hosts` once, 64 at a time; what is met, when all have been asked.

    `on_found` gets what listens as it is met, `on_progress` how far it is after each address. A cancellation ends all
    that is under way at once.
    """
    counts = _Counts(len(hosts))
    context = pairing_context()
    waiting = iter(hosts)
    async with asyncio.TaskGroup() as tasks:
        for _number in range(min(AT_ONCE, len(hosts))):
            tasks.create_task(_ask_in_turn(waiting, port, known, context, counts, on_found, on_progress))
    return counts.progress()


async def _ask_in_turn(
    waiting: Iterator[str],
    port: int,
    known: Sequence[Machine],
    context: ssl.SSLContext,
    counts: _Counts,
    on_found: Callable[[SweepFind], object],
    on_progress: Callable[[SweepProgress], object],
) -> None:
    for host in waiting:
        try:
            found = await _ask(host, port, known, context)
        except NothingListensError:
            counts.refused += 1
        except BeffroiError:
            counts.silent += 1
        else:
            counts.found += 1
            on_found(found)
        counts.done += 1
        on_progress(counts.progress())


async def _ask(host: str, port: int, known: Sequence[Machine], context: ssl.SSLContext) -> SweepFind:
    """What listens at an address; raises NothingListensError and other BeffroiErrors where nothing does."""
    peer = await open_socket(host, port, CONNECT_S)
    try:
        reader, writer = await asyncio.open_connection(
            sock=peer,
            ssl=context,
            server_hostname="",
            ssl_handshake_timeout=HANDSHAKE_S,
            ssl_shutdown_timeout=SILENCE_S,
            limit=_LARGEST_READ,
        )
    except OSError:  # no TLS at all, another TLS, silence or an end within the handshake
        return _other(host, port)
    try:
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
        name = agent_name(der)
        if name is None:
            return _other(host, port)
        try:
            is_open = await _is_pairing_open(reader)
        except RemoteProtocolError:
            return _other(host, port)
        return _agent(host, port, known, name, fingerprint_of(der), is_open)
    finally:
        writer.transport.abort()


async def _is_pairing_open(reader: asyncio.StreamReader) -> bool | None:
    """Whether somebody can pair there, None where it ends the link without a word, as a busy one does.

    Raises RemoteProtocolError where it does not speak as an agent does.
    """
    frames = FrameReader()
    try:
        async with asyncio.timeout(SILENCE_S):
            while (frame := frames.next_frame()) is None:
                data = await reader.read(_LARGEST_READ)
                if not data:
                    return None
                frames.receive_data(data)
    except TimeoutError:
        return True
    except OSError:
        return None
    kind, payload = frame
    if kind != JSON_FRAME or messages.decode_envelope(payload).method != "pairing_closed":
        raise RemoteProtocolError("an agent tells a stranger that pairing is closed, or nothing")
    return False


def _agent(
    host: str, port: int, known: Sequence[Machine], name: str, fingerprint: str, is_pairing_open: bool | None
) -> SweepFind:
    kind, machine = SweepKind.AGENT, None
    same = [one for one in known if one.fingerprint is not None and same_fingerprint(one.fingerprint, fingerprint)]
    there = [one for one in known if (one.host.casefold(), one.port) == (host.casefold(), port)]
    if same:
        kind = SweepKind.KNOWN
        machine = next((one for one in same if one in there), same[0])
        text = _("known here as {machine}").format(machine=machine.name)
        if machine not in there:
            text = _("known here as {machine}, at {address}").format(machine=machine.name, address=machine.address)
    elif there:
        machine = there[0]
        text = _("another agent than the one paired as {machine}").format(machine=machine.name)
        if machine.fingerprint is None:
            text = _("listed here as {machine}, not paired yet").format(machine=machine.name)
    elif is_pairing_open:
        text = _("an agent; pairing is open there")
    else:
        text = _("an agent; to pair, type there: beffroi agent pair")
    return SweepFind(
        host=host,
        port=port,
        kind=kind,
        text=text,
        name=name,
        fingerprint=fingerprint,
        is_pairing_open=is_pairing_open,
        machine=None if machine is None else machine.name,
    )


def _other(host: str, port: int) -> SweepFind:
    text = _("something else listens at {address}").format(address=shown_address(host, port))
    return SweepFind(host=host, port=port, kind=SweepKind.OTHER, text=text)
