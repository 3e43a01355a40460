from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RemoteProtocolError
from core.protocol.axdr import AttributeDescriptor, DateTimeOctets, Enumerated, value_at, whole_children


@pytest.mark.parametrize(
    ("octets", "value"),
    [
        ("00", None),
        ("0301", True),
        ("0300", False),
        ("040aa580", "1010010110"),
        ("05fffffffe", -2),
        ("06fffffffe", 4294967294),
        ("0903414243", b"ABC"),
        ("0a03414243", "ABC"),
        ("0c02c3a9", "é"),
        ("0d42", 42),
        ("0fff", -1),
        ("10fffe", -2),
        ("11fe", 254),
        ("12fffe", 65534),
        ("14fffffffffffffffe", -2),
        ("15fffffffffffffffe", 18446744073709551614),
        ("161b", 27),
        ("17" + struct.pack(">f", 230.5).hex(), 230.5),
        ("18" + struct.pack(">d", 230.1).hex(), 230.1),
        ("ff", None),
        ("0203110102000100", (1, (), [])),
        ("0981050102030405", b"\x01\x02\x03\x04\x05"),
    ],
)
def test_every_type_is_read(octets, value):
    data = bytes.fromhex(octets)
    assert value_at(data) == (value, len(data))


def test_enums_and_times_are_told_from_numbers_and_octets():
    assert type(value_at(bytes.fromhex("161b"))[0]) is Enumerated
    assert type(value_at(b"\x19" + bytes(12))[0]) is DateTimeOctets
    assert len(value_at(b"\x1a" + bytes(5))[0]) == 5
    assert len(value_at(b"\x1b" + bytes(4))[0]) == 4


def test_a_compact_array_names_its_type_once():
    data = bytes.fromhex("130202 0612 0c 00000001000a 00000002000b".replace(" ", ""))
    assert value_at(data) == ([(1, 10), (2, 11)], len(data))
    nested = bytes.fromhex("1301000211040a0b0c0d")
    assert value_at(nested)[0] == [[10, 11], [12, 13]]


def test_a_compact_array_of_nothing_is_refused_not_endless():
    with pytest.raises(RemoteProtocolError, match="no size"):
        value_at(bytes.fromhex("13000100"))
    with pytest.raises(RemoteProtocolError, match="more than"):
        value_at(bytes.fromhex("1301ffff01ffff000100"))


def test_an_untagged_attribute_descriptor_is_recognised():
    data = bytes.fromhex("020200010000600100ff02090130")
    assert value_at(data)[0] == (AttributeDescriptor(1, bytes.fromhex("0000600100ff"), 2), b"0")


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        ("0600", "cut off"),
        ("", "cut off"),
        ("0905414243", "cut off"),
        ("0984ffffffff", "cut off"),
        ("0985ffffffffff", "5 octets"),
        ("02ff", "127 octets"),
        ("02", "cut off"),
        ("0205110111", "5 elements"),
        ("0284ffffffff", "4294967295 elements"),
        ("08", "0x08"),
        ("0201" * 20 + "00", "nested"),
    ],
)
def test_what_is_wrong_is_said_not_awaited(octets, reason):
    with pytest.raises(RemoteProtocolError, match=reason):
        value_at(bytes.fromhex(octets))


def test_the_whole_beginning_of_a_container_can_be_taken():
    assert whole_children(bytes.fromhex("0203 1101 1102 06".replace(" ", ""))) == (1, 2)
    assert whole_children(b"\x11\x01") == ()
    assert whole_children(b"") == ()


@given(st.binary(max_size=300))
def test_any_octets_raise_nothing_but_protocol_errors(data):
    try:
        _value, end = value_at(data)
    except RemoteProtocolError:
        return
    assert end <= len(data)
