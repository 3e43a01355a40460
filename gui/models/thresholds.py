"""One table of thresholds: bars, shapes, heat map and lists all ask it, so that they never disagree."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Threshold:
    """Percent from which a value is a warning, and from which it is critical."""

    warning: float
    critical: float

    def role(self, percent: float | None) -> str:
        """Role of the colour of a bar of `percent`: `accent`, `warning` or `critical`."""
        if percent is None or percent < self.warning:
            return "accent"
        return "warning" if percent < self.critical else "critical"


CPU = Threshold(warning=85, critical=101)
"""A busy processor is never critical by itself: it does its work."""
MEMORY = Threshold(warning=90, critical=97)
DISK = Threshold(warning=90, critical=97)

HIGH_AFTER_S = 60.0
"""A machine is called busy in words, and sorted before the others, after this long above the threshold."""
