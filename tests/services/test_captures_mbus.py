"""Recordings of M-Bus meters beside what libmbus makes of them; they stay where BEFFROI_CAPTURES says."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from core.protocol.mbus_frames import MbusReader
from core.protocol.mbus_telegram import telegram_of
from core.services.decode import DecodeResult, decode_capture

FOLDER = os.environ.get("BEFFROI_CAPTURES", "")
INDEX = Path(FOLDER, "index.json")
FUNCTIONS = {
    "Instantaneous value": "CURRENT",
    "Maximum value": "MAXIMUM",
    "Minimum value": "MINIMUM",
    "Value during error state": "IN_ERROR",
}
UNITS = {"m^3": "m³", "m^3/h": "m³/h", "-": None, "": None, "Reserved": None, "Â°C": "°C"}


def entries(*outcomes: str) -> list[Any]:
    if not FOLDER or not INDEX.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason="BEFFROI_CAPTURES names no folder of captures"))]
    return [
        pytest.param(entry, id=entry["file"])
        for entry in json.loads(INDEX.read_text("utf-8"))
        if entry["file"].startswith("mbus/") and entry["outcome"] in outcomes
    ]


def decoded(entry: dict[str, Any]) -> DecodeResult:
    key = bytes.fromhex(entry["key"]) if "key" in entry else None
    return decode_capture(Path(FOLDER, entry["file"]).read_bytes(), key=key)


@pytest.mark.parametrize("entry", entries("ok"))
def test_a_recording_says_what_libmbus_says_of_it_record_by_record(entry):
    result = decoded(entry)
    assert result.exit_status == 0
    if "expected_xml" not in entry:
        missing = [wanted for wanted in entry["readings"] if not any(is_it(wanted, one) for one in result.readings)]
        assert not missing
        assert result.protocol == "push"
        return
    reader = MbusReader()
    reader.receive_data(bytes.fromhex(Path(FOLDER, entry["file"]).read_text("ascii")))
    frame = reader.next_frame()
    assert frame is not None
    telegram = telegram_of(frame)
    document = ElementTree.fromstring(Path(FOLDER, entry["expected_xml"]).read_bytes())  # a file of ours
    assert telegram.header.identification.lstrip("0") == document.findtext(".//Id").lstrip("0")
    assert telegram.header.manufacturer == document.findtext(".//Manufacturer")
    assert telegram.header.version == int(document.findtext(".//Version"))
    assert telegram.header.access_number == int(document.findtext(".//AccessNumber"))
    assert telegram.header.status == int(document.findtext(".//Status"), 16)
    wanted = list(document.iter("DataRecord"))
    special = [row for row in wanted if row.findtext("Function") in ("Manufacturer specific", "More records follow")]
    assert len(wanted) - len(special) == len(telegram.records)
    for row, record, reading in zip(wanted, telegram.records, result.readings, strict=False):
        head = record.head
        assert head.function.name == FUNCTIONS[row.findtext("Function")]
        assert head.storage == int(row.findtext("StorageNumber"))
        assert head.tariff == int(row.findtext("Tariff") or 0)
        assert head.subunit == int(row.findtext("Device") or 0)
        unit = row.findtext("Unit")
        if not head.is_about and head.quantity != "plain_text":
            assert reading.unit == UNITS.get(unit, unit)
        assert same(row.findtext("Value"), reading.value) or same(row.findtext("Value"), reading.raw)
    for row in special:
        assert (row.findtext("Value") or "") == telegram.manufacturer_data.hex(" ").upper()


@pytest.mark.parametrize("entry", entries("reject", "error"))
def test_a_recording_that_does_not_hold_publishes_nothing_and_says_why(entry):
    result = decoded(entry)
    assert result.readings == ()
    assert result.errors
    assert result.exit_status == (3 if "nokey" in entry["file"] else 1)
    if "application error" in entry["reason"]:
        assert "the meter reports an application error: " in result.errors[0]


@pytest.mark.parametrize("entry", entries("ok"))
def test_every_label_is_unique_and_stands_where_no_code_does(entry):
    for telegram in decoded(entry).telegrams:
        if telegram.protocol != "mbus":
            continue
        named = [reading.label for reading in telegram.readings if reading.label is not None]
        codes = [reading.obis for reading in telegram.readings if reading.obis is not None]
        assert len(named) == len(set(named))
        assert len(codes) == len(set(codes))
        assert all((reading.label is None) != (reading.obis is None) for reading in telegram.readings)
        assert all(re.fullmatch(r"[^\W_][^\WA-Z]*", label) for label in named)


@pytest.mark.parametrize("entry", entries("ok"))
def test_every_cut_of_a_recording_is_rejected_or_missing(entry):
    data = bytes.fromhex(Path(FOLDER, entry["file"]).read_text("ascii"))
    if "expected_xml" not in entry:
        pytest.skip("its first frame is whole by itself")
    for size in range(1, len(data)):
        result = decode_capture(data[:size].hex().encode(), protocol="mbus")
        assert result.readings == ()
        assert result.errors


def same(text: str | None, value: object) -> bool:
    if isinstance(value, str):
        return value == (text or "").removesuffix("Z")
    return isinstance(value, (int, float)) and abs(float(text or "nan") - value) <= 1e-6 * max(1.0, abs(value))


def is_it(wanted: dict[str, Any], reading: Any) -> bool:
    return reading.obis == wanted["obis"] and wanted["value"] in (reading.value, reading.raw)
