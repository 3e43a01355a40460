"""What happens to a database that is locked, full, read-only, newer, foreign or damaged: it is said, and it is kept."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from core.errors import ConfigError, StoreError, StoreFullError, StoreLockedError, StoreNewerError
from core.records import Measurement, MeterIdentity, MeterReadings
from core.store import connection
from core.store.history import History

posix = pytest.mark.skipif(os.name != "posix", reason="limits and rights of POSIX")


def telegram(time_s: float) -> MeterReadings:
    return MeterReadings(
        name="main",
        protocol="push",
        meter=MeterIdentity(),
        time_s=time_s,
        readings=(),
        measurement=Measurement(voltage_l1_v=230.0),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    location = tmp_path / "beffroi.db"
    with History.open(location) as history:
        history.write([telegram(1)])
    return location


def test_one_that_another_program_is_making_is_waited_for(tmp_path: Path) -> None:
    location = tmp_path / "beffroi.db"
    other = sqlite3.connect(location, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    ending = threading.Timer(0.3, other.close)
    ending.start()
    with History.open(location) as history:
        assert history.refusal is None
    ending.join()


def test_a_thread_of_ours_that_makes_it_is_no_other_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    location = tmp_path / "beffroi.db"
    upgrade, is_making = connection._upgrade, threading.Event()

    def slow(opened: Connection) -> None:
        is_making.set()
        time.sleep(0.3)
        upgrade(opened)

    monkeypatch.setattr(connection, "_upgrade", slow)
    first = threading.Thread(target=lambda: History.open(location).close())
    first.start()
    assert is_making.wait(5)
    with History.open(location, busy_timeout_s=0.05) as history:
        assert history.meters() == []
    first.join()


def test_locked_by_another_program(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with History.open(path, busy_timeout_s=0.05) as history:
        with pytest.raises(StoreLockedError, match=f"{path} is held by another program"):
            history.write([telegram(2)])
        assert history.meters() == ["main"], "a reader does not wait for a writer"
        other.execute("ROLLBACK")
        other.close()
        history.write([telegram(2)])
        assert history.count("measurements") == 2


def test_a_full_disk_keeps_what_was_written(path: Path) -> None:
    with History.open(path) as history:
        cursor = history._connection.connection.cursor()
        cursor.execute("PRAGMA max_page_count = 1")  # SQLite takes the present size
        cursor.close()
        with pytest.raises(StoreFullError, match="disk is full"):
            history.write([telegram(float(second)) for second in range(2, 5000)])
        assert history.count("measurements") == 1


CHILD_FULL = """
import resource, sys
from pathlib import Path
from core.errors import StoreFullError
from core.store.history import History
from tests_telegram import telegram

history = History.open(Path(sys.argv[1]))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
written = 1
try:
    while True:
        history.write([telegram(float(written + 1))])
        written += 1
except StoreFullError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
history.write([telegram(float(written + 1))])
print(written + 1, history.count("measurements"))
"""

CHILD_READ_ONLY = """
import os, sys
from pathlib import Path
from core.errors import StoreReadOnlyError
from core.store.history import History
from tests_telegram import telegram
import alembic.command, sqlalchemy.dialects.sqlite, encodings.idna

if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for work in (
    lambda: print(History.open(Path(sys.argv[1]), create=False).meters()),
    lambda: History.open(Path(sys.argv[1])).write([telegram(2.0)]),
    lambda: History.open(Path(sys.argv[2]) / "none.db"),
):
    try:
        work()
    except StoreReadOnlyError as error:
        print(error)
"""

TELEGRAM = """
from core.records import Measurement, MeterIdentity, MeterReadings

def telegram(time_s):
    return MeterReadings(name="main", protocol="push", meter=MeterIdentity(), time_s=time_s, readings=(),
                         measurement=Measurement(voltage_l1_v=230.0))
"""


def ran(folder: Path, program: str, *words: str) -> list[str]:
    (folder / "tests_telegram.py").write_text(TELEGRAM)
    root = Path(__file__).parents[2]
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{folder}"},
    )
    assert child.returncode == 0, child.stderr
    return child.stdout.splitlines()


@posix
def test_a_file_that_cannot_grow_is_full_and_goes_on_when_there_is_room(path: Path) -> None:
    """The limit of a file's size makes `write` fail as a quota does."""
    told, counts = ran(path.parent, CHILD_FULL, str(path))
    assert "cannot grow" in told
    written, found = counts.split()
    assert written == found
    with History.open(path) as history:
        assert history.count("measurements") == int(written)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter: pytest's own are private."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@posix
def test_a_database_that_may_only_be_read(open_folder: Path, tmp_path: Path) -> None:
    path = open_folder / "beffroi.db"
    with History.open(path) as history:  # it stays open, so that its log is there for the reader
        history.write([telegram(1)])
        for found in open_folder.iterdir():
            found.chmod(0o444)
        open_folder.chmod(0o555)
        meters, written, made = ran(tmp_path, CHILD_READ_ONLY, str(path), str(open_folder))
    assert meters == "['main']"
    assert f"{path} may only be read" in written
    assert "none.db cannot be" in made


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow, as on a disk without a free block; SQLite cannot make its own file beside the database then."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@posix
def test_a_full_disk_leaves_the_history_readable(path: Path) -> None:
    with full_disk(), History.open(path) as history:
        assert history.meters() == ["main"]
        assert history.count("measurements") == 1
        assert f"{path} cannot grow" in str(history.refusal)
        for refused in (lambda: history.write([telegram(2)]), lambda: history.write([]), history.check_can_write):
            with pytest.raises(StoreFullError, match=f"{path} cannot grow"):
                refused()
    with History.open(path) as history:
        assert history.refusal is None
        history.check_can_write()
        history.write([telegram(2)])
        assert history.count("measurements") == 2


@posix
def test_on_a_full_disk_a_history_whose_log_still_holds_rows_is_not_read_by_halves(path: Path) -> None:
    log_path = path.with_name(f"{path.name}-wal")
    with History.open(path) as history:
        history.write([telegram(2)])
        log = log_path.read_bytes()
    log_path.write_bytes(log)
    with full_disk(), pytest.raises(StoreFullError, match=f"{path} cannot grow"):
        History.open(path)
    with History.open(path) as history:
        assert history.count("measurements") == 2


@posix
def test_an_empty_file_on_a_full_disk_is_no_history(tmp_path: Path) -> None:
    path = tmp_path / "beffroi.db"
    path.touch()
    with full_disk(), pytest.raises(StoreFullError, match=f"{path} cannot grow"):
        History.open(path)


def test_a_newer_database_is_refused_and_untouched(path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(StoreNewerError, match=r"newer version of Beffroi \(form 9999"):
        History.open(path)
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT count(*) FROM measurements").fetchone() == (1,)
    raw.close()


def test_the_database_of_another_program_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "places.sqlite"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE moz_places (id)")
    raw.close()
    with pytest.raises(StoreError, match="another program"):
        History.open(path)
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("moz_places",)]
    raw.close()


@pytest.mark.parametrize("content", [b"garbage " * 4096, b"SQLite format 3\x00" + b"\xff" * 8192])
def test_a_damaged_file_is_said_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "beffroi.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="left as it is"):
        History.open(path)
    assert path.read_bytes() == content


def test_a_page_damaged_later_is_said(path: Path) -> None:
    with History.open(path) as history:
        history.write([telegram(float(second)) for second in range(2, 4000)])
    with path.open("r+b") as stream:
        stream.seek(4096 * 100)  # beyond the first page of every table
        stream.write(b"\xa5" * (path.stat().st_size - 4096 * 100))
    with History.open(path) as history, pytest.raises(StoreError, match="damaged"):
        history.points("meter/main/voltage_l1_v", 0, 1e10)


def test_no_file_is_said_where_none_is_to_be_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no history yet"):
        History.open(tmp_path / "none.db", create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("location", ["postgresql://u:secret@h/d", "sqlite://", "nonsense://x", "sqlite:///:memory:"])
def test_another_kind_of_database_is_a_matter_of_configuration(location: str) -> None:
    with pytest.raises(ConfigError) as caught:
        History.open(location)
    assert "secret" not in str(caught.value)


def test_a_folder_in_the_place_of_the_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=str(tmp_path)):
        History.open(tmp_path)


def test_two_that_open_at_once_make_one_database(tmp_path: Path) -> None:
    """Two processes at the first start of all: one makes the tables, the other waits for it."""
    path = tmp_path / "beffroi.db"
    words = [
        sys.executable,
        "-c",
        "import sys; from core.store.history import History; History.open(sys.argv[1]).close()",
    ]
    root = Path(__file__).parents[2]
    children = [
        subprocess.Popen([*words, str(path)], stderr=subprocess.PIPE, text=True, cwd=root) for _number in range(3)
    ]
    for child in children:
        _out, error = child.communicate(timeout=30)
        assert child.returncode == 0, error


def test_a_history_belongs_to_its_own_file_name(tmp_path: Path) -> None:
    """A per cent sign or a question mark in a folder's name is nothing but a name."""
    folder = tmp_path / "100% é? #1"
    with History.open(folder / "beffroi.db") as history:
        history.write([telegram(1)])
    assert (folder / "beffroi.db").exists()


def test_a_write_that_was_refused_is_not_half_there(path: Path) -> None:
    with History.open(path) as history:
        with pytest.raises(StoreError, match="cannot hold"):
            history.write(
                [
                    telegram(5),
                    telegram(6),
                    MeterReadings(name="\ud800", protocol="push", meter=MeterIdentity(), time_s=1.0, readings=()),
                ]
            )
        assert history.count("measurements") == 1
