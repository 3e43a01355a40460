"""Associations of COSEM: AARQ, AARE, RLRQ, RLRE and what they carry (DLMS UA Green Book, clauses 9.3.2 to 9.3.4, 9.4).

The outer messages are BER (ISO/IEC 8650-1), the user information inside is A-XDR: InitiateRequest, InitiateResponse or
ConfirmedServiceError, or one of the first two ciphered (`core.protocol.ciphering` opens it).
"""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct

from core.errors import RemoteProtocolError
from core.language import N_, _
from core.protocol.axdr import length_at
from core.protocol.axdr_encode import encoded_length
from core.protocol.ber import field, fields_of, last_arc, number_of, tagged, wrapped

AARQ = 0x60
AARE = 0x61
RLRQ = 0x62
RLRE = 0x63
INITIATE_REQUEST = 0x01
INITIATE_RESPONSE = 0x08
CONFIRMED_SERVICE_ERROR = 0x0E

_CONTEXT = bytes.fromhex("608574050801")
_MECHANISM = bytes.fromhex("608574050802")
_DLMS_VERSION = 6


class Mechanism(IntEnum):
    """Authentication mechanisms (Green Book, clause 9.2.2.2.2)."""

    NONE = 0
    LOW = 1
    HIGH = 2
    HIGH_MD5 = 3
    HIGH_SHA1 = 4
    HIGH_GMAC = 5
    HIGH_SHA256 = 6
    HIGH_ECDSA = 7


class Context(IntEnum):
    """Application contexts: how objects are named, and whether messages may be ciphered."""

    LOGICAL_NAME = 1
    SHORT_NAME = 2
    LOGICAL_NAME_CIPHERED = 3
    SHORT_NAME_CIPHERED = 4


class Conformance:
    """Bits of the conformance block, the first of its 24 as the highest (Green Book, clause 9.4.6.1)."""

    GENERAL_PROTECTION = 1 << 22
    GENERAL_BLOCK_TRANSFER = 1 << 21
    BLOCK_TRANSFER_WITH_GET = 1 << 12
    MULTIPLE_REFERENCES = 1 << 9
    GET = 1 << 4
    SELECTIVE_ACCESS = 1 << 2
    ACTION = 1 << 0


RESULTS = {
    0: N_("accepted"),
    1: N_("rejected for good"),
    2: N_("rejected for now"),
}
AUTHENTICATION_FAILURE = 13
AUTHENTICATION_REQUIRED = 14
USER_DIAGNOSTICS = {
    0: N_("no reason given"),
    1: N_("no reason given"),
    2: N_("application context not supported"),
    3: N_("calling AP title not recognised"),
    4: N_("calling AP invocation identifier not recognised"),
    5: N_("calling AE qualifier not recognised"),
    6: N_("calling AE invocation identifier not recognised"),
    7: N_("called AP title not recognised"),
    8: N_("called AP invocation identifier not recognised"),
    9: N_("called AE qualifier not recognised"),
    10: N_("called AE invocation identifier not recognised"),
    11: N_("authentication mechanism not recognised"),
    12: N_("authentication mechanism required"),
    13: N_("authentication failure"),
    14: N_("authentication required"),
}
PROVIDER_DIAGNOSTICS = {0: N_("no reason given"), 1: N_("no reason given"), 2: N_("no common ACSE version")}


class AssociationRequest(Struct, frozen=True, kw_only=True):
    """An AARQ: who calls, how it proves itself, and the InitiateRequest (plain or ciphered) in `user_information`."""

    context: int = Context.LOGICAL_NAME
    mechanism: int = Mechanism.NONE
    calling_title: bytes | None = None
    authentication: bytes | None = None
    user_information: bytes = b""


class AssociationResponse(Struct, frozen=True, kw_only=True):
    """An AARE. `source` of the diagnostic is 1 for the service user, 2 for the provider."""

    context: int = Context.LOGICAL_NAME
    result: int = 0
    source: int = 1
    diagnostic: int = 0
    mechanism: int | None = None
    responding_title: bytes | None = None
    authentication: bytes | None = None
    user_information: bytes = b""

    @property
    def is_accepted(self) -> bool:
        """True for an association that is, though high security has its second half still to come."""
        return self.result == 0

    @property
    def reason(self) -> str:
        """Result and diagnostic in words, the number of the diagnostic with them."""
        known = USER_DIAGNOSTICS if self.source == 1 else PROVIDER_DIAGNOSTICS
        return _("{result}, diagnostic {number}: {reason}").format(
            result=_(RESULTS[self.result]) if self.result in RESULTS else str(self.result),
            number=self.diagnostic,
            reason=_(known[self.diagnostic]) if self.diagnostic in known else _("unknown"),
        )


class InitiateRequest(Struct, frozen=True, kw_only=True):
    """What the client proposes; `conformance` as a number of 24 bits."""

    conformance: int
    maximum_pdu: int = 0xFFFF
    dedicated_key: bytes | None = None
    is_response_allowed: bool = True
    quality_of_service: int | None = None
    version: int = _DLMS_VERSION


class InitiateResponse(Struct, frozen=True, kw_only=True):
    """What the meter grants; `maximum_pdu` is the longest message that it takes (0: no limit)."""

    conformance: int
    maximum_pdu: int
    quality_of_service: int | None = None
    version: int = _DLMS_VERSION
    vaa_name: int = 0x0007


class ConfirmedServiceError(Struct, frozen=True):
    """Why an initiate (service 1), a read or a write was refused: class of the error and its value."""

    service: int
    error_class: int
    value: int


class Release(Struct, frozen=True, kw_only=True):
    """An RLRQ or an RLRE; `reason` 0 is normal."""

    is_response: bool = False
    reason: int | None = 0
    user_information: bytes = b""


def encode_association_request(request: AssociationRequest) -> bytes:
    """Octets of an AARQ."""
    content = field(0xA1, field(0x06, _CONTEXT + bytes((request.context,))))
    if request.calling_title is not None:
        content += field(0xA6, field(0x04, request.calling_title))
    if request.mechanism != Mechanism.NONE:
        content += field(0x8A, b"\x07\x80") + field(0x8B, _MECHANISM + bytes((request.mechanism,)))
        if request.authentication is not None:
            content += field(0xAC, field(0x80, request.authentication))
    return field(AARQ, content + _user_information(request.user_information))


def encode_association_response(response: AssociationResponse) -> bytes:
    """Octets of an AARE."""
    content = field(0xA1, field(0x06, _CONTEXT + bytes((response.context,))))
    content += field(0xA2, field(0x02, bytes((response.result,))))
    content += field(0xA3, field(0xA0 | response.source, field(0x02, bytes((response.diagnostic,)))))
    if response.responding_title is not None:
        content += field(0xA4, field(0x04, response.responding_title))
    if response.mechanism is not None:
        content += field(0x88, b"\x07\x80") + field(0x89, _MECHANISM + bytes((response.mechanism,)))
        if response.authentication is not None:
            content += field(0xAA, field(0x80, response.authentication))
    return field(AARE, content + _user_information(response.user_information))


def encode_release(release: Release) -> bytes:
    """Octets of an RLRQ or RLRE."""
    content = b"" if release.reason is None else field(0x80, bytes((release.reason,)))
    return field(RLRE if release.is_response else RLRQ, content + _user_information(release.user_information))


def decode_association_request(data: bytes) -> AssociationRequest:
    """An AARQ; raises RemoteProtocolError."""
    fields = fields_of(data, AARQ)
    mechanism = fields.get(0x8B)
    return AssociationRequest(
        context=_context(fields),
        mechanism=Mechanism.NONE if mechanism is None else last_arc(mechanism, _MECHANISM),
        calling_title=wrapped(fields, 0xA6, 0x04),
        authentication=wrapped(fields, 0xAC, 0x80),
        user_information=wrapped(fields, 0xBE, 0x04) or b"",
    )


def decode_association_response(data: bytes) -> AssociationResponse:
    """An AARE; raises RemoteProtocolError."""
    fields = fields_of(data, AARE)
    if 0xA2 not in fields or 0xA3 not in fields:
        raise RemoteProtocolError(_("the meter's answer to the association has no result"))
    source, diagnostic = tagged(fields[0xA3])
    mechanism = fields.get(0x89)
    return AssociationResponse(
        context=_context(fields),
        result=number_of(fields[0xA2]),
        source=source & 0x1F,
        diagnostic=number_of(diagnostic),
        mechanism=None if mechanism is None else last_arc(mechanism, _MECHANISM),
        responding_title=wrapped(fields, 0xA4, 0x04),
        authentication=wrapped(fields, 0xAA, 0x80),
        user_information=wrapped(fields, 0xBE, 0x04) or b"",
    )


def decode_release(data: bytes) -> Release:
    """An RLRQ or RLRE; raises RemoteProtocolError."""
    is_response = data[:1] == bytes((RLRE,))
    fields = fields_of(data, RLRE if is_response else RLRQ)
    reason = fields.get(0x80)
    if reason is not None and len(reason) != 1:
        raise RemoteProtocolError(_("the reason of a release has {count} octets").format(count=len(reason)))
    return Release(
        is_response=is_response,
        reason=None if reason is None else reason[0],
        user_information=wrapped(fields, 0xBE, 0x04) or b"",
    )


def encode_initiate_request(request: InitiateRequest) -> bytes:
    """Octets of an InitiateRequest."""
    octets = bytes((INITIATE_REQUEST,))
    octets += b"\x00" if request.dedicated_key is None else b"\x01" + _counted(request.dedicated_key)
    octets += b"\x00" if request.is_response_allowed else b"\x01\x00"
    octets += _optional(request.quality_of_service)
    return octets + bytes((request.version,)) + _conformance(request.conformance) + _u16(request.maximum_pdu)


def encode_initiate_response(response: InitiateResponse) -> bytes:
    """Octets of an InitiateResponse."""
    octets = bytes((INITIATE_RESPONSE,)) + _optional(response.quality_of_service) + bytes((response.version,))
    return octets + _conformance(response.conformance) + _u16(response.maximum_pdu) + _u16(response.vaa_name)


def encode_confirmed_service_error(error: ConfirmedServiceError) -> bytes:
    """Octets of a ConfirmedServiceError."""
    return bytes((CONFIRMED_SERVICE_ERROR, error.service, error.error_class, error.value))


def decode_initiate_request(data: bytes) -> InitiateRequest:
    """An InitiateRequest; raises RemoteProtocolError."""
    reader = _Octets(data, INITIATE_REQUEST)
    key = None
    if reader.octet():
        key = reader.take(reader.length())
    is_response_allowed = reader.octet() != 0 if reader.octet() else True
    quality = reader.octet() if reader.octet() else None
    version = reader.octet()
    return InitiateRequest(
        dedicated_key=key,
        is_response_allowed=is_response_allowed,
        quality_of_service=quality,
        version=version,
        conformance=reader.conformance(),
        maximum_pdu=reader.number(2, is_last=True),
    )


def decode_initiate_response(data: bytes) -> InitiateResponse:
    """An InitiateResponse; raises RemoteProtocolError."""
    reader = _Octets(data, INITIATE_RESPONSE)
    quality = reader.octet() if reader.octet() else None
    version = reader.octet()
    conformance = reader.conformance()
    return InitiateResponse(
        quality_of_service=quality,
        version=version,
        conformance=conformance,
        maximum_pdu=reader.number(2),
        vaa_name=reader.number(2, is_last=True),
    )


def decode_confirmed_service_error(data: bytes) -> ConfirmedServiceError:
    """A ConfirmedServiceError; raises RemoteProtocolError."""
    reader = _Octets(data, CONFIRMED_SERVICE_ERROR)
    return ConfirmedServiceError(reader.octet(), reader.octet(), reader.number(1, is_last=True))


class _Octets:
    """Reads an A-XDR message without tags from left to right."""

    def __init__(self, data: bytes, tag: int) -> None:
        self._data = data
        self._at = 0
        if self.octet() != tag:
            raise RemoteProtocolError(
                _("message {found:#04x} came where {wanted:#04x} was due").format(found=data[0], wanted=tag)
            )

    def octet(self) -> int:
        return self.take(1)[0]

    def length(self) -> int:
        count, self._at = length_at(self._data, self._at)
        return count

    def take(self, count: int) -> bytes:
        octets = self._data[self._at : self._at + count]
        if len(octets) < count:
            raise RemoteProtocolError(_("the message is cut off at octet {position}").format(position=len(self._data)))
        self._at += count
        return octets

    def number(self, count: int, *, is_last: bool = False) -> int:
        value = int.from_bytes(self.take(count), "big")
        if is_last and self._at != len(self._data):
            raise RemoteProtocolError(
                _("{count} octets stand behind the end of the message").format(count=len(self._data) - self._at)
            )
        return value

    def conformance(self) -> int:
        tag = self.octet()
        second = self.octet()
        if tag != 0x5F:
            raise RemoteProtocolError(_("the conformance block begins with {tag:#04x}").format(tag=tag))
        size = self.octet() if second == 0x1F else second  # some meters write the tag in one octet
        if size != 4:
            raise RemoteProtocolError(_("the conformance block has {count} octets").format(count=size))
        return self.number(4) & 0xFFFFFF


def _user_information(octets: bytes) -> bytes:
    return field(0xBE, field(0x04, octets)) if octets else b""


def _counted(octets: bytes) -> bytes:
    return encoded_length(len(octets)) + octets


def _optional(number: int | None) -> bytes:
    return b"\x00" if number is None else bytes((1, number))


def _u16(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _conformance(bits: int) -> bytes:
    return b"\x5f\x1f\x04" + bits.to_bytes(4, "big")


def _context(fields: dict[int, bytes]) -> int:
    name = wrapped(fields, 0xA1, 0x06)
    if name is None:
        raise RemoteProtocolError(_("the association has no application context"))
    return last_arc(name, _CONTEXT)
