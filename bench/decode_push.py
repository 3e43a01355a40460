"""A push of 16 registers with their scalers and units, from the octets of its frame to readings.

The peer gives plain lists of numbers, ours readings with quantity, value, unit, quality and the measurement; both check
the frame. They take turns in one run, so that a slow moment of the machine hits both.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench import Row
from core.meter.readings import readings_of_push
from core.protocol.apdu import LLC_FROM_METER
from core.protocol.hdlc import encode_frame
from core.protocol.push import PushSession
from core.protocol.push_encoder import PushValue, clock_octets, encode_push
from core.protocol.session import Told

CODES = tuple(f"{c}.{rest}" for c in (1, 2, 3, 4) for rest in ("8.0", "8.1", "8.2", "7.0"))  # as in Styria
VALUES = [PushValue(f"1-0:{code}*255", 1000 * number, scaler=0, unit=30) for number, code in enumerate(CODES)]
KEY = bytes(range(16))
ROUNDS = 60
LOOPS = 25
GOAL = 8.0


def run() -> list[Row]:
    """Rows for a plain push beside dlms-cosem 21.3.2 and gurux-dlms, and for a ciphered one."""
    apdu = encode_push(VALUES, 2, transfer="none")
    frame = encode_frame(LLC_FROM_METER + apdu, destination=b"\x03", source=b"\x21")
    ciphered = encode_push(VALUES, 2, clock=clock_octets(0), key=KEY, auth_key=KEY)
    session = PushSession()  # one, as on a line
    rows = []
    for name, peer, is_goal, note in (
        ("dlms-cosem 21.3.2", _dlms_cosem(frame), True, ""),
        ("gurux-dlms", _gurux(apdu), False, "the peer is given the APDU, without frame and checks"),
    ):
        ours_s, peer_s = _in_turn(lambda: _ours(session, frame), peer)
        ratio = None if peer_s is None else peer_s / ours_s
        rows.append(
            Row(
                f"DLMS push of 16 entries, decoded; {name}",
                ours_s * 1e6,
                None if peer_s is None else peer_s * 1e6,
                ratio,
                "µs",
                f">= {GOAL:.0f}x" if is_goal else "-",
                None if ratio is None or not is_goal else ratio >= GOAL,
                note if peer_s is not None else f"{name} is not installed",
            )
        )
    keyed = PushSession(KEY, KEY, is_counter_checked=False)
    ours_s, _none = _in_turn(lambda: _ours(keyed, ciphered), None)
    rows.append(
        Row("DLMS push of 16 entries, ciphered, in blocks", ours_s * 1e6, None, None, "µs", "-", None, "tag verified")
    )
    return rows


def _ours(session: PushSession, data: bytes) -> None:
    session.receive_data(data, 0.0)
    event = session.next_event()
    assert isinstance(event, Told)
    readings = readings_of_push(event.telegram)  # type: ignore[arg-type]  # a push session tells push telegrams
    assert len(readings.readings) >= len(VALUES)


def _dlms_cosem(frame: bytes) -> Callable[[], None] | None:
    try:
        from dlms_cosem import utils
        from dlms_cosem.hdlc.frames import UnnumberedInformationFrame
        from dlms_cosem.protocol.xdlms.data_notification import DataNotification
    except ImportError:
        return None

    def decode() -> None:
        payload = UnnumberedInformationFrame.from_bytes(frame).payload
        values = utils.parse_as_dlms_data(DataNotification.from_bytes(payload[3:]).body)
        assert len(values) == len(VALUES)

    return decode


def _gurux(apdu: bytes) -> Callable[[], None] | None:
    try:
        from gurux_dlms import GXByteBuffer, GXDLMSClient, GXReplyData
        from gurux_dlms.enums import InterfaceType
    except ImportError:
        return None

    def decode() -> None:
        client = GXDLMSClient(True)
        client.interfaceType = InterfaceType.PDU
        reply, notification = GXReplyData(), GXReplyData()
        client.getData(GXByteBuffer(apdu), reply, notification)
        assert len(notification.value or reply.value) == len(VALUES)

    return decode


def _in_turn(ours: Callable[[], None], peer: Callable[[], None] | None) -> tuple[float, float | None]:
    """Best seconds a call of each, in turns."""
    best = [float("inf"), float("inf")]
    for _round in range(ROUNDS):
        for number, work in enumerate((ours, peer)):
            if work is None:
                continue
            start = time.perf_counter()
            for _loop in range(LOOPS):
                work()
            best[number] = min(best[number], (time.perf_counter() - start) / LOOPS)
    return best[0], None if peer is None else best[1]
