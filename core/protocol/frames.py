"""Frames of the link between console and agent: `u32 length | u8 kind | payload`, numbers big-endian.

The length counts the kind and the payload. The limit is checked as soon as the length is there, before anything of
the frame is kept: a peer makes us hold its limit and no more.
"""

from __future__ import annotations

import struct

from core.errors import LocalProtocolError, RemoteProtocolError

JSON_FRAME = 0
"""A JSON-RPC 2.0 object, UTF-8 (core.protocol.messages)."""
OUTPUT_FRAME = 1
"""Output of a command: `u32 stream | u8 fd | bytes`."""

LIMIT_BEFORE_HELLO = 4096
LIMIT_AFTER_HELLO = 256 * 1024
"""Octets after the length field that a frame may have."""

_HEAD = struct.Struct("!IB")
_OUTPUT_HEAD = struct.Struct("!IB")


def encode_frame(kind: int, payload: bytes) -> bytes:
    """The frame; raises LocalProtocolError where the payload is above what any peer takes."""
    if len(payload) >= LIMIT_AFTER_HELLO:
        raise LocalProtocolError(f"a frame of {len(payload)} octets is above the limit of {LIMIT_AFTER_HELLO}")
    return _HEAD.pack(len(payload) + 1, kind) + payload


def encode_output(stream: int, fd: int, data: bytes) -> bytes:
    """The frame of a piece of output; `fd` 1 is stdout, 2 is stderr."""
    return encode_frame(OUTPUT_FRAME, _OUTPUT_HEAD.pack(stream, fd) + data)


def decode_output(payload: bytes) -> tuple[int, int, bytes]:
    """Stream, fd and bytes of an output frame; raises RemoteProtocolError."""
    if len(payload) < _OUTPUT_HEAD.size:
        raise RemoteProtocolError(f"an output frame of {len(payload)} octets has no room for its stream and fd")
    stream, fd = _OUTPUT_HEAD.unpack_from(payload)
    if fd not in (1, 2):
        raise RemoteProtocolError(f"output for fd {fd}; only 1 and 2 are known")
    return stream, fd, payload[_OUTPUT_HEAD.size :]


class FrameReader:
    """Cuts a stream of octets into frames, however it comes; holds at most one frame and what came with it."""

    def __init__(self, limit: int = LIMIT_BEFORE_HELLO) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._start = 0

    def set_limit(self, limit: int) -> None:
        """Take frames of at most `limit` octets after the length field from now on."""
        self._limit = limit

    def receive_data(self, data: bytes) -> None:
        """Take octets of the link in."""
        if self._start:
            del self._buffer[: self._start]
            self._start = 0
        self._buffer += data

    def next_frame(self) -> tuple[int, bytes] | None:
        """Kind and payload of the next whole frame, None until it is there.

        Raises RemoteProtocolError for a length of zero or above the limit, and for an unknown kind; the link is of
        no use after that.
        """
        available = len(self._buffer) - self._start
        if available < 4:
            return None
        length = int.from_bytes(self._buffer[self._start : self._start + 4], "big")
        if not 1 <= length <= self._limit:
            raise RemoteProtocolError(f"a frame says it has {length} octets; 1 to {self._limit} are allowed")
        if available >= 5 and self._buffer[self._start + 4] not in (JSON_FRAME, OUTPUT_FRAME):
            raise RemoteProtocolError(f"a frame is of kind {self._buffer[self._start + 4]}; 0 and 1 are known")
        if available < 4 + length:
            return None
        begin = self._start + 5
        self._start += 4 + length
        kind, payload = self._buffer[begin - 1], bytes(self._buffer[begin : self._start])
        if self._start == len(self._buffer):
            self._buffer.clear()
            self._start = 0
        return kind, payload
