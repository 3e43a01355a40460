"""Frames and messages of the agent's link, however they are cut and whatever they hold."""

from __future__ import annotations

import random

import pytest

from core.errors import LocalProtocolError, RemoteProtocolError
from core.protocol import messages
from core.protocol.frames import (
    JSON_FRAME,
    LIMIT_AFTER_HELLO,
    OUTPUT_FRAME,
    FrameReader,
    decode_output,
    encode_frame,
    encode_output,
)
from core.records import Level

STREAM = encode_frame(JSON_FRAME, b'{"jsonrpc":"2.0"}') + encode_output(7, 2, b"\0\xff") + encode_frame(JSON_FRAME, b"")
FRAMES = [(JSON_FRAME, b'{"jsonrpc":"2.0"}'), (OUTPUT_FRAME, b"\0\0\0\7\2\0\xff"), (JSON_FRAME, b"")]


def _frames(reader):
    found = []
    while (frame := reader.next_frame()) is not None:
        found.append(frame)
    return found


@pytest.mark.parametrize("size", range(1, len(STREAM) + 1))
def test_a_stream_decodes_the_same_however_it_is_cut(size):
    reader = FrameReader()
    found = []
    for start in range(0, len(STREAM), size):
        reader.receive_data(STREAM[start : start + size])
        found += _frames(reader)
    assert found == FRAMES


def test_a_frame_has_a_length_of_kind_and_payload():
    assert encode_frame(0, b"abc") == b"\0\0\0\4\0abc"
    assert encode_output(1, 1, b"x") == b"\0\0\0\7\1\0\0\0\1\1x"
    assert decode_output(b"\0\0\0\1\1x") == (1, 1, b"x")


def test_a_length_above_the_limit_is_refused_before_the_frame_is_there():
    reader = FrameReader(limit=10)
    reader.receive_data(b"\0\0\0\x0b")
    with pytest.raises(RemoteProtocolError, match="11 octets"):
        reader.next_frame()
    reader = FrameReader(limit=10)
    reader.set_limit(11)
    reader.receive_data(b"\0\0\0\x0b\0")
    assert reader.next_frame() is None


@pytest.mark.parametrize("junk", [b"\0\0\0\0", b"\0\0\0\2\2", b"\0\0\0\2\xff"])
def test_a_length_of_zero_and_an_unknown_kind_are_refused(junk):
    reader = FrameReader()
    reader.receive_data(junk)
    with pytest.raises(RemoteProtocolError):
        reader.next_frame()


@pytest.mark.parametrize("payload", [b"", b"\0\0\0\1", b"\0\0\0\1\0", b"\0\0\0\1\3x"])
def test_output_without_its_head_or_for_an_unknown_fd_is_refused(payload):
    with pytest.raises(RemoteProtocolError):
        decode_output(payload)


def test_what_no_peer_would_take_is_not_sent():
    encode_frame(JSON_FRAME, bytes(LIMIT_AFTER_HELLO - 1))
    with pytest.raises(LocalProtocolError):
        encode_frame(JSON_FRAME, bytes(LIMIT_AFTER_HELLO))


def test_ten_megabytes_of_noise_raise_nothing_but_the_peers_error():
    source = random.Random(1)
    raised = 0
    for _ in range(20):
        noise = source.randbytes(512 * 1024)
        reader = FrameReader(LIMIT_AFTER_HELLO)
        reader.receive_data(noise)
        for decode in (_frames, lambda _reader, noise=noise: messages.decode_envelope(noise)):
            try:
                decode(reader)
            except RemoteProtocolError:
                raised += 1
    assert raised >= 20


def test_requests_answers_and_notifications_come_back_as_they_went():
    hello = messages.Hello(name="lab", level=Level.RUN)
    envelope = messages.decode_envelope(messages.encode_request(3, "hello", hello))
    assert (envelope.id, envelope.method) == (3, "hello")
    assert messages.decode_as(messages.Hello, envelope.params) == hello
    envelope = messages.decode_envelope(messages.encode_result(3, hello))
    assert envelope.method is None
    assert messages.decode_as(messages.Hello, envelope.result) == hello
    envelope = messages.decode_envelope(messages.encode_notification("status", {}))
    assert (envelope.id, envelope.method) == (None, "status")
    denied = messages.ExecDenied(reason="policy", rule="none")
    envelope = messages.decode_envelope(messages.encode_error(4, messages.DENIED, "no", denied))
    assert (envelope.error.code, envelope.error.message) == (messages.DENIED, "no")
    assert messages.decode_as(messages.ExecDenied, envelope.error.data) == denied


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{}",
        b'{"jsonrpc":"1.0"}',
        b'{"jsonrpc":"2.0","id":-1}',
        b'{"jsonrpc":"2.0","id":1.5}',
        b'{"jsonrpc":"2.0","method":7}',
        b'{"jsonrpc":"2.0","method":"\xff"}',
        b'{"jsonrpc":"2.0","method":"\\ud800"}',
        b'{"jsonrpc":"2.0","params":' + b"[" * 100_000,
        b'{"jsonrpc":"2.0","method":"' + b"x" * 300 + b'"}',
    ],
)
def test_a_malformed_message_is_the_peers_error(payload):
    with pytest.raises(RemoteProtocolError):
        messages.decode_envelope(payload)


def test_an_interval_out_of_range_and_a_missing_key_are_the_peers_error():
    for raw in (b'{"interval_s":0.1}', b'{"interval_s":1e9}', b"{}", b'{"interval_s":"1"}', b""):
        with pytest.raises(RemoteProtocolError, match="Subscribe is malformed"):
            messages.decode_as(messages.Subscribe, raw)


def test_text_of_a_peer_becomes_one_plain_line():
    assert messages.plain_text("a\x1b[31m\nb\u202ec\u2028d\ud800") == "a [31m b c d "
    assert messages.plain_text("é" * 300) == "é" * 256
