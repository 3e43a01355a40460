"""Signing on at a meter of IEC 62056-21 (modes A, B, C and E), up to where its data begin, without I/O.

Sign on at 300 baud; the meter says who it is and which speed it can; acknowledge with what is wanted of it, change the
speed once the acknowledgement has left the wire. After a failure there are 2 s of silence and all begins again at
300 baud, more carefully each time: with the octets that wake a sleeping meter where nothing answered, at 300 baud
(Z = 0) and then at a lower speed where the meter proposed one and did not follow.
"""

from __future__ import annotations

import re
from collections import deque
from enum import Enum

from core.errors import BeffroiError, RemoteProtocolError, TransportError
from core.language import _
from core.protocol.data_sets import Identification, Mode, decode_identification
from core.protocol.session import NEED_DATA, Event, Finished, NeedData, Rejected, SetLine, Transmit

ANSWER_S = 1.5
"""The meter answers, and goes on, within this time (IEC 62056-21, 6.4.3)."""
SLACK_S = 0.4
"""What an adapter and an operating system may add to it."""
PAUSE_S = 2.0
"""Silence before the next attempt."""
DRIP_S = 30.0
DRIP_OCTETS_S = 3.0
"""An answer that after so many seconds has come at fewer octets a second, a tenth of 300 baud, gets no more time."""
WAKE_UP = b"\x00" * 66
"""Octets for 2.2 s at 300 baud, that wake a battery-powered meter (IEC 62056-21, annex B)."""
WAKE_UP_PAUSE_S = 1.6

SIGN_ON_LINE = SetLine(300, 7, "E")
NOISE_LIMIT = 512
"""Octets that are no answer before it is called noise."""
REPEATS = 3
"""Times that a broken message is asked for again."""

_IDENTIFICATION = re.compile(rb"/[A-Za-z]{3}[^\r\n]{1,80}\r?\n")
_BAUDS = (300, 600, 1200, 2400, 4800, 9600, 19200)


class State(Enum):
    """Where a session stands."""

    SIGN_ON = "sign on"
    WAKING = "waking"
    IDENTIFICATION = "identification"
    REACTION = "reaction"
    DATA = "data"
    PAUSE = "pause"
    ENDED = "ended"


class SignOnSession:
    """What every dialogue of a signed-on meter begins with; `_receive_message` is what comes behind.

    `address` is the meter's address on a shared line (up to 32 characters). `highest_baud` bounds the speed that
    is acknowledged: what is known to work on this port. `attempts` is how often to sign on in all.
    """

    _option = b"0"
    """Y of the acknowledgement: 0 a data readout, 1 the programming mode."""

    def __init__(self, address: str = "", *, highest_baud: int = 19200, attempts: int = 4) -> None:
        self._sign_on = b"/?" + address.encode("ascii", "replace")[:32] + b"!\r\n"
        self._highest = highest_baud
        self._attempts = attempts
        self._events: deque[Event] = deque()
        self._buffer = bytearray()
        self._echo = b""
        self._is_sent = False
        self._deadline_s: float | None = 0.0
        self._state = State.SIGN_ON
        self._is_waking = False
        self._came = 0
        self._came_since_s: float | None = None
        self._steps: list[int] = []
        self._baud = 300
        self.identification: Identification | None = None
        """Who answered, as soon as it has."""

    @property
    def baud(self) -> int:
        """Speed of the meter's data: what worked, once `Finished` came without error."""
        return self._baud

    def receive_data(self, data: bytes, now_s: float) -> None:
        """Take octets of the line in, or let the time pass."""
        if self._state is State.ENDED:
            return
        if self._is_sent:
            # what was to be sent has left the wire now: the meter's time to answer begins
            self._is_sent = False
            self._deadline_s = now_s + (WAKE_UP_PAUSE_S if self._state is State.WAKING else ANSWER_S + SLACK_S)
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

    def _begin_again(self) -> None:
        """Forget what an earlier attempt brought."""

    def _receive_message(self, now_s: float) -> None:
        """Look at what has come behind the acknowledgement."""
        raise NotImplementedError

    def _pass_message_deadline(self, now_s: float) -> None:
        """Nothing came in time behind the acknowledgement."""
        self._fail(self._no_data(), now_s)

    def _send(self, data: bytes) -> None:
        self._events.append(Transmit(data))
        self._came, self._came_since_s = 0, None
        self._echo = data
        self._is_sent = True

    def _pass_deadline(self, now_s: float) -> None:
        state = self._state
        if state in (State.SIGN_ON, State.PAUSE):
            self._begin()
        elif state is State.WAKING:
            self._state = State.IDENTIFICATION
            self._send(self._sign_on)
        elif state is State.REACTION:
            self._acknowledge()
        elif state is State.IDENTIFICATION:
            self._fail(self._no_identification(), now_s)
        elif state is State.DATA:
            self._pass_message_deadline(now_s)

    def _begin(self) -> None:
        self._attempts -= 1
        self._buffer.clear()
        self._begin_again()
        self._events.append(SIGN_ON_LINE)
        if self._is_waking:
            self._state = State.WAKING
            self._send(WAKE_UP)
        else:
            self._state = State.IDENTIFICATION
            self._send(self._sign_on)

    def _acknowledge(self) -> None:
        identification = self.identification
        assert identification is not None  # only an identification leads here
        self._baud = self._steps[0]
        self._state = State.DATA
        self._send(b"\x060%d%b\r\n" % (_BAUDS.index(self._baud), self._option))
        if self._baud != 300:
            self._events.append(SetLine(self._baud, 7, "E"))

    def _receive_octets(self, data: bytes, now_s: float) -> None:
        self._buffer += data
        self._came += len(data)
        if self._came_since_s is None:
            self._came_since_s = now_s
        if self._echo and not self._without_echo():
            return
        if self._state is State.IDENTIFICATION:
            self._receive_identification(now_s)
        elif self._state is State.DATA:
            if not self._is_sent and self._deadline_s is not None and not self._is_dripping(now_s):
                self._deadline_s = now_s + ANSWER_S + SLACK_S
            self._receive_message(now_s)
        else:
            self._buffer.clear()  # nothing is expected: the tail of what failed, or noise

    def _is_dripping(self, now_s: float) -> bool:
        """True for a meter that would never come to an end: each octet in time, and all of them far too slow."""
        took_s = now_s - (self._came_since_s or 0.0)
        return took_s > DRIP_S and self._came < DRIP_OCTETS_S * took_s

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
            elif not self._is_sent and not self._is_dripping(now_s):
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
            self._receive_unasked(identification, now_s)
            return
        if not self._steps:
            self._steps = self._ladder(identification.baud)
        self._state = State.REACTION
        self._deadline_s = now_s + identification.reaction_s

    def _receive_unasked(self, identification: Identification, now_s: float) -> None:
        """Meters of modes A and B send by themselves; mode B changes the speed at once."""
        self._state = State.DATA
        self._baud = identification.baud
        self._deadline_s = now_s + ANSWER_S + SLACK_S
        if self._baud != 300:
            self._events.append(SetLine(self._baud, 7, "E"))
        if self._buffer:
            self._receive_message(now_s)

    def _ladder(self, proposed: int) -> list[int]:
        """Speeds to try in turn: the one proposed, 300 (which needs no change), then lower ones."""
        speeds = [baud for baud in reversed(_BAUDS) if baud <= min(proposed, self._highest)] or [300]
        return speeds if len(speeds) == 1 else [speeds[0], 300, *speeds[1:-1]]

    def _fail(self, error: BeffroiError, now_s: float) -> None:
        if self._attempts <= 0:
            self._finish(error)
            return
        self._events.append(Rejected(error))
        if self._state is State.DATA and len(self._steps) > 1:
            del self._steps[0]
        self._is_waking = self._state is State.IDENTIFICATION and not self._buffer and not self._is_waking
        self._buffer.clear()
        self._echo = b""
        self._is_sent = False
        self._state = State.PAUSE
        self._deadline_s = now_s + PAUSE_S

    def _finish(self, error: BeffroiError | None) -> None:
        self._state = State.ENDED
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
