"""One rollout: where it is, what was proven, what was decided, what lies ahead, and what can be done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tidegate.api.pages import drawing, rollout_words
from tidegate.api.pages.allowed import Allowed, allowed_actions
from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.onlooker import Looks, Onlooker
from tidegate.api.pages.rendering import page
from tidegate.api.shapes.approvals import Awaited
from tidegate.api.shapes.emergencies import Debt
from tidegate.api.shapes.freezes import Freeze
from tidegate.api.shapes.gates import Gate
from tidegate.api.shapes.ledger import Entry
from tidegate.api.shapes.stops import StopOrder
from tidegate.api.showing.approvals import show_awaited
from tidegate.api.showing.emergencies import show_debt
from tidegate.api.showing.freezes import show_freeze
from tidegate.api.showing.gates import show_gates
from tidegate.api.showing.ledger import show_entry
from tidegate.api.showing.look import Look, look_at, show_meter, show_now
from tidegate.api.showing.stops import show_order
from tidegate.api.state import ServerState, World, server_of
from tidegate.domain.health.meter import Meter
from tidegate.domain.quantities import Arm, RolloutId
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import NotFoundError, TidegateError
from tidegate.ports.store import LedgerQuery, Transaction
from tidegate.usecases.access import Access, access_in
from tidegate.usecases.ahead import Ahead, look_ahead
from tidegate.usecases.approve import approved_phase
from tidegate.usecases.audience import people_met
from tidegate.usecases.awaited import awaited
from tidegate.usecases.beside import Beside, happened_beside
from tidegate.usecases.debts import blocking_debts
from tidegate.usecases.emergency_records import debts_of, find_emergency
from tidegate.usecases.freezes import freezes_over, places_of
from tidegate.usecases.meter import read_meter
from tidegate.usecases.outside import Outside
from tidegate.usecases.postmortem_records import is_worth_a_postmortem
from tidegate.usecases.queue import queued_behind, targets_of
from tidegate.usecases.reading import find_rollout, sees_freeze, sees_order, sees_rollout
from tidegate.usecases.stops import stop_orders_for

MOST_DECISIONS: Final = 30
"""How many decisions the page shows; the ledger has the others."""

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A rollout in the queue: its place, counted from 1, and who has its targets or goes first."""

    place: int
    because: str
    holders: tuple[RolloutId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is on record around a rollout, as far as the onlooker may read it."""

    orders: tuple[StopOrder, ...]
    freezes: tuple[Freeze, ...]
    approval: Awaited | None
    queued: Queued | None
    debts: tuple[Debt, ...]
    beside: Beside
    entries: tuple[Entry, ...]
    has_older: bool


@router.get("/rollouts/{rollout}")
async def one_rollout(rollout: str, request: Request, outside: World, onlooker: Looks) -> Response:
    """Show one rollout."""
    look = look_at(outside, find_rollout(outside, onlooker.caller, rollout))
    people = await people_met(outside, look.rollout)
    shown = await show_now(outside, look)
    values = await run_in_threadpool(_values, server_of(request), onlooker, look, people)
    return page(
        request,
        "screens/rollout.html",
        rollout=shown,
        say=rollout_words,
        drawing=drawing,
        **values,
    )


_BEFORE_THE_FIRST: Final = timedelta(microseconds=1)
"""Points are asked for from later than an instant on: the first one of the phase is wanted too."""


def _values(
    server: ServerState, onlooker: Onlooker, look: Look, people: Mapping[Arm, int] | None
) -> dict[str, Any]:
    outside, rollout = server.outside, look.rollout
    # Read once for all that shows it: it is the dearest part of the page.
    meter = read_meter(outside, rollout, look.evidence, look.stored)
    since = rollout.phase_since - _BEFORE_THE_FIRST
    evidence = show_meter(outside, look, people, since, meter)
    allowed: tuple[Allowed, ...] = allowed_actions(server, onlooker, rollout)
    gates: list[Gate] = show_gates(outside, rollout).gates
    ahead, why_not_ahead = _ahead(outside, look, meter)
    return {
        "evidence": evidence,
        "allowed": allowed,
        "gates": gates,
        "ahead": ahead,
        "why_not_ahead": why_not_ahead,
        "around": _around(outside, onlooker, rollout),
        "courses": drawing.courses(evidence),
        "quarantine": rollout.plan.quarantine,
        "old_version_until": _old_version_until(rollout),
        "looks_back": is_worth_a_postmortem(rollout),
    }


def _ahead(outside: Outside, look: Look, meter: Meter) -> tuple[Ahead | None, str]:
    """Return what lies ahead, None with the reason where that can't be said: it is only a forecast."""
    try:
        return look_ahead(outside, look.rollout, look.evidence, meter), ""
    except TidegateError as exc:
        return None, exc.message


def _old_version_until(rollout: Rollout) -> datetime | None:
    """Return until when the old version stays warm after the end, None before the end and after that."""
    if rollout.state is not State.COMPLETED or rollout.settled or rollout.finished_at is None:
        return None
    return rollout.finished_at + rollout.plan.quarantine


def _around(outside: Outside, onlooker: Onlooker, rollout: Rollout) -> Around:
    now = outside.clock.now()
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, onlooker.caller, now)
        orders = [
            show_order(one)
            for one in stop_orders_for(transaction, rollout)
            if sees_order(transaction, access, one)
        ]
        places = places_of(rollout)
        freezes = [
            show_freeze(one, now=now)
            for one in freezes_over(transaction, places, organisation=rollout.organisation, now=now)
            if sees_freeze(transaction, access, one)
        ]
        found = transaction.search_ledger(
            LedgerQuery(rollout_id=rollout.id), limit=MOST_DECISIONS + 1
        )
        return Around(
            orders=() if rollout.is_final else tuple(orders),
            freezes=() if rollout.is_final else tuple(freezes),
            approval=_approval(transaction, onlooker, rollout, outside),
            queued=_queued(transaction, access, rollout, outside),
            debts=_debts(transaction, rollout, outside),
            beside=happened_beside(transaction, rollout, onlooker.caller, now),
            entries=tuple(show_entry(entry) for entry in found[:MOST_DECISIONS]),
            has_older=len(found) > MOST_DECISIONS,
        )


def _approval(
    transaction: Transaction, onlooker: Onlooker, rollout: Rollout, outside: Outside
) -> Awaited | None:
    phase_index = approved_phase(rollout)
    if phase_index is None or rollout.is_return or not rollout.plan.phases[phase_index].approvals:
        return None
    asker = onlooker.actor or onlooker.caller
    return show_awaited(awaited(transaction, rollout, phase_index, asker, outside.clock.now()))


def _queued(
    transaction: Transaction, access: Access, rollout: Rollout, outside: Outside
) -> Queued | None:
    if rollout.state is not State.PLANNED:
        return None
    behind = queued_behind(transaction, rollout, outside.clock.now())
    targets = set(targets_of(rollout))
    before = [one.id for one in transaction.queued(rollout.service)]
    place = before.index(rollout.id) if rollout.id in before else 0
    holders = transaction.holders(rollout.service, tuple(targets))
    return Queued(
        place=place + 1,
        because="its turn has come" if behind is None else behind.because,
        holders=tuple(one for one in holders if sees_rollout(access, transaction.rollout(one))),
    )


def _debts(transaction: Transaction, rollout: Rollout, outside: Outside) -> tuple[Debt, ...]:
    """Return the debts of the emergency that it is under, else those that keep it from rising."""
    now = outside.clock.now()
    if rollout.emergency_id is None:
        debts = () if rollout.is_final else blocking_debts(transaction, rollout, now)
    else:
        try:
            debts = debts_of(transaction, find_emergency(transaction, rollout.emergency_id))
        except NotFoundError:
            debts = ()
    return tuple(show_debt(one, now=now) for one in debts)
