"""
What waits for somebody's yes: the inbox. What is due first, and of that what lapses first.

Each card says what it would take to judge it: what changes, by which rule, what the phase before has shown,
whom the next one meets, what was said so far. Whether somebody may is asked of the domain, and by the command
again.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from tidegate.api.pages.allowed import access_to_act, is_theirs
from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.onlooker import Looks, Onlooker
from tidegate.api.pages.rendering import page
from tidegate.api.shapes.approvals import Awaited as AwaitedShape
from tidegate.api.shapes.evidence import Evidence
from tidegate.api.showing.approvals import show_awaited
from tidegate.api.showing.look import Look, show_meter
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.domain.calendar.seen import CalendarSeen
from tidegate.ports.store import Transaction
from tidegate.usecases.access import Access
from tidegate.usecases.awaited import Awaited, awaited_approvals
from tidegate.usecases.blast_radius import foreseen_phase
from tidegate.usecases.calendar import calendar_seen
from tidegate.usecases.forecast import PhaseForecast
from tidegate.usecases.identical import what_is_agreed_to
from tidegate.usecases.policies import person_behind, policy_in_force
from tidegate.usecases.resources import resource_of_rollout

MOST_SHOWN: Final = 50

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which approvals are looked at, as the address says it."""

    mine: bool
    all: bool
    service: str
    environment: str

    def takes(self, one: AwaitedShape) -> bool:
        """Return whether *one* is among them."""
        return (
            (one.is_due or self.all)
            and (one.you_may or not self.mine)
            and self.service in ("", one.service)
            and (not self.environment or self.environment in one.environments)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """
    What is on record about one phase that has to be agreed to, beside what it asks for.

    `foreseen` is None where no traffic is known. `may` is whether approving is granted to whoever looks,
    `why_not` why they can't all the same. `own_word` is what they said themselves, if anything.
    """

    foreseen: PhaseForecast | None
    way_back_seconds: float | None
    calendar: CalendarSeen
    may: bool
    why_not: str
    own_word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One phase that has to be agreed to. `evidence` is of what has baked so far."""

    asked: AwaitedShape
    evidence: Evidence
    known: Known

    @property
    def can(self) -> bool:
        """Whether whoever looks can approve it now."""
        return self.known.may and not self.known.why_not


@dataclass(frozen=True, slots=True, kw_only=True)
class Identical:
    """Cards that ask for a yes to the very same thing, and that whoever looks can give to all."""

    asked: Sequence[AwaitedShape]

    @property
    def first(self) -> AwaitedShape:
        """One of them, for what they have in common."""
        return self.asked[0]


@router.get("/approvals")
def approvals(
    request: Request,
    outside: World,
    onlooker: Looks,
    mine: str = "",
    all: str = "",
    service: str = "",
    environment: str = "",
) -> Response:
    """Show what waits for a yes, as far as whoever looks may see it."""
    chosen = Filter(mine=mine == "yes", all=all == "yes", service=service, environment=environment)
    now = outside.clock.now()
    asks = onlooker.actor or onlooker.caller
    with outside.store.begin(read_only=True) as transaction:
        waiting = awaited_approvals(transaction, asks, now)
        every = [(one, show_awaited(one)) for one in waiting]
        found = [(one, shown) for one, shown in every if chosen.takes(shown)]
        acting = access_to_act(transaction, onlooker, now)
        looks = [
            Look(rollout=one.rollout, stored=transaction.evidence(one.rollout.id))
            for one, _ in found[:MOST_SHOWN]
        ]
        known = [_known(transaction, onlooker, acting, one, now) for one, _ in found[:MOST_SHOWN]]
    cards = [
        Card(asked=shown, evidence=show_meter(outside, look, None, None), known=what)
        for (_, shown), look, what in zip(found, looks, known, strict=False)
    ]
    shown_all = [shown for _, shown in every]
    return page(
        request,
        "screens/approvals.html",
        chosen=chosen,
        cards=cards,
        more=len(found) - len(cards),
        identical=_identical([one for one, _ in found], cards),
        due=sum(one.is_due for one in shown_all),
        for_me=sum(one.is_due and one.you_may for one in shown_all),
        ahead=sum(not one.is_due for one in shown_all),
        services=sorted({one.service for one in shown_all}),
        environments=sorted({name for one in shown_all for name in one.environments}),
    )


def _known(
    transaction: Transaction,
    onlooker: Onlooker,
    acting: Access | None,
    one: Awaited,
    now: datetime,
) -> Known:
    rollout = one.rollout
    taken = rollout.way_back_took
    may = is_theirs(acting, Permission.APPROVE, resource_of_rollout(rollout))
    return Known(
        foreseen=foreseen_phase(transaction, rollout, one.phase_index, now),
        way_back_seconds=None if taken is None else taken.total_seconds(),
        calendar=calendar_seen(transaction, rollout, now),
        may=may,
        why_not=one.why_not,
        own_word=_own_word(transaction, onlooker, one) if may else "",
    )


def _own_word(transaction: Transaction, onlooker: Onlooker, one: Awaited) -> str:
    """Return what whoever looks said of it: approved, rejected, or "" for nothing."""
    if onlooker.actor is None:
        return ""
    policy = policy_in_force(transaction, one.rollout.organisation)
    person = person_behind(policy, onlooker.actor)
    own = [word.approval for word in one.words if word.approval.person == person]
    if person is None or not own:
        return ""
    return "approved" if own[-1].is_yes else "rejected"


def _identical(found: Sequence[Awaited], cards: Sequence[Card]) -> Sequence[Identical]:
    """Return the groups of *cards* that ask the same, each of at least two that can be approved."""
    keys = [what_is_agreed_to(one.rollout, one.phase_index) for one in found[: len(cards)]]
    can = [(key, card.asked) for key, card in zip(keys, cards, strict=True) if card.can]
    counted = Counter(key for key, _ in can)
    return [
        Identical(asked=[asked for other, asked in can if other == key])
        for key, count in counted.items()
        if count > 1
    ]
