"""Echo requests (ICMP) of many pings over one socket a family: RFC 792, RFC 4443.

What the system allows is taken, in this order: an unprivileged ICMP socket (Linux: the sysctl
`net.ipv4.ping_group_range`, macOS: always), a raw socket (root, or CAP_NET_RAW), the system's `ping` as a child
without a shell; where none is there, that is said. Belongs to the thread of its loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import os
import re
import secrets
import shutil
import socket
import struct
import sys

from core.errors import NoRouteError, TransportError
from core.language import _
from core.services.check_names import Place

MOST_CHILDREN = 16
"""Pings by the system's program at a time."""

_HEADER = struct.Struct("!BBHHH")
_ECHO = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}
_UNREACHABLE = {socket.AF_INET: 3, socket.AF_INET6: 1}
_PROTOCOL = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
_INNER_OCTETS = {socket.AF_INET6: 40}
_RECEIVE_ERRORS = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
"""IP_RECVERR and IPV6_RECVERR of Linux, which Python does not name: errors of a datagram socket come in a queue."""

_FULL_S = 0.005
_BUFFER_OCTETS = 1 << 20
"""Room for the echoes of thousands of pings, as far as the system grants it."""

_TIME = re.compile(rb"[=<]\s?([0-9.,]+)\s?ms")


def checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071): checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D."""
    if len(octets) % 2:
        octets += b"\0"
    total = sum(octets[::2]) * 256 + sum(octets[1::2])
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Pinger:
    """Pings for one loop; `close` ends it. The sockets are opened by the first ping."""

    def __init__(self, *, allow_sockets: bool = True, program: str | None = None) -> None:
        self._allow_sockets = allow_sockets
        self._program = program
        self._links: dict[int, _Link | None] = {}
        self._children = asyncio.Semaphore(MOST_CHILDREN)

    async def ping(self, place: Place, timeout_s: float) -> float:
        """Milliseconds to the echo of the host at `place`; raises TimeoutError, TransportError and its family."""
        family, address = place
        if family not in self._links:
            self._links[family] = _Link.opened(family) if self._allow_sockets else None
        link = self._links[family]
        if link is not None:
            async with asyncio.timeout(timeout_s):
                return await link.echo((str(address[0]), 0, *address[2:]))
        program = self._program or shutil.which("ping")
        if program is None:
            raise TransportError(
                _(
                    "this user may not ping, and there is no program ping; as root, try: {line}, or check HOST:PORT"
                ).format(line="sysctl net.ipv4.ping_group_range='0 2147483647'")
            )
        return await self._by_program(program, family, str(address[0]), timeout_s)

    def close(self) -> None:
        """Close the sockets."""
        for link in self._links.values():
            if link is not None:
                link.close()
        self._links.clear()

    async def _by_program(self, program: str, family: int, address: str, timeout_s: float) -> float:
        words = _words_of_ping(program, family, address, timeout_s)
        async with self._children, asyncio.timeout(timeout_s):
            try:
                child = await asyncio.create_subprocess_exec(
                    *words,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.DEVNULL,
                    env={**os.environ, "LC_ALL": "C"},
                )
            except OSError as error:
                raise TransportError(
                    _("{program} cannot be started: {reason}").format(program=program, reason=error.strerror)
                ) from None
            try:
                assert child.stdout is not None, "asked for by PIPE"
                said = await child.stdout.read(64 * 1024)
                status = await child.wait()
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
                raise
        found = _TIME.search(said)
        if status == 0 and found is not None:
            return float(found[1].replace(b",", b"."))
        if status == 1 and b"nreachable" not in said:
            raise TimeoutError
        raise NoRouteError(_no_route(address))


def _words_of_ping(program: str, family: int, address: str, timeout_s: float) -> list[str]:
    """The command of each system; `address` is numeric, so that it is never an option."""
    if sys.platform == "win32":
        return [program, "-n", "1", "-w", str(math.ceil(timeout_s * 1000)), address]
    if sys.platform == "darwin":
        return ["ping6" if family == socket.AF_INET6 else program, "-n", "-c", "1", address]
    return [program, "-n", "-c", "1", "-W", str(math.ceil(timeout_s)), address]


def _no_route(address: str) -> str:
    return _("there is no route to {address}; check the address, the cable or Wi-Fi, and the VPN").format(
        address=address
    )


class _Link:
    """One ICMP socket and the echoes that it waits for, by their 16-bit number."""

    def __init__(self, family: int, made: socket.socket) -> None:
        self._family = family
        self._socket = made
        self._identifier = secrets.randbits(16)
        self._token = secrets.token_bytes(16)
        self._number = secrets.randbits(16)
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, tuple[asyncio.Future[float], float, str]] = {}
        self._loop.add_reader(made.fileno(), self._on_readable)

    @classmethod
    def opened(cls, family: int) -> _Link | None:
        """A link over what this user may open; None where he may open nothing, and on Windows, whose loop waits for
        no socket of this kind.
        """
        if sys.platform == "win32":
            return None
        for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
            try:
                made = socket.socket(family, kind, _PROTOCOL[socket.AddressFamily(family)])
            except OSError:
                continue
            made.setblocking(False)
            with contextlib.suppress(OSError):
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_OCTETS)
            if kind == socket.SOCK_DGRAM and sys.platform == "linux":
                with contextlib.suppress(OSError):
                    made.setsockopt(*_RECEIVE_ERRORS[socket.AddressFamily(family)], 1)
            return cls(family, made)
        return None

    def close(self) -> None:
        """Nobody waits any more."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    async def echo(self, address: tuple[object, ...]) -> float:
        """Milliseconds until the echo; for as long as the caller waits."""
        self._number = (self._number + 1) & 0xFFFF
        while self._number in self._waiting:
            self._number = (self._number + 1) & 0xFFFF
        number = self._number
        answered: asyncio.Future[float] = self._loop.create_future()
        self._waiting[number] = (answered, self._loop.time(), str(address[0]))
        try:
            while not self._send(number, address):  # noqa: ASYNC110  # no event tells that a raw socket has room
                await asyncio.sleep(_FULL_S)
            return await answered
        finally:
            del self._waiting[number]

    def _send(self, number: int, address: tuple[object, ...]) -> bool:
        """Send a request; False where the socket is full for now."""
        request = _ECHO[socket.AddressFamily(self._family)][0]
        content = self._token + number.to_bytes(2, "big")
        header = _HEADER.pack(request, 0, 0, self._identifier, number)
        if self._family == socket.AF_INET:  # of ICMPv6 the kernel computes it
            header = _HEADER.pack(request, 0, checksum(header + content), self._identifier, number)
        to = (address[0], 0) if self._family == socket.AF_INET else address
        for is_last in (False, True):
            try:
                self._socket.sendto(header + content, to)
            except BlockingIOError:
                return False
            except OSError as error:
                # an error of another ping that was not read yet comes out of the next call
                if is_last or error.errno not in (errno.EHOSTUNREACH, errno.ECONNREFUSED, errno.ENETUNREACH):
                    raise _send_error(error, str(address[0])) from None
                self._read_errors()
            else:
                return True
        return False

    def _on_readable(self) -> None:
        self._read_errors()
        for _datagram in range(1000):
            try:
                octets, _sender = self._socket.recvfrom(2048)
            except BlockingIOError:
                return
            except OSError:
                self._read_errors()
                continue
            self._take(octets)

    def _take(self, octets: bytes) -> None:
        if octets[:1] and octets[0] >> 4 == 4:  # a raw socket, and macOS, give the IP header too
            octets = octets[(octets[0] & 0xF) * 4 :]
        if len(octets) < _HEADER.size:
            return
        family = socket.AddressFamily(self._family)
        if octets[0] == _ECHO[family][1]:
            number = self._number_of(octets[_HEADER.size :])
            if number is not None and number in self._waiting:
                answered, sent_s, _address = self._waiting[number]
                if not answered.done():
                    answered.set_result((self._loop.time() - sent_s) * 1000)
        elif octets[0] == _UNREACHABLE[family]:
            inner = octets[_HEADER.size :]
            if inner:
                self._refuse(inner[_INNER_OCTETS.get(family, (inner[0] & 0xF) * 4) :])

    def _number_of(self, content: bytes) -> int | None:
        """Number of the ping that sent this content; None where it was not ours."""
        return int.from_bytes(content[16:18], "big") if len(content) >= 18 and content[:16] == self._token else None

    def _refuse(self, request: bytes) -> None:
        """An error that quotes a request of ours, its first eight octets at least."""
        if len(request) < _HEADER.size:
            return
        kind, _code, _sum, identifier, number = _HEADER.unpack_from(request)
        content = request[_HEADER.size :]
        is_ours = identifier == self._identifier if len(content) < 18 else self._number_of(content) == number
        if kind != _ECHO[socket.AddressFamily(self._family)][0] or not is_ours or number not in self._waiting:
            return
        answered, _sent_s, address = self._waiting[number]
        if not answered.done():
            answered.set_exception(NoRouteError(_no_route(address)))

    def _read_errors(self) -> None:
        """Errors in the queue of a datagram socket (Linux); the request that each quotes has failed."""
        if sys.platform != "linux":
            return
        for _error in range(1000):
            try:
                quoted, _more, _flags, _sender = self._socket.recvmsg(2048, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            self._refuse(quoted)


def _send_error(error: OSError, address: str) -> TransportError:
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EADDRNOTAVAIL):
        return NoRouteError(_no_route(address))
    if error.errno in (errno.EPERM, errno.EACCES):
        return TransportError(_("this machine does not let a ping to {address} out").format(address=address))
    return TransportError(_("{address} cannot be pinged: {reason}").format(address=address, reason=error.strerror))
