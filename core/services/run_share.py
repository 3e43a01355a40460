"""What the parts of one run share, whatever threads they are in: the places of its window, and room for its output."""

from __future__ import annotations

import threading
from collections.abc import Callable

RUN_OCTETS = 64 << 20
"""Octets of output that are kept of one run, all machines together, beside the SURE_OCTETS of each."""
SURE_OCTETS = 8 * 1024
"""Octets of output that are kept of each machine, however much the others say."""


class RunShare:
    """Places and room of one run; from any thread.

    A window of 2,000 machines that say 1 MiB each would hold 2 GiB: what is beyond RUN_OCTETS is dropped, first come
    first kept, and counted in `truncated_bytes` of its machine.
    """

    def __init__(self, window: int = 0, most_octets: int = RUN_OCTETS) -> None:
        self._lock = threading.Lock()
        self._window = window
        self._taken = 0
        self._room = most_octets
        self._wakes: list[Callable[[], None]] = []

    def take_place(self, wake: Callable[[], None]) -> bool:
        """True where one more machine may run it now; else `wake` is called, in any thread, once that may be so."""
        with self._lock:
            if self._window and self._taken >= self._window:
                if wake not in self._wakes:
                    self._wakes.append(wake)
                return False
            self._taken += 1
            return True

    def give_place_back(self) -> None:
        """A machine has ended."""
        with self._lock:
            self._taken -= 1
            wakes, self._wakes = self._wakes, []
        for wake in wakes:
            wake()

    def take_room(self, octets: int) -> int:
        """How many of `octets` may be kept."""
        with self._lock:
            granted = min(octets, self._room)
            self._room -= granted
            return granted

    def give_room_back(self, octets: int) -> None:
        """So many are no longer kept."""
        with self._lock:
            self._room += octets
