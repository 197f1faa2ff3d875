"""Stop orders and freezes as cards: who gave them, why, until when, and who has to end them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.api.pages.allowed import access_to_act, is_theirs
from tidegate.api.pages.onlooker import Onlooker
from tidegate.api.shapes.freezes import Freeze as FreezeShape
from tidegate.api.shapes.stops import StopOrder as OrderShape
from tidegate.api.showing.freezes import show_freeze
from tidegate.api.showing.stops import show_order
from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.calendar.freezes import Freeze, FreezeScope, covered
from tidegate.domain.quantities import ServiceName
from tidegate.domain.stops.model import StopOrder, StopScope
from tidegate.ports.store import Transaction
from tidegate.usecases.access import Access, access_in
from tidegate.usecases.freezes import FREEZES
from tidegate.usecases.policies import person_behind, policy_in_force
from tidegate.usecases.reading import sees_freeze, sees_order, whose
from tidegate.usecases.resources import resource_of_service
from tidegate.usecases.shelves import STOP_ORDERS


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCard:
    """A stop order. `may_lift` is whether lifting it is theirs to say; `why_not` why not now."""

    order: OrderShape
    what: str
    may_lift: bool
    why_not: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeCard:
    """A freeze. `may_lift` is whether lifting it is theirs."""

    freeze: FreezeShape
    what: str
    may_lift: bool


def order_cards(
    transaction: Transaction, onlooker: Onlooker, now: datetime, *, latest: int | None = None
) -> Sequence[OrderCard]:
    """Return the stop orders in force that *onlooker* may see; with *latest* so many, lifted ones, too."""
    access = access_in(transaction, onlooker.caller, now)
    acting = access_to_act(transaction, onlooker, now)
    every = (
        STOP_ORDERS.open(transaction)
        if latest is None
        else STOP_ORDERS.latest(transaction, limit=latest)
    )
    return [
        _order_card(transaction, onlooker, acting, one)
        for one in every
        if sees_order(transaction, access, one)
    ]


def freeze_cards(
    transaction: Transaction, onlooker: Onlooker, now: datetime, *, latest: int | None = None
) -> Sequence[FreezeCard]:
    """Return the freezes ahead and in force that *onlooker* may see; with *latest* also those over."""
    access = access_in(transaction, onlooker.caller, now)
    acting = access_to_act(transaction, onlooker, now)
    every = (
        [one for one in FREEZES.open(transaction) if now < one.until]
        if latest is None
        else FREEZES.latest(transaction, limit=latest)
    )
    return [
        _freeze_card(transaction, onlooker, acting, one, now)
        for one in every
        if sees_freeze(transaction, access, one)
    ]


def _order_card(
    transaction: Transaction, onlooker: Onlooker, acting: Access | None, order: StopOrder
) -> OrderCard:
    service = order.name if order.scope is StopScope.SERVICE else None
    where = _where(transaction, onlooker, service, order.organisation)
    may_lift = where is not None and is_theirs(acting, Permission.RESUME, where)
    return OrderCard(
        order=show_order(order),
        what="everything" if order.scope is StopScope.EVERYTHING else f"{order.scope} {order.name}",
        may_lift=order.is_in_force and may_lift,
        why_not=_said_already(transaction, onlooker.actor, order) if may_lift else "",
    )


def _freeze_card(
    transaction: Transaction,
    onlooker: Onlooker,
    acting: Access | None,
    freeze: Freeze,
    now: datetime,
) -> FreezeCard:
    service = freeze.name if freeze.scope is FreezeScope.SERVICE else None
    where = _where(transaction, onlooker, service, freeze.organisation)
    is_over = freeze.is_lifted or freeze.until <= now
    return FreezeCard(
        freeze=show_freeze(freeze, now=now),
        what=covered(freeze),
        may_lift=where is not None and not is_over and is_theirs(acting, Permission.FREEZE, where),
    )


def _where(
    transaction: Transaction, onlooker: Onlooker, service: str | None, organisation: str | None
) -> Resource | None:
    """Return what ending something that holds *service*, or everything, touches; None for nobody's."""
    actor = onlooker.actor
    if actor is None:
        return None
    if service is None:
        return Resource(organisation=whose(transaction, actor, organisation))
    known = resource_of_service(transaction, ServiceName(service))
    return known or Resource(organisation=actor.organisation, service=service)


def _said_already(transaction: Transaction, actor: Caller | None, order: StopOrder) -> str:
    """Return why *actor*'s word isn't the one that is missing, "" when it can be."""
    if actor is None:
        return ""
    policy = policy_in_force(transaction, actor.organisation)
    person = person_behind(policy, actor)
    if person is None:
        return f"no person stands behind {actor.name}, and only persons lift a stop order"
    said = {policy.person_of(one.person) or one.person for one in order.lifts}
    return f"{person} said so already: somebody else has to" if person in said else ""
