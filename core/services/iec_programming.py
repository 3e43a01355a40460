"""A conversation with a meter of IEC 62056-21 in programming mode, over an open port: entered, asked, left."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from core.errors import BeffroiError, RemoteProtocolError, TransportError
from core.language import _
from core.protocol.data_sets import DataSet, Identification, Telegram
from core.protocol.parity import without_parity
from core.protocol.programming_mode import ProgrammingOpened, ProgrammingSession
from core.protocol.session import Finished, Rejected, SetLine, Told
from core.services.meter_dialogue import Tell
from core.services.meter_line import conversation
from core.transport.line import Port

REGISTER_LIMIT = 1000
"""Data sets of one register at most: those of billing periods are some dozens."""


class ProgrammingTalk:
    """One `enter` after another, each with its session; `is_open` between an `enter` that succeeded and the end."""

    def __init__(self, port: Port, tell: Tell) -> None:
        self._port = port
        self._tell = tell
        self._session: ProgrammingSession | None = None
        self._events: AsyncGenerator[Told | Rejected | SetLine | Finished, None] | None = None

    @property
    def is_open(self) -> bool:
        """The meter is in programming mode, as far as one can know."""
        return self._session is not None

    @property
    def identification(self) -> Identification | None:
        """Who is in programming mode; None where nobody is."""
        return None if self._session is None else self._session.identification

    async def enter(self, session: ProgrammingSession) -> BeffroiError | None:
        """Sign on by `session`; returns why the mode was not entered, None where it was."""
        self._events = conversation(session, self._port)
        async for event in self._events:
            if isinstance(event, Told) and isinstance(event.telegram, ProgrammingOpened):
                self._session = session
                return None
            if isinstance(event, (Rejected, SetLine)):
                self._tell(event)
            elif isinstance(event, Finished) and event.error is not None:
                return event.error
        return TransportError(_("nothing answers the sign-on /?! at 300 baud"))

    async def ask(self, command: str, data: str) -> AsyncGenerator[Telegram, None]:
        """What the meter answers to one command, block by block; raises RemoteProtocolError or TransportError."""
        session, events = self._session, self._events
        if session is None or events is None:
            raise RemoteProtocolError(_("the meter cannot be asked: it is not in programming mode"))
        while came := await self._port.read(0):  # such as a break that came meanwhile
            session.receive_data(without_parity(came), asyncio.get_running_loop().time())
        if session.is_idle:
            session.ask(command, data)
        rejected: BeffroiError | None = None
        try:
            async for event in events:
                if isinstance(event, Told) and isinstance(event.telegram, Telegram):
                    rejected = None
                    yield event.telegram
                elif isinstance(event, (Rejected, Finished)):
                    rejected = event.error
                if session.is_idle:
                    break
        finally:
            if not session.is_idle:  # it has ended, or was left in the middle of an answer
                self._session = None
        if rejected is not None or not session.is_idle:
            raise rejected or RemoteProtocolError(_("the meter has ended the programming mode"))

    async def register(self, code: str) -> tuple[DataSet, ...]:
        """The data sets of one register by R1; raises RemoteProtocolError or TransportError."""
        found: list[DataSet] = []
        async with contextlib.aclosing(self.ask("R1", f"{code}()")) as telegrams:
            async for telegram in telegrams:
                found += telegram.data_sets
                if len(found) > REGISTER_LIMIT:
                    raise RemoteProtocolError(_("the meter's answer does not come to an end"))
        return tuple(
            DataSet(one.address or (code if one.position == 0 else ""), one.value, one.unit, one.position)
            for one in found
        )

    async def leave(self) -> bool:
        """Say good-bye to the mode; False where it was not on."""
        session, events = self._session, self._events
        self._session = None
        if session is None or events is None:
            return False
        session.leave()
        async for _event in events:
            pass
        return True

    def drop(self) -> None:
        """Forget the conversation without a word."""
        self._session = None
