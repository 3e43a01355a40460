"""Recordings of real meters, in the folder that BEFFROI_CAPTURES names (see its README); they stay where they are."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from core.records import Reading
from core.services.decode import DecodeResult, decode_capture

FOLDER = os.environ.get("BEFFROI_CAPTURES", "")
INDEX = Path(FOLDER, "index.json")

ONE_SEGMENT_OF_THREE = "hdlc/hdlc_iskra550.hex"
"""Its 166 octets are the first segment: six of the sixteen values are in it, whole and vouched for."""
INDEXES_FOR_VALUES = "hdlc/raw_energomera.hex"
"""The index of captures gives the data index of each object of the list (all 0) in the place of its value."""


def entries(*outcomes: str) -> list[Any]:
    if not FOLDER or not INDEX.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason="BEFFROI_CAPTURES names no folder of captures"))]
    return [
        pytest.param(entry, id=entry["file"])
        for entry in json.loads(INDEX.read_text("utf-8"))
        if entry["file"].startswith("hdlc/") and entry["kind"] == "decode" and entry["outcome"] in outcomes
    ]


def decoded(entry: dict[str, Any], **keys: bytes | None) -> DecodeResult:
    data = Path(FOLDER, entry["file"]).read_bytes()
    return decode_capture(data, **{**keys_of(entry), **keys})


def keys_of(entry: dict[str, Any]) -> dict[str, bytes | None]:
    return {name: bytes.fromhex(entry[name]) if name in entry else None for name in ("key", "auth_key")}


def is_among(wanted: dict[str, Any], readings: tuple[Reading, ...]) -> bool:
    """By code (0-0:0.0.0*0 stands for none), and by value or by raw; by unit where the meter sends one."""
    code = None if wanted["obis"] == "0-0:0.0.0*0" else wanted["obis"]
    for reading in readings:
        if reading.obis != code or (wanted["unit"] is not None and wanted["unit"] != reading.unit):
            continue
        for value in (reading.value, reading.raw):
            if value == wanted["value"] or _is_near(value, wanted["value"]):
                return True
    return False


def _is_near(value: object, wanted: object) -> bool:
    return isinstance(value, (int, float)) and isinstance(wanted, (int, float)) and abs(value - wanted) < 1e-6


@pytest.mark.parametrize("entry", entries("ok"))
def test_a_recording_says_what_is_known_of_it(entry):
    result = decoded(entry)
    assert result.protocol == "push"
    assert result.readings
    assert result.exit_status == 0
    if entry["file"] == ONE_SEGMENT_OF_THREE:
        there = [wanted for wanted in entry["readings"] if is_among(wanted, result.readings)]
        assert there == entry["readings"][: len(result.readings)]
        assert len(there) == 6
        assert "breaks off" in result.errors[0]
        return
    assert result.errors == ()
    if entry["file"] == INDEXES_FOR_VALUES:
        codes = {wanted["obis"] for wanted in entry["readings"]}
        assert codes - {reading.obis for reading in result.readings} == {"0-0:25.9.0*255"}  # the list itself
        return
    missing = [wanted for wanted in entry.get("readings", []) if not is_among(wanted, result.readings)]
    assert not missing


@pytest.mark.parametrize("entry", entries("reject"))
def test_a_recording_that_is_wrong_publishes_nothing_and_says_why(entry):
    result = decoded(entry)
    assert result.exit_status == 1
    assert not result.readings
    assert "frame check is 0x" in result.errors[0]


@pytest.mark.parametrize("entry", entries("ok"))
def test_a_ciphered_recording_opens_with_its_keys_only(entry):
    if "key" not in entry:
        return
    for keys in ({"key": bytes(16)}, {"auth_key": bytes(16)}, {"key": None}):
        result = decoded(entry, **keys)
        assert result.exit_status == 3
        assert not result.readings
    assert "nothing vouches" in decoded(entry, auth_key=None).errors[0]


@pytest.mark.parametrize("entry", entries("ok"))
def test_a_recording_with_one_wrong_bit_is_told(entry):
    data = bytearray.fromhex(Path(FOLDER, entry["file"]).read_text("ascii"))
    if data[0] != 0x7E:
        return
    whole = decoded(entry).readings
    for position in range(1, len(data) - 1, 5):
        broken = bytearray(data)
        broken[position] ^= 0x20
        result = decode_capture(bytes(broken), **keys_of(entry))
        assert result.readings in ((), whole)
        assert result.errors or data[position] == 0x7E
