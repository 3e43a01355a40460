"""What commands print."""

from __future__ import annotations

import json

import pytest

from core.cli.output import bytes_text, print_json, print_table
from core.times import iso_time


def test_times_are_utc_with_milliseconds_and_z() -> None:
    assert iso_time(0.12) == "1970-01-01T00:00:00.120Z"
    assert iso_time(None) is None
    assert iso_time(1e300) is None


def test_json_is_one_line_and_keeps_nothing_that_is_not_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([{"name": "caf\u00e9", "broken": "a\udcffb", "load": float("nan"), "none": None}])
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert json.loads(printed) == [{"name": "caf\u00e9", "broken": "a\ufffdb", "load": None, "none": None}]


def test_a_table_aligns_numbers_and_never_prints_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "cpu"], [["lab-01", 7.25], ["evil\x1b[2J", None], ["\u6771\u4eac", 100.0]])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["name        cpu", "lab-01      7.2", "evil [2J      -", "\u6771\u4eac      100.0"]


def test_bytes_are_told_in_binary_units() -> None:
    assert [bytes_text(count) for count in (None, 12, 1536, 3 << 30, 5 << 40)] == [
        "-", "12 B", "1.5 KiB", "3.0 GiB", "5.0 TiB",
    ]  # fmt: skip
