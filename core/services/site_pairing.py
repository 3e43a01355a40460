"""Pairs a room of machines by one site code, several at a time, and tells of each as it ends."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence

from msgspec import Struct, structs

from core.errors import BeffroiError
from core.records import Machine
from core.services.pairing import pair
from core.transport.identity import Identity
from core.transport.tls import console_context

AT_ONCE = 8
"""Pairings that run at once: each makes a key by scrypt, 32 MiB and a tenth of a second."""

PAIR_TIMEOUT_S = 5.0


class PairProgress(Struct, frozen=True, kw_only=True):
    """One machine more: `machine` is paired where `error` is None; `done` of `total` have ended."""

    machine: Machine
    error: BeffroiError | None
    done: int
    total: int


async def pair_one(
    machine: Machine,
    code: str,
    identity: Identity,
    timeout_s: float = PAIR_TIMEOUT_S,
    context: ssl.SSLContext | None = None,
) -> Machine:
    """`machine` with the certificate and level of its agent; raises BeffroiError in words."""
    paired = await pair(machine.host, machine.port, code, identity, identity.name, timeout_s, context)
    return structs.replace(
        machine,
        fingerprint=paired.fingerprint,
        certificate_pem=paired.certificate_pem,
        level=paired.level,
        os=paired.os or machine.os,
    )


async def pair_all(
    machines: Sequence[Machine], code: str, identity: Identity, timeout_s: float = PAIR_TIMEOUT_S
) -> AsyncIterator[PairProgress]:
    """Pair each of `machines` by a site code; one progress record as each ends, in the order they end."""
    slots = asyncio.Semaphore(AT_ONCE)
    context = await asyncio.to_thread(console_context, identity, [])

    async def attempt(machine: Machine) -> tuple[Machine, BeffroiError | None]:
        async with slots:
            try:
                return await pair_one(machine, code, identity, timeout_s, context), None
            except BeffroiError as error:
                return machine, error

    tasks = [asyncio.ensure_future(attempt(machine)) for machine in machines]
    try:
        for done, ended in enumerate(asyncio.as_completed(tasks), 1):
            machine, error = await ended
            yield PairProgress(machine=machine, error=error, done=done, total=len(tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
