"""The wrapper that carries DLMS/COSEM over TCP (IEC 62056-47): version, source, destination, length, message."""

from __future__ import annotations

from msgspec import Struct

from core.errors import RemoteProtocolError
from core.language import _

VERSION = b"\x00\x01"
HEADER_SIZE = 8


class WrapperFrame(Struct, frozen=True):
    """One message and the wrapper ports it goes from and to."""

    source: int
    destination: int
    content: bytes


def encode_wrapper(frame: WrapperFrame) -> bytes:
    """Octets of one message; raises ValueError where it is longer than 65,535 octets."""
    if len(frame.content) > 0xFFFF:
        raise ValueError(f"a message of {len(frame.content)} octets does not fit into a wrapper")
    numbers = b"".join(number.to_bytes(2, "big") for number in (frame.source, frame.destination, len(frame.content)))
    return VERSION + numbers + frame.content


class WrapperReader:
    """Finds messages in octets that come in any portions; holds one message at most."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def waiting(self) -> int:
        """Octets of a message that has begun and is not complete."""
        return len(self._buffer)

    def receive_data(self, data: bytes) -> None:
        """Take octets in."""
        self._buffer += data

    def drop(self) -> int:
        """Forget what has begun; the number of its octets."""
        count = len(self._buffer)
        self._buffer.clear()
        return count

    def next_frame(self) -> WrapperFrame | None:
        """The next message, None until more octets come; raises RemoteProtocolError for octets that are none.

        TCP loses nothing, so octets without a wrapper are another protocol's: all that is there is dropped with them.
        """
        buffer = self._buffer
        if not VERSION.startswith(bytes(buffer[:2])):
            start = bytes(buffer[:8]).hex(" ")
            self.drop()
            raise RemoteProtocolError(
                _("what comes begins with {octets}, which is no DLMS wrapper").format(octets=start)
            )
        if len(buffer) < HEADER_SIZE:
            return None
        end = HEADER_SIZE + int.from_bytes(buffer[6:8], "big")
        if len(buffer) < end:
            return None
        frame = WrapperFrame(
            int.from_bytes(buffer[2:4], "big"), int.from_bytes(buffer[4:6], "big"), bytes(buffer[HEADER_SIZE:end])
        )
        del buffer[:end]
        return frame
