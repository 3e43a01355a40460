"""What a link under DLMS/COSEM tells: HDLC in connected mode or the TCP wrapper, either end of it.

A link is fed and woken like a session (`core.protocol.session`); it asks for Transmit, and tells the events below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from core.errors import BeffroiError
from core.protocol.session import NeedData, Rejected, Transmit


@dataclass(frozen=True, slots=True)
class LinkReady:
    """Both ends are connected; `client` is the client's address."""

    client: int


@dataclass(frozen=True, slots=True)
class LinkMessage:
    """One whole message of the other end; `client` is the client's address."""

    content: bytes
    client: int


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """The connection has ended; `error` None where that was wanted."""

    error: BeffroiError | None = None


LinkEvent = Transmit | Rejected | LinkReady | LinkMessage | LinkClosed


class ClientLink(Protocol):
    """The client's end of a link: one message goes, one comes."""

    has_connection: bool
    """True where the link's own good-bye ends an association too."""

    def connect(self, client: int) -> None:
        """Connect as `client`; LinkReady or LinkClosed tells how that ended."""

    def send(self, content: bytes) -> None:
        """Send one message; LinkMessage brings the answer, LinkClosed says that none came."""

    def await_more(self) -> None:
        """What came was not the answer: wait for another message."""

    def disconnect(self) -> None:
        """Say good-bye; LinkClosed follows."""

    def receive_data(self, data: bytes, now_s: float) -> None:
        """Take octets of the line in, or let the time pass."""

    def next_event(self) -> LinkEvent | NeedData:
        """The next thing to do or to tell."""

    def next_deadline(self) -> float | None:
        """When to call `receive_data(b"", now_s)` at the latest."""
