"""`meter ports|read|watch` and their neighbours: a probe read and recorded, or a meter simulated."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace
from typing import Any

from core.cli.meter_decode import add_decode
from core.cli.meter_printing import NOTHING, print_readings, print_registers, print_who
from core.cli.meter_profile import add_profile
from core.cli.meter_record import add_record
from core.cli.meter_running import Problems, run_reader
from core.cli.meter_scan import add_scan
from core.cli.meter_simulate import add_simulate
from core.cli.meter_source import add_codes, add_source, source_of_options
from core.cli.output import print_json, print_problem, print_table, print_text
from core.config import Config
from core.language import _
from core.meter.measurement import measurement_of
from core.meter_records import RegisterList, RegisterValue
from core.records import MeterReadings, MeterReport
from core.services.meter_listening import is_same_code
from core.services.meter_reader import MeterReader
from core.services.meter_sources import MeterSource
from core.services.recorder import Recorder
from core.site_records import Record


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
        add_codes(parser)
    add_profile(parsers, common)
    add_decode(parsers, common)
    add_record(parsers, common)
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


class _Readings:
    """Prints and records readings as they come; with `is_once` the first one ends the command."""

    def __init__(self, options: argparse.Namespace, recorder: Recorder, signalled: asyncio.Event) -> None:
        self._options = options
        self._recorder = recorder
        self._told_errors: set[str] = set()
        self.is_once = False
        self.problems = Problems(signalled)
        self.ended = asyncio.Event()
        self.readings: MeterReadings | None = None

    def publish(self, record: Record) -> None:
        """See `Listener`."""
        if self.is_once and self.ended.is_set():
            return
        self._recorder.put(record)
        if isinstance(record, MeterReadings):
            self._take(record)
        elif isinstance(record, MeterReport) and self.problems.take(record) and self.is_once:
            self.ended.set()

    def _take(self, readings: MeterReadings) -> None:
        self.readings = readings
        shown = _only(readings, self._options.obis)
        print_readings(shown, self._options.json)
        for error in shown.errors:
            if error not in self._told_errors:  # the same doubt with each telegram is told once
                print_problem(error)
        self._told_errors = set(shown.errors)
        self.problems.forget()
        if self.is_once:
            self.ended.set()


class _Registers:
    """Prints registers as they come, and records them as one reading once all have."""

    def __init__(
        self, options: argparse.Namespace, recorder: Recorder, signalled: asyncio.Event, name: str | None
    ) -> None:
        self._is_json = options.json
        self._recorder = recorder
        self._name = name
        self._is_progress_shown = bool(options.all)
        self.problems = Problems(signalled)
        self.ended = asyncio.Event()
        self.found: list[RegisterValue] = []
        self.errors: list[str] = []
        self.ended_early: str | None = None

    @property
    def readings(self) -> int:
        """How many registers could be read."""
        return sum(one.reading is not None for one in self.found)

    def publish(self, record: Record) -> None:
        """See `Listener`."""
        if self.ended.is_set():
            return
        if isinstance(record, RegisterList):
            self._take(record)
            return
        self._recorder.put(record)
        if isinstance(record, MeterReport) and self.problems.take(record):
            self.ended.set()

    def _take(self, part: RegisterList) -> None:
        if part.is_first and not self._is_json and (part.registers or part.error is None):
            print_who(self.problems.protocol, part.meter, part.name, part.time_s, is_simulated=part.is_simulated)
        if not self._is_json:
            print_registers(list(part.registers), is_first=part.is_first and bool(part.registers))
        self.found += part.registers
        for one in part.registers:
            if one.error is not None:
                self.errors.append(f"{one.code}: {one.error}")
                print_problem(self.errors[-1])
        if self._is_progress_shown:
            self._tell_progress(part)
        if part.is_last:
            if part.error is not None:
                self.ended_early = part.error
                self.errors.append(part.error)
                print_problem(part.error)
            self._finish(part)

    def _tell_progress(self, part: RegisterList) -> None:
        text = (
            _("{count} objects read").format(count=len(self.found))
            if part.expected is None
            else _("{count} of {expected} objects read").format(count=len(self.found), expected=part.expected)
        )
        print_problem(text)

    def _finish(self, part: RegisterList) -> None:
        readings = tuple(one.reading for one in self.found if one.reading is not None)
        whole = MeterReadings(
            name=self._name or part.meter.serial_number or part.name,
            protocol=self.problems.protocol or "",
            meter=part.meter,
            time_s=part.time_s,
            readings=readings,
            errors=tuple(self.errors),
            is_simulated=part.is_simulated,
            measurement=measurement_of(readings),
        )
        if readings:
            self._recorder.put(whole)
        if self._is_json and (readings or not self.problems.failure):
            print_readings(whole, is_json=True)
        self.ended.set()


def _read(options: argparse.Namespace) -> int:
    if options.all or options.obis:
        return _read_registers(options)

    def listen(recorder: Recorder, signalled: asyncio.Event) -> _Readings:
        listener = _Readings(options, recorder, signalled)
        listener.is_once = True
        return listener

    listener = run_reader(options, lambda config: source_of_options(options, config), listen)
    if listener.readings is not None:
        return 0 if listener.readings.readings else 1  # a meter that answers with errors alone was not read
    _print_failure(options, listener.problems)
    return listener.problems.exit_status


def _read_registers(options: argparse.Namespace) -> int:
    """`--all` and `--obis`: one ask for registers. A code that was named and is not there makes it a failure."""
    sources: list[MeterSource] = []

    def source_of(config: Config) -> MeterSource:
        sources.append(source_of_options(options, config))
        return sources[0]

    def begin(reader: MeterReader) -> None:
        reader.read_registers(options.obis)

    def listen(recorder: Recorder, signalled: asyncio.Event) -> _Registers:
        return _Registers(options, recorder, signalled, sources[0].name)

    listener = run_reader(options, source_of, listen, begin)
    if listener.readings:
        is_missing = bool(options.obis) and bool(listener.errors)
        return 1 if is_missing or listener.ended_early is not None else 0
    if not listener.errors:
        _print_failure(options, listener.problems)
    return listener.problems.exit_status


def _watch(options: argparse.Namespace) -> int:
    def source_of(config: Config) -> MeterSource:
        return replace(source_of_options(options, config), codes=tuple(options.obis), is_all=options.all)

    def listen(recorder: Recorder, signalled: asyncio.Event) -> _Readings:
        return _Readings(options, recorder, signalled)

    run_reader(options, source_of, listen)
    return 0


def _print_failure(options: argparse.Namespace, problems: Problems) -> None:
    """The document of a command that has nothing to show."""
    if options.json:
        errors = [] if problems.failure is None else [problems.failure.text]
        print_json({**NOTHING, "protocol": problems.protocol, "errors": errors})
    sys.stdout.flush()


def _only(readings: MeterReadings, codes: list[str]) -> MeterReadings:
    """`readings` of `codes` alone, in the telegram's order; one that is not there is an error."""
    if not codes:
        return readings
    from msgspec.structs import replace as with_fields

    kept = tuple(
        one for one in readings.readings if any(is_same_code(code, one.obis or one.label or "") for code in codes)
    )
    given = [one.obis or one.label or "" for one in kept]
    told = " ".join(readings.errors)
    missing = tuple(
        _("{code}: the meter does not send this code").format(code=code)
        for code in codes
        if code not in told and not any(is_same_code(code, other) for other in given)
    )
    return with_fields(readings, readings=kept, errors=readings.errors + missing)
