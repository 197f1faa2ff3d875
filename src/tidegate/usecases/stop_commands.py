"""Giving and lifting stop orders, as commands on the bus."""

from dataclasses import dataclass, replace
from typing import ClassVar

from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.stops.model import StopScope
from tidegate.usecases.access import access_in, access_of
from tidegate.usecases.bus import Command
from tidegate.usecases.outside import Outside
from tidegate.usecases.reading import readable_ids, sees_order, sees_rollout, whose
from tidegate.usecases.resources import resource_of_named
from tidegate.usecases.stops import (
    Given,
    Lifted,
    find_stop_order,
    give_stop_order,
    lift_stop_order,
    no_such_order,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveStopOrder(Command[Given]):
    """Stop every rise of a service, of a ring or of everything; with `withdraw` bring it all back."""

    permission: ClassVar[Permission] = Permission.HALT

    scope: StopScope
    name: str
    withdraw: bool
    reason: str

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the service, or for anything wider the whole organisation."""
        return resource_of_named(outside, caller, _service_of(self.scope, self.name))

    async def carry_out(self, outside: Outside, caller: Caller) -> Given:
        """Put it in force, then tell what it covers as far as the caller may know of that."""
        given = await give_stop_order(
            outside,
            caller,
            scope=self.scope,
            name=self.name,
            withdraw=self.withdraw,
            reason=self.reason,
        )
        access = access_of(outside, caller)
        return replace(
            given,
            covered=readable_ids(outside, caller, given.covered),
            suspects=tuple(one for one in given.suspects if sees_rollout(access, one)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftStopOrder(Command[Lifted]):
    """Say that a stop order may end; a wide one ends when a second person says so."""

    permission: ClassVar[Permission] = Permission.RESUME

    number: int
    reason: str

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """
        Return what the order covers. One for everybody's is of each organisation that it can stop.

        Raises:
            NotFoundError: there is no such order, as far as the caller may know.
        """
        with outside.store.begin(read_only=True) as transaction:
            order = find_stop_order(transaction, self.number)
            access = access_in(transaction, caller, outside.clock.now())
            if not sees_order(transaction, access, order):
                raise no_such_order(self.number)
            if order.scope is not StopScope.SERVICE:
                return Resource(organisation=whose(transaction, caller, order.organisation))
        return resource_of_named(outside, caller, order.name)

    async def carry_out(self, outside: Outside, caller: Caller) -> Lifted:
        """Record the word, and end the order when it was the last one needed."""
        lifted = await lift_stop_order(outside, caller, self.number, reason=self.reason)
        return replace(lifted, released=readable_ids(outside, caller, lifted.released))


def _service_of(scope: StopScope, name: str) -> str | None:
    return name if scope is StopScope.SERVICE else None
