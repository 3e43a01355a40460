"""One table of thresholds: the rules of the first day and the bars, shapes and lists of the window all ask it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Levels:
    """A value above `warning` is worth a look, above `critical` worth getting up for; None where it never is."""

    warning: float
    critical: float | None = None


CPU_PERCENT = Levels(warning=90.0)
"""A busy processor is never critical by itself: it does its work."""
MEMORY_PERCENT = Levels(warning=90.0, critical=97.0)
DISK_PERCENT = Levels(warning=90.0, critical=97.0)

BUSY_AFTER_S = 300.0
"""Processor and memory ring when they are high for so long."""

VOLTAGE_V = (207.0, 253.0)
"""230 V ± 10 %, as EN 50160 allows."""
FREQUENCY_HZ = (49.5, 50.5)
"""50 Hz ± 1 %, as EN 50160 allows for 99.5 % of a year."""

CERTIFICATE_DAYS = 14.0

PEAK_RATIO = 2.5
DROP_RATIO = 0.5
POWER_JUMP_W = 5000.0
VOLTAGE_UNBALANCE_PERCENT = 3.0
"""EN 50160 has 2 % of negative sequence, and up to 3 % where a part of the users has one phase."""
CURRENT_UNBALANCE_PERCENT = 50.0
POWER_FACTOR = 0.8
THD_VOLTAGE_PERCENT = 8.0
"""As EN 50160 allows for 95 % of a week."""
THD_CURRENT_PERCENT = 20.0
NIGHT_RATIO = 1.5
NIGHT_W = 500.0
EXPORT_W = 50.0
"""More than a meter's own noise."""
REGISTER_FALL_WH = 0.5
SUBSCRIBED_PERCENT = 100.0
BUDGET_PERCENT = 100.0
