"""The load profile of the simulated E450: its four energy counters every quarter of an hour, computed when asked for.

It reaches back to the day when the virtual meter was put in, and takes no memory.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from core.meter.virtual_e450 import DAY_S, FIRST_DAY, VirtualE450
from core.protocol.data_sets import EOT, ETX, encode_block

PERIOD_S = 900
COLUMNS = ("1.8.0", "2.8.0", "3.8.0", "4.8.0")
UNITS = ("kWh", "kWh", "kvarh", "kvarh")
ROWS_A_BLOCK = 16
"""Rows in a partial block of R6."""
BEGINNING_S = FIRST_DAY * DAY_S


def row_times(start_s: float, end_s: float, now_s: float) -> range:
    """Ends of the periods from `start_s` up to and with `end_s` that are over at `now_s`."""
    first = math.ceil(max(start_s, BEGINNING_S) / PERIOD_S) * PERIOD_S
    last = math.floor(min(end_s, now_s) / PERIOD_S) * PERIOD_S
    return range(first, last + 1, PERIOD_S)


def energies(meter: VirtualE450, time_s: float) -> tuple[float, float, float, float]:
    """A+, A-, R+, R- at `time_s` in Wh and varh."""
    now = meter.moment(time_s)
    return now.energy_import_wh, now.energy_export_wh, now.reactive_import_varh, now.reactive_export_varh


def profile_blocks(meter: VirtualE450, times: range, *, is_partial: bool) -> Iterator[bytes]:
    """The answer to R5 (one block), or to R6 (`is_partial`): blocks of some rows, the last one ending with ETX."""
    if not times:
        yield encode_block(b"P.01()\r\n")
        return
    begun = datetime.fromtimestamp(times[0], UTC)
    columns = "".join(f"({code})({unit})" for code, unit in zip(COLUMNS, UNITS, strict=True))
    text = f"P.01(2{begun:%y%m%d%H%M%S})(00)({PERIOD_S // 60})({len(COLUMNS)}){columns}\r\n"
    for number, time_s in enumerate(times, 1):
        text += "".join(f"({value / 1000:010.3f})" for value in energies(meter, time_s)) + "\r\n"
        if number == len(times):
            yield encode_block(text.encode(), end=ETX)
        elif is_partial and number % ROWS_A_BLOCK == 0:
            yield encode_block(text.encode(), end=EOT)
            text = ""


def stamp_s(text: str) -> float | None:
    """Seconds of a stamp `Zyymmddhhmm[ss]` in a request; None for an empty or a strange one."""
    if not text[1:].isdecimal() or len(text) not in (11, 13):
        return None
    pairs = [int(text[place : place + 2]) for place in range(1, len(text), 2)]
    fields = (2000 + pairs[0], pairs[1], pairs[2], pairs[3], pairs[4], pairs[5] if len(pairs) > 5 else 0)
    try:
        if text[0] == "2":
            return datetime(*fields, tzinfo=UTC).timestamp()
        return time.mktime((*fields, 0, 0, {"0": 0, "1": 1}.get(text[0], -1)))
    except (OverflowError, ValueError):
        return None
