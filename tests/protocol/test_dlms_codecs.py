"""Messages of DLMS associations and services: both directions, cut off, corrupt, made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RemoteProtocolError, RepeatedMessageError, UsageError, WrongKeyError
from core.protocol.acse import (
    AssociationRequest,
    AssociationResponse,
    ConfirmedServiceError,
    Context,
    InitiateRequest,
    InitiateResponse,
    Mechanism,
    Release,
    decode_association_request,
    decode_association_response,
    decode_confirmed_service_error,
    decode_initiate_request,
    decode_initiate_response,
    decode_release,
    encode_association_request,
    encode_association_response,
    encode_confirmed_service_error,
    encode_initiate_request,
    encode_initiate_response,
    encode_release,
)
from core.protocol.association import Credentials
from core.protocol.axdr import value_at
from core.protocol.axdr_encode import (
    array,
    bit_string,
    boolean,
    date_time,
    double_long,
    double_long_unsigned,
    enumerated,
    float64,
    integer,
    long,
    long64,
    long64_unsigned,
    long_unsigned,
    octet_string,
    scaler_unit,
    structure,
    unsigned,
    visible_string,
)
from core.protocol.block_transfer import (
    GeneralBlock,
    GeneralBlockReceiver,
    GeneralBlockSender,
    decode_general_block,
    encode_general_block,
)
from core.protocol.get_messages import (
    ActionRequest,
    ActionResponse,
    Attribute,
    ExceptionResponse,
    GetBlockResponse,
    GetNextRequest,
    GetRequest,
    GetResponse,
    GetResult,
    access_result_text,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    entry_parameters,
    range_parameters,
    results_of,
)
from core.protocol.hdlc_control import (
    LinkParameters,
    address_of,
    client_octets,
    decode_parameters,
    encode_parameters,
    parse_server,
    server_octets,
)
from core.protocol.row_reader import RowReader
from core.protocol.security import Security
from core.protocol.wrapper import WrapperFrame, WrapperReader, encode_wrapper

KEY, AUTH_KEY = bytes(range(16)), bytes(range(16, 32))
ENERGY = Attribute(3, bytes((1, 0, 1, 8, 0, 255)), 2)
CLOCK = Attribute(8, bytes((0, 0, 1, 0, 0, 255)), 2)

DECODERS = [
    decode_association_request,
    decode_association_response,
    decode_release,
    decode_initiate_request,
    decode_initiate_response,
    decode_confirmed_service_error,
    decode_request,
    decode_response,
    decode_general_block,
    decode_parameters,
    results_of,
    Security(b"CLIENT01", KEY, AUTH_KEY, peer_title=b"METER001").open,
    lambda data: RowReader().feed(data),
]

MESSAGES = [
    encode_association_request(
        AssociationRequest(
            context=Context.LOGICAL_NAME_CIPHERED,
            mechanism=Mechanism.HIGH_GMAC,
            calling_title=b"MMM\0\0\0\0\1",
            authentication=b"a challenge of ours",
            user_information=encode_initiate_request(InitiateRequest(conformance=0x1E1D)),
        )
    ),
    encode_association_response(
        AssociationResponse(
            mechanism=Mechanism.HIGH_GMAC,
            responding_title=b"LGZ\0\0\0\0\1",
            authentication=b"a challenge of the meter",
            user_information=encode_initiate_response(InitiateResponse(conformance=0x1E1D, maximum_pdu=1024)),
        )
    ),
    encode_release(Release(reason=0)),
    encode_initiate_request(InitiateRequest(conformance=0x1E1D, dedicated_key=KEY, quality_of_service=3)),
    encode_initiate_response(InitiateResponse(conformance=0x1E1D, maximum_pdu=1024, quality_of_service=1)),
    encode_confirmed_service_error(ConfirmedServiceError(1, 6, 3)),
    encode_request(GetRequest(0xC1, (ENERGY,))),
    encode_request(GetRequest(0xC1, (ENERGY, CLOCK), is_list=True)),
    encode_request(GetRequest(0xC1, (Attribute(7, ENERGY.logical_name, 2, 2, entry_parameters(1, 4)),))),
    encode_request(GetNextRequest(0xC1, 7)),
    encode_request(ActionRequest(0xC2, 15, bytes((0, 0, 40, 0, 0, 255)), 1, octet_string(bytes(17)))),
    encode_response(GetResponse(0xC1, (GetResult(double_long_unsigned(7)), GetResult(None, 4)), is_list=True)),
    encode_response(GetBlockResponse(0xC1, False, 3, b"a piece")),
    encode_response(ActionResponse(0xC2, 0, octet_string(bytes(17)))),
    encode_response(ExceptionResponse(1, 6, 99)),
    encode_general_block(GeneralBlock(number=3, acknowledged=2, content=b"abc", is_last=False, window=5)),
    encode_parameters(LinkParameters(transmit=1024, receive=2030, transmit_window=3, receive_window=7)),
]


@pytest.mark.parametrize("decode", DECODERS)
@given(data=st.binary(max_size=120))
def test_octets_from_outside_raise_nothing_else(decode, data):
    try:
        decode(data)
    except RemoteProtocolError:
        pass


@pytest.mark.parametrize("decode", DECODERS)
@given(message=st.sampled_from(MESSAGES), place=st.integers(0, 200), octet=st.integers(0, 255))
def test_messages_with_a_wrong_octet_raise_nothing_else(decode, message, place, octet):
    changed = bytearray(message)
    changed[place % len(changed)] = octet
    for data in (bytes(changed), message[: place % (len(message) + 1)]):
        try:
            decode(data)
        except RemoteProtocolError:
            pass


@pytest.mark.parametrize(
    ("encode", "decode", "record"),
    [
        (encode_association_request, decode_association_request, AssociationRequest()),
        (
            encode_association_request,
            decode_association_request,
            AssociationRequest(mechanism=Mechanism.LOW, authentication=b"12345678", user_information=b"\x01"),
        ),
        (encode_association_response, decode_association_response, AssociationResponse(result=1, diagnostic=13)),
        (encode_release, decode_release, Release(reason=None)),
        (encode_release, decode_release, Release(is_response=True, user_information=b"\x28")),
        (encode_initiate_request, decode_initiate_request, InitiateRequest(conformance=1, is_response_allowed=False)),
        (encode_initiate_response, decode_initiate_response, InitiateResponse(conformance=1, maximum_pdu=0)),
        (encode_request, decode_request, GetRequest(1, (ENERGY,), is_list=True)),
        (encode_request, decode_request, ActionRequest(1, 15, ENERGY.logical_name, 1)),
        (encode_response, decode_response, GetResponse(1, (GetResult(None, 3),))),
        (encode_response, decode_response, GetBlockResponse(1, True, 1, None, 14)),
        (encode_response, decode_response, ActionResponse(1, 3)),
        (encode_response, decode_response, ActionResponse(1, 0, None, 4)),
        (encode_response, decode_response, ExceptionResponse(1, 2)),
    ],
)
def test_what_is_encoded_is_decoded_alike(encode, decode, record):
    assert decode(encode(record)) == record


def test_results_and_diagnostics_have_names():
    assert "authentication failure" in AssociationResponse(result=1, diagnostic=13).reason
    assert "no common ACSE version" in AssociationResponse(result=2, source=2, diagnostic=2).reason
    assert access_result_text(4) == "the object is not defined"
    assert "99" in access_result_text(99)
    assert "cannot be deciphered" in ExceptionResponse(1, 5).reason


def test_a_conformance_block_with_its_tag_in_one_octet_is_read():
    assert decode_initiate_response(bytes.fromhex("0800065F0400001E1D02000007")).conformance == 0x1E1D


def test_values_of_every_type_come_back():
    encoded = structure(
        integer(-1), long(-300), double_long(-70000), long64(-(1 << 40)), unsigned(255), long_unsigned(65535),
        double_long_unsigned(1 << 31), long64_unsigned(1 << 63), boolean(True), enumerated(30),
        octet_string(b"x" * 200), visible_string("E450"),
        float64(1.5), bit_string("1011"), date_time(bytes(12)), array([b"\x00"]),
        scaler_unit(-3, 30),
    )  # fmt: skip
    assert value_at(encoded)[0] == (
        -1, -300, -70000, -(1 << 40), 255, 65535, 1 << 31, 1 << 63, True, 30, b"x" * 200, "E450", 1.5, "1011",
        bytes(12), [None], (-3, 30),
    )  # fmt: skip


def test_a_row_that_looks_like_a_descriptor_is_a_row():
    row = structure(b"\x00", long64_unsigned(0x0000FF05AA))
    assert value_at(row, has_descriptors=False)[0] == (None, 0xFF05AA)


def test_a_range_names_the_clock_and_all_columns():
    assert range_parameters(CLOCK, b"\x01" * 12, b"\x02" * 12).hex() == (
        "020402041200080906000001 0000ff0f02120000".replace(" ", "") + "090c" + "01" * 12 + "090c" + "02" * 12 + "0100"
    )


def test_addresses_have_one_two_or_four_octets():
    assert client_octets(16) == b"\x21"
    assert server_octets(1) == b"\x03"
    assert server_octets(1, 17) == b"\x02\x23"
    assert server_octets(1, 17, size=4) == b"\x00\x02\x00\x23"
    assert server_octets(1, 200) == b"\x00\x02\x02\x91"
    assert address_of(b"\x23") == 17
    assert address_of(b"\x00\x02\x02\x91") == 1 << 14 | 200
    assert parse_server("") == b"\x03"
    assert parse_server("1:17") == b"\x02\x23"
    for wrong in ("x", "1:", "1:99999", "-1"):
        with pytest.raises(UsageError):
            parse_server(wrong)


def test_absent_parameters_of_a_link_are_those_of_the_standard():
    assert decode_parameters(b"") == LinkParameters()
    assert (
        decode_parameters(bytes.fromhex("818003060204 00".replace(" ", ""))[:2] + b"\x04\x06\x02\x04\x00").receive
        == 1024
    )


def test_a_wrapper_is_found_however_it_is_cut():
    octets = encode_wrapper(WrapperFrame(16, 1, b"\x60abc")) + encode_wrapper(WrapperFrame(1, 16, b""))
    for size in range(1, len(octets) + 1):
        reader = WrapperReader()
        found = []
        for start in range(0, len(octets), size):
            reader.receive_data(octets[start : start + size])
            while (frame := reader.next_frame()) is not None:
                found.append(frame)
        assert found == [WrapperFrame(16, 1, b"\x60abc"), WrapperFrame(1, 16, b"")]


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_a_wrapper_reader_takes_anything(pieces):
    reader = WrapperReader()
    for piece in pieces:
        reader.receive_data(piece)
        try:
            while reader.next_frame() is not None:
                pass
        except RemoteProtocolError:
            assert reader.waiting == 0


def ends() -> tuple[Security, Security]:
    return (
        Security(b"CLIENT01", KEY, AUTH_KEY, peer_title=b"METER001"),
        Security(b"METER001", KEY, AUTH_KEY, peer_title=b"CLIENT01"),
    )


def test_what_one_end_seals_the_other_opens():
    client, meter = ends()
    message = encode_request(GetRequest(0xC1, (ENERGY,)))
    sealed = client.seal(message)
    assert sealed[0] == 0xC8
    assert message not in sealed
    assert meter.open(sealed) == message
    general = Security(b"CLIENT01", KEY, AUTH_KEY, counter=9, is_general=True).seal(message)
    assert general[0] == 0xDB
    assert meter.open(general) == message


def test_a_dedicated_key_ciphers_services_only():
    client, meter = ends()
    client.dedicated_key = meter.dedicated_key = bytes(16)
    message = encode_request(GetRequest(0xC1, (ENERGY,)))
    assert client.seal(message)[0] == 0xD0
    assert meter.open(client.seal(message)) == message
    assert client.seal(MESSAGES[3])[0] == 0x21


def test_a_message_that_comes_again_is_refused():
    client, meter = ends()
    sealed = client.seal(MESSAGES[6])
    meter.open(sealed)
    with pytest.raises(RepeatedMessageError):
        meter.open(sealed)


def test_a_changed_octet_of_a_sealed_message_is_noticed():
    client, _meter = ends()
    sealed = client.seal(MESSAGES[6])
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(RemoteProtocolError):
            ends()[1].open(bytes(changed))
    for size in range(len(sealed)):
        with pytest.raises(RemoteProtocolError):
            ends()[1].open(sealed[:size])


def test_a_proof_holds_for_its_challenge_and_its_keys():
    client, meter = ends()
    proof = client.proof(b"challenge of the meter")
    meter.check_proof(proof, b"challenge of the meter")
    with pytest.raises(WrongKeyError):
        meter.check_proof(proof, b"another challenge")
    other = Security(b"CLIENT01", KEY, KEY, peer_title=b"METER001")
    with pytest.raises(WrongKeyError):
        meter.check_proof(other.proof(b"challenge of the meter"), b"challenge of the meter")
    for size in range(17):
        with pytest.raises(RemoteProtocolError):
            meter.check_proof(proof[:size], b"challenge of the meter")


def test_no_secret_is_in_what_credentials_show():
    shown = repr(Credentials(client=1, password=b"geheim", key=KEY, auth_key=AUTH_KEY))
    assert "geheim" not in shown
    assert "\\x01\\x02" not in shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": KEY},
        {"auth_key": KEY},
        {"key": KEY, "auth_key": b"short"},
        {"system_title": b"x"},
        {"password": bytes(65)},
    ],
)
def test_credentials_that_cannot_work_are_a_usage_error(wrong):
    with pytest.raises(UsageError):
        Credentials(**wrong)


def blocks_through(sender: GeneralBlockSender, receiver: GeneralBlockReceiver, lost: set[int]) -> bytes | None:
    blocks = sender.blocks()
    number = 0
    for _turn in range(200):
        answer = None
        for block in blocks:
            number += 1
            if number not in lost:
                answer = receiver.take(decode_general_block(encode_general_block(block)))
        if receiver.message is not None:
            return receiver.message
        if answer is None:
            return None
        blocks = sender.blocks(answer.acknowledged, answer.window)
    return None


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 5000])
def test_a_message_in_general_blocks_comes_whole(size):
    message = bytes(number % 251 for number in range(size))
    assert blocks_through(GeneralBlockSender(message, 100), GeneralBlockReceiver(), set()) == message


def test_a_lost_general_block_is_asked_for_again():
    message = bytes(3000)
    assert blocks_through(GeneralBlockSender(message, 100), GeneralBlockReceiver(), {3, 9}) == message


def test_general_blocks_that_never_follow_are_given_up():
    receiver = GeneralBlockReceiver()
    stray = GeneralBlock(number=7, acknowledged=0, content=b"", is_last=False)
    for _again in range(256):
        assert receiver.take(stray) is not None
    with pytest.raises(RemoteProtocolError, match="block 7 came where block 1 was due"):
        receiver.take(stray)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_rows_come_as_soon_as_they_are_whole(size):
    rows = [structure(octet_string(bytes(12)), double_long_unsigned(number)) for number in range(300)]
    content = array(rows)
    reader = RowReader()
    found = []
    for start in range(0, len(content), size):
        found += reader.feed(content[start : start + size])
    found += reader.finish()
    assert [row[1] for row in found] == list(range(300))


@pytest.mark.parametrize("content", [b"\x00", b"\x01\x00"])
def test_no_rows_are_no_error(content):
    reader = RowReader()
    assert reader.feed(content) == []
    assert reader.finish() == []


def test_rows_that_are_missing_or_too_many_are_said():
    rows = array([double_long_unsigned(number) for number in range(3)])
    reader = RowReader()
    reader.feed(rows[:-2])
    with pytest.raises(RemoteProtocolError, match="1 are missing"):
        reader.finish()
    with pytest.raises(RemoteProtocolError, match="behind the last row"):
        RowReader().feed(rows + b"\x00")


def test_a_row_without_end_is_given_up():
    reader = RowReader()
    reader.feed(b"\x01\x01\x09\x84\x7f\xff\xff\xff")
    for _piece in range(131):
        reader.feed(bytes(1000))
    with pytest.raises(RemoteProtocolError, match="longer than"):
        reader.feed(bytes(1000))
