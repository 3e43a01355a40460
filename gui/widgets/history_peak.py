"""When the peak (or the dip) under a click began: machines are compared with the time before it, not with its middle.

Imported after the first paint: it needs numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gui.widgets.history_data import Columns, HistoryData

_LEAST_POINTS = 12
_NEAR_POINTS = 3
"""A click is not more precise than so many points."""
_STANDS_OUT = 4.0
_SMALLEST_SHARE = 0.05
_LEAST_REACH_S = 900.0


class Peak(NamedTuple):
    """What stands out at a moment: from when on, and by how many of the usual spreads."""

    begin_s: float
    score: float


def peak_at(found: Columns, at_s: float) -> Peak | None:
    """The peak or dip of a curve at a moment, against what is usual around it; None where nothing stands out."""
    known = np.isfinite(found.mean)
    times, values = found.time_s[known], found.mean[known]
    if len(times) < _LEAST_POINTS:
        return None
    usual = float(np.median(values))
    away = values - usual
    spread = max(float(np.median(np.abs(away))), _SMALLEST_SHARE * abs(usual), 1e-9)
    near = int(np.argmin(np.abs(times - at_s)))
    first = max(0, near - _NEAR_POINTS)
    top = first + int(np.argmax(np.abs(away[first : near + _NEAR_POINTS + 1])))
    height = float(away[top])
    if abs(height) < _STANDS_OUT * spread:
        return None
    below = np.flatnonzero(away[:top] * np.sign(height) < abs(height) / 2)
    return Peak(float(times[below[-1] + 1]), abs(height) / spread) if len(below) else None


def began_s(data: HistoryData, names: Sequence[str], at_s: float, reach_s: float, columns: int) -> float:
    """When what stands out at a moment began, in the series where it stands out most; else the moment itself."""
    reach_s = max(_LEAST_REACH_S, reach_s)
    peaks = [peak_at(data.columns(name, at_s - reach_s, at_s + reach_s, columns), at_s) for name in names]
    found = max((peak for peak in peaks if peak is not None), key=lambda peak: peak.score, default=None)
    return at_s if found is None else found.begin_s
