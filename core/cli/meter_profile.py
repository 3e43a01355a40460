"""`meter profile`: the load profile of a meter, printed as it comes and kept where the history has a gap."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from typing import Any

import msgspec

from core.cli.history import moment
from core.cli.meter_running import Problems, run_reader
from core.cli.meter_source import add_source, code, source_of_options
from core.cli.output import measured, print_problem, print_text
from core.errors import UsageError
from core.language import _, ngettext
from core.meter_records import ProfileColumn, ProfilePart, ProfileRow
from core.records import MeterReport
from core.services.meter_reader import MeterReader
from core.services.recorder import Recorder
from core.site_records import Record
from core.times import iso_time

NOTHING: dict[str, object] = {"columns": [], "rows": []}
LAST_ROW_S = 1.0
"""A row stands at the end of its period: one at the very time of `--to` is meant too."""
_TIME_WIDTH = 26
_OFFSET = re.compile(r"(?:Z|[+-]\d\d:\d\d)$")


def add_profile(parsers: Any, common: argparse.ArgumentParser) -> None:
    """Add `profile` to the commands of `meter`; `parsers` is what `add_subparsers` gave."""
    parser = parsers.add_parser(
        "profile",
        parents=[common],
        help=_("read the load profile that the meter keeps"),
        description=_(
            "Times: an ISO date or time (local unless it names a zone), now, today, yesterday, "
            "or a distance such as -90s, -30m, -1h, -7d."
        ),
    )
    parser._negative_number_matcher = re.compile(r"^-\d+[smhdw]?$")  # `--from -1h` is no option
    add_source(parser)
    parser.add_argument("--from", dest="start", required=True, metavar="T", help=_("first time"))
    parser.add_argument("--to", dest="end", default="now", metavar="T", help=_("last time (default: now)"))
    parser.add_argument("--obis", type=code, metavar="CODE", help=_("which load profile (1-0:99.1.0)"))
    parser.set_defaults(handler=_profile, empty_document=NOTHING)


class _Profile:
    """Prints parts of a profile as they come: one JSON document written piecewise, or a table."""

    def __init__(self, options: argparse.Namespace, recorder: Recorder, signalled: asyncio.Event) -> None:
        self._is_json = options.json
        self._recorder = recorder
        self._is_begun = False
        self._columns: tuple[ProfileColumn, ...] = ()
        self.problems = Problems(signalled)
        self.ended = asyncio.Event()
        self.rows = 0
        self.error: str | None = None
        self.is_whole = False

    def publish(self, record: Record) -> None:
        """See `Listener`."""
        if self.ended.is_set():
            return
        self._recorder.put(record)
        if isinstance(record, ProfilePart):
            self._take(record)
        elif isinstance(record, MeterReport) and self.problems.take(record):
            self.ended.set()

    def close(self) -> None:
        """End the document, whatever has come of it."""
        if self._is_json:
            self._begin(())
            _write(b"]}\n")

    def _take(self, part: ProfilePart) -> None:
        if part.columns or part.is_last:
            self._begin(part.columns)
        for row in part.rows:
            self._print(row)
            self.rows += 1
        sys.stdout.flush()
        if part.error is not None:
            self.error = part.error
            print_problem(part.error)
        if part.is_last:
            self.is_whole = part.error is None
            self.ended.set()

    def _begin(self, columns: tuple[ProfileColumn, ...]) -> None:
        if self._is_begun:
            return
        self._is_begun, self._columns = True, columns
        if self._is_json:
            named = [{"obis": column.obis, "unit": column.unit} for column in columns]
            _write(b'{"columns":' + msgspec.json.encode(named) + b',"rows":[')
        elif columns:
            self._print_line(_("time"), [f"{column.obis} {column.unit or ''}".strip() for column in columns])

    def _print(self, row: ProfileRow) -> None:
        if self._is_json:
            _write((b"," if self.rows else b"") + _encoded([_utc_time(row), *row.values]))
        else:
            self._print_line(row.time or iso_time(row.time_s) or "-", [_cell(value) for value in row.values])

    def _print_line(self, when: str, cells: list[str]) -> None:
        names = [f"{column.obis} {column.unit or ''}".strip() for column in self._columns]
        widths = [max(len(name), 12) for name in names] or [12] * len(cells)
        shown = [cell.rjust(width) for cell, width in zip(cells, widths, strict=False)]
        print_text("  ".join([when.ljust(_TIME_WIDTH), *shown]))


def _profile(options: argparse.Namespace) -> int:
    now_s = time.time()
    start_s, end_s = moment(options.start, now_s), moment(options.end, now_s)
    if start_s > end_s:
        raise UsageError(_("--from must not be later than --to"))

    def begin(reader: MeterReader) -> None:
        reader.read_profile(start_s, end_s + LAST_ROW_S, options.obis)

    def listen(recorder: Recorder, signalled: asyncio.Event) -> _Profile:
        return _Profile(options, recorder, signalled)

    listener = run_reader(options, lambda config: source_of_options(options, config), listen, begin)
    listener.close()
    sys.stdout.flush()
    if listener.is_whole:
        if not options.json:
            print_text(ngettext("{count} row", "{count} rows", listener.rows).format(count=listener.rows))
        return 0
    return 1 if listener.rows else listener.problems.exit_status


def _utc_time(row: ProfileRow) -> str | None:
    """UTC where the moment is known; the meter's own text where its clock does not tell its offset from UTC."""
    if row.time is not None and not _OFFSET.search(row.time):
        return row.time
    utc = iso_time(row.time_s)
    return row.time if utc is None else utc.replace(".000Z", "Z")


def _cell(value: float | int | str | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return str(measured(value))
    return "".join(letter if letter.isprintable() else " " for letter in str(value))


def _encoded(row: list[object]) -> bytes:
    try:
        return msgspec.json.encode(row)
    except UnicodeEncodeError:  # a lone surrogate of a meter's text
        return msgspec.json.encode(
            [value.encode("utf-8", "replace").decode() if isinstance(value, str) else value for value in row]
        )


def _write(octets: bytes) -> None:
    """To stdout as it is: a document of any length needs no memory."""
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        sys.stdout.write(octets.decode())
    else:
        stream.write(octets)
