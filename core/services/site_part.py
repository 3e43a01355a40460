"""One part of a site and the task that keeps it running."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from core.errors import BeffroiError, PortInUseError
from core.language import _

FIRST_PAUSE_S, LAST_PAUSE_S = 0.25, 5.0
"""Before a part that failed is tried again: short at first, since a port may be about to be handed over."""

log = logging.getLogger("beffroi.site")


class SitePart:
    """One part and the task that keeps it running."""

    def __init__(self, name: str, make: Callable[[], Any], settings: object, tell: Callable[[str, str], None]) -> None:
        self.settings = settings
        self.made: Any = None
        self.is_sink = name in ("alarms", "outputs", "posts")
        self._name = name
        self._make = make
        self._tell = tell
        self._task: asyncio.Task[None] | None = None
        self._told = ""
        self._has_failed = False

    def start(self) -> None:
        """Run it from now on; what cannot even be made is tried again like what fails later."""
        self._try_to_make()
        self._task = asyncio.get_running_loop().create_task(self._supervise(), name=f"site {self._name}")

    async def stop(self) -> None:
        """End it, and return once it has."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self.made = None

    async def settled(self) -> None:
        """Return once it listens, or has failed to."""
        while not self._has_failed and (self.made is None or self.made.address is None):  # noqa: ASYNC110 -- no event
            await asyncio.sleep(0.02)

    async def _supervise(self) -> None:
        loop, pause_s = asyncio.get_running_loop(), FIRST_PAUSE_S
        while True:
            began_s = loop.time()
            if self.made is None:
                self._try_to_make()
            if self.made is not None and await self._run_once():
                return
            self.made, self._has_failed = None, True
            pause_s = FIRST_PAUSE_S if loop.time() - began_s > LAST_PAUSE_S else pause_s
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LAST_PAUSE_S)

    async def _run_once(self) -> bool:
        """True when it has ended by itself, as a room does that was told to stop: it stays off."""
        try:
            await self.made.run()
        except PortInUseError as error:
            log.warning("%s", error)  # its own report says so
        except BeffroiError as error:
            self._fail(error)
        except Exception as error:
            log.exception("%s failed", self._name)
            self._fail(error)
        else:
            self.made = None
            return True
        return False

    def _try_to_make(self) -> None:
        try:
            self.made = self._make()
        except Exception as error:
            if not isinstance(error, BeffroiError):
                log.exception("%s cannot be started", self._name)
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        words = str(error) or type(error).__name__
        if words != self._told:
            self._told = words
            self._tell(
                self._name,
                _("{part} stopped and is tried again: {reason}").format(part=_name_of(self._name), reason=words),
            )


def _name_of(part: str) -> str:
    return {
        "alarms": _("the watch of alarms"),
        "outputs": _("e-mail and webhook"),
        "intake": _("the intake of sensors"),
        "room": _("the room"),
        "posts": _("posting in the room"),
        "checks": _("the checks"),
    }[part]
