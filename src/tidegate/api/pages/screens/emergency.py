"""
The page for when something is wrong: stop, put back, fix fast. In this order, and each without the others.

It needs nothing but the store: no metrics, no charts, no target is asked. Without the store it says what can
be done all the same. What it offers is only offered; the commands rule again.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from tidegate.api.access import URGENT
from tidegate.api.pages.allowed import Allowed, access_to_act, allowed_actions, is_theirs
from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.onlooker import Looks, Onlooker
from tidegate.api.pages.rendering import page
from tidegate.api.pages.screens.emergency_fix import FixArea, fix_area
from tidegate.api.pages.screens.emergency_orders import OrderCard, order_cards
from tidegate.api.shapes import rollout as shapes
from tidegate.api.showing.rollout import show_rollout
from tidegate.api.state import ServerState, World, server_of
from tidegate.api.words import exposure_words
from tidegate.domain.access.permissions import Permission
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.machine import State
from tidegate.domain.stops.model import StopScope
from tidegate.errors import StoreError
from tidegate.ports.store import Transaction
from tidegate.usecases.access import access_in
from tidegate.usecases.outside import Outside
from tidegate.usecases.recent_changes import (
    Affected,
    RecentChange,
    RecentChanges,
    recent_changes,
    recent_rollouts,
    what_suffers,
)
from tidegate.usecases.resources import resource_of_organisation, resource_of_service
from tidegate.usecases.stop_preview import Stoppable, stoppable, would_stop

MOST_SHOWN: Final = 20
"""Rollouts that are listed of what would stop, and changes to put back: the page stays small."""

ONLY_LOOKS: Final = "this browser only looks: tidegate server page --as NAME, or log in"

EVERYTHING: Final = StopScope.EVERYTHING.value

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What somebody chose to stop, as the address says it."""

    scope: StopScope
    name: str
    withdraw: bool

    @property
    def what(self) -> str:
        """What it is, in words."""
        return EVERYTHING if self.scope is StopScope.EVERYTHING else f"{self.scope} {self.name}"

    @property
    def option(self) -> str:
        """How the command line is told."""
        return "all" if self.scope is StopScope.EVERYTHING else self.scope.value

    @property
    def is_complete(self) -> bool:
        """Whether it names what it stops."""
        return self.scope is StopScope.EVERYTHING or bool(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A service or ring to choose, with how many rollouts an order for it would stop."""

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StopArea:
    """
    What an order would stop now, and the orders in force.

    `standing` is how many of the `count` that it covers stand still already.
    """

    choice: Choice
    services: Sequence[Named]
    rings: Sequence[Named]
    everything: int
    covered: Sequence[shapes.Rollout]
    count: int
    standing: int
    why_not: str
    orders: Sequence[OrderCard]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCard:
    """One change that may have to be put back, and whether whoever looks can."""

    change: RecentChange
    rollout: shapes.Rollout
    met_by: str
    rollback: Allowed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBackArea:
    """What changed lately, the most suspicious first."""

    affected: Sequence[Affected]
    cards: Sequence[ChangeCard]
    more: int
    others: int
    shows_all: bool


@router.get("/emergency", openapi_extra={URGENT: True})
def emergency(
    request: Request,
    outside: World,
    onlooker: Looks,
    scope: str = "",
    service: str = "",
    ring: str = "",
    withdraw: str = "",
    changes: str = "",
) -> Response:
    """Show what can be stopped, what can be put back, and what goes faster than its plan."""
    choice = _choice(scope, service, ring, is_withdrawn=withdraw == "yes")
    try:
        stop, put_back, fix = _seen(
            server_of(request), onlooker, choice, shows_all=changes == "all"
        )
    except StoreError as exc:
        return page(
            request,
            "screens/emergency.html",
            status=exc.http_status,
            error=exc,
            choice=choice,
            stop=None,
            put_back=None,
            fix=None,
            declare_why_not="",
        )
    return page(
        request,
        "screens/emergency.html",
        error=None,
        choice=choice,
        stop=stop,
        put_back=put_back,
        fix=fix,
        declare_why_not=_declare_why_not(onlooker, fix),
    )


def _declare_why_not(onlooker: Onlooker, fix: FixArea) -> str:
    """Return why whoever looks can declare nothing, "" when they can."""
    if onlooker.actor is None:
        return ONLY_LOOKS
    return "" if fix.services else f"there is no service that {onlooker.actor.name} may do it for"


def _choice(scope: str, service: str, ring: str, *, is_withdrawn: bool) -> Choice:
    """Return what the address says; a service or ring alone chooses its scope, nothing chooses all."""
    if scope not in {one.value for one in StopScope}:
        scope = "service" if service else "ring" if ring else EVERYTHING
    chosen = StopScope(scope)
    name = {StopScope.SERVICE: service, StopScope.RING: ring}.get(chosen, "")
    return Choice(scope=chosen, name=name, withdraw=is_withdrawn)


def _seen(
    server: ServerState, onlooker: Onlooker, choice: Choice, *, shows_all: bool
) -> tuple[StopArea, PutBackArea, FixArea]:
    outside = server.outside
    now = outside.clock.now()
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, onlooker.caller, now)
        rollouts = recent_rollouts(transaction, access)
        can = stoppable(transaction, access, rollouts)
        suffering = what_suffers(transaction, access, rollouts)
        stop = _stop_area(transaction, outside, onlooker, choice, can)
        fix = fix_area(transaction, onlooker, now, outside.identity_mode)
    affected = () if shows_all else _affected(choice, suffering)
    recent = recent_changes(rollouts, affected, now=now)
    return stop, _put_back_area(server, onlooker, recent, shows_all=shows_all), fix


def _affected(choice: Choice, suffering: Sequence[Affected]) -> Sequence[Affected]:
    if choice.scope is not StopScope.SERVICE or not choice.name:
        return suffering
    name = ServiceName(choice.name)
    known = [one for one in suffering if one.service == name]
    return known or [Affected(service=name, because="chosen above")]


def _stop_area(
    transaction: Transaction,
    outside: Outside,
    onlooker: Onlooker,
    choice: Choice,
    can: Stoppable,
) -> StopArea:
    now = outside.clock.now()
    giver = onlooker.actor or onlooker.caller
    covered = would_stop(can.rollouts, giver, choice.scope, choice.name, now=now)
    by_service = Counter(str(one.service) for one in can.rollouts)
    rings = [
        Named(name=ring, count=len(would_stop(can.rollouts, giver, StopScope.RING, ring, now=now)))
        for ring in can.rings
    ]
    services = [Named(name=one, count=by_service[one]) for one in can.services]
    return StopArea(
        choice=choice,
        services=sorted(services, key=lambda one: (-one.count, one.name)),
        rings=rings,
        everything=len(would_stop(can.rollouts, giver, StopScope.EVERYTHING, "", now=now)),
        covered=[show_rollout(one, now=now) for one in covered[:MOST_SHOWN]],
        count=len(covered),
        standing=sum(one.state in (State.HALTED, State.HELD) for one in covered),
        why_not=_why_not(transaction, outside, onlooker, choice, can),
        orders=order_cards(transaction, onlooker, now),
    )


def _why_not(
    transaction: Transaction,
    outside: Outside,
    onlooker: Onlooker,
    choice: Choice,
    can: Stoppable,
) -> str:
    """Return why whoever looks can't give this order, "" when they can."""
    if not choice.is_complete:
        return f"choose which {choice.scope}"
    if onlooker.actor is None:
        return ONLY_LOOKS
    where = resource_of_organisation(onlooker.actor)
    if choice.scope is StopScope.SERVICE:
        if choice.name not in can.services:
            return f"there is no service {choice.name[:64]}"
        where = resource_of_service(transaction, ServiceName(choice.name)) or where
    access = access_to_act(transaction, onlooker, outside.clock.now())
    if not is_theirs(access, Permission.HALT, where):
        return f"{onlooker.actor.name} isn't granted to stop {choice.what}"
    return ""


def _why_not_back(change: RecentChange) -> str:
    """Return why *change* can't be rolled back by itself, "" when it can."""
    if change.rollout.is_install and not change.rollout.is_return:
        return "it was the first: there is nothing to go back to"
    return ""


def _put_back_area(
    server: ServerState, onlooker: Onlooker, recent: RecentChanges, *, shows_all: bool
) -> PutBackArea:
    now = server.outside.clock.now()
    cards = []
    for change in recent.suspected[:MOST_SHOWN]:
        offered = allowed_actions(server, onlooker, change.rollout)
        rollback = next((one for one in offered if one.name == "rollback"), None)
        if rollback is not None and not rollback.why_not:
            rollback = Allowed(name="rollback", why_not=_why_not_back(change))
        cards.append(
            ChangeCard(
                change=change,
                rollout=show_rollout(change.rollout, now=now),
                met_by=exposure_words(internal=False, bps=change.exposed_bps)
                if change.is_exposed
                else "nobody any more",
                rollback=rollback,
            )
        )
    return PutBackArea(
        affected=recent.affected,
        cards=cards,
        more=len(recent.suspected) - len(cards),
        others=recent.others,
        shows_all=shows_all,
    )
