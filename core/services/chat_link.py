"""One link of the room: bytes in, paced lines out, and its end, told exactly once.

A link never makes others wait: what it is told waits in its own queue, and beyond 256 KiB unread it is dropped. What
it says faster than its allowance stays in the network until there is room.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import secrets
import socket
from typing import Any, Protocol

from core.errors import RemoteProtocolError
from core.protocol.chat import MessageStream
from core.protocol.chat_pace import Allowance, PacedQueue
from core.protocol.session import NeedData
from core.transport.address import shown_address

UNREAD_BYTES = 256 * 1024
"""A client that leaves more than this unread is dropped."""

KERNEL_BYTES = 64 * 1024
"""What the system may hold besides, of one link."""

LINGER_S = 2.0
"""A link that we end waits so long for the other side, so that the last line arrives."""

log = logging.getLogger("beffroi.room")


class Host(Protocol):
    """What a link asks of its room."""

    def now_s(self) -> float:
        """The monotonic clock of all deadlines."""

    def take_in(self, link: ChatLink) -> None:
        """A link is there."""

    def carry_out(self, link: ChatLink, text: str) -> None:
        """A message has come."""

    def wait_s(self, link: ChatLink, text: str) -> float:
        """How long this message has to wait for the room; 0 where it can be carried out."""

    def slow_down(self, link: ChatLink) -> None:
        """The link says more than it may."""

    def pace(self, link: ChatLink) -> None:
        """The link has lines that wait for their time."""

    def forget(self, link: ChatLink, *, is_dropped: bool) -> None:
        """The link has ended."""


class ChatLink(asyncio.Protocol):
    """One client; all of it belongs to the room's loop."""

    def __init__(self, host: Host) -> None:
        self.stream = MessageStream()
        self.queue = PacedQueue()
        self.peer = ""
        """`IP:PORT`."""
        self.is_loopback = False
        self.is_first = True
        """Nothing has come yet."""
        self.name = ""
        self.identity = ""
        self.room: str | None = None
        self.is_announced = False
        self.challenge = secrets.token_hex(16)
        self.is_told_slow = False
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._allowance = Allowance()
        self._is_paid = False
        self._timer: asyncio.TimerHandle | None = None
        self._is_held = False
        self._is_paused = False
        self._has_ended = False
        self._is_closing = False
        self._is_dropped = False

    @property
    def is_framed(self) -> bool:
        """True for a client of ours, which gets events instead of lines."""
        return self.stream.is_framed

    @property
    def is_closing(self) -> bool:
        """True once nothing more is taken from it or told to it."""
        return self._is_closing

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        address: Any = transport.get_extra_info("peername") or ("", 0)
        host = str(address[0]).removeprefix("::ffff:")
        self.peer = shown_address(host, address[1])
        self.name = self.peer
        self.identity = f"link {id(self)}"
        with contextlib.suppress(ValueError):
            self.is_loopback = ipaddress.ip_address(host.partition("%")[0]).is_loopback
        _watch_for_silence(transport.get_extra_info("socket"))
        self._host.take_in(self)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if not self._is_closing:
            self._receive(data)

    def eof_received(self) -> bool:
        """What came before the end is carried out first, however slowly; see asyncio.Protocol."""
        if self._is_closing:
            return False
        self._has_ended = True
        self.stream.receive_end()
        self._guarded_work()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._is_closing = True
        self._stop_timer()
        self._host.forget(self, is_dropped=self._is_dropped)

    def _receive(self, data: bytes) -> None:
        self.stream.receive_data(data, self._host.now_s())
        self._guarded_work()

    def _guarded_work(self) -> None:
        """The outermost frame of a link: an error of ours ends it, and nothing else."""
        try:
            self._work()
        except RemoteProtocolError as error:
            log.info("%s: %s", self.peer, error)
            self.abort()
        except Exception:
            log.exception("the link of %s ends by an error of ours", self.peer)
            self.abort()

    def _work(self) -> None:
        self._stop_timer()
        while not self._is_held and not self._is_closing:
            text = self.stream.next_event()
            if isinstance(text, NeedData):
                break
            wait_s = self._wait_s(text)
            if wait_s > 0:
                self.stream.put_back(text)
                self._pause()
                self._timer = asyncio.get_running_loop().call_later(wait_s, self._guarded_work)
                return
            self._is_paid = False
            self._host.carry_out(self, text)
        if self._is_held or self._is_closing:
            return
        if self._has_ended:
            self.finish()
            return
        self._resume()
        deadline_s = self.stream.next_deadline()
        if deadline_s is not None:
            self._timer = asyncio.get_running_loop().call_later(
                max(0.0, deadline_s - self._host.now_s()), self._receive, b""
            )

    def _wait_s(self, text: str) -> float:
        """What this client may say, then what the room can take; each is paid once."""
        if not self._is_paid:
            wait_s = self._allowance.wait_s(len(text), self._host.now_s())
            if wait_s > 0:
                self._host.slow_down(self)
                return wait_s
            self._is_paid = True
        return self._host.wait_s(self, text)

    def _pause(self) -> None:
        if not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self.stream.resume(self._host.now_s())
            self._transport.resume_reading()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # What the room calls.

    def hold(self) -> None:
        """Carry nothing out until `release`."""
        self._is_held = True
        self._pause()

    def release(self) -> None:
        """Go on."""
        self._is_held = False
        if not self._is_closing:
            self._guarded_work()

    def tell(self, line: bytes) -> None:
        """Send a line (or an event, to a client of ours): at once, or when its time has come."""
        if self._is_closing:
            return
        if self.is_framed:
            self._write(line)
        else:
            is_waiting = bool(self.queue)  # then its turn comes without us
            self.queue.put(line)
            if not is_waiting:
                self.send_next(self._host.now_s())
                if self.queue:
                    self._host.pace(self)
        self._drop_where_unread()

    def send_next(self, now_s: float) -> None:
        """Send what may go now."""
        data = self.queue.take(now_s)
        if data and not self._is_closing:
            self._write(data)

    def finish(self, last: bytes = b"") -> None:
        """End the link: all that waits, and `last`, go out, and the other side has a moment to read them."""
        if self._is_closing or self._transport is None:
            return
        self._write(self.queue.take_all() + last)
        self._is_closing = True
        self._stop_timer()
        if self._has_ended:
            self._transport.close()
        else:
            self._resume()  # what still comes is thrown away: unread it would make the last line go lost
            with contextlib.suppress(OSError, RuntimeError):
                self._transport.write_eof()
        self._timer = asyncio.get_running_loop().call_later(LINGER_S, self._transport.abort)

    def abort(self) -> None:
        """End the link at once."""
        self._is_closing = True
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _drop_where_unread(self) -> None:
        if self._transport is None:
            return
        if self.queue.size + self._transport.get_write_buffer_size() > UNREAD_BYTES:
            self._is_dropped = True
            log.warning("%s does not read and is dropped", self.peer)
            self.abort()


def _watch_for_silence(link: socket.socket) -> None:
    """Let the kernel notice within about a minute that a client is gone, and hold little for one that does not read."""
    options: list[tuple[int, int, int]] = [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    ]
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 30_000)):
        option = getattr(socket, name, None)
        if option is not None:
            options.append((socket.IPPROTO_TCP, option, value))
    for level, option, value in options:
        with contextlib.suppress(OSError):
            link.setsockopt(level, option, value)
