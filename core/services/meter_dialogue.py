"""What the reader of a meter needs from each protocol in which a meter is asked: one class a protocol, one shape.

A Dialogue is made with a source and an open port, opened, asked in turn, closed. The coroutines of all of them may be
cancelled at any await; `close` then says good-bye to the meter within CLOSE_S and never raises. Pure sessions of
`core.protocol` do the talking, by `core.services.meter_line.conversation` or a driver like it.

Errors, for `open` and all that follows: TransportError where nothing answers or the port broke; RemoteProtocolError
for nonsense, after the repetitions that the standard allows; WrongPasswordError for a password that the meter refuses
(never tried again by itself: it locks the meter); WrongKeyError for a key that is missing or does not fit; UsageError
for what cannot be asked in this protocol.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol, runtime_checkable

from core.meter_records import ProfilePart, RegisterValue
from core.protocol.session import Rejected, SetLine
from core.records import MeterIdentity, MeterReadings
from core.services.meter_sources import MeterSource
from core.transport.line import Port

CLOSE_S = 0.15
"""A meter that does not answer to the good-bye within this time is left without one."""

PROFILE_ROWS = 512
"""Rows of a profile that are told at a time at most: a profile may be bigger than memory."""

Tell = Callable[[Rejected | SetLine | str], None]
"""Told of octets that were not taken, of a change of the line, and in words of what is being tried."""


class Dialogue(Protocol):
    """One conversation with a meter that is asked."""

    identity: MeterIdentity
    """Who the meter says it is, as far as it has said it."""

    is_simulated: bool

    async def open(self) -> None:
        """Sign on, or associate."""

    async def read(self) -> MeterReadings:
        """The usual quantities (or the codes of the source) once, as fast as the protocol can."""

    def registers(self, codes: Sequence[str] = ()) -> AsyncIterator[RegisterValue]:
        """Every object that the meter lists, or those of `codes`, one by one as they come.

        One that cannot be read is told with its `error`, and the next one follows.
        """

    def profile(self, start_s: float, end_s: float, obis: str | None = None) -> AsyncIterator[ProfilePart]:
        """The load profile from `start_s` to before `end_s`, in parts of PROFILE_ROWS at most, the last one marked."""

    @property
    def expected(self) -> int | None:
        """How many objects the meter lists, where it does and once that is known."""

    async def close(self) -> None:
        """Say good-bye, in CLOSE_S at most; never raises."""


@runtime_checkable
class PacedDialogue(Protocol):
    """A Dialogue that may read faster than it was asked to, such as one that asks for live registers one by one."""

    @property
    def pace_s(self) -> float | None:
        """Seconds from the beginning of a read to the next, while that is better than the source's interval."""


class NewDialogue(Protocol):
    """Makes the Dialogue of one protocol."""

    def __call__(self, source: MeterSource, port: Port, tell: Tell, clock: Callable[[], float]) -> Dialogue:
        """Nothing is sent before `open`."""
