"""Programming mode against a meter written from the standard: raw octets, no code of the project in it."""

from __future__ import annotations

import functools
import operator
import random

import pytest

from core.errors import RemoteProtocolError, TransportError, UsageError, WrongPasswordError
from core.protocol.data_sets import Telegram
from core.protocol.programming_mode import ProgrammingOpened, ProgrammingSession, password_command
from core.protocol.session import NEED_DATA, Finished, Rejected, SetLine, Told, Transmit


def framed(first, body, end=b"\x03"):
    """SOH or STX, the body, ETX or EOT, and the XOR over all but the first."""
    content = body + end
    return first + content + bytes((functools.reduce(operator.xor, content) & 0x7F,))


class RawMeter:
    """Forty lines from IEC 62056-21: bytes in, bytes out."""

    def __init__(self, *, password=None, seed=b"(1234)", echoes=False, refuses=b"", highest=19200):
        self.password, self.seed, self.echoes, self.refuses, self.highest = password, seed, echoes, refuses, highest
        self.registers = {b"1.7.0": b"(01.234*kW)", b"32.7.0": b"32.7.0(230.1*V)"}
        self.blocks, self.heard, self.is_open, self.spoiled = [], [], password is None, 0

    def answer(self, data, baud):
        self.heard.append(data)
        said = self.said(data, baud)
        if said and self.spoiled and said[:1] in b"\x01\x02" and baud == 9600:
            self.spoiled -= 1
            said = said[:-1] + bytes((said[-1] ^ 1,))
        return (data if self.echoes else b"") + said

    def said(self, data, baud):
        if data == b"/?!\r\n" and baud == 300:
            return b"/LGZ5\\2ZMD310\r\n"
        if data[:2] == b"\x060" and data[3:4] == b"1":
            if self.refuses:
                return self.refuses
            self.speed = (300, 600, 1200, 2400, 4800, 9600, 19200)[int(data[2:3])]
            return framed(b"\x01", b"P0\x02" + self.seed) if self.speed <= self.highest else b""
        if data[:3] in (b"\x01P1", b"\x01P2"):
            self.is_open = data == framed(b"\x01", data[1:3] + b"\x02(" + (self.password or b"") + b")")
            return b"\x06" if self.is_open else framed(b"\x01", b"B0")
        if data == b"\x06" and self.blocks:
            self.blocks.pop(0)
        if data in (b"\x06", b"\x15") or data[:3] in (b"\x01R5", b"\x01R6"):
            return self.blocks[0] if self.blocks else b"\x15"
        if data[:3] == b"\x01R1" and self.is_open:
            name = data[4:].partition(b"(")[0]
            return framed(b"\x02", self.registers.get(name, b"(ER01)"))
        return framed(b"\x02", b"(ER03)") if data[:1] == b"\x01" and data[1:3] != b"B0" else b""


class Talk:
    """Joins the session and a meter in memory, on a clock of their own; `told` since the last look."""

    def __init__(self, session, meter, portion=1000):
        self.session, self.meter, self.portion = session, meter, portion
        self.now_s, self.line, self.pending = 100.0, None, b""

    def run(self, limit_s=120.0):
        """All events until the session is idle or has ended."""
        told, end_s = [], self.now_s + limit_s
        session = self.session
        while self.now_s < end_s:
            while (event := session.next_event()) is not NEED_DATA:
                if isinstance(event, SetLine):
                    self.line = event
                elif isinstance(event, Transmit):
                    self.now_s += len(event.data) * 10 / self.line.baud
                    baud = self.line.baud
                    self.pending = self.meter.answer(event.data, baud)
                    session.receive_data(b"", self.now_s)
                else:
                    told.append(event)
                    if isinstance(event, Finished):
                        return told
            if session.is_idle:
                return told
            if self.pending:
                piece, self.pending = self.pending[: self.portion], self.pending[self.portion :]
                self.now_s += 0.02
                session.receive_data(piece, self.now_s)
                continue
            self.now_s = max(self.now_s, session.next_deadline())
            session.receive_data(b"", self.now_s)
        raise AssertionError("the session did not come to an end")

    def ask(self, command, data=""):
        self.session.ask(command, data)
        return self.run()


def telegrams(told):
    return [event.telegram for event in told if isinstance(event, Told) and isinstance(event.telegram, Telegram)]


@pytest.mark.parametrize("portion", [1, 3, 1000])
@pytest.mark.parametrize("echoes", [False, True])
def test_registers_are_read_one_by_one_however_their_octets_come(portion, echoes):
    meter = RawMeter(echoes=echoes)
    talk = Talk(ProgrammingSession(), meter, portion)
    (opened,) = [event.telegram for event in talk.run() if isinstance(event, Told)]
    assert isinstance(opened, ProgrammingOpened)
    assert (opened.seed, opened.is_password_taken) == ("1234", False)
    (power,) = telegrams(talk.ask("R1", "1.7.0()"))
    (voltage,) = telegrams(talk.ask("R1", "32.7.0()"))
    assert (power.data_sets[0].value, power.data_sets[0].unit) == ("01.234", "kW")
    assert voltage.data_sets[0].address == "32.7.0"
    talk.session.leave()
    assert talk.run()[-1] == Finished(None)
    assert meter.heard == [
        b"/?!\r\n",
        b"\x06051\r\n",
        framed(b"\x01", b"R1\x021.7.0()"),
        framed(b"\x01", b"R1\x0232.7.0()"),
        framed(b"\x01", b"B0"),
    ]


def test_a_password_is_sent_behind_its_seed_and_taken():
    meter = RawMeter(password=b"00000000")
    talk = Talk(ProgrammingSession(password=b"00000000"), meter)
    (opened,) = [event.telegram for event in talk.run() if isinstance(event, Told)]
    assert opened.is_password_taken
    assert meter.heard[2] == framed(b"\x01", b"P1\x02(00000000)")
    assert telegrams(talk.ask("R1", "1.7.0()"))


def test_a_wrong_password_is_sent_once_and_never_again():
    meter = RawMeter(password=b"right")
    told = Talk(ProgrammingSession(password=b"wrong", attempts=5), meter).run()
    assert isinstance(told[-1].error, WrongPasswordError)
    assert sum(data[:3] == b"\x01P1" for data in meter.heard) == 1
    assert "wrong" not in str(told[-1].error)


@pytest.mark.parametrize("answer", [b"\x15", b"", b"\x02(ER04)\x03\x00", b"garbage" * 100])
def test_whatever_is_no_acknowledgement_of_a_password_counts_as_its_refusal(answer):
    meter = RawMeter(password=b"right")
    usual = meter.said
    meter.said = lambda data, baud: answer if data[:3] == b"\x01P1" else usual(data, baud)
    told = Talk(ProgrammingSession(password=b"right", attempts=5), meter).run()
    assert isinstance(told[-1].error, WrongPasswordError)
    assert sum(data[:3] == b"\x01P1" for data in meter.heard) == 1


def test_without_the_password_that_is_needed_each_register_is_refused_and_nothing_is_guessed():
    meter = RawMeter(password=b"right")
    talk = Talk(ProgrammingSession(), meter)
    talk.run()
    (refused,) = talk.ask("R1", "1.7.0()")
    assert isinstance(refused, Rejected)
    assert "ER03" in str(refused.error)
    assert not any(data[:2] == b"\x01P" for data in meter.heard)


@pytest.mark.parametrize(
    "refusal", [framed(b"\x01", b"B0"), framed(b"\x02", b"(ER05)"), framed(b"\x02", b"1.8.0(1*kWh)\r\n!\r\n"), b""]
)
def test_a_meter_without_programming_mode_is_known_as_one(refusal):
    meter = RawMeter(refuses=refusal, highest=0)
    session = ProgrammingSession()
    told = Talk(session, meter).run()
    assert session.is_refused
    assert isinstance(told[-1].error, (RemoteProtocolError, TransportError))


def test_a_silent_meter_is_no_refusal():
    meter = RawMeter()
    meter.said = lambda data, baud: b""
    session = ProgrammingSession()
    told = Talk(session, meter).run()
    assert isinstance(told[-1].error, TransportError)
    assert not session.is_refused


def test_a_meter_that_does_not_follow_its_own_speed_is_entered_at_300():
    talk = Talk(ProgrammingSession(), RawMeter(highest=300))
    assert any(isinstance(event, Told) for event in talk.run())
    assert talk.line.baud == 300


def test_a_meter_of_mode_a_has_no_programming_mode():
    meter = RawMeter()
    meter.said = lambda data, baud: b"/ABBxold\r\n"
    session = ProgrammingSession()
    assert "mode A" in str(Talk(session, meter).run()[-1].error)
    assert session.is_refused


def test_a_command_that_was_not_understood_is_sent_again_and_then_given_up():
    meter = RawMeter()
    talk = Talk(ProgrammingSession(), meter)
    talk.run()
    usual, said = meter.said, [b"\x15", b"\x15"]
    meter.said = lambda data, baud: said.pop() if said else usual(data, baud)
    assert telegrams(talk.ask("R1", "1.7.0()"))
    said += [b"\x15"] * 10
    (refused,) = talk.ask("R1", "1.7.0()")
    assert "NAK" in str(refused.error)
    said.clear()
    assert telegrams(talk.ask("R1", "1.7.0()"))


def test_an_answer_whose_check_does_not_hold_is_asked_for_again():
    meter = RawMeter()
    meter.blocks = [framed(b"\x02", b"1.7.0(01.234*kW)")]
    talk = Talk(ProgrammingSession(), meter)
    talk.run()
    meter.spoiled = 1
    told = talk.ask("R1", "1.7.0()")
    assert "block check" in str(told[0].error)
    assert telegrams(told)[0].data_sets[0].value == "01.234"
    assert meter.heard[-1] == b"\x15"


def test_a_profile_comes_block_by_block_and_each_block_once():
    meter = RawMeter()
    meter.blocks = [
        framed(b"\x02", b"P.01(2260501000000)(00)(15)(1)(1.5)(kW)\r\n(1)\r\n", b"\x04"),
        framed(b"\x02", b"(2)\r\n", b"\x04"),
        framed(b"\x02", b"(3)\r\n"),
    ]
    talk = Talk(ProgrammingSession(), meter)
    talk.run()
    lost = []

    def losing(data, baud, usual=meter.said):
        said = usual(data, baud)
        if data == b"\x06" and not lost:  # the second block is lost once on its way
            lost.append(said)
            return b""
        return said

    meter.said = losing
    found = telegrams(talk.ask("R6", "P.01(;)"))
    assert [one.is_partial for one in found] == [True, True, False]
    assert [one.data_sets[-1].value for one in found] == ["1", "2", "3"]


def test_a_meter_that_stops_in_the_middle_is_told_and_ends_the_session():
    meter = RawMeter()
    talk = Talk(ProgrammingSession(), meter)
    talk.run()
    meter.said = lambda data, baud: b"\x021.7.0(01.2"
    told = talk.ask("R1", "1.7.0()")
    assert isinstance(told[-1].error, TransportError)
    with pytest.raises(RemoteProtocolError):
        talk.session.ask("R1", "1.7.0()")


def test_a_meter_that_ends_the_mode_by_itself_is_noticed():
    talk = Talk(ProgrammingSession(), RawMeter())
    talk.run()
    talk.session.receive_data(framed(b"\x01", b"B0"), talk.now_s + 30)
    assert not talk.session.is_idle
    assert "ended" in str(talk.run()[-1].error)


def test_a_password_goes_as_p1_or_as_p2_and_never_breaks_out_of_its_brackets():
    assert password_command(b"12345678") == framed(b"\x01", b"P1\x02(12345678)")
    assert password_command(b"P2:A1B2") == framed(b"\x01", b"P2\x02(A1B2)")
    for wrong in (b"a)b", b"a(b", b"a\x03", b"x" * 33, b"\xff"):
        with pytest.raises(UsageError):
            password_command(wrong)


def test_noise_is_bounded_in_memory_and_comes_to_an_end():
    random.seed(7)
    for _turn in range(20):
        talk = Talk(ProgrammingSession(attempts=2), RawMeter())
        talk.run()
        talk.session.ask("R1", "1.7.0()")
        for _portion in range(200):
            talk.now_s += 0.1
            talk.session.receive_data(random.randbytes(2000), talk.now_s)
            while talk.session.next_event() is not NEED_DATA:
                pass
            assert len(talk.session._buffer) < 400_000


def test_whatever_answers_the_session_ends_or_can_be_asked_again():
    chance = random.Random(29)
    pieces = [
        b"\x06",
        b"\x15",
        b"\x01",
        b"\x02",
        b"\x03q",
        framed(b"\x01", b"B0"),
        framed(b"\x01", b"P0\x02()"),
        framed(b"\x02", b"(ER01)"),
        framed(b"\x02", b"1.7.0(1*kW)"),
        framed(b"\x02", b"P.01(1)", b"\x04"),
        framed(b"\x02", b"((("),
        b"/LGZ5x\r\n",
        bytes(range(256)),
    ]

    class AnyMeter:
        heard = ()
        echoes = False

        def answer(self, data, baud):
            if data == b"/?!\r\n":
                return b"/LGZ5x\r\n"
            return b"".join(chance.choices(pieces, k=chance.randint(0, 3)))

    for _turn in range(300):
        session = ProgrammingSession(password=b"1" if chance.random() < 0.5 else None)
        talk = Talk(session, AnyMeter(), chance.choice((1, 5, 1000)))
        told = talk.run(2000.0)
        for _ask in range(5):
            if not session.is_idle:
                break
            told += talk.ask(chance.choice(("R1", "R5", "R6")), "1.7.0()") if session.is_idle else []
        assert session.is_idle or isinstance(told[-1], Finished)
