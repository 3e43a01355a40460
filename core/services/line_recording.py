"""Recordings of a line: octets of both directions with their times, as text that people and programs read.

    # beffroi line recording 1
    # meter: hall, line: 9600 8N1
    2026-11-21T16:43:58.123Z  >  7E A0 07 03 21 93 0F 01 7E
    2026-11-21T16:43:58.201Z  <  7E A0 1E …

`>` was sent to the meter, `<` came from it; times are UTC, in milliseconds; `#` begins a remark. A recording holds
what passed on the line and nothing besides: a password that was sent in clear is in it, a key never is. Read by
`core.services.line_replay`; the JSON traces of other programs ({"trace": [{"dir": "TX", "hex": …}]}) are read here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from core.errors import UsageError
from core.language import _
from core.meter_records import LineOctets
from core.services.line_replay import is_recording, recorded_pieces

HEADING = "# beffroi line recording 1"
JOINED_S = 0.02
"""Octets of one direction that follow each other this fast stand on one line."""
LINE_OCTETS = 1024
FLUSH_S = 1.0


class LineRecording:
    """Writes a recording as octets come; `close` ends it. Raises UsageError where the file cannot be written.

    The file is only its owner's to read: what passes on a line may be a password.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._flushed_s = clock()
        self._line: str | None = None
        self._held: LineOctets | None = None
        self._until_s = 0.0
        self.octets = 0
        self._stream = self._opened()
        self._write(HEADING + "\n")

    def _opened(self) -> IO[str]:
        try:
            if self._path.exists() and (not self._path.is_file() or self._path.stat().st_size):
                raise UsageError(_("{path} exists already; a recording begins in a new file").format(path=self._path))
            self._path.touch(mode=0o600)
            return self._path.open("w", encoding="utf-8")
        except OSError as error:
            raise self._failed(error) from error

    def put(self, record: LineOctets) -> None:
        """Take octets in, as a reader tells them; raises UsageError where the disk takes no more."""
        self.octets += len(record.octets)
        held = self._held
        if (
            held is not None
            and held.is_sent == record.is_sent
            and record.time_s - self._until_s <= JOINED_S
            and len(held.octets) + len(record.octets) <= LINE_OCTETS
            and held.line == record.line
        ):
            self._held = LineOctets(
                name=held.name,
                time_s=held.time_s,
                is_sent=held.is_sent,
                octets=held.octets + record.octets,
                line=held.line,
            )
        else:
            self._write_held()
            self._held = record
        self._until_s = record.time_s
        if self._clock() - self._flushed_s >= FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Have everything that came until now in the file."""
        self._write_held()
        self._flushed_s = self._clock()
        try:
            self._stream.flush()
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """End the recording."""
        try:
            self.flush()
        finally:
            self._stream.close()

    def _write_held(self) -> None:
        held, self._held = self._held, None
        if held is None:
            return
        if held.line != self._line and held.line is not None:
            self._line = held.line
            self._write(f"# meter: {_plain(held.name)}, line: {held.line}\n")
        for start in range(0, len(held.octets), LINE_OCTETS):
            self._write(recorded_line(held.time_s, held.is_sent, held.octets[start : start + LINE_OCTETS]) + "\n")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> UsageError:
        return UsageError(_("{path} cannot be written: {reason}").format(path=self._path, reason=error.strerror))


def _plain(name: str) -> str:
    return "".join(letter for letter in name if letter.isprintable())[:80] or "-"


def recorded_line(time_s: float, is_sent: bool, octets: bytes) -> str:
    """One line of a recording."""
    moment = datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{moment}  {'>' if is_sent else '<'}  {octets.hex(' ').upper()}"


def pieces_of(data: bytes) -> list[LineOctets] | None:
    """The pieces of a recording or of a JSON trace, those of one direction joined; None for anything else.

    Raises UsageError for one that is broken.
    """
    if is_recording(data):
        return _joined(recorded_pieces(data))
    if data.lstrip()[:1] == b"{" and b'"trace"' in data:
        return _joined(_traced(data))
    return None


def _traced(data: bytes) -> list[LineOctets]:
    pieces = []
    try:
        for number, line in enumerate(json.loads(data)["trace"]):
            pieces.append(
                LineOctets(
                    name="", time_s=float(number), is_sent=line["dir"] == "TX", octets=bytes.fromhex(line["hex"])
                )
            )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(_("the trace cannot be read: {reason}").format(reason=error)) from error
    return pieces


def _joined(pieces: Sequence[LineOctets]) -> list[LineOctets]:
    """One piece for all octets of a direction until the other one speaks."""
    found: list[list[LineOctets]] = []
    for piece in pieces:
        if found and found[-1][0].is_sent == piece.is_sent:
            found[-1].append(piece)
        else:
            found.append([piece])
    return [
        LineOctets(
            name="",
            time_s=group[0].time_s,
            is_sent=group[0].is_sent,
            octets=b"".join(piece.octets for piece in group),
        )
        for group in found
    ]
