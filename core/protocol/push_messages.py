"""The message that a meter pushes, from the octets that its link has put together: APDUs, blocks, ciphers.

Nothing is told before every check has passed; an APDU may be a block of a longer one, or ciphered.
"""

from __future__ import annotations

from collections.abc import Callable
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
    BlockAssembly,
    Notification,
    block_at,
    notification_at,
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
from core.protocol.hdlc import LONGEST_HEADER

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
    depth: int = 0

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


DEEPEST = 4
"""Ciphered messages inside ciphered messages at most."""


class MessageReader:
    """Reads the messages of one meter, whatever link they came by; `reject` is told what was dropped and why.

    The arguments are those of PushSession.
    """

    def __init__(
        self,
        key: bytes | None,
        auth_key: bytes | None,
        system_title: bytes | None,
        is_counter_checked: bool,
        reject: Callable[[RemoteProtocolError], None],
    ) -> None:
        for octets in (key, auth_key):
            if octets is not None and len(octets) not in (16, 32):
                raise LocalProtocolError(f"a key has 16 or 32 octets, not {len(octets)}")
        self._key = key
        self._auth_key = auth_key
        self.system_title = system_title
        self._is_counter_checked = is_counter_checked
        self._counters: dict[bytes, int] = {}
        self._reject = reject
        self.blocks = BlockAssembly()

    def read(self, message: bytes) -> PushTelegram | None:
        """The telegram of a whole message, LLC octets or the APDU itself first; None where it is not whole yet.

        Raises RemoteProtocolError.
        """
        reading = _Reading([], [], self.system_title)
        self._read_apdus(without_llc(message), reading, is_whole=False)
        return reading.telegram() if reading.notifications else None

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
                message, problem = self.blocks.take(block)
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
        if not apdu.system_title and self.system_title is not None:
            apdu = CipheredApdu(
                self.system_title, apdu.security_control, apdu.invocation_counter, apdu.content, apdu.tag
            )
        if reading.depth >= DEEPEST:
            raise RemoteProtocolError(_("messages are nested more than {depth} deep").format(depth=DEEPEST))
        content = open_apdu(apdu, self._key, self._auth_key)
        is_authenticated = apdu.has_tag and self._auth_key is not None
        count, warnings = len(reading.notifications), len(reading.warnings)
        reading.depth += 1
        try:
            self._read_apdus(content, reading, is_whole=True)
        except RemoteProtocolError as error:
            if is_authenticated or not apdu.is_encrypted:
                raise
            raise WrongKeyError(
                _("the key does not open the data of meter {title}").format(title=title_text(apdu.system_title))
            ) from error
        finally:
            reading.depth -= 1
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


def broke_off(count: int) -> RemoteProtocolError:
    """What to say of a frame without its end; without its whole header it may have been noise."""
    text = _("a frame broke off after {count} octets").format(count=count)
    return RemoteProtocolError(text) if count > LONGEST_HEADER else NoiseError(text)


def skipped_octets(count: int, reason: str | None) -> NoiseError:
    """What to say of octets that belonged to no frame."""
    text = ngettext(
        "{count} octet that belongs to no frame was skipped",
        "{count} octets that belong to no frame were skipped",
        count,
    ).format(count=count)
    return NoiseError(text if reason is None else f"{text} ({reason})")
