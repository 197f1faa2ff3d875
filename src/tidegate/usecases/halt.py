"""
Halting one rollout: withdraws the candidate first, records second. Needs no approval and no look.

Whoever halts twice, or halts what is over, gets the present state back and no error.
"""

from dataclasses import replace

from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.machine import Event, State
from tidegate.domain.rollout.model import Halt, HaltCause, ReasonCode, Rollout, WaitingOn, WhoCanAct
from tidegate.errors import StateMovedError
from tidegate.ports.store import Transaction
from tidegate.usecases.commands import TRIES, change_rollout
from tidegate.usecases.observe import placements_of_interest
from tidegate.usecases.outside import Outside
from tidegate.usecases.withdraw import (
    OvertakenError,
    stopped_below,
    with_generations,
    withdraw,
)

STILL = frozenset({State.HALTED, State.RECOVERING})
_EVENTS = {HaltCause.ALARM: Event.ALARM_RAISED}


async def halt_rollout(
    outside: Outside,
    rollout_id: RolloutId,
    *,
    actor: str,
    reason: str,
    cause: HaltCause = HaltCause.PERSON,
) -> Rollout:
    """
    Stop a rollout and withdraw its candidate, at once.

    A target that can't be reached is withdrawn by the next steps, until it was seen to be. *cause* is
    a person's word, or an alarm.

    Raises:
        NotFoundError: there is no such rollout.
        StoreError: the stop couldn't be recorded; it is in force at the targets all the same.
    """
    for _ in range(TRIES):
        with outside.store.begin(read_only=True) as transaction:
            rollout = transaction.rollout(rollout_id)
        if rollout.is_final or rollout.is_return:
            return rollout
        try:
            if rollout.state is State.PLANNED:
                return _leave_queue(outside, rollout, actor=actor, reason=reason, cause=cause)
            return await _halt_once(outside, rollout, actor=actor, reason=reason, cause=cause)
        except OvertakenError:
            # A step recorded a rise meanwhile: the stop has to come after it.
            continue
    raise StateMovedError(
        f"rollout {rollout_id} was moved every time it was about to be halted",
        hint="nobody is exposed at this moment: halt it again",
    )


def _leave_queue(
    outside: Outside, rollout: Rollout, *, actor: str, reason: str, cause: HaltCause
) -> Rollout:
    """
    Take a queued rollout out of the queue: its targets are another's, so nothing is withdrawn there.

    An alarm leaves it: as a level it is asked again when its turn comes.
    """
    if cause is not HaltCause.PERSON:
        return rollout
    now = outside.clock.now()

    def left(_: Transaction, before: Rollout) -> Rollout:
        if before.state is not State.PLANNED:
            raise OvertakenError(before.id)
        return replace(
            before.moved(Event.HALTED_BY_PERSON, at=now),
            halt=Halt(cause=cause, because=reason or "no reason given", by=actor, at=now),
            waiting_on=WaitingOn(
                reason=ReasonCode.NOTHING,
                detail="it was taken out of the queue",
                until=None,
                who_can_act=WhoCanAct.NOBODY,
            ),
        )

    return change_rollout(outside, rollout.id, left, actor=actor, verb="halt", reason=reason)


async def _halt_once(
    outside: Outside, rollout: Rollout, *, actor: str, reason: str, cause: HaltCause
) -> Rollout:
    issued, unreached = await withdraw(outside, rollout, placements_of_interest(rollout))
    now = outside.clock.now()

    def halted(_: Transaction, before: Rollout) -> Rollout:
        if before.is_final or before.state in STILL:
            return replace(before, generations=with_generations(before, issued))
        generations = stopped_below(before, issued)
        after = before.moved(_EVENTS.get(cause, Event.HALTED_BY_PERSON), at=now)
        return replace(
            after,
            halt=Halt(cause=cause, because=reason or "no reason given", by=actor, at=now),
            generations=generations,
            waiting_on=WaitingOn(
                reason=ReasonCode.WITHDRAWING,
                detail="; ".join(unreached) or "the candidate is withdrawn",
                until=None,
                who_can_act=WhoCanAct.OPERATOR,
            ),
        )

    return change_rollout(outside, rollout.id, halted, actor=actor, verb="halt", reason=reason)
