"""A small DLMS meter in memory, made of the meter's half of the codecs, and a wire between it and a session."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import RemoteProtocolError
from core.protocol.acse import (
    AARQ,
    RLRQ,
    AssociationResponse,
    Conformance,
    Context,
    InitiateResponse,
    Mechanism,
    Release,
    decode_association_request,
    decode_initiate_request,
    encode_association_response,
    encode_initiate_response,
    encode_release,
)
from core.protocol.axdr_encode import octet_string, structure, unsigned
from core.protocol.get_messages import (
    EXCEPTION_RESPONSE,
    ActionRequest,
    ActionResponse,
    Attribute,
    ExceptionResponse,
    GetBlockResponse,
    GetNextRequest,
    GetResponse,
    GetResult,
    decode_request,
    encode_response,
    encode_results,
)
from core.protocol.hdlc_station import HdlcStation
from core.protocol.link import LinkMessage
from core.protocol.security import Security, is_ciphered
from core.protocol.session import NEED_DATA, Finished, Told, Transmit
from core.protocol.wrapper_link import WrapperStation

KEY = bytes(range(16))
AUTH_KEY = bytes(range(0xD0, 0xE0))
METER_TITLE = b"LGZ\x00\x00\x00\x00\x09"
ALL = (
    Conformance.GET
    | Conformance.BLOCK_TRANSFER_WITH_GET
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.SELECTIVE_ACCESS
    | Conformance.ACTION
)


def name(*groups: int) -> bytes:
    return bytes(groups)


class FakeMeter:
    """Answers messages: `objects` by (class, logical name, attribute), in blocks of `block_size` where it is longer."""

    def __init__(
        self,
        objects: dict[tuple[int, bytes, int], bytes | int],
        *,
        password: bytes | None = None,
        keys: tuple[bytes, bytes] | None = None,
        conformance: int = ALL,
        block_size: int = 10_000,
        select: Callable[[Attribute], bytes | int] | None = None,
        has_lists: bool = True,
        is_public_open: bool = True,
        maximum_pdu: int = 1024,
    ) -> None:
        self.objects = objects
        self.password = password
        self.keys = keys
        self.conformance = conformance
        self.block_size = block_size
        self.select = select
        self.has_lists = has_lists
        self.is_public_open = is_public_open
        self.maximum_pdu = maximum_pdu
        self.counter = 0
        self.requests: list[object] = []
        self.security: Security | None = None
        self.client_counters: list[int] = []
        self.challenge = b"meter's challenge"
        self.client_challenge = b""
        self.blocks: list[bytes] = []
        self.is_list = False
        self.change: Callable[[bytes], bytes | None] = lambda reply: reply
        """What becomes of an answer before it goes: None swallows it."""

    def answer(self, message: bytes) -> bytes | None:
        if message[0] == AARQ:
            return self.change(self._associate(message))
        if message[0] == RLRQ:
            return self.change(encode_release(Release(is_response=True)))
        security = self.security
        if security is not None:
            if not is_ciphered(message):
                return encode_response(ExceptionResponse(1, 2))
            self.counter += 1
            message = security.open(message)
        reply = encode_response(self._respond(message))
        is_plain = security is None or reply[0] == EXCEPTION_RESPONSE  # an exception is never ciphered
        return self.change(reply if is_plain or security is None else security.seal(reply))

    def _associate(self, message: bytes) -> bytes:
        request = decode_association_request(message)
        self.requests.append(request)
        self.security = None
        accepted = AssociationResponse(user_information=self._initiate())
        if request.mechanism == Mechanism.NONE:
            if not self.is_public_open:
                return encode_association_response(AssociationResponse(result=1, diagnostic=14))
            return encode_association_response(accepted)
        if request.mechanism == Mechanism.LOW and request.context == Context.LOGICAL_NAME:
            if request.authentication != self.password:
                return encode_association_response(AssociationResponse(result=1, diagnostic=13))
            return encode_association_response(accepted)
        assert self.keys is not None
        assert request.calling_title is not None
        security = Security(METER_TITLE, *self.keys, peer_title=request.calling_title)
        try:
            decode_initiate_request(security.open(request.user_information))
        except RemoteProtocolError:
            return encode_response(ExceptionResponse(1, 5))
        self.security = security
        self.client_challenge = request.authentication or b""
        return encode_association_response(
            AssociationResponse(
                context=Context.LOGICAL_NAME_CIPHERED,
                diagnostic=14,
                mechanism=request.mechanism,
                responding_title=METER_TITLE,
                authentication=self.challenge,
                user_information=security.seal(self._initiate()),
            )
        )

    def _initiate(self) -> bytes:
        return encode_initiate_response(InitiateResponse(conformance=self.conformance, maximum_pdu=self.maximum_pdu))

    def _respond(self, message: bytes):
        request = decode_request(message)
        self.requests.append(request)
        if isinstance(request, ActionRequest):
            assert self.security is not None
            assert request.parameters is not None
            try:
                self.security.check_proof(request.parameters[2:], self.challenge)
            except RemoteProtocolError:
                return ActionResponse(request.invoke_id, 1)
            return ActionResponse(request.invoke_id, 0, octet_string(self.security.proof(self.client_challenge)))
        if isinstance(request, GetNextRequest):
            return self._block(request.invoke_id, request.number + 1)
        if request.is_list and not self.has_lists:
            return ExceptionResponse(1, 2)
        results = tuple(self._get(attribute) for attribute in request.attributes)
        content = encode_results(results) if request.is_list else results[0].data or b""
        if len(content) <= self.block_size:
            return GetResponse(request.invoke_id, results, request.is_list)
        size = self.block_size
        self.blocks = [content[start : start + size] for start in range(0, len(content), size)]
        return self._block(request.invoke_id, 1)

    def _block(self, invoke_id: int, number: int) -> GetBlockResponse:
        return GetBlockResponse(invoke_id, number == len(self.blocks), number, self.blocks[number - 1])

    def _get(self, attribute: Attribute) -> GetResult:
        if attribute.selector is not None and self.select is not None:
            found: bytes | int = self.select(attribute)
        else:
            found = self.objects.get((attribute.class_id, attribute.logical_name, attribute.number), 4)
        return GetResult(None, found) if isinstance(found, int) else GetResult(found)


class Wire:
    """A session at one end, a meter at the other, no time in between but what the session waits."""

    def __init__(self, session, meter, station: HdlcStation | WrapperStation) -> None:
        self.session = session
        self.meter = meter
        self.station = station
        self.now_s = 0.0
        self.transmits = 0
        self.noise: Callable[[bytes, int], bytes] = lambda data, _number: data
        self.answers = 0

    def run(self, limit: int = 20_000) -> tuple[list[object], BaseException | None]:
        """Telegrams up to Finished, and its error."""
        told = []
        for _turn in range(limit):
            event = self.session.next_event()
            if event is NEED_DATA:
                if not self._deliver():
                    deadline_s = self.session.next_deadline()
                    assert deadline_s is not None, "the session waits for ever"
                    self.now_s = max(self.now_s, deadline_s)
                    self.session.receive_data(b"", self.now_s)
            elif isinstance(event, Transmit):
                self.transmits += 1
                self.station.receive_data(event.data)
                self.session.receive_data(b"", self.now_s)
            elif isinstance(event, Told):
                told.append(event.telegram)
            elif isinstance(event, Finished):
                return told, event.error
        raise AssertionError("the session goes on for ever")

    def _deliver(self) -> bool:
        while (event := self.station.next_event()) is not NEED_DATA:
            if isinstance(event, Transmit):
                self.answers += 1
                self.session.receive_data(self.noise(event.data, self.answers), self.now_s)
                return True
            if isinstance(event, LinkMessage):
                reply = self.meter.answer(event.content)
                if reply is not None:
                    self.station.reply(reply)
        return False


def object_list(*entries: tuple[int, bytes]) -> bytes:
    """Attribute 2 of an association that lists (class, logical name)."""
    from core.protocol.axdr_encode import array, long_unsigned

    return array(
        [
            structure(long_unsigned(class_id), unsigned(0), octet_string(logical_name), structure(array(()), array(())))
            for class_id, logical_name in entries
        ]
    )
