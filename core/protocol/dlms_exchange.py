"""What a DLMS client asks and gets, as steps of a script: requests, blocks, lists, rows (Green Book, clause 9.3).

Each function is a generator that yields what is to be done and is sent what came of it; `core.protocol.dlms_session`
drives them. Answers to earlier questions and messages of the meter's own are passed over.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from msgspec import Struct

from core.errors import RemoteProtocolError, TransportError, WrongKeyError
from core.language import _
from core.protocol.apdu import DATA_NOTIFICATION, GENERAL_BLOCK_TRANSFER
from core.protocol.association import Association
from core.protocol.axdr import Value, value_at
from core.protocol.block_transfer import GeneralBlockReceiver, decode_general_block, encode_general_block
from core.protocol.get_messages import (
    DECIPHERING_ERROR,
    EXCEPTION_RESPONSE,
    MAXIMUM_LIST,
    Attribute,
    ExceptionResponse,
    GetBlockResponse,
    GetNextRequest,
    GetRequest,
    GetResponse,
    GetResult,
    Request,
    Response,
    UnreadableAnswerError,
    access_result_text,
    decode_response,
    encode_request,
    results_of,
)
from core.protocol.row_reader import RowReader
from core.protocol.security import is_ciphered
from core.protocol.session import Told

LIST_LIMIT = 64
"""Attributes that are asked for in one list at most; a meter that refuses a list is asked for half of it next."""
VALUE_LIMIT = 1 << 22
"""Octets of one value that comes in blocks, rows of a profile apart."""
STRAY_LIMIT = 8
"""Messages that are no answer, such as a push, before the meter is given up."""
REPEATED_BLOCKS = 3
_EVENT_NOTIFICATION = 0xC2
_CONFIRMED = 0xC0

_OTHER_REASON = 250
_PLAIN = (bytes((EXCEPTION_RESPONSE,)), bytes((DATA_NOTIFICATION,)), bytes((_EVENT_NOTIFICATION,)))
_UNASKED = (bytes((DATA_NOTIFICATION,)), bytes((_EVENT_NOTIFICATION,)))


class Answers(Struct, frozen=True):
    """What the attributes hold that were asked for from number `first` on: data, or the error that stands for them."""

    first: int
    results: tuple[GetResult, ...]


class Rows(Struct, frozen=True):
    """Further rows of a profile."""

    rows: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message; what comes back is the next one."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect as `client`."""

    client: int


class More:
    """What came was not the answer: wait for the next message."""


class Disconnect:
    """Take the link down."""


class Enter:
    """Sign on by mode E."""


_Result = TypeVar("_Result")
Step = Send | Connect | More | Disconnect | Enter | Told
Script = Generator[Step, bytes, _Result]


class AccessRefusedError(RemoteProtocolError):
    """The meter refuses one attribute; `result` is its data-access-result."""

    def __init__(self, result: int) -> None:
        super().__init__(_("the meter refuses it: {reason}").format(reason=access_result_text(result)))
        self.result = result


def value_of(data: bytes) -> Value:
    """The value that `data` is, to its very last octet; raises RemoteProtocolError."""
    value, end = value_at(data, has_descriptors=False)
    if end != len(data):
        raise RemoteProtocolError(_("{count} octets stand behind the end of the message").format(count=len(data) - end))
    return value


class Exchanges:
    """Questions and answers inside `association`, None while there is none."""

    def __init__(self) -> None:
        self.association: Association | None = None
        self._invoke_id = 0
        self._list_limit = LIST_LIMIT

    def get(self, attributes: tuple[Attribute, ...]) -> Script[None]:
        """All `attributes`, in lists where the meter takes them; a list that it refuses is halved."""
        self._check_connected()
        first = 0
        while first < len(attributes):
            chunk = attributes[first : first + self._chunk_size()]
            results = yield from self._get_some(chunk)
            yield Told(Answers(first, results))
            first += len(chunk)

    def _get_some(self, attributes: tuple[Attribute, ...]) -> Script[tuple[GetResult, ...]]:
        """Results in order: by one list, by two of half its length where the meter refuses it or garbles it, alone."""
        if len(attributes) == 1:
            result = yield from self.get_one(attributes[0])
            return (result,)
        results = None
        if len(attributes) <= self._list_limit:
            results = yield from self._get_list(attributes)
        if results is None:
            half = len(attributes) // 2
            first = yield from self._get_some(attributes[:half])
            second = yield from self._get_some(attributes[half:])
            results = first + second
        return results

    def _check_connected(self) -> None:
        if self.association is None:
            raise TransportError(_("the meter is not connected"))

    def _chunk_size(self) -> int:
        association = self.association
        if association is None or not association.has_lists:
            return 1
        room = (association.maximum_pdu or 0xFFFF) - 48  # headers, ciphering and its tag
        return max(1, min(self._list_limit, room // 11, MAXIMUM_LIST))

    def get_one(self, attribute: Attribute) -> Script[GetResult]:
        """One attribute."""
        response = yield from self.ask(GetRequest(self.next_invoke_id(), (attribute,)))
        if isinstance(response, ExceptionResponse):
            return GetResult(None, _OTHER_REASON)
        if isinstance(response, GetBlockResponse):
            content = yield from self._blocks(response)
            return content if isinstance(content, GetResult) else GetResult(content)
        if not isinstance(response, GetResponse) or len(response.results) != 1:
            raise _not_the_answer()
        return response.results[0]

    def _get_list(self, attributes: tuple[Attribute, ...]) -> Script[tuple[GetResult, ...] | None]:
        """Results in order; None where the meter refuses the list, which is remembered, or cannot be understood."""
        content = yield from self._answer_to(GetRequest(self.next_invoke_id(), attributes, is_list=True))
        try:
            response = decode_response(content)
            if isinstance(response, GetBlockResponse):
                pieces = yield from self._blocks(response)
                results = None if isinstance(pieces, GetResult) else results_of(pieces)
            elif isinstance(response, GetResponse) and response.is_list:
                results = response.results
            else:
                results = None
        except UnreadableAnswerError:
            return None
        if results is None:
            self._list_limit = len(attributes) // 2
        elif len(results) != len(attributes):
            raise RemoteProtocolError(
                _("{count} attributes were asked for, {results} came").format(
                    count=len(attributes), results=len(results)
                )
            )
        return results

    def get_rows(self, attribute: Attribute) -> Script[None]:
        """The rows of a profile as they come."""
        self._check_connected()
        reader = RowReader()
        response = yield from self.ask(GetRequest(self.next_invoke_id(), (attribute,)))
        if isinstance(response, ExceptionResponse):
            raise AccessRefusedError(_OTHER_REASON)
        if isinstance(response, GetResponse):
            if response.results[0].data is None:
                raise AccessRefusedError(response.results[0].error)
            if rows := reader.feed(response.results[0].data):
                yield Told(Rows(tuple(rows)))
        elif isinstance(response, GetBlockResponse):
            block = response
            while True:
                if block.content is None:
                    raise AccessRefusedError(block.error)
                if rows := reader.feed(block.content):
                    yield Told(Rows(tuple(rows)))
                if block.is_last:
                    break
                block = yield from self._next_block(block)
        else:
            raise _not_the_answer()
        if rows := reader.finish():
            yield Told(Rows(tuple(rows)))

    def _blocks(self, block: GetBlockResponse) -> Script[bytes | GetResult]:
        """The content of all blocks from `block` on, or the error that stands in their place."""
        content = bytearray()
        while True:
            if block.content is None:
                return GetResult(None, block.error)
            content += block.content
            if len(content) > VALUE_LIMIT:
                raise RemoteProtocolError(
                    _("a message in blocks is longer than {count} octets").format(count=VALUE_LIMIT)
                )
            if block.is_last:
                return bytes(content)
            block = yield from self._next_block(block)

    def _next_block(self, block: GetBlockResponse) -> Script[GetBlockResponse]:
        """The block behind `block`; one that comes twice is passed over, a missing one ends it all."""
        number = block.number
        for _attempt in range(REPEATED_BLOCKS):
            response = yield from self.ask(GetNextRequest(block.invoke_id, block.number))
            if isinstance(response, ExceptionResponse):
                raise RemoteProtocolError(_("the meter ends the transfer: {reason}").format(reason=response.reason))
            if not isinstance(response, GetBlockResponse):
                raise _not_the_answer()
            if response.content is None or response.number == (block.number + 1) & 0xFFFFFFFF:
                return response
            number = response.number
            if number != block.number:
                break
        raise RemoteProtocolError(
            _("block {number} came where block {expected} was due; the message is dropped").format(
                number=number, expected=block.number + 1
            )
        )

    def ask(self, request: Request) -> Script[Response]:
        """The answer to `request`."""
        content = yield from self._answer_to(request)
        return decode_response(content)

    def _answer_to(self, request: Request) -> Script[bytes]:
        """The octets of the answer; those to earlier questions and messages of the meter's own are passed over."""
        association = self.association
        security = None if association is None else association.security
        message = encode_request(request)
        content = yield Send(message if security is None else security.seal(message))
        for _stray in range(STRAY_LIMIT):
            if content[:1] == bytes((GENERAL_BLOCK_TRANSFER,)):
                content = yield from self._general_blocks(content)
            if is_ciphered(content) and security is not None:
                content = security.open(content)
            elif security is not None and content[:1] not in _PLAIN:
                raise RemoteProtocolError(
                    _("message {tag:#04x} came in plain where a ciphered one was due").format(
                        tag=content[0] if content else 0
                    )
                )
            if content[:1] == bytes((EXCEPTION_RESPONSE,)):
                if security is not None and content[2:3] == bytes((DECIPHERING_ERROR,)):
                    raise WrongKeyError(_("the meter cannot decipher what we send: the keys do not fit"))
                return content
            is_ours = len(content) < 3 or content[2] & 0x0F == request.invoke_id & 0x0F
            if is_ours and content[:1] not in _UNASKED:
                return content
            content = yield More()
        raise _not_the_answer()

    def _general_blocks(self, content: bytes) -> Script[bytes]:
        receiver = GeneralBlockReceiver()
        while True:
            acknowledgement = receiver.take(decode_general_block(content))
            if receiver.message is not None:
                return receiver.message
            if acknowledgement is None:
                content = yield More()
            else:
                content = yield Send(encode_general_block(acknowledgement))

    def next_invoke_id(self) -> int:
        """Another one than that of the question before."""
        self._invoke_id = self._invoke_id % 15 + 1
        return _CONFIRMED | self._invoke_id


def _not_the_answer() -> RemoteProtocolError:
    return RemoteProtocolError(_("the meter answers something else than what was asked for"))
