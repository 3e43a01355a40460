"""One TLS link from the console to one agent: connect, prove who both are, ask, be told.

An asyncio.Protocol, not streams: with 2,000 links each costs what it must and no more. All methods and all calls of
the listener happen in the loop's thread. Whatever the agent says is checked and bounded before anybody hears of it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import ssl
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Raw

from core.errors import (
    BeffroiError,
    NoRouteError,
    NotAnAgentError,
    NotTrustedError,
    RefusedError,
    RemoteProtocolError,
    TransportError,
)
from core.language import _
from core.protocol import messages
from core.protocol.frames import JSON_FRAME, LIMIT_AFTER_HELLO, FrameReader, decode_output, encode_frame
from core.protocol.messages import (
    Envelope,
    ExecCredit,
    ExecExit,
    ExecOpened,
    ExecReference,
    ExecStart,
    Hello,
    ProcessPage,
    StatusMessage,
)
from core.records import Machine, Process
from core.services.link_guard import MOST_ANSWER_OCTETS, MOST_UNANSWERED, MOST_UNSENT_OCTETS, LinkGuard
from core.transport.tls import peer_fingerprint

HELLO_TIMEOUT_S = 4.0
ANSWER_TIMEOUT_S = 10.0
MOST_PROCESSES = 100_000

log = logging.getLogger("beffroi.link")

_Answer = Callable[[Envelope], bool]
"""Takes an answer in; True when it was the last one of its request. Raises RemoteProtocolError."""


class CommandListener(Protocol):
    """Whoever is told how the commands of a link go on."""

    def on_exec_opened(self, exec_id: str) -> None:
        """Output of a command begins, from its first octet."""

    def on_output(self, exec_id: str, fd: int, content: bytes) -> None:
        """A piece of output has come."""

    def on_exec_exit(self, message: ExecExit) -> None:
        """A command has ended, after its last output."""


class EndedBeforeHelloError(NotTrustedError):
    """The agent has closed the link before its hello: it refuses our certificate, or it merely stops."""


class AgentLink(asyncio.Protocol):
    """A link that has been opened by `open_link`; `lost` gets its result, the reason, when it ends."""

    __slots__ = (
        "_answers",
        "_commands",
        "_count",
        "_guard",
        "_is_greeted",
        "_machine",
        "_on_status",
        "_reader",
        "_transport",
        "hello",
        "lost",
    )  # fmt: skip

    def __init__(self, machine: Machine, on_status: Callable[[StatusMessage], None], commands: CommandListener) -> None:
        self.hello = Hello()
        self.lost: asyncio.Future[BeffroiError] = asyncio.get_running_loop().create_future()
        self._machine = machine
        self._on_status = on_status
        self._commands = commands
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._answers: dict[int, _Answer] = {}
        self._guard = LinkGuard()
        self._count = 0
        self._is_greeted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio after the handshake."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by asyncio with what has come."""
        try:
            now_s = asyncio.get_running_loop().time()
            self._reader.receive_data(data)
            while (frame := self._reader.next_frame()) is not None and not self.lost.done():
                kind, payload = frame
                if kind == JSON_FRAME:
                    self._guard.on_frame(len(payload), now_s)
                    self._on_message(messages.decode_envelope(payload))
                else:
                    stream, fd, content = decode_output(payload)
                    exec_id = self._guard.on_output(stream, len(content), now_s)
                    if exec_id is not None:
                        self._commands.on_output(exec_id, fd, content)
        except RemoteProtocolError as error:
            log.warning("%s (%s) is left: %s", self._machine.name, self._machine.address, error)
            self.end(error)
        except Exception:
            log.exception("a message of %s (%s) could not be taken", self._machine.name, self._machine.address)
            self.end(RemoteProtocolError(_("an error that should not happen; the log has its details")))

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio at the end of the link."""
        self.end(self._reason(exc))

    def close(self) -> None:
        """End the link from our side."""
        self.end(TransportError(_("the link to {address} was closed here").format(address=self._machine.address)))

    def end(self, error: BeffroiError) -> None:
        """End the link at once, for this reason."""
        if not self.lost.done():
            self.lost.set_result(error)
        self._answers.clear()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    @property
    def is_up(self) -> bool:
        """False once the link is of no use."""
        return not self.lost.done()

    def peer_fingerprint(self) -> str | None:
        """Fingerprint of the certificate shown in the handshake of this link."""
        return peer_fingerprint(self._transport.get_extra_info("ssl_object")) if self._transport is not None else None

    def notify(self, method: str, params: object) -> None:
        """Send a notification; nothing happens on a lost link."""
        if isinstance(params, ExecCredit):
            self._guard.on_credit(params.exec_id, params.octets)
        self._send(messages.encode_notification(method, params))

    def request(self, method: str, params: object, on_answer: _Answer) -> None:
        """Send a request; `on_answer` gets its answers, until it returns True or the link is lost."""
        if self._transport is None:
            return
        if len(self._answers) >= MOST_UNANSWERED:
            self.end(self._takes_nothing())
            return
        self._count += 1
        self._answers[self._count] = on_answer
        if isinstance(params, ExecStart) or (method == "exec.fetch" and isinstance(params, ExecReference)):
            self._guard.on_asked(params.exec_id)
            self._answers[self._count] = self._followed(params.exec_id, on_answer)
        self._send(messages.encode_request(self._count, method, params))

    def _followed(self, exec_id: str, on_answer: _Answer) -> _Answer:
        """`on_answer`, and before it the count of commands that may be opened."""

        def followed(envelope: Envelope) -> bool:
            if envelope.error is not None:
                self._guard.on_refused(exec_id)
            return on_answer(envelope)

        return followed

    def _send(self, payload: bytes) -> None:
        """Send a message, unless the agent has not read those before."""
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size() > MOST_UNSENT_OCTETS:
            self.end(self._takes_nothing())
        else:
            self._transport.write(encode_frame(JSON_FRAME, payload))

    async def greet(self, hello: Hello) -> None:
        """Say hello and wait for the agent's; raises NotTrustedError and RemoteProtocolError."""
        answered: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()

        def on_answer(envelope: Envelope) -> bool:
            if answered.done():
                return True
            if envelope.error is not None:
                answered.set_exception(self._refusal(envelope.error))
            else:
                answered.set_result(messages.decode_as(Hello, envelope.result))
                self._is_greeted = True
                self._reader.set_limit(LIMIT_AFTER_HELLO)
            return True

        self.request("hello", hello, on_answer)
        await self._wait_for(answered, HELLO_TIMEOUT_S)
        if not answered.done():
            answered.cancel()
            raise self.lost.result() if self.lost.done() else self._no_hello()
        self.hello = answered.result()
        if self.hello.major != messages.PROTOCOL_MAJOR:
            raise RemoteProtocolError(
                _("the agent at {address} speaks version {theirs} of the protocol, this console {ours}").format(
                    address=self._machine.address, theirs=self.hello.major, ours=messages.PROTOCOL_MAJOR
                )
            )

    async def ask(
        self, method: str, params: object, take: Callable[[Raw], bool], timeout_s: float = ANSWER_TIMEOUT_S
    ) -> None:
        """Send a request and give the results of its answers to `take`, until it returns True with the last one.

        Raises BeffroiError where the agent refuses, does not answer in time, or the link is lost; RemoteProtocolError
        of `take` ends the link.
        """
        finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        octets = 0

        def on_answer(envelope: Envelope) -> bool:
            nonlocal octets
            if finished.done():
                return True
            octets += len(bytes(envelope.result))
            if octets > MOST_ANSWER_OCTETS:
                raise RemoteProtocolError(
                    _("its agent answers {request} with more than {size} MiB").format(
                        request=method, size=MOST_ANSWER_OCTETS >> 20
                    )
                )
            if envelope.error is not None:
                finished.set_exception(self._refused(envelope.error))
                return True
            is_last = take(envelope.result)
            if is_last:
                finished.set_result(None)
            return is_last

        self.request(method, params, on_answer)
        await self._wait_for(finished, timeout_s)
        if finished.done():
            finished.result()
            return
        finished.cancel()
        raise (
            self.lost.result()
            if self.lost.done()
            else TransportError(
                _("{machine} does not answer in {seconds:.0f} s").format(machine=self._machine.name, seconds=timeout_s)
            )
        )

    async def processes(self) -> tuple[float, tuple[Process, ...]]:
        """Time by the agent's clock and the process table; raises BeffroiError where the agent does not give it."""
        found: list[Process] = []
        time_s = 0.0

        def take(result: Raw) -> bool:
            nonlocal time_s
            page = messages.decode_as(ProcessPage, result)
            found.extend(page.processes)
            if len(found) > MOST_PROCESSES:
                raise RemoteProtocolError(f"a table of more than {MOST_PROCESSES} processes")
            time_s = page.time_s
            return page.is_last

        await self.ask("processes", messages.ProcessQuery(), take)
        return time_s, tuple(found)

    async def _wait_for(self, answered: asyncio.Future[Any], timeout_s: float) -> None:
        """Return when the answer is there, the link lost, or the time over."""
        waited: list[asyncio.Future[Any]] = [answered, self.lost]
        await asyncio.wait(waited, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)

    def _on_message(self, envelope: Envelope) -> None:
        method = envelope.method
        if method is None:
            answer = self._answers.get(envelope.id) if envelope.id is not None else None
            if answer is not None and answer(envelope):
                self._answers.pop(envelope.id, None)  # type: ignore[arg-type]  # an answer was found under it
        elif not self._is_greeted and method in ("status", "exec.opened", "exec.exit"):
            raise RemoteProtocolError(_("its agent begins to work before its hello"))
        elif method == "status":
            self._on_status(messages.decode_as(StatusMessage, envelope.params))
        elif method == "exec.opened":
            opened = messages.decode_as(ExecOpened, envelope.params)
            self._guard.on_opened(opened.exec_id, opened.stream)
            self._commands.on_exec_opened(opened.exec_id)
        elif method == "exec.exit":
            ended = messages.decode_as(ExecExit, envelope.params)
            self._guard.on_exit(ended.exec_id)
            self._commands.on_exec_exit(ended)
        elif method in ("not_trusted", "pairing_closed"):
            self.end(self._not_trusted())
        elif envelope.id is not None:
            self._send(messages.encode_error(envelope.id, messages.NOT_FOUND, "unknown method"))

    def _reason(self, exc: Exception | None) -> BeffroiError:
        """Why the link ended, in words."""
        address = self._machine.address
        if isinstance(exc, ssl.SSLError) and "ALERT" in (exc.reason or ""):
            return self._not_trusted()
        if not self._is_greeted:
            # TLS 1.3: a refused certificate shows only after a handshake that looked good, and asyncio's server ends
            # such a link without sending the alert that it owes.
            return EndedBeforeHelloError(str(self._not_trusted()))
        if isinstance(exc, OSError) and exc.errno in (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH):
            return NoRouteError(_("{address} does not answer any more").format(address=address))
        return TransportError(_("the agent at {address} has closed the link").format(address=address))

    def _refused(self, error: messages.Error) -> BeffroiError:
        """Why a request was not answered: an agent older than this console does not know it, or it is not allowed."""
        name = self._machine.name
        reason = messages.plain_text(error.message)
        if error.code == messages.NOT_FOUND:
            return RemoteProtocolError(
                _("the agent of {machine} does not know this request; update it").format(machine=name)
            )
        if error.code == messages.DENIED:
            return RefusedError(_("{machine} does not allow it: {reason}").format(machine=name, reason=reason))
        return RemoteProtocolError(_("{machine} refuses: {reason}").format(machine=name, reason=reason))

    def _refusal(self, error: messages.Error) -> BeffroiError:
        if error.code == messages.DENIED:
            return self._not_trusted()
        return RemoteProtocolError(
            _("the agent at {address} refuses: {reason}").format(
                address=self._machine.address, reason=messages.plain_text(error.message)
            )
        )

    def _not_trusted(self) -> NotTrustedError:
        return NotTrustedError(
            _("the agent at {address} does not trust this console; pair them again").format(
                address=self._machine.address
            )
        )

    def _takes_nothing(self) -> TransportError:
        return TransportError(
            _("{address} does not take what is sent to it; its agent hangs, or it means harm").format(
                address=self._machine.address
            )
        )

    def _no_hello(self) -> NotAnAgentError:
        return NotAnAgentError(
            _("what answers at {address} says no hello in {seconds:.0f} s; is it a Beffroi agent?").format(
                address=self._machine.address, seconds=HELLO_TIMEOUT_S
            )
        )
