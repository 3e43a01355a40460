"""The console's side of pairing: prove the code to an agent, have the agent prove it back, pin its certificate.

What fails is told apart: the name is unknown, nothing answers, nothing listens, it is no agent, the code is wrong, the
pairing is closed there, or somebody sits in between.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import ssl
from typing import TypeVar

from msgspec import Raw, Struct

import core
from core.errors import (
    BeffroiError,
    NotAnAgentError,
    NotTrustedError,
    RefusedError,
    RemoteProtocolError,
    TransportError,
    UsageError,
    WrongCodeError,
)
from core.language import _
from core.protocol import messages
from core.protocol.frames import JSON_FRAME, FrameReader, encode_frame
from core.protocol.messages import Envelope
from core.protocol.pairing import (
    NONCE_OCTETS,
    SITE_CODE_SYMBOLS,
    agent_proof,
    console_proof,
    normalised_code,
    pairing_key,
)
from core.records import Level
from core.services.peer_records import system_word
from core.transport.address import shown_address
from core.transport.identity import Identity, fingerprint_octets, fingerprint_of, same_fingerprint
from core.transport.tcp import open_socket
from core.transport.tls import console_context, pairing_context, trust

_T = TypeVar("_T")


class PairedAgent(Struct, frozen=True):
    """An agent that has proven that it knows the code, and is to be pinned by this certificate."""

    fingerprint: str
    certificate_pem: str
    level: Level
    name: str
    os: str = ""
    """What runs there, as `Machine.os` has it."""


async def pair(
    host: str,
    port: int,
    code: str,
    identity: Identity,
    name: str,
    timeout_s: float = 5.0,
    context: ssl.SSLContext | None = None,
) -> PairedAgent:
    """Pair with the agent at `host:port` by a code of ten symbols, or a site code; it then knows us as `name`.

    Ends with a first `hello` under the new pins, so that what is returned really works. `timeout_s` is for each step
    that waits for the network. `context` is a console context of `identity` for many pairings, since a protected key
    costs some tenths of a second each time; it may hold the pins of all, as every peer is compared with its own. Raises
    UsageError (no such code), HostUnknownError, NoRouteError, NothingListensError, NotAnAgentError, WrongCodeError,
    NotTrustedError (a relay in between) and other BeffroiErrors.
    """
    try:
        symbols = normalised_code(code)
    except ValueError as error:
        raise UsageError(
            _("this is not a pairing code: one has 10 letters and digits, as in 7F3KQ-2MXPA, a site code 26")
        ) from error
    address = shown_address(host, port)
    link = await _Link.open(host, port, pairing_context(), timeout_s)
    try:
        der = link.peer_certificate()
        agent = fingerprint_of(der)
        nonce = os.urandom(NONCE_OCTETS)
        begin = messages.PairBegin(
            name=name[:256],
            certificate_pem=identity.certificate_pem,
            nonce=nonce,
            is_site_code=len(symbols) == SITE_CODE_SYMBOLS,
        )
        challenge = await link.ask("pair.begin", begin, messages.PairChallenge)
        key = await asyncio.to_thread(pairing_key, symbols, challenge.salt)
        transcript = (fingerprint_octets(agent), fingerprint_octets(identity.fingerprint), challenge.nonce, nonce)
        proof = messages.PairProve(proof=console_proof(key, *transcript))
        answer = await link.ask("pair.prove", proof, messages.PairProof)
        if not hmac.compare_digest(answer.proof, agent_proof(key, *transcript)):
            raise NotTrustedError(
                _("{address} cannot prove that it knows the code: it is not the agent that printed it").format(
                    address=address
                )
            )
    finally:
        await link.close()
    pem = ssl.DER_cert_to_PEM_cert(der)
    if context is None:
        context = await asyncio.to_thread(console_context, identity, [pem])
    else:
        trust(context, pem)
    hello = await _first_hello(host, port, identity, agent, context, timeout_s)
    name = messages.plain_text(hello.name or answer.name)
    return PairedAgent(agent, pem, hello.level or answer.level, name, system_word(hello.os))


async def _first_hello(
    host: str, port: int, identity: Identity, fingerprint: str, context: ssl.SSLContext, timeout_s: float
) -> messages.Hello:
    """The agent's hello under the new pins."""
    link = await _Link.open(host, port, context, timeout_s)
    try:
        if not same_fingerprint(fingerprint_of(link.peer_certificate()), fingerprint):
            raise NotTrustedError(_("another agent answers at {address} now").format(address=shown_address(host, port)))
        return await link.ask("hello", messages.Hello(name=identity.name, version=core.__version__), messages.Hello)
    finally:
        await link.close()


class _Link:
    """A short conversation of requests and answers, one at a time."""

    def __init__(
        self, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout_s: float
    ) -> None:
        self._address = address
        self._reader = reader
        self._writer = writer
        self._timeout_s = timeout_s
        self._frames = FrameReader()
        self._count = 0

    @classmethod
    async def open(cls, host: str, port: int, context: ssl.SSLContext, timeout_s: float) -> _Link:
        """Connect and shake hands; raises the errors that `pair` names."""
        address = shown_address(host, port)
        peer = await open_socket(host, port, timeout_s)
        try:
            reader, writer = await asyncio.open_connection(
                sock=peer,
                ssl=context,
                server_hostname="",
                ssl_handshake_timeout=timeout_s,
                ssl_shutdown_timeout=min(1.0, timeout_s),
                limit=64 * 1024,
            )
        except ssl.SSLCertVerificationError as error:
            raise NotTrustedError(_("another agent answers at {address} now").format(address=address)) from error
        except OSError as error:
            # A time-out or an end in the middle of the handshake too: something listens, and speaks something else.
            raise _not_an_agent(address) from error
        return cls(address, reader, writer, timeout_s)

    def peer_certificate(self) -> bytes:
        """Certificate shown in the handshake, in DER."""
        der: bytes | None = self._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        if not der:
            raise _not_an_agent(self._address)
        return der

    async def ask(self, method: str, params: object, kind: type[_T]) -> _T:
        """The answer to one request; raises the errors that `pair` names."""
        self._count += 1
        self._writer.write(encode_frame(JSON_FRAME, messages.encode_request(self._count, method, params)))
        try:
            async with asyncio.timeout(self._timeout_s):
                envelope = await self._answer()
            return messages.decode_as(kind, _result(envelope, self._address))
        except (RemoteProtocolError, TimeoutError, EOFError) as error:
            if isinstance(error, NotAnAgentError):
                raise
            raise _not_an_agent(self._address) from error
        except OSError as error:
            raise TransportError(
                _("the link to {address} broke: {reason}").format(
                    address=self._address, reason=error.strerror or type(error).__name__
                )
            ) from error

    async def close(self) -> None:
        """End the conversation."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            pass  # it ended otherwise, which is as good

    async def _answer(self) -> Envelope:
        while True:
            while (frame := self._frames.next_frame()) is not None:
                kind, payload = frame
                if kind != JSON_FRAME:
                    raise RemoteProtocolError("output where an answer was expected")
                envelope = messages.decode_envelope(payload)
                if envelope.id == self._count or envelope.method in ("pairing_closed", "not_trusted"):
                    return envelope
            data = await self._reader.read(16 * 1024)
            if not data:
                raise EOFError
            self._frames.receive_data(data)


def _result(envelope: Envelope, address: str) -> Raw:
    """The result in an answer; raises what a refusal means."""
    if envelope.method == "pairing_closed":
        raise _closed(messages.decode_as(messages.PairingClosed, envelope.params).reason, address)
    if envelope.method == "not_trusted":
        raise NotTrustedError(_("the agent at {address} does not trust this console").format(address=address))
    if envelope.error is not None:
        if envelope.error.code == messages.WRONG_CODE:
            raise WrongCodeError(_("the code is wrong for the agent at {address}").format(address=address))
        raise RefusedError(
            _("the agent at {address} refuses: {reason}").format(
                address=address, reason=messages.plain_text(envelope.error.message)
            )
        )
    return envelope.result


def _closed(reason: str, address: str) -> BeffroiError:
    texts = {
        "used": _("this code was used already; type `beffroi agent pair` on {address} for a new one"),
        "expired": _("this code has expired; type `beffroi agent pair` on {address} for a new one"),
        "tries": _(
            "the agent at {address} has seen too many wrong codes; type `beffroi agent pair` there for a new one"
        ),
    }
    closed = _("pairing is not open at {address}; type `beffroi agent pair` there for a code")
    return WrongCodeError(texts.get(reason, closed).format(address=address))


def _not_an_agent(address: str) -> NotAnAgentError:
    return NotAnAgentError(_("what listens at {address} is not a Beffroi agent").format(address=address))
