"""Times and lengths of time as they are typed; no database is needed for them, which an agent alone has not."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from core.errors import UsageError
from core.language import _

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def moment(text: str, now_s: float) -> float:
    """Epoch seconds that `text` means: ISO 8601, `now`, `today`, `yesterday`, or a distance such as `-1h`.

    Raises UsageError.
    """
    word = text.strip().lower()
    if word == "now":
        return now_s
    if word in ("today", "yesterday"):
        midnight = datetime.fromtimestamp(now_s).replace(hour=0, minute=0, second=0, microsecond=0)
        return (midnight - timedelta(days=word == "yesterday")).timestamp()
    if re.fullmatch(r"-\d+(\.\d+)?[smhdw]", word):
        return now_s - duration(word[1:])
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            _("{text} is no time; write one such as 2026-01-31T08:00, today, now or -1h").format(text=text)
        ) from error


def duration(text: str) -> float:
    """Seconds that `text` means: `90`, `90s`, `15m`, `1h`, `1d`, `1w`. Raises UsageError."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)([smhdw]?)", text.strip().lower())
    seconds = float(found[1]) * _UNITS_S[found[2] or "s"] if found else 0.0
    if seconds <= 0:
        raise UsageError(_("{text} is no length of time; write one such as 60, 15m or 1h").format(text=text))
    return seconds
