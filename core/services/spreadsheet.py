"""Rows of the first sheet of an xlsx file, as a stream; one that would unpack to too much is refused before.

A spreadsheet is a zip of XML (ECMA-376): a few MiB of it can hold many GiB. What its own directory says of each part
is looked at first, and Python reads no more of a part than that; a part with a DOCTYPE, where entities could explode,
is refused at once. Read by expat here: 100,000 rows take seconds, and nothing but texts and numbers is wanted.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import IO
from xml.parsers import expat

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
LONGEST_CELL = 32_767
"""Letters of one cell at most, as in any spreadsheet program."""

_PIECE = 1 << 16
_LETTERS = re.compile(r"[A-Z]{1,3}")
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
"""How a letter that XML cannot hold stands in a text (ECMA-376 part 1, 22.4.2.4)."""

_BROKEN = (
    zipfile.BadZipFile, zlib.error, expat.ExpatError, KeyError, ValueError, OSError, EOFError, IndexError,
    NotImplementedError, RuntimeError, OverflowError,
)  # fmt: skip

Row = list[str | None]


class NotASpreadsheetError(UsageError):
    """Why a file is not read as a spreadsheet."""


def sheet_rows(content: bytes) -> Iterator[tuple[int, Sequence[str | None]]]:
    """Number, from 1, and texts of each row that says anything; a number as it stands, a formula as its last value.

    Raises NotASpreadsheetError, from the first row on.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_size(archive.infolist())
            texts = _shared_texts(archive)
            with archive.open(_first_sheet(archive)) as stream:
                yield from _Sheet(texts).rows(stream)
    except _BROKEN as error:
        raise NotASpreadsheetError(_("this is not a spreadsheet in the xlsx format")) from error


def _check_size(parts: Sequence[zipfile.ZipInfo]) -> None:
    if len(parts) > MOST_PARTS:
        raise NotASpreadsheetError(_("the spreadsheet has {count} parts; too many").format(count=len(parts)))
    for part in parts:
        largest = _largest(part.filename)
        if part.file_size > largest:
            raise NotASpreadsheetError(
                _("the spreadsheet would unpack to more than {count} MiB in {part}; it is not read").format(
                    count=largest >> 20, part=part.filename[-60:]
                )
            )


def _largest(name: str) -> int:
    if name.startswith("xl/worksheets/"):
        return LARGEST_SHEET
    return LARGEST_TEXTS if name.endswith("sharedStrings.xml") else LARGEST_PART


def _parser(start: Callable[[str, dict[str, str]], None]) -> expat.XMLParserType:
    """A parser that names elements without their namespace and refuses a DOCTYPE."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.buffer_size = _PIECE

    def on_doctype(*_parts: object) -> None:
        raise NotASpreadsheetError(_("the spreadsheet has a part with a DOCTYPE; it is not read"))

    parser.StartDoctypeDeclHandler = on_doctype
    parser.StartElementHandler = lambda name, attributes: start(name.rpartition(" ")[2], attributes)
    return parser


def _fed(parser: expat.XMLParserType, stream: IO[bytes]) -> Iterator[None]:
    """Once after each piece of `stream`, and at its end."""
    while piece := stream.read(_PIECE):
        parser.Parse(piece, False)
        yield
    parser.Parse(b"", True)
    yield


def _elements(archive: zipfile.ZipFile, name: str, wanted: str) -> list[dict[str, str]]:
    """The attributes of all elements of one name in a part; their names without a namespace."""
    found: list[dict[str, str]] = []

    def start(element: str, attributes: dict[str, str]) -> None:
        if element == wanted:
            found.append({key.rpartition(" ")[2]: value for key, value in attributes.items()})

    with archive.open(name) as stream:
        for _piece in _fed(_parser(start), stream):
            pass
    return found


def _first_sheet(archive: zipfile.ZipFile) -> str:
    """Name of the part that is the first sheet of the book."""
    sheet = _elements(archive, "xl/workbook.xml", "sheet")[0]
    for relation in _elements(archive, "xl/_rels/workbook.xml.rels", "Relationship"):
        if relation["Id"] == sheet["id"]:
            target = relation["Target"]
            return target[1:] if target.startswith("/") else posixpath.normpath(f"xl/{target}")
    raise KeyError(sheet["id"])


def _shared_texts(archive: zipfile.ZipFile) -> list[str]:
    """The texts that cells name by number; of one with several formats all its runs."""
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    texts: list[str] = []
    pieces: list[str] = []
    state = {"in_text": False, "in_phonetic": False}

    def start(name: str, _attributes: dict[str, str]) -> None:
        if name == "si":
            pieces.clear()
        elif name == "rPh":
            state["in_phonetic"] = True
        elif name == "t":
            state["in_text"] = not state["in_phonetic"]

    def end(name: str) -> None:
        local = name.rpartition(" ")[2]
        if local == "si":
            texts.append(_text(pieces))
        elif local == "rPh":
            state["in_phonetic"] = False
        elif local == "t":
            state["in_text"] = False

    def letters(text: str) -> None:
        if state["in_text"]:
            pieces.append(text)

    parser = _parser(start)
    parser.EndElementHandler = end
    parser.CharacterDataHandler = letters
    with archive.open("xl/sharedStrings.xml") as stream:
        for _piece in _fed(parser, stream):
            pass
    return texts


def _text(pieces: Sequence[str]) -> str:
    whole = "".join(pieces)[:LONGEST_CELL]
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), whole) if "_x" in whole else whole


class _Sheet:
    """One sheet while it is read; rows are handed out as they are whole."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._done: list[tuple[int, Row]] = []
        self._number = 0
        self._row: Row = []
        self._column = 0
        self._kind = ""
        self._pieces: list[str] = []
        self._is_in_value = False
        self._count = 0

    def rows(self, stream: IO[bytes]) -> Iterator[tuple[int, Row]]:
        """Number and cells of each row that says anything."""
        parser = _parser(self._on_start)
        parser.EndElementHandler = self._on_end
        parser.CharacterDataHandler = self._on_letters
        for _piece in _fed(parser, stream):
            yield from self._done
            self._done.clear()

    def _on_start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._kind = attributes.get("t", "n")
            place = attributes.get("r")
            self._column = self._column + 1 if place is None else _column(place)
            self._pieces.clear()
        elif name in ("v", "t"):
            self._is_in_value = True
        elif name == "row":
            self._number = int(attributes.get("r", self._number + 1))
            self._row = []
            self._column = -1

    def _on_letters(self, text: str) -> None:
        if self._is_in_value:
            self._pieces.append(text)

    def _on_end(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        if local == "c":
            self._end_cell()
        elif local in ("v", "t"):
            self._is_in_value = False
        elif local == "row" and any(self._row):
            self._count += 1
            if self._count > MOST_ROWS:
                raise NotASpreadsheetError(_("the sheet has more than {count} rows; split it").format(count=MOST_ROWS))
            self._done.append((self._number, self._row))

    def _end_cell(self) -> None:
        if not self._pieces or self._column >= MOST_COLUMNS:
            return
        text = _text(self._pieces)
        if self._kind == "s":
            text = self._texts[int(text)]
        elif self._kind == "n":
            text = _number(text)
        self._row += [None] * (self._column + 1 - len(self._row))
        self._row[self._column] = text


def _column(place: str) -> int:
    """Number, from 0, of the column of a cell such as `AB12`."""
    found = _LETTERS.match(place)
    if found is None:
        raise ValueError(place)
    number = 0
    for letter in found[0]:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _number(text: str) -> str:
    """A number as people write it: `17450` for `17450.0` or `1.745E4`."""
    if text.isdecimal():
        return text
    value = float(text)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
