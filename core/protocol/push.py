"""What a meter pushes, from the octets of its line to `PushTelegram` records: a session without any sending.

HDLC frames carry parts of a link message (segments); a link message may begin with LLC octets and holds one or
several APDUs; an APDU may be a block of a longer one, or ciphered. Nothing is told before every check has passed,
and what was dropped is always said. Bytes from outside raise nothing here: they become `Rejected`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from msgspec import Struct

from core.errors import LocalProtocolError, NoiseError, RemoteProtocolError, RepeatedMessageError, WrongKeyError
from core.language import _, ngettext
from core.protocol.apdu import (
    BODY_TAGS,
    DATA_NOTIFICATION,
    GENERAL_BLOCK_TRANSFER,
    LLC_FROM_METER,
    LLC_TO_METER,
    MAXIMUM_MESSAGE,
    BlockAssembly,
    Notification,
    block_at,
    is_whole_notification,
    notification_at,
    notification_cut_off,
    without_llc,
)
from core.protocol.ciphering import (
    GENERAL_DED_CIPHERING,
    GENERAL_GLO_CIPHERING,
    CipheredApdu,
    ciphered_apdu_at,
    open_apdu,
    title_text,
)
from core.protocol.hdlc import LONGEST_HEADER, HdlcFrame, HdlcReader
from core.protocol.session import NEED_DATA, Event, NeedData, Rejected, Told

APDU_TAGS = (DATA_NOTIFICATION, GENERAL_BLOCK_TRANSFER, GENERAL_GLO_CIPHERING, GENERAL_DED_CIPHERING)
_PUSH_TAGS = tuple(bytes((tag,)) for tag in APDU_TAGS)
_CHECKED_TAGS = tuple(bytes((tag,)) for tag in APDU_TAGS if tag != DATA_NOTIFICATION)
"""Messages that show by themselves whether they are whole: blocks by number, ciphered ones by length."""

FRAME_GAP_S = 1.5
"""Silence after which a frame that has begun is given up: IEC 62056-46 lets octets be far closer."""
MESSAGE_GAP_S = 3.0
"""Silence after which a message in several frames is given up; an E450 sends its blocks back to back."""
NOISE_TOLD_EVERY = 4096
"""Octets of noise after which the user is told again."""


class PushTelegram(Struct, frozen=True):
    """One message (or the several APDUs of one frame) whose checks have passed.

    `is_authenticated` is None where nothing was ciphered; False where nothing vouches for the content.
    `is_complete` is False for the whole beginning of a saved message whose end is missing.
    `warnings` are sentences for the user.
    """

    notifications: tuple[Notification, ...]
    system_title: bytes | None = None
    is_ciphered: bool = False
    is_authenticated: bool | None = None
    invocation_counter: int | None = None
    is_complete: bool = True
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reading:
    """What is known of a telegram while its APDUs are read."""

    notifications: list[Notification]
    warnings: list[str]
    system_title: bytes | None = None
    is_ciphered: bool = False
    is_authenticated: bool | None = None
    invocation_counter: int | None = None

    def telegram(self) -> PushTelegram:
        return PushTelegram(
            tuple(self.notifications),
            self.system_title,
            self.is_ciphered,
            self.is_authenticated,
            self.invocation_counter,
            True,
            tuple(self.warnings),
        )


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
        for octets in (key, auth_key):
            if octets is not None and len(octets) not in (16, 32):
                raise LocalProtocolError(f"a key has 16 or 32 octets, not {len(octets)}")
        self._key = key
        self._auth_key = auth_key
        self._system_title = system_title
        self._is_counter_checked = is_counter_checked
        self._counters: dict[bytes, int] = {}
        self._frames = HdlcReader()
        self._segments = bytearray()
        self._addresses: tuple[bytes, bytes] | None = None
        self._is_passing_over = False
        self._blocks = BlockAssembly()
        self._events: deque[Event] = deque()
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
        return self._frames.skipped

    def receive_data(self, data: bytes, now_s: float) -> None:
        """Take octets of the line in; without any, see whether what has begun must be given up."""
        self._now_s = now_s
        if not data:
            self._give_up_if_silent()
            return
        if now_s - self._heard_s >= FRAME_GAP_S:
            self._give_up_if_silent()  # whoever forgot the deadline gets no message of two halves
        self._heard_s = now_s
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
        waiting = self._frames.drop()
        if self._frames.skipped > self._noise:
            self._drop_segments()
            self._tell_noise()
        if self._segments:
            self._finish_segments()
        if waiting:
            self._reject(_broke_off(waiting))
        if self._blocks.is_open:
            self._give_up_blocks()

    def next_event(self) -> Event | NeedData:
        """The next telegram or rejection, NEED_DATA when there is none."""
        return self._events.popleft() if self._events else NEED_DATA

    def next_deadline(self) -> float | None:
        """When what has begun is given up; None while nothing has."""
        if self._frames.waiting:
            return self._heard_s + FRAME_GAP_S
        if self._segments or self._blocks.is_open or self._frames.skipped > self._noise:
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
        if silence_s >= FRAME_GAP_S and self._frames.waiting:
            self._drop_segments()
            self._reject(_broke_off(self._frames.drop()))
        if silence_s >= MESSAGE_GAP_S:
            self._tell_noise()
            self._drop_segments()
            if self._blocks.is_open:
                self._give_up_blocks()

    def _give_up_blocks(self) -> None:
        expected = self._blocks.expected
        self._blocks.drop()
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
            telegram = PushTelegram((notification,), self._system_title, is_complete=False, warnings=(text,))
            self._events.append(Told(telegram))

    def _tell_noise(self) -> None:
        """Say that octets were skipped, once for a run of them."""
        count = self._frames.skipped - self._noise
        if not count:
            return
        self._noise = self._frames.skipped
        text = ngettext(
            "{count} octet that belongs to no frame was skipped",
            "{count} octets that belong to no frame were skipped",
            count,
        ).format(count=count)
        if self._frames.reason is not None:
            text += f" ({self._frames.reason})"
            self._frames.reason = None
        self._reject(NoiseError(text))

    def _reject(self, error: RemoteProtocolError) -> None:
        self._events.append(Rejected(error))

    def receive_message(self, message: bytes) -> None:
        """Take a message without HDLC in, as from a file: LLC octets or the APDU itself first."""
        reading = _Reading([], [], self._system_title)
        try:
            self._read_apdus(without_llc(message), reading, is_whole=False)
        except RemoteProtocolError as error:
            self._reject(error)
            return
        if reading.notifications:
            self._events.append(Told(reading.telegram()))

    def _read_apdus(self, data: bytes, reading: _Reading, *, is_whole: bool) -> None:
        """Read the APDUs that follow one another in `data`; `is_whole` inside a block transfer or a cipher."""
        position = 0
        size = len(data)
        while position < size:
            tag = data[position]
            if tag == DATA_NOTIFICATION or tag in BODY_TAGS:
                notification, position = notification_at(data, position)
                reading.notifications.append(notification)
            elif tag in (GENERAL_GLO_CIPHERING, GENERAL_DED_CIPHERING):
                apdu, position = ciphered_apdu_at(data, position)
                self._read_ciphered(apdu, reading)
            elif tag == GENERAL_BLOCK_TRANSFER and not is_whole:
                block, position = block_at(data, position)
                message, problem = self._blocks.take(block)
                if problem is not None:
                    self._reject(problem)
                if message is not None:
                    self._read_apdus(without_llc(message), reading, is_whole=True)
            elif not is_whole and data[position : position + 3] in (LLC_FROM_METER, LLC_TO_METER):
                position += 3  # a saved file of several link messages
            elif reading.notifications:
                reading.warnings.append(
                    _("{count} octets after the message are not understood").format(count=size - position)
                )
                return
            else:
                raise RemoteProtocolError(_("no message that a meter pushes begins with {tag:#04x}").format(tag=tag))

    def _read_ciphered(self, apdu: CipheredApdu, reading: _Reading) -> None:
        if not apdu.system_title and self._system_title is not None:
            apdu = CipheredApdu(
                self._system_title, apdu.security_control, apdu.invocation_counter, apdu.content, apdu.tag
            )
        content = open_apdu(apdu, self._key, self._auth_key)
        is_authenticated = apdu.has_tag and self._auth_key is not None
        count, warnings = len(reading.notifications), len(reading.warnings)
        try:
            self._read_apdus(content, reading, is_whole=True)
        except RemoteProtocolError as error:
            if is_authenticated or not apdu.is_encrypted:
                raise
            raise WrongKeyError(
                _("the key does not open the data of meter {title}").format(title=title_text(apdu.system_title))
            ) from error
        if not is_authenticated and apdu.is_encrypted and len(reading.warnings) > warnings:
            del reading.notifications[count:]
            raise WrongKeyError(
                _("the key does not open the data of meter {title}").format(title=title_text(apdu.system_title))
            )
        self._check_counter(apdu)
        reading.system_title = apdu.system_title
        reading.is_ciphered = reading.is_ciphered or apdu.is_encrypted
        reading.invocation_counter = apdu.invocation_counter
        reading.is_authenticated = is_authenticated and reading.is_authenticated is not False
        if not is_authenticated:
            doubt = (
                _("nothing vouches for these values: without the authentication key the meter's tag is not checked")
                if apdu.has_tag
                else _("nothing vouches for these values: the meter sends no authentication tag")
            )
            if doubt not in reading.warnings:
                reading.warnings.append(doubt)

    def _check_counter(self, apdu: CipheredApdu) -> None:
        last = self._counters.get(apdu.system_title)
        if self._is_counter_checked and last is not None and apdu.invocation_counter <= last:
            raise RepeatedMessageError(
                _("invocation counter {counter} does not rise above {last}: a repeated message is dropped").format(
                    counter=apdu.invocation_counter, last=last
                )
            )
        if len(self._counters) > 64 and last is None:
            self._counters.clear()
        self._counters[apdu.system_title] = apdu.invocation_counter


def _broke_off(count: int) -> RemoteProtocolError:
    """What to say of a frame without its end; without its whole header it may have been noise."""
    text = _("a frame broke off after {count} octets").format(count=count)
    return RemoteProtocolError(text) if count > LONGEST_HEADER else NoiseError(text)
