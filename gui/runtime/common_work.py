"""Coroutines of the window's threads; what they need is imported when they are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from core.config import Config, database_location
from core.home import Home
from core.records import Machine, StoreReport

if TYPE_CHECKING:
    from core.services.pairing import PairedAgent
    from core.services.recorder import Recorder
    from core.transport.identity import Identity

OPEN_WITHIN_S = 0.5


async def made_recorder(home: Home, config: Config, on_store: Callable[[StoreReport], None]) -> Recorder:
    """What writes the history of `home`; it opens it itself."""

    def imported() -> Recorder:
        from core.services.recorder import Recorder
        from core.store.history import History

        location = database_location(config, home)
        # A window says soon that it has to wait, and asks again; nobody else looks after it.
        return Recorder(lambda: History.open(location, busy_timeout_s=OPEN_WITHIN_S), config.retention, on_store)

    return await asyncio.to_thread(imported)


async def paired(
    host: str, port: int, code: str, identity: Callable[[], Awaitable[Identity]], name: str
) -> PairedAgent:
    """Pair with one agent, as the console called `name`."""
    from core.services.pairing import pair

    return await pair(host, port, code, await identity(), name)


async def paired_all(
    machines: Sequence[Machine],
    code: str,
    identity: Callable[[], Awaitable[Identity]],
    progressed: Callable[[Any], object],
) -> None:
    """Pair with many; `progressed` is called for each, in this thread."""
    from core.services.site_pairing import pair_all

    found: AsyncIterator[Any] = pair_all(machines, code, await identity())
    async for progress in found:
        progressed(progress)


async def serial_ports() -> Any:
    """The serial ports of this machine."""
    from core.transport.serial_port import serial_ports as found

    return await asyncio.to_thread(found)
