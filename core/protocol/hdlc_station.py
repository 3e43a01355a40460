"""The meter's end of HDLC in connected mode: the secondary station, for virtual meters and tests (IEC 62056-46).

It speaks only when polled, sends again what a poll or a repeated frame does not acknowledge, and takes one client at a
time; a SNRM of another client takes its place.
"""

from __future__ import annotations

from collections import deque

from core.errors import RemoteProtocolError
from core.language import _
from core.protocol.apdu import LLC_FROM_METER, LLC_TO_METER
from core.protocol.hdlc import HdlcFrame, HdlcReader, encode_frame
from core.protocol.hdlc_control import (
    DISC,
    DM,
    FINAL,
    RR,
    SNRM,
    UA,
    LinkParameters,
    address_of,
    decode_parameters,
    encode_parameters,
    s_control,
)
from core.protocol.hdlc_window import SendWindow
from core.protocol.link import LinkClosed, LinkEvent, LinkMessage, LinkReady
from core.protocol.session import NEED_DATA, NeedData, Rejected, Transmit

MAXIMUM_MESSAGE = (1 << 16) + 64


class HdlcStation:
    """A meter whose address octets are `server`; `limits` is the most that it grants (as seen from the meter).

    LinkReady, LinkMessage and LinkClosed come as clients come, ask and go; `reply` answers a message.
    """

    def __init__(self, server: bytes, *, limits: LinkParameters | None = None) -> None:
        self._server = server
        self._limits = limits or LinkParameters()
        self._reader = HdlcReader()
        self._events: deque[LinkEvent] = deque()
        self._client: bytes | None = None
        self._window = SendWindow(server, b"")
        self._receive_state = 0
        self._question = bytearray()
        self.parameters = self._limits

    @property
    def client(self) -> int | None:
        """Address of the client that is connected."""
        return None if self._client is None else address_of(self._client)

    def reply(self, content: bytes) -> None:
        """Answer the message that came last."""
        self._window.load(LLC_FROM_METER + content, self.parameters.transmit)
        self._send_window()

    def receive_data(self, data: bytes, now_s: float = 0.0) -> None:
        """Take octets of the line in."""
        self._reader.receive_data(data)
        while True:
            try:
                frame = self._reader.next_frame()
            except RemoteProtocolError as error:
                self._events.append(Rejected(error))
                continue
            if frame is None:
                return
            if frame.destination == self._server:
                self._receive_frame(frame)

    def next_event(self) -> LinkEvent | NeedData:
        """The next thing to do or to tell."""
        return self._events.popleft() if self._events else NEED_DATA

    def next_deadline(self) -> float | None:
        """A station waits for its client, for ever."""
        return None

    def _receive_frame(self, frame: HdlcFrame) -> None:
        kind = frame.control & ~FINAL
        if kind == SNRM:
            self._connect(frame)
        elif kind == DISC:
            is_ours = frame.source == self._client
            self._send(UA | FINAL if is_ours else DM | FINAL, to=frame.source)
            if is_ours:
                self._client = None
                self._events.append(LinkClosed())
        elif frame.source != self._client:
            if frame.control & FINAL:
                self._send(DM | FINAL, to=frame.source)
        elif kind & 0x01 == 0:
            self._receive_information(frame)
        elif kind & 0x0F == RR:
            self._window.acknowledge(kind >> 5)
            self._answer_poll()

    def _connect(self, frame: HdlcFrame) -> None:
        try:
            wanted = decode_parameters(frame.information)
        except RemoteProtocolError as error:
            self._events.append(Rejected(error))
            return
        limits = self._limits
        self.parameters = LinkParameters(
            transmit=min(limits.transmit, wanted.receive),
            receive=min(limits.receive, wanted.transmit),
            transmit_window=min(limits.transmit_window, wanted.receive_window),
            receive_window=min(limits.receive_window, wanted.transmit_window),
        )
        self._client = frame.source
        self._window = SendWindow(self._server, frame.source)
        self._receive_state = 0
        self._question.clear()
        self._send(UA | FINAL, encode_parameters(self.parameters))
        self._events.append(LinkReady(address_of(frame.source)))

    def _receive_information(self, frame: HdlcFrame) -> None:
        self._window.acknowledge(frame.control >> 5)
        if (frame.control >> 1) & 7 != self._receive_state:
            if frame.control & FINAL:
                self._answer_poll()
            return
        self._receive_state = (self._receive_state + 1) % 8
        self._question += frame.information
        if len(self._question) > MAXIMUM_MESSAGE:
            self._question.clear()
            self._events.append(
                Rejected(
                    RemoteProtocolError(_("a message is longer than {count} octets").format(count=MAXIMUM_MESSAGE))
                )
            )
        elif not frame.is_segmented:
            message = bytes(self._question)
            self._question.clear()
            if message[:3] == LLC_TO_METER:
                self._events.append(LinkMessage(message[3:], address_of(frame.source)))
        elif frame.control & FINAL:
            self._send(s_control(RR, self._receive_state))

    def _answer_poll(self) -> None:
        """Send again what is not acknowledged, else what follows, else that there is nothing."""
        if not self._window.is_acknowledged:
            self._events.append(Transmit(self._window.frames_again(self._receive_state)))
        elif self._window.has_more:
            self._send_window()
        else:
            self._send(s_control(RR, self._receive_state))

    def _send_window(self) -> None:
        self._events.append(Transmit(self._window.frames(self.parameters.transmit_window, self._receive_state)))

    def _send(self, control: int, information: bytes = b"", *, to: bytes | None = None) -> None:
        destination = to or self._client
        assert destination is not None
        frame = encode_frame(information, destination=destination, source=self._server, control=control)
        self._events.append(Transmit(frame))
