"""
What a caller may look at: one function per kind of thing, and no other way for a request to find one.

What isn't theirs to read is left out of lists, and by its name it is missing in the very words of what
was never there. Whoever adds a route that shows something takes it from here.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.calendar.freezes import Freeze, FreezeScope
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.rollout.alarms import Alarm, AlarmId
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.stops.model import StopOrder, StopScope
from tidegate.errors import NotFoundError
from tidegate.ports.store import LedgerEntry, ServiceRecord, Transaction
from tidegate.usecases.access import Access, access_in
from tidegate.usecases.outside import Outside, unknown_service
from tidegate.usecases.resources import resource_of_rollout, resource_of_service

NEWEST_OF_SERVICE: Final = 100
"""How far back a service's rollouts are looked through for one that the caller may see."""


# --- rollouts --------------------------------------------------------------------------------


def find_rollout(outside: Outside, caller: Caller, name: str) -> Rollout:
    """
    Return the rollout that *name* means to *caller*: an id, its beginning, or a service's latest.

    Raises:
        NotFoundError: nothing that they may read has that name, or a beginning fits several.
    """
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        ids = transaction.rollouts_with_prefix(name)
        fitting = [one for one in map(transaction.rollout, ids) if sees_rollout(access, one)]
        exact = [one for one in fitting if one.id == name]
        if exact or len(fitting) == 1:
            return (exact or fitting)[0]
        if fitting:
            raise NotFoundError(
                f"{name!r} fits several rollouts: {', '.join(one.id for one in fitting)}",
                hint="say more of the id",
            )
        latest = _latest_of(transaction, access, ServiceName(name))
    if latest is None:
        raise NotFoundError(
            f"there is no rollout and no service {name!r}",
            hint="`tidegate status` lists what there is",
        )
    return latest


def readable_rollouts(
    outside: Outside,
    caller: Caller,
    *,
    service: ServiceName | None = None,
    searched: int,
    fits: Callable[[Rollout], bool] = lambda _: True,
    limit: int,
) -> tuple[Rollout, ...]:
    """
    Return the rollouts that *caller* may read and that *fits* takes, newest first.

    Args:
        outside: The world.
        caller: Who looks.
        service: Only those of this service.
        searched: How many of the newest are looked through.
        fits: What else they must be.
        limit: At most so many.
    """
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        found = transaction.rollouts(service=service, limit=searched)
    return tuple(one for one in found if fits(one) and sees_rollout(access, one))[:limit]


def readable_ids(
    outside: Outside, caller: Caller, ids: Iterable[RolloutId]
) -> tuple[RolloutId, ...]:
    """Return those of *ids* that *caller* may know of, in their order."""
    if caller.is_root:
        return tuple(ids)
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        return tuple(one for one in ids if sees_rollout(access, transaction.rollout(one)))


def sees_rollout(access: Access, rollout: Rollout) -> bool:
    """Return whether *rollout* exists for the caller."""
    return access.may_read(resource_of_rollout(rollout))


def _latest_of(transaction: Transaction, access: Access, service: ServiceName) -> Rollout | None:
    """Return the service's rollout that is under way, else its newest; of those that can be seen."""
    active = transaction.active_rollout(service)
    if active is not None and sees_rollout(access, active):
        return active
    newest = transaction.rollouts(service=service, limit=NEWEST_OF_SERVICE)
    return next((one for one in newest if sees_rollout(access, one)), None)


# --- services --------------------------------------------------------------------------------


def readable_service(outside: Outside, caller: Caller, name: ServiceName) -> ServiceRecord:
    """Return the service *name*. Raises NotFoundError when there is none that *caller* may read."""
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        record = transaction.service(name)
        if record is None or not sees_service(transaction, access, name):
            raise unknown_service(name)
    return record


def readable_services(transaction: Transaction, access: Access) -> Sequence[ServiceRecord]:
    """Return the services that the caller may read, by name."""
    return [
        record
        for record in transaction.services()
        if sees_service(transaction, access, record.name)
    ]


def sees_service(transaction: Transaction, access: Access, name: ServiceName) -> bool:
    """Return whether the service *name* exists for the caller. One without a rollout is nobody's yet."""
    resource = resource_of_service(transaction, name)
    return access.caller.is_root if resource is None else access.may_read(resource)


# --- entries of the ledger -------------------------------------------------------------------


def readable_entry(outside: Outside, caller: Caller, number: int) -> LedgerEntry:
    """Return entry *number* of the ledger. Raises NotFoundError when *caller* may read none there."""
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        entry = _entry(transaction, number)
        if entry is None or not sees_entry(transaction, access, entry):
            raise NotFoundError(
                f"the ledger has no entry {number}", hint="`tidegate why` names what there is"
            )
    return entry


@dataclass(frozen=True, slots=True)
class Need:
    """
    What somebody must be granted to see something: `permission` on `resource`.

    Without a resource it is the server's own: only whoever holds its token sees it. What has the same
    need is seen by the same callers, so that one answer does for many.
    """

    permission: Permission
    resource: Resource | None

    def is_met_by(self, access: Access) -> bool:
        """Return whether the caller of *access* sees it."""
        if self.resource is None:
            return access.caller.is_root
        return access.ruling(self.permission, self.resource).is_allowed


def sees_entry(transaction: Transaction, access: Access, entry: LedgerEntry) -> bool:
    """Return whether *entry* exists for the caller."""
    return need_of_entry(transaction, entry).is_met_by(access)


def need_of_entry(transaction: Transaction, entry: LedgerEntry) -> Need:
    """
    Return what it takes to see *entry*.

    What is of a rollout is read by whoever reads that, what is of a service by whoever reads the
    service. What is of neither takes the right to read the ledger of the organisation that it says it
    is of; where it says none, only the server's own token reads it.
    """
    if entry.rollout_id:
        resource = resource_of_rollout(transaction.rollout(entry.rollout_id))
        return Need(Permission.READ, resource)
    if entry.service:
        return Need(Permission.READ, resource_of_service(transaction, entry.service))
    organisation = organisation_of_details(entry)
    if organisation is None:
        return Need(Permission.LEDGER_READ, None)
    return Need(Permission.LEDGER_READ, Resource(organisation=organisation))


def organisation_of_details(entry: LedgerEntry) -> str | None:
    """Return whose *entry* is by its details, None when they don't say."""
    details = {} if entry.details_json is None else json.loads(entry.details_json)
    organisation = details.get("organisation")
    return organisation if isinstance(organisation, str) else None


def _entry(transaction: Transaction, number: int) -> LedgerEntry | None:
    try:
        return transaction.ledger_entry(number)
    except NotFoundError:
        return None


# --- stop orders and freezes -----------------------------------------------------------------


def sees_order(transaction: Transaction, access: Access, order: StopOrder) -> bool:
    """Return whether *order* exists for the caller."""
    service = order.name if order.scope is StopScope.SERVICE else None
    return _sees_what_holds(transaction, access, service, order.organisation)


def sees_freeze(transaction: Transaction, access: Access, freeze: Freeze) -> bool:
    """Return whether *freeze* exists for the caller."""
    service = freeze.name if freeze.scope is FreezeScope.SERVICE else None
    return _sees_what_holds(transaction, access, service, freeze.organisation)


def whose(transaction: Transaction, caller: Caller, organisation: str | None) -> str:
    """
    Return the organisation that something wide is of: *organisation*, or None for everybody's.

    What is everybody's was given with the server's own token and holds every organisation. It is the
    caller's where there is no other; where there are several, none of them ends it for the others.
    """
    if organisation is not None:
        return organisation
    touched = (resource_of_service(transaction, one.name) for one in transaction.services())
    others = {one.organisation for one in touched if one is not None} - {caller.organisation}
    return min(others, default=caller.organisation)


def _sees_what_holds(
    transaction: Transaction, access: Access, service: str | None, organisation: str | None
) -> bool:
    """
    Return whether the caller sees what holds *service*, or everything of *organisation*.

    What is of another organisation never; what is everybody's holds theirs too.
    """
    caller = access.caller
    if organisation not in (None, caller.organisation) and not caller.is_root:
        return False
    if service is not None:
        return sees_service(transaction, access, ServiceName(service))
    return access.may_read(Resource(organisation=caller.organisation))


# --- alarms ----------------------------------------------------------------------------------


def find_alarm(outside: Outside, caller: Caller, alarm_id: str) -> Alarm:
    """Return an alarm. Raises NotFoundError when there is none that *caller* may read."""
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        try:
            alarm: Alarm | None = transaction.alarm(AlarmId(alarm_id))
        except NotFoundError:
            alarm = None
        if alarm is None or not sees_alarm(transaction, access, alarm):
            raise NotFoundError(
                f"there is no alarm {alarm_id!r}",
                hint="`tidegate alarm list --all` lists what there is.",
            )
    return alarm


def sees_alarm(transaction: Transaction, access: Access, alarm: Alarm) -> bool:
    """
    Return whether *alarm* exists for the caller: by its service, where the server knows that.

    What names no service, or one that the server doesn't know, is seen in the organisation that said it.
    """
    caller = access.caller
    if not (alarm.reaches(caller.organisation) or caller.is_root):
        return False
    touched = None if alarm.service is None else resource_of_service(transaction, alarm.service)
    if touched is not None:
        return access.may_read(touched)
    own = alarm.organisation is not None
    return caller.is_root or (own and access.may_read(Resource(organisation=caller.organisation)))
