"""Sessions that ask, answered with altered messages: each must end, and tell why in a named error."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import fuzz_samples as samples

from core.protocol.acse import (
    AssociationResponse,
    InitiateResponse,
    encode_association_response,
    encode_initiate_response,
)
from core.protocol.association import Credentials
from core.protocol.data_sets import encode_block, encode_command
from core.protocol.dlms_session import DlmsSession
from core.protocol.get_messages import Attribute
from core.protocol.hdlc import encode_frame
from core.protocol.hdlc_control import LinkParameters, encode_parameters, i_control, server_octets
from core.protocol.hdlc_link import HdlcLink
from core.protocol.mbus_session import MbusAddress, MbusProbe, MbusReadout
from core.protocol.mode_c import ReadoutSession
from core.protocol.programming_mode import ProgrammingSession
from core.protocol.session import NEED_DATA, Finished, Transmit
from core.protocol.telegram_session import TelegramSession

TURNS = 20_000
ANSWERS = 400
"""Answers that a session gets at most; then the line is silent, and it must end by itself."""


def _dlms() -> DlmsSession:
    session = DlmsSession(HdlcLink(server_octets(1)), Credentials(client=17, password=b"12345678"))
    session.open()
    return session


def _dlms_ciphered() -> DlmsSession:
    keys = Credentials(client=1, key=samples.KEY, auth_key=samples.AUTH_KEY)
    session = DlmsSession(HdlcLink(server_octets(1)), keys, challenge=bytes(16))
    session.open()
    return session


SESSIONS: dict[str, Callable[[], Any]] = {
    "readout-session": ReadoutSession,
    "telegram-session": TelegramSession,
    "programming-session": lambda: ProgrammingSession(password=b"12345678"),
    "mbus-readout": lambda: MbusReadout(MbusAddress(1), key=samples.KEY),
    "mbus-probe": lambda: MbusProbe(MbusAddress.parse("12345678")),
    "dlms-session": _dlms,
    "dlms-ciphered": _dlms_ciphered,
}


def run_session(session: Any, octets: bytes, random: Random) -> None:
    """Drive `session` until it has finished; `octets` and kin of them answer it."""
    now_s = 1.0
    answers = 0
    waits_for_asking = not isinstance(session, TelegramSession)
    if not waits_for_asking:
        session.receive_data(octets, now_s)
    for _turn in range(TURNS):
        event = session.next_event()
        if isinstance(event, Finished):
            if isinstance(session, DlmsSession) and event.error is None and answers < ANSWERS:
                session.get([Attribute(3, samples.CODE, 2), Attribute(3, samples.CODE, 3)])
                answers += 20
                continue
            return
        if isinstance(event, Transmit):
            session.receive_data(b"", now_s)
            if answers < ANSWERS:
                answer = _answer(event.data, octets, random)
                answers += 1
                for start in range(0, len(answer), 997):
                    now_s += 0.001
                    session.receive_data(answer[start : start + 997], now_s)
        elif event is NEED_DATA:
            if isinstance(session, ProgrammingSession) and session.is_idle and answers < ANSWERS:
                session.ask(random.choice(("R1", "R5", "R6")), "1.8.0()")
                answers += 20
                continue
            deadline_s = session.next_deadline()
            if deadline_s is None:
                return  # it listens, and nothing more comes
            now_s = max(now_s + 0.001, deadline_s)
            session.receive_data(b"", now_s)
    raise AssertionError(f"the session has not ended in {TURNS} turns")


def _answer(request: bytes, octets: bytes, random: Random) -> bytes:
    """What comes back: something sensible, altered octets, or nothing."""
    what = random.random()
    if what < 0.1:
        return b""
    if what < 0.4:
        return octets[:20_000]
    if request[:2] == b"/?":
        return b"/LGZ5\\2ZMD3104407\r\n"
    if request[:1] == b"\x06":
        if len(request) == 1:  # goes on with the next partial block
            return encode_block(octets[:3000], end=random.choice((3, 4)))
        return encode_command("P0", b"(12345678)") if request[3:4] == b"1" else octets[:20_000]
    if request[:2] == b"\x01P":
        return b"\x06"
    if request[:2] == b"\x01R":
        return encode_block(octets[:3000], end=random.choice((3, 4)))
    if request[:1] in (b"\x10", b"\x68"):
        return b"\xe5" if request[1:2] == b"\x40" or request[:1] == b"\x68" else octets[:20_000]
    if request[:1] == b"\x7e":
        return _hdlc(request, octets, random)
    return octets[:20_000]


def _hdlc(request: bytes, octets: bytes, random: Random) -> bytes:
    control = request[5]
    ends = {"destination": request[4:5], "source": request[3:4]}
    if control & 0xEF == 0x83:
        return encode_frame(encode_parameters(LinkParameters()), control=0x73, **ends)
    if control & 1:
        return encode_frame(b"", control=0x73 if control & 0xEF == 0x43 else 0x11, **ends)
    number = control >> 1 & 7
    message = octets[:120]
    if request[11:12] == b"\x60":
        message = encode_association_response(
            AssociationResponse(
                responding_title=samples.TITLE,
                authentication=bytes(range(16)) if random.random() < 0.5 else None,
                user_information=encode_initiate_response(InitiateResponse(conformance=0x1E5D, maximum_pdu=512)),
            )
        )
    elif random.random() < 0.5:
        message = b"\xc4\x01" + request[13:14] + b"\x00" + octets[:100]
    return encode_frame(
        b"\xe6\xe7\x00" + message, control=i_control(control >> 5, number + 1 & 7, is_final=True), **ends
    )
