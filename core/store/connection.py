"""Opens the database of the history, brings it to the present form, and says its errors in the user's words.

A committed batch is on the disk: write-ahead log with `synchronous=FULL`, so neither `kill -9` nor a power cut takes
it back, and readers never wait for the writer.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, pool, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from core.errors import ConfigError, StoreError, StoreFullError, StoreLockedError, StoreNewerError, StoreReadOnlyError
from core.language import _

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
"""All revisions that this version knows, oldest first."""

_REFUSALS = (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError, sqlite3.DataError)

_WRITE_FAILURES = {
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMMAP,
}


_REFUSAL = "refusal"
_FILE = "file"
_PAUSE_S = 0.02

_upgrading = threading.Lock()
"""Threads of this process upgrade one after the other: a thread of ours is no other program that a user could close."""


class UnwritableError(StoreError):
    """A record that no database can take, such as a number of 70 bits; the others are not to blame."""


def open_connection(location: Path | str, *, create: bool, busy_timeout_s: float) -> Connection:
    """A connection to the history at `location`, in its present form; it belongs to the calling thread.

    On a disk that is full or read-only what is there can still be read, and `refusal_of` says why it cannot be written.
    Raises StoreError where there is no file and `create` is False, and the errors that `told` names.
    """
    url = _url(location)
    path = Path(url.database or "")
    if not create and not path.exists():
        raise StoreError(_("{path}: there is no history yet").format(path=path))
    try:
        if create:
            _make_file(path)
        engine = create_engine(url, poolclass=pool.NullPool, connect_args={"timeout": busy_timeout_s})
        connection = _patient_connection(engine, path, busy_timeout_s)
        connection.info[_FILE] = _file_at(path)
        return connection
    except (StoreFullError, StoreReadOnlyError) as error:
        if not _is_whole(path):
            raise
        if isinstance(error, StoreReadOnlyError):
            error = _read_only(path)
        return _reading_connection(url, path, error)


def _patient_connection(engine: Engine, path: Path, timeout_s: float) -> Connection:
    """Wait for another program that makes the database: SQLite itself does not while the log is begun."""
    give_up_s = time.monotonic() + timeout_s
    while True:
        try:
            return _connection(engine, path)
        except StoreLockedError:
            if time.monotonic() >= give_up_s:
                raise
        time.sleep(_PAUSE_S)


def _connection(engine: Engine, path: Path) -> Connection:
    event.listen(engine, "connect", _on_connected)
    event.listen(engine, "begin", _on_begun)
    with told(path):
        connection = engine.connect()
        try:
            _bring_up(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _is_whole(path: Path) -> bool:
    """True where all that was committed is in the file itself: no log waits beside it."""
    try:
        log_path = path.with_name(f"{path.name}-wal")
        return path.is_file() and path.stat().st_size > 0 and (not log_path.exists() or log_path.stat().st_size == 0)
    except OSError:
        return False


def _reading_connection(url: URL, path: Path, refusal: StoreError) -> Connection:
    """A connection that needs no files beside the database, such as nobody can make on a full disk.

    SQLite calls the file immutable: it is read without locks, which is right as long as nobody can write it.
    """
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    engine = create_engine(url, poolclass=pool.NullPool, creator=lambda: sqlite3.connect(address, uri=True))
    event.listen(engine, "begin", _on_begun)
    with told(path):
        connection = engine.connect()
        connection.info[_REFUSAL] = refusal
        try:
            _bring_up(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def refusal_of(connection: Connection) -> StoreError | None:
    """Why this connection can only read; None where it can write."""
    found: StoreError | None = connection.info.get(_REFUSAL)
    return found


def is_in_place(connection: Connection) -> bool:
    """False once the file was removed or moved, or another one was put there: what is written now goes with the old."""
    noted = connection.info.get(_FILE)
    return noted is None or noted == _file_at(path_of(connection))


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def path_of(connection: Connection) -> Path:
    """The file that the connection reads and writes."""
    return Path(connection.engine.url.database or "")


@contextmanager
def writing(connection: Connection) -> Iterator[Connection]:
    """One transaction that may write; all of it is on the disk afterwards, or nothing is."""
    refusal = refusal_of(connection)
    if refusal is not None:
        raise type(refusal)(str(refusal))
    with told(path_of(connection)):
        connection.info["begin"] = "BEGIN IMMEDIATE"
        with connection.begin():
            yield connection


def check_can_write(connection: Connection) -> None:
    """Raise what a transaction that writes would raise at its beginning."""
    with writing(connection):
        pass


@contextmanager
def reading(connection: Connection) -> Iterator[Connection]:
    """One transaction that sees a single moment of the history and waits for no writer."""
    with told(path_of(connection)):
        connection.info["begin"] = "BEGIN"
        with connection.begin():
            yield connection


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn an error of the driver into one of the StoreError family, with the file and what to try."""
    try:
        yield
    except DBAPIError as error:
        raise _in_words(error.orig, path) from error
    except sqlite3.Error as error:
        raise _in_words(error, path) from error
    except (OverflowError, UnicodeEncodeError) as error:
        raise UnwritableError(_("{path} cannot hold this: {reason}").format(path=path, reason=error)) from error


def _in_words(error: BaseException | None, path: Path) -> StoreError:
    code: int = getattr(error, "sqlite_errorcode", 0)
    match code & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreLockedError(
                _("{path} is held by another program; close what else has it open").format(path=path)
            )
        case sqlite3.SQLITE_FULL:
            return StoreFullError(_("{path} cannot grow: the disk is full; make room").format(path=path))
        case sqlite3.SQLITE_IOERR if code in _WRITE_FAILURES:
            return StoreFullError(
                _("{path} cannot grow: the disk or the user's quota is full, or the disk fails").format(path=path)
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return _read_only(path)
        case sqlite3.SQLITE_CANTOPEN:
            return StoreReadOnlyError(
                _("{path} cannot be opened; check that its folder is there and that this user may write in it").format(
                    path=path
                )
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StoreError(
                _(
                    "{path} is damaged or is no database ({reason}); it is left as it is; "
                    "move it aside to begin a new history"
                ).format(path=path, reason=error)
            )
    if isinstance(error, _REFUSALS):
        return UnwritableError(_("{path} cannot hold this: {reason}").format(path=path, reason=error))
    return StoreError(_("{path} cannot be used: {reason}").format(path=path, reason=error))


def _read_only(path: Path) -> StoreReadOnlyError:
    return StoreReadOnlyError(
        _("{path} may only be read; give this user the right to write it and its folder").format(path=path)
    )


def _url(location: Path | str) -> URL:
    if isinstance(location, Path) or "://" not in location:
        return URL.create("sqlite", database=str(location))
    try:
        url = make_url(location)
    except ArgumentError as error:
        raise ConfigError(
            _('database {location} is no URL; write a path, or "sqlite:///FILE"').format(location=location)
        ) from error
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise ConfigError(
            _("database {location}: this version keeps its history in an SQLite file").format(
                location=url.render_as_string(hide_password=True)
            )
        )
    return url.set(drivername="sqlite")


def _make_file(path: Path) -> None:
    """0600 from its first byte; SQLite gives its log the same mode."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except PermissionError:
        return  # it may still be read; a write will say it
    except OSError as error:
        if error.errno == 30 and path.is_file():  # EROFS
            return  # likewise
        if error.errno in (28, 122):  # ENOSPC, EDQUOT
            raise StoreFullError(_("{path} cannot grow: the disk is full; make room").format(path=path)) from error
        raise StoreReadOnlyError(
            _("{path} cannot be made: {reason}").format(path=path, reason=error.strerror)
        ) from error


def _on_connected(driver: sqlite3.Connection, _record: object) -> None:
    driver.isolation_level = None  # transactions are begun by `_on_begun` alone
    driver.execute("PRAGMA journal_mode=WAL")
    driver.execute("PRAGMA synchronous=FULL")
    driver.execute("PRAGMA wal_autocheckpoint=4000")  # a thousand sensors touch a thousand pages in every batch
    driver.execute("PRAGMA foreign_keys=ON")
    driver.execute("PRAGMA temp_store=MEMORY")


def _on_begun(connection: Connection) -> None:
    connection.exec_driver_sql(connection.info.get("begin", "BEGIN"))


def _bring_up(connection: Connection, path: Path) -> None:
    with reading(connection):
        revision = _revision(connection, path)
    if revision == REVISIONS[-1]:
        return
    import_module("alembic.command")  # 0.2 s and more on a busy machine, while nobody waits for the database
    with _upgrading, writing(connection):
        if _revision(connection, path) != REVISIONS[-1]:  # another thread or process may have been first
            _upgrade(connection)


def _revision(connection: Connection, path: Path) -> str | None:
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StoreError(_("{path} is a database of another program; name another file as database").format(path=path))
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision is not None and revision not in REVISIONS:
        raise StoreNewerError(
            _("{path} was written by a newer version of Beffroi (form {found}, this one knows {known}); update").format(
                path=path, found=revision, known=REVISIONS[-1]
            )
        )
    return revision


def _upgrade(connection: Connection) -> None:
    from alembic import command  # needed once in the life of a database
    from alembic.config import Config

    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
