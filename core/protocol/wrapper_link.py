"""Both ends of the TCP wrapper as links: one message goes, one comes; TCP loses nothing, so nothing is sent twice."""

from __future__ import annotations

from collections import deque

from core.errors import BeffroiError, RemoteProtocolError, TransportError
from core.language import _
from core.protocol.link import LinkClosed, LinkEvent, LinkMessage, LinkReady
from core.protocol.session import NEED_DATA, NeedData, Rejected, Transmit
from core.protocol.wrapper import WrapperFrame, WrapperReader, encode_wrapper

ANSWER_S = 7.0
"""A meter begins to answer, and goes on, within this time."""
LONGEST_S = 120.0
"""An answer is whole within this time: 65,535 octets through a gateway of 9600 baud take 68 s."""


class WrapperLink:
    """The client's end towards the meter at wrapper port `server`."""

    has_connection = False

    def __init__(self, server: int = 1, *, answer_s: float = ANSWER_S) -> None:
        self._server = server
        self._answer_s = answer_s
        self._reader = WrapperReader()
        self._events: deque[LinkEvent] = deque()
        self._client = 16
        self._deadline_s: float | None = None
        self._latest_s = 0.0
        self._is_sent = False
        self._is_waiting = False

    def connect(self, client: int) -> None:
        """Speak as `client` from now on; nothing is sent."""
        self._client = client
        self._reader.drop()
        self._is_waiting = False
        self._deadline_s = None
        self._events.append(LinkReady(client))

    def send(self, content: bytes) -> None:
        """Send one message."""
        self._events.append(Transmit(encode_wrapper(WrapperFrame(self._client, self._server, content))))
        self._is_sent = self._is_waiting = True

    def await_more(self) -> None:
        """Wait for another message."""
        self._is_sent = self._is_waiting = True

    def disconnect(self) -> None:
        """Forget the meter; nothing is sent."""
        self._close(None)

    def receive_data(self, data: bytes, now_s: float) -> None:
        """Take octets in, or let the time pass."""
        if self._is_sent:
            self._is_sent = False
            self._deadline_s = now_s + self._answer_s
            self._latest_s = now_s + LONGEST_S
        if data:
            self._reader.receive_data(data)
            self._take_frames()
            if self._is_waiting and self._deadline_s is not None:
                self._deadline_s = min(max(self._deadline_s, now_s + self._answer_s), self._latest_s)
        if self._is_waiting and self._deadline_s is not None and now_s >= self._deadline_s and not self._is_sent:
            self._close(TransportError(_("the meter does not answer")))

    def next_event(self) -> LinkEvent | NeedData:
        """The next thing to do or to tell."""
        return self._events.popleft() if self._events else NEED_DATA

    def next_deadline(self) -> float | None:
        """When to call `receive_data(b"", now_s)`."""
        if self._is_sent:
            return 0.0
        return self._deadline_s if self._is_waiting else None

    def _take_frames(self) -> None:
        while True:
            try:
                frame = self._reader.next_frame()
            except RemoteProtocolError as error:
                self._close(error)
                return
            if frame is None:
                return
            if frame.destination == self._client and frame.source == self._server and self._is_waiting:
                self._is_waiting = False
                self._events.append(LinkMessage(frame.content, self._client))

    def _close(self, error: BeffroiError | None) -> None:
        self._is_waiting = self._is_sent = False
        self._deadline_s = None
        self._reader.drop()
        self._events.append(LinkClosed(error))


class WrapperStation:
    """The meter's end at wrapper port `server`; a client is who sends."""

    def __init__(self, server: int = 1) -> None:
        self._server = server
        self._reader = WrapperReader()
        self._events: deque[LinkEvent] = deque()
        self._client: int | None = None

    @property
    def client(self) -> int | None:
        """Address of the client that spoke last."""
        return self._client

    def reply(self, content: bytes) -> None:
        """Answer the message that came last."""
        assert self._client is not None
        self._events.append(Transmit(encode_wrapper(WrapperFrame(self._server, self._client, content))))

    def receive_data(self, data: bytes, now_s: float = 0.0) -> None:
        """Take octets in."""
        self._reader.receive_data(data)
        while True:
            try:
                frame = self._reader.next_frame()
            except RemoteProtocolError as error:
                self._events.append(Rejected(error))
                return
            if frame is None:
                return
            if frame.destination != self._server:
                continue
            if frame.source != self._client:
                self._client = frame.source
                self._events.append(LinkReady(frame.source))
            self._events.append(LinkMessage(frame.content, frame.source))

    def next_event(self) -> LinkEvent | NeedData:
        """The next thing to do or to tell."""
        return self._events.popleft() if self._events else NEED_DATA

    def next_deadline(self) -> float | None:
        """A station waits for its client, for ever."""
        return None
