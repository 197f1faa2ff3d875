"""Opening a store: which addresses are refused, and how a file is kept."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event

from tidegate.errors import InvalidDocumentError, StoreError
from tidegate.store.engines import engine_for
from tidegate.store.open import open_store
from tidegate.store.sql import SqlStore


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "can't be read"),
        ("store.db", "can't be read"),
        ("sqlite://", "in memory would forget"),
        ("sqlite:///:memory:", "in memory would forget"),
        ("mysql://host/database", "can't be kept in 'mysql'"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str, message: str) -> None:
    """The message says why, the hint which forms there are."""
    with pytest.raises(InvalidDocumentError, match=message) as refused:
        open_store(url)

    assert "sqlite:////path/to/file" in refused.value.hint


def test_a_password_in_an_address_is_not_repeated() -> None:
    """Errors end up in logs."""
    with pytest.raises(InvalidDocumentError) as refused:
        open_store("mysql://user:hunter2@host/database")

    assert "hunter2" not in refused.value.message + refused.value.hint


def test_the_file_of_a_store_is_its_owners_only(tmp_path: Path) -> None:
    """It and the folder are made when they are missing; what SQLite puts beside it is private too."""
    file = tmp_path / "state" / "tidegate" / "store.db"

    store = open_store(f"sqlite:///{file}")

    with store.begin() as transaction:
        assert not transaction.rollouts()
        kept = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    store.close()
    assert kept == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """The error names the file."""
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match=r"file/store\.db can't be made"):
        open_store(f"sqlite:///{tmp_path}/file/store.db")


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    """It's not overwritten."""
    file = tmp_path / "store.db"
    file.write_text("my diary\n" * 100)

    with pytest.raises(StoreError, match="not a database"):
        open_store(f"sqlite:///{file}")

    assert file.read_text().startswith("my diary")


def test_commits_survive_a_loss_of_power(tmp_path: Path) -> None:
    """Every commit waits for the disk: a generation that a proxy has seen is never issued again."""
    engine = engine_for(f"sqlite:///{tmp_path}/store.db")

    with engine.connect() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()
        foreign_keys = connection.exec_driver_sql("PRAGMA foreign_keys").scalar()
    engine.dispose()

    full = 2
    assert (mode, synchronous, foreign_keys) == ("wal", full, 1)


def test_a_store_that_someone_else_holds_is_an_error_worth_retrying(tmp_path: Path) -> None:
    """Nobody waits for ever, and a reader doesn't wait at all."""
    url = f"sqlite:///{tmp_path}/store.db"
    open_store(url).close()
    engine = engine_for(url)
    # Shorter than in production, for the test's sake.
    event.listen(
        engine,
        "connect",
        lambda connection, _record: connection.execute("PRAGMA busy_timeout = 1"),
    )
    store = SqlStore(engine)

    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked") as busy, store.begin():
            pass
        with store.begin(read_only=True) as reader:
            assert not reader.rollouts()

    assert busy.value.retryable
    with store.begin() as transaction:
        assert not transaction.rollouts()
    store.close()
