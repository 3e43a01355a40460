"""Messages that a meter pushes: DataNotification and general block transfer (Green Book, clauses 9.3.10, 9.3.8).

A block that is missing or comes twice drops the whole message, and that is said: nothing is pieced together.
"""

from __future__ import annotations

from msgspec import Struct

from core.errors import RemoteProtocolError
from core.language import _
from core.protocol.axdr import DateTimeOctets, Value, length_at, value_at, whole_children

LLC_FROM_METER = b"\xe6\xe7\x00"
LLC_TO_METER = b"\xe6\xe6\x00"
DATA_NOTIFICATION = 0x0F
GENERAL_BLOCK_TRANSFER = 0xE0
BODY_TAGS = (0x01, 0x02)
MAXIMUM_MESSAGE = 1 << 16
_LAST_BLOCK = 0x80


class Notification(Struct, frozen=True):
    """One DataNotification: `clock` is its date-time field (12 octets) where it has one.

    `is_clock_tagged` tells that the field came as a tagged octet-string, as Kaifa's meters write it.
    """

    invoke_id: int | None
    clock: bytes | None
    body: Value
    is_clock_tagged: bool = False


class Block(Struct, frozen=True):
    """One block of a message in general block transfer."""

    number: int
    is_last: bool
    content: bytes


def notification_at(data: bytes, position: int) -> tuple[Notification, int]:
    """The message at `position` (a DataNotification, or a body that starts by itself), and the position after it."""
    if data[position] in BODY_TAGS:
        body, position = value_at(data, position)
        return Notification(None, None, body), position
    invoke_id, clock, is_tagged, position = _opening(data, position)
    body, position = value_at(data, position)
    return Notification(invoke_id, clock, body, is_tagged), position


def is_whole_notification(message: bytes) -> bool:
    """True where `message` is a DataNotification to its very last octet, as no rest of another message will be."""
    if message[:1] != bytes((DATA_NOTIFICATION,)):
        return False
    try:
        return notification_at(message, 0)[1] == len(message)
    except (IndexError, RemoteProtocolError):
        return False


def without_llc(message: bytes) -> bytes:
    """`message` without the octets of the link layer in front."""
    return message[3:] if message[:3] in (LLC_FROM_METER, LLC_TO_METER) else message


def notification_cut_off(data: bytes, position: int) -> Notification | None:
    """What is whole of a DataNotification whose end is missing; None where nothing is."""
    try:
        invoke_id, clock, is_tagged, position = _opening(data, position)
    except (IndexError, RemoteProtocolError):
        return None
    children = whole_children(data, position)
    return Notification(invoke_id, clock, children, is_tagged) if children else None


def _opening(data: bytes, position: int) -> tuple[int, bytes | None, bool, int]:
    """Invoke id, clock, whether that is tagged, and where the body begins."""
    start = position + 5
    is_tagged = False
    if data[start : start + 1] in (b"\x09", b"\x19"):
        is_tagged = True
        start += 1
        if data[start - 1] == 0x19:
            count = 12
        else:
            count, start = length_at(data, start)
    else:
        count, start = length_at(data, start)
    if count not in (0, 12) or start + count >= len(data):
        raise RemoteProtocolError(_("the date-time of a notification has {count} octets").format(count=count))
    clock = DateTimeOctets(data[start : start + count]) if count else None
    return int.from_bytes(data[position + 1 : position + 5], "big"), clock, is_tagged, start + count


def block_at(data: bytes, position: int) -> tuple[Block, int]:
    """The block at `position`: control, number, acknowledged number, length, content; and the position after it."""
    if position + 7 > len(data):
        raise RemoteProtocolError(_("a block is cut off in its header"))
    control = data[position + 1]
    number = int.from_bytes(data[position + 2 : position + 4], "big")
    count, start = length_at(data, position + 6)
    end = start + count
    if end > len(data):
        raise RemoteProtocolError(
            _("block {number} of {count} octets is cut off after {left}").format(
                number=number, count=count, left=len(data) - start
            )
        )
    return Block(number, control & _LAST_BLOCK != 0, data[start:end]), end


class BlockAssembly:
    """Puts the blocks of one message together, in their order and without a gap."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._expected = 1
        self._is_broken = False

    @property
    def is_open(self) -> bool:
        """True between the first block of a message and its last one."""
        return self._expected > 1 and not self._is_broken

    @property
    def expected(self) -> int:
        """Number of the block that should come next."""
        return self._expected

    def drop(self) -> None:
        """Forget the message that has begun; its further blocks are passed over in silence."""
        self._content.clear()
        self._expected = 1
        self._is_broken = True

    def take(self, block: Block) -> tuple[bytes | None, RemoteProtocolError | None]:
        """The whole message with its last block, None before; and what is wrong where a block does not follow.

        After an error the rest of that message is passed over, up to a first block that is not a mere repetition.
        """
        problem = None
        if block.number != self._expected or self._is_broken:
            if not self._is_broken:
                problem = RemoteProtocolError(
                    _("block {number} came where block {expected} was due; the message is dropped").format(
                        number=block.number, expected=self._expected
                    )
                )
            is_repetition = bytes(self._content) == block.content
            self.drop()
            if block.number != 1 or (problem is not None and is_repetition):
                return None, problem
            self._is_broken = False
        self._content += block.content
        self._expected += 1
        if len(self._content) > MAXIMUM_MESSAGE:
            self.drop()
            return None, RemoteProtocolError(
                _("a message in blocks is longer than {count} octets").format(count=MAXIMUM_MESSAGE)
            )
        if not block.is_last:
            return None, problem
        message = bytes(self._content)
        self._content.clear()
        self._expected = 1
        return message, problem
