"""What a value is worth: out of the ordinary is flagged and kept, never dropped.

An export, a sag, an island are the readings that matter, so the limits below warn; `error` is for what no grid can do.
"""

from __future__ import annotations

import math

from core.records import Quality

VOLTAGE_USUAL_V = (180.0, 260.0)
VOLTAGE_PLAUSIBLE_V = (150.0, 280.0)
"""Outside of it a phase voltage speaks of a wrong scaler rather than of the grid."""
FREQUENCY_USUAL_HZ = (49.5, 50.5)
FREQUENCY_POSSIBLE_HZ = (40.0, 70.0)
POWER_FACTOR_MOST = 1.01
"""One, and what rounding adds."""
THD_VOLTAGE_USUAL_PERCENT = 8.0
"""What EN 50160 allows for 95 % of a week."""

_RANK = {Quality.GOOD: 0, Quality.WARNING: 1, Quality.ERROR: 2}


def quality_of(quantity: str | None, value: float | int | str | None) -> Quality:
    """Flag of a value in the base unit of its quantity (V, Hz, W, Wh)."""
    if quantity is None or value is None or isinstance(value, str):
        return Quality.GOOD
    if not math.isfinite(value):
        return Quality.ERROR
    if quantity.startswith("voltage"):
        if value < 0:
            return Quality.ERROR
        return _within(value, VOLTAGE_USUAL_V)
    if quantity == "frequency":
        low, high = FREQUENCY_POSSIBLE_HZ
        return _within(value, FREQUENCY_USUAL_HZ) if low <= value <= high else Quality.ERROR
    if quantity.startswith("power_factor"):
        return Quality.ERROR if abs(value) > POWER_FACTOR_MOST else Quality.GOOD
    if quantity == "thd_voltage" and value > THD_VOLTAGE_USUAL_PERCENT:
        return Quality.WARNING
    if value < 0:
        if "energy" in quantity or quantity.startswith(("thd", "apparent_power")):
            return Quality.ERROR
        if quantity.startswith(("active_power", "current")):
            return Quality.WARNING
    return Quality.GOOD


def worse(first: Quality, second: Quality) -> Quality:
    """The worse of the two."""
    return first if _RANK[first] >= _RANK[second] else second


def _within(value: float, limits: tuple[float, float]) -> Quality:
    return Quality.GOOD if limits[0] <= value <= limits[1] else Quality.WARNING
