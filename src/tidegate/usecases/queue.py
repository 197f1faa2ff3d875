"""
The queue: a rollout whose targets are another's waits for its turn, and delays nobody else.

A queued rollout is planned and hashed as any other and claims nothing. When its turn comes it takes its
targets, and what they serve then is its baseline. Rule: the order is that of the starts, target by
target; a rollout that shares no target with another never waits for it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from tidegate.domain.plan.model import Change, Supersede
from tidegate.domain.quantities import (
    Generation,
    Placement,
    RolloutId,
    ServiceName,
    TargetName,
    Version,
)
from tidegate.domain.rollout.decisions import Ended, Observation
from tidegate.domain.rollout.machine import Event, State
from tidegate.domain.rollout.model import ReasonCode, Rollout, WaitingOn, WhoCanAct
from tidegate.domain.stops.model import Queued
from tidegate.errors import ActiveRolloutError, StateMovedError
from tidegate.ports.store import Transaction
from tidegate.usecases.emergency_records import urgent_emergency
from tidegate.usecases.outside import Outside
from tidegate.usecases.quarantine import end_quarantines
from tidegate.usecases.record import record_command

_SEEN_TO_END: Final = (State.COMPLETED, State.ROLLED_BACK)
"""States of a rollout whose end was seen at, or told to, each of its targets."""


def targets_of(rollout: Rollout) -> tuple[TargetName, ...]:
    """Return the targets that *rollout* moves, in order."""
    return tuple(dict.fromkeys(place.target for place in rollout.plan.placements()))


def queued_behind(transaction: Transaction, rollout: Rollout, now: datetime) -> Queued | None:
    """Return who has a target of *rollout* or is before it in the queue, None when it is its turn."""
    targets = targets_of(rollout)
    for holder in transaction.holders(rollout.service, targets):
        if holder != rollout.id:
            return Queued(behind=holder, because=f"rollout {holder} has its targets")
    for earlier in transaction.queued(rollout.service):
        if earlier.id == rollout.id:
            break
        if set(targets) & set(targets_of(earlier)):
            return Queued(behind=earlier.id, because=f"rollout {earlier.id} is before it")
    urgent = urgent_emergency(transaction, rollout, now)
    if urgent is not None:
        # Else whoever ends the rollout that is in the way of a fix would only let the next one in.
        because = f"emergency {urgent} is authorised and goes first"
        return Queued(behind=RolloutId(urgent), because=because)
    return None


def ended_last(transaction: Transaction, rollout: Rollout) -> tuple[Ended, ...]:
    """Return which rollout ended last at each placement of *rollout* where one did."""
    latest: dict[Placement, tuple[datetime, Rollout]] = {}
    for other in transaction.rollouts(service=rollout.service):
        if other.state not in _SEEN_TO_END or other.finished_at is None:
            continue
        for placement in other.plan.placements():
            known = latest.get(placement)
            if known is None or known[0] < other.finished_at:
                latest[placement] = other.finished_at, other
    return tuple(
        Ended(
            placement=placement,
            rollout_id=other.id,
            generation=other.generation_on(placement.target),
            replaced=other.baseline_of(placement) if _replaces(other) else None,
            may_lag_until=finished_at + other.plan.apply_within,
        )
        for placement in rollout.plan.placements()
        if placement in latest
        for finished_at, other in [latest[placement]]
    )


def _replaces(rollout: Rollout) -> bool:
    """Return whether what everyone is served became another when *rollout* ended."""
    return not rollout.is_install and (rollout.state is State.COMPLETED or rollout.is_return)


def in_the_way(
    transaction: Transaction, service: ServiceName, targets: tuple[TargetName, ...]
) -> tuple[RolloutId, ...]:
    """Return the rollouts of *service* that move or wait for one of *targets*."""
    waiting = (one for one in transaction.queued(service) if set(targets) & set(targets_of(one)))
    return (*transaction.holders(service, targets), *(one.id for one in waiting))


def line_up(
    transaction: Transaction, planned: Rollout, before: Sequence[RolloutId], *, actor: str
) -> Rollout:
    """Add *planned* behind the rollouts *before*; by its plan, in the place of those that wait."""
    queued = replace(
        planned,
        waiting_on=WaitingOn(
            reason=ReasonCode.QUEUE,
            detail=f"it waits for rollout {', '.join(before)}",
            until=None,
            who_can_act=WhoCanAct.NOBODY,
        ),
    )
    transaction.queue_rollout(queued)
    if planned.plan.supersede is not Supersede.QUEUE:
        supersede_queued(transaction, queued, actor=actor, now=planned.created_at)
    return queued


def put_off(transaction: Transaction, planned: Rollout, behind: str) -> Rollout:
    """Add *planned* as the next in the queue, to begin when its targets aren't *behind* any more."""
    next_one = replace(planned, waiting_on=replace(planned.waiting_on, detail=behind))
    transaction.queue_rollout(next_one)
    return next_one


def bundled_versions(
    transaction: Transaction, service: ServiceName, versions: dict[str, str]
) -> dict[str, str]:
    """Return *versions* joined with those of what is queued; the newer of each component wins."""
    joined: dict[str, str] = {}
    for waiting in transaction.queued(service):
        joined.update(_as_written(waiting.change))
    return {**joined, **versions}


def _as_written(change: Change) -> dict[str, str]:
    return {str(part.component): f"{part.to.name}@{part.to.digest}" for part in change.components}


def supersede_queued(
    transaction: Transaction, newer: Rollout, *, actor: str, now: datetime
) -> tuple[RolloutId, ...]:
    """Drop what is queued for a target of *newer*; return which rollouts those were."""
    targets = set(targets_of(newer))
    dropped = []
    for waiting in transaction.queued(newer.service):
        if waiting.id == newer.id or not targets & set(targets_of(waiting)):
            continue
        reason = f"superseded by rollout {newer.id}"
        record_command(
            transaction,
            waiting,
            dropped_from_queue(waiting, reason, now),
            actor=actor,
            verb="supersede",
            reason=reason,
            at=now,
        )
        dropped.append(waiting.id)
    return tuple(dropped)


def dropped_from_queue(rollout: Rollout, because: str, now: datetime) -> Rollout:
    """Return the queued *rollout* ended: nothing of it was served to anyone."""
    return replace(
        rollout.moved(Event.SUPERSEDED, at=now),
        waiting_on=WaitingOn(
            reason=ReasonCode.NOTHING, detail=because, until=None, who_can_act=WhoCanAct.NOBODY
        ),
    )


def take_turn(transaction: Transaction, seen: Observation) -> Rollout:
    """
    Return the queued rollout of *seen* begun: it has its targets, and a baseline from what they serve.

    Raises:
        StateMovedError: somebody has a target of it after all; it stays queued.
    """
    rollout = seen.rollout
    try:
        transaction.claim_targets(rollout)
    except ActiveRolloutError as exc:
        raise StateMovedError(
            f"rollout {rollout.id} lost its turn: {exc.message}", hint="it waits for the next one"
        ) from exc
    end_quarantines(transaction, rollout.service, rollout.plan)
    begun = rollout.moved(Event.STARTED, at=seen.now)
    return replace(
        begun,
        baselines=_served(seen),
        generations=_fenced(transaction, seen),
        phase_since=seen.now,
        waiting_on=WaitingOn(
            reason=ReasonCode.STARTING,
            detail="its turn has come",
            until=None,
            who_can_act=WhoCanAct.NOBODY,
        ),
    )


def _served(seen: Observation) -> tuple[tuple[Placement, Version], ...]:
    return tuple(
        (here.placement, here.serving) for here in seen.placements if here.serving is not None
    )


def _fenced(transaction: Transaction, seen: Observation) -> tuple[tuple[str, Generation], ...]:
    """Issue the generations that it begins with, above what its targets follow now."""
    above: dict[TargetName, int] = {}
    for here in seen.placements:
        target = here.placement.target
        above[target] = max(above.get(target, 0), here.generation)
    return tuple(
        (str(target), transaction.issue_generation(seen.rollout.service, target, above=least))
        for target, least in above.items()
    )


def wake_queue(outside: Outside, ended: Rollout) -> None:
    """Have those looked at that may have waited for *ended*."""
    with outside.store.begin(read_only=True) as transaction:
        waiting = [one.id for one in transaction.queued(ended.service)]
    for rollout_id in waiting:
        outside.wake(rollout_id)
