"""Real servers on 127.0.0.1 for the tests of checks: each answers with given octets, or as a given function does."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.services.check_http import trusting_context

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello"


@contextlib.asynccontextmanager
async def server(
    answer: bytes | Answer, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, reads: bool = True
) -> AsyncIterator[int]:
    """A server; the port. Octets are sent after the request, and the link is closed; `seen` are the requests."""
    links: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        links.add(task)
        try:
            if reads:
                await reader.readuntil(b"\r\n\r\n")
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            with contextlib.suppress(OSError, ssl.SSLError):
                writer.close()
            links.discard(task)

    started = await asyncio.start_server(serve, host, 0, ssl=tls)
    try:
        yield started.sockets[0].getsockname()[1]
    finally:
        started.close()
        for task in list(links):
            task.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        await asyncio.sleep(0.01)


class Certificates:
    """An authority of our own, and what it vouches for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.authority = self._made("authority", self.key.public_key(), "authority", 3650, is_authority=True)
        self.trust = trusting_context(self.authority.public_bytes(serialization.Encoding.PEM).decode())

    def context(self, host: str, days: float, *, is_self_signed: bool = False) -> ssl.SSLContext:
        """Context of a server whose certificate for `host` has so many days left."""
        key = ec.generate_private_key(ec.SECP256R1())
        signer = key if is_self_signed else self.key
        certificate = self._made(host, key.public_key(), host if is_self_signed else "authority", days, signer=signer)
        path = self.folder / "server.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def der(self, days: float) -> bytes:
        """A certificate as it goes over the wire."""
        return self._made("localhost", self.key.public_key(), "authority", days).public_bytes(
            serialization.Encoding.DER
        )

    def _made(
        self, subject: str, key: object, issuer: str, days: float, *, signer: object = None, is_authority: bool = False
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        end = now + datetime.timedelta(days=days)
        try:
            name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(subject))
        except ValueError:
            name = x509.DNSName(subject)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(now, end) - datetime.timedelta(days=30))
            .not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([name]), critical=False)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .sign(signer or self.key, hashes.SHA256())
        )
