"""
The whole fleet at one moment, as one person may see it: read at once, for whoever looks over all of it.

One snapshot of the store and nothing of the outside: what targets serve now is asked of them where one
rollout is looked at. Rule: the work grows with what is under way and with the number of services, never
with how long the history is.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.documents.records import from_json
from tidegate.domain.access.model import Caller
from tidegate.domain.access.permissions import Permission
from tidegate.domain.approvals.duties import why_not_eligible
from tidegate.domain.emergency.model import Debt
from tidegate.domain.health.evidence import Evidence
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode, Rollout
from tidegate.domain.rollout.seen import valid_approvals
from tidegate.domain.stops.model import StopOrder
from tidegate.errors import StoreError
from tidegate.ports.store import Transaction
from tidegate.usecases.access import Access, access_in
from tidegate.usecases.approvals import ground_of
from tidegate.usecases.outside import Outside
from tidegate.usecases.policies import person_behind, policy_in_force
from tidegate.usecases.reading import sees_order, sees_rollout, sees_service
from tidegate.usecases.resources import resource_of_rollout
from tidegate.usecases.shelves import DEBTS, STOP_ORDERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """
    What somebody may see of the fleet at `now`.

    `rollouts` are each service's newest one and all that aren't over or settled, by service. `owners`
    are the services' owners as their documents say. `evidence` is that of what bakes, as far as it can
    be read. `debts` are those that are overdue. `read_in` is how long the store took.
    """

    now: datetime
    rollouts: tuple[Rollout, ...]
    owners: Mapping[ServiceName, str]
    evidence: Mapping[RolloutId, Evidence]
    stop_orders: tuple[StopOrder, ...]
    debts: tuple[Debt, ...]
    read_in: timedelta


def read_fleet(
    outside: Outside, caller: Caller, *, services: Sequence[ServiceName] | None = None
) -> Fleet:
    """
    Return the fleet as *caller* may see it, or only *services* of it.

    Raises:
        StoreError: it can't be read.
    """
    began = outside.clock.now()
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, began)
        rollouts = tuple(one for one in transaction.fleet(services) if sees_rollout(access, one))
        seen = {one.service for one in rollouts}
        return Fleet(
            now=began,
            rollouts=rollouts,
            owners=_owners(transaction, seen, services),
            evidence=_evidence(transaction, rollouts),
            stop_orders=tuple(
                one for one in STOP_ORDERS.open(transaction) if sees_order(transaction, access, one)
            ),
            debts=tuple(
                one
                for one in DEBTS.open(transaction)
                if one.is_overdue(began) and _sees_debt(transaction, access, one)
            ),
            read_in=outside.clock.now() - began,
        )


def why_not_theirs(
    outside: Outside, caller: Caller | None, rollouts: Iterable[Rollout]
) -> dict[RolloutId, str]:
    """
    Return for each of *rollouts* that waits for approval why *caller* can't give it; "" where they can.

    The same rules as when one is given, asked beforehand. None is somebody who only looks.
    """
    if caller is None:
        return {one.id: "you only look" for one in rollouts}
    now = outside.clock.now()
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, now)
        return {one.id: _why_not_theirs(transaction, access, one, now) for one in rollouts}


def _why_not_theirs(
    transaction: Transaction, access: Access, rollout: Rollout, now: datetime
) -> str:
    if not access.ruling(Permission.APPROVE, resource_of_rollout(rollout)).is_allowed:
        return f"{rollout.phase.approvers or 'somebody else'} can"
    caller = access.caller
    person = person_behind(policy_in_force(transaction, rollout.organisation), caller)
    said = {one.person or one.by for one in valid_approvals(rollout, rollout.phase_index)}
    if (person or caller.name) in said:
        return "you have said so already, another person has to"
    ground = ground_of(transaction, rollout, rollout.phase_index, now)
    return why_not_eligible(ground, person, caller.name)


def is_due_for_approval(rollout: Rollout) -> bool:
    """Return whether nothing but people's word keeps *rollout* from its next phase."""
    return rollout.state is State.WAITING and rollout.waiting_on.reason is ReasonCode.APPROVAL


def _owners(
    transaction: Transaction, seen: set[ServiceName], services: Sequence[ServiceName] | None
) -> dict[ServiceName, str]:
    if services is None:
        records = list(transaction.services())
    else:
        found = (transaction.service(name) for name in services)
        records = [record for record in found if record is not None]
    return {one.name: _owner(one.canonical_json) for one in records if one.name in seen}


def _owner(canonical_json: str) -> str:
    # The whole document isn't read: who owns a service must be seen also where its plan breaks a rule.
    try:
        owner = json.loads(canonical_json).get("owner", "")
    except (ValueError, AttributeError):
        return ""
    return owner if isinstance(owner, str) else ""


def _evidence(transaction: Transaction, rollouts: Iterable[Rollout]) -> dict[RolloutId, Evidence]:
    found: dict[RolloutId, Evidence] = {}
    for rollout in rollouts:
        if rollout.state is not State.BAKING:
            continue
        stored = transaction.evidence(rollout.id)
        if stored is None:
            continue
        try:
            found[rollout.id] = from_json(Evidence, stored.evidence_json)
        except StoreError:
            # Of another release: nothing is said of it here, and its own step holds the rollout.
            continue
    return found


def _sees_debt(transaction: Transaction, access: Access, debt: Debt) -> bool:
    if debt.rollout_id is not None:
        return sees_rollout(access, transaction.rollout(debt.rollout_id))
    return sees_service(transaction, access, debt.service)
