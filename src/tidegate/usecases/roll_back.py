"""
Rolling back: an active rollout goes back to what was served before; a completed one is returned from.

After completion the way back is a rollout of its own: it serves the last known good to everyone at
once. That isn't a rise of exposure to something unproven: it has been served to everyone before.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from tidegate.domain.plan.model import Change, ComponentChange
from tidegate.domain.quantities import Placement, RolloutId, Version
from tidegate.domain.rollout.machine import Event, State
from tidegate.domain.rollout.model import Halt, HaltCause, ReasonCode, Rollout, WaitingOn, WhoCanAct
from tidegate.errors import RefusedError, StateMovedError
from tidegate.ports.store import Transaction
from tidegate.usecases.commands import TRIES, change_rollout
from tidegate.usecases.in_the_way import in_the_way, may_go_back
from tidegate.usecases.observe import placements_of_interest
from tidegate.usecases.outside import Outside
from tidegate.usecases.record import note_command
from tidegate.usecases.withdraw import (
    OvertakenError,
    stopped_below,
    with_generations,
    withdraw,
)

RETURNS_REMEMBERED: Final = 1_000
"""How many of a service's latest rollouts are searched for versions that were returned from."""


async def roll_back(outside: Outside, rollout_id: RolloutId, *, actor: str, reason: str) -> Rollout:
    """
    Bring back what was served before *rollout_id*; return the rollout that does it.

    Raises:
        NotFoundError: there is no such rollout.
        RefusedError: it is over, and there is nothing to go back to.
    """
    for _ in range(TRIES):
        with outside.store.begin(read_only=True) as transaction:
            rollout = transaction.rollout(rollout_id)
        if rollout.is_final:
            return _return_from(outside, rollout, actor=actor, reason=reason)
        if rollout.is_return:
            return rollout
        if rollout.state is State.PLANNED:
            raise RefusedError(
                f"rollout {rollout.id} waits in the queue: nothing of it is served",
                hint=f"take it out of the queue: tidegate halt {rollout.id}",
            )
        try:
            return await _recover_once(outside, rollout, actor=actor, reason=reason)
        except OvertakenError:
            # A step recorded a rise meanwhile: the way back has to come after it.
            continue
    raise StateMovedError(
        f"rollout {rollout_id} was moved every time it was about to be rolled back",
        hint="nobody is exposed at this moment: roll it back again",
    )


async def _recover_once(outside: Outside, rollout: Rollout, *, actor: str, reason: str) -> Rollout:
    issued, _ = await withdraw(outside, rollout, placements_of_interest(rollout))
    now = outside.clock.now()

    def recovering(_: Transaction, before: Rollout) -> Rollout:
        if before.is_final:
            return replace(before, generations=with_generations(before, issued))
        generations = stopped_below(before, issued)
        after = before.moved(Event.RECOVERY_STARTED, at=now)
        halt = before.halt or Halt(cause=HaltCause.PERSON, because=reason, by=actor, at=now)
        return replace(after, halt=halt, generations=generations, waiting_on=_recovering(reason))

    return change_rollout(
        outside, rollout.id, recovering, actor=actor, verb="rollback", reason=reason
    )


def _return_from(outside: Outside, completed: Rollout, *, actor: str, reason: str) -> Rollout:
    if completed.state is not State.COMPLETED:
        raise RefusedError(
            f"rollout {completed.id} is {completed.state.value}: it serves nobody",
            hint="there is nothing to roll back",
        )
    now = outside.clock.now()
    with outside.store.begin() as transaction:
        came = in_the_way(transaction, completed)
        if came is not None:
            raise RefusedError(
                f"rollout {completed.id} isn't the latest of {completed.service}: {came.id} came after it",
                hint=_way_out(came),
            )
        change = _earlier_versions(transaction, completed)
        planned = replace(
            completed,
            id=_return_id(transaction, completed),
            change=change,
            baselines=tuple(
                (place, _served_by(completed, place)) for place in completed.plan.placements()
            ),
            state=State.PLANNED,
            revision=1,
            created_at=now,
            created_by=actor,
            state_since=now,
            phase_since=now,
            phase_index=len(completed.plan.phases) - 1,
            generations=(),
            passes=(),
            approvals=(),
            finished_at=None,
            settled=False,
            is_return=True,
            way_back_took=timedelta(0),
            halt=Halt(cause=HaltCause.PERSON, because=reason, by=actor, at=now),
            waiting_on=_recovering(reason),
        )
        returning = planned.moved(Event.RECOVERY_STARTED, at=now)
        transaction.save_rollout(replace(completed, settled=True))
        transaction.add_rollout(returning)
        note_command(
            transaction, planned, returning, actor=actor, verb="rollback", reason=reason, at=now
        )
    outside.wake(returning.id)
    return returning


def _way_out(came: Rollout) -> str:
    """Return what to do about a rollout that is in the way."""
    if may_go_back(came):
        return f"roll back {came.id} instead"
    return "an earlier version was brought back since: `tidegate status` tells what is served"


def _earlier_versions(transaction: Transaction, completed: Rollout) -> Change:
    """
    Return the newest last known good of each component that isn't what is served now.

    A version that was returned from since it was known good isn't good any more.
    """
    found: dict[str, Version] = {}
    returns = [
        other
        for other in transaction.rollouts(service=completed.service, limit=RETURNS_REMEMBERED)
        if other.is_return
    ]
    for placement in completed.plan.placements():
        served = _served_by(completed, placement)
        before = completed.baseline_of(placement)
        left = [(dict(other.baselines).get(placement), other.created_at) for other in returns]
        chain = [
            good.version
            for good in transaction.last_known_good(placement)
            if not any(version == good.version and at >= good.since for version, at in left)
        ]
        earlier = next((v for v in (*chain, before) if v != served), None)
        if earlier is None:
            raise RefusedError(
                f"{placement} has never served anything but {served.name}",
                hint="start another version instead",
            )
        found.setdefault(placement.component, earlier)
    return Change(
        components=tuple(
            ComponentChange(component=part.component, to=found[part.component])
            for part in completed.change.components
        )
    )


def _served_by(completed: Rollout, placement: Placement) -> Version:
    version = completed.change.version_of(placement.component)
    assert version is not None, f"{placement} is not part of the change"
    return version


def _return_id(transaction: Transaction, completed: Rollout) -> RolloutId:
    number = 1
    while f"{completed.id}-back{number}" in transaction.rollouts_with_prefix(
        f"{completed.id}-back{number}"
    ):
        number += 1
    return RolloutId(f"{completed.id}-back{number}")


def _recovering(reason: str) -> WaitingOn:
    return WaitingOn(
        reason=ReasonCode.RECOVERING,
        detail=reason,
        until=None,
        who_can_act=WhoCanAct.NOBODY,
    )
