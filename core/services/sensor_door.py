"""Who may come in to the sensor intake: allowed addresses, and links that are watched for silence."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Sequence

from core.errors import ConfigError
from core.language import _

DEFAULT_LISTEN = "127.0.0.1:17452"
DEFAULT_PORT = 17452


def watch_for_silence(link: socket.socket) -> None:
    """Let the kernel find out within some two minutes that a sensor is gone; one that is only slow is left alone.

    There is no time-out for what it has not read (TCP_USER_TIMEOUT): a sensor need not read our answers.
    """
    with contextlib.suppress(OSError):  # a peer that has closed already
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
            option = getattr(socket, name, None)
            if option is not None:
                link.setsockopt(socket.IPPROTO_TCP, option, value)


class Guests:
    """The addresses that may send; all of them where none is named."""

    def __init__(self, allow: Sequence[str]) -> None:
        self._networks = [_network(entry) for entry in allow]

    def is_allowed(self, host: str) -> bool:
        """True where `host`, an IP address, may send."""
        if not self._networks:
            return True
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


def plain_host(host: str) -> str:
    """An IP address as people know it: the IPv4 address of an IPv4 peer that came in over IPv6."""
    return host.removeprefix("::ffff:") if "." in host else host


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(entry.strip(), strict=False)
    except ValueError as error:
        raise ConfigError(
            _("“{entry}” under allow of [sensors] is no address and no network; write such as 192.168.1.0/24").format(
                entry=entry
            )
        ) from error
