"""
Who reads the ledger as a whole: the right to it is one organisation's, and entries are somebody's.

An entry is of the organisation of its rollout or service, or of the one that its details name. Where a
server has one organisation, all entries are of that.
"""

from collections.abc import Callable

from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.errors import ForbiddenError
from tidegate.ports.store import LedgerEntry, Transaction
from tidegate.usecases.access import ASK_FOR_ACCESS, refuse_unless_allowed
from tidegate.usecases.outside import Outside
from tidegate.usecases.reading import organisation_of_details, whose
from tidegate.usecases.resources import resource_of_service


def audited_by(outside: Outside, caller: Caller) -> Callable[[LedgerEntry], bool]:
    """
    Return which entries *caller* may read as an auditor.

    Raises:
        ForbiddenError: they aren't granted to read the ledger of their organisation.
    """
    refuse_unless_allowed(
        outside, caller, Permission.LEDGER_READ, Resource(organisation=caller.organisation)
    )
    if caller.is_root or _is_alone(outside, caller):
        return lambda _: True
    known: dict[tuple[RolloutId, ServiceName], str | None] = {}

    def is_theirs(entry: LedgerEntry) -> bool:
        place = (entry.rollout_id, entry.service)
        if place == ("", ""):
            return organisation_of_details(entry) == caller.organisation
        if place not in known:
            with outside.store.begin(read_only=True) as transaction:
                known[place] = _organisation_of(transaction, entry)
        return known[place] == caller.organisation

    return is_theirs


def refuse_unless_whole(outside: Outside, caller: Caller) -> None:
    """
    Return when *caller* may have the whole ledger: a part of a chain proves nothing about the rest.

    Raises:
        ForbiddenError: they aren't granted to read it, or it is also of other organisations.
    """
    audited_by(outside, caller)
    if not (caller.is_root or _is_alone(outside, caller)):
        raise ForbiddenError(
            "the whole ledger is of several organisations",
            hint=f"export rows instead, with --format csv; or {ASK_FOR_ACCESS}",
        )


def _is_alone(outside: Outside, caller: Caller) -> bool:
    with outside.store.begin(read_only=True) as transaction:
        return whose(transaction, caller, None) == caller.organisation


def _organisation_of(transaction: Transaction, entry: LedgerEntry) -> str | None:
    if entry.rollout_id:
        return transaction.rollout(entry.rollout_id).organisation
    resource = resource_of_service(transaction, entry.service)
    return None if resource is None else resource.organisation
