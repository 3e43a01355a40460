"""The shape that every meter session has, whatever its protocol (docs/architecture.md, "A meter session").

A session is a state machine without I/O: it is fed with `receive_data(data, now_s)`, asked with `next_event()`
until that says NEED_DATA, and woken at `next_deadline()` by `receive_data(b"", now_s)`. What it cannot do itself it
asks for by events. `now_s` is any monotonic clock of the caller's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from core.errors import BeffroiError


class NeedData(Enum):
    """Nothing to tell until more bytes come or the deadline passes."""

    NEED_DATA = "need data"


NEED_DATA = NeedData.NEED_DATA


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send `data`; the session counts the time from when it has left the wire."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SetLine:
    """Change the line, once all that was to be sent has left the wire; `parity` is N, E or O."""

    baud: int
    data_bits: int
    parity: str

    def __str__(self) -> str:
        return f"{self.baud} {self.data_bits}{self.parity}1"


@dataclass(frozen=True, slots=True)
class Told:
    """A telegram that holds: its checks have passed. `telegram` is the protocol's own record."""

    telegram: object


@dataclass(frozen=True, slots=True)
class Rejected:
    """Bytes that may not be published, and why; the session goes on."""

    error: BeffroiError


@dataclass(frozen=True, slots=True)
class Finished:
    """The session has ended; `error` is None when it did what it was asked to."""

    error: BeffroiError | None = None


Event = Transmit | SetLine | Told | Rejected | Finished


class Session(Protocol):
    """One way of talking with a meter."""

    def receive_data(self, data: bytes, now_s: float) -> None:
        """Take bytes of the line in (none: only the time has passed)."""

    def next_event(self) -> Event | NeedData:
        """The next thing to do or to tell."""

    def next_deadline(self) -> float | None:
        """When to call `receive_data(b"", now_s)` at the latest, by the same clock; None: never."""
