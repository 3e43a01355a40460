"""Ports over which several readers of one loop speak in turn: the meters of one M-Bus share their line and its port."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from core.errors import TransportError
from core.transport.line import Port


@dataclass(slots=True, eq=False)
class _Line:
    """One port, who uses it, and whose turn it is."""

    users: int = 0
    port: Port | None = None
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class SharedLines:
    """The shared ports of one loop; a port is open while somebody uses it."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    @contextlib.asynccontextmanager
    async def opened(
        self, place: str, open_it: Callable[[], Awaitable[Port]]
    ) -> AsyncIterator[tuple[Port, asyncio.Lock]]:
        """The port of `place`, and the lock to hold while speaking over it; raises what `open_it` raises.

        One that breaks in the hands of a user is closed for all of them: each opens it anew.
        """
        line = self._lines.setdefault(place, _Line())
        line.users += 1
        try:
            async with line.opening:
                if line.port is None:
                    line.port = await open_it()
            yield line.port, line.turn
        except TransportError:
            self._forget(place, line)
            raise
        finally:
            line.users -= 1
            if line.users == 0:
                self._forget(place, line)

    def _forget(self, place: str, line: _Line) -> None:
        if self._lines.get(place) is line:
            del self._lines[place]
        if line.port is not None:
            line.port.close()
