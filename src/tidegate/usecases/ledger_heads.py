"""
Signed heads: how the ledger stood, every minute or thousand entries, when something was added.

A head is made in a transaction of its own, after the entries that it covers: nothing waits for a
signature. Heads are filed and never changed; the store itself refuses that (see the migrations).
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from tidegate.documents.ledger.heads import head_hash, key_id_of, signed_bytes
from tidegate.domain.ledger.model import NO_HEAD, Head, SigningKey
from tidegate.ports.signer import HeadSigner
from tidegate.ports.store import Transaction
from tidegate.usecases.outside import Outside
from tidegate.usecases.shelves import Shelf

HEAD_EVERY: Final = timedelta(seconds=60)
HEAD_AFTER_ENTRIES: Final = 1_000
"""Source: `guarantees.md`, tamper-evident audit."""

_DIGITS: Final = 12

LEDGER_HEADS: Final = Shelf(
    kind="ledger_head",
    type=Head,
    id_of=lambda head: head_place(head.number),
    at=lambda head: head.at,
    is_open=lambda _: False,
    service_of=lambda _: None,
)

LEDGER_KEYS: Final = Shelf(
    kind="ledger_key",
    type=SigningKey,
    id_of=lambda key: key.key_id,
    at=lambda key: key.since,
    is_open=lambda _: True,
    service_of=lambda _: None,
)


def head_place(number: int) -> str:
    """Return where head *number* is filed."""
    return f"{number:0{_DIGITS}}"


def latest_head(transaction: Transaction) -> Head | None:
    """Return the last head, None when there is none yet."""
    # Their times never go back (see `sign_head`), so the latest by time is the one with the last number.
    heads = LEDGER_HEADS.latest(transaction, limit=1)
    return heads[0] if heads else None


def heads_after(transaction: Transaction, number: int, *, limit: int) -> Iterator[Head]:
    """Return up to *limit* heads that follow head *number*, in order."""
    for following in range(number + 1, number + 1 + limit):
        head = LEDGER_HEADS.get(transaction, head_place(following))
        if head is None:
            return
        yield head


def head_is_due(transaction: Transaction, now: datetime) -> bool:
    """Return whether a head should be signed at *now*."""
    entry, head = transaction.latest_entry(), latest_head(transaction)
    if entry is None:
        return False
    if head is None:
        return True
    added = entry.number - head.entries
    # A clock that was set back must not keep heads from being made.
    waited = now - head.at
    is_time = waited >= HEAD_EVERY or waited < timedelta(0)
    return added >= HEAD_AFTER_ENTRIES or (added > 0 and is_time)


def sign_head(outside: Outside, signer: HeadSigner, *, only_when_due: bool = False) -> Head | None:
    """
    Sign how the ledger stands; return the head, None when there is nothing that isn't covered yet.

    Raises:
        StoreError: it couldn't be recorded.
    """
    now = outside.clock.now()
    if only_when_due:
        with outside.store.begin(read_only=True) as transaction:
            if not head_is_due(transaction, now):
                return None
    with outside.store.begin() as transaction:
        entry, before = transaction.latest_entry(), latest_head(transaction)
        if entry is None or (before is not None and before.entries >= entry.number):
            return None
        key_id = key_id_of(signer.public)
        if LEDGER_KEYS.get(transaction, key_id) is None:
            key = SigningKey(key_id=key_id, public=signer.public, since=now)
            LEDGER_KEYS.put(transaction, key)
        unsigned = Head(
            number=1 if before is None else before.number + 1,
            entries=entry.number,
            entry_hash=entry.hash,
            at=now if before is None else max(now, before.at),
            previous_head=NO_HEAD if before is None else head_hash(before),
            key_id=key_id,
            signature="",
        )
        head = replace(unsigned, signature=signer.sign(signed_bytes(unsigned)))
        LEDGER_HEADS.put(transaction, head)
    return head
