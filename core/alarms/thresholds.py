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
