"""HDLC frames of DLMS/COSEM (IEC 62056-46; ISO/IEC 13239 frame format type 3), found in any stream of octets.

The length field says where a frame ends, never a flag: a frame check whose last octet is 7E (one in 256) is no flag.
A frame is told as soon as its check has come, its closing flag unseen. What is wrong is said at once: a header whose
check fails is no frame, a frame whose check fails is an error, and reading goes on at the next header that holds.
"""

from __future__ import annotations

from msgspec import Struct

from core.errors import RemoteProtocolError
from core.language import _
from core.protocol.checksum import fcs16

FLAG = 0x7E
MAXIMUM_LENGTH = 2047
LONGEST_HEADER = 14
"""Flag, format, two addresses of 4 octets, control, header check."""
UNNUMBERED_INFORMATION = 0x03


class HdlcFrame(Struct, frozen=True):
    """One frame whose checks have passed; addresses as the octets sent, `control` with its poll/final bit."""

    destination: bytes
    source: bytes
    control: int
    is_segmented: bool
    information: bytes

    @property
    def is_unnumbered_information(self) -> bool:
        """True for a UI frame, the kind that a push is made of."""
        return self.control & 0xEF == UNNUMBERED_INFORMATION


class HdlcReader:
    """Finds the frames in octets that come in any portions.

    `skipped` counts octets that belonged to no frame; `reason` says what was wrong with the last broken header.
    Holds one frame at most once `next_frame` has said None.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._position = 0
        self.skipped = 0
        self.reason: str | None = None

    @property
    def waiting(self) -> int:
        """Octets of a frame that has begun and is not complete; a lone flag is none."""
        left = len(self._buffer) - self._position
        return left if left > 1 else 0

    def receive_data(self, data: bytes) -> None:
        """Take octets in."""
        if self._position:
            del self._buffer[: self._position]
            self._position = 0
        self._buffer += data

    def drop(self) -> int:
        """Forget a frame that broke off; the number of its octets."""
        count = self.waiting
        self._buffer.clear()
        self._position = 0
        return count

    def next_frame(self) -> HdlcFrame | None:
        """The next frame, None until more octets come; raises RemoteProtocolError for a frame that is corrupt.

        After an error the next call goes on behind what was corrupt.
        """
        buffer = self._buffer
        size = len(buffer)
        while True:
            start = buffer.find(FLAG, self._position)
            if start < 0:
                self.skipped += size - self._position
                self._position = size
                return None
            self.skipped += start - self._position
            self._position = start
            header = self._header_at(start)
            if header is None:
                self._position = start + 1
                continue
            end, control_at = header
            if not end or end > size:
                return None
            received = buffer[end - 2] | buffer[end - 1] << 8
            computed = fcs16(buffer[start + 1 : end - 2])
            if received != computed:
                self._position = self._next_candidate(start + 1, end)
                raise RemoteProtocolError(
                    _("frame check is {received:#06x}, computed {computed:#06x}").format(
                        received=received, computed=computed
                    )
                )
            self._position = end
            source_at = start + 3
            while not buffer[source_at] & 1:
                source_at += 1
            source_at += 1
            return HdlcFrame(
                bytes(buffer[start + 3 : source_at]),
                bytes(buffer[source_at:control_at]),
                buffer[control_at],
                buffer[start + 1] & 0x08 != 0,
                bytes(buffer[control_at + 3 : end - 2]),
            )

    def _header_at(self, start: int) -> tuple[int, int] | None:
        """(end of the frame, place of the control octet) after a flag; (0, 0) when more octets are needed.

        None where no frame begins: format type, length, addresses or header check do not hold.
        """
        buffer = self._buffer
        size = len(buffer)
        if start + 2 >= size:
            return None if start + 1 < size and buffer[start + 1] & 0xF0 != 0xA0 else (0, 0)
        if buffer[start + 1] & 0xF0 != 0xA0:
            return None
        length = (buffer[start + 1] & 0x07) << 8 | buffer[start + 2]
        at = start + 3
        for _address in range(2):
            first = at
            while True:
                if at >= size:
                    return (0, 0)
                at += 1
                if buffer[at - 1] & 1:
                    break
                if at - first >= 4:
                    return None
            if at - first == 3:
                return None
        header = at - start  # format, addresses and control, the flag not counted
        end = start + 1 + length
        if length == header + 2:
            return end, at
        if length < header + 4:
            return None
        if at + 3 > size:
            return (0, 0)
        received = buffer[at + 1] | buffer[at + 2] << 8
        computed = fcs16(buffer[start + 1 : at + 1])
        if received != computed:
            self.reason = _("header check is {received:#06x}, computed {computed:#06x}").format(
                received=received, computed=computed
            )
            return None
        return end, at

    def _next_candidate(self, start: int, end: int) -> int:
        """Where to go on after a corrupt frame: a header that holds inside it (octets were lost), else its end."""
        reason = self.reason
        at = self._buffer.find(FLAG, start, end)
        while at >= 0:
            if self._header_at(at) is not None:
                return at
            at = self._buffer.find(FLAG, at + 1, end)
        self.reason = reason
        return end


def encode_frame(
    information: bytes,
    *,
    destination: bytes = b"\xce\xff",
    source: bytes = b"\x03",
    control: int = 0x13,
    is_segmented: bool = False,
) -> bytes:
    """One frame with its flags and checks; the default addresses are those of an E450's push.

    Raises ValueError where it would be longer than 2,047 octets.
    """
    header_size = 2 + len(destination) + len(source) + 1
    length = header_size + 2 + (len(information) + 2 if information else 0)
    if length > MAXIMUM_LENGTH:
        raise ValueError(f"a frame of {length} octets is longer than {MAXIMUM_LENGTH}")
    header = (0xA000 | is_segmented << 11 | length).to_bytes(2, "big") + destination + source + bytes((control,))
    body = header
    if information:
        body += fcs16(header).to_bytes(2, "little") + information
    return b"\x7e" + body + fcs16(body).to_bytes(2, "little") + b"\x7e"
