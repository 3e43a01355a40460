"""Dialogues of other programs with DLMS meters, in the folder that BEFFROI_CAPTURES names: every frame of both ends is
read, and our own client talks with what they hold."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from dlms_meter import Wire

from core.errors import RemoteProtocolError, WrongPasswordError
from core.meter.profile_dlms import ProfileRows, capture_objects_of
from core.meter.readings_dlms import OBJECT_LIST, CosemObject, objects_of, reading_of, scaler_unit_of
from core.protocol.acse import (
    AARE,
    AARQ,
    RLRE,
    RLRQ,
    AssociationRequest,
    AssociationResponse,
    decode_association_request,
    decode_association_response,
    decode_release,
    encode_association_request,
    encode_association_response,
    encode_release,
)
from core.protocol.apdu import without_llc
from core.protocol.association import Credentials
from core.protocol.axdr import value_at
from core.protocol.dlms_exchange import Rows, value_of
from core.protocol.dlms_session import DlmsSession
from core.protocol.get_messages import (
    ActionRequest,
    ActionResponse,
    Attribute,
    ExceptionResponse,
    GetBlockResponse,
    GetNextRequest,
    GetRequest,
    GetResponse,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    entry_parameters,
)
from core.protocol.hdlc import HdlcReader, encode_frame
from core.protocol.hdlc_control import decode_parameters, server_octets
from core.protocol.hdlc_link import HdlcLink
from core.protocol.hdlc_station import HdlcStation
from core.protocol.security import Security, is_ciphered
from core.protocol.wrapper import WrapperReader, encode_wrapper
from core.protocol.wrapper_link import WrapperLink, WrapperStation

FOLDER = os.environ.get("BEFFROI_CAPTURES", "")
INDEX = Path(FOLDER, "index.json")
KEY = bytes(range(16))
AUTH_KEY = bytes(range(0xD0, 0xE0))
DEVICE_NAME = Attribute(1, bytes((0, 0, 42, 0, 0, 255)), 2)
PROFILE = bytes((1, 0, 99, 1, 0, 255))


def entries() -> list[Any]:
    if not FOLDER or not INDEX.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason="BEFFROI_CAPTURES names no folder of captures"))]
    return [
        pytest.param(entry, id=Path(entry["file"]).stem)
        for entry in json.loads(INDEX.read_text("utf-8"))
        if entry["file"].startswith("dlms-session/")
    ]


def trace_of(entry: dict[str, Any]) -> list[tuple[bool, bytes]]:
    """(sent by the client, octets) of each line of a recording."""
    recording = json.loads(Path(FOLDER, entry["file"]).read_text("utf-8"))
    return [(line["dir"] == "TX", bytes.fromhex(line["hex"])) for line in recording["trace"]]


def messages_of(trace: list[tuple[bool, bytes]]) -> list[tuple[bool, bytes]]:
    """(sent by the client, message), segments put together, from HDLC or the wrapper; mode E is left out."""
    found: list[tuple[bool, bytes]] = []
    pieces = {True: bytearray(), False: bytearray()}
    for is_client, octets in trace:
        if octets[:2] == b"\x00\x01":
            wrapped = WrapperReader()
            wrapped.receive_data(octets)
            message = wrapped.next_frame()
            assert message is not None
            assert encode_wrapper(message) == octets
            found.append((is_client, message.content))
        elif octets[:1] == b"\x7e":
            reader = HdlcReader()
            reader.receive_data(octets)
            frame = reader.next_frame()
            assert frame is not None
            again = encode_frame(
                frame.information,
                destination=frame.destination,
                source=frame.source,
                control=frame.control,
                is_segmented=frame.is_segmented,
            )
            assert again == octets
            if frame.control & 1 == 0:
                pieces[is_client] += frame.information
                if not frame.is_segmented:
                    found.append((is_client, without_llc(bytes(pieces[is_client]))))
                    pieces[is_client].clear()
            elif frame.control in (0x93, 0x73):
                assert decode_parameters(frame.information).transmit_window == 1
    assert not pieces[True]
    assert not pieces[False]
    return found


def opened(messages: list[tuple[bool, bytes]]) -> list[tuple[bool, bytes]]:
    """The same with what is ciphered deciphered by the published keys, and every tag verified."""
    titles: dict[bool, bytes] = {}
    for is_client, message in messages:
        title = None
        if message[0] == AARQ:
            title = decode_association_request(message).calling_title
        elif message[0] == AARE:
            title = decode_association_response(message).responding_title
        if title is not None:
            titles[is_client] = title
    ends = {side: Security(b"", KEY, AUTH_KEY, peer_title=title) for side, title in titles.items()}
    return [
        (is_client, ends[is_client].open(message) if is_ciphered(message) else message)
        for is_client, message in messages
    ]


def decoded(message: bytes) -> object:
    """A message as a record; what it is made of encodes to the same octets."""
    if message[0] == AARQ:
        request = decode_association_request(message)
        assert encode_association_request(request) == message
        return request
    if message[0] == AARE:
        response = decode_association_response(message)
        assert encode_association_response(response) == message
        return response
    if message[0] in (RLRQ, RLRE):
        release = decode_release(message)
        assert encode_release(release) == message
        return release
    if message[0] in (0xC0, 0xC3):
        question = decode_request(message)
        assert encode_request(question) == message
        return question
    answer = decode_response(message)
    assert encode_response(answer) == message
    return answer


def values_of(records: list[object]) -> dict[tuple[int, bytes, int], Any]:
    """What each attribute that was asked for held, blocks put together."""
    found: dict[tuple[int, bytes, int], Any] = {}
    asked: tuple[int, bytes, int] = (0, b"", 0)
    content = bytearray()
    for record in records:
        if isinstance(record, GetRequest):
            (attribute,) = record.attributes
            asked = (attribute.class_id, attribute.logical_name, attribute.number)
            content.clear()
        elif isinstance(record, GetResponse):
            (result,) = record.results
            found[asked] = result.error if result.data is None else value_of(result.data)
        elif isinstance(record, GetBlockResponse):
            content += record.content or b""
            if record.is_last:
                found[asked] = value_of(bytes(content))
    return found


@pytest.mark.parametrize("entry", entries())
def test_every_message_of_both_ends_is_read_and_written_alike(entry):
    messages = opened(messages_of(trace_of(entry)))
    records = [decoded(message) for _is_client, message in messages]
    assert any(isinstance(record, AssociationResponse) for record in records)
    if entry["outcome"] == "ok":
        values = values_of(records)
        assert values
    for wanted in entry["facts"] if isinstance(entry["facts"], dict) else ():
        if wanted == "0.0.42.0.0.255;2":
            assert values[1, DEVICE_NAME.logical_name, 2].decode() == entry["facts"][wanted]


@pytest.mark.parametrize(
    "entry", [one for one in entries() if not one.values[0] or ("lls" in one.id and "pydlms" in one.id)]
)
def test_registers_have_the_scaler_of_the_meter(entry):
    values = values_of([decoded(message) for _is_client, message in opened(messages_of(trace_of(entry)))])
    for code, wanted in (
        ((1, 0, 1, 8, 0, 255), (12345678, 12345678, "Wh")),
        ((1, 0, 32, 7, 0, 255), (2301, 230.1, "V")),
        ((1, 0, 31, 7, 0, 255), (523, 5.23, "A")),
    ):
        scaler = scaler_unit_of(values[3, bytes(code), 3])
        reading = reading_of(CosemObject(3, bytes(code)), values[3, bytes(code), 2], scaler)
        assert (reading.raw, reading.value, reading.unit) == wanted


@pytest.mark.parametrize("entry", [one for one in entries() if not one.values[0] or "gurux_c_server__hdlc" in one.id])
def test_the_object_list_in_blocks_has_all_its_objects(entry):
    values = values_of([decoded(message) for _is_client, message in messages_of(trace_of(entry))])
    objects = objects_of(values[15, OBJECT_LIST.logical_name, 2])
    assert len(objects) == 52
    scaler = scaler_unit_of(values[3, bytes((1, 1, 21, 25, 0, 255)), 3])
    assert scaler is not None
    assert (scaler.scaler, scaler.unit) == (-2, 30)


@pytest.mark.parametrize("entry", [one for one in entries() if not one.values[0] or "last4" in one.id])
def test_the_rows_of_a_profile_are_what_is_known(entry):
    values = values_of([decoded(message) for _is_client, message in messages_of(trace_of(entry))])
    objects = capture_objects_of(values[7, PROFILE, 3])
    rows = ProfileRows(objects, {}, 900.0, 0.0, 2e9).of_elements(values[7, PROFILE, 2])
    written = [[(row.time or "").replace("T", " ").replace("+00:00", "Z"), row.values[0]] for row in rows]
    assert written == entry["facts"]["rows"]


class ReplayedMeter:
    """Answers as a recording did, to whoever asks the same; what it does not hold is refused."""

    def __init__(self, messages: list[tuple[bool, bytes]]) -> None:
        self.answers: dict[object, bytes] = {}
        self.associations: list[tuple[AssociationRequest, bytes]] = []
        asked: object = None
        for is_client, message in messages:
            record = decoded(message)
            if isinstance(record, GetRequest):
                asked = (record.attributes, 0)
            elif isinstance(record, GetNextRequest):
                assert isinstance(asked, tuple)
                asked = (asked[0], record.number)
            elif isinstance(record, AssociationRequest):
                asked = record
            elif isinstance(record, AssociationResponse):
                assert isinstance(asked, AssociationRequest)
                self.associations.append((asked, message))
            elif not is_client:
                self.answers.setdefault(asked, message)
            else:
                asked = None
        self.last: tuple[Attribute, ...] = ()

    def answer(self, message: bytes) -> bytes:
        record = decoded(message)
        if isinstance(record, AssociationRequest):
            for request, reply in self.associations:
                if (request.mechanism, request.authentication) == (record.mechanism, record.authentication):
                    return reply
            return encode_association_response(AssociationResponse(result=1, diagnostic=13))
        if isinstance(record, GetRequest):
            self.last = record.attributes
        key = (self.last, record.number if isinstance(record, GetNextRequest) else 0)
        if not isinstance(record, (GetRequest, GetNextRequest)) or key not in self.answers:
            return encode_response(ExceptionResponse(1, 2))
        reply = bytearray(self.answers[key])
        reply[2] = record.invoke_id
        return bytes(reply)


def replayed(entry: dict[str, Any], credentials: Credentials) -> Wire:
    trace = trace_of(entry)
    meter = ReplayedMeter(opened(messages_of(trace)))
    if "wrapper" in entry["file"]:
        return Wire(DlmsSession(WrapperLink(1), credentials), meter, WrapperStation(1))
    return Wire(DlmsSession(HdlcLink(server_octets(1)), credentials), meter, HdlcStation(server_octets(1)))


@pytest.mark.parametrize(
    "entry", [one for one in entries() if not one.values[0] or "lls" in one.id or "mode_e" in one.id]
)
def test_our_client_reads_what_was_recorded(entry):
    password = b"Gurux" if "gurux_c_server" in entry["file"] else b"12345678"
    wire = replayed(entry, Credentials(client=17, password=password))
    wire.session.open()
    assert wire.run()[1] is None
    wire.session.get([OBJECT_LIST, DEVICE_NAME])
    told, error = wire.run()
    assert error is None
    results = [result for answers in told for result in answers.results]
    assert len(objects_of(value_of(results[0].data))) in (12, 52)
    assert value_at(results[1].data)[0].decode() == entry["facts"].get("0.0.42.0.0.255;2", "GRX0000000123456")


@pytest.mark.parametrize("entry", [one for one in entries() if not one.values[0] or "last4" in one.id])
def test_our_client_takes_the_rows_that_were_recorded(entry):
    wire = replayed(entry, Credentials(client=17, password=b"12345678"))
    wire.session.open()
    assert wire.run()[1] is None
    wire.session.get_rows(Attribute(7, PROFILE, 2, 2, entry_parameters(93, 96)))
    told, error = wire.run()
    assert error is None
    rows = [row for rows in told if isinstance(rows, Rows) for row in rows.rows]
    assert [row[1] for row in rows] == [1644, 1651, 1658, 1665]


@pytest.mark.parametrize(
    "entry", [one for one in entries() if not one.values[0] or one.values[0]["outcome"] == "reject"]
)
def test_a_wrong_password_is_rejected_and_said(entry):
    wire = replayed(entry, Credentials(client=17, password=b"wrong"))
    wire.session.open()
    told, error = wire.run()
    assert told == []
    assert isinstance(error, WrongPasswordError)
    assert "diagnostic 13: authentication failure" in str(error)
    sent = [request for request, _reply in wire.meter.associations]
    assert [request.authentication for request in sent] == [b"wrong"]


@pytest.mark.parametrize("entry", entries())
def test_every_cut_of_every_frame_is_no_message(entry):
    for _is_client, octets in trace_of(entry):
        if octets[:1] != b"\x7e":
            continue
        for size in range(1, len(octets) - 1):
            reader = HdlcReader()
            reader.receive_data(octets[:size])
            try:
                assert reader.next_frame() is None
            except RemoteProtocolError:
                pytest.fail("a frame that is cut off is waited for")


@pytest.mark.parametrize("entry", entries())
def test_every_octet_that_is_changed_is_noticed(entry):
    for _is_client, octets in trace_of(entry):
        if octets[:1] != b"\x7e":
            continue
        for place in range(1, len(octets) - 1):
            reader = HdlcReader()
            changed = bytearray(octets)
            changed[place] ^= 0x10
            reader.receive_data(bytes(changed) + b"\x7e" * 3)
            try:
                frame = reader.next_frame()
            except RemoteProtocolError:
                continue
            assert frame is None


@pytest.mark.parametrize("entry", entries())
def test_every_cut_of_every_message_is_an_error_of_the_meter(entry):
    seen = set()
    for _is_client, message in opened(messages_of(trace_of(entry))):
        for size in range(len(message)):
            piece = message[:size]
            if piece in seen:
                continue
            seen.add(piece)
            if size > 60 and size % 37:
                continue
            try:
                record = _read_wholly(piece)
            except RemoteProtocolError:
                continue
            raise AssertionError(f"{piece.hex()} was taken for {record}")


def _read_wholly(message: bytes) -> object:
    """As the session does: also the data of an answer, which are looked into later."""
    if message[:1] in (bytes((AARQ,)), bytes((AARE,)), bytes((RLRQ,)), bytes((RLRE,))):
        return decoded(message)
    record = decode_request(message) if message[:1] in (b"\xc0", b"\xc3") else decode_response(message)
    if isinstance(record, GetResponse):
        for result in record.results:
            if result.data is not None:
                value_of(result.data)
    assert isinstance(
        record, (GetRequest, GetNextRequest, ActionRequest, GetBlockResponse, ActionResponse, GetResponse)
    )
    return record
