"""The DLMS client against a meter in memory: associations, keys, lists, blocks, rows, and meters that misbehave."""

from __future__ import annotations

from itertools import pairwise

import pytest
from dlms_meter import ALL, AUTH_KEY, KEY, METER_TITLE, FakeMeter, Wire, name
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RefusedError, RemoteProtocolError, TransportError, WrongKeyError, WrongPasswordError
from core.protocol.acse import (
    AssociationRequest,
    AssociationResponse,
    Conformance,
    decode_initiate_request,
    encode_association_response,
)
from core.protocol.association import Credentials
from core.protocol.axdr_encode import array, double_long_unsigned, octet_string, scaler_unit, structure
from core.protocol.block_transfer import GeneralBlock, GeneralBlockSender, decode_general_block, encode_general_block
from core.protocol.dlms_exchange import AccessRefusedError, Answers, Rows, value_of
from core.protocol.dlms_session import Associated, DlmsSession
from core.protocol.get_messages import (
    ActionRequest,
    Attribute,
    ExceptionResponse,
    GetNextRequest,
    GetRequest,
    decode_response,
    encode_response,
)
from core.protocol.hdlc_control import LinkParameters, client_octets, server_octets
from core.protocol.hdlc_link import HdlcLink
from core.protocol.hdlc_station import HdlcStation
from core.protocol.link import LinkClosed
from core.protocol.session import NEED_DATA, Transmit
from core.protocol.wrapper_link import WrapperLink, WrapperStation

SERVER = server_octets(1)
ENERGY, POWER = name(1, 0, 1, 8, 0, 255), name(1, 0, 1, 7, 0, 255)
PROFILE = Attribute(7, name(1, 0, 99, 1, 0, 255), 2)
COUNTER = name(0, 0, 43, 1, 0, 255)
NAMES = [Attribute(3, ENERGY, 2), Attribute(3, ENERGY, 3), Attribute(3, POWER, 2)]
OBJECTS: dict[tuple[int, bytes, int], bytes | int] = {
    (3, ENERGY, 2): double_long_unsigned(4_408_736),
    (3, ENERGY, 3): scaler_unit(0, 30),
    (3, POWER, 2): 3,
    (1, COUNTER, 2): double_long_unsigned(4711),
    (7, PROFILE.logical_name, 2): array(
        [structure(octet_string(bytes(12)), double_long_unsigned(number)) for number in range(400)]
    ),
}
HIGH = Credentials(client=1, key=KEY, auth_key=AUTH_KEY, system_title=b"MMM\0\0\0\0\1")
LOW = Credentials(client=1, password=b"12345678")


def wire(meter: FakeMeter, credentials: Credentials, *, is_wrapped: bool = False, **more: object) -> Wire:
    if is_wrapped:
        return Wire(DlmsSession(WrapperLink(1), credentials, **more), meter, WrapperStation(1))
    return Wire(DlmsSession(HdlcLink(SERVER), credentials, **more), meter, HdlcStation(SERVER))


def opened(meter: FakeMeter, credentials: Credentials, *, is_wrapped: bool = False) -> Wire:
    line = wire(meter, credentials, is_wrapped=is_wrapped)
    line.session.open()
    told, error = line.run()
    assert error is None
    assert isinstance(told[0], Associated)
    line.transmits = 0
    meter.requests.clear()
    return line


def results_of(told: list[object]) -> list[object]:
    return [
        result.error if result.data is None else value_of(result.data)
        for answers in told
        if isinstance(answers, Answers)
        for result in answers.results
    ]


METERS = [
    ({}, Credentials()),
    ({"password": b"12345678"}, LOW),
    ({"keys": (KEY, AUTH_KEY)}, HIGH),
    ({"keys": (KEY, AUTH_KEY)}, Credentials(client=1, password=b"x", key=KEY, auth_key=AUTH_KEY)),
]


@pytest.mark.parametrize("is_wrapped", [False, True])
@pytest.mark.parametrize("block_size", [10_000, 7])
@pytest.mark.parametrize("has_lists", [True, False])
@pytest.mark.parametrize(("settings", "credentials"), METERS)
def test_attributes_are_read_in_every_way_of_associating(settings, credentials, has_lists, block_size, is_wrapped):
    meter = FakeMeter(OBJECTS, has_lists=has_lists, block_size=block_size, **settings)
    line = opened(meter, credentials, is_wrapped=is_wrapped)
    line.session.get(NAMES)
    told, error = line.run()
    assert error is None
    assert results_of(told) == [4_408_736, (0, 30), 3]
    line.session.get_rows(PROFILE)
    told, error = line.run()
    assert error is None
    assert [row[1] for rows in told if isinstance(rows, Rows) for row in rows.rows] == list(range(400))
    line.session.release()
    assert line.run() == ([], None)
    assert line.session.association is None


def test_a_list_is_one_round_trip():
    line = opened(FakeMeter(OBJECTS), Credentials())
    line.session.get(NAMES)
    line.run()
    assert line.transmits == 1


def test_lists_are_asked_of_meters_that_take_them_only():
    meter = FakeMeter(OBJECTS, conformance=ALL & ~Conformance.MULTIPLE_REFERENCES)
    line = opened(meter, Credentials())
    line.session.get(NAMES)
    assert results_of(line.run()[0]) == [4_408_736, (0, 30), 3]
    assert [len(request.attributes) for request in meter.requests] == [1, 1, 1]


def test_a_list_fits_into_what_the_meter_takes():
    meter = FakeMeter(OBJECTS, maximum_pdu=128)
    line = opened(meter, Credentials())
    line.session.get(NAMES * 8)
    assert len(results_of(line.run()[0])) == 24
    assert max(len(request.attributes) for request in meter.requests) == (128 - 48) // 11


def test_a_list_that_is_refused_is_halved_and_that_is_remembered():
    meter = FakeMeter(OBJECTS, has_lists=False)
    line = opened(meter, Credentials())
    line.session.get(NAMES)
    line.run()
    assert [len(request.attributes) for request in meter.requests] == [3, 1, 1, 1]
    meter.requests.clear()
    line.session.get(NAMES)
    line.run()
    assert [len(request.attributes) for request in meter.requests] == [1, 1, 1]


def test_rows_are_told_block_by_block():
    line = opened(FakeMeter(OBJECTS, block_size=200), Credentials())
    line.session.get_rows(PROFILE)
    told, _error = line.run()
    assert len(told) > 30
    assert all(len(rows.rows) < 20 for rows in told)


def test_the_next_block_is_asked_for_once_the_rows_before_were_taken():
    meter = FakeMeter(OBJECTS, block_size=200)
    line = opened(meter, Credentials())
    line.session.get_rows(PROFILE)
    seen = 0
    while not seen:
        event = line.session.next_event()
        if isinstance(event, Transmit):
            line.station.receive_data(event.data)
            line.session.receive_data(b"", 0.0)
        elif event is NEED_DATA:
            assert line._deliver()
        else:
            seen += 1
    assert not any(isinstance(request, GetNextRequest) for request in meter.requests)
    line.session.get(NAMES)  # and the rest of the rows is not wanted any more
    assert results_of(line.run()[0]) == [4_408_736, (0, 30), 3]


def test_an_answer_that_is_still_due_is_passed_over():
    line = opened(FakeMeter(OBJECTS), Credentials())
    line.session.get([Attribute(3, ENERGY, 2)])
    event = line.session.next_event()
    assert isinstance(event, Transmit)
    line.station.receive_data(event.data)
    line.session.receive_data(b"", 0.0)
    line.session.get([Attribute(3, ENERGY, 3)])  # the first question was cancelled while its answer was on the way
    assert results_of(line.run()[0]) == [(0, 30)]


def test_the_counter_of_the_meter_is_read_first_and_ours_is_above_it():
    meter = FakeMeter(OBJECTS, keys=(KEY, AUTH_KEY))
    counters = []
    answer = meter.answer

    def noting(message: bytes) -> bytes | None:
        if message[0] in (0xCB, 0xC8):
            counters.append(int.from_bytes(message[3:7], "big"))
        return answer(message)

    meter.answer = noting
    line = wire(meter, HIGH)
    line.session.open()
    assert line.run()[1] is None
    line.session.get(NAMES)
    line.run()
    assert counters == sorted(set(counters))
    assert counters[0] > 4712  # 4712 was the AARQ's


def test_a_meter_that_does_not_tell_its_counter_is_met_with_ours():
    for settings in ({"is_public_open": False}, {}):
        objects = {key: value for key, value in OBJECTS.items() if key[1] != COUNTER}
        line = wire(FakeMeter(objects, keys=(KEY, AUTH_KEY), **settings), HIGH, counter=1_700_000_000)
        line.session.open()
        assert line.run()[1] is None


def test_a_meter_that_passes_the_public_client_over_is_read_all_the_same():
    line = wire(FakeMeter(OBJECTS, keys=(KEY, AUTH_KEY)), HIGH, counter=1_700_000_000)
    take = line.station.receive_data
    line.station.receive_data = lambda data: take(data) if data[4:5] != client_octets(16) else None
    line.session.open()
    assert line.run()[1] is None
    assert line.now_s < 5


def test_a_meter_that_says_which_counter_it_expects_gets_a_higher_one():
    meter = FakeMeter(OBJECTS, keys=(KEY, AUTH_KEY), is_public_open=False)
    associate = meter._associate
    asked = []

    def strict(message: bytes) -> bytes:
        if b"MMM" not in message:
            return associate(message)
        counter = int.from_bytes(message[message.index(b"\x21\x1f\x30") + 3 :][:4], "big")
        asked.append(counter)
        return associate(message) if counter > 5000 else encode_response(ExceptionResponse(1, 6, 5000))

    meter._associate = strict
    line = wire(meter, HIGH)
    line.session.open()
    assert line.run()[1] is None
    assert asked == [1, 5001]


def test_a_wrong_password_is_said_and_sent_once():
    meter = FakeMeter(OBJECTS, password=b"another")
    line = wire(meter, LOW)
    line.session.open()
    told, error = line.run()
    assert told == []
    assert isinstance(error, WrongPasswordError)
    assert "client 1" in str(error)
    assert "12345678" not in str(error)
    assert sum(isinstance(request, AssociationRequest) for request in meter.requests) == 1


def test_a_meter_that_wants_a_password_says_so():
    line = wire(FakeMeter(OBJECTS, is_public_open=False), Credentials())
    line.session.open()
    _told, error = line.run()
    assert isinstance(error, WrongPasswordError)
    assert "password or keys" in str(error)


@pytest.mark.parametrize("keys", [(AUTH_KEY, AUTH_KEY), (KEY, KEY)])
def test_wrong_keys_are_said(keys):
    line = wire(FakeMeter(OBJECTS, keys=keys), HIGH)
    line.session.open()
    _told, error = line.run()
    assert isinstance(error, WrongKeyError)
    assert "keys do not fit" in str(error)


def test_a_meter_that_cannot_prove_itself_is_not_believed():
    meter = FakeMeter(OBJECTS, keys=(KEY, AUTH_KEY))
    associate = meter._associate

    def impostor(message: bytes) -> bytes:
        reply = associate(message)
        meter.client_challenge = b"not ours at all"
        return reply

    meter._associate = impostor
    line = wire(meter, HIGH)
    line.session.open()
    told, error = line.run()
    assert told == []
    assert isinstance(error, WrongKeyError)
    assert "prove" in str(error)
    assert line.session.association is None


def test_a_meter_that_refuses_our_proof_is_said():
    meter = FakeMeter(OBJECTS, keys=(KEY, AUTH_KEY))
    meter.challenge = b"the challenge sent"
    respond = meter._respond

    def strict(message: bytes) -> object:
        if meter.security is not None:
            meter.challenge = b"another one"
        return respond(message)

    meter._respond = strict
    line = wire(meter, HIGH)
    line.session.open()
    assert isinstance(line.run()[1], WrongKeyError)


def test_our_own_challenge_sent_back_is_refused():
    meter = FakeMeter(OBJECTS, keys=(KEY, AUTH_KEY))
    meter.challenge = b"the same challenge"
    line = wire(meter, HIGH, challenge=b"the same challenge")
    line.session.open()
    _told, error = line.run()
    assert isinstance(error, RemoteProtocolError)
    assert "own challenge" in str(error)


def test_a_plain_answer_in_a_ciphered_association_is_refused():
    meter = FakeMeter(OBJECTS, keys=(KEY, AUTH_KEY))
    line = opened(meter, HIGH)
    meter.change = lambda _reply: bytes.fromhex("C401C10006000000FF")
    line.session.get(NAMES[:1])
    _told, error = line.run()
    assert isinstance(error, RemoteProtocolError)
    assert "in plain" in str(error)


def test_nothing_but_reading_is_ever_sent():
    meter = FakeMeter(OBJECTS, keys=(KEY, AUTH_KEY))
    line = wire(meter, HIGH)
    line.session.open()
    line.run()
    line.session.get(NAMES)
    line.run()
    line.session.get_rows(PROFILE)
    line.run()
    actions = [request for request in meter.requests if isinstance(request, ActionRequest)]
    assert [(action.class_id, action.method) for action in actions] == [(15, 1)]
    asked = [request for request in meter.requests if isinstance(request, AssociationRequest)]
    proposed = decode_initiate_request(asked[0].user_information).conformance
    assert proposed & ~(ALL & ~Conformance.ACTION) == 0


def with_block(meter: FakeMeter, number: int, change) -> None:
    """Let `change` make something else of block `number`, once."""
    done = []

    def changed(reply: bytes) -> bytes | None:
        if reply[:2] == b"\xc4\x02" and reply[4:8] == number.to_bytes(4, "big") and not done:
            done.append(True)
            return change(reply)
        return reply

    meter.change = changed


def test_a_block_that_comes_twice_is_taken_once():
    meter = FakeMeter(OBJECTS, block_size=200)
    line = opened(meter, Credentials())
    with_block(meter, 3, lambda reply: encode_response(_numbered(reply, 2)))
    line.session.get_rows(PROFILE)
    told, error = line.run()
    assert error is None
    assert [row[1] for rows in told for row in rows.rows] == list(range(400))


def test_a_block_that_is_missing_ends_the_transfer():
    meter = FakeMeter(OBJECTS, block_size=200)
    line = opened(meter, Credentials())
    with_block(meter, 3, lambda reply: encode_response(_numbered(reply, 4)))
    line.session.get_rows(PROFILE)
    told, error = line.run()
    assert "block 4 came where block 3 was due" in str(error)
    assert 0 < len(told) < 5
    line.session.get(NAMES)  # and the meter can be asked for something else
    assert results_of(line.run()[0]) == [4_408_736, (0, 30), 3]


def _numbered(reply: bytes, number: int):
    response = decode_response(reply)
    return type(response)(response.invoke_id, response.is_last, number, response.content)


def test_an_answer_that_dribbles_in_for_ever_is_given_up():
    link = WrapperLink(1)
    link.connect(16)
    link.send(b"\xc0")
    now_s = 0.0
    for octet in bytes.fromhex("000100010010FFFF") + bytes(200):
        while (event := link.next_event()) is not NEED_DATA:
            if isinstance(event, LinkClosed):
                assert now_s < 130
                return
        link.receive_data(bytes((octet,)), now_s)
        now_s += 5.0
    raise AssertionError("a meter may send an octet every five seconds")


def test_a_meter_that_stops_within_its_blocks_is_given_up():
    meter = FakeMeter(OBJECTS, block_size=200)
    line = opened(meter, Credentials())
    with_block(meter, 5, lambda _reply: None)
    line.session.get_rows(PROFILE)
    told, error = line.run()
    assert isinstance(error, TransportError)
    assert len(told) == 4
    assert line.now_s < 20


def test_an_attribute_that_is_refused_has_its_reason():
    line = opened(FakeMeter(OBJECTS), Credentials())
    line.session.get_rows(Attribute(7, name(1, 0, 99, 2, 0, 255), 2))
    _told, error = line.run()
    assert isinstance(error, AccessRefusedError)
    assert "not defined" in str(error)


def test_a_push_in_between_is_no_answer():
    meter = FakeMeter(OBJECTS)
    line = opened(meter, Credentials(), is_wrapped=True)
    answer = meter.answer
    pushes = [bytes.fromhex("0F000000010002010600000001"), bytes.fromhex("C20000030100010800FF020600000001")]

    def chatty(message: bytes) -> bytes | None:
        for push in pushes:
            line.station.reply(push)
        return answer(message)

    meter.answer = chatty
    line.session.get(NAMES[:1])
    assert results_of(line.run()[0]) == [4_408_736]


def test_a_meter_that_answers_in_general_blocks_is_read():
    meter = FakeMeter(OBJECTS)
    line = opened(meter, Credentials())
    answer = meter.answer
    senders: list[GeneralBlockSender] = []

    def blocks(message: bytes) -> bytes | None:
        if message[0] == 0xE0:
            acknowledged = decode_general_block(message)
            (block,) = senders[-1].blocks(acknowledged.acknowledged, 1)
            return encode_general_block(block)
        reply = answer(message)
        assert reply is not None
        senders.append(GeneralBlockSender(reply, 50))
        return encode_general_block(senders[-1].blocks()[0])

    meter.answer = blocks
    line.session.get_rows(PROFILE)
    told, error = line.run()
    assert error is None
    assert sum(len(rows.rows) for rows in told) == 400


@pytest.mark.parametrize(
    "reply",
    [
        b"", b"\x61", b"\x61\x00", b"\xc4\x01\xc1\x00\x00", encode_response(ExceptionResponse(1, 2)),
        encode_association_response(AssociationResponse()),
        encode_association_response(AssociationResponse(user_information=bytes.fromhex("0E0106FF"))),
        encode_association_response(AssociationResponse(context=2, user_information=b"\x08")),
        encode_association_response(AssociationResponse(result=2, source=2, diagnostic=2)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("credentials", [Credentials(), LOW, HIGH])
def test_any_answer_to_an_association_is_an_error_in_words(reply, credentials):
    meter = FakeMeter(OBJECTS, password=b"12345678", keys=(KEY, AUTH_KEY))
    meter.change = lambda _reply: reply
    line = wire(meter, credentials)
    line.session.open()
    told, error = line.run()
    assert told == []
    assert isinstance(error, (RemoteProtocolError, RefusedError))
    assert str(error)


@given(st.binary(max_size=40))
def test_any_answer_to_a_question_is_an_error_in_words(reply):
    meter = FakeMeter(OBJECTS)
    line = opened(meter, Credentials(), is_wrapped=True)
    meter.change = lambda _reply: reply
    line.session.get(NAMES)
    _told, error = line.run()
    assert error is None or isinstance(error, (RemoteProtocolError, TransportError))
    line.session.get_rows(PROFILE)
    _told, error = line.run()
    assert error is None or isinstance(error, (RemoteProtocolError, TransportError))


def test_a_message_of_many_frames_in_windows_is_read():
    meter = FakeMeter(OBJECTS)
    limits = LinkParameters(transmit=128, receive=128, transmit_window=5, receive_window=3)
    line = Wire(DlmsSession(HdlcLink(SERVER), Credentials()), meter, HdlcStation(SERVER, limits=limits))
    line.session.open()
    line.run()
    line.session.get_rows(PROFILE)
    told, error = line.run()
    assert error is None
    assert sum(len(rows.rows) for rows in told) == 400


def test_the_meter_is_known_by_its_title():
    line = wire(FakeMeter(OBJECTS, keys=(KEY, AUTH_KEY)), HIGH)
    line.session.open()
    told, _error = line.run()
    assert told[0].meter_title == METER_TITLE


def test_requests_are_numbered_so_that_late_answers_are_known():
    meter = FakeMeter(OBJECTS)
    line = opened(meter, Credentials())
    for _question in range(20):
        line.session.get(NAMES[:1])
        line.run()
    numbers = [request.invoke_id & 15 for request in meter.requests if isinstance(request, GetRequest)]
    assert all(one != other for one, other in pairwise(numbers))


def test_a_general_block_that_is_no_block_is_said():
    meter = FakeMeter(OBJECTS)
    line = opened(meter, Credentials())
    block = GeneralBlock(number=1, acknowledged=0, content=b"\x00", is_last=True)
    meter.change = lambda _reply: encode_general_block(block)
    line.session.get(NAMES[:1])
    assert isinstance(line.run()[1], RemoteProtocolError)
