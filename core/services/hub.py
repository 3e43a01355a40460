"""Where services publish what they learn, and the window, the recorder and the command line pick it up."""

from __future__ import annotations

from typing import Protocol

from core.site_records import Record


class Sink(Protocol):
    """A bounded door: `put` never blocks, may be called from any thread, and counts what it must lose."""

    def put(self, record: Record) -> None:
        """Take `record` in."""


class Hub:
    """Hands every record to every sink, in the publisher's thread; sinks are added before services start."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = list(sinks)

    def add(self, sink: Sink) -> None:
        """Publish to `sink` too, from now on."""
        self._sinks.append(sink)

    def publish(self, record: Record) -> None:
        """Hand `record` over."""
        for sink in self._sinks:
            sink.put(record)
