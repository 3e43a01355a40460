"""What a meter pushes, from the octets of its line to `PushTelegram` records: a session without any sending.

The first frame whose checks hold tells the link: HDLC, or long frames of M-Bus (`core.protocol.mbus_push`). HDLC frames
carry parts of a link message (segments); a link message may begin with LLC octets and holds one or
several APDUs; an APDU may be a block of a longer one, or ciphered. Nothing is told before every check has passed,
and what was dropped is always said. Bytes from outside raise nothing here: they become `Rejected`.
"""

from __future__ import annotations

from collections import deque

from core.errors import RemoteProtocolError
from core.language import _
from core.protocol.apdu import (
    DATA_NOTIFICATION,
    GENERAL_BLOCK_TRANSFER,
    LLC_FROM_METER,
    LLC_TO_METER,
    MAXIMUM_MESSAGE,
    is_whole_notification,
    notification_cut_off,
    without_llc,
)
from core.protocol.ciphering import GENERAL_DED_CIPHERING, GENERAL_GLO_CIPHERING
from core.protocol.hdlc import HdlcFrame, HdlcReader
from core.protocol.mbus_push import FragmentSession
from core.protocol.push_messages import (
    FRAME_GAP_S,
    MESSAGE_GAP_S,
    NOISE_TOLD_EVERY,
    MessageReader,
    PushTelegram,
    broke_off,
    skipped_octets,
)
from core.protocol.session import NEED_DATA, Event, NeedData, Rejected, Told

__all__ = ["APDU_TAGS", "FRAME_GAP_S", "MESSAGE_GAP_S", "PushSession", "PushTelegram"]

APDU_TAGS = (DATA_NOTIFICATION, GENERAL_BLOCK_TRANSFER, GENERAL_GLO_CIPHERING, GENERAL_DED_CIPHERING)
_PUSH_TAGS = tuple(bytes((tag,)) for tag in APDU_TAGS)
_CHECKED_TAGS = tuple(bytes((tag,)) for tag in APDU_TAGS if tag != DATA_NOTIFICATION)
"""Messages that show by themselves whether they are whole: blocks by number, ciphered ones by length."""


class PushSession:
    """Reads one meter's pushes: `Told` carries a PushTelegram, `Rejected` says what was dropped and why.

    `key` and `auth_key` are the meter's encryption and authentication keys; `system_title` is the one to take where
    the meter names none. With `is_counter_checked` the invocation counter must rise, so that no telegram counts twice.
    Raises LocalProtocolError for keys of a wrong size.
    """

    def __init__(
        self,
        key: bytes | None = None,
        auth_key: bytes | None = None,
        *,
        system_title: bytes | None = None,
        is_counter_checked: bool = True,
    ) -> None:
        self._events: deque[Event] = deque()
        self._messages = MessageReader(key, auth_key, system_title, is_counter_checked, self._reject)
        self._bus = FragmentSession(self.receive_message, self._reject)
        self._frames = HdlcReader()
        self._segments = bytearray()
        self._addresses: tuple[bytes, bytes] | None = None
        self._is_passing_over = False
        self._noise = 0
        self._now_s = 0.0
        self._heard_s = 0.0
        self.frames = 0
        """HDLC frames whose checks have passed, of any kind."""
        self.other_frames = 0
        """Those among them that belong to a dialogue, not to a push."""

    @property
    def skipped(self) -> int:
        """Octets that belonged to no frame."""
        return self._bus.skipped if self._bus.frames else self._frames.skipped

    def receive_data(self, data: bytes, now_s: float) -> None:
        """Take octets of the line in; without any, see whether what has begun must be given up."""
        self._now_s = now_s
        if not data:
            self._give_up_if_silent()
            return
        if now_s - self._heard_s >= FRAME_GAP_S:
            self._give_up_if_silent()  # whoever forgot the deadline gets no message of two halves
        self._heard_s = now_s
        if not self.frames:
            self._bus.receive_data(data)
            if self._bus.frames:
                self._frames.drop()
                self._noise = self._frames.skipped
                return
        self._frames.receive_data(data)
        while True:
            try:
                frame = self._frames.next_frame()
            except RemoteProtocolError as error:
                self._drop_segments()
                self._reject(error)
                continue
            if frame is None:
                break
            self.frames += 1
            if self._frames.skipped > self._noise:
                self._drop_segments()  # what was skipped may have been one of them
                self._tell_noise()
            if not (frame.is_unnumbered_information or self._is_numbered_push(frame)):
                self.other_frames += 1
                continue
            self._receive_frame(frame)
        if self._frames.skipped - self._noise >= NOISE_TOLD_EVERY:
            self._drop_segments()
            self._tell_noise()

    def _receive_frame(self, frame: HdlcFrame) -> None:
        """Take the whole message of one frame, or one more segment of it."""
        information = frame.information
        is_beginning = information[:3] in (LLC_FROM_METER, LLC_TO_METER)
        if self._is_passing_over:
            self._is_passing_over = frame.is_segmented and not is_beginning
            if not is_beginning:
                return
        addresses = (frame.destination, frame.source)
        if self._segments and (addresses != self._addresses or is_beginning):
            self._drop_segments()
            self._is_passing_over = False
            if not is_beginning:
                self._is_passing_over = frame.is_segmented
                return
        if not self._segments and not is_beginning and information[:1] not in _CHECKED_TAGS:
            # UI frames have no numbers: without its LLC octets this may be the rest of a message, or nothing
            if not frame.is_segmented and is_whole_notification(information):
                self.receive_message(information)
                return
            self._is_passing_over = frame.is_segmented
            self._reject(
                RemoteProtocolError(_("a message of {count} octets has no beginning").format(count=len(information)))
            )
            return
        if not frame.is_segmented and not self._segments:
            self.receive_message(information)
            return
        self._addresses = addresses
        self._segments += information
        if len(self._segments) > MAXIMUM_MESSAGE:
            self._segments.clear()
            self._is_passing_over = True
            self._reject(
                RemoteProtocolError(
                    _("a segmented message is longer than {count} octets").format(count=MAXIMUM_MESSAGE)
                )
            )
        elif not frame.is_segmented:
            message = bytes(self._segments)
            self._segments.clear()
            self.receive_message(message)

    def finish(self) -> None:
        """Nothing more will come: what has begun is told or rejected now.

        Segments whose end is missing are told as far as they go, `is_complete` False; blocks and ciphers are rejected.
        """
        if self._bus.frames:
            self._bus.finish()
            if self._messages.blocks.is_open:
                self._give_up_blocks()
            return
        waiting = self._frames.drop()
        if self._frames.skipped > self._noise:
            self._drop_segments()
            self._tell_noise()
        if self._segments:
            self._finish_segments()
        if waiting:
            self._reject(broke_off(waiting))
        if self._messages.blocks.is_open:
            self._give_up_blocks()

    def next_event(self) -> Event | NeedData:
        """The next telegram or rejection, NEED_DATA when there is none."""
        return self._events.popleft() if self._events else NEED_DATA

    def next_deadline(self) -> float | None:
        """When what has begun is given up; None while nothing has."""
        if self._frames.waiting or self._bus.waiting:
            return self._heard_s + FRAME_GAP_S
        if self._bus.is_open or self._segments or self._messages.blocks.is_open or self._frames.skipped > self._noise:
            return self._heard_s + MESSAGE_GAP_S
        return None

    def _is_numbered_push(self, frame: HdlcFrame) -> bool:
        """True for a push in an I frame, as Kaifa's Norwegian meters send it; other I frames are a dialogue's."""
        if frame.control & 1 or not frame.information:
            return False
        message = without_llc(frame.information)
        return bool(self._segments) or (len(message) < len(frame.information) and message[:1] in _PUSH_TAGS)

    def _give_up_if_silent(self) -> None:
        silence_s = self._now_s - self._heard_s
        if not self.frames:
            self._bus.pass_silence(silence_s)
        if self._bus.frames:
            if silence_s >= MESSAGE_GAP_S and self._messages.blocks.is_open:
                self._give_up_blocks()
            return
        if silence_s >= FRAME_GAP_S and self._frames.waiting:
            self._drop_segments()
            self._reject(broke_off(self._frames.drop()))
        if silence_s >= MESSAGE_GAP_S:
            self._tell_noise()
            self._drop_segments()
            if self._messages.blocks.is_open:
                self._give_up_blocks()

    def _give_up_blocks(self) -> None:
        expected = self._messages.blocks.expected
        self._messages.blocks.drop()
        self._reject(
            RemoteProtocolError(_("block {number} did not come; the message is dropped").format(number=expected))
        )

    def _drop_segments(self) -> None:
        if self._segments:
            count = len(self._segments)
            self._segments.clear()
            self._is_passing_over = True
            self._reject(
                RemoteProtocolError(
                    _("a segmented message broke off after {count} octets; it is dropped").format(count=count)
                )
            )

    def _finish_segments(self) -> None:
        message = without_llc(bytes(self._segments))
        self._segments.clear()
        notification = notification_cut_off(message, 0) if message[:1] == bytes((DATA_NOTIFICATION,)) else None
        text = _("the message breaks off after {count} octets, its last segments are missing").format(
            count=len(message)
        )
        if notification is None:
            self._reject(RemoteProtocolError(text))
        else:
            telegram = PushTelegram((notification,), self._messages.system_title, is_complete=False, warnings=(text,))
            self._events.append(Told(telegram))

    def _tell_noise(self) -> None:
        """Say that octets were skipped, once for a run of them."""
        count = self._frames.skipped - self._noise
        if count:
            self._noise = self._frames.skipped
            reason, self._frames.reason = self._frames.reason, None
            self._reject(skipped_octets(count, reason))

    def _reject(self, error: RemoteProtocolError) -> None:
        self._events.append(Rejected(error))

    def receive_message(self, message: bytes) -> None:
        """Take a message without its link in, as from a file: LLC octets or the APDU itself first."""
        try:
            telegram = self._messages.read(message)
        except RemoteProtocolError as error:
            self._reject(error)
            return
        if telegram is not None:
            self._events.append(Told(telegram))
