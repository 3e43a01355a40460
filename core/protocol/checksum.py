"""Checks of the meter protocols, each with its source and a check value; all run at the speed of C.

Octets come in as `bytes`, `bytearray` or `memoryview`; none of these functions raises.
"""

from __future__ import annotations

import binascii

_REVERSED = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))


def _crc16_table(polynomial: int) -> tuple[int, ...]:
    table = []
    for octet in range(256):
        crc = octet
        for _bit in range(8):
            crc = crc >> 1 ^ polynomial if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_ARC_TABLE = _crc16_table(0xA001)


def fcs16(frame: bytes | bytearray | memoryview) -> int:
    """Frame check sequence of an HDLC frame, flags excluded; sent low byte first.

    The polynomial is that of `binascii.crc_hqx` read from the other end, hence the reversed bits.

    Source: ISO/IEC 13239 (CRC-16/X.25). Check value: fcs16(b"123456789") == 0x906E.
    """
    crc = binascii.crc_hqx(bytes(frame).translate(_REVERSED), 0xFFFF)
    return (_REVERSED[crc & 0xFF] << 8 | _REVERSED[crc >> 8]) ^ 0xFFFF


def bcc(block: bytes | bytearray | memoryview) -> int:
    """Block check character: the exclusive or of all octets, on 7 bits.

    The block runs from after the first SOH or STX up to and with ETX or EOT. It is folded as one big integer.

    Source: IEC 62056-21, annex C (ISO/IEC 1155). Check value: bcc(b"P0\\x02()\\x03") == 0x60.
    """
    size = len(block)
    number = int.from_bytes(block, "big")
    while size > 1:
        half = (size + 1) // 2
        number = number >> 8 * half ^ number & (1 << 8 * half) - 1
        size = half
    return number & 0x7F


def crc16_p1(telegram: bytes | bytearray | memoryview) -> int:
    """CRC16 of a P1 telegram, from its `/` up to and with its `!`; written as four hexadecimal digits.

    Source: DSMR 5.0.2 P1, clause 6.2 (CRC-16/ARC). Check value: crc16_p1(b"123456789") == 0xBB3D.
    """
    crc = 0
    table = _ARC_TABLE
    for octet in telegram:
        crc = crc >> 8 ^ table[(crc ^ octet) & 0xFF]
    return crc
