"""
What of the fleet needs a person, the most pressing first: why, since when, and what it is about. Pure.

Only what goes on no further, or goes wrong, unless somebody acts. A wait that ends by itself isn't here,
however long it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from tidegate.domain.durations import rough_duration
from tidegate.domain.emergency.model import Debt
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode, Rollout, WhoCanAct
from tidegate.domain.stops.model import StopOrder, describe
from tidegate.usecases.fleet import Fleet, is_due_for_approval
from tidegate.usecases.queue import targets_of


class NeedKind(IntEnum):
    """What somebody has to do something about, the most pressing first."""

    HALTED = 1
    UNDECIDED = 2
    """A bake that ended without a verdict."""
    APPROVAL = 3
    HELD = 4
    """Held by what it sees: it goes on when the cause ends, which somebody has to look for."""
    STOP_ORDER = 5
    DEBT = 6
    BLOCKED = 7
    """It waits for something that an operator can end."""
    QUEUE = 8
    """It waits behind a rollout that itself needs a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """
    One thing that needs a person. One of `rollout`, `order` and `debt` is what it is about.

    `until` is when something else happens if nobody acts (a halt, a lapse), None for never.
    """

    kind: NeedKind
    service: ServiceName | None
    why: str
    since: datetime
    until: datetime | None = None
    rollout: Rollout | None = None
    order: StopOrder | None = None
    debt: Debt | None = None


def needs_of(fleet: Fleet) -> tuple[Need, ...]:
    """Return what needs a person, the most pressing kind first and the oldest first within it."""
    found = [*_of_rollouts(fleet), *_of_orders(fleet), *_of_debts(fleet)]
    return tuple(sorted(found, key=lambda need: (need.kind, need.since, need.service or "")))


def _of_rollouts(fleet: Fleet) -> Iterator[Need]:
    for rollout in fleet.rollouts:
        kind = _kind_of(rollout)
        if kind is not None:
            waits = rollout.waiting_on
            is_halted = kind is NeedKind.HALTED and rollout.halt is not None
            yield Need(
                kind=kind,
                service=rollout.service,
                why=rollout.halt.because if is_halted and rollout.halt else waits.detail,
                since=rollout.state_since,
                until=waits.until,
                rollout=rollout,
            )
        elif rollout.waiting_on.reason is ReasonCode.QUEUE and rollout.state is State.PLANNED:
            yield from _stuck(fleet, rollout)


def _kind_of(rollout: Rollout) -> NeedKind | None:
    waits = rollout.waiting_on
    if rollout.is_final:
        return None
    if rollout.state is State.HALTED:
        return NeedKind.HALTED
    if waits.reason is ReasonCode.INCONCLUSIVE:
        return NeedKind.UNDECIDED
    if is_due_for_approval(rollout):
        return NeedKind.APPROVAL
    if waits.reason in (ReasonCode.STOP_ORDER, ReasonCode.DEBT):
        # The order or the debt is what needs somebody; it is told of once.
        return None
    if rollout.state is State.HELD:
        return NeedKind.HELD
    return NeedKind.BLOCKED if waits.who_can_act is not WhoCanAct.NOBODY else None


def _stuck(fleet: Fleet, queued: Rollout) -> Iterator[Need]:
    targets = set(targets_of(queued))
    for holder in fleet.rollouts:
        if holder.service != queued.service or holder.state not in (State.HALTED, State.HELD):
            continue
        if targets & set(targets_of(holder)):
            yield Need(
                kind=NeedKind.QUEUE,
                service=queued.service,
                why=f"waits behind rollout {holder.id}, which is {holder.state.value}",
                since=queued.state_since,
                rollout=queued,
            )
            return


def _of_orders(fleet: Fleet) -> Iterator[Need]:
    for order in fleet.stop_orders:
        said = len({one.person for one in order.lifts})
        more = f"; {said} of {order.lifts_needed} have said that it may end" if said else ""
        yield Need(
            kind=NeedKind.STOP_ORDER,
            service=None,
            why=f"{describe(order)}{more}",
            since=order.at,
            order=order,
        )


def _of_debts(fleet: Fleet) -> Iterator[Need]:
    for debt in fleet.debts:
        late = rough_duration(fleet.now - debt.due_at)
        yield Need(
            kind=NeedKind.DEBT,
            service=debt.service,
            why=f"{debt.gate} of emergency {debt.emergency_id} is overdue by {late}"
            f" (owner {debt.owner}): {debt.because}",
            since=debt.due_at,
            debt=debt,
        )
