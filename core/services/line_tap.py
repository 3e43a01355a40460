"""A port that is listened in on: who reads it learns when octets came, and whoever wants to see them gets them.

Parity is removed from what is shown. While somebody watches, at most RECORDS_PER_S records a second are told: what
comes in between is joined, and beyond HELD_OCTETS the oldest is let go.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from core.meter_records import LineOctets
from core.protocol.parity import without_parity
from core.transport.line import LineSettings, Port

RECORDS_PER_S = 20
TURN_S = 0.1
HELD_OCTETS = 1 << 16
"""Octets that wait to be told at most."""


@dataclass(slots=True)
class _Piece:
    """Octets of one direction that followed each other."""

    time_s: float
    is_sent: bool
    octets: bytearray
    line: str | None


class LineWatch:
    """Joins the octets of a line into few records; `put` and `flush` belong to the loop of the reader.

    `is_wanted` may be set from any thread.
    """

    def __init__(self, publish: Callable[[LineOctets], None]) -> None:
        self.is_wanted = False
        self._publish = publish
        self._pieces: deque[_Piece] = deque()
        self._held = 0

    def put(self, record: LineOctets) -> None:
        """Take octets in, to be told at the next turn."""
        last = self._pieces[-1] if self._pieces else None
        if last is not None and last.is_sent == record.is_sent and last.line == record.line:
            last.octets += record.octets
        else:
            self._pieces.append(_Piece(record.time_s, record.is_sent, bytearray(record.octets), record.line))
        self._held += len(record.octets)
        while self._held > HELD_OCTETS:
            self._held -= len(self._pieces.popleft().octets)

    def flush(self, name: str) -> None:
        """Tell what has come, as much of it as one turn may."""
        for _turn in range(round(RECORDS_PER_S * TURN_S)):
            if not self._pieces:
                return
            piece = self._pieces.popleft()
            self._held -= len(piece.octets)
            self._publish(
                LineOctets(
                    name=name,
                    time_s=piece.time_s,
                    is_sent=piece.is_sent,
                    octets=bytes(piece.octets),
                    line=piece.line,
                )
            )

    async def run(self, name: Callable[[], str]) -> None:
        """Tell what is watched until cancelled."""
        while True:
            await asyncio.sleep(TURN_S)
            if self._pieces:
                if self.is_wanted:
                    self.flush(name())
                else:
                    self._pieces.clear()
                    self._held = 0


class TappedPort:
    """`port`, whose octets are also told: `heard` when some came, `tell` with all of them where it wants them now."""

    def __init__(
        self,
        port: Port,
        *,
        heard: Callable[[bytes], None],
        tell: Callable[[LineOctets], None] | None,
        is_wanted: Callable[[], bool],
        name: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        self.url = port.url
        self.has_speed = port.has_speed
        self._port = port
        self._heard = heard
        self._tell = tell
        self._is_wanted = is_wanted
        self._name = name
        self._clock = clock
        self._line: LineSettings | None = None

    @property
    def carries_parity(self) -> bool:
        """See `Port`; it may change with the line."""
        return self._port.carries_parity

    async def read(self, timeout_s: float | None) -> bytes:
        """See `Port.read`."""
        data = await self._port.read(timeout_s)
        if data:
            self._heard(data)
            self._show(data, is_sent=False)
        return data

    async def write(self, data: bytes) -> None:
        """See `Port.write`."""
        self._show(data, is_sent=True)
        await self._port.write(data)

    def set_line(self, line: LineSettings) -> None:
        """See `Port.set_line`."""
        self._line = line
        self._port.set_line(line)

    def close(self) -> None:
        """See `Port.close`."""
        self._port.close()

    def _show(self, data: bytes, *, is_sent: bool) -> None:
        if self._tell is None or not self._is_wanted():
            return
        line = self._line
        self._tell(
            LineOctets(
                name=self._name(),
                time_s=self._clock(),
                is_sent=is_sent,
                octets=without_parity(data) if line is not None and line.data_bits == 7 else bytes(data),
                line=str(line) if line is not None and self.has_speed else None,
            )
        )
