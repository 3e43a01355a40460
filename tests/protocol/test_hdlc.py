from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RemoteProtocolError
from core.protocol.checksum import fcs16
from core.protocol.hdlc import HdlcFrame, HdlcReader, encode_frame


def frames_in(data: bytes, size: int = 1 << 20) -> tuple[list[HdlcFrame], list[str], HdlcReader]:
    reader = HdlcReader()
    frames, errors = [], []
    for start in range(0, len(data), size):
        reader.receive_data(data[start : start + size])
        while True:
            try:
                frame = reader.next_frame()
            except RemoteProtocolError as error:
                errors.append(str(error))
                continue
            if frame is None:
                break
            frames.append(frame)
    return frames, errors, reader


@pytest.mark.parametrize("destination", [b"\x01", b"\xce\xff", b"\x02\x04\x06\x09"])
@pytest.mark.parametrize("source", [b"\x03", b"\x02\x23", b"\x00\x02\x04\x07"])
def test_addresses_of_one_two_and_four_octets_are_read(destination, source):
    frames, errors, _ = frames_in(encode_frame(b"payload", destination=destination, source=source))
    assert [(frame.destination, frame.source, frame.information) for frame in frames] == [
        (destination, source, b"payload")
    ]
    assert not errors


def test_an_address_of_three_octets_is_no_header():
    frames, errors, reader = frames_in(encode_frame(b"payload", destination=b"\x02\x04\x07"))
    assert not frames
    assert not errors
    assert reader.skipped > 0


def test_a_frame_is_told_before_its_closing_flag():
    frames, _, _ = frames_in(encode_frame(b"payload")[:-1])
    assert len(frames) == 1


def test_a_frame_without_information_has_one_check_only():
    snrm = bytes.fromhex("7EA00703219 30F017E".replace(" ", ""))
    frames, errors, _ = frames_in(snrm)
    assert [frame.control for frame in frames] == [0x93]
    assert not errors


def test_a_check_that_ends_in_7e_is_no_flag():
    payload = next(
        candidate
        for candidate in (number.to_bytes(2, "big") for number in range(1 << 16))
        if encode_frame(candidate)[-2] == 0x7E
    )
    data = encode_frame(payload) + encode_frame(b"next")
    assert [frame.information for frame in frames_in(data)[0]] == [payload, b"next"]
    assert [frame.information for frame in frames_in(data, 1)[0]] == [payload, b"next"]


def test_frames_may_share_their_flag_or_have_many():
    one = encode_frame(b"one")
    data = one + one[1:] + b"\x7e\x7e" + one
    assert len(frames_in(data)[0]) == 3


def test_a_corrupt_frame_is_reported_not_awaited_and_the_next_one_is_read():
    broken = bytearray(encode_frame(b"payload"))
    broken[-5] ^= 1
    frames, errors, _ = frames_in(bytes(broken) + encode_frame(b"next"))
    assert [frame.information for frame in frames] == [b"next"]
    assert len(errors) == 1
    assert "frame check is 0x" in errors[0]


def test_a_corrupt_header_is_skipped_with_its_reason():
    broken = bytearray(encode_frame(b"payload"))
    broken[4] ^= 0x10
    frames, errors, reader = frames_in(bytes(broken) + encode_frame(b"next"))
    assert [frame.information for frame in frames] == [b"next"]
    assert not errors
    assert reader.skipped >= len(broken) - 2
    assert reader.reason is not None
    assert "header check" in reader.reason


@pytest.mark.parametrize("lost", range(1, 20))
def test_lost_octets_cost_one_frame_only(lost):
    one = encode_frame(b"abcdefghijklmnopqrstuvwxyz")
    data = one[:15] + one[15 + lost :] + encode_frame(b"next") + encode_frame(b"after")
    frames, errors, _ = frames_in(data)
    assert [frame.information for frame in frames] == [b"next", b"after"]
    assert len(errors) == 1


def test_ten_megabytes_of_noise_leave_the_reader_as_it_was():
    noise = random.Random(2).randbytes(10_000_000)
    frames, _, reader = frames_in(noise + b"\x7e" * 3000 + encode_frame(b"after"), 65536)
    assert frames[-1].information == b"after"
    assert reader.waiting == 0
    assert reader.skipped > 9_000_000


def test_a_frame_of_more_than_2047_octets_cannot_be_made():
    with pytest.raises(ValueError, match="2047"):
        encode_frame(bytes(2040))


def test_the_first_header_of_an_e450_has_the_check_it_sends():
    assert fcs16(bytes.fromhex("A08BCEFF0313")).to_bytes(2, "little") == bytes.fromhex("EEE1")


@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(1, 50), st.binary(max_size=30))
def test_whatever_is_sent_comes_out_however_it_is_cut(payloads, size, noise):
    noise = noise.replace(b"\x7e", b"")
    data = noise + b"".join(encode_frame(payload) for payload in payloads)
    frames, errors, reader = frames_in(data, size)
    assert [frame.information for frame in frames] == payloads
    assert not errors
    assert reader.skipped == len(noise)


@given(st.binary(max_size=600))
def test_any_octets_raise_nothing_but_protocol_errors(data):
    frames_in(data, 7)
