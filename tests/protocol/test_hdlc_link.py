"""HDLC in connected mode: two ends joined in memory, on good and on bad lines."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RemoteProtocolError, TransportError
from core.protocol.hdlc import encode_frame
from core.protocol.hdlc_control import (
    FINAL,
    FRMR,
    UA,
    LinkParameters,
    client_octets,
    i_control,
    s_control,
    server_octets,
)
from core.protocol.hdlc_link import ATTEMPTS, BUSY_POLLS, NOISE_LIMIT, HdlcLink
from core.protocol.hdlc_station import HdlcStation
from core.protocol.link import LinkClosed, LinkMessage, LinkReady
from core.protocol.session import NEED_DATA, Transmit

SERVER = server_octets(1)
QUESTIONS = [bytes(range(256)) * times for times in (1, 3, 0, 10)]


class Line:
    """Carries octets between both ends; `damage` changes what goes, by who sends it."""

    def __init__(self, link: HdlcLink, station: HdlcStation, damage=lambda data, is_client: data) -> None:
        self.link = link
        self.station = station
        self.damage = damage
        self.now_s = 0.0
        self.sent = 0

    def talk(self, questions: list[bytes], client: int = 17) -> tuple[list[bytes], BaseException | None]:
        """Answers (the questions read backwards) and how the connection ended."""
        waiting = list(questions)
        answers: list[bytes] = []
        self.link.connect(client)
        for _turn in range(20_000):
            event = self.link.next_event()
            if isinstance(event, Transmit):
                self.sent += 1
                self.station.receive_data(self.damage(event.data, True))
                self.link.receive_data(b"", self.now_s)
            elif isinstance(event, (LinkReady, LinkMessage)):
                if isinstance(event, LinkMessage):
                    answers.append(event.content)
                if waiting:
                    self.link.send(waiting.pop(0))
                else:
                    self.link.disconnect()
            elif isinstance(event, LinkClosed):
                return answers, event.error
            elif event is NEED_DATA and not self._answer():
                deadline_s = self.link.next_deadline()
                assert deadline_s is not None
                self.now_s = max(self.now_s, deadline_s)
                self.link.receive_data(b"", self.now_s)
        raise AssertionError("both ends talk for ever")

    def _answer(self) -> bool:
        while (event := self.station.next_event()) is not NEED_DATA:
            if isinstance(event, LinkMessage):
                self.station.reply(event.content[::-1])
            elif isinstance(event, Transmit):
                self.link.receive_data(self.damage(event.data, False), self.now_s)
                return True
        return False


PARAMETERS = [
    None,
    LinkParameters(),
    LinkParameters(transmit=64, receive=64, transmit_window=3, receive_window=7),
    LinkParameters(transmit=2030, receive=2030, transmit_window=1, receive_window=1),
]
LIMITS = [None, LinkParameters(transmit=200, receive=50, transmit_window=7, receive_window=4)]


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("proposed", PARAMETERS)
def test_messages_come_whole_whatever_was_negotiated(proposed, limits):
    line = Line(HdlcLink(SERVER, proposed=proposed), HdlcStation(SERVER, limits=limits))
    answers, error = line.talk(QUESTIONS)
    assert error is None
    assert answers == [question[::-1] for question in QUESTIONS]
    assert line.now_s == 0.0  # nothing was waited for


@pytest.mark.parametrize(
    "address", [server_octets(1), server_octets(1, 17), server_octets(1, 300), server_octets(1, 17, size=4)]
)
@pytest.mark.parametrize("client", [1, 16, 127])
def test_addresses_of_every_length_are_spoken_with(address, client):
    answers, error = Line(HdlcLink(address), HdlcStation(address)).talk([b"question"], client)
    assert (answers, error) == ([b"noitseuq"], None)


def test_a_question_costs_one_round_trip():
    line = Line(HdlcLink(SERVER), HdlcStation(SERVER))
    line.talk([b"q"] * 5)
    assert line.sent == 1 + 5 + 1


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("proposed", PARAMETERS[:3])
@pytest.mark.parametrize("seed", range(6))
def test_a_line_with_errors_loses_time_and_no_octet(proposed, limits, seed):
    chance = random.Random(seed)

    def damage(data: bytes, _is_client: bool) -> bytes:
        if chance.random() > 0.04:
            return data
        changed = bytearray(data)
        changed[chance.randrange(len(changed))] ^= 0x41
        return bytes(changed)

    answers, error = Line(HdlcLink(SERVER, proposed=proposed), HdlcStation(SERVER, limits=limits), damage).talk(
        QUESTIONS
    )
    assert answers == [question[::-1] for question in QUESTIONS[: len(answers)]]
    assert error is None or (isinstance(error, TransportError) and len(answers) < len(QUESTIONS))


@pytest.mark.parametrize("number", range(12))
@pytest.mark.parametrize("is_lost_to_meter", [True, False])
def test_one_frame_that_is_lost_is_made_up_for(number, is_lost_to_meter):
    count = [0]

    def damage(data: bytes, is_client: bool) -> bytes:
        if is_client is not is_lost_to_meter:
            return data
        count[0] += 1
        return b"" if count[0] == number + 1 else data

    answers, error = Line(HdlcLink(SERVER), HdlcStation(SERVER), damage).talk(QUESTIONS)
    assert error is None
    assert answers == [question[::-1] for question in QUESTIONS]


@pytest.mark.parametrize("is_twice_to_meter", [True, False])
def test_frames_that_come_twice_are_taken_once(is_twice_to_meter):
    def damage(data: bytes, is_client: bool) -> bytes:
        return data * 2 if is_client is is_twice_to_meter else data

    answers, error = Line(HdlcLink(SERVER), HdlcStation(SERVER), damage).talk(QUESTIONS)
    assert error is None
    assert answers == [question[::-1] for question in QUESTIONS]


def test_an_optical_head_may_echo():
    line = Line(HdlcLink(SERVER), HdlcStation(SERVER))

    def damage(data: bytes, is_client: bool) -> bytes:
        if is_client:
            line.link.receive_data(data, line.now_s)
        return data

    line.damage = damage
    answers, error = line.talk(QUESTIONS)
    assert error is None
    assert answers == [question[::-1] for question in QUESTIONS]


def test_a_check_that_ends_with_a_flag_ends_nothing():
    question = next(
        content
        for number in range(100_000)
        if encode_frame(
            b"\xe6\xe7\x00" + (content := number.to_bytes(3, "big")),
            destination=client_octets(17),
            source=SERVER,
            control=i_control(0, 1, is_final=True),
        )[-2]
        == 0x7E
    )
    seen: list[bytes] = []

    def damage(data: bytes, is_client: bool) -> bytes:
        if not is_client:
            seen.append(data)
        return data

    answers, error = Line(HdlcLink(SERVER), HdlcStation(SERVER), damage).talk([question[::-1]])
    assert (answers, error) == ([question], None)
    assert any(data[-2:] == b"\x7e\x7e" for data in seen)


def opened_link() -> HdlcLink:
    """A link whose meter has said yes, and that has sent a question."""
    link = HdlcLink(SERVER)
    link.connect(16)
    assert isinstance(link.next_event(), Transmit)
    link.receive_data(from_meter(UA | FINAL), 0.0)
    assert isinstance(link.next_event(), LinkReady)
    link.send(b"question")
    assert isinstance(link.next_event(), Transmit)
    link.receive_data(b"", 0.0)
    return link


def from_meter(control: int, information: bytes = b"", *, is_segmented: bool = False) -> bytes:
    return encode_frame(
        information, destination=client_octets(16), source=SERVER, control=control, is_segmented=is_segmented
    )


def events_of(link: HdlcLink) -> list[object]:
    found = []
    while (event := link.next_event()) is not NEED_DATA:
        found.append(event)
    return found


def silence(link: HdlcLink) -> tuple[int, float, BaseException | None]:
    """How often the link sends again into silence, how long it takes to give up, and with which error."""
    sent, now_s = 0, 0.0
    while True:
        for event in events_of(link):
            if isinstance(event, LinkClosed):
                return sent, now_s, event.error
            if isinstance(event, Transmit):
                sent += 1
                link.receive_data(b"", now_s)
        deadline_s = link.next_deadline()
        assert deadline_s is not None
        now_s = max(now_s, deadline_s)
        link.receive_data(b"", now_s)


def test_a_meter_that_is_silent_is_given_up():
    link = HdlcLink(SERVER)
    link.connect(16)
    sent, now_s, error = silence(link)
    assert sent == ATTEMPTS
    assert now_s < 8
    assert isinstance(error, TransportError)


def test_a_meter_that_stops_within_a_frame_is_given_up():
    link = opened_link()
    link.receive_data(from_meter(i_control(0, 1, is_final=True), b"\xe6\xe7\x00answer")[:-4], 0.1)
    sent, now_s, error = silence(link)
    assert sent == ATTEMPTS - 1
    assert now_s < 12
    assert isinstance(error, TransportError)


def test_a_meter_that_stops_within_its_segments_is_given_up():
    link = opened_link()
    link.receive_data(from_meter(i_control(0, 1, is_final=True), b"\xe6\xe7\x00part", is_segmented=True), 0.1)
    _sent, now_s, error = silence(link)
    assert now_s < 12
    assert "broke off after 7 octets" in str(error)


def test_a_meter_that_is_busy_is_polled_and_then_answers():
    link = opened_link()
    link.receive_data(from_meter(s_control(0x05, 1)), 0.1)
    assert events_of(link) == []
    deadline_s = link.next_deadline()
    assert deadline_s is not None
    link.receive_data(b"", deadline_s)
    (poll,) = events_of(link)
    assert isinstance(poll, Transmit)
    link.receive_data(b"", deadline_s)
    link.receive_data(from_meter(i_control(0, 1, is_final=True), b"\xe6\xe7\x00done"), deadline_s)
    assert events_of(link) == [LinkMessage(b"done", 16)]


def test_a_meter_that_stays_busy_is_given_up():
    link = opened_link()
    now_s = 0.0
    for _poll in range(BUSY_POLLS + 2):
        link.receive_data(from_meter(s_control(0x01, 1)), now_s)
        found = events_of(link)
        if found and isinstance(found[-1], LinkClosed):
            assert "busy" in str(found[-1].error)
            return
        deadline_s = link.next_deadline()
        assert deadline_s is not None
        now_s = deadline_s
        link.receive_data(b"", now_s)
        events_of(link)
        link.receive_data(b"", now_s)
    raise AssertionError("it is polled for ever")


@pytest.mark.parametrize(("control", "words"), [(0x0F | FINAL, "has ended"), (FRMR | FINAL, "rejects a frame")])
def test_a_meter_that_hangs_up_is_said(control, words):
    link = opened_link()
    link.receive_data(from_meter(control), 0.1)
    (closed,) = events_of(link)
    assert isinstance(closed, LinkClosed)
    assert isinstance(closed.error, RemoteProtocolError)
    assert words in str(closed.error)


def test_a_meter_that_does_not_know_the_client_is_said():
    link = HdlcLink(SERVER)
    link.connect(16)
    events_of(link)
    link.receive_data(from_meter(0x0F | FINAL), 0.1)
    (bare,) = events_of(link)  # it may be the parameters that it does not take
    assert bare == Transmit(encode_frame(b"", destination=SERVER, source=client_octets(16), control=0x93))
    link.receive_data(from_meter(0x0F | FINAL), 0.2)
    (closed,) = events_of(link)
    assert isinstance(closed, LinkClosed)
    assert "client" in str(closed.error)


def test_a_push_in_between_is_passed_over():
    link = opened_link()
    push = encode_frame(b"\xe6\xe7\x00\x0f", destination=b"\xce\xff", source=b"\x03", control=0x13)
    link.receive_data(push + from_meter(i_control(0, 1, is_final=True), b"\xe6\xe7\x00answer"), 0.1)
    assert events_of(link) == [LinkMessage(b"answer", 16)]


def test_endless_noise_is_given_up_and_not_kept():
    link = opened_link()
    chance = random.Random(1)
    for number in range(NOISE_LIMIT // 100):
        link.receive_data(chance.randbytes(300).replace(b"\x7e", b"\x00"), 0.01 * number)
        for event in events_of(link):
            if isinstance(event, LinkClosed):
                assert "belong to no frame" in str(event.error)
                return
    raise AssertionError("noise is listened to for ever")


def test_octets_that_dribble_in_for_ever_are_given_up():
    link = opened_link()
    start = from_meter(i_control(0, 1, is_final=True), b"\xe6\xe7\x00" + bytes(2000))
    now_s = 0.0
    for octet in start * 4:
        link.receive_data(bytes((octet,)), now_s)
        for event in events_of(link):
            if isinstance(event, LinkClosed):
                assert now_s < 300
                return
            link.receive_data(b"", now_s)
        now_s += 0.9
    raise AssertionError("a meter may send one octet a second")


def test_a_message_without_end_is_given_up():
    link = opened_link()
    now_s = 0.0
    for number in range(200):
        control = i_control(number % 8, 1, is_final=True)
        link.receive_data(from_meter(control, bytes(1000), is_segmented=True), now_s)
        for event in events_of(link):
            if isinstance(event, LinkClosed):
                assert "longer than" in str(event.error)
                return
        link.receive_data(b"", now_s)
    raise AssertionError("a message may be of any length")


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_a_link_takes_anything(pieces):
    link = opened_link()
    for number, piece in enumerate(pieces):
        link.receive_data(piece, 0.01 * number)
        events_of(link)


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=20), st.booleans()), max_size=12))
def test_a_link_takes_any_frame(frames):
    link = opened_link()
    station = HdlcStation(SERVER)
    station.receive_data(encode_frame(b"", destination=SERVER, source=client_octets(16), control=0x93))
    for number, (control, information, is_segmented) in enumerate(frames):
        link.receive_data(from_meter(control, information, is_segmented=is_segmented), 0.01 * number)
        events_of(link)
        station.receive_data(
            encode_frame(
                information,
                destination=SERVER,
                source=client_octets(16),
                control=control,
                is_segmented=is_segmented,
            )
        )
        while station.next_event() is not NEED_DATA:
            pass
