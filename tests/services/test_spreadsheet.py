"""Spreadsheets from outside: what a cell says is read, and a bomb costs nothing."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path

import openpyxl
import pytest

from core.services import spreadsheet
from core.services.machine_lists import parse_list
from core.services.spreadsheet import NotASpreadsheetError, sheet_rows

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
BOOK = (
    f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets><sheet name="a" sheetId="1" r:id="rId7"/></sheets>'
    "</workbook>"
)
LINKS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId7" Type="t" Target="worksheets/sheet1.xml"/></Relationships>'
)


def book(rows: str, shared: str | None = None, **parts: str | bytes) -> bytes:
    """A spreadsheet whose sheet holds `rows` of XML."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", BOOK)
        archive.writestr("xl/_rels/workbook.xml.rels", LINKS)
        archive.writestr(
            "xl/worksheets/sheet1.xml", f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'
        )
        if shared is not None:
            archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{MAIN}">{shared}</sst>')
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    return stream.getvalue()


def read(content: bytes) -> list[tuple[int, list[str | None]]]:
    return [(number, list(row)) for number, row in sheet_rows(content)]


def refused(content: bytes) -> str:
    with pytest.raises(NotASpreadsheetError) as caught:
        read(content)
    return str(caught.value)


def test_every_kind_of_cell_is_read() -> None:
    rows = (
        '<row r="2"><c r="A2" t="s"><v>1</v></c><c r="C2"><v>17450.0</v></c><c r="D2" t="str"><f>A1</f><v>sum</v></c>'
        '<c r="E2" t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r></is></c><c r="F2" t="b"><v>1</v></c>'
        '<c r="G2"><v>1249.9</v></c><c r="H2"><f>NOW()</f></c><c r="I2"><v>1.745E4</v></c></row>'
        '<row r="9"><c r="A9"><v>5</v></c></row>'
    )
    shared = "<si><t>x</t></si><si><r><t>Poste </t></r><r><t>été_x0009_</t></r><rPh><t>no</t></rPh></si>"
    assert read(book(rows, shared)) == [
        (2, ["Poste été\t", None, "17450", "sum", "inline", "1", "1249.9", None, "17450"]),
        (9, ["5"]),
    ]


def test_rows_and_cells_without_places_follow_each_other() -> None:
    assert read(book("<row><c><v>1</v></c><c><v>2</v></c></row><row/><row><c><v>3</v></c></row>")) == [
        (1, ["1", "2"]),
        (3, ["3"]),
    ]


def test_what_openpyxl_writes_is_read(tmp_path: Path) -> None:
    made = openpyxl.Workbook()
    made.active.append(["nom", "adresse IP", "port", "prix HT (€)", "TVA %"])
    made.active.append(["étage 1", "10.0.0.1", 8080, 1249.9, 20])
    made.active.append(["=1+1", "10.0.0.2", None, None, None])
    made.create_sheet("other").append(["ignored"])
    path = tmp_path / "list.xlsx"
    made.save(path)
    machines, errors = parse_list(path.read_bytes(), ".xlsx")
    assert errors == []
    assert [(one.name, one.address, one.price_before_tax, one.vat_rate_percent) for one in machines] == [
        ("étage 1", "10.0.0.1:8080", "1249.9", "20"),
        ("10.0.0.2", "10.0.0.2:17450", None, None),  # a formula that was never calculated says nothing
    ]


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    zeros = io.BytesIO()
    with zipfile.ZipFile(zeros, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("xl/workbook.xml", BOOK)
        archive.writestr("xl/_rels/workbook.xml.rels", LINKS)
        with archive.open("xl/worksheets/sheet1.xml", "w") as stream:
            piece = b"<row><c><v>1</v></c></row>" * 40_000
            for _number in range(180):
                stream.write(piece)
    content = zeros.getvalue()
    assert len(content) < 2 << 20
    tracemalloc.start()
    begun_s = time.perf_counter()
    assert "would unpack to more than 160 MiB" in refused(content)
    assert time.perf_counter() - begun_s < 1
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_shared_texts_and_other_parts_have_limits_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "LARGEST_TEXTS", 1000)
    monkeypatch.setattr(spreadsheet, "LARGEST_PART", 1000)
    assert "sharedStrings.xml" in refused(book("", "<si><t>" + "x" * 1000 + "</t></si>"))
    assert "styles.xml" in refused(book("", xl__styles_xml=" " * 1001))
    assert "parts" in refused(book("", **{f"part{number}": "" for number in range(1001)}))


def test_a_part_that_lies_about_its_size_is_no_spreadsheet() -> None:
    content = bytearray(book("<row><c><v>1</v></c></row>" * 50_000))
    at = content.index(b"PK\x01\x02", content.index(b"xl/worksheets/sheet1.xml") + 100)
    while content[at + 46 : at + 46 + 24] != b"xl/worksheets/sheet1.xml":
        at = content.index(b"PK\x01\x02", at + 4)
    content[at + 24 : at + 28] = struct.pack("<I", 100)
    assert "not a spreadsheet" in refused(bytes(content))


def test_entities_never_explode() -> None:
    doctype = '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]>'
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("xl/workbook.xml", BOOK)
        archive.writestr("xl/_rels/workbook.xml.rels", LINKS)
        archive.writestr("xl/worksheets/sheet1.xml", f"<!--{'x' * 9000}-->{doctype}<worksheet>&c;</worksheet>")
    assert "DOCTYPE" in refused(stream.getvalue())


def test_too_many_rows_are_said_and_wide_rows_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "MOST_ROWS", 3)
    assert "more than 3 rows" in refused(book('<row><c r="A1"><v>1</v></c></row>' * 4))
    assert read(book('<row r="1048576"><c r="B1"><v>1</v></c><c r="XFD1"><v>2</v></c></row>')) == [
        (1048576, [None, "1"])
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"name;address\n",
        book("<row>")[:-30],
        book('<row><c t="s"><v>99</v></c></row>'),
        book("<row><c><v>many</v></c></row>"),
        book('<row r="x"/>'),
        book('<row><c r="1"><v>1</v></c></row>'),
        book("</row>"),
    ],
)
def test_what_is_broken_is_one_error(content: bytes) -> None:
    assert "not a spreadsheet" in refused(content)
    machines, errors = parse_list(content, ".xlsx")
    assert machines == []
    assert len(errors) == 1
