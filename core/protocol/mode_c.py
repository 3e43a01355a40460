"""Data readout of a meter that answers a sign-on (IEC 62056-21 modes A, B, C and E), as a session without I/O.

Sign on at 300 baud; the meter says who it is and which speed it can; acknowledge, change the speed once the
acknowledgement has left the wire, and take one data message whose block check holds. After a failure there are 2 s
of silence and all begins again at 300 baud, more carefully each time: with the octets that wake a sleeping meter
where nothing answered, at 300 baud (Z = 0) and then at a lower speed where the meter proposed one and did not follow.
"""

from __future__ import annotations

import re
from collections import deque
from enum import Enum

from core.errors import BeffroiError, RemoteProtocolError, TransportError
from core.language import _
from core.protocol.data_sets import (
    BLOCK_LIMIT,
    EOT,
    Check,
    DataSet,
    Identification,
    Mode,
    Telegram,
    check_block,
    decode_block,
    decode_identification,
    encode_command,
)
from core.protocol.session import NEED_DATA, Event, Finished, NeedData, Rejected, SetLine, Told, Transmit

ANSWER_S = 1.5
"""The meter answers, and goes on, within this time (IEC 62056-21, 6.4.3)."""
SLACK_S = 0.4
"""What an adapter and an operating system may add to it."""
PAUSE_S = 2.0
"""Silence before the next attempt."""
WAKE_UP = b"\x00" * 66
"""Octets for 2.2 s at 300 baud, that wake a battery-powered meter (IEC 62056-21, annex B)."""
WAKE_UP_PAUSE_S = 1.6

SIGN_ON_LINE = SetLine(300, 7, "E")
NOISE_LIMIT = 512
"""Octets that are no answer before it is called noise."""
REPEATS = 3
"""Times that a partial block is asked for again."""

_IDENTIFICATION = re.compile(rb"/[A-Za-z]{3}[^\r\n]{1,80}\r?\n")
_END_OF_BLOCK = re.compile(rb"[\x03\x04]")
_BAUDS = (300, 600, 1200, 2400, 4800, 9600, 19200)


class _State(Enum):
    SIGN_ON = "sign on"
    WAKING = "waking"
    IDENTIFICATION = "identification"
    REACTION = "reaction"
    DATA = "data"
    PAUSE = "pause"
    ENDED = "ended"


class ReadoutSession:
    """One readout: `Told` carries the Telegram, `Rejected` why an attempt failed, then `Finished`.

    `address` is the meter's address on a shared line (up to 32 characters). `highest_baud` bounds the speed that
    is acknowledged: what is known to work on this port. `attempts` is how often to sign on in all.
    """

    def __init__(self, address: str = "", *, highest_baud: int = 19200, attempts: int = 4) -> None:
        self._sign_on = b"/?" + address.encode("ascii", "replace")[:32] + b"!\r\n"
        self._highest = highest_baud
        self._attempts = attempts
        self._events: deque[Event] = deque()
        self._buffer = bytearray()
        self._searched = 0
        self._echo = b""
        self._is_sent = False
        self._deadline_s: float | None = 0.0
        self._state = _State.SIGN_ON
        self._data_sets: list[DataSet] = []
        self._repeats = 0
        self._is_waking = False
        self._steps: list[int] = []
        self._baud = 300
        self.identification: Identification | None = None
        """Who answered, as soon as it has."""

    @property
    def baud(self) -> int:
        """Speed of the data message: what worked, once `Finished` came without error."""
        return self._baud

    def receive_data(self, data: bytes, now_s: float) -> None:
        """Take octets of the line in, or let the time pass."""
        if self._state is _State.ENDED:
            return
        if self._is_sent:
            # what was to be sent has left the wire now: the meter's time to answer begins
            self._is_sent = False
            self._deadline_s = now_s + (WAKE_UP_PAUSE_S if self._state is _State.WAKING else ANSWER_S + SLACK_S)
        if data:
            self._receive_octets(data, now_s)
        if self._deadline_s is not None and now_s >= self._deadline_s and not self._is_sent:
            self._pass_deadline(now_s)

    def next_event(self) -> Event | NeedData:
        """The next thing to do or to tell."""
        return self._events.popleft() if self._events else NEED_DATA

    def next_deadline(self) -> float | None:
        """When to call `receive_data(b"", now_s)`; at once (0) after a Transmit, to say that it has left the wire."""
        return 0.0 if self._is_sent else self._deadline_s

    def _send(self, data: bytes) -> None:
        self._events.append(Transmit(data))
        self._echo = data
        self._is_sent = True

    def _pass_deadline(self, now_s: float) -> None:
        state = self._state
        if state in (_State.SIGN_ON, _State.PAUSE):
            self._begin()
        elif state is _State.WAKING:
            self._state = _State.IDENTIFICATION
            self._send(self._sign_on)
        elif state is _State.REACTION:
            self._acknowledge()
        elif state is _State.IDENTIFICATION:
            self._fail(self._no_identification(), now_s)
        elif state is _State.DATA:
            self._fail(self._no_data(), now_s)

    def _begin(self) -> None:
        self._attempts -= 1
        self._buffer.clear()
        self._searched = 0
        self._data_sets.clear()
        self._repeats = 0
        self._events.append(SIGN_ON_LINE)
        if self._is_waking:
            self._state = _State.WAKING
            self._send(WAKE_UP)
        else:
            self._state = _State.IDENTIFICATION
            self._send(self._sign_on)

    def _acknowledge(self) -> None:
        identification = self.identification
        assert identification is not None  # only an identification leads here
        self._baud = self._steps[0]
        self._state = _State.DATA
        self._send(b"\x060%d0\r\n" % _BAUDS.index(self._baud))
        if self._baud != 300:
            self._events.append(SetLine(self._baud, 7, "E"))

    def _receive_octets(self, data: bytes, now_s: float) -> None:
        self._buffer += data
        if self._echo and not self._without_echo():
            return
        if self._state is _State.IDENTIFICATION:
            self._receive_identification(now_s)
        elif self._state is _State.DATA:
            if not self._is_sent:
                self._deadline_s = now_s + ANSWER_S + SLACK_S
            self._receive_data_message(now_s)
        else:
            self._buffer.clear()  # nothing is expected: the tail of what failed, or noise

    def _without_echo(self) -> bool:
        """Take an optical head's echo out, exactly the octets sent; False while it may still be one."""
        size = min(len(self._buffer), len(self._echo))
        if self._buffer[:size] != self._echo[:size]:
            self._echo = b""  # an answer, that may begin like the echo does
            return True
        if size < len(self._echo):
            return False
        del self._buffer[:size]
        self._echo = b""
        return True

    def _receive_identification(self, now_s: float) -> None:
        match = _IDENTIFICATION.search(self._buffer)
        if match is None:
            if len(self._buffer) > NOISE_LIMIT:
                self._fail(self._no_identification(), now_s)
            elif not self._is_sent:
                self._deadline_s = now_s + ANSWER_S + SLACK_S
            return
        line = bytes(match[0])
        del self._buffer[: match.end()]
        try:
            self.identification = identification = decode_identification(line)
        except RemoteProtocolError as error:
            self._fail(error, now_s)
            return
        if identification.mode in (Mode.A, Mode.B):
            # these send by themselves; mode B changes the speed at once
            self._state = _State.DATA
            self._baud = identification.baud
            self._deadline_s = now_s + ANSWER_S + SLACK_S
            if self._baud != 300:
                self._events.append(SetLine(self._baud, 7, "E"))
            return
        if not self._steps:
            self._steps = self._ladder(identification.baud)
        self._state = _State.REACTION
        self._deadline_s = now_s + identification.reaction_s

    def _ladder(self, proposed: int) -> list[int]:
        """Speeds to try in turn: the one proposed, 300 (which needs no change), then lower ones."""
        speeds = [baud for baud in reversed(_BAUDS) if baud <= min(proposed, self._highest)]
        return speeds if len(speeds) == 1 else [speeds[0], 300, *speeds[1:-1]]

    def _receive_data_message(self, now_s: float) -> None:
        start = self._buffer.find(b"\x02")
        if start < 0:
            if len(self._buffer) > NOISE_LIMIT:
                self._fail(self._no_data(), now_s)
            return
        if start:
            del self._buffer[:start]
            self._searched = 0
        found = _END_OF_BLOCK.search(self._buffer, self._searched)
        end = -1 if found is None else found.start()
        self._searched = len(self._buffer) if found is None else 0
        if end < 0 or len(self._buffer) < end + 2:
            if len(self._buffer) > BLOCK_LIMIT:
                self._fail(
                    RemoteProtocolError(_("a data block is longer than {count} octets").format(count=BLOCK_LIMIT)),
                    now_s,
                )
            return
        block = bytes(self._buffer[: end + 2])
        del self._buffer[: end + 2]
        self._receive_block(block, now_s)

    def _receive_block(self, block: bytes, now_s: float) -> None:
        try:
            check_block(block)
            found = decode_block(block, self.identification)
        except RemoteProtocolError as error:
            is_partial = block[-2] == EOT or bool(self._data_sets)
            if is_partial and self._repeats < REPEATS:
                self._repeats += 1
                self._events.append(Rejected(error))
                self._send(b"\x15")
            else:
                self._fail(error, now_s)
            return
        self._data_sets += found.data_sets
        if found.is_partial:
            self._repeats = 0
            if len(self._data_sets) > BLOCK_LIMIT // 4:
                self._fail(RemoteProtocolError(_("the readout does not come to an end")), now_s)
            else:
                self._send(b"\x06")
            return
        self._events.append(
            Told(
                Telegram(
                    identification=self.identification,
                    data_sets=tuple(self._data_sets),
                    check=Check.BCC,
                    mode=found.mode,
                )
            )
        )
        if found.mode in (Mode.C, Mode.E):
            self._events.append(Transmit(encode_command("B0")))
        self._finish(None)

    def _fail(self, error: BeffroiError, now_s: float) -> None:
        if self._attempts <= 0:
            self._finish(error)
            return
        self._events.append(Rejected(error))
        if self._state is _State.DATA and len(self._steps) > 1:
            del self._steps[0]
        self._is_waking = self._state is _State.IDENTIFICATION and not self._buffer and not self._is_waking
        self._buffer.clear()
        self._echo = b""
        self._is_sent = False
        self._state = _State.PAUSE
        self._deadline_s = now_s + PAUSE_S

    def _finish(self, error: BeffroiError | None) -> None:
        self._state = _State.ENDED
        self._deadline_s = None
        self._is_sent = False
        self._events.append(Finished(error))

    def _no_identification(self) -> BeffroiError:
        if self._buffer:
            return RemoteProtocolError(
                _("{count} octets came at 300 baud, and no identification among them").format(count=len(self._buffer))
            )
        return TransportError(_("nothing answers the sign-on /?! at 300 baud"))

    def _no_data(self) -> BeffroiError:
        if self._buffer:
            return RemoteProtocolError(
                _("the data message broke off at {baud} baud after {count} octets").format(
                    baud=self._baud, count=len(self._buffer)
                )
            )
        return TransportError(
            _("the meter answered the sign-on, and sent no data at {baud} baud").format(baud=self._baud)
        )
