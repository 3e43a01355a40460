"""Rows of a load profile as they come: elements of one array whose octets arrive in blocks.

At most one row is held back, so a profile that is bigger than memory passes through.
"""

from __future__ import annotations

from core.errors import RemoteProtocolError
from core.language import _
from core.protocol.axdr import CutOffError, Value, length_at, value_at

ROW_LIMIT = 1 << 17
"""Octets of one row at most: none of them is longer in any meter."""
COMPACT_LIMIT = 1 << 22
"""A compact array is one value; it is taken whole, up to this size."""


class RowReader:
    """Takes the octets of an array in any portions and gives its elements as soon as they are whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left: int | None = None
        self._is_compact = False

    def feed(self, content: bytes) -> list[Value]:
        """The elements that `content` completes; raises RemoteProtocolError for octets that are no rows."""
        self._buffer += content
        if self._left is None and not self._is_compact and not self._begin():
            return []
        if self._is_compact:
            if len(self._buffer) > COMPACT_LIMIT:
                raise RemoteProtocolError(
                    _("a message in blocks is longer than {count} octets").format(count=COMPACT_LIMIT)
                )
            return []
        octets = bytes(self._buffer)
        rows: list[Value] = []
        position = 0
        try:
            while self._left and position < len(octets):
                row, position = value_at(octets, position, has_descriptors=False)
                rows.append(row)
                self._left -= 1
        except CutOffError:
            if len(octets) - position > ROW_LIMIT:
                raise RemoteProtocolError(_("a row is longer than {count} octets").format(count=ROW_LIMIT)) from None
        if not self._left and position < len(octets):
            raise RemoteProtocolError(
                _("{count} octets stand behind the last row").format(count=len(octets) - position)
            )
        del self._buffer[:position]
        return rows

    def finish(self) -> list[Value]:
        """What is left once the last block has come; raises RemoteProtocolError where rows are missing."""
        if self._is_compact:
            octets = bytes(self._buffer)
            value, position = value_at(octets, has_descriptors=False)
            if position != len(octets) or not isinstance(value, list):
                raise RemoteProtocolError(
                    _("{count} octets stand behind the last row").format(count=len(octets) - position)
                )
            return value
        if self._left is None or self._left:
            raise RemoteProtocolError(
                _("the rows end early; {count} are missing").format(count="?" if self._left is None else self._left)
            )
        return []

    def _begin(self) -> bool:
        """Read the head of the array; False where it has not come yet."""
        buffer = self._buffer
        if not buffer:
            return False
        if buffer[0] == 0x13:
            self._is_compact = True
            return True
        if buffer[0] == 0x00:  # null-data in the place of an empty array
            self._left = 0
            del buffer[:1]
            return True
        if buffer[0] not in (0x01, 0x02):
            raise RemoteProtocolError(
                _("type {tag:#04x} came where the rows of a profile are due").format(tag=buffer[0])
            )
        try:
            self._left, start = length_at(bytes(buffer[:6]), 1)
        except CutOffError:
            if len(buffer) < 6:
                return False
            raise
        del buffer[:start]
        return True
