"""
The ledger as people leaf through it: pages that neither repeat nor miss an entry, and one entry whole.

A page goes on behind the last number that the one before has shown, and not after a count: entries that
come meanwhile are newer and move nothing. What isn't the reader's is left out, and the search goes on
until the page is full.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tidegate.documents.ledger.chain import GENESIS_HASH, SCHEME, covered, hash_of
from tidegate.domain.access.model import Caller
from tidegate.domain.ledger.model import Head
from tidegate.errors import ForbiddenError, NotFoundError
from tidegate.ports.store import LedgerEntry, LedgerQuery, Transaction
from tidegate.usecases.audit_access import audited_by
from tidegate.usecases.ledger_heads import LEDGER_HEADS, head_place, latest_head
from tidegate.usecases.outside import Outside
from tidegate.usecases.reading import readable_entry

READ_AT_ONCE: Final = 250
SEARCHED_AT_MOST: Final = 5_000
"""How many entries one page looks through for those that are its reader's, before it says so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPage:
    """
    Entries, newest first. `next_before` is where to go on, None at the end of the ledger.

    A page that isn't full and has a `next_before` has looked through `SEARCHED_AT_MOST` entries.
    """

    entries: tuple[LedgerEntry, ...]
    next_before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainPlace:
    """
    How an entry stands in the chain.

    `is_intact` is whether its hash fits what it says, `follows` whether the hash before is that of the
    entry before. `head` is the first signed head that covers it, None for none yet. `is_last` is whether
    nothing follows it.
    """

    is_intact: bool
    follows: bool
    head: Head | None
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEntry:
    """One entry as its reader sees it: an auditor `as_auditor`, with its details and its place."""

    entry: LedgerEntry
    as_auditor: bool
    place: ChainPlace


def ledger_page(outside: Outside, caller: Caller, query: LedgerQuery, *, limit: int) -> LedgerPage:
    """
    Return the first *limit* entries that *query* wants and that *caller* may read as an auditor.

    Raises:
        ForbiddenError: they aren't granted to read the ledger of their organisation.
        StoreError: it can't be read.
    """
    is_shown = audited_by(outside, caller)
    shown: list[LedgerEntry] = []
    before, searched = query.before, 0
    while True:
        with outside.store.begin(read_only=True) as transaction:
            found = transaction.search_ledger(replace(query, before=before), limit=READ_AT_ONCE)
        if _fill(shown, found, is_shown, limit):
            return LedgerPage(entries=tuple(shown), next_before=shown[-1].number)
        if len(found) < READ_AT_ONCE:
            return LedgerPage(entries=tuple(shown), next_before=None)
        before, searched = found[-1].number, searched + len(found)
        if searched >= SEARCHED_AT_MOST:
            return LedgerPage(entries=tuple(shown), next_before=before)


def seen_entry(outside: Outside, caller: Caller, number: int) -> SeenEntry:
    """
    Return entry *number* to whoever may read the ledger, or what the entry is about.

    Raises:
        NotFoundError: there is none that *caller* may read.
        StoreError: it can't be read.
    """
    entry = _audited_entry(outside, caller, number)
    as_auditor = entry is not None
    if entry is None:
        entry = readable_entry(outside, caller, number)
    with outside.store.begin(read_only=True) as transaction:
        place = _place_of(transaction, entry)
    return SeenEntry(entry=entry, as_auditor=as_auditor, place=place)


def first_head_over(transaction: Transaction, number: int) -> Head | None:
    """Return the first signed head that covers entry *number*, None when none does yet."""
    last = latest_head(transaction)
    if last is None or last.entries < number:
        return None
    low, high = 1, last.number
    while low < high:
        middle = (low + high) // 2
        head = LEDGER_HEADS.get(transaction, head_place(middle))
        # A head that is missing proves nothing about those after it: that is for verifying to find.
        if head is not None and head.entries >= number:
            high = middle
        else:
            low = middle + 1
    return LEDGER_HEADS.get(transaction, head_place(low))


def _fill(
    shown: list[LedgerEntry],
    found: Sequence[LedgerEntry],
    is_shown: Callable[[LedgerEntry], bool],
    limit: int,
) -> bool:
    """Add those of *found* that may be shown to *shown*; return whether there are more than fit."""
    for entry in found:
        if is_shown(entry):
            if len(shown) == limit:
                return True
            shown.append(entry)
    return False


def _audited_entry(outside: Outside, caller: Caller, number: int) -> LedgerEntry | None:
    try:
        is_shown = audited_by(outside, caller)
        with outside.store.begin(read_only=True) as transaction:
            entry = transaction.ledger_entry(number)
    except (ForbiddenError, NotFoundError):
        return None
    return entry if is_shown(entry) else None


def _place_of(transaction: Transaction, entry: LedgerEntry) -> ChainPlace:
    last = transaction.latest_entry()
    return ChainPlace(
        is_intact=_is_intact(entry),
        follows=_hash_before(transaction, entry.number) == entry.previous_hash,
        head=first_head_over(transaction, entry.number),
        is_last=last is not None and last.number == entry.number,
    )


def _is_intact(entry: LedgerEntry) -> bool:
    number, before = entry.number, entry.previous_hash
    return any(
        hash_of(covered(entry, number=number, previous_hash=before, scheme=scheme)) == entry.hash
        for scheme in (SCHEME, 1)
    )


def _hash_before(transaction: Transaction, number: int) -> str | None:
    if number == 1:
        return GENESIS_HASH
    try:
        return transaction.ledger_entry(number - 1).hash
    except NotFoundError:
        return None
