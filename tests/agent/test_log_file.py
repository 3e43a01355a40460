"""The log of a home never grows without end, and loses nothing of its last megabyte."""

from __future__ import annotations

import logging

from core import log_file
from core.log_file import BoundedLogHandler


def _write(handler, text):
    handler.emit(logging.LogRecord("x", logging.INFO, "", 0, text, None, None))


def test_a_full_log_becomes_the_older_one(tmp_path, monkeypatch):
    monkeypatch.setattr(log_file, "LARGEST_OCTETS", 100)
    path = tmp_path / "beffroi.log"
    handler = BoundedLogHandler(path, encoding="utf-8", delay=True)
    for number in range(30):
        _write(handler, f"line {number:02}")
    handler.close()
    kept = (tmp_path / "beffroi.log.1").read_text() + path.read_text()
    assert kept.endswith("line 28\nline 29\n")
    assert len(kept) <= 220
    assert sorted(item.name for item in tmp_path.iterdir()) == ["beffroi.log", "beffroi.log.1"]


def test_two_processes_of_a_home_put_the_full_log_aside_once(tmp_path, monkeypatch):
    monkeypatch.setattr(log_file, "LARGEST_OCTETS", 100)
    path = tmp_path / "beffroi.log"
    one, other = (BoundedLogHandler(path, encoding="utf-8") for _ in range(2))
    _write(one, "a" * 120)
    _write(other, "b" * 10)
    _write(one, "c" * 10)
    _write(other, "d" * 10)
    one.close()
    other.close()
    assert (tmp_path / "beffroi.log.1").read_text().startswith("a" * 120)
    assert "c" * 10 in path.read_text()
    assert "d" * 10 in path.read_text()


def test_a_log_that_cannot_be_written_costs_its_records_and_nothing_else(tmp_path, capsys):
    path = tmp_path / "beffroi.log"
    path.mkdir()
    handler = BoundedLogHandler(path, encoding="utf-8", delay=True)
    _write(handler, "lost")
    handler.close()
    assert capsys.readouterr().err == ""
    path.rmdir()
    _write(handler, "kept")
    handler.close()
    assert path.read_text() == "kept\n"
