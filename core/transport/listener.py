"""Sockets that listen, and in words why there is none."""

from __future__ import annotations

import contextlib
import errno
import os
import socket

from core.errors import HostUnknownError, PortInUseError, TransportError, UsageError
from core.language import _
from core.transport.address import parse_address, shown_address

BACKLOG = 1024
"""Links that may wait to be taken in: a room full of clients starts at once."""


def open_listener(address: str) -> socket.socket:
    """A socket that listens on `HOST:PORT` (port 0 picks one), an IPv6 host in brackets; it does not block.

    Raises UsageError, HostUnknownError, PortInUseError or TransportError.
    """
    host, port = parse_address(address, -1)
    if port < 0:
        raise UsageError(_("{text} is not an address; write HOST:PORT").format(text=address))
    try:
        # octets need no IDNA, whose tables cost an agent half a megabyte
        name = host.encode() if host.isascii() else host
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise HostUnknownError(_("{host} is not an address of this machine").format(host=host)) from error
    family, kind, protocol, _name, place = found[0]
    made = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.setblocking(False)
        made.bind(place)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        if error.errno in (errno.EADDRINUSE, 10048):  # 10048: of Windows
            raise PortInUseError(
                _(
                    "another program listens on {address} already; choose another port (--listen, or in the settings)"
                ).format(address=address)
            ) from error
        raise TransportError(
            _("{address} cannot be listened on: {reason}").format(address=address, reason=error.strerror or error)
        ) from error
    return made


def address_of(listener: socket.socket) -> str:
    """`HOST:PORT` where `listener` listens."""
    host, port = listener.getsockname()[:2]
    return shown_address(host, port)


def allow_open_files(count: int) -> int:
    """Raise this process's own limit of open files towards `count`, as far as the system lets it; how many may be."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return count
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return count
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return min(soft, count)
