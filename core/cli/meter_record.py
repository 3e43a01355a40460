"""`meter record`: every octet of a meter's line with its time, into a file that can be decoded and played again."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from core.cli.meter_options import seconds
from core.cli.meter_running import Problems, run_reader
from core.cli.meter_source import add_source, source_of_options
from core.cli.output import print_json, print_text
from core.errors import UsageError
from core.language import _, ngettext
from core.meter_records import LineOctets
from core.records import MeterReadings, MeterReport
from core.services.line_recording import LineRecording
from core.services.recorder import Recorder
from core.site_records import Record


def add_record(parsers: Any, common: argparse.ArgumentParser) -> None:
    """Add `record` to the commands of `meter`; `parsers` is what `add_subparsers` gave."""
    parser = parsers.add_parser(
        "record",
        parents=[common],
        help=_("record every octet of a meter's line"),
        description=_(
            "The file holds what passes on the line, with its times: “meter decode FILE” says what it means, "
            "“meter simulate --replay FILE” plays it again. A password that is sent in clear is in it; keys are not."
        ),
    )
    add_source(parser)
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help=_("write to this file"))
    parser.add_argument("--seconds", type=seconds, metavar="S", help=_("end after so many seconds (by Ctrl+C)"))
    parser.set_defaults(handler=_record, empty_document={"octets": 0, "telegrams": 0})


class _Recorded:
    """Counts what is read while the line is recorded; ends by itself after `seconds`."""

    def __init__(self, signalled: asyncio.Event, limit_s: float | None) -> None:
        self.problems = Problems(signalled)
        self.ended = asyncio.Event()
        self.telegrams = 0
        self.failure: UsageError | None = None
        if limit_s is not None:
            asyncio.get_running_loop().call_later(limit_s, self.ended.set)

    def publish(self, record: Record) -> None:
        """See `Listener`: the history is not written, the line is what is wanted."""
        if self.ended.is_set():
            return
        if isinstance(record, MeterReadings):
            self.telegrams += 1
            self.problems.forget()
        elif isinstance(record, MeterReport):
            self.problems.take(record)


def _record(options: argparse.Namespace) -> int:
    recording: LineRecording | None = None
    listeners: list[_Recorded] = []

    def listen(_recorder: Recorder, signalled: asyncio.Event) -> _Recorded:
        nonlocal recording
        recording = LineRecording(options.output)
        listeners.append(_Recorded(signalled, options.seconds))
        return listeners[0]

    def on_octets(record: LineOctets) -> None:
        assert recording is not None
        listener = listeners[0]
        if listener.failure is not None:
            return
        try:
            recording.put(record)
        except UsageError as error:  # told at the end: the reader must not take it for trouble with the port
            listener.failure = error
            listener.ended.set()

    try:
        listener = run_reader(options, lambda config: source_of_options(options, config), listen, on_octets=on_octets)
    finally:
        if recording is not None:
            recording.close()
    if listener.failure is not None:
        raise listener.failure
    assert recording is not None
    count = recording.octets
    if options.json:
        print_json({"octets": count, "telegrams": listener.telegrams})
    else:
        told = ngettext("{count} octet recorded", "{count} octets recorded", count).format(count=count)
        read = ngettext("{count} telegram read", "{count} telegrams read", listener.telegrams)
        print_text(f"{told}, {read.format(count=listener.telegrams)}")
    return 0 if count else listener.problems.exit_status
