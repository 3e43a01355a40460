"""A TCP line to a meter: that of a serial device server, or of a simulated meter."""

from __future__ import annotations

import asyncio

from core.errors import NothingListensError, SerialPortMissingError, UsageError
from core.language import _
from core.transport.address import parse_address, shown_address
from core.transport.line import LineSettings, gone
from core.transport.tcp import open_socket

SOCKET = "socket://"
CONNECT_S = 5.0


class SocketPort:
    """A TCP line, such as that of a serial device server or of a simulated meter."""

    has_speed = False
    carries_parity = True

    def __init__(self, url: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.url = url
        self._reader = reader
        self._writer = writer
        self._octet_s = 0.0

    async def read(self, timeout_s: float | None) -> bytes:
        """See `Port.read`."""
        if timeout_s is not None and timeout_s <= 0:
            timeout_s = 0.0005
        try:
            async with asyncio.timeout(timeout_s):
                data = await self._reader.read(4096)
        except TimeoutError:
            return b""
        except OSError as error:
            raise gone(self.url, error) from error
        if not data:
            raise SerialPortMissingError(_("{port} was closed by the other side").format(port=self.url))
        return data

    async def write(self, data: bytes) -> None:
        """See `Port.write`; when it has left the far wire is reckoned, not known."""
        try:
            self._writer.write(data)
            await self._writer.drain()
            await asyncio.sleep(len(data) * self._octet_s)
        except OSError as error:
            raise gone(self.url, error) from error

    def set_line(self, line: LineSettings) -> None:
        """A TCP line carries no settings; the speed only says how long the far wire needs."""
        self._octet_s = line.octet_s

    def close(self) -> None:
        """See `Port.close`."""
        self._writer.transport.abort()


def split_address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, an IPv6 host in brackets; raises UsageError."""
    host, port = parse_address(text, -1)
    if port < 0:
        raise UsageError(_("{text} is not an address; write HOST:PORT").format(text=text))
    return host, port


async def open_tcp_line(url: str) -> SocketPort:
    """The line of `socket://HOST:PORT`; raises TransportError or UsageError."""
    host, port = split_address(url.removeprefix(SOCKET).rstrip("/"))
    try:
        connected = await open_socket(host, port, CONNECT_S)
    except NothingListensError:
        raise NothingListensError(
            _("nothing listens at {address}; is the meter's line, or its simulator, started there?").format(
                address=shown_address(host, port)
            )
        ) from None
    reader, writer = await asyncio.open_connection(sock=connected)
    return SocketPort(url, reader, writer)
