"""Frames of the M-Bus link layer (EN 13757-2, clause 5; format class FT 1.2 of IEC 60870-5-1), in both directions.

Four forms: the single character `E5`; the short frame `10 C A CS 16`; the long frame `68 L L 68 C A CI data CS 16`,
which without data is called a control frame. A frame is told only when both length octets, the checksum and the stop
octet hold; what belongs to no frame is skipped and counted.
"""

from __future__ import annotations

import re
from enum import Enum

from msgspec import Struct

from core.errors import LocalProtocolError, RemoteProtocolError
from core.language import _

ACKNOWLEDGE = b"\xe5"
START_SHORT = 0x10
START_LONG = 0x68
STOP = 0x16
LONGEST_DATA = 252
"""Octets behind the CI field at most: the length octet counts C, A and CI too."""
LONGEST_FRAME = 261

FROM_MASTER = 0x40
"""Bit of the C field that is set in every frame of a master."""
FRAME_COUNT = 0x20
FRAME_COUNT_VALID = 0x10

SND_NKE = 0x40
SND_UD = 0x53
REQ_UD1 = 0x5A
REQ_UD2 = 0x5B
RSP_UD = 0x08

NO_ANSWER = 255
"""Broadcast that nobody answers."""
ANSWER_OF_ANY = 254
"""Every slave answers: of use with a single one on the line."""
SELECTED = 253
"""The slave that was selected by its secondary address."""
HIGHEST_PRIMARY = 250

_START = re.compile(rb"[\x10\x68\xe5]")
_FORGET_AT = 4096
"""Octets that were dealt with before the buffer is moved up."""


class FrameKind(Enum):
    """The four forms of a frame."""

    ACKNOWLEDGE = "acknowledge"
    SHORT = "short"
    CONTROL = "control"
    LONG = "long"


class MbusFrame(Struct, frozen=True):
    """One frame whose checks have passed, `start` octets behind the first one that was fed.

    `ci` (what the data are) stands in control and long frames only.
    """

    kind: FrameKind
    control: int = 0
    address: int = 0
    ci: int = 0
    content: bytes = b""
    start: int = 0

    @property
    def is_from_master(self) -> bool:
        """True for what a master sends; the single character comes from a slave."""
        return self.kind is not FrameKind.ACKNOWLEDGE and self.control & FROM_MASTER != 0

    @property
    def has_data(self) -> bool:
        """True where there is a CI field."""
        return self.kind in (FrameKind.CONTROL, FrameKind.LONG)


def short_frame(control: int, address: int) -> bytes:
    """A short frame, such as SND_NKE or REQ_UD2."""
    return bytes((START_SHORT, control, address, (control + address) & 0xFF, STOP))


def long_frame(control: int, address: int, ci: int, content: bytes = b"") -> bytes:
    """A long frame, or a control frame where `content` is empty; raises LocalProtocolError for too much content."""
    if len(content) > LONGEST_DATA:
        raise LocalProtocolError(f"a long frame holds {LONGEST_DATA} octets, not {len(content)}")
    body = bytes((control, address, ci)) + content
    return bytes((START_LONG, len(body), len(body), START_LONG)) + body + bytes((sum(body) & 0xFF, STOP))


class MbusReader:
    """Cuts frames out of octets, however these are cut; on a line it finds the next frame behind noise.

    It holds one frame at most. `skipped` counts octets that belonged to none, `reason` is a hint why, for the user.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._position = 0
        self._moved = 0
        self.skipped = 0
        self.reason: str | None = None

    @property
    def waiting(self) -> int:
        """Octets of a frame that has begun."""
        return len(self._buffer) - self._position

    def receive_data(self, data: bytes) -> None:
        """Take octets in; read all frames before more are fed, so that they do not pile up."""
        self._buffer += data

    def drop(self) -> int:
        """Give up what has begun; returns how many octets that were."""
        count = self.waiting
        self._moved += len(self._buffer)
        self._buffer.clear()
        self._position = 0
        return count

    def resynchronise(self) -> bool:
        """What has begun is no frame after all: search on behind its first octet; False where nothing waits."""
        if not self.waiting:
            return False
        self._skip(1)
        return True

    def next_frame(self) -> MbusFrame | None:
        """The next frame, None until more octets come; RemoteProtocolError for a long frame that does not hold."""
        buffer = self._buffer
        while True:
            size = len(buffer)
            found = _START.search(buffer, self._position)
            if found is None:
                self._skip(size - self._position)
                break
            if found.start() > self._position:
                self._skip(found.start() - self._position)
            start = self._position
            first = buffer[start]
            if first == ACKNOWLEDGE[0]:
                return self._told(MbusFrame(FrameKind.ACKNOWLEDGE, start=self._moved + start), 1)
            if first == START_SHORT:
                if size - start < 5:
                    break
                control, address = buffer[start + 1], buffer[start + 2]
                if buffer[start + 4] != STOP or buffer[start + 3] != (control + address) & 0xFF:
                    self._skip(1)
                    continue
                return self._told(MbusFrame(FrameKind.SHORT, control, address, start=self._moved + start), 5)
            frame = self._long_at(start, size)
            if frame is not None:
                return self._told(frame, len(frame.content) + 9)
            if self._position == start:
                break
        self._forget()
        return None

    def _long_at(self, start: int, size: int) -> MbusFrame | None:
        """The long frame at `start`; None where octets are missing, or with the position moved on where it is none."""
        buffer = self._buffer
        if size - start < 4:
            return None
        length, again = buffer[start + 1], buffer[start + 2]
        if buffer[start + 3] != START_LONG or length != again:
            if buffer[start + 3] == START_LONG:
                self.reason = _("the two length octets of a frame differ: {first} and {second}").format(
                    first=length, second=again
                )
            self._skip(1)
            return None
        if length < 3:
            self._skip(1)
            raise RemoteProtocolError(
                _("a long frame announces {count} octets; it has 3 at least").format(count=length)
            )
        end = start + 6 + length
        if size < end:
            return None
        body = bytes(buffer[start + 4 : end - 2])
        computed, received, stop = sum(body) & 0xFF, buffer[end - 2], buffer[end - 1]
        if received != computed or stop != STOP:
            self._skip(1)
            if stop != STOP:
                raise RemoteProtocolError(
                    _("a long frame of {count} octets ends with {stop:#04x} where {wanted:#04x} was due").format(
                        count=length, stop=stop, wanted=STOP
                    )
                )
            raise RemoteProtocolError(
                _("the checksum of a frame is {received:#04x}, computed {computed:#04x}").format(
                    received=received, computed=computed
                )
            )
        kind = FrameKind.LONG if length > 3 else FrameKind.CONTROL
        return MbusFrame(kind, body[0], body[1], body[2], body[3:], self._moved + start)

    def _told(self, frame: MbusFrame, size: int) -> MbusFrame:
        self._position += size
        self._forget()
        return frame

    def _skip(self, count: int) -> None:
        self._position += count
        self.skipped += count

    def _forget(self) -> None:
        if self._position == len(self._buffer) or self._position >= _FORGET_AT:
            self._moved += self._position
            del self._buffer[: self._position]
            self._position = 0


def frames_of(data: bytes) -> list[MbusFrame]:
    """Every frame of `data`, which must hold nothing else; raises RemoteProtocolError."""
    reader = MbusReader()
    reader.receive_data(data)
    frames = []
    while (frame := reader.next_frame()) is not None:
        frames.append(frame)
    if reader.skipped or reader.waiting:
        raise RemoteProtocolError(
            reader.reason or _("{count} octets belong to no frame").format(count=reader.skipped + reader.waiting)
        )
    return frames
