"""Series and commands as CSV or XLSX files: ISO times in UTC, units in the header, rows streamed.

Text from outside never becomes a formula of the spreadsheet that opens the file. A file is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import csv
import heapq
import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from core.errors import StoreError, StoreFullError, UsageError
from core.language import _
from core.records import CommandResult
from core.services.formulas import escaped
from core.store.history import History
from core.store.kinds import METER, REGISTER, SENSOR, split_name
from core.store.reading import Sample

Cell = str | int | float | datetime | None

SHEET_ROWS = 1_000_000
"""Rows of one sheet; a spreadsheet takes 1,048,576."""

CELL_LETTERS = 32_767
"""Letters of one cell of a spreadsheet at most."""

WATCHED_ROWS = 500
"""Rows after which who waits for an export is told of it."""

_ISO_FORMAT = 'yyyy-mm-dd"T"hh:mm:ss.000"Z"'
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What the XML of a spreadsheet cannot hold (XML 1.0, 2.2)."""


def write_series(
    history: History,
    names: Sequence[str],
    start_s: float,
    end_s: float,
    step_s: float | None,
    path: Path,
    *,
    watch: Callable[[int], None] | None = None,
) -> int:
    """Write the values of several series from `start_s` to before `end_s`, a row a time; the number of rows.

    Values of meters, sensors and checks stand as they came (old ones as the means that are left of them); a machine's
    minutes, and everything with `step_s` (a row a step, at its beginning), as mean, min and max. A meter of which a
    part was fetched from its load profile has a column that says 1 there; what a simulator made is said in the header.
    `watch` is told how many rows are written every now and then; what it raises ends the work, and no file is left.
    Raises StoreError, UsageError for a suffix that is neither .csv nor .xlsx.
    """
    write = _writer(path)
    header = ["time_utc"]
    widths = []
    filled: dict[str, list[tuple[float, float]]] = {}
    for name in names:
        kind, owner, _field = split_name(name)
        unit = history.unit_of(name)
        meter = owner if kind is METER else owner.rpartition("/")[0] if kind is REGISTER else None
        ending = f" [{unit}]" if unit else ""
        if (meter is not None and history.is_simulated(meter, start_s, end_s)) or (
            kind is SENSOR and history.is_sensor_simulated(owner, start_s)
        ):
            ending += " " + _("(simulated)")
        is_raw = kind.is_raw and step_s is None
        header += [f"{name}{part}{ending}" for part in ([""] if is_raw else [" mean", " min", " max"])]
        widths.append(1 if is_raw else 3)
        if kind is METER and owner not in filled:
            filled[owner] = history.filled_spans(owner, start_s, end_s)
    filled = {meter: spans for meter, spans in filled.items() if spans}
    header += [_("meter/{meter}: from the load profile").format(meter=meter) for meter in filled]
    streams = [_numbered(number, history.samples(name, start_s, end_s, step_s)) for number, name in enumerate(names)]
    rows = _marked(_series_rows(streams, widths), list(filled.values()), step_s or 0.0)
    try:
        return write(path, header, rows if watch is None else _watched(rows, watch))
    finally:
        for stream in streams:
            stream.close()  # one that was not read to its end holds a cursor of the history


def _watched(rows: Iterable[list[Cell]], watch: Callable[[int], None]) -> Iterator[list[Cell]]:
    for count, row in enumerate(rows):
        if count % WATCHED_ROWS == 0:
            watch(count)
        yield row


def _numbered(number: int, samples: Iterable[Sample]) -> Generator[tuple[float, int, Sample], None, None]:
    return ((sample.time_s, number, sample) for sample in samples)


def _series_rows(
    streams: Sequence[Iterable[tuple[float, int, Sample]]], widths: Sequence[int]
) -> Iterator[tuple[float, list[Cell]]]:
    begins = [sum(widths[:number]) for number in range(len(widths))]
    merged = heapq.merge(*streams, key=lambda entry: entry[0])
    for time_s, entries in groupby(merged, key=lambda entry: entry[0]):
        row: list[Cell] = [None] * sum(widths)
        for _time_s, number, sample in entries:
            figures = (sample.mean, sample.minimum, sample.maximum)[: widths[number]]
            row[begins[number] : begins[number] + widths[number]] = figures
        yield time_s, row


def _marked(
    rows: Iterable[tuple[float, list[Cell]]], spans: Sequence[Sequence[tuple[float, float]]], step_s: float
) -> Iterator[list[Cell]]:
    """The rows with their time, and 1 for each meter whose row, or a part of whose step, is of the load profile."""
    places = [0] * len(spans)
    for time_s, row in rows:
        for number, own in enumerate(spans):
            while places[number] < len(own) and own[places[number]][1] < time_s:
                places[number] += 1
            following = own[places[number]] if places[number] < len(own) else None
            is_within = following is not None and (following[0] < time_s or following[0] < time_s + step_s)
            row.append(1 if is_within else None)
        yield [datetime.fromtimestamp(time_s, UTC), *row]


def export_commands(history: History, path: Path, *, limit: int = 100_000, search: str = "") -> int:
    """Write all commands that hold `search`, newest first, a row for each machine; the number of rows."""
    write = _writer(path)
    header = [
        "time_utc",
        "id",
        "operator",
        "command",
        "machine",
        "state",
        "exit_status",
        "duration_s",
        "stdout",
        "stderr",
        "truncated_bytes",
        "message",
    ]
    return write(path, header, _command_rows(history, limit, search))


def _command_rows(history: History, limit: int, search: str) -> Iterator[list[Cell]]:
    for run in history.command_runs(limit, search):
        results = {result.machine: result for result in history.command_results(run.id)}
        begin: list[Cell] = [datetime.fromtimestamp(run.time_s, UTC), run.id, run.operator, run.line]
        for machine in dict.fromkeys((*run.machines, *results)):
            yield begin + _result_cells(machine, results.get(machine))


def _result_cells(machine: str, result: CommandResult | None) -> list[Cell]:
    if result is None:
        return [machine, "unknown", None, None, None, None, None, None]
    return [
        machine,
        result.state.value,
        result.exit_status,
        result.duration_s,
        result.stdout,
        result.stderr,
        result.truncated_bytes,
        result.message,
    ]


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> int:
    """Write rows that somebody has already, as .csv or .xlsx by suffix; the number of rows.

    Raises StoreError where the file cannot be written, UsageError for another suffix.
    """
    return _writer(path)(path, header, rows)


def _writer(path: Path) -> Callable[[Path, Sequence[str], Iterable[Sequence[Cell]]], int]:
    match path.suffix.lower():
        case ".csv":
            return _write_csv
        case ".xlsx":
            return _write_xlsx
    raise UsageError(_("{path}: a file to export to ends in .csv or .xlsx").format(path=path))


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> int:
    def write(draft: Path) -> int:
        count = 0
        with draft.open("w", encoding="utf-8", errors="replace", newline="") as stream:
            lines = csv.writer(stream)
            lines.writerow([escaped(name) for name in header])
            for row in rows:
                lines.writerow([_csv_cell(cell) for cell in row])
                count += 1
        return count

    return written_whole(path, write)


def _csv_cell(cell: Cell) -> str | int | float | None:
    if isinstance(cell, str):
        return escaped(cell.replace("\x00", "\ufffd"))
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return cell


def _write_xlsx(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> int:
    import openpyxl  # an extra of its own, and 0.1 s
    from openpyxl.cell import WriteOnlyCell

    book = openpyxl.Workbook(write_only=True)

    def cell(sheet: Any, value: Cell) -> Any:
        if isinstance(value, datetime):
            dated = WriteOnlyCell(sheet, value.replace(tzinfo=None))
            dated.number_format = _ISO_FORMAT
            return dated
        if isinstance(value, str):
            text = WriteOnlyCell(sheet, escaped(_CONTROL.sub("\ufffd", value))[:CELL_LETTERS])
            text.data_type = "s"
            return text
        return value

    def write(draft: Path) -> int:
        count = 0
        sheet: Any = None
        try:
            for row in rows:
                if count % SHEET_ROWS == 0:
                    sheet = _new_sheet(book, header)
                sheet.append([cell(sheet, value) for value in row])
                count += 1
            if sheet is None:
                _new_sheet(book, header)
            book.save(draft)
        except BaseException:
            _discard(book)
            raise
        return count

    return written_whole(path, write)


def _discard(book: Any) -> None:
    """Close the sheets of a book that is given up; their rows are in files of their own until it is saved."""
    for sheet in book.worksheets:
        with contextlib.suppress(OSError):
            if not sheet.closed:
                sheet.close()
        with contextlib.suppress(OSError, ValueError):  # ValueError where it is removed already
            sheet._writer.cleanup()


def _new_sheet(book: Any, header: Sequence[str]) -> Any:
    sheet = book.create_sheet()
    sheet.freeze_panes = "B2"
    sheet.column_dimensions["A"].width = 26
    sheet.append(list(header))
    return sheet


def written_whole(path: Path, write: Callable[[Path], int]) -> int:
    """What `write` returns, once the file it wrote has taken the place of `path`. Raises StoreError."""
    draft = path.with_name(f".{path.name[:80]}.{os.getpid()}")
    try:
        count = write(draft)
        os.replace(draft, path)
    except OSError as error:
        kind = StoreFullError if error.errno in (28, 122) else StoreError  # ENOSPC, EDQUOT
        raise kind(_("{path} cannot be written: {reason}").format(path=path, reason=error.strerror)) from error
    finally:
        draft.unlink(missing_ok=True)
    return count
