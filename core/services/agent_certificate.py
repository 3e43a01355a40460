"""Whether a certificate is one as agents make for themselves, and the name in it; X.509, RFC 5280 4.1.

`core.transport.key_maker` writes them: self-signed, of a single name, and good until 2100. Anybody can make one like
it: what is read here tells where an agent may be, never who.
"""

from __future__ import annotations

from core.protocol.messages import plain_text
from core.services.check_certificate import element, end_of_validity

_SEQUENCE = 0x30
_SET = 0x31
_VERSION = 0xA0
_COMMON_NAME = bytes.fromhex("0603550403")
_END_S = 4102444800.0
"""2100-01-01T00:00:00Z."""

_LARGEST_OCTETS = 8192
_LONGEST_NAME = 64


def agent_name(der: bytes) -> str | None:
    """The name in an agent's certificate, fit to be shown; None where `der` is no such certificate."""
    if len(der) > _LARGEST_OCTETS or end_of_validity(der) != _END_S:
        return None
    try:
        certificate, _rest = element(der, _SEQUENCE)
        fields, _rest = element(certificate, _SEQUENCE)
        _version, fields = element(fields, _VERSION)
        for _name in ("serial number", "signature"):
            _skipped, fields = element(fields)
        issuer, fields = element(fields, _SEQUENCE)
        _validity, fields = element(fields, _SEQUENCE)
        subject, _rest = element(fields, _SEQUENCE)
        if issuer != subject:
            return None
        only, rest = element(subject, _SET)
        pair, more = element(only, _SEQUENCE)
        if rest or more or not pair.startswith(_COMMON_NAME):
            return None
        text, _rest = element(pair[len(_COMMON_NAME) :])
        return plain_text(text.decode("utf-8", "replace"), _LONGEST_NAME).strip()
    except (IndexError, ValueError):
        return None
