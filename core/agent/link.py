"""One link of an agent: a console that shows a pinned certificate, or a stranger that may pair and nothing else.

What a link may do is decided by its phase: nothing of the work is reachable before the certificate was compared with
`authorized_consoles`, and nothing at all before `hello`. Anything malformed closes the link with one line in the log.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from enum import Enum
from typing import cast

from msgspec import Raw
from msgspec.json import Encoder

from core.agent.consoles import AuthorizedConsole
from core.agent.link_host import LinkHost
from core.agent.pairing import Attempt, PairingRefusedError
from core.agent.patience import RULE
from core.agent.statuses import SECTIONS
from core.errors import RemoteProtocolError
from core.protocol import messages
from core.protocol.frames import JSON_FRAME, LIMIT_AFTER_HELLO, FrameReader, encode_frame
from core.protocol.messages import Envelope
from core.records import Status
from core.transport.tls import peer_fingerprint

log = logging.getLogger("beffroi.agent")

HELLO_TIMEOUT_S = 10.0
WRITE_BUFFER_OCTETS = 256 * 1024
_PAGE_OCTETS = 24 * 1024
"""Small pages: each is copied a few times on its way, and an agent keeps the memory it once had."""

MESSAGES_AT_ONCE = 300
MESSAGES_A_SECOND = 100.0
"""Of one link, for ever: each may cost the agent a line of its log on disk, while other consoles wait."""

_encoder = Encoder()


class Phase(Enum):
    """What the peer may say."""

    PAIRING = "pairing"
    HELLO = "hello"
    WORK = "work"
    CLOSED = "closed"


class AgentLink(asyncio.Protocol):
    """A link after its TLS handshake; owned by the agent's loop."""

    def __init__(self, server: LinkHost, address: str) -> None:
        self.address = address
        self.phase = Phase.CLOSED
        self.console: AuthorizedConsole | None = None
        self.listed: AuthorizedConsole | None = None
        self.interval_s: float | None = None
        self.due_s = 0.0
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._reader = FrameReader()
        self._timer: asyncio.TimerHandle | None = None
        self._is_paused = False
        self._room = float(MESSAGES_AT_ONCE)
        self._filled_s = 0.0
        self._throttle: asyncio.TimerHandle | None = None
        self._sections: frozenset[str] | None = None
        self._sent_number = 0
        self._told: Status | None = None
        self._is_behind = False
        self._streams = 0
        self._attempt: Attempt | None = None
        self._requests: dict[str, Callable[[int, Raw], None]] = {
            "subscribe": self._on_subscribe,
            "processes": self._on_processes,
        }

    # The transport calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake holds: compare the certificate, if one was shown, with the list as it is now."""
        self._transport = cast(asyncio.Transport, transport)
        self._filled_s = self._server.now_s()
        self._server.remember(self)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_OCTETS)
        self._timer = asyncio.get_running_loop().call_later(HELLO_TIMEOUT_S, self.close, "it said nothing in time")
        fingerprint = peer_fingerprint(cast(ssl.SSLObject, transport.get_extra_info("ssl_object")))
        if fingerprint is None:
            reason = self._server.pairing_closed_reason()
            if reason is not None:
                self._notify("pairing_closed", messages.PairingClosed(reason=reason))
                self.close()
            else:
                self._enter(Phase.PAIRING)
            return
        console, refusal = self._server.admit(fingerprint, self.address)
        if console is None:
            self.tell_not_trusted(refusal)
        else:
            self.listed, self.console = console, self._server.capped(console)
            self._enter(Phase.HELLO)
            self._server.make_room(self)

    def data_received(self, data: bytes) -> None:
        """Octets from the peer; one misplaced octet ends the link."""
        self._reader.receive_data(data)
        self._handle_frames()

    def pause_writing(self) -> None:
        """The console reads too slowly: neither measure nor read for it until it has caught up."""
        self._is_paused = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The console has caught up."""
        self._is_paused = False
        if self._transport is not None and not self._transport.is_closing():
            if self._throttle is None:
                self._transport.resume_reading()
            self._send_missed()
            self._handle_frames()

    def eof_received(self) -> bool:
        """The peer has ended; so do we."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The link has ended; commands started over it go on."""
        if self._throttle is not None:
            self._throttle.cancel()
        self._enter(Phase.CLOSED)
        self._server.forget(self)

    # The server and the executions call these.

    def send(self, frame: bytes) -> None:
        """Send a frame; it is dropped where the link has ended."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)

    def answer(self, number: int, result: object) -> None:
        """Answer request `number`; a long table goes in several answers."""
        self._answer(number, result)

    def refuse(self, number: int, code: int, reason: str, data: object = None) -> None:
        """Refuse request `number`; who is refused too often is no longer listened to for a while."""
        self._server.count_refusal(self)
        self.send(encode_frame(JSON_FRAME, messages.encode_error(number, code, reason, data)))

    def now_s(self) -> float:
        """The agent's monotonic clock."""
        return self._server.now_s()

    def next_stream(self) -> int:
        """A number for frames of output that this link has not used yet."""
        self._streams += 1
        return self._streams

    def send_status(self, now_s: float) -> None:
        """Send a fresh status, unless older ones still wait: then it waits its turn behind them."""
        if self.interval_s is None:
            return
        self.due_s = max(self.due_s + self.interval_s, now_s)
        status = self._server.fresh_status()
        if self._is_paused or self._is_behind:
            self._is_behind = True
            return
        if status.number != self._sent_number:
            self._sent_number = status.number
            self.send(self._server.status_frame(status, self._sections, self._told))
            self._told = status

    def tell_not_trusted(self, reason: str) -> None:
        """Say that this console is not trusted, and close."""
        self._notify("not_trusted", messages.NotTrusted(reason=reason))
        self.close(f"the console is not trusted: {reason}")

    def abort(self) -> None:
        """End at once, whatever waits to be sent."""
        self._enter(Phase.CLOSED)
        if self._transport is not None:
            self._transport.abort()

    def close(self, why: str = "") -> None:
        """Close after what was sent has gone; `why` goes to the log."""
        if self.phase is not Phase.CLOSED or why:
            log.info("link from %s closed%s", self.address, f": {why}" if why else "")
        self._enter(Phase.CLOSED)
        if self._transport is not None:
            self._transport.close()

    # From here on: what the peer says.

    def _handle_frames(self) -> None:
        try:
            while not self._is_paused and self._throttle is None and self.phase is not Phase.CLOSED:
                frame = self._reader.next_frame()
                if frame is None:
                    return
                self._count()
                kind, payload = frame
                if kind != JSON_FRAME:
                    raise RemoteProtocolError("a console sends no output")
                self._handle(messages.decode_envelope(payload))
        except RemoteProtocolError as error:
            log.info("link from %s closed: %s", self.address, str(error)[:200])
            self.abort()
        except Exception:
            log.exception("a message from %s could not be answered", self.address)
            self.abort()

    def _count(self) -> None:
        """One more message: a console that sends too many is read more slowly, so that the others do not wait."""
        self._room -= 1
        if self._room >= 0:
            return
        now_s = self._server.now_s()
        self._room = min(float(MESSAGES_AT_ONCE), self._room + (now_s - self._filled_s) * MESSAGES_A_SECOND)
        self._filled_s = now_s
        if self._room < 0 and self._transport is not None:
            self._transport.pause_reading()
            self._throttle = asyncio.get_running_loop().call_later(10 / MESSAGES_A_SECOND, self._go_on)

    def _go_on(self) -> None:
        self._throttle = None
        if self._transport is not None and not self._transport.is_closing():
            if not self._is_paused:
                self._transport.resume_reading()
            self._handle_frames()

    def _handle(self, envelope: Envelope) -> None:
        method, number = envelope.method, envelope.id
        if method is None:
            raise RemoteProtocolError("an answer to no request")
        if self.phase is Phase.PAIRING:
            self._handle_pairing(method, number, envelope.params)
        elif self.phase is Phase.HELLO:
            if method != "hello" or number is None:
                raise RemoteProtocolError(f"{messages.plain_text(method, 40)!r} before hello")
            self._on_hello(number, envelope.params)
        elif number is None:
            handler = self._server.notifications.get(method)
            if handler is not None:
                handler(self, envelope.params)
        elif self._server.still_trusts(self):
            if self._server.is_tired_of(self):
                self._send_busy(number)
                return
            own = self._requests.get(method)
            if own is not None:
                own(number, envelope.params)
            else:
                self._handle_request(method, number, envelope.params)

    def _handle_request(self, method: str, number: int, params: Raw) -> None:
        """A request of the table: nothing of it is decoded for a console below its level."""
        request = self._server.requests.get(method)
        assert self.console is not None
        if request is None:
            self.refuse(number, messages.NOT_FOUND, self._server.unknown_request(method))
        elif self.console.level.rank < request.level.rank:
            level = self.console.level.value
            self.refuse(number, messages.DENIED, f"it needs level {request.level.value}, this console has {level}")
        else:
            request.handler(self, number, params)

    def _send_busy(self, number: int) -> None:
        denied = messages.ExecDenied(reason="busy", rule=RULE)
        self.send(encode_frame(JSON_FRAME, messages.encode_error(number, messages.BUSY, RULE, denied)))

    def _handle_pairing(self, method: str, number: int | None, params: Raw) -> None:
        try:
            if method == "pair.begin" and number is not None and self._attempt is None:
                begin = messages.decode_as(messages.PairBegin, params)
                self._attempt = self._server.begin_pairing(begin, self.address)
                self._answer(number, self._attempt.challenge)
            elif method == "pair.prove" and number is not None and self._attempt is not None:
                prove = messages.decode_as(messages.PairProve, params)
                attempt, self._attempt = self._attempt, None
                self._answer(number, self._server.finish_pairing(attempt, prove.proof))
                self._enter(Phase.CLOSED)
                self.close()
            else:
                raise RemoteProtocolError(f"{messages.plain_text(method, 40)!r} from a console that is not paired")
        except PairingRefusedError as refusal:
            if str(refusal) == "wrong":
                self.send(encode_frame(JSON_FRAME, messages.encode_error(number or 0, messages.WRONG_CODE, "wrong")))
            else:
                self._notify("pairing_closed", messages.PairingClosed(reason=str(refusal)))
            self.close(f"pairing refused: {refusal}")

    def _on_hello(self, number: int, params: Raw) -> None:
        hello = messages.decode_as(messages.Hello, params)
        if hello.major != messages.PROTOCOL_MAJOR:
            text = (
                f"this agent speaks protocol {messages.PROTOCOL_MAJOR}, the console {hello.major}; update the older one"
            )
            self.send(encode_frame(JSON_FRAME, messages.encode_error(number, messages.INVALID_PARAMETERS, text)))
            self.close(text)
            return
        assert self.console is not None
        if not self._server.welcome(self):
            self.send(
                encode_frame(JSON_FRAME, messages.encode_error(number, messages.BUSY, "too many links of this console"))
            )
            self.close("too many links of one console")
            return
        self._reader.set_limit(LIMIT_AFTER_HELLO)
        self._enter(Phase.WORK)
        self._answer(number, self._server.hello(self.console, min(hello.minor, messages.PROTOCOL_MINOR)))

    def _on_subscribe(self, number: int, params: Raw) -> None:
        asked = messages.decode_as(messages.Subscribe, params)
        self._sections = None if asked.sections is None else frozenset(asked.sections) & SECTIONS
        self.interval_s = asked.interval_s
        self._told = None
        self._answer(number, {})
        now_s = self._server.now_s()
        if asked.after is not None and asked.run_id == self._server.run_id:
            self._sent_number = asked.after
            self._is_behind = True
            self._send_missed()
        self.due_s = now_s - asked.interval_s
        self.send_status(now_s)
        self._server.reschedule()

    def _send_missed(self) -> None:
        """Send what was measured while nothing could be sent, as fast as the console reads."""
        while self._is_behind and not self._is_paused:
            found = self._server.status_after(self._sent_number, self._sections)
            if found is None:
                self._is_behind = False
            else:
                self._sent_number = found[0]
                self.send(found[1])

    def _on_processes(self, number: int, _params: Raw) -> None:
        time_s, processes = self._server.process_table()
        page: list[Raw] = []
        octets = 0
        for process in processes:
            encoded = _encoder.encode(process)
            if octets + len(encoded) > _PAGE_OCTETS:
                self._answer(number, {"time_s": time_s, "processes": page, "is_last": False})
                page, octets = [], 0
            page.append(Raw(encoded))
            octets += len(encoded) + 1
        self._answer(number, {"time_s": time_s, "processes": page, "is_last": True})

    def _answer(self, number: int, result: object) -> None:
        self.send(encode_frame(JSON_FRAME, messages.encode_result(number, result)))

    def _notify(self, method: str, params: object) -> None:
        self.send(encode_frame(JSON_FRAME, messages.encode_notification(method, params)))

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        if phase in (Phase.WORK, Phase.CLOSED) and self._timer is not None:
            self._timer.cancel()
            self._timer = None
