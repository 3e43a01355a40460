"""The statuses of an agent: measured once for all consoles, numbered, and kept for an hour in at most 2 MiB.

What is refreshed seldom (`REFRESHED`) is sent to a link when it is not what that link was told last, and is not kept:
a console shows it as it was told, and the history needs it of the present alone.

Kept ones are compressed against the first one, which they resemble: a tenth of their size, for 10 µs each. Their
numbers follow each other, so that one object a status is enough: its time and its octets. An hour of statuses a second
costs half a megabyte.
"""

from __future__ import annotations

import zlib
from collections import deque
from struct import Struct

from msgspec import Raw, structs
from msgspec.json import Decoder, Encoder

from core.agent.collector import Collector
from core.protocol.frames import JSON_FRAME, encode_frame
from core.protocol.messages import encode_notification
from core.records import Status

SHORTEST_INTERVAL_S = 0.2
KEPT_S = 3600.0
KEPT_OCTETS = 2 * 1024 * 1024
REFRESHED = frozenset({"top_processes", "temperatures"})
SECTIONS = REFRESHED | {
    "system",
    "cpu",
    "memory",
    "swap",
    "disks",
    "disk_io",
    "network",
    "process_count",
    "top_process",
}

_TIME = Struct("<d")
_encoder = Encoder()
_decoder = Decoder(Status)


class Statuses:
    """`time_s` is UTC epoch by the machine's clock, `now_s` monotonic; owned by the agent's loop."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._kept: deque[bytes] = deque()
        self._octets = 0
        self._first = b""
        self._latest: Status | None = None
        self._latest_encoded = b""
        self._latest_s = 0.0

    @property
    def last_number(self) -> int:
        """Number of the latest status, 0 before the first."""
        return self._latest.number if self._latest is not None else 0

    def fresh(self, time_s: float, now_s: float) -> Status:
        """A status measured now, or the latest one where that is younger than the shortest interval."""
        if self._latest is not None and now_s - self._latest_s < SHORTEST_INTERVAL_S:
            return self._latest
        status = self._latest = self._collector.status(self.last_number + 1, time_s, now_s)
        self._latest_s = now_s
        encoded = self._latest_encoded = _encoder.encode(_without(status, REFRESHED))
        self._first = self._first or encoded
        kept = _TIME.pack(now_s) + _compressed(encoded, self._first)
        self._kept.append(kept)
        self._octets += len(kept)
        while self._octets > KEPT_OCTETS or now_s - _TIME.unpack_from(self._kept[0])[0] > KEPT_S:
            self._octets -= len(self._kept.popleft())
        return status

    def frame(self, status: Status, sections: frozenset[str] | None, told: Status | None = None) -> bytes:
        """The frame of `status` with the sections asked for, all of them for None.

        Of those that are refreshed seldom the ones that were in `told` already, the status sent before, are left out.
        """
        left_out = SECTIONS - sections if sections is not None else frozenset()
        if told is not None:
            left_out |= {name for name in REFRESHED if getattr(status, name) is getattr(told, name)}
        if status is self._latest and left_out == REFRESHED:
            return _frame(self._latest_encoded, is_missed=False)
        return _frame(_encoder.encode(_without(status, left_out)), is_missed=False)

    def next_after(self, number: int, sections: frozenset[str] | None) -> tuple[int, bytes] | None:
        """Number and frame of the oldest kept status above `number`, None where there is none."""
        if not self._kept or number >= self.last_number:
            return None
        first_number = self.last_number + 1 - len(self._kept)
        found = max(number + 1, first_number)
        encoded = _decompressed(self._kept[found - first_number][_TIME.size :], self._first)
        if sections is not None:
            encoded = _encoder.encode(_without(_decoder.decode(encoded), SECTIONS - sections))
        return found, _frame(encoded, is_missed=True)


def _compressed(encoded: bytes, first: bytes) -> bytes:
    # A window of 2 KiB holds the first status, and costs the compressor 16 KiB where the default takes 256.
    compressor = zlib.compressobj(6, zlib.DEFLATED, -11, 4, zdict=first)
    return compressor.compress(encoded) + compressor.flush()


def _decompressed(kept: bytes, first: bytes) -> bytes:
    return zlib.decompressobj(-11, zdict=first).decompress(kept)


def _frame(encoded: bytes, *, is_missed: bool) -> bytes:
    params = {"status": Raw(encoded), "is_missed": is_missed}
    return encode_frame(JSON_FRAME, encode_notification("status", params))


def _without(status: Status, sections: frozenset[str]) -> Status:
    return structs.replace(status, **dict.fromkeys(sections)) if sections else status
