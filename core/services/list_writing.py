"""Lists of machines to files, as csv, json or xlsx; `core.services.machine_lists` reads the same list back.

The column of tags, the last one, is there only where a machine has any. A cell that a spreadsheet would take for a
formula is written with an apostrophe in front, and read back without.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from core.errors import ConfigError, UsageError
from core.language import _
from core.records import Machine
from core.services.machine_lists import COLUMNS, FORMULA, TAGS

SUFFIXES = (".csv", ".json", ".xlsx")


def write_list(path: Path, machines: Iterable[Machine]) -> None:
    """Write `machines` as csv, json or xlsx by the suffix of `path`; the file appears whole or not at all."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(_("{path}: the file's name must end in .csv, .json or .xlsx").format(path=path))
    content = _ENCODERS[suffix](list(machines))
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError(_("{path} cannot be written: {reason}").format(path=path, reason=error.strerror)) from error


def _escaped(text: str) -> str:
    return "'" + text if text.startswith(FORMULA) else text


def _rows(machines: Sequence[Machine]) -> Iterator[list[str]]:
    with_tags = _with_tags(machines)
    yield [*COLUMNS, *([TAGS] if with_tags else [])]
    for machine in machines:
        cells = [
            machine.name,
            machine.host,
            str(machine.port),
            ";".join(machine.groups),
            machine.notes,
            machine.reference,
            machine.price_before_tax or "",
            machine.vat_rate_percent or "",
            *([";".join(machine.tags)] if with_tags else []),
        ]
        yield [_escaped(cell) for cell in cells]


def _with_tags(machines: Sequence[Machine]) -> bool:
    return any(machine.tags for machine in machines)


def _csv_bytes(machines: list[Machine]) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows(_rows(machines))
    return stream.getvalue().encode()


def _json_bytes(machines: list[Machine]) -> bytes:
    with_tags = _with_tags(machines)
    entries: list[dict[str, object]] = [
        {
            "name": machine.name,
            "address": machine.host,
            "port": machine.port,
            "groups": list(machine.groups),
            "notes": machine.notes,
            "reference": machine.reference,
            "price_before_tax": machine.price_before_tax,
            "vat_rate_percent": machine.vat_rate_percent,
            **({TAGS: list(machine.tags)} if with_tags else {}),
        }
        for machine in machines
    ]
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    return f"[\n{lines}\n]\n".encode()


def _xlsx_bytes(machines: list[Machine]) -> bytes:
    import openpyxl  # imported here: only a spreadsheet pays for it

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("machines")
    for row in _rows(machines):
        cells = []
        for text in row:
            cell = openpyxl.cell.WriteOnlyCell(sheet, value=text)
            cell.data_type = "s"
            cells.append(cell)
        sheet.append(cells)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


_ENCODERS = {".csv": _csv_bytes, ".json": _json_bytes, ".xlsx": _xlsx_bytes}
