"""One timer for all links that have lines waiting for their time."""

from __future__ import annotations

import asyncio

from core.services.chat_link import ChatLink

_STEP_S = 0.002
"""Links whose times come so close are served together."""

_REST = 3.0
"""After sending to many, so many times as long is left to others: a thousand joining at once are told in bunches."""


class Pacer:
    """Sends the lines that wait, each when its time has come; belongs to one loop."""

    def __init__(self) -> None:
        self._waiting: dict[ChatLink, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, link: ChatLink) -> None:
        """Look after `link` until nothing waits there."""
        self._waiting[link] = None
        if self._timer is None:
            self._send_due()

    def remove(self, link: ChatLink) -> None:
        """The link has ended."""
        self._waiting.pop(link, None)

    def stop(self) -> None:
        """Send no more."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send_due(self) -> None:
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        due_s: float | None = None
        for link in list(self._waiting):
            link.send_next(now_s)
            deadline_s = None if link.is_closing else link.queue.next_deadline()
            if deadline_s is None:
                self._waiting.pop(link, None)
            elif due_s is None or deadline_s < due_s:
                due_s = deadline_s
        ended_s = loop.time()
        rest_s = max(_STEP_S, _REST * (ended_s - now_s))
        self._timer = None if due_s is None else loop.call_at(max(due_s, ended_s + rest_s), self._send_due)
