"""The client's end of HDLC in connected mode: the primary station of the normal response mode (IEC 62056-46).

The meter speaks only when it is polled. What is lost is asked for again: after silence, or after a frame whose check
failed and a short pause, the last frames that were not acknowledged are sent again (a meter that has them already sends
its answer again), or RR where a part of the answer is there. Frames that came twice, of other stations and echoes of
an optical head are passed over.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from core.errors import BeffroiError, RemoteProtocolError, TransportError
from core.language import _
from core.protocol.apdu import LLC_FROM_METER, LLC_TO_METER
from core.protocol.hdlc import MAXIMUM_LENGTH, HdlcFrame, HdlcReader, encode_frame
from core.protocol.hdlc_control import (
    DISC,
    DM,
    FINAL,
    FRMR,
    LONGEST_INFORMATION,
    REJ,
    RR,
    SNRM,
    UA,
    WIDEST_WINDOW,
    LinkParameters,
    client_octets,
    decode_parameters,
    encode_parameters,
    s_control,
)
from core.protocol.hdlc_window import SendWindow
from core.protocol.link import LinkClosed, LinkEvent, LinkMessage, LinkReady
from core.protocol.session import NEED_DATA, NeedData, Rejected, Transmit

ANSWER_S = 2.5
"""A meter begins to answer within this time; the clock begins when all has left the wire."""
CONNECT_S = 1.5
DISCONNECT_S = 0.5
INSIDE_S = 1.0
"""Silence inside a frame that has begun, or between two frames of one window."""
LONGEST_FRAME_S = 75.0
"""Octets that go on and on are waited for so long at most: 2,047 of them at 300 baud."""
DAMAGED_S = 0.2
"""After a broken frame the line must be silent for this time before anything is asked again."""
BUSY_S = 0.15
"""Between two polls of a meter that is not ready."""
ATTEMPTS = 3
BUSY_POLLS = 100
NOISE_LIMIT = 1 << 14
"""Octets that belong to no frame, in one exchange, before the line is given up."""
MAXIMUM_MESSAGE = (1 << 16) + 64


class _State(Enum):
    CLOSED = "closed"
    CONNECTING = "connecting"
    IDLE = "idle"
    WAITING = "waiting"
    DISCONNECTING = "disconnecting"


class HdlcLink:
    """A connection with the meter whose address octets are `server`; `proposed` is what SNRM proposes.

    The last attempt to connect proposes nothing, as meters ask that know no parameters. `answer_s` is how long the
    meter may think.
    """

    has_connection = True

    def __init__(
        self,
        server: bytes,
        *,
        proposed: LinkParameters | None = None,
        answer_s: float = ANSWER_S,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._server = server
        self._proposed = proposed or LinkParameters(
            transmit=LONGEST_INFORMATION, receive=LONGEST_INFORMATION, receive_window=WIDEST_WINDOW
        )
        self._answer_s = answer_s
        self._attempts = attempts
        self._reader = HdlcReader()
        self._events: deque[LinkEvent] = deque()
        self._state = _State.CLOSED
        self._client = 16
        self._own = client_octets(16)
        self._deadline_s: float | None = None
        self._latest_s = 0.0
        self._is_sent = False
        self._window = SendWindow(self._own, server)
        self._receive_state = 0
        self._answer = bytearray()
        self._tries = 0
        self._polls = 0
        self._is_polling = False
        self._is_damaged = False
        self._noise = 0
        self._is_progressing = False
        self._is_final = True
        self.parameters = LinkParameters()
        """What holds on this connection, as seen from here."""

    def connect(self, client: int) -> None:
        """Send SNRM as `client`."""
        self._client = client
        self._own = client_octets(client)
        self._reset()
        self._state = _State.CONNECTING
        self._tries = 1
        self._send_frame(SNRM | FINAL, encode_parameters(self._proposed))

    def send(self, content: bytes) -> None:
        """Send `content` in as many frames as it takes."""
        self._reader.drop()
        self._window.load(LLC_TO_METER + content, self.parameters.transmit)
        self._answer.clear()
        self._begin_waiting()
        self._send_window()

    def await_more(self) -> None:
        """Poll for another message, or wait for it where the meter has not ended yet."""
        self._begin_waiting()
        if self._is_final:
            self._poll()
        else:
            self._is_sent = True

    def disconnect(self) -> None:
        """Send DISC, once: a meter that does not answer forgets the connection by itself."""
        if self._state is _State.CLOSED:
            self._events.append(LinkClosed())
            return
        self._events.clear()
        self._reader.drop()
        self._state = _State.DISCONNECTING
        self._send_frame(DISC | FINAL, b"")

    def receive_data(self, data: bytes, now_s: float) -> None:
        """Take octets of the line in, or let the time pass."""
        if self._is_sent:
            self._is_sent = False
            self._deadline_s = now_s + self._patience_s()
            self._latest_s = now_s + LONGEST_FRAME_S
        if data or self._reader.waiting:
            self._receive_octets(data, now_s)
        if self._deadline_s is not None and now_s >= self._deadline_s and not self._is_sent:
            self._pass_deadline()

    def next_event(self) -> LinkEvent | NeedData:
        """The next thing to do or to tell."""
        return self._events.popleft() if self._events else NEED_DATA

    def next_deadline(self) -> float | None:
        """When to call `receive_data(b"", now_s)`; at once (0) after a Transmit, to say that it has left the wire."""
        return 0.0 if self._is_sent else self._deadline_s

    def _reset(self) -> None:
        self._reader.drop()
        self._events.clear()
        self._window = SendWindow(self._own, self._server)
        self._answer.clear()
        self._receive_state = 0
        self._polls = self._noise = 0
        self._is_damaged = self._is_polling = False
        self.parameters = LinkParameters()

    def _begin_waiting(self) -> None:
        self._state = _State.WAITING
        self._tries = 1
        self._polls = self._noise = 0
        self._is_damaged = self._is_polling = self._is_progressing = False

    def _patience_s(self) -> float:
        if self._state is _State.CONNECTING:
            return CONNECT_S
        return DISCONNECT_S if self._state is _State.DISCONNECTING else self._answer_s

    def _send_frame(self, control: int, information: bytes) -> None:
        self._transmit(encode_frame(information, destination=self._server, source=self._own, control=control))

    def _send_window(self) -> None:
        """Send as many frames as the meter takes before it acknowledges, the last one with its poll bit."""
        self._transmit(self._window.frames(self.parameters.transmit_window, self._receive_state))

    def _send_again(self) -> None:
        """What the meter has not acknowledged, else a poll for what it has to say."""
        if self._window.is_acknowledged or self._is_progressing:
            self._poll()
        else:
            self._transmit(self._window.frames_again(self._receive_state))

    def _transmit(self, octets: bytes) -> None:
        self._events.append(Transmit(octets))
        self._is_sent = True

    def _poll(self) -> None:
        self._is_polling = False
        self._send_frame(s_control(RR, self._receive_state), b"")

    def _receive_octets(self, data: bytes, now_s: float) -> None:
        self._reader.receive_data(data)
        before = self._reader.skipped
        while self._state not in (_State.CLOSED, _State.IDLE):
            try:
                frame = self._reader.next_frame()
            except RemoteProtocolError as error:
                self._events.append(Rejected(error))
                self._is_damaged = True
                continue
            if frame is None:
                break
            self._receive_frame(frame, now_s)
        self._noise += self._reader.skipped - before
        if self._state in (_State.CLOSED, _State.IDLE):
            if self._reader.waiting > MAXIMUM_LENGTH:
                self._reader.drop()
            return
        if self._noise > NOISE_LIMIT:
            self._close(RemoteProtocolError(_("{count} octets came that belong to no frame").format(count=self._noise)))
        elif self._is_sent or self._is_polling:
            pass
        elif data and self._is_damaged:
            self._deadline_s = min(now_s + DAMAGED_S, self._latest_s)
        elif data and self._reader.waiting and self._deadline_s is not None:
            self._deadline_s = min(max(self._deadline_s, now_s + INSIDE_S), self._latest_s)

    def _receive_frame(self, frame: HdlcFrame, now_s: float) -> None:
        if frame.destination != self._own or frame.source != self._server:
            return  # an echo of our own, or somebody else's
        kind = frame.control & ~FINAL
        if self._state is _State.CONNECTING:
            self._receive_connecting(kind, frame)
        elif self._state is _State.DISCONNECTING:
            if kind in (UA, DM):
                self._close(None)
        elif self._state is _State.WAITING:
            if kind == DM:
                self._close(RemoteProtocolError(_("the meter has ended the connection")))
            elif kind == FRMR:
                self._close(
                    RemoteProtocolError(
                        _("the meter rejects a frame ({octets})").format(octets=frame.information[:8].hex(" "))
                    )
                )
            elif kind & 0x01 == 0:
                self._receive_information(frame, now_s)
            elif kind & 0x03 == 0x01:
                self._receive_supervision(kind, now_s)

    def _receive_connecting(self, kind: int, frame: HdlcFrame) -> None:
        if kind == DM and self._tries < self._attempts:
            self._tries = self._attempts  # it may be the parameters that it does not take
            self._send_frame(SNRM | FINAL, b"")
        elif kind == DM:
            self._close(
                RemoteProtocolError(
                    _("the meter refuses the connection; is {client} a client that it knows?").format(
                        client=self._client
                    )
                )
            )
        elif kind == UA:
            try:
                granted = decode_parameters(frame.information)
            except RemoteProtocolError as error:
                self._close(error)
                return
            self.parameters = LinkParameters(
                transmit=min(self._proposed.transmit, granted.receive),
                receive=granted.transmit,
                transmit_window=min(self._proposed.transmit_window, granted.receive_window),
                receive_window=granted.transmit_window,
            )
            self._state = _State.IDLE
            self._deadline_s = None
            self._events.append(LinkReady(self._client))

    def _receive_information(self, frame: HdlcFrame, now_s: float) -> None:
        control = frame.control
        is_final = control & FINAL != 0
        ahead = ((control >> 1) - self._receive_state) & 7
        if ahead:
            # one before it was lost: say which one is due, once the meter has ended; one that came twice says nothing
            if is_final and ahead < self.parameters.receive_window:
                self._is_progressing = True
                self._try_again()
            return
        self._is_damaged = False
        self._is_final = is_final
        self._window.acknowledge(control >> 5)
        self._receive_state = (self._receive_state + 1) % 8
        self._is_progressing = True
        self._tries = 1
        self._polls = 0
        self._answer += frame.information
        if len(self._answer) > MAXIMUM_MESSAGE:
            self._close(RemoteProtocolError(_("a message is longer than {count} octets").format(count=MAXIMUM_MESSAGE)))
        elif not frame.is_segmented:
            self._deliver()
        elif is_final:
            self._poll()
        else:
            self._deadline_s = now_s + INSIDE_S
            self._latest_s = now_s + LONGEST_FRAME_S

    def _receive_supervision(self, kind: int, now_s: float) -> None:
        self._window.acknowledge(kind >> 5)
        self._is_damaged = False
        if kind & 0x0F == REJ:
            self._is_progressing = False
            self._try_again()
        elif not self._window.is_acknowledged:
            # not received, or an acknowledgement that came twice: the next moment tells
            self._is_progressing = False
            self._deadline_s = min(now_s + DAMAGED_S, self._deadline_s or now_s)
        elif self._window.has_more and kind & 0x0F == RR:
            self._tries = 1
            self._send_window()
        else:
            self._polls += 1
            if self._polls > BUSY_POLLS:
                self._close(TransportError(_("the meter stays busy and does not answer")))
                return
            self._is_polling = True
            self._deadline_s = now_s + BUSY_S

    def _deliver(self) -> None:
        message = bytes(self._answer)
        self._answer.clear()
        self._window.forget()
        self._state = _State.IDLE
        self._deadline_s = None
        if message[:3] != LLC_FROM_METER:
            self._events.append(
                Rejected(
                    RemoteProtocolError(
                        _("a message begins with {octets} where {wanted} is due").format(
                            octets=message[:3].hex(" "), wanted=LLC_FROM_METER.hex(" ")
                        )
                    )
                )
            )
            self.await_more()
            return
        self._events.append(LinkMessage(message[3:], self._client))

    def _pass_deadline(self) -> None:
        if self._state is _State.DISCONNECTING:
            self._close(None)
        elif self._state is _State.CONNECTING:
            self._tries += 1
            self._reader.drop()
            if self._tries > self._attempts:
                self._close(self._silence())
            else:
                proposed = b"" if self._tries == self._attempts else encode_parameters(self._proposed)
                self._send_frame(SNRM | FINAL, proposed)
        elif self._state is _State.WAITING:
            if self._is_polling:
                self._poll()
            else:
                self._reader.drop()
                self._try_again()

    def _try_again(self) -> None:
        self._tries += 1
        self._is_damaged = False
        if self._tries > self._attempts:
            self._close(self._silence())
        else:
            self._send_again()

    def _silence(self) -> BeffroiError:
        if self._noise or self._answer:
            return TransportError(
                _("the meter's answer broke off after {count} octets, {attempts} times").format(
                    count=len(self._answer), attempts=self._attempts
                )
            )
        return TransportError(_("the meter does not answer ({attempts} attempts)").format(attempts=self._attempts))

    def _close(self, error: BeffroiError | None) -> None:
        self._state = _State.CLOSED
        self._deadline_s = None
        self._is_sent = False
        self._reader.drop()
        self._window.forget()
        self._answer.clear()
        self._events.append(LinkClosed(error))
