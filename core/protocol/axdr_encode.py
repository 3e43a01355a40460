"""A-XDR the other way: octets of typed values (IEC 61334-6; DLMS UA Green Book, clause 9.5).

A number in Python does not say its type in COSEM, so each type has its own function; containers take encoded elements.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

NULL = b"\x00"


def encoded_length(count: int) -> bytes:
    """A length: one octet up to 127, else 0x81 to 0x84 and that many octets."""
    if count < 0x80:
        return bytes((count,))
    octets = count.to_bytes((count.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


def structure(*elements: bytes) -> bytes:
    """A structure of elements that are encoded already."""
    return b"\x02" + encoded_length(len(elements)) + b"".join(elements)


def array(elements: Sequence[bytes]) -> bytes:
    """An array of elements that are encoded already."""
    return b"\x01" + encoded_length(len(elements)) + b"".join(elements)


def octet_string(octets: bytes) -> bytes:
    """An octet-string: logical names, and in most places date-times too."""
    return b"\x09" + encoded_length(len(octets)) + octets


def visible_string(text: str) -> bytes:
    """A visible-string."""
    octets = text.encode("ascii", "replace")
    return b"\x0a" + encoded_length(len(octets)) + octets


def date_time(octets: bytes) -> bytes:
    """A date-time of 12 octets with its own tag."""
    return b"\x19" + octets


def boolean(is_true: bool) -> bytes:
    """A boolean."""
    return b"\x03\x01" if is_true else b"\x03\x00"


def enumerated(number: int) -> bytes:
    """An enum, such as a unit."""
    return bytes((0x16, number))


def integer(number: int) -> bytes:
    """8 bits, signed."""
    return b"\x0f" + number.to_bytes(1, "big", signed=True)


def long(number: int) -> bytes:
    """16 bits, signed."""
    return b"\x10" + number.to_bytes(2, "big", signed=True)


def double_long(number: int) -> bytes:
    """32 bits, signed."""
    return b"\x05" + number.to_bytes(4, "big", signed=True)


def long64(number: int) -> bytes:
    """64 bits, signed."""
    return b"\x14" + number.to_bytes(8, "big", signed=True)


def unsigned(number: int) -> bytes:
    """8 bits, not signed."""
    return b"\x11" + number.to_bytes(1, "big")


def long_unsigned(number: int) -> bytes:
    """16 bits, not signed."""
    return b"\x12" + number.to_bytes(2, "big")


def double_long_unsigned(number: int) -> bytes:
    """32 bits, not signed."""
    return b"\x06" + number.to_bytes(4, "big")


def long64_unsigned(number: int) -> bytes:
    """64 bits, not signed."""
    return b"\x15" + number.to_bytes(8, "big")


def float64(number: float) -> bytes:
    """A float of 64 bits."""
    return b"\x18" + struct.pack(">d", number)


def bit_string(bits: str) -> bytes:
    """A bit-string, written as 0 and 1."""
    padded = bits.ljust((len(bits) + 7) // 8 * 8, "0")
    return b"\x04" + encoded_length(len(bits)) + bytes(int(padded[at : at + 8], 2) for at in range(0, len(padded), 8))


def scaler_unit(scaler: int, unit: int) -> bytes:
    """Attribute 3 of a register: the power of ten and the number of the unit."""
    return structure(integer(scaler), enumerated(unit))
