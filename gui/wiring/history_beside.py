"""Reads the history beside who records: through a connection of its own, in a thread that nobody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from core.config import database_location
from gui.runtime.services import Services

if TYPE_CHECKING:
    from core.store.history import History

T = TypeVar("T")


async def read_beside(services: Services, read: Callable[[History], T]) -> T:
    """What `read` returns: for what takes so long that rows would wait. Raises StoreError and its family."""
    location = database_location(services.config, services.home)

    def work() -> T:
        from core.store.history import History

        with History.open(location, create=False) as history:
            return read(history)

    return await asyncio.to_thread(work)
