"""
What a caller may look at of the records of governance: freezes, emergencies, the ledger as a whole.

The same rule as in `reading`, which is about rollouts and services: what isn't theirs is left out, and is
missing by its name.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.calendar.freezes import Freeze, FreezeScope
from tidegate.domain.emergency.model import Emergency
from tidegate.domain.quantities import ServiceName
from tidegate.errors import ForbiddenError
from tidegate.ports.store import LedgerEntry, LedgerQuery, Transaction
from tidegate.usecases.access import Access, refuse_unless_allowed
from tidegate.usecases.emergency_records import find_emergency, no_such_emergency
from tidegate.usecases.outside import Outside
from tidegate.usecases.reading import sees_entry, sees_service

PAGE: Final = 500


def sees_freeze(transaction: Transaction, access: Access, freeze: Freeze) -> bool:
    """Return whether *freeze* exists for the caller; one of the server's own token is everybody's."""
    caller = access.caller
    if freeze.organisation not in (None, caller.organisation) and not caller.is_root:
        return False
    if freeze.scope is FreezeScope.SERVICE:
        return sees_service(transaction, access, ServiceName(freeze.name))
    return access.may_read(Resource(organisation=caller.organisation))


def sees_emergency(transaction: Transaction, access: Access, emergency: Emergency) -> bool:
    """Return whether *emergency* exists for the caller: by its service."""
    return sees_service(transaction, access, emergency.service)


def readable_emergency(transaction: Transaction, access: Access, name: str) -> Emergency:
    """Return the emergency that *name* means. Raises NotFoundError when there is none to be read."""
    found = find_emergency(transaction, name)
    if not sees_emergency(transaction, access, found):
        raise no_such_emergency(name)
    return found


def refuse_unless_reads_ledger(outside: Outside, caller: Caller) -> None:
    """Raise ForbiddenError unless *caller* may read the ledger of their organisation."""
    refuse_unless_allowed(
        outside, caller, Permission.LEDGER_READ, Resource(organisation=caller.organisation)
    )


def refuse_unless_reads_all(outside: Outside, caller: Caller) -> None:
    """
    Raise ForbiddenError unless *caller* may have the ledger as a whole.

    A chain is verified as a whole or not at all, and it holds every organisation.
    """
    refuse_unless_reads_ledger(outside, caller)
    if not caller.is_root:
        raise ForbiddenError(
            "a dump holds the entries of every organisation, so only the server's own token gets one",
            hint="take the rows of your organisation instead: tidegate ledger export -o csv",
        )


def readable_entries(
    transaction: Transaction, access: Access, query: LedgerQuery, *, limit: int
) -> Sequence[LedgerEntry]:
    """Return the newest entries that fit *query* and that the caller may read, at most *limit*."""
    if access.caller.is_root:
        return transaction.search_ledger(query, limit=limit)
    found: list[LedgerEntry] = []
    for entry in _newest_first(transaction, query):
        if sees_entry(transaction, access, entry):
            found.append(entry)
        if len(found) == limit:
            break
    return found


def _newest_first(transaction: Transaction, query: LedgerQuery) -> Iterator[LedgerEntry]:
    before = query.before
    while True:
        page = transaction.search_ledger(replace(query, before=before), limit=PAGE)
        yield from page
        if len(page) < PAGE:
            return
        before = page[-1].number
