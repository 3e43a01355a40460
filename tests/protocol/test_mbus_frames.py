"""The link layer of M-Bus: frames whole, cut, broken and in noise."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import LocalProtocolError, RemoteProtocolError
from core.protocol.mbus_frames import FrameKind, MbusReader, frames_of, long_frame, short_frame

RESPONSE = long_frame(0x08, 5, 0x72, bytes(range(40)))


def test_each_kind_of_frame_is_told():
    frames = frames_of(b"\xe5" + short_frame(0x7B, 5) + long_frame(0x53, 254, 0x50) + RESPONSE)
    assert [frame.kind for frame in frames] == [
        FrameKind.ACKNOWLEDGE,
        FrameKind.SHORT,
        FrameKind.CONTROL,
        FrameKind.LONG,
    ]
    assert [frame.is_from_master for frame in frames] == [False, True, True, False]
    assert frames[3].content == bytes(range(40))
    assert [frame.start for frame in frames] == [0, 1, 6, 15]


def test_frames_of_the_standards_examples_have_their_octets():
    assert short_frame(0x40, 1).hex() == "1040014116"
    assert long_frame(0x53, 0xFE, 0x51, bytes.fromhex("017A08")).hex() == "6806066853fe51017a082516"


def test_a_frame_is_told_the_same_however_it_is_cut():
    line = short_frame(0x5B, 5) + RESPONSE + b"\xe5"
    wanted = frames_of(line)
    for size in range(1, 9):
        reader = MbusReader()
        found = []
        for start in range(0, len(line), size):
            reader.receive_data(line[start : start + size])
            while (frame := reader.next_frame()) is not None:
                found.append(frame)
        assert found == wanted
        assert reader.skipped == 0


@pytest.mark.parametrize("place", range(len(RESPONSE)))
def test_one_altered_octet_never_gives_a_frame_of_its_size(place):
    altered = bytearray(RESPONSE)
    altered[place] ^= 0x41
    reader = MbusReader()
    reader.receive_data(bytes(altered))
    while True:
        try:
            frame = reader.next_frame()
        except RemoteProtocolError:
            continue
        if frame is None:
            break
        assert len(frame.content) < 40
    assert reader.skipped or reader.waiting


def test_the_next_frame_is_found_behind_noise_and_behind_a_broken_one():
    broken = RESPONSE[:-2] + b"\x00\x16"
    reader = MbusReader()
    reader.receive_data(b"\x68\x10noise" + broken + RESPONSE)
    found, errors = [], []
    while True:
        try:
            frame = reader.next_frame()
        except RemoteProtocolError as error:
            errors.append(str(error))
            continue
        if frame is None:
            break
        found.append(frame)
    assert found[-1].content == bytes(range(40))
    assert "checksum" in errors[0]


def test_two_different_lengths_are_named():
    with pytest.raises(RemoteProtocolError, match="length octets of a frame differ: 5 and 6"):
        frames_of(b"\x68\x05\x06\x68\x08\x01\x72\x00\x00\x7b\x16")


def test_too_much_content_is_our_own_mistake():
    with pytest.raises(LocalProtocolError):
        long_frame(0x08, 1, 0x72, bytes(253))


def test_ten_megabytes_of_noise_end_and_hold_no_more_than_a_frame():
    noise = random.Random(3).randbytes(1 << 20)
    reader = MbusReader()
    for start in range(0, len(noise), 4096):
        reader.receive_data(noise[start : start + 4096])
        while True:
            try:
                if reader.next_frame() is None:
                    break
            except RemoteProtocolError:
                continue
        assert reader.waiting <= 261


@given(st.binary(max_size=400))
def test_any_octets_give_frames_or_a_named_error(data):
    reader = MbusReader()
    reader.receive_data(data)
    for _turn in range(1000):
        try:
            if reader.next_frame() is None:
                return
        except RemoteProtocolError:
            continue
    raise AssertionError("no end")
