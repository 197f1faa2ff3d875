"""
The base of all that reads and writes rows: one gate for reading, one for writing.

Rule: no module of the store executes a statement by itself. So a transaction that was opened for
reading can't write, and what a statement raises is a `StoreError` already inside the transaction.

A statement that fails dooms its transaction, also when the error is caught inside: PostgreSQL would
take the commit of a failed transaction for a rollback and say nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable

from tidegate.errors import StoreError
from tidegate.store.engines import errors_translated

Values = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Rows:
    """Reads and writes rows on one connection."""

    def __init__(self, connection: Connection, *, read_only: bool) -> None:
        self._connection = connection
        self._read_only = read_only
        self._failure: StoreError | None = None

    def check_undoomed(self) -> None:
        """Raise `StoreError` when a statement of this transaction has failed."""
        if self._failure is not None:
            raise self._failure

    def _read(self, statement: Executable, **values: Any) -> CursorResult[Any]:
        return self._execute(statement, values)

    def _read_text(self, statement: str) -> CursorResult[Any]:
        """Read by a statement that has no values and is the same for every database."""
        return self._carried_out(lambda: self._connection.exec_driver_sql(statement))

    def _write(self, statement: Executable, values: Values) -> CursorResult[Any]:
        assert not self._read_only, "this transaction was opened for reading"
        return self._execute(statement, values)

    def _execute(self, statement: Executable, values: Values) -> CursorResult[Any]:
        return self._carried_out(lambda: self._connection.execute(statement, values))

    def _carried_out(self, execute: Callable[[], CursorResult[Any]]) -> CursorResult[Any]:
        self.check_undoomed()
        try:
            with errors_translated():
                return execute()
        except StoreError as exc:
            self._failure = exc
            raise
