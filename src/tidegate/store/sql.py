"""
The store in a database: SQLite for one machine, PostgreSQL for many.

A transaction is one transaction of the database, from its first statement to the commit at the end of
its block. What it can do is in the modules it is put together from, by subject; how the two databases
differ is in `engines`.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from sqlalchemy import Engine

from tidegate.store.alarm_rows import AlarmRows
from tidegate.store.chart_rows import ChartRows
from tidegate.store.engines import begin, errors_translated
from tidegate.store.evidence_rows import EvidenceRows
from tidegate.store.filed_rows import FiledRows
from tidegate.store.ledger_rows import LedgerRows
from tidegate.store.records import PoisonedRollout, RolloutReader
from tidegate.store.rollout_rows import RolloutRows
from tidegate.store.service_rows import ServiceRows
from tidegate.store.turn import Turn


class SqlTransaction(
    RolloutRows, LedgerRows, EvidenceRows, ChartRows, AlarmRows, FiledRows, ServiceRows
):
    """One transaction of the database, with all that the port's `Transaction` can do."""


class SqlStore:
    """
    Keeps everything in the database of *engine*, which must come from `engines.engine_for`.

    Threads may share it. A transaction belongs to the thread that opened it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = Turn()
        self._reader = RolloutReader()

    @contextmanager
    def begin(self, *, read_only: bool = False) -> Iterator[SqlTransaction]:
        """
        Return a transaction that commits when its block ends, and is undone when it raises.

        Args:
            read_only: Whether nothing will be written. Such a transaction neither waits for writers
                nor keeps them waiting.

        Raises:
            StoreError: the store can't be read or written.
        """
        turn = nullcontext() if read_only else self._turn.taken()
        with turn, errors_translated(), self._engine.connect() as connection:
            connection.begin()
            begin(connection, read_only=read_only)
            transaction = SqlTransaction(connection, read_only=read_only, reader=self._reader)
            yield transaction
            transaction.check_undoomed()
            # Not reached when the block raised: closing the connection then undoes everything.
            connection.commit()

    def poisoned(self) -> tuple[PoisonedRollout, ...]:
        """Return the rollouts that couldn't be read when they were last asked for, and why."""
        return self._reader.poisoned()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
