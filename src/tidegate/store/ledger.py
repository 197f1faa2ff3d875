"""
The hash chain of the ledger, pure: an entry in its place, and where a chain is broken.

An entry's hash covers every field, its number and the hash before it. So an entry that is changed,
removed, added or moved breaks the chain at that number. A chain that was cut off at its end, or made
again as a whole, is still a chain: that is seen only by who knows a later head.
"""

from collections.abc import Iterable

from tidegate.documents.ledger.chain import GENESIS_HASH, SCHEME, covered, hash_of
from tidegate.ports.store import LedgerEntry, NewEntry

__all__ = ["GENESIS_HASH", "chained", "entry_hash", "verify_chain"]


def entry_hash(entry: NewEntry, *, number: int, previous_hash: str, scheme: int = SCHEME) -> str:
    """
    Return the hash of *entry* at its place in the chain.

    Args:
        entry: The fact. Of a `LedgerEntry` only the fields of the fact count.
        number: Its place, from 1.
        previous_hash: The hash of the entry before it, or `GENESIS_HASH`.
        scheme: What is covered, see `documents.ledger.chain`.

    Returns:
        64 hexadecimal digits.
    """
    return hash_of(covered(entry, number=number, previous_hash=previous_hash, scheme=scheme))


def chained(entry: NewEntry, *, after: tuple[int, str]) -> LedgerEntry:
    """Return *entry* in the place after the one whose number and hash are *after*."""
    last_number, previous_hash = after
    number = last_number + 1
    return LedgerEntry(
        at=entry.at,
        rollout_id=entry.rollout_id,
        service=entry.service,
        actor=entry.actor,
        kind=entry.kind,
        rule=entry.rule,
        because=entry.because,
        state_before=entry.state_before,
        state_after=entry.state_after,
        observation_json=entry.observation_json,
        decision_json=entry.decision_json,
        details_json=entry.details_json,
        number=number,
        previous_hash=previous_hash,
        hash=entry_hash(entry, number=number, previous_hash=previous_hash),
    )


def verify_chain(
    entries: Iterable[LedgerEntry], *, after: tuple[int, str] = (0, GENESIS_HASH)
) -> int | None:
    """
    Return the number at which the chain is broken first, or None when it holds.

    Args:
        entries: Consecutive entries, oldest first.
        after: Number and hash of the entry before the first of them, so that a long ledger can be
            verified page by page.

    Returns:
        The number that should have stood where the first wrong entry stands.
    """
    last_number, previous_hash = after
    for entry in entries:
        number = last_number + 1
        holds = (
            entry.number == number
            and entry.previous_hash == previous_hash
            and any(
                entry.hash
                == entry_hash(entry, number=number, previous_hash=previous_hash, scheme=scheme)
                for scheme in (SCHEME, 1)
            )
        )
        if not holds:
            return number
        last_number, previous_hash = number, entry.hash
    return None
