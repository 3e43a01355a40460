"""DLMS messages inside long frames of M-Bus (EN 13757-1, annex on the transport layer), as meters of Kaifa push them.

The CI field of each frame is 0x00 to 0x1F: the four low bits number the fragments of a message from 0, bit 4 marks
the last one. Behind it stand the two addresses of the application (STSAP, DTSAP), then the octets of the message.
"""

from __future__ import annotations

from collections.abc import Callable

from core.errors import RemoteProtocolError
from core.language import _
from core.protocol.apdu import MAXIMUM_MESSAGE
from core.protocol.mbus_frames import NO_ANSWER, SND_UD, MbusFrame, MbusReader, long_frame
from core.protocol.push_messages import (
    FRAME_GAP_S,
    MESSAGE_GAP_S,
    NOISE_TOLD_EVERY,
    broke_off,
    skipped_octets,
)

LAST_CI = 0x1F
_IS_LAST = 0x10
_ADDRESSES = 2
FRAGMENT_SIZE = 245
"""Octets of a message that Kaifa puts into one frame."""


def carries_dlms(frame: MbusFrame) -> bool:
    """True for a fragment of a DLMS message."""
    return frame.has_data and frame.ci <= LAST_CI


def in_fragments(message: bytes, *, source: int = 0x01, destination: int = 0x67) -> bytes:
    """The long frames that carry `message`, to everybody: what a meter of Kaifa sends, for simulators and tests."""
    parts = [message[start : start + FRAGMENT_SIZE] for start in range(0, len(message), FRAGMENT_SIZE)] or [b""]
    frames = bytearray()
    for number, part in enumerate(parts):
        ci = number & 0x0F | (_IS_LAST if number + 1 == len(parts) else 0)
        frames += long_frame(SND_UD, NO_ANSWER, ci, bytes((source, destination)) + part)
    return bytes(frames)


class FragmentAssembly:
    """Puts the fragments of one message together, in their order and without a gap."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._expected = 0

    @property
    def is_open(self) -> bool:
        """True between the first fragment of a message and its last one."""
        return bool(self._content)

    def drop(self) -> int:
        """Forget what has come of a message; returns how many octets that were."""
        count = len(self._content)
        self._content.clear()
        self._expected = 0
        return count

    def take(self, frame: MbusFrame) -> bytes | None:
        """The whole message with its last fragment, None before; RemoteProtocolError where one does not follow."""
        number = frame.ci & 0x0F
        if len(frame.content) < _ADDRESSES:
            self.drop()
            raise RemoteProtocolError(_("a fragment of a message has no addresses"))
        if number != self._expected:
            expected = self._expected
            self.drop()
            if number:
                raise RemoteProtocolError(
                    _("fragment {number} came where fragment {expected} was due; the message is dropped").format(
                        number=number, expected=expected
                    )
                )
        self._content += frame.content[_ADDRESSES:]
        self._expected = number + 1 & 0x0F
        if len(self._content) > MAXIMUM_MESSAGE:
            self.drop()
            raise RemoteProtocolError(
                _("a message in fragments is longer than {count} octets").format(count=MAXIMUM_MESSAGE)
            )
        if not frame.ci & _IS_LAST:
            return None
        message = bytes(self._content)
        self.drop()
        return message


class FragmentSession:
    """From the octets of a line to whole messages: the link of a push that comes in frames of M-Bus.

    `on_message` is given each message, `reject` what was dropped and why. Until the first fragment has come, which
    `frames` tells, nothing is said: the line may be one of HDLC.
    """

    def __init__(self, on_message: Callable[[bytes], None], reject: Callable[[RemoteProtocolError], None]) -> None:
        self._on_message = on_message
        self._reject = reject
        self._reader = MbusReader()
        self._assembly = FragmentAssembly()
        self._noise = 0
        self.frames = 0

    @property
    def skipped(self) -> int:
        """Octets that belonged to no frame."""
        return self._reader.skipped

    @property
    def waiting(self) -> int:
        """Octets of a frame that has begun."""
        return self._reader.waiting

    @property
    def is_open(self) -> bool:
        """True while fragments of a message are missing, or noise waits to be told."""
        return self._assembly.is_open or (self.frames > 0 and self._reader.skipped > self._noise)

    def receive_data(self, data: bytes) -> None:
        """Take octets of the line in."""
        self._reader.receive_data(data)
        while True:
            try:
                frame = self._reader.next_frame()
                if frame is None:
                    break
                if not carries_dlms(frame):
                    continue
                self.frames += 1
                self._tell_noise()
                message = self._assembly.take(frame)
            except RemoteProtocolError as error:
                if self.frames:
                    self._reject(error)
                continue
            if message is not None:
                self._on_message(message)
        if self._reader.skipped - self._noise >= NOISE_TOLD_EVERY:
            self._tell_noise()

    def pass_silence(self, silence_s: float) -> None:
        """Nothing has come for that long: give up what has waited longer than it may."""
        if silence_s >= FRAME_GAP_S and self._reader.waiting:
            waiting = self._reader.waiting
            if self.frames:
                self._reject(broke_off(waiting))
            while self._reader.resynchronise():
                self.receive_data(b"")  # behind what was no frame there may be one
        if silence_s >= MESSAGE_GAP_S:
            self._tell_noise()
            self._drop_message()

    def finish(self) -> None:
        """Nothing more will come: what has begun is rejected."""
        waiting = self._reader.drop()
        self._tell_noise()
        if waiting:
            self._reject(broke_off(waiting))
        self._drop_message()

    def _drop_message(self) -> None:
        count = self._assembly.drop()
        if count:
            self._reject(
                RemoteProtocolError(
                    _("a message in fragments broke off after {count} octets; it is dropped").format(count=count)
                )
            )

    def _tell_noise(self) -> None:
        count = self._reader.skipped - self._noise
        if count and self.frames:
            self._noise = self._reader.skipped
            reason, self._reader.reason = self._reader.reason, None
            self._reject(skipped_octets(count, reason))
