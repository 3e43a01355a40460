"""GET, ACTION and exceptions of DLMS/COSEM with logical names, for both ends (Green Book, clauses 9.3.6, 9.3.8, 9.5).

Data stay encoded (`axdr.value_at` reads them), since a type cannot be told from a value in Python. No SET is written or
read here: a reader does not change a meter.
"""

from __future__ import annotations

from msgspec import Struct

from core.errors import RemoteProtocolError
from core.language import N_, _
from core.protocol.axdr import length_at, value_at
from core.protocol.axdr_encode import (
    array,
    double_long_unsigned,
    encoded_length,
    integer,
    long_unsigned,
    octet_string,
    structure,
)

GET_REQUEST = 0xC0
ACTION_REQUEST = 0xC3
GET_RESPONSE = 0xC4
ACTION_RESPONSE = 0xC7
EXCEPTION_RESPONSE = 0xD8
MAXIMUM_LIST = 255

SUCCESS = 0
DATA_ACCESS_RESULTS = {
    0: N_("success"),
    1: N_("hardware fault"),
    2: N_("temporary failure"),
    3: N_("reading and writing is denied"),
    4: N_("the object is not defined"),
    9: N_("the object has another class"),
    11: N_("the object is not available"),
    12: N_("the type does not match"),
    13: N_("the scope of access is violated"),
    14: N_("the data block is not available"),
    15: N_("the long transfer was aborted"),
    16: N_("no long transfer is in progress"),
    17: N_("the long transfer was aborted"),
    18: N_("no long transfer is in progress"),
    19: N_("the number of the data block is not valid"),
    250: N_("another reason"),
}
STATE_ERRORS = {1: N_("the service is not allowed"), 2: N_("the service is not known")}
SERVICE_ERRORS = {
    1: N_("the operation is not possible"),
    2: N_("the service is not supported"),
    3: N_("another reason"),
    4: N_("the message is too long"),
    5: N_("the message cannot be deciphered"),
    6: N_("the invocation counter is not above the last one"),
}
DECIPHERING_ERROR = 5
INVOCATION_COUNTER_ERROR = 6


class UnreadableAnswerError(RemoteProtocolError):
    """A list of results one of which is no value: alone, each of the others may well be read."""


class Attribute(Struct, frozen=True):
    """One attribute of an object; `selector` and `parameters` (encoded) choose a part of it where it is selective."""

    class_id: int
    logical_name: bytes
    number: int
    selector: int | None = None
    parameters: bytes = b""


class GetRequest(Struct, frozen=True):
    """Asks for attributes: one is GET normal, several are GET with list (`is_list` also for a list of one)."""

    invoke_id: int
    attributes: tuple[Attribute, ...]
    is_list: bool = False


class GetNextRequest(Struct, frozen=True):
    """Asks for the block behind block `number`."""

    invoke_id: int
    number: int


class GetResult(Struct, frozen=True):
    """Encoded `data`, or None and the data-access-result `error`."""

    data: bytes | None
    error: int = SUCCESS


class GetResponse(Struct, frozen=True):
    """The answer to GET normal (one result) or GET with list."""

    invoke_id: int
    results: tuple[GetResult, ...]
    is_list: bool = False


class GetBlockResponse(Struct, frozen=True):
    """One block of a long answer: `content` is a piece of the encoded data (of a list: count and results)."""

    invoke_id: int
    is_last: bool
    number: int
    content: bytes | None
    error: int = SUCCESS


class ActionRequest(Struct, frozen=True):
    """Calls a method; `parameters` encoded, None without."""

    invoke_id: int
    class_id: int
    logical_name: bytes
    method: int
    parameters: bytes | None = None


class ActionResponse(Struct, frozen=True):
    """How a method ended, and what it returns: encoded `data`, or the data-access-result `error` of that."""

    invoke_id: int
    result: int
    data: bytes | None = None
    error: int = SUCCESS


class ExceptionResponse(Struct, frozen=True):
    """A message that the meter does not carry out; `invocation_counter` is what it expects, where it says so."""

    state_error: int
    service_error: int
    invocation_counter: int | None = None

    @property
    def reason(self) -> str:
        """In words."""
        words = [
            _(names[number]) if number in names else str(number)
            for names, number in ((STATE_ERRORS, self.state_error), (SERVICE_ERRORS, self.service_error))
        ]
        return ", ".join(words)


Request = GetRequest | GetNextRequest | ActionRequest
Response = GetResponse | GetBlockResponse | ActionResponse | ExceptionResponse


def access_result_text(number: int) -> str:
    """A data-access-result in words."""
    return (
        _(DATA_ACCESS_RESULTS[number]) if number in DATA_ACCESS_RESULTS else _("reason {number}").format(number=number)
    )


def range_parameters(clock: Attribute, start: bytes, end: bytes) -> bytes:
    """Selector 1 of a profile's buffer: the rows whose `clock` lies between two date-times, all columns.

    Source: Blue Book, clause 4.3.6 (range_descriptor).
    """
    restricting = structure(
        long_unsigned(clock.class_id), octet_string(clock.logical_name), integer(clock.number), long_unsigned(0)
    )
    return structure(restricting, octet_string(start), octet_string(end), array(()))


def entry_parameters(first: int, last: int) -> bytes:
    """Selector 2 of a profile's buffer: the rows from number `first` (the oldest is 1) to `last` (0: the newest)."""
    return structure(double_long_unsigned(first), double_long_unsigned(last), long_unsigned(1), long_unsigned(0))


def encode_request(request: Request) -> bytes:
    """Octets of a request."""
    if isinstance(request, GetNextRequest):
        return bytes((GET_REQUEST, 2, request.invoke_id)) + request.number.to_bytes(4, "big")
    if isinstance(request, ActionRequest):
        octets = bytes((ACTION_REQUEST, 1, request.invoke_id)) + request.class_id.to_bytes(2, "big")
        octets += request.logical_name + bytes((request.method,))
        return octets + (b"\x00" if request.parameters is None else b"\x01" + request.parameters)
    if not request.is_list:
        return bytes((GET_REQUEST, 1, request.invoke_id)) + _attribute(request.attributes[0])
    count = encoded_length(len(request.attributes))
    return bytes((GET_REQUEST, 3, request.invoke_id)) + count + b"".join(map(_attribute, request.attributes))


def encode_response(response: Response) -> bytes:
    """Octets of a response."""
    if isinstance(response, ExceptionResponse):
        octets = bytes((EXCEPTION_RESPONSE, response.state_error, response.service_error))
        counter = response.invocation_counter
        return octets if counter is None else octets + counter.to_bytes(4, "big")
    if isinstance(response, ActionResponse):
        octets = bytes((ACTION_RESPONSE, 1, response.invoke_id, response.result))
        if response.data is not None:
            return octets + b"\x01\x00" + response.data
        return octets + (b"\x00" if response.error == SUCCESS else bytes((1, 1, response.error)))
    if isinstance(response, GetBlockResponse):
        octets = bytes((GET_RESPONSE, 2, response.invoke_id, response.is_last)) + response.number.to_bytes(4, "big")
        if response.content is None:
            return octets + bytes((1, response.error))
        return octets + b"\x00" + encoded_length(len(response.content)) + response.content
    if not response.is_list:
        return bytes((GET_RESPONSE, 1, response.invoke_id)) + encode_result(response.results[0])
    return bytes((GET_RESPONSE, 3, response.invoke_id)) + encode_results(response.results)


def encode_results(results: tuple[GetResult, ...]) -> bytes:
    """Count and results of a list, as they stand in a response and, in pieces, in its blocks."""
    return encoded_length(len(results)) + b"".join(map(encode_result, results))


def encode_result(result: GetResult) -> bytes:
    """One result: data, or an error."""
    return bytes((1, result.error)) if result.data is None else b"\x00" + result.data


def decode_request(data: bytes) -> Request:
    """A GET or ACTION request; raises RemoteProtocolError for anything else."""
    if len(data) < 4:
        raise _cut_off(len(data))
    tag, kind, invoke_id = data[0], data[1], data[2]
    if tag == ACTION_REQUEST and kind == 1:
        if len(data) < 13:
            raise _cut_off(len(data))
        parameters = None
        if data[12]:
            parameters = data[13:]
            _expect_end(data, value_at(data, 13, has_descriptors=False)[1])
        else:
            _expect_end(data, 13)
        return ActionRequest(invoke_id, int.from_bytes(data[3:5], "big"), data[5:11], data[11], parameters)
    if tag != GET_REQUEST or not 1 <= kind <= 3:
        raise _unknown(tag, kind)
    if kind == 2:
        _expect_end(data, 7)
        return GetNextRequest(invoke_id, int.from_bytes(data[3:7], "big"))
    count, position = (1, 3) if kind == 1 else length_at(data, 3)
    if count > MAXIMUM_LIST:
        raise RemoteProtocolError(_("a list asks for {count} attributes").format(count=count))
    attributes = []
    for _number in range(count):
        attribute, position = _attribute_at(data, position)
        attributes.append(attribute)
    _expect_end(data, position)
    return GetRequest(invoke_id, tuple(attributes), kind == 3)


def decode_response(data: bytes) -> Response:
    """A response to GET or ACTION, or an exception; raises RemoteProtocolError for anything else.

    The data of GET normal are not looked into: who reads them tells whether they are whole.
    """
    if len(data) < 3:
        raise _cut_off(len(data))
    tag, kind = data[0], data[1]
    if tag == EXCEPTION_RESPONSE:
        if len(data) not in (3, 7):
            raise _cut_off(len(data))
        return ExceptionResponse(kind, data[2], int.from_bytes(data[3:7], "big") if len(data) == 7 else None)
    if tag == ACTION_RESPONSE and kind == 1:
        return _action_response(data)
    if tag != GET_RESPONSE or not 1 <= kind <= 3:
        raise _unknown(tag, kind)
    if kind == 1:
        result, position = (GetResult(data[4:]), len(data)) if data[3:4] == b"\x00" else result_at(data, 3)
        _expect_end(data, position)
        return GetResponse(data[2], (result,))
    if kind == 3:
        return GetResponse(data[2], results_of(data[3:]), True)
    if len(data) < 10:
        raise _cut_off(len(data))
    is_last, number = data[3] != 0, int.from_bytes(data[4:8], "big")
    if data[8]:
        _expect_end(data, 10)
        return GetBlockResponse(data[2], is_last, number, None, data[9])
    count, start = length_at(data, 9)
    _expect_end(data, start + count)
    return GetBlockResponse(data[2], is_last, number, data[start:])


def results_of(data: bytes) -> tuple[GetResult, ...]:
    """The results of a list, put together from its blocks or as they came; raises UnreadableAnswerError."""
    results = []
    try:
        count, position = length_at(data, 0)
        if count > MAXIMUM_LIST:
            raise UnreadableAnswerError(_("a list has {count} results").format(count=count))
        for _number in range(count):
            result, position = result_at(data, position)
            results.append(result)
        _expect_end(data, position)
    except UnreadableAnswerError:
        raise
    except RemoteProtocolError as error:
        raise UnreadableAnswerError(str(error)) from None
    return tuple(results)


def result_at(data: bytes, position: int) -> tuple[GetResult, int]:
    """The result at `position` and the position after it; raises RemoteProtocolError."""
    if position + 1 >= len(data):
        raise _cut_off(len(data))
    if data[position]:
        return GetResult(None, data[position + 1]), position + 2
    end = value_at(data, position + 1, has_descriptors=False)[1]
    return GetResult(data[position + 1 : end]), end


def _attribute(attribute: Attribute) -> bytes:
    octets = attribute.class_id.to_bytes(2, "big") + attribute.logical_name + bytes((attribute.number,))
    if attribute.selector is None:
        return octets + b"\x00"
    return octets + bytes((1, attribute.selector)) + attribute.parameters


def _attribute_at(data: bytes, position: int) -> tuple[Attribute, int]:
    if position + 10 > len(data):
        raise _cut_off(len(data))
    class_id = int.from_bytes(data[position : position + 2], "big")
    name, number = data[position + 2 : position + 8], data[position + 8]
    if not data[position + 9]:
        return Attribute(class_id, name, number), position + 10
    if position + 11 > len(data):
        raise _cut_off(len(data))
    start = position + 11
    end = value_at(data, start, has_descriptors=False)[1]
    return Attribute(class_id, name, number, data[position + 10], data[start:end]), end


def _action_response(data: bytes) -> ActionResponse:
    if len(data) < 5:
        raise _cut_off(len(data))
    invoke_id, result = data[2], data[3]
    if data[4] == 0:
        _expect_end(data, 5)
        return ActionResponse(invoke_id, result)
    returned, position = result_at(data, 5)
    _expect_end(data, position)
    return ActionResponse(invoke_id, result, returned.data, returned.error)


def _expect_end(data: bytes, position: int) -> None:
    if position > len(data):
        raise _cut_off(len(data))
    if position != len(data):
        raise RemoteProtocolError(
            _("{count} octets stand behind the end of the message").format(count=len(data) - position)
        )


def _cut_off(position: int) -> RemoteProtocolError:
    return RemoteProtocolError(_("the message is cut off at octet {position}").format(position=position))


def _unknown(tag: int, kind: int) -> RemoteProtocolError:
    return RemoteProtocolError(
        _("message {tag:#04x} of kind {kind} is none that was asked for").format(tag=tag, kind=kind)
    )
