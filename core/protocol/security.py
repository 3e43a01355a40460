"""One end of a ciphered association: seals, opens, proves who it is (Green Book, clause 9.2.7).

Service-specific ciphering (glo-, ded-) and general-glo and general-ded are opened; what is sent is service-specific,
as every meter with a ciphered context takes it, unless `is_general` is set. Counters of the peer must rise.
"""

from __future__ import annotations

import hmac

from core.errors import RemoteProtocolError, RepeatedMessageError, WrongKeyError
from core.language import _
from core.protocol.axdr import length_at
from core.protocol.axdr_encode import encoded_length
from core.protocol.ciphering import (
    AUTHENTICATED,
    ENCRYPTED,
    GENERAL_DED_CIPHERING,
    GENERAL_GLO_CIPHERING,
    CipheredApdu,
    ciphered_apdu_at,
    gmac,
    open_apdu,
    seal_apdu,
    title_text,
)

GENERAL_DED = 0xDC
"""General-ded-ciphering as the standard numbers it; some pushes write 0xDF."""
_GLOBAL = {0x01: 0x21, 0x08: 0x28, 0x0E: 0x2E, 0xC0: 0xC8, 0xC3: 0xCB, 0xC4: 0xCC, 0xC7: 0xCF}
_DEDICATED = {0xC0: 0xD0, 0xC3: 0xD3, 0xC4: 0xD4, 0xC7: 0xD7}
_INITIATES = (0x01, 0x08)
_PLAIN = {ciphered: plain for plain, ciphered in (*_GLOBAL.items(), *_DEDICATED.items())}
_GENERAL = (GENERAL_GLO_CIPHERING, GENERAL_DED_CIPHERING, GENERAL_DED)
PROOF_SIZE = 17


def is_ciphered(message: bytes) -> bool:
    """True where `message` is one that `Security.open` opens."""
    return bool(message) and (message[0] in _PLAIN or message[0] in _GENERAL)


class Security:
    """Keys, titles and counters of one end. `counter` is the invocation counter of the next message that it seals.

    `dedicated_key` is set once an InitiateRequest has brought one; messages other than initiates then use it.
    """

    def __init__(
        self,
        own_title: bytes,
        key: bytes,
        auth_key: bytes,
        *,
        counter: int = 1,
        peer_title: bytes | None = None,
        is_general: bool = False,
    ) -> None:
        self._own_title = own_title
        self._key = key
        self._auth_key = auth_key
        self._is_general = is_general
        self._peer_counter = -1
        self.counter = counter
        self.peer_title = peer_title
        self.dedicated_key: bytes | None = None
        self._suite = 2 if len(key) == 32 else 0

    def seal(self, message: bytes) -> bytes:
        """`message`, encrypted and authenticated."""
        is_dedicated = self.dedicated_key is not None and message[0] in _DEDICATED
        key = self.dedicated_key if is_dedicated else self._key
        general = seal_apdu(
            message,
            system_title=self._own_title,
            invocation_counter=self._next_counter(),
            key=key,
            auth_key=self._auth_key,
            security_control=AUTHENTICATED | ENCRYPTED | self._suite,
            tag=GENERAL_DED if is_dedicated else GENERAL_GLO_CIPHERING,
        )
        tag = (_DEDICATED if is_dedicated else _GLOBAL).get(message[0])
        if tag is None or (self._is_general and message[0] not in _INITIATES):
            return general
        return bytes((tag,)) + general[2 + len(self._own_title) :]

    def open(self, message: bytes) -> bytes:
        """What is inside `message`, its tag verified; raises RemoteProtocolError, WrongKeyError among them.

        A message that is not encrypted and authenticated as agreed is refused.
        """
        apdu = self._apdu_of(message)
        if not apdu.has_tag:
            raise RemoteProtocolError(_("the meter's message is not authenticated as it was agreed"))
        is_dedicated = message[0] in _DEDICATED.values() or message[0] in (GENERAL_DED, GENERAL_DED_CIPHERING)
        content = open_apdu(apdu, self.dedicated_key if is_dedicated else self._key, self._auth_key)
        self._check_counter(apdu.invocation_counter)
        if message[0] in _PLAIN and content[:1] != bytes((_PLAIN[message[0]],)):
            raise RemoteProtocolError(
                _("inside message {outer:#04x} stands another one than it says").format(outer=message[0])
            )
        return content

    def proof(self, challenge: bytes) -> bytes:
        """Our answer to a challenge of the peer: f(challenge) of mechanism 5, 17 octets."""
        control = AUTHENTICATED | self._suite
        counter = self._next_counter()
        head = bytes((control,)) + counter.to_bytes(4, "big")
        return head + gmac(self._key, self._auth_key, self._own_title, counter, challenge, control)

    def check_proof(self, proof: bytes, challenge: bytes) -> None:
        """Verify what the peer answered to our `challenge`; raises WrongKeyError where it does not hold."""
        if len(proof) != PROOF_SIZE or self.peer_title is None:
            raise RemoteProtocolError(_("the meter's proof has {count} octets").format(count=len(proof)))
        counter = int.from_bytes(proof[1:5], "big")
        expected = gmac(self._key, self._auth_key, self.peer_title, counter, challenge, proof[0])
        if not hmac.compare_digest(expected, proof[5:]):
            raise WrongKeyError(
                _("meter {title} could not prove that it holds the same keys").format(title=title_text(self.peer_title))
            )

    def _next_counter(self) -> int:
        counter = self.counter
        if counter > 0xFFFFFFFF:
            raise WrongKeyError(_("the invocation counter is used up; the meter needs new keys"))
        self.counter = counter + 1
        return counter

    def _apdu_of(self, message: bytes) -> CipheredApdu:
        if not is_ciphered(message):
            raise RemoteProtocolError(
                _("message {tag:#04x} came in plain where a ciphered one was due").format(
                    tag=message[0] if message else 0
                )
            )
        if message[0] in _GENERAL:
            apdu, end = ciphered_apdu_at(message, 0)
            if self.peer_title is not None and apdu.system_title not in (b"", self.peer_title):
                raise RemoteProtocolError(
                    _("the message is of {title}, not of the meter that is spoken with").format(
                        title=title_text(apdu.system_title)
                    )
                )
        else:
            count, start = length_at(message, 1)
            inner = bytes((GENERAL_GLO_CIPHERING, 0)) + encoded_length(count) + message[start : start + count]
            apdu, _end = ciphered_apdu_at(inner, 0)
            end = start + count
        if end != len(message):
            raise RemoteProtocolError(
                _("{count} octets stand behind the end of the message").format(count=len(message) - end)
            )
        if apdu.system_title:
            return apdu
        return CipheredApdu(
            self.peer_title or b"", apdu.security_control, apdu.invocation_counter, apdu.content, apdu.tag
        )

    def _check_counter(self, counter: int) -> None:
        if counter <= self._peer_counter:
            raise RepeatedMessageError(
                _("invocation counter {counter} of the meter is not above {last}, the last one").format(
                    counter=counter, last=self._peer_counter
                )
            )
        self._peer_counter = counter
