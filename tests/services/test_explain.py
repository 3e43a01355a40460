"""Octets explained: every octet is in the tree, what is wrong is marked where it stands, nothing raises."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.meter.virtual_e450 import VirtualE450
from core.meter.virtual_mbus import virtual_bus
from core.meter.virtual_telegrams import push
from core.meter_records import ExplainedField
from core.protocol.ciphering import seal_apdu
from core.protocol.data_sets import encode_block, encode_command
from core.protocol.get_messages import Attribute, GetRequest, encode_request
from core.protocol.hdlc import encode_frame
from core.protocol.mbus_frames import short_frame
from core.protocol.mbus_push import in_fragments
from core.services.explain import (
    error_count,
    explain,
    explained_document,
    explained_lines,
)
from core.services.explain_fields import all_fields

KEY, AUTH_KEY = bytes(range(16)), bytes(range(16, 32))
PLAIN = push(VirtualE450(1), 1_790_000_000.0, 2)
CIPHERED = push(VirtualE450(1), 1_790_000_000.0, 2, key=KEY, auth_key=AUTH_KEY, invocation_counter=1)
BUS = virtual_bus(lambda: 1_790_000_000.0)
MBUS = short_frame(0x40, 1) + BUS.receive_data(short_frame(0x40, 1) + short_frame(0x7B, 1))
READOUT = b"/?!\r\n/LGZ5\\2ZMD3104407\r\n\x06050\r\n" + encode_block(b"0.0.0(12345678)\r\n1.8.0(000285.4*kWh)\r\n!\r\n")
GET = encode_frame(
    b"\xe6\xe6\x00" + encode_request(GetRequest(1, (Attribute(3, bytes((1, 0, 1, 8, 0, 255)), 2),))),
    destination=b"\x03",
    source=b"\x21",
    control=0x10,
)
SAMPLES = {"push": PLAIN, "ciphered": CIPHERED, "mbus": MBUS, "readout": READOUT, "get": GET}


def named(tree: ExplainedField, name: str) -> list[ExplainedField]:
    return [field for field in all_fields([tree]) if field.name == name]


def leaves(tree: ExplainedField) -> bytes:
    """The octets of what has no children, in order; what was put together or deciphered left out."""
    if tree.is_inner:
        return b""
    outer = [child for child in tree.children if not child.is_inner]
    return b"".join(leaves(child) for child in outer) if outer else tree.octets


@pytest.mark.parametrize("name", SAMPLES)
def test_every_octet_has_its_place_and_nothing_is_wrong_with_what_holds(name):
    tree = explain(SAMPLES[name], key=KEY, auth_key=AUTH_KEY)
    assert leaves(tree) == SAMPLES[name]
    assert error_count(tree) == 0
    assert all(field.name for field in all_fields([tree]))


def test_a_push_is_told_down_to_codes_and_clocks():
    tree = explain(PLAIN)
    values = [field.value for field in all_fields([tree])]
    assert any("1-0:1.8.0*255 (active energy import)" in value for value in values)
    assert any(value.startswith("2026-09-21") for value in values)
    assert all("holds" in field.value for field in named(tree, "HCS") + named(tree, "FCS"))


def test_a_ciphered_push_shows_its_inside_with_the_keys_alone():
    assert named(explain(CIPHERED, key=KEY, auth_key=AUTH_KEY), "authentication tag")[0].value == "verified"
    tree = explain(CIPHERED)
    assert not named(tree, "deciphered message")
    assert "key is needed" in named(tree, "ciphertext")[0].error
    wrong = explain(CIPHERED, key=KEY, auth_key=KEY)
    assert "does not fit" in named(wrong, "ciphertext")[0].error
    assert named(wrong, "authentication tag")[0].value == "not verified"


def test_a_record_of_m_bus_is_told_with_its_chain():
    tree = explain(MBUS)
    assert [field.value for field in named(tree, "C")] == ["SND_NKE", "RSP_UD"]
    records = named(tree, "record")
    assert any(field.value.startswith("energy_wh") for field in records)
    assert "tariff 1" in named(tree, "DIFE")[0].value


def test_a_readout_is_told_line_by_line():
    tree = explain(READOUT)
    assert [field.name for field in tree.children[:3]] == ["sign-on", "identification", "acknowledgement"]
    assert named(tree, "BCC")[0].value == "(holds)"
    assert named(tree, "address")[1].value == "active energy import"
    assert named(explain(encode_command("R1", b"1.8.0()")), "command")[0].value == "R1: read a register"


@pytest.mark.parametrize(
    ("octets", "name"),
    [
        (PLAIN[:-2] + b"\x00" + PLAIN[-1:], "FCS"),
        (PLAIN[:8] + b"\x00" + PLAIN[9:], "HCS"),
        (MBUS[:-2] + b"\x00\x16", "checksum"),
        (READOUT[:-1] + b"\x55", "BCC"),
    ],
)
def test_a_check_that_does_not_hold_is_marked_where_it_stands(octets, name):
    wrong = [field for field in all_fields([explain(octets)]) if field.error is not None]
    assert any(field.name == name and "computed" in field.error for field in wrong)


def test_a_dlms_message_in_fragments_of_m_bus_is_put_together():
    inner = b"\x0f\x00\x00\x00\x01\x00" + b"\x01\x82\x01\x2c" + b"\x12\x00\x07" * 300
    sealed = seal_apdu(inner, system_title=b"KFM12345", invocation_counter=1, key=KEY, auth_key=AUTH_KEY)
    tree = explain(in_fragments(sealed), key=KEY, auth_key=AUTH_KEY)
    assert error_count(tree) == 0
    assert len(named(tree, "long-unsigned")) == 300


def test_the_text_marks_what_is_wrong_and_the_document_is_a_tree():
    tree = explain(MBUS[:-2] + b"\x00\x16")
    lines = explained_lines(tree)
    assert sum(" !! " in line for line in lines) == error_count(tree)
    document = explained_document(tree)
    assert list(document) == ["offset", "octets", "name", "value", "error", "children"]
    assert bytes.fromhex(document["octets"])[:5] == MBUS[:5]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_cut_and_every_altered_octet_is_explained_too(name):
    sample = SAMPLES[name]
    noise = random.Random(7)
    for place in range(0, len(sample), max(1, len(sample) // 60)):
        altered = bytearray(sample)
        altered[place] ^= noise.randrange(1, 256)
        for octets in (sample[:place], bytes(altered)):
            tree = explain(octets, key=KEY, auth_key=AUTH_KEY)
            assert leaves(tree) == octets


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_are_explained_without_losing_one(octets):
    tree = explain(octets, key=KEY, auth_key=AUTH_KEY)
    assert leaves(tree) == octets
    explained_lines(tree)


@pytest.mark.parametrize(
    "beginning",
    [b"", b"\x7e\xa0\x10", PLAIN, MBUS, READOUT, b"\xe6\xe7\x00\x0f", b"\xe5\x10"],
    ids=["none", "flag", "push", "mbus", "readout", "message", "acknowledgement"],
)
def test_a_megabyte_of_noise_is_bounded(beginning):
    tree = explain(beginning + random.Random(1).randbytes(2 << 20))
    assert sum(1 for _field in all_fields([tree])) < 80_000
    assert error_count(tree)


def test_messages_inside_messages_end():
    message = b"\x0f\x00\x00\x00\x01\x00\x00"
    for _turn in range(500):
        body = b"\x00\x00\x00\x00\x01" + message
        message = b"\xdb\x08LGZ00000\x82" + len(body).to_bytes(2, "big") + body
    assert any("nested" in (field.error or "") for field in all_fields([explain(message)]))
