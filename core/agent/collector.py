"""What an agent measures of its machine: the seam, and what its two sides share."""

from __future__ import annotations

from typing import Protocol

from core.records import Process, Status, System

TOP_PROCESS_PERIOD_S = 10.0
"""The table behind `top_process` is read at most this often."""

SHORTEST_RATE_S = 0.5
"""A rate over less than this says more about the clock's ticks than about the process."""

LONGEST_COMMAND_LINE = 4096


class Collector(Protocol):
    """Measures one machine. `now_s` is any monotonic clock, `time_s` is UTC epoch; owned by one thread."""

    def status(self, number: int, time_s: float, now_s: float) -> Status:
        """A fresh status; rates are since the previous one, or since the collector was made."""

    def processes(self, now_s: float) -> tuple[Process, ...]:
        """All processes in one pass; rates are since the previous pass, else over the process's life."""

    def system(self) -> System:
        """Who this machine is."""

    def interfaces(self) -> tuple[tuple[str, str], ...]:
        """Network interfaces with an address each, loopback left out; one of two addresses comes twice."""


def busiest_first(rates: list[tuple[float, int, str]]) -> tuple[float, int, str] | None:
    """The (percent, pid, name) of most CPU, None where no process has used any."""
    best = max(rates, default=None)
    return best if best is not None and best[0] > 0 else None
