"""Entries of an audit log, found again by what they say."""

from __future__ import annotations

import json

import pytest

from core import audit
from core.audit import AuditFilter, AuditLog, entries
from core.audit_entries import lines, lines_backwards
from core.cli.app import main


@pytest.fixture
def path(tmp_path):
    log = AuditLog(tmp_path / "audit.log")
    for number in range(30):
        machine, operator = f"web-{number % 3}", "Ada" if number % 2 else "Zoé"
        log.append(
            [
                {"event": "command", "machine": machine, "operator": operator, "argv": ["ls", f"/tmp/{number}"]},
                {"event": "result", "machine": machine, "operator": operator, "state": "ok", "exit_status": 0},
            ]
        )
    return log.path


def test_the_newest_entries_come_newest_last(path):
    found = entries(path, limit=3)
    assert [entry.event for entry in found] == ["result", "command", "result"]
    assert found[1].argv == ("ls", "/tmp/29")
    assert found[1].time_s == pytest.approx(found[2].time_s, abs=5)
    assert len(entries(path, limit=None)) == len(entries(path)) == 60
    assert entries(path, limit=0) == []
    assert entries(path.with_name("none")) == []


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (AuditFilter(), 60),
        (AuditFilter(machine="web-1"), 20),
        (AuditFilter(machine="WEB-*", event="result"), 30),
        (AuditFilter(operator="zoé", event="command"), 15),
        (AuditFilter(state="ok"), 30),
        (AuditFilter(state="o"), 0),
        (AuditFilter(decision="refused"), 0),
        (AuditFilter(text="/TMP/7"), 1),
        (AuditFilter(since_s=0.0), 60),
        (AuditFilter(until_s=0.0), 0),
        (AuditFilter(since_s=1e300), 0),
    ],
)
def test_a_filter_lets_through_what_it_names(path, wanted, count):
    assert len(entries(path, wanted)) == count


def test_lines_are_the_same_from_both_ends_whatever_is_among_them(tmp_path, monkeypatch):
    path = tmp_path / "audit.log"
    for content in (b"", b"\n", b"a", b"a\n", b"\n\n", b"a\n\nb" * 50, b"abc\n" * 400, b"x" * 3000 + b"\ny\n"):
        path.write_bytes(content)
        for block in (1, 7, 4096):
            monkeypatch.setattr("core.audit_entries._BLOCK", block)
            assert list(lines_backwards(path)) == list(lines(path))[::-1], (content[:20], block)


def test_what_is_no_entry_and_an_entry_of_wrong_kinds_are_told_as_they_are(tmp_path):
    path = tmp_path / "audit.log"
    path.write_bytes(b'torn {\n{"event":7,"argv":"ls","octets":"many","time":[],"more":1}\n[1]\n')
    found = entries(path)
    assert [entry.unreadable for entry in found] == ["torn {", "", "[1]"]
    assert (found[1].event, found[1].argv, found[1].octets, found[1].time_s) == ("7", (), None, None)
    assert found[1].other == {"more": 1}


def show(home, capsys, *words):
    assert main(["--home", str(home.path), "--json", "audit", "show", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_audit_show_filters_both_logs_and_keeps_their_order(home, capsys):
    for folder, event in ((home.agent_path, "pairing"), (home.console_path, "command")):
        folder.mkdir(mode=0o700)
        for number in range(3):
            AuditLog(folder / "audit.log").append([{"event": event, "machine": f"m{number}", "rule": ""}])
    assert [entry["event"] for entry in show(home, capsys)] == ["pairing"] * 3 + ["command"] * 3
    assert [entry["machine"] for entry in show(home, capsys, "--log", "agent", "--limit", "2")] == ["m1", "m2"]
    assert [entry["log"] for entry in show(home, capsys, "--machine", "m1")] == ["agent", "console"]
    assert [entry["event"] for entry in show(home, capsys, "--limit", "4")] == ["pairing"] + ["command"] * 3
    assert show(home, capsys, "--since", "-1h", "--until", "-1m") == []
    assert all("entry" not in entry for entry in show(home, capsys))
    assert main(["--home", str(home.path), "audit", "show", "--since", "soon"]) == 2


def test_audit_verify_says_in_words_what_is_wrong(home, capsys):
    home.console_path.mkdir(mode=0o700)
    log = AuditLog(home.console_path / "audit.log")
    log.append([{"event": "one"}, {"event": "two"}])
    content = log.path.read_bytes()
    for harmed, words in (
        (content[:-2] + b"]\n", "it is not the line that was written last"),
        (content[: content.index(b"\n") + 1], "was cut off"),
        (content.replace(b"one", b"off"), "does not follow"),
    ):
        log.path.write_bytes(harmed)
        assert main(["--home", str(home.path), "audit", "verify"]) == 1
        assert words in capsys.readouterr().out
    log.path.unlink()
    assert main(["--home", str(home.path), "audit", "verify"]) == 1
    log.path.write_bytes(content + b"torn")
    assert main(["--home", str(home.path), "audit", "verify"]) == 0
    assert "until the next entry" in capsys.readouterr().out
    assert audit.verify(log.path).uncovered == 1
