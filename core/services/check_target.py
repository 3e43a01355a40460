"""What a check looks at, read from one text: a URL, `HOST:PORT` (TCP) or `HOST` (ping).

A user and password in a URL are for the request alone: no text that is shown, stored or logged holds them.
"""

from __future__ import annotations

import base64
import re
from enum import Enum
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit

from msgspec import Struct

from core.errors import UsageError
from core.language import _
from core.services.machine_fields import parse_address

LONGEST_TARGET = 2048

_SAFE = "%/:=&?~+!$,;'@()*[]-._"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class CheckKind(Enum):
    """How a target is reached."""

    PING = "ping"
    TCP = "tcp"
    HTTP = "http"


class CheckTarget(Struct, frozen=True, kw_only=True):
    """A target taken apart. `shown` never holds user or password; `authorization` is the header they become.

    `path` is what the request line says, percent-encoded; port 0 with ping alone.
    """

    kind: CheckKind
    host: str
    port: int = 0
    path: str = "/"
    is_tls: bool = False
    shown: str = ""
    authorization: str | None = None

    @property
    def address(self) -> str:
        """`HOST:PORT`, an IPv6 host in brackets; the host alone where there is no port."""
        if not self.port:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def host_header(self) -> str:
        """Value of the header `Host`: the port is left out where it is the usual one."""
        host = self.host.partition("%")[0]
        host = f"[{host}]" if ":" in host else ascii_host(host)
        return host if self.port == _DEFAULT_PORTS["https" if self.is_tls else "http"] else f"{host}:{self.port}"


def parse_target(text: str) -> CheckTarget:
    """The target that `text` names; raises UsageError, whose sentence holds no password."""
    text = text.strip()
    if not text:
        raise UsageError(_("a check needs a target: a URL, HOST:PORT or HOST"))
    if len(text) > LONGEST_TARGET:
        raise UsageError(_("a target has {count} characters at most").format(count=LONGEST_TARGET))
    if any(letter.isspace() or not letter.isprintable() for letter in text):
        raise UsageError(_("{target} has spaces or characters that cannot be shown").format(target=without_user(text)))
    if "://" in text:
        return _parse_url(text)
    if "/" in text or "@" in text:
        raise UsageError(
            _("{target} is no target; write https://… for a page, HOST:PORT or HOST").format(target=without_user(text))
        )
    host, port = parse_address(text, 0)
    shown = f"[{host}]:{port}" if port and ":" in host else f"{host}:{port}" if port else host
    return CheckTarget(kind=CheckKind.TCP if port else CheckKind.PING, host=host, port=port, shown=shown)


def parse_redirect(location: str, target: CheckTarget) -> CheckTarget:
    """Where an answer of `target` leads; user and password go on to the same host and port alone.

    Raises UsageError where that is no http or https URL.
    """
    scheme = "https" if target.is_tls else "http"
    base = f"{scheme}://{target.address}{target.path}"
    try:
        joined = urljoin(base, location.strip())
    except ValueError:
        joined = location
    if len(joined) > LONGEST_TARGET * 4 or not joined.isprintable():
        raise UsageError(_("the server redirects to an address that is none"))
    found = _parse_url(joined.replace(" ", "%20"))
    is_same = (found.host, found.port, found.is_tls) == (target.host, target.port, target.is_tls)
    authorization = found.authorization or (target.authorization if is_same else None)
    return CheckTarget(
        kind=found.kind,
        host=found.host,
        port=found.port,
        path=found.path,
        is_tls=found.is_tls,
        shown=found.shown,
        authorization=authorization,
    )


def shown_target(text: str) -> str:
    """`text` as it may be shown and kept: without user and password, also where it is no target at all."""
    try:
        return parse_target(text).shown
    except UsageError:
        return without_user(text)


def without_user(text: str) -> str:
    """`text` up to a length, with nothing left of what could be a user and a password."""
    return re.sub(r"^(\w+://)?.*@", r"\1", text, flags=re.DOTALL)[:200]


def ascii_host(host: str) -> str:
    """The host as it goes over the wire; raises UsageError where it cannot be one."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        raise UsageError(_("{host} cannot be the name of a host").format(host=host)) from None


def _parse_url(text: str) -> CheckTarget:
    shown = without_user(text)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError(_("{target} is not a URL; check its brackets and its port").format(target=shown)) from None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise UsageError(_("{target}: only http:// and https:// can be checked").format(target=shown))
    if not host or port == 0:
        raise UsageError(_("{target} names no host, or no port").format(target=shown))
    host, _port = parse_address(f"[{host}]" if ":" in host else host, 0)
    path = quote(parts.path or "/", safe=_SAFE)
    if parts.query:
        path += "?" + quote(parts.query, safe=_SAFE)
    ascii_host(host)
    authorization = None
    if parts.username is not None:
        user = unquote_to_bytes(parts.username) + b":" + unquote_to_bytes(parts.password or "")
        authorization = "Basic " + base64.b64encode(user).decode("ascii")
    bracketed = f"[{host}]" if ":" in host else host
    place = bracketed if port is None else f"{bracketed}:{port}"
    return CheckTarget(
        kind=CheckKind.HTTP,
        host=host,
        port=port or _DEFAULT_PORTS[scheme],
        path=path,
        is_tls=scheme == "https",
        shown=f"{scheme}://{place}{parts.path}" + (f"?{parts.query}" if parts.query else ""),
        authorization=authorization,
    )
