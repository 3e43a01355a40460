"""The load profile fills the gaps of the history: which meters' profiles are known to work, and when one is asked.

A profile is known to work once it has given rows to somebody who asked for it; that is remembered in the home. From
then on, where nothing was read for longer than GAP_PERIODS of its periods (GAP_S at least), or where the history ends
longer ago than that when the reading begins, the span in between is asked for, once, LONGEST_S of it at most, and
after some seconds of reading.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from core.errors import ConfigError, UsageError
from core.home import write_private
from core.meter_records import ProfilePart
from core.services.meter_asks import AskQueue, ProfileAsk

GAP_S = 1800.0
GAP_PERIODS = 2.0
LONGEST_S = 31 * 86_400.0
AFTER_S = 5.0
KEPT = 256
"""Meters that are remembered at most."""
PROFILES_FILE = "profiles.json"


class Query(Protocol):
    """Asks the history in the thread that holds it (`Recorder.query`)."""

    def __call__(self, function: Callable[[Any], Any], /) -> Awaitable[Any]:
        """What `function(history)` returns."""


def last_row_by(query: Query, clock: Callable[[], float] = time.time) -> Callable[[str], Awaitable[float | None]]:
    """What says when the history of a meter ends: epoch seconds, None where there is none.

    What a clock that was ahead has left in the future does not count.
    """

    async def last_row(meter: str) -> float | None:
        now_s = clock()
        last = await query(lambda history: history.last_measurement(meter, now_s))
        return None if last is None else float(last[0])

    return last_row


class KnownProfile(Struct, frozen=True):
    """A load profile that has given rows."""

    obis: str
    period_s: float


_decoder = msgspec.json.Decoder(dict[str, KnownProfile])


class GapFilling:
    """Notes when a meter was read, and puts an ask for its profile where a gap has closed."""

    def __init__(self, home: Path | None) -> None:
        self._path = None if home is None else home / PROFILES_FILE
        self._profiles = self._read()
        self._gap: tuple[float, float] | None = None
        self._last_s: float | None = None
        self._due_s: float | None = None

    def begin(self, last_s: float | None) -> None:
        """The history of this meter ends at `last_s`, where that is known."""
        if self._last_s is None:
            self._last_s = last_s

    def note_part(self, name: str, part: ProfilePart) -> None:
        """A profile has given rows that the history can keep: it is known to work."""
        if not part.measurements or self._path is None:
            return
        known = KnownProfile(part.obis, part.period_s)
        if self._profiles.get(name) == known:
            return
        self._profiles = self._read()
        self._profiles.pop(name, None)
        self._profiles[name] = known
        kept = dict(list(self._profiles.items())[-KEPT:])
        with contextlib.suppress(OSError, ConfigError):
            write_private(self._path, (json.dumps(msgspec.to_builtins(kept), indent=1) + "\n").encode())

    def note_reading(self, name: str, now_s: float, asks: AskQueue) -> None:
        """The meter was read: ask for its profile where a gap has closed, a while after that."""
        last_s, self._last_s = self._last_s, now_s
        known = self._profiles.get(name)
        if known is None:
            return
        if last_s is not None and now_s - last_s > max(GAP_S, GAP_PERIODS * known.period_s):
            self._gap = (max(last_s, now_s - LONGEST_S), now_s)
            self._due_s = now_s + AFTER_S
        elif self._gap is not None and self._due_s is not None and not 0 < self._due_s - now_s <= AFTER_S:
            (start_s, end_s), self._gap = self._gap, None
            with contextlib.suppress(UsageError):  # others wait already: the gap stays
                asks.put(ProfileAsk(start_s, end_s, known.obis or None, is_filling=True))

    def _read(self) -> dict[str, KnownProfile]:
        if self._path is None:
            return {}
        try:
            return _decoder.decode(self._path.read_bytes())
        except (OSError, msgspec.DecodeError):
            return {}
