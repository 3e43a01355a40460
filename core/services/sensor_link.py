"""One link of the sensor intake: greets who waits, reads what comes, and never waits for who does not read."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from typing import Protocol

from core.services.sensor_door import watch_for_silence
from core.services.sensor_stream import GREET_AFTER_S, GREETING, TEXT_PAUSE_S, Outcome, SensorStream

ANSWERS_LIMIT = 64 * 1024
"""Octets of answers that wait for one sensor; more are dropped, since nobody has to read them."""

CLOSE_WITHIN_S = 5.0
READ_OCTETS = 64 * 1024


class ReadBuffer:
    """Where every link of one loop is read into, one after the other."""

    def __init__(self) -> None:
        self.octets = bytearray(READ_OCTETS)
        self.view = memoryview(self.octets)


class Intake(Protocol):
    """What a link asks of its intake."""

    buffer: ReadBuffer
    series: set[tuple[str, str]]

    @property
    def rate_per_s(self) -> float | None:
        """Messages a second that one link may send."""

    def now_s(self) -> tuple[float, float]:
        """Epoch time, and the loop's clock."""

    def welcome(self, link: SensorLink, host: str, peer: str) -> bool:
        """Take a link in; False where it may not come."""

    def take(self, link: SensorLink, outcomes: Sequence[Outcome]) -> None:
        """Take in what a link brought."""

    def forget(self, link: SensorLink) -> None:
        """A link has ended."""


class SensorLink(asyncio.BufferedProtocol):
    """A link of one sensor; `waiting` counts the batches in which messages of it wait for their answers."""

    def __init__(self, intake: Intake) -> None:
        self.waiting = 0
        self.peer = ""
        self._intake = intake
        self._transport: asyncio.Transport | None = None
        self._stream: SensorStream | None = None
        self._handle = -1
        self._is_deaf = False
        self._is_full = False
        self._is_ending = False
        self._greeting: asyncio.TimerHandle | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._closing: asyncio.TimerHandle | None = None

    @property
    def is_sensor(self) -> bool:
        """True once it has brought a value."""
        return self._stream is not None and self._stream.is_sensor

    # asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The peer is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        place = transport.get_extra_info("peername") or ("?", 0)
        stream = SensorStream(str(place[0]), int(place[1]), self._intake.series, self._intake.rate_per_s)
        self.peer = stream.peer
        transport.set_write_buffer_limits(high=ANSWERS_LIMIT)
        if not self._intake.welcome(self, stream.host, stream.peer):
            self._end()
            return
        link: socket.socket | None = transport.get_extra_info("socket")
        if link is not None:
            watch_for_silence(link)
            self._handle = link.fileno() if os.name == "posix" else -1
        self._stream = stream
        self._greeting = asyncio.get_running_loop().call_later(GREET_AFTER_S, self._greet)

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Where to read to: all links share it, each takes its octets out at once."""
        return self._intake.buffer.view

    def buffer_updated(self, nbytes: int) -> None:
        """Octets have come."""
        stream = self._stream
        if stream is None:
            return
        data = bytes(self._intake.buffer.view[:nbytes])
        if self._greeting is not None:
            self._greeting.cancel()
            self._greeting = None
        self._take(stream.receive_data(data, *self._intake.now_s()))
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if stream.is_over:
            self._end()
        elif stream.has_text:
            self._pause = asyncio.get_running_loop().call_later(TEXT_PAUSE_S, self._end_text)

    def eof_received(self) -> bool:
        """The peer sends no more; it is still answered."""
        self._finish()
        self._end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The link is gone; a reset is how a sensor ends that has not read our answers."""
        self._finish()
        for timer in (self._greeting, self._pause, self._closing):
            if timer is not None:
                timer.cancel()
        self._stream = self._transport = None
        self._handle = -1
        self._intake.forget(self)

    def pause_writing(self) -> None:
        """The peer does not read its answers."""
        self._is_full = True

    def resume_writing(self) -> None:
        """It has read them."""
        self._is_full = False

    # For the intake

    def answer(self, lines: Sequence[bytes]) -> None:
        """Answer in order, where the peer still reads."""
        if self._transport is not None and not self._is_full and not self._transport.is_closing():
            self._write(self._transport, b"".join(lines))
        if self._is_ending and not self.waiting:
            self.close()

    def pause(self) -> None:
        """Read no more for a while."""
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None and not self._is_ending and not self._transport.is_reading():
            self._transport.resume_reading()

    def close(self) -> None:
        """Close once the last answers are sent; whoever does not take them is cut off after some seconds."""
        self._is_ending = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()
            self._closing = asyncio.get_running_loop().call_later(CLOSE_WITHIN_S, self.abort)

    def abort(self) -> None:
        """Cut the link off."""
        if self._transport is not None:
            self._transport.abort()

    # Inside

    def _write(self, transport: asyncio.Transport, octets: bytes) -> None:
        """Send, but not by the transport where it can be helped.

        A sensor that closes without having read our answers resets the link. The transport would end it with what was
        sent before still unread; so a failure to send ends nothing here: the reading will find the end.
        """
        if self._is_deaf:
            return
        if self._handle >= 0 and not transport.get_write_buffer_size():
            try:
                octets = octets[os.write(self._handle, octets) :]
            except BlockingIOError:
                pass
            except OSError:
                self._is_deaf = True
                return
        if octets:
            transport.write(octets)

    def _take(self, outcomes: Sequence[Outcome]) -> None:
        if outcomes:
            self._intake.take(self, outcomes)

    def _end(self) -> None:
        """Read no more, and close once everything is answered."""
        self._is_ending = True
        self.pause()
        if not self.waiting:
            self.close()

    def _finish(self) -> None:
        """Take what the end of the stream completes."""
        stream, self._stream = self._stream, None
        if stream is not None:
            self._take(stream.end(*self._intake.now_s()))

    def _greet(self) -> None:
        self._greeting = None
        self.answer([GREETING])

    def _end_text(self) -> None:
        self._pause = None
        if self._stream is not None:
            self._take(self._stream.end_text(*self._intake.now_s()))
