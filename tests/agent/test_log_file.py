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


def test_who_makes_us_log_without_end_does_not_push_out_what_others_have_told(tmp_path):
    path = tmp_path / "beffroi.log"
    handler = BoundedLogHandler(path, encoding="utf-8", delay=True)

    def write(name, level, text, created):
        record = logging.LogRecord(name, level, "", 0, text, None, None)
        record.created = created
        handler.emit(record)

    write("other", logging.INFO, "told before", 0.0)
    for number in range(30_000):
        write("room", logging.INFO, "flood" * 20, number / 10_000)
    write("room", logging.ERROR, "an error", 3.0)
    write("other", logging.INFO, "told after", 3.0)
    write("room", logging.INFO, "calm again", 9.0)
    handler.close()
    lines = path.read_text().splitlines()
    assert lines[0] == "told before"
    assert lines.count("flood" * 20) <= log_file.LINES_AT_ONCE + 3 * log_file.LINES_PER_S
    left_out = [line for line in lines if line.endswith("lines were left out")]
    assert sum(int(line.split()[0]) for line in left_out) == 30_000 - lines.count("flood" * 20)
    assert lines[-3:] == ["an error", "told after", "calm again"]
