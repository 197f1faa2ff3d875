"""The store in a file of SQLite keeps the promises of all stores in databases."""

from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from tidegate.store.sql import SqlStore
from tidegate.testing.contracts.sql_store import Execute, SqlStoreContract
from tidegate.testing.contracts.store_ledger import an_entry, append


class TestSqliteStore(SqlStoreContract):
    """See the contract."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """Return the address of a file that isn't there yet."""
        return f"sqlite:///{tmp_path}/store.db"

    def test_replacing_an_entry_of_the_ledger_is_refused(
        self, store: SqlStore, execute: Execute
    ) -> None:
        """SQLite's INSERT OR REPLACE deletes without asking the trigger on DELETE."""
        appended = append(store, an_entry(), an_entry())

        with pytest.raises(DBAPIError, match="append-only"):
            execute("INSERT OR REPLACE INTO ledger SELECT * FROM ledger WHERE number = 1")

        with store.begin() as transaction:
            assert transaction.ledger() == appended
