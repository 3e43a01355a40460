"""Counters that only rise, and come round to zero at their end: 99,999.9 kWh, or 32 bits. Pure."""

from __future__ import annotations

import math

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
