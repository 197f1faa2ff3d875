"""
A stop order: exposure of all that it covers stays or falls, until it is lifted.

It is a level and not an event, as an alarm is: it is an input of every decision, and checked again
right before each move up, so that it also stops what was decided before it was given.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidegate.domain.quantities import RolloutId, ServiceName, TargetName


class StopScope(StrEnum):
    """How much a stop order covers."""

    SERVICE = "service"
    RING = "ring"
    """Every target of that ring, of every service."""
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """One person's word that a stop order may be lifted."""

    by: str
    person: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopOrder:
    """
    One order. `name` is the service or ring that it names, empty for everything.

    `withdraw` also brings every covered rollout back to nobody. `organisation` limits it to one
    tenant; None covers all. `lifts` are the words of people that it may end; a wide one needs two
    persons.
    """

    number: int
    scope: StopScope
    name: str
    withdraw: bool
    reason: str
    by: str
    at: datetime
    organisation: str | None = None
    lifts: tuple[Lift, ...] = ()
    lifted_at: datetime | None = None

    @property
    def is_in_force(self) -> bool:
        """Whether it still stops anything."""
        return self.lifted_at is None

    @property
    def lifts_needed(self) -> int:
        """How many persons must say that it may be lifted."""
        return 1 if self.scope is StopScope.SERVICE else 2


def covers(order: StopOrder, service: ServiceName, target: TargetName, ring: str) -> bool:
    """Return whether *order* stops rises of *service* on *target*, which belongs to *ring*."""
    match order.scope:
        case StopScope.SERVICE:
            return order.name == service
        case StopScope.RING:
            return order.name == ring
        case StopScope.EVERYTHING:
            return True


def describe(order: StopOrder) -> str:
    """Return *order* in a few words."""
    what = "everything" if order.scope is StopScope.EVERYTHING else f"{order.scope} {order.name}"
    return f"stop order {order.number} for {what} by {order.by}: {order.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """Why a rollout can't begin yet: another one has its target. Part of the observation."""

    behind: RolloutId
    because: str
