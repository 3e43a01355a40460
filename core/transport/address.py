"""`HOST:PORT` as people type it and as it is shown; an IPv6 host stands in brackets."""

from __future__ import annotations

from core.errors import UsageError
from core.language import _


def parse_address(text: str, default_port: int) -> tuple[str, int]:
    """Host and port of `HOST`, `HOST:PORT`, `[IPV6]:PORT` or `IPV6`; raises UsageError for anything else."""
    host, port_text = text.strip(), ""
    if host.startswith("["):
        host, _bracket, rest = host[1:].partition("]")
        if rest and not rest.startswith(":"):
            raise UsageError(_("{text} is not an address; write HOST:PORT").format(text=text))
        port_text = rest[1:]
    elif host.count(":") == 1:
        host, _colon, port_text = host.partition(":")
    is_number = port_text.isascii() and port_text.isdigit() and int(port_text) <= 65535
    if not host or any(letter.isspace() for letter in host) or (port_text and not is_number):
        raise UsageError(_("{text} is not an address; write HOST:PORT").format(text=text))
    return host, int(port_text) if port_text else default_port


def shown_address(host: str, port: int) -> str:
    """`HOST:PORT`, or `[IPV6]:PORT`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
