"""The certificate that `core.transport.key_maker` makes, octet by octet; anything else is not one of ours.

A console's certificate that somebody hands in (to be admitted, or as a card) is compared with this form alone: version
3, ECDSA with SHA-256 over P-256, one common name as both subject and issuer, the years 2000 to 2100, and exactly three
extensions: CA:FALSE, and a Subject and an Authority Key Identifier that are the SHA-1 of the key within. So one that
was made up can be no authority, and cannot stand in the way of another console's in a trust store (RFC 5280, 4.2.1.1).
Whoever knows another console's certificate could still make a second one of its name and key, beside which the first
one is no longer found in a trust store: so it must be signed by its own key, too, and be one that OpenSSL loads.
"""

from __future__ import annotations

import hashlib
import re
import ssl

from msgspec import Struct

from core.transport.identity import fingerprint_of
from core.transport.p256 import is_signed_by

MOST_CARD_OCTETS = 16 * 1024

_VERSION_3 = bytes.fromhex("a003020102")
_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_YEARS = bytes.fromhex("3020170d3030303130313030303030305a180f32313030303130313030303030305a")
_P256_KEY = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
_COMMON_NAME = bytes.fromhex("0603550403")
_POINT_OCTETS = 65
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,3000}-----END CERTIFICATE-----")


class ConsoleCertificate(Struct, frozen=True):
    """A certificate of our form; `name` is its common name, `pem` itself written anew."""

    name: str
    fingerprint: str
    pem: str


def console_certificate(text: str, *, is_signature_checked: bool = True) -> ConsoleCertificate:
    """The one certificate in `text`, in PEM with whatever stands around it; raises ValueError with what is wrong.

    Its signature costs some milliseconds, which a list of two thousand from a source one trusts need not wait for.
    """
    if len(text) > MOST_CARD_OCTETS:
        raise ValueError(f"it has more than {MOST_CARD_OCTETS} characters")
    if "PRIVATE KEY" in text:
        raise ValueError("it holds a private key; a card holds a certificate alone")
    found = _PEM.findall(text)
    if len(found) != 1:
        raise ValueError(f"it holds {len(found)} certificates, one is wanted")
    try:
        der = ssl.PEM_cert_to_DER_cert(found[0])
    except ValueError as error:
        raise ValueError("its base64 cannot be read") from error
    name = _common_name_of(der, is_signature_checked=is_signature_checked)
    pem = ssl.DER_cert_to_PEM_cert(der)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except ssl.SSLError as error:
        raise ValueError("OpenSSL cannot read it") from error
    return ConsoleCertificate(name=name, fingerprint=fingerprint_of(der), pem=pem)


def _common_name_of(der: bytes, *, is_signature_checked: bool) -> str:
    """The common name of a certificate of our form; raises ValueError for any other."""
    whole, rest = _element(der, 0x30)
    if rest:
        raise ValueError("something follows the certificate")
    signed, rest = _element(whole, 0x30)
    if not rest.startswith(_ECDSA_SHA256):
        raise ValueError("it is not signed by ECDSA with SHA-256")
    signature, rest = _element(rest[len(_ECDSA_SHA256) :], 0x03)
    message = whole[: len(whole) - len(signature) - len(_ECDSA_SHA256) - 2]
    body = _after(signed, _VERSION_3, "its version is not 3")
    serial, body = _element(body, 0x02)
    body = _after(body, _ECDSA_SHA256, "it is not signed by ECDSA with SHA-256")
    issuer, body = _element(body, 0x30)
    body = _after(body, _YEARS, "its dates are not those of a console of Beffroi")
    subject, body = _element(body, 0x30)
    body = _after(body, _P256_KEY, "its key is not one of P-256")
    point, extensions = body[:_POINT_OCTETS], body[_POINT_OCTETS:]
    if rest or not _is_serial(serial) or point[:1] != b"\x04" or extensions != _extensions(point):
        raise ValueError("it is not of the form that Beffroi makes")
    if issuer != subject:
        raise ValueError("it is not self-signed")
    if is_signature_checked and not is_signed_by(point, message, *_signature_in(signature)):
        raise ValueError("it is not signed by its own key")
    return _name_in(subject)


def _is_serial(serial: bytes) -> bool:
    """True for a whole number above 0 in its shortest form, such as RFC 5280 wants it."""
    return 1 <= len(serial) <= 20 and serial == _shortest(int.from_bytes(serial, signed=True))


def _shortest(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1) if number > 0 else b""


def _signature_in(octets: bytes) -> tuple[int, int]:
    """The two numbers of a signature (RFC 3279, 2.2.3)."""
    pair, rest = _element(_after(octets, b"\0", "its signature cannot be read"), 0x30)
    first, second = _element(pair, 0x02)
    second, more = _element(second, 0x02)
    numbers = int.from_bytes(first, signed=True), int.from_bytes(second, signed=True)
    if rest or more or (first, second) != (_shortest(numbers[0]), _shortest(numbers[1])):
        raise ValueError("its signature cannot be read")
    return numbers


def _extensions(point: bytes) -> bytes:
    """The three extensions of a certificate whose key is `point`."""
    identifier = hashlib.sha1(point, usedforsecurity=False).digest()
    return (
        bytes.fromhex("a350304e300c0603551d130101ff04023000301d0603551d0e04160414")
        + identifier
        + bytes.fromhex("301f0603551d23041830168014")
        + identifier
    )


def _name_in(subject: bytes) -> str:
    """The text of a name that is one common name in UTF-8."""
    one, rest = _element(subject, 0x31)
    pair, more = _element(one, 0x30)
    value, end = _element(_after(pair, _COMMON_NAME, "its name is not a common name"), 0x0C)
    if rest or more or end:
        raise ValueError("it has more than one name")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ValueError("its name is not UTF-8") from error


def _after(octets: bytes, wanted: bytes, complaint: str) -> bytes:
    if not octets.startswith(wanted):
        raise ValueError(complaint)
    return octets[len(wanted) :]


def _element(octets: bytes, tag: int) -> tuple[bytes, bytes]:
    """Content of the DER element that begins here, and what follows it; raises ValueError."""
    if len(octets) < 2 or octets[0] != tag:
        raise ValueError("it is not of the form that Beffroi makes")
    length, start = octets[1], 2
    if length >= 0x80:
        count = length & 0x7F
        if count not in (1, 2) or len(octets) < 2 + count:
            raise ValueError("it is not of the form that Beffroi makes")
        length, start = int.from_bytes(octets[2 : 2 + count]), 2 + count
        if length < (0x80 if count == 1 else 0x100):
            raise ValueError("it is not of the form that Beffroi makes")
    if len(octets) < start + length:
        raise ValueError("it is cut")
    return octets[start : start + length], octets[start + length :]
