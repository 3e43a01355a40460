"""Counters that only rise, and come round to zero at their end: 99,999.9 kWh, or 32 bits. Pure.

What such a counter counted is the sum of its steps. A fall (another meter, a roll-over) counts nothing, nor does a rise
that is faster than any meter of a site counts, or than the power beside it lets believe: another meter with a higher
count, a register read wrongly. A zero after a count is no reading: a register that was set back says more soon, and one
that was not is there again.
"""

from __future__ import annotations

import math

MOST_W = 100e6
"""More than a site of its own grid draws; a register read wrongly is beyond it by far. For reactive energy in var."""

DOUBTED_W = 1e6
"""What rises faster is believed where the power beside it is not a hundredth of that: no house draws so much."""

LEAST_SHARE = 0.01

SHORTEST_S = 60.0
"""Registers rise by whole kWh and more: what rises within less time is taken to have risen within that."""

LEAP_WH = DOUBTED_W * SHORTEST_S / 3600.0
"""A rise of less is never too fast."""

_NEAR_THE_END = 0.95
_BINARY_ENDS = (1 << 31, 1 << 32)
_LEAST_DIGITS = 5


def has_come_round(last: float, value: float) -> bool:
    """True where `last` stood at the end of its digits or of a binary counter and `value` at the beginning."""
    if not math.isfinite(last):
        return False
    digits = len(str(int(last)))
    ends = [10**digits] if digits >= _LEAST_DIGITS else []
    return any(
        _NEAR_THE_END * end <= last <= end and value <= (1 - _NEAR_THE_END) * end for end in (*ends, *_BINARY_ENDS)
    )


def is_too_fast(rise_wh: float, elapsed_s: float, power_w: float | None = None) -> bool:
    """True where a register cannot have risen by so much in so long.

    `power_w` is the greatest power that was measured beside both ends of that time, None where it was not.
    """
    most_w = MOST_W if power_w is None else min(MOST_W, max(DOUBTED_W, abs(power_w) / LEAST_SHARE))
    return rise_wh > most_w * max(elapsed_s, SHORTEST_S) / 3600.0


def greater(one_w: float | None, other_w: float | None) -> float | None:
    """The greater of two powers without their signs, None where one is not known."""
    return None if one_w is None or other_w is None else max(abs(one_w), abs(other_w))


def counted_step(last: float, value: float, elapsed_s: float, power_w: float | None = None) -> float | None:
    """What was counted between two values, None where that is not known: the rise is too fast for any meter.

    A fall counts nothing; but one to the same count in whole kWh, in tenths or in hundredths of it is taken off, and is
    part of the next rise: telegrams of one meter and its load profile may differ in how they round.
    """
    if value >= last:
        return None if is_too_fast(value - last, elapsed_s, power_w) else value - last
    return value - last if value and value in rounded_down(last) else 0.0


def rounded_down(count: float) -> tuple[float, ...]:
    """The same count as a telegram of another list has it: in whole kWh, in tenths or hundredths of it."""
    return count // 10 * 10, count // 100 * 100, count // 1000 * 1000
