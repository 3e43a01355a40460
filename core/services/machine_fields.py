"""What a machine may be called and where it may be: checks shared by lists, command line and window."""

from __future__ import annotations

import ipaddress
import re

from core.errors import UsageError
from core.language import _

DEFAULT_PORT = 17450

_HOST = re.compile(r"(?!-)[\w-]{1,63}(\.[\w-]{1,63})*\.?")


class BadFieldError(UsageError):
    """Why a text cannot be a name, an address or a port."""


def check_name(name: str) -> str:
    """`name` where it can name a machine; raises BadFieldError with the reason where it cannot."""
    if not name or len(name) > 64:
        raise BadFieldError(_("a name has 1 to 64 characters, this one {count}").format(count=len(name)))
    if not name.isprintable() or name != name.strip():
        raise BadFieldError(_("the name {name!r} has characters that cannot be shown").format(name=name))
    bad = next((letter for letter in name if letter in "/*?[]"), None)
    if name[0] in "@-!":
        bad = name[0]
    if bad is not None and not _is_ipv6_with_port(name):
        raise BadFieldError(_("the name {name!r} may not have {letter!r} there").format(name=name, letter=bad))
    if name == "all":
        raise BadFieldError(_("the name 'all' means all machines"))
    return name


def _is_ipv6_with_port(name: str) -> bool:
    return re.fullmatch(r"\[[0-9a-fA-F:.]+\]:\d+", name) is not None


def parse_address(text: str, default_port: int = DEFAULT_PORT) -> tuple[str, int]:
    """Host and port of `HOST`, `HOST:PORT`, `[IPV6]:PORT` or a bare IPv6 address; raises BadFieldError."""
    text = text.strip()
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise BadFieldError(_("{address!r} is not an address").format(address=text[:100]))
        port = rest[1:]
    elif text.count(":") > 1:
        host, port = text, ""
    else:
        host, _colon, port = text.partition(":")
    return _host(host.strip()), parse_port(port) if port else default_port


def _host(host: str) -> str:
    if ":" in host or re.fullmatch(r"[\d.]+", host):
        try:
            address, zone_mark, zone = host.partition("%")
            return str(ipaddress.ip_address(address)) + zone_mark + zone
        except ValueError:
            raise BadFieldError(_("{address!r} is not an address").format(address=host[:100])) from None
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise BadFieldError(_("{address!r} is not an address").format(address=host[:100]))
    return host


def parse_port(text: str) -> int:
    """Port number; raises BadFieldError."""
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and 1 <= int(text) <= 65535):
        raise BadFieldError(_("{port!r} is not a port; ports go from 1 to 65535").format(port=text[:100]))
    return int(text)
