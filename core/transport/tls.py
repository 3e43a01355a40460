"""TLS contexts of the link between console and agent: TLS 1.3 alone, trust by pinned certificates, no names, no dates.

Every peer must still be compared with its own pin after the handshake (`peer_fingerprint`): a context that holds many
pins takes any of them, and a certificate once loaded cannot be taken out again.
"""

from __future__ import annotations

import asyncio.sslproto
import ssl
from collections.abc import Iterable
from typing import cast

from core.transport.identity import Identity, fingerprint_of

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME: clocks of supervised machines are wrong, and a pin has no date (openssl/x509_vfy.h)."""

_READ_BUFFER_OCTETS = 16 * 1024


def _new_context(protocol: int) -> ssl.SSLContext:
    # asyncio keeps a buffer of 256 KiB for each TLS link; frames of a status need no more than this.
    asyncio.sslproto.SSLProtocol.max_size = min(asyncio.sslproto.SSLProtocol.max_size, _READ_BUFFER_OCTETS)
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_flags = cast(ssl.VerifyFlags, int(context.verify_flags) | _NO_CHECK_TIME)
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION
    return context


def agent_context(identity: Identity, pinned_pems: Iterable[str]) -> ssl.SSLContext:
    """Context of an agent: a console shows a pinned certificate or none; any other fails the handshake."""
    context = _new_context(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0
    identity.load_into(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    for pem in pinned_pems:
        trust(context, pem)
    return context


def console_context(identity: Identity, pinned_pems: Iterable[str]) -> ssl.SSLContext:
    """Context of a console, one for all its agents: an agent shows a pinned certificate, or the handshake fails."""
    context = _new_context(ssl.PROTOCOL_TLS_CLIENT)
    identity.load_into(context)
    context.verify_mode = ssl.CERT_REQUIRED
    for pem in pinned_pems:
        trust(context, pem)
    return context


def pairing_context() -> ssl.SSLContext:
    """Context of a console that pairs: it shows no certificate and takes any; the code decides, not the handshake."""
    context = _new_context(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_NONE
    return context


def trust(context: ssl.SSLContext, pem: str) -> None:
    """Pin one more certificate, also while `context` is in use; raises ValueError where `pem` is none."""
    try:
        context.load_verify_locations(cadata=pem)
    except ssl.SSLError as error:
        raise ValueError(f"not a certificate: {error}") from error


def peer_fingerprint(ssl_object: ssl.SSLObject | ssl.SSLSocket) -> str | None:
    """Fingerprint of the certificate that the peer has shown in this handshake, None where it has shown none."""
    der = ssl_object.getpeercert(binary_form=True)
    return fingerprint_of(der) if der else None
