"""Addresses to look for agents at: `10.1.0.0/24`, `10.1.0.10-60`, `10.1.0.250-10.1.1.20`, or a single one."""

from __future__ import annotations

import ipaddress

from core.errors import UsageError
from core.language import _

MOST = 4096
_WIDEST_IPV6 = 116
_LONGEST = 100

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def addresses_of(text: str) -> list[str]:
    """All addresses that `text` means, in their order, those of the network and of all its hosts left out.

    Several ranges stand with commas or spaces between them; each address comes once. Raises UsageError where one is
    not understood, is no address of a machine, or where there are more than 4,096.
    """
    found: dict[str, None] = {}
    for word in text.replace(",", " ").split():
        first, last = _ends(word)
        if int(last) - int(first) >= MOST:
            raise UsageError(_too_many())
        kind = type(first)
        for number in range(int(first), int(last) + 1):
            address = kind(number)
            if address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255":
                raise UsageError(_("{address} is no address of a machine").format(address=address))
            found[str(address)] = None
        if len(found) > MOST:
            raise UsageError(_too_many())
    if not found:
        raise UsageError(_("write where to look, such as 10.1.0.0/24 or 10.1.0.10-60"))
    return list(found)


def own_networks() -> list[str]:
    """IPv4 networks of this machine that are small enough to be looked through, to be suggested; each once."""
    import socket

    import psutil

    found: dict[str, None] = {}
    for places in psutil.net_if_addrs().values():
        for place in places:
            if place.family != socket.AF_INET or not place.netmask:
                continue
            try:
                network = ipaddress.IPv4Interface(f"{place.address}/{place.netmask}").network
            except ValueError:
                continue
            if network.is_loopback or network.is_link_local or network.num_addresses == 1:
                continue
            if network.num_addresses > MOST:
                network = ipaddress.IPv4Interface(f"{place.address}/24").network
            found[str(network)] = None
    return list(found)


def _ends(word: str) -> tuple[Address, Address]:
    """The first and the last address of a range."""
    try:
        if "/" in word:
            return _ends_of_network(word)
        first_text, dash, last_text = word.partition("-")
        first = ipaddress.ip_address(first_text)
        if not dash:
            return first, first
        if first.version != 4:
            raise ValueError("a range of IPv6")
        if last_text.isascii() and last_text.isdecimal():
            last_text = f"{first_text.rpartition('.')[0]}.{last_text}"
        last = ipaddress.IPv4Address(last_text)
    except ValueError:
        raise UsageError(
            _(
                "{word!r} is neither an address nor a range of addresses; write such as 10.1.0.0/24 or 10.1.0.10-60"
            ).format(word=word[:_LONGEST])
        ) from None
    if last < first:
        raise UsageError(_("{word!r} ends before it begins").format(word=word[:_LONGEST]))
    return first, last


def _ends_of_network(word: str) -> tuple[Address, Address]:
    network = ipaddress.ip_network(word, strict=False)
    if network.version == 6 and network.prefixlen < _WIDEST_IPV6:
        raise UsageError(
            _("{word} has too many addresses to be looked through; of IPv6, /{length} is the largest network").format(
                word=word[:_LONGEST], length=_WIDEST_IPV6
            )
        )
    first, last = network.network_address, network.broadcast_address
    if network.version == 4 and network.num_addresses > 2:
        return first + 1, last - 1
    return first, last


def _too_many() -> str:
    return _("these are more than {count} addresses; look through fewer at a time").format(count=MOST)
