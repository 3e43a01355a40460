"""The audit log: whole, or broken where it was touched."""

from __future__ import annotations

import json
import stat
import threading

import pytest

from core import audit
from core.cli.app import main
from core.errors import ConfigError


@pytest.fixture
def log(tmp_path):
    made = audit.AuditLog(tmp_path / "audit.log")
    made.append([{"event": "command", "argv": ["ls", "a\nb"]}, {"event": "result", "state": "ok"}])
    made.append([{"event": "pairing"}])
    return made


def test_entries_come_back_in_order_and_the_chain_holds(log):
    entries = list(audit.read(log.path))
    assert [entry["event"] for entry in entries] == ["command", "result", "pairing"]
    assert entries[0]["argv"] == ["ls", "a\nb"]
    assert entries[0]["previous"] == audit.NO_LINE
    assert entries[0]["time"].endswith("Z")
    verdict = audit.verify(log.path)
    assert (verdict.lines, verdict.is_whole) == (3, True)
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("line", [0, 1])
def test_a_changed_line_breaks_the_chain_at_the_next_one(log, line):
    lines = log.path.read_bytes().split(b"\n")
    lines[line] = lines[line].replace(b'"event":"', b'"event":"x')
    log.path.write_bytes(b"\n".join(lines))
    assert audit.verify(log.path).broken_line == line + 2


@pytest.mark.parametrize("line", [0, 1])
def test_a_removed_line_breaks_the_chain(log, line):
    lines = log.path.read_bytes().split(b"\n")
    del lines[line]
    log.path.write_bytes(b"\n".join(lines))
    assert audit.verify(log.path).broken_line == line + 1


def test_an_inserted_line_and_two_swapped_ones_break_the_chain(log):
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join([lines[0], b"noise\n", *lines[1:]]))
    assert not audit.verify(log.path).is_whole
    log.path.write_bytes(b"".join([lines[0], lines[2], lines[1]]))
    assert not audit.verify(log.path).is_whole


def test_a_line_torn_by_a_power_cut_is_kept_and_the_chain_goes_on(log):
    with log.path.open("ab") as stream:
        stream.write(b'{"time":"2026-11-21T19:00:00.000Z","event":"pai')
    assert (audit.verify(log.path).is_whole, audit.verify(log.path).uncovered) == (True, 1)
    log.append([{"event": "after"}])
    entries = list(audit.read(log.path))
    assert "unreadable" in entries[3]
    assert entries[4]["event"] == "after"
    assert audit.verify(log.path) == audit.Verdict(5, audit.verify(log.path).last_hash)
    torn = log.path.read_bytes().replace(b'"event":"pai', b'"event":"pax')
    log.path.write_bytes(torn)
    assert not audit.verify(log.path).is_whole


def test_several_writers_make_one_chain(tmp_path):
    path = tmp_path / "audit.log"

    def write(name):
        for number in range(20):
            audit.AuditLog(path).append([{"event": name, "number": number}])

    threads = [threading.Thread(target=write, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert audit.verify(path) == audit.Verdict(60, audit.verify(path).last_hash)


def test_a_very_long_entry_is_chained_too(log):
    log.append([{"event": "command", "argv": ["x" * 4000] * 60}])
    log.append([{"event": "after"}])
    assert audit.verify(log.path).is_whole


def test_a_log_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "audit.log").mkdir()
    with pytest.raises(ConfigError, match=r"audit\.log cannot be written"):
        audit.AuditLog(tmp_path / "audit.log").append([{"event": "x"}])


def test_no_log_is_whole_and_empty(tmp_path):
    assert audit.verify(tmp_path / "none") == audit.Verdict(0, audit.NO_LINE)
    assert list(audit.read(tmp_path / "none")) == []


def test_audit_show_and_verify_cover_both_logs_of_a_home(home, capsys):
    for folder in (home.agent_path, home.console_path):
        folder.mkdir(mode=0o700)
        audit.AuditLog(folder / "audit.log").append([{"event": "command", "argv": ["ls", "\x1b[31m"]}])
    assert main(["--home", str(home.path), "audit", "verify", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["log"], row["lines"], row["whole"]) for row in rows] == [("agent", 1, True), ("console", 1, True)]
    assert main(["--home", str(home.path), "audit", "show", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert {entry["log"] for entry in entries} == {"agent", "console"}
    assert all(entry["operator"] is None for entry in entries)
    assert main(["--home", str(home.path), "audit", "show"]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert main(["--home", str(home.path), "audit", "show", "--machine", "none"]) == 0
    assert "no entry is like that" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["--home", str(home.path), "audit", "show", "--limit", "x"])
    assert "x is not a whole number" in capsys.readouterr().err


def test_audit_verify_ends_with_1_where_a_chain_is_broken(home, capsys):
    home.console_path.mkdir(mode=0o700)
    log = audit.AuditLog(home.console_path / "audit.log")
    log.append([{"event": "one"}, {"event": "two"}])
    log.path.write_bytes(log.path.read_bytes().replace(b"one", b"off"))
    assert main(["--home", str(home.path), "audit", "verify"]) == 1
    assert "BROKEN at line 2" in capsys.readouterr().out
    assert main(["--home", str(home.path), "--json", "audit", "verify"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["broken_line"] == 2
