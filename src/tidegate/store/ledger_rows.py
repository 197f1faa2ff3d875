"""
The ledger's and the outbox's rows: only ever added.

Numbers follow each other because writers take turns; that nobody changes or removes an entry is held
by triggers in the database itself (see the migrations).
"""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, insert, or_, select

from tidegate.domain.quantities import RolloutId
from tidegate.ports.store import LedgerEntry, LedgerQuery, NewEntry, OutboxMessage
from tidegate.store.ledger import GENESIS_HASH, chained
from tidegate.store.refusals import no_such_entry
from tidegate.store.rows import Rows
from tidegate.store.tables import instant_text, ledger, outbox

_HEAD: Final = "SELECT number, hash FROM ledger ORDER BY number DESC LIMIT 1"
_APPEND = insert(ledger)
_ENTRY = select(ledger).where(ledger.c.number == bindparam("number"))
_ENTRIES = (
    select(ledger)
    .where(ledger.c.number > bindparam("after"))
    .order_by(ledger.c.number)
    .limit(bindparam("limit"))
)
_FIELDS: Final = tuple(field.name for field in fields(LedgerEntry))
_LATEST = select(ledger).order_by(ledger.c.number.desc()).limit(1)
_ENTRIES_OF = _ENTRIES.where(ledger.c.rollout_id == bindparam("rollout_id"))

_ENQUEUE = insert(outbox)
_MESSAGES = (
    select(outbox)
    .where(outbox.c.id > bindparam("after"))
    .order_by(outbox.c.id)
    .limit(bindparam("limit"))
)


class LedgerRows(Rows):
    """The part of a transaction that is about what happened and who is told."""

    def append(self, entry: NewEntry) -> LedgerEntry:
        """Add *entry* at the end of the chain."""
        head = self._read_directly(_HEAD)
        placed = chained(entry, after=(0, GENESIS_HASH) if head is None else (head[0], head[1]))
        values = {name: getattr(placed, name) for name in _FIELDS}
        self._insert_directly(_APPEND, {**values, "at": instant_text(placed.at)})
        return placed

    def ledger(
        self, *, rollout_id: RolloutId | None = None, after: int = 0, limit: int = 1000
    ) -> Sequence[LedgerEntry]:
        """Return entries with a number greater than *after*, oldest first."""
        if rollout_id is None:
            rows = self._read(_ENTRIES, after=after, limit=limit)
        else:
            rows = self._read(_ENTRIES_OF, after=after, limit=limit, rollout_id=rollout_id)
        return [_entry(row) for row in rows]

    def ledger_entry(self, number: int) -> LedgerEntry:
        """Return one entry; see the port."""
        row = self._read(_ENTRY, number=number).first()
        if row is None:
            raise no_such_entry(number)
        return _entry(row)

    def latest_entry(self) -> LedgerEntry | None:
        """Return the last entry of the chain."""
        row = self._read(_LATEST).first()
        return None if row is None else _entry(row)

    def search_ledger(self, query: LedgerQuery, *, limit: int = 100) -> Sequence[LedgerEntry]:
        """Return the entries that *query* wants, newest first."""
        wanted = select(ledger).order_by(ledger.c.number.desc()).limit(limit)
        for name in ("service", "rollout_id", "actor", "kind", "rule"):
            value = getattr(query, name)
            if value is not None:
                wanted = wanted.where(ledger.c[name] == value)
        if query.since is not None:
            wanted = wanted.where(ledger.c.at >= query.since)
        if query.until is not None:
            wanted = wanted.where(ledger.c.at < query.until)
        if query.before is not None:
            wanted = wanted.where(ledger.c.number < query.before)
        if query.text is not None:
            says = (
                column.icontains(query.text, autoescape=True)
                for column in (ledger.c.because, ledger.c.details_json)
            )
            wanted = wanted.where(or_(*says))
        return [_entry(row) for row in self._read(wanted)]

    def enqueue(self, *, at: datetime, type: str, rollout_id: RolloutId, payload_json: str) -> None:
        """Add a message to the outbox."""
        # Ids follow the order of commits, since writers take turns: a reader that goes on after the
        # last id it saw misses nothing.
        self._write(
            _ENQUEUE,
            {"at": at, "type": type, "rollout_id": rollout_id, "payload_json": payload_json},
        )

    def outbox(self, *, after: int = 0, limit: int = 100) -> Sequence[OutboxMessage]:
        """Return messages with an id greater than *after*, oldest first."""
        return [_message(row) for row in self._read(_MESSAGES, after=after, limit=limit)]


def _entry(row: Row[Any]) -> LedgerEntry:
    return LedgerEntry(**row._mapping)


def _message(row: Row[Any]) -> OutboxMessage:
    return OutboxMessage(**row._mapping)
