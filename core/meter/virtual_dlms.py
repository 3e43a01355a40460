"""The meter's end of DLMS/COSEM: the simulated E450 as a server over HDLC or the TCP wrapper, without I/O.

Clients: 16, the public one, with nothing; `client` with a password (low security) or with both keys (GMAC in a ciphered
context). Where the meter has neither, the public client reads all; else it reads names, clock and counter only. Three
wrong passwords lock the meter for a minute. Nothing can be written.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from core.errors import RemoteProtocolError, WrongKeyError
from core.meter.e450 import SIMULATED_TITLE
from core.meter.virtual_e450 import VirtualE450
from core.meter.virtual_objects import Refused, VirtualObjects
from core.protocol.acse import (
    AARQ,
    AUTHENTICATION_FAILURE,
    AUTHENTICATION_REQUIRED,
    RLRQ,
    AssociationRequest,
    AssociationResponse,
    Conformance,
    Context,
    InitiateResponse,
    Mechanism,
    Release,
    decode_association_request,
    decode_initiate_request,
    decode_release,
    encode_association_response,
    encode_initiate_response,
    encode_release,
)
from core.protocol.association import ASSOCIATION_CLASS, CURRENT_ASSOCIATION, PUBLIC_CLIENT, REPLY_TO_HLS
from core.protocol.axdr import length_at, value_at
from core.protocol.axdr_encode import encoded_length, octet_string
from core.protocol.get_messages import (
    DECIPHERING_ERROR,
    INVOCATION_COUNTER_ERROR,
    ActionRequest,
    ActionResponse,
    ExceptionResponse,
    GetBlockResponse,
    GetNextRequest,
    GetRequest,
    GetResponse,
    GetResult,
    Response,
    decode_request,
    encode_response,
    results_of,
)
from core.protocol.hdlc_control import LinkParameters, parse_server
from core.protocol.hdlc_station import HdlcStation
from core.protocol.link import LinkClosed, LinkMessage, LinkReady
from core.protocol.security import Security, is_ciphered
from core.protocol.session import NEED_DATA, Transmit
from core.protocol.wrapper_link import WrapperStation

MAXIMUM_PDU = 1024
CIPHER_ROOM = 40
WRONG_PASSWORDS = 3
LOCKED_S = 60.0
NOT_ALLOWED, NOT_POSSIBLE = 1, 1
NO_LONG_TRANSFER, WRONG_BLOCK = 16, 19
GRANTED = (
    Conformance.GET
    | Conformance.BLOCK_TRANSFER_WITH_GET
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.SELECTIVE_ACCESS
)


@dataclass(slots=True)
class Access:
    """Who may read what, and what the meter remembers of its clients from one connection to the next."""

    client: int = 1
    password: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    auth_key: bytes | None = field(default=None, repr=False)
    wrong: int = 0
    locked_until_s: float = 0.0
    own_counter: int = 1
    counters: dict[bytes, int] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Nobody needs a password or a key."""
        return self.password is None and self.key is None

    def takes_password(self, given: bytes, now_s: float) -> bool:
        """Whether `given` is right and the meter not locked; a wrong one is counted."""
        if now_s < self.locked_until_s or self.password is None:
            return False
        if hmac.compare_digest(given, self.password):
            self.wrong = 0
            return True
        self.wrong += 1
        if self.wrong >= WRONG_PASSWORDS:
            self.wrong, self.locked_until_s = 0, now_s + LOCKED_S
        return False


@dataclass(slots=True)
class _Association:
    client: int
    limit: int
    is_public: bool
    security: Security | None = None
    title: bytes = b""
    own_challenge: bytes = b""
    peer_challenge: bytes = b""
    is_proven: bool = True


class VirtualDlms:
    """One connection's end: `receive_data` takes octets of the line and returns what the meter sends.

    `access` is shared by the connections of one meter; `server` is its address, such as `1` or `1:17`.
    """

    def __init__(
        self,
        meter: VirtualE450,
        clock: Callable[[], float],
        access: Access,
        *,
        is_wrapper: bool = False,
        server: str = "1",
    ) -> None:
        self._clock = clock
        self._access = access
        self._objects = VirtualObjects(meter, clock)
        self._station: HdlcStation | WrapperStation
        if is_wrapper:
            self._station = WrapperStation(int(server.partition(":")[0]))
        else:
            limits = LinkParameters(transmit=256, receive=256)
            self._station = HdlcStation(parse_server(server), limits=limits)
        self._association: _Association | None = None
        self._rest: Iterator[bytes] | None = None
        self._held = bytearray()
        self._block = 0
        self.is_released = False
        """The client has said good-bye to the link."""

    def receive_data(self, data: bytes) -> bytes:
        """What the meter sends to `data`; nothing where they are not for it, or no whole message yet."""
        sent = bytearray()
        station = self._station
        station.receive_data(data)
        while (event := station.next_event()) is not NEED_DATA:
            if isinstance(event, Transmit):
                sent += event.data
            elif isinstance(event, (LinkReady, LinkClosed)):
                self._forget()
                self.is_released = isinstance(event, LinkClosed)
            elif isinstance(event, LinkMessage):
                reply = self._answer(event.content, event.client)
                if reply:
                    station.reply(reply)
        return bytes(sent)

    def _forget(self) -> None:
        self._association = None
        self._rest = None
        self._held.clear()

    def _answer(self, message: bytes, client: int) -> bytes:
        try:
            if message[:1] == bytes((AARQ,)):
                self._forget()
                return self._associate(decode_association_request(message), client)
            if message[:1] == bytes((RLRQ,)):
                return self._release(decode_release(message))
            return self._serve(message)
        except WrongKeyError:
            return encode_response(ExceptionResponse(NOT_ALLOWED, DECIPHERING_ERROR))
        except RemoteProtocolError:
            return encode_response(ExceptionResponse(NOT_ALLOWED, NOT_POSSIBLE))

    # --- associations

    def _associate(self, request: AssociationRequest, client: int) -> bytes:
        access = self._access
        if client == PUBLIC_CLIENT and request.mechanism == Mechanism.NONE:
            return self._grant(request, client, is_public=not access.is_open)
        if client != access.client or (access.is_open and request.mechanism != Mechanism.NONE):
            return _refused(request, 1)
        if access.is_open:
            return self._grant(request, client, is_public=False)
        if request.mechanism == Mechanism.LOW and access.password is not None:
            if not access.takes_password(request.authentication or b"", self._clock()):
                return _refused(request, AUTHENTICATION_FAILURE)
            return self._grant(request, client, is_public=False)
        if request.mechanism == Mechanism.HIGH_GMAC and access.key is not None:
            return self._grant(request, client, is_public=False)
        return _refused(request, AUTHENTICATION_REQUIRED if request.mechanism == Mechanism.NONE else 11)

    def _grant(self, request: AssociationRequest, client: int, *, is_public: bool) -> bytes:
        access = self._access
        information = request.user_information
        security: Security | None = None
        title = request.calling_title or b""
        if is_ciphered(information) or request.context == Context.LOGICAL_NAME_CIPHERED:
            if access.key is None or len(title) != 8:
                return _refused(request, 2)
            refusal = self._counter_refusal(information, title)
            if refusal:
                return refusal
            security = Security(
                SIMULATED_TITLE, access.key, access.auth_key or b"", counter=access.own_counter, peer_title=title
            )
            information = security.open(information)
        elif request.mechanism == Mechanism.HIGH_GMAC:
            return _refused(request, 2)
        initiate = decode_initiate_request(information)
        limit = min(initiate.maximum_pdu or MAXIMUM_PDU, MAXIMUM_PDU)
        has_proof = request.mechanism == Mechanism.HIGH_GMAC
        self._association = association = _Association(
            client, limit, is_public, security, title, peer_challenge=request.authentication or b""
        )
        granted = (GRANTED | (Conformance.ACTION if has_proof else 0)) & initiate.conformance
        response = encode_initiate_response(InitiateResponse(conformance=granted, maximum_pdu=MAXIMUM_PDU))
        if security is not None:
            response = self._sealed(security, response)
            security.dedicated_key = initiate.dedicated_key
        if has_proof:
            association.is_proven = False
            association.own_challenge = secrets.token_bytes(16)
        return encode_association_response(
            AssociationResponse(
                context=request.context,
                result=0,
                source=1,
                diagnostic=AUTHENTICATION_REQUIRED if has_proof else 0,
                mechanism=request.mechanism if has_proof else None,
                responding_title=SIMULATED_TITLE if security is not None else None,
                authentication=association.own_challenge if has_proof else None,
                user_information=response,
            )
        )

    def _release(self, request: Release) -> bytes:
        """The answer to a good-bye, as authenticated as that was."""
        association = self._association
        information = b""
        if association is not None and association.security is not None and is_ciphered(request.user_information):
            granted = encode_initiate_response(InitiateResponse(conformance=GRANTED, maximum_pdu=MAXIMUM_PDU))
            information = self._sealed(association.security, granted)
        self._forget()
        return encode_release(Release(is_response=True, user_information=information))

    def _counter_refusal(self, message: bytes, title: bytes) -> bytes:
        """An exception where the invocation counter of a ciphered message does not rise; else it is noted."""
        counter = _counter_of(message)
        last = self._access.counters.get(title, 0)
        if counter <= last:
            return encode_response(ExceptionResponse(NOT_ALLOWED, INVOCATION_COUNTER_ERROR, last + 1))
        self._access.counters[title] = counter
        while len(self._access.counters) > 16:
            del self._access.counters[next(iter(self._access.counters))]
        return b""

    def _sealed(self, security: Security, message: bytes) -> bytes:
        sealed = security.seal(message)
        self._access.own_counter = security.counter
        return sealed

    # --- services

    def _serve(self, message: bytes) -> bytes:
        association = self._association
        if association is None:
            return encode_response(ExceptionResponse(NOT_ALLOWED, NOT_POSSIBLE))
        security = association.security
        if security is not None:
            refusal = self._counter_refusal(message, association.title)
            if refusal:
                return refusal
            message = security.open(message)
        response = self._respond(association, message)
        encoded = encode_response(response)
        if security is None or isinstance(response, ExceptionResponse):
            return encoded
        return self._sealed(security, encoded)

    def _respond(self, association: _Association, message: bytes) -> Response:
        request = decode_request(message)
        if isinstance(request, ActionRequest):
            return self._prove(association, request)
        if not association.is_proven:
            return ExceptionResponse(NOT_ALLOWED, NOT_POSSIBLE)
        if isinstance(request, GetNextRequest):
            if self._rest is None:
                return GetBlockResponse(request.invoke_id, True, request.number, None, NO_LONG_TRANSFER)
            if request.number != self._block:
                self._rest = None
                return GetBlockResponse(request.invoke_id, True, request.number, None, WRONG_BLOCK)
            return self._next_block(request.invoke_id, association.limit)
        self._objects.invocation_counter = max(self._access.counters.values(), default=0)
        return self._get(association, request)

    def _get(self, association: _Association, request: GetRequest) -> Response:
        """One result in one message where it has room there, else the first block."""
        values = [self._objects.read(one, is_public=association.is_public) for one in request.attributes]
        pieces = _list_pieces(values) if request.is_list else _pieces(values[0])
        if not request.is_list and isinstance(values[0], Refused):
            return GetResponse(request.invoke_id, (GetResult(None, values[0].result),))
        self._rest = iter(pieces)
        self._held.clear()
        self._block = 0
        room = association.limit - CIPHER_ROOM
        self._fill(room)
        if len(self._held) <= room:
            self._rest = None
            content = bytes(self._held)
            if request.is_list:
                return GetResponse(request.invoke_id, results_of(content), is_list=True)
            return GetResponse(request.invoke_id, (GetResult(content),))
        return self._next_block(request.invoke_id, association.limit)

    def _fill(self, count: int) -> None:
        rest = self._rest
        while rest is not None and len(self._held) <= count:
            piece = next(rest, None)
            if piece is None:
                break
            self._held += piece

    def _next_block(self, invoke_id: int, limit: int) -> GetBlockResponse:
        size = limit - CIPHER_ROOM
        self._fill(size)
        content = bytes(self._held[:size])
        del self._held[:size]
        self._block += 1
        is_last = not self._held
        if is_last:
            self._rest = None
        return GetBlockResponse(invoke_id, is_last, self._block, content)

    def _prove(self, association: _Association, request: ActionRequest) -> Response:
        """The only method there is: the client's proof, answered with the meter's own."""
        security = association.security
        is_reply = (request.class_id, request.logical_name, request.method) == (
            ASSOCIATION_CLASS,
            CURRENT_ASSOCIATION,
            REPLY_TO_HLS,
        )
        if security is None or not is_reply or not association.own_challenge or request.parameters is None:
            return ActionResponse(request.invoke_id, 3)
        proof = value_at(request.parameters, has_descriptors=False)[0]
        challenge, association.own_challenge = association.own_challenge, b""
        try:
            if not isinstance(proof, bytes):
                return ActionResponse(request.invoke_id, 3)
            security.check_proof(proof, challenge)
        except RemoteProtocolError:
            return ActionResponse(request.invoke_id, 3)
        association.is_proven = True
        answer = octet_string(security.proof(association.peer_challenge))
        self._access.own_counter = security.counter
        return ActionResponse(request.invoke_id, 0, answer)


def _refused(request: AssociationRequest, diagnostic: int) -> bytes:
    return encode_association_response(
        AssociationResponse(context=request.context, result=1, source=1, diagnostic=diagnostic)
    )


def _counter_of(message: bytes) -> int:
    """The invocation counter of a ciphered message, with its system title or without; 0 where there is none."""
    if not is_ciphered(message):
        return 0
    start = 1
    if message[0] in (0xDB, 0xDC, 0xDF):
        start = 2 + message[1] if len(message) > 1 else len(message)
    _count, start = length_at(message, start)
    return int.from_bytes(message[start + 1 : start + 5], "big")


def _pieces(value: Iterable[bytes] | Refused) -> Iterable[bytes]:
    return [] if isinstance(value, Refused) else value


def _list_pieces(values: list[Iterable[bytes] | Refused]) -> Iterator[bytes]:
    """Count and results of a GET with list."""
    yield encoded_length(len(values))
    for value in values:
        if isinstance(value, Refused):
            yield bytes((1, value.result))
        else:
            yield b"\x00"
            yield from value
