"""Control octets, addresses and parameters of HDLC in connected mode (IEC 62056-46; ISO/IEC 13239, clauses 5 and 6)."""

from __future__ import annotations

from msgspec import Struct

from core.errors import RemoteProtocolError, UsageError
from core.language import _

SNRM = 0x83
UA = 0x63
DISC = 0x43
DM = 0x0F
FRMR = 0x87
UI = 0x03
RR = 0x01
RNR = 0x05
REJ = 0x09
FINAL = 0x10
"""Poll in a frame of the client's, final in one of the meter's."""
DEFAULT_INFORMATION = 128
LONGEST_INFORMATION = 2030
"""What fits into a frame of 2,047 octets beside the longest header and both checks."""
WIDEST_WINDOW = 7


class LinkParameters(Struct, frozen=True, kw_only=True):
    """What one end sends and takes: octets of information in a frame, frames before an acknowledgement."""

    transmit: int = DEFAULT_INFORMATION
    receive: int = DEFAULT_INFORMATION
    transmit_window: int = 1
    receive_window: int = 1


def i_control(sent: int, received: int, *, is_final: bool) -> int:
    """Control octet of an I frame with N(S) `sent` and N(R) `received`."""
    return received << 5 | (FINAL if is_final else 0) | sent << 1


def s_control(kind: int, received: int) -> int:
    """Control octet of RR, RNR or REJ with N(R) `received`, its poll or final bit set."""
    return received << 5 | FINAL | kind


def client_octets(client: int) -> bytes:
    """The address of a client: one octet up to 127."""
    return _octets(client, 1) if client < 0x80 else _octets(client, 2)


def server_octets(logical: int, physical: int | None = None, *, size: int | None = None) -> bytes:
    """The address of a meter in 1, 2 or 4 octets: the logical device alone, or with its physical address.

    `size` None is the shortest one that holds both.
    """
    if physical is None and size in (None, 1) and logical < 0x80:
        return _octets(logical, 1)
    half = 2 if size == 4 or max(logical, physical or 0) > 0x7F else 1
    octets = bytearray(_octets(logical, half) + _octets(physical or 0, half))
    octets[half - 1] &= 0xFE
    return bytes(octets)


def parse_server(text: str) -> bytes:
    """Octets of `LOGICAL` or `LOGICAL:PHYSICAL`; nothing is logical device 1; raises UsageError."""
    logical, colon, physical = text.strip().partition(":")
    numbers = [part for part in (logical or "1", physical) if part or colon]
    if not all(part.isascii() and part.isdigit() and int(part) <= 0x3FFF for part in numbers):
        raise UsageError(
            _("{address} is no DLMS address; write LOGICAL or LOGICAL:PHYSICAL, such as 1 or 1:17").format(
                address=text[:40]
            )
        )
    return server_octets(int(numbers[0]), int(numbers[1]) if colon else None)


def address_of(octets: bytes) -> int:
    """The number that an address stands for: of two halves, upper * 16384 + lower."""
    if len(octets) == 1:
        return octets[0] >> 1
    if len(octets) == 2:
        return (octets[0] >> 1) << 14 | octets[1] >> 1
    return (octets[0] >> 1 << 7 | octets[1] >> 1) << 14 | octets[2] >> 1 << 7 | octets[3] >> 1


def encode_parameters(parameters: LinkParameters) -> bytes:
    """Information field of SNRM and UA: group 0x80 with both lengths and both windows (Green Book, 8.4.5.3.2)."""
    content = b"".join(
        bytes((number, 1 if value < 0x100 else 2)) + value.to_bytes(1 if value < 0x100 else 2, "big")
        for number, value in ((5, parameters.transmit), (6, parameters.receive))
    ) + b"".join(
        bytes((number, 4)) + value.to_bytes(4, "big")
        for number, value in ((7, parameters.transmit_window), (8, parameters.receive_window))
    )
    return bytes((0x81, 0x80, len(content))) + content


def decode_parameters(information: bytes) -> LinkParameters:
    """What SNRM or UA say; absent ones are the defaults of the standard; raises RemoteProtocolError."""
    values = {5: DEFAULT_INFORMATION, 6: DEFAULT_INFORMATION, 7: 1, 8: 1}
    if information:
        if len(information) < 3 or information[:2] != b"\x81\x80" or information[2] != len(information) - 3:
            raise RemoteProtocolError(
                _("the parameters of the link cannot be read: {octets}").format(octets=information[:24].hex(" "))
            )
        position = 3
        while position < len(information):
            number, size = information[position], information[position + 1 : position + 2]
            octets = information[position + 2 : position + 2 + size[0]] if size else b""
            if not size or not 1 <= size[0] <= 4 or len(octets) < size[0]:
                raise RemoteProtocolError(
                    _("the parameters of the link cannot be read: {octets}").format(octets=information[:24].hex(" "))
                )
            values[number] = int.from_bytes(octets, "big")
            position += 2 + size[0]
    return LinkParameters(
        transmit=min(max(values[5], 1), LONGEST_INFORMATION),
        receive=min(max(values[6], 1), LONGEST_INFORMATION),
        transmit_window=min(max(values[7], 1), WIDEST_WINDOW),
        receive_window=min(max(values[8], 1), WIDEST_WINDOW),
    )


def _octets(number: int, size: int) -> bytes:
    if not 0 <= number < 1 << 7 * size:
        raise UsageError(_("{number} is no HDLC address of {size} octets").format(number=number, size=size))
    octets = [(number >> 7 * place & 0x7F) << 1 for place in reversed(range(size))]
    octets[-1] |= 1
    return bytes(octets)
