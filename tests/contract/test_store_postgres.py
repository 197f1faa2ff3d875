"""The store in PostgreSQL keeps the promises of all stores in databases."""

import pytest
from sqlalchemy.exc import DBAPIError

from tidegate.errors import StoreError
from tidegate.store.sql import SqlStore
from tidegate.testing.contracts.sql_store import Execute, SqlStoreContract
from tidegate.testing.contracts.store_ledger import an_entry, append

CLOSE_OTHER_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.mark.postgres
class TestPostgresStore(SqlStoreContract):
    """See the contract."""

    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        """Return the address of an empty database."""
        return postgres_url

    def test_truncating_the_ledger_is_refused(self, store: SqlStore, execute: Execute) -> None:
        """PostgreSQL's TRUNCATE asks no trigger on rows."""
        appended = append(store, an_entry(), an_entry())

        with pytest.raises(DBAPIError, match="append-only"):
            execute("TRUNCATE ledger")

        with store.begin() as transaction:
            assert transaction.ledger() == appended

    def test_a_connection_that_is_lost_while_idle_is_not_noticed(
        self, store: SqlStore, execute: Execute
    ) -> None:
        """A database that was restarted is simply met again."""
        append(store, an_entry())

        execute(CLOSE_OTHER_CONNECTIONS)

        append(store, an_entry())
        with store.begin() as transaction:
            assert len(transaction.ledger()) == 2

    def test_a_connection_that_is_lost_before_an_entry_is_told_as_any_other(
        self, store: SqlStore, execute: Execute
    ) -> None:
        """Also where the driver knows already that it is gone, and gives nothing to write with."""
        with pytest.raises(StoreError) as lost, store.begin() as transaction:
            execute(CLOSE_OTHER_CONNECTIONS)
            transaction._connection.connection.driver_connection.close()  # type: ignore[union-attr]
            transaction.append(an_entry("lost"))

        append(store, an_entry("again"))

        assert lost.value.retryable
        with store.begin() as transaction:
            assert [entry.because for entry in transaction.ledger()] == ["again"]

    def test_a_connection_that_is_lost_in_a_transaction_undoes_it(
        self, store: SqlStore, execute: Execute
    ) -> None:
        """The error is worth retrying, and the retry succeeds."""
        with pytest.raises(StoreError, match="terminat") as lost, store.begin() as transaction:
            transaction.append(an_entry("lost"))
            execute(CLOSE_OTHER_CONNECTIONS)
            transaction.append(an_entry("lost too"))

        append(store, an_entry("again"))

        assert lost.value.retryable
        with store.begin() as transaction:
            assert [entry.because for entry in transaction.ledger()] == ["again"]
