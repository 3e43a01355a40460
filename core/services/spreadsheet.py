"""Rows of the first sheet of an xlsx file, read a row at a time; one that would unpack to too much is refused before.

A spreadsheet is a zip of XML: 16 MiB of it can hold many GiB. What its own directory says of each part is looked at
first (Python reads no more of a part than that), so nothing is unpacked of a file that says too much.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence

from core.errors import UsageError
from core.language import _

MOST_PARTS = 1_000
LARGEST_SHEET = 160 << 20
"""A sheet is read as a stream; 100,000 rows of eight cells are some 60 MiB of XML."""

LARGEST_TEXTS = 32 << 20
"""The texts that cells share, which are all in memory at once."""

LARGEST_PART = 8 << 20
MOST_ROWS = 200_000
MOST_COLUMNS = 64
_HEAD = 4096

_BROKEN = (
    zipfile.BadZipFile, zlib.error, KeyError, ValueError, OSError, IndexError, SyntaxError, EOFError, TypeError,
    AttributeError, NotImplementedError, RuntimeError, OverflowError,
)  # fmt: skip
"""What openpyxl raises for bytes that are no spreadsheet."""


class NotASpreadsheetError(UsageError):
    """Why a file is not read as a spreadsheet."""


def sheet_rows(content: bytes) -> Iterator[tuple[int, Sequence[object]]]:
    """Number, from 1, and cells of each row that says anything; a formula is its last value.

    Raises NotASpreadsheetError, from the first row on.
    """
    import openpyxl  # imported here: only a spreadsheet pays for it

    _check_size(content)
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        try:
            count = 0
            for number, row in enumerate(book.worksheets[0].iter_rows(max_col=MOST_COLUMNS, values_only=True), 1):
                if all(cell is None for cell in row):
                    continue
                count += 1
                if count > MOST_ROWS:
                    raise NotASpreadsheetError(
                        _("the sheet has more than {count} rows; split it").format(count=MOST_ROWS)
                    )
                yield number, row
        finally:
            book.close()
    except _BROKEN as error:
        raise NotASpreadsheetError(_("this is not a spreadsheet in the xlsx format")) from error


def _check_size(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            if len(parts) > MOST_PARTS:
                raise NotASpreadsheetError(_("the spreadsheet has {count} parts; too many").format(count=len(parts)))
            for part in parts:
                if part.file_size > _largest(part.filename):
                    raise NotASpreadsheetError(
                        _("the spreadsheet would unpack to more than {count} MiB in {part}; it is not read").format(
                            count=_largest(part.filename) >> 20, part=part.filename[-60:]
                        )
                    )
            if sum(part.file_size for part in parts) > LARGEST_SHEET + LARGEST_TEXTS:
                raise NotASpreadsheetError(
                    _("the spreadsheet would unpack to more than {count} MiB; it is not read").format(
                        count=(LARGEST_SHEET + LARGEST_TEXTS) >> 20
                    )
                )
            for part in parts:
                if part.filename.endswith((".xml", ".rels")):
                    with archive.open(part) as stream:
                        if b"<!DOCTYPE" in stream.read(_HEAD):  # none of Excel's has one; entities could explode
                            raise NotASpreadsheetError(_("the spreadsheet has a part with a DOCTYPE; it is not read"))
    except _BROKEN as error:
        raise NotASpreadsheetError(_("this is not a spreadsheet in the xlsx format")) from error


def _largest(name: str) -> int:
    if name.startswith("xl/worksheets/"):
        return LARGEST_SHEET
    return LARGEST_TEXTS if name.endswith("sharedStrings.xml") else LARGEST_PART
