"""The far end of a line: where a simulated meter sits, on a pseudo-terminal or behind a TCP port.

Octets leave at the speed of the line. On a pseudo-terminal the speed that the other side has set is known, so a
wrong one garbles what passes, as on a real line; and octets that nobody listens to are lost.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from core.errors import PortInUseError, TransportError, UsageError
from core.language import _
from core.protocol.parity import with_even_parity, without_parity
from core.transport.address import shown_address
from core.transport.line import LineSettings
from core.transport.tcp_line import split_address

SLICE_S = 0.01
"""Octets leave in portions of this length."""
LOOK_S = 0.02
_GARBLE = bytes((value * 167 + 59 ^ value >> 3) & 0xFF for value in range(256))


class Wire(Protocol):
    """What a simulated meter sends on and hears from."""

    async def read(self, line: LineSettings) -> bytes:
        """Octets that came while the meter's line is `line`; none once the other side has gone."""

    async def write(self, data: bytes, line: LineSettings) -> None:
        """Send at the speed of `line`."""


class PtyWire:
    """A pseudo-terminal behind a symbolic link that others open like a serial port; POSIX only."""

    def __init__(self, link: Path) -> None:
        try:
            import pty
            import tty
        except ImportError:
            raise UsageError(_("this system has no pseudo-terminals; use --listen")) from None
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        device = os.ttyname(slave)
        os.close(slave)  # from now on the master hangs up whenever nobody has the other end open
        os.set_blocking(self._master, False)
        self._link = link
        self.is_following = False
        """Whatever speed the other side sets is taken, as a recording has it that knows of none."""
        try:
            if link.is_symlink():
                link.unlink()
            link.symlink_to(device)
        except OSError as error:
            os.close(self._master)
            raise UsageError(
                _("{path} cannot be made a link: {reason}").format(path=link, reason=error.strerror)
            ) from error

    def close(self) -> None:
        """Take the link and the terminal away."""
        with suppress(OSError):
            self._link.unlink()
        with suppress(OSError):
            os.close(self._master)

    @property
    def is_open(self) -> bool:
        """True while someone has the other end open."""
        poll = select.poll()
        poll.register(self._master, 0)
        return not any(mask & (select.POLLHUP | select.POLLERR) for _fd, mask in poll.poll(0))

    async def opened(self) -> None:
        """Return when someone has the other end open."""
        while not self.is_open:  # noqa: ASYNC110  # no event tells that a terminal was opened
            await asyncio.sleep(LOOK_S)

    def speed(self) -> int | None:
        """Speed that the other side has set."""
        import termios

        try:
            constant = termios.tcgetattr(self._master)[5]
        except termios.error:
            return None
        return next((baud for baud in _BAUDS if getattr(termios, f"B{baud}", None) == constant), None)

    async def read(self, line: LineSettings) -> bytes:
        """See `Wire.read`."""
        await self.opened()
        while True:
            try:
                data = os.read(self._master, 4096)
            except BlockingIOError:
                data = b""
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                return b""
            if data:
                if self.speed() != line.baud and not self.is_following:
                    return data.translate(_GARBLE)
                return without_parity(data) if line.data_bits == 7 else data
            await _readable(self._master)

    async def write(self, data: bytes, line: LineSettings) -> None:
        """See `Wire.write`; even parity stands in bit 7 where the line has seven bits."""
        if self.is_following:
            line = LineSettings(self.speed() or line.baud)
        if line.data_bits == 7:
            data = with_even_parity(data)
        await _paced(data, line, self._put)

    def _put(self, portion: bytes, line: LineSettings) -> None:
        if not self.is_open:
            return
        if self.speed() != line.baud and not self.is_following:
            portion = portion.translate(_GARBLE)
        with suppress(OSError):  # a full buffer loses octets, as a real port does
            os.write(self._master, portion)


_BAUDS = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)


class SocketWire:
    """One client of a TCP line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, line: LineSettings) -> bytes:
        """See `Wire.read`."""
        try:
            return await self._reader.read(4096)
        except OSError:
            return b""

    async def write(self, data: bytes, line: LineSettings) -> None:
        """See `Wire.write`."""
        await _paced(data, line, self._put)

    def _put(self, portion: bytes, line: LineSettings) -> None:
        if not self._writer.is_closing() and self._writer.transport.get_write_buffer_size() < 65_536:
            self._writer.write(portion)

    def close(self) -> None:
        """Hang up."""
        self._writer.transport.abort()


async def _paced(data: bytes, line: LineSettings, put: Callable[[bytes, LineSettings], None]) -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    size = max(1, round(SLICE_S / line.octet_s))
    for start in range(0, len(data), size):
        portion = data[start : start + size]
        # a portion is there once its last octet has passed
        await asyncio.sleep(began_s + (start + len(portion)) * line.octet_s - loop.time())
        put(portion, line)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def on_readable() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(descriptor, on_readable)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


async def listen(address: str, serve: Callable[[SocketWire], asyncio.Future[None]]) -> tuple[asyncio.Server, str]:
    """A server on `HOST:PORT` whose every client is handed to `serve`, and where it listens; raises TransportError."""
    host, port = split_address(address)
    clients: set[asyncio.Future[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = SocketWire(reader, writer)
        task = serve(wire)
        clients.add(task)

        def gone(finished: asyncio.Future[None]) -> None:
            clients.discard(finished)
            wire.close()

        task.add_done_callback(gone)

    try:
        server = await asyncio.start_server(accept, host, port)
    except OSError as error:
        if error.errno in (98, 48, 10048):  # EADDRINUSE of Linux, macOS and Windows
            raise PortInUseError(
                _("another program listens on {address} already; choose another port with --listen").format(
                    address=address
                )
            ) from error
        reason = error.strerror or str(error)
        raise TransportError(
            _("{address} cannot be listened on: {reason}").format(address=address, reason=reason)
        ) from error
    taken = server.sockets[0].getsockname()
    return server, shown_address(taken[0], taken[1])
