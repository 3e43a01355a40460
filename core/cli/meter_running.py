"""A meter read for the length of one command: the reader, the history it is recorded into, what is said on stderr."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol, TypeVar

from core.cli.meter_options import kept
from core.cli.output import print_problem
from core.config import Config, database_location, load_config
from core.errors import RefusedError
from core.meter_records import LineOctets
from core.records import MeterReport, MeterState, StoreReport
from core.services.meter_reader import MeterReader
from core.services.meter_sources import MeterSource
from core.services.recorder import Recorder
from core.site_records import Record
from core.store.history import History

LAST_WORD_S = 3.0
"""How long the end of a command waits for the history."""

_GOING_ON = (MeterState.SEARCHING, MeterState.READING)


class Listener(Protocol):
    """Takes in what the reader publishes, in its loop; the command ends when `ended` is set."""

    ended: asyncio.Event

    def publish(self, record: Record) -> None:
        """Something was learned."""


L = TypeVar("L", bound=Listener)


class Problems:
    """Says on stderr what a reader reports, each thing once in a row, and remembers what ends a single reading."""

    def __init__(self, signalled: asyncio.Event) -> None:
        self._signalled = signalled
        self._told: str | None = None
        self.protocol: str | None = None
        self.failure: MeterReport | None = None
        self.is_refused = False

    def take(self, report: MeterReport) -> bool:
        """Say what is said; True when the reading has failed, and does not go on by itself."""
        self.protocol = report.protocol or self.protocol
        self.is_refused = self.is_refused or report.needs_key or report.needs_password
        if not report.is_problem and report.state is MeterState.READING:
            return False
        if not self._signalled.is_set() and report.text != self._told:
            print_problem(report.text)
            self._told = report.text
        if report.state in _GOING_ON or report.is_trying:
            return False
        self.failure = report
        return True

    def forget(self) -> None:
        """All is well: what comes next is said again."""
        self._told = None

    @property
    def exit_status(self) -> int:
        """How a command ends that has nothing to show: 3 for a password or a key, else 1."""
        return RefusedError.exit_status if self.is_refused else 1


def run_reader(
    options: argparse.Namespace,
    source_of: Callable[[Config], MeterSource],
    listen: Callable[[Recorder, asyncio.Event], L],
    begin: Callable[[MeterReader], None] = lambda _reader: None,
    on_octets: Callable[[LineOctets], None] | None = None,
) -> L:
    """Read until the listener has enough or a signal comes; what was learned is on the disk when this returns.

    `listen` is given what records, and whether a signal has come; `begin` may ask the reader for something before it
    runs. Raises what the reader raises.
    """
    from core.cli.console import run_until_signalled
    from core.services.waiting import first_of

    config, warnings = load_config(options.home)
    for warning in warnings:
        print_problem(warning)
    source = source_of(config)
    location = database_location(config, options.home)
    listeners: list[L] = []
    failures: list[Exception] = []

    async def main(signalled: asyncio.Event) -> int:
        recorder = Recorder(lambda: History.open(location), config.retention, _store_teller())
        listener = listen(recorder, signalled)
        listeners.append(listener)
        reader = MeterReader(source, listener.publish, on_octets=on_octets)
        begin(reader)
        recording = asyncio.create_task(recorder.run())
        try:
            await first_of(kept(reader.run(), failures), listener.ended.wait(), signalled.wait())
            listener.ended.set()
        finally:
            recording.cancel()
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(asyncio.shield(recording), LAST_WORD_S)
        return 0

    run_until_signalled(main)
    if failures:
        raise failures[0]
    return listeners[0]


def _store_teller() -> Callable[[StoreReport], None]:
    """Says an error of the history once, until it is another."""
    told: list[str | None] = [None]

    def tell(report: StoreReport) -> None:
        if report.error is not None and report.error != told[0]:
            print_problem(report.error)
        told[0] = report.error

    return tell
