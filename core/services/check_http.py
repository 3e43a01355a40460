"""One HTTP request over a connection of its own: h11 speaks, we connect, verify, bound and give up.

For checks and webhooks. There is no time-out in here: who calls puts all of it (name, connection, handshake,
redirects, a body that trickles) under one `asyncio.timeout`; `Progress` tells how far it came. Nothing of the peer's
is trusted: headers end at 64 KiB, a body at `most_octets`, redirects at ten.
"""

from __future__ import annotations

import asyncio
import asyncio.sslproto
import errno
import functools
import socket
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h11

import core
from core.errors import NoRouteError, NothingListensError, RemoteProtocolError, TransportError
from core.language import N_, _
from core.services.check_certificate import days_left, end_of_validity, reason_of, verified_end_s
from core.services.check_names import Names
from core.services.check_target import CheckTarget, ascii_host, parse_redirect

MOST_REDIRECTS = 10
MOST_OCTETS = 1 << 20
"""Of a body: more than any page that says whether a service is well."""

MOST_HEADERS = 64 * 1024
_READ_OCTETS = 64 * 1024
_TLS_BUFFER_OCTETS = 16 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class CertificateRefusedError(TransportError):
    """A server whose certificate is not taken; `days` is what it has left, None where that could not be read."""

    def __init__(self, message: str, days: float | None) -> None:
        super().__init__(message)
        self.days = days


@dataclass(slots=True)
class Progress:
    """How far a request has come, for who tells that it took too long; `waits_for` is to be translated and formatted.

    `days` is the least that a certificate on the way has left, `status` that of the last answer; `connecting_s` is
    when the name was known, by `time.perf_counter`.
    """

    waits_for: str = N_("the name {host} is not found in time: the name server does not answer")
    host: str = ""
    days: float | None = None
    status: int | None = None
    connecting_s: float = 0.0

    def at(self, waits_for: str, host: str) -> None:
        """What is waited for now."""
        self.waits_for, self.host = waits_for, host

    def words(self) -> str:
        """What did not come."""
        return _(self.waits_for).format(host=self.host)

    def see_days(self, days: float | None) -> None:
        """Keep the smaller."""
        if days is not None:
            self.days = days if self.days is None else min(days, self.days)


@dataclass(frozen=True, slots=True)
class Page:
    """An answer. `is_cut` where there was more than `most_octets`; `reason` are the words beside the status."""

    target: CheckTarget
    status: int
    reason: str
    content_type: str
    body: bytes
    is_cut: bool = False
    location: str | None = field(default=None, repr=False)


async def fetch(
    target: CheckTarget,
    *,
    method: str = "GET",
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    names: Names | None = None,
    trust: ssl.SSLContext | None = None,
    most_octets: int = MOST_OCTETS,
    most_redirects: int = MOST_REDIRECTS,
    progress: Progress | None = None,
) -> Page:
    """The answer at the end of the redirects (of a GET; any other method follows none), whatever its status.

    Raises TransportError and its family, CertificateRefusedError among them, and RemoteProtocolError. `trust` takes
    the place of the system's authorities.
    """
    names, progress = names or Names(), progress or Progress()
    for _redirects in range(most_redirects + 1):
        page = await _one_answer(target, method, headers, body, names, trust, most_octets, progress)
        if method != "GET" or page.location is None:
            return page
        target = parse_redirect(page.location, target)
    raise RemoteProtocolError(
        _("the server redirects more than {count} times; the last time to {target}").format(
            count=most_redirects, target=target.shown
        )
    )


async def connect(target: CheckTarget, names: Names, progress: Progress) -> socket.socket:
    """A connected socket; raises TransportError and its family. Each address but the last has 2 s."""
    progress.at(N_("the name {host} is not found in time: the name server does not answer"), target.host)
    places = await names.addresses(target.host, target.port)
    progress.at(N_("{host} does not answer: switched off, no route to it, or a firewall between"), target.address)
    progress.connecting_s = time.perf_counter()
    loop = asyncio.get_running_loop()
    failure: OSError | None = None
    for number, (family, address) in enumerate(places, 1):
        try:
            made = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:  # no IPv6 here, or too many open files
            failure = error
            continue
        try:
            made.setblocking(False)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(None if number == len(places) else 2.0):
                await loop.sock_connect(made, address)
        except OSError as error:  # a TimeoutError too
            made.close()
            failure = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    assert failure is not None, "Names gives one address at least"
    raise _told(failure, target) from None


@functools.cache
def trusting_context(authorities_pem: str | None = None) -> ssl.SSLContext:
    """TLS 1.2 and 1.3 with the authorities that this machine trusts, or those given; reading them takes some 20 ms.

    From Python 3.13 on a default context refuses certificates that leave out what RFC 5280 asks for (key
    identifiers), as many of private authorities do and browsers let pass. A check says what users of the page see, and
    the same with every Python.
    """
    # asyncio keeps a buffer of 256 KiB for each TLS link; hundreds of checks need less.
    asyncio.sslproto.SSLProtocol.max_size = min(asyncio.sslproto.SSLProtocol.max_size, _TLS_BUFFER_OCTETS)
    context = ssl.create_default_context(cadata=authorities_pem)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


@functools.cache
def _looking_context() -> ssl.SSLContext:
    """Takes any certificate: to look at it, never to send anything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _one_answer(
    target: CheckTarget,
    method: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
    names: Names,
    trust: ssl.SSLContext | None,
    most_octets: int,
    progress: Progress,
) -> Page:
    if target.is_tls and trust is None:
        trust = await asyncio.to_thread(trusting_context)
    made = await connect(target, names, progress)
    async with _stream(target, made, trust if target.is_tls else None, names, progress) as (reader, writer):
        progress.at(N_("{host} takes the connection and does not answer"), target.address)
        progress.status = None
        talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEADERS)
        lines = [("Host", target.host_header), ("User-Agent", f"Beffroi/{core.__version__}"), ("Accept", "*/*")]
        lines += [("Accept-Encoding", "identity"), ("Connection", "close")]
        if target.authorization is not None:
            lines.append(("Authorization", target.authorization))
        if method != "GET":
            lines.append(("Content-Length", str(len(body))))
        try:
            sent = talk.send(h11.Request(method=method, target=target.path, headers=[*lines, *headers]))
            sent += (talk.send(h11.Data(data=body)) if body else b"") or b""
            writer.write(sent + (talk.send(h11.EndOfMessage()) or b""))
            return await _read_answer(target, talk, reader, most_octets, progress)
        except h11.RemoteProtocolError as error:
            raise RemoteProtocolError(_not_http(target, talk, progress.status is not None, error)) from None
        except ssl.SSLError as error:
            raise TransportError(_tls_words(target, error)) from None
        except OSError as error:
            raise _told(error, target) from None


async def _read_answer(
    target: CheckTarget, talk: h11.Connection, reader: asyncio.StreamReader, most_octets: int, progress: Progress
) -> Page:
    answer: h11.Response | None = None
    pieces: list[bytes] = []
    size, is_cut = 0, False
    while not is_cut:
        event = talk.next_event()
        if event is h11.NEED_DATA:
            talk.receive_data(await reader.read(_READ_OCTETS))
        elif isinstance(event, h11.Response):
            answer = event
            progress.status = answer.status_code
            progress.at(N_("the answer of {host} begins and does not end"), target.address)
            if answer.status_code in _REDIRECTS and _header(answer, b"location"):
                break  # nobody reads what stands beside a redirect
        elif isinstance(event, h11.Data):
            size += len(event.data)
            pieces.append(bytes(event.data))
            is_cut = size > most_octets
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            break
    assert answer is not None, "h11 gives no body before an answer"
    content, was_more = _unpacked(b"".join(pieces), _header(answer, b"content-encoding"), most_octets)
    return Page(
        target=target,
        status=answer.status_code,
        reason=bytes(answer.reason).decode("latin-1"),
        content_type=_header(answer, b"content-type"),
        body=content,
        is_cut=is_cut or was_more,
        location=(_header(answer, b"location") or None) if answer.status_code in _REDIRECTS else None,
    )


@asynccontextmanager
async def _stream(
    target: CheckTarget, made: socket.socket, trust: ssl.SSLContext | None, names: Names, progress: Progress
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Reader and writer over the socket, which is closed at the end; TLS where `trust` is given."""
    if trust is not None:
        progress.at(N_("{host} takes the connection and does not begin TLS"), target.address)
    try:
        reader, writer = await _opened(target, made, trust)
    except ssl.SSLCertVerificationError as error:
        days = await _days_of_refused(target, names)
        progress.see_days(days)
        raise CertificateRefusedError(reason_of(error, target.host), days) from None
    except ssl.SSLError as error:
        raise TransportError(_tls_words(target, error)) from None
    except OSError as error:
        raise _told(error, target) from None
    try:
        ssl_object = writer.get_extra_info("ssl_object")
        if ssl_object is not None:
            progress.see_days(days_left(verified_end_s(ssl_object), time.time()))
        yield reader, writer
    finally:
        writer.transport.abort()


async def _opened(
    target: CheckTarget, made: socket.socket, context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Streams over the socket, which belongs to them from now on: after an error too it is their loop that closes it.

    (Closed here, its number could be that of the next check's socket while the loop still holds it for this one.)
    """
    if context is None:
        return await asyncio.open_connection(sock=made, limit=_READ_OCTETS)
    name = ascii_host(target.host.partition("%")[0])
    return await asyncio.open_connection(
        sock=made, limit=_READ_OCTETS, ssl=context, server_hostname=name, ssl_handshake_timeout=3600
    )  # the caller's time-out ends it long before


async def _days_of_refused(target: CheckTarget, names: Names) -> float | None:
    """Days that a certificate which was refused has left: one more handshake, without verification or request."""
    try:
        made = await connect(target, names, Progress())
        _reader, writer = await _opened(target, made, _looking_context())
    except (TransportError, OSError):
        return None
    try:
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return days_left(end_of_validity(der or b""), time.time())
    finally:
        writer.transport.abort()


def _header(answer: h11.Response, name: bytes) -> str:
    return next((value.decode("latin-1") for known, value in answer.headers if known == name), "")


def _unpacked(content: bytes, encoding: str, most_octets: int) -> tuple[bytes, bool]:
    """Content of a server that packs though nobody asked it to; no more than `most_octets` come out of it."""
    if encoding.strip().lower() in ("gzip", "x-gzip", "deflate"):
        unpacking = zlib.decompressobj(wbits=47)
        try:
            content = unpacking.decompress(content, most_octets + 1)
        except zlib.error:
            pass  # shown as it came
    return content[:most_octets], len(content) > most_octets


def _not_http(target: CheckTarget, talk: h11.Connection, is_begun: bool, error: h11.RemoteProtocolError) -> str:
    received, is_closed = talk.trailing_data
    if len(received) > MOST_HEADERS:
        return _("{address} sends headers without an end").format(address=target.address)
    if is_closed and (is_begun or received.startswith(b"HTTP/")):
        return _("the answer of {address} breaks off").format(address=target.address)
    if is_closed and not received:
        return _("{address} closes the connection without an answer").format(address=target.address)
    return _("{address} does not speak HTTP: {reason}").format(address=target.address, reason=str(error)[:120])


def _tls_words(target: CheckTarget, error: ssl.SSLError) -> str:
    reason = error.reason or str(error)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"):
        return _("{address} does not speak TLS; is it http:// there, or another port?").format(address=target.address)
    return _("{address}: the TLS handshake failed: {reason}").format(
        address=target.address, reason=reason.replace("_", " ").lower()[:120]
    )


def _told(error: OSError, target: CheckTarget) -> TransportError:
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return NoRouteError(
            _("{host} does not answer: switched off, no route to it, or a firewall between").format(host=target.address)
        )
    if isinstance(error, ConnectionRefusedError):
        return NothingListensError(
            _("nothing listens at {address}; is the service started there, and the port right?").format(
                address=target.address
            )
        )
    if isinstance(error, ConnectionError):
        return TransportError(_("{address} breaks the connection").format(address=target.address))
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN):
        return NoRouteError(
            _("there is no route to {address}; check the address, the cable or Wi-Fi, and the VPN").format(
                address=target.address
            )
        )
    return TransportError(
        _("{address} cannot be connected: {reason}").format(
            address=target.address, reason=error.strerror or type(error).__name__
        )
    )
