"""Even parity in the eighth bit, for adapters and pseudo-terminals that carry 8N1 only.

IEC 62056-21 is spoken with seven data bits and even parity (7E1); on a line of eight data bits without parity the
same octet is on the wire when its bit 7 is set so that the number of ones is even.
"""

from __future__ import annotations

_WITH_PARITY = bytes((value & 0x7F) | ((value & 0x7F).bit_count() & 1) << 7 for value in range(256))
_WITHOUT_PARITY = bytes(
    value if value < 0x80 or value.bit_count() & 1 else value & 0x7F  # an odd number of ones is a broken octet: kept
    for value in range(256)
)
_ODD = bytes(value for value in range(256) if value.bit_count() & 1)


def with_even_parity(data: bytes) -> bytes:
    """`data` with bit 7 set for even parity. Check value: with_even_parity(b"/?!") == b"\\xaf\\x3f\\x21"."""
    return data.translate(_WITH_PARITY)


def without_parity(data: bytes) -> bytes:
    """`data` without its parity bit; bit 7 may be clear as well. A broken octet keeps bit 7, and so is no text."""
    return data.translate(_WITHOUT_PARITY)


def has_even_parity(data: bytes) -> bool:
    """True where every octet has an even number of ones."""
    return not data.translate(None, delete=bytes(set(range(256)) - set(_ODD)))
