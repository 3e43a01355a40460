"""How long some work takes, turn after turn."""

from __future__ import annotations

import time
from collections.abc import Callable


def timed(work: Callable[[], object], turns: int = 7) -> list[float]:
    """Milliseconds of each turn."""
    found = []
    for _turn in range(turns):
        begun_s = time.perf_counter()
        work()
        found.append((time.perf_counter() - begun_s) * 1e3)
    return found
