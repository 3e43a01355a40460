"""One request on the machines of one poller: who waits, who has a place of the window, what has ended and how."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence

from core.records import CommandProgress, CommandRequest, CommandResult, CommandState
from core.services.commands import Execution
from core.services.run_share import RunShare
from core.site_records import Record


class PollerRun:
    """One request on the machines of this poller."""

    def __init__(
        self,
        request: CommandRequest,
        names: Sequence[str],
        publish: Callable[[Record], None],
        share: RunShare,
        pump: Callable[[PollerRun], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        self.request = request
        self.names = names
        self.share = share
        self.executions: dict[str, Execution] = {}
        self.waiting: deque[Execution] = deque()
        self.placed: set[str] = set()
        self.results: dict[str, CommandResult] = {}
        self.is_cancelled = False
        self.finished: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._publish = publish
        self._pump = pump

    def wake(self) -> None:
        """A place of the window is free. Called in any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._pump, self)

    def take(self, result: CommandResult) -> None:
        """The first result of a machine."""
        self.results[result.machine] = result
        is_last = len(self.results) == len(self.names)
        self._publish(CommandProgress(id=self.request.id, result=result, is_last=is_last))
        if result.machine in self.placed:
            self.placed.discard(result.machine)
            self.share.give_place_back()
        if is_last and not self.finished.done():
            self.finished.set_result(None)

    def abandon(self, message: str) -> None:
        """Nobody waits for the results that are still missing."""
        self.waiting.clear()
        for name in self.names:
            if name not in self.results:
                execution = self.executions.get(name)
                if execution is not None:
                    execution.give_up(message)
                else:
                    self.take(CommandResult(machine=name, state=CommandState.UNKNOWN, message=message))
