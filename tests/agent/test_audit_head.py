"""One changed byte anywhere in an audit log shows, and so does a cut tail; a crash is no false alarm."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from core import audit
from core.audit_head import Head, head_path, read_head, write_head

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def log(tmp_path):
    made = audit.AuditLog(tmp_path / "audit.log")
    made.append([{"event": "command", "argv": ["ls", 'a\n"b"é']}, {"event": "result", "state": "ok"}])
    made.append([{"event": "pairing"}])
    return made


def old_log(path):
    """As earlier versions wrote it: no numbers, no head."""
    import hashlib

    from msgspec.json import encode

    previous, lines = audit.NO_LINE, []
    for name in ("one", "two", "three"):
        line = encode({"time": "2026-01-01T00:00:00.000Z", "event": name, "previous": previous})
        previous = hashlib.sha256(line).hexdigest()
        lines += [line, b"\n"]
    path.write_bytes(b"".join(lines))


def test_one_changed_byte_anywhere_shows(log):
    content = log.path.read_bytes()
    assert audit.verify(log.path).is_whole
    unseen = []
    with log.path.open("r+b", buffering=0) as stream:
        for place, octet in enumerate(content):
            for other in {octet ^ 1, octet ^ 0x80, 0x0A, 0x22} - {octet}:
                os.pwrite(stream.fileno(), bytes([other]), place)
                if audit.verify(log.path).is_whole:
                    unseen.append((place, other))
            os.pwrite(stream.fileno(), bytes([octet]), place)
    assert unseen == []
    assert audit.verify(log.path).is_whole


def test_a_tail_cut_anywhere_shows_and_so_does_one_more_byte(log):
    content = log.path.read_bytes()
    for size in reversed(range(len(content))):
        os.truncate(log.path, size)
        assert not audit.verify(log.path).is_whole, size
    log.path.write_bytes(content[: content.rindex(b"{")])
    assert audit.verify(log.path).broken_line == 3
    assert audit.verify(log.path).reason == "cut"
    log.path.unlink()
    assert audit.verify(log.path).reason == "cut"
    log.path.write_bytes(content + b"x")  # what a crash leaves: told, but whole
    assert audit.verify(log.path).uncovered == 1


def test_one_changed_byte_in_the_head_shows_and_so_does_a_lost_head(log):
    path = head_path(log.path)
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert not audit.verify(log.path).is_whole, place
    path.unlink()
    assert audit.verify(log.path).reason == "head_lost"


def test_what_was_wrong_is_told_for_ever_once_the_log_goes_on(log):
    content = log.path.read_bytes()
    log.path.write_bytes(content[: content.rindex(b"{")])
    log.append([{"event": "after"}])
    verdict = audit.verify(log.path)
    assert (verdict.broken_line, verdict.reason) == (3, "told")
    assert [entry["event"] for entry in audit.read(log.path)] == ["command", "result", audit.CHANGED, "after"]
    log.append([{"event": "later"}])
    assert audit.verify(log.path).reason == "told"


@pytest.mark.parametrize("harm", ["lost", "garbage", "empty"])
def test_a_head_that_was_taken_away_is_told_by_the_next_entry(log, harm):
    if harm == "lost":
        head_path(log.path).unlink()
    else:
        head_path(log.path).write_bytes(b"" if harm == "empty" else b"\xff" * 300)
    assert not audit.verify(log.path).is_whole
    log.append([{"event": "after"}])
    assert audit.verify(log.path).reason == "told"
    assert read_head(log.path).lines == 5


def test_a_log_moved_away_without_its_head_is_told_and_with_it_a_new_one_begins(log, tmp_path):
    log.path.rename(tmp_path / "old.log")
    log.append([{"event": "after"}])
    assert audit.verify(log.path).reason == "told"
    log.path.unlink()
    head_path(log.path).unlink()
    log.append([{"event": "anew"}])
    assert audit.verify(log.path).is_whole


def test_a_log_of_an_earlier_version_holds_and_gets_a_head_with_its_next_entry(tmp_path):
    path = tmp_path / "audit.log"
    old_log(path)
    assert audit.verify(path) == audit.Verdict(3, audit.verify(path).last_hash, uncovered=3)
    audit.AuditLog(path).append([{"event": "new"}])
    assert audit.verify(path) == audit.Verdict(4, audit.verify(path).last_hash)
    assert read_head(path).lines == 4
    path.write_bytes(path.read_bytes()[:-10])
    assert not audit.verify(path).is_whole


def test_entries_that_an_earlier_version_adds_are_covered_again_by_the_next(log):
    import hashlib

    from msgspec.json import encode

    last = log.path.read_bytes().splitlines()[-1]
    with log.path.open("ab") as stream:
        stream.write(encode({"event": "old", "previous": hashlib.sha256(last).hexdigest()}) + b"\n")
    assert audit.verify(log.path).uncovered == 1
    log.append([{"event": "new"}])
    assert audit.verify(log.path) == audit.Verdict(5, audit.verify(log.path).last_hash)


def test_the_head_is_private_and_of_one_size(log):
    path = head_path(log.path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    size = path.stat().st_size
    write_head(log.path, Head(10**12, 10**15, "f" * 64))
    assert path.stat().st_size == size
    assert read_head(log.path) == Head(10**12, 10**15, "f" * 64)


WRITER = """
import os, signal, sys
from pathlib import Path
from core import audit
log = audit.AuditLog(Path(sys.argv[1]))
where = sys.argv[2]
def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)
if where == "head":
    audit.write_head = die
elif where == "sync":
    os.fsync = die
log.append([{"event": "last", "argv": ["x"] * 10}, {"event": "very last"}])
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is of POSIX")
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("where", ["sync", "head"])
def test_a_writer_killed_between_log_and_head_is_no_false_alarm(tmp_path, where, is_first):
    path = tmp_path / "audit.log"
    if not is_first:
        audit.AuditLog(path).append([{"event": "first"}])
    before = audit.verify(path).lines
    done = subprocess.run([sys.executable, "-c", WRITER, str(path), where], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    verdict = audit.verify(path)
    assert verdict.is_whole
    assert verdict.uncovered == verdict.lines - before
    audit.AuditLog(path).append([{"event": "after"}])
    verdict = audit.verify(path)
    assert (verdict.is_whole, verdict.uncovered) == (True, 0)


def test_a_log_read_while_it_is_written_is_whole(tmp_path):
    path = tmp_path / "audit.log"
    words = "\n".join(
        [
            "import sys; from pathlib import Path; from core.audit import AuditLog",
            "log = AuditLog(Path(sys.argv[1]))",
            "for number in range(40): log.append([{'event': sys.argv[2], 'number': number}])",
        ]
    )
    writers = [subprocess.Popen([sys.executable, "-c", words, str(path), name], cwd=ROOT) for name in ("a", "b")]
    while any(writer.poll() is None for writer in writers):
        verdict = audit.verify(path)
        assert (verdict.reason, verdict.uncovered) == ("", 0)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert audit.verify(path).lines == 80
