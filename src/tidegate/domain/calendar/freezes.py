"""
A freeze: a time in which exposure of all that it covers doesn't rise.

It is announced ahead and ends by itself, as over holidays or a sale; what must stop now and until somebody
says so is a stop order. What is exposed stays exposed and goes on baking, and everything may fall.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidegate.domain.calendar.openings import Closed, Closer
from tidegate.domain.quantities import Environment, ServiceName, TargetName


class FreezeScope(StrEnum):
    """How much a freeze covers."""

    SERVICE = "service"
    RING = "ring"
    """Every target of that ring, of every service."""
    ENVIRONMENT = "environment"
    """Every target of that environment, of every service."""
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One target of a service whose exposure would rise."""

    service: ServiceName
    target: TargetName
    ring: str
    environment: Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """
    One freeze, from `since` until before `until`.

    `name` is the service, ring or environment that it names, empty for everything. `organisation`
    limits it to one tenant; None covers all. `allows_exceptions` is whether a budgeted exception can
    let a rollout through. `lifted_at` is when somebody ended it early.
    """

    number: int
    scope: FreezeScope
    name: str
    since: datetime
    until: datetime
    reason: str
    by: str
    at: datetime
    allows_exceptions: bool
    organisation: str | None = None
    lifted_at: datetime | None = None
    lifted_by: str = ""
    lift_reason: str = ""

    def __post_init__(self) -> None:
        """Refuse a freeze that ends before it begins."""
        assert self.since < self.until, f"a freeze ends after it begins: {self.since}..{self.until}"

    @property
    def is_lifted(self) -> bool:
        """Whether somebody ended it."""
        return self.lifted_at is not None

    def is_in_force(self, at: datetime) -> bool:
        """Return whether it closes anything at *at*."""
        return not self.is_lifted and self.since <= at < self.until


def covers(freeze: Freeze, place: Place) -> bool:
    """Return whether *freeze* closes *place*, whose organisation was looked at already."""
    match freeze.scope:
        case FreezeScope.SERVICE:
            return freeze.name == place.service
        case FreezeScope.RING:
            return freeze.name == place.ring
        case FreezeScope.ENVIRONMENT:
            return freeze.name == place.environment.value
        case FreezeScope.EVERYTHING:
            return True


def covering(
    freezes: Iterable[Freeze], places: Iterable[Place], *, organisation: str
) -> tuple[Freeze, ...]:
    """Return those of *freezes* that close any of *places* of *organisation* at some time."""
    known = tuple(places)
    return tuple(
        freeze
        for freeze in freezes
        if freeze.organisation in (None, organisation)
        and any(covers(freeze, place) for place in known)
    )


def closer(freeze: Freeze) -> Closer:
    """Return *freeze* as something that closes the calendar."""

    def closed(at: datetime) -> Closed | None:
        if not freeze.is_in_force(at):
            return None
        return Closed(because=describe(freeze), until=freeze.until)

    return closed


def describe(freeze: Freeze) -> str:
    """Return *freeze* in a few words."""
    return f"freeze {freeze.number} of {covered(freeze)} by {freeze.by}: {freeze.reason}"


def covered(freeze: Freeze) -> str:
    """Return what *freeze* covers, in words."""
    if freeze.scope is FreezeScope.EVERYTHING:
        return "everything"
    return f"{freeze.scope.value} {freeze.name}"
