"""A table as a CSV file that other programs read: UTF-8, dots as decimal signs, no cell a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from gui.models.whole_file import write_whole

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write it whole or not at all; a text that a spreadsheet would calculate gets an apostrophe. Raises OSError."""
    output = io.StringIO(newline="")
    writer = csv.writer(output, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    write_whole(path, output.getvalue().encode("utf-8"))


def iso_utc(time_s: float | None) -> str:
    """A time as files have it; empty for none."""
    if time_s is None:
        return ""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
