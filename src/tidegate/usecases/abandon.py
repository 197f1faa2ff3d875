"""Abandoning: a halted rollout, withdrawn everywhere, is given up for good. Moves nothing."""

from dataclasses import replace

from tidegate.domain.quantities import NO_EXPOSURE, RolloutId
from tidegate.domain.rollout.machine import Event, State
from tidegate.domain.rollout.model import ReasonCode, Rollout, WaitingOn, WhoCanAct
from tidegate.errors import IllegalTransitionError
from tidegate.ports.store import Transaction
from tidegate.usecases.commands import At, change_rollout, need_reason
from tidegate.usecases.observe import observe
from tidegate.usecases.outside import Outside


async def abandon_rollout(
    outside: Outside, rollout_id: RolloutId, *, actor: str, reason: str, at: At | None = None
) -> Rollout:
    """
    Give up a halted rollout; its candidate is taken away.

    Raises:
        InvalidRequestError: no reason was given.
        IllegalTransitionError: it isn't halted, or is still being withdrawn somewhere.
    """
    why = need_reason(reason, "abandon")
    with outside.store.begin(read_only=True) as transaction:
        rollout = transaction.rollout(rollout_id)
    if rollout.state is State.HALTED:
        for here in await observe(outside, rollout):
            if here.exposure != NO_EXPOSURE:
                raise IllegalTransitionError(
                    f"{here.placement} still exposes {here.exposure}",
                    hint="wait until it is withdrawn; `tidegate status` shows when",
                )
            await outside.component(rollout, here.placement).retire(here.placement)
    now = outside.clock.now()

    def abandoned(_: Transaction, before: Rollout) -> Rollout:
        return replace(
            before.moved(Event.ABANDONED, at=now),
            waiting_on=WaitingOn(
                reason=ReasonCode.NOTHING,
                detail="the rollout is over",
                until=None,
                who_can_act=WhoCanAct.NOBODY,
            ),
        )

    return change_rollout(
        outside, rollout_id, abandoned, actor=actor, verb="abandon", reason=why, at=at
    )
