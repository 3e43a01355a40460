"""What a reader was asked for from other threads and has not done yet; bounded."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from core.errors import UsageError
from core.language import _

LIMIT = 8
"""Asks that wait at most: each of them may take a meter minutes."""


@dataclass(frozen=True, slots=True)
class RegistersAsk:
    """Read these registers, or all that the meter lists."""

    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProfileAsk:
    """Read a load profile; `is_filling` for one that nobody asked for but the reader itself."""

    start_s: float
    end_s: float
    obis: str | None = None
    is_filling: bool = False


Ask = RegistersAsk | ProfileAsk


class AskQueue:
    """Asks in the order in which they came; any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Ask] = deque()
        self._is_reading_wanted = False
        self._is_cancelled = False

    def want_reading(self) -> None:
        """The usual quantities are wanted at once."""
        self._is_reading_wanted = True

    def put(self, ask: Ask) -> None:
        """Let `ask` wait for its turn, once; raises UsageError where too many wait already."""
        with self._lock:
            if ask in self._waiting:
                return
            if len(self._waiting) >= LIMIT:
                raise UsageError(_("the meter is still busy with what it was asked before; try again in a moment"))
            self._waiting.append(ask)

    def take(self) -> Ask | None:
        """The next ask, None where there is none."""
        with self._lock:
            self._is_cancelled = False
            return self._waiting.popleft() if self._waiting else None

    def cancel(self) -> None:
        """Nobody wants any more what waits, nor the one that was taken last; but what fills the history goes on."""
        with self._lock:
            kept = [ask for ask in self._waiting if isinstance(ask, ProfileAsk) and ask.is_filling]
            self._waiting = deque(kept)
            self._is_cancelled = True

    def is_cancelled(self, ask: Ask) -> bool:
        """True where `ask`, the one that was taken last, is not wanted any more."""
        return self._is_cancelled and not (isinstance(ask, ProfileAsk) and ask.is_filling)

    def take_reading(self) -> bool:
        """True, once, when a reading is wanted."""
        was, self._is_reading_wanted = self._is_reading_wanted, False
        return was

    def __bool__(self) -> bool:
        return self._is_reading_wanted or bool(self._waiting)
