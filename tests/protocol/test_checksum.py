from __future__ import annotations

from functools import reduce
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.protocol.checksum import bcc, crc16_p1, fcs16


def test_the_checks_have_their_published_values():
    assert fcs16(b"123456789") == 0x906E
    assert crc16_p1(b"123456789") == 0xBB3D
    assert bcc(b"P0\x02()\x03") == 0x60


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_kind_of_octets_is_taken(kind):
    assert fcs16(kind(b"123456789")) == 0x906E
    assert bcc(kind(b"AB")) == 0x03
    assert crc16_p1(kind(b"123456789")) == 0xBB3D


@given(st.binary(max_size=300))
def test_the_block_check_is_the_exclusive_or_of_the_octets(block):
    assert bcc(block) == reduce(xor, block, 0) & 0x7F


@given(st.binary(max_size=64))
def test_the_frame_check_over_a_frame_with_its_check_leaves_the_known_residue(frame):
    assert fcs16(frame + fcs16(frame).to_bytes(2, "little")) == 0xF0B8 ^ 0xFFFF
