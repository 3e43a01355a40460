"""General block transfer in both directions: any message in numbered blocks (Green Book, clauses 9.3.8 and 9.4.6.13).

The receiver acknowledges each window; what it acknowledges with carries no data. A gap is asked for again by naming the
last block that came in order; a block that comes twice is passed over.
"""

from __future__ import annotations

from msgspec import Struct

from core.errors import RemoteProtocolError
from core.language import _
from core.protocol.apdu import GENERAL_BLOCK_TRANSFER
from core.protocol.axdr import length_at
from core.protocol.axdr_encode import encoded_length

WINDOW = 15
MAXIMUM_MESSAGE = 1 << 22
MAXIMUM_PASSED_OVER = 256
"""Blocks in a row that do not continue the message, before it is given up."""
_LAST = 0x80
_STREAMING = 0x40


class GeneralBlock(Struct, frozen=True, kw_only=True):
    """One block: `window` is what its sender takes before it acknowledges; without `is_streaming` it waits for that."""

    number: int
    acknowledged: int
    content: bytes
    is_last: bool
    is_streaming: bool = False
    window: int = 1


def encode_general_block(block: GeneralBlock) -> bytes:
    """Octets of a block."""
    control = (_LAST if block.is_last else 0) | (_STREAMING if block.is_streaming else 0) | block.window & 0x3F
    numbers = block.number.to_bytes(2, "big") + block.acknowledged.to_bytes(2, "big")
    return bytes((GENERAL_BLOCK_TRANSFER, control)) + numbers + encoded_length(len(block.content)) + block.content


def decode_general_block(data: bytes) -> GeneralBlock:
    """A block, to its very last octet; raises RemoteProtocolError."""
    if len(data) < 7 or data[0] != GENERAL_BLOCK_TRANSFER:
        raise RemoteProtocolError(_("a block is cut off in its header"))
    count, start = length_at(data, 6)
    if start + count != len(data):
        raise RemoteProtocolError(_("a block of {count} octets has {left}").format(count=count, left=len(data) - start))
    return GeneralBlock(
        number=int.from_bytes(data[2:4], "big"),
        acknowledged=int.from_bytes(data[4:6], "big"),
        content=data[start:],
        is_last=data[1] & _LAST != 0,
        is_streaming=data[1] & _STREAMING != 0,
        window=data[1] & 0x3F,
    )


class GeneralBlockReceiver:
    """Puts one message together and says what to acknowledge."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._received = 0
        self._sent = 0
        self._passed_over = 0
        self.message: bytes | None = None
        """The whole message, once its last block has come."""

    def take(self, block: GeneralBlock) -> GeneralBlock | None:
        """What to answer to `block`: None while the window is open or the message is whole.

        Raises RemoteProtocolError for blocks that go on being lost, and for a message that is too long.
        """
        if block.number == self._received + 1:
            self._received += 1
            self._passed_over = 0
            self._content += block.content
            if len(self._content) > MAXIMUM_MESSAGE:
                raise RemoteProtocolError(
                    _("a message in blocks is longer than {count} octets").format(count=MAXIMUM_MESSAGE)
                )
            if block.is_last:
                self.message = bytes(self._content)
                return None
        else:
            self._passed_over += 1
            if self._passed_over > MAXIMUM_PASSED_OVER:
                raise RemoteProtocolError(
                    _("block {number} came where block {expected} was due; the message is dropped").format(
                        number=block.number, expected=self._received + 1
                    )
                )
        if block.is_streaming and not block.is_last:
            return None
        self._sent += 1
        return GeneralBlock(
            number=self._sent & 0xFFFF, acknowledged=self._received, content=b"", is_last=True, window=WINDOW
        )


class GeneralBlockSender:
    """Sends one message in blocks of `size` octets, a window at a time."""

    def __init__(self, message: bytes, size: int, *, acknowledged: int = 0) -> None:
        self._pieces = [message[start : start + size] for start in range(0, len(message), size)] or [b""]
        self._acknowledged = acknowledged

    def blocks(self, after: int = 0, window: int = 1) -> list[GeneralBlock]:
        """The blocks behind block `after`, as many as `window` allows; the last one of them waits."""
        last = min(after + max(window, 1), len(self._pieces))
        return [
            GeneralBlock(
                number=number,
                acknowledged=self._acknowledged,
                content=self._pieces[number - 1],
                is_last=number == len(self._pieces),
                is_streaming=number != last,
                window=1,
            )
            for number in range(after + 1, last + 1)
        ]
