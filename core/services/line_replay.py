"""A recording of a line played as a virtual meter: it answers what it knows as the meter did then, or pushes again.

Recorded are octets of both directions with their times, one piece a line: `2026-11-21T16:43:58.123Z  >  7EA0…`, where
`>` was sent to the meter and `<` came from it; `#` begins a remark.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Sequence
from datetime import datetime

from core.errors import UsageError
from core.language import _
from core.meter_records import LineOctets
from core.protocol.parity import without_parity
from core.services.meter_wire import Wire
from core.transport.line import LineSettings

LONGEST_PAUSE_S = 600.0
"""A longer silence in a recording is not waited for."""
HELD_OCTETS = 1 << 14
PAUSE_AT_END_S = 1.0
ONE_QUESTION_S = 0.5
"""What is sent so soon after is the rest of a question; later it is another one, and the first met silence."""

_SETTINGS = re.compile(rb"^#[^\r\n]{0,200}\bline: (\d{2,7}) ([78])([NEO])1\b", re.MULTILINE)
_LINE = re.compile(rb"(\d{4}-\d\d-\d\dT[0-9:.,+Z-]+)\s+([<>])\s+((?:[0-9A-Fa-f]{2}\s*)+)(?:#.*)?$")


def is_recording(data: bytes) -> bool:
    """True for a file whose first line that is no remark is one of a recording."""
    for line in data[:65_536].splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith(b"#"):
            return _LINE.match(stripped) is not None
    return False


def recorded_pieces(data: bytes) -> list[LineOctets]:
    """The pieces of a recording, in their order; raises UsageError that names the line which is none."""
    pieces: list[LineOctets] = []
    for number, line in enumerate(data.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith(b"#"):
            continue
        match = _LINE.match(stripped)
        try:
            if match is None:
                raise ValueError
            time_s = datetime.fromisoformat(match[1].decode().replace(",", ".")).timestamp()
            octets = bytes.fromhex(match[3].decode())
        except ValueError:
            raise UsageError(_("line {line} is no line of a recording").format(line=number)) from None
        pieces.append(LineOctets(name="", time_s=time_s, is_sent=match[2] == b">", octets=octets))
    if not any(not piece.is_sent for piece in pieces):
        raise UsageError(_("the recording holds nothing that came from a meter"))
    return pieces


def recorded_settings(data: bytes) -> LineSettings | None:
    """The line at which a recording was made, where a remark says so."""
    match = _SETTINGS.search(data[:65_536])
    if match is None:
        return None
    return LineSettings(int(match[1]), int(match[2]), match[3].decode())


class LineReplay:
    """Plays `pieces`; `is_dialogue` where something in them was sent to the meter."""

    def __init__(self, pieces: Sequence[LineOctets]) -> None:
        self._pieces = pieces
        self.is_dialogue = any(piece.is_sent for piece in pieces)
        self._exchanges = _exchanges_of(pieces)
        self._next = 0

    async def push(self, wire: Wire, line: LineSettings) -> None:
        """Send once what came from the meter, with its gaps."""
        before_s: float | None = None
        for piece in self._pieces:
            if before_s is not None:
                await asyncio.sleep(_pause_s(before_s, piece.time_s))
            before_s = piece.time_s
            await wire.write(piece.octets, line)

    async def answer(self, wire: Wire, line: LineSettings) -> None:
        """Answer what is known until the other side has gone; what is not known meets silence."""
        heard = bytearray()
        while True:
            data = await wire.read(line)
            if not data:
                return
            heard = (heard + data)[-HELD_OCTETS:]
            found = self._found(bytes(heard))
            if found is None:
                continue
            heard.clear()
            self._next = found + 1
            asked_s, _question, answers = self._exchanges[found]
            for piece in answers:
                await asyncio.sleep(_pause_s(asked_s, piece.time_s))
                asked_s = piece.time_s
                await wire.write(piece.octets, line)

    def _found(self, heard: bytes) -> int | None:
        """The exchange whose question has just been heard: the next such one in the recording, else the first."""
        count = len(self._exchanges)
        text = without_parity(heard)
        best: int | None = None
        for step in range(count):
            place = (self._next + step) % count
            question = self._exchanges[place][1]
            is_longer = best is None or len(question) > len(self._exchanges[best][1])
            if is_longer and (heard.endswith(question) or text.endswith(question)):
                best = place
        return best


def _exchanges_of(pieces: Sequence[LineOctets]) -> list[tuple[float, bytes, list[LineOctets]]]:
    """Each question with its time, and what the meter answered to it until the next one."""
    found: list[tuple[float, bytes, list[LineOctets]]] = []
    sent_s = -math.inf
    for piece in pieces:
        if not piece.is_sent:
            if found:
                found[-1][2].append(piece)
            continue
        is_rest = piece.time_s - sent_s <= ONE_QUESTION_S
        sent_s = piece.time_s
        if is_rest and found and not found[-1][2]:
            found[-1] = (piece.time_s, found[-1][1] + piece.octets, found[-1][2])
        else:
            found.append((piece.time_s, piece.octets, []))
    return [exchange for exchange in found if exchange[2]]


def _pause_s(before_s: float, after_s: float) -> float:
    return max(0.0, min(after_s - before_s, LONGEST_PAUSE_S))
