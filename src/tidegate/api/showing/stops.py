"""Stop orders as they are shown."""

from datetime import datetime

from tidegate.api.shapes import stops as shapes
from tidegate.api.showing.rollout import show_change
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.stops.model import StopOrder
from tidegate.usecases.stops import Given, Lifted


def show_order(order: StopOrder) -> shapes.StopOrder:
    """Return *order* as it is shown."""
    return shapes.StopOrder(
        number=order.number,
        scope=order.scope.value,
        name=order.name,
        withdraw=order.withdraw,
        reason=order.reason,
        by=order.by,
        at=order.at,
        organisation=order.organisation,
        lifts=[
            shapes.Lift(by=lift.by, person=lift.person, at=lift.at, reason=lift.reason)
            for lift in order.lifts
        ],
        lifts_needed=order.lifts_needed,
        lifted_at=order.lifted_at,
    )


def show_given(given: Given, *, now: datetime) -> shapes.StopOrderGiven:
    """Return an order that was given, with what it stops."""
    return shapes.StopOrderGiven(
        order=show_order(given.order),
        covered=[*given.covered],
        suspects=[_suspect(rollout) for rollout in given.suspects],
        as_of=now,
    )


def show_lifted(lifted: Lifted) -> shapes.StopOrderLifted:
    """Return an order after a word that it may end."""
    return shapes.StopOrderLifted(order=show_order(lifted.order), released=[*lifted.released])


def _suspect(rollout: Rollout) -> shapes.Suspect:
    return shapes.Suspect(
        rollout=rollout.id,
        service=rollout.service,
        change=show_change(rollout),
        state=rollout.state.value,
        started_at=rollout.created_at,
    )
