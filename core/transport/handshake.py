"""A handshake of asyncio that can be cancelled at any moment without leaving its socket open."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_P = TypeVar("_P", bound=asyncio.BaseProtocol)
_T = TypeVar("_T", bound=asyncio.BaseTransport)


async def shaken(opening: Coroutine[Any, Any, tuple[_T, _P]]) -> tuple[_T, _P]:
    """What `opening` returns, a `create_connection` or `connect_accepted_socket` with TLS.

    Cancelled within its first two turns of the loop, asyncio forgets the transport that it has just made, and nobody
    closes it: so it is let begin, then cancelled.
    """
    task = asyncio.ensure_future(opening)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        for _turn in range(2):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and task.exception() is None:
            transport = task.result()[0]
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
        raise
