"""
Resuming: after a halt the phase is proven again as a new attempt; an undecided bake gets more time.

Resuming never skips anything. It needs a reason, which stays in the ledger.
"""

from dataclasses import replace

from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.machine import Event, State
from tidegate.domain.rollout.model import (
    ReasonCode,
    Rehearsal,
    Rollout,
    WaitingOn,
    WhoCanAct,
)
from tidegate.errors import IllegalTransitionError
from tidegate.ports.store import Transaction
from tidegate.usecases.commands import At, change_rollout, need_reason
from tidegate.usecases.outside import Outside


def resume_rollout(
    outside: Outside,
    rollout_id: RolloutId,
    *,
    actor: str,
    reason: str,
    at: At | None = None,
    person: str | None = None,
) -> Rollout:
    """
    Let a halted or undecided rollout go on.

    *person* is who stands behind *actor*: they can't approve what they let go on after a halt.

    Raises:
        InvalidRequestError: no reason was given.
        IllegalTransitionError: it is neither halted nor undecided.
        StateMovedError: it moved since *at*.
    """
    why = need_reason(reason, "resume")
    now = outside.clock.now()

    def resumed(_: Transaction, before: Rollout) -> Rollout:
        undecided = before.waiting_on.reason is ReasonCode.INCONCLUSIVE
        if before.state is State.HELD and not undecided:
            raise IllegalTransitionError(
                f"rollout {before.id} is held: {before.waiting_on.detail}",
                hint="it goes on by itself when the cause is gone; halt it or roll it back otherwise",
            )
        after = before.moved(Event.RESUMED, at=now)
        if before.state is State.HELD:
            return replace(
                after,
                bake_allowance=before.bake_allowance + 1,
                waiting_on=_starting("the bake goes on"),
            )
        if before.rehearsal is not Rehearsal.PROVEN:
            # What was opened to internal users is withdrawn: the way back is tried from its beginning.
            after = replace(after, rehearsal=Rehearsal.NOT_TRIED, rehearsal_since=None)
        return replace(
            after,
            attempt=before.attempt + 1,
            bake_allowance=1,
            halt=None,
            resumed_by_person=person or before.resumed_by_person,
            waiting_on=_starting("the phase is proven again"),
        )

    return change_rollout(
        outside, rollout_id, resumed, actor=actor, verb="resume", reason=why, at=at
    )


def _starting(detail: str) -> WaitingOn:
    return WaitingOn(
        reason=ReasonCode.STARTING, detail=detail, until=None, who_can_act=WhoCanAct.NOBODY
    )
