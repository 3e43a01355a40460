"""Times as documents for other programs say them."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_time(time_s: float | None) -> str | None:
    """UTC time in ISO 8601 with milliseconds and `Z`; None where there is none or it cannot be a date."""
    if time_s is None:
        return None
    try:
        moment = datetime.fromtimestamp(time_s, UTC)
    except (OverflowError, OSError, ValueError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
