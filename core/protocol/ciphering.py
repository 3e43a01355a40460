"""Ciphered DLMS/COSEM messages: general-glo and general-ded ciphering (Green Book, clauses 9.2.3.4 and 9.2.7).

The initialisation vector is the system title and the invocation counter; the tag has 12 octets and covers the
security control octet and the authentication key. A tag is checked before anything of the message is read; without
an authentication key it cannot be, and the caller must say so.
"""

from __future__ import annotations

from msgspec import Struct

from core.errors import RemoteProtocolError, WrongKeyError
from core.language import _
from core.protocol.axdr import length_at
from core.protocol.axdr_encode import encoded_length as encoded_length

GENERAL_GLO_CIPHERING = 0xDB
GENERAL_DED_CIPHERING = 0xDF
AUTHENTICATED = 0x10
ENCRYPTED = 0x20
COMPRESSED = 0x80
TAG_SIZE = 12


class CipheredApdu(Struct, frozen=True):
    """A message as it came: `content` is ciphertext where the security control says so; `tag` is empty without one."""

    system_title: bytes
    security_control: int
    invocation_counter: int
    content: bytes
    tag: bytes

    @property
    def is_encrypted(self) -> bool:
        """True where the content is ciphertext."""
        return self.security_control & ENCRYPTED != 0

    @property
    def has_tag(self) -> bool:
        """True where the meter vouches for the content."""
        return self.security_control & AUTHENTICATED != 0


def ciphered_apdu_at(data: bytes, position: int) -> tuple[CipheredApdu, int]:
    """The message whose tag stands at `position`, and the position after it; raises RemoteProtocolError."""
    title_size, start = length_at(data, position + 1)
    title = data[start : start + title_size]
    size, start = length_at(data, start + title_size)
    end = start + size
    if end > len(data):
        raise RemoteProtocolError(
            _("a ciphered message of {size} octets is cut off after {count}").format(size=size, count=len(data) - start)
        )
    if size < 5 or title_size not in (0, 8):
        raise RemoteProtocolError(
            _("a ciphered message has {size} octets and a system title of {count}").format(size=size, count=title_size)
        )
    control = data[start]
    tag_size = TAG_SIZE if control & AUTHENTICATED else 0
    if size < 5 + tag_size:
        raise RemoteProtocolError(_("a ciphered message of {size} octets has no room for its tag").format(size=size))
    return (
        CipheredApdu(
            title,
            control,
            int.from_bytes(data[start + 1 : start + 5], "big"),
            data[start + 5 : end - tag_size],
            data[end - tag_size : end] if tag_size else b"",
        ),
        end,
    )


def open_apdu(apdu: CipheredApdu, key: bytes | None, auth_key: bytes | None) -> bytes:
    """The message inside, its tag verified where there is a tag and an authentication key.

    Raises WrongKeyError where a key is missing or the tag does not fit, RemoteProtocolError for what is not supported.
    """
    if apdu.security_control & COMPRESSED:
        raise RemoteProtocolError(_("the message is compressed; this version does not read that"))
    if len(apdu.system_title) != 8:
        raise RemoteProtocolError(_("the message names no system title; give it with --system-title"))
    if apdu.has_tag and auth_key is not None:
        return _verified(apdu, key, auth_key)
    return apdu.content if not apdu.is_encrypted else _deciphered(apdu, _key_for(apdu, key))


def seal_apdu(
    content: bytes,
    *,
    system_title: bytes,
    invocation_counter: int,
    key: bytes | None,
    auth_key: bytes | None,
    security_control: int = AUTHENTICATED | ENCRYPTED,
    tag: int = GENERAL_GLO_CIPHERING,
) -> bytes:
    """A ciphered message round `content`: what a meter sends, for the virtual meter and for tests."""
    counter = invocation_counter.to_bytes(4, "big")
    vector = system_title + counter
    protected, check = content, b""
    if security_control & ENCRYPTED:
        assert key is not None
        protected, check = _gcm_sealed(key, vector, bytes((security_control,)) + (auth_key or b""), content)
    elif security_control & AUTHENTICATED:
        assert key is not None
        check = _gcm_sealed(key, vector, bytes((security_control,)) + (auth_key or b"") + content, b"")[1]
    if not security_control & AUTHENTICATED:
        check = b""
    body = bytes((security_control,)) + counter + protected + check
    return bytes((tag, len(system_title))) + system_title + encoded_length(len(body)) + body


def gmac(key: bytes, auth_key: bytes, title: bytes, counter: int, content: bytes, control: int) -> bytes:
    """The 12 octets by which the owner of `title` vouches for `content` without ciphering it."""
    associated = bytes((control,)) + auth_key + content
    return _gcm_sealed(key, title + counter.to_bytes(4, "big"), associated, b"")[1]


def _key_for(apdu: CipheredApdu, key: bytes | None) -> bytes:
    if key is None:
        raise WrongKeyError(
            _("meter {title} sends ciphered data; its key is needed, ask your grid operator for it").format(
                title=title_text(apdu.system_title)
            )
        )
    wanted = 32 if apdu.security_control & 0x0F == 2 else 16
    if len(key) != wanted:
        raise WrongKeyError(
            _("meter {title} needs a key of {wanted} octets, this one has {count}").format(
                title=title_text(apdu.system_title), wanted=wanted, count=len(key)
            )
        )
    return key


def _verified(apdu: CipheredApdu, key: bytes | None, auth_key: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag  # imported here: most telegrams in the world are not ciphered
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    vector = apdu.system_title + apdu.invocation_counter.to_bytes(4, "big")
    opener = Cipher(
        algorithms.AES(_key_for(apdu, key)), modes.GCM(vector, apdu.tag, min_tag_length=TAG_SIZE)
    ).decryptor()
    associated = bytes((apdu.security_control,)) + auth_key
    try:
        if not apdu.is_encrypted:
            opener.authenticate_additional_data(associated + apdu.content)
            opener.finalize()
            return apdu.content
        opener.authenticate_additional_data(associated)
        content: bytes = opener.update(apdu.content)
        opener.finalize()
    except InvalidTag:
        raise WrongKeyError(
            _("the key or the authentication key does not fit meter {title}, or the message was altered").format(
                title=title_text(apdu.system_title)
            )
        ) from None
    return content


def _deciphered(apdu: CipheredApdu, key: bytes) -> bytes:
    """Without the authentication key, GCM is counter mode whose first block is number 2 (NIST SP 800-38D, 7.1)."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    block = apdu.system_title + apdu.invocation_counter.to_bytes(4, "big") + b"\0\0\0\x02"
    opener = Cipher(algorithms.AES(key), modes.CTR(block)).decryptor()
    content: bytes = opener.update(apdu.content) + opener.finalize()
    return content


def _gcm_sealed(key: bytes, vector: bytes, associated: bytes, content: bytes) -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    sealer = Cipher(algorithms.AES(key), modes.GCM(vector)).encryptor()
    sealer.authenticate_additional_data(associated)
    sealed: bytes = sealer.update(content) + sealer.finalize()
    return sealed, sealer.tag[:TAG_SIZE]


def title_text(title: bytes) -> str:
    """A system title for people: its three letters and the rest in hexadecimal."""
    letters = title[:3]
    if len(title) == 8 and letters.isalpha() and letters.isascii():
        return letters.decode() + title[3:].hex().upper()
    return title.hex().upper()
