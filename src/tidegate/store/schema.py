"""
Brings a database to the schema of this version, and back.

Several servers may start at once: they take turns as writers do, and the second finds nothing left to
do. A migration happens whole or not at all, in both databases.

What migrates is loaded only where there is something to migrate: a server that is started again after a
crash has its schema, and whoever waits for it doesn't wait for that.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Engine, inspect, text

from tidegate.errors import StoreError
from tidegate.store.engines import begin, errors_translated

if TYPE_CHECKING:
    from alembic.config import Config

NEWEST: Final = "0006"
"""The last revision in `MIGRATIONS`."""

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def migrate(engine: Engine) -> None:
    """
    Bring the database of *engine* to the newest schema; do nothing when it's there.

    Raises:
        StoreError: the database can't be reached, or a newer version of Tidegate has migrated it.
    """
    with errors_translated(), engine.begin() as connection:
        begin(connection, read_only=False)
        if _revisions(connection) == [NEWEST]:
            return
        from alembic import command
        from alembic.util import CommandError

        try:
            command.upgrade(_config(connection), "head")
        except CommandError as exc:
            raise StoreError(
                f"the store's schema isn't one that this version knows: {exc}",
                hint="A newer version of Tidegate has used it. Start that version.",
            ) from exc


def migrate_back(engine: Engine, to: str) -> None:
    """
    Take the database of *engine* back to the revision *to*; `base` removes everything.

    Raises:
        StoreError: the database can't be reached.
    """
    with errors_translated(), engine.begin() as connection:
        begin(connection, read_only=False)
        from alembic import command

        command.downgrade(_config(connection), to)


def _revisions(connection: Connection) -> list[str]:
    if not inspect(connection).has_table("alembic_version"):
        return []
    return list(connection.execute(text("select version_num from alembic_version")).scalars())


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
