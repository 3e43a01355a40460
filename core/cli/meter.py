"""`meter ports|read|watch|decode|simulate`: a probe read and recorded, or a meter simulated."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import Any

from core.cli.meter_decode import add_decode
from core.cli.meter_options import kept
from core.cli.meter_scan import add_scan
from core.cli.meter_simulate import add_simulate
from core.cli.meter_source import add_source, source_of_options
from core.cli.output import local_time, measured, print_json, print_problem, print_table, print_text
from core.config import database_location, load_config
from core.errors import WrongKeyError
from core.language import _
from core.records import MeterReadings, MeterReport, MeterState, Reading, StoreReport
from core.services.meter_reader import MeterReader
from core.services.recorder import Recorder
from core.site_records import Record
from core.store.history import History
from core.times import iso_time

_GOING_ON = (MeterState.SEARCHING, MeterState.READING)
LAST_WORD_S = 3.0
"""How long the end of a command waits for the history."""

NOTHING: dict[str, object] = {
    "protocol": None,
    "meter": {"manufacturer": None, "model": None, "serial_number": None},
    "time": None,
    "readings": [],
    "errors": [],
}


def register(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the group `meter`."""
    meter = commands.add_parser("meter", parents=[common], help=_("read, decode or simulate an electricity meter"))
    parsers = meter.add_subparsers(metavar=_("ACTION"), required=True)
    ports = parsers.add_parser("ports", parents=[common], help=_("list the serial ports"))
    ports.set_defaults(handler=_ports, empty_document=[])
    read = parsers.add_parser("read", parents=[common], help=_("read a meter once"))
    read.set_defaults(handler=_read, empty_document=NOTHING)
    watch = parsers.add_parser("watch", parents=[common], help=_("show every reading of a meter as it comes"))
    watch.set_defaults(handler=_watch)
    for parser in (read, watch):
        add_source(parser)
    add_decode(parsers, common)
    add_scan(parsers, common)
    add_simulate(parsers, common)


def _ports(options: argparse.Namespace) -> int:
    from core.transport.serial_port import serial_ports

    found = serial_ports()
    if options.json:
        print_json(found)
    elif found:
        print_table(
            [_("device"), _("description"), _("serial number"), _("stable name")],
            [tuple(port[key] for key in ("device", "description", "serial_number", "by_id")) for port in found],
        )
    else:
        print_text(_("no serial port was found; plug the probe in and look again"))
    return 0


class _Listener:
    """Takes in what the reader publishes: prints, records, and notices what ends a `read`."""

    def __init__(
        self, options: argparse.Namespace, recorder: Recorder, signalled: asyncio.Event, *, is_once: bool
    ) -> None:
        self._is_json = options.json
        self._recorder = recorder
        self._signalled = signalled
        self._is_once = is_once
        self._told_errors: set[str] = set()
        self._told_text: str | None = None
        self.ended = asyncio.Event()
        self.readings: MeterReadings | None = None
        self.failure: MeterReport | None = None

    def publish(self, record: Record) -> None:
        """Called in the reader's loop."""
        if self._is_once and self.ended.is_set():
            return
        self._recorder.put(record)
        if isinstance(record, MeterReadings):
            self.readings = record
            _print_readings(record, self._is_json)
            for error in record.errors:
                if error not in self._told_errors:  # the same doubt with each telegram is told once
                    print_problem(error)
            self._told_errors, self._told_text = set(record.errors), None
            if self._is_once:
                self.ended.set()
        elif isinstance(record, MeterReport) and (record.is_problem or record.state is not MeterState.READING):
            if not self._signalled.is_set() and record.text != self._told_text:
                print_problem(record.text)
                self._told_text = record.text
            if record.state not in _GOING_ON and not record.is_trying and self._is_once and not self.ended.is_set():
                self.failure = record
                self.ended.set()


def _read(options: argparse.Namespace) -> int:
    listener = _run_reader(options, is_once=True)
    if listener.readings is not None:
        return 0
    failure = listener.failure
    if options.json:
        print_json({**NOTHING, "errors": [] if failure is None else [failure.text]})
    return WrongKeyError.exit_status if failure is not None and failure.needs_key else 1


def _watch(options: argparse.Namespace) -> int:
    _run_reader(options, is_once=False)
    return 0


def _run_reader(options: argparse.Namespace, *, is_once: bool) -> _Listener:
    from core.cli.console import run_until_signalled
    from core.services.waiting import first_of

    config, warnings = load_config(options.home)
    for warning in warnings:
        print_problem(warning)
    source = source_of_options(options, config)
    location = database_location(config, options.home)
    listeners: list[_Listener] = []
    failures: list[Exception] = []

    async def main(signalled: asyncio.Event) -> int:
        recorder = Recorder(lambda: History.open(location), config.retention, _store_teller())
        listener = _Listener(options, recorder, signalled, is_once=is_once)
        listeners.append(listener)
        reader = MeterReader(source, listener.publish)
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


def _print_readings(readings: MeterReadings, is_json: bool) -> None:
    if is_json:
        print_json(_document(readings))
        return
    meter = readings.meter
    who = " ".join(part for part in (meter.manufacturer, meter.model, meter.serial_number) if part) or readings.name
    words = [local_time(readings.time_s), readings.protocol, who, _("simulated") if readings.is_simulated else ""]
    print_text("  ".join(word for word in words if word))
    if readings.readings:
        print_table(
            [_("code"), _("quantity"), _("value"), _("unit")],
            [(one.obis, one.quantity, _shown(one), one.unit) for one in readings.readings],
        )
    sys.stdout.flush()


def _shown(reading: Reading) -> object:
    value = reading.value
    return measured(value) if isinstance(value, float) else value


def _document(readings: MeterReadings) -> dict[str, object]:
    """The JSON that other programs rely on."""
    return {
        "protocol": readings.protocol,
        "meter": {
            "manufacturer": readings.meter.manufacturer,
            "model": readings.meter.model,
            "serial_number": readings.meter.serial_number,
        },
        "time": iso_time(readings.time_s),
        "readings": [
            {
                "obis": one.obis,
                "quantity": one.quantity,
                "value": one.value,
                "raw": one.raw,
                "unit": one.unit,
                "time": one.time,
                "quality": one.quality.value,
            }
            for one in readings.readings
        ],
        "errors": list(readings.errors),
    }
