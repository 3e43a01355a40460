"""What every line to a meter has, a serial device or a TCP line alike: settings, reading, writing, closing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from core.errors import SerialPortMissingError
from core.language import _


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Speed and character of a line; `parity` is N, E or O."""

    baud: int
    data_bits: int = 8
    parity: str = "N"

    def __str__(self) -> str:
        return f"{self.baud} {self.data_bits}{self.parity}1"

    @property
    def octet_s(self) -> float:
        """Time of one character on the wire, its start and stop bits included."""
        return (2 + self.data_bits + (self.parity != "N")) / self.baud


class Port(Protocol):
    """What a meter is spoken with."""

    url: str
    has_speed: bool

    @property
    def carries_parity(self) -> bool:
        """False where whoever speaks over the line computes the parity; it may change with the line."""

    async def read(self, timeout_s: float | None) -> bytes:
        """Octets as soon as there are any; none once `timeout_s` has passed. Raises TransportError."""

    async def write(self, data: bytes) -> None:
        """Send `data`; returns when it has left the wire. Raises TransportError."""

    def set_line(self, line: LineSettings) -> None:
        """Change speed and character. Raises TransportError."""

    def close(self) -> None:
        """Let the port go, at once: what was not sent yet is dropped."""


def gone(url: str, error: OSError) -> SerialPortMissingError:
    """What it means that `url` broke while it was in use."""
    return SerialPortMissingError(
        _("{port} was unplugged, or its line broke ({reason})").format(port=url, reason=error.strerror or error)
    )
