"""The client of DLMS/COSEM as a session without I/O: associate, prove, GET, lists, blocks, rows, release.

A session is asked again and again: `open`, `get`, `get_rows` and `release` each end with Finished, and what they bring
comes before as Told. Nothing is written: the only method that is called is the one of high security. The link below
(`HdlcLink`, `WrapperLink`) repeats what is lost; the password is sent once and never again by itself.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from core.errors import BeffroiError, RefusedError, RemoteProtocolError, TransportError, WrongKeyError
from core.language import _
from core.protocol.acse import Release, encode_release
from core.protocol.association import PUBLIC_CLIENT, Association, Credentials, InvocationCounterError
from core.protocol.dlms_exchange import (
    Connect,
    Disconnect,
    Enter,
    Exchanges,
    Script,
    Send,
    value_of,
)
from core.protocol.get_messages import ActionResponse, Attribute, ExceptionResponse
from core.protocol.link import ClientLink, LinkClosed, LinkReady
from core.protocol.mode_e import ModeEEntry
from core.protocol.session import NEED_DATA, Event, Finished, NeedData, Rejected, SetLine, Told, Transmit

FRAME_COUNTER = Attribute(1, bytes((0, 0, 43, 1, 0, 255)), 2)
"""The invocation counter that the meter has seen last from the client with the keys; public clients may read it."""


class Associated(Struct, frozen=True):
    """The meter has granted an association, and proven itself where high security asks for it."""

    conformance: int
    maximum_pdu: int
    meter_title: bytes | None


class DlmsSession:
    """One client of one meter over `link`.

    `entry` signs on by mode E first. `counter` is the invocation counter to begin with where the meter's own cannot be
    read by the public client; seconds since 1970 will do, as they rise.
    """

    def __init__(
        self,
        link: ClientLink,
        credentials: Credentials,
        *,
        entry: ModeEEntry | None = None,
        counter: int = 1,
        challenge: bytes | None = None,
    ) -> None:
        self._link = link
        self._credentials = credentials
        self._entry = entry
        self._is_entering = False
        self._counter = counter
        self._challenge = challenge
        self._exchanges = Exchanges()
        self._events: deque[Event] = deque()
        self._script: Script[None] | None = None
        self._next_script: Script[None] | None = None
        self._is_begun = False
        self._is_waiting = False
        self._answer: bytes | BeffroiError | None = None
        self.has_answered = False
        """True once anything of the meter has come that could be read."""

    @property
    def association(self) -> Association | None:
        """What holds between client and meter; None without an association."""
        return self._exchanges.association

    def open(self) -> None:
        """Connect and associate; Told carries Associated."""
        self._begin(self._opening())

    def get(self, attributes: Sequence[Attribute]) -> None:
        """Ask for attributes, by lists where the meter takes them; Told carries Answers, in order."""
        self._begin(self._exchanges.get(tuple(attributes)))

    def get_rows(self, attribute: Attribute) -> None:
        """Ask for the rows of a profile; Told carries Rows as they come."""
        self._begin(self._exchanges.get_rows(attribute))

    def release(self) -> None:
        """End the association: HDLC by its own good-bye, which ends both, the wrapper by RLRQ."""
        self._begin(self._releasing(), is_last=True)

    def receive_data(self, data: bytes, now_s: float) -> None:
        """Take octets of the line in, or let the time pass."""
        self._below.receive_data(data, now_s)

    def next_deadline(self) -> float | None:
        """When to call `receive_data(b"", now_s)` at the latest."""
        return self._below.next_deadline()

    def next_event(self) -> Event | NeedData:
        """The next thing to do or to tell. The next block is asked for once what came before it was taken."""
        while True:
            if self._events:
                return self._events.popleft()
            if self._answer is not None:
                answer, self._answer = self._answer, None
                self._advance(answer)
                continue
            event = self._below.next_event()
            if event is NEED_DATA or isinstance(event, (Transmit, Rejected, SetLine)):
                return event
            self._is_waiting = False
            if isinstance(event, LinkClosed):
                self._take_closing(event)
            elif self._next_script is not None:
                self._start(self._next_script)
            elif isinstance(event, LinkReady):
                self.has_answered = not self._is_entering
                self._is_entering = False
                self._answer = b""
            else:
                self._answer = event.content

    @property
    def _below(self) -> ModeEEntry | ClientLink:
        return self._entry if self._is_entering and self._entry is not None else self._link

    def _begin(self, script: Script[None], *, is_last: bool = False) -> None:
        """Do `script` next; of one that was left before its end the answer that is still due is passed over."""
        if self._script is not None:
            self._script.close()
            self._script = None
        self._events.clear()
        self._answer = None
        if self._is_waiting and not is_last:
            self._next_script = script
        else:
            self._start(script)

    def _start(self, script: Script[None]) -> None:
        self._next_script = None
        self._script = script
        self._is_begun = False
        self._answer = b""

    def _advance(self, answer: bytes | BeffroiError) -> None:
        script = self._script
        if script is None:
            return
        try:
            if isinstance(answer, BeffroiError):
                step = script.throw(answer)
            elif self._is_begun:
                step = script.send(answer)
            else:
                self._is_begun = True
                step = next(script)
        except StopIteration:
            self._finish(None)
            return
        except BeffroiError as error:
            self._finish(error)
            return
        if isinstance(step, Told):
            self._events.append(step)
            self._answer = b""
            return
        self._is_waiting = True
        if isinstance(step, Send):
            self._link.send(step.content)
        elif isinstance(step, Connect):
            self._link.connect(step.client)
        elif isinstance(step, Disconnect):
            self._is_entering = False
            self._link.disconnect()
        elif isinstance(step, Enter):
            self._is_entering = True
        else:
            self._link.await_more()

    def _finish(self, error: BeffroiError | None) -> None:
        self._script = None
        self._events.append(Finished(error))

    def _take_closing(self, event: LinkClosed) -> None:
        self._exchanges.association = None
        self._is_entering = False
        if self._next_script is not None:
            self._next_script.close()
            self._next_script = None
            self._finish(event.error or TransportError(_("the meter has ended the connection")))
        else:
            self._answer = b"" if event.error is None else event.error

    def _opening(self) -> Script[None]:
        self._exchanges.association = None
        if self._entry is not None:
            yield Enter()
        counter = self._counter
        if self._credentials.key is not None:
            counter = yield from self._public_counter()
        try:
            association = yield from self._associate(counter)
        except InvocationCounterError as error:
            association = yield from self._associate(error.expected + 1)
        self._exchanges.association = association
        yield Told(Associated(association.conformance, association.maximum_pdu, association.meter_title))

    def _public_counter(self) -> Script[int]:
        """One above the invocation counter that the meter has seen last, read as the public client.

        A meter that refuses this client, passes it over, or does not say is gone on with all the same.
        """
        value = None
        is_associated = False
        try:
            yield Connect(PUBLIC_CLIENT)
            public = Association(Credentials(client=PUBLIC_CLIENT), None, b"")
            public.accept((yield Send(public.request())))
            is_associated = True
            self._exchanges.association = public
            result = yield from self._exchanges.get_one(FRAME_COUNTER)
            value = value_of(result.data) if result.data is not None else None
        except (RemoteProtocolError, RefusedError, TransportError):
            value = None
        self._exchanges.association = None
        yield from self._parting(is_associated=is_associated)
        return value + 1 if isinstance(value, int) and 0 <= value < 0xFFFFFFFF else self._counter

    def _associate(self, counter: int) -> Script[Association]:
        credentials = self._credentials
        yield Connect(credentials.client_address)
        challenge = self._challenge or secrets.token_bytes(16)
        association = Association(credentials, credentials.new_security(counter), challenge)
        association.accept((yield Send(association.request())))
        if association.needs_proof:
            exchanges = self._exchanges
            exchanges.association = association
            try:
                response = yield from exchanges.ask(association.proof_request(exchanges.next_invoke_id()))
                if isinstance(response, ExceptionResponse):
                    raise WrongKeyError(
                        _("the meter does not accept our proof ({reason}); check both keys").format(
                            reason=response.reason
                        )
                    )
                if not isinstance(response, ActionResponse):
                    raise RemoteProtocolError(_("the meter's proof cannot be read"))
                association.check_proof(response)
            finally:
                exchanges.association = None
        return association

    def _parting(self, *, is_associated: bool) -> Script[None]:
        if is_associated and not self._link.has_connection:
            yield Send(encode_release(Release()))
        yield Disconnect()

    def _releasing(self) -> Script[None]:
        is_associated = self._exchanges.association is not None
        self._exchanges.association = None
        yield from self._parting(is_associated=is_associated)
