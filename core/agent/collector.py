"""What an agent measures of its machine: the seam, and what its two sides share."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest
from typing import NamedTuple, Protocol

from core.records import Process, Status, System

TOP_PROCESS_PERIOD_S = 10.0
"""The table behind `top_process` is read at most this often."""

SHORTEST_RATE_S = 0.5
"""A rate over less than this says more about the clock's ticks than about the process."""

LONGEST_COMMAND_LINE = 4096

MOST_CPU, MOST_MEMORY = 5, 5
"""How many of the processes that used most CPU, and of those that hold most memory, a status tells."""


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


class Use(NamedTuple):
    """What one process uses: percent of one core, and octets of memory."""

    cpu_percent: float
    memory_bytes: int
    pid: int
    name: bytes


def busiest_first(uses: Iterable[Use]) -> list[Use]:
    """Those of most CPU, where they used any, and those of most memory, each once; most CPU first."""
    uses = list(uses)
    busy = [use for use in nlargest(MOST_CPU, uses) if use.cpu_percent > 0]
    large = [use for use in nlargest(MOST_MEMORY, uses, _by_memory) if use.memory_bytes > 0]
    return sorted({*busy, *large}, reverse=True)


def _by_memory(use: Use) -> tuple[int, int]:
    return use.memory_bytes, use.pid
