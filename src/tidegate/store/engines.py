"""
What differs between SQLite and PostgreSQL, all in one place: how to connect and how to begin.

Writers take turns, in both: a transaction that may write waits for the others first and then sees one
state that nobody else can change. The ledger's chain, which has no gaps and no forks, would force
that order anyway; taken at the beginning it also means that nobody ever has to try again because of
a change that has nothing to do with theirs. Readers wait for nobody and see one snapshot.

SQLite: https://www.sqlite.org/wal.html and https://www.sqlite.org/pragma.html#pragma_synchronous
PostgreSQL: https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tidegate.errors import InvalidDocumentError, StoreError
from tidegate.store.turn import WRITER_WAITS_AT_MOST

FORMS: Final = "sqlite:////path/to/file and postgresql://user@host/database"

_WRITERS_LOCK: Final = 0x7469646567617465
"""The advisory lock of all writers on PostgreSQL: "tidegate" in ASCII. Locks are per database."""

_GIVE_UP_IDLE_WRITER_AFTER: Final = timedelta(seconds=10)
"""A writer that was stopped in mid-transaction must not keep the turn for ever."""

_AGAIN_AFTER: Final = timedelta(milliseconds=20)

_OLDEST_SQLITE: Final = (3, 35, 0)
"""The first with RETURNING."""


def engine_for(url: str) -> Engine:
    """
    Return an engine for the database at *url*; nothing is connected yet.

    Raises:
        InvalidDocumentError: *url* isn't one of a file of SQLite or a database of PostgreSQL, or the
            driver for it isn't installed.
        StoreError: the folder of the file can't be made.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise InvalidDocumentError(
            "the store's address can't be read", hint=f"Forms are {FORMS}."
        ) from exc
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(parsed)
        case "postgresql" | "postgres":
            return _postgresql(parsed)
        case other:
            raise InvalidDocumentError(
                f"the store can't be kept in {other!r}", hint=f"Forms are {FORMS}."
            )


def begin(connection: Connection, *, read_only: bool) -> None:
    """
    Begin on *connection*, which must be in a fresh transaction of SQLAlchemy.

    A writer has waited for all others when this returns.
    """
    match connection.dialect.name, read_only:
        case "sqlite", True:
            connection.exec_driver_sql("BEGIN")
        case "sqlite", False:
            # A writer that began as a reader could not go on once someone else has written.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        case _, True:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        case _, False:
            # At READ COMMITTED every statement after this sees all that the writers before did.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")


@contextmanager
def errors_translated() -> Iterator[None]:
    """Raise what the database or its driver raises inside the block as `StoreError`."""
    try:
        yield
    except DBAPIError as exc:
        raise failed(exc.orig) from exc
    except PoolTimeoutError as exc:
        raise StoreError(
            "the store has no connection free", hint="Try again; the server is overloaded."
        ) from exc


def _sqlite(url: URL) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise InvalidDocumentError(
            "a store in memory would forget which targets it has moved",
            hint="Name a file: sqlite:////path/to/file.",
        )
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise InvalidDocumentError(
            f"SQLite {sqlite3.sqlite_version} is too old for the store",
            hint="Use a Python that was built with SQLite 3.35 or later, or PostgreSQL.",
        )
    _make_private(Path(str(url.database)))
    engine = create_engine(url)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _make_private(file: Path) -> None:
    """Create *file* where it's missing, readable by its owner only; SQLite's other files follow it."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
    except OSError as exc:
        raise StoreError(
            f"the store's file {file} can't be made: {exc.strerror}",
            hint="Name a folder that you may write to.",
        ) from exc


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # Python's own way of beginning would begin too late; `begin` does it.
    connection.isolation_level = None
    wait_ms = int(WRITER_WAITS_AT_MOST.total_seconds() * 1000)
    connection.execute(f"PRAGMA busy_timeout = {wait_ms}")
    _write_ahead(connection)
    # In WAL mode NORMAL survives a killed process but may lose the last commits with the power. A
    # generation that a proxy has seen would then be issued again, and a stop forgotten. FULL costs
    # one fsync per commit.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """
    Let readers and the writer not wait for each other.

    Only the first connection to a new file changes anything, and for that alone SQLite doesn't wait
    for others (servers that start at once), whatever the timeout is: so we do.
    """
    for attempts_left in reversed(range(WRITER_WAITS_AT_MOST // _AGAIN_AFTER)):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY or not attempts_left:
                raise
            time.sleep(_AGAIN_AFTER.total_seconds())
        else:
            return


def _postgresql(url: URL) -> Engine:
    try:
        # A connection that the server closed (it restarted) is noticed before it is used.
        engine = create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except ModuleNotFoundError as exc:
        raise InvalidDocumentError(
            "the driver for PostgreSQL isn't installed",
            hint="Install it: pip install 'tidegate[postgres]'.",
        ) from exc
    event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    wait_ms = int(WRITER_WAITS_AT_MOST.total_seconds() * 1000)
    idle_ms = int(_GIVE_UP_IDLE_WRITER_AFTER.total_seconds() * 1000)
    connection.execute(f"SET lock_timeout = {wait_ms}")
    connection.execute(f"SET idle_in_transaction_session_timeout = {idle_ms}")
    connection.commit()


def failed(error: BaseException | None) -> StoreError:
    """Return what is raised for an *error* of the driver."""
    return StoreError(
        f"the store failed: {_first_line(error)}",
        hint="Nothing was half-written. Try again; see whether its database runs and has space.",
    )


def _first_line(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
