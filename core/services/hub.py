"""Where services publish what they learn, and the window, the recorder and the command line pick it up."""

from __future__ import annotations

import threading
from typing import Protocol

from core.site_records import Record


class Sink(Protocol):
    """A bounded door: `put` never blocks, may be called from any thread, and counts what it must lose."""

    def put(self, record: Record) -> None:
        """Take `record` in."""


class Hub:
    """Hands every record to every sink, in the publisher's thread; sinks come and go in any."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks: tuple[Sink, ...] = sinks  # replaced as a whole: a publisher may be going through it
        self._lock = threading.Lock()

    def add(self, sink: Sink) -> None:
        """Publish to `sink` too, from now on."""
        with self._lock:
            self._sinks = (*self._sinks, sink)

    def remove(self, sink: Sink) -> None:
        """Publish to `sink` no more; nothing happens where it is none."""
        with self._lock:
            self._sinks = tuple(other for other in self._sinks if other is not sink)

    def publish(self, record: Record) -> None:
        """Hand `record` over."""
        for sink in self._sinks:
            sink.put(record)
