"""Emergencies on record: finding one, the protocols in force, what one touches. Nothing is changed here."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.emergency.model import Debt, Emergency, EmergencyId
from tidegate.domain.emergency.protocol import BUILT_IN, EmergencyProtocol
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.alarms import Alarm
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import InvalidRequestError, NotFoundError
from tidegate.ports.store import Transaction
from tidegate.usecases.access import Access, access_in
from tidegate.usecases.outside import Outside
from tidegate.usecases.policies import policy_in_force
from tidegate.usecases.resources import resource_of_service
from tidegate.usecases.shelves import DEBTS, Shelf

EMERGENCIES = Shelf(
    kind="emergency",
    type=Emergency,
    id_of=lambda emergency: emergency.id,
    at=lambda emergency: emergency.declared_at,
    is_open=lambda emergency: emergency.is_open,
    service_of=lambda emergency: emergency.service,
)

DEBTS_AT_MOST: Final = 1000


def protocols_in_force(transaction: Transaction, organisation: str) -> Sequence[EmergencyProtocol]:
    """Return the protocols of *organisation*'s policy; the built-in ones where it names none."""
    return policy_in_force(transaction, organisation).protocols or BUILT_IN


def protocol_of(
    transaction: Transaction, emergency_type: str, organisation: str
) -> EmergencyProtocol:
    """
    Return the protocol of *emergency_type*.

    Raises:
        InvalidRequestError: the policy has no such type; nobody makes up a protocol in an emergency.
    """
    known = {protocol.type: protocol for protocol in protocols_in_force(transaction, organisation)}
    if emergency_type not in known:
        raise InvalidRequestError(
            f"there is no type of emergency {emergency_type!r}",
            hint=f"it can be: {', '.join(known)}",
        )
    return known[emergency_type]


def find_emergency(transaction: Transaction, name: str) -> Emergency:
    """
    Return the emergency called *name*: its id, or a service's latest.

    Raises:
        NotFoundError: there is none.
    """
    found = EMERGENCIES.get(transaction, name)
    if found is None:
        of_service = EMERGENCIES.latest(transaction, service=ServiceName(name), limit=1)
        found = of_service[0] if of_service else None
    if found is None:
        raise no_such_emergency(name)
    return found


def readable_emergency(outside: Outside, caller: Caller, name: str) -> Emergency:
    """Return the emergency *name*. Raises NotFoundError when there is none that *caller* may read."""
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        found = find_emergency(transaction, name)
        if not sees_emergency(transaction, access, found):
            raise no_such_emergency(name)
    return found


def sees_emergency(transaction: Transaction, access: Access, emergency: Emergency) -> bool:
    """Return whether *emergency* exists for the caller."""
    return access.may_read(resource_of_emergency(transaction, emergency))


def no_such_emergency(name: str) -> NotFoundError:
    """Return the error for an emergency that isn't there."""
    return NotFoundError(
        f"there is no emergency {name!r}", hint="`tidegate emergency list` lists them"
    )


def debts_of(transaction: Transaction, emergency: Emergency) -> tuple[Debt, ...]:
    """Return what *emergency* owes or owed, oldest first."""
    found = DEBTS.latest(transaction, service=emergency.service, limit=DEBTS_AT_MOST)
    return tuple(
        sorted(
            (debt for debt in found if debt.emergency_id == emergency.id),
            key=lambda debt: (debt.opened_at or debt.changed_at, debt.id),
        )
    )


def resource_of_emergency(transaction: Transaction, emergency: Emergency) -> Resource:
    """Return what *emergency* touches: its service where that is known, else its project."""
    known = resource_of_service(transaction, emergency.service)
    if known is not None and known.organisation == emergency.organisation:
        return known
    return Resource(
        organisation=emergency.organisation,
        project=emergency.project,
        service=emergency.service,
    )


def resource_named(outside: Outside, caller: Caller, name: str) -> Resource:
    """Return what the emergency *name* touches. Raises NotFoundError as `readable_emergency` does."""
    found = readable_emergency(outside, caller, name)
    with outside.store.begin(read_only=True) as transaction:
        return resource_of_emergency(transaction, found)


def is_to_mend(transaction: Transaction, rollout: Rollout, alarm: Alarm) -> bool:
    """
    Return whether *rollout* was started to end *alarm*.

    What was on fire when an emergency was declared is why it was, so it neither holds nor halts its
    rollouts. Alarms of later, and those that became worse, do as ever.
    """
    if rollout.emergency_id is None:
        return False
    emergency = EMERGENCIES.get(transaction, rollout.emergency_id)
    return emergency is not None and (alarm.id, alarm.severity) in emergency.known_alarms


def urgent_emergency(
    transaction: Transaction, rollout: Rollout, now: datetime
) -> EmergencyId | None:
    """Return the emergency of the service of *rollout* that is authorised at *now* and not begun yet."""
    return next(
        (
            emergency.id
            for emergency in EMERGENCIES.open(transaction, service=rollout.service)
            if emergency.authorised_at is not None
            and now < emergency.expires_at
            and not emergency.rollouts
        ),
        None,
    )


def new_emergency_id(transaction: Transaction, digest: str) -> EmergencyId:
    """Return a short id made from *digest* (hexadecimal); longer only when it is taken."""
    length = 6
    while EMERGENCIES.get(transaction, f"em-{digest[:length]}") is not None:
        length += 1
    return EmergencyId(f"em-{digest[:length]}")
