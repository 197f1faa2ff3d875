"""Announcing and lifting freezes, as commands on the bus."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.calendar.freezes import FreezeScope
from tidegate.usecases.access import access_in
from tidegate.usecases.bus import Command
from tidegate.usecases.freezes import (
    FreezeAdded,
    FreezeLifted,
    add_freeze,
    find_freeze,
    lift_freeze,
    no_such_freeze,
)
from tidegate.usecases.outside import Outside
from tidegate.usecases.reading import readable_ids, sees_freeze, whose
from tidegate.usecases.resources import resource_of_named


@dataclass(frozen=True, slots=True, kw_only=True)
class AddFreeze(Command[FreezeAdded]):
    """Let nothing that it covers rise in a time to come."""

    permission: ClassVar[Permission] = Permission.FREEZE

    scope: FreezeScope
    name: str
    since: datetime | None
    until: datetime
    reason: str
    allows_exceptions: bool | None = None

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the service, or for anything wider the whole organisation."""
        return resource_of_named(outside, caller, _service_of(self.scope, self.name))

    async def carry_out(self, outside: Outside, caller: Caller) -> FreezeAdded:
        """Put it on record, then have what it covers looked at."""
        added = await add_freeze(
            outside,
            caller,
            scope=self.scope,
            name=self.name,
            since=self.since,
            until=self.until,
            reason=self.reason,
            allows_exceptions=self.allows_exceptions,
        )
        return replace(added, waiting=readable_ids(outside, caller, added.waiting))


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftFreeze(Command[FreezeLifted]):
    """End a freeze before its time."""

    permission: ClassVar[Permission] = Permission.FREEZE

    number: int
    reason: str

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """
        Return what the freeze covers. One for everybody is of each organisation that it can close.

        Raises:
            NotFoundError: there is no such freeze, as far as the caller may know.
        """
        with outside.store.begin(read_only=True) as transaction:
            freeze = find_freeze(transaction, self.number)
            access = access_in(transaction, caller, outside.clock.now())
            if not sees_freeze(transaction, access, freeze):
                raise no_such_freeze(self.number)
            if freeze.scope is not FreezeScope.SERVICE:
                return Resource(organisation=whose(transaction, caller, freeze.organisation))
        return resource_of_named(outside, caller, freeze.name)

    async def carry_out(self, outside: Outside, caller: Caller) -> FreezeLifted:
        """End it, then have what it covered looked at."""
        lifted = await lift_freeze(outside, caller, self.number, reason=self.reason)
        return replace(lifted, released=readable_ids(outside, caller, lifted.released))


def _service_of(scope: FreezeScope, name: str) -> str | None:
    return name if scope is FreezeScope.SERVICE else None
