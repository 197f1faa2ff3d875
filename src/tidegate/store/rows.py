"""
The base of all that reads and writes rows: one gate for reading, one for writing.

Rule: no module of the store executes a statement by itself. So a transaction that was opened for
reading can't write, and what a statement raises is a `StoreError` already inside the transaction.

A statement that fails dooms its transaction, also when the error is caught inside: PostgreSQL would
take the commit of a failed transaction for a rollback and say nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, CursorResult, Dialect, Executable, Insert
from sqlalchemy.engine.interfaces import DBAPICursor

from tidegate.errors import StoreError
from tidegate.store.engines import errors_translated, failed

Answer = TypeVar("Answer")
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

    def _read_directly(self, statement: str) -> Sequence[Any] | None:
        """Return the first row that *statement* finds, a text that is the same for every database."""

        def read(cursor: DBAPICursor) -> Sequence[Any] | None:
            cursor.execute(statement)
            return cursor.fetchone()

        return self._carried_out(lambda: self._directly(read))

    def _insert_directly(self, statement: Insert, values: Mapping[str, Any]) -> None:
        """Add one row of *values* as the database keeps them, by column; all columns are named."""
        assert not self._read_only, "this transaction was opened for reading"
        text, order = _as_text(statement, self._connection.dialect)
        given = values if order is None else tuple(values[name] for name in order)
        self._carried_out(lambda: self._directly(lambda cursor: cursor.execute(text, given)))

    def _write(self, statement: Executable, values: Values) -> CursorResult[Any]:
        assert not self._read_only, "this transaction was opened for reading"
        return self._execute(statement, values)

    def _execute(self, statement: Executable, values: Values) -> CursorResult[Any]:
        return self._carried_out(lambda: self._connection.execute(statement, values))

    def _directly(self, use: Callable[[DBAPICursor], Answer]) -> Answer:
        # By the database's own driver, for what comes with every step: what SQLAlchemy does around a
        # statement takes several times as long as the statement.
        dialect, lent = self._connection.dialect, self._connection.connection
        try:
            with closing(lent.cursor()) as cursor:
                return use(cursor)
        except dialect.loaded_dbapi.Error as exc:
            if dialect.is_disconnect(exc, lent, None):
                self._connection.invalidate(exc)
            raise failed(exc) from exc

    def _carried_out(self, execute: Callable[[], Answer]) -> Answer:
        self.check_undoomed()
        try:
            with errors_translated():
                return execute()
        except StoreError as exc:
            self._failure = exc
            raise


@lru_cache(maxsize=16)
def _as_text(statement: Insert, dialect: Dialect) -> tuple[str, Sequence[str] | None]:
    """Return *statement* for the driver of *dialect*, and the order of its values unless they go by name."""
    compiled = statement.compile(dialect=dialect)
    return str(compiled), compiled.positiontup
