"""Entry into DLMS by mode E of IEC 62056-21: sign on at 300 baud, agree on a speed, go on with HDLC (annex E).

`/?!`, the identification, then `ACK 2 Z 2`, which the meter confirms with the same octets. An optical head that echoes
gives one copy of its own first. A meter that does not confirm (some do it at the new speed already) is gone on with all
the same: whether HDLC answers shows it.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from core.errors import RemoteProtocolError, TransportError
from core.language import _
from core.protocol.data_sets import IDENTIFICATION, Identification, decode_identification
from core.protocol.link import LinkClosed, LinkReady
from core.protocol.session import NEED_DATA, NeedData, SetLine, Transmit

SIGN_ON_LINE = SetLine(300, 7, "E")
ANSWER_S = 1.9
"""1.5 s as the standard has it, and what adapter and operating system add."""
CONFIRM_S = 1.0
SETTLE_S = 0.1
"""Between the change of speed and the first frame."""
PAUSE_S = 2.0
ATTEMPTS = 2
NOISE_LIMIT = 512
_BAUDS = {"0": 300, "1": 600, "2": 1200, "3": 2400, "4": 4800, "5": 9600, "6": 19200}


class _State(Enum):
    SIGN_ON = "sign on"
    IDENTIFICATION = "identification"
    REACTION = "reaction"
    CONFIRMATION = "confirmation"
    SETTLING = "settling"
    ENDED = "ended"


class ModeEEntry:
    """One entry; LinkReady tells that HDLC can begin at the new speed, LinkClosed that nothing answered.

    `highest_baud` bounds the speed: what is known to work on this port.
    """

    def __init__(self, address: str = "", *, highest_baud: int = 19200) -> None:
        self._sign_on = b"/?" + address.encode("ascii", "replace")[:32] + b"!\r\n"
        self._highest = highest_baud
        self._events: deque[Transmit | SetLine | LinkReady | LinkClosed] = deque()
        self._buffer = bytearray()
        self._state = _State.SIGN_ON
        self._deadline_s: float | None = 0.0
        self._is_sent = False
        self._has_echo = False
        self._attempts = ATTEMPTS
        self._acknowledgement = b""
        self._baud = 300
        self.identification: Identification | None = None
        """Who answered, as soon as it has."""
        self.is_confirmed = False

    def receive_data(self, data: bytes, now_s: float) -> None:
        """Take octets of the line in, or let the time pass."""
        if self._is_sent:
            self._is_sent = False
            self._deadline_s = now_s + (ANSWER_S if self._state is _State.IDENTIFICATION else CONFIRM_S)
        if data:
            self._buffer += data
            if self._state is _State.IDENTIFICATION:
                self._look_for_identification(now_s)
            elif self._state is _State.CONFIRMATION:
                self._look_for_confirmation(now_s)
            if len(self._buffer) > NOISE_LIMIT:
                del self._buffer[:-NOISE_LIMIT]
        if self._deadline_s is not None and now_s >= self._deadline_s and not self._is_sent:
            self._pass_deadline(now_s)

    def next_event(self) -> Transmit | SetLine | LinkReady | LinkClosed | NeedData:
        """The next thing to do or to tell."""
        return self._events.popleft() if self._events else NEED_DATA

    def next_deadline(self) -> float | None:
        """When to call `receive_data(b"", now_s)`; at once (0) after a Transmit, to say that it has left the wire."""
        return 0.0 if self._is_sent else self._deadline_s

    def _send(self, data: bytes, state: _State) -> None:
        self._state = state
        self._buffer.clear()
        self._events.append(Transmit(data))
        self._is_sent = True

    def _pass_deadline(self, now_s: float) -> None:
        if self._state is _State.SIGN_ON:
            self._attempts -= 1
            self._events.append(SIGN_ON_LINE)
            self._send(self._sign_on, _State.IDENTIFICATION)
        elif self._state is _State.IDENTIFICATION:
            if self._attempts:
                self._state = _State.SIGN_ON
                self._deadline_s = now_s + PAUSE_S
            else:
                self._end(TransportError(_("no answer to /?! at 300 baud, and none to HDLC")))
        elif self._state is _State.REACTION:
            self._send(self._acknowledgement, _State.CONFIRMATION)
        elif self._state is _State.CONFIRMATION:
            self._switch(now_s)
        elif self._state is _State.SETTLING:
            self._state = _State.ENDED
            self._deadline_s = None
            self._events.append(LinkReady(0))

    def _look_for_identification(self, now_s: float) -> None:
        match = IDENTIFICATION.search(self._buffer)
        if match is None:
            return
        self._has_echo = self._buffer.find(self._sign_on, 0, match.start()) >= 0
        try:
            found = decode_identification(match.group())
        except RemoteProtocolError as error:
            self._end(error)
            return
        self.identification = found
        character = found.baud_character
        if character not in _BAUDS:
            self._end(
                RemoteProtocolError(
                    _("meter {meter} answers the sign-on, but cannot go on in DLMS (mode {mode})").format(
                        meter=found.text or found.manufacturer, mode=found.mode.value
                    )
                )
            )
            return
        while _BAUDS[character] > self._highest and character != "0":
            character = str(int(character) - 1)
        self._acknowledgement = b"\x062" + character.encode() + b"2\r\n"
        self._baud = _BAUDS[character]
        self._state = _State.REACTION
        self._deadline_s = now_s + found.reaction_s

    def _look_for_confirmation(self, now_s: float) -> None:
        wanted = 2 if self._has_echo else 1
        if self._buffer.count(self._acknowledgement) >= wanted:
            self.is_confirmed = True
            self._switch(now_s)

    def _switch(self, now_s: float) -> None:
        self._events.append(SetLine(self._baud, 8, "N"))
        self._state = _State.SETTLING
        self._deadline_s = now_s + SETTLE_S

    def _end(self, error: RemoteProtocolError | TransportError) -> None:
        self._state = _State.ENDED
        self._deadline_s = None
        self._events.append(LinkClosed(error))
