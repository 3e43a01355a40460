"""Connected TCP sockets, and in words why there is none."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket

from core.errors import HostUnknownError, NoRouteError, NothingListensError, TransportError
from core.language import _

CONNECT_TIMEOUT_S = 2.0
LOOKUP_TIMEOUT_S = 5.0
"""A name is looked up in a thread of the loop's pool; with many machines that waits its turn."""

_Place = tuple[int, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]
"""Family and address of a host, as socket.connect takes them."""


async def open_socket(host: str, port: int, timeout_s: float = CONNECT_TIMEOUT_S) -> socket.socket:
    """A connected TCP socket; raises HostUnknownError, NoRouteError, NothingListensError or TransportError."""
    loop = asyncio.get_running_loop()
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        async with asyncio.timeout(LOOKUP_TIMEOUT_S):
            places = await _addresses(loop, host, port)
    except TimeoutError:
        raise HostUnknownError(
            _("the name {host} is not found: the name server does not answer; try the IP address").format(host=host)
        ) from None
    except (socket.gaierror, UnicodeError):
        raise HostUnknownError(
            _("the name {host} has no address; check how it is written, or give the IP address").format(host=host)
        ) from None
    try:
        return await _first_that_answers(loop, places, timeout_s)
    except TimeoutError:
        raise NoRouteError(
            _("{address} does not answer: switched off, no route to it, or a firewall between").format(address=shown)
        ) from None
    except ConnectionRefusedError:
        raise NothingListensError(
            _("nothing listens at {address}; is the agent started there, and the port right?").format(address=shown)
        ) from None
    except OSError as error:
        if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT, errno.EHOSTDOWN):
            raise NoRouteError(
                _("there is no route to {address}; check the address, the cable or Wi-Fi, and the VPN").format(
                    address=shown
                )
            ) from None
        raise TransportError(
            _("{address} cannot be connected: {reason}").format(address=shown, reason=error.strerror or error)
        ) from None


async def _first_that_answers(loop: asyncio.AbstractEventLoop, places: list[_Place], timeout_s: float) -> socket.socket:
    """A socket to the first of `places` that takes it; each has its share of the time. Raises OSError."""
    deadline_s = loop.time() + timeout_s
    failure: OSError = socket.gaierror("no address")
    for position, (family, address) in enumerate(places):
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout((deadline_s - loop.time()) / (len(places) - position)):
                await loop.sock_connect(made, address)
        except OSError as error:  # a TimeoutError too
            made.close()
            failure = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise failure


async def _addresses(loop: asyncio.AbstractEventLoop, host: str, port: int) -> list[_Place]:
    """Families and addresses of a host; one that is an address needs no look-up and no thread."""
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        if isinstance(literal, ipaddress.IPv4Address):
            return [(socket.AF_INET, (host, port))]
        if literal.scope_id is None:
            return [(socket.AF_INET6, (host, port, 0, 0))]
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    places: list[_Place] = [(family, address) for family, _type, _number, _name, address in found[:4]]
    return places
