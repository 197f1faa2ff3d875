"""The schema's history on both databases: it leads to what the code expects, and back."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect

from tidegate.errors import StoreError
from tidegate.store.engines import engine_for
from tidegate.store.schema import MIGRATIONS, NEWEST, migrate, migrate_back
from tidegate.store.tables import metadata


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty database."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """Return an engine on an empty database."""
    engine = engine_for(url)
    yield engine
    engine.dispose()


def test_migrations_lead_to_the_tables_of_the_code(engine: Engine) -> None:
    """A change of `tables` without a migration, or the other way round, fails here."""
    migrate(engine)

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)

    assert differences == []


def test_the_newest_revision_is_the_last_of_the_migrations() -> None:
    """A new migration that `NEWEST` doesn't name would never be made where another one was before."""
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [NEWEST]


def test_migrations_lead_back_and_forth(engine: Engine) -> None:
    """Nothing is left behind that would be in the way of starting again."""
    migrate(engine)
    migrate_back(engine, "base")
    left = set(inspect(engine).get_table_names())
    migrate(engine)
    again = set(inspect(engine).get_table_names())

    assert left == {"alembic_version"}
    assert again == {"alembic_version", *metadata.tables}


def test_servers_that_start_at_once_migrate_once(url: str, engine: Engine) -> None:
    """The others wait and find nothing left to do."""

    def start(_server: int) -> None:
        mine = engine_for(url)
        migrate(mine)
        mine.dispose()

    with ThreadPoolExecutor(4) as servers:
        list(servers.map(start, range(4)))

    assert {*metadata.tables} < set(inspect(engine).get_table_names())


def test_a_schema_of_a_newer_version_is_left_alone(engine: Engine) -> None:
    """An old server must not write what a new one would misread."""
    migrate(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreError, match="9999"):
        migrate(engine)


def test_a_migration_that_fails_leaves_nothing_behind(engine: Engine) -> None:
    """It happens whole or not at all, so that it can be tried again."""
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE remembered (in_the_way INTEGER)")

    with pytest.raises(StoreError, match="already exists"):
        migrate(engine)

    assert inspect(engine).get_table_names() == ["remembered"]


def test_a_new_file_that_somebody_holds_is_waited_for(tmp_path: Path) -> None:
    """SQLite itself would give up at once where the way of writing is set."""
    file = tmp_path / "store.db"
    holder = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    engine = engine_for(f"sqlite:///{file}")

    with ThreadPoolExecutor(1) as other:
        migrated = other.submit(migrate, engine)
        sleep(0.2)
        waited = not migrated.done()
        holder.execute("COMMIT")
        migrated.result(timeout=30)

    assert waited
    holder.close()
    engine.dispose()
