"""Searches an M-Bus for its meters: by primary address one after the other, or by secondary addresses with wildcards.

Several meters that answer at once collide; by secondary address the search then goes on digit by digit. Everything can
be cancelled at any time; what was found until then has been told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from core.errors import UsageError
from core.language import _
from core.protocol.mbus_frames import HIGHEST_PRIMARY, SELECTED
from core.protocol.mbus_session import MbusAddress, MbusProbe, Probed, ReplyKind
from core.protocol.mbus_telegram import MEDIA
from core.protocol.session import Finished, Told
from core.services.meter_line import conversation
from core.transport.line import LineSettings, Port

SLACK_S = 0.12
"""Beyond the standard's time, for an adapter and the operating system; most addresses are empty."""
KNOCKS = 0
"""How often a silent primary address is asked again: of 250 most are empty, and each time costs a third of a second."""


@dataclass(frozen=True, slots=True)
class FoundMeter:
    """A meter of the bus: `address` is its primary one; None or empty is what it did not say."""

    address: int | None
    secondary_address: str | None
    manufacturer: str | None
    medium: str | None
    version: int | None
    problem: str | None = None

    @property
    def document(self) -> dict[str, object]:
        """The JSON that other programs rely on."""
        return {
            "address": self.address,
            "secondary_address": self.secondary_address,
            "manufacturer": self.manufacturer,
            "medium": self.medium,
            "version": self.version,
        }


Progress = Callable[[int, int | None, str], None]
"""Told how many addresses were looked at, of how many (None: unknown), and which one is next."""


def check_range(first: int, last: int) -> None:
    """Raise UsageError for primary addresses that there are not."""
    if not 0 <= first <= last <= HIGHEST_PRIMARY:
        raise UsageError(_("primary addresses go from 0 to {last}").format(last=HIGHEST_PRIMARY))


class BusScan:
    """A search over an open port; `line` is what it was opened with."""

    def __init__(self, port: Port, line: LineSettings, progress: Progress, *, slack_s: float = SLACK_S) -> None:
        self._port = port
        self._baud = line.baud
        self._progress = progress
        self._slack_s = slack_s
        self._looked = 0

    async def primary(self, first: int = 1, last: int = HIGHEST_PRIMARY) -> AsyncIterator[FoundMeter]:
        """Every meter from `first` to `last`; raises UsageError for addresses that there are not."""
        check_range(first, last)
        for number in range(first, last + 1):
            self._progress(number - first, last - first + 1, str(number))
            probed = await self._probe(MbusAddress(number), knocks=KNOCKS)
            if probed.kind is not ReplyKind.NOTHING:
                yield _found(probed, number)
        self._progress(last - first + 1, last - first + 1, "")

    async def secondary(self, digits: str = "F" * 8) -> AsyncIterator[FoundMeter]:
        """Every meter whose number fits `digits` (F: any), by a tree of wildcards over them, then over media."""
        waiting = [digits]
        while waiting:
            digits = waiting.pop()
            self._progress(self._looked, None, digits)
            self._looked += 1
            probed = await self._probe(_pattern(digits))
            if probed.kind is ReplyKind.NOTHING:
                continue
            if probed.telegram is not None:
                yield _found(probed, probed.link)
                continue
            place = digits.find("F")
            if place >= 0:
                waiting += [digits[:place] + str(digit) + digits[place + 1 :] for digit in range(9, -1, -1)]
                continue
            is_any = False
            for medium in sorted(MEDIA):  # several meters of one number: those of one firm differ in their medium
                pattern = _pattern(digits).pattern[:7] + bytes((medium,))
                probed = await self._probe(MbusAddress(SELECTED, pattern))
                if probed.kind is not ReplyKind.NOTHING:
                    is_any = True
                    yield _found(probed, probed.link, digits)
            if not is_any:
                yield _found(Probed(ReplyKind.COLLISION), None, digits)
        self._progress(self._looked, self._looked, "")

    async def _probe(self, address: MbusAddress, *, knocks: int = 1) -> Probed:
        found = Probed(ReplyKind.NOTHING)
        probe = MbusProbe(address, baud=self._baud, slack_s=self._slack_s, knocks=knocks)
        async for event in conversation(probe, self._port):
            if isinstance(event, Told):
                assert isinstance(event.telegram, Probed)
                found = event.telegram
            elif isinstance(event, Finished) and event.error is not None:
                raise event.error
        return found


def _pattern(digits: str) -> MbusAddress:
    return MbusAddress(SELECTED, bytes.fromhex(digits)[::-1] + b"\xff" * 4)


def _found(probed: Probed, address: int | None, secondary: str | None = None) -> FoundMeter:
    if probed.telegram is None:
        problem = (
            _("several meters answer at once; search with --secondary")
            if probed.kind is ReplyKind.COLLISION and secondary is None
            else _("several meters have this number; their answers collide")
            if probed.kind is ReplyKind.COLLISION
            else _("it answers, and what it says cannot be read")
        )
        return FoundMeter(address, secondary, None, None, None, problem)
    header = probed.telegram.header
    medium = None if header.medium is None else MEDIA.get(header.medium, f"{header.medium:02X}")
    return FoundMeter(
        address,
        header.secondary_address or header.identification or secondary,
        header.manufacturer or None,
        medium,
        header.version,
    )
