"""Certificates of servers: the days they have left, also of one that is not trusted, and in words why it is not.

Python's ssl tells the fields of a certificate only when it has verified it. Of another one it gives the octets (DER),
and `end_of_validity` reads the one date out of them: X.509, RFC 5280 4.1.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

from core.language import N_, _

_SEQUENCE = 0x30
_VERSION = 0xA0
_UTC_TIME = 0x17
_GENERALIZED_TIME = 0x18

_REASONS = {
    9: N_("the certificate of {host} is not valid yet; is the clock of this machine right?"),
    10: N_("the certificate of {host} has expired"),
    18: N_("the certificate of {host} is self-signed, nobody vouches for it"),
    19: N_("the certificate of {host} is vouched for by somebody this machine does not know"),
    20: N_("the certificate of {host} is vouched for by somebody this machine does not know"),
    21: N_("the certificate of {host} is vouched for by somebody this machine does not know"),
    23: N_("the certificate of {host} has been revoked"),
    62: N_("the certificate is for another host than {host}"),
    64: N_("the certificate is for another address than {host}"),
}
"""By X509_V_ERR_…, openssl/x509_vfy.h."""


def reason_of(error: ssl.SSLCertVerificationError, host: str) -> str:
    """Why a certificate is not taken, for the user."""
    known = _REASONS.get(error.verify_code)
    if known is not None:
        return _(known).format(host=host)
    return _("the certificate of {host} is not trusted: {reason}").format(host=host, reason=error.verify_message)


def days_left(end_s: float | None, now_s: float) -> float | None:
    """Days until `end_s`, negative after it, to a hundredth."""
    return None if end_s is None else round((end_s - now_s) / 86400, 2)


def verified_end_s(ssl_object: ssl.SSLObject) -> float | None:
    """When the certificate of a verified peer ends; None where it does not say."""
    found = ssl_object.getpeercert()
    end = found.get("notAfter") if found else None
    return float(ssl.cert_time_to_seconds(end)) if isinstance(end, str) else None


def end_of_validity(der: bytes) -> float | None:
    """Epoch seconds of `notAfter` of a certificate in DER; None where the octets are no certificate."""
    try:
        certificate, _rest = element(der, _SEQUENCE)
        fields, _rest = element(certificate, _SEQUENCE)
        if fields[:1] == bytes([_VERSION]):
            _version, fields = element(fields, _VERSION)
        for _name in ("serial number", "signature", "issuer"):
            _skipped, fields = element(fields)
        validity, _rest = element(fields, _SEQUENCE)
        _begin, validity = element(validity)
        tag = validity[0]
        end, _rest = element(validity)
        return _time(tag, end.decode("ascii"))
    except (IndexError, ValueError):
        return None


def element(octets: bytes, tag: int | None = None) -> tuple[bytes, bytes]:
    """Content of the element at the front, and what follows it; raises ValueError."""
    if tag is not None and octets[0] != tag:
        raise ValueError(f"tag is {octets[0]:#04x}, expected {tag:#04x}")
    length, at = octets[1], 2
    if length >= 0x80:
        count = length & 0x7F
        if not 1 <= count <= 3:
            raise ValueError(f"length of {count} octets")
        length, at = int.from_bytes(octets[2 : 2 + count], "big"), 2 + count
    if len(octets) < at + length:
        raise ValueError(f"{length} octets announced, {len(octets) - at} there")
    return octets[at : at + length], octets[at + length :]


def _time(tag: int, text: str) -> float:
    """RFC 5280 4.1.2.5: two digits of a year from 50 on are of the last century; always UTC, with seconds."""
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError(f"tag {tag:#04x} is no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
