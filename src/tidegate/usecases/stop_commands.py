"""Giving and lifting stop orders, as commands on the bus."""

from dataclasses import dataclass
from typing import ClassVar

from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.stops.model import StopScope
from tidegate.usecases.bus import Command
from tidegate.usecases.outside import Outside
from tidegate.usecases.resources import resource_of_named
from tidegate.usecases.stops import (
    Given,
    Lifted,
    find_stop_order,
    give_stop_order,
    lift_stop_order,
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
        """Put it in force, then tell what it covers."""
        return await give_stop_order(
            outside,
            caller,
            scope=self.scope,
            name=self.name,
            withdraw=self.withdraw,
            reason=self.reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftStopOrder(Command[Lifted]):
    """Say that a stop order may end; a wide one ends when a second person says so."""

    permission: ClassVar[Permission] = Permission.RESUME

    number: int
    reason: str

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return what the order covers."""
        with outside.store.begin(read_only=True) as transaction:
            order = find_stop_order(transaction, self.number)
        return resource_of_named(outside, caller, _service_of(order.scope, order.name))

    async def carry_out(self, outside: Outside, caller: Caller) -> Lifted:
        """Record the word, and end the order when it was the last one needed."""
        return await lift_stop_order(outside, caller, self.number, reason=self.reason)


def _service_of(scope: StopScope, name: str) -> str | None:
    return name if scope is StopScope.SERVICE else None
